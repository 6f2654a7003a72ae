"""The grammar of a codec: masks of pieces, and a tracker for new ones.

Real texts break rules: C has macros, and markup has mistakes. Where a training piece has a token
that may not come, masks allow this token in the same situation; new pieces do not have it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.following import UNLIMITED, Followed, flat, step_function
from seqgen.grammar import PART, IndexedMasks, packed
from seqgen.plugin import ClosingTracker, Ids
from seqgen_text.grammars import machine, tokens
from seqgen_text.grammars.costs import growths, with_costs
from seqgen_text.grammars.tables import (
    ALLOWED,
    LONGEST_NAME,
    Tables,
    names_of,
    states_inside,
    tables_of,
)

#: Names of grammars, as an option of codecs.
Grammar: TypeAlias = Literal["none", "balanced", "c", "latex", "xml", "wiki", "json", "python"]

LOG = logging.getLogger("seqgen.text")


class Structure:
    """A grammar for the tokens of a codec.

    Parameters
    ----------
    name : str
        Name of the language.
    tables : Tables
        With the costs of the tokens that are one character or byte.
    spellings : sequence of V sequences of int
        The characters or bytes of each token.
    between : int
        Number of states between characters: all, or for bytes those in which no character is open.
    """

    def __init__(
        self, name: str, tables: Tables, spellings: Sequence[Sequence[int]], between: int
    ) -> None:
        self.name, self._between = name, between
        self.count = len(spellings)
        sizes = np.array([len(each) for each in spellings], np.int64)
        self._firsts = np.append(0, np.cumsum(sizes)).astype(np.int64)  # (V + 1,)
        self._symbols = np.array([symbol for each in spellings for symbol in each], np.int64)
        self._kinds = tables.kinds[np.minimum(self._symbols, len(tables.kinds) - 1)]
        self.is_single = bool((sizes == 1).all())
        self.tables = tables
        self.exceptions = []
        self._rows: dict[int, NDArray[np.bool_]] = {}

    @classmethod
    def of_characters(cls, grammar: Grammar, texts: Sequence[str]) -> Structure:
        """Return the grammar for tokens that are characters, or several."""
        spellings = [[*map(ord, text)] for text in texts]
        tables = with_costs(tables_of(grammar), kinds_of(spellings, 128))
        return cls(grammar, tables, spellings, len(tables.entries))

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """All that compiled code needs (`tokens.tokens_in`)."""
        tables, count = self.tables, self.count
        states, frames, kinds = tables.entries.shape
        height = 0 if self.is_single else self._between * frames
        rows, most = np.zeros((height, count), np.uint8), np.zeros((height, 2), np.int64)
        tokens.judged(tables, self._firsts, self._kinds, rows, most)
        depends = rows == tokens.DEPENDS
        starts = np.append(0, np.cumsum(depends.sum(axis=1)))  # (R + 1,)
        followed = np.nonzero(depends)[1]  # (F,)
        shapes = [states, frames, kinds, height, count, tables.start, tables.after]
        growth = self._growth()
        shapes += [tables.unclosed, len(self._symbols), len(followed), growth.max(initial=0)]
        return flat(
            np.array(shapes, np.int64),
            tables.entries.astype(np.int64),
            *(tables.matching, tables.opening, tables.lines, tables.endings),
            *(tables.direct.astype(np.int64), tables.named.astype(np.int64)),
            *(self._firsts, self._symbols, self._kinds, rows),
            *(starts.astype(np.int64), followed.astype(np.int64), most, growth),
            tables.kinds.astype(np.int64),
            tables.closed.astype(np.int64),
        )

    def _growth(self) -> Ids:
        """Return how much longer each token can make the way to the end, at most ``(V,)``."""
        # Blocks and attributes cost more than the tables say.
        slack = 1 + LONGEST_NAME * bool(self.tables.lines.any())
        each = np.maximum(growths(self.tables), 0)[self._kinds]
        summed = np.append(0, np.cumsum(each))  # (C + 1,)
        return np.asarray(np.diff(summed[self._firsts]) + slack, np.int64)

    def learn(self, pieces: Iterable[Ids]) -> None:
        """Collect what training pieces have against the grammar, and log how often.

        The end of a piece may be held out, so only tokens count.
        """
        tokens = broken = broken_pieces = count = 0
        found = set[tuple[int, int]]()
        for ids in pieces:
            memory = machine.new_memory(self.tables)
            situations, allowed = self.follow(memory, np.array(ids, np.int64))
            wrong = np.flatnonzero(~allowed)
            found.update(zip(situations[wrong].tolist(), ids[wrong].tolist(), strict=True))
            tokens, broken, count = tokens + len(ids), broken + len(wrong), count + 1
            broken_pieces += len(wrong) > 0
        self.exceptions = sorted(found)
        if broken:
            LOG.warning(
                "%s of %s tokens, in %s of %s pieces, break the grammar %s: training allows them "
                "where they came, new pieces do not",
                *(f"{number:,}" for number in (broken, tokens, broken_pieces, count)),
                self.name,
            )

    @property
    def exceptions(self) -> list[tuple[int, int]]:
        """What training pieces have against the grammar: situations and ids, in order."""
        return [(place, token) for place, tokens in self._exceptions.items() for token in tokens]

    @exceptions.setter
    def exceptions(self, pairs: Iterable[tuple[int, int]]) -> None:
        self._exceptions: dict[int, list[int]] = {}
        for place, token in pairs:
            self._exceptions.setdefault(place, []).append(token)

    def named_exceptions(self) -> list[list[Any]]:
        """Return the exceptions with names in place of numbers, for JSON.

        A situation is the state of UTF-8, the state and the frame on top of the language, and what
        is blocked; or the only symbol that may come.
        """
        states, (_, frames) = self._states(), names_of(self.name)
        named: list[list[Any]] = []
        for situation, token in self.exceptions:
            place, blocked = divmod(situation, machine.SITUATIONS)
            number, top = divmod(place, len(frames))
            name = [*states[number % len(states)], frames[top], blocked]
            named.append([[-1 - situation] if situation < 0 else name, token])
        return named

    def _states(self) -> list[tuple[int, str]]:
        """Return the state of UTF-8, and the name of that of the language, of each state."""
        names, inside = names_of(self.name)[0], states_inside(tables_of(self.name)).tolist()
        parts = range(1, 1 + (len(self.tables.entries) - len(names)) // len(inside))
        within = [(part, names[state]) for part in parts for state in inside]
        return [*((0, name) for name in names), *within]

    def restore_exceptions(self, named: Any) -> None:
        """Set what `named_exceptions` returned, without situations that there are no longer.

        Raises
        ------
        ValueError
            If it is something else.
        """
        states, frames = (
            {name: at for at, name in enumerate(each)}
            for each in (self._states(), names_of(self.name)[1])
        )
        pairs = []
        for situation, token in named:
            if type(token) is not int or not 0 <= token < self.count:
                raise ValueError(f"{token!r} is no id")
            if list(map(type, situation)) == [int]:
                pairs.append((-1 - abs(situation[0]), token))
                continue
            if list(map(type, situation)) != [int, str, str, int]:
                raise ValueError(f"{situation!r} is no situation")
            part, state, frame, blocked = situation
            if (part, state) in states and frame in frames:
                place = states[part, state] * len(frames) + frames[frame]
                pairs.append((place * machine.SITUATIONS + blocked % machine.SITUATIONS, token))
        self.exceptions = sorted(pairs)

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return `Codec.masks` of ids ``(N,)``: what the grammar allows, and the exceptions.

        END may come anywhere: pieces may be cut.
        """
        # The last row comes before a token that does not matter.
        ids = np.append(ids, 0).astype(np.int64)
        if not self.is_single:
            return self._masks_of_several(ids)
        situations, _ = self.follow(machine.new_memory(self.tables), ids)
        lowest = int(situations.min())
        used = np.zeros(int(situations.max()) - lowest + 1, bool)
        used[situations - lowest] = True
        rows = []
        for place in (np.flatnonzero(used) + lowest).tolist():
            row = self.row(place).copy()
            row[[*self._exceptions.get(place, ()), -1]] = True
            rows.append(row)
        numbers = (np.cumsum(used) - 1).astype(np.uint16)
        return IndexedMasks(packed(rows), numbers[situations - lowest])

    def _masks_of_several(self, ids: Ids) -> IndexedMasks:
        """Return the masks before ids ``(N,)`` of several characters: each different row once."""
        memory, numbers = machine.new_memory(self.tables), dict[bytes, int]()
        found = np.empty(len(ids), np.uint32)
        for first in range(0, len(ids), PART):
            some = ids[first : first + PART]
            rows = np.zeros((len(some), self.count + 1), bool)
            situations, _ = self.follow(memory, some, rows)
            for row, situation in zip(rows, situations.tolist(), strict=True):
                row[[*self._exceptions.get(situation, ()), -1]] = True
            for place, bits in enumerate(packed(rows), first):
                found[place] = numbers.setdefault(bits.tobytes(), len(numbers))
        table = np.frombuffer(b"".join(numbers), np.uint8).reshape(len(numbers), -1)
        return IndexedMasks(table, found)

    def row(self, situation: int) -> NDArray[np.bool_]:
        """Return what may come in a situation ``(V + 1,)`` of tokens of one character, without END.

        It is read-only.
        """
        if (row := self._rows.get(situation)) is None:
            row = np.zeros(self.count + 1, bool)
            if situation < 0:
                row[:-1] = self._symbols == -1 - situation
            else:
                place, blocked = divmod(situation, machine.SITUATIONS)
                state, top = divmod(place, self.tables.entries.shape[1])
                entries = self.tables.entries[state, top][self._kinds]  # (V,)
                forbidden = sum(
                    flags for at, flags in enumerate(machine.BLOCKED) if blocked >> at & 1
                )
                row[:-1] = (entries & ALLOWED > 0) & (entries & forbidden == 0)
            row.flags.writeable = False
            self._rows[situation] = row
        return row

    def tracker(self) -> StructureTracker:
        """Return a tracker before the first token."""
        return StructureTracker(self, machine.new_memory(self.tables))

    def follow(
        self, memory: Ids, ids: Ids, rows: NDArray[np.bool_] | None = None
    ) -> tuple[Ids, NDArray[np.bool_]]:
        """Follow ids ``(N,)`` from a memory, which is changed.

        Parameters
        ----------
        memory, ids : int64 arrays
        rows : bool array (N, V + 1), optional
            Filled in: the mask before each id.

        Returns
        -------
        situations, allowed : int64 array and bool array (N,)
            The situation before each id, and whether it was allowed.
        """
        situations, allowed = np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        rows = np.zeros((0, self.count + 1), bool) if rows is None else rows
        tokens.follow(self.table, memory, ids, situations, allowed, rows)
        return situations, allowed


