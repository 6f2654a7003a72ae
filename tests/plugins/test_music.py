"""Music: files made here, the raster, the codec, and what a listener would complain about."""

import io
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import soundfile
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.bars import metre_of
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.grammar import VoiceLimits
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.raster import REST, Raster, raster_of
from seqgen_music.codecs.chorale.tracker import ChoraleTracker
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.measures.metrics import empty_bars, notes_per_bar
from seqgen_music.music import Music, Track, make_notes, pitch_name

import seqgen
from seqgen.conformance.subject import fitted
from seqgen.errors import DataError

HEADER = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0"
SATB = ((72, 74), (67, 67), (60, 59), (48, 50))


def chorale(bars: int = 2, metre: tuple[int, int] = (4, 4), upbeat: int = 0) -> Music:
    """Return four voices in halves and quarters, two repeated notes and a rest among them."""
    steps = upbeat + bars * 16 * metre[0] // metre[1]
    sounding = np.zeros((steps, 4), np.int64)
    begins = np.zeros((steps, 4), bool)
    for voice, pitches in enumerate(SATB):
        for step in range(steps):
            sounding[step, voice] = pitches[step // 8 % 2]
            begins[step, voice] = step % 8 == 0 or (voice == 0 and step % 4 == 0)
    sounding[4:8, 3], begins[4, 3], begins[5:8, 3] = REST, True, False
    return Raster(sounding, begins, metre, upbeat).to_music()


def same_notes(one: Music, two: Music) -> None:
    scale = one.ticks_per_quarter / two.ticks_per_quarter
    assert len(one.notes) == len(two.notes)
    for name in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(one.notes[name], two.notes[name])
    for name in ("onset", "duration"):
        np.testing.assert_allclose(one.notes[name], two.notes[name] * scale, atol=1)


def test_a_bar_has_the_plainest_metre_of_its_length() -> None:
    lengths = [Fraction(1, 4), Fraction(1, 2), Fraction(3, 8), Fraction(5, 16), Fraction(1)]
    assert [*map(metre_of, lengths)] == [(1, 4), (2, 4), (3, 8), (5, 16), (4, 4)]
    assert metre_of(Fraction(1, 3)) is metre_of(Fraction(1, 128)) is None


# Files ------------------------------------------------------------------------------------------


def test_midi_keeps_notes_tempo_metre_key_and_instruments(tmp_path: Path) -> None:
    notes = make_notes(
        [(0, 240, 60, 90, 0), (240, 480, 64, 70, 0), (0, 960, 36, 100, 1), (1920, 60, 67, 33, 2)]
    )
    tracks = (Track("Flute", 73), Track("Kit", 0, drums=True), Track("Basso", 43))
    music = Music(
        notes,
        tracks,
        480,
        ((0, 90.0), (960, 132.0)),
        ((0, 3, 4), (1440, 6, 8)),
        ((0, -3, True), (1440, 2, False)),
    )
    write_midi(music, tmp_path / "a.mid")
    again = read_pieces(tmp_path / "a.mid")[0]
    same_notes(music, again)
    assert again.tracks == tracks
    assert again.ticks_per_quarter == 480
    assert again.metres == music.metres
    assert [tick for tick, _ in again.tempos] == [0, 960]
    np.testing.assert_allclose([qpm for _, qpm in again.tempos], [90, 132], rtol=1e-5)
    assert again.keys == music.keys


def test_every_library_reads_what_is_written(tmp_path: Path) -> None:
    music = chorale()
    write_midi(music, tmp_path / "a.mid")
    count = len(music.notes)
    assert symusic.Score(tmp_path / "a.mid").note_num() == count
    loaded = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    assert [i.name for i in loaded.instruments] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert sum(len(i.notes) for i in loaded.instruments) == count
    messages = [m for track in mido.MidiFile(tmp_path / "a.mid").tracks for m in track]
    assert sum(m.type == "note_on" and m.velocity > 0 for m in messages) == count
    same_notes(music, MusicDomain().read(tmp_path / "a.mid")[0])


def test_times_come_back_to_the_tick(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tempos = tuple((tick, float(qpm)) for tick, qpm in enumerate(rng.uniform(20, 300, 40)))
    tempos = tuple((tick * 5000, qpm) for tick, qpm in tempos)
    onsets = np.sort(rng.integers(0, 250_000, 300))
    rows = [(int(at), int(rng.integers(1, 900)), 40 + n % 40, 80, 0) for n, at in enumerate(onsets)]
    music = Music(make_notes(rows), (Track("Ünïcödé 音楽"),), 220, tempos)
    write_midi(music, tmp_path / "a.mid")
    again = read_pieces(tmp_path / "a.mid")[0]
    for name in ("onset", "duration", "pitch"):
        np.testing.assert_array_equal(np.sort(again.notes[name]), np.sort(music.notes[name]))
    assert again.tracks == music.tracks


def test_what_no_musician_writes_is_left_out(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=1))
    track.append(mido.MetaMessage("time_signature", numerator=0, denominator=4))
    track.append(mido.Message("note_on", note=60, velocity=80, time=960))
    track.append(mido.Message("note_off", note=60, time=480))
    file.tracks.append(track)
    file.save(tmp_path / "odd.mid")
    music = read_pieces(tmp_path / "odd.mid")[0]
    assert music.tempos.tolist() == [(0, 1000.0)] and music.metres == ()
    MusicDomain().write(music, tmp_path / "again.mid")
    same_notes(music, read_pieces(tmp_path / "again.mid")[0])


def test_a_piece_that_is_too_long_for_a_midi_file_is_refused(tmp_path: Path) -> None:
    music = Music(make_notes([(20_000_000, 480, 60, 80, 0)]), (Track(),), 480)
    with pytest.raises(DataError, match="20,000,480 ticks long; 10,000,000 is the most"):
        write_midi(music, tmp_path / "a.mid")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"Dear diary", "not a readable MIDI file"),
        (
            b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0MTrk\x00\x00",
            "not a readable MIDI|no note",
        ),
        (
            b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
            "no note",
        ),
    ],
)
def test_bad_midi_is_refused_with_a_reason(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        MusicDomain().read(path)


def test_notation_is_read_with_upbeat_metre_ties_and_key(tmp_path: Path) -> None:
    path = tmp_path / "tune.abc"
    path.write_text("X:1\nT:Tune\nM:3/4\nL:1/4\nQ:1/4=100\nK:G\nD|G2 B|d3-|d z2|]\n")
    [music] = read_notation(path)
    assert [pitch_name(int(pitch)) for pitch in music.notes["pitch"]] == ["D4", "G4", "B4", "D5"]
    quarters = music.notes["onset"] / music.ticks_per_quarter
    assert quarters.tolist() == [0, 1, 3, 4]
    assert (music.notes["duration"] / music.ticks_per_quarter).tolist() == [1, 2, 1, 4]
    assert music.metres == ((0, 1, 4), (480, 3, 4))
    assert music.keys == ((0, 1, False),)
    assert music.tempos.tolist() == [(0, 100.0)]


def test_a_collection_of_tunes_is_many_pieces(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n\nX:2\nM:4/4\nL:1/4\nK:C\nGABc|\n")
    assert [len(music.notes) for music in MusicDomain().read(path)] == [4, 4]


def test_a_chorale_of_music21_is_read_as_four_voices(tmp_path: Path) -> None:
    [path] = [path for path in MusicDomain().demo(tmp_path) if path.name == "bwv10.7.mxl"]
    [music] = MusicDomain().read(path)
    assert [track.name for track in music.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert music.metres == ((0, 4, 4),) and music.keys[0][1] == -2
    raster = raster_of(music)
    assert raster.sounding.shape[1] == 4 and (raster.sounding[0] != REST).all()


def test_the_demo_has_the_chorales(tmp_path: Path) -> None:
    assert len(MusicDomain().demo(tmp_path)) > 400


def test_pictures_and_sounds(tmp_path: Path) -> None:
    preview = MusicDomain().preview(chorale())
    assert preview.keys() == {"image/svg+xml", "audio/mpeg"}
    samples, rate = soundfile.read(io.BytesIO(preview["audio/mpeg"]))
    assert len(samples) / rate == pytest.approx(8 * 60 / 76, abs=1.5)
    assert 0.25 < np.abs(samples).max() < 1
    with pytest.raises(DataError, match=r"cannot write music as '.docx'; use .mid"):
        MusicDomain().write(chorale(), tmp_path / "a.docx")


def test_time_follows_the_tempo_map() -> None:
    music = Music(make_notes([(0, 480, 60, 80, 0)]), (Track(),), 480, ((0, 60.0), (480, 120.0)))
    assert music.seconds(np.array([0, 240, 480, 960, 1440])).tolist() == [0, 0.5, 1, 1.5, 2]


def test_bar_lines_know_the_upbeat() -> None:
    assert chorale(2, (3, 4), upbeat=4).bar_starts() == [0, 480, 1920]
    assert chorale(2, (4, 4)).bar_starts() == [0, 1920]


def test_a_metre_after_the_last_note_makes_no_bars() -> None:
    metres = ((0, 4, 4), (19_200, 3, 4))
    music = Music(make_notes([(0, 1920, 60, 80, 0)]), (Track(),), 480, metres=metres)
    assert music.bar_starts() == [0] and notes_per_bar(music) == 1 and empty_bars(music) == 0


# The raster -------------------------------------------------------------------------------------


def test_voices_are_told_by_name_else_by_pitch() -> None:
    music = chorale()
    shuffled = Music(
        make_notes(
            [
                (int(n["onset"]), int(n["duration"]), int(n["pitch"]), 80, 3 - int(n["track"]))
                for n in music.notes
            ]
        ),
        tuple(Track(f"part {number}") for number in range(4)),
        480,
    )
    np.testing.assert_array_equal(raster_of(shuffled).sounding, raster_of(music).sounding)
    five = (*music.tracks, Track("Horn"))
    horn = make_notes([(0, 480, 90, 80, 4)])
    extra = Music(np.concatenate([music.notes, horn]), five, 480, (), music.metres)
    np.testing.assert_array_equal(raster_of(extra).sounding, raster_of(music).sounding)


def test_other_numbers_of_voices_and_drums_are_refused() -> None:
    for count in (1, 3, 5):
        rows = [(0, 480, 60 + track, 80, track) for track in range(count)]
        with pytest.raises(DataError, match=f"tracks with notes here: {count}"):
            raster_of(Music(make_notes(rows), (Track(),) * count, 480))
    rows = [(0, 480, 60 + track, 80, track) for track in range(4)]
    with pytest.raises(DataError, match="four voices"):
        raster_of(Music(make_notes(rows), (Track(drums=True),) * 4, 480))


def test_a_voice_that_is_silent_throughout_may_be_missing(tmp_path: Path) -> None:
    rows = [(0, 480, 60, 80, 0), (0, 480, 48, 80, 3)]
    names = ("Soprano", "Alto", "Tenor", "Bass")
    write_midi(Music(make_notes(rows), tuple(map(Track, names)), 480), tmp_path / "a.mid")
    raster = raster_of(read_pieces(tmp_path / "a.mid")[0])
    assert raster.sounding[0].tolist() == [60, REST, REST, 48]
    alone = Music(make_notes([(0, 480, 48, 80, 0)]), (Track("Bass"),), 480)
    with pytest.raises(DataError, match="a chorale has four voices"):
        raster_of(alone)


def test_the_raster_ends_with_its_voices() -> None:
    music = chorale()
    horn = make_notes([(0, 99_999, 90, 80, 4)])
    tracks = (*music.tracks, Track("Horn"))
    longer = Music(np.concatenate([music.notes, horn]), tracks, 480, (), music.metres)
    np.testing.assert_array_equal(raster_of(longer).sounding, raster_of(music).sounding)


def test_a_damaged_time_does_not_fill_the_memory() -> None:
    rows = [(0, 480, 60 + track, 80, track) for track in range(4)] + [(2**50, 480, 60, 80, 0)]
    with pytest.raises(DataError, match=r"sixteenths long; 65,536 is the most"):
        raster_of(Music(make_notes(rows), (Track(),) * 4, 480))


@pytest.mark.parametrize("metre", [(5, 4), (6, 4), (3, 2), (12, 8), (2, 4)])
def test_upbeats_of_any_metre(metre: tuple[int, int]) -> None:
    longest = 16 * metre[0] // metre[1] - 1
    pieces = [chorale(2, metre, upbeat) for upbeat in (0, 1, longest)]
    codec = ChoraleCodec.fit(pieces, ChoraleOptions())
    for piece in pieces:
        np.testing.assert_array_equal(codec.decode(codec.encode(piece)).notes, piece.notes)
        assert codec.decode(codec.encode(piece)).metres == piece.metres


def test_metres_may_begin_late() -> None:
    rows = [(0, 480, 60 + track, 80, track) for track in range(4)]
    music = Music(make_notes(rows), (Track(),) * 4, 480, (), ((3840, 3, 4),))
    assert raster_of(music).metre == (4, 4)


def test_simultaneous_and_overlapping_notes_of_a_voice() -> None:
    rows = [(0, 480, 60 - 5 * track, 80, track) for track in range(4)]
    rows += [(0, 480, 72, 80, 0), (240, 480, 74, 80, 0)]
    raster = raster_of(Music(make_notes(rows), (Track(),) * 4, 480))
    assert raster.sounding[:, 0].tolist() == [72, 72, 74, 74, 74, 74]


def test_the_upbeat_is_kept(tmp_path: Path) -> None:
    music = chorale(2, (3, 4), upbeat=4)
    raster = raster_of(music)
    assert (raster.metre, raster.upbeat) == ((3, 4), 4)
    write_midi(music, tmp_path / "a.mid")
    again = raster_of(read_pieces(tmp_path / "a.mid")[0])
    assert (again.metre, again.upbeat) == ((3, 4), 4)


# The codec --------------------------------------------------------------------------------------

PIECES = [chorale(), chorale(3, (3, 4)), chorale(2, (4, 4), upbeat=4)]
HELD = fitted(ChoraleCodec, PIECES, ChoraleOptions())
GRID = fitted(ChoraleCodec, PIECES, ChoraleOptions(form="grid"))


def header(codec: ChoraleCodec) -> int:
    """Return the number of tokens before the first note of a piece without a plan."""
    return 3 if codec.held else 0


@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_held_keeps_everything_on_the_grid(piece: Music) -> None:
    again = HELD.decode(HELD.encode(piece))
    np.testing.assert_array_equal(again.notes, piece.notes)
    assert again.metres == piece.metres


@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_grid_keeps_what_sounds(piece: Music) -> None:
    ids = GRID.encode(piece)
    assert len(ids) == 4 * len(raster_of(piece).sounding)
    again = GRID.decode(ids)
    np.testing.assert_array_equal(raster_of(again).sounding, raster_of(piece).sounding)


def test_tokens_read_like_music() -> None:
    names = [HELD.vocab[token] for token in HELD.encode(PIECES[2])[:10]]
    assert names == [
        "metre 4/4",
        "upbeat 4",
        "plan end",
        "C5",
        "G4",
        "C4",
        "C3",
        "hold",
        "hold",
        "hold",
    ]


@settings(deadline=None)
@given(st.data(), st.sampled_from([HELD, GRID]))
def test_decoding_random_ids_is_a_fixed_point(data, codec: ChoraleCodec) -> None:
    ids = np.array(data.draw(st.lists(st.integers(0, len(codec.vocab) - 1), max_size=60)), np.int64)
    music = codec.decode(ids)
    try:
        again = codec.encode(music)
    except DataError as error:
        assert "voices" in str(error) or "no note" in str(error)
        return
    np.testing.assert_array_equal(codec.encode(codec.decode(again)), again)


@pytest.mark.parametrize("codec", [HELD, GRID], ids=["held", "grid"])
def test_transposition_keeps_voices_in_range_and_intervals(codec: ChoraleCodec) -> None:
    limits = VoiceLimits(((60, 84), (55, 76), (48, 70), (36, 62)), 16)
    wide = ChoraleCodec(36, 84, codec.layout.metres, codec.options, limits)
    ids = wide.encode(PIECES[0])
    before = raster_of(PIECES[0]).sounding
    shifts = set()
    for seed in range(60):
        after = raster_of(wide.decode(wide.augment(ids, np.random.default_rng(seed)))).sounding
        sung = before != REST
        np.testing.assert_array_equal(after == REST, ~sung)
        [shift] = np.unique((after - before)[sung])
        shifts.add(int(shift))
        for voice, (low, high) in enumerate(limits.ranges):
            mine = after[:, voice][after[:, voice] != REST]
            assert low <= mine.min() and mine.max() <= high
    assert len(shifts) > 8 and min(shifts) < 0 < max(shifts)


def test_features_tell_place_bar_and_parallels() -> None:
    ids = HELD.encode(PIECES[2])
    rows = HELD.features(ids)
    assert rows[:3, 0].tolist() == [0, 1, 2]
    assert rows[3:11, 0].tolist() == [3, 4, 5, 6, 3, 4, 5, 6]
    # The upbeat of four steps is the end of a bar of sixteen.
    assert rows[3:23:4, 1].tolist() == [12, 13, 14, 15, 0]
    assert rows[3:23:4, 2].tolist() == [0, 0, 0, 0, 0]
    # At step 8 the soprano goes from C5 to D5, an octave over the tenor's C4.
    tenor = rows[3 + 8 * 4 + 2]
    assert tenor[0] == 5
    assert HELD.vocab[HELD.table.id("pitch", HELD.layout.low) + tenor[9] - 1] == "D4"


def test_the_tracker_keeps_order_ranges_and_steps() -> None:
    tracker = HELD.tracker()
    end = len(HELD.vocab)

    def names() -> set[str]:
        mask = tracker.allowed()
        return {(*HELD.vocab, "END")[token] for token in np.flatnonzero(mask)}

    assert names() == {"metre 3/4", "metre 4/4"}
    tracker.push(HELD.table.id("metre", (4, 4)))
    assert names() == {f"upbeat {number}" for number in range(16)}
    waltz = HELD.tracker()
    waltz.push(HELD.table.id("metre", (3, 4)))
    assert waltz.allowed().sum() == 12
    tracker.push(HELD.table.id("upbeat", 0))
    assert names() == {"plan end"}
    tracker.push(HELD.table.id("plan end"))
    for low, high in HELD.limits.ranges:
        allowed = {pitch_name(pitch) for pitch in range(low, high + 1)}
        assert names() == {"rest"} | allowed
        tracker.push(HELD.table.id("pitch", low))
    assert {"hold", "END"} <= names() and tracker.allowed()[end]
    tracker.push(HELD.table.id("rest"))
    assert "END" not in names() and "hold" in names()


@pytest.mark.parametrize("codec", [HELD, GRID], ids=["held", "grid"])
def test_a_piece_never_falls_silent_for_more_than_a_bar(codec: ChoraleCodec) -> None:
    tracker, rest, ids = codec.tracker(), codec.table.id("rest"), []
    end = len(codec.vocab)
    for _ in range(header(codec) + 4 * 60):
        mask = tracker.allowed()
        token = rest if mask[rest] else int(np.flatnonzero(mask[:end])[-1])
        ids.append(token)
        tracker.push(token)
    raster = raster_of(codec.decode(np.array(ids)))
    assert raster.longest_silence() == 16
    codec.encode(codec.decode(np.array(ids)))


def longest_stillness(codec: ChoraleCodec, tracker: ChoraleTracker) -> int:
    """Hold whatever may be held, for many steps."""
    hold, end, ids = codec.table.id("hold"), len(codec.vocab), []
    while len(ids) < header(codec) + 4 * 60:
        mask, token = tracker.allowed(), tracker.forced()
        if token is None:
            token = hold if mask[hold] else int(np.flatnonzero(mask[:end])[-1])
        ids.append(token)
        tracker.push(token)
    return raster_of(codec.decode(np.array(ids))).longest_stillness()


def test_not_all_voices_go_on_for_longer_than_in_the_corpus() -> None:
    longest = max(raster_of(piece).longest_stillness() for piece in PIECES)
    assert HELD.limits.stillest == longest
    # One piece in forty that holds a chord for very long is not what the others do.
    held = Music(
        make_notes([(0, 99_999, 48 + 6 * v, 80, v) for v in range(4)]), (Track(),) * 4, 480
    )
    codec = fitted(ChoraleCodec, [*PIECES * 20, held], HELD.options)
    assert codec.limits.stillest == longest
    assert longest_stillness(HELD, HELD.tracker()) == longest


def test_what_voices_may_do_comes_from_the_corpus() -> None:
    # The soprano moves by quarters. The alto has one pitch, in the waltz for 36 sixteenths.
    assert HELD.limits.notes == (4, 8, 8, 8) and HELD.limits.stays == (8, 36, 8, 8)
    assert HELD.limits.parallels
    still = make_notes([(480 * at, 480, 60 - 5 * v, 80, v) for at in range(4) for v in range(4)])
    plain = fitted(ChoraleCodec, [Music(still, (Track(),) * 4, 480)] * 20, ChoraleOptions())
    assert plain.limits.notes == (4, 4, 4, 4) and plain.limits.stays == (16, 16, 16, 16)
    assert not plain.limits.parallels
    again = ChoraleCodec.from_state(plain.state(), plain.options)
    assert again.limits == plain.limits


def walked(codec: ChoraleCodec, seed: int, share: float) -> Raster:
    """Return a raster of random tokens that the tracker allows; a share of them hold."""
    tracker, rng, ids = codec.tracker(), np.random.default_rng(seed), []
    hold, end = codec.table.id("hold"), len(codec.vocab)
    while len(ids) < header(codec) + 4 * 150:
        allowed = np.flatnonzero(tracker.allowed()[:end])
        ids.append(hold if hold in allowed and rng.random() < share else int(rng.choice(allowed)))
        tracker.push(ids[-1])
    return codec.raster(np.array(ids))


@pytest.mark.parametrize("seed", range(2))
def test_new_pieces_keep_to_the_limits_of_voices(seed: int) -> None:
    ranges = ((60, 67), (55, 62), (50, 57), (45, 52))
    limits = VoiceLimits(ranges, 99, (5, 6, 7, 8), (9, 10, 11, 12), parallels=False)
    free, limited = (
        ChoraleCodec(45, 67, [(4, 4)], HELD.options, each) for each in (VoiceLimits(ranges), limits)
    )
    raster, other = walked(limited, seed, 0.9), walked(free, seed, 0.9)
    assert (raster.longest_notes() <= limits.notes).all()
    assert (raster.longest_stays() <= limits.stays).all()
    assert (other.longest_notes() > limits.notes).any()
    # Two voices that move at each step would often move in parallel.
    assert parallels(walked(limited, seed, 0.1).sounding).sum() == 0
    assert parallels(walked(free, seed, 0.1).sounding).sum() > 0


def test_a_voice_begins_anew_below_given_ones_that_are_held() -> None:
    rows = [(0, 120 * 60, pitch, 80, track) for track, pitch in enumerate((70, 65))]
    long = Music(make_notes(rows), (Track("Soprano"), Track("Tenor")), 480, (), ((0, 4, 4),))
    limits, layout = VoiceLimits(HELD.limits.ranges, 16), HELD.layout
    codec = ChoraleCodec(layout.low, layout.high, layout.metres, HELD.options, limits)
    assert longest_stillness(codec, codec.tracker(long)) == 16


def test_a_piece_does_not_end_in_silence() -> None:
    tracker = GRID.tracker()
    for _ in range(4):
        tracker.push(GRID.table.id("rest"))
    assert not tracker.allowed()[-1]
    for low, _ in GRID.limits.ranges:
        tracker.push(GRID.table.id("pitch", low))
    assert tracker.allowed()[-1]


def test_the_grid_measures_silence_by_its_own_bar() -> None:
    slow = chorale(2, (6, 4))
    late = slow.notes.copy()
    late["onset"][late["onset"] >= 1920] += 20 * 120
    piece = Music(late, slow.tracks, 480, (), slow.metres)
    codec = ChoraleCodec.fit([slow], ChoraleOptions())
    np.testing.assert_array_equal(codec.decode(codec.encode(piece)).notes, piece.notes)
    with pytest.raises(DataError, match="more than a bar"):
        GRID.encode(piece)


def test_four_silent_voices_beside_a_piano_are_refused() -> None:
    tracks = (*map(Track, ("Soprano", "Alto", "Tenor", "Bass", "Piano")),)
    music = Music(make_notes([(0, 480, 60, 80, 4)]), tracks, 480)
    with pytest.raises(DataError, match="none of the four voices"):
        raster_of(music)


def test_a_choir_that_waits_for_its_orchestra_is_no_chorale() -> None:
    late = PIECES[0].notes.copy()
    late["onset"][late["onset"] >= 1920] += 20 * 120
    with pytest.raises(DataError, match="all voices are silent for 20 sixteenths on end"):
        HELD.encode(Music(late, PIECES[0].tracks, 480, (), PIECES[0].metres))


def test_what_the_corpus_did_not_have_is_refused() -> None:
    high = Music(PIECES[0].notes.copy(), PIECES[0].tracks, 480, (), PIECES[0].metres)
    high.notes["pitch"] += 30
    with pytest.raises(DataError, match=r"is outside .* transpose the piece"):
        HELD.encode(high)
    with pytest.raises(DataError, match="metre 6/8 is not one of"):
        HELD.encode(chorale(2, (6, 8)))
    with pytest.raises(DataError, match="no piece has four voices"):
        ChoraleCodec.fit([], ChoraleOptions())


def voice(raster: Raster, number: int) -> list[tuple[int, bool]]:
    """Return what a voice does, step by step."""
    return [*zip(raster.sounding[:, number], raster.begins[:, number], strict=True)]


def test_a_given_melody_is_kept_and_harmonised(chorales, tmp_path: Path) -> None:
    piece = chorales.codec.decode(np.asarray(chorales.corpus().piece(0), np.int64))
    melody = Music(
        piece.notes[piece.notes["track"] == 0],
        piece.tracks[:1],
        piece.ticks_per_quarter,
        piece.tempos,
        piece.metres,
    )
    write_midi(melody, tmp_path / "melody.mid")
    [given] = MusicDomain().read(tmp_path / "melody.mid")
    for new in seqgen.generate(chorales, 2, condition=given):
        assert new.stopped_by == "end"
        raster, original = raster_of(new.piece), raster_of(piece)
        assert voice(raster, 0) == voice(original, 0)[: len(raster.sounding)]
        assert raster.metre == original.metre and raster.upbeat == original.upbeat
        assert (raster.sounding[:, 1:] != REST).any(axis=0).all()


def test_only_a_piece_can_be_given(chorales) -> None:
    with pytest.raises(
        DataError, match=r"a chorale follows a melody in a file, or words .* found 'la la'"
    ):
        next(seqgen.generate(chorales, condition="la la"))


@pytest.mark.parametrize("steps", [0, 3, 5, 16])
def test_a_continuation_is_a_piece_of_its_own(steps: int) -> None:
    piece = chorale(bars=3, upbeat=4)
    codec = ChoraleCodec.fit([piece], ChoraleOptions())
    ids = codec.encode(piece)
    whole = codec.raster(ids)
    rest = codec.raster(codec.continuation(ids, header(codec) + 4 * steps))
    np.testing.assert_array_equal(rest.sounding, whole.sounding[steps:])
    assert (whole.upbeat - steps - rest.upbeat) % 16 == 0


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("suffix", "lines"),
    [
        (".krn", b"**kern\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"),
        (".abc", b"X:1\nT:a\nM:4/4\nL:1/4\nK:C\nCDEF|\n"),
    ],
)
def test_notation_of_other_systems_is_read(mark, line_end, suffix, lines, tmp_path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(mark + lines.replace(b"\n", line_end))
    [piece] = MusicDomain().read(path)
    assert piece.notes["pitch"].tolist() == [60, 62, 64, 65]
