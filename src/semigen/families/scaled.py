"""Rows that count by their direction alone: what families share that scale each row, dense or sparse.

The products that a family needs are scaled instead of the rows, which are read and never copied.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd

from semigen.arrays.pieces import evenly
from semigen.data.blocks import Blocks
from semigen.families.discrete import is_sparse
from semigen.families.protocol import Array, Floats, Walk

N_AXES = 32
AXES_ROWS = 3000
"""Rows that principal axes are found with."""


class ScaledWalk(Walk):
    """``Σ_d a_cd x̃_d`` and ``Σ r x̃`` of rows ``x̃ = x · factor(x)``, in float64 also for float32 rows.

    Parameters
    ----------
    coefficients : ndarray of shape (C, D)
        a.
    """

    def __init__(self, coefficients: Array) -> None:
        self.chunk_rows = chunk_rows(*coefficients.shape)
        self._coefficients = np.ascontiguousarray(coefficients.T)
        self._sums = np.zeros(self._coefficients.shape)

    @abstractmethod
    def factors(self, x: Any) -> Array:
        """What each row is multiplied with, (rows,)."""

    def log_prob(self, x: Any) -> Floats:
        self._x = x
        self._factors = self.factors(x)
        return np.ascontiguousarray((x @ self._coefficients).T) * self._factors

    def add(self, resp: Floats) -> None:
        self._sums += self._x.T @ np.ascontiguousarray((resp * self._factors).T)

    def sums(self) -> Array:
        """``Σ r x̃``, (C, D)."""
        return self._sums.T


def chunk_rows(n_components: int, n_columns: int) -> int:
    """Rows per chunk: its sums touch every column, which with few rows would be most of the work."""
    return int(min(np.clip(n_columns // 2, 2048, 16384), max(2048, 2**22 // n_components)))


def positive(values: Array) -> Array:
    """``values``, and 1 where they are 0 or so small that their inverse is no number."""
    return np.where(values > np.finfo(np.float64).tiny, values, 1.0)


def rescaled(x: Any, rows: Array, columns: Array) -> Any:
    """Cells times a factor of their row and one of their column."""
    if is_sparse(x):
        values = x.data * np.repeat(rows, np.diff(x.indptr)) * columns[x.indices]
        return csr_array((values, x.indices, x.indptr), shape=x.shape)
    return x * rows[:, None] * columns


def norms(x: Any) -> Array:
    """Length of each row, (rows,)."""
    squares = x.power(2) if is_sparse(x) else x**2
    return np.asarray(np.sqrt(squares.sum(axis=1)))


def some_rows(data: Blocks) -> Any:
    """Rows to find principal axes with, evenly spaced; None where there are few columns."""
    if data.n_columns <= N_AXES:
        return None
    return data.take(evenly(data.n_rows, AXES_ROWS)).x


def principal_axes(directions: Any) -> Array:
    """Principal axes of rows of length 1, (D, 32).

    Latent semantic analysis (Deerwester et al. 1990, *J. American Society for Information Science* 41:391).
    Random axes keep too little of the angles between sparse rows, which are nearly all right angles.
    """
    return np.asarray(randomized_svd(directions, N_AXES, n_iter=2, random_state=0)[2].T)


def along(axes: Array | None, directions: Any) -> Array:
    """Rows of length 1 as points (rows, features): as they are, or along axes and of length 1 again."""
    if axes is None:
        return np.asarray(directions.toarray() if is_sparse(directions) else directions)
    points = np.asarray(directions @ axes)
    return points / positive(norms(points))[:, None]
