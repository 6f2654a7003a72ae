"""The handwriting domain: chooses the reader or writer of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.files import page_name, text_of, write_atomic
from seqgen.plugin import (
    Codec,
    Criticism,
    Domain,
    Labelled,
    Metric,
    Note,
    Predictor,
    View,
)
from seqgen_handwriting import SUFFIXES
from seqgen_handwriting.cleaning import AS_RECORDED, Cleaning, ReadOptions, is_recorded
from seqgen_handwriting.codecs.grid import GridCodec
from seqgen_handwriting.codecs.ink_codec import InkCodec
from seqgen_handwriting.codecs.points import PointsCodec
from seqgen_handwriting.codecs.polar import PolarCodec
from seqgen_handwriting.demo import write_pages
from seqgen_handwriting.files.csv_reading import read_csv
from seqgen_handwriting.files.gcode_writing import gcode
from seqgen_handwriting.files.iam_reading import ascii_file, ink_of_session
from seqgen_handwriting.files.inkml_reading import ink_of_inkml
from seqgen_handwriting.files.inkml_writing import inkml
from seqgen_handwriting.files.json_files import as_json, read_json
from seqgen_handwriting.files.left_out import LeftOut
from seqgen_handwriting.files.quickdraw_reading import read_quickdraw
from seqgen_handwriting.files.stroke3 import read_stroke3, write_stroke3
from seqgen_handwriting.files.svg_reading import ink_of_svg
from seqgen_handwriting.files.svg_writing import animated_svg, svg
from seqgen_handwriting.files.unipen_reading import read_unipen
from seqgen_handwriting.files.xml_files import local_name, root_of
from seqgen_handwriting.ink import Ink, checked
from seqgen_handwriting.paper import on_paper, pages
from seqgen_handwriting.sheet import Sheet
from seqgen_handwriting.write_options import DEFAULT, WriteOptions

#: Suffixes of files of one drawing. A text file beside one has its text.
OF_ONE_DRAWING = (".svg", ".inkml", ".xml")

#: Files in which recorded lines are looked for.
LOOKED_AT = 8

#: Most bytes of such a text.
LONGEST_TEXT = 2**20


class Handwriting(Domain[Ink]):
    """Reads and writes `Ink`."""

    codecs: ClassVar[Mapping[str, type[Codec]]] = {
        "points": PointsCodec,
        "grid": GridCodec,
        "polar": PolarCodec,
    }
    read_options: ClassVar[type[Any]] = ReadOptions
    write_options: ClassVar[type[Any]] = WriteOptions
    formats: ClassVar[tuple[str, ...]] = (
        *(".svg", ".anim.svg", ".png", ".gif", ".json", ".inkml", ".npz", ".gcode"),
    )
    # SVG is the default, but shows a text as it is laid out: level, and in lines that fit.
    exact_format: ClassVar[str] = ".json"

    def read(
        self, path: Path, options: ReadOptions = AS_RECORDED
    ) -> Iterator[Ink | Labelled | DataError | Note]:
        """Yield the drawings of a file. The suffix selects the reader; for XML, the root does.

        An unusable drawing is yielded as a `DataError`, and what is left out as a `Note`. Drawings
        of Quick, Draw! come as `Labelled`, with their word as `class`. Recorded lines are cleaned
        if `options` say so; a `Note` counts their points.

        Raises
        ------
        DataError
            If the file cannot be read or has no drawing, or its suffix is unknown.
        """
        found, cleaning = False, Cleaning()
        for piece in _pieces(path):
            found = found or not isinstance(piece, Note)
            if not isinstance(piece, Ink):
                yield piece
                continue
            ink = _with_text(piece, path)
            yield cleaning.cleaned(ink) if options.clean == "yes" else ink
        if not found:
            raise DataError("it has no drawing")
        yield from cleaning.notes()

    def choose_reading(
        self, files: Sequence[Path], options: ReadOptions
    ) -> tuple[ReadOptions, str]:
        """Clean the lines of files that the capture page saved."""
        if options.clean != "auto":
            return options, ""
        saved = [path for path in files if path.suffix.lower() == ".json"][:LOOKED_AT]
        if any(_has_recorded(path) for path in saved):
            return ReadOptions("yes"), "clean yes: recorded lines become level, with fewer points"
        return ReadOptions("no"), ""

    def companions(self, path: Path) -> list[Path]:
        """Return the file with the text of a drawing: ``a.txt`` for ``a.svg``."""
        if path.suffix.lower() not in OF_ONE_DRAWING:
            return []
        ascii_texts = ascii_file(path)
        return [path.with_suffix(".txt"), *([ascii_texts] if ascii_texts else [])]

    def write(self, piece: Ink, path: Path, options: WriteOptions = DEFAULT) -> list[Path]:
        """Write a drawing in the format of the path's suffix; ``.anim.svg`` is animated.

        Pictures, SVG and G-code get one file for each page.

        Raises
        ------
        DataError
            If the suffix is unknown.
        """
        whole: Mapping[str, Callable[[Ink], str | bytes]] = {
            ".inkml": inkml,
            ".npz": write_stroke3,
            ".json": as_json,
        }
        if path.suffix.lower() in whole:
            write_atomic(path, whole[path.suffix.lower()](piece))
            return [path]
        on_a_sheet = _sheet_writer(path)
        if on_a_sheet is None:
            raise DataError(f"cannot write ink as {path.suffix!r}; use {', '.join(self.formats)}")
        written = []
        suffix = max(filter(path.name.lower().endswith, self.formats), key=len)
        for number, sheet in enumerate(pages(piece, options), 1):
            file = page_name(path, suffix, number)
            write_atomic(file, on_a_sheet(sheet))
            written.append(file)
        return written

    def describe(self, piece: Ink) -> dict[str, str | int | float]:
        """Return the numbers of strokes and points, the text and the writer."""
        about: dict[str, str | int | float] = {"strokes": len(piece.strokes)}
        about["points"] = piece.points
        return about | {name: text for name in ("text", "writer") if (text := getattr(piece, name))}

    def labels(self, piece: Ink) -> dict[str, str]:
        """Return the writer, if known."""
        return {"writer": piece.writer} if piece.writer else {}

    def preview(self, piece: Ink) -> dict[str, bytes | str]:
        """Return the drawing as an animated SVG."""
        return {"image/svg+xml": animated_svg(on_paper(piece))}

    def view(self, piece: Ink) -> View:
        """Return the strokes in millimetres on their sheet."""
        sheet = on_paper(piece)
        about = {"width": sheet.width, "height": sheet.height, "pen": sheet.options.pen}
        strokes = [stroke.round(2).tolist() for stroke in sheet.strokes]
        return View("ink", strokes, {name: round(value, 2) for name, value in about.items()})

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return pages of short lines in single-line fonts, by made-up writers."""
        return write_pages(folder)

    def metrics(self, generated: Sequence[Ink], reference: Iterable[Ink]) -> Mapping[str, Metric]:
        """Measure strokes, points, lengths and proportions of drawings."""
        # Needed for comparisons only.
        from seqgen_handwriting.measures.metrics import measure

        return measure(generated, reference)

    def probes(self, codec: Codec) -> list[str]:
        """Return texts with every letter that a codec knows; none for a codec without letters."""
        from seqgen_handwriting.measures.metrics import texts_to_write

        return texts_to_write(codec.pen.alphabet) if isinstance(codec, InkCodec) else []

    def measure_probes(
        self, probes: Sequence[str], written: Sequence[Ink], reference: Iterable[Ink]
    ) -> Mapping[str, Metric]:
        """Measure the legible share of given small letters, capitals, digits and marks."""
        from seqgen_handwriting.measures.metrics import measure_texts

        return measure_texts(probes, written, reference)

    def critic(self, pieces: Iterable[Ink]) -> Callable[[Ink, Any], Criticism]:
        """Return a critic that reads given texts and measures lines and drawings."""
        # Needed only where pieces are chosen.
        from seqgen_handwriting.measures.criticism import critic

        return critic(pieces)

    def learn_proofreader(self, pieces: Iterable[Ink]) -> Mapping[str, NDArray[Any]] | None:
        """Return a reader of letters, and how far they may stray; None without letters."""
        # Needed only at the end of trainings.
        from seqgen_handwriting.measures.proofreading import learn

        return learn(pieces)

    def proofreader(self, learned: Mapping[str, NDArray[Any]]) -> Callable[[Ink], float]:
        """Return what reads the last letter of a line: whether it is as intended, or strays."""
        # Needed only where letters are drawn again.
        from seqgen_handwriting.measures.proofreading import proofreader

        return proofreader(learned)

    def likelihoods(
        self, codec: Codec, predictor: Predictor, pieces: Iterable[Ink]
    ) -> Mapping[str, float]:
        """Return soft nats per point and drawing; nothing for codecs with two tokens per point."""
        # Needed for scoring only.
        from seqgen_handwriting.measures.likelihood import D, has_density, soft_nats

        if not has_density(codec):
            return {}
        found, known = soft_nats(codec, predictor, pieces), f"at {100 * D:g} % of the side"
        return {
            f"soft nats per point {known}": found.soft_per_point,
            f"soft nats per drawing {known}": found.soft_per_drawing,
        }


