"""A geometric mixture of networks, n-grams, word contexts and the match model.

All but the networks count what is read, token by token, after predicting it. All ids that the
grammar allows get a probability, which costs little for vocabularies up to `MOST_IDS`. Comes from:
`seqgen.evaluation.adaptive`. The weights are learned in `seqgen.evaluation.mixture_weights`.

T steps, K networks, M models, V' ids, N of which the grammar allows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import Steps
from seqgen.evaluation.match_model import (
    Matches,
    believed,
    follow_match,
    learn_match,
    matches,
)
from seqgen.evaluation.mixture_weights import Room, Weights, blend, learn, weights_of
from seqgen.evaluation.ngram import MOST_SLOTS, CountTable, training_steps
from seqgen.evaluation.ngram_table import (
    ALONE,
    COLUMNS,
    Table,
    advance,
    count_all,
    count_one,
    has_bit,
    open_context,
    spread,
)
from seqgen.evaluation.word_contexts import Words, follow_words, open_words, words_of
from seqgen.plugin import Codec, Ids
from seqgen.vocab import Vocab

#: Most ids that can be predicted: with more, the sums over all ids take too long.
MOST_IDS = 4096

#: Longest n-gram, whose smoothing is Kneser and Ney's, and n-grams smoothed by Witten and Bell.
#: Longer ones of theirs, and shorter ones, lowered no loss.
LONGEST, LOWER = 8, (2, 3, 4, 5, 6)

#: Most ids that are counted in 16 bits: full counts are halved, which leaves 1 to every id.
HALVED_IDS = 512

#: Slots of the largest table of what was read since training: 75 MB in 16 bits, 117 in 32.
READ_SLOTS = 2**22

#: Lowest log-probability that a model gives an id: no model can rule one out alone.
LEAST = -14.0


class Counts(NamedTuple):
    """A table of counts, and where a reader is in it.

    Attributes
    ----------
    keys, table : arrays
        Those of a `CountTable`.
    context : uint64 array (order,)
        Hashes of the last 0, 1, 2 ... ids.
    """

    keys: NDArray[np.uint64]
    table: Table
    context: NDArray[np.uint64]


class Reader(NamedTuple):
    """What predicts and counts, beside the networks.

    Attributes
    ----------
    whole, recent : Counts
        N-grams of the training pieces and of what was read, and of what was read alone.
    spelled : Counts
        What followed contexts of words; its context is not used.
    words : Words
    matches : Matches
    ends : int64 array (2,)
        Ids of START and END.
    """

    whole: Counts
    recent: Counts
    spelled: Counts
    words: Words
    matches: Matches
    ends: tuple[int, int]


class GeometricMixture:
    """Mixes K networks with what it has counted, and learns from each token after predicting it.

    Parameters
    ----------
    codec : Codec
    vocab : Vocab
    networks : int
    corpus : Corpus, optional
        Its training pieces are counted first.
    """

    def __init__(
        self, codec: Codec, vocab: Vocab, networks: int, corpus: Corpus | None = None
    ) -> None:
        self._ends = vocab.start, vocab.end
        dtype = np.uint16 if vocab.targets <= HALVED_IDS else np.uint32
        self._tables = (
            CountTable(MOST_SLOTS, COLUMNS, dtype),
            CountTable(READ_SLOTS, COLUMNS, dtype),
            CountTable(MOST_SLOTS, ALONE, dtype),
        )
        self._contexts = np.empty(LONGEST, np.uint64), np.empty(LONGEST, np.uint64)
        self._words = words_of(codec.word_numbers, vocab)
        self._matches = matches()
        models = networks + len(LOWER) + 3 + len(self._words.contexts)
        self.weights = weights_of(models, vocab.size)
        self.forget()
        if corpus is not None:
            for inputs, targets in training_steps(corpus):
                self.count(inputs, targets, recent=False)
            self.forget()

    def forget(self) -> None:
        """Begin a piece; counts and weights stay."""
        for context in self._contexts:
            open_context(context, self._ends[0])
        open_words(self._words)

    def count(self, inputs: Ids, targets: Ids, *, recent: bool = True) -> None:
        """Count steps ``(T,)`` without predicting them."""
        rooms = self._rooms(len(inputs), recent=recent)
        self._add(_count_steps(inputs, targets, self._reader(), rooms))

    def skip(self, inputs: Ids) -> None:
        """Read ids ``(T,)`` that are neither predicted nor counted."""
        _skip_steps(inputs, self._reader())

    def nats(self, steps: Steps, networks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nats of every target ``(T,)``, each counted after it is predicted.

        Parameters
        ----------
        steps : Steps
            One lane.
        networks : float64 array (T, K, V')
            Log-probabilities of all ids.
        """
        nats = np.zeros(len(steps.inputs))
        rooms = self._rooms(len(nats), recent=True)
        allowed = np.ascontiguousarray(steps.allowed)
        given = steps.inputs, steps.targets, allowed, networks
        self._add(_mix_steps(*given, self._reader(), self.weights, rooms, nats))
        return nats

    def frozen(self) -> Reader:
        """Return what predicts without learning; where it is changes nothing in the mixture."""
        reader, words, matches = self._reader(), self._words, self._matches
        return reader._replace(
            whole=reader.whole._replace(context=reader.whole.context.copy()),
            recent=reader.recent._replace(context=reader.recent.context.copy()),
            words=words._replace(
                hashes=words.hashes.copy(),
                inside=words.inside.copy(),
                contexts=words.contexts.copy(),
            ),
            matches=matches._replace(now=matches.now.copy()),
        )

    def _reader(self) -> Reader:
        """Return what the compiled loops read; tables may have been exchanged since."""
        whole, recent, spelled = self._tables
        nothing = np.empty(0, np.uint64)
        return Reader(
            Counts(whole.keys, whole.table, self._contexts[0]),
            Counts(recent.keys, recent.table, self._contexts[1]),
            Counts(spelled.keys, spelled.table, nothing),
            self._words,
            self._matches,
            self._ends,
        )

    def _rooms(self, steps: int, *, recent: bool) -> NDArray[np.bool_]:
        """Return which of the three tables have room for so many steps."""
        whole, seen, spelled = self._tables
        more = steps * (LONGEST + 1)
        return np.array(
            [
                whole.has_room(more),
                recent and seen.has_room(more),
                spelled.has_room(2 * steps * len(self._words.contexts)),
            ]
        )

    def _add(self, new: Ids) -> None:
        for table, entries in zip(self._tables, new.tolist(), strict=True):
            table.used += entries


