"""The multivariate Student t: the robust twin of the Gaussian, degrees of freedom estimated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from semigen.arrays.pieces import Indices, evenly
from semigen.data.blocks import Blocks, Engine, Missing
from semigen.exceptions import ParameterError
from semigen.families.covariance import Covariance
from semigen.families.covariance.base import LocationShape, Moments, NormalInverseWishart, ScatterWalk
from semigen.families.elliptical import VARIANCE_RANGE, Bounds, Elliptical, largest_sizes, refuse_overflow
from semigen.families.protocol import Array, Floats, Walk

FENCE = 3.0
"""Tukey's outer fences: values farther than this many quartile ranges from the quartiles are outliers."""

QUARTILE_ROWS = 2**17
"""Rows, evenly spaced, that the quartiles come from; all where there are fewer."""

START_DOF = 4.0

DOF_RANGE = (1.1, 1000.0)
"""Above 1 a component has a mean; at the upper end it is Gaussian for all that rows can tell."""

DOF_RATE = 0.1
"""Rate of the Gamma(2, rate) prior of ν, whose mode is 10."""

BISECTIONS = 36

LEAP = 16
"""EM steps of ν that a leap takes at once. Near the Gaussian they get small long before the maximum."""


@dataclass(frozen=True)
class StudentParams(LocationShape):
    """Locations, scale matrices and degrees of freedom.

    Attributes
    ----------
    dof : ndarray of shape (C,)
        ν; all the same where components share it.
    leap : ndarray of shape (C,)
        Another ν, which the next E-step compares with ``dof``.
    """

    dof: Array
    leap: Array


@dataclass(frozen=True)
class StudentMoments:
    """Expected sums over rows, with the latent precision u of each row.

    Attributes
    ----------
    weight : ndarray of shape (C,)
        ``Σ r``, rows.
    tail : ndarray of shape (C,)
        ``Σ r (E[log u] - E[u])``.
    rise : ndarray of shape (C,)
        ``Σ r log p(x | c)`` with ν = ``leap``, less that with ν = ``dof``.
    moments : Moments
        Weighted by ``r E[u]``; conditional covariances of missing values by r.
    """

    weight: Array
    tail: Array
    rise: Array
    moments: Moments

    def merge(self, other: StudentMoments) -> StudentMoments:
        """The sums over both sets of rows."""
        return StudentMoments(
            self.weight + other.weight,
            self.tail + other.tail,
            self.rise + other.rise,
            self.moments.merge(other.moments),
        )


