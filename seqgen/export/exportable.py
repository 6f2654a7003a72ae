"""Which models can be exported at all: networks of the core's architecture, without counts.

Next: `seqgen.export.onnx_file` and `seqgen.export.web_page` check what else their files need.
"""

from __future__ import annotations

from seqgen.config import CORE
from seqgen.errors import ConfigError
from seqgen.run.folder import Run


def check_network(run: Run, file: str) -> None:
    """Raise `ConfigError` if a file, such as "an ONNX file", cannot hold the model of a run."""
    architecture = run.model_config.architecture
    if architecture != CORE:
        raise ConfigError(
            f"{file} can hold the architecture {CORE}, and {run.name} has {architecture}; "
            f'train with `architecture="{CORE}"` to export'
        )
    if run.stepper is not None:
        raise ConfigError(
            f"{file} holds a network, and this model of {run.name} mixes its network with "
            f"counts; export the run as it was loaded"
        )
