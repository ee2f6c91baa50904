"""The Gaussian family with a conjugate normal–inverse-Wishart prior and any covariance shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices
from semigen.data.blocks import Missing
from semigen.families.covariance.base import (
    LOG_2PI,
    CompleteWalk,
    LocationShape,
    Moments,
    NormalInverseWishart,
    ScatterWalk,
)
from semigen.families.covariance.full import Tied, TiedLinear
from semigen.families.elliptical import Elliptical
from semigen.families.protocol import Array, Family, Floats, Lighter, Walk


class Gaussian(Elliptical):
    """``log p(x | c) = -½ [D log 2π + log|Σ_c| + (x - μ_c)ᵀ Σ_c⁻¹ (x - μ_c)]``.

    Prior (normal–inverse-Wishart; Gelman et al. 2013, *Bayesian Data Analysis*, §3.6; for mixtures Fraley &
    Raftery 2007, *J. Classification* 24:155): s pseudo-rows, spread half as wide in each column as all
    rows, inform the covariance, and a hundredth of a pseudo-row at the mean of all rows informs the mean.
    Without it (``shrinkage=0``) estimates are maximum likelihood. A row with missing values counts with the
    density of its observed values, and the M-step with the expectations of the others given these (Ghahramani
    & Jordan 1994, *NIPS* 6:120; Little & Rubin 2019, *Statistical Analysis with Missing Data*, §11.2).

    Parameters
    ----------
    covariance : str or Covariance, default="full"
        "full", "tied", "diag", "spherical", "low_rank", or a covariance object.
    """

    name = "gaussian"

    def reusable(self, missing: Missing = None) -> bool:
        return missing is None or not missing.any()

    def walk(self, params: LocationShape, dtype: Any, missing: Missing = None) -> GaussianWalk:
        return GaussianWalk(self._scatter_walk(params, dtype, missing))

    def lighter(self, missing: Missing = None) -> Lighter | None:
        return _TotalScatter() if type(self.covariance) is Tied and self.reusable(missing) else None

    def m_step(self, prior: NormalInverseWishart, stats: Moments, params: LocationShape) -> LocationShape:
        return self._estimate(prior, stats.weight, stats, params)

    def log_likelihood(self, params: LocationShape, stats: Moments) -> float:
        n_cells = stats.weight.sum() * params.mean.shape[1]
        return self._log_kernel(params, stats.weight, stats) - 0.5 * LOG_2PI * float(n_cells)

    def _stretch(self, params: Any, x: Array, components: Indices, rng: np.random.Generator) -> float:
        return 1.0

    def summary(self, params: LocationShape) -> dict[str, Any]:
        return {
            "mean": params.mean + params.center,
            "covariance": self.covariance.dense(params.shape, len(params.mean)),
        }


class _TotalScatter:
    """The second moments of all rows, which are those of any responsibilities where components share them."""

    def __init__(self) -> None:
        self.family: Family = Gaussian(TiedLinear())

    def complete(self, params: LocationShape, stats: Moments, first: Moments) -> tuple[Moments, float]:
        return replace(stats, second=first.second), -0.5 * Tied().trace(params.shape, first.second)


class GaussianWalk(Walk):
    """Log densities from Mahalanobis distances."""

    def __init__(self, scatter: ScatterWalk) -> None:
        self._scatter = scatter
        self.chunk_rows = scatter.chunk_rows

    def log_prob(self, x: NDArray[Any]) -> Floats:
        return self._scatter.log_normal(x)

    @property
    def mass(self) -> Array | None:
        return self._scatter.weight if isinstance(self._scatter, CompleteWalk) else None

    def joint(self, offset: Array) -> Callable[[Any], Floats]:
        return self._scatter.joint(offset)

    def add(self, resp: Floats) -> None:
        self._scatter.add(resp)

    def stats(self) -> Moments:
        return self._scatter.moments()
