"""Contexts: the last tokens of a piece, hashed to a row of a table.

A table has far fewer rows than there are contexts, so several share a row. An id counts by its
name, not by its number, so a table keeps its meaning in another vocabulary. PyTorch and compiled
code compute rows with the same two functions.

Next: `seqgen.network.context_tables` trains the tables, `seqgen.stepping.fused_step` reads them.
"""

from __future__ import annotations

import zlib
from typing import Any

from seqgen.vocab import Vocab

#: An odd number, whose products spread over 64 bits.
MULTIPLIER = 0x1E3779B97F4A7C15

#: Keys of START and END; names of tokens have keys below 2 ** 32, and no token has key 0.
END_KEY, START_KEY, NO_KEY = 1 << 33, 1 << 34, 0


def keys_of(vocab: Vocab) -> list[int]:
    """Return a key for each of the V ids, and for id V, which stands for no token."""
    own = [zlib.crc32(name.encode("utf-8", "surrogatepass")) + 1 for name in vocab.names]
    return [*own, END_KEY, START_KEY, NO_KEY]


def longer(code: Any, key: Any) -> Any:
    """Return the code of a context that has one more token, from its code and the token's key.

    Both are int64: numbers, or tensors of one shape. The code of no token is 0.
    """
    code = (code + key) * MULTIPLIER
    return code ^ (code >> 32)


def row_of(code: Any, rows: int) -> Any:
    """Return the row of a context, from its code."""
    return (code & 0x7FFFFFFFFFFFFFFF) % rows
