"""The table of family instances that the laws of ``test_family_laws.py`` hold for.

A new family is one function here that returns its :class:`Case`, and one entry in ``CASES``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, ive, logsumexp
from scipy.stats import (
    bernoulli,
    multinomial,
    multivariate_normal,
    multivariate_t,
    nbinom,
    poisson,
    vonmises_fisher,
)

from semigen import testing
from semigen.families import (
    Bernoulli,
    Categorical,
    Gaussian,
    LowRank,
    Multinomial,
    NegativeBinomial,
    Poisson,
    StudentT,
    VonMisesFisher,
    as_covariance,
)
from semigen.families.covariance.diagonal import TiedDiag, TiedSpherical
from semigen.testing.covariances import MEANS, gaussian_rows
from semigen.testing.trials import N_COMPONENTS, Trial, assert_same_record, fit_prior, mixture_data, stats_of

__all__ = ["N_COMPONENTS", "Trial", "assert_same_record", "fit_prior", "mixture_data", "stats_of"]


@dataclass(frozen=True, kw_only=True)
class Case(testing.Case):
    """An instance of a family, and what an independent source says about it.

    Attributes
    ----------
    log_prob : callable (summary, x) -> (n, C)
        Log p(x | c) of complete rows by SciPy or by hand from ``family.summary(params)``, a twin that shares
        no code with the family. Rows may be ones that ``draw`` did not make, but are in the support.
    grid : callable (column) -> (values, width), or None
        For families with missing cells: values of a cell of that column whose densities, times ``width``
        (1 for discrete columns), sum to all but 1e-6 of its probability, whatever the other cells.
    mode : bool
        Missing cells are filled with the likeliest value (flags, categories) instead of the mean.
    closed_form : callable (x, resp) -> dict, or None
        Maximum likelihood of complete rows with responsibilities (C, n): some entries of ``summary``.
    regular : bool
        Twice the log likelihood ratio of the fit and the truth is χ² with ``n_free`` degrees of freedom, as
        for maximum likelihood in the interior of a smooth model. False leaves out this law and the rank law.
    hostile : bool
        Whether it gets 200 cases of hostile input: one instance of each family is enough.
    """

    log_prob: Callable[[dict[str, Any], np.ndarray], np.ndarray]
    grid: Callable[[int], tuple[np.ndarray, float]] | None = None
    mode: bool = False
    closed_form: Callable[[np.ndarray, np.ndarray], dict[str, Any]] | None = None
    regular: bool = True
    hostile: bool = False


def marginal(case, log_prob, row, holes):
    """Every way to fill the holes of a row, (m, D), and log p(row so filled | c) times its width, (C, m)."""
    grids = [case.grid(int(j)) for j in holes]
    fillings = np.array(list(product(*(values for values, _ in grids))), dtype=float)
    filled = np.repeat(row[None], len(fillings), axis=0)
    filled[:, holes] = fillings
    return filled, log_prob(filled) + sum(np.log(width) for _, width in grids)


def naive_objective(trial, params, data):
    """The objective of complete rows from the twin's densities and the family's log prior, nats a row."""
    joint = trial.case.log_prob(trial.family.summary(params.family), trial.complete)
    unlabeled = ~data.labels.is_labeled
    joint = joint + params.log_within + np.where(unlabeled[:, None], *params.log_group)
    joint = np.where(unlabeled[:, None], joint, joint + data.labels.log_table[data.labels.pattern])
    total = data.weight @ logsumexp(joint, axis=1) + trial.family.log_prior(trial.prior, params.family)
    return total / data.weight.sum()


def _gaussian_log_prob(summary, x):
    both = zip(summary["mean"], summary["covariance"], strict=True)
    return np.column_stack([multivariate_normal(mean, cov).logpdf(x) for mean, cov in both])


def _gaussian_moments(shape):
    """Weighted means and covariances, as the shape has them."""

    def closed_form(x, resp):
        mean = np.stack([np.average(x, axis=0, weights=r) for r in resp])
        covariance = np.stack([np.cov(x.T, aweights=r, ddof=0) for r in resp])
        name = as_covariance(shape).name
        if name.startswith("tied"):
            covariance[:] = np.average(covariance, axis=0, weights=resp.sum(axis=1))
        if name.endswith(("diag", "spherical")):
            covariance *= np.eye(x.shape[1])
        if name.endswith("spherical"):
            total = np.cov(x.T, aweights=resp.sum(axis=0), ddof=0) * np.eye(x.shape[1])
            size = np.trace(np.linalg.solve(total, covariance), axis1=1, axis2=2) / x.shape[1]
            covariance = size[:, None, None] * total
        return {"mean": mean, "covariance": covariance}

    return closed_form


def gaussian(shape, **options):
    """A Gaussian with a covariance shape; SciPy's density, and the textbook's estimates."""
    return Case(
        name=f"gaussian, {shape}",
        family=Gaussian(shape),
        draw=gaussian_rows,
        log_prob=_gaussian_log_prob,
        grid=lambda column: (np.linspace(-14.0, 14.0, 281), 0.1),
        **{"closed_form": _gaussian_moments(shape), **options},
    )


def _student_rows(rng, component):
    """The Gaussian rows, each with a spread of its own."""
    dof = np.array([4.0, 8.0, 20.0])[component]
    noise = gaussian_rows(rng, component) - MEANS[component]
    return MEANS[component] + noise / np.sqrt(rng.gamma(dof / 2, 2 / dof))[:, None]


def _student_log_prob(summary, x):
    both = zip(summary["mean"], summary["scale"], summary["degrees_of_freedom"], strict=True)
    return np.column_stack([multivariate_t(mean, scale, df).logpdf(x) for mean, scale, df in both])


def student_t(shape, dof="shared", **options):
    """A Student t with a shape of scale matrices; SciPy's density."""
    return Case(
        name=f"student_t, {shape}",
        family=StudentT(shape, dof),
        draw=_student_rows,
        log_prob=_student_log_prob,
        grid=lambda column: (np.linspace(-60.0, 60.0, 481), 0.25),
        exact=False,
        **options,
    )


