"""The symbols that a text is spelled in, and which frames of a sound belong to which symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen.unknown import Unknown, nearest
from seqgen_speech.codecs.first_times import first_times
from seqgen_speech.espeak import is_usable, phonemes
from seqgen_speech.letters import has_letters, letters_of, sounded, timed_letters
from seqgen_speech.sound import GAP, Sound

#: Removes marks of stress and length from phonemes.
_NO_MARKS = str.maketrans("", "", "ˈˌː")

#: What symbols are.
Kind: TypeAlias = Literal["letters", "phonemes"]

#: What a user chooses.
Choice: TypeAlias = Literal["auto", "letters", "phonemes"]


@dataclass(frozen=True)
class Said:
    """What is said in a sound.

    Attributes
    ----------
    symbols : tuple of S str
    begins : float64 array (S,) or None
        The second at which each symbol begins, if that is known or guessed.
    """

    symbols: tuple[str, ...]
    begins: NDArray[np.float64] | None = None

    def frames(self, count: int, per_second: float) -> Ids:
        """Return the number of frames of each symbol ``(S,)``, `count` in all.

        Gaps have none, every other symbol has one at least. Without times, frames are spread
        evenly.

        Raises
        ------
        DataError
            If there are fewer frames than symbols.
        """
        voiced = np.array(
            [at for at, symbol in enumerate(self.symbols) if symbol != GAP], dtype=np.int64
        )
        if count < len(voiced):
            raise DataError(
                f"it has {count} frames for {len(voiced)} symbols of its text; every symbol needs "
                f"one at least: it is cut short, or its text is not what is said"
            )
        places = np.arange(1, len(voiced))
        first = places * count // max(len(voiced), 1)
        if self.begins is not None:
            # A program may give any times.
            begins = np.clip(np.nan_to_num(self.begins[voiced[1:]]), 0, count / per_second)
            first = np.round(begins * per_second).astype(np.int64)
        # Symbols that begin at one frame are moved apart.
        first = np.maximum.accumulate(np.maximum(first - places, 0)) + places
        first = np.minimum(first, count - places[::-1])
        frames = np.zeros(len(self.symbols), np.int64)
        frames[voiced] = np.diff(np.concatenate([[0], first, [count]]))
        return frames


@dataclass(frozen=True)
class Spelling:
    """How texts become symbols.

    Attributes
    ----------
    kind : {"letters", "phonemes"}
        Small letters and digits, or phonemes that eSpeak NG finds; both with gaps and pauses.
    language : str
        That of phonemes, as eSpeak NG calls it.
    """

    kind: Kind
    language: str = "en-us"

    @classmethod
    def chosen(cls, asked: Choice, language: str) -> Spelling:
        """Return the one that was asked for; auto is phonemes where eSpeak NG works."""
        if asked != "auto":
            return cls(asked, language)
        return cls("phonemes" if is_usable() else "letters", language)

    @property
    def is_there(self) -> bool:
        """Whether texts can be spelled: phonemes need eSpeak NG."""
        return self.kind == "letters" or is_usable()

    def symbols(self, text: str) -> tuple[str, ...]:
        """Return the symbols of a text: phonemes end in a pause, and need a letter.

        Raises
        ------
        DataError
            If eSpeak NG does not know the language.
        PluginError
            If phonemes are needed and eSpeak NG is not installed or does not work.
        """
        letters = letters_of(text)
        if self.kind == "letters" or not sounded(letters):
            return tuple(letters) if self.kind == "letters" else ()
        return phonemes(text, self.language)

    def text(self, symbols: Iterable[str]) -> str:
        """Return the text of symbols: letters spell it, phonemes do not."""
        return "".join(symbols).strip() if self.kind == "letters" else ""

    def said_in(self, sound: Sound) -> Said:
        """Return what is said in a sound: symbols with times if it has them, or those of its text.

        Times of phonemes are of no use for letters, and times of letters none for phonemes. Times
        of gaps alone say nothing.
        """
        if has_letters(sound) != (self.kind == "letters"):
            return Said(self.symbols(sound.text))
        times = timed_letters(sound.times) if self.kind == "letters" else sound.times
        symbols = tuple(symbol for symbol, *_ in times)
        if not _has_sound(symbols):
            return Said(self.symbols(sound.text))
        return Said(symbols, np.array([begin for _, begin, _ in times]))

    def placed(self, said: Said, sound: Sound) -> Said:
        """Return what is said in a sound with a guess of the times, if they are not known.

        Only those of phonemes are guessed.
        """
        if said.begins is not None or self.kind == "letters" or not said.symbols:
            return said
        return replace(said, begins=first_times(sound, said.symbols, self.language))


def mended(
    symbols: Sequence[str], known: Collection[str], unknown: Unknown
) -> tuple[tuple[str, ...], Mapping[tuple[str, str], int]]:
    """Return symbols without unknown ones, and how often which symbol became which, or "".

    Gaps alone are left out, because they have no frames.
    The nearest of a phoneme is the same with another stress or length, or else a letter as
    `seqgen.unknown` finds it.
    """
    kept, changes = list[str](), Counter[tuple[str, str]]()
    for symbol in symbols:
        found = symbol if symbol in known else ""
        if not found and unknown == "nearest":
            found = _nearest(symbol, known)
        if found != symbol:
            changes[symbol, found] += 1
        kept += [found] * bool(found)
    return tuple(kept) if _has_sound(kept) else (), changes


def _has_sound(symbols: Iterable[str]) -> bool:
    return any(symbol != GAP for symbol in symbols)


def _nearest(symbol: str, known: Collection[str]) -> str:
    """Return the known symbol that is nearest to an unknown one, or ""."""
    plain = symbol.translate(_NO_MARKS)
    alike = [each for each in sorted(known) if each.translate(_NO_MARKS) == plain]
    found = alike[0] if alike else nearest(symbol, frozenset(known))
    return found if found in known else ""


@dataclass(frozen=True)
class Parts:
    """The frames of a piece, and the symbol of each.

    Attributes
    ----------
    frames : int64 array (T, F)
    symbols : tuple of S str
        All symbols; S is 0 without text.
    of : int64 array (T,)
        Which symbol each frame belongs to, rising; 0 without text.
    """

    frames: Ids
    symbols: tuple[str, ...]
    of: Ids

    def complete(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rising places among the frames ``(T',)`` with more, so that no symbol is lost."""
        numbers, firsts = np.unique(self.of, return_index=True)
        lost = ~np.isin(numbers, self.of[nearest_frame(places)])
        return np.sort(np.append(places, firsts[lost]))

    def at(self, places: NDArray[np.float64], frames: Ids) -> Parts:
        """Return other frames ``(T', F)``, which come from rising places ``(T',)`` among these."""
        return Parts(frames, self.symbols, self.of[nearest_frame(places)])


