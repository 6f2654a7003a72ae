"""Sound files: formats, faults of files, texts beside recordings."""

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from seqgen_speech import sound as sounds
from seqgen_speech.cleaning import ReadOptions, cleaned
from seqgen_speech.domain import Speech
from seqgen_speech.files.texts import words_of
from seqgen_speech.files.times import table_of, times_of
from seqgen_speech.render.pictures import svg
from seqgen_speech.sound import Sound

from seqgen.errors import DataError
from seqgen.plugin import Labelled

#: Suffix, format and coding of files that are read.
CODINGS = [
    *((".wav", "WAV", f"PCM_{width}") for width in ("U8", "16", "24", "32")),
    *((".wav", "WAV", coding) for coding in ("FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM")),
    *((".wav", "WAVEX", "PCM_16"), (".rf64", "RF64", "PCM_16"), (".w64", "W64", "PCM_16")),
    *((".flac", "FLAC", "PCM_16"), (".ogg", "OGG", "VORBIS"), (".opus", "OGG", "OPUS")),
    *((".aiff", "AIFF", "PCM_16"), (".au", "AU", "PCM_16"), (".snd", "AU", "ULAW")),
    (".mp3", "MP3", "MPEG_LAYER_III"),
]


#: Elements of SVG.
TEXT, PATH = (f"{{http://www.w3.org/2000/svg}}{name}" for name in ("text", "path"))

#: The first line of a table of times.
HEAD = b"file\tsymbol\tbegin\tend\n"


def tone(count: int = 8000, rate: int = 8000) -> np.ndarray:
    """Return a tone of 200 Hz that swells and fades."""
    at = np.arange(count)
    swell = np.sin(np.pi * at / count) ** 2
    return (0.5 * swell * np.sin(2 * np.pi * 200 * at / rate)).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = 8000, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def read(path: Path) -> Sound:
    [piece] = Speech().read(path)
    return piece.content if isinstance(piece, Labelled) else piece


@pytest.mark.parametrize(("suffix", "form", "coding"), CODINGS)
def test_every_format_is_read(suffix: str, form: str, coding: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", tone(), format=form, subtype=coding)
    sound = read(path)
    assert sound.rate == 8000 and sound.samples.dtype == np.float32
    # MP3 and Opus begin late.
    lag = int(np.argmax(np.correlate(sound.samples, tone()[2000:6000], "valid"))) - 2000
    kept = sound.samples[2000 + lag : 6000 + lag]
    assert abs(lag) < 3000 and np.abs(kept - tone()[2000:6000]).max() < 0.1


def test_channels_are_mixed(tmp_path: Path) -> None:
    both = np.stack([tone(), -tone() / 2, tone()], axis=1)
    path = write(tmp_path / "a.wav", both, subtype="FLOAT")
    np.testing.assert_allclose(read(path).samples, tone() / 2, atol=1e-7)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    piece = Sound(tone(), 8000, "a tone")
    paths = Speech().write(piece, tmp_path / f"a{suffix}")
    assert paths == [tmp_path / f"a{suffix}", tmp_path / "a.txt"]
    again = read(paths[0])
    assert (again.rate, again.text) == (8000, "a tone")
    if suffix in (".wav", ".flac"):
        np.testing.assert_allclose(again.samples, piece.samples, atol=1 / 32_000)
    else:
        assert abs(again.seconds - 1) < 0.2


def test_long_sound_is_written_as_ogg(tmp_path: Path) -> None:
    # libsndfile crashes if it gets a long array at once.
    long = Sound(np.tile(tone(), 60), 8000)
    Speech().write(long, tmp_path / "a.ogg")
    assert read(tmp_path / "a.ogg").seconds == pytest.approx(60, abs=0.1)


def test_a_rate_that_mp3_does_not_allow_becomes_the_next(tmp_path: Path) -> None:
    Speech().write(Sound(tone(10_000, 10_000), 10_000), tmp_path / "a.mp3")
    assert soundfile.info(tmp_path / "a.mp3").samplerate == 11_025


def test_resampling_keeps_a_tone_and_full_scale() -> None:
    high = Sound(np.sign(tone(24_000, 24_000)), 24_000, "text")
    low = high.at(8000)
    assert (len(low.samples), low.rate, low.text) == (8000, 8000, "text")
    assert np.abs(low.samples).max() <= 1
    np.testing.assert_allclose(
        Sound(tone(24_000, 24_000), 24_000).at(8000).samples, tone(), atol=0.01
    )


def faulty(name: str, folder: Path) -> Path:
    """Return a file with a fault."""
    path = write(folder / "a.wav", tone(), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    match name:
        case "no sample":
            write(path, tone()[:0])
        case "not a finite number":
            write(path, np.where(np.arange(8000) == 70, np.nan, tone()), subtype="FLOAT")
        case "ends early: its header promises 16,000 bytes, and 7,956":
            path.write_bytes(data[:8000])
        case "samples per second; expected":
            struct.pack_into("<II", data, 24, 10**9, 2 * 10**9)
            path.write_bytes(data)
        case "it cannot be read as sound (":
            struct.pack_into("<H", data, 22, 0)
            path.write_bytes(data)
        case "ends early: its header promises 8,000 samples":
            path = write(folder / "a.mp3", tone(), format="MP3")
            path.write_bytes(path.read_bytes()[:1500])
        case "expected one of WAV":
            write(path, tone(), format="CAF", subtype="PCM_16")
    return path


@pytest.mark.parametrize(
    "fault",
    [
        "no sample",
        "not a finite number",
        "ends early: its header promises 16,000 bytes, and 7,956",
        "ends early: its header promises 8,000 samples",
        "samples per second; expected",
        "it cannot be read as sound (",
        "expected one of WAV",
    ],
)
def test_faults_of_a_file_are_named(fault: str, tmp_path: Path) -> None:
    path = faulty(fault, tmp_path)
    with pytest.raises(DataError) as caught:
        read(path)
    assert fault in str(caught.value)


@pytest.mark.parametrize("suffix", [".aiff", ".au", ".w64", ".rf64", ".flac", ".ogg"])
def test_a_file_that_ends_early_is_refused(suffix: str, tmp_path: Path) -> None:
    form = suffix[1:].upper()
    path = write(tmp_path / f"a{suffix}", tone(), format=form)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"ends early|cannot be read"):
        read(path)


def test_a_header_written_into_a_pipe_promises_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 4, 0xFFFFFFFF)
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)
    path.write_bytes(data)
    assert len(read(path).samples) == 8000


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    loud = read(write(tmp_path / "a.wav", 4 * tone(), subtype="FLOAT")).samples
    assert loud.max() == 1 and loud.min() == -1


