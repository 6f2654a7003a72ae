"""A piece as an engraved score, with Verovio: an SVG picture of each page."""

from __future__ import annotations

from collections.abc import Iterator

from seqgen.errors import DataError
from seqgen_music.files.notation_writing import musicxml
from seqgen_music.music import Music

#: Options of Verovio: A4 at 40% of its size, pages as high as their music, no title, and the same
#: ids in every run.
OPTIONS = {
    "scale": 40,
    "adjustPageHeight": True,
    "header": "none",
    "footer": "none",
    "xmlIdSeed": 1,
}


def engraved(music: Music) -> Iterator[str]:
    """Yield the pages of the score of `seqgen_music.files.notation_writing`.

    Raises
    ------
    DataError
        If Verovio is not installed, or cannot engrave the piece.
    """
    # Only engraving needs this extra.
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
