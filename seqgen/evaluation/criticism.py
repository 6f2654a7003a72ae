"""The critic of a run: it says which of several new pieces are better, and why.

What a good piece is, the domain says (`Domain.critic`), by what it learned from training pieces. In
every domain a piece that does not end, or that recites, has a fault. For a domain without a critic
the core measures what it can of any tokens: how likely they are, and how often one is repeated.

Comes from: `seqgen.evaluation.novelty`. Next: `seqgen.generation.engine` chooses by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np

from seqgen.bounds import checked
from seqgen.conditions.kept import Kept
from seqgen.conditions.labels import content_of
from seqgen.config import LimitConfig
from seqgen.criticism import Criticism, Norm, Norms
from seqgen.data.corpus import Corpus
from seqgen.data.splits import Segment
from seqgen.evaluation.comparison import reference_segments, spaced_segments
from seqgen.evaluation.novelty import longest_passage
from seqgen.evaluation.probing import worded
from seqgen.generation.choosing import Critic
from seqgen.generation.pieces import ENDED, Generated
from seqgen.plugin import Ids, Piece
from seqgen.plugins.checks import checked_criticism
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run

#: Most training pieces and tokens that a critic learns from.
PIECES, TOKENS = 400, 2**21

#: Most held-out pieces, and tokens of each of them and of a new piece, that are compared with
#: training pieces, and that the network scores for a domain without a critic.
HELD_OUT, LONGEST = 40, 4096

#: Share of a piece that may be one passage of a training piece, unless held-out pieces have more.
RECITED = 0.5

#: Measures of the core.
MEASURES = {
    "log-probability per token": Norm("nats"),
    "longest run of one token": Norm("tokens", "high"),
}


@naming_faults
@checked
def learn_critic(run: Run, corpus: Corpus | None = None) -> Critic:
    """Return what judges new pieces of a run, for ``seqgen.generate(..., best_of=4)``.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        By default the run's. At most `PIECES` training pieces are decoded, until they have `TOKENS`
        tokens.

    Raises
    ------
    CorpusError
        If the corpus does not exist any more.
    """
    corpus = corpus or run.corpus()
    held_out = _held_out_ids(corpus)
    judge = _domain_critic(run, corpus) or _critic_of_tokens(run, held_out)

    @cache
    def usually_recited() -> float:
        return max((_recited(corpus, ids)[0] for ids in held_out), default=0.0)

    def criticise(new: Generated, condition: Any, limit: LimitConfig) -> Criticism:
        """Add the faults that every domain has to those that the domain finds."""
        found, faults = judge(new, content_of(condition)), _unended(new, limit)
        # What stays of a given piece is not recited.
        if not isinstance(content_of(condition), Kept):
            share, source = _recited(corpus, new.ids[new.prompt :][:LONGEST])
            # Held-out pieces are read only where it matters.
            if share > RECITED and share > usually_recited():
                faults += (f"{share:.0%} of it is one passage of {source}",)
        return Criticism(faults + found.faults, found.rarity)

    return criticise


def _domain_critic(run: Run, corpus: Corpus) -> Callable[[Generated, Any], Criticism] | None:
    """Return the critic of the domain, if it has one."""
    judge = run.domain.critic(training_pieces(corpus))
    if judge is None:
        return None
    return lambda new, condition: checked_criticism(run.domain, judge(new.piece, condition))


def training_pieces(corpus: Corpus) -> Iterator[Piece]:
    """Yield training pieces in a mixed order, so that the first ones are like all of them.

    They are at most `PIECES`, until they have `TOKENS` tokens.
    """
    segments = spaced_segments(corpus, "train", PIECES)
    chosen, room = list[Segment](), TOKENS
    for number in np.random.default_rng(0).permutation(len(segments)):
        if room <= 0:
            break
        segment = segments[int(number)]
        stop = min(segment.stop, segment.start + room)
        chosen.append(Segment(segment.piece, segment.start, stop))
        room -= stop - segment.start
    yield from worded(corpus, chosen)


def _held_out_ids(corpus: Corpus) -> list[Ids]:
    """Return the ids of held-out pieces; of training pieces if none is held out."""
    found = []
    for segment in reference_segments(corpus, HELD_OUT):
        ids = np.asarray(corpus.piece(segment.piece)[: segment.stop], np.int64)
        ids = corpus.codec.continuation(ids, segment.start) if segment.start else ids
        found.append(ids[:LONGEST])
    return found


def _recited(corpus: Corpus, ids: Ids) -> tuple[float, str]:
    """Return the share of a piece that one passage of a training piece is, and its file."""
    passage = longest_passage(corpus, ids, TOKENS)
    if not passage.tokens:
        return 0.0, ""
    return passage.tokens / len(ids), corpus.source(passage.piece)


def _unended(new: Generated, limit: LimitConfig) -> tuple[str, ...]:
    """Return the fault of a piece that does not end; a length that was asked for is no fault."""
    asked = new.stopped_by == "stop" or (new.stopped_by == "length" and limit.length)
    return () if asked or new.stopped_by in ENDED else ("it does not end",)


def _critic_of_tokens(run: Run, held_out: list[Ids]) -> Callable[[Generated, Any], Criticism]:
    """Return a critic that measures tokens alone."""
    # Imports PyTorch, which domains with a critic do without.
    from seqgen.evaluation.scoring import score_ids

    likelihoods = [
        -(one.nats + one.end_nats) / (one.tokens + 1) for one in score_ids(run, held_out)
    ]
    rows = (
        dict(zip(MEASURES, (likelihood, _longest_run(ids)), strict=True))
        for likelihood, ids in zip(likelihoods, held_out, strict=True)
    )
    norms = Norms(MEASURES, rows)

    def criticise(new: Generated, condition: Any) -> Criticism:
        """Compare the tokens of a piece with those of held-out pieces."""
        values = (new.log_probability_per_token, _longest_run(new.ids[new.prompt :]))
        return norms.criticise(dict(zip(MEASURES, values, strict=True)))

    return criticise


def _longest_run(ids: Ids) -> float:
    """Return how often one token is repeated in a row, at most."""
    return float(max((len([*run]) for _, run in groupby(ids.tolist())), default=0))