def nearest_frame(places: NDArray[np.float64]) -> Ids:
    """Return the frame that is nearest to each place."""
    return np.floor(places + 0.5).astype(np.int64)


@dataclass
class Survey:
    """What a codec has to know of the sounds and texts of a corpus.

    Attributes
    ----------
    kind : {"letters", "phonemes"}
        What symbols are.
    most : dict of str to int
        The largest number of frames of each symbol.
    frames, symbols : int
        The largest numbers in a sound.
    is_guess : bool
        Whether some sound does not say which frames belong to which symbol.
    """

    kind: Kind = "letters"
    most: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    symbols: int = 0
    is_guess: bool = False

    def add(self, sound: Sound, per_second: float, spelling: Spelling | None) -> None:
        """Count a sound; one that has fewer frames than symbols does not count."""
        count = max(round(sound.seconds * per_second), 1)
        self.frames = max(self.frames, count)
        said = Said(()) if spelling is None else spelling.said_in(sound)
        if spelling is None or not said.symbols:
            return
        try:
            frames = spelling.placed(said, sound).frames(count, per_second).tolist()
        except DataError:
            return
        self.symbols = max(self.symbols, len(said.symbols))
        self.is_guess |= said.begins is None
        self.most[GAP] = 0
        for symbol, number in zip(said.symbols, frames, strict=True):
            self.most[symbol] = max(self.most.get(symbol, 0), number)
