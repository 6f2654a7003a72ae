"""What is given stays what it was: prompts and given voices, tick for tick, in all codecs."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from seqgen_music.chords import Chord
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.melody.codec import MelodyCodec, MelodyOptions
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.joining import Seam, beginning, replaced
from seqgen_music.music import Music, Track, make_notes
from seqgen_music.retiming import finer

import seqgen
from seqgen.plugin import Codec, Ids

CODECS = {
    "chorale": (ChoraleCodec, ChoraleOptions()),
    "grid": (ChoraleCodec, ChoraleOptions("grid")),
    "melody": (MelodyCodec, MelodyOptions()),
    "multitrack": (MultitrackCodec, MultitrackOptions()),
    "performance": (PerformanceCodec, PerformanceOptions()),
}

VOICES = (Track("Soprano", 73), Track("Alto", 70), Track("Tenor", 60), Track("Bass", 43))
TRACKS = {
    "chorale": VOICES,
    "grid": VOICES,
    "melody": (Track("Tune", 40), Track("Chords", 24)),
    "multitrack": (Track("One", 0), Track("Two", 0), Track("Bass", 33), Track("Kit", 0, True)),
    "performance": (Track("Right", 0), Track("Left", 0)),
}
LOWEST = (70, 60, 52, 40)


def line(rng: np.random.Generator, quarter: int, low: int, number: int) -> list[tuple[int, ...]]:
    """Return the notes of a track: triplets and sixteenths, up to a fiftieth of a quarter off."""
    rows, at = [], 0
    while at < 9 * quarter:
        length = int(quarter * rng.choice([Fraction(1, n) for n in (1, 2, 3, 4)] + [2]))
        onset = at + int(rng.integers(-quarter // 50, quarter // 50 + 1)) * (at > 0)
        if rng.random() < 0.9 or not rows:
            rows.append(
                (
                    *(onset, max(int(length * rng.uniform(0.6, 1)), 1)),
                    *(low + int(rng.integers(9)), int(rng.integers(20, 127)), number),
                )
            )
        at += length
    return rows


def piece_of(kind: str, seed: int) -> Music:
    """Return a piece that no grid holds, with a tempo, a metre and a key that no model chooses."""
    rng = np.random.default_rng(seed)
    quarter = int(rng.choice([24, 96, 220, 480, 1024]))
    rows = [
        row
        for number, (track, low) in enumerate(zip(TRACKS[kind], LOWEST, strict=False))
        for row in line(rng, quarter, 36 if track.drums else low, number)
    ]
    metre = [(4, 4), (3, 4), (6, 8)][int(rng.integers(3))]
    tempos = ((0, 96.0), (3 * quarter + 1, 101.5))
    return Music(make_notes(rows), TRACKS[kind], quarter, tempos, ((0, *metre),), ((0, -3, True),))


def grown(codec: Codec, ids: Ids, seed: int, count: int = 60) -> Ids:
    """Return ids with some random ones after them that the tracker allows."""
    rng, tracker, new = np.random.default_rng(seed), codec.tracker(), ids.tolist()
    assert tracker is not None
    for token in new:
        tracker.push(token)
    for _ in range(count):
        token = tracker.forced()
        if token is None:
            token = int(rng.choice(np.flatnonzero(tracker.allowed()[:-1])))
        new.append(token)
        tracker.push(token)
    return np.array(new, np.int64)


def rows_of(music: Music, quarter: int) -> list[tuple[int, ...]]:
    """Return the notes of a piece with so many ticks to the quarter."""
    assert quarter % music.ticks_per_quarter == 0
    scale = quarter // music.ticks_per_quarter
    return [(row[0] * scale, row[1] * scale, *row[2:]) for row in music.notes.tolist()]


def assert_begins(new: Music, given: Music, until: float = np.inf) -> None:
    """Check that a piece has all of a given one, or all that ends before a quarter."""
    quarter = new.ticks_per_quarter
    scale = quarter // given.ticks_per_quarter
    kept = [row for row in rows_of(given, quarter) if row[0] + row[1] <= until * quarter]
    assert kept and set(kept) <= set(rows_of(new, quarter))
    assert new.tracks[: len(given.tracks)] == given.tracks
    assert new.keys == tuple((tick * scale, *key) for tick, *key in given.keys)
    tempos = [(tick * scale, qpm) for tick, qpm in given.tempo_changes().tolist()]
    tempos = [tempo for tempo in tempos if tempo[0] < until * quarter]
    found = new.tempo_changes().tolist()[: len(tempos)]
    np.testing.assert_allclose(found, tempos, rtol=1e-6)
    metres = [(tick * scale, *metre) for tick, *metre in given.metre_changes()]
    assert new.metre_changes()[: len(metres)] == metres


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", CODECS)
def test_a_prompt_comes_back_tick_for_tick(kind: str, seed: int, tmp_path: Path) -> None:
    write_midi(piece_of(kind, seed), tmp_path / "given.mid")
    [given] = read_pieces(tmp_path / "given.mid")
    kind_of_codec, options = CODECS[kind]
    codec = kind_of_codec.fit([given], options)
    ids = codec.encode(given)
    new = codec.keep(given, grown(codec, ids, seed), len(ids))
    write_midi(new, tmp_path / "new.mid")
    [again] = read_pieces(tmp_path / "new.mid")
    assert_begins(again, given)
    assert len(again.notes) > len(given.notes)
    assert codec.keep(given, ids, len(ids)).notes.tolist() == given.notes.tolist()


@pytest.mark.parametrize("kind", ["multitrack", "performance", "melody"])
def test_chords_of_a_prompt_end_with_it_where_the_model_knows_none(kind: str) -> None:
    given = piece_of(kind, 0)
    given = replace(given, chords=((0, Chord(0)), (given.length // 2, Chord(7))))
    options = MelodyOptions(chords="off") if kind == "melody" else CODECS[kind][1]
    codec = CODECS[kind][0].fit([given], options)
    ids = codec.encode(given)
    assert codec.keep(given, ids, len(ids)).chords == given.chords
    new = codec.keep(given, grown(codec, ids, 0), len(ids))
    chords, (end, last) = new.chords[:-1], new.chords[-1]
    scale = new.ticks_per_quarter // given.ticks_per_quarter
    assert chords == tuple((scale * tick, chord) for tick, chord in given.chords)
    assert last is None and chords[-1][0] < end <= new.length


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", CODECS)
def test_the_beginning_of_a_piece_comes_back_too(kind: str, seed: int) -> None:
    given = piece_of(kind, seed)
    kind_of_codec, options = CODECS[kind]
    codec = kind_of_codec.fit([given], options)
    ids = codec.encode(given)
    head = ids[: len(ids) // 2 + seed]
    new = codec.keep(given, grown(codec, head, seed, 200), len(head))
    seam = int(codec.decode(head).notes["onset"].max()) / codec.decode(head).ticks_per_quarter
    if kind == "performance":
        seconds = float(codec.units(head)["seconds"])
        seam = int(given.ticks(np.array([seconds]))[0]) / given.ticks_per_quarter
    assert_begins(new, given, seam - 0.1)
    # Nothing that was given after the seam is left, but notes that begin before it.
    ours, theirs = (rows_of(music, new.ticks_per_quarter) for music in (new, given))
    longest = (seam + 0.6) * new.ticks_per_quarter
    assert not {row for row in theirs if row[0] > longest} & set(ours)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["chorale", "grid", "melody"])
def test_the_new_part_keeps_its_place_on_the_grid(kind: str, seed: int) -> None:
    given = piece_of(kind, seed)
    kind_of_codec, options = CODECS[kind]
    codec = kind_of_codec.fit([given], options)
    ids = codec.encode(given)
    for start in (len(ids), len(ids) // 2):
        new = grown(codec, ids[:start], seed, 120)
        whole = codec.decode(new)
        again = codec.encode(codec.keep(given, new, start))
        # A note that the model holds over the seam of a whole piece begins anew there.
        pairs = list(zip(again.tolist(), codec.encode(whole).tolist(), strict=False))
        assert sum(one != two for one, two in pairs) <= 4 and len(pairs) > start + 40


ABC = """X:1
M:3/4
L:1/8
Q:1/4=96
K:Eb
(3EFG A2 B>c|d2 e/f/g/a/ b2|(3BAG F2 E<F|G6|(3EFG A2 B2|c4 z2|(3EFG A2 B2|c6|]
"""
KERN = """**kern
*k[b-e-a-]
*E-:
*M3/4
*MM96
=1
12e-
12f
12g
4a-
8.b-
16cc
=2
20dd
20cc
20dd
20cc
20b-
2cc
=3
32g
32a-
16b-
8cc
2e-
=4
2.g
==
*-
"""


@pytest.mark.parametrize("output", [".mid", ".musicxml"])
@pytest.mark.parametrize("kind", ["melody", "multitrack", "performance"])
@pytest.mark.parametrize("source", [".abc", ".krn", ".musicxml"])
def test_notation_stays_what_it_was(source: str, kind: str, output: str, tmp_path: Path) -> None:
    path, domain = tmp_path / f"given{source}", MusicDomain()
    if source == ".musicxml":
        (tmp_path / "a.krn").write_text(KERN)
        domain.write(domain.read(tmp_path / "a.krn")[0], path)
    else:
        path.write_text(ABC if source == ".abc" else KERN)
    [given] = domain.read(path)
    kind_of_codec, options = CODECS[kind]
    codec = kind_of_codec.fit([given], options)
    ids = codec.encode(given)
    new = codec.keep(given, grown(codec, ids, 0, 40), len(ids))
    domain.write(new, tmp_path / f"new{output}")
    again = next(piece for piece in domain.read(tmp_path / f"new{output}") if is_music(piece))
    assert_begins(on_one_staff(again), given)
    assert len(again.notes) > len(given.notes)


def on_one_staff(music: Music) -> Music:
    """Return a piece in which the two staves of its first part are one track, as they were."""
    if music.tracks[1:2] != music.tracks[:1]:
        return music
    notes = music.notes.copy()
    notes["track"] -= notes["track"] > 0
    return replace(music, notes=notes, tracks=music.tracks[1:])


def is_music(piece: object) -> bool:
    return isinstance(piece, Music)


def test_long_silence_moves_the_new_part_to_the_end_of_what_was_given() -> None:
    rows = [(0, 480, 60, 80, 0), (100 * 480, 480, 62, 80, 0), (101 * 480, 480, 64, 80, 0)]
    given = Music(make_notes(rows), (Track("", 5),), 480, ((0, 96.0),))
    for kind in ("melody", "multitrack", "performance"):
        kind_of_codec, options = CODECS[kind]
        codec = kind_of_codec.fit([given], options)
        ids = codec.encode(given)
        new = codec.keep(given, grown(codec, ids, 0), len(ids))
        assert new.notes[:3].tolist() == given.notes.tolist(), kind
        assert (new.notes["onset"][3:] >= 101 * 480).all() and len(new.notes) > 3, kind
        assert new.length < 160 * 480 and set(new.notes["track"].tolist()) == {0}


def test_a_note_across_the_seam_ends_where_the_model_ends_it() -> None:
    rows = [(at * 480, 480, 60 + at, 80, 0) for at in range(4)] + [(4 * 480, 4 * 480, 67, 33, 0)]
    given = Music(make_notes(rows), (Track("", 5),), 480, ((0, 96.0),))
    codec = MelodyCodec.fit([given], MelodyOptions())
    ids = codec.encode(given)
    hold, rest = codec.layout.table.id("hold"), codec.layout.table.id("rest")
    start = 2 + 16 + 4  # header, four quarters, one of the long note
    for held in (0, 4, 20):
        new = np.array([*ids[:start], *[hold] * held, rest, hold, hold, hold], np.int64)
        kept = codec.keep(given, new, start)
        assert kept.notes.tolist()[-1] == (4 * 480, 480 + held * 120, 67, 33, 0)
        assert len(kept.notes) == 5


def test_a_voice_beside_the_melody_is_given_too(chorales, tmp_path: Path) -> None:
    """Triplets, tempo, key and instrument of a melody survive its harmonising."""
    melody = [row for row in line(np.random.default_rng(3), 480, 64, 0) if row[0] < 8 * 480]
    given = Music(
        make_notes(melody), (Track("Tune", 68),), 480, ((0, 96.0),), ((0, 4, 4),), ((0, 2, False),)
    )
    write_midi(given, tmp_path / "tune.mid")
    [given] = MusicDomain().read(tmp_path / "tune.mid")
    for new in seqgen.generate(chorales, 2, condition=given, candidates=1):
        write_midi(new.piece, tmp_path / "new.mid")
        [again] = read_pieces(tmp_path / "new.mid")
        mine = again.notes[again.notes["track"] == again.tracks.index(given.tracks[0])]
        assert [row[:4] for row in mine.tolist()] == [row[:4] for row in given.notes.tolist()]
        assert len(again.tracks) == 4
        assert again.keys == given.keys and again.tempos.tolist() == given.tempos.tolist()
        assert len(again.notes) > len(mine)


def test_a_prompt_is_kept_by_the_engine(chorales, tmp_path: Path) -> None:
    given = chorales.codec.decode(np.asarray(chorales.corpus().piece(0), np.int64))
    late = given.notes.copy()
    late["velocity"], late["onset"] = 33, late["onset"] + np.where(late["onset"] > 0, 7, 0)
    given = Music(late, VOICES, given.ticks_per_quarter, ((0, 96.0),), given.metres, given.keys)
    limit = seqgen.LimitConfig(length=40)
    excerpt = seqgen.Excerpt(given, 130)
    primed = seqgen.prime(chorales, excerpt)
    for prompt in (excerpt, primed):
        [new] = seqgen.generate(chorales, prompt=prompt, limit=limit)
        assert new.prompt == 130
        early = given.notes[given.notes["onset"] + given.notes["duration"] < 31 * 120]
        assert set(early.tolist()) <= set(new.piece.notes.tolist())
        assert new.piece.tracks == VOICES and new.piece.tempos.tolist() == [(0, 96.0)]
    primed.save(tmp_path / "primed")
    [again] = seqgen.generate(chorales, prompt=seqgen.Primed.load(tmp_path / "primed"), limit=limit)
    assert again.ids.tolist() == new.ids.tolist()
    [rest] = seqgen.generate(chorales, prompt=primed, limit=limit, with_prompt=False)
    assert len(rest.piece.notes) < len(new.piece.notes)


def test_fermatas_stay_with_the_notes_they_were_given_on() -> None:
    rows = [(at * 480, 480, 60 - 5 * track, 80, track) for at in range(4) for track in range(4)]
    given = Music(make_notes(rows), VOICES, 480, fermatas=((480, 0), (480, 3), (1440, 1)))
    codec = ChoraleCodec.fit([given], ChoraleOptions())
    ids = codec.encode(given)
    new = codec.keep(given, grown(codec, ids, 0), len(ids))
    assert new.fermatas[:3] == given.fermatas
    seam = Seam.at(960, given.notes["onset"] < 960, is_whole=False)
    assert beginning(given, seam.kept, seam.tick).fermatas == given.fermatas[:2]
    lower = Music(given.notes[given.notes["track"] == 3], VOICES, 480, fermatas=given.fermatas)
    moved = replaced(given, finer(lower, 2), {0: 3})
    assert moved.fermatas == ((960, 0), (960, 3), (2880, 1))
