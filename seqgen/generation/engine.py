"""THE ENGINE, as it is called: new pieces, many at once, or one as a stream of tokens.

A piece's draws come from a counter-based generator keyed by (seed, index), so piece i is the same
whatever is generated beside it. The loop itself: `seqgen.generation.writer`. Next: the codec's
``decode`` and the domain's ``write``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from seqgen.bounds import Candidates, Count, CountOrZero, Seed, Width, checked
from seqgen.config import LimitConfig, SampleConfig
from seqgen.generation.candidates import write_guided
from seqgen.generation.pieces import Generated, Primed
from seqgen.generation.stepper import choose_stepper
from seqgen.generation.writer import Writer, read_prompt
from seqgen.plugin import Ids, Piece
from seqgen.run.folder import Run

__all__ = ["Generated", "Primed", "generate", "prime", "stream"]

#: Called with how many pieces have ended, how many tokens were drawn so far, END included, and the
#: ids of the first piece of those in the making.
Progress: TypeAlias = Callable[[int, int, Sequence[int]], None]

#: Pieces that are generated side by side.
BATCH = 32


def prime(run: Run, prompt: Piece | None = None, *, condition: Any = None) -> Primed:
    """Let a model read a prompt, in one pass.

    Parameters
    ----------
    run : Run
    prompt : piece, optional
        What pieces are to begin with; by default nothing.
    condition : object, optional
        Handed to the codec's tracker.

    Raises
    ------
    DataError
        If the prompt cannot be encoded.
    """
    primed, _ = read_prompt(choose_stepper(run, 1), run, prompt, condition)
    return primed


@checked
def generate(
    run: Run,
    count: Count = 1,
    *,
    prompt: Piece | Primed | None = None,
    condition: Any = None,
    sample: SampleConfig | None = None,
    limit: LimitConfig | None = None,
    stop: Sequence[Ids] = (),
    seed: Seed = 0,
    candidates: Candidates = None,
    batch_size: Width = BATCH,
    with_prompt: bool = True,
    int8: bool = False,
    progress: Progress | None = None,
) -> Iterator[Generated]:
    """Write new pieces.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    count : int
        How many pieces.
    prompt : piece or Primed, optional
        What every piece begins with.
    condition : object, optional
        Handed to the codec's tracker: what the user wants in the result.
    sample : SampleConfig, optional
        How tokens are drawn.
    limit : LimitConfig, optional
        When to stop a piece that does not end.
    stop : sequence of int64 array
        A piece ends after any of these sequences of ids.
    seed : int
        With the index it fixes each piece.
    candidates : int, optional
        Candidates for each piece, of which those go on from which what is given follows best; by
        default what the codec says of the condition.
    batch_size : int
        Pieces generated side by side; does not change them. One with several candidates is written
        by itself.
    with_prompt : bool
        Whether `Generated.piece` begins with the prompt.
    int8 : bool
        Use weights rounded to 8 bits, which is faster and not quite the same model.
    progress : callable, optional
        Told every few steps how far it is.

    Yields
    ------
    Generated
        In the order of their indices, as soon as a batch is done. When Ctrl-C interrupts, the
        pieces in the making come as they are before it is raised again.

    Raises
    ------
    ConfigError
        If a number is outside its bounds.
    DataError
        If the prompt cannot be encoded, or the codec's tracker allows no token.
    """
    if candidates is None:
        candidates = run.codec.candidates(condition)
    # Candidates are side by side themselves.
    batch_size = min(count, batch_size) if candidates == 1 else 1
    stepper = choose_stepper(run, batch_size * candidates, int8=int8)
    writer = Writer(stepper, run, prompt, condition, sample, limit, stop, seed)
    drawn = 0
    for first in range(0, count, batch_size):
        if writer.is_late():
            return
        drafts = [writer.draft(index) for index in range(first, min(first + batch_size, count))]
        if candidates == 1:
            steps = writer.write(drafts)
        else:
            steps = write_guided(writer, drafts, candidates, run.codec)
        try:
            for step_drawn in steps:
                drawn += step_drawn
                if progress is not None:
                    ended = sum(draft.stopped_by is not None for draft in drafts)
                    progress(first + ended, drawn, drafts[0].ids)
        except KeyboardInterrupt:
            for draft in drafts:
                if draft.stopped_by is None:
                    draft.stop("interrupt")
            yield from (draft.generated(run.codec, with_prompt) for draft in drafts)
            raise
        yield from (draft.generated(run.codec, with_prompt) for draft in drafts)


@checked
def stream(
    run: Run,
    *,
    prompt: Piece | Primed | None = None,
    condition: Any = None,
    sample: SampleConfig | None = None,
    limit: LimitConfig | None = None,
    stop: Sequence[Ids] = (),
    seed: Seed = 0,
    index: CountOrZero = 0,
    int8: bool = False,
) -> Iterator[int]:
    """Write one piece and yield its ids as they come, in constant memory.

    The parameters are those of `generate`, which writes the same piece with one particle. Without
    a limit it goes on until the model ends the piece.

    Yields
    ------
    int
        The ids drawn, without the prompt's and without END.
    """
    limit = limit or LimitConfig(length=math.inf)
    writer = Writer(
        choose_stepper(run, 1, int8=int8), run, prompt, condition, sample, limit, stop, seed
    )
    draft = writer.draft(index)
    sent = draft.count
    for _ in writer.write([draft]):
        yield from draft.ids[len(draft.ids) - (draft.count - sent) :]
        sent = draft.count
        writer.forget(draft)
