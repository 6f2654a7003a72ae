"""Error of points once they are tokens: mean in % of the drawing's longer side.

Data: ``strokes/sketch-rnn/omniglot.npz``; codecs are fitted on the training split and measured on
the test split. The figure is that of the codec `points`, one token per point. Open loop is the same
codec without feedback: each step becomes the nearest code, and errors add up.
"""

from __future__ import annotations

import time

import numpy as np
from harness import Benchmark
from seqgen_handwriting.codecs.codebook import nearest
from seqgen_handwriting.codecs.grid import GridCodec
from seqgen_handwriting.codecs.points import PointsCodec
from seqgen_handwriting.codecs.polar import PolarCodec
from seqgen_handwriting.codecs.trace import trace_of
from strokes import drawings


def open_loop(codec: PointsCodec, inks: list) -> float:
    """Return the mean error in % without feedback."""
    off = []
    for ink in inks:
        trace = trace_of(ink).scaled(1 / codec.scale)
        led = np.zeros_like(trace.points)
        for row, (x, y) in enumerate(np.diff(trace.points, axis=0), 1):
            book = codec.steps.move if trace.lifted[row] else codec.steps.draw
            led[row] = led[row - 1] + book[nearest(x, y, book)]
        if trace.side() > 0:
            off.append(100 * np.hypot(*(led - trace.points)[1:].T) / trace.side())
    return float(np.concatenate(off).mean())


def main() -> None:
    benchmark = Benchmark("stroke_reconstruction", "% of the longer side, mean, test", minutes=0.0)
    data = drawings(benchmark.data / "strokes/sketch-rnn/omniglot.npz")
    test = [ink for ink in data["test"] if ink.points > 1]
    points, errors = sum(ink.points - 1 for ink in test), {}
    for name, kind in (("points", PointsCodec), ("grid", GridCodec), ("polar", PolarCodec)):
        began = time.perf_counter()
        codec = kind.fit(data["train"], kind.options_type())
        seconds = time.perf_counter() - began
        mean, most = codec.reconstruction_error(map(codec.trace, test))
        tokens = sum(len(codec.encode(ink)) for ink in test)
        errors[name] = {
            "mean": mean,
            "95th percentile": most,
            "tokens per point": tokens / points,
            "fit seconds": seconds,
        }
        if name == "points":
            baselines = {"open loop": open_loop(codec, test)}
    benchmark.finish(errors["points"]["mean"], baselines=baselines, codecs=errors)


if __name__ == "__main__":
    main()
