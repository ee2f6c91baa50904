"""Few directions plus noise: the mixture of factor analyzers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.linalg import whitener
from semigen.common.checks import integer
from semigen.families.covariance.base import Array, NormalInverseWishart, Second
from semigen.families.covariance.full import DenseShape, Full

INNER_STEPS, INNER_TOL = 10, 1e-3
"""At most this many factor analysis steps in an M-step, fewer once ψ changes by less than this share: with
more the steps cost more than the passes over the rows that they save (measured on wine, wdbc and digits)."""


@dataclass(frozen=True)
class FactorShape(DenseShape):
    """``Σ_c = W_c W_cᵀ + diag(ψ_c)``, beside the matrices and whiteners themselves.

    Attributes
    ----------
    loading : ndarray of shape (C, D, q)
        W, in the columns' units.
    noise : ndarray of shape (C, D)
        ψ > 0; at the floor where ``raised``.
    """

    loading: Array
    noise: Array


def _factor_shape(loading: Array, noise: Array, raised: NDArray[np.bool_]) -> FactorShape:
    covariance = loading @ loading.transpose(0, 2, 1)
    diagonal = np.arange(noise.shape[1])
    covariance[:, diagonal, diagonal] += noise
    return FactorShape(covariance, *whitener(covariance), raised, loading, noise)


class LowRank(Full):
    """``Σ_c = W_c W_cᵀ + diag(ψ_c)`` with W_c (D, rank): a mixture of factor analyzers.

    Between diagonal and full: C · D · (rank + 1) parameters, about, and as much time as full. The M-step
    climbs by steps that maximize over W exactly (Lawley & Maxwell 1971, *Factor Analysis as a Statistical
    Method*) and then improve ψ (Rubin & Thayer 1982, *Psychometrika* 47:69); the mixture is that of
    Ghahramani & Hinton (1996, CRG-TR-96-1).

    Parameters
    ----------
    rank : int, default=4
        Number of directions q; cut to D - 1 where there are fewer columns.
    """

    name = "low_rank"

    def __init__(self, rank: int = 4) -> None:
        self.rank = integer("rank", rank, minimum=1)

    def _rank(self, n_features: int) -> int:
        return max(1, min(self.rank, n_features - 1))

    def reference(self, prior: NormalInverseWishart, n_components: int) -> FactorShape:
        n_features = len(prior.scale)
        loading = np.zeros((n_components, n_features, self._rank(n_features)))
        noise = np.repeat(np.diagonal(prior.target)[None], n_components, axis=0)
        start = _factor_shape(loading, noise, np.zeros(n_components, dtype=bool))
        matrices = np.repeat(prior.target[None], n_components, axis=0)
        return self._climb(matrices, prior, start)

    def estimate(
        self, prior: NormalInverseWishart, weight: Array, scatter: Second, old: FactorShape
    ) -> FactorShape:
        return self._climb(self.unconstrained(prior, weight, scatter, old), prior, old)

    def bounded(self, prior: NormalInverseWishart, shape: Any) -> FactorShape:
        raised = np.asarray((shape.noise < prior.floor).any(axis=1))
        return _factor_shape(shape.loading, np.maximum(shape.noise, prior.floor), raised)

    def _climb(self, wanted: Array, prior: NormalInverseWishart, old: FactorShape) -> FactorShape:
        """Raise ``-log|Σ| - tr(Σ⁻¹ wanted)`` from the old matrices."""
        loading, noise = old.loading, old.noise
        diagonal = np.diagonal(wanted, axis1=1, axis2=2)
        for _ in range(INNER_STEPS):
            root = np.sqrt(noise)
            values, vectors = np.linalg.eigh(wanted / (root[:, :, None] * root[:, None, :]))
            rank = loading.shape[2]
            gain = np.sqrt(np.maximum(values[:, -rank:] - 1.0, 0.0))
            loading = root[:, :, None] * vectors[:, :, -rank:] * gain[:, None, :]
            free = diagonal - (loading**2).sum(axis=2)
            noise, last = np.maximum(free, prior.floor), noise
            if np.abs(noise / last - 1).max() < INNER_TOL:
                break
        return _factor_shape(loading, noise, np.asarray((free < prior.floor).any(axis=1)))

    def n_free(self, n_components: int, n_features: int) -> int:
        rank = self._rank(n_features)
        rotations = rank * (rank - 1) // 2  # W and W R give the same Σ
        factors = n_features * (rank + 1) - rotations
        return n_components * min(factors, n_features * (n_features + 1) // 2)
