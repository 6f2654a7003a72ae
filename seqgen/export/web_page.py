"""`export_web`: a run as one HTML page that writes text in any browser, without a network.

The page holds the weights and some JavaScript that steps and draws as seqgen does, with the same
random numbers. It can spell a text where each character is a token. Next:
`page/model.js` is the network and the sampler, `page/page.js` the form.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

import seqgen
from seqgen.conditions.unlabelled import labels_of
from seqgen.config import CONTEXTS
from seqgen.errors import ConfigError, DataError
from seqgen.export.exportable import check_network
from seqgen.files import refuse_file, write_atomic
from seqgen.network.contexts import keys_of
from seqgen.plugin import Codec
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run

Bits: TypeAlias = Literal[16, 32]

#: Most bytes of weights: browsers limit the length of a text, and base64 adds a third.
MOST = 300_000_000

#: Length on the page where the corpus has longer pieces.
LONGEST = 4096


@naming_faults
def export_web(run: Run, path: Path | str, *, bits: Bits = 16, overwrite: bool = False) -> Path:
    """Write a run as one HTML page that writes text in the browser.

    Parameters
    ----------
    run : Run
        Its codec has one token for each character, without labels or a grammar.
    path : Path or str
        The file, whose name ends in ``.html``.
    bits : {16, 32}
        Of each weight on the page. With 32 the page writes what `seqgen.generate` writes with the
        same seed; 16 take half the room.
    overwrite : bool
        Replace the file if it exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If the name has another suffix, or the page cannot hold the model or spell its tokens.
    RunError
        If the file exists, or the run is damaged.
    """
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise ConfigError(f"the name of a page ends in .html, found {path}")
    if bits not in (16, 32):
        raise ConfigError(f"bits must be 16 or 32, found {bits!r}")
    refuse_file(path, overwrite=overwrite)
    check_network(run, "a page")
    if run.model_config.output == "adaptive":
        raise ConfigError(
            f"a page draws from all tokens at once, and {run.name} has an adaptive output; "
            f'train with `output="full"` to export'
        )
    texts = texts_of(run.codec, run.info["codec"]["name"])
    weights = _rounded(run.weights, bits)
    write_atomic(path, _page(run, texts, weights, bits).encode())
    return path


def texts_of(codec: Codec, name: str) -> list[str]:
    """Return the text of every token, for a codec that the page can do without.

    Raises
    ------
    ConfigError
        If tokens have no text of their own, or more decides which may come.
    """
    way_out = "; a page needs a codec such as characters, and `export_onnx` takes any codec"
    typed = codec.text_stream
    if typed() is None:
        raise ConfigError(f"the codec {name} writes no text{way_out}")
    if labels_of(codec):
        raise ConfigError(f"the model has labels, which a page cannot ask for{way_out}")
    if codec.masks(np.zeros(0, np.int64)) is not None or codec.tracker() is not None:
        raise ConfigError(f"the codec {name} has a grammar, which a page cannot follow{way_out}")
    if len(codec.feature_sizes):
        raise ConfigError(f"the codec {name} has features, which a page cannot compute{way_out}")
    texts = []
    for token in range(len(codec.vocab)):
        stream = typed()
        text = stream(token) if stream is not None else ""
        # A boundary such as a blank line is the only token of several characters.
        if (len(text) != 1 and token not in codec.boundaries) or not _is_exact(codec, text, token):
            raise ConfigError(
                f"the codec {name} has tokens that are not one character each, such as "
                f"{codec.vocab[token]!r}, and the page cannot spell a beginning with them{way_out}"
            )
        texts.append(text)
    return texts


def _is_exact(codec: Codec, text: str, token: int) -> bool:
    """Return whether a text is spelled by one token."""
    try:
        return bool(codec.encode(text).tolist() == [token])
    except DataError:
        return False


def _rounded(weights: Mapping[str, NDArray[np.float32]], bits: Bits) -> dict[str, NDArray[Any]]:
    """Return the weights as they are on the page, in the order of their names.

    Raises
    ------
    ConfigError
        If they are too many, or too large for 16 bits.
    """
    size = sum(value.size for value in weights.values()) * bits // 8
    if size > MOST:
        raise ConfigError(
            f"the weights have {size / 1e6:,.0f} MB at {bits} bits, and a page holds "
            f"{MOST / 1e6:,.0f} MB; use 16 bits, or train with a smaller `hidden` or `context_rows`"
        )
    with np.errstate(over="ignore"):
        rounded = {name: weights[name].astype(f"<f{bits // 8}") for name in sorted(weights)}
    for name, value in rounded.items():
        if not np.isfinite(value).all():
            raise ConfigError(f"the weight {name} has numbers too large for {bits} bits; use 32")
    return rounded


def _page(run: Run, texts: list[str], weights: dict[str, NDArray[Any]], bits: Bits) -> str:
    """Return the page as HTML; its policy allows its own script and style, and no network."""
    folder = files("seqgen.export") / "page"
    page, style, model, form = (
        (folder / name).read_text("utf-8")
        for name in ("page.html", "style.css", "model.js", "page.js")
    )
    script = model + form
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        f"base-uri 'none'; form-action 'none'"
    )
    values = b"".join(value.tobytes() for value in weights.values())
    about = _about(run, texts, weights, bits)
    return Template(page).substitute(
        policy=html.escape(policy, quote=False),
        title=html.escape(run.title),
        domain=html.escape(run.info["domain"]),
        version=html.escape(seqgen.__version__),
        style=style,
        about=json.dumps(about).replace("<", "\\u003c"),
        weights=base64.b64encode(values).decode(),
        script=script,
    )


def _digest(text: str) -> str:
    """Return how a policy names a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _about(
    run: Run, texts: list[str], weights: dict[str, NDArray[Any]], bits: Bits
) -> dict[str, Any]:
    """Return what the script has to know: the vocabulary, the shapes, the settings."""
    config, vocab = run.model_config, run.vocab
    has_contexts = bool(config.context_rows)
    return {
        "texts": texts,
        "end": vocab.end,
        "start": vocab.start,
        "resets": np.flatnonzero(vocab.resets(run.codec.boundaries)).tolist(),
        "layers": config.layers,
        "hidden": config.hidden,
        "width": config.embedding or vocab.size,
        "skip": config.skip,
        "tied": config.tied,
        "contexts": CONTEXTS if has_contexts else 0,
        "rows": config.context_rows or 0,
        "keys": keys_of(vocab),
        "nothing": vocab.size,
        "bits": bits,
        "weights": [(name, value.size) for name, value in weights.items()],
        "temperature": run.sampling["temperature"],
        "min_p": run.sampling["min_p"],
        "length": min(2 * run.longest, LONGEST),
    }
