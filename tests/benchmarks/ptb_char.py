"""Penn Treebank as characters: bits per character on the test text.

Data: ``text/ptb-char/*.txt.xz``, the standard split of about 5.0, 0.4 and 0.4 million characters.
Only the time is given; all other settings are automatic, and the best of ten evaluations is kept.
The test text is one stream whose state is carried. The figure is the static loss; adaptive is
beside it.
"""

from __future__ import annotations

import lzma
import math

from characters import losses
from harness import Benchmark


def main() -> None:
    benchmark = Benchmark("ptb_char", "bits per character, test", minutes=10.0)
    texts = {}
    for split in ("train", "valid", "test"):
        with lzma.open(benchmark.data / f"text/ptb-char/{split}.txt.xz", "rt") as file:
            # Characters stand between spaces; an underscore is a space.
            texts[split] = file.read().replace(" ", "")
    found = losses(benchmark, texts)
    bits = {name: nats / math.log(2) for name, nats in found.pop("baselines").items()}
    benchmark.finish(found.pop("bits"), baselines=bits, **found)


if __name__ == "__main__":
    main()
