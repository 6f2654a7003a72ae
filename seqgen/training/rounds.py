"""Rounds of a training on dictated text whose alignment is a guess.

Nobody marked which content belongs to which symbol, so a codec guesses (`Dictation.is_guess`). The
model that has learned from this guess finds a better one, and the training goes on with it, a few
times. The pieces of each round are a corpus folder in the run folder; the corpus itself stays as it
is. Test pieces are left alone.

Comes from: `seqgen.training.keeping`. Next: `seqgen.training.realignment`, the search.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.data.corpus import Corpus
from seqgen.data.rewriting import rewrite
from seqgen.data.splits import Split
from seqgen.listener import Report
from seqgen.plugin import Ids
from seqgen.run.folder import Run
from seqgen.run.results import aligned_folder
from seqgen.training.learner import Counts, Learner
from seqgen.training.loop import losses, spent, use_threads
from seqgen.training.realignment import TOGETHER, realigned

#: Shares of the budget after which pieces are realigned. The last round has most of the budget. A
#: model that starts from another one knows symbols already, so it realigns at once.
AFTER, AFTER_ANOTHER = (0.2, 0.4), (0.0, 0.2, 0.4)

#: Largest share of a time budget for realigning once; pieces that are left stay as they are. Before
#: anything is learned it is larger: what is left then misleads a model that knows better.
MOST_TIME, MOST_TIME_AT_FIRST = 0.1, 0.3

#: Splits that are realigned. The test split is not, so its loss is that of the codec's guess.
SEEN: tuple[Split, ...] = ("train", "valid")

#: Pieces to realign first, to see how fast it is.
FIRST = 4

#: Seconds between two reports.
REPORT_EVERY = 1.0


class Rounds:
    """Realigns the pieces of a training, and knows the corpus of each round.

    A round is known by its number, which checkpoints hold: 0 is the corpus as it was prepared.

    Parameters
    ----------
    run : Run
    corpus : Corpus

    Attributes
    ----------
    found : dict
        The entry of the last round for ``run.json``.
    """

    def __init__(self, run: Run, corpus: Corpus) -> None:
        self._run, self._corpus = run, corpus
        self.found: dict[str, Any] = {}
        dictation = run.codec.dictation
        self._dictation = dictation if dictation is not None and dictation.is_guess else None
        self._after = AFTER_ANOTHER if "from" in run.info else AFTER

    def due(self, counts: Counts) -> int:
        """Return the round that a training should be in, from the evaluations it has had.

        Evaluations come at the same updates in every training with the same settings.
        """
        had = counts.next_evaluation - 1 / self._run.train_config.evaluations
        if self._dictation is None or had > 1 - 1e-9:
            return counts.round
        return sum(had > share - 1e-9 for share in self._after)

    def is_due(self, counts: Counts) -> bool:
        """Return whether pieces are to be realigned before the training goes on."""
        return self.due(counts) > counts.round

    def corpus(self, number: int) -> Corpus:
        """Return the corpus of a round."""
        return Corpus(aligned_folder(self._run.folder, number)) if number else self._corpus

    def realign(self, learner: Learner, report: Report | None) -> Iterator[Report]:
        """Begin the next round; Ctrl-C ends it, and the training after one more update.

        Parameters
        ----------
        learner : Learner
        report : Report or None
            The last report of the training, if there is one.

        Yields
        ------
        Report
            About once a second. The last one has the validation loss on the realigned pieces, and
            is `improved`; then `found` is the entry of the round for ``run.json``.
        """
        counts, world = learner.counts, learner.world
        use_threads(learner.config)
        number = self.due(counts)
        search = _Search(self._run, learner, self.corpus(counts.round), report)
        if world.leads:
            with learner.ending_on_ctrl_c():
                yield from search.write(aligned_folder(self._run.folder, number), number)
        learner.ending = world.share(learner.ending)
        counts.seconds = search.seconds
        if learner.ending:
            return
        counts.round = number
        measured = None
        if world.leads:
            self.found, measured = search.measured(self.corpus(number), number)
            counts.seconds, counts.best = measured.seconds, self.found["after"]
        if not counts.step:
            counts.began = world.share(measured.fraction if measured else 0.0)
        if measured:
            yield measured
        learner.model.train()

    def finish(self, number: int) -> None:
        """Remove the corpora of earlier rounds; that of the last one stays."""
        for earlier in range(1, number):
            shutil.rmtree(aligned_folder(self._run.folder, earlier), ignore_errors=True)


class _Search:
    """Realigns the pieces of one round, with reports of the progress."""

    def __init__(self, run: Run, learner: Learner, corpus: Corpus, report: Report | None) -> None:
        assert run.codec.dictation is not None
        self._run, self._learner, self._corpus = run, learner, corpus
        self._dictation, self._report = run.codec.dictation, report
        self._most = self._dictation.most.copy()
        self._began = self._reported_at = time.monotonic() - learner.counts.seconds
        self._pieces = sorted(
            {segment.piece for split in SEEN for segment in corpus.segments(split)}
        )
        self._done = self._content = self._moved = 0

    @property
    def seconds(self) -> float:
        """Seconds since the training began."""
        return time.monotonic() - self._began

    def write(self, folder: Path, number: int) -> Iterator[Report]:
        """Write the corpus of a round, unless Ctrl-C ends the training."""
        yield self._reported(f"realigning {len(self._pieces):,} pieces, round {number}")
        changed = []
        for piece, ids in self._realigned(number):
            changed.append((piece, ids))
            self._done = len(changed)
            if time.monotonic() - self._reported_at >= REPORT_EVERY:
                yield self._reported("")
            if self._learner.ending:
                return
        rewrite(self._corpus, folder, changed)

    def _realigned(self, number: int) -> Iterator[tuple[int, Ids]]:
        """Yield the number and the new ids of pieces, in random order, while there is time."""
        rng = np.random.default_rng((self._learner.config.seed, number))
        shuffled = rng.permutation(self._pieces).tolist()
        share = MOST_TIME if self._learner.counts.step else MOST_TIME_AT_FIRST
        left, size, is_warm = share * self._learner.counts.budget or np.inf, 1, False
        while shuffled and size:
            began = time.monotonic()
            group, shuffled = shuffled[:size], shuffled[size:]
            former = [np.array(self._corpus.piece(piece), np.int64) for piece in group]
            for piece, old, new in zip(group, former, realigned(self._run, former), strict=True):
                self._count(old, new)
                yield piece, new
            if not is_warm:
                size, is_warm = FIRST, True  # The first piece compiles code; its time says nothing.
                continue
            taken = time.monotonic() - began
            left -= taken
            # As many as there is time for, at the speed of this group; none if it is used up.
            size = int(max(0, min(2 * size, TOGETHER, left / max(taken, 1e-9) * size)))

    def _count(self, old: Ids, new: Ids) -> None:
        """Count the content that moved, and the units of symbols."""
        of_symbols = []
        for ids in (old, new):
            is_content = ids < self._dictation.first
            of_symbols.append(self._dictation.follow(ids).places[1:][is_content])
        self._content += len(of_symbols[0])
        self._moved += int((of_symbols[0] != of_symbols[1]).sum())
        np.maximum(self._most, self._dictation.units(new), out=self._most)

    def measured(self, corpus: Corpus, number: int) -> tuple[dict[str, Any], Report]:
        """Measure the new corpus; return an entry of ``run.json``, and a report."""
        learner = self._learner
        config = learner.config
        (before, _), (after, carried) = (
            losses(learner.model, each, config, config.evaluation_tokens)
            for each in (self._corpus, corpus)
        )
        self._dictation.raise_most(self._most)
        found = {
            "round": number,
            "step": learner.counts.step,
            "pieces": self._done,
            "all": len(self._pieces),
            "moved": self._moved / max(self._content, 1),
            "before": before,
            "after": after,
            "most": self._most.tolist(),
        }
        report = self._reported(_message(found))
        return found, replace(report, valid_loss=after, carried_loss=carried, improved=True)

    def _reported(self, message: str) -> Report:
        """Return a report of the progress."""
        learner, self._reported_at = self._learner, time.monotonic()
        now = replace(learner.counts, seconds=self.seconds)
        last = self._report or self._saved_report(now)
        return replace(
            last,
            fraction=min(spent(learner.config, self._corpus, now), 1.0),
            seconds=now.seconds,
            message=message,
            valid_loss=None,
            carried_loss=None,
            improved=False,
        )

    def _saved_report(self, now: Counts) -> Report:
        """Return the last report in the run folder: a training that resumes has made none yet."""
        if reports := self._run.metrics:
            return Report(**reports[-1])
        return Report(0.0, now.step, now.tokens, now.seconds, 0.0, 0.0)


def _message(found: dict[str, Any]) -> str:
    """Return in words what a round changed."""
    comparison = (
        f"from {found['before']:.3f} to {found['after']:.3f}"
        if found["after"] < found["before"]
        else f"did not fall: {found['before']:.3f} before, {found['after']:.3f} now"
    )
    return (
        f"realigned {found['pieces']:,} of {found['all']:,} training and validation pieces, "
        f"{found['moved']:.1%} of their content moved; validation loss {comparison}"
    )
