"""Unlabeled rows of a stream that are kept by key, until their labels come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from semigen.data.labels import class_columns
from semigen.exceptions import ParameterError

Keys = NDArray[Any]


@dataclass(frozen=True)
class WaitingRows:
    """Rows by key, the oldest first.

    Attributes
    ----------
    keys : ndarray of shape (n,)
        Whole numbers or text.
    weight : ndarray of shape (n,)
        The caller's row weights, before λ.
    cells : ndarray of shape (n, D), or (nnz,) of sparse rows
        In the type that the rows came in.
    columns, ends : ndarray of shape (nnz,) and (n + 1,), or None
        Of sparse rows, the column of each cell and where rows end (CSR).
    n_columns : int
        D.
    """

    keys: Keys
    weight: NDArray[np.float64]
    cells: NDArray[Any]
    columns: NDArray[Any] | None
    ends: NDArray[Any] | None
    n_columns: int

    @classmethod
    def of(cls, keys: Keys, x: Any, weight: NDArray[np.float64]) -> WaitingRows:
        """Keep the rows of a matrix (n, D)."""
        if isinstance(x, np.ndarray):
            return cls(keys, weight, x, None, None, x.shape[1])
        return cls(keys, weight, x.data, x.indices, x.indptr, x.shape[1])

    @property
    def x(self) -> Any:
        """The rows as a matrix (n, D)."""
        if self.columns is None or self.ends is None:
            return self.cells
        return csr_array((self.cells, self.columns, self.ends), shape=(len(self.keys), self.n_columns))

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: NDArray[Any] | slice) -> WaitingRows:
        """Some of them, by position or as a mask."""
        return WaitingRows.of(self.keys[rows], self.x[rows], self.weight[rows])

    def last(self, most: int) -> WaitingRows:
        """At most so many of them, the last ones."""
        return self if len(self) <= most else self.take(slice(len(self) - most, None))

    def followed_by(self, other: WaitingRows) -> WaitingRows:
        """All rows of both."""
        if not len(self):
            return other
        xs = [self.x, other.x]
        x = np.concatenate(xs) if self.columns is None else csr_array(vstack(xs, format="csr"))
        weight = np.concatenate([self.weight, other.weight])
        return WaitingRows.of(np.concatenate([self.keys, other.keys]), x, weight)

    def find(self, keys: Keys) -> NDArray[np.intp]:
        """The position of each key.

        Raises
        ------
        ParameterError
            If no row of a key is kept.
        """
        position = class_columns(keys, self.keys)
        stray = keys[position < 0].tolist()
        if stray:
            raise ParameterError(
                f"keys: no unlabeled row is kept under {len(stray)} of {len(keys)} keys, the first is "
                f"{stray[0]!r}. Either it has its label already, or it was never passed with this key, or it "
                f"is older than the {len(self)} rows that are kept: pass the rows themselves, "
                "partial_fit(X, y, seen=True)."
            )
        return position

    def refuse_known(self, keys: Keys) -> None:
        """Raise if a row is kept under one of these keys, which would count twice."""
        again = keys[class_columns(keys, self.keys) >= 0].tolist()
        if again:
            raise ParameterError(
                f"keys: {len(again)} of {len(keys)} rows came before, the first is {again[0]!r}, and would "
                "count twice: leave them out, and pass their labels to add_labels(keys, y)."
            )


def read_keys(keys: Any, n_rows: int, kept: WaitingRows | None) -> Keys:
    """Keys of n rows as whole numbers or text.

    Raises
    ------
    ParameterError
        If there is not one for each row, or they are of another type than the ones ``kept``, or repeated.
    """
    if np.shape(keys) != (n_rows,):
        raise ParameterError(
            f"keys has the shape {np.shape(keys)}, but there are {n_rows} rows: give one key for each."
        )
    given = [key.item() if isinstance(key, np.generic) else key for key in keys]
    values = _in_one_type(given)
    if n_rows and kept is not None and len(kept) and kept.keys.dtype.kind != values.dtype.kind:
        raise ParameterError(
            f"keys: {given[0]!r} is of another type than {kept.keys[0].item()!r}, a key of before."
        )
    key, count = Counter(values.tolist()).most_common(1)[0] if n_rows else (None, 1)
    if count > 1:
        raise ParameterError(f"keys: {key!r} is the key of {count} rows, and a key names one row.")
    return values


def _in_one_type(keys: list[Any]) -> Keys:
    if all(isinstance(key, str) for key in keys):
        return np.array(keys, dtype=str)
    other = [key for key in keys if not isinstance(key, int) or isinstance(key, bool)]
    if not other and all(-(2**63) <= key < 2**63 for key in keys):
        return np.array(keys, dtype=np.int64)
    shown = f"not {other[0]!r}" if other else "and no larger than 64 bits"
    raise ParameterError(f"keys must all be whole numbers or all be text, {shown}: use str(key) for each.")
