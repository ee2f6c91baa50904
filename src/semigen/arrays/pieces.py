"""Rows in pieces that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def chunks(rows: Indices, size: int) -> Iterator[Indices | slice]:
    """Row numbers in pieces of ``size``; a gapless rising piece is a slice, which copies nothing."""
    gapless = _is_gapless(rows)
    for begin in range(0, len(rows), size):
        piece = rows[begin : begin + size]
        if gapless or _is_gapless(piece):
            yield slice(int(piece[0]), int(piece[-1]) + 1)
        else:
            yield piece


def _is_gapless(rows: Indices) -> bool:
    # rows need not rise: those that miss the same columns stand together
    return len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1 and bool((rows[1:] > rows[:-1]).all())


def evenly(n_rows: int, most: int) -> Indices:
    """At most ``most`` of the positions 0 … n_rows - 1, evenly spaced."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.intp)
