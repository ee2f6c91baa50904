"""The Gaussian family with a conjugate normal–inverse-Wishart prior and any covariance shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import chunks
from semigen.exceptions import ColumnError
from semigen.families.covariance import Covariance, as_covariance
from semigen.families.covariance.base import LocationShape, Moments, NormalInverseWishart, ScatterWalk
from semigen.families.protocol import Array, Family, Floats, MapRows, Rows, Walk

LOG_2PI = float(np.log(2 * np.pi))
MEAN_STRENGTH = 0.01
"""κ: pseudo-rows at the overall mean, enough to place a component that has no rows, too few to move one."""

PRIOR_CHUNK_ROWS = 1024

VARIANCE_RANGE = {np.dtype(np.float64): (1e-200, 1e200), np.dtype(np.float32): (1e-25, 1e25)}
"""Variances whose inverses and products stay numbers; a smaller one is that of a constant column."""


class Gaussian(Family):
    """``log p(x | c) = -½ [D log 2π + log|Σ_c| + (x - μ_c)ᵀ Σ_c⁻¹ (x - μ_c)]``.

    Prior (normal–inverse-Wishart; Gelman et al. 2013, *Bayesian Data Analysis*, §3.6; for mixtures Fraley &
    Raftery 2007, *J. Classification* 24:155): s pseudo-rows, spread half as wide in each column as all
    rows, speak for the covariance, and a hundredth of a pseudo-row at the mean of all rows for the mean.
    Without it (``shrinkage=0``) estimates are maximum likelihood.

    Parameters
    ----------
    covariance : str or Covariance, default="full"
        "full", "tied", "diag", "spherical", "low_rank", or a covariance object.
    """

    name = "gaussian"

    def __init__(self, covariance: str | Covariance = "full") -> None:
        self.covariance = as_covariance(covariance)

    @property
    def reusable(self) -> bool:
        return True

    def fit_prior(
        self, x: NDArray[Any], weight: Array, shrinkage: float | None, map_rows: MapRows
    ) -> NormalInverseWishart:
        n_features = x.shape[1]
        total_weight = weight.sum()

        def power_mean(power: int, origin: Array) -> Array:
            def power_sum(rows: Rows) -> Array:
                pieces = chunks(rows, PRIOR_CHUNK_ROWS)
                with np.errstate(over="ignore"):
                    return np.asarray(sum(weight[p] @ (x[p] - origin) ** power for p in pieces))

            return np.asarray(sum(map_rows(power_sum)) / total_weight)

        first = x[0].astype(np.float64)
        center = first + power_mean(1, first)
        variance = power_mean(2, center)
        smallest, largest = VARIANCE_RANGE[x.dtype]
        wild = np.flatnonzero(~(variance < largest))
        if wild.size:
            raise ColumnError(
                f"{wild.size} column(s) hold numbers whose squares overflow {x.dtype}, the first is column "
                f"{wild[0]} (largest {np.abs(x[:, wild[0]]).max():.3g}): divide them by their size, or take "
                "logarithms."
            )
        rounding = 10 * np.finfo(x.dtype).eps * np.abs(center)
        constant = np.sqrt(variance) <= np.maximum(rounding, np.sqrt(smallest))
        scale = np.where(constant, 1.0, np.sqrt(variance))
        strength = self.covariance.default_shrinkage(n_features) if shrinkage is None else shrinkage
        return NormalInverseWishart(
            center=center,
            scale=scale,
            target=self.covariance.target(scale**2),
            strength=float(strength),
            mean_strength=MEAN_STRENGTH if strength > 0 else 0.0,
            floor=1e-6 if x.dtype == np.float64 else 1e-4,
        )

    def reference(self, prior: NormalInverseWishart, n_components: int) -> LocationShape:
        mean = np.zeros((n_components, len(prior.center)))
        return LocationShape(prior.center, mean, self.covariance.reference(prior, n_components))

    def walk(self, params: LocationShape, dtype: Any) -> GaussianWalk:
        return GaussianWalk(
            self.covariance.walk(params, dtype), self.covariance.log_det(params.shape), params
        )

    def m_step(self, prior: NormalInverseWishart, stats: Moments, params: LocationShape) -> LocationShape:
        rows = stats.weight + prior.mean_strength
        empty = rows <= 0
        mean = stats.first / np.where(empty, 1.0, rows)[:, None]
        mean[empty] = params.mean[empty]
        # Σ r (y-m)(y-m)ᵀ + κ m mᵀ = Σ r y yᵀ - (n+κ) m mᵀ, because the prior mean is the origin
        shift = self.covariance.outer(rows, mean)
        scatter = tuple(a - b for a, b in zip(stats.second, shift, strict=True))
        shape = self.covariance.estimate(prior, stats.weight, scatter, params.shape)
        return LocationShape(prior.center, mean, shape)

    def log_prior(self, prior: NormalInverseWishart, params: LocationShape) -> float:
        pull = self.covariance.mahalanobis(params.shape, params.mean).sum()
        return self.covariance.log_prior(prior, params.shape) - 0.5 * prior.mean_strength * float(pull)

    def log_likelihood(self, params: LocationShape, stats: Moments) -> float:
        mean, weight = params.mean, stats.weight
        # Σ r (y-m)(y-m)ᵀ = Σ r y yᵀ - n a aᵀ + n (m-a)(m-a)ᵀ with a the rows' own mean
        own = stats.first / np.where(weight > 0, weight, 1.0)[:, None]
        shape = params.shape
        moved = self.covariance.outer(weight, own)
        scatter = tuple(a - b for a, b in zip(stats.second, moved, strict=True))
        distance = self.covariance.trace(shape, scatter)
        distance += float(weight @ self.covariance.mahalanobis(shape, mean - own))
        constant = mean.shape[1] * LOG_2PI + self.covariance.log_det(shape)
        return -0.5 * (float((weight * constant).sum()) + distance)

    def points(self, prior: NormalInverseWishart, x: NDArray[Any]) -> Array:
        return np.asarray((x - prior.center) / prior.scale)

    def sample(self, params: LocationShape, components: Rows, rng: np.random.Generator) -> Array:
        n_components, n_features = params.mean.shape
        factor = np.linalg.cholesky(self.covariance.dense(params.shape, n_components))
        noise = rng.standard_normal((len(components), n_features))
        rows = np.empty_like(noise)
        for c in range(n_components):
            mine = components == c
            rows[mine] = noise[mine] @ factor[c].T + params.mean[c]
        return np.asarray(rows + params.center)

    def moments(self, params: LocationShape) -> tuple[Array, Array]:
        return params.mean + params.center, self.covariance.dense(params.shape, len(params.mean))

    def n_free(self, params: LocationShape) -> int:
        return params.mean.size + self.covariance.n_free(*params.mean.shape)


class GaussianWalk(Walk):
    """Log densities from Mahalanobis distances."""

    def __init__(self, scatter: ScatterWalk, log_det: Array, params: LocationShape) -> None:
        self._scatter = scatter
        self.chunk_rows = scatter.chunk_rows
        self._farthest = float(np.sqrt(np.finfo(scatter.dtype).max))
        constant = params.mean.shape[1] * LOG_2PI + np.broadcast_to(log_det, len(params.mean))
        self._constant = (-0.5 * constant)[:, None].astype(scatter.dtype)

    def log_prob(self, x: NDArray[Any]) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            log_prob = self._scatter.distances(x)
        # rows too far away for their distance to be a number are as far as numbers go
        np.fmin(log_prob, self._farthest, out=log_prob)
        log_prob *= -0.5
        log_prob += self._constant
        return log_prob

    def add(self, resp: Floats) -> None:
        self._scatter.add(resp)

    def stats(self) -> Moments:
        return self._scatter.moments()
