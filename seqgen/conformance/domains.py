"""Promises of a domain: what it announces, reads, writes and shows."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seqgen.bounds import MOST_WEIGHT
from seqgen.conditions.labels import Labelled, check_name
from seqgen.conformance.subject import NothingToCheck, Promise, Subject, usable_pieces
from seqgen.errors import DataError
from seqgen.note import Note
from seqgen.options import described, options_from
from seqgen.plugins.checks import checked_pieces
from seqgen.view import View, difference

#: First bytes of a binary preview, by MIME type.
SIGNATURES = {
    "image/png": b"\x89PNG",
    "image/gif": b"GIF8",
    "audio/wav": b"RIFF",
    "audio/mpeg": b"\xff",
}


def has_pieces(subject: Subject, folder: Path) -> None:
    """Some files hold pieces that the codec can be fitted on and encode."""
    assert subject.pieces and all(len(ids) for ids in subject.ids)


def announces_itself(subject: Subject, folder: Path) -> None:
    """The name, the summary and the suffixes are fit for a list."""
    spec = subject.spec
    assert spec.name == spec.name.lower() and spec.name.isidentifier(), spec.name
    assert spec.summary and "\n" not in spec.summary, "the summary is one line"
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in spec.suffixes)


def reads_its_demo(subject: Subject, folder: Path) -> None:
    """The demo returns existing files, the same ones every time."""
    first, second = (list(subject.domain.demo(folder)) for _ in range(2))
    assert first and first == second
    assert all(path.is_file() for path in first)


def reads_pieces(subject: Subject, folder: Path) -> None:
    """`read` returns pieces in a list, or one by one: never one text, nor nothing."""
    for file in subject.files[:2]:
        options = subject.domain.read_options()
        found = checked_pieces(subject.domain, subject.domain.read(file, options))
        assert any(not isinstance(one, Note) for one in found), f"{file} holds no piece"


def refuses_bad_files(subject: Subject, folder: Path) -> None:
    """A file of noise or nothing raises `DataError`, or gives pieces that can be written."""
    for name, content in (("empty", b""), ("noise", bytes(range(256)) * 4)):
        for suffix in subject.spec.suffixes:
            path = folder / f"{name}{suffix}"
            path.write_bytes(content)
            try:
                pieces = usable_pieces(subject.domain, path)
            except DataError as error:
                assert str(error), "the message is empty"
            else:
                for piece in pieces:
                    subject.write(piece, folder / f"again{subject.domain.formats[0]}")


def writes_every_format(subject: Subject, folder: Path) -> None:
    """Every format gives one or several files that exist and are not empty."""
    piece = subject.codec.decode(subject.ids[0])
    assert subject.domain.formats, "formats names no suffix"
    for suffix in subject.domain.formats:
        paths = subject.write(piece, folder / f"piece{suffix}")
        assert paths and all(path.stat().st_size > 0 for path in paths), suffix
        assert len(set(paths)) == len(paths), f"{suffix}: a file is listed twice"


def keeps_pieces_apart(subject: Subject, folder: Path) -> None:
    """`write` returns all files that it writes, beside the path, and none of another piece."""
    for suffix in subject.domain.formats:
        place = folder / f"of{suffix}"
        place.mkdir()
        written: dict[Path, bytes] = {}
        for number in (1, 2, 11):
            piece = subject.codec.decode(subject.ids[number % len(subject.ids)])
            paths = subject.write(piece, place / f"piece-{number}{suffix}")
            assert not written.keys() & {*paths}, f"{suffix}: a file of another piece is returned"
            for path, content in written.items():
                assert path.read_bytes() == content, f"{suffix}: {path.name} is written over"
            written |= {path: path.read_bytes() for path in paths}
            assert {*place.iterdir()} == written.keys(), f"{suffix}: write returned {paths}"


def knows_companions(subject: Subject, folder: Path) -> None:
    """`companions` returns the same other files every time, for files that are not there too."""
    paths, found = [folder / f"none{suffix}" for suffix in subject.spec.suffixes], list[Path]()
    for path in [*paths, *subject.files]:
        first, second = (list(subject.domain.companions(path)) for _ in range(2))
        found += first
        assert all(isinstance(other, Path) for other in first), f"{first} are no paths"
        assert first == second, f"of {path.name} they change"
        assert path not in first, f"{path.name} accompanies itself"
    if not found:
        raise NothingToCheck("files have no companions")


def annotates_pieces(subject: Subject, folder: Path) -> None:
    """`Labelled` pieces that `read` yields have valid labels, weights and facts, and a piece."""
    options = subject.domain.read_options()
    found = [
        piece
        for path in subject.files
        for piece in subject.domain.read(path, options)
        if isinstance(piece, Labelled)
    ]
    if not found:
        raise NothingToCheck("read yields no Labelled pieces")
    for piece in found:
        for name, value in piece.labels.items():
            check_name(name)
            assert isinstance(value, str), f"label {name} has the value {value!r}"
        assert 0 <= piece.weight <= MOST_WEIGHT, piece.weight
        assert all(isinstance(value, str | int | float) for value in piece.facts.values())
        has_piece = piece.content is not None and not isinstance(piece.content, Labelled)
        assert has_piece, f"{piece} does not hold a piece"


def describes_pieces(subject: Subject, folder: Path) -> None:
    """`describe` returns plain values with names."""
    facts = subject.domain.describe(subject.pieces[0])
    if not facts:
        raise NothingToCheck("describe returns nothing")
    assert all(isinstance(name, str) and name for name in facts), facts
    assert all(isinstance(value, str | int | float) for value in facts.values()), facts


def labels_pieces(subject: Subject, folder: Path) -> None:
    """`labels` returns texts, and names that can be requested."""
    found = [each for piece in subject.pieces for each in subject.domain.labels(piece).items()]
    if not found:
        raise NothingToCheck("pieces have no labels")
    for name, value in found:
        check_name(name)
        assert isinstance(value, str), (name, value)


def shows_pieces(subject: Subject, folder: Path) -> None:
    """A preview maps MIME types to content of that type."""
    preview = subject.domain.preview(subject.codec.decode(subject.ids[0]))
    assert preview, "the preview is empty"
    for kind, data in preview.items():
        assert kind.count("/") == 1 and data, kind
        assert isinstance(data, str) or data.startswith(SIGNATURES.get(kind, b"")), kind


def views_pieces(subject: Subject, folder: Path) -> None:
    """A view is plain JSON, the same every time; that of a growing piece ends as that of the whole.

    The parts of the notes, strokes or samples that a page has after all differences are those of
    the view of the whole piece.
    """
    domain, codec, ids = subject.domain, subject.codec, subject.ids[0]
    kind = None if (empty := domain.view(codec.decode(ids[:0]))) is None else empty.kind
    before: View | None = None
    parts: list[Any] = []
    for count in range(0, len(ids) + 1, max(len(ids) // 3, 1)):
        view = domain.view(codec.decode(ids[:count]))
        found = None if view is None else view.kind
        assert found == kind, f"{kind} becomes {found}: a domain has one kind of view"
        if view is None:
            continue
        change = json.loads(json.dumps(difference(before, view), allow_nan=False))
        parts[change["at"] :] = change["parts"]
        before = view
        again = domain.view(codec.decode(ids[:count]))
        assert again == view, "the view of a piece changes"
        assert parts == [*view.parts], "a part is not plain JSON, such as a tuple"
    if before is None:
        raise NothingToCheck("there is no view")


def declares_its_options(subject: Subject, folder: Path) -> None:
    """Options are frozen dataclasses of plain values with defaults, each with a sentence."""
    domain = subject.domain
    kinds = (domain.read_options, domain.write_options, type(subject.codec).options_type)
    if not any(described(declared) for declared in kinds):
        raise NothingToCheck("there are no options")
    for declared in kinds:
        for option in described(declared):
            assert option["about"], f"{declared.__name__}.{option['name']} has no docstring"
        plain = json.loads(json.dumps(asdict(declared())))
        assert options_from(declared, plain, "options") == declared(), declared
        # As typed on the command line.
        typed = {name: str(value) for name, value in plain.items() if value is not None}
        assert options_from(declared, typed, "options") == declared(), declared


def prints_nothing(subject: Subject, folder: Path) -> None:
    """Reading, encoding, decoding and writing print nothing: standard output is for results."""
    domain, codec, output = subject.domain, subject.codec, io.StringIO()
    with redirect_stdout(output):
        for file in subject.files[:1]:
            usable_pieces(domain, file)
        codec.encode(subject.pieces[0])
        subject.write(codec.decode(subject.ids[0]), folder / f"quiet{domain.formats[0]}")
    assert not output.getvalue(), output.getvalue()[:200]


PROMISES: tuple[Promise, ...] = (
    has_pieces,
    announces_itself,
    declares_its_options,
    reads_its_demo,
    reads_pieces,
    refuses_bad_files,
    writes_every_format,
    keeps_pieces_apart,
    knows_companions,
    annotates_pieces,
    describes_pieces,
    labels_pieces,
    shows_pieces,
    views_pieces,
    prints_nothing,
)
