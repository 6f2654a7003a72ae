"""Generation: `generate` many pieces, `stream` the tokens of one, `prime` a prompt.

The random numbers of a piece come from a counter-based generator keyed by (seed, index), so piece i
is the same whatever is generated beside it. The loop is `seqgen.generation.writer`. Next: the
codec's ``decode`` and the domain's ``write``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from seqgen.bounds import Candidates, Count, CountOrZero, Seed, Tries, Width, checked
from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import Limit, LimitConfig, SampleConfig, as_config, as_limit
from seqgen.criticism import Criticism
from seqgen.errors import ConfigError
from seqgen.generation.candidates import write_guided
from seqgen.generation.choosing import (
    Critic,
    best,
    checked_critic,
    fault_count_and_rarity,
)
from seqgen.generation.given import (
    Prompt,
    Stop,
    given_condition,
    given_prompt,
    given_stops,
)
from seqgen.generation.guidance import GuidedStepper, guidance_for
from seqgen.generation.interrupts import kept
from seqgen.generation.pieces import Draft, Excerpt, Generated, Primed
from seqgen.generation.prompts import read_prompt
from seqgen.generation.retrying import Proof, write_proofread
from seqgen.generation.writer import Writer
from seqgen.plugin import Piece
from seqgen.plugins.faults import naming_faults
from seqgen.plugins.proofreaders import Proofreader
from seqgen.run.folder import Run
from seqgen.run.proofreader import saved_proofreader
from seqgen.stepping.stepper import Stepper, choose_stepper
from seqgen.storage.signals import noticed
from seqgen.unknown import OrError

__all__ = ["Excerpt", "Generated", "Primed", "generate", "prime", "stream"]

#: Called with the number of finished pieces, the number of tokens drawn so far, including END, and
#: the ids of the first piece of the batch.
Progress: TypeAlias = Callable[[int, int, Sequence[int]], None]

#: Default number of pieces generated side by side.
BATCH = 32


@naming_faults
@checked
def prime(
    run: Run[Piece],
    prompt: Prompt[Piece] = None,
    *,
    condition: Any = None,
    unknown: OrError = "error",
) -> Primed:
    """Let a model read a prompt, in one pass, for any number of pieces.

    Parameters
    ----------
    run : Run
    prompt : piece, Generated, Path or Excerpt, optional
        The beginning of the pieces; by default nothing.
    condition : object, optional
        Passed to the codec's tracker.
    unknown : {"error", "skip", "nearest"}
        As for `generate`.

    Raises
    ------
    DataError
        If the prompt cannot be encoded.
    """
    prompt, condition = given_prompt(run, prompt, unknown), given_condition(run, condition, unknown)
    return read_prompt(choose_stepper(run, 1), run, prompt, condition).primed


@naming_faults
@checked
def generate(
    run: Run[Piece],
    count: Count = 1,
    *,
    prompt: Prompt[Piece] = None,
    condition: Any = None,
    unknown: OrError = "error",
    sample: SampleConfig | Mapping[str, Any] | None = None,
    limit: Limit = None,
    stop: Stop = (),
    seed: Seed = 0,
    candidates: Candidates = None,
    best_of: Tries = 1,
    critic: Critic | None = None,
    tries: Tries = 1,
    proofreader: Proofreader | None = None,
    batch_size: Width = BATCH,
    with_prompt: bool = True,
    int8: bool = False,
    progress: Progress | None = None,
) -> Iterator[Generated[Piece]]:
    """Write new pieces.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    count : int
        Number of pieces.
    prompt : piece, Generated, Path, Excerpt or Primed, optional
        The beginning of every piece, or the file with it. It stays as it is, also what encoding
        loses (`Codec.keep`). Where pieces are no texts, a text names a file, or is read as a piece
        (`Domain.from_text`).
    condition : object, optional
        Condition that the pieces follow, such as a melody; passed to the codec's tracker. A mapping
        holds labels: ``{"composer": "bach"}``. A path is the file of a piece.
    unknown : {"error", "skip", "nearest"}
        What to do with symbols of a prompt, a condition or a stop text that the model does not
        know: refuse them, leave them out, or take the nearest known ones.
    sample : SampleConfig or mapping, optional
        How tokens are drawn: ``{"temperature": 0.8}``.
    limit : LimitConfig, mapping or float, optional
        When to stop a piece that does not end; a number is a length in tokens.
    stop : str, or sequence of str or int64 array
        A piece stops after any of these texts or sequences of ids; if pieces are shown as text,
        after their text, which may end inside a token.
    seed : int
        Seed and index determine each piece.
    candidates : int, optional
        Number of candidates per piece. Those that fit the condition are kept and copied; the rest
        are dropped. The codec chooses the default.
    best_of : int
        Pieces that are written for each one that is kept: the `count` best by the critic come, the
        best first. Only these are held in memory.
    critic : callable, optional
        Judges them, from `seqgen.learn_critic`, or a function of the same arguments.
    tries : int
        Most attempts at each symbol of a codec that writes given text: a symbol is drawn again
        while the proofreader misreads or doubts it, and the best attempt stays.
    proofreader : callable, optional
        Reads the words, from `seqgen.learn_proofreader`. By default the one in the run folder.
    batch_size : int
        Pieces generated side by side; it does not change them. A piece with several candidates is
        written alone.
    with_prompt : bool
        Whether `Generated.piece` begins with the prompt.
    int8 : bool
        Round the weights to 8 bits: faster, with slightly different probabilities.
    progress : callable, optional
        Called after every step of the loop, with the arguments of `Progress`.

    Yields
    ------
    Generated
        In the order of their indices, batch by batch, unless they are chosen. An error while they
        are chosen is raised after the best so far. After Ctrl-C the unfinished pieces come before
        it is raised again; with a grammar that knows the way to the end (`ClosingTracker`) they
        close what is open first, and after a second Ctrl-C those that are open do not come.

    Raises
    ------
    ConfigError
        If a number is outside its bounds, pieces should be chosen without a critic or by one that
        is no `Critic`, or words should be drawn again without a proofreader or with candidates.
    DataError
        If the prompt cannot be encoded, or the codec's tracker allows no token.
    """
    prompt, condition = given_prompt(run, prompt, unknown), given_condition(run, condition, unknown)
    sample, limit = as_config(SampleConfig, "sample", sample), as_limit("limit", limit)
    if best_of > 1 and critic is None:
        raise ConfigError("best_of needs a critic; pass critic=seqgen.learn_critic(run)")
    judge = None if critic is None or best_of == 1 else checked_critic(critic)
    if candidates is None:
        candidates = run.codec.candidates(condition)
    if tries > 1:
        proofreader = _checked_proofreader(run, proofreader, candidates)
    # Candidates fill the batch of one piece.
    batch_size = min(count * best_of, batch_size) if candidates == 1 else 1
    stepper, begin = _begun(run, batch_size * candidates, prompt, condition, sample, int8)
    stops = given_stops(run, stop, unknown)
    writer = Writer(stepper, run, begin, condition, sample, limit, stops, seed)

    def write(drafts: list[Draft]) -> Iterator[int]:
        """Write some pieces side by side, or the candidates of one."""
        if proofreader is not None and tries > 1:
            proof = Proof(run, stepper, proofreader, tries)
            return write_proofread(writer, drafts, proof)
        if candidates == 1:
            return writer.write(drafts)
        return write_guided(writer, drafts, candidates, run.codec)

    drafts = _drafts(writer, write, count * best_of, batch_size, progress)
    new = (draft.generated(run, condition, with_prompt) for draft in drafts)
    if judge is None:
        yield from new
        return
    judged = _judged(
        new,
        lambda piece: judge(piece, condition, limit),
        lambda number: number >= count and writer.is_late(),
    )
    yield from best(judged, fault_count_and_rarity, count)


def _judged(
    new: Iterator[Generated],
    judge: Callable[[Generated], Criticism],
    is_late: Callable[[int], bool],
) -> Iterator[Generated]:
    """Yield pieces with their criticism, until it is late after so many of them.

    After Ctrl-C the piece that is being judged comes before it is raised again.
    """
    for number, piece in enumerate(new):
        if is_late(number):
            return
        judged = None
        try:
            with noticed():
                judged = replace(piece, criticism=judge(piece))
        except KeyboardInterrupt:
            if judged is not None:
                yield judged
            raise
        yield judged


def _checked_proofreader(run: Run, own: Proofreader | None, candidates: int) -> Proofreader:
    """Return what reads new pieces: one of the user's own, or that of the run.

    Raises
    ------
    ConfigError
        If pieces cannot be read.
    """
    codec = unlabelled(run.codec)
    if codec.dictation is None:
        raise ConfigError(
            f"tries draws misread words of a given text again, and this model writes none (codec "
            f"{type(codec).__name__}); leave it out, or use best_of"
        )
    if candidates > 1:
        raise ConfigError(
            f"tries draws words again one by one, and {candidates} candidates are written side by "
            f"side; use one of them"
        )
    proofreader = own or saved_proofreader(run)
    if proofreader is None:
        raise ConfigError(
            f"{run.name} has no proofreader; pass proofreader=seqgen.learn_proofreader(run)"
        )
    return proofreader


def _drafts(
    writer: Writer,
    write: Callable[[list[Draft]], Iterator[int]],
    count: int,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[Draft]:
    """Write pieces batch by batch; yield each as a draft that has stopped."""
    drawn = 0
    for first in range(0, count, batch_size):
        if writer.is_late():
            return
        drafts = [writer.draft(index) for index in range(first, min(first + batch_size, count))]
        steps = write(drafts)
        interrupt = None
        try:
            with noticed() as signals:
                for step_drawn in steps:
                    drawn += step_drawn
                    if progress is not None:
                        ended = sum(draft.stopped_by is not None for draft in drafts)
                        settled, ids = writer.settled(drafts[0]), drafts[0].ids
                        shown = ids if settled == len(ids) else ids[:settled]
                        progress(first + ended, drawn, shown)
                    if signals:
                        break
        except KeyboardInterrupt as error:
            interrupt = error
            drafts = kept(writer, drafts, steps)
        yield from drafts
        if interrupt is not None:
            raise interrupt


@naming_faults
@checked
def stream(
    run: Run[Piece],
    *,
    prompt: Prompt[Piece] = None,
    condition: Any = None,
    unknown: OrError = "error",
    sample: SampleConfig | Mapping[str, Any] | None = None,
    limit: Limit = None,
    stop: Stop = (),
    seed: Seed = 0,
    index: CountOrZero = 0,
    int8: bool = False,
) -> Iterator[int]:
    """Write one piece and yield its ids as they are drawn, in constant memory.

    The parameters are those of `generate`, which writes the same piece with one candidate. Without
    a limit the stream ends where the model ends the piece.

    Yields
    ------
    int
        The drawn ids, without the prompt and END. If the prompt has an open end, they begin with
        the ids that spell it (`Codec.open_end`).
    """
    prompt, condition = given_prompt(run, prompt, unknown), given_condition(run, condition, unknown)
    sample = as_config(SampleConfig, "sample", sample)
    limit = LimitConfig(length=math.inf) if limit is None else as_limit("limit", limit)
    stepper, begin = _begun(run, 1, prompt, condition, sample, int8)
    stops = given_stops(run, stop, unknown)
    writer = Writer(stepper, run, begin, condition, sample, limit, stops, seed)
    draft = writer.draft(index)
    sent = draft.kept
    for _ in writer.write([draft]):
        settled, dropped = writer.settled(draft), draft.count - len(draft.ids)
        yield from draft.ids[sent - dropped : settled - dropped]
        sent = settled
        writer.forget(draft)


def _begun(
    run: Run,
    lanes: int,
    prompt: Any,
    condition: Any,
    sample: SampleConfig,
    int8: bool,
) -> tuple[Stepper, Any]:
    """Return the stepper for some sequences side by side, and what `Writer` begins with."""
    stepper, guidance = choose_stepper(run, lanes, int8=int8), guidance_for(run, condition, sample)
    if guidance == 1:
        return stepper, prompt
    guided = GuidedStepper(stepper, run, guidance)
    return guided, guided.place_after(run, prompt, condition)