def _checked(ink: Ink, left_out: LeftOut) -> list[Ink | Note]:
    """Return the drawing of a file if it is usable, with a note on what is left out of it.

    Raises
    ------
    DataError
        If it is not usable.
    """
    if left_out and not ink.points:
        raise DataError(f"it has no stroke; left out: {left_out}")
    return [checked(ink), *left_out.notes()]


def _with_text(ink: Ink, path: Path) -> Ink:
    """Return the ink of a file of one drawing with the text that lies beside it, if it has none.

    Raises
    ------
    DataError
        If the text cannot be used.
    """
    beside = path.with_suffix(".txt")
    if ink.text or path.suffix.lower() not in OF_ONE_DRAWING or not beside.is_file():
        return ink
    with beside.open("rb") as file:
        data = file.read(LONGEST_TEXT + 1)
    if len(data) > LONGEST_TEXT:
        raise DataError(f"its text {beside.name} has more than {LONGEST_TEXT:,} bytes")
    try:
        return replace(ink, text=text_of(data).strip())
    except DataError as error:
        raise DataError(f"its text {beside.name}: {error}") from error


def _has_recorded(path: Path) -> bool:
    """Return whether the first drawing of a JSON file is a recorded line."""
    with suppress(DataError, OSError):
        return any(isinstance(ink, Ink) and is_recorded(ink) for ink in islice(read_json(path), 1))
    return False


