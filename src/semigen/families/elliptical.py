"""What families with a location and a covariance shape have in common."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices, chunks
from semigen.common.notices import warn
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.exceptions import ColumnError, ColumnWarning
from semigen.families.covariance import Covariance, as_covariance
from semigen.families.covariance.base import WITHIN, LocationShape, Moments, NormalInverseWishart, ScatterWalk
from semigen.families.covariance.missing import MissingWalk
from semigen.families.protocol import Array, Family

MEAN_STRENGTH = 0.01
"""κ: pseudo-rows at the overall mean, enough to place a component that has no rows, too few to move one."""

WITHIN_STRENGTH, WITHIN_SHARE = 3.0, 0.5
"""Pseudo-rows of the variance of a column within classes, and their share of its variance over all rows."""

FLOOR = 1e-6
"""Share of a column's variance over all rows that every covariance keeps."""

PRIOR_CHUNK_ROWS = 1024

VARIANCE_RANGE = {np.dtype(np.float64): (1e-200, 1e200), np.dtype(np.float32): (1e-25, 1e25)}
"""Variances whose inverses and products stay numbers; a smaller one is that of a constant column."""

Bounds = tuple[Array, Array]


class Elliptical(Family):
    """Densities that depend on x through ``(x - μ_c)ᵀ Σ_c⁻¹ (x - μ_c)``.

    Parameters
    ----------
    covariance : str or Covariance, default="full"
        "full", "tied", "diag", "spherical", "low_rank", or a covariance object.
    """

    def __init__(self, covariance: str | Covariance = "full") -> None:
        self.covariance = as_covariance(covariance)

    @property
    def has_single(self) -> bool:  # type: ignore[override]
        """As the covariance shape."""
        return self.covariance.has_single

    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> NormalInverseWishart:
        return self._fit_prior(data, shrinkage, engine, self._bounds(data, engine))

    def _fit_prior(
        self, data: Blocks, shrinkage: float | None, engine: Engine, bounds: Bounds | None
    ) -> NormalInverseWishart:
        center, variance = column_moments(data, engine, bounds)
        smallest, largest = VARIANCE_RANGE[data.dtype]
        refuse_overflow(data, engine, ~(variance < largest))
        rounding = 10 * np.finfo(data.dtype).eps * np.abs(center)
        constant = np.sqrt(variance) <= np.maximum(rounding, np.sqrt(smallest))
        warn_of_small(data, constant & (np.sqrt(variance) > rounding))
        scale = np.where(constant, 1.0, np.sqrt(variance))
        n_varying = int((~constant).sum())
        strength = self.covariance.default_shrinkage(n_varying) if shrinkage is None else shrinkage
        return NormalInverseWishart(
            center=center,
            scale=scale,
            target=self.covariance.target(WITHIN * scale**2, scale),
            strength=float(strength),
            mean_strength=MEAN_STRENGTH if strength > 0 else 0.0,
            floor=np.maximum(FLOOR * scale**2, self.covariance.least_variance(variance)),
            n_varying=n_varying,
        )

    def pooled(self) -> Family:
        if self._is_pooled:
            return self
        family = copy(self)
        family.covariance = self.covariance.pooled()
        return family

    def fit_within_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> NormalInverseWishart:
        bounds = self._bounds(data, engine)
        prior = self._fit_prior(data, shrinkage, engine, bounds)
        if prior.strength == 0:
            return prior
        total = prior.scale**2
        sums, counts, n_classes = within_sums(data, engine, prior.center, bounds)
        rows = np.maximum(counts - n_classes, 0.0) + WITHIN_STRENGTH
        variance = np.minimum((sums + WITHIN_STRENGTH * WITHIN_SHARE * total) / rows, total)
        least = prior.strength / (prior.strength + data.total_weight) * variance
        return replace(
            prior,
            target=self.covariance.target(variance, prior.scale),
            floor=np.maximum(prior.floor, least),
        )

    def prior_around(
        self, pooled: NormalInverseWishart, params: Any, shrinkage: float | None
    ) -> NormalInverseWishart:
        if self._is_pooled:
            return pooled
        n_varying = len(pooled.center) if pooled.n_varying is None else pooled.n_varying
        strength = self.covariance.pooled_shrinkage(n_varying) if shrinkage is None else shrinkage
        return replace(pooled, target=self.covariance.pooled_target(params.shape), strength=float(strength))

    def separate(self, prior: NormalInverseWishart, params: Any) -> Any:
        if self._is_pooled:
            return params
        return replace(params, shape=self.covariance.reference(prior, len(params.mean)))

    @property
    def _is_pooled(self) -> bool:
        return self.covariance.pooled() is self.covariance

    def _bounds(self, data: Blocks, engine: Engine) -> Bounds | None:
        """Lowest and highest value (D,) that counts for the location and scale of the prior; None: all do."""
        return None

    def reference(self, prior: NormalInverseWishart, n_components: int) -> LocationShape:
        mean = np.zeros((n_components, len(prior.center)))
        return LocationShape(prior.center, mean, self.covariance.reference(prior, n_components))

    def moved(self, prior: NormalInverseWishart, params: Any) -> Any:
        mean = params.mean + (params.center - prior.center)
        return replace(
            params, center=prior.center, mean=mean, shape=self.covariance.bounded(prior, params.shape)
        )

    def _scatter_walk(self, params: LocationShape, dtype: Any, missing: Missing) -> ScatterWalk:
        """Start a walk that computes distances and adds up moments."""
        complete = self.covariance.walk(params, dtype)
        if missing is None or not missing.any():
            return complete
        return MissingWalk(complete, self.covariance.walk_missing(params), missing)

    def _estimate(
        self, prior: NormalInverseWishart, weight: Array, moments: Moments, params: LocationShape
    ) -> LocationShape:
        """The maximum over μ and Σ of :meth:`_log_kernel` plus log prior.

        A component with neither rows nor a prior keeps ``params``.
        """
        rows = moments.weight + prior.mean_strength
        empty = rows <= 0
        mean = moments.first / np.where(empty, 1.0, rows)[:, None]
        mean[empty] = params.mean[empty]
        # Σ v (y-m)(y-m)ᵀ + κ m mᵀ = Σ v y yᵀ - (Σ v + κ) m mᵀ, because the prior mean is the origin
        shift = self.covariance.outer(rows, mean)
        scatter = tuple(a - b for a, b in zip(moments.second, shift, strict=True))
        shape = self.covariance.estimate(prior, weight, scatter, params.shape)
        return LocationShape(prior.center, mean, shape)

    def _log_kernel(self, params: LocationShape, weight: Array, moments: Moments) -> float:
        """``-½ Σ_c [n log|Σ_c| + Σ v (x - μ_c)ᵀ Σ_c⁻¹ (x - μ_c)]``; n is ``weight``, v weighs ``moments``."""
        # Σ v (y-m)(y-m)ᵀ = Σ v y yᵀ - (Σ v) [a aᵀ - (m-a)(m-a)ᵀ] with a the rows' own mean
        own = moments.first / np.where(moments.weight > 0, moments.weight, 1.0)[:, None]
        moved = self.covariance.outer(moments.weight, own)
        scatter = tuple(a - b for a, b in zip(moments.second, moved, strict=True))
        distance = self.covariance.trace(params.shape, scatter)
        distance += float(moments.weight @ self.covariance.mahalanobis(params.shape, params.mean - own))
        return -0.5 * (float((weight * self.covariance.log_det(params.shape)).sum()) + distance)

    def log_prior(self, prior: NormalInverseWishart, params: Any) -> float:
        pull = self.covariance.mahalanobis(params.shape, params.mean).sum()
        return self.covariance.log_prior(prior, params.shape) - 0.5 * prior.mean_strength * float(pull)

    def points(self, prior: NormalInverseWishart, x: NDArray[Any]) -> Array:
        points = (x - prior.center) / prior.scale
        return np.asarray(np.where(np.isnan(points), 0.0, points))

    def sample(self, params: LocationShape, components: Indices, rng: np.random.Generator) -> Array:
        noise = self._normal_noise(params, components, rng)
        nothing = np.full(noise.shape, np.nan)
        noise *= self._stretch(params, nothing, components, rng)
        return np.asarray(noise + params.mean[components] + params.center)

    def expect_missing(self, params: LocationShape, x: Array, resp: Array) -> Array:
        walk = self.covariance.walk_missing(params)
        rows = np.array(x, dtype=np.float64)
        for piece in chunks(np.arange(len(x)), walk.chunk_rows):
            walk.distances(rows[piece])
            rows[piece] = np.where(np.isnan(rows[piece]), walk.expect(resp[:, piece]), rows[piece])
        return rows

    def draw_missing(
        self, params: LocationShape, x: Array, components: Indices, rng: np.random.Generator
    ) -> Array:
        # a drawn row less its own expectation given the same values has the conditional covariance
        resp = np.equal(np.arange(len(params.mean))[:, None], components).astype(np.float64)
        drawn = self._normal_noise(params, components, rng) + params.mean[components] + params.center
        blanked = np.where(np.isnan(x), np.nan, drawn)
        error = drawn - self.expect_missing(params, blanked, resp)
        return self.expect_missing(params, x, resp) + self._stretch(params, x, components, rng) * error

    @abstractmethod
    def _stretch(self, params: Any, x: Array, components: Indices, rng: np.random.Generator) -> float | Array:
        """Draw the factors (rows, 1) by which missing values spread wider than Gaussian ones."""

    def _normal_noise(self, params: LocationShape, components: Indices, rng: np.random.Generator) -> Array:
        """Rows of N(0, Σ_c)."""
        n_components, n_features = params.mean.shape
        factor = np.linalg.cholesky(self.covariance.dense(params.shape, n_components))
        rows = rng.standard_normal((len(components), n_features))
        for c in range(n_components):
            mine = components == c
            rows[mine] = rows[mine] @ factor[c].T
        return rows

    def n_free(self, params: Any) -> int:
        n_components, n_features = params.mean.shape
        return int(n_components * n_features) + self.covariance.n_free(n_components, n_features)


