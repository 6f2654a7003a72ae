"""The examples that learn music run: a folder of MIDI files, and melodies of music21."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_grid import on_grid
from seqgen_music.music import Music, Track, make_notes

import seqgen

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
BAND = (Track("Kit", 0, drums=True), Track("Bass", 33), Track("Flute", 73))


def dance(seed: int) -> Music:
    """Return eight bars for drums, bass and flute."""
    rng = np.random.default_rng(seed)
    rows = [(480 * beat, 120, 36 + 2 * (beat % 2), 100, 0) for beat in range(32)]
    rows += [(1920 * bar, 1920, 36 + int(rng.integers(12)), 80, 1) for bar in range(8)]
    rows += [(240 * step, 240, 65 + int(rng.integers(14)), 90, 2) for step in range(64)]
    return Music(make_notes(rows), BAND, 480)


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = __import__(request.param)
    sys.modules.pop(request.param)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("example", ["midi_folder"], indirect=True)
def test_a_folder_of_midi_files_gives_pieces_and_a_page(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = tmp_path / "dances"
    folder.mkdir()
    for number in range(8):
        write_midi(dance(number), folder / f"{number}.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    monkeypatch.setattr("seqgen.generation.limits.LONGEST_PIECE", 150)
    example.main(folder, 0.02, tmp_path / "out")
    printed = capsys.readouterr().out
    assert "chose codec multitrack: " in printed
    assert "left out broken.mid: " in printed
    *written, page = map(Path, printed.splitlines()[-5:])
    for path in written:
        [piece] = MusicDomain().read(path)
        assert len(piece.notes) and all(track.program in (0, 33, 73) for track in piece.tracks)
    assert page.read_text().count("<audio") == len(written) == 4


@pytest.mark.slow
@pytest.mark.parametrize("example", ["melodies"], indirect=True)
def test_melodies_have_sixteen_bars_and_a_score(example: ModuleType, tmp_path: Path) -> None:
    example.main(0.02, 10, tmp_path / "out")
    run = seqgen.load(tmp_path / "out", "cpu")
    assert run.info["codec"]["name"] == "melody" and run.info["corpus"]["files"] == 10
    for number in range(1, 5):
        [tune] = MusicDomain().read(tmp_path / "out" / f"melody-{number}.mid")
        # An upbeat is a bar of its own.
        assert len(tune.bar_starts()) in (16, 17)
        [score] = MusicDomain().read(tmp_path / "out" / f"melody-{number}.musicxml")
        # A model of a second writes rhythms that a score rounds.
        assert score.notes["pitch"].tolist() == on_grid(tune).notes["pitch"].tolist()
