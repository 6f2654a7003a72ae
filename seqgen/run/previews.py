"""Forms of a piece, from `Domain.preview`, as HTML: on the page of a run and in a notebook."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping


def previewed(forms: Mapping[str, bytes | str]) -> str:
    """Return the forms of a piece by MIME type, one after the other, as HTML."""
    return "\n".join(_shown(kind, data) for kind, data in forms.items())


def _shown(kind: str, data: bytes | str) -> str:
    """Return one form of a piece as HTML."""
    if kind == "image/svg+xml":
        picture = data if isinstance(data, str) else data.decode()
        return f'<div class="wide" tabindex="0">{picture}</div>'
    if isinstance(data, str):
        return data if kind == "text/html" else f"<pre>{html.escape(data)}</pre>"
    source = f"data:{html.escape(kind)};base64,{base64.b64encode(data).decode()}"
    if kind.startswith("image/"):
        return f'<img alt="the piece" src="{source}">'
    if kind.startswith("audio/"):
        return f'<audio controls src="{source}"></audio>'
    return f'<a href="{source}">{html.escape(kind)}</a>'