def column_moments(data: Blocks, engine: Engine, bounds: Bounds | None = None) -> tuple[Array, Array]:
    """Weighted mean and variance (D,) of each column's observed values, of those within ``bounds``.

    Both are 0 where a column has none.

    Raises
    ------
    ColumnError
        If numbers overflow.
    """
    origins = engine.map_blocks(_first_finite, data)
    first = reduce(lambda one, other: np.where(np.isnan(one), other, one), origins)
    first = np.where(np.isnan(first), 0.0, first)

    def mean_power(power: int, origin: Array) -> Array:
        sums = engine.map_blocks(partial(_power_sums, power, origin, bounds), data)
        total, count = (np.asarray(sum(parts)) for parts in zip(*sums, strict=True))
        return np.asarray(total / np.where(count > 0, count, 1.0))

    center = first + mean_power(1, first)
    refuse_overflow(data, engine, ~np.isfinite(center))
    return center, mean_power(2, center)


def _first_finite(block: Block) -> Array:
    """The first finite value of each column of a block, NaN where there is none, (D,)."""
    first = block.x[0].astype(np.float64)
    for j in np.flatnonzero(~np.isfinite(first)):
        finite = np.flatnonzero(np.isfinite(block.x[:, j]))
        first[j] = block.x[finite[0], j] if finite.size else np.nan
    return np.asarray(first)


