"""The nearest of many rows: found in float32, decided in float64."""

from __future__ import annotations

import numpy as np
import sklearn
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

N_MORE = 4
"""Rows beyond the nearest ones whose distances are computed in float64."""
GROUP = 8
"""Rows of which only the nearest one is looked at, until the nearest groups are known."""
FEW = 256
"""With fewer rows to search among, groups save nothing."""
CHUNK_ROWS = 128
"""Rows whose distances to all others are in the processor's cache at once."""


def nearest_rows(there: Array, x: Array, n_neighbors: int) -> tuple[Array, Indices]:
    """Distances and numbers (m, k) of the nearest of rows ``there`` (n, D) to each row of x (m, D).

    Candidates are found in float32, by one matrix product; their distances are computed in float64. Where the
    rounding of float32 could have left out a nearer row, all rows are searched in float64.
    """
    k = min(n_neighbors, len(there))
    if len(there) < max(FEW, GROUP * (k + N_MORE)):
        return _searched(there, x, k)
    center = there.mean(axis=0)
    points, asked = there - center, x - center
    length, of_asked = ((one**2).sum(axis=1) for one in (points, asked))
    rounding = (there.shape[1] + 4) * np.finfo(np.float32).eps * (of_asked + length.max())
    n_groups = -(-len(there) // GROUP)
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number is searched in float64
        table = np.zeros((there.shape[1] + 1, GROUP * n_groups), dtype=np.float32)
        table[:-1, : len(there)], table[-1], table[-1, : len(there)] = -2.0 * points.T, np.inf, length
        single = np.column_stack([asked, np.ones(len(x))]).astype(np.float32)
        square, row = np.empty((len(x), k)), np.empty((len(x), k), dtype=np.intp)
        sure = np.empty(len(x), dtype=bool)
        memory = np.empty((CHUNK_ROWS, table.shape[1]), dtype=np.float32)  # anew for each chunk it is slow
        for begin in range(0, len(x), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            values = np.matmul(single[rows], table, out=memory[: len(single[rows])])
            found, beyond = _candidates(values, n_groups, k + N_MORE)
            between = points.take(found, axis=0, mode="clip") - asked[rows, None]
            exact = np.einsum("rcd,rcd->rc", between, between)
            order = np.argsort(exact, axis=1, kind="stable")[:, :k]
            square[rows], row[rows] = (np.take_along_axis(one, order, axis=1) for one in (exact, found))
            bound = beyond + of_asked[rows] - rounding[rows]
            sure[rows] = np.isfinite(bound) & (square[rows, -1] <= bound)
    distance = np.sqrt(square)
    if not sure.all():
        distance[~sure], row[~sure] = _searched(there, x[~sure], k)
    return distance, row


def _searched(there: Array, x: Array, k: int) -> tuple[Array, Indices]:
    distance, row = sklearn.neighbors.NearestNeighbors(n_neighbors=k).fit(there).kneighbors(x)
    return distance, row


def _candidates(values: NDArray[np.float32], n_groups: int, k: int) -> tuple[Indices, Array]:
    """Columns of the k smallest values (m, n) of each row, rising, and the largest of these values (m,).

    Each of them lies in one of the k groups whose least values are the smallest.
    """
    least = values.reshape(len(values), GROUP, n_groups).min(axis=1)
    groups = np.argpartition(least, k - 1, axis=1)[:, :k]
    columns = (groups[:, None, :] + n_groups * np.arange(GROUP)[:, None]).reshape(len(values), -1)
    among = values.ravel().take(columns + values.shape[1] * np.arange(len(values))[:, None])
    nearest = np.argpartition(among, k - 1, axis=1)[:, :k]
    beyond = np.take_along_axis(among, nearest, axis=1).max(axis=1)
    found = np.sort(np.take_along_axis(columns, nearest, axis=1), axis=1)
    return found, beyond.astype(np.float64)
