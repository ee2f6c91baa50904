"""What a covariance shape is, and the walk that every shape's E- and M-step sums share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.scratch import Scratch, weighted_sums

Array = NDArray[np.float64]
Floats = NDArray[np.floating]
Second = tuple[Array, ...]

LOG_2PI = float(np.log(2 * np.pi))

WITHIN = 0.25
"""Share of a column's variance over all rows that the prior expects inside one component: pseudo-rows spread
half as wide as all rows. With the whole variance, one component can absorb the others."""

CACHE_BYTES = 2**21
"""Scratch memory of a chunk: about one core's second-level cache and its share of the third."""
COMPLETE_BYTES, MOST_ROWS = 2 * CACHE_BYTES, 4096
"""The same without missing values, and rows at most: of fewer rows operations end so soon that threads spend
their time waiting for the interpreter lock."""


@dataclass(frozen=True)
class LocationShape:
    """Locations and covariances of C components in D columns.

    Attributes
    ----------
    center : ndarray of shape (D,)
        Where the origin lies: the weighted mean of all rows. Rows are centered before anything is squared.
    mean : ndarray of shape (C, D)
        Component means less ``center``.
    shape : record
        The covariances, in the form of their :class:`Covariance`.
    """

    center: Array
    mean: Array
    shape: Any

    @cached_property
    def walks(self) -> dict[Any, Any]:
        """Walks to begin anew, :meth:`CompleteWalk.anew`; no part of copies and files."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Moments:
    """Weighted sums of rows x with y = x - center.

    Attributes
    ----------
    weight : ndarray of shape (C,)
        ``Σ r``, rows.
    first : ndarray of shape (C, D)
        ``Σ r y``.
    second : tuple of ndarrays
        ``Σ r y yᵀ``, as much of it as the covariance shape needs.
    """

    weight: Array
    first: Array
    second: Second

    def merge(self, other: Moments) -> Moments:
        """The sums over both sets of rows."""
        second = tuple(a + b for a, b in zip(self.second, other.second, strict=True))
        return Moments(self.weight + other.weight, self.first + other.first, second)


@dataclass(frozen=True)
class NormalInverseWishart:
    """Conjugate prior of means and covariances, with the overall mean as its origin.

    ``log p(μ, Σ) = -½ Σ_c [ s (log|Σ| + tr(Σ⁻¹ Σ₀)) + κ μᵀ Σ⁻¹ μ ] + const``, so s is the number of
    pseudo-rows with the covariance Σ₀ and κ the number with the mean 0.

    Attributes
    ----------
    center : ndarray of shape (D,)
        Weighted mean of all rows.
    scale : ndarray of shape (D,)
        Weighted standard deviation of each column over all rows; 1 for a constant column.
    target : Any
        Σ₀ in the form of the covariance shape.
    strength : float
        s ≥ 0, pseudo-rows.
    mean_strength : float
        κ ≥ 0, pseudo-rows.
    floor : ndarray of shape (D,)
        Every covariance stays ⪰ diag(floor).
    n_varying : int or None
        Columns with different values, which pseudo-rows are counted for; None: all.
    """

    center: Array
    scale: Array
    target: Any
    strength: float
    mean_strength: float
    floor: Array
    n_varying: int | None = None


class ScatterWalk(ABC):
    """Squared Mahalanobis distances and weighted second moments of the rows of a block."""

    chunk_rows: int
    """How many rows fit the processor's cache at once."""
    n_observed: NDArray[np.intp]
    """How many cells of the rows of the last :meth:`distances` are observed, (1,) or (rows,)."""
    log_det: Array
    """log|Σ| among these cells, (C, 1) or (C, rows)."""

    @abstractmethod
    def distances(self, x: NDArray[Any]) -> Floats:
        """``(x - μ)ᵀ Σ⁻¹ (x - μ)`` among the observed values of each row, (C, rows); may round below 0."""

    def bounded_distances(self, x: NDArray[Any], power: float) -> Floats:
        """Distances from 0 to the largest number to this power, which rows too far away to have one get."""
        with np.errstate(over="ignore", invalid="ignore"):
            distance = self.distances(x)
        farthest = float(np.finfo(distance.dtype).max) ** power
        if not (distance.min(initial=0.0) == 0.0 and distance.max(initial=0.0) <= farthest):  # NaN is neither
            np.fmin(distance, farthest, out=distance)
            distance.clip(0.0, farthest, out=distance)
        return distance

    def log_normal(self, x: NDArray[Any]) -> Floats:
        """``-½ (distance + log|Σ| + n log 2π)`` of the n observed values of each row, (C, rows)."""
        log_prob = self.bounded_distances(x, power=0.5)
        log_prob *= -0.5
        log_prob += self.log_scale.astype(log_prob.dtype, copy=False)
        return log_prob

    def joint(self, offset: Array) -> Callable[[NDArray[Any]], Floats]:
        """What gives :meth:`log_normal` plus ``offset`` (C, 1), but no number where rows are too far away."""

        def log_joint(x: NDArray[Any]) -> Floats:
            total = self.log_normal(x)
            total += offset.astype(total.dtype, copy=False)
            return total

        return log_joint

    @property
    def log_scale(self) -> Array:
        """``-½ (log|Σ| + n log 2π)`` of the rows of the last :meth:`distances`, (C, 1) or (C, rows)."""
        return np.asarray(-0.5 * (self.n_observed * LOG_2PI + self.log_det))

    @abstractmethod
    def add(self, resp: Floats, spread: Floats | None = None) -> None:
        """Add the rows of the last :meth:`distances`, weighted by ``resp`` (C, rows).

        ``spread`` (C, rows) weighs the conditional covariances of missing values; None: ``resp`` does.
        """

    @abstractmethod
    def moments(self) -> Moments:
        """All sums of what was added."""