def test_a_long_file_is_refused_before_it_is_all_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_speech.files.sound_reading.MOST_SAMPLES", 7000)
    monkeypatch.setattr(sounds, "MOST_SAMPLES", 7000)
    with pytest.raises(DataError, match="more than 7,000 samples"):
        read(write(tmp_path / "a.wav", tone()))


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a sound file, found \.txt"):
        read(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"cannot write sound as '\.xyz'"):
        Speech().write(Sound(tone(), 8000), tmp_path / "a.xyz")


def test_texts_come_from_the_files_beside_a_recording(tmp_path: Path) -> None:
    folder = tmp_path / "wavs"
    folder.mkdir()
    for name in "abcdef":
        write(folder / f"{name}.wav", tone(100))
    (folder / "a.txt").write_text("of a\n")
    (folder / "b.lab").write_text("of  b")
    (folder / "texts.tsv").write_text(
        "file\ttext\tspeaker\nc.wav\tof c\tanna\na.wav\tnot this\tbert\n\nd\tof d\t\n"
    )
    (tmp_path / "metadata.csv").write_text("e|of 5|of five\n")
    found = {}
    for name in "abcdef":
        [piece] = Speech().read(folder / f"{name}.wav")
        labels = piece.labels if isinstance(piece, Labelled) else {}
        found[name] = read(folder / f"{name}.wav").text, dict(labels)
    assert found == {
        "a": ("of a", {"speaker": "bert"}),
        "b": ("of b", {}),
        "c": ("of c", {"speaker": "anna"}),
        "d": ("of d", {}),
        "e": ("of five", {}),
        "f": ("", {}),
    }


def test_a_table_is_read_again_after_a_change(tmp_path: Path) -> None:
    path, table = write(tmp_path / "a.wav", tone(100)), tmp_path / "texts.tsv"
    for text in ("one", "another"):
        table.write_text(f"file\ttext\na.wav\t{text}\n")
        assert read(path).text == text


