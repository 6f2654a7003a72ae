"""Tiny Shakespeare: nats per character on the last twentieth, which chooses nothing.

Data: ``text/tinyshakespeare/input.txt``: the first 90 % for training, as in nanoGPT's split, the
next 5 % for validation, the last 5 % as test. Validation chooses the best of ten evaluations and
the temperature. The test text is one stream from START with carried state. Only the time is given;
all other settings are automatic. The figure is static; beside it are the adaptive loss and the loss
on the validation text.
"""

from __future__ import annotations

from characters import losses
from harness import Benchmark


def main() -> None:
    benchmark = Benchmark("tinyshakespeare", "nats per character, test", minutes=10.0)
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    trained, chosen = int(0.9 * len(text)), int(0.95 * len(text))
    texts = {"train": text[:trained], "valid": text[trained:chosen], "test": text[chosen:]}
    found = losses(benchmark, texts)
    benchmark.finish(found.pop("static"), baselines=found.pop("baselines"), **found)


if __name__ == "__main__":
    main()