def _power_sums(power: int, origin: Array, bounds: Bounds | None, block: Block) -> tuple[Array, Array]:
    """Weighted sums of ``(x - origin)^power`` and the weight of the observed values, (D,) both."""
    total, count = np.zeros(len(origin)), np.zeros(len(origin))
    for piece in chunks(block.rows_by_pattern, PRIOR_CHUNK_ROWS):
        values, weight = block.x[piece], block.weight[piece]
        if bounds is not None:
            values = np.where((values < bounds[0]) | (values > bounds[1]), np.nan, values)
        with np.errstate(over="ignore", invalid="ignore"):
            powers = (values - origin) ** power
            part = weight @ powers
        if np.isnan(part).any():
            observed = ~np.isnan(powers)
            with np.errstate(invalid="ignore"):  # Inf less Inf: refused by the caller
                total += weight @ np.where(observed, powers, 0.0)
            count += weight @ observed
        else:
            total += part
            count += weight.sum()
    return total, count


def within_sums(
    data: Blocks, engine: Engine, center: Array, bounds: Bounds | None = None
) -> tuple[Array, Array, Array]:
    """Squared deviations of labeled rows from the means of their classes, column by column.

    Returns
    -------
    sums : ndarray of shape (D,)
        ``Σ_k Σ_i r_ik w_i (x_i - m_k)²`` over observed values, with r the class probabilities of the label.
    counts : ndarray of shape (D,)
        Their weight.
    n_classes : ndarray of shape (D,)
        How many classes they belong to.
    """
    labeled = data.where(data.labels.pattern_labeled)
    parts = engine.map_blocks(partial(_class_sums, center, bounds), labeled)
    if not parts:
        return np.zeros_like(center), np.zeros_like(center), np.zeros_like(center)
    count, first, second = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
    some = np.where(count > 0, count, 1.0)
    within = np.maximum(second - first * (first / some), 0.0)
    return within.sum(axis=0), count.sum(axis=0), (count > 0).sum(axis=0).astype(np.float64)


