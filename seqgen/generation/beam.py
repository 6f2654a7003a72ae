"""Beam search: the likeliest pieces that so many candidates at a time lead to, nothing drawn.

For those who score. To read or listen to, what `seqgen.generation.engine` draws is better: the
likeliest pieces are mostly short, or repeat themselves (Holtzman et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqgen.bounds import Count, Width, checked
from seqgen.config import LimitConfig
from seqgen.errors import ConfigError
from seqgen.generation.sampling import log_softmax
from seqgen.generation.stepper import Stepper, choose_stepper
from seqgen.generation.writer import Generated, Lane, Primed, Task
from seqgen.plugin import Ids, Piece
from seqgen.run import Run


@checked
def search(
    run: Run,
    width: Width,
    count: Count = 1,
    *,
    prompt: Piece | Primed | None = None,
    condition: Any = None,
    limit: LimitConfig | None = None,
    stop: Sequence[Ids] = (),
    with_prompt: bool = True,
    int8: bool = False,
) -> Iterator[Generated]:
    """Search for the likeliest pieces.

    Parameters
    ----------
    run : Run
    width : int
        Beginnings that are kept at every step; 1 always takes the likeliest token.
    count : int
        How many pieces; at most `width`.
    prompt, condition, limit, stop, with_prompt, int8
        As for `seqgen.generate`. With a limit in tokens, pieces may be cut there.

    Yields
    ------
    Generated
        What was found, likeliest first. When Ctrl-C interrupts, the candidates come as they are
        before it is raised again.

    Raises
    ------
    ConfigError
        If `count` exceeds `width`.
    """
    if count > width:
        raise ConfigError(f"a beam of {width} finds 1 to {width} pieces, not {count}")
    stepper = choose_stepper(run, width, int8=int8)
    task = Task(stepper, run, prompt, condition, None, limit, stop, 0)
    beam, found = [task.lane(0)], list[Lane]()
    interrupt = None
    try:
        for step in _steps(task, stepper, run, width, count):
            beam, found = step
    except KeyboardInterrupt as error:
        interrupt = error
    for lane in beam[: count - len(found)]:
        lane.stop("time" if interrupt is None else "interrupt")
        found.append(lane)
    for number, lane in enumerate(found):
        lane.index = number
        yield lane.generated(run.codec, with_prompt)
    if interrupt is not None:
        raise interrupt


def _steps(
    task: Task, stepper: Stepper, run: Run, width: int, count: int
) -> Iterator[tuple[list[Lane], list[Lane]]]:
    """Yield after each step the candidates, likeliest first, and the best that have ended."""
    beam, found = [task.lane(0)], list[Lane]()
    state = task.state
    while beam and not task.is_late():
        lanes = task.lanes(beam)
        logits, state = stepper.read(lanes.ids[:, None], lanes.features[:, None], state)
        scores = np.stack([log_softmax(row) for row in logits])
        so_far = np.array([sum(lane.log_probabilities) for lane in beam])
        totals = np.where(lanes.allowed, so_far[:, None] + scores, -np.inf)
        order = np.argsort(-totals, axis=None, kind="stable")
        best = [divmod(int(place), totals.shape[1]) for place in order[:width]]
        parents, following, ended = [], [], []
        for row, token in best:
            if totals[row, token] == -np.inf:
                break
            lane = beam[row].branch(run.codec)
            task.take(lane, [token], [float(scores[row, token])])
            if lane.stopped_by is None:
                following.append(lane)
                parents.append(row)
            else:
                ended.append(lane)
        found = sorted([*found, *ended], key=_unlikelihood)[:count]
        beam, state = following, stepper.select(state, np.array(parents, np.int64))
        yield beam, found
        # A piece only becomes less likely as it grows.
        if len(found) == count and beam and _unlikelihood(beam[0]) >= _unlikelihood(found[-1]):
            return


def _unlikelihood(lane: Lane) -> float:
    return -sum(lane.log_probabilities)
