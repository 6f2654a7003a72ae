"""``seqgen serve``: a playground in the browser."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Annotated

from seqgen.bounds import Within, checked
from seqgen.cli.opening import opened
from seqgen.cli.printing import show
from seqgen.errors import PluginError
from seqgen.storage.signals import forget_ctrl_c


@checked
def serve(
    run: Path,
    *,
    port: Annotated[int, Within(0, 65_535)] = 0,
    browser: bool = True,
    corpus: Path | None = None,
    device: str = "auto",
) -> None:
    """Play with a trained model in the browser.

    The page is served to this machine only, at an address with a secret token. Ctrl-C ends it.

    Parameters
    ----------
    run
        A run folder from `seqgen train`, or a domain with a model: `music`, `text`.
    port
        Port of the page. 0 takes a free one.
    browser
        Open the page in the browser.
    corpus
        Where the corpus of the run is, if it has moved; the page says what a piece copies from it.
    device
        Device to run on: cpu, cuda, mps, or auto.
    """
    from seqgen.cli.console import say

    try:
        from seqgen.serve.playground import Playground
        from seqgen.serve.server import Server
    except ModuleNotFoundError as error:
        if error.name not in ("fastjsonschema", "starlette", "uvicorn"):
            raise
        raise PluginError(
            f"seqgen serve needs {error.name}, which is not installed; "
            f"try: python -m pip install 'seqgen-toolkit[serve]'"
        ) from error
    loaded = opened(run, device, corpus)
    if corpus is not None:
        loaded.corpus()  # A wrong one is an error now, not on the page.
    server = Server(Playground(loaded, say), port, say)
    show(f"the playground is at {server.address}", flush=True)
    say("Ctrl-C ends it")
    if browser:
        Thread(target=_open, args=[server.address], daemon=True).start()
    try:
        server.listen()
    except KeyboardInterrupt:
        if not forget_ctrl_c():
            raise


def _open(address: str) -> None:
    """Open a page; a browser in the terminal would make the command wait, so in a thread."""
    import webbrowser

    webbrowser.open(address)
