"""The demo's corpus: short sentences and numbers in six voices of a machine.

Nobody recorded them: eSpeak NG, a synthesiser, says them. A model learns from it as from any
speaker, but the result cannot sound better than the synthesiser.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from seqgen.errors import PluginError
from seqgen.files import write_atomic
from seqgen_speech.espeak import Voice, speak
from seqgen_speech.files.sound_writing import sound_file
from seqgen_speech.files.texts import TABLE
from seqgen_speech.files.times import TIMES, table_of
from seqgen_speech.sound import Times

#: Sentences in all, and their samples per second.
SENTENCES, RATE = 1_800, 16_000

#: Sentences in a row that are not new, after which forms count as used up.
MOST_REPEATS = 1_000

#: Seconds after which the synthesiser is stopped; it needs some ten.
LONGEST = 600

#: Voices that speak alike every time; in others, such as f2 and f5, noise of breath differs. All
#: have one accent, so that the phonemes of a text do not depend on the voice.
VOICES = (
    Voice("ada", "en-us+Michelle", 150, 55),
    Voice("ben", "en-us+m6", 150, 40),
    Voice("cleo", "en-us+anika", 150, 60),
    Voice("dan", "en-us+m1", 150, 35),
    Voice("emil", "en-us+Henrique", 150, 50),
    Voice("finn", "en-us+m5", 160, 45),
)

#: Forms of sentences. A word in capitals stands for one of `WORDS`.
FORMS = (
    "the ADJECTIVE ANIMAL VERBS the THING.",
    "the ANIMAL VERBS a ADJECTIVE THING PLACE.",
    "PERSON VERBS the ADJECTIVE THING TIME.",
    "can you see the THING PLACE?",
    "please bring the ADJECTIVE THING, PERSON.",
    "TIME the ANIMAL VERBS the THING.",
    "PERSON has DIGIT ADJECTIVE THINGS.",
    "where is the ADJECTIVE ANIMAL?",
    "TENS DIGIT, TENS DIGIT.",
    "DIGIT hundred and TENS DIGIT.",
    "the number is DIGIT, DIGIT, DIGIT.",
    "turn LEFT after TENS DIGIT miles.",
)
WORDS = {
    "ADJECTIVE": "red, green, blue, small, big, old, young, quick, slow, happy",
    "ANIMAL": "cat, dog, horse, bird, fox, cow, mouse, sheep",
    "PERSON": "anna, peter, mary, john, sarah, paul",
    "VERBS": "sees, takes, finds, likes, wants, holds, moves, opens",
    "THING": "door, box, book, table, letter, window, ball, apple, key, lamp",
    "THINGS": "doors, boxes, books, tables, letters, windows, balls, apples, keys, lamps",
    "PLACE": "in the house, on the hill, by the river, near the school, at the station",
    "TIME": "in the morning, at night, on monday, every day, after lunch",
    "DIGIT": "one, two, three, four, five, six, seven, eight, nine",
    "TENS": "twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety",
    "LEFT": "left, right, back",
}


def spoken_corpus(folder: Path) -> list[Path]:
    """Make the recordings and the tables of texts and times in a folder, once; return their paths.

    Raises
    ------
    PluginError
        If espeakng-loader is not installed, or the synthesiser fails.
    """
    paths = [folder / name for name, *_ in _corpus(SENTENCES)]
    # The table is written last.
    if not (folder / TABLE).exists() or not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        # A fresh process speaks alike every time, and a crash of the synthesiser ends only that.
        command = [sys.executable, "-m", "seqgen_speech.demo", str(folder), str(SENTENCES)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LONGEST
            )
        except subprocess.TimeoutExpired as error:
            raise PluginError(
                f"the demo cannot be made: eSpeak NG took more than {LONGEST} seconds"
            ) from error
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
            raise PluginError(f"the demo cannot be made: {reason[0]}")
    return paths


def sentences() -> Iterator[str]:
    """Yield sentences, each once, until hardly any is left; the same ones every time."""
    rng, seen, repeats = np.random.default_rng(23), set[str](), 0
    while repeats < MOST_REPEATS:
        form = FORMS[rng.integers(len(FORMS))]
        text = re.sub("[A-Z]+", lambda kind: str(rng.choice(WORDS[kind[0]].split(", "))), form)
        repeats = repeats + 1 if text in seen else 0
        if not repeats:
            seen.add(text)
            yield text


def unseen(count: int) -> list[str]:
    """Return sentences of four to eight words that the corpus lacks, as far as there are any."""
    rest = (text for text in islice(sentences(), SENTENCES, None))
    return [*islice((text for text in rest if 4 <= len(text.split()) <= 8), count)]


def _corpus(count: int) -> Iterator[tuple[str, Voice, str]]:
    """Yield the name, the voice and the text of each recording."""
    for number, text in enumerate(islice(sentences(), count)):
        voice = VOICES[number % len(VOICES)]
        yield f"{number:04}-{voice.speaker}.flac", voice, text


def _make(folder: Path, count: int) -> None:
    (folder / TABLE).unlink(missing_ok=True)
    rows = ["file\ttext\tspeaker"]
    times: list[tuple[str, Times]] = []
    corpus = list(_corpus(count))
    sounds = speak((voice, text) for _, voice, text in corpus)
    for (name, voice, text), sound in zip(corpus, sounds, strict=True):
        # Not atomic, which takes longer than speaking: the table of texts says that all is there.
        (folder / name).write_bytes(sound_file(sound.at(RATE), ".flac"))
        rows.append(f"{name}\t{text}\t{voice.speaker}")
        times.append((name, sound.times))
    write_atomic(folder / TIMES, table_of(times))
    write_atomic(folder / TABLE, "\n".join(rows) + "\n")


if __name__ == "__main__":
    try:
        _make(Path(sys.argv[1]), int(sys.argv[2]))
    except PluginError as error:
        sys.exit(str(error))
