"""Tables whose hidden labels are known: scikit-learn's bundled ones, and simulated ones with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.datasets
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.utils import check_random_state

from semigen.exceptions import ParameterError

Array = NDArray[np.float64]

_BUNDLED: dict[str, tuple[Callable[[], Any], str]] = {
    "iris": (sklearn.datasets.load_iris, "species"),
    "wine": (sklearn.datasets.load_wine, "cultivar"),
    "breast_cancer": (sklearn.datasets.load_breast_cancer, "diagnosis"),
    "digits": (sklearn.datasets.load_digits, "digit"),
}


@dataclass(frozen=True)
class PartlyLabeled:
    """A table of which some rows are labelled, with the labels of all rows beside it.

    Attributes
    ----------
    X : ndarray of shape (n, D)
    y : ndarray of shape (n,), object
        Label of a labelled row, None for an unlabelled one.
    y_true : ndarray of shape (n,)
        Label of every row.
    feature_names : tuple of str
        D names.
    target_name : str
    bayes_error : float or None
        Smallest error that any classifier can have on such rows; None where nobody knows it.
    """

    X: Array
    y: NDArray[Any]
    y_true: NDArray[Any]
    feature_names: tuple[str, ...]
    target_name: str
    bayes_error: float | None = None


def bundled_table(name: str, labels_per_class: int = 10, random_state: Any = None) -> PartlyLabeled:
    """Load a real table that comes with scikit-learn and hide all labels but a few of each class.

    Parameters
    ----------
    name : {"iris", "wine", "breast_cancer", "digits"}
        150 flowers × 4, 178 wines × 13, 569 tumours × 30, 1797 images × 64.
    labels_per_class : int, default=10
        Rows of each class that keep their label, drawn at random.
    random_state : int, RandomState or None

    Returns
    -------
    PartlyLabeled
        Rows in scikit-learn's order; classes are names, of digits the integers 0 to 9.

    Raises
    ------
    ParameterError
        If there is no such table, or a class has fewer rows than ``labels_per_class``.

    Examples
    --------
    >>> from semigen.datasets import bundled_table
    >>> table = bundled_table("iris", labels_per_class=5, random_state=0)
    >>> table.X.shape, sum(label is not None for label in table.y)
    ((150, 4), 15)
    """
    if name not in _BUNDLED:
        raise ParameterError(f"there is no bundled table {name!r}: choose one of {', '.join(_BUNDLED)}.")
    load, target_name = _BUNDLED[name]
    bunch = load()
    y_true = bunch.target if name == "digits" else bunch.target_names[bunch.target]
    return PartlyLabeled(
        np.asarray(bunch.data, dtype=np.float64),
        hide_labels(y_true, labels_per_class, random_state),
        y_true,
        tuple(map(str, bunch.feature_names)),
        target_name,
    )


def hide_labels(y: ArrayLike, labels_per_class: int, random_state: Any = None) -> NDArray[Any]:
    """Keep the labels of some rows of each class, drawn at random, and replace the others by None.

    Parameters
    ----------
    y : array-like of shape (n,)
    labels_per_class : int
    random_state : int, RandomState or None

    Returns
    -------
    ndarray of shape (n,), object

    Raises
    ------
    ParameterError
        If ``labels_per_class`` is below 1 or a class has fewer rows.
    """
    labels = np.asarray(y)
    rng = _generator(random_state)
    hidden = np.full(labels.shape, None, dtype=object)
    _at_least("labels_per_class", labels_per_class, 1)
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        if len(rows) < labels_per_class:
            raise ParameterError(
                f"labels_per_class is {labels_per_class}, but class {one.item()!r} has only {len(rows)} "
                "rows: ask for fewer."
            )
        kept = rng.choice(rows, size=labels_per_class, replace=False)
        hidden[kept] = labels[kept].tolist()
    return hidden


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
    ``Δ = ((μ_j - μ_k)ᵀ Σ⁻¹ (μ_j - μ_k))^½``. Which rows are labelled says nothing about them.

    The smallest possible error is ``1 - Σ_k π_k ∫ φ(z) Π_{j≠k} Φ(z + a + log(π_k / π_j) / a) dz`` with
    ``a = Δ / √2``; for two classes with equal priors it is ``Φ(-Δ/2)``.

    Parameters
    ----------
    n_labeled : int
        Labelled rows; they come first. Drawn again until every class has one.
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
    Efron (1975), *JASA* 70:892; O'Neill (1978), *JASA* 73:821, whose relative efficiency of unlabelled
    rows refers to this density.

    Examples
    --------
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(10, 90, distance=2.0, random_state=0)
    >>> data.X.shape, round(data.bayes_error, 4)
    ((100, 2), 0.1587)
    """
    _at_least("n_classes", n_classes, 2)
    _at_least("n_features", n_features, n_classes - 1)
    _at_least("n_labeled", n_labeled, n_classes)
    _at_least("n_unlabeled", n_unlabeled, 0)
    _at_least("distance", distance, 0)
    prior = _prior(class_prior, n_classes)
    root = _root(covariance, n_features)
    rng = _generator(random_state)
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
    """Draw rows whose clusters are not the classes: unlabelled rows mislead one Gaussian per class.

    Two clusters, each cut in two by the classes:
    ``p(x) = [N(x₁; -d/2, 1) + N(x₁; d/2, 1)] / 2 Π_{j≥2} N(x_j; 0, 1)`` and
    ``p(y = 1 | x) = Φ(x₂ / τ)``, so each class has one half of each cluster. The labelled rows show that the
    second column tells the class. The density of all rows has no valley there, but one between the clusters,
    and two Gaussians fitted to it turn towards the clusters, which tell nothing about the class. The smallest
    possible error is ``arctan(τ) / π``.

    Parameters
    ----------
    n_labeled : int
        Labelled rows; they come first. Drawn again until both classes have one.
    n_unlabeled : int
    n_features : int, default=2
        D, at least 2.
    cluster_distance : float, default=6.0
        d, between the centres of the clusters.
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
    Cozman, Cohen & Cirelo (2003), *ICML*: unlabelled rows can raise the error of a wrong model.

    Examples
    --------
    >>> from semigen.datasets import make_misspecified
    >>> data = make_misspecified(20, 200, random_state=0)
    >>> data.X.shape, round(data.bayes_error, 4)
    ((220, 2), 0.0628)
    """
    _at_least("n_features", n_features, 2)
    _at_least("n_labeled", n_labeled, 2)
    _at_least("n_unlabeled", n_unlabeled, 0)
    _at_least("cluster_distance", cluster_distance, 0)
    _at_least("noise", noise, 0)
    rng = _generator(random_state)
    labelled = _misspecified_rows(n_labeled, n_features, cluster_distance, noise, rng)
    while len(np.unique(labelled[1])) < 2:
        labelled = _misspecified_rows(n_labeled, n_features, cluster_distance, noise, rng)
    unlabelled = _misspecified_rows(n_unlabeled, n_features, cluster_distance, noise, rng)
    X, y = (np.concatenate(parts) for parts in zip(labelled, unlabelled, strict=True))
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
    labelled = rng.choice(len(prior), size=n_labeled, p=prior)
    while len(np.unique(labelled)) < len(prior):
        labelled = rng.choice(len(prior), size=n_labeled, p=prior)
    return np.concatenate([labelled, rng.choice(len(prior), size=n_unlabeled, p=prior)])


