"""Power laws through learning curves: their posterior given a few measured errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.evaluation.intervals import QUANTILE, Estimate

Array = NDArray[np.float64]

QUANTILE_80 = 1.2815515655446004
"""Of the normal distribution: its 80 % interval."""
HALF_WRONG = 0.5
"""Error of one more row, so that a model without an error has a log error, and an uncertain one."""
N_BOOTSTRAP = 400


@dataclass(frozen=True)
class CurvePrior:
    """What is known of learning curves before any label.

    Attributes
    ----------
    exponent, exponent_sd : float
        Of the exponents c of ``error ∝ n^(-c)`` over tables and models: mean and standard deviation.
    log_error, log_error_sd : float
        Of the log error at the labels there are, above that of naming the most frequent class.
    roughness : float
        Standard deviation of a log error about its power law, beside what the held-out rows leave open.
    apart : float
        Standard deviation of a log error on new rows about that on held-out rows, alike for all numbers of
        labels, times the root of the labeled rows that are not of the most frequent class: few of these say
        little of how many there are elsewhere, and some are labeled because they are rare.
    alike : float
        Correlation of two models of a table in each of the four, from 0 to below 1: a table that is hard, or
        an unlucky draw of labels, is so for all models.
    """

    exponent: float = 0.2
    exponent_sd: float = 0.2
    log_error: float = -1.1
    log_error_sd: float = 0.8
    roughness: float = 0.2
    apart: float = 0.8
    alike: float = 0.5

    def between(self, n_models: int) -> Array:
        """Correlations of the models, (M, M)."""
        return np.full((n_models, n_models), self.alike) + (1 - self.alike) * np.eye(n_models)


PRIOR = CurvePrior()
"""Learned over mixed tables (``python -m benchmarks.forecast``)."""


@dataclass(frozen=True)
class Posterior:
    """Normal posterior of the curves of M models: log error at the labels there are, and exponent.

    Attributes
    ----------
    mean : ndarray of shape (2 M,)
        Log errors of all models, then exponents.
    covariance : ndarray of shape (2 M, 2 M)
    roughness : ndarray of shape (M, M)
        Covariance of log errors about their power laws.
    apart : ndarray of shape (M, M)
        Covariance of log errors on new rows about those on held-out rows.
    """

    mean: Array
    covariance: Array
    roughness: Array
    apart: Array

    @property
    def log_error(self) -> Array:
        """Expected log error of each model at the labels there are, (M,)."""
        return self.mean[: len(self.mean) // 2]

    def log_errors(self, log_times: float) -> tuple[Array, Array]:
        """Mean (M,) and covariance (M, M) of log errors with ``exp(log_times)`` times as many labels."""
        m = len(self.log_error)
        now_and_then = np.hstack([np.eye(m), -log_times * np.eye(m)])
        spread = now_and_then @ self.covariance @ now_and_then.T + self.roughness + self.apart
        return now_and_then @ self.mean, spread

    def error(self, model: int, log_times: float) -> Estimate:
        """The error with ``exp(log_times)`` times as many labels, and its 95 % interval."""
        mean, covariance = self.log_errors(log_times)
        sd = np.sqrt(covariance[model, model])
        low, value, high = (min(float(np.exp(mean[model] + z * sd)), 1.0) for z in (-QUANTILE, 0.0, QUANTILE))
        return Estimate(value, low, high)

    def gain(self, model: int, log_times: float) -> Estimate:
        """How much lower the error is with ``exp(log_times)`` times as many labels, as a share of today's.

        With its 80 % interval; below 0: higher. Neither how hard the table is nor how unlike its labeled
        rows are matters here, so this is better known than the errors themselves.
        """
        at = len(self.log_error) + model
        mean = -self.mean[at] * log_times
        sd = np.sqrt(self.covariance[at, at] * log_times**2 + 2 * self.roughness[model, model])
        low, value, high = (float(-np.expm1(mean + z * sd)) for z in (QUANTILE_80, 0.0, -QUANTILE_80))
        return Estimate(value, low, high)

    def exponent(self, model: int) -> Estimate:
        """The exponent of a model, and its 95 % interval."""
        at = len(self.log_error) + model
        mean, sd = float(self.mean[at]), float(np.sqrt(self.covariance[at, at]))
        return Estimate(mean, mean - QUANTILE * sd, mean + QUANTILE * sd)

    def draws(self, n: int, seed: int) -> Array:
        """Draws (n, M, 2) of log error on new rows, with how far it is from its power law, and exponent."""
        covariance = self.covariance + np.pad(self.roughness + self.apart, (0, len(self.roughness)))
        drawn = np.random.default_rng(seed).multivariate_normal(self.mean, covariance, n, method="cholesky")
        return np.asarray(drawn.reshape(n, 2, -1).swapaxes(1, 2))


@dataclass(frozen=True)
class Measured:
    """Measured errors of M models at S sizes, and how sure they are.

    Attributes
    ----------
    log_error : ndarray of shape (M, S)
    covariance : ndarray of shape (M S, M S)
        Of the log errors: their bootstrap over rows, the same rows for all models and sizes.
    log_times : ndarray of shape (S,)
        Log of the labels of a fit over all labels.
    log_zero : float
        Log error of naming the most frequent class of the labeled rows.
    n_minor : float
        Labeled rows that are not of that class.
    """

    log_error: Array
    covariance: Array
    log_times: Array
    log_zero: float = 0.0
    n_minor: float = np.inf


def measure(
    errors: Array, log_times: Array, seed: int, log_zero: float = 0.0, n_minor: float = np.inf
) -> Measured:
    """Log errors and their Bayesian bootstrap (Rubin 1981, *Annals of Statistics* 9:130).

    Parameters
    ----------
    errors : ndarray of shape (M, S, m)
        Whether each of m rows is predicted wrong, or how often.
    log_times : ndarray of shape (S,)
    seed : int
        Of the bootstrap.
    log_zero, n_minor : float
        As the record has them.
    """
    rows = np.concatenate([errors, np.full((*errors.shape[:2], 1), HALF_WRONG)], axis=2)
    share = np.random.default_rng(seed).dirichlet(np.ones(rows.shape[2]), N_BOOTSTRAP)
    drawn = np.log(share @ rows.reshape(-1, rows.shape[2]).T)
    return Measured(np.log(rows.mean(axis=2)), np.atleast_2d(np.cov(drawn.T)), log_times, log_zero, n_minor)


def zero_line(code: NDArray[np.intp]) -> tuple[float, float]:
    """Log error of naming the most frequent class of the labeled rows, and how many are not of it."""
    count = np.bincount(code[code >= 0])
    n_minor = float(count.sum() - count.max())
    return float(np.log(n_minor / count.sum())), n_minor


def power_laws(measured: Measured, prior: CurvePrior = PRIOR) -> Posterior:
    """Fit ``log error = log e - c log_times`` to the errors of all models.

    The measured log errors are taken to be normal about the power laws, with the covariance of their
    bootstrap and the roughness of the prior.
    """
    n_models, n_sizes = measured.log_error.shape
    between = prior.between(n_models)
    roughness = prior.roughness**2 * between
    noise = measured.covariance + np.kron(roughness, np.eye(n_sizes))
    level = np.kron(np.eye(n_models), np.ones((n_sizes, 1)))
    design = np.hstack([level, np.kron(np.eye(n_models), -measured.log_times[:, None])])
    mean = np.repeat([measured.log_zero + prior.log_error, prior.exponent], n_models)
    precision = np.kron(np.diag([prior.log_error_sd**-2, prior.exponent_sd**-2]), np.linalg.inv(between))
    weighted = np.linalg.solve(noise, design)
    covariance = np.asarray(np.linalg.inv(design.T @ weighted + precision), dtype=np.float64)
    found = covariance @ (weighted.T @ measured.log_error.ravel() + precision @ mean)
    return Posterior(found, covariance, roughness, prior.apart**2 / measured.n_minor * between)
