"""Altered sound files: none crashes the reader, takes long or fills the memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

#: Format, coding, channels and suffix of the files that are altered.
FILES = [
    *(("WAV", "PCM_16", 1, ".wav"), ("WAV", "FLOAT", 2, ".wav"), ("WAV", "IMA_ADPCM", 1, ".wav")),
    *(("RF64", "PCM_24", 1, ".rf64"), ("W64", "PCM_16", 1, ".w64"), ("AIFF", "PCM_16", 2, ".aiff")),
    *(("AU", "ULAW", 1, ".au"), ("FLAC", "PCM_16", 1, ".flac"), ("OGG", "VORBIS", 1, ".ogg")),
    ("MP3", "MPEG_LAYER_III", 1, ".mp3"),
]
MUTATIONS = 50

#: Reads altered copies of the files in a folder, and prints how many were read and refused, and the
#: memory that this took beyond reading the files themselves, in MB.
READER = f"""
import resource, sys
from pathlib import Path
import numpy as np
from seqgen.errors import DataError
from seqgen_speech.domain import Speech

def altered(data, rng):
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(min(len(data), 80 if rng.random() < 0.6 else len(data))))
        kind = rng.integers(5)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at : at + 4] = rng.choice([b"\\xff" * 4, b"\\0" * 4, b"\\x7f" + b"\\xff" * 3])
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 100))]
        elif kind == 3:
            data[at:at] = bytes(data[at : at + int(rng.integers(1, 100))])
        elif len(data) > 100:
            del data[int(rng.integers(40, len(data))) :]
        if not data:
            break
    return bytes(data)

def most():
    # Kilobytes, but on macOS bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

files = sorted(Path(sys.argv[1]).iterdir())
sounds = [next(iter(Speech().read(path))) for path in files]
before, rng, read, refused = most(), np.random.default_rng(7), 0, 0
for path in files:
    data = path.read_bytes()
    for number in range({MUTATIONS}):
        path.write_bytes(altered(data, rng))
        try:
            for sound in Speech().read(path):
                assert np.isfinite(sound.samples).all() and abs(sound.samples).max() <= 1
                read += 1
        except DataError as error:
            assert str(error)
            refused += 1
print(read, refused, round(most() - before))
"""


def test_altered_files_are_read_or_refused(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(1500) / 9)
    for number, (form, coding, channels, suffix) in enumerate(FILES):
        path = tmp_path / "files" / f"{number}{suffix}"
        path.parent.mkdir(exist_ok=True)
        samples = np.stack([tone] * channels, axis=1)
        soundfile.write(path, samples, 8000, format=form, subtype=coding)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "files")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused, megabytes = map(int, done.stdout.split())
    assert read + refused == MUTATIONS * len(FILES) and read > 50 < refused
    assert megabytes < 500
