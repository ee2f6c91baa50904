"""Simulated numbers with known truth: well specified, and misspecified."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.stats import norm

from semigen.common import checks
from semigen.datasets.bundled import Array, PartlyLabeled
from semigen.datasets.drawing import class_proportions, generator
from semigen.exceptions import ParameterError


def make_gaussian_classes(
    n_labeled: int,
    n_unlabeled: int,
    n_features: int = 2,
    *,
    distance: float = 2.0,
    n_classes: int = 2,
    class_prior: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    random_state: Any = None,
) -> PartlyLabeled:
    """Draw rows of Gaussian classes with one covariance: linear discriminant analysis is the true model.

    ``p(x, y = k) = π_k N(x; μ_k, Σ)``, where every two means have the Mahalanobis distance
    ``Δ = ((μ_j - μ_k)ᵀ Σ⁻¹ (μ_j - μ_k))^½``. Which rows are labeled says nothing about them.

    The smallest possible error is ``1 - Σ_k π_k ∫ φ(z) Π_{j≠k} Φ(z + a + log(π_k / π_j) / a) dz`` with
    ``a = Δ / √2``; for two classes with equal priors it is ``Φ(-Δ/2)``.

    Parameters
    ----------
    n_labeled : int
        Labeled rows; they come first. Drawn again until every class has one.
    n_unlabeled : int
    n_features : int, default=2
        D, at least ``n_classes - 1``.
    distance : float, default=2.0
        Δ.
    n_classes : int, default=2
        K. Classes are 0 … K-1.
    class_prior : array-like of shape (K,), optional
        π; equal by default.
    covariance : array-like of shape (D, D), optional
        Σ; the identity by default.
    random_state : int, RandomState or None

    Returns
    -------
    PartlyLabeled

    Raises
    ------
    ParameterError
        If a number is too small, or the prior or the covariance is none.

    References
    ----------
    Efron (1975), *JASA* 70:892; O'Neill (1978), *JASA* 73:821, whose relative efficiency of unlabeled
    rows refers to this density.

    Examples
    --------
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(10, 90, distance=2.0, random_state=0)
    >>> data.X.shape, round(data.bayes_error, 4)
    ((100, 2), 0.1587)
    """
    checks.integer("n_classes", n_classes, minimum=2)
    checks.integer("n_features", n_features, minimum=n_classes - 1)
    checks.integer("n_labeled", n_labeled, minimum=n_classes)
    checks.integer("n_unlabeled", n_unlabeled, minimum=0)
    checks.real("distance", distance, minimum=0)
    prior = class_proportions(class_prior, n_classes)
    root = _root(covariance, n_features)
    rng = generator(random_state)
    y = _draw_classes(n_labeled, n_unlabeled, prior, rng)
    means = np.zeros((n_classes, n_features))
    means[:, : n_classes - 1] = _simplex(n_classes) * distance / np.sqrt(2)
    X = (rng.standard_normal((len(y), n_features)) + means[y]) @ root.T
    return _simulated(X, y, n_labeled, _error_of_equidistant_classes(distance / np.sqrt(2), prior))


def make_misspecified(
    n_labeled: int,
    n_unlabeled: int,
    n_features: int = 2,
    *,
    cluster_distance: float = 6.0,
    noise: float = 0.2,
    random_state: Any = None,
) -> PartlyLabeled:
    """Draw rows whose clusters are not the classes: unlabeled rows mislead one Gaussian per class.

    Two clusters, each cut in two by the classes:
    ``p(x) = [N(x₁; -d/2, 1) + N(x₁; d/2, 1)] / 2 Π_{j≥2} N(x_j; 0, 1)`` and
    ``p(y = 1 | x) = Φ(x₂ / τ)``, so each class has one half of each cluster. The labeled rows show that the
    second column tells the class. The density of all rows has no valley there, but one between the clusters,
    and two Gaussians fitted to it turn toward the clusters, which tell nothing about the class. The smallest
    possible error is ``arctan(τ) / π``.

    Parameters
    ----------
    n_labeled : int
        Labeled rows; they come first. Drawn again until both classes have one.
    n_unlabeled : int
    n_features : int, default=2
        D, at least 2.
    cluster_distance : float, default=6.0
        d, between the centers of the clusters.
    noise : float, default=0.2
        τ; at 0 the second column's sign is the class.
    random_state : int, RandomState or None

    Returns
    -------
    PartlyLabeled
        Classes are 0 and 1.

    Raises
    ------
    ParameterError
        If a number is too small.

    References
    ----------
    Cozman, Cohen & Cirelo (2003), *ICML*: unlabeled rows can raise the error of a wrong model.

    Examples
    --------
    >>> from semigen.datasets import make_misspecified
    >>> data = make_misspecified(20, 200, random_state=0)
    >>> data.X.shape, round(data.bayes_error, 4)
    ((220, 2), 0.0628)
    """
    checks.integer("n_features", n_features, minimum=2)
    checks.integer("n_labeled", n_labeled, minimum=2)
    checks.integer("n_unlabeled", n_unlabeled, minimum=0)
    checks.real("cluster_distance", cluster_distance, minimum=0)
    checks.real("noise", noise, minimum=0)
    rng = generator(random_state)
    labeled = _misspecified_rows(n_labeled, n_features, cluster_distance, noise, rng)
    while len(np.unique(labeled[1])) < 2:
        labeled = _misspecified_rows(n_labeled, n_features, cluster_distance, noise, rng)
    unlabeled = _misspecified_rows(n_unlabeled, n_features, cluster_distance, noise, rng)
    X, y = (np.concatenate(parts) for parts in zip(labeled, unlabeled, strict=True))
    return _simulated(X, y, n_labeled, float(np.arctan(noise) / np.pi))


def _misspecified_rows(
    n: int, n_features: int, cluster_distance: float, noise: float, rng: np.random.Generator
) -> tuple[Array, NDArray[np.intp]]:
    X = rng.standard_normal((n, n_features))
    y = (X[:, 1] + noise * rng.standard_normal(n) > 0).astype(np.intp)
    X[:, 0] += (rng.integers(0, 2, size=n) - 0.5) * cluster_distance
    return X, y


def _simulated(X: Array, y_true: NDArray[np.intp], n_labeled: int, bayes_error: float) -> PartlyLabeled:
    y = np.full(len(y_true), None, dtype=object)
    y[:n_labeled] = y_true[:n_labeled].tolist()
    names = tuple(f"x{j + 1}" for j in range(X.shape[1]))
    return PartlyLabeled(X, y, y_true, names, "class", bayes_error)


def _draw_classes(
    n_labeled: int, n_unlabeled: int, prior: Array, rng: np.random.Generator
) -> NDArray[np.intp]:
    labeled = rng.choice(len(prior), size=n_labeled, p=prior)
    while len(np.unique(labeled)) < len(prior):
        labeled = rng.choice(len(prior), size=n_labeled, p=prior)
    return np.concatenate([labeled, rng.choice(len(prior), size=n_unlabeled, p=prior)])


def _simplex(n_classes: int) -> Array:
    """Corners at distance √2 from each other and 0 on average, (K, K-1)."""
    centered = np.eye(n_classes) - 1 / n_classes
    _, _, axes = np.linalg.svd(centered)
    return np.asarray(centered @ axes[:-1].T)


def _error_of_equidistant_classes(a: float, prior: Array) -> float:
    if a == 0:
        return float(1 - prior.max())
    shift = np.log(prior)

    def correct(z: float, k: int) -> float:
        others = norm.cdf(z + a + (shift[k] - np.delete(shift, k)) / a)
        return float(norm.pdf(z) * np.prod(others))

    parts = (quad(correct, -10, 10, args=(k,))[0] for k in range(len(prior)))
    return float(1 - sum(p * part for p, part in zip(prior, parts, strict=True)))


def _root(covariance: ArrayLike | None, n_features: int) -> Array:
    if covariance is None:
        return np.eye(n_features)
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (n_features, n_features):
        raise ParameterError(
            f"covariance has shape {matrix.shape}: give ({n_features}, {n_features}), one row and "
            "column a feature."
        )
    try:
        return np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError as error:
        raise ParameterError("covariance is not positive definite: no rows can be drawn from it.") from error
