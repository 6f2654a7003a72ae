"""Hosts on one machine: network namespaces on a bridge, each with its own torchrun.

They need root and the command ``ip``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

#: What a host runs; the words of `seqgen` follow.
TORCHRUN = (
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=1", "--max-restarts=99"),
    *("--rdzv-backend=c10d", "--rdzv-endpoint=10.91.0.1:29400", "--rdzv-id=hosts"),
)
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "eth0",
    # Without it a host that comes back is never let in by PyTorch 2.13.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}

#: Numbers the groups of hosts of this process: what is removed keeps its name for a moment.
_GROUPS = itertools.count(1)


class NoNamespaces(Exception):
    """This machine, or this user, cannot make them."""


def ip(*words: str) -> bool:
    """Run the command ``ip``; return whether it succeeded."""
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


@dataclass
class Hosts:
    """Hosts that run one command; what they print is in ``host N.txt`` of the folder.

    Parameters
    ----------
    name : str
        Of the bridge; begins the names of the hosts.
    folder : Path
    count : int
        Hosts are numbered from 1, which holds the meeting point; a training goes on with fewer.
    words : tuple of str
        The command after ``seqgen``.
    """

    name: str
    folder: Path
    count: int
    words: tuple[str, ...]
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(self, number: int) -> None:
        """Make the namespace of a host."""
        name, outside = f"{self.name}-{number}", f"{self.name}v{number}"
        ip("netns", "add", name)
        ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", outside, "master", self.name, "up")
        ip("-n", name, "addr", "add", f"10.91.0.{number}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "lo", "up")
        if not ip("-n", name, "link", "set", "eth0", "up"):
            raise NoNamespaces("this machine cannot make network namespaces")

    def start(self, number: int) -> None:
        """Start the torchrun of a host."""
        meeting = f"--rdzv-conf=join_timeout=200,last_call_timeout=2,is_host={number == 1}"
        line = [
            *(
                "ip",
                "netns",
                "exec",
                f"{self.name}-{number}",
                *TORCHRUN,
                f"--nnodes=1:{self.count}",
            ),
            *(meeting, f"--local-addr=10.91.0.{number}", "-m", "seqgen", *self.words),
        ]
        with (self.folder / f"host {number}.txt").open("ab") as out:
            self.running[number] = subprocess.Popen(
                line, stdout=out, stderr=out, env=os.environ | ENVIRONMENT
            )

    def kill(self, number: int) -> None:
        """Kill every process of a host."""
        found = subprocess.run(
            ["ip", "netns", "pids", f"{self.name}-{number}"], capture_output=True, text=True
        ).stdout.split()
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        self.running.pop(number).wait()

    def until(self, step: int, run: Path) -> int:
        """Wait for a checkpoint of a run beyond a step; return its step."""
        for _ in range(1500):
            saved = sorted((run / "checkpoints").glob("*.safetensors"))
            if saved and int(saved[-1].stem) > step:
                return int(saved[-1].stem)
            if any(one.poll() is not None for one in self.running.values()):
                break
            time.sleep(0.2)
        raise AssertionError(self.said)

    def finish(self) -> None:
        """Wait until all hosts end well."""
        for one in self.running.values():
            if one.wait(timeout=900):
                raise AssertionError(self.said)

    @property
    def said(self) -> str:
        """The end of what each host printed."""
        return "\n".join(
            f"{path.name}: {path.read_text()[-3000:]}" for path in self.folder.glob("host*.txt")
        )


@contextmanager
def hosts(folder: Path, count: int, *words: object) -> Iterator[Hosts]:
    """Make some hosts; at the end they are killed and removed.

    Raises
    ------
    NoNamespaces
        If this is not possible here.
    """
    if os.name != "posix" or os.geteuid() or not shutil.which("ip"):
        raise NoNamespaces("network namespaces need root and the command ip")
    # Other processes, and what they left, have other names.
    name = f"sg{os.getpid()}.{next(_GROUPS)}"
    if not ip("link", "add", name, "type", "bridge"):
        raise NoNamespaces("this machine cannot make a bridge")
    made = Hosts(name, folder, count, tuple(map(str, words)))
    try:
        ip("link", "set", name, "up")
        for number in range(1, count + 1):
            made.add(number)
        yield made
    finally:
        for number in [*made.running]:
            made.kill(number)
        for number in range(1, count + 1):
            ip("netns", "del", f"{name}-{number}")
        ip("link", "del", name)
