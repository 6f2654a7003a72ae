"""Beam search: the most likely pieces that a number of candidates per step leads to.

It is for research on scores. Sampled pieces (`seqgen.generation.engine`) are better to read or
hear: the most likely pieces are mostly short, or repeat themselves (Holtzman et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seqgen.bounds import Count, Width, checked
from seqgen.config import Limit, as_limit
from seqgen.errors import ConfigError
from seqgen.generation.given import (
    Prompt,
    Stop,
    given_condition,
    given_prompt,
    given_stops,
)
from seqgen.generation.interrupts import rest_of
from seqgen.generation.pieces import Draft, Generated
from seqgen.generation.writer import Writer
from seqgen.plugin import Piece
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper, choose_stepper
from seqgen.storage.signals import noticed
from seqgen.unknown import OrError


@naming_faults
@checked
def search(
    run: Run[Piece],
    width: Width,
    count: Count = 1,
    *,
    prompt: Prompt[Piece] = None,
    condition: Any = None,
    unknown: OrError = "error",
    limit: Limit = None,
    stop: Stop = (),
    with_prompt: bool = True,
    int8: bool = False,
) -> Iterator[Generated[Piece]]:
    """Search for the most likely pieces.

    Parameters
    ----------
    run : Run
    width : int
        Candidates kept at every step; 1 always takes the most likely token.
    count : int
        Number of pieces; at most `width`.
    prompt, condition, unknown, limit, stop, with_prompt, int8
        As for `seqgen.generate`.

    Yields
    ------
    Generated
        The pieces, most likely first. When the time is up, or after Ctrl-C, the best unfinished
        candidates come, and Ctrl-C is raised again. With a grammar that knows the way to the end
        they close what is open first; those that a second Ctrl-C leaves open do not come.

    Raises
    ------
    ConfigError
        If `count` exceeds `width`.
    """
    if count > width:
        raise ConfigError(f"a beam of {width} finds 1 to {width} pieces, not {count}")
    prompt, condition = given_prompt(run, prompt, unknown), given_condition(run, condition, unknown)
    stepper, stops = choose_stepper(run, width, int8=int8), given_stops(run, stop, unknown)
    writer = Writer(stepper, run, prompt, condition, None, as_limit("limit", limit), stops, 0)
    beam, found = list[Draft](), list[Draft]()
    interrupt = None
    steps = _steps(writer, stepper, run, width, count)
    try:
        with noticed() as signals:
            for step in steps:
                beam, found = step
                if signals:
                    break
    except KeyboardInterrupt as error:
        interrupt = error
    if interrupt is not None and writer.close(beam, "interrupt"):
        for step in rest_of(steps):
            beam, found = step
    if not writer.closes:
        for draft in beam[: count - len(found)]:
            draft.stop("time" if interrupt is None else "interrupt")
            found.append(draft)
    for number, draft in enumerate(found):
        draft.index = number
        yield draft.generated(run, condition, with_prompt)
    if interrupt is not None:
        raise interrupt


def _steps(
    writer: Writer, stepper: Stepper, run: Run, width: int, count: int
) -> Iterator[tuple[list[Draft], list[Draft]]]:
    """Yield after each step the candidates, most likely first, and the best finished ones."""
    beam, found = writer.likeliest_drafts(width), list[Draft]()
    state = writer.start(beam)
    while beam:
        if writer.is_late() and not writer.close(beam, "time"):
            return
        # Candidates that were closed since the last step leave the beam.
        found = _best([*found, *beam], count)
        beam, state = writer.going(beam, state)
        if not beam:
            yield beam, found
            return
        scores, state = writer.predicted(beam, state)  # (B, V')
        so_far = np.array([sum(draft.log_probabilities) for draft in beam])  # (B,)
        totals = so_far[:, None] + scores  # (B, V')
        order = np.argsort(-totals, axis=None, kind="stable")
        best = [divmod(int(place), totals.shape[1]) for place in order[:width]]
        parents, following, ended = [], [], []
        for row, token in best:
            if totals[row, token] == -np.inf:
                break
            draft = beam[row].branch(run.codec)
            writer.take(draft, [token], [float(scores[row, token])])
            if draft.stopped_by is None:
                following.append(draft)
                parents.append(row)
            else:
                ended.append(draft)
        found = _best([*found, *ended], count)
        beam, state = following, stepper.select(state, np.array(parents, np.int64))
        yield beam, found
        # A piece only becomes less likely as it grows.
        if len(found) == count and beam and _unlikelihood(beam[0]) >= _unlikelihood(found[-1]):
            return


def _best(drafts: list[Draft], count: int) -> list[Draft]:
    """Return the likeliest of the pieces that have stopped."""
    return sorted((each for each in drafts if each.stopped_by), key=_unlikelihood)[:count]


def _unlikelihood(draft: Draft) -> float:
    return -sum(draft.log_probabilities)
