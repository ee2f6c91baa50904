"""A simulated table with columns of every kind and missing values, and the best possible predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import multivariate_normal, poisson

from semigen.arrays.special import log_sum_exp
from semigen.columns import Schema, read, restore
from semigen.common import checks
from semigen.datasets.drawing import Array, class_proportions, generator

_NUMBERS = slice(0, 3)
_CATEGORIES = (3, 4)
_COUNT, _FLAG = 5, 6
_SCHEMA = Schema(
    names=("length", "width", "weight", "color", "size", "visits", "member"),
    kinds=("number", "number", "number", "category", "category", "count", "flag"),
    levels=(None, None, None, ("blue", "green", "orange", "red"), ("large", "medium", "small"), None, None),
    library="pandas",
)


@dataclass(frozen=True)
class MixedTruth:
    """The density that :func:`make_mixed` draws from; cells are missing completely at random.

    ``p(x, y = k) = π_k N(x_1…x_3; μ_k, Σ) Π_j θ_kj(x_j) Poisson(x_6; λ_k) Bernoulli(x_7; ρ_k)``

    Attributes
    ----------
    class_prior : ndarray of shape (K,)
        π.
    means : ndarray of shape (K, 3)
        μ.
    covariance : ndarray of shape (3, 3)
        Σ, the same for all classes.
    level_probabilities : tuple of ndarrays of shape (K, 4) and (K, 3)
        θ of "color" and "size", levels in the order of the alphabet.
    rates : ndarray of shape (K,)
        λ of "visits".
    flag_probabilities : ndarray of shape (K,)
        ρ of "member".
    """

    class_prior: Array
    means: Array
    covariance: Array
    level_probabilities: tuple[Array, Array]
    rates: Array
    flag_probabilities: Array

    def posterior(self, frame: Any) -> Array:
        """p(class | the cells that are there) of each row of a data frame with these columns, (n, K)."""
        return self._posterior(read(_SCHEMA, frame))

    def _posterior(self, x: Array) -> Array:
        joint = np.log(self.class_prior) + self._log_numbers(x[:, _NUMBERS])
        for j, probabilities in zip(_CATEGORIES, self.level_probabilities, strict=True):
            there = ~np.isnan(x[:, j])
            joint[there] += np.log(probabilities.T[x[there, j].astype(np.intp)])
        there = ~np.isnan(x[:, _COUNT])
        joint[there] += poisson.logpmf(x[there, _COUNT, None], self.rates)
        there = ~np.isnan(x[:, _FLAG])
        joint[there] += np.log(
            np.where(x[there, _FLAG, None] == 1, self.flag_probabilities, 1 - self.flag_probabilities)
        )
        return np.asarray(np.exp(joint - log_sum_exp(joint.T)[:, None]))

    def _log_numbers(self, x: Array) -> Array:
        """Log density of the numbers that are there: the marginal where some are missing, (n, K)."""
        result = np.zeros((len(x), len(self.means)))
        patterns, which = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        for number, there in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == number)
            if there.any():
                covariance = self.covariance[np.ix_(there, there)]
                for k, mean in enumerate(self.means):
                    density = multivariate_normal(mean[there], covariance)
                    result[rows, k] = density.logpdf(x[np.ix_(rows, there)])
        return result


@dataclass(frozen=True)
class MixedTable:
    """A simulated table with columns of every kind, of which some rows are labeled and some cells missing.

    Attributes
    ----------
    frame : data frame of n rows
        Three columns of numbers ("length", "width", "weight"), two categories ("color", "size"), a count
        ("visits") and a flag ("member").
    y : ndarray of shape (n,), object
        Label of a labeled row, None for an unlabeled one.
    y_true : ndarray of shape (n,)
        Label of every row.
    truth : MixedTruth
        The density of the rows.
    posterior : ndarray of shape (n, K)
        p(class | the cells that are there) under ``truth``: the Bayes rule takes the largest.
    bayes_error : float
        Expected error of the Bayes rule on the unlabeled rows, with the values that they have; no classifier
        can expect less.
    """

    frame: Any
    y: NDArray[Any]
    y_true: NDArray[np.intp]
    truth: MixedTruth
    posterior: Array
    bayes_error: float


def make_mixed(
    n_unlabeled: int = 5000,
    n_labeled_per_class: int = 5,
    *,
    n_classes: int = 4,
    missing: float = 0.15,
    distance: float = 2.0,
    class_prior: ArrayLike | None = None,
    library: str = "pandas",
    random_state: Any = None,
) -> MixedTable:
    """Draw a table of three numbers, two categories, a count and a flag, with missing values.

    Given the class, the numbers are Gaussian with correlations of 0.4, and independent of the other columns,
    which are independent of each other (see :class:`MixedTruth`). Every cell is missing with the same
    probability, whatever the row.

    Parameters
    ----------
    n_unlabeled : int, default=5000
        Unlabeled rows, drawn from ``class_prior``; they come last.
    n_labeled_per_class : int, default=5
    n_classes : int, default=4
        K. Classes are 0 … K-1.
    missing : float in [0, 1), default=0.15
        Share of the cells that are missing.
    distance : float, default=2.0
        Distance of the class means from the center, in standard deviations of the numbers.
    class_prior : array-like of shape (K,), optional
        π; equal by default.
    library : {"pandas", "polars", "pyarrow"}, default="pandas"
        What makes the data frame.
    random_state : int, RandomState or None
        Of the rows; the density is the same for every seed.

    Returns
    -------
    MixedTable

    Raises
    ------
    ParameterError
        If a number is out of its range, or the prior is none.

    Examples
    --------
    >>> from semigen.datasets import make_mixed
    >>> data = make_mixed(200, library="pyarrow", random_state=0)
    >>> data.frame.column_names
    ['length', 'width', 'weight', 'color', 'size', 'visits', 'member']
    >>> data.posterior.shape, sum(label is not None for label in data.y)
    ((220, 4), 20)
    """
    checks.integer("n_unlabeled", n_unlabeled, minimum=0)
    checks.integer("n_labeled_per_class", n_labeled_per_class, minimum=1)
    checks.integer("n_classes", n_classes, minimum=2)
    checks.real("missing", missing, minimum=0, maximum=0.99)
    checks.real("distance", distance, minimum=0)
    truth = _truth(class_proportions(class_prior, n_classes), distance)
    rng = generator(random_state)
    y = np.concatenate(
        [
            np.repeat(np.arange(n_classes), n_labeled_per_class),
            rng.choice(n_classes, size=n_unlabeled, p=truth.class_prior),
        ]
    )
    x = _draw(truth, y, rng)
    x[rng.random(x.shape) < missing] = np.nan
    given = np.full(len(y), None, dtype=object)
    given[: n_classes * n_labeled_per_class] = y[: n_classes * n_labeled_per_class].tolist()
    posterior = truth._posterior(x)
    unlabeled = posterior[n_classes * n_labeled_per_class :]
    error = float(1 - unlabeled.max(axis=1).mean()) if n_unlabeled else float("nan")
    frame = restore(replace(_SCHEMA, library=library), x)
    return MixedTable(frame, given, y, truth, posterior, error)


def _truth(prior: Array, distance: float) -> MixedTruth:
    """Class means on a circle with alternating heights; every class prefers a level of each category."""
    k = np.arange(len(prior))
    angle = 2 * np.pi * k / len(prior)
    direction = np.column_stack([np.cos(angle), np.sin(angle), np.where(k % 2, -0.5, 0.5)])
    levels = []
    for j, preferred in zip(_CATEGORIES, (k, k // 2), strict=True):
        n_levels = len(_SCHEMA.levels[j] or ())
        probabilities = np.full((len(prior), n_levels), 0.4 / (n_levels - 1))
        probabilities[k, preferred % n_levels] = 0.6
        levels.append(probabilities)
    return MixedTruth(
        class_prior=prior,
        means=np.array([10.0, 5.0, 60.0]) + distance * direction * np.array([1.0, 0.5, 8.0]),
        covariance=(0.4 + 0.6 * np.eye(3)) * np.outer([1.0, 0.5, 8.0], [1.0, 0.5, 8.0]),
        level_probabilities=(levels[0], levels[1]),
        rates=np.array([1.0, 2.5, 4.0])[(k + 1) % 3],
        flag_probabilities=np.where(k % 4 < 2, 0.2, 0.7),
    )


def _draw(truth: MixedTruth, y: NDArray[np.intp], rng: np.random.Generator) -> Array:
    """Rows of the classes ``y`` without missing values, as the schema reads them, (n, 7)."""
    x = np.empty((len(y), _SCHEMA.n_features))
    root = np.linalg.cholesky(truth.covariance)
    x[:, _NUMBERS] = truth.means[y] + rng.standard_normal((len(y), 3)) @ root.T
    for j, probabilities in zip(_CATEGORIES, truth.level_probabilities, strict=True):
        x[:, j] = (rng.random((len(y), 1)) > probabilities.cumsum(axis=1)[y, :-1]).sum(axis=1)
    x[:, _COUNT] = rng.poisson(truth.rates[y])
    x[:, _FLAG] = rng.random(len(y)) < truth.flag_probabilities[y]
    return x
