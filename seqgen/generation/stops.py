"""Stop sequences: where a piece in progress first has one.

Pieces that are shown as text are searched as text, because one text may be spelled by different
tokens, and a stop may begin or end inside a token. Others are searched as ids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from seqgen.conditions.unlabelled import unlabelled, without_labels
from seqgen.errors import DataError
from seqgen.generation.pieces import Draft
from seqgen.plugin import Codec, Ids

#: Most tokens that a character takes, such as four bytes; and tokens whose text may depend on those
#: before them, such as a word in capitals.
PER_CHARACTER, CONTEXT = 4, 64


@dataclass(frozen=True)
class Stop:
    """Where a piece stops.

    Attributes
    ----------
    count : int
        Number of its tokens up to the end of the stop sequence.
    last : list of int
        If the stop ends inside the last one: ids of its text up to there, in its place.
    """

    count: int
    last: list[int]


class Stops:
    """The stop sequences of a call.

    Parameters
    ----------
    codec : Codec
    stops : sequence of int64 array
        Sequences of ids; a piece stops after any of them.
    """

    def __init__(self, codec: Codec, stops: Sequence[Ids]) -> None:
        self._codec = unlabelled(codec)
        self._typed = codec.text_stream
        wanted = [ids.tolist() for ids in (without_labels(codec, ids) for ids in stops) if len(ids)]
        is_text = self._typed() is not None
        texts = ["".join(self._shown(ids)) if is_text else "" for ids in wanted]
        self._texts = [text for text in texts if text]
        # Ids without text, such as a part of a character, are searched as they are.
        self._ids = [ids for ids, text in zip(wanted, texts, strict=True) if not text]
        #: Number of last tokens that are searched, besides new ones.
        self.look_back = max(map(len, self._ids), default=0)
        if self._texts:
            look_back = PER_CHARACTER * max(map(len, self._texts)) + CONTEXT
            self.look_back = max(self.look_back, look_back)

    def found(self, draft: Draft, new: int, may_stop: Callable[[int], bool]) -> Stop | None:
        """Return the first stop that the last `new` tokens complete, or None.

        It may begin before them, but never within the prompt. `may_stop` says whether the piece may
        stop after a number of tokens.
        """
        places = [*self._places_of_ids(draft, new), *self._places_of_text(draft, new)]
        for count, short in sorted(places):
            if may_stop(count):
                return Stop(count, self._last(draft, count, -short))
        return None

    def _places_of_ids(self, draft: Draft, new: int) -> Iterator[tuple[int, int]]:
        """Yield after how many tokens there is a stop, and 0."""
        for stop in self._ids:
            first = max(draft.count - new - len(stop) + 1, draft.prompt)
            tail = draft.ids[len(draft.ids) - (draft.count - first) :]
            for start in range(len(tail) - len(stop) + 1):
                if tail[start : start + len(stop)] == stop:
                    yield first + start + len(stop), 0

    def _places_of_text(self, draft: Draft, new: int) -> Iterator[tuple[int, int]]:
        """Yield within how many tokens there is a stop, and minus the characters beyond it."""
        if not self._texts:
            return
        first = max(draft.count - new - self.look_back, draft.kept - CONTEXT, 0)
        shown = self._shown(draft.ids[len(draft.ids) - (draft.count - first) :])
        text, ends = "".join(shown), [0, *accumulate(map(len, shown))]
        # The text of the first ones may lack what they get from others before them.
        begin = ends[CONTEXT] if first > max(draft.kept - CONTEXT, 0) else 0
        if draft.kept >= first:
            begin = max(begin, ends[draft.kept - first] + len(draft.open_text))
        for stop in self._texts:
            place = text.find(stop, begin)
            while place >= 0:
                count = bisect_left(ends, place + len(stop))
                yield first + count, place + len(stop) - ends[count]
                place = text.find(stop, place + 1)

    def _last(self, draft: Draft, count: int, beyond: int) -> list[int]:
        """Return ids for the text of the last of `count` tokens without its end, or none."""
        if not beyond:
            return []
        last = len(draft.ids) - (draft.count - count)  # the number of those that are kept in memory
        ids = draft.ids[max(last - CONTEXT, 0) : last]
        shown = self._shown(ids)
        try:
            cut = self._codec.encode(shown[-1][:-beyond]).tolist()
        except DataError:
            return []
        is_exact = "".join(self._shown([*ids[:-1], *cut])) == "".join(shown)[:-beyond]
        return cut if is_exact else []

    def _shown(self, ids: list[int]) -> list[str]:
        """Return the text that each id adds."""
        typed = self._typed()
        assert typed is not None
        return list(map(typed, ids))
