"""How the loops over events and notes become machine code: when first called, kept on disk."""

from __future__ import annotations

import numba

#: Errors as in NumPy: a division by zero is no exception.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