def _weighted_means(x, resp):
    return {"mean": resp @ x / resp.sum(axis=1, keepdims=True)}


def _sum_over_columns(logpmf):
    """The twin of independent columns: ``logpmf(x, summary)`` of all components and columns (C, n, D)."""
    return lambda summary, x: logpmf(x, {k: v[:, None] for k, v in summary.items()}).sum(axis=2).T


def categorical():
    """Levels in three columns; what the known levels leave of 1 is the chance of a level never seen."""
    shares = [
        np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.6, 0.2]]),
        np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7], [0.1, 0.5, 0.3, 0.1]]),
        np.array([[0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]),
    ]

    def draw(rng, component):
        columns = [
            (rng.random((len(component), 1)) > p.cumsum(axis=1)[component]).sum(axis=1) for p in shares
        ]
        return np.minimum(np.column_stack(columns), [2, 3, 1]).astype(float)

    def log_prob(summary, x):
        result = np.zeros((len(x), N_COMPONENTS))
        for column, p in zip(x.T.astype(int), summary["probability"], strict=True):
            unknown = np.maximum(1 - p.sum(axis=1, keepdims=True), 1e-300)
            result += np.log(np.hstack([p, unknown])).T[column]
        return result

    def closed_form(x, resp):
        weight = resp / resp.sum(axis=1, keepdims=True)
        return {"probability": [weight @ (x[:, [d]] == np.arange(p.shape[1])) for d, p in enumerate(shares)]}

    return Case(
        name="categorical",
        family=Categorical(),
        draw=draw,
        log_prob=log_prob,
        grid=lambda column: (np.arange(shares[column].shape[1] + 1), 1.0),
        mode=True,
        closed_form=closed_form,
        hostile=True,
    )


def flags():
    """Flags, by SciPy's Bernoulli."""
    chance = np.array([[0.9, 0.2, 0.1, 0.5], [0.2, 0.8, 0.3, 0.6], [0.3, 0.3, 0.9, 0.05]])
    return Case(
        name="bernoulli",
        family=Bernoulli(),
        draw=lambda rng, component: (rng.random((len(component), 4)) < chance[component]).astype(float),
        log_prob=_sum_over_columns(lambda x, s: bernoulli.logpmf(x, s["mean"])),
        grid=lambda column: (np.arange(2), 1.0),
        mode=True,
        closed_form=_weighted_means,
        hostile=True,
    )


def counts():
    """Counts, by SciPy's Poisson."""
    rate = np.array([[0.5, 4.0, 12.0], [3.0, 4.0, 2.0], [1.0, 9.0, 5.0]])
    return Case(
        name="poisson",
        family=Poisson(),
        draw=lambda rng, component: rng.poisson(rate[component]).astype(float),
        log_prob=_sum_over_columns(lambda x, s: poisson.logpmf(x, s["mean"])),
        grid=lambda column: (np.arange(80), 1.0),
        closed_form=_weighted_means,
        hostile=True,
    )