class StudentT(Elliptical):
    """``log p(x | c) = log Γ((ν+D)/2) - log Γ(ν/2) - ½ [D log νπ + log|Σ_c| + (ν+D) log(1 + δ/ν)]``.

    δ = ``(x - μ_c)ᵀ Σ_c⁻¹ (x - μ_c)``, ν = ν_c. It is a Gaussian whose covariance Σ/u has a precision u of
    its own for each row, u ~ Gamma(ν/2, ν/2); outlying rows get a small u, so they hardly move μ and Σ. EM
    with u latent: Peel & McLachlan (2000), *Statistics and Computing* 10:339; with missing values Liu & Rubin
    (1995), *Statistica Sinica* 5:19.

    The prior of μ and Σ is that of the Gaussian, but values beyond Tukey's outer fences (three quartile
    ranges from the quartiles of the column) do not count for its location and scale. ν has a Gamma(2, 0.1)
    prior (Juárez & Steel 2010, *J. Business & Economic Statistics* 28:52) and stays between 1.1 and 1000.
    Without smoothing (``shrinkage=0``) estimates, ν included, are maximum likelihood.

    Parameters
    ----------
    covariance : str or Covariance, default="full"
        Shape of the scale matrices Σ: "full", "tied", "diag", "spherical", "low_rank", or a covariance
        object.
    dof : {"shared", "component"}, default="shared"
        Whether ν is one for all components or one for each. With one for each, a single component may
        collect the outliers of all classes, and with them rows near its border.

    Raises
    ------
    ParameterError
        If ``dof`` is neither.
    """

    name = "student_t"

    def __init__(self, covariance: str | Covariance = "full", dof: str = "shared") -> None:
        super().__init__(covariance)
        if dof not in ("shared", "component"):
            raise ParameterError(f"dof={dof!r} is not known: use 'shared' or 'component'.")
        self.dof = dof

    def reusable(self, missing: Missing = None) -> bool:
        return False

    def _bounds(self, data: Blocks, engine: Engine) -> Bounds:
        low, high = np.full(data.n_columns, -np.inf), np.full(data.n_columns, np.inf)
        wild = np.zeros(data.n_columns, dtype=bool)
        most_allowed = np.sqrt(VARIANCE_RANGE[data.dtype][1])
        farthest = np.fmax.reduce(engine.map_blocks(largest_sizes, data))
        some = data.take(evenly(data.n_rows, QUARTILE_ROWS))
        for j in range(data.n_columns):
            values = some.x[:, j]
            observed = ~np.isnan(values)
            if not observed.any():
                continue
            weight = some.weight[observed]
            q1, q3 = np.quantile(values[observed], [0.25, 0.75], weights=weight, method="inverted_cdf")
            spread = float(q3) - float(q1)
            if spread > 0:  # otherwise half of the values are equal, and fences would leave only these
                low[j], high[j] = q1 - FENCE * spread, q3 + FENCE * spread
            wild[j] = not farthest[j] < most_allowed * min(1.0, spread if spread > 0 else 1.0)
        refuse_overflow(data, engine, wild)
        return low, high

    def reference(self, prior: NormalInverseWishart, n_components: int) -> StudentParams:
        base = super().reference(prior, n_components)
        dof = np.full(n_components, START_DOF)
        return StudentParams(base.center, base.mean, base.shape, dof, leap=dof)

    def walk(self, params: StudentParams, dtype: Any, missing: Missing = None) -> StudentWalk:
        return StudentWalk(self._scatter_walk(params, dtype, missing), params)

    def m_step(
        self, prior: NormalInverseWishart, stats: StudentMoments, params: StudentParams
    ) -> StudentParams:
        """Of an EM step and a leap of ν alone the one that is certain to raise the objective more."""
        base = self._estimate(prior, stats.weight, stats.moments, params)
        dof = self._estimate_dof(prior, stats, params.dof)
        step = StudentParams(base.center, base.mean, base.shape, dof, leap=dof)
        leap = replace(params, dof=params.leap)
        by_step = self._expected_log(stats, step) - self._expected_log(stats, params)
        by_step += self.log_prior(prior, step) - self.log_prior(prior, params)
        by_leap = float(stats.rise.sum()) + self.log_prior(prior, leap) - self.log_prior(prior, params)
        best = leap if by_leap > by_step else step
        return replace(best, leap=np.clip(best.dof * (dof / params.dof) ** LEAP, *DOF_RANGE))

    def _expected_log(self, stats: StudentMoments, params: StudentParams) -> float:
        """``Σ r E[log p(x, u | c)]`` up to a constant."""
        half = params.dof / 2
        of_precision = stats.weight * (half * np.log(half) - gammaln(half)) + half * stats.tail
        return self._log_kernel(params, stats.weight, stats.moments) + float(of_precision.sum())

    def _estimate_dof(self, prior: NormalInverseWishart, stats: StudentMoments, old: Array) -> Array:
        weight, tail = stats.weight, stats.tail
        if self.dof == "shared":
            weight, tail = weight.sum(keepdims=True), tail.sum(keepdims=True)
        if prior.strength > 0:
            return np.broadcast_to(_best_dof(weight, tail, DOF_RATE), old.shape)
        return np.where(weight > 0, _best_dof(weight, tail, None), old)

    def log_prior(self, prior: NormalInverseWishart, params: StudentParams) -> float:
        of_others = super().log_prior(prior, params)
        if prior.strength == 0:
            return of_others
        distinct = params.dof[: self._n_dof(params)]
        return of_others + float((np.log(distinct) - DOF_RATE * distinct).sum())

    def _n_dof(self, params: StudentParams) -> int:
        return 1 if self.dof == "shared" else len(params.dof)

    def log_likelihood(self, params: StudentParams, stats: StudentMoments) -> float:
        raise NotImplementedError("statistics of Student t rows depend on the parameters")

    def points(self, prior: NormalInverseWishart, x: NDArray[Any]) -> Array:
        return np.arcsinh(super().points(prior, x))  # so that outliers lie near the other rows

    def _stretch(
        self, params: StudentParams, x: Array, components: Indices, rng: np.random.Generator
    ) -> Array:
        # given the observed values u is Gamma((ν + d)/2, (ν + δ)/2)
        rows = np.arange(len(x))
        distance = np.empty(len(x))
        walk = self.covariance.walk_missing(params)
        for begin in range(0, len(x), walk.chunk_rows):
            mine = rows[begin : begin + walk.chunk_rows]
            distance[mine] = walk.distances(x[mine])[components[mine], mine - begin]
        dof = params.dof[components]
        observed = x.shape[1] - np.isnan(x).sum(axis=1)
        precision = rng.gamma((dof + observed) / 2, 2 / (dof + distance))
        return np.asarray(1.0 / np.sqrt(precision))[:, None]

    def summary(self, params: StudentParams) -> dict[str, Any]:
        """``mean``, ``scale`` (Σ), ``degrees_of_freedom``, and ``covariance``, infinite where ν ≤ 2."""
        scale = self.covariance.dense(params.shape, len(params.mean))
        finite = (params.dof > 2)[:, None, None]
        factor = (params.dof / np.where(params.dof > 2, params.dof - 2, 1.0))[:, None, None]
        return {
            "mean": params.mean + params.center,
            "covariance": np.where(finite, factor * scale, np.inf),
            "scale": scale,
            "degrees_of_freedom": params.dof,
        }

    def n_free(self, params: StudentParams) -> int:
        return super().n_free(params) + self._n_dof(params)


