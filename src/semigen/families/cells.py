"""Columns with a table of log probabilities: each cell of a row looks its own up."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from semigen.families.covariance.base import CACHE_BYTES
from semigen.families.protocol import Array, Floats, Walk

MAX_CHUNK_ROWS = 16384


@dataclass(frozen=True)
class CellCounts:
    """Weight of each entry of the columns' tables, W entries in all.

    Attributes
    ----------
    count : ndarray of shape (C, W)
        ``Σ r`` over the rows that have that value in that column.
    """

    count: Array

    def merge(self, other: CellCounts) -> CellCounts:
        """The sums over both sets of rows."""
        return CellCounts(self.count + other.count)

    def times(self, rows: Array) -> CellCounts:
        """The same sums over ``rows`` (C, 1) as many rows."""
        return CellCounts(self.count * rows)


def starts_of(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each column's entries begin in a table of all columns, (D,)."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)


def column_sums(table: Array, sizes: NDArray[np.intp]) -> Array:
    """Sums (…, D) of a table (…, W) over each column's entries."""
    return np.asarray(np.add.reduceat(table, starts_of(sizes), axis=-1))


def of_one_row(count: Array, sizes: NDArray[np.intp]) -> CellCounts:
    """Counts of many rows (1, W) as those of one that looks like them; 0 in columns without a value."""
    rows = column_sums(count, sizes)
    return CellCounts(count / np.repeat(np.where(rows > 0, rows, 1.0), sizes, axis=1))


class CellWalk(Walk):
    """``log p(x | c) = Σ_d table[c, entry(x_d)]`` and the weight of each entry.

    Both are products with the rows' one-hot matrix, which is sparse, so that time is that of rows × columns ×
    components, however many entries there are. One more entry of log probability 0, numbered W, is for
    cells that are missing.

    Parameters
    ----------
    table : ndarray of shape (C, W)
    n_columns : int
    """

    def __init__(self, table: Array, n_columns: int) -> None:
        n_components, n_entries = table.shape
        row_bytes = 32 * n_columns + 32 * n_components
        # a chunk's sums touch the whole table: with few rows that would be most of the work
        least = max(32, min(n_entries // n_columns, MAX_CHUNK_ROWS))
        self.chunk_rows = int(np.clip(CACHE_BYTES // row_bytes, least, MAX_CHUNK_ROWS))
        self.n_entries = n_entries
        self._table = np.vstack([table.T, np.zeros(n_components)])
        self._count = np.zeros((n_entries + 1, n_components))

    @abstractmethod
    def entries(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """Number of the table's entry for each cell of the rows, (rows, D)."""

    def log_prob(self, x: NDArray[Any]) -> Floats:
        self._one_hot = one_hot(self.entries(x), self.n_entries + 1)
        return np.ascontiguousarray((self._one_hot @ self._table).T)

    def add(self, resp: Floats) -> None:
        self._count += self._one_hot.T @ np.ascontiguousarray(resp.T)

    def stats(self) -> CellCounts:
        return CellCounts(np.ascontiguousarray(self._count[:-1].T))


def one_hot(entries: NDArray[np.int32], n_entries: int) -> csr_array:
    """Rows with a 1 at each of their entries, (rows, n_entries)."""
    n_rows, n_columns = entries.shape
    pointers = np.arange(0, entries.size + 1, n_columns, dtype=np.int32)
    return csr_array((np.ones(entries.size), entries.ravel(), pointers), shape=(n_rows, n_entries))
