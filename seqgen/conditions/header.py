"""Headers: the tokens before a piece that say what it is, such as its composer and key.

A header has fields in a fixed order. `seqgen.conditions.labelled.LabelledCodec` has one for each
label; a codec may have a header of its own. A `Header` finds the header of whole pieces, with its
masks and features. A `HeaderState` follows one token by token, with requested values.

N ids, V tokens, F fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids

#: Requested numbers of fields: at least one of each set, and none outside all sets. An optional
#: field with sets is in all new pieces; without any set it is in none.
Wanted: TypeAlias = Mapping[str, Sequence[frozenset[int]]]


@dataclass(frozen=True)
class Field:
    """A field of a header: one token, unless it says otherwise.

    Attributes
    ----------
    name : str
    first, count : int
        Its tokens are the ids ``first .. first + count - 1``; the number of a token counts from 0.
    is_list : bool
        It has one token or more, in ascending order.
    is_mark : bool
        Training pieces have it or not; new pieces never have it.
    is_optional : bool
        Pieces have it or not.
    """

    name: str
    first: int
    count: int
    is_list: bool = False
    is_mark: bool = False
    is_optional: bool = False


class Header:
    """The fields before a piece.

    Parameters
    ----------
    fields : sequence of Field
        In their order. The last has exactly one token, so that the end of a header is known.
    size : int
        V, the number of all tokens.

    Attributes
    ----------
    feature_sizes : tuple of int
        Number of values of each column of `features`.
    """

    def __init__(self, fields: Sequence[Field], size: int) -> None:
        self.fields, self.size = tuple(fields), size
        self.feature_sizes = tuple(each.count + 1 for each in self.fields)
        self._longest = sum(each.count if each.is_list else 1 for each in self.fields)
        self._masks = np.zeros((len(self.fields), size + 1), bool)
        self._field_of = np.full(size, -1)
        for number, each in enumerate(self.fields):
            self._masks[number, each.first : each.first + each.count] = True
            self._field_of[each.first : each.first + each.count] = number

    def state(self, wanted: Wanted | None = None) -> HeaderState:
        """Return the state before the first token."""
        return HeaderState(self, wanted or {})

    def length(self, ids: NDArray[Any]) -> int:
        """Return the length of the header of any ids ``(N,)``: all tokens in order."""
        return self._read(ids).length

    def open_positions(self, ids: NDArray[Any]) -> int:
        """Return the number of positions, from the first on, that `HeaderState.allowed` is for."""
        state = self._read(ids)
        is_whole = bool(state.found) and bool(state.found[-1])
        return state.length + (not is_whole and bool(self.fields))

    def numbers(self, ids: NDArray[Any]) -> dict[str, list[int]]:
        """Return the numbers of each field in the header of any ids, by name."""
        found = self._read(ids).found
        return {each.name: numbers for each, numbers in zip(self.fields, found, strict=True)}

    def features(self, ids: NDArray[Any]) -> Ids:
        """Return the last number of each field plus one ``(N + 1, F)``; 0 before it is read."""
        rows = np.zeros((len(ids) + 1, len(self.fields)), np.int64)
        for position, token in enumerate(ids[: self.length(ids)].tolist()):
            number = self.field_of(token)
            rows[position + 1 :, number] = token - self.fields[number].first + 1
        return rows

    def masks(self, ids: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the masks ``(open_positions, V + 1)`` of the header."""
        state = self.state()
        rows = np.zeros((self.open_positions(ids), self.size + 1), bool)
        for position, row in enumerate(rows):
            row[:] = state.allowed()
            if position < len(ids):
                state.push(int(ids[position]))
        return rows

    def field_of(self, token: int) -> int:
        """Return the index of a token's field, or -1."""
        return int(self._field_of[token])

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of all tokens of a field, read-only."""
        mask: NDArray[np.bool_] = self._masks[number]
        return mask

    def _read(self, ids: NDArray[Any]) -> HeaderState:
        """Return the state after the header of any ids."""
        state = self.state()
        for token in ids[: self._longest].tolist():
            state.push(token)
        return state


class HeaderState:
    """Follows the header of one piece.

    Parameters
    ----------
    header : Header
    wanted : mapping
        Requested numbers by the name of the field. A prompt may contradict them.

    Attributes
    ----------
    is_open : bool
        Whether the next token may belong to the header.
    length : int
        Number of tokens in the header so far.
    found : list of list of int
        Numbers read of each field.
    """

    def __init__(self, header: Header, wanted: Wanted) -> None:
        self.header, self._wanted = header, wanted
        self.is_open, self.length = bool(header.fields), 0
        self.found: list[list[int]] = [[] for _ in header.fields]
        #: Index of the last token's field.
        self._field = -1

    def __deepcopy__(self, memo: dict[int, Any]) -> HeaderState:
        # Copies share the header.
        other = HeaderState(self.header, self._wanted)
        other.is_open, other.length, other._field = self.is_open, self.length, self._field
        other.found = [[*numbers] for numbers in self.found]
        return other

    def features(self) -> list[int]:
        """Return the row of `Header.features` for the next position."""
        return [numbers[-1] + 1 if numbers else 0 for numbers in self.found]

    def push(self, token: int) -> None:
        """Read a token; the first that is out of order ends the header."""
        fields, number = self.header.fields, self.header.field_of(token)
        self.is_open = self.is_open and self._may_come(number, token)
        if not self.is_open:
            return
        self.found[number].append(token - fields[number].first)
        self._field, self.length = number, self.length + 1
        self.is_open = number < len(fields) - 1

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of the next token while the header is open."""
        mask = np.zeros(self.header.size + 1, bool)
        for number in self._next_fields():
            field, first = self.header.fields[number], self.header.fields[number].first
            wanted = self._wanted.get(field.name)
            if field.is_mark or (field.is_optional and wanted == []):
                continue
            mask |= self.header.mask(number)
            if number == self._field:
                mask[: first + self.found[number][-1] + 1] = False
            if wanted is not None:
                self._restrict(mask[first : first + field.count], number)
            goes_on = number == self._field and bool(self.missing(field.name))
            if (goes_on or (field.is_optional and wanted)) and mask.any():
                break  # The list must go on, or an optional field must come.
        return mask

    def missing(self, name: str) -> list[frozenset[int]]:
        """Return the requests of a field that it does not yet meet."""
        index = next(i for i, each in enumerate(self.header.fields) if each.name == name)
        return [each for each in self._wanted.get(name, ()) if each.isdisjoint(self.found[index])]

    def _restrict(self, mask: NDArray[np.bool_], number: int) -> None:
        """Leave requested tokens of a field: in a list, up to the first request to be met."""
        wanted = self._wanted[self.header.fields[number].name]
        mask[[i for i in range(len(mask)) if not any(i in each for each in wanted)]] = False
        # A prompt may have passed the tokens of a request.
        last = [max(each) for each in self.missing(self.header.fields[number].name)]
        if last := [each for each in last if mask[each]]:
            mask[min(last) + 1 :] = False

    def _next_fields(self) -> list[int]:
        """Return the indices of the fields that the next token may belong to."""
        fields, number = self.header.fields, self._field
        repeats = number >= 0 and fields[number].is_list
        following = [number] if repeats else []
        for later in range(number + 1, len(fields)):
            following.append(later)
            if not (fields[later].is_mark or fields[later].is_optional):
                break
        return following

    def _may_come(self, number: int, token: int) -> bool:
        if number not in self._next_fields():
            return False
        field, found = self.header.fields[number], self.found[number]
        return number != self._field or token - field.first > found[-1]