def test_times_come_from_their_table(tmp_path: Path) -> None:
    rows = "a.wav\th\t0.1\t0.2\na.wav\tˈaɪ\t0.2\t0.5\na.wav\t\t0.5\t0.5\na.wav\t.\t0.5\t1\n"
    (tmp_path / "times.tsv").write_text(HEAD.decode() + rows + "b.wav\tx\t0\t1\n", "utf-8")
    times = read(write(tmp_path / "a.wav", tone())).times
    assert times == (("h", 0.1, 0.2), ("ˈaɪ", 0.2, 0.5), (" ", 0.5, 0.5), (".", 0.5, 1.0))
    assert read(write(tmp_path / "c.wav", tone())).times == ()
    assert table_of([("a.wav", times)]).split("\n")[1] == "a.wav\th\t0.1000\t0.2000"
    rows = table_of([("a.wav", times)]).splitlines()
    assert times_of(enumerate(rows[1:], 2)) == times


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("texts.tsv", b"name\ttext\n", "expected the columns file and text"),
        ("texts.tsv", b"file\ttext\na.wav\n", "line 2 has 1 cells; expected 2"),
        (
            "texts.tsv",
            b"file\ttext\na.wav\tA\na.wav\tB\n",
            "line 3 has another text or label for a.wav",
        ),
        ("texts.tsv", b"file\ttext\tmy label\n", "a label's name must be a word"),
        ("texts.tsv", b"file\ttext\n\xff", "is not UTF-8"),
        (
            "times.tsv",
            b"file\tbegin\n",
            "in times.tsv: expected the columns file, symbol, begin, end",
        ),
        ("times.tsv", HEAD + b"a.wav\tx\t0\n", "line 2 has 3 cells; expected 4"),
        ("times.tsv", HEAD + b"a.wav\tx\t0\tb\n", "line 2 has a time that is no number"),
        ("times.tsv", HEAD + b"a.wav\tx\tnan\t1\n", "line 2 goes from nan to 1 s"),
        ("times.tsv", HEAD + b"a.wav\tx\t1\t2\na.wav\ty\t0\t1\n", "line 3 goes from 0 to 1 s"),
        ("times.tsv", HEAD + b"a.wav\ttwo words\t0\t1\n", "symbols are phonemes or letters"),
        ("times.tsv", HEAD + b"a.wav\t\x01\t0\t1\n", r"the symbol '\\x01'; expected .* printable"),
        ("a.txt", b"\xff", "its text in a.txt: byte 0 is not UTF-8"),
        ("a.txt", b"a" * 70_000, "more than 65,536 bytes"),
    ],
)
def test_unusable_texts_are_named(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(100))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("times.tsv", HEAD + b"b\tx\t0\na\tx\t0\t1\n"), ("texts.tsv", b"file\ttext\nb\na\tof a\n")],
)
def test_a_bad_row_refuses_its_recording_alone(name: str, content: bytes, tmp_path: Path) -> None:
    good, bad = (write(tmp_path / f"{stem}.wav", tone(100)) for stem in "ab")
    (tmp_path / name).write_bytes(content)
    assert read(good).times or read(good).text == "of a"
    with pytest.raises(DataError, match="line 2 has"):
        read(bad)


def test_a_table_of_too_many_recordings_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_speech.files.texts.MOST_RECORDINGS", 2)
    (tmp_path / "texts.tsv").write_text("file\ttext\na\tA\na\tA\nb\tB\n")
    path = write(tmp_path / "a.wav", tone(100))
    assert read(path).text == "A"
    (tmp_path / "texts.tsv").write_text("file\ttext\na\tA\nb\tB\nc\tC\n")
    with pytest.raises(DataError, match="names more than 2 recordings"):
        read(path)


def test_a_picture_of_a_text_with_controls_is_well_formed() -> None:
    about = svg(Sound(tone(), 8000, "a\x01 <b>\uffff\u200d", (("\x02c", 0.0, 1.0),)))
    assert [text.text for text in ElementTree.fromstring(about).iter(TEXT)][-2:] == [
        "c",
        "a <b>\u200d",
    ]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -1e308])
def test_words_of_any_times_are_in_the_picture(odd: float) -> None:
    about = svg(Sound(tone(), 8000, "a b", (("a", odd, 0.5), (" ", 0.5, 0.5), ("b", 0.5, odd))))
    places = [
        float(place)
        for text in ElementTree.fromstring(about).iter(TEXT)
        for place in (text.get("x", ""), text.get("textLength", "0"))
    ]
    assert places and min(places) >= 0 and max(places) <= 2000
    lines = [path.get("d", "") for path in ElementTree.fromstring(about).iter(PATH)]
    assert not any("nan" in line or "inf" in line for line in lines)


