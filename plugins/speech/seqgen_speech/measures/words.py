"""Words that are recognised in speech, by PocketSphinx and its model of American English.

The recogniser knows the words of given texts, and how likely one follows another: the share of
bigrams in the texts, mixed with any word. So all sounds that are compared must be judged by one
recogniser, and its texts must have those of all of them.
"""

from __future__ import annotations

import math
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import PluginError
from seqgen_speech.sound import Sound

#: Samples per second of the acoustic model, and seconds of silence around a sound.
RATE, MARGIN = 16_000, 0.3

#: Highest sample of every sound: the recogniser takes quiet recordings for silence.
PEAK = 0.5

#: Share of the probability that goes to any word, whatever the word before.
ANY_WORD = 0.3

#: Words for digits, for other numbers below twenty, and for tens.
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

#: A word or a number. Letters of one abbreviation, as in "a.m.", are single words.
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*|[0-9]+")

#: Letters of the shortest part of a compound.
PART = 2


class Recogniser:
    """Recognises the words of given texts.

    Parameters
    ----------
    texts : iterable of str
        As people write them; `spoken` makes words of them.

    Raises
    ------
    PluginError
        If PocketSphinx is not installed, or the texts have no word.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        sentences = [words for text in texts if (words := spoken(text))]
        if not sentences:
            raise PluginError("a recogniser needs texts with words in Latin letters; found none")
        known = pronunciations(sorted({word for words in sentences for word in words}))
        sphinx = _sphinx()
        with tempfile.TemporaryDirectory() as folder:
            dictionary, grammar = Path(folder) / "words.dict", Path(folder) / "bigrams.arpa"
            dictionary.write_text("".join(_entries(known)), encoding="ascii")
            grammar.write_text("\n".join(_bigrams(sentences)), encoding="ascii")
            self._decoder = sphinx.Decoder(lm=None, dict=str(dictionary), loglevel="FATAL")
            self._decoder.add_lm_file("words", str(grammar))
        self._decoder.activate_search("words")

    def heard(self, sound: Sound) -> list[str]:
        """Return the words that are recognised in a sound; none for silence.

        Raises
        ------
        DataError
            If the sound is too long to be resampled.
        """
        samples = sound.at(RATE).samples
        loudest = float(np.abs(samples).max(initial=0))
        if not loudest:
            return []
        samples = np.pad(samples * np.float32(PEAK / loudest), round(MARGIN * RATE))
        self._decoder.start_utt()
        # The whole at once: the mean of the spectra is that of this sound, not of sounds before.
        self._decoder.process_raw((samples * 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        # "the(2)" is another pronunciation of "the".
        return [word.split("(")[0] for word in found.hypstr.split()] if found else []


def shares_recognised(
    recogniser: Recogniser, sounds: Sequence[Sound], texts: Sequence[str]
) -> NDArray[np.float64]:
    """Return the word accuracy ``(N,)`` of sounds that should say texts.

    It is 1 less the word error rate (substitutions, deletions and insertions for each word of the
    text), and at least 0; NaN for a text without words, and for a sound that is too long to be
    resampled.
    """
    shares = np.full(len(sounds), np.nan)
    for number, (sound, text) in enumerate(zip(sounds, texts, strict=True)):
        if (said := spoken(text)) and sound.fits(RATE):
            wrong = word_errors(said, recogniser.heard(sound))
            shares[number] = max(0.0, 1 - wrong / len(said))
    return shares


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of substitutions, deletions and insertions between words."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (word != other)),
            )
    return row[-1]


def spoken(text: str) -> list[str]:
    """Return the words of an English text as they are said, in small letters.

    Numbers up to 99 become words, longer ones digit by digit. Other scripts have no words.
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [
        part
        for word in WORD.findall(plain)
        for part in (_number(word) if word[0] < "a" else [word])
    ]


def pronunciations(words: Iterable[str]) -> dict[str, list[str]]:
    """Return the pronunciations of each word in phones of CMUdict.

    A word that the dictionary of PocketSphinx lacks is said as two known words, as is "touchtone";
    otherwise letter by letter, as is "pbx".
    """
    return {word: _said(word, _dictionary()) for word in words}


def _said(word: str, known: Mapping[str, list[str]]) -> list[str]:
    if word in known:
        return known[word]
    # The longest second part is the likeliest: "un" and "mute".
    for cut in range(PART, len(word) - PART + 1):
        if word[:cut] in known and word[cut:] in known:
            return [f"{known[word[:cut]][0]} {known[word[cut:]][0]}"]
    # The last pronunciation of "a" is that of the letter.
    return [" ".join(known[letter][-1] for letter in word if letter in known)]


@cache
def _dictionary() -> Mapping[str, list[str]]:
    """Return the pronunciations of all words that PocketSphinx knows."""
    found: dict[str, list[str]] = {}
    path = Path(_sphinx().get_model_path("en-us/cmudict-en-us.dict"))
    for line in path.read_text(encoding="utf-8").splitlines():
        word, phones = line.split(None, 1)
        found.setdefault(word.split("(")[0], []).append(phones.strip())
    return found


def _sphinx() -> Any:
    """Return the module of PocketSphinx."""
    try:
        import pocketsphinx
    except ImportError as error:
        raise PluginError(
            "recognising words needs PocketSphinx; try: "
            'python -m pip install "seqgen-speech[speech-metrics]"'
        ) from error
    return pocketsphinx


def _entries(known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a dictionary."""
    for word, ways in known.items():
        for number, phones in enumerate(ways, 1):
            yield f"{word}{'' if number == 1 else f'({number})'} {phones}\n"


def _bigrams(sentences: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a language model in the form of ARPA."""
    pairs = Counter(
        pair for words in sentences for pair in zip(("<s>", *words), (*words, "</s>"), strict=True)
    )
    before = Counter[str]()
    for (first, _), count in pairs.items():
        before[first] += count
    words = sorted({word for sentence in sentences for word in sentence})
    yield f"\\data\\\nngram 1={len(words) + 2}\nngram 2={len(pairs)}\n\n\\1-grams:"
    even, rest = -math.log10(len(words) + 1), math.log10(ANY_WORD)
    yield f"-99 <s> {rest:.4f}"
    yield f"{even:.4f} </s> 0"
    yield from (f"{even:.4f} {word} {rest:.4f}" for word in words)
    yield "\n\\2-grams:"
    for (first, second), count in sorted(pairs.items()):
        share = (1 - ANY_WORD) * count / before[first] + ANY_WORD / (len(words) + 1)
        yield f"{math.log10(share):.4f} {first} {second}"
    yield "\n\\end\\\n"


def _number(digits: str) -> list[str]:
    """Return the words of a number."""
    value = int(digits) if len(digits) <= 2 and digits[0] != "0" else 0
    if value < 10 or len(digits) > 2:
        return [DIGITS[int(digit)] for digit in digits]
    if value < 20:
        return [TEENS[value - 10]]
    ones = [DIGITS[value % 10]] if value % 10 else []
    return [TENS[value // 10 - 2], *ones]
