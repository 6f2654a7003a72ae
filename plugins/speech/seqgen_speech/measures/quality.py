"""How listeners would rate a sound, guessed by DNSMOS P.835 (Reddy, Gopal and Cutler, 2022).

The network comes with the package speechmos, which is not imported: it needs librosa and pandas for
other things. It was trained on ratings of calls with noise, so it is no judge of what is said.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from seqgen_speech.sound import Sound

#: Samples per second, and samples that the network hears at once; shorter sounds are repeated.
RATE, HEARD = 16_000, 144_160

#: Seconds of a sound that are resampled: a little more than is heard.
SECONDS = 10

#: What turns the network's third output into the overall rating.
RATING = (-0.06766283, 1.11546468, 0.04602535)


def is_installed() -> bool:
    """Return whether the packages of the extra ``speech-quality`` are installed."""
    return find_spec("onnxruntime") is not None and find_spec("speechmos") is not None


def rating(sound: Sound) -> float:
    """Return the overall rating of the first 9 seconds of a sound, from 1 (bad) to 5.

    It is NaN if they are silent.
    """
    samples = sound.part(0, SECONDS * sound.rate).at(RATE).samples[:HEARD]
    if not samples.any():
        return np.nan
    heard = np.resize(samples, HEARD).astype(np.float32)[None]
    [[outputs]] = _network().run(None, {"input_1": heard})
    return float(np.polyval(RATING, outputs[2]))


@cache
def _network() -> Any:
    import onnxruntime

    package = find_spec("speechmos")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "dnsmos_models" / "sig_bak_ovr.onnx"
    # One thread: sums in one order.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