class CompleteWalk(ScatterWalk):
    """A walk over rows without missing values.

    Subclasses say how, for rows ``y`` (D, rows) that are in ``self.y`` from :meth:`distances` to :meth:`add`.
    """

    chunk_bytes, most_rows = COMPLETE_BYTES, MOST_ROWS

    def __init__(self, params: LocationShape, log_det: Array, dtype: Any, numbers_per_row: int) -> None:
        self.dtype = np.dtype(dtype)
        n_components, n_features = params.mean.shape
        self.n_observed = np.array([n_features])
        self.log_det = np.broadcast_to(log_det, n_components)[:, None]
        row_bytes = self.dtype.itemsize * (numbers_per_row + n_features + 4 * n_components)
        self.chunk_rows = min(max(self.chunk_bytes // row_bytes, 32), self.most_rows)
        self._center = params.center[:, None].astype(self.dtype)
        self._begin(n_components, n_features)

    def _begin(self, n_components: int, n_features: int) -> None:
        """Sums of no row yet."""
        self.scratch = Scratch(self.dtype)
        self.weight = np.zeros(n_components)
        self.first = np.zeros((n_components, n_features))

    def anew(self) -> Self:
        """Another walk with these parameters, which need not be prepared again, while other threads wait."""
        walk = copy(self)
        walk._begin(*self.first.shape)
        return walk

    def load(self, x: NDArray[Any]) -> Floats:
        """Center a chunk of rows (rows, D) into ``y`` (D, rows), below a row of ones in ``augmented``."""
        n_rows, n_features = x.shape
        self.augmented = self.scratch("rows", 1 + n_features, n_rows)
        self.augmented[0] = 1.0
        self.y = self.augmented[1:]
        np.subtract(
            x.T, self._center, out=self.y, dtype=np.result_type(x.dtype, self.dtype), casting="same_kind"
        )
        return self.y

    def product(self, name: str, weights: Array, rows: Floats) -> Floats:
        """``weights @ rows`` in scratch memory of this name."""
        return np.matmul(weights, rows, out=self.scratch(name, len(weights), rows.shape[1]))

    def add(self, resp: Floats, spread: Floats | None = None) -> None:
        self.weight += np.add.reduce(resp, axis=1, dtype=np.float64)
        self.first += weighted_sums(resp, self.y.T)
        self.add_second(resp)

    def add_second(self, resp: Floats) -> None:
        """Add ``r y yᵀ`` of the loaded rows."""
        raise NotImplementedError

    def second(self) -> Second:
        """``Σ r y yᵀ`` in the shape's form."""
        raise NotImplementedError

    def moments(self) -> Moments:
        return Moments(self.weight, self.first, self.second())


class FillingWalk(ScatterWalk):
    """A walk over rows with missing values (NaN), in float64.

    What it adds is expected given the observed values: the missing values of a row have a conditional mean ŷ
    and covariance V, and ``Σ r y`` and ``Σ r y yᵀ`` become ``Σ r ŷ`` and ``Σ r (ŷ ŷᵀ + V)``.
    """

    @abstractmethod
    def expect(self, resp: Floats) -> Array:
        """``Σ_c r_c E[x | observed values, c]`` of the rows of the last :meth:`distances`, (rows, D)."""


class Covariance(ABC):
    """A shape of covariance matrices: how they are stored, estimated and used.

    A second moment, a scatter and a target are held in the shape's own form (``Second``). ``outer`` gives
    ``w m mᵀ`` in that form, so the family can move second moments to another origin without knowing it.
    """

    name: str
    has_single: bool = False
    """Whether walks can compute in float32."""

    @abstractmethod
    def default_shrinkage(self, n_features: int) -> float:
        """Pseudo-rows of ``shrinkage="auto"`` at diagonal matrices."""

    @abstractmethod
    def target(self, variance: Array, scale: Array) -> Any:
        """Σ₀ in the shape's form, with these variances (D,) of columns of these standard deviations (D,)."""

    def least_variance(self, variance: Array) -> float:
        """What no variance of a component falls below, given those of the columns over all rows (D,)."""
        return 0.0

    def pooled(self) -> Covariance:
        """The shape with one matrix for all components, the level above in a hierarchical prior.

        The shape itself where there is no such level: it is then shrunk toward a diagonal matrix.
        """
        return self

    def pooled_shrinkage(self, n_features: int) -> float:
        """Pseudo-rows of ``shrinkage="auto"`` at the matrix of ``pooled``."""
        return self.default_shrinkage(n_features)

    def pooled_target(self, shape: Any) -> Any:
        """Σ₀ in the shape's form, from the record of ``pooled``."""
        raise NotImplementedError(f"{type(self).__name__} has no level above it")

    @abstractmethod
    def reference(self, prior: NormalInverseWishart, n_components: int) -> Any:
        """The shape's record with every component at Σ₀."""

    @abstractmethod
    def walk(self, params: LocationShape, dtype: Any) -> ScatterWalk:
        """Start a walk over rows of numbers of type ``dtype`` without missing values."""

    @abstractmethod
    def walk_missing(self, params: LocationShape) -> FillingWalk:
        """Start a walk over rows with missing values."""

    @abstractmethod
    def outer(self, weight: Array, mean: Array) -> Second:
        """``w_c m_c m_cᵀ`` in the form of second moments."""

    @abstractmethod
    def estimate(self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: Any) -> Any:
        """Covariances from scatter about the means, ``(scatter + s Σ₀) / (weight + s)``, floored."""

    @abstractmethod
    def bounded(self, prior: NormalInverseWishart, shape: Any) -> Any:
        """The matrices of another fit, changed only where this prior does not allow them."""

    @abstractmethod
    def log_det(self, shape: Any) -> Array:
        """log|Σ_c|, (C,)."""

    @abstractmethod
    def mahalanobis(self, shape: Any, deviation: Array) -> Array:
        """``δ_cᵀ Σ_c⁻¹ δ_c`` of one deviation per component (C, D), (C,)."""

    @abstractmethod
    def trace(self, shape: Any, scatter: Second) -> float:
        """``Σ_c tr(Σ_c⁻¹ scatter_c)``."""

    @abstractmethod
    def log_prior(self, prior: NormalInverseWishart, shape: Any) -> float:
        """``-½ s Σ (log|Σ| + tr(Σ⁻¹ Σ₀))`` over the distinct matrices."""

    @abstractmethod
    def dense(self, shape: Any, n_components: int) -> Array:
        """The matrices Σ_c, (C, D, D)."""

    @abstractmethod
    def n_free(self, n_components: int, n_features: int) -> int:
        """Number of free parameters of the covariances."""

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"
