"""Directions: rows that count by where they point, such as embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import gammaln

from semigen.arrays.pieces import Indices, chunks
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.exceptions import ColumnError
from semigen.families.protocol import Array, Family, Floats
from semigen.families.scaled import (
    ScaledWalk,
    along,
    chunk_rows,
    norms,
    positive,
    principal_axes,
    rescaled,
    some_rows,
)

PSEUDO_ROWS = 5.0
"""Pseudo-rows of ``shrinkage=None``: fewer leave a component of three rows far too sure of its direction."""

SHARPEST = 5e-7
"""1 - R of the most concentrated component: angles of about a thousandth, as where all rows are the same."""

LARGEST_NORM = 1e150
"""Rows longer than this, or shorter than its inverse, have squares that are no numbers."""

LEAST_ORDER = 30.0
LEAST_STEPS = 4
"""Order of Bessel functions from which their expansion is good, and steps down that make it better."""


@dataclass(frozen=True)
class DirectionPrior:
    """Prior: s pseudo-rows per component that point where all rows do.

    ``log p(μ, κ) = s Σ_c [log C_D(κ_c) + κ_c μ_cᵀ m]`` (Guttorp & Lockhart 1988, *J. American Statistical
    Association* 83:322).

    Attributes
    ----------
    mean : ndarray of shape (D,)
        m: mean direction of all rows, not of length 1.
    strength : float
        s ≥ 0.
    some : matrix of rows, or None
        What the axes are found with; None where there are few columns.
    """

    mean: Array
    strength: float
    some: Any

    @cached_property
    def axes(self) -> Array | None:
        """Principal axes of directions, (D, 32); None where there are few columns."""
        return None if self.some is None else principal_axes(directions(self.some))


@dataclass(frozen=True)
class Directions:
    """Parameters.

    Attributes
    ----------
    mean_direction : ndarray of shape (C, D)
        μ, of length 1.
    concentration : ndarray of shape (C,)
        κ ≥ 0.
    """

    mean_direction: Array
    concentration: Array


@dataclass(frozen=True)
class DirectionSums:
    """Weighted sums of rows of length 1.

    Attributes
    ----------
    weight : ndarray of shape (C,)
        ``Σ r`` over the rows that have a direction.
    first : ndarray of shape (C, D)
        ``Σ r x / |x|``.
    aimless : float
        ``Σ r`` over the rows that have none.
    """

    weight: Array
    first: Array
    aimless: float

    def merge(self, other: DirectionSums) -> DirectionSums:
        """The sums over both sets of rows."""
        return DirectionSums(
            self.weight + other.weight, self.first + other.first, self.aimless + other.aimless
        )


class VonMisesFisher(Family):
    """``log p(x | c) = log C_D(κ_c) + κ_c μ_cᵀ x / |x|``, a density on the unit sphere in D dimensions.

    ``C_D(κ) = κ^(D/2-1) / [(2π)^(D/2) I_(D/2-1)(κ)]``, I being the modified Bessel function. Rows count by
    their direction alone; a row of zeros has none, and the uniform density in every component.

    Prior: s pseudo-rows that point where all rows do (default s = 5), which keeps the concentration κ of a
    component of few rows from growing without bound; κ ≤ 10⁶ (D - 1) in any case. ``shrinkage=0`` is
    maximum likelihood. The M-step is exact: A_D(κ) = R is solved to rounding, where Banerjee et al.
    (2005, *J. Machine Learning Research* 6:1345, eq. 4.4) approximate.

    Sparse rows (CSR) are never made dense. Two columns or more.
    """

    name = "von_mises_fisher"
    takes_sparse = True
    takes_missing = False

    def __repr__(self) -> str:
        return "VonMisesFisher()"

    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> DirectionPrior:
        if data.n_columns < 2:
            raise ColumnError("directions need two columns or more: model one column as a number.")
        totals, counts = zip(*engine.map_blocks(_direction_sums, data), strict=True)
        if not sum(counts) > 0:
            raise ColumnError("no row that counts has a direction: every value is 0. Give rows with numbers.")
        strength = PSEUDO_ROWS if shrinkage is None else float(shrinkage)
        return DirectionPrior(sum(totals) / sum(counts), strength, some_rows(data))

    def reference(self, prior: DirectionPrior, n_components: int) -> Directions:
        first = np.repeat(prior.mean[None], n_components, axis=0)
        axis = np.repeat(np.eye(1, len(prior.mean)), n_components, axis=0)
        return _estimate(np.ones(n_components), first, Directions(axis, np.zeros(n_components)))

    def walk(self, params: Directions, dtype: Any, missing: Missing = None) -> DirectionWalk:
        return DirectionWalk(params)

    def m_step(self, prior: DirectionPrior, stats: DirectionSums, params: Directions) -> Directions:
        weight = stats.weight + prior.strength
        return _estimate(weight, stats.first + prior.strength * prior.mean, params)

    def log_prior(self, prior: DirectionPrior, params: Directions) -> float:
        pull = params.concentration * (params.mean_direction @ prior.mean)
        return prior.strength * float((log_normalizer(params) + pull).sum())

    def log_likelihood(self, params: Directions, stats: DirectionSums) -> float:
        along_mean = (params.mean_direction * stats.first).sum(axis=1)
        each = stats.weight * log_normalizer(params) + params.concentration * along_mean
        return float(each.sum()) + stats.aimless * log_uniform(params)

    def points(self, prior: DirectionPrior, x: Any) -> Array:
        return along(prior.axes, directions(x))

    def sample(self, params: Directions, components: Indices, rng: np.random.Generator) -> Array:
        """Directions by the rejection method of Wood (1994, *Communications in Statistics* 23:157)."""
        n_features = params.mean_direction.shape[1]
        center = params.mean_direction[components]
        cosine = _sample_cosines(params.concentration[components], n_features, rng)[:, None]
        aside = rng.standard_normal(center.shape)
        aside -= (aside * center).sum(axis=1, keepdims=True) * center
        aside /= norms(aside)[:, None]
        return np.asarray(cosine * center + np.sqrt(np.maximum(1.0 - cosine**2, 0.0)) * aside)

    def expect_missing(self, params: Directions, x: Array, resp: Array) -> Array:
        return x

    def draw_missing(
        self, params: Directions, x: Array, components: Indices, rng: np.random.Generator
    ) -> Array:
        return x

    def summary(self, params: Directions) -> dict[str, Any]:
        """``mean_direction`` μ, ``concentration`` κ, and the ``mean`` A_D(κ) μ of directions."""
        length = resultant(params.concentration, params.mean_direction.shape[1])
        return {
            "mean_direction": params.mean_direction,
            "concentration": params.concentration,
            "mean": length[:, None] * params.mean_direction,
        }

    def n_free(self, params: Directions) -> int:
        # a direction has D - 1 free numbers, and there is a concentration
        return params.mean_direction.size


class DirectionWalk(ScaledWalk):
    """Log densities and sums of rows scaled to length 1."""

    def __init__(self, params: Directions) -> None:
        super().__init__(params.concentration[:, None] * params.mean_direction)
        self._constant = log_normalizer(params)[:, None]
        self._uniform = log_uniform(params)
        self._weight = np.zeros(len(params.concentration))
        self._aimless = 0.0

    def factors(self, x: Any) -> Array:
        return inverse_norms(x)

    def log_prob(self, x: Any) -> Floats:
        log_prob = super().log_prob(x) + self._constant
        self._none = self._factors == 0
        log_prob[:, self._none] = self._uniform
        return log_prob

    def add(self, resp: Floats) -> None:
        super().add(resp)
        self._aimless += float(resp[:, self._none].sum(dtype=np.float64))
        self._weight += resp[:, ~self._none].sum(axis=1, dtype=np.float64)

    def stats(self) -> DirectionSums:
        return DirectionSums(self._weight, self.sums(), self._aimless)


def _direction_sums(block: Block) -> tuple[Array, float]:
    """Weighted sum of the directions of a block, (D,), and the weight of the rows that have one."""
    n_columns = block.x.shape[1]
    total, counted = np.zeros(n_columns), 0.0
    for piece in chunks(block.rows, chunk_rows(1, n_columns)):
        rows, weight = block.x[piece], block.weight[piece]
        inverse = inverse_norms(rows)
        total += rows.T @ (weight * inverse)
        counted += float(weight[inverse > 0].sum())
    return total, counted


def inverse_norms(x: Any) -> Array:
    """1 / |x| of each row, (rows,); 0 for a row without a direction.

    Raises
    ------
    ColumnError
        If a value is missing, infinite or too large.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        length = norms(x.astype(np.float64, copy=False))
    if not (length < LARGEST_NORM).all():
        bad = int(np.flatnonzero(~(length < LARGEST_NORM))[0])
        what = "a missing value" if np.isnan(length[bad]) else "infinite values, or numbers above 1e150"
        raise ColumnError(f"a row has {what}: fill it in, or divide the row by its size.")
    known = length > 1.0 / LARGEST_NORM
    return np.where(known, 1.0 / np.where(known, length, 1.0), 0.0)


