"""A piece that is watched while it is written, and can be stopped at any token.

`watch` writes what `generate` writes, for the playground (`seqgen.serve`). Unlike `stream` it keeps
the piece and the probabilities of its tokens, and it follows candidates, of which another one may
become the best.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from operator import eq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.config import LimitConfig, SampleConfig
from seqgen.generation.candidates import write_guided
from seqgen.generation.guidance import GuidedStepper, guidance_for
from seqgen.generation.pieces import Draft, Generated, Place
from seqgen.generation.prompts import read_on, read_prompt
from seqgen.generation.writer import Writer
from seqgen.plugin import Ids
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper


@dataclass(frozen=True)
class Seen:
    """Tokens of a piece that are new, or differ from those that were seen.

    Attributes
    ----------
    at : int
        Position of the first of them. What was seen from there on is no longer true.
    ids : list of int
    log_probabilities : list of float or None
        Of each under the model, in nats; None for a token of the prompt.
    """

    at: int
    ids: list[int]
    log_probabilities: list[float | None]


@dataclass(frozen=True)
class Asked:
    """What a piece is asked to be: arguments of `seqgen.generate`.

    Attributes
    ----------
    prompt : piece, Excerpt or None
    onward : int64 array (N,) or None
        In place of a prompt, the first ids of a piece, which stay as they are.
    condition : object
    sample : SampleConfig
    limit : LimitConfig
    seed : int
    """

    prompt: Any = None
    onward: Ids | None = None
    condition: Any = None
    sample: SampleConfig = field(default_factory=SampleConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    seed: int = 0


@naming_faults
def watch(
    run: Run,
    stepper: Stepper,
    asked: Asked,
    is_stopped: Callable[[int], bool],
    new_sample: Callable[[int], SampleConfig | None] = lambda count: None,
) -> Generator[Seen, None, Generated]:
    """Write the first piece that `seqgen.generate` writes with these arguments.

    Parameters
    ----------
    run : Run
    stepper : Stepper
        No other thread uses it meanwhile.
    asked : Asked
    is_stopped : callable
        Called with the number of tokens after each step; True stops the piece as Ctrl-C does.
    new_sample : callable
        Called in the same way; settings that it returns hold from the next token on. The guidance
        stays as it was.

    Yields
    ------
    Seen
        The prompt first; after each step what is new.

    Returns
    -------
    Generated
    """
    codec, condition, sample = run.codec, asked.condition, asked.sample
    if (guidance := guidance_for(run, condition, sample)) != 1:
        stepper = GuidedStepper(stepper, run, guidance)
    begin = _place_of(run, stepper, asked)
    writer = Writer(stepper, run, begin, condition, sample, asked.limit, (), asked.seed)
    drafts = [writer.draft(0)]
    candidates = codec.candidates(condition)
    if candidates == 1:
        steps = writer.write([*drafts])
    else:
        steps = write_guided(writer, drafts, candidates, codec)
    seen: list[int] = []
    yield from _new(writer, drafts[0], seen)
    is_closing = False
    for _ in steps:
        yield from _new(writer, drafts[0], seen)
        if drafts[0].stopped_by is None and not is_closing and is_stopped(drafts[0].count):
            is_closing = writer.close(drafts, "interrupt")
            if not is_closing:
                drafts[0].stop("interrupt")
                break
        if (changed := new_sample(drafts[0].count)) is not None:
            writer.draw_by(changed)
    yield from _new(writer, drafts[0], seen)
    return drafts[0].generated(run, condition, with_prompt=True)


def _new(writer: Writer, draft: Draft, seen: list[int]) -> Iterator[Seen]:
    """Yield what of a draft was not seen, if there is anything; then it is seen."""
    ids = draft.ids[: writer.settled(draft)]
    at = len(seen) if ids[: len(seen)] == seen else sum(takewhile(bool, map(eq, ids, seen)))
    if at == len(ids) == len(seen):
        return
    seen[at:] = ids[at:]
    # A spelled end of the prompt has one probability for all of its tokens.
    drawn = draft.log_probabilities[1 if draft.open_text else 0 :]
    logs = [None] * max(draft.prompt - at, 0) + drawn[max(at - draft.prompt, 0) :]
    yield Seen(at, ids[at:], logs[: len(ids) - at])


def _place_of(run: Run, stepper: Stepper, asked: Asked) -> Place:
    """Return the place from which a piece goes on."""
    prompt, condition = asked.prompt, asked.condition
    if isinstance(stepper, GuidedStepper):
        start = stepper.place_after(run, prompt, condition)
    else:
        start = read_prompt(stepper, run, prompt, condition)
    if asked.onward is None:
        return start
    return read_on(stepper, run, start, asked.onward[start.primed.kept :])


@naming_faults
def alternatives(
    run: Run, stepper: Stepper, ids: Ids, condition: Any, most: int
) -> list[tuple[int, float]]:
    """Return the likeliest ids after ids ``(N,)`` under the model, with their probabilities.

    Parameters
    ----------
    run : Run
    stepper : Stepper
        No other thread uses it meanwhile.
    ids : int64 array (N,)
        The beginning of a piece; label tokens included.
    condition : object
        That of the piece.
    most : int
        Number of ids to return.
    """
    place = _place_of(run, stepper, Asked(onward=ids, condition=condition))
    writer = Writer(stepper, run, place, condition, None, None, (), 0)
    draft = writer.draft(0)
    scores, _ = writer.predicted([draft], writer.start([draft]))
    order: NDArray[np.int64] = np.argsort(-scores[0], kind="stable")[:most]
    found = [(int(token), float(np.exp(scores[0][token]))) for token in order]
    return [(token, share) for token, share in found if share > 0]
