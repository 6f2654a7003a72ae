"""Tables of contexts (`seqgen.network.contexts`) as a part of the network.

Shapes: B sequences, T steps, E embedding, N tables, and so as many tokens before the present one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqgen.config import CONTEXTS
from seqgen.network.contexts import keys_of, longer, row_of
from seqgen.vocab import Vocab


class ContextTables(nn.ModuleList):
    """Tables of the last two to five tokens; their rows are added to the input.

    Parameters
    ----------
    vocab : Vocab
    boundaries : sequence of int
        Ids besides END after which no earlier token counts.
    rows, width : int
        Rows of each table, and E.
    dropout : float
        Share of the rows that are left out in training, each at each step.
    """

    keys: Tensor
    ends: Tensor

    def __init__(
        self, vocab: Vocab, boundaries: Sequence[int], rows: int, width: int, dropout: float
    ) -> None:
        super().__init__(nn.Embedding(rows, width, sparse=True) for _ in range(CONTEXTS))
        for table in self:
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]
        self.rows, self.nothing, self.dropout = rows, vocab.size, dropout
        self.register_buffer("keys", torch.tensor(keys_of(vocab)), persistent=False)  # (V + 1,)
        ends = torch.tensor([*vocab.resets(boundaries), False])  # (V + 1,)
        self.register_buffer("ends", ends, persistent=False)

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(each.numel() for each in self.parameters())

    def start(self, lanes: int) -> Tensor:
        """Return the tokens before a piece, (1, B, N): none.

        They are ids as float32 as all parts of a state are; it holds them exactly.
        """
        return torch.full((1, lanes, CONTEXTS), float(self.nothing), device=self.keys.device)

    def forward(self, ids: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Look up the contexts of ids (T, B) after the tokens before them, (1, B, N).

        Returns
        -------
        x : Tensor (T, B, E)
            The sum of the rows of all tables.
        before : Tensor (1, B, N)
            The last tokens, from the older to the newer.
        """
        # A state may come from a file, with any numbers.
        earlier = before[0].T.to(ids.dtype).clamp(0, self.nothing)  # (N, B)
        known = torch.cat([earlier, ids])  # (N + T, B)
        ended = self.ends[known]  # (N + T, B)
        closed = torch.zeros_like(ended[:1])  # (1, B)
        code = longer(torch.zeros_like(ids), self.keys[ids])  # (T, B)
        found, last = [], []
        for back, table in enumerate(self, start=1):
            # One more than T: the last are before the next call.
            some = slice(len(self) - back, len(known) + 1 - back)
            closed = closed | ended[some]  # (T + 1, B)
            tokens = known[some].masked_fill(closed, self.nothing)  # (T + 1, B)
            code = longer(code, self.keys[tokens[:-1]])  # (T, B)
            found.append(self._left_out(table(row_of(code, self.rows))))  # (T, B, E)
            last.append(tokens[-1])
        return sum(found[1:], found[0]), torch.stack(last[::-1], 1)[None].to(before.dtype)

    def _left_out(self, found: Tensor) -> Tensor:
        """Leave out some rows of (T, B, E) in training."""
        if not self.training or not self.dropout:
            return found
        return found * F.dropout(torch.ones_like(found[:, :, :1]), self.dropout)
