"""`export_onnx`: the network of a run as an ONNX file, which many programs and languages can run.

The file holds one step for any number of sequences. It needs no seqgen: sampling takes its
log-probabilities. Masks and features come from the codec. Next: `seqgen.export.onnx_graph`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import seqgen
from seqgen.config import CONTEXTS
from seqgen.errors import ConfigError, PluginError
from seqgen.export.exportable import check_network
from seqgen.files import refuse_file, write_atomic
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run

if TYPE_CHECKING:
    from seqgen.export.onnx_graph import Network

#: Most bytes of weights; a file of protocol buffers has at most 2 GB.
MOST = 2**31 - 2**24

#: Version of the metadata.
METADATA = 1


@naming_faults
def export_onnx(run: Run, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write one step of a run's network as an ONNX file; it needs the extra `onnx`.

    Parameters
    ----------
    run : Run
    path : Path or str
        The file, whose name ends in ``.onnx``.
    overwrite : bool
        Replace the file if it exists.

    Returns
    -------
    Path
        The file. docs/export.md describes its inputs, outputs and metadata.

    Raises
    ------
    ConfigError
        If the name has another suffix, the layers are those of another architecture than the
        core's, or the weights have more than 2 GB.
    PluginError
        If the extra is not installed.
    RunError
        If the file exists, or the run is damaged.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ConfigError(f"the name of an ONNX file ends in .onnx, found {path}")
    refuse_file(path, overwrite=overwrite)
    network_of = _graph_module()
    network = _network(run, network_of.Network)
    model = network_of.step_model(network, seqgen.__version__)
    for key, value in _metadata(run, network).items():
        model.metadata_props.add(key=key, value=value)
    write_atomic(path, model.SerializeToString())
    return path


def _graph_module() -> Any:
    """Import what builds the graph, and so the library onnx."""
    try:
        from seqgen.export import onnx_graph
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise PluginError(
            "an ONNX file needs onnx, which is not installed; "
            "try: python -m pip install 'seqgen-toolkit[onnx]'"
        ) from error
    return onnx_graph


def _network(run: Run, make: Any) -> Network:
    """Return what the graph is made of.

    Raises
    ------
    ConfigError
        If it cannot be exported.
    """
    check_network(run, "an ONNX file")
    weights = run.weights
    size = sum(value.nbytes for value in weights.values())
    if size > MOST:
        raise ConfigError(
            f"an ONNX file holds at most 2 GB, and the weights of {run.name} have "
            f"{size / 1e9:.1f} GB; train with a smaller `hidden` or `context_rows`"
        )
    codec = run.codec
    made: Network = make(
        run.model_config,
        run.vocab,
        tuple(codec.feature_sizes),
        tuple(codec.boundaries),
        run.clusters,
        weights,
        codec.masks(np.zeros(0, np.int64)) is not None,
    )
    return made


def _metadata(run: Run, network: Network) -> dict[str, str]:
    """Return what a program has to know to use the file, as texts by name."""
    vocab = run.vocab
    about = {
        "format": METADATA,
        "domain": run.info["domain"],
        "codec": run.info["codec"]["name"],
        "vocab": vocab.names,
        "end": vocab.end,
        "start": vocab.start,
        "feature_sizes": network.feature_sizes,
        "before": [vocab.size] * CONTEXTS if network.config.context_rows else [],
        "sampling": run.sampling,
        "versions": run.info["versions"],
    }
    # Names may have half a character (a lone surrogate), which only escapes can say.
    return {"seqgen": json.dumps(about)}