@compiled
def _mix_steps(
    inputs: Ids,
    targets: Ids,
    allowed: NDArray[np.uint8],
    networks: NDArray[np.float64],
    reader: Reader,
    weights: Weights,
    rooms: NDArray[np.bool_],
    nats: NDArray[np.float64],
) -> Ids:
    """Do the work of `GeometricMixture.nats`; return the number of new entries of each table."""
    ids, new = networks.shape[2], np.zeros(3, np.int64)
    given = np.empty((weights.weights.shape[1], ids))
    orders, places = np.empty((LONGEST, ids)), np.empty(ids, np.int64)
    room, tokens = Room(np.empty((2, ids)), np.empty(ids)), np.empty(ids, np.int64)
    for step in range(len(inputs)):
        _follow(reader, inputs[step], True)
        target = targets[step]
        if target < 0:
            continue
        count = collect(allowed[step], target, tokens)
        if count > 1:
            some = given[:, :count]
            gather(networks[step], reader, tokens[:count], some, orders, places)
            blend(some, inputs[step], weights, room)
            place = int(np.searchsorted(tokens[:count], target))
            nats[step] = -room.mixed[place]
            learn(some, inputs[step], place, weights, room)
        _learn(reader, target, rooms, new)
    return new


@compiled
def _count_steps(inputs: Ids, targets: Ids, reader: Reader, rooms: NDArray[np.bool_]) -> Ids:
    """Do the work of `GeometricMixture.count`; return the number of new entries of each table."""
    new = np.zeros(3, np.int64)
    for step in range(len(inputs)):
        _follow(reader, inputs[step], True)
        if targets[step] >= 0:
            _learn(reader, targets[step], rooms, new)
    return new


@compiled
def _skip_steps(inputs: Ids, reader: Reader) -> None:
    for token in inputs:
        _follow(reader, token, False)


@compiled
def _follow(reader: Reader, token: int, learn: bool) -> None:
    """Read an id; START and END begin contexts anew."""
    advance(reader.whole.context, token, reader.ends)
    advance(reader.recent.context, token, reader.ends)
    if token == reader.ends[0] or token == reader.ends[1]:
        open_words(reader.words)
    else:
        follow_words(reader.words, token)
    follow_match(reader.matches, token, learn)


@compiled
def _learn(reader: Reader, target: int, rooms: NDArray[np.bool_], new: Ids) -> None:
    """Count an id where the reader is, in the tables that have room."""
    ids, whole, recent, spelled = reader.ends[1] + 1, reader.whole, reader.recent, reader.spelled
    if rooms[0]:
        new[0] += count_all(whole.keys, whole.table, whole.context, target, ids)
    if rooms[1]:
        new[1] += count_all(recent.keys, recent.table, recent.context, target, ids)
    if rooms[2]:
        for context in reader.words.contexts:
            given = spelled.keys, spelled.table, context, target, False, ids
            new[2] += count_one(*given)[0]
    learn_match(reader.matches, target)


@compiled
def collect(mask: NDArray[np.uint8], target: int, tokens: Ids) -> int:
    """Fill in the ids that may come, and return how many: all if the target is forbidden."""
    free, count = not len(mask) or not has_bit(mask, target), 0
    for token in range(len(tokens)):
        if free or has_bit(mask, token):
            tokens[count] = token
            count += 1
    return count


@compiled
def gather(
    networks: NDArray[np.float64],
    reader: Reader,
    tokens: Ids,
    given: NDArray[np.float64],
    orders: NDArray[np.float64],
    places: Ids,
) -> None:
    """Fill in what each model gives some ids, ``(M, N)``, from those of the networks ``(K, V')``.

    `orders` (LONGEST, V') and `places` (V',) are space.
    """
    count, end, row = len(tokens), reader.ends[1], len(networks)
    for network in range(row):
        for place in range(count):
            given[network, place] = networks[network, tokens[place]]
    whole, recent, spelled = reader.whole, reader.recent, reader.spelled
    some = orders[:, :count]
    spread(whole.keys, whole.table, whole.context, tokens, end, places, some, given[row])
    for number, order in enumerate(LOWER):
        given[row + 1 + number] = some[order - 1]
    row += 1 + len(LOWER)
    spread(recent.keys, recent.table, recent.context, tokens, end, places, some, given[row])
    row += 1
    contexts = reader.words.contexts
    for number in range(len(contexts)):
        one = contexts[number : number + 1]
        spread(spelled.keys, spelled.table, one, tokens, end, places, some[:1], given[row])
        given[row] = some[0]
        row += 1
    for model in range(len(networks), row):
        given[model] = np.log(given[model])
    given[row] = 0.0
    lead = believed(reader.matches, end + 1)
    for place in range(count):
        if tokens[place] == reader.matches.now[2]:
            given[row, place] = lead
    for model in range(row):
        for place in range(count):
            given[model, place] = max(given[model, place], LEAST)
