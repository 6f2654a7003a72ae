"""Hosts that train together: network namespaces, each with its own torchrun."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import seqgen

#: What a host runs; the words of `train` follow.
TORCHRUN = (
    *(sys.executable, "-m", "torch.distributed.run", "--nnodes=1:3", "--nproc-per-node=1"),
    *("--rdzv-backend=c10d", "--rdzv-endpoint=10.91.0.1:29400", "--rdzv-id=verses"),
    "--max-restarts=9",
)
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "eth0",
    # Otherwise a host that comes back waits for ever in PyTorch 2.13.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}
TOKENS = 250_000
TRAIN = (
    *("--hidden=32", "--embedding=8", "--dropout=0.1", "--batch-size=8", "--window=16"),
    *("--device=cpu", "--evaluations=40", f"--tokens={TOKENS}"),
)


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


@dataclass
class Hosts:
    """Namespaces on one bridge; host 1 has the address 10.91.0.1."""

    folder: Path
    corpus: Path
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(self, number: int) -> None:
        name, outside = f"seqgen{number}", f"seqgen-v{number}"
        ip("netns", "add", name)
        ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", outside, "master", "seqgen-br", "up")
        ip("-n", name, "addr", "add", f"10.91.0.{number}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "lo", "up")
        assert ip("-n", name, "link", "set", "eth0", "up")

    def start(self, number: int) -> None:
        """Start the torchrun of a host; the first one holds the meeting point."""
        meeting = f"--rdzv-conf=join_timeout=200,last_call_timeout=2,is_host={number == 1}"
        line = [
            *("ip", "netns", "exec", f"seqgen{number}", *TORCHRUN, meeting),
            *(f"--local-addr=10.91.0.{number}", "-m", "seqgen", "train", "text"),
            *(str(self.corpus), *TRAIN, "--out", str(self.folder / "run")),
        ]
        with (self.folder / f"host {number}.txt").open("ab") as out:
            self.running[number] = subprocess.Popen(
                line, stdout=out, stderr=out, env=os.environ | ENVIRONMENT
            )

    def kill(self, number: int) -> None:
        """Kill every process of a host, as a loss of power does."""
        found = subprocess.run(
            ["ip", "netns", "pids", f"seqgen{number}"], capture_output=True, text=True
        ).stdout.split()
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        self.running.pop(number).wait()

    def until(self, step: int) -> int:
        """Wait for a checkpoint beyond a step; return its step."""
        for _ in range(600):
            saved = sorted((self.folder / "run" / "checkpoints").glob("*.safetensors"))
            if saved and int(saved[-1].stem) > step:
                return int(saved[-1].stem)
            assert all(one.poll() is None for one in self.running.values()), self.said
            time.sleep(0.2)
        raise AssertionError(self.said)

    @property
    def said(self) -> str:
        return "\n".join(
            f"{path.name}: {path.read_text()[-3000:]}" for path in self.folder.glob("host*.txt")
        )


@pytest.fixture
def hosts(corpus: seqgen.Corpus, tmp_path: Path) -> Iterator[Hosts]:
    if os.name != "posix" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("namespaces need root and the command ip")
    if not ip("link", "add", "seqgen-br", "type", "bridge"):
        pytest.skip("this kernel does not allow a bridge, or another test has it")
    made = Hosts(tmp_path, corpus.folder)
    try:
        ip("link", "set", "seqgen-br", "up")
        for number in (1, 2, 3):
            made.add(number)
        yield made
    finally:
        for number in [*made.running]:
            made.kill(number)
        for number in (1, 2, 3):
            ip("netns", "del", f"seqgen{number}")
        ip("link", "del", "seqgen-br")


@pytest.mark.slow
def test_a_training_survives_the_loss_of_a_host_and_its_return(hosts: Hosts) -> None:
    for number in (1, 2, 3):
        hosts.start(number)
    step = hosts.until(1)
    hosts.kill(3)
    step = hosts.until(step)
    hosts.start(3)
    time.sleep(5)
    hosts.until(step)
    for one in hosts.running.values():
        assert one.wait(timeout=240) == 0, hosts.said
    run = seqgen.load(hosts.folder / "run", "cpu")
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert run.info["launch"] == "verses" and not (run.folder / "checkpoints").exists()
    assert all(early < late for early, late in itertools.pairwise(steps)), "no step twice"
    assert run.info["result"]["valid_loss"] < 0.3
    assert json.loads(lines[-1])["tokens"] >= TOKENS, "the whole budget was read"
    told = (hosts.folder / "host 1.txt").read_text()
    assert told.count("going on with") >= 2, told
