"""Independent columns: a variance per column (``Diag``) or one for all columns (``Spherical``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.scratch import weighted_sums
from semigen.common.checks import real
from semigen.families.covariance.base import (
    Array,
    Covariance,
    Floats,
    LocationShape,
    NormalInverseWishart,
    Second,
)
from semigen.families.covariance.direct import DirectWalk
from semigen.families.covariance.missing import DiagonalFilling


@dataclass(frozen=True)
class DiagonalShape:
    """Variances.

    Attributes
    ----------
    variance : ndarray of shape (C, D)
    raised : ndarray of shape (C,), bool
        Where the floor was needed.
    """

    variance: Array
    raised: NDArray[np.bool_]


class Diag(Covariance):
    """A variance for each component and column: C · D parameters.

    Parameters
    ----------
    floor : float, default=0
        No variance is below this share of the largest variance that a column has over all rows. Where all
        columns are in one unit, as pixels are, a column that hardly varies in a class says little, and 0.03
        is a good choice (:class:`sklearn.naive_bayes.GaussianNB` *adds* such a share, ``var_smoothing``). It
        depends on the units of the columns: of meters beside millions of dollars it wipes the meters out.
    """

    name = "diag"
    floor = 0.0

    def __init__(self, floor: float = 0.0) -> None:
        self.floor = real("floor", floor, minimum=0.0)

    def default_shrinkage(self, n_features: int) -> float:
        return 4.0

    def least_variance(self, variance: Array) -> float:
        return self.floor * float(variance.max())

    def pooled(self) -> Covariance:
        return TiedDiag(self.floor)

    def pooled_shrinkage(self, n_features: int) -> float:
        return 8.0

    def pooled_target(self, shape: DiagonalShape) -> Array:
        return np.asarray(shape.variance[0])

    def target(self, variance: Array, scale: Array) -> Array:
        return variance

    def reference(self, prior: NormalInverseWishart, n_components: int) -> DiagonalShape:
        return self._floored(np.repeat(prior.target[None], n_components, axis=0), prior)

    def walk(self, params: LocationShape, dtype: Any) -> DiagonalWalk:
        if self not in params.walks:
            params.walks[self] = self._walk(params)
        walk: DiagonalWalk = params.walks[self].anew()
        return walk

    def _walk(self, params: LocationShape) -> DiagonalWalk:
        return DiagonalWalk(params, self.log_det(params.shape))

    def walk_missing(self, params: LocationShape) -> DiagonalFilling:
        return DiagonalFilling(params, params.shape.variance)

    def outer(self, weight: Array, mean: Array) -> Second:
        return (weight[:, None] * mean**2,)

    def estimate(
        self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: DiagonalShape
    ) -> DiagonalShape:
        rows = (weight + prior.strength)[:, None]
        empty = rows <= 0
        variance = (scatter[0] + prior.strength * prior.target) / np.where(empty, 1.0, rows)
        return self._floored(np.where(empty, old.variance, self._alike(variance, prior.scale)), prior)

    def bounded(self, prior: NormalInverseWishart, shape: DiagonalShape) -> DiagonalShape:
        return self._floored(self._alike(shape.variance, prior.scale), prior)

    def _alike(self, variance: Array, scale: Array) -> Array:
        """Variances (C, D), averaged over what shares one."""
        return variance

    def _floored(self, variance: Array, prior: NormalInverseWishart) -> DiagonalShape:
        bound = self._bound(prior)
        return DiagonalShape(np.maximum(variance, bound), np.asarray((variance < bound).any(axis=1)))

    def _bound(self, prior: NormalInverseWishart) -> Array:
        return prior.floor

    def log_det(self, shape: DiagonalShape) -> Array:
        return np.asarray(np.log(shape.variance).sum(axis=1))

    def mahalanobis(self, shape: DiagonalShape, deviation: Array) -> Array:
        return np.asarray((deviation**2 / shape.variance).sum(axis=1))

    def trace(self, shape: DiagonalShape, scatter: Second) -> float:
        return float((scatter[0] / shape.variance).sum())

    def log_prior(self, prior: NormalInverseWishart, shape: DiagonalShape) -> float:
        return float(-0.5 * prior.strength * (np.log(shape.variance) + prior.target / shape.variance).sum())

    def dense(self, shape: DiagonalShape, n_components: int) -> Array:
        return np.asarray(shape.variance[:, :, None] * np.eye(shape.variance.shape[1]))

    def n_free(self, n_components: int, n_features: int) -> int:
        return n_components * n_features


class Spherical(Diag):
    """One variance for each component, the same in every column in units of its standard deviation over all
    rows: C parameters. So predictions do not depend on the units of the columns.
    """

    name = "spherical"

    def __init__(self) -> None:
        pass  # a floor in the columns' own units would be none in the units of this shape

    def pooled(self) -> Covariance:
        return TiedSpherical()

    def target(self, variance: Array, scale: Array) -> Array:
        return np.asarray(self._alike(variance[None], scale)[0])

    def _walk(self, params: LocationShape) -> DiagonalWalk:
        return SphericalWalk(params, self.log_det(params.shape))

    def _alike(self, variance: Array, scale: Array) -> Array:
        return np.asarray((variance / scale**2).mean(axis=1, keepdims=True) * scale**2)

    def _bound(self, prior: NormalInverseWishart) -> Array:
        return np.asarray((prior.floor / prior.scale**2).max() * prior.scale**2)

    def n_free(self, n_components: int, n_features: int) -> int:
        return n_components


class _OneForAll(Diag):
    """The same variances in every component."""

    def pooled(self) -> Covariance:
        return self

    def estimate(
        self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: DiagonalShape
    ) -> DiagonalShape:
        alike = DiagonalShape(old.variance[:1], old.raised[:1])
        total = (scatter[0].sum(axis=0, keepdims=True),)
        one = super().estimate(prior, weight.sum(keepdims=True), total, alike)
        n_components = len(weight)
        return DiagonalShape(
            np.repeat(one.variance, n_components, axis=0), np.repeat(one.raised, n_components)
        )

    def log_prior(self, prior: NormalInverseWishart, shape: DiagonalShape) -> float:
        return super().log_prior(prior, DiagonalShape(shape.variance[:1], shape.raised[:1]))

    def n_free(self, n_components: int, n_features: int) -> int:
        return super().n_free(1, n_features)


class TiedDiag(_OneForAll):
    """A variance for each column, the same in all components: D parameters; linear class boundaries."""

    name = "tied_diag"


class TiedSpherical(_OneForAll, Spherical):
    """One variance for all components and, in units of their standard deviations, all columns."""

    name = "tied_spherical"


class DiagonalWalk(DirectWalk):
    """Distances and moments as one matrix product each with the rows and with their squares.

    In float64 also for float32 rows: ``y²/v - 2 y m/v + m²/v`` cancels digits where classes lie far apart.
    """

    def __init__(self, params: LocationShape, log_det: Array) -> None:
        n_features = len(params.center)
        precision = 1.0 / params.shape.variance
        super().__init__(params, log_det, np.sqrt(precision), n_features)
        self._linear, self._squared = -2.0 * self.mean * precision, precision
        self.constant = (self.mean**2 * precision).sum(axis=1, keepdims=True)

    def _begin(self, n_components: int, n_features: int) -> None:
        super()._begin(n_components, n_features)
        self._sums = np.zeros((n_components, n_features))

    def square(self, y: Array) -> Array:
        """The squares of the loaded rows, (D, rows)."""
        return np.asarray(np.multiply(y, y, out=self.scratch.like("squares", y)))

    def weights(self, factor: float, constant: Array) -> tuple[Array, ...]:
        return factor * self._linear, factor * self._squared, constant

    def form(self, x: NDArray[Any], *weights: Array) -> Floats:
        linear, squared, constant = weights
        y = self.load(x)
        self._squares = self.square(y)
        total = self.product("distances", linear, y)
        total += self.product("parts", squared, self._squares)
        total += constant
        return total

    def add_second(self, resp: Floats) -> None:
        self._sums += weighted_sums(resp, self._squares.T)

    def second(self) -> Second:
        moved = self.moved * (self.weight[:, None] * self.moved - 2.0 * self.first)
        return (self._sums + moved,)


class SphericalWalk(DiagonalWalk):
    """The squares of a row are one number, as all columns have one variance in units of their scale."""

    def __init__(self, params: LocationShape, log_det: Array) -> None:
        super().__init__(params, log_det)
        variance = params.shape.variance[0]
        self._units = variance / variance.mean()
        self._per_unit = 1.0 / self._units
        self._squared = (self._squared * self._units).mean(axis=1, keepdims=True)

    def _begin(self, n_components: int, n_features: int) -> None:
        super()._begin(n_components, n_features)
        self._sums = np.zeros((n_components, 1))

    def weights(self, factor: float, constant: Array) -> tuple[Array, ...]:
        return factor * self._linear, np.hstack([factor * self._squared, constant])

    def form(self, x: NDArray[Any], *weights: Array) -> Floats:
        linear, others = weights
        y = self.load(x)
        self._sizes = self.scratch("sizes", 2, len(x))
        np.dot(self._per_unit, self.square(y), out=self._sizes[0])
        self._sizes[1] = 1.0  # a product with a single number is slow
        total = self.product("distances", linear, y)
        total += self.product("parts", others, self._sizes)
        return total

    def add_second(self, resp: Floats) -> None:
        self._sums[:, 0] += weighted_sums(resp, self._sizes[0])

    def second(self) -> Second:
        share = self._units / len(self._units)
        moved = self.moved * (self.weight[:, None] * self.moved - 2.0 * self.first)
        return (self._sums * share + shared_out(moved, self._units[None]),)


def shared_out(second: Array, variance: Array) -> Array:
    """Second moments (C, D), of which a spherical covariance uses only a sum, as shares of that."""
    return np.asarray((second / variance).mean(axis=1, keepdims=True) * variance)