def directions(x: Any) -> Any:
    """Rows of length 1; those without a direction at the origin."""
    return rescaled(x, inverse_norms(x), np.ones(x.shape[1]))


def _estimate(weight: Array, first: Array, old: Directions) -> Directions:
    """Maximum likelihood; a component without weight stays as it is."""
    length = norms(first)
    there = weight > 0
    found = concentration(length / np.where(there, weight, 1.0), first.shape[1])
    pointed = (there & (length > 0))[:, None]
    return Directions(
        np.where(pointed, first / positive(length)[:, None], old.mean_direction),
        np.where(there, found, old.concentration),
    )


def _sample_cosines(kappa: Array, n_features: int, rng: np.random.Generator) -> Array:
    """Cosines of the angle to the mean direction, one for each concentration."""
    span = n_features - 1
    b = span / (2 * kappa + np.sqrt(4 * kappa**2 + span**2))
    middle = (1 - b) / (1 + b)
    top = kappa * middle + span * np.log(4 * b / (1 + b) ** 2)
    cosine = np.empty(len(kappa))
    left = np.arange(len(kappa))
    while len(left):
        z = rng.beta(0.5 * span, 0.5 * span, size=len(left))
        tried = (1 - (1 + b[left]) * z) / (1 - (1 - b[left]) * z)
        height = kappa[left] * tried + span * np.log(1 - middle[left] * tried)
        good = height - top[left] >= np.log(1 - rng.random(len(left)))
        cosine[left[good]] = tried[good]
        left = left[~good]
    return cosine


