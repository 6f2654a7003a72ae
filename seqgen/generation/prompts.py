"""Reads prompts: the model's state and the tracker after the ids that a piece begins with.

M and N ids.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from seqgen.conditions.kept import check_kept
from seqgen.conditions.labels import content_of
from seqgen.conditions.prompted import PromptedTracker
from seqgen.conditions.unlabelled import (
    header_size,
    label_features,
    opening,
    requested_labels,
    unlabelled,
)
from seqgen.errors import DataError
from seqgen.generation.pieces import Excerpt, Place, Primed, branch_tracker
from seqgen.plugin import Codec, Ids, Piece, Tracker
from seqgen.plugins.checks import checked_features, checked_ids
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper
from seqgen.unknown import Mended, OrError


def mended_prompt(codec: Codec, piece: Any, unknown: OrError) -> tuple[Mended, Ids]:
    """Return a prompt as a codec can encode it, and its ids ``(N,)``.

    Parameters
    ----------
    codec : Codec
    piece : piece
    unknown : {"error", "skip", "nearest"}
        What to do with unknown symbols.

    Raises
    ------
    DataError
        If the codec cannot encode the piece.
    """
    if unknown == "error":
        # Refuses unknown symbols. A codec may still leave out rare ones or scale the piece.
        codec.encode(piece)
    mended = codec.mend_prompt(piece, "skip" if unknown == "error" else unknown)
    return mended, codec.encode(mended.piece)


def read_prompt(
    stepper: Stepper, run: Run, prompt: Piece | Excerpt | None, condition: Any
) -> Place:
    """Let model and tracker read a prompt without its open end, in one pass."""
    rewrites = unlabelled(run.codec).rewrites
    check_kept(condition, rewrites=rewrites, has_prompt=prompt is not None)
    given, end = prompt, None
    if isinstance(prompt, Excerpt):
        given, end = prompt.piece, header_size(run.codec) + prompt.tokens
    ids = checked_ids(run.codec, opening(run.codec, given, condition)[:end])
    nothing = Primed(ids[:0], stepper.export(stepper.start(1)), run.vocab.digest, 0, given)
    place = read_prompt_on(stepper, run, Place(nothing, run.codec.tracker(condition)), ids)
    _tell(place.tracker, given)
    return place


def _tell(tracker: Tracker | None, given: Piece | None) -> None:
    """Tell a tracker of the prompt that it has seen."""
    if given is not None and isinstance(tracker, PromptedTracker):
        tracker.prompted(content_of(given))


def read_prompt_on(stepper: Stepper, run: Run, place: Place, ids: Ids) -> Place:
    """Return the place after a prompt ``(N,)``, from a place before its open end."""
    end = run.codec.open_end(ids)
    kept = len(ids) if end is None else end.kept
    place = read_on(stepper, run, place, ids[place.primed.kept : kept])
    return Place(replace(place.primed, ids=ids), place.tracker)


def read_on(stepper: Stepper, run: Run, place: Place, ids: Ids) -> Place:
    """Let model and tracker read more ids ``(M,)`` after those that a place keeps, in one pass.

    The model reads START, or the last id of the place, and all ids but the last, which the first
    step reads.
    """
    before = place.primed.ids[: place.primed.kept]  # (N,)
    whole = np.concatenate([before, ids])  # (N + M,)
    if not len(ids):
        return Place(replace(place.primed, ids=whole), place.tracker)
    tracker = branch_tracker(place.tracker, run.codec)
    rows: Any = []
    if tracker is None:
        rows = label_features(run.codec, whole)[len(before) : -1]
    else:
        for token in ids.tolist():
            rows.append(tracker.features())
            tracker.push(token)
    read = np.concatenate([[run.vocab.start], whole])[len(before) : -1].astype(np.int64)  # (M,)
    features = checked_features(run.codec, rows, len(ids))  # (M, K)
    _, state = stepper.read(read[None], features[None], stepper.restore(place.primed.state))
    primed = replace(place.primed, ids=whole, state=stepper.export(state), kept=len(whole))
    return Place(primed, tracker)


def place_after(
    stepper: Stepper, run: Run, prompt: Piece | Excerpt | Primed | Place | None, condition: Any
) -> Place:
    """Return the state after the prompt, and a tracker that has seen the prompt."""
    if isinstance(prompt, Place):
        return prompt
    if not isinstance(prompt, Primed):
        return read_prompt(stepper, run, prompt, condition)
    shapes = [part.shape for part in stepper.export(stepper.start(1))]
    own = prompt.vocab_digest == run.vocab.digest
    if not own or [part.shape for part in prompt.state] != shapes:
        raise DataError(
            f"this primed state belongs to another model, not to {run.name}; prime it again"
        )
    ids = checked_ids(run.codec, prompt.ids)
    end = run.codec.open_end(ids)
    if prompt.kept != (len(ids) if end is None else end.kept):
        raise DataError(
            "this primed state was made by another version of the codec; prime it again"
        )
    header = opening(run.codec, None, condition)
    asked, _ = requested_labels(run.codec, condition)
    rewrites = unlabelled(run.codec).rewrites
    check_kept(condition, rewrites=rewrites, has_prompt=len(ids) > len(header))
    if asked and not np.array_equal(ids[: len(header)], header):
        raise DataError("this primed state was made with other labels; prime it again with these")
    tracker = run.codec.tracker(condition)
    if tracker is not None:
        for token in ids[: prompt.kept].tolist():
            tracker.push(token)
    _tell(tracker, prompt.given)
    return Place(replace(prompt, ids=ids), tracker)
