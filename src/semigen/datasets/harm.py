"""The harm bench: simulated tables on which unlabeled rows can hurt, each with a well-specified twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.common import checks
from semigen.datasets.bundled import Array
from semigen.datasets.drawing import generator
from semigen.exceptions import ParameterError

Codes = NDArray[np.intp]
LEAST_OF_CLASS = 2


@dataclass(frozen=True)
class HarmTable:
    """A partly labeled table of the harm bench, and rows to judge on.

    Attributes
    ----------
    design : str
        One of ``HARM_DESIGNS``.
    well_specified : bool
        Whether it is the twin on which the model is right.
    X : ndarray of shape (n, D)
        Labeled rows first.
    y : ndarray of shape (n,), object
        0 … K-1; None for an unlabeled row.
    X_test, y_test : ndarrays of shape (m, D), (m,)
        Rows from the population that the classifier is meant for.
    covariance : str
        The covariance of the :class:`semigen.MixtureClassifier` that the design is about.
    """

    design: str
    well_specified: bool
    X: Array
    y: NDArray[Any]
    X_test: Array
    y_test: Codes
    covariance: str


@dataclass(frozen=True)
class _World:
    """What is the same for all rows of one table."""

    rng: np.random.Generator
    right: bool
    distance: float

    def gaussian(self, y: Codes, n_features: int = 2) -> Array:
        """Unit Gaussians whose means are ``distance`` apart in the first column."""
        X = self.rng.standard_normal((len(y), n_features))
        X[:, 0] += (y - 0.5) * self.distance
        return X


def _classes(world: _World, n: int, share: float = 0.5) -> Codes:
    return (world.rng.random(n) < share).astype(np.intp)


def _split_clusters(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if not world.right:  # the classes cut both clusters in two, where rows are dense
        X[:, 0] = world.rng.standard_normal(n)
        y = (X[:, 0] + 0.3 * world.rng.standard_normal(n) > 0).astype(np.intp)
        X[:, 1] += (world.rng.integers(0, 2, n) - 0.5) * 2 * world.distance
    return X, y


def _heavy_tails(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y, 3)
    if not world.right:  # Student's t with 1.5 degrees of freedom
        middle = np.zeros_like(X)
        middle[:, 0] = (y - 0.5) * world.distance
        X = middle + (X - middle) / np.sqrt(world.rng.chisquare(1.5, n) / 1.5)[:, None]
    return X, y


def _wrong_components(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if not world.right:  # two clusters per class, in opposite corners of unequal weight
        corner = world.rng.random(n) < 0.7
        X = world.rng.standard_normal((n, 2))
        X[:, 0] += np.where(corner, 1, -1) * world.distance
        X[:, 1] += np.where(corner == (y == 1), 1, -1) * world.distance
    return X, y


def _correlated_columns(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.rng.standard_normal((n, 4))
    if not world.right:  # all columns share a factor, on which the classes do not differ
        X = 0.6 * X + 1.5 * world.rng.standard_normal((n, 1))
    X[:, :2] += (y - 0.5)[:, None] * world.distance * np.array([0.7, -0.7]) * (1 if world.right else 0.6)
    return X, y


def _shifted_rows(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if part == "unlabeled" and not world.right:  # another instrument, another zero
        X += np.array([1.5, 1.0])
    return X, y


def _selected_labels(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    X[:, 1] += y * 0.8
    if not world.right:  # within each class two groups; labels are from one group, the rest from both
        group = world.rng.random(n) < (0.95 if part == "labeled" else 0.4)
        X[:, 1] += np.where(group, 0.0, np.where(y == 1, -3.0, 3.0))
    return X, y


def _contaminated(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if part == "unlabeled" and not world.right:  # rows of a class that nobody labeled
        stranger = world.rng.random(n) < 0.4
        X[stranger] = world.rng.standard_normal((int(stranger.sum()), 2)) + np.array([0.5, 2.5])
    return X, y


def _uneven_shares(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    share = 0.05 if part == "unlabeled" and not world.right else 0.5
    y = _classes(world, n, share)
    return world.gaussian(y), y


def _rare_class(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n, 0.12)
    X = world.gaussian(y)
    if not world.right:  # the frequent class has a group that is larger than the rare class
        group = (y == 0) & (world.rng.random(n) < 0.25)
        X[group, 1] += 3.5
    return X, y


def _skewed_columns(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y, 3)
    return (X if world.right else np.exp(0.9 * X)), y


def _curved_classes(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    if world.right:
        return world.gaussian(y), y
    angle = np.pi * world.rng.random(n)  # two half-moons
    moon = np.column_stack([np.cos(angle), np.sin(angle)])
    moon[y == 1] = np.array([1.0, 0.4]) - moon[y == 1]
    return moon * world.distance + 0.5 * world.rng.standard_normal((n, 2)), y


def _irrelevant_clusters(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y, 5)
    if not world.right:  # three columns fall into groups that have nothing to do with the classes
        X[:, 2:] += (world.rng.random(n) < 0.35)[:, None] * 3.0
    return X, y


def _unlike_spreads(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y, 3)
    if not world.right:  # a wide class around a narrow one, under one covariance for both
        X = np.where(y[:, None] == 1, 4.0, 1.0) * world.rng.standard_normal((n, 3))
        X[:, 0] += (y - 0.5) * world.distance
    return X, y


def _outlying_rows(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if part == "unlabeled" and not world.right:  # errors of measurement
        far = world.rng.random(n) < 0.1
        X[far] = 15 * world.rng.standard_normal((int(far.sum()), 2)) + np.array([6.0, 0.0])
    return X, y


def _four_classes(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = world.rng.integers(0, 4, n)
    middle = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * (world.distance + 0.5)
    X = world.rng.standard_normal((n, 2)) + middle[y]
    if not world.right:  # classes 1 and 2 cut one cluster in two, class 0 has two clusters
        X = world.rng.standard_normal((n, 2)) + middle[np.where(y == 2, 1, y)]
        X[:, 1] = np.where(y == 1, -np.abs(X[:, 1]), np.where(y == 2, np.abs(X[:, 1]), X[:, 1]))
        X[(y == 0) & (world.rng.random(n) < 0.5)] -= world.distance + 1.5
    return X, y.astype(np.intp)


def _rescaled_rows(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if part == "unlabeled" and not world.right:  # another unit in one column, another zero in the other
        X = X * np.array([1.7, 1.0]) + np.array([-0.5, 1.5])
    return X, y


def _cut_groups(world: _World, n: int, part: str) -> tuple[Array, Codes]:
    y = _classes(world, n)
    X = world.gaussian(y)
    if not world.right:  # groups of unequal size, which the border of the classes crosses at an angle
        X = world.rng.standard_normal((n, 2))
        X[:, 1] += np.where(world.rng.random(n) < 0.65, 1, -1) * world.distance
        y = (X[:, 0] + 0.3 * X[:, 1] + 0.3 * world.rng.standard_normal(n) > 0).astype(np.intp)
    return X, y


_Draw = Callable[[_World, int, str], tuple[Array, Codes]]
_DESIGNS: dict[str, tuple[_Draw, str]] = {
    "split clusters": (_split_clusters, "full"),
    "heavy tails": (_heavy_tails, "full"),
    "wrong number of components": (_wrong_components, "full"),
    "correlated columns": (_correlated_columns, "diag"),
    "shifted unlabeled rows": (_shifted_rows, "full"),
    "label-dependent sampling": (_selected_labels, "full"),
    "contaminated unlabeled rows": (_contaminated, "full"),
    "uneven shares": (_uneven_shares, "full"),
    "rare class": (_rare_class, "full"),
    "skewed columns": (_skewed_columns, "full"),
    "curved classes": (_curved_classes, "full"),
    "irrelevant clusters": (_irrelevant_clusters, "full"),
    "unlike spreads": (_unlike_spreads, "tied"),
    "outlying unlabeled rows": (_outlying_rows, "full"),
    "four classes": (_four_classes, "full"),
    "rescaled unlabeled rows": (_rescaled_rows, "full"),
    "groups cut across": (_cut_groups, "full"),
}
HARM_DESIGNS = tuple(_DESIGNS)
"""The designs by name: what is wrong with the model, or with the unlabeled rows."""


def make_harm(
    design: str,
    labels_per_class: int = 10,
    n_unlabeled: int = 500,
    *,
    well_specified: bool = False,
    n_test: int = 2000,
    random_state: Any = None,
) -> HarmTable:
    """Draw a table on which unlabeled rows can hurt one Gaussian per class, or its twin on which they help.

    In the twin every class is Gaussian with the covariance shape that the model has, and labeled, unlabeled
    and test rows are of one population. In the design itself one of this is broken: the density of the
    classes, or where the unlabeled rows come from. How far the classes are apart (1.5 to 3.5 standard
    deviations) and how many columns of mere noise there are (0, 2 or 5) is drawn anew for each table.
    Whether unlabeled rows hurt on a table is not said: compare fits on the test rows.

    Parameters
    ----------
    design : str
        One of ``HARM_DESIGNS``: ``"split clusters"`` (classes cut across the largest cluster axis),
        ``"heavy tails"``, ``"wrong number of components"``, ``"correlated columns"`` (under a diagonal
        covariance), ``"shifted unlabeled rows"``, ``"label-dependent sampling"``, ``"contaminated unlabeled
        rows"``, ``"uneven shares"``, ``"rare class"``, ``"skewed columns"``, ``"curved classes"``,
        ``"irrelevant clusters"``, ``"unlike spreads"`` (under a tied covariance), ``"outlying unlabeled
        rows"``, ``"four classes"``, ``"rescaled unlabeled rows"``, ``"groups cut across"``.
    labels_per_class : int, default=10
        On average: rows are drawn as the population is, at least two of each class.
    n_unlabeled : int, default=500
    well_specified : bool, default=False
        The twin.
    n_test : int, default=2000
    random_state : int, RandomState or None

    Returns
    -------
    HarmTable

    Raises
    ------
    ParameterError
        If there is no such design, or a number is too small.

    References
    ----------
    Cozman, Cohen & Cirelo (2003), *ICML*; Singh, Nowak & Zhu (2008), *NeurIPS*: when unlabeled rows help.

    Examples
    --------
    >>> from semigen.datasets import make_harm
    >>> table = make_harm("split clusters", labels_per_class=5, random_state=0)
    >>> sum(label is not None for label in table.y), len(table.X_test)
    (10, 2000)
    """
    if design not in _DESIGNS:
        raise ParameterError(f"there is no design {design!r}: choose one of {', '.join(HARM_DESIGNS)}.")
    checks.integer("labels_per_class", labels_per_class, minimum=LEAST_OF_CLASS)
    checks.integer("n_unlabeled", n_unlabeled, minimum=0)
    checks.integer("n_test", n_test, minimum=1)
    draw, covariance = _DESIGNS[design]
    seed = int(generator(random_state).integers(2**31))
    rng = np.random.default_rng((seed, HARM_DESIGNS.index(design)))
    world = _World(rng, well_specified, float(rng.uniform(1.5, 3.5)))
    n_noise = int(rng.choice([0, 2, 5]))

    def rows(n: int, part: str) -> tuple[Array, Codes]:
        X, y = draw(world, n, part)
        return np.hstack([X, rng.standard_normal((n, n_noise))]), y

    n_classes = 4 if draw is _four_classes else 2
    X_labeled, y_labeled = rows(labels_per_class * n_classes, "labeled")
    while np.bincount(y_labeled, minlength=n_classes).min() < LEAST_OF_CLASS:
        X_labeled, y_labeled = rows(labels_per_class * n_classes, "labeled")
    X_unlabeled, _ = rows(n_unlabeled, "unlabeled")
    X_test, y_test = rows(n_test, "test")
    y = np.full(len(y_labeled) + n_unlabeled, None, dtype=object)
    y[: len(y_labeled)] = y_labeled.tolist()
    return HarmTable(
        design, well_specified, np.vstack([X_labeled, X_unlabeled]), y, X_test, y_test, covariance
    )