def kinds_of(spellings: Iterable[Sequence[int]], last: int) -> tuple[int, ...]:
    """Return the characters or bytes that are tokens of their own, the others as `last`."""
    return tuple(sorted({min(each[0], last) for each in spellings if len(each) == 1}))


class StructureTracker(ClosingTracker):
    """Follows one piece; END may come where nothing is open."""

    def __init__(self, structure: Structure, memory: Ids) -> None:
        self._structure, self._memory = structure, memory

    def __deepcopy__(self, memo: dict[int, Any]) -> StructureTracker:
        # Copies share the tables.
        return StructureTracker(self._structure, self._memory.copy())

    def followed(self) -> Followed:
        """Return what compiled code follows."""
        about = self._structure
        return Followed(step_function(tokens.step), about.table, self._memory, about.count)

    def features(self) -> tuple[int, ...]:
        """Return nothing: text has no features."""
        return ()

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)``."""
        return self.closing(UNLIMITED)

    def closing(self, room: int) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of tokens from which all can be closed in time."""
        mask = np.empty(self._structure.count + 1, bool)
        tokens.mask(self._structure.table, self._memory, room, mask)
        return mask

    def forced(self) -> None:
        """Return None: a mask may allow one id only."""

    def push(self, token: int) -> None:
        """Follow a token."""
        self._structure.follow(self._memory, np.array([token], np.int64))
