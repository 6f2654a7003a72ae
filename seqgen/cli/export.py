"""``seqgen export``."""

from __future__ import annotations

from pathlib import Path

from seqgen.cli.outputs import check_file
from seqgen.cli.printing import print_json, show
from seqgen.errors import ConfigError

#: The file for which there is no name.
ONNX = "model.onnx"


def export(
    run: Path,
    *,
    onnx: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write a trained model as a file for other programs.

    Parameters
    ----------
    run
        The run folder that `seqgen train` made.
    onnx
        Write one step of the network as an ONNX file.
    out
        The file. The default is model.onnx in the run folder.
    overwrite
        Replace the file if it exists.
    json
        Print the file and its size as JSON.
    """
    if not onnx:
        raise ConfigError("say what to export: add --onnx")
    path = run / ONNX if out is None else out
    if run.is_dir():
        check_file("--out", path, (".onnx",), overwrite=overwrite)
    from seqgen.export.onnx_file import export_onnx
    from seqgen.run.folder import load

    written = export_onnx(load(run, "cpu"), path, overwrite=overwrite)
    if json:
        print_json({"file": str(written), "bytes": written.stat().st_size})
    else:
        show(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")