def _best_dof(weight: Array, tail: Array, rate: float | None) -> Array:
    """The maximum over ν of ``Σ r E[log Gamma(u; ν/2, ν/2)]``, with a prior plus ``log Gamma(ν; 2, rate)``.

    It is concave in ν, so that bisection of its slope finds it.
    """
    low, high = (np.full(len(weight), np.log(end)) for end in DOF_RANGE)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        half = 0.5 * np.exp(middle)
        slope = weight * (np.log(half) + 1.0 - digamma(half)) + tail
        if rate is not None:
            slope += 1.0 / half - 2.0 * rate
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))


class StudentWalk(Walk):
    """Log densities and expected latent precisions from Mahalanobis distances."""

    def __init__(self, scatter: ScatterWalk, params: StudentParams) -> None:
        n_components, n_features = params.mean.shape
        self._scatter = scatter
        self.chunk_rows = scatter.chunk_rows
        self._dof, self._leap = params.dof[:, None], params.leap[:, None]
        observed = np.arange(n_features + 1)
        self._half, self._norm = _constants(self._dof, observed)
        self._leap_half, self._leap_norm = _constants(self._leap, observed)
        self._mean_log = digamma(self._half) - np.log(self._dof / 2)
        self._weight, self._tail, self._rise = (np.zeros(n_components) for _ in range(3))

    def log_prob(self, x: NDArray[Any]) -> Floats:
        ratio = self._scatter.bounded_distances(x, power=0.9)
        dtype, n_observed = ratio.dtype, self._scatter.n_observed

        def of_rows(table: Array) -> Floats:
            return np.asarray(table[:, n_observed].astype(dtype, copy=False))

        ratio /= self._dof.astype(dtype, copy=False)  # δ/ν
        log_ratio = np.log1p(ratio)
        log_prob = of_rows(self._norm) - of_rows(self._half) * log_ratio
        of_leap = np.log1p(ratio * (self._dof / self._leap).astype(dtype, copy=False))
        of_leap *= of_rows(self._leap_half)
        self._rises = of_rows(self._leap_norm) - of_leap
        self._rises -= log_prob
        log_prob -= (0.5 * self._scatter.log_det).astype(dtype, copy=False)
        ratio += 1.0
        self._precision = np.divide(of_rows(self._half / (0.5 * self._dof)), ratio, out=ratio)
        np.subtract(of_rows(self._mean_log), log_ratio, out=log_ratio)
        self._tails = np.subtract(log_ratio, self._precision, out=log_ratio)
        return np.asarray(log_prob)

    def add(self, resp: Floats) -> None:
        self._weight += resp.sum(axis=1, dtype=np.float64)
        self._tail += np.einsum("cn,cn->c", resp, self._tails, dtype=np.float64)
        self._rise += np.einsum("cn,cn->c", resp, self._rises, dtype=np.float64)
        self._scatter.add(resp * self._precision, resp)

    def stats(self) -> StudentMoments:
        return StudentMoments(self._weight, self._tail, self._rise, self._scatter.moments())


def _constants(dof: Array, observed: NDArray[np.intp]) -> tuple[Array, Array]:
    """``(ν + d) / 2`` and the terms of log p without x and Σ, (C, D + 1), for d observed values each."""
    half = 0.5 * (dof + observed)
    return half, gammaln(half) - gammaln(dof / 2) - 0.5 * observed * np.log(np.pi * dof)