def log_normalizer(params: Directions) -> Array:
    """Log C_D(κ), (C,)."""
    n_features = params.mean_direction.shape[1]
    log_bessel, _ = bessel(0.5 * n_features - 1, params.concentration)
    return np.asarray(-0.5 * n_features * np.log(2 * np.pi) - log_bessel)


def log_uniform(params: Directions) -> float:
    """Log density of the uniform distribution on the sphere."""
    half = 0.5 * params.mean_direction.shape[1]
    return float(gammaln(half) - np.log(2.0) - half * np.log(np.pi))


def resultant(kappa: Array, n_features: int) -> Array:
    """``A_D(κ) = I_(D/2)(κ) / I_(D/2-1)(κ)``, the length of the mean of directions, (C,)."""
    return np.asarray(kappa * bessel(0.5 * n_features - 1, kappa)[1])


def concentration(length: Array, n_features: int) -> Array:
    """κ with A_D(κ) = R of mean lengths R (C,) in [0, 1].

    Newton's method from a lower bound (Amos 1974): A is concave, so steps never lead past the solution.
    """
    length = np.minimum(length, 1.0 - SHARPEST)
    kappa = length * (n_features - 1) / (1.0 - length**2)
    for _ in range(30):
        ratio = bessel(0.5 * n_features - 1, kappa)[1]
        found = kappa * ratio
        slope = 1.0 - found**2 - (n_features - 1) * ratio
        step = (length - found) / np.maximum(slope, (1.0 - length) ** 2 / n_features)
        kappa = np.maximum(kappa + step, kappa)
        if (step <= 1e-14 * kappa).all():
            break
    return np.asarray(kappa)


def _expansion() -> tuple[tuple[Polynomial, ...], tuple[Polynomial, ...]]:
    """Polynomials U_k and ``(V_k - U_k) / (1 - p²)``, k = 0 … 6, of DLMF 10.41.9."""
    p = Polynomial([0.0, 1.0])
    u, w = [Polynomial([1.0])], [Polynomial([0.0])]
    for _ in range(6):
        last, slope = u[-1], u[-1].deriv()
        u.append(0.5 * p**2 * (1 - p**2) * slope + 0.125 * ((1 - 5 * p**2) * last).integ())
        w.append(-(0.5 * p * last + p**2 * slope))
    return tuple(u), tuple(w)


_U, _W = _expansion()


def bessel(order: float, z: Array) -> tuple[Array, Array]:
    """``log [I_ν(z) / z^ν]`` and ``I_(ν+1)(z) / (z I_ν(z))``, which stay numbers at z = 0.

    The expansion for large orders (DLMF 10.41.3 and 10.41.5) at a higher order, and from there down by
    ``I_(ν-1)(z) = (2ν / z) I_ν(z) + I_(ν+1)(z)``, which takes errors away.

    Parameters
    ----------
    order : float
        ν ≥ 0.
    z : ndarray of shape (C,)
        ≥ 0.

    Returns
    -------
    log_bessel, ratio : ndarrays of shape (C,)
    """
    steps = max(LEAST_STEPS, int(np.ceil(LEAST_ORDER - order)))
    high = order + steps
    root = np.sqrt(1.0 + (z / high) ** 2)
    p = 1.0 / root
    u = sum(term(p) / high**k for k, term in enumerate(_U))
    w = sum(term(p) / high**k for k, term in enumerate(_W))
    log_bessel = high * (root - np.log1p(root) - np.log(high)) + np.log(u)
    log_bessel -= 0.5 * np.log(2 * np.pi * high * root)
    ratio = (1.0 / (1.0 + root) + p * w / u) / high
    for step in range(steps):
        below = 1.0 / (2.0 * (high - step) + z**2 * ratio)
        log_bessel, ratio = log_bessel - np.log(below), below
    return log_bessel, ratio
