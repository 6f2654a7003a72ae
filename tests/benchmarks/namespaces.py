"""Hosts on one machine: network namespaces, each with its own torchrun.

They need root and the command ``ip``. A bridge connects them; or, where packets shall take time, a
switch of our own (`Switch`), because few kernels have a queue that delays them.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
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

#: Where the kernel makes network devices for programs.
TUN = Path("/dev/net/tun")

#: Of the kernel: makes a network device whose frames a program reads and writes.
TUNSETIFF, TAP, WITHOUT_HEADER = 0x400454CA, 0x0002, 0x1000

#: Bytes of the largest packet between delayed hosts; large ones cost the switch less time.
LARGEST = 65_000

#: Numbers the groups of hosts of this process: what is removed keeps its name for a moment.
_GROUPS = itertools.count(1)


class NoNamespaces(Exception):
    """This machine, or this user, cannot make them."""


def ip(*words: str) -> bool:
    """Run the command ``ip``; return whether it succeeded."""
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


class Switch(threading.Thread):
    """Passes on the frames of the hosts, each after a delay.

    Parameters
    ----------
    seconds : float
        The delay in one direction.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(daemon=True)
        self._seconds = seconds
        self._ports: dict[int, int] = {}
        self._ended = threading.Event()

    def plug(self, name: str, number: int) -> None:
        """Make the network device of a host; its hardware address ends with the number."""
        import fcntl  # not on Windows

        port = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(port, TUNSETIFF, struct.pack("16sH", name.encode(), TAP | WITHOUT_HEADER))
        except OSError as error:
            raise NoNamespaces(f"this machine cannot delay packets ({error})") from error
        ip("link", "set", name, "address", f"02:00:00:00:00:{number:02x}", "mtu", str(LARGEST))
        self._ports[number] = port

    def run(self) -> None:
        """Pass frames on until `end`."""
        waiting: list[tuple[float, int, int, bytes]] = []
        order = itertools.count()
        watch = select.poll()
        for port in self._ports.values():
            watch.register(port, select.POLLIN)
        while not self._ended.is_set():
            left = waiting[0][0] - time.monotonic() if waiting else 0.05
            for port, _ in watch.poll(max(left * 1000, 0)):
                with suppress(OSError):
                    frame = os.read(port, LARGEST + 100)
                    for to in self._receivers(frame, port):
                        due = time.monotonic() + self._seconds
                        heapq.heappush(waiting, (due, next(order), to, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                with suppress(OSError):  # A host that is gone loses it, as a cable would.
                    os.write(to, frame)

    def _receivers(self, frame: bytes, sender: int) -> list[int]:
        """Return the port of the host that a frame is for; all others for one to all."""
        known = self._ports.get(frame[5]) if frame[:5] == b"\x02\0\0\0\0" else None
        ports = self._ports.values() if known is None else [known]
        return [port for port in ports if port != sender]

    def end(self) -> None:
        """Stop, and remove the devices."""
        self._ended.set()
        if self.is_alive():
            self.join()
        for port in self._ports.values():
            os.close(port)


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
    switch: Switch | None = None
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(self, number: int) -> None:
        """Make the namespace of a host."""
        name, outside = f"{self.name}-{number}", f"{self.name}v{number}"
        ip("netns", "add", name)
        if self.switch is not None:
            self.switch.plug(outside, number)
            ip("link", "set", outside, "netns", name, "name", "eth0")
        else:
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
def hosts(folder: Path, count: int, *words: object, delay: float = 0.0) -> Iterator[Hosts]:
    """Make some hosts; at the end they are killed and removed.

    Packets take `delay` seconds from host to host.

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
    made = Hosts(name, folder, count, tuple(map(str, words)), Switch(delay) if delay else None)
    try:
        ip("link", "set", name, "up")
        for number in range(1, count + 1):
            made.add(number)
        if made.switch is not None:
            made.switch.start()
        yield made
    finally:
        for number in [*made.running]:
            made.kill(number)
        if made.switch is not None:
            made.switch.end()
        for number in range(1, count + 1):
            ip("netns", "del", f"{name}-{number}")
        ip("link", "del", name)