def spread_counts():
    """Counts that spread more than Poisson's, by SciPy's negative binomial."""
    mean = np.array([[1.0, 8.0], [5.0, 3.0], [4.0, 20.0]])
    size = np.array([[2.0, 4.0], [3.0, 1.5], [20.0, 3.0]])

    def closed_form(x, resp):
        """Means, and where the derivative of the likelihood by the size is 0."""
        means = _weighted_means(x, resp)["mean"]
        sizes = np.empty_like(means)
        for c, d in np.ndindex(means.shape):

            def slope(r, v=x[:, d], w=resp[c], m=means[c, d]):
                return w @ (digamma(v + r) - digamma(r) - np.log1p(m / r))

            sizes[c, d] = brentq(slope, 1e-2, 1e5, xtol=1e-13) if slope(1e5) < 0 else 1e5
        return {"mean": means, "size": sizes}

    return Case(
        name="negative binomial",
        family=NegativeBinomial(),
        draw=lambda rng, c: rng.negative_binomial(size[c], size[c] / (size[c] + mean[c])).astype(float),
        log_prob=_sum_over_columns(
            lambda x, s: nbinom.logpmf(x, s["size"], s["size"] / (s["size"] + s["mean"]))
        ),
        grid=lambda column: (np.arange(250), 1.0),
        closed_form=closed_form,
        hostile=True,
    )


def documents(length, **options):
    """Documents of four words, by SciPy's multinomial without its coefficient."""
    chance = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.5, 0.1, 0.3], [0.2, 0.1, 0.65, 0.05]])

    def scaled(x):
        return x if length == "raw" else length * x / np.maximum(x.sum(axis=1, keepdims=True), 1e-300)

    def log_prob(summary, x):
        if length != "raw":
            return scaled(x) @ np.log(summary["probability"]).T
        coefficient = gammaln(x.sum(axis=1) + 1) - gammaln(x + 1).sum(axis=1)
        n = np.rint(x.sum(axis=1)).astype(int)
        return np.column_stack(
            [multinomial.logpmf(x, n, p / p.sum()) - coefficient for p in summary["probability"]]
        )

    def closed_form(x, resp):
        words = resp @ scaled(x)
        return {"probability": words / words.sum(axis=1, keepdims=True)}

    return Case(
        name=f"multinomial, {length}",
        family=Multinomial(length),
        draw=lambda rng, c: rng.multinomial(rng.integers(4, 20, size=len(c)), chance[c]).astype(float),
        log_prob=log_prob,
        closed_form=closed_form,
        **options,
    )


def directions():
    """Directions in three dimensions, by SciPy's von Mises–Fisher distribution; lengths do not matter."""
    mean = np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [-0.6, 0.8, 0.0]])
    sharpness = np.array([3.0, 6.0, 12.0])

    def draw(rng, component):
        rows = np.empty((len(component), 3))
        for c in range(N_COMPONENTS):
            mine = component == c
            if mine.any():
                rows[mine] = vonmises_fisher(mean[c], sharpness[c]).rvs(int(mine.sum()), random_state=rng)
        return rows * rng.uniform(0.5, 2.0, size=(len(component), 1))

    def log_prob(summary, x):
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        both = zip(summary["mean_direction"], summary["concentration"], strict=True)
        return np.column_stack([vonmises_fisher(mu, kappa).logpdf(unit) for mu, kappa in both])

    def closed_form(x, resp):
        """Mean directions, and κ from its equation with SciPy's Bessel functions."""
        first = resp @ (x / np.linalg.norm(x, axis=1, keepdims=True))
        length = np.linalg.norm(first, axis=1)
        ratio = length / resp.sum(axis=1)
        kappa = [brentq(lambda k, r=r: ive(1.5, k) / ive(0.5, k) - r, 1e-6, 600, xtol=1e-13) for r in ratio]
        return {
            "mean_direction": first / length[:, None],
            "concentration": np.array(kappa),
            "mean": first / resp.sum(axis=1, keepdims=True),
        }

    return Case(
        name="von Mises–Fisher",
        family=VonMisesFisher(),
        draw=draw,
        log_prob=log_prob,
        closed_form=closed_form,
        hostile=True,
    )


SHAPES = ["full", "tied", "diag", "spherical", TiedDiag(), TiedSpherical(), LowRank(rank=2)]
SHAPE_OPTIONS = [
    {"hostile": True},
    {"separate": False},
    {},
    {},
    {"separate": False},
    {"separate": False},
    {"closed_form": None, "exact": False, "regular": False},
]
"""A new covariance shape is one entry in both."""

CASES = [
    *(gaussian(shape, **options) for shape, options in zip(SHAPES, SHAPE_OPTIONS, strict=True)),
    student_t("full", hostile=True, separate=False),
    student_t("tied", regular=False, separate=False),
    student_t("diag", dof="component", regular=False),
    categorical(),
    flags(),
    counts(),
    spread_counts(),
    documents("raw"),
    documents(3.5, regular=False, hostile=True),
    directions(),
]


DEEP_EXPECTED = {
    "check_classifiers_classes": "uses labels {-1, 1}; -1 is the unlabeled marker, and a class -1 taken "
    "for a missing label in silence would be worse than the error, which names unlabeled=None as the cure",
    "check_sample_weight_equivalence_on_dense_data": "a row given twice is in other random batches than a "
    "row of weight 2",
}
"""Checks of scikit-learn that deep classifiers do not pass, and why."""
