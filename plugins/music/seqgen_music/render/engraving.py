"""A piece as an engraved score, by Verovio: an SVG picture of every page."""

from __future__ import annotations

from collections.abc import Iterator

from seqgen.errors import DataError
from seqgen_music.files.notation_writing import musicxml
from seqgen_music.music import Music

#: What Verovio is asked for: A4 at two fifths of its size on a screen, no page higher than its
#: music, no title, and the same names inside the file every time.
OPTIONS = {
    "scale": 40,
    "adjustPageHeight": True,
    "header": "none",
    "footer": "none",
    "xmlIdSeed": 1,
}


def engraved(music: Music) -> Iterator[str]:
    """Yield the pages of the score that `seqgen_music.files.notation_writing` writes.

    Raises
    ------
    DataError
        If Verovio is not installed, or cannot engrave the piece.
    """
    # An extra that only engraving needs.
    try:
        import verovio
    except ImportError as error:
        raise DataError(
            'engraving needs Verovio; try: python -m pip install "seqgen-music[score]"'
        ) from error

    toolkit = verovio.toolkit()
    toolkit.setOptions(OPTIONS)
    if not toolkit.loadData(musicxml(music).decode()):
        raise DataError("Verovio cannot engrave this piece; write it as .musicxml and look there")
    for page in range(1, toolkit.getPageCount() + 1):
        yield toolkit.renderToSVG(page)
