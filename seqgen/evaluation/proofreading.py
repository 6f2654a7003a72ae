"""Learns the proofreader of a run from its corpus, at the end of a training or for an old run.

Comes from: `seqgen.evaluation.criticism` chooses the training pieces. Next:
`seqgen.run.proofreader` keeps what was learned, `seqgen.generation.retrying` reads words with it.
"""

from __future__ import annotations

from seqgen.bounds import checked
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, CorpusError
from seqgen.evaluation.criticism import training_pieces
from seqgen.plugins.faults import naming_faults
from seqgen.plugins.proofreaders import Learned, Proofreader, checked_arrays, proofreader_of
from seqgen.run.folder import Run
from seqgen.run.proofreader import saved_proofreader


@naming_faults
@checked
def learn_proofreader(run: Run, corpus: Corpus | None = None) -> Proofreader:
    """Return what reads the words of new pieces, for ``seqgen.generate(..., tries=4)``.

    A training that comes to its end saves one in the run folder; this one is learned anew.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        By default the run's. At most 400 training pieces are read.

    Raises
    ------
    ConfigError
        If the domain does not proofread, or not these pieces.
    CorpusError
        If the corpus does not exist any more.
    """
    learned = learned_of(run, corpus or run.corpus())
    if learned is None:
        raise ConfigError(
            f"the domain {run.info['domain']} cannot read the words of these pieces, so none can "
            f"be drawn again; leave out tries"
        )
    return proofreader_of(run.domain, learned)


def learned_of(run: Run, corpus: Corpus) -> Learned | None:
    """Return what the domain learns of training pieces; None if it does not proofread them."""
    learned = run.domain.learn_proofreader(training_pieces(corpus))
    return None if learned is None else checked_arrays(run.domain, learned)


def proofreader_for(run: Run, corpus: Corpus | None = None) -> Proofreader:
    """Return the proofreader in the run folder, or one that is learned from the corpus.

    Raises
    ------
    ConfigError
        If the domain does not proofread.
    CorpusError
        If there is neither.
    RunError
        If the one in the folder is damaged.
    """
    if (saved := saved_proofreader(run)) is not None:
        return saved
    try:
        return learn_proofreader(run, corpus)
    except CorpusError as error:
        raise CorpusError(
            f"{run.name} has no proofreader, and none can be learned ({error}); train again, or "
            f"leave out tries"
        ) from error
