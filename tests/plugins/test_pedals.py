"""The sustain pedal of scores: signs hold notes, and go through MusicXML and MIDI."""

from pathlib import Path

import numpy as np
import pytest
from seqgen_music.domain import MusicDomain
from seqgen_music.files.held_notes import FULLY_DOWN, UP, sustained
from seqgen_music.music import DRUM_CHANNEL, Music, Track, make_notes

DOMAIN = MusicDomain()

QUARTER = 480


def content(words: str) -> str:
    """Return notes such as ``C4``, quarters, and signs such as ``stop+1``, an eighth later."""
    return "".join(_note(word) if word[0].isupper() else _sign(word) for word in words.split())


def _note(word: str) -> str:
    return (
        f"<note><pitch><step>{word[0]}</step><octave>{word[1]}</octave></pitch>"
        f"<duration>2</duration></note>"
    )


def _sign(word: str) -> str:
    kind, _, offset = word.partition("+")
    return (
        f'<direction><direction-type><pedal type="{kind}"/></direction-type>'
        f"<offset>{offset or 0}</offset></direction>"
    )


def read(path: Path) -> Music:
    [piece] = [each for each in DOMAIN.read(path) if isinstance(each, Music)]
    return piece


def score(tmp_path: Path, content: str, channel: int = 0) -> Music:
    """Return the piece of one measure in 4/4."""
    path = tmp_path / "score.musicxml"
    path.write_text(
        '<score-partwise><part-list><score-part id="P1"><score-instrument id="I1"/>'
        f'<midi-instrument id="I1"><midi-channel>{channel + 1}</midi-channel></midi-instrument>'
        '</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>2'
        "</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
        f"{content}</measure></part></score-partwise>"
    )
    return read(path)


def lengths(piece: Music) -> list[float]:
    return (piece.notes["duration"] / piece.ticks_per_quarter).tolist()


def moves(piece: Music) -> list[tuple[float, int, int]]:
    quarter = piece.ticks_per_quarter
    return [(tick / quarter, track, value) for tick, track, value in piece.pedals.tolist()]


@pytest.mark.parametrize(
    ("words", "expected", "moved"),
    [
        ("start C4 stop D4 E4 F4", [1, 1, 1, 1], [(0, 0, 127), (1, 0, 0)]),
        ("start C4 D4 E4 stop F4", [3, 2, 1, 1], [(0, 0, 127), (3, 0, 0)]),
        # The note before the sign is not held, and the offset counts.
        ("C4 start D4 E4 stop+1 F4", [1, 2.5, 1.5, 1], [(1, 0, 127), (3.5, 0, 0)]),
        (
            "start C4 D4 change E4 F4 stop",
            [2, 1, 2, 1],
            [(0, 0, 127), (2, 0, 0), (2, 0, 127), (4, 0, 0)],
        ),
        # A second sign without a star is a change; the last one ends with the notes.
        (
            "start C4 D4 start start E4 F4",
            [2, 1, 2, 1],
            [(0, 0, 127), (2, 0, 0), (2, 0, 127), (4, 0, 0)],
        ),
        # A pitch that begins again ends the one before.
        ("start C4 D4 C4 stop F4", [2, 2, 1, 1], [(0, 0, 127), (3, 0, 0)]),
        ("stop C4 D4 sostenuto E4 F4", [1, 1, 1, 1], []),
        ("C4 start+-999999999 D4 E4 F4 stop+999999999", [4, 3, 2, 1], [(0, 0, 127), (4, 0, 0)]),
    ],
)
def test_signs_hold_notes(words: str, expected: list, moved: list, tmp_path: Path) -> None:
    piece = score(tmp_path, content(words))
    assert (lengths(piece), moves(piece)) == (expected, moved)
    if moved:
        assert piece.pressed is not None and piece.pressed.tolist() == [QUARTER] * 4


def test_drums_have_no_pedal(tmp_path: Path) -> None:
    piece = score(tmp_path, content("start C4 D4 E4 F4 stop"), DRUM_CHANNEL)
    assert (lengths(piece), moves(piece), piece.pressed) == ([1] * 4, [], None)


def test_a_piece_of_too_many_moves_has_none_but_its_notes_are_held(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("seqgen_music.files.held_notes.MOST_MOVES", 3)
    piece = score(tmp_path, content("start C4 D4 change E4 F4 stop"))
    assert (lengths(piece), moves(piece), piece.pressed) == ([2, 1, 2, 1], [], None)


def played(seed: int) -> Music:
    """Return a piece for two pianos of quarters and eighths, with random pedals."""
    rng = np.random.default_rng(seed)
    onsets = rng.integers(0, 32, 40) * QUARTER // 2
    rows = {
        (int(onset), int(pitch), int(track)): (
            *(int(onset), int(length) * QUARTER // 2, int(pitch), 80, int(track)),
        )
        for onset, length, pitch, track in zip(
            onsets,
            rng.integers(1, 4, 40),
            rng.integers(60, 72, 40),
            rng.integers(0, 2, 40),
            strict=True,
        )
    }
    signs = {
        part: [(int(tick), bool(at % 2 == 0)) for at, tick in enumerate(ticks)]
        for part, ticks in enumerate(np.sort(rng.integers(0, 36, (2, 10))) * QUARTER // 2)
    }
    tracks = Track("One", 0), Track("Two", 0)
    return sustained(Music(make_notes([*rows.values()]), tracks, QUARTER), signs, [0, 1])


@pytest.mark.parametrize("seed", range(3))
def test_pedals_go_through_scores_and_midi(seed: int, tmp_path: Path) -> None:
    DOMAIN.write(played(seed), tmp_path / "a.musicxml")
    # What a score cannot have, such as two notes of a pitch at once, is gone now.
    piece = read(tmp_path / "a.musicxml")
    assert {value for _, _, value in moves(piece)} == {UP, FULLY_DOWN}
    assert piece.pressed is not None
    assert (piece.pressed < piece.notes["duration"]).any()
    for name in ("b.musicxml", "b.mid"):
        DOMAIN.write(piece, tmp_path / name)
        again = read(tmp_path / name)
        assert again.pressed is not None and again.ticks_per_quarter == QUARTER
        assert again.notes.tolist() == piece.notes.tolist(), name
        is_midi = name.endswith("mid")
        for track in (0, 1):
            ours, theirs = (each.pedals[each.pedals["track"] == track] for each in (piece, again))
            assert theirs["value"].tolist() == ours["value"].tolist()
            later = set((theirs["tick"] - ours["tick"]).tolist())
            assert later <= ({0, 1} if is_midi else {0})
        whole = (piece.notes["onset"] + piece.notes["duration"] == piece.length) & (not is_midi)
        assert (again.pressed == piece.pressed)[~whole].all()
