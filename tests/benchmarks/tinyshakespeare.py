"""Tiny Shakespeare: nats per character on the last tenth, which is nanoGPT's split.

Data: ``text/tinyshakespeare/input.txt``, the first 90 % for training, the rest for validation. The
model of the ten evaluations that is best there is scored there, as nanoGPT does, in one stream
whose state is carried. Only the time is given; everything else is chosen by the engine. The figure
is static; beside it the loss of a model that learns while it reads.
"""

from __future__ import annotations

from characters import losses
from harness import Benchmark


def main() -> None:
    benchmark = Benchmark("tinyshakespeare", "nats per character", minutes=10.0)
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    cut = int(0.9 * len(text))
    found = losses(benchmark, {"train": text[:cut], "valid": text[cut:]}, "valid")
    baseline = found.pop("baseline")
    name = f"{baseline['order']}-gram"
    benchmark.finish(found.pop("static"), baselines={name: baseline["valid_loss"]}, **found)


if __name__ == "__main__":
    main()