def _class_sums(center: Array, bounds: Bounds | None, block: Block) -> tuple[Array, Array, Array]:
    """Weight, sum and sum of squares of the observed values less ``center`` by class, (K, D) each."""
    table = np.exp(block.labels.log_table)
    table /= table.sum(axis=1, keepdims=True)
    shape = table.shape[1], len(center)
    count, first, second = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for piece in chunks(block.rows, PRIOR_CHUNK_ROWS):
        share = (table[block.labels.pattern[piece]] * block.weight[piece][:, None]).T
        values = np.asarray(block.x[piece], dtype=np.float64)
        if bounds is not None:
            values = np.where((values < bounds[0]) | (values > bounds[1]), np.nan, values)
        y = values - center
        observed = ~np.isnan(y)
        y[~observed] = 0.0
        count += share @ observed
        first += share @ y
        second += share @ y**2
    return count, first, second


def largest_sizes(block: Block) -> Array:
    """Largest absolute value of each column of a block, (D,)."""
    return np.asarray(np.fmax.reduce(np.abs(block.x[block.rows]), axis=0))


def warn_of_small(data: Blocks, small: NDArray[np.bool_]) -> None:
    """Warn if there are ``small`` columns (D,), which vary although their squares do not."""
    if small.any():
        where = ", ".join(map(str, np.flatnonzero(small)[:5].tolist()))
        warn(
            f"{int(small.sum())} column(s) (counted from 0: {where}) vary by less than "
            f"{np.sqrt(VARIANCE_RANGE[data.dtype][0]):.1g}, too little for squares in {data.dtype}, and are "
            "taken for constant: multiply them by a large number, or pass float64.",
            ColumnWarning,
        )


def refuse_overflow(data: Blocks, engine: Engine, wild: NDArray[np.bool_]) -> None:
    """Raise a ColumnError if there are ``wild`` columns (D,), whose squares are no numbers."""
    if wild.any():
        where = np.flatnonzero(wild).tolist()
        largest = np.fmax.reduce(engine.map_blocks(largest_sizes, data))[where[0]]
        raise ColumnError(
            f"the squares of such numbers overflow {data.dtype} (largest {largest:.3g}): divide them by "
            "their size, or take logarithms.",
            columns=where,
        )
