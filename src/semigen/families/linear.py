"""Columns from a one-parameter exponential family: log p(x | c) = Σ_d [x_d η_cd - A_cd] + h(x)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.scratch import weighted_sums
from semigen.data.blocks import Blocks, Engine, Missing
from semigen.families.discrete import (
    CHUNK_ROWS,
    Discrete,
    PseudoRows,
    Standard,
    is_sparse,
    looked_at,
    measured_standard,
)
from semigen.families.protocol import Array, Floats, Walk


@dataclass(frozen=True)
class Means:
    """Parameters.

    Attributes
    ----------
    mean : ndarray of shape (C, D)
        E[x | c].
    """

    mean: Array


@dataclass(frozen=True)
class LinearSums:
    """Weighted sums of rows.

    Attributes
    ----------
    weight : ndarray of shape (C, D)
        ``Σ r`` over the rows whose value in the column is observed.
    first : ndarray of shape (C, D)
        ``Σ r x``.
    carrier : float
        ``Σ r h(x)``.
    """

    weight: Array
    first: Array
    carrier: float

    def merge(self, other: LinearSums) -> LinearSums:
        """The sums over both sets of rows."""
        return LinearSums(self.weight + other.weight, self.first + other.first, self.carrier + other.carrier)

    def times(self, rows: Array) -> LinearSums:
        """The same sums over ``rows`` (C, 1) as many rows; the carrier, a constant, is left out."""
        return LinearSums(self.weight * rows, self.first * rows, 0.0)


class Linear(Discrete):
    """A one-parameter exponential family in each column; subclasses give its functions."""

    takes_sparse = True
    bounds: tuple[float, float]
    """Least and largest mean."""

    @abstractmethod
    def natural(self, mean: Array) -> Array:
        """Natural parameter η of a mean."""

    @abstractmethod
    def log_partition(self, mean: Array) -> Array:
        """A, as a function of the mean."""

    @abstractmethod
    def carrier(self, x: Any) -> Array | float:
        """``h(x)`` of rows, (rows,)."""

    @abstractmethod
    def check(self, x: Any) -> None:
        """Refuse values outside the support."""

    @abstractmethod
    def spread_out(self, x: Any) -> Any:
        """Cells on a scale on which their distances mean something; 0 stays 0."""

    def neutral(self, data: Blocks, engine: Engine, *, smooth: bool) -> Means:
        return Means(np.full((1, data.n_columns), 0.5))

    def average(self, total: LinearSums, params: Means) -> LinearSums:
        there = total.weight > 0
        return LinearSums(there.astype(np.float64), total.first / np.where(there, total.weight, 1.0), 0.0)

    def standard(self, data: Blocks, engine: Engine, row: LinearSums, params: Means) -> Standard:
        return measured_standard(data, engine, self.spread_out)

    def points(self, prior: PseudoRows, x: Any) -> Array:
        return prior.standard.points(self.spread_out(x))

    def walk(self, params: Means, dtype: Any, missing: Missing = None) -> LinearWalk:
        return LinearWalk(self, params, looked_at(missing))

    def maximize(self, stats: LinearSums, params: Means) -> Means:
        there = stats.weight > 0
        mean = np.where(there, stats.first / np.where(there, stats.weight, 1.0), params.mean)
        return Means(np.clip(mean, *self.bounds))

    def log_likelihood(self, params: Means, stats: LinearSums) -> float:
        by_cell = stats.first * self.natural(params.mean) - stats.weight * self.log_partition(params.mean)
        return float(by_cell.sum()) + stats.carrier

    def summary(self, params: Means) -> dict[str, Any]:
        return {"mean": params.mean}

    def n_free(self, params: Means) -> int:
        return params.mean.size


class LinearWalk(Walk):
    """Log densities and sums as products of the rows, dense or sparse, with the natural parameters.

    In float64 also for float32 rows.
    """

    def __init__(self, family: Linear, params: Means, missing: NDArray[np.bool_] | None) -> None:
        n_components, n_features = params.mean.shape
        self.chunk_rows = CHUNK_ROWS
        self._family = family
        self._natural = family.natural(params.mean)
        self._log_partition = family.log_partition(params.mean)
        self._missing = missing
        always = slice(None) if missing is None else ~missing
        self._constant = -self._log_partition[:, always].sum(axis=1)[:, None]
        self._weight = np.zeros((n_components, n_features))
        self._first = np.zeros((n_components, n_features))
        self._total = 0.0

    def log_prob(self, x: Any) -> Floats:
        self._family.check(x)
        if is_sparse(x):
            self._x = x
            log_prob = np.ascontiguousarray((x @ np.ascontiguousarray(self._natural.T)).T)
        elif self._missing is None:
            self._x = np.asarray(x, dtype=np.float64)
            log_prob = self._natural @ self._x.T
        else:
            absent = np.isnan(x)
            self._x = np.where(absent, 0.0, np.asarray(x, dtype=np.float64))
            self._there = 1.0 - absent[:, self._missing]
            log_prob = self._natural @ self._x.T
            log_prob -= self._log_partition[:, self._missing] @ self._there.T
        log_prob += self._constant
        self._carrier = self._family.carrier(self._x)
        log_prob += self._carrier
        return np.asarray(log_prob)

    def add(self, resp: Floats) -> None:
        rows = resp.sum(axis=1, dtype=np.float64)[:, None]
        if self._missing is None:
            self._weight += rows
        else:
            self._weight[:, ~self._missing] += rows
            self._weight[:, self._missing] += weighted_sums(resp, self._there)
        if is_sparse(self._x):
            self._first += (self._x.T @ np.ascontiguousarray(resp.T)).T
        else:
            self._first += weighted_sums(resp, self._x)
        self._total += float((resp * self._carrier).sum(dtype=np.float64))

    def stats(self) -> LinearSums:
        return LinearSums(self._weight, self._first, self._total)
