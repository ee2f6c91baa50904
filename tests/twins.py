"""Instances that the laws hold for, and naive twins of the formulas."""

import numpy as np
from scipy.stats import multivariate_normal

from laws import N_COMPONENTS, SHAPES
from semigen.data.labels import encode
from semigen.em import Data, Mixture, Params, ThreadEngine

__all__ = ["N_COMPONENTS", "SHAPES"]


class Problem:
    """A small mixture problem: rows, labels, weights, prior and rough parameters."""

    def __init__(
        self,
        family,
        rng,
        *,
        n=90,
        d=4,
        group=(0, 1, 2),
        shrinkage=None,
        labeled=0.3,
        weights=True,
        kind=None,
    ):
        self.family = family
        group = np.asarray(group)
        n_classes = 3
        truth = rng.integers(n_classes, size=n)
        self.x = rng.normal(size=(n, d)) + 2.0 * rng.normal(size=(n_classes, d))[truth]
        y = np.where(rng.random(n) < labeled, truth, -1)
        y[:n_classes] = np.arange(n_classes)
        truth[:n_classes] = np.arange(n_classes)
        weight = rng.uniform(0.3, 2.0, size=n) if weights else np.ones(n)
        self.engine = ThreadEngine(n_threads=1)
        self.data = Data(self.x, encode(y), weight)
        self.mixture = (
            Mixture(family, group, n_classes) if kind is None else Mixture(family, group, n_classes, kind)
        )
        self.prior = family.fit_prior(self.data, shrinkage, self.engine)
        reference = family.reference(self.prior, len(group))
        n_groups = self.mixture.n_groups
        log_group = np.log(rng.dirichlet(np.full(n_groups, 5.0), size=2))
        members = np.bincount(group, minlength=n_groups)[group]
        walk = family.walk(reference, float)
        walk.log_prob(self.x)
        resp = rng.dirichlet(np.ones(len(group)), size=n).T
        walk.add(resp)
        self.resp = resp
        self.stats = walk.stats()
        self.reference = reference
        self.params = Params(log_group, -np.log(members), family.m_step(self.prior, self.stats, reference))


def moments(family, params):
    """Means and covariances of the components."""
    summary = family.summary(params)
    return summary["mean"], summary["covariance"]


def naive_log_prob(family, params, x):
    """log p(x | c) by SciPy, (n, C)."""
    mean, covariance = moments(family, params)
    columns = [
        multivariate_normal(m, c, allow_singular=False).logpdf(x)
        for m, c in zip(mean, covariance, strict=True)
    ]
    return np.column_stack(columns)


def naive_log_joint(problem, params):
    """log p(x, label, c) row by row, as the formulas say it, (n, C)."""
    mixture, data = problem.mixture, problem.data
    result = naive_log_prob(problem.family, params.family, data.x)
    for i, pattern in enumerate(data.labels.pattern):
        labeled = int(pattern != 0)
        for c, group in enumerate(mixture.group):
            result[i, c] += params.log_within[c] + params.log_group[labeled, group]
            if labeled:
                novel = group == mixture.n_classes
                result[i, c] += -np.inf if novel else data.labels.log_table[pattern, group]
    return result


def blank(x, rng, share=0.3):
    """Rows with holes anywhere, some complete, one without any cell, one with a single cell."""
    x = x.copy()
    x[rng.random(x.shape) < share] = np.nan
    x[3] = np.nan
    x[7, 1:] = np.nan
    x[7, 0] = 0.5
    return x


def correlated(rng, n, d):
    factor = rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d)
    center = 2.0 * rng.normal(size=(N_COMPONENTS, d))
    return rng.normal(size=(n, d)) @ factor.T + center[rng.integers(N_COMPONENTS, size=n)]


def conditional(mean, covariance, row):
    """Log density of the observed cells, the filled row, and the covariance of the missing cells (D, D)."""
    m, o = np.isnan(row), ~np.isnan(row)
    filled, spread = np.where(m, mean, row), np.zeros_like(covariance)
    if not o.any():
        return 0.0, filled, covariance
    log_prob = multivariate_normal(mean[o], covariance[np.ix_(o, o)]).logpdf(row[o])
    gain = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
    filled[m] += gain @ (row[o] - mean[o])
    spread[np.ix_(m, m)] = covariance[np.ix_(m, m)] - gain @ covariance[np.ix_(o, m)]
    return log_prob, filled, spread


def in_shape(family, second):
    """Second moments (C, D, D) in the form of the covariance shape."""
    if family.covariance.name.endswith(("diag", "spherical")):
        return np.diagonal(second, axis1=1, axis2=2)
    return second.sum(axis=0, keepdims=True) if family.covariance.name.startswith("tied") else second


def as_used(family, params, second):
    """What a shape uses of second moments in its form; spherical ones use a sum over columns."""
    if family.covariance.name.endswith("spherical"):
        return (second / params.shape.variance).sum(axis=1)
    return second
