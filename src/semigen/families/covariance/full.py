"""Any positive definite matrix: one per component (``Full``) or one for all (``Tied``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.linalg import floored_whitener
from semigen.arrays.scratch import weighted_sums
from semigen.families.covariance.base import (
    Array,
    CompleteWalk,
    Covariance,
    Floats,
    LocationShape,
    NormalInverseWishart,
    Second,
)
from semigen.families.covariance.direct import DirectWalk
from semigen.families.covariance.missing import DenseFilling


@dataclass(frozen=True)
class DenseShape:
    """Matrices with their whiteners, one per component or a single one for all.

    Attributes
    ----------
    covariance : ndarray of shape (C or 1, D, D)
    whiten : ndarray of shape (C or 1, D, D)
        ``A = L⁻¹``, lower triangular, ``Σ = L Lᵀ``.
    log_det : ndarray of shape (C or 1,)
    raised : ndarray of shape (C or 1,), bool
        Where the eigenvalue floor was needed.
    """

    covariance: Array
    whiten: Array
    log_det: Array
    raised: NDArray[np.bool_]

    @cached_property
    def precision(self) -> Array:
        """Σ⁻¹, (C or 1, D, D); no part of copies and files."""
        return np.asarray(self.whiten.transpose(0, 2, 1) @ self.whiten)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _dense_shape(matrices: Array, prior: NormalInverseWishart) -> DenseShape:
    return DenseShape(*floored_whitener(matrices, prior.floor))


def _outer(weight: Array, mean: Array) -> Array:
    return np.asarray((weight[:, None] * mean)[:, :, None] * mean[:, None, :])


class _Dense(Covariance):
    """What matrices a component and a shared matrix have in common."""

    def default_shrinkage(self, n_features: int) -> float:
        return n_features + 2.0

    def target(self, variance: Array, scale: Array) -> Array:
        return np.diag(variance)

    def walk_missing(self, params: LocationShape) -> DenseFilling:
        return DenseFilling(params, params.shape.whiten, params.shape.log_det)

    def bounded(self, prior: NormalInverseWishart, shape: DenseShape) -> DenseShape:
        return _dense_shape(shape.covariance, prior)

    def log_prior(self, prior: NormalInverseWishart, shape: DenseShape) -> float:
        if prior.strength == 0:
            return 0.0
        spread = np.einsum("cij,ij->", shape.precision, prior.target)
        return float(-0.5 * prior.strength * (shape.log_det.sum() + spread))

    def mahalanobis(self, shape: DenseShape, deviation: Array) -> Array:
        return np.asarray((np.matmul(shape.whiten, deviation[:, :, None])[:, :, 0] ** 2).sum(axis=1))

    def trace(self, shape: DenseShape, scatter: Second) -> float:
        (matrices,) = scatter
        return float(np.einsum("cij,cij->", shape.precision, matrices))


class Full(_Dense):
    """A covariance matrix of its own for each component: C · D (D + 1) / 2 parameters."""

    name = "full"
    has_single = True

    def pooled(self) -> Covariance:
        return Tied()

    def pooled_shrinkage(self, n_features: int) -> float:
        return 4.0 * n_features

    def pooled_target(self, shape: DenseShape) -> Array:
        return np.asarray(shape.covariance[0])

    def reference(self, prior: NormalInverseWishart, n_components: int) -> DenseShape:
        one = _dense_shape(prior.target[None], prior)
        return DenseShape(*(np.repeat(part, n_components, axis=0) for part in one.__getstate__().values()))

    def walk(self, params: LocationShape, dtype: Any) -> FullWalk:
        return FullWalk(params, dtype)

    def outer(self, weight: Array, mean: Array) -> Second:
        return (_outer(weight, mean),)

    def estimate(self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: Any) -> DenseShape:
        return _dense_shape(self.unconstrained(prior, weight, scatter, old), prior)

    def unconstrained(
        self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: DenseShape
    ) -> Array:
        """``(scatter + s Σ₀) / (weight + s)``; the old matrix of a component without rows and prior."""
        rows = weight + prior.strength
        empty = rows <= 0
        matrices = scatter[0] + prior.strength * prior.target
        matrices /= np.where(empty, 1.0, rows)[:, None, None]
        matrices[empty] = old.covariance[empty]
        return np.asarray(matrices)

    def log_det(self, shape: DenseShape) -> Array:
        return shape.log_det

    def dense(self, shape: DenseShape, n_components: int) -> Array:
        return shape.covariance

    def n_free(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2


class FullWalk(CompleteWalk):
    """All components of a chunk as a few matrix products.

    ``A_c (x - μ_c)`` of all components is one product of the stacked whiteners with the rows; a row of ones
    carries ``-A_c μ_c``. Whiteners are triangular and second moments symmetric, so columns are handled in
    up to four parts that skip three eighths of the work.
    """

    def __init__(self, params: LocationShape, dtype: Any) -> None:
        n_components, n_features = params.mean.shape
        width = max(8, -(-n_features // 4))
        self._cuts = [(a, min(a + width, n_features)) for a in range(0, n_features, width)]
        super().__init__(params, params.shape.log_det, dtype, n_components * width)
        whiten: Array = params.shape.whiten
        offset = np.matmul(whiten, params.mean[:, :, None])[:, :, 0]
        self._stacked = []
        for a, b in self._cuts:
            block = np.concatenate([-offset[:, a:b, None], whiten[:, a:b, :b]], axis=2)
            self._stacked.append(np.ascontiguousarray(block.reshape(-1, b + 1), dtype=self.dtype))
        self._second = np.zeros((n_components, n_features, n_features))
        self._sums = [np.zeros((n_features - a, n_components * (b - a))) for a, b in self._cuts]

    def _space(self, width: int) -> tuple[Floats, Floats]:
        """Scratch memory as (C · width, rows) and as (C, width, rows)."""
        n_components, n_rows = len(self.weight), self.y.shape[1]
        flat = self.scratch("parts", n_components * width, n_rows)
        return flat, flat.reshape(n_components, width, n_rows)

    def _squares(self, stacks: list[Floats]) -> Iterator[Floats]:
        """Squares of the loaded rows times each part's matrices, summed over it, (C, rows)."""
        found = self.scratch("part", len(self.weight), self.y.shape[1])
        for (a, b), stacked in zip(self._cuts, stacks, strict=True):
            flat, cube = self._space(b - a)
            np.matmul(stacked, self.augmented[: b + 1], out=flat)
            yield np.einsum("cdn,cdn->cn", cube, cube, out=found)

    def distances(self, x: NDArray[Any]) -> Floats:
        self.load(x)
        total = self.scratch("distances", len(self.weight), len(x))
        total.fill(0.0)
        for part in self._squares(self._stacked):
            total += part
        return total

    def joint(self, offset: Array) -> Callable[[NDArray[Any]], Floats]:
        constant = (self.log_scale + offset).astype(self.dtype)
        stacks = [stacked * self.dtype.type(np.sqrt(0.5)) for stacked in self._stacked]

        def log_joint(x: NDArray[Any]) -> Floats:
            self.load(x)
            total, rest = self.scratch("distances", len(self.weight), len(x)), constant
            for part in self._squares(stacks):
                rest = np.subtract(rest, part, out=total)
            return total

        return log_joint

    def add_second(self, resp: Floats) -> None:
        used = resp != 0
        if np.count_nonzero(used) < 0.4 * used.size:
            self._add_used(resp, used)
            return
        for (a, b), sums in zip(self._cuts, self._sums, strict=True):
            flat, cube = self._space(b - a)
            np.multiply(resp[:, None, :], self.y[None, a:b, :], out=cube)
            sums += weighted_sums(self.y[a:], flat.T)

    def _add_used(self, resp: Floats, used: NDArray[np.bool_]) -> None:
        """The same sums from the rows that each component has a share in."""
        for c in range(len(resp)):
            rows = np.flatnonzero(used[c])
            if rows.size:
                y = self.y.take(rows, axis=1)  # without the interpreter lock, unlike indexing
                self._second[c] += weighted_sums(y * resp[c].take(rows), y.T)

    def second(self) -> Second:
        matrices = self._second
        n_features = matrices.shape[1]
        for (a, b), sums in zip(self._cuts, self._sums, strict=True):
            matrices[:, a:b, a:] += sums.reshape(n_features - a, -1, b - a).transpose(1, 2, 0)
            sums.fill(0.0)
            matrices[:, b:, a:b] = matrices[:, a:b, b:].transpose(0, 2, 1)  # was left to symmetry
        total = matrices + matrices.transpose(0, 2, 1)
        total *= 0.5
        return (total,)


