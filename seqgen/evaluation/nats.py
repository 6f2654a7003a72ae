"""The nats of targets: cross-entropy over the ids that a grammar allows.

A target is a choice among all ids. With clusters (`seqgen.network.clusters`) it is one or two:
among the shortlist and the clusters, then among the ids of a cluster. A cluster is allowed if any
of its ids is. The probability of a target is the product of its choices, so it is exact, and most
targets need no scores of rare ids.

B sequences, N targets, V' ids, W bytes of a packed mask. Next: `seqgen.evaluation.loss`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqgen.data.lanes import IGNORE
from seqgen.grammar import packed, unpacked
from seqgen.network.model import Part, SequenceModel

#: What each packed byte of a mask adds to the logits of its eight ids (256, 8): 0, or -inf.
PENALTIES = torch.from_numpy(
    np.where(unpacked(np.arange(256, dtype=np.uint8)[:, None], 8), 0.0, -np.inf)
)


def target_nats(
    logits: Tensor, targets: Tensor, allowed: Tensor, reduction: Literal["none", "sum"] = "none"
) -> Tensor:
    """Return the nats of every target ``(N,)`` under logits ``(N, V')``, or their sum.

    A target that is `IGNORE` costs nothing, nor does a forced one: the only id that is allowed.

    Parameters
    ----------
    logits : Tensor (N, V')
    targets : int64 Tensor (N,)
    allowed : uint8 Tensor (N, W)
        Packed masks; W is 0 without a grammar.
    reduction : {"none", "sum"}
    """
    logits = under_grammar(logits, targets, allowed)
    return F.cross_entropy(logits, targets, ignore_index=IGNORE, reduction=reduction)


def under_grammar(logits: Tensor, targets: Tensor, allowed: Tensor) -> Tensor:
    """Return logits ``(N, V')`` with -inf for forbidden ids.

    A row whose target is forbidden stays as it is: an infinite loss would hide all others.
    """
    if not allowed.shape[1]:
        return logits
    # Twice to three times as fast as `masked_fill`: the gradient needs no pass of its own.
    rows = forgiving(targets, allowed)  # (N, W)
    penalties = F.embedding(rows.int(), PENALTIES.to(logits))  # (N, W, 8)
    return logits + penalties.flatten(1)[:, : logits.shape[1]]


def forgiving(targets: Tensor, allowed: Tensor) -> Tensor:
    """Return packed masks ``(N, W)`` that allow every id where they forbid the target."""
    return torch.where(permitted(targets, allowed)[:, None], allowed, 255)


def permitted(targets: Tensor, allowed: Tensor) -> Tensor:
    """Return whether the grammar allows each target, as bool ``(N,)``."""
    if not allowed.shape[1]:
        return torch.ones_like(targets, dtype=torch.bool)
    known = targets.clamp(min=0)  # `IGNORE` is negative
    found = allowed.gather(1, known[:, None] // 8)[:, 0].long()  # (N,)
    return (found >> (7 - known % 8) & 1).bool()


class Choice(NamedTuple):
    """Some targets as choices of one among M.

    Attributes
    ----------
    scores : Tensor (n, M)
    wanted : int64 Tensor (n,)
        What was chosen, or `IGNORE`.
    allowed : uint8 Tensor (n, bytes of M bits)
        Packed masks of the choice; empty rows without a grammar.
    rows : int64 Tensor (n,), or None
        The targets; None for all.
    """

    scores: Tensor
    wanted: Tensor
    allowed: Tensor
    rows: Tensor | None = None

    def scaled(self, factor: float) -> Choice:
        """Return the choice with all scores multiplied by a number."""
        return self._replace(scores=self.scores * factor)

    def double(self) -> Choice:
        """Return the choice with scores in double precision."""
        return self._replace(scores=self.scores.double())


def choices(
    model: SequenceModel,
    top: Tensor,
    targets: Tensor,
    allowed: Tensor,
    output: Sequence[Part] = (),
) -> list[Choice]:
    """Return the choices of which targets consist; the first one has all of them.

    Parameters
    ----------
    model : SequenceModel
    top : Tensor (N, inputs)
        Outputs of the layers, as `SequenceModel.read` returns them.
    targets : int64 Tensor (N,)
    allowed : uint8 Tensor (N, W)
        Packed masks; W is 0 without a grammar.
    output : sequence of Part, optional
        The result of `SequenceModel.split_output`, if it is there already.
    """
    clusters = model.clusters
    if clusters is None:
        return [Choice(model.predict(top), targets, allowed)]
    known = targets.clamp(min=0)  # `IGNORE` is negative
    # The cluster of each target, and its place in that cluster.
    cluster, place = clusters.of[known], clusters.places[known]  # (N,)
    shortlist = clusters.sizes[0]
    wanted = torch.where(cluster > 0, shortlist + cluster - 1, place)
    masks = _clustered(model, forgiving(targets, allowed) if allowed.shape[1] else allowed)
    head, *parts = output or model.split_output()
    inputs = model.inputs(top)  # (N, D)
    found = [
        Choice(head.scores(inputs), torch.where(targets < 0, IGNORE, wanted), masks.of(0, None))
    ]
    for number, part in enumerate(parts, 1):
        rows = ((cluster == number) & (targets >= 0)).nonzero()[:, 0]  # (n,)
        if len(rows):
            scores = part.scores(inputs[rows])  # (n, size)
            found.append(Choice(scores, place[rows], masks.of(number, rows), rows))
    return found


def nats_of(found: Iterable[Choice], reduction: Literal["none", "sum"] = "none") -> Tensor:
    """Return the nats of every target ``(N,)`` from its choices, or their sum."""
    first, *others = found
    nats = target_nats(*first[:3], reduction)
    for choice in others:
        assert choice.rows is not None
        more = target_nats(*choice[:3], reduction)
        nats = nats + more if reduction == "sum" else nats.index_add(0, choice.rows, more)
    return nats


class _Masks(NamedTuple):
    """Packed masks of the shortlist with the clusters, and of each cluster.

    Attributes
    ----------
    tables : list of uint8 Tensor (U, bytes)
        The different masks; empty without a grammar.
    rows : int64 Tensor (N,)
        The mask of each target.
    """

    tables: list[Tensor]
    rows: Tensor

    def of(self, number: int, rows: Tensor | None) -> Tensor:
        """Return the masks of some targets in a cluster; 0 is the shortlist with the clusters."""
        own = self.rows if rows is None else self.rows[rows]
        return self.tables[number][own] if self.tables else own.new_zeros((len(own), 0))


def _clustered(model: SequenceModel, allowed: Tensor) -> _Masks:
    """Return masks ``(N, W)`` by cluster. A codec with many ids has few different masks."""
    clusters = model.clusters
    assert clusters is not None
    if not allowed.shape[1]:
        return _Masks([], torch.zeros(len(allowed), dtype=torch.int64, device=allowed.device))
    whole = np.ascontiguousarray(allowed.cpu().numpy())
    keys = whole.view(f"V{whole.shape[1]}")[:, 0]
    _, firsts, rows = np.unique(keys, return_index=True, return_inverse=True)
    table = unpacked(whole[firsts], model.targets)[:, clusters.order.cpu().numpy()]  # (U, V')
    head, *parts = np.split(table, np.cumsum(clusters.sizes[:-1]), axis=1)
    alive = [part.any(axis=1, keepdims=True) for part in parts]
    tables = [packed(each) for each in (np.concatenate([head, *alive], axis=1), *parts)]
    device = allowed.device
    return _Masks(
        [torch.from_numpy(each).to(device) for each in tables],
        torch.from_numpy(rows.reshape(-1)).to(device),
    )
