"""Where in a piece a token is, in words: bars of `multitrack`, the time of `performance`."""

import numpy as np
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.music import Music, Track, make_notes


def test_a_place_in_a_multitrack_piece_is_a_bar() -> None:
    """Two bars of 4/4, one of them empty, then two of 3/4: drums and a bass."""
    rows = [(480 * beat, 120, 36, 100, 0) for beat in (0, 1, 3, 8, 9, 11, 13)]
    rows += [(480 * beat, 480, 40 + beat, 80, 1) for beat in (0, 2, 9, 12)]
    tracks = (Track("Kit", 0, drums=True), Track("Bass", 33))
    music = Music(make_notes(rows), tracks, 480, (), ((0, 4, 4), (3840, 3, 4)))
    codec = MultitrackCodec.fit([music], MultitrackOptions())
    ids = codec.encode(music)
    names = [codec.vocab[token] for token in ids]
    kinds = [name.split()[0] for name in names]
    sounds = [at for at, kind in enumerate(kinds) if kind in ("pitch", "drum")]
    bars = np.searchsorted(music.bar_starts(), np.sort(music.notes["onset"]), side="right")
    assert [codec.place(ids, at) for at in sounds] == [f"bar {bar}" for bar in bars]
    assert set(bars.tolist()) == {1, 3, 4}
    lines = [at for at, kind in enumerate(kinds) if kind in ("metre", "bar")]
    assert [codec.place(ids, at) for at in lines] == ["bar 1", "bar 2", "bar 3", "bar 4"]
    assert kinds[0] == "key" and codec.place(ids, 0) == "bar 1"


def test_a_place_in_a_performance_is_a_time() -> None:
    """A note every 7.99 seconds; a place is the second that has begun."""
    onsets = [7990 * number for number in range(17)]
    rows = [(onset, 5000, 60, 64, 0) for onset in onsets]
    music = Music(make_notes(rows), (Track("Piano"),), 500)
    codec = PerformanceCodec.fit([music], PerformanceOptions())
    ids = codec.encode(music)
    begins = [at for at, token in enumerate(ids) if codec.vocab[token] == "note on C4"]
    expected = [f"{onset // 60_000}:{onset // 1000 % 60:02}" for onset in onsets]
    assert [codec.place(ids, at) for at in begins] == expected
    assert (expected[0], expected[7], expected[-1]) == ("0:00", "0:55", "2:07")
