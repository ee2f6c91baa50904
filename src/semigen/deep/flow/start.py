"""Where a flow mixture starts: a linear map, and a Gaussian mixture per class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVELED = 0.1
"""Share of the mean variance within classes in that of every direction."""
LEAST_WITHIN = 1e-8
"""Mean variance within classes below which rows of a class are all the same, but for rounding."""


def whitening(x: Array, code: Codes) -> Array:
    """A (D, D) for rows (n, D) of classes (n,): x A varies by 1 within classes, and alike in all directions.

    Columns of A are the principal axes of the covariance within classes. A tenth of that is replaced by the
    same variance in all directions, so that those in which rows do not vary are not blown up. Where rows of a
    class are all the same, A is the identity.
    """
    own = x.copy()
    for k in np.unique(code):
        own[code == k] -= own[code == k].mean(axis=0)
    value, axes = np.linalg.eigh(own.T @ own / len(own))
    mean = value.mean()
    if mean < LEAST_WITHIN:
        return np.eye(len(value))
    return np.asarray(axes / np.sqrt((1.0 - LEVELED) * np.maximum(value, 0.0) + LEVELED * mean))


@dataclass(frozen=True, eq=False)
class Components:
    """A Gaussian mixture per class: where the latent components start.

    Attributes
    ----------
    log_share : ndarray of shape (K, M)
        log p(component | class).
    mean, log_sd : ndarray of shape (K, M, D)
    """

    log_share: Array
    mean: Array
    log_sd: Array


def start_components(
    x: Array, code: Codes, n_classes: int, n_components: int, *, least_sd: float, seed: int
) -> Components:
    """Gaussian mixtures with diagonal covariances of the rows of each class, by a few steps of EM.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        Standardized rows.
    code : ndarray of int, shape (n,)
        Class, -1 for rows that are left out. A class without rows starts at random.
    n_classes, n_components : int
        Components per class (M). A class with fewer distinct rows starts with slightly moved copies.
    least_sd : float
        Smallest sd of a component, in standard deviations of a column.
    seed : int

    Returns
    -------
    Components
    """
    rng = np.random.default_rng(seed)
    n_features = x.shape[1]
    log_share = np.full((n_classes, n_components), -np.log(n_components))
    mean = np.empty((n_classes, n_components, n_features))
    log_sd = np.empty_like(mean)
    for k in range(n_classes):
        own = x[code == k]
        if not len(own):
            mean[k], log_sd[k] = rng.normal(size=mean[k].shape), 0.0
            continue
        n = min(n_components, len(np.unique(own, axis=0)))
        found: Any = GaussianMixture(
            n,
            covariance_type="diag",
            reg_covar=least_sd**2,
            max_iter=30,
            random_state=int(rng.integers(2**31)),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not have converged
            if len(own) > 1:
                found.fit(own)
                shares, centers, variances = found.weights_, found.means_, found.covariances_
            else:
                shares, centers, variances = (
                    np.ones(1),
                    own,
                    np.full((1, n_features), max(least_sd, 0.5) ** 2),
                )
        copy = np.arange(n_components) % n
        apart = 0.1 * rng.normal(size=(n_components, n_features)) * (np.arange(n_components) >= n)[:, None]
        mean[k] = centers[copy] + np.sqrt(variances[copy]) * apart
        log_sd[k] = 0.5 * np.log(variances[copy])
        share = shares[copy] / np.bincount(copy, minlength=n)[copy]
        log_share[k] = np.log(np.maximum(share, 1e-6))
    return Components(log_share - np.log(np.exp(log_share).sum(axis=1, keepdims=True)), mean, log_sd)
