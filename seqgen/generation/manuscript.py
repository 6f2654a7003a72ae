"""A text that a person and a model write by turns.

The model's state stays from turn to turn, so a turn reads what is new and nothing else. Every turn
keeps the places before and after what was typed, so it can be undone or tried again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqgen.bounds import Seed, checked
from seqgen.conditions.unlabelled import opening, unlabelled, without_labels
from seqgen.config import Limit, SampleConfig, as_config, as_limit
from seqgen.errors import ConfigError, DataError
from seqgen.generation.given import Stop, given_condition, given_stops
from seqgen.generation.pieces import Place, StoppedBy
from seqgen.generation.prompts import read_on, read_prompt, read_prompt_on
from seqgen.generation.writer import Writer
from seqgen.plugin import Codec, Ids
from seqgen.plugins.checks import checked_ids
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.stepping.stepper import choose_stepper
from seqgen.storage.signals import undivided
from seqgen.unknown import OrError
from seqgen.wording import brief

#: Reasons to stop that may divide a word.
CUT: tuple[StoppedBy, ...] = ("length", "time", "interrupt")

#: More characters without a gap are no word.
LONGEST_WORD = 30


@dataclass(frozen=True)
class _Turn:
    """Where a turn began, and where the model went on after what was typed."""

    before: Place
    typed: Place


class Manuscript:
    """A text in progress: `type` adds to it, `write` lets the model go on.

    Parameters
    ----------
    run : Run
        A model whose pieces are text.
    condition : object, optional
        As for `seqgen.generate`.
    seed : int
        With the number of the call of `write` it determines what is drawn.
    int8 : bool
        Round the weights to 8 bits: faster, with slightly different probabilities.

    Attributes
    ----------
    stopped_by : str or None
        Why the last `write` stopped, as in `seqgen.Generated`; "interrupt" if it was left early.

    Raises
    ------
    DataError
        If the pieces of the run are no text.
    """

    @checked
    def __init__(
        self, run: Run, *, condition: Any = None, seed: Seed = 0, int8: bool = False
    ) -> None:
        if run.codec.text_stream() is None:
            raise DataError(
                f"pieces of {run.info['domain']} are not text that is written as it comes; "
                f"use seqgen generate"
            )
        self._run, self._seed = run, seed
        self._condition = condition = given_condition(run, condition)
        self._stepper = choose_stepper(run, 1, int8=int8)
        self._place = self._start = read_prompt(self._stepper, run, None, condition)
        self._turns: list[_Turn] = []
        self._is_typed = False
        self._calls = 0
        self.stopped_by: StoppedBy | None = None

    def __repr__(self) -> str:
        return f"Manuscript({brief(self.text)})"

    @property
    def text(self) -> str:
        """All that was typed and written."""
        return self._text_of(self._place.primed.ids)

    @property
    def codec(self) -> Codec:
        """The codec of the text, which has no labels."""
        return unlabelled(self._run.codec)

    @property
    def ids(self) -> Ids:
        """The ids of the text ``(N,)``, without labels."""
        return without_labels(self._run.codec, self._place.primed.ids)

    @property
    def turns(self) -> int:
        """Number of turns that can be undone."""
        return len(self._turns)

    @naming_faults
    def type(self, text: str, unknown: OrError = "error") -> Mapping[tuple[str, str], int]:
        """Begin a turn by adding text; return how symbols were changed that the model lacks.

        Parameters
        ----------
        text : str
        unknown : {"error", "skip", "nearest"}
            Refuse symbols that the model does not know, leave them out, or take the nearest ones.

        Raises
        ------
        DataError
            If the model does not know a symbol; nothing is added then.
        """
        piece = self._run.domain.from_text(self.text + text)
        changes: Mapping[tuple[str, str], int] = {}
        if unknown != "error":
            mended = unlabelled(self._run.codec).mend_prompt(piece, unknown)
            piece, changes = mended.piece, mended.changes
        ids = checked_ids(self._run.codec, opening(self._run.codec, piece, self._condition))
        typed = read_prompt_on(self._stepper, self._run, self._nearest(ids), ids)
        self._turns.append(_Turn(self._place, typed))
        self._place, self._is_typed = typed, True
        return changes

    @naming_faults
    def write(
        self,
        *,
        sample: SampleConfig | Mapping[str, Any] | None = None,
        limit: Limit = None,
        stop: Stop = (),
        whole_words: bool = False,
    ) -> Generator[str, None, None]:
        """Let the model go on; yield the text as it is written.

        Without text typed before, it is a turn of its own. What was yielded is kept, also if the
        loop is left early or interrupted.

        Parameters
        ----------
        sample, limit, stop
            As for `seqgen.generate`; lengths count what this call writes.
        whole_words : bool
            Yield word by word, and leave out a last word that the limit may have cut. A text whose
            words have no gaps is yielded as it is.
        """
        sample, limit = as_config(SampleConfig, "sample", sample), as_limit("limit", limit)
        if sample.guidance not in (None, 1):
            raise ConfigError(
                "a text that is typed in turns is written without guidance; leave it out"
            )
        begin = self._place
        stops = given_stops(self._run, stop)
        arguments = (begin, self._condition, sample, limit, stops, self._seed)
        # A turn is no end: what is open stays open for the next one.
        writer = Writer(self._stepper, self._run, *arguments, whole=False)
        draft = writer.draft(self._calls)
        self._calls += 1
        if not self._is_typed:
            self._turns.append(_Turn(begin, begin))
        self._is_typed, self.stopped_by = False, "interrupt"
        shown = read = draft.kept
        typed, has_words = len(draft.open_text), False
        show = self._stream_after(begin.primed.ids[:shown])
        words = _Words()
        try:
            for _ in writer.write([draft]):
                settled = writer.settled(draft)
                words.add(map(show, draft.ids[read:settled]))
                read = settled
                count, text = words.take(everything=not whole_words)
                has_words |= any(map(is_in_word, text[typed:]))
                if draft.stopped_by is not None and not (draft.stopped_by in CUT and has_words):
                    rest, last = words.take(everything=True)
                    count, text = count + rest, text + last
                shown += count
                yield text[typed:]
                typed = max(typed - len(text), 0)
            self.stopped_by = draft.stopped_by
        finally:
            # After an interruption the draft may have ids that were not yielded.
            if shown > draft.kept and not typed:
                with undivided():
                    self._place = self._read(np.array(draft.ids[:shown], np.int64))

    def take_back(self) -> None:
        """Take back what the model wrote in the last turn; `write` then tries again.

        Raises
        ------
        DataError
            If nothing was written.
        """
        self._check_turns()
        self._place, self._is_typed = self._turns[-1].typed, True

    def undo(self) -> None:
        """Take back the last turn: what was typed and what was written after it.

        Raises
        ------
        DataError
            If there is no turn.
        """
        self._check_turns()
        self._place, self._is_typed = self._turns.pop().before, False

    def _check_turns(self) -> None:
        if not self._turns:
            raise DataError("there is nothing to take back")

    def _read(self, ids: Ids) -> Place:
        """Return the place after ids ``(N,)``."""
        nearest = self._nearest(ids)
        return read_on(self._stepper, self._run, nearest, ids[nearest.primed.kept :])

    def _nearest(self, ids: Ids) -> Place:
        """Return the last known place on the way to ids ``(N,)``, before their open end.

        What is typed may change ids before it: "hel" and "lo" may be one token.
        """
        end = self._run.codec.open_end(ids)
        ids = ids if end is None else ids[: end.kept]
        places = [self._place, *(turn.typed for turn in self._turns)]
        places += [self._start, *(turn.before for turn in self._turns)]
        kept = [place.primed.ids[: place.primed.kept] for place in places]
        lengths = [len(each) if _begins(ids, each) else -1 for each in kept]
        return places[int(np.argmax(lengths))]

    def _stream_after(self, ids: Ids) -> Callable[[int], str]:
        """Return the function from the next id to the text it adds, after some ids ``(N,)``."""
        stream = self._run.codec.text_stream()
        assert stream is not None
        for token in ids.tolist():
            stream(token)
        return stream

    def _text_of(self, ids: Ids) -> str:
        stream = self._run.codec.text_stream()
        assert stream is not None
        return "".join(map(stream, ids.tolist()))


class _Words:
    """The texts of tokens that wait for the end of their word."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, texts: Iterable[str]) -> None:
        """Append the text that each new token adds."""
        self._texts += texts

    def take(self, *, everything: bool) -> tuple[int, str]:
        """Take what ends with a word, or is longer than one; return the number of tokens, too."""
        count = len(self._texts)
        if not everything and len("".join(self._texts)) <= LONGEST_WORD:
            while count and not self._is_end(count):
                count -= 1
        taken, self._texts = self._texts[:count], self._texts[count:]
        return count, "".join(taken)

    def _is_end(self, count: int) -> bool:
        """Return whether a word ends after so many tokens."""
        before, after = "".join(self._texts[:count]), "".join(self._texts[count:])
        return bool(before) and not (is_in_word(before[-1]) and (not after or is_in_word(after[0])))


def is_in_word(character: str) -> bool:
    """Return whether a character may be in the middle of a word: a letter, digit or accent."""
    is_mark = unicodedata.category(character).startswith("M")
    return character.isalnum() or is_mark or character in "_'\u2019"


def _begins(ids: Ids, before: Ids) -> bool:
    """Return whether ids begin with others."""
    return np.array_equal(ids[: len(before)], before)
