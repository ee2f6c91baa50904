"""Rows in pieces that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def chunks(rows: Indices, size: int) -> Iterator[Indices | slice]:
    """Row numbers in pieces of ``size``; a gapless rising piece is a slice, which copies nothing."""
    for begin in range(0, len(rows), size):
        piece = rows[begin : begin + size]
        # rows need not rise: those that miss the same columns stand together
        if piece[-1] - piece[0] == len(piece) - 1 and (piece[1:] > piece[:-1]).all():
            yield slice(int(piece[0]), int(piece[-1]) + 1)
        else:
            yield piece


def evenly(n_rows: int, most: int) -> Indices:
    """At most ``most`` of the positions 0 … n_rows - 1, evenly spaced."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.intp)
