"""What codecs of frames share: frames and texts as tokens, and the way back.

Subclasses say what a frame is: how a sound becomes frames, and frames a sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation
from seqgen.errors import DataError
from seqgen.grammar import IndexedMasks
from seqgen.plugin import Codec, Ids, check_fields
from seqgen.unknown import Mended, Unknown
from seqgen_speech.codecs.frame_tokens import FrameTokens
from seqgen_speech.codecs.frame_tracker import FrameGrammar, FrameTracker
from seqgen_speech.codecs.symbols import (
    Choice,
    Kind,
    Parts,
    Said,
    Spelling,
    Survey,
    mended,
)
from seqgen_speech.sound import GAP, MOST_SAMPLES, Samples, Sound, Times


@dataclass(frozen=True, kw_only=True)
class FrameOptions:
    """Options of every codec of frames."""

    text: Literal["auto", "letters", "phonemes", "none"] = "auto"
    """Learn to say given text, if recordings have texts: by letters, or by phonemes that eSpeak NG
    finds. auto takes phonemes if the extra espeak is installed. none forgets texts."""
    language: str = "en-us"
    """Language of the phonemes, as eSpeak NG calls it: en-us, en (British), de, es, fr ..."""

    def __post_init__(self) -> None:
        check_fields(self)


class FrameCodec(Codec):
    """Sound as frames, each of which is a row of F whole numbers; a token for each number.

    Lossy: only what frames say of the sound is kept, and of the text small letters, digits, pauses
    and blanks. A sound that was made from frames has other frames when it is analysed again. In a
    corpus with texts each symbol is followed by its frames (`seqgen.conditions.dictation`). If a
    text has no times, they are guessed (`Spelling.placed`), and training realigns the frames.

    Features: those of `FrameTokens`, and with text those of the dictation.

    Parameters
    ----------
    options : FrameOptions
    learned : mapping
        What `learn` returned.
    survey : Survey

    Attributes
    ----------
    names, sizes : sequence of F str, sequence of F int
        The fields, and the number of values of each.
    rate : int
        Samples per second.
    frames_per_second : float
    has_silence : bool
        Whether value 0 of the first field stands for a frame of silence, which is one token.
    """

    options_type: ClassVar[type[Any]]
    idempotent = False
    has_silence: ClassVar[bool] = True
    temperature = 0.5

    def __init__(self, options: Any, learned: Mapping[str, Any], survey: Survey) -> None:
        self.options, self.learned, self.survey = options, learned, survey
        self.spelling = Spelling(survey.kind, options.language)
        self.tokens = FrameTokens(self.names, self.sizes, self.has_silence)
        alphabet = sorted(survey.most)
        spoken = Dictation(
            len(self.tokens.vocab),
            alphabet,
            [survey.most[symbol] for symbol in alphabet],
            begins=self.tokens.begins,
            ends=self.tokens.ends,
            separator=GAP if alphabet else "",
            is_guess=survey.is_guess,
        )
        self.grammar = FrameGrammar(self.tokens, spoken)
        self.dictation = spoken if alphabet else None
        self.vocab = (*self.tokens.vocab, *spoken.tokens)
        own = map(range, self.tokens.feature_sizes)
        self.feature_values = (*own, *spoken.feature_values)
        self.feature_sizes = (*self.tokens.feature_sizes, *spoken.feature_sizes)
        # A low temperature makes frames clearer, and must not change how long anything lasts.
        alone = self.tokens.begins & self.tokens.ends
        self.groups = (*alone.astype(int).tolist(), *[2] * len(alphabet), *[3] * bool(alphabet))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the F fields."""
        raise NotImplementedError

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each of the F fields."""
        raise NotImplementedError

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.sample_rate(self.options)

    @classmethod
    def sample_rate(cls, options: Any) -> int:
        """Return the samples per second of a codec with some options."""
        raise NotImplementedError

    @property
    def frames_per_second(self) -> float:
        """Frames per second."""
        return self.frame_rate(self.options)

    @classmethod
    def frame_rate(cls, options: Any) -> float:
        """Return the frames per second of a codec with some options."""
        raise NotImplementedError

    @classmethod
    def learn(cls, sounds: Iterable[Sound], options: Any) -> Mapping[str, Any]:
        """Read all sounds once, and return what was learned, as plain JSON; nothing by default.

        Every sound has a sample at least, and fits the rate.
        """
        for _ in sounds:
            pass
        return {}

    def analysed(self, sound: Sound) -> Ids:
        """Return the frames ``(T, F)`` of a sound at `rate`, which has a sample at least."""
        raise NotImplementedError

    def synthesised(self, frames: Ids) -> Samples:
        """Return the samples ``(N,)`` of any frames ``(T, F)`` with values within `sizes`."""
        raise NotImplementedError

    @classmethod
    def fit(cls, pieces: Iterable[Sound], options: Any) -> Self:
        """Learn what frames are, and the symbols of all texts."""
        asked: Choice = "letters" if options.text == "none" else options.text
        spelling = Spelling.chosen(asked, options.language)
        survey, per_second = Survey(spelling.kind), cls.frame_rate(options)
        rate = cls.sample_rate(options)

        def surveyed() -> Iterator[Sound]:
            for sound in pieces:
                # What `encode` refuses teaches nothing.
                if len(sound.samples) and sound.fits(rate):
                    survey.add(sound, per_second, None if options.text == "none" else spelling)
                    yield sound

        learned = cls.learn(surveyed(), options)
        return cls(options, learned, survey)

    def state(self) -> dict[str, Any]:
        """Return what was learned of frames and texts."""
        return {"learned": dict(self.learned), "survey": asdict(self.survey)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec.

        Raises
        ------
        DataError
            If symbols are of no known kind, or a number is not whole or below 0; subclasses check
            what was learned.
        """
        survey = Survey(**state["survey"])
        if survey.kind not in get_args(Kind):
            raise DataError(f"symbols must be {' or '.join(get_args(Kind))}, found {survey.kind!r}")
        counts = {**survey.most, "frames": survey.frames, "symbols": survey.symbols}
        for name, count in counts.items():
            if type(count) is not int or not 0 <= count <= MOST_SAMPLES:
                raise DataError(
                    f"the count of {name!r} must be from 0 to {MOST_SAMPLES:,}, found {count!r}"
                )
        return cls(options, state["learned"], survey)

    def encode(self, piece: Sound) -> Ids:
        """Return the ids of all frames, and of the symbols of the text.

        Raises
        ------
        DataError
            If the sound has no sample, too many at `rate`, or fewer frames than symbols, or if a
            symbol is unknown.
        """
        if not len(piece.samples):
            raise DataError("it has no sample")
        frames = self.analysed(piece.at(self.rate))
        said = None if self.dictation is None else self.spelling.said_in(piece)
        if said is None or not said.symbols:
            return self.joined(Parts(frames, (), np.zeros(len(frames), np.int64)))
        counts = self.spelling.placed(said, piece).frames(len(frames), self.frames_per_second)
        return self.joined(Parts(frames, said.symbols, np.repeat(np.arange(len(counts)), counts)))

    def joined(self, parts: Parts) -> Ids:
        """Return the ids of frames and symbols."""
        ids = self.tokens.spell(parts.frames)
        if self.dictation is None or not parts.symbols:
            return np.concatenate(ids)
        bounds = np.searchsorted(parts.of, np.arange(len(parts.symbols) + 1)).tolist()
        contents = [
            np.concatenate([np.zeros(0, np.int64), *ids[first:last]])
            for first, last in pairwise(bounds)
        ]
        return self.dictation.spell(parts.symbols, contents)

    def parted(self, ids: Ids) -> Parts | None:
        """Return the parts that `joined` would join to ids ``(N,)``, or None if there are none."""
        frames = self.tokens.frames(ids)
        symbols: tuple[str, ...] = ()
        of = np.zeros(len(frames), np.int64)
        if self.dictation is not None:
            followed = self.dictation.follow(ids)
            symbols = tuple(self.dictation.alphabet[number] for number in followed.begun)
            of = followed.places[1:][self.tokens.completes(ids)]
        parts = Parts(frames, symbols, of)
        return parts if len(frames) and np.array_equal(self.joined(parts), ids) else None

    def decode(self, ids: Ids) -> Sound:
        """Return the sound of any ids ``(N,)``, with the times of all symbols that were begun.

        It has a text if symbols are letters.
        """
        frames = self.tokens.frames(ids)
        samples = self.synthesised(frames) if len(frames) else np.zeros(0, np.float32)
        times = () if self.dictation is None else self._times(ids, self.dictation)
        return Sound(
            samples, self.rate, self.spelling.text(symbol for symbol, _, _ in times), times
        )

    def _times(self, ids: Ids, dictation: Dictation) -> Times:
        """Return the symbols that ids begin, each with its seconds; a blank has none."""
        followed = dictation.follow(ids)
        of = followed.places[1:][self.tokens.completes(ids)]  # symbol of each frame
        counts = np.bincount(of, minlength=len(followed.begun))[: len(followed.begun)]
        ends = (np.cumsum(counts) / self.frames_per_second).tolist()
        symbols = (dictation.alphabet[number] for number in followed.begun)
        return tuple(zip(symbols, [0.0, *ends], ends, strict=False))

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the features ``(N + 1, K)``."""
        rows = self.tokens.features(ids)
        if self.dictation is None:
            return rows
        return np.concatenate([rows, self.dictation.follow(ids).features], axis=1)

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return which ids may come at every position ``(N + 1,)``.

        The fields of a frame come in order. Every symbol but a blank gets a frame.
        """
        return self.grammar.masks(ids)

    def tracker(self, condition: Any = None) -> FrameTracker:
        """Return the tracker of one piece.

        Parameters
        ----------
        condition : str or Sound, optional
            The text to be said, or a sound with the text. It follows that of a prompt, and the
            piece ends after it.

        Raises
        ------
        DataError
            If this codec has no texts, or lacks a symbol of the text.
        """
        request = None if condition is None else self._request(condition)
        return FrameTracker(self.grammar, request)

    def _request(self, condition: str | Sound) -> list[int]:
        """Return the tokens that announce the words of a given text."""
        if self.dictation is None:
            raise DataError(
                "this model speaks freely and cannot say a given text: it was trained without "
                "texts; train it on recordings with texts, and without the codec option text=none"
            )
        return self.dictation.request(self._asked(condition))

    def _asked(self, condition: str | Sound) -> tuple[str, ...]:
        """Return the symbols of a condition."""
        if isinstance(condition, Sound):
            return self.spelling.said_in(condition).symbols
        return self.spelling.symbols(condition)

    def answer(self, piece: Sound, condition: str | Sound) -> Sound:
        """Return a new sound with the text that it was asked to say, if it says that alone."""
        text = condition.text if isinstance(condition, Sound) else condition
        said = tuple(symbol for symbol, *_ in piece.times)
        return replace(piece, text=text) if said and said == self._asked(condition) else piece

    def mend_prompt(self, piece: Sound, unknown: Unknown) -> Mended:
        """Return a sound whose text has known symbols only.

        Raises
        ------
        DataError
            If the sound has no sample.
        """
        if self.dictation is None or not len(piece.samples):
            self.encode(piece)
            return Mended(piece)
        symbols, changes = mended(self._asked(piece), self.dictation.alphabet, unknown)
        if changes:
            # Frames are spread over the symbols that are left.
            frames = self.analysed(piece.at(self.rate))
            counts = Said(symbols).frames(len(frames), self.frames_per_second)
            ends = (np.cumsum(counts) / self.frames_per_second).tolist()
            times = tuple(zip(symbols, [0.0, *ends], ends, strict=False))
            piece = replace(piece, text=self.spelling.text(symbols), times=times)
        self.encode(piece)
        return Mended(piece, changes)

    def mend_condition(self, condition: str | Sound, unknown: Unknown) -> Mended:
        """Return what is to be said, with symbols of the corpus only: a text, or phonemes."""
        if self.dictation is None:
            return Mended(condition)
        symbols, changes = mended(self._asked(condition), self.dictation.alphabet, unknown)
        if self.spelling.kind == "letters":
            return Mended("".join(symbols), changes)
        text = condition.text if isinstance(condition, Sound) else condition
        times = tuple((symbol, 0.0, 0.0) for symbol in symbols)
        return Mended(Sound(np.zeros(0, np.float32), self.rate, text, times), changes)

    def most_tokens(self, condition: Any) -> int:
        """Return the most tokens of a given text, or of the longest sound of the corpus."""
        if condition is None or self.dictation is None:
            return self.tokens.fields * self.survey.frames + 3 * self.survey.symbols
        return self.dictation.most_tokens(self._request(condition), self.tokens.fields)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest from the next whole frame on, after the symbols that are not left."""
        if start and self.tokens.features(ids[:start])[-1, 0]:
            rest = np.append(self.tokens.completes(ids[start:]), True)
            start = min(start + int(np.argmax(rest)) + 1, len(ids))
        return self.grammar.dictation.continuation(ids, start)

    def place(self, ids: Ids, position: int) -> str:
        """Return a position in seconds."""
        frames = int(self.tokens.completes(ids[:position]).sum())
        return f"second {frames / self.frames_per_second:.3f}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return the numbers of tokens, frames and seconds."""
        frames = float(self.tokens.completes(ids).sum())
        return {
            "tokens": float(len(ids)),
            "frames": frames,
            "seconds": frames / self.frames_per_second,
        }
