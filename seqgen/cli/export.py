"""``seqgen export``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from seqgen.cli.opening import opened
from seqgen.cli.outputs import check_file
from seqgen.cli.printing import print_json, show
from seqgen.errors import ConfigError

#: The files for which there is no name.
ONNX, PAGE = "model.onnx", "model.html"


def export(
    run: Path,
    *,
    onnx: bool = False,
    web: bool = False,
    out: Path | None = None,
    bits: Literal["16", "32"] = "16",
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
    web
        Write one HTML page that writes text in the browser, without a network.
    out
        The file. The default is model.onnx or model.html in the run folder; for a domain such as
        text, in new-text.
    bits
        Bits of each weight on the page. With 32 it writes what `seqgen generate` writes with the
        same seed; 16 take half the room.
    overwrite
        Replace the file if it exists.
    json
        Print the file and its size as JSON.
    """
    if onnx == web:
        raise ConfigError("say what to export: add --onnx or --web, one of them")
    if onnx and bits != "16":
        raise ConfigError("--bits is for --web; an ONNX file always has 32 bits")
    if out is not None:
        check_file("--out", out, (".onnx" if onnx else ".html",), overwrite=overwrite)
    loaded = opened(run, "cpu")
    path = out or loaded.output / (ONNX if onnx else PAGE)
    if out is None:
        loaded.output.mkdir(exist_ok=True)
    if onnx:
        from seqgen.export.onnx_file import export_onnx

        written = export_onnx(loaded, path, overwrite=overwrite)
    else:
        from seqgen.export.web_page import export_web

        written = export_web(loaded, path, bits=16 if bits == "16" else 32, overwrite=overwrite)
    if json:
        print_json({"file": str(written), "bytes": written.stat().st_size})
    else:
        show(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")
