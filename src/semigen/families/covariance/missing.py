"""Rows with missing values: distances among the observed values, expectations of the missing ones.

With the precision Λ = Σ⁻¹, the deviation d of the observed values o and the missing values m of a row:

    V = Λ_mm⁻¹                       conditional covariance of the missing values
    ŷ = μ_m - V g,  g = Λ_mo d       their conditional mean
    δ = dᵀ Λ_oo d - gᵀ V g           squared distance among the observed values
    log|Σ_oo| = log|Σ| + log|Λ_mm|

so a pattern of missing values costs m³ for its m missing values, whatever the number of columns, and once for
all rows that share it (Little & Rubin 2019, *Statistical Analysis with Missing Data*, §11.2.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices
from semigen.arrays.scratch import weighted_sums
from semigen.families.covariance.base import (
    CACHE_BYTES,
    Array,
    FillingWalk,
    Floats,
    LocationShape,
    Moments,
    ScatterWalk,
)

CHUNK_BYTES = 8 * CACHE_BYTES
"""Scratch memory of a chunk of :class:`DenseFilling`: more than the cache, for more rows per pattern."""

LONG_RUN = 3000
"""Products (C · m² · rows) of one pattern from which on a matrix product of its own is faster (measured)."""


class MissingWalk(ScatterWalk):
    """Chunks with a missing value go to one walk, the others to that for complete rows.

    Parameters
    ----------
    complete : ScatterWalk
    filling : FillingWalk
    columns : ndarray of shape (D,), bool
        Which columns may have missing values.
    """

    def __init__(self, complete: ScatterWalk, filling: FillingWalk, columns: NDArray[np.bool_]) -> None:
        self._complete, self._filling, self._columns = complete, filling, columns
        self._active: ScatterWalk = complete
        self.chunk_rows = min(complete.chunk_rows, filling.chunk_rows)

    def distances(self, x: NDArray[Any]) -> Floats:
        result = self._walk_of(x).distances(x)
        self.n_observed, self.log_det = self._active.n_observed, self._active.log_det
        return result

    def log_normal(self, x: NDArray[Any]) -> Floats:
        return self._walk_of(x).log_normal(x)

    def joint(self, offset: Array) -> Callable[[NDArray[Any]], Floats]:
        of = {walk: walk.joint(offset) for walk in (self._complete, self._filling)}
        return lambda x: of[self._walk_of(x)](x)

    def _walk_of(self, x: NDArray[Any]) -> ScatterWalk:
        self._active = self._filling if np.isnan(x[:, self._columns]).any() else self._complete
        return self._active

    def add(self, resp: Floats, spread: Floats | None = None) -> None:
        self._active.add(resp, spread)

    def moments(self) -> Moments:
        return self._complete.moments().merge(self._filling.moments())


class DiagonalFilling(FillingWalk):
    """Independent columns: a missing value has the component's own mean and variance.

    Parameters
    ----------
    params : LocationShape
    variance : ndarray of shape (C, D)
    """

    def __init__(self, params: LocationShape, variance: Array) -> None:
        self._center, self._mean, self._variance = params.center, params.mean, variance
        n_components, n_features = variance.shape
        self.chunk_rows = int(np.clip(CACHE_BYTES // (8 * (4 * n_features + 4 * n_components)), 32, 2048))
        self._quadratic = 1.0 / variance
        self._linear = -2.0 * self._mean * self._quadratic
        self._constant = self._mean**2 * self._quadratic
        self._weight = np.zeros(n_components)
        self._first, self._second = np.zeros_like(variance), np.zeros_like(variance)

    def distances(self, x: NDArray[Any]) -> Floats:
        self._missing = np.isnan(x)
        self._y = np.where(self._missing, 0.0, x - self._center)
        self._squares = self._y * self._y
        observed = (~self._missing).T.astype(np.float64)
        self.n_observed = x.shape[1] - self._missing.sum(axis=1)
        self.log_det = np.log(self._variance) @ observed
        total = self._quadratic @ self._squares.T
        total += self._linear @ self._y.T
        total += self._constant @ observed
        return np.asarray(np.clip(total, 0.0, np.inf, out=total))

    def add(self, resp: Floats, spread: Floats | None = None) -> None:
        missing = self._missing.astype(np.float64)
        filled = weighted_sums(resp, missing)
        of_spread = filled if spread is None else weighted_sums(spread, missing)
        self._weight += resp.sum(axis=1, dtype=np.float64)
        self._first += weighted_sums(resp, self._y) + filled * self._mean
        self._second += (
            weighted_sums(resp, self._squares) + filled * self._mean**2 + of_spread * self._variance
        )

    def moments(self) -> Moments:
        return Moments(self._weight, self._first, (self._second,))

    def expect(self, resp: Floats) -> Array:
        return np.asarray(np.where(self._missing, resp.T @ self._mean, self._y) + self._center)


class DenseFilling(FillingWalk):
    """Correlated columns. Rows of a chunk are sorted by their number of missing values, then by pattern.

    Distances need a Cholesky factor of each pattern and component; missing values are filled, and their
    conditional covariances computed, only where a component has a share in a row.

    Parameters
    ----------
    params : LocationShape
    whiten : ndarray of shape (C or 1, D, D)
        A with ``Aᵀ A = Σ⁻¹``; a single one is shared by all components.
    log_det : ndarray of shape (C or 1,)
        log|Σ|.
    """

    def __init__(self, params: LocationShape, whiten: Array, log_det: Array) -> None:
        self._center, self._mean = params.center, params.mean
        self._precision = whiten.transpose(0, 2, 1) @ whiten
        self._whole_log_det = log_det
        n_components, n_features = params.mean.shape
        # rows, their gradients, and Λ_mm where a third of the cells is missing and patterns are distinct
        row_bytes = 8 * n_components * (3 * n_features + n_features**2 // 8 + 4)
        self.chunk_rows = int(np.clip(CHUNK_BYTES // row_bytes, 32, 2048))
        self._weight = np.zeros(n_components)
        self._first = np.zeros_like(params.mean)
        self._second = np.zeros_like(self._precision)

    def distances(self, x: NDArray[Any]) -> Floats:
        missing = np.isnan(x)
        count = missing.sum(axis=1)
        self._order = order = np.lexsort((*np.packbits(missing, axis=1).T, count))
        sorted_missing, sorted_count = missing[order], count[order]
        self._y = y = np.empty((*self._mean.shape, len(x)))
        np.subtract((x[order] - self._center).T, self._mean[:, :, None], out=y)
        np.copyto(y, 0.0, where=sorted_missing.T)
        self._gradient = self._precision @ y
        distance = np.einsum("cdn,cdn->cn", y, self._gradient)
        log_det = np.repeat(np.broadcast_to(self._whole_log_det, len(y))[:, None], len(x), axis=1)
        self._patterns = []
        for begin, end in pairwise([*np.flatnonzero(np.diff(sorted_count, prepend=0)).tolist(), len(x)]):
            cells = np.nonzero(sorted_missing[begin:end])[1].reshape(end - begin, -1)
            patterns = _Patterns.of(begin, cells, self._precision)
            surplus, log_pivots = patterns.whitened_length(self._gradient)
            distance[:, begin:end] -= surplus
            log_det[:, begin:end] += log_pivots
            self._patterns.append(patterns)
        back = np.argsort(order)
        self.n_observed = x.shape[1] - count
        self.log_det = log_det[:, back]
        return np.asarray(np.maximum(distance, 0.0)[:, back])

    def add(self, resp: Floats, spread: Floats | None = None) -> None:
        self._weight += resp.sum(axis=1, dtype=np.float64)
        resp = resp[:, self._order]
        spread = resp if spread is None else spread[:, self._order]
        for patterns in self._patterns:
            places, values = patterns.fill(self._y, self._gradient, spread)
            sums = np.bincount(places, values, minlength=self._second.size)
            self._second += sums.reshape(self._second.shape)
        for c, used in enumerate(resp > 0):
            rows = np.flatnonzero(used)
            y = self._y[c].take(rows, axis=1) + self._mean[c, :, None]
            weighted = y * resp[c].take(rows)
            self._first[c] += weighted.sum(axis=1)
            self._second[c % len(self._second)] += weighted @ y.T

    def moments(self) -> Moments:
        second = 0.5 * (self._second + self._second.transpose(0, 2, 1))
        return Moments(self._weight, self._first, (second,))

    def expect(self, resp: Floats) -> Array:
        resp = resp[:, self._order]
        for patterns in self._patterns:
            patterns.fill(self._y, self._gradient, resp)
        result = np.empty(self._y.shape[:0:-1])
        result[self._order] = np.einsum("cn,cdn->nd", resp, self._y) + resp.T @ self._mean
        return result + self._center


@dataclass(frozen=True)
class _Patterns:
    """The patterns with m missing values, of consecutive rows of a chunk.

    Attributes
    ----------
    rows : slice
        Which rows.
    starts : ndarray of shape (P,)
        Where each pattern's rows begin among them.
    of_row : ndarray of shape (rows,)
        The pattern of each row.
    cells : ndarray of shape (m, P)
        The missing columns.
    precision : ndarray of shape (B, P, m, m)
        Λ_mm, of each of the B matrices: one per component, or one for all.
    """

    rows: slice
    starts: Indices
    of_row: Indices
    cells: Indices
    precision: Array

    @classmethod
    def of(cls, begin: int, cells: Indices, precision: Array) -> _Patterns:
        """Patterns of the rows from ``begin`` on with these missing values (rows, m), sorted by pattern."""
        new = (cells[1:] != cells[:-1]).any(axis=1)
        starts = np.concatenate([[0], np.flatnonzero(new) + 1])
        of_row = np.concatenate([[0], np.cumsum(new)])
        distinct = cells[starts]
        places = distinct[:, :, None] * precision.shape[1] + distinct[:, None, :]
        blocks = precision.reshape(len(precision), -1).take(places, axis=1)
        return cls(slice(begin, begin + len(cells)), starts, of_row, np.ascontiguousarray(distinct.T), blocks)

    def whitened_length(self, gradient: Array) -> tuple[Array, Array]:
        """``gᵀ Λ_mm⁻¹ g`` (C, rows) of the missing values' ``gradient`` g, and log|Λ_mm| (B, rows)."""
        factor = np.linalg.cholesky(self.precision)
        log_det = 2.0 * np.log(np.diagonal(factor, axis1=2, axis2=3)).sum(axis=2)
        rest = self._of_missing(gradient)  # L⁻¹ g, by forward substitution
        if self._is_long(rest):
            for pattern, rows in enumerate(self._runs()):
                rest[..., rows] = np.linalg.inv(factor[:, pattern]) @ rest[..., rows]
        else:
            columns = np.ascontiguousarray(factor.transpose(3, 0, 2, 1))  # (m, B, m, P)
            for j, column in enumerate(columns):
                rest[:, j] /= column[:, j].take(self.of_row, axis=1)
                rest[:, j + 1 :] -= column[:, j + 1 :].take(self.of_row, axis=2) * rest[:, j, None]
        return np.einsum("cmn,cmn->cn", rest, rest), log_det[:, self.of_row]

    def fill(self, y: Array, gradient: Array, resp: Floats) -> tuple[Indices, Array]:
        """Fill the missing values of deviations ``y`` (C, D, n) in rows where a component has a share.

        Returns
        -------
        places : ndarray of integers
        values : ndarray
            Entries of ``Σ resp V`` and their places in flat (B, D, D) matrices, to be added up.
        """
        n_matrices, n_features = len(self.precision), y.shape[1]
        mine = resp[:, self.rows]
        pooled = mine if n_matrices == len(mine) else mine.sum(axis=0, keepdims=True)
        weight = np.add.reduceat(pooled, self.starts, axis=1)
        pulls = self._of_missing(gradient)
        if self._is_long(pulls):
            matrix, pattern = (index.ravel() for index in np.indices(weight.shape))
            covariance = np.linalg.inv(self.precision[matrix, pattern])
            each = covariance.reshape(self.precision.shape)
            for p, rows in enumerate(self._runs()):
                where = slice(self.rows.start + rows.start, self.rows.start + rows.stop)
                y[:, self.cells[:, p], where] = -(each[:, p] @ pulls[..., rows])
        else:
            matrix, pattern = np.nonzero(weight)
            covariance = np.linalg.inv(self.precision[matrix, pattern])
            number = np.empty(weight.shape, dtype=np.intp)
            number[matrix, pattern] = np.arange(len(matrix))
            component, row = np.nonzero(mine)
            of_pair = number[component % n_matrices, self.of_row[row]]
            pull = pulls[component, :, row].T
            filled = np.zeros_like(pull)
            columns = np.ascontiguousarray(covariance.transpose(2, 1, 0))
            for column, one in zip(columns, pull, strict=True):
                filled -= column.take(of_pair, axis=1) * one
            y[component, self.cells[:, self.of_row[row]], self.rows.start + row] = filled
        cells = self.cells[:, pattern].T
        places = (matrix[:, None, None] * n_features + cells[:, :, None]) * n_features + cells[:, None]
        values = covariance * weight[matrix, pattern][:, None, None]
        return places.ravel(), np.asarray(values.ravel(), dtype=np.float64)

    def _of_missing(self, gradient: Array) -> Array:
        """The missing values of each row, (C, m, rows)."""
        n_components, _, n_rows = gradient.shape
        places = self.cells[:, self.of_row] * n_rows + np.arange(self.rows.start, self.rows.stop)
        return np.asarray(gradient.reshape(n_components, -1).take(places, axis=1))

    def _is_long(self, cells: Array) -> bool:
        """Whether patterns have so many rows that a matrix product of its own for each is worthwhile."""
        return cells.size * len(self.cells) > LONG_RUN * len(self.starts)

    def _runs(self) -> list[slice]:
        """The rows of each pattern."""
        return [slice(*pair) for pair in pairwise([*self.starts.tolist(), len(self.of_row)])]