def _simplex(n_classes: int) -> Array:
    """Corners at distance √2 from each other and 0 on average, (K, K-1)."""
    centred = np.eye(n_classes) - 1 / n_classes
    _, _, axes = np.linalg.svd(centred)
    return np.asarray(centred @ axes[:-1].T)


def _error_of_equidistant_classes(a: float, prior: Array) -> float:
    if a == 0:
        return float(1 - prior.max())
    shift = np.log(prior)

    def correct(z: float, k: int) -> float:
        others = norm.cdf(z + a + (shift[k] - np.delete(shift, k)) / a)
        return float(norm.pdf(z) * np.prod(others))

    parts = (quad(correct, -10, 10, args=(k,))[0] for k in range(len(prior)))
    return float(1 - sum(p * part for p, part in zip(prior, parts, strict=True)))


def _prior(class_prior: ArrayLike | None, n_classes: int) -> Array:
    if class_prior is None:
        return np.full(n_classes, 1 / n_classes)
    prior = np.asarray(class_prior, dtype=np.float64)
    if prior.shape != (n_classes,) or not np.all(prior > 0) or not np.isclose(prior.sum(), 1):
        raise ParameterError(
            f"class_prior is {prior.tolist()}: give {n_classes} positive numbers that sum to 1, one a class."
        )
    return np.asarray(prior / prior.sum())


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


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ParameterError(f"{name} is {value!r}: give {least} or more.")


def _generator(random_state: Any) -> np.random.Generator:
    return np.random.default_rng(check_random_state(random_state).randint(2**31))
