"""What the families for discrete columns share: columns are independent, and the prior is pseudo-rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import gammaln

from semigen.arrays.pieces import Indices, chunks
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.exceptions import ColumnError
from semigen.families.protocol import Array, Family, Floats

FLOOR = 1e-12
"""Smallest probability and rate: a row that contradicts every component still has a density."""

LARGEST_COUNT = 2.0**53
"""Above it a float64 does not hold every whole number."""

MAX_POINT_COLUMNS = 256
CHUNK_ROWS = 2048

_LOG_FACTORIAL: Array = gammaln(np.arange(1, 1025, dtype=np.float64))


@dataclass(frozen=True)
class Standard:
    """How rows become points: some columns, centered, each with variance 1 over all rows.

    Attributes
    ----------
    columns : ndarray of shape (F,), intp
    center, scale : ndarray of shape (F,)
    """

    columns: Indices
    center: Array
    scale: Array

    @classmethod
    def of(cls, center: Array, variance: Array) -> Standard:
        """From the means and variances of all columns; of very many, those that vary most."""
        columns = np.sort(np.argsort(-variance, kind="stable")[:MAX_POINT_COLUMNS])
        spread = np.sqrt(variance[columns])
        return cls(columns, center[columns], np.where(spread > 0, spread, 1.0))

    def points(self, x: Any) -> Array:
        """Points (rows, F); a missing value stands at the center."""
        chosen = x[:, self.columns]
        dense = np.asarray(chosen.toarray() if is_sparse(chosen) else chosen, dtype=np.float64)
        points = (dense - self.center) / self.scale
        return np.where(np.isnan(points), 0.0, points)


@dataclass(frozen=True)
class PseudoRows:
    """Prior: s pseudo-rows per component that look like all rows.

    ``log p(θ) = s Σ_c Σ_d E[log p(x_d | θ_c)]``, where x_d is a draw from column d of all rows. It is the
    conjugate prior of an exponential family (Diaconis & Ylvisaker 1979, *Annals of Statistics* 7:269) with
    its location from all rows, and the M-step is that of maximum likelihood with the pseudo-rows added.

    Attributes
    ----------
    row : record
        Statistics of one row that looks like all rows, of one component.
    strength : float
        s ≥ 0.
    neutral : record
        Parameters of one component before any row was seen.
    standard : Standard
    """

    row: Any
    strength: float
    neutral: Any
    standard: Standard

    @property
    def sums(self) -> Any:
        """Statistics of the pseudo-rows of one component, (1, ...)."""
        return self.row.times(np.full((1, 1), self.strength))


class Discrete(Family):
    """Columns that are independent within a component, with a prior of rows that look like all rows."""

    default_strength = 2.0
    """Pseudo-rows of ``shrinkage=None``: for a flag that half of all rows have, Laplace's (n₁ + 1) / (n + 2).
    Between 0.1 and 4 errors hardly differ, and more pseudo-rows make a model less sure of itself."""

    @abstractmethod
    def neutral(self, data: Blocks, engine: Engine, *, smooth: bool) -> Any:
        """Parameters of one component whose statistics do for any rows like ``data``."""

    @abstractmethod
    def average(self, total: Any, params: Any) -> Any:
        """Statistics of one row that looks like all rows, from the sums over all rows; 0 without values."""

    @abstractmethod
    def standard(self, data: Blocks, engine: Engine, row: Any, params: Any) -> Standard:
        """How rows become points."""

    @abstractmethod
    def maximize(self, stats: Any, params: Any) -> Any:
        """Maximum likelihood; columns of components without weight stay as in ``params``."""

    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> PseudoRows:
        strength = self.default_strength if shrinkage is None else float(shrinkage)
        params = self.neutral(data, engine, smooth=strength > 0)
        sums = engine.map_blocks(partial(self._sums, params), data)
        total = reduce(lambda one, other: one.merge(other), sums)
        row = self.average(total, params)
        return PseudoRows(row, strength, params, self.standard(data, engine, row, params))

    def _sums(self, params: Any, block: Block) -> Any:
        """Statistics of a block under one component."""
        missing = None if is_sparse(block.x) else np.ones(block.x.shape[1], dtype=bool)
        walk = self.walk(params, block.x.dtype, missing)
        for piece in chunks(block.rows_by_pattern, walk.chunk_rows):
            walk.log_prob(block.x[piece])
            walk.add(block.weight[piece][None])
        return walk.stats()

    def reference(self, prior: PseudoRows, n_components: int) -> Any:
        return self.maximize(prior.row.times(np.ones((n_components, 1))), prior.neutral)

    def m_step(self, prior: PseudoRows, stats: Any, params: Any) -> Any:
        return self.maximize(stats.merge(prior.sums), params)

    def log_prior(self, prior: PseudoRows, params: Any) -> float:
        return self.log_likelihood(params, prior.sums) if prior.strength > 0 else 0.0


def is_sparse(x: Any) -> bool:
    """Whether rows are a sparse matrix."""
    return bool(issparse(x))


def listing(columns: NDArray[Any]) -> str:
    """Column numbers, the first few of many."""
    some = ", ".join(map(str, columns[:8].tolist()))
    return f"{some} and {len(columns) - 8} more" if len(columns) > 8 else some


def check_support(x: Any, inside: Callable[[Any], NDArray[np.bool_]], wanted: str) -> None:
    """Refuse values outside a family's support; missing values of dense rows are let through.

    Raises
    ------
    ColumnError
    """
    values = x.data if is_sparse(x) else x
    outside = ~inside(values)
    if not is_sparse(x) and outside.any():
        outside &= ~np.isnan(values)
    if outside.any():
        columns = np.unique(x.indices[outside] if is_sparse(x) else np.nonzero(outside)[1])
        raise ColumnError(f"values such as {values[outside][0]:g}, {wanted}", columns=columns.tolist())


def check_counts(x: Any) -> None:
    """Refuse values that are no counts.

    Raises
    ------
    ColumnError
    """
    check_support(
        x,
        lambda v: (v >= 0) & (v <= LARGEST_COUNT) & (v == np.floor(v)),
        "which are no counts (0, 1, 2, … up to 2^53): correct them, or model these columns as numbers "
        "(family 'gaussian').",
    )


def log_factorial(x: Floats) -> Array:
    """``log x!`` of counts."""
    if x.size and x.max() >= len(_LOG_FACTORIAL):
        return np.asarray(gammaln(x + 1.0))
    return np.take(_LOG_FACTORIAL, x.astype(np.intp))


def measured_standard(data: Blocks, engine: Engine, transform: Callable[[Any], Any]) -> Standard:
    """Means and variances of ``transform(x)``, for a transform that leaves 0 at 0."""
    sums = engine.map_blocks(partial(_transformed_sums, transform), data)
    rows, first, second = np.asarray(sum(sums))
    rows = np.where(rows > 0, rows, 1.0)
    mean = first / rows
    return Standard.of(mean, np.maximum(second / rows - mean**2, 0.0))


def _transformed_sums(transform: Callable[[Any], Any], block: Block) -> Array:
    """Weight of the observed values, ``Σ w t(x)`` and ``Σ w t(x)²`` of each column of a block, (3, D)."""
    n_columns = block.x.shape[1]
    sums = np.zeros((3, n_columns))
    for piece in chunks(block.rows_by_pattern, CHUNK_ROWS):
        w, values = block.weight[piece], transform(block.x[piece])
        if is_sparse(values):
            sums += [np.full(n_columns, w.sum()), values.T @ w, values.power(2).T @ w]
        else:
            there = ~np.isnan(values)
            values = np.where(there, values, 0.0)
            sums += [w @ there, w @ values, w @ (values * values)]
    return sums


def transformed(function: Callable[[Any], Any], x: Any) -> Any:
    """``function`` of every value of dense or sparse rows, in float64."""
    if is_sparse(x):
        return csr_array((function(x.data.astype(np.float64)), x.indices, x.indptr), shape=x.shape)
    return function(np.asarray(x, dtype=np.float64))


def looked_at(missing: Missing) -> Missing:
    """``missing``, or None where no column is."""
    return missing if missing is not None and missing.any() else None
