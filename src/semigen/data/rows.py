"""Rows of any table: counting, taking some of them, and predicting block by block."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import indexable

from semigen.common.threads import map_threads, one_blas_thread
from semigen.data.labels import Labels
from semigen.data.sources import RowSource, is_partitioned, refuse_no_table
from semigen.exceptions import ColumnError

Array = NDArray[np.float64]


def take_rows(data: Any, rows: NDArray[np.intp]) -> Any:
    """Rows of an array, sparse matrix, data frame, series, list or Labels by position, in the caller's type.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.data.rows import take_rows
    >>> take_rows(["a", None, "b"], np.array([2, 0]))
    ['b', 'a']
    """
    if isinstance(data, Labels):
        return data.take(rows)
    if isinstance(data, list | tuple):
        return [data[row] for row in rows]
    table = nw.from_native(data, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(table, nw.DataFrame | nw.Series):
        return table[rows].to_native()
    return indexable(data)[0][rows]


BLOCK_ROWS = 4096
"""Rows whose features are in memory at once in a prediction, at most."""
LEAST_ROWS = 256
"""Of a block, at least, where fewer rows would make a block for each thread."""
BLOCK_PROBABILITIES = 200_000
"""Class probabilities in memory at once, at most: with many classes, blocks have fewer rows."""


def by_blocks(function: Callable[[Any], Array], X: Any, n_classes: int, n_threads: int = 1) -> Array:
    """Class probabilities of the rows of any table, computed block by block, (n, K).

    Blocks are equally long, and as many for each thread.
    """
    n_rows = count_rows(X)
    size = max(1, min(BLOCK_ROWS, BLOCK_PROBABILITIES // n_classes))
    n_threads = max(1, min(n_threads, n_rows // LEAST_ROWS))
    n_blocks = n_threads * -(-n_rows // (n_threads * size))
    if n_blocks <= 1:
        with one_blas_thread():  # for small products several threads take longer
            return function(X)
    ends = np.linspace(0, n_rows, n_blocks + 1).astype(np.intp)

    def block(begin: int, end: int) -> Array:
        return function(take_rows(X, np.arange(begin, end)))

    return np.concatenate(list(map_threads(block, ends[:-1], ends[1:], n_jobs=n_threads)))


def count_rows(X: Any) -> int:
    """Number of rows of any table."""
    refuse_unread(X)
    if hasattr(X, "shape"):
        return int(X.shape[0])
    if hasattr(X, "__len__"):
        return len(X)
    rows = np.asarray(X)  # of what has __array__
    if rows.ndim == 0:
        raise ColumnError(f"X is no table but {X!r:.80}: pass an array, a data frame or a sparse matrix.")
    return len(rows)


def refuse_unread(X: Any) -> None:
    """Say what to do with a source, or with files, where a table is wanted.

    Raises
    ------
    ColumnError
        If ``X`` is a source, a collection of Dask, a data set of pyarrow or a path.
    """
    batchwise = "MixtureClassifier.fit and AutoClassifier.fit"
    refuse_no_table(X)
    if is_partitioned(X):
        raise ColumnError(
            f"X is a collection of Dask ({type(X).__name__}), which fit and predictions of MixtureClassifier "
            "and AutoClassifier read by partitions: pass X.compute()."
        )
    if isinstance(X, RowSource):
        raise ColumnError(
            f"X is {X!r:.80}, and only {batchwise} read one batch by batch: pass its tables one by one "
            "(for table in X.tables())."
        )
    if hasattr(X, "get_fragments") or isinstance(X, str | bytes | os.PathLike):  # a data set of pyarrow
        cure = "X.to_table()" if hasattr(X, "get_fragments") else "the table that you read from it"
        raise ColumnError(
            f"X is no table but {X!r:.80}: pass {cure}; {batchwise} also take "
            "semigen.data.from_files(X, target=...)."
        )
