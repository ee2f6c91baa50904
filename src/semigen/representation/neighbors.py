"""The nearest of many rows: found in float32, decided in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import sklearn
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Singles = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

N_MORE = 4
"""Rows beyond the nearest ones whose distances are computed in float64."""
GROUP = 8
"""Rows of which only the nearest one is looked at, until the nearest groups are known."""
FEW = 256
"""With fewer rows to search among, groups save nothing."""
CHUNK_BYTES = 2**22
"""Of the distances of some rows to all others, which stay in the processor's cache."""
CHUNK_ROWS = 256
"""Rows whose candidates do."""


@dataclass(frozen=True)
class Search:
    """Rows in the forms in which they are searched.

    Attributes
    ----------
    rows : ndarray of shape (n, D)
    center : ndarray of shape (D,)
    points : ndarray of shape (n, D)
        The rows less their mean.
    length : ndarray of shape (n,)
        Squared lengths of these.
    table : ndarray of shape (D + 2, m), float32
        ``[-2 points, length, 1]`` column by column: what a product with ``[x, 1, length of x]`` turns into
        squared distances. Columns beyond n are infinitely far away.
    """

    rows: Array
    center: Array
    points: Array
    length: Array
    table: Singles

    @classmethod
    def among(cls, rows: Array) -> Search:
        """Prepare rows (n, D)."""
        center = rows.mean(axis=0)
        points = rows - center
        length = (points**2).sum(axis=1)
        table = np.ones((rows.shape[1] + 2, GROUP**2 * -(-len(rows) // GROUP**2)), dtype=np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is searched in float64
            table[:-2, : len(rows)], table[-2, : len(rows)] = -2.0 * points.T, length
        table[:-2, len(rows) :], table[-2, len(rows) :] = 0.0, np.inf
        return cls(rows, center, points, length, table)

    def nearest(self, x: Array, n_neighbors: int) -> tuple[Array, Indices]:
        """Distances and numbers (m, k) of the nearest rows to each row of x (m, D).

        Candidates are found in float32, by one matrix product; their distances are computed in float64. Where
        the rounding of float32 could have left out a nearer row, all rows are searched in float64.
        """
        k = min(n_neighbors, len(self.rows))
        if len(self.rows) < max(FEW, GROUP * (k + N_MORE)):
            return _searched(self.rows, x, k)
        asked = x - self.center
        found, least_left = self._candidates(asked, k + N_MORE)
        square, row = np.empty((len(x), k)), np.empty((len(x), k), dtype=np.intp)
        for begin in range(0, len(x), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            between = self.points.take(found[rows], axis=0, mode="clip")
            between -= asked[rows, None]
            exact = np.einsum("rcd,rcd->rc", between, between)
            order = np.argsort(exact, axis=1, kind="stable")[:, :k]
            square[rows], row[rows] = _taken(exact, order), _taken(found[rows], order)
        distance = np.sqrt(square)
        unsure = ~(square[:, -1] <= least_left)
        if unsure.any():
            distance[unsure], row[unsure] = _searched(self.rows, x[unsure], k)
        return distance, row

    def _candidates(self, asked: Array, k: int) -> tuple[Indices, Array]:
        """Numbers (m, k) of rows near each of ``asked``, rising, and squared distances that others exceed.

        The latter, (m,), are no numbers where float32 had none.
        """
        size = max(1, CHUNK_BYTES // self.table[0].nbytes)
        memory = np.empty((size, self.table.shape[1]), dtype=np.float32)  # anew for each chunk it is slow
        found, beyond = np.empty((len(asked), k), dtype=np.intp), np.empty(len(asked))
        length = (asked**2).sum(axis=1)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is searched in float64
            single = np.column_stack([asked, np.ones(len(asked)), length]).astype(np.float32)
            for begin in range(0, len(asked), size):
                rows = slice(begin, begin + size)
                values = np.matmul(single[rows], self.table, out=memory[: len(single[rows])])
                found[rows], beyond[rows] = _smallest(values, k)
        found.sort(axis=1)
        rounding = (asked.shape[1] + 5) * np.finfo(np.float32).eps * (length + self.length.max())
        return found, np.where(np.isfinite(beyond), beyond - rounding, np.nan)


def _searched(there: Array, x: Array, k: int) -> tuple[Array, Indices]:
    distance, row = sklearn.neighbors.NearestNeighbors(n_neighbors=k).fit(there).kneighbors(x)
    return distance, row


def _smallest(values: Singles, k: int) -> tuple[Indices, Singles]:
    """Columns (m, k) of the k smallest values (m, n) of each row, in no order, and the largest of them (m,).

    Each of them lies in one of the k groups of columns whose least values are the smallest.
    """
    n_groups, rest = divmod(values.shape[1], GROUP)
    if rest or n_groups < 2 * k:
        return _least(values, np.arange(values.shape[1]), k)
    groups, _ = _smallest(values.reshape(len(values), GROUP, n_groups).min(axis=1), k)
    columns = (groups[:, None, :] + n_groups * np.arange(GROUP)[:, None]).reshape(len(values), -1)
    return _least(_taken(values, columns), columns, k)


def _least(values: Singles, columns: Indices, k: int) -> tuple[Indices, Singles]:
    """The same of values (m, n) in columns (m, n) or (n,).

    A value and its column are one whole number: numbers are parted in a quarter of the time of their places.
    Where values are 0 or more, so are the bits of floats, and in the same order; others come first.
    """
    both = values.view(np.int32).astype(np.int64)
    both <<= 32
    both |= columns
    both.partition(k - 1, axis=1)
    largest = (both[:, k - 1] >> 32).astype(np.int32).view(np.float32)
    return both[:, :k] & 0xFFFFFFFF, largest


def _taken(values: NDArray[Number], columns: Indices) -> NDArray[Number]:
    """Some columns (m, k) of each row of values (m, n)."""
    found: NDArray[Number] = values.ravel().take(columns + values.shape[1] * np.arange(len(values))[:, None])
    return found
