"""Few directions plus noise: the mixture of factor analysers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from semigen.exceptions import ParameterError
from semigen.families.covariance.base import (
    WITHIN,
    Array,
    Covariance,
    Floats,
    LocationShape,
    NormalInverseWishart,
    ScatterWalk,
    Second,
)


@dataclass(frozen=True)
class FactorShape:
    """``Σ_c = W_c W_cᵀ + diag(ψ_c)`` and what Woodbury's identity needs.

    Attributes
    ----------
    loading : ndarray of shape (C, D, q)
        W, in the columns' units.
    noise : ndarray of shape (C, D)
        ψ > 0.
    root : ndarray of shape (C, q, D)
        ``U = chol(I + Wᵀψ⁻¹W)⁻¹ Wᵀψ⁻¹``, so that ``Σ⁻¹ = ψ⁻¹ - UᵀU``.
    regression : ndarray of shape (C, q, D)
        ``β = Wᵀ Σ⁻¹``: the factors' posterior mean is β y.
    log_det : ndarray of shape (C,)
    raised : ndarray of shape (C,), bool
        Where the floor of ψ was needed.
    """

    loading: Array
    noise: Array
    root: Array
    regression: Array
    log_det: Array
    raised: NDArray[np.bool_]


def _factor_shape(loading: Array, noise: Array, raised: NDArray[np.bool_]) -> FactorShape:
    scaled = (loading / noise[:, :, None]).transpose(0, 2, 1)  # Wᵀψ⁻¹, (C, q, D)
    inner = np.eye(loading.shape[2]) + scaled @ loading
    factor = np.linalg.cholesky(inner)
    root = np.stack([solve_triangular(f, s, lower=True) for f, s in zip(factor, scaled, strict=True)])
    regression = np.stack(
        [solve_triangular(f, r, lower=True, trans="T") for f, r in zip(factor, root, strict=True)]
    )
    log_det = np.log(noise).sum(axis=1) + 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return FactorShape(loading, noise, root, regression, log_det, raised)


class LowRank(Covariance):
    """``Σ_c = W_c W_cᵀ + diag(ψ_c)`` with W_c (D, rank): a mixture of factor analysers.

    Time and memory grow with D · rank instead of D². Each M-step takes one EM step of factor analysis with
    the current loadings (Ghahramani & Hinton 1996, "The EM algorithm for mixtures of factor analyzers",
    CRG-TR-96-1), which raises the objective, but less than the other shapes' exact maximum does.

    Parameters
    ----------
    rank : int, default=4
        Number of directions q, at most D - 1; more are cut to that.
    """

    name = "low_rank"
    reusable = False
    needs_dense_total = True

    def __init__(self, rank: int = 4) -> None:
        if not isinstance(rank, int | np.integer) or rank < 1:
            raise ParameterError(f"rank={rank!r}: LowRank needs a positive integer.")
        self.rank = int(rank)

    def default_shrinkage(self, n_features: int) -> float:
        return self.rank + 2.0

    def target(self, total: Array) -> Array:
        return np.asarray(0.5 * WITHIN * (total + np.diag(np.diagonal(total))))

    def _rank(self, n_features: int) -> int:
        return max(1, min(self.rank, n_features - 1))

    def reference(self, prior: NormalInverseWishart, n_components: int) -> FactorShape:
        unit = prior.target / (prior.scale[:, None] * prior.scale)
        values, vectors = np.linalg.eigh(unit)
        rank = self._rank(len(values))
        rest = max(float(values[:-rank].mean()), prior.floor) if len(values) > rank else prior.floor
        loading = vectors[:, -rank:] * np.sqrt(np.maximum(values[-rank:] - rest, 0.01 * rest))
        noise = np.maximum(np.diagonal(unit) - (loading**2).sum(axis=1), max(0.05 * rest, prior.floor))
        return _factor_shape(
            np.repeat((prior.scale[:, None] * loading)[None], n_components, axis=0),
            np.repeat((prior.scale**2 * noise)[None], n_components, axis=0),
            np.zeros(n_components, dtype=bool),
        )

    def walk(self, params: LocationShape, dtype: Any) -> FactorWalk:
        return FactorWalk(params)

    def outer(self, weight: Array, mean: Array, shape: FactorShape) -> Second:
        factors = np.matmul(shape.regression, mean[:, :, None])[:, :, 0]
        weighted = weight[:, None] * mean
        return weighted * mean, weighted[:, :, None] * factors[:, None, :]

    def estimate(
        self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: FactorShape
    ) -> FactorShape:
        rows = weight + prior.strength
        empty = rows <= 0
        share = np.where(empty, 1.0, rows)
        diagonal = (scatter[0] + prior.strength * np.diagonal(prior.target)) / share[:, None]
        pull = np.matmul(prior.target, old.regression.transpose(0, 2, 1))
        cross = (scatter[1] + prior.strength * pull) / share[:, None, None]
        rank = old.loading.shape[2]
        inner = np.eye(rank) - old.regression @ old.loading + old.regression @ cross
        inner = 0.5 * (inner + inner.transpose(0, 2, 1))
        loading = np.linalg.solve(inner, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
        noise = diagonal - (loading * cross).sum(axis=2)
        bound = prior.floor * prior.scale**2
        loading[empty], noise[empty] = old.loading[empty], old.noise[empty]
        return _factor_shape(loading, np.maximum(noise, bound), (noise < bound).any(axis=1))

    def log_det(self, shape: FactorShape) -> Array:
        return shape.log_det

    def mahalanobis(self, shape: FactorShape, deviation: Array) -> Array:
        common = np.matmul(shape.root, deviation[:, :, None])[:, :, 0]
        return np.asarray((deviation**2 / shape.noise).sum(axis=1) - (common**2).sum(axis=1))

    def trace(self, shape: FactorShape, scatter: Second) -> float:
        raise TypeError("second moments of the low-rank shape serve one iteration only")

    def log_prior(self, prior: NormalInverseWishart, shape: FactorShape) -> float:
        if prior.strength == 0:
            return 0.0
        spread = (np.diagonal(prior.target) / shape.noise).sum(axis=1)
        spread -= np.einsum("cqd,cqd->c", shape.root @ prior.target, shape.root)
        return float(-0.5 * prior.strength * (shape.log_det + spread).sum())

    def dense(self, shape: FactorShape, n_components: int) -> Array:
        noise = shape.noise[:, :, None] * np.eye(shape.noise.shape[1])
        return np.asarray(shape.loading @ shape.loading.transpose(0, 2, 1) + noise)

    def n_free(self, n_components: int, n_features: int) -> int:
        rank = self._rank(n_features)
        rotations = rank * (rank - 1) // 2  # W and W R give the same Σ
        both = n_features * (rank + 1) - rotations
        return n_components * min(both, n_features * (n_features + 1) // 2)


class FactorWalk(ScatterWalk):
    """Woodbury's identity for distances; second moments with the factors only, in float64."""

    def __init__(self, params: LocationShape) -> None:
        shape: FactorShape = params.shape
        n_components, n_features, rank = shape.loading.shape
        super().__init__(params, np.float64, n_features + n_components * rank)
        precision = 1.0 / shape.noise
        self._quadratic = precision
        self._linear = -2.0 * params.mean * precision
        self._constant = (params.mean**2 * precision).sum(axis=1)[:, None]
        offset = np.matmul(shape.root, params.mean[:, :, None])
        self._root = np.concatenate([-offset, shape.root], axis=2).reshape(
            n_components * rank, n_features + 1
        )
        self._shape = shape
        self._diagonal = np.zeros((n_components, n_features))
        self._cross = np.zeros((n_components, n_features, rank))

    def distances(self, x: NDArray[Any]) -> Floats:
        y = self.load(x)
        self._squares = y * y
        total = self._quadratic @ self._squares
        total += self._linear @ y
        total += self._constant
        common = (self._root @ self.augmented).reshape(len(total), -1, y.shape[1])
        total -= np.einsum("cqn,cqn->cn", common, common)
        return np.asarray(np.maximum(total, 0.0, out=total))

    def add_second(self, resp: Floats) -> None:
        self._diagonal += resp @ self._squares.T
        for c, regression in enumerate(self._shape.regression):
            self._cross[c] += (self.y * resp[c]) @ (regression @ self.y).T

    def second(self) -> Second:
        return self._diagonal, self._cross