def _sheet_writer(path: Path) -> Callable[[Sheet], str | bytes] | None:
    """Return the writer of sheets for a suffix; None if it is unknown."""
    if path.name.lower().endswith(".anim.svg"):
        return animated_svg
    match path.suffix.lower():
        case ".svg":
            return svg
        case ".png" | ".gif" as suffix:
            # Only pictures need Pillow.
            from seqgen_handwriting.files.pictures import gif, png

            return png if suffix == ".png" else gif
        case ".gcode":
            return gcode
    return None


def _pieces(path: Path) -> Iterable[Ink | Labelled | DataError | Note]:
    """Return the drawings of a file, lazily where it may hold many, and what is left out."""
    match path.suffix.lower():
        case ".npz":
            return read_stroke3(path)
        case ".ndjson":
            return read_quickdraw(path)
        case ".json":
            return read_json(path)
        case ".csv":
            return read_csv(path)
        case ".unp" | ".dat":
            return read_unipen(path)
        case ".scgink":
            raise DataError("SCG ink is not read; convert it to InkML")
        case suffix if suffix not in SUFFIXES:
            raise DataError(
                f"it is not a file of ink, found {path.suffix or 'no suffix'}; give a text to be "
                f"written with `condition`"
            )
    root, left_out = root_of(path), LeftOut()
    match local_name(root):
        case "ink":
            return _checked(ink_of_inkml(root, left_out), left_out)
        case "svg":
            return _checked(ink_of_svg(root, left_out), left_out)
        case "WhiteboardCaptureSession":
            return [checked(ink_of_session(root, path))]
        case other:
            raise DataError(
                f"the root of its XML is <{other}>; expected <ink> (InkML), "
                f"<WhiteboardCaptureSession> (IAM-OnDB) or <svg>"
            )
