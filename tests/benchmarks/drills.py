"""Failures of real machines: kills, simultaneous commands, a full disk, and random ids.

``train``, ``prepare`` and ``generate`` are killed (SIGKILL) at random moments. The same command
must then succeed and leave no process, no hidden folder and no half result. Two commands run at
once: nothing is lost or mixed, and there is no traceback. On a full disk (a small tmpfs, where root
can mount one) a command ends with a message that names a path. The codec of each domain's demo
and all codecs of speech decode random ids. The figure is the number of drills survived.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from harness import Benchmark
from seqgen_speech.demo import VOICES, sentences
from seqgen_speech.domain import Speech
from seqgen_speech.espeak import speak
from seqgen_speech.sound import Sound

import seqgen
from seqgen.errors import PluginError
from seqgen.plugin import Codec

#: The short form of a training: a second or two.
TINY = (
    *("--tokens", "60000", "--hidden", "32", "--embedding", "16", "--batch-size", "8"),
    *("--window", "32", "--device", "cpu", "--threads", "1", "--checkpoint", "0.005"),
)

#: Sentences to which the codecs of speech are fitted.
SENTENCES = 60

#: Bytes of the small disk.
DISK = 200_000


class Drills:
    """Counts the drills and their failures."""

    def __init__(self, benchmark: Benchmark, place: Path) -> None:
        self.benchmark, self.place = benchmark, place
        self.tried: Counter[str] = Counter()
        self.failures: list[str] = []
        self.skipped: list[str] = []
        self.seconds: dict[str, float] = {}
        self.chance = random.Random(benchmark.seed)

    def note(self, kind: str, faults: list[str]) -> None:
        """Count a drill; it is survived if there is no fault."""
        self.tried[kind] += 1
        told = f"{kind}: {'; '.join(faults) or 'survived'}"
        self.benchmark.say(told)
        if faults:
            self.failures.append(told)

    @property
    def survived(self) -> int:
        return self.tried.total() - len(self.failures)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command in a new session."""
    command = [sys.executable, "-m", "seqgen", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Wait for the end; return the status, the output and the faults that no command may show."""
    output, errors = process.communicate()
    faults = ["traceback: " + errors[-300:]] if "Traceback" in errors else []
    return process.returncode, output, faults + alive(process.pid)


def alive(session: int) -> list[str]:
    """Return a fault if processes of a session are alive some seconds after its end."""
    for _ in range(50):
        left = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, sid = place.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(sid) == session and state != "Z":
                left.append(place.parent.name)
        if not left:
            return []
        time.sleep(0.1)
    return [f"processes {', '.join(left)} are alive"]


def leftovers(*folders: Path) -> list[str]:
    """Return a fault if one of the folders contains a hidden file."""
    found = [str(path) for folder in folders if folder.is_dir() for path in folder.glob(".*")]
    return [f"left {', '.join(found)}"] if found else []


def kills(drills: Drills, count: int) -> None:
    """Kill commands at random moments of their normal duration, and run them again."""
    place = drills.place
    texts, run = place / "texts", place / "run"

    def train(target: Path) -> tuple[object, ...]:
        if any(target.glob("checkpoints/*.safetensors")):
            return ("resume", target)
        return ("train", "text", place / "corpus", "--out", target, *TINY)

    def trained(target: Path) -> list[str]:
        model = seqgen.load(target, "cpu")
        told = model.info["result"]["valid_loss"]
        card = (target / "README.md").read_text()
        return [] if f"{told:.4f}" in card and not model.is_begun else ["the card disagrees"]

    def prepare(target: Path) -> tuple[object, ...]:
        return ("prepare", "text", texts, "--out", target)

    def prepared(target: Path) -> list[str]:
        return [] if seqgen.Corpus(target).info["pieces"] == 40 else ["pieces are missing"]

    def generate(target: Path) -> tuple[object, ...]:
        return ("generate", run, "-n", 20, "--length", 2000, "--out", target, "--json")

    def generated(target: Path) -> list[str]:
        manifest = json.loads((target / "manifest.json").read_text())
        files = [target / name for piece in manifest["pieces"] for name in piece["files"]]
        return [] if len(files) == 20 and all(map(Path.exists, files)) else ["pieces are missing"]

    kinds: dict[str, tuple[Callable[..., tuple[object, ...]], Callable[[Path], list[str]]]] = {
        "train": (train, trained),
        "prepare": (prepare, prepared),
        "generate": (generate, generated),
    }
    for kind, (command, check) in kinds.items():
        folder = place / f"killed-{kind}"
        began = time.monotonic()
        finish(start(*command(folder / "unbroken")))
        seconds = time.monotonic() - began
        for number in range(count):
            target = folder / str(number)
            process = start(*command(target))
            try:
                process.wait(drills.chance.uniform(0.2, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
            faults = finish(process)[2]
            done = kind != "train" and target.exists()
            if kind == "train" and (target / "model.safetensors").exists():
                done = not any(target.glob("checkpoints/*.safetensors"))
            if not done:
                status, _, more = finish(start(*command(target)))
                faults += more + ([f"status {status} after it"] if status else [])
                faults += leftovers(folder, target, target / "checkpoints")
            drills.note(f"kill {kind}", faults or check(target))


def pairs(drills: Drills, times: int) -> None:
    """Start two commands of every kind at once."""
    place = drills.place
    run, corpus, texts = place / "run", place / "corpus", place / "texts"
    for number in range(times):
        folder = place / f"pairs-{number}"
        generate = ("generate", run, "-n", 5, "--length", 500, "--json")
        train = ("train", "text", corpus, *TINY, "--json")
        into, other = folder / "run", ("--hidden", "24")
        prepare = ("prepare", "text", texts, "--json")
        seed = ("--seed", 100 + number)
        made = {
            # Two commands, and how many of them may be refused because of the other one.
            "generate into the run": (generate, generate, 0),
            "generate into one folder": (
                (*generate, "--out", folder / "samples"),
                (*generate, "--out", folder / "samples", "--seed", 1),
                1,
            ),
            "train into one folder": (
                (*train, "--out", into),
                (*train, *other, "--out", into),
                1,
            ),
            "prepare into one folder": (
                (*prepare, "--out", folder / "corpus"),
                (*prepare, "--out", folder / "corpus", "--seed", 9),
                1,
            ),
            "prepare the same for the cache": ((*prepare, *seed), (*prepare, *seed), 0),
        }
        for kind, (first, second, refusals) in made.items():
            before = set((run / "samples").glob("*"))
            processes = [start(*first), start(*second)]
            ends = [finish(process) for process in processes]
            faults = [fault for end in ends for fault in end[2]]
            refused = [end for end in ends if end[0]]
            if len(refused) != refusals:
                faults.append(f"{len(refused)} were refused, expected {refusals}")
            if kind == "generate into the run":
                new = set((run / "samples").glob("*")) - before
                if len(new) != 2 or any(not (path / "manifest.json").exists() for path in new):
                    faults.append(f"two commands made {len(new)} folders")
            if kind == "train into one folder" and (into / "metrics.jsonl").exists():
                steps = [row["step"] for row in seqgen.load(into, "cpu").metrics]
                if steps != sorted(set(steps)):
                    faults.append("metrics.jsonl is of two trainings")
            faults += leftovers(folder, run / "samples", run)
            drills.note(f"pair: {kind}", faults)


def full_disk(drills: Drills) -> None:
    """Write more than a small disk holds, where root can mount one."""
    disk = drills.place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        drills.skipped.append("full disk: no tmpfs can be mounted here")
        return
    try:
        for arguments in (
            ("train", "text", drills.place / "corpus", "--epochs", 1, "--hidden", 256),
            ("prepare", "text", drills.place / "many"),
            ("generate", drills.place / "run", "-n", 100, "--length", 4000, "--json"),
        ):
            out = disk / "out"
            process = start(*arguments, "--out", out)
            _, errors = process.communicate()
            told = "No space left" in errors and str(disk) in errors and "--out" in errors
            faults = [] if told and "Traceback" not in errors else [errors[-300:]]
            drills.note(
                f"full disk: {arguments[0]}", faults + ([] if process.returncode else ["0"])
            )
            subprocess.run(["rm", "-rf", str(out)], check=True)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def random_ids(drills: Drills, count: int) -> None:
    """Decode random ids; only a piece may come of them, and samples within full scale."""
    rng = np.random.default_rng(drills.benchmark.seed)
    for name, codec in codecs(drills):
        faults: Counter[str] = Counter()
        began = time.process_time()
        for _ in range(count):
            ids = rng.integers(0, len(codec.vocab), rng.integers(1, 40))
            try:
                piece = codec.decode(ids)
            except Exception as error:
                faults[f"{type(error).__name__}: {error}"] += 1
            else:
                # What is not a number is not at most 1, either.
                if isinstance(piece, Sound) and not (np.abs(piece.samples) <= 1).all():
                    faults["samples beyond full scale"] += 1
        drills.seconds[name] = round(time.process_time() - began, 1)
        listed = [f"{reason} ({times} times)" for reason, times in faults.most_common(3)]
        drills.note(f"{count:,} random sequences: {name}", listed)


def codecs(drills: Drills) -> Iterator[tuple[str, Codec]]:
    """Yield the codec of each domain's demo, and all codecs of speech for some of its sentences."""
    for domain in ("text", "music", "handwriting"):
        yield domain, seqgen.prepare(domain).codec
    said = enumerate(islice(sentences(), SENTENCES))
    sounds = list(speak((VOICES[number % len(VOICES)], text) for number, text in said))
    for name, made in Speech.codecs.items():
        try:
            yield f"speech, {name}", made.fit(sounds, made.options_type())
        except PluginError as error:
            drills.skipped.append(f"random sequences: speech, {name}: {error}")


def main() -> None:
    options = {
        "kills": {"type": int, "default": 20, "help": "kills of each command"},
        "pairs": {"type": int, "default": 4, "help": "pairs of each of five kinds"},
        "sequences": {
            "type": int,
            "default": 10**5,
            "help": "random sequences of each codec; the long form has 10^6",
        },
    }
    benchmark = Benchmark("drills", "drills survived", minutes=0.0, options=options)
    given = benchmark.given
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        # A cache of its own, so two commands that prepare the same find nothing there.
        os.environ["SEQGEN_CACHE"] = str(place / "cache")
        drills = Drills(benchmark, place)
        for name, count, words in (("texts", 40, 200), ("many", 40, 4000)):
            (place / name).mkdir()
            for number in range(count):
                rng = random.Random(f"{name} {number}")
                chosen = (
                    rng.choice(("green", "bottle", "wall", "fall", "one")) for _ in range(words)
                )
                (place / name / f"{number}.txt").write_text(" ".join(chosen))
        for command in (
            ("prepare", "text", place / "texts", "--out", place / "corpus"),
            ("train", "text", place / "corpus", "--out", place / "run", *TINY),
        ):
            status, _, faults = finish(start(*command))
            if status or faults:
                sys.exit(f"{command} failed: {faults}")
        if given.kills:
            kills(drills, given.kills)
        pairs(drills, given.pairs)
        full_disk(drills)
        if given.sequences:
            random_ids(drills, given.sequences)
    benchmark.finish(
        drills.survived,
        baselines={"tried": drills.tried.total()},
        kinds=dict(drills.tried),
        failures=drills.failures,
        skipped=drills.skipped,
        seconds_of_random_sequences=drills.seconds,
    )


if __name__ == "__main__":
    main()
