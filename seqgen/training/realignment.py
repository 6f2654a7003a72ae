"""Which content belongs to which symbol of a dictated text, found by a trained model.

This is Viterbi's algorithm over content and symbols. The model's state depends on the whole path,
so each symbol keeps the state of the best path into it (per-survivor processing, Raheli, Polydoros
and Tzou 1995), and the result may miss the best path. Symbols far from their former place, and
paths far less likely than the best, are not tried. Several pieces are searched side by side: the
network reads many paths at once.

Comes from: `seqgen.training.rounds`. Next: `seqgen.conditions.dictation`, what ids of a text are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation
from seqgen.errors import RunError
from seqgen.generation.pieces import branch_tracker
from seqgen.network.layers import State
from seqgen.plugin import Ids, Tracker
from seqgen.plugins.checks import checked_features, next_mask
from seqgen.run.folder import Run

#: Limits of the search: symbols that content may move by, and nats that a path may be behind.
BAND, BEHIND = 4, 12.0

#: Pieces that are searched side by side.
TOGETHER = 32

#: The content tokens at which the symbols on a path begin, latest first: (token, those before it).
Begun: TypeAlias = "tuple[int, Begun] | None"


def realigned(run: Run, pieces: Iterable[Ids]) -> Iterator[Ids]:
    """Yield pieces with their content at the most likely symbols under a model.

    Parameters
    ----------
    run : Run
        Its codec has a `Codec.dictation`.
    pieces : iterable of int64 array (N,)
        Their content is assigned already, such as evenly. Pieces that are not whole texts stay as
        they are.

    Yields
    ------
    int64 array (N',)
        The same content and symbols.

    Raises
    ------
    RunError
        If the codec has no dictation.
    """
    if run.codec.dictation is None:
        raise RunError(f"{run.name} has a codec without dictation: there is nothing to realign")
    search, rest = _Search(run, run.codec.dictation), iter(pieces)
    while group := list(islice(rest, TOGETHER)):
        yield from search.follow(group)


@dataclass
class _Piece:
    """A piece to search.

    Attributes
    ----------
    header : list of int
        Tokens before the text.
    text : int64 array (S,)
        All symbols, as numbers in the alphabet.
    voiced : int64 array (M,)
        Places in `text` of the symbols that are not silent.
    between : list of M lists of int
        The tokens before the content of each of these symbols.
    content : int64 array (C,)
        The tokens of content.
    before : int64 array (C,)
        The former symbol of each, as an index in `voiced`.
    least : int64 array (C,)
        The symbol that must be reached at each, so that those after it get a unit too.
    """

    header: list[int]
    text: Ids
    voiced: Ids
    between: list[list[int]]
    content: Ids
    before: Ids
    least: Ids


@dataclass
class _Path:
    """The best path into a symbol of a piece, given as an index in `_Piece.voiced`."""

    piece: int
    symbol: int
    nats: float
    begun: Begun
    tracker: Tracker
    memory: State  # the state of the network, each (L, 1, ...)
    expected: NDArray[np.float64]  # log-probabilities of the next token (V',), -inf if forbidden


class _Search:
    """Finds the best paths through pieces, token of content by token of content."""

    def __init__(self, run: Run, dictation: Dictation) -> None:
        self._run, self._codec, self._dictation = run, run.codec, dictation
        self._model = run.model.eval()

    @torch.no_grad()
    def follow(self, group: list[Ids]) -> list[Ids]:
        """Return pieces with their most likely alignment; unchanged if no path reaches the end."""
        found = [_piece(self._dictation, np.asarray(ids, np.int64)) for ids in group]
        pieces = {number: piece for number, piece in enumerate(found) if piece is not None}
        if not pieces:
            return group
        ends: dict[int, Begun] = {}
        paths = self._first_paths(pieces)
        for position in range(max(len(piece.content) for piece in pieces.values())):
            paths = self._stepped(pieces, paths, position)
            for path in paths:
                piece = pieces[path.piece]
                if position + 1 == len(piece.content) and path.symbol + 1 == len(piece.voiced):
                    ends[path.piece] = path.begun
            paths = [path for path in paths if position + 1 < len(pieces[path.piece].content)]
        result = list(group)
        for number, begun in ends.items():
            result[number] = _spelled(self._dictation, pieces[number], begun)
        return result

    def _first_paths(self, pieces: dict[int, _Piece]) -> list[_Path]:
        """Return the paths before the first content, which belongs to the first symbol."""
        paths = []
        for number, piece in pieces.items():
            tracker = self._codec.tracker()
            assert tracker is not None, "symbols are features, and features need a tracker"
            memory = self._model.start_state(1)
            path = _Path(number, 0, 0.0, (0, None), tracker, memory, np.zeros(0))
            tokens = [*piece.header, *piece.between[0]]
            rows = [tracker.features(), *self._push(path, tokens)]
            self._predict([path], [[self._run.vocab.start, *tokens]], [rows])
            paths.append(path)
        return paths

    def _stepped(self, pieces: dict[int, _Piece], paths: list[_Path], position: int) -> list[_Path]:
        """Return the best paths after one more token of content of every piece."""
        advance = self._dictation.advance
        moving = {
            (path.piece, path.symbol + 1): (path, path.nats + float(path.expected[advance]))
            for path in paths
            if self._may_advance(pieces[path.piece], path, position)
        }
        best: dict[tuple[int, int], _Path] = {}
        for path in paths:
            piece = pieces[path.piece]
            path.nats += float(path.expected[piece.content[position]])
            if path.symbol >= piece.least[position]:
                best[path.piece, path.symbol] = path
        for path in self._advanced(pieces, moving, best, position):
            path.nats += float(path.expected[pieces[path.piece].content[position]])
            known = best.get((path.piece, path.symbol))
            if known is None or path.nats > known.nats:
                best[path.piece, path.symbol] = path
        limits = _limits(best)
        kept = [path for path in best.values() if path.nats > limits[path.piece]]
        self._read(kept, [[int(pieces[path.piece].content[position])] for path in kept])
        return kept

    def _may_advance(self, piece: _Piece, path: _Path, position: int) -> bool:
        """Return whether a path may move on to its next symbol before a token of content."""
        following = path.symbol + 1
        highest = min(int(piece.before[position]) + BAND, len(piece.between) - 1)
        begins = bool(self._dictation.begins[piece.content[position]])
        return begins and piece.least[position] <= following <= highest

    def _advanced(
        self,
        pieces: dict[int, _Piece],
        moving: dict[tuple[int, int], tuple[_Path, float]],
        best: dict[tuple[int, int], _Path],
        position: int,
    ) -> list[_Path]:
        """Return copies of paths moved on to their next symbol, which begins at `position`.

        A path whose nats so far are no more than those of the path that stays there is left out:
        what it reads next can only make it less likely.
        """
        limits, moved = _limits(best), []
        for (number, symbol), (path, nats) in moving.items():
            stays = best.get((number, symbol))
            if nats > max(limits[number], -np.inf if stays is None else stays.nats):
                tracker = branch_tracker(path.tracker, self._codec)
                assert tracker is not None
                begun = position, path.begun
                moved.append(
                    _Path(number, symbol, nats, begun, tracker, path.memory, path.expected)
                )
        self._read(moved, [pieces[path.piece].between[path.symbol] for path in moved])
        return moved

    def _read(self, paths: list[_Path], tokens: list[list[int]]) -> None:
        """Let each path read its tokens."""
        for length in sorted({len(each) for each in tokens}):
            chosen = [at for at, each in enumerate(tokens) if len(each) == length]
            group = [paths[at] for at in chosen]
            own = [tokens[at] for at in chosen]
            rows = [self._push(path, each) for path, each in zip(group, own, strict=True)]
            self._predict(group, own, rows)

    def _push(self, path: _Path, tokens: list[int]) -> list[Sequence[int]]:
        """Push tokens to the tracker of a path; return the features after each."""
        rows: list[Sequence[int]] = []
        for token in tokens:
            path.tracker.push(token)
            rows.append(path.tracker.features())
        return rows

    def _predict(
        self, paths: list[_Path], tokens: list[list[int]], rows: list[list[Sequence[int]]]
    ) -> None:
        """Read tokens of equal number into the memory of B paths, and predict what follows."""
        codec, count, device = self._codec, len(paths), paths[0].memory[0].device
        flat = [row for own in rows for row in own]
        shape = count, len(tokens[0]), len(codec.feature_sizes)  # (B, T, K)
        features = checked_features(codec, flat, len(flat)).reshape(shape)
        ids = torch.tensor(tokens, device=device)  # (B, T)
        together = zip(*(path.memory for path in paths), strict=True)
        state = tuple(torch.cat(parts, 1) for parts in together)  # each (L, B, ...)
        top, state = self._model.read(ids, torch.from_numpy(features).to(device), state)
        allowed = np.array([next_mask(codec, path.tracker) for path in paths])
        possible = torch.from_numpy(allowed).to(device)  # (B, V')
        logits = self._model.predict(top[-1], possible).double()
        expected = logits.masked_fill(~possible, -torch.inf).log_softmax(-1).cpu().numpy()
        for row, path in enumerate(paths):
            path.memory = tuple(part[:, row : row + 1] for part in state)
            path.expected = expected[row]


def _limits(best: dict[tuple[int, int], _Path]) -> defaultdict[int, float]:
    """Return for each piece the nats that a path must exceed; without a path, any will do."""
    limits = defaultdict[int, float](lambda: -np.inf)
    for path in best.values():
        limits[path.piece] = max(limits[path.piece], path.nats - BEHIND)
    return limits


def _piece(dictation: Dictation, ids: Ids) -> _Piece | None:
    """Return a piece to search, or None if it is not a text with content."""
    is_symbol = (ids >= dictation.first) & (ids < dictation.advance)
    if not is_symbol.any():
        return None
    header, rest = np.split(ids, [int(np.argmax(is_symbol))])
    if (rest >= dictation.size).any() or (spelled := dictation.spelled(rest)) is None:
        return None
    text, contents = spelled
    voiced = np.flatnonzero(~dictation.silent[text])
    content = np.concatenate(contents)
    counts = [len(contents[place]) for place in voiced]
    if not len(content) or sum(counts) < len(content):
        return None
    begins = dictation.begins[content]
    after = begins[::-1].cumsum()[::-1] - begins  # units that begin later, (C,)
    before = np.repeat(np.arange(len(voiced)), counts)
    least = np.maximum(np.maximum(before - BAND, len(voiced) - 1 - after), 0)
    between = _between(dictation, text)
    return _Piece(header.tolist(), text, voiced, between, content, before, least)


def _between(dictation: Dictation, text: Ids) -> list[list[int]]:
    """Return the tokens before the content of each symbol that is not silent."""
    parts: list[list[int]] = []
    current: list[int] = []
    for word in dictation.announce([dictation.alphabet[number] for number in text]):
        current += word
        for token in word[:-1]:
            if not dictation.silent[token - dictation.first]:
                parts.append(current)
                current = []
            current.append(dictation.advance)
    return parts


def _spelled(dictation: Dictation, piece: _Piece, begun: Begun) -> Ids:
    """Return the ids of a piece whose symbols begin at some tokens of content."""
    firsts: list[int] = []
    while begun is not None:
        first, begun = begun
        firsts.append(first)
    contents = [np.zeros(0, np.int64) for _ in piece.text]
    parts = np.split(piece.content, firsts[-2::-1])
    for place, part in zip(piece.voiced, parts, strict=True):
        contents[place] = part
    symbols = [dictation.alphabet[number] for number in piece.text]
    return np.concatenate([np.array(piece.header, np.int64), dictation.spell(symbols, contents)])