class Tied(_Dense):
    """One covariance matrix for all components: D (D + 1) / 2 parameters; linear class boundaries."""

    name = "tied"

    def reference(self, prior: NormalInverseWishart, n_components: int) -> DenseShape:
        return _dense_shape(prior.target[None], prior)

    def walk(self, params: LocationShape, dtype: Any) -> CompleteWalk:
        return TiedWalk(params)

    def outer(self, weight: Array, mean: Array) -> Second:
        return (((weight[:, None] * mean).T @ mean)[None],)

    def estimate(self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: Any) -> DenseShape:
        (matrix,) = scatter
        rows = weight.sum() + prior.strength
        return _dense_shape((matrix + prior.strength * prior.target) / rows, prior)

    def log_det(self, shape: DenseShape) -> Array:
        return shape.log_det  # (1,): broadcasts over components

    def dense(self, shape: DenseShape, n_components: int) -> Array:
        return np.repeat(shape.covariance, n_components, axis=0)

    def n_free(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2


class TiedLinear(Tied):
    """:class:`Tied`, whose walks leave out what a row gives to all components alike.

    ``(y - m)ᵀ Σ⁻¹ (y - m)`` without ``yᵀ Σ⁻¹ y``, and no second moments, whose sum over components no
    parameter changes: C · D numbers a row instead of another D².
    """

    def walk(self, params: LocationShape, dtype: Any) -> TiedLinearWalk:
        return TiedLinearWalk(params)


def linear_weights(params: LocationShape) -> Array:
    """``[mᵀ Σ⁻¹ m, -2 Σ⁻¹ m]`` of each component, (C, 1 + D), for one Σ."""
    whiten: Array = params.shape.whiten[0]
    white = params.mean @ whiten.T
    return np.hstack([(white**2).sum(axis=1, keepdims=True), -2.0 * white @ whiten])


class TiedLinearWalk(DirectWalk):
    """One matrix product for the distances, less what components share, and one for the sums."""

    def __init__(self, params: LocationShape) -> None:
        super().__init__(params, params.shape.log_det, params.shape.whiten, len(params.center))
        weights = linear_weights(params)
        self._linear = weights[:, 1:]
        self.constant = weights[:, :1] - (self._linear @ self.moved)[:, None]

    def weights(self, factor: float, constant: Array) -> tuple[Array, ...]:
        return factor * self._linear, constant

    def form(self, x: NDArray[Any], *weights: Array) -> Floats:
        linear, constant = weights
        total = self.product("distances", linear, self.load(x))
        total += constant
        return total

    def add_second(self, resp: Floats) -> None:
        """Nothing: they are known."""

    def second(self) -> Second:
        n_features = self.first.shape[1]
        return (np.zeros((1, n_features, n_features)),)


class TiedWalk(CompleteWalk):
    """Rows are whitened once; distances to the whitened means come from one matrix product.

    In float64 also for float32 rows: ``|z|² - 2 zᵀm + |m|²`` cancels digits where classes lie far apart.
    """

    def __init__(self, params: LocationShape) -> None:
        n_features = params.mean.shape[1]
        super().__init__(params, params.shape.log_det, np.float64, 2 * n_features)
        self._whiten: Array = params.shape.whiten[0]
        self._mean = params.mean @ self._whiten.T
        self._norm = (self._mean**2).sum(axis=1)[:, None]
        self._second = np.zeros((n_features, n_features))

    def distances(self, x: NDArray[Any]) -> Floats:
        white = self._whiten @ self.load(x)
        cross = self._mean @ white
        cross *= -2.0
        cross += self._norm
        cross += np.einsum("dn,dn->n", white, white)
        return np.asarray(cross)

    def add_second(self, resp: Floats) -> None:
        self._second += (self.y * resp.sum(axis=0)) @ self.y.T

    def second(self) -> Second:
        return (0.5 * (self._second + self._second.T)[None],)
