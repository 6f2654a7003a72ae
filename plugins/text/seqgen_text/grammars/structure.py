"""The grammar of a codec: masks of pieces, and a tracker for new ones.

Real texts break rules: C has macros, and markup has mistakes. Where a training piece has a token
that may not come, masks allow this token in the same situation; new pieces do not have it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import IndexedMasks, packed
from seqgen.plugin import ClosingTracker, Ids
from seqgen_text.grammars import machine
from seqgen_text.grammars.tables import ALLOWED, Tables, tables_of, with_costs

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
        With the costs of the vocabulary.
    symbols, kinds : int array (V,)
        The character or byte of each token, and its kind in the tables.
    """

    def __init__(self, name: str, tables: Tables, symbols: Ids, kinds: Ids) -> None:
        self.name, self.tables, self.symbols, self.kinds = name, tables, symbols, kinds
        self._last: tuple[bytes, IndexedMasks] | None = None
        self.exceptions = []
        self._rows: dict[int, NDArray[np.bool_]] = {}
        # Beyond this distance no token can make the way to the end longer than the room.
        costs = [each[each < each.max()] for each in (tables.direct, tables.named)]
        self.jump = machine.LONGEST_NAME + 2 * max(int(each.max(initial=0)) for each in costs) + 2

    @classmethod
    def of_characters(cls, grammar: Grammar, characters: str) -> Structure:
        """Return the grammar for tokens that are characters."""
        symbols = np.array([ord(character) for character in characters], np.int64)
        kinds = np.minimum(symbols, 128)
        return cls(grammar, with_costs(tables_of(grammar), kinds), symbols, kinds)

    def learn(self, pieces: Iterable[Ids]) -> None:
        """Collect what training pieces have against the grammar, and log how often.

        The end of a piece may be held out, so only tokens count.
        """
        tokens = broken = broken_pieces = count = 0
        found = set[tuple[int, int]]()
        for ids in pieces:
            situations, allowed = self._followed(ids)
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
        self._last = None

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return `Codec.masks` of ids ``(N,)``: what the grammar allows, and the exceptions.

        END may come anywhere: pieces may be cut. A piece in several parts is followed once.
        """
        key = hashlib.blake2b(np.asarray(ids).tobytes()).digest()
        if self._last is None or self._last[0] != key:
            self._last = key, self._masks(ids)
        return self._last[1]

    def _masks(self, ids: Ids) -> IndexedMasks:
        situations, _ = self._followed(ids)
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

    def row(self, situation: int) -> NDArray[np.bool_]:
        """Return what may come in a situation ``(V + 1,)``, with END forbidden; read-only."""
        if (row := self._rows.get(situation)) is None:
            row = np.zeros(len(self.symbols) + 1, bool)
            if situation < 0:
                row[:-1] = self.symbols == -1 - situation
            else:
                place, blocked = divmod(situation, machine.SITUATIONS)
                state, top = divmod(place, self.tables.entries.shape[1])
                entries = self.tables.entries[state, top][self.kinds]  # (V,)
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

    def _followed(self, ids: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Return the situation at each position ``(N + 1,)``, and whether tokens are allowed."""
        situations, allowed = np.zeros(len(ids) + 1, np.int64), np.zeros(len(ids), bool)
        memory = machine.new_memory(self.tables)
        ids = np.asarray(ids)
        symbols, kinds = self.symbols[ids], self.kinds[ids]
        machine.follow(self.tables, memory, symbols, kinds, situations, allowed)
        return situations, allowed


class StructureTracker(ClosingTracker):
    """Follows one piece; END may come where nothing is open."""

    def __init__(self, structure: Structure, memory: Ids) -> None:
        self._structure, self._memory = structure, memory

    def __deepcopy__(self, memo: dict[int, Any]) -> StructureTracker:
        # Copies share the tables.
        return StructureTracker(self._structure, self._memory.copy())

    def features(self) -> tuple[int, ...]:
        """Return nothing: text has no features."""
        return ()

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)``."""
        tables = self._structure.tables
        mask = self._structure.row(machine.situation(tables, self._memory)).copy()
        mask[-1] = machine.can_end(tables, self._memory)
        return mask

    def closing(self, room: int) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of tokens from which all can be closed in time."""
        about, mask = self._structure, self.allowed()
        if machine.distance(about.tables, self._memory) + about.jump > room:
            machine.closing(about.tables, self._memory, about.symbols, about.kinds, room, mask)
        return mask

    def forced(self) -> None:
        """Return None: a mask may allow one id only."""

    def push(self, token: int) -> None:
        """Follow a token."""
        about, memory = self._structure, self._memory
        here = machine.situation(about.tables, memory)
        machine.push(about.tables, memory, here, int(about.symbols[token]), int(about.kinds[token]))