def test_recordings_called_alike_keep_their_texts(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.wav", "1/a.wav", "2/a.wav", "2/b.wav", "c.wav")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        write(path, tone(100))
    rows = ["1/a|of 1", "2/a|of 2", "b|of b", "wavs/c|of c"]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    assert [words_of(path).text for path in paths] == ["", "of 1", "of 2", "of b", "of c"]
    (tmp_path / "texts.tsv").write_text("file\ttext\n./a.wav\tof all\n3/a.wav\tof 3\n")
    assert words_of(paths[0]).text == "of all"


def test_a_table_of_another_form_has_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(100))
    (tmp_path / "metadata.csv").write_text("name,year\na,1999\n")
    assert read(path).text == ""


def test_silence_is_cut_at_both_ends(tmp_path: Path) -> None:
    quiet = np.full(8000, 1e-4, np.float32)
    spoken = np.concatenate([quiet, np.full(800, 0.5), quiet[:800], np.full(800, 0.5), quiet])
    path = write(tmp_path / "a.wav", spoken, subtype="FLOAT")
    assert len(read(path).samples) == len(spoken)
    [cut] = Speech().read(path, ReadOptions(trim=40))
    # 30 ms stay on each side.
    np.testing.assert_array_equal(cut.samples, spoken[8000 - 240 : 10_400 + 240])
    [kept] = Speech().read(path, ReadOptions(trim=120))
    assert len(kept.samples) == len(spoken)


def test_times_stay_at_their_samples_when_silence_is_cut() -> None:
    quiet, spoken = np.zeros(8000, np.float32), np.full(800, 0.5, np.float32)
    times = (("_", 0.0, 1.0), ("a", 1.0, 1.04), ("b", 1.04, 1.1), ("_", 1.1, 2.1))
    sound = Sound(np.concatenate([quiet, spoken, quiet]), 8000, "ab", times)
    cut = cleaned(sound, ReadOptions(trim=40, loudness=-20)).at(16_000)
    assert [symbol for symbol, *_ in cut.times] == ["_", "a", "b", "_"]
    expected = [(0.0, 0.03), (0.03, 0.07), (0.07, 0.13), (0.13, 0.16)]
    np.testing.assert_allclose([span for _, *span in cut.times], expected, atol=1e-9)
    assert [symbol for symbol, *_ in sound.part(8320, 8800).times] == ["b"]


def test_parts_have_each_symbol_without_duration_once() -> None:
    times = (("a", 0.0, 0.0), ("b", 0.0, 0.5), ("c", 0.5, 0.5), ("d", 0.5, 1.0), (".", 1.0, 1.0))
    sound = Sound(tone(), 8000, "abcd.", times)
    assert sound.part(0, 8000).times == times
    parts = sound.part(0, 4000), sound.part(4000, 8000)
    assert ["".join(symbol for symbol, *_ in part.times) for part in parts] == ["ab", "cd."]


@pytest.mark.parametrize(("loudness", "level"), [(-20, -20), (-2, -6.02)])
def test_loudness_is_set_within_full_scale(loudness: float, level: float, tmp_path: Path) -> None:
    bursts = np.where(np.arange(8000) // 2000 % 2, 0.01, 0) * np.resize([1, 0, -1, 0], 8000)
    bursts[0] = 0.01 * 2**0.5
    path = write(tmp_path / "a.wav", bursts.astype(np.float32), subtype="FLOAT")
    [loud] = Speech().read(path, ReadOptions(loudness=loudness))
    speech = loud.samples[2000:4000]
    assert 20 * np.log10(np.sqrt((speech**2).mean())) == pytest.approx(level, abs=0.1)
    assert np.abs(loud.samples).max() <= 1


def test_silence_alone_stays_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(100))
    [still] = Speech().read(path, ReadOptions(trim=40, loudness=-20))
    assert (still.samples == 0).all() and len(still.samples) == 100


def test_resampling_is_bounded() -> None:
    sound = Sound(np.zeros(3_000_000, np.float32), 1000)
    with pytest.raises(DataError, match="48,000,000 samples at 16,000 Hz"):
        sound.at(16_000)
