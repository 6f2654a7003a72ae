"""Chooses the precision of products of matrices in training.

Comes from: `seqgen.training.autopilot`.
"""

from __future__ import annotations

from dataclasses import replace

from seqgen.compiling import multiplies_bfloat16
from seqgen.config import CORE, ModelConfig, TrainConfig
from seqgen.network.model import choose_device


def with_precision(model: ModelConfig, train: TrainConfig, reasons: list[str]) -> TrainConfig:
    """Return the settings with 16 bits for the core's network where the processor multiplies them.

    Not without a time budget, so that the result is the same on other machines.
    """
    if train.precision != "auto":
        return train
    is_faster = (
        train.seconds
        and model.architecture == CORE
        and choose_device(train.device).type == "cpu"
        and multiplies_bfloat16()
    )
    if is_faster:
        reasons.append("precision bfloat16: this processor multiplies it faster than float32")
    return replace(train, precision="bfloat16" if is_faster else "float32")
