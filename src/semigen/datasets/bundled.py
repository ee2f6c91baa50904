"""Real tables that come with scikit-learn, with their labels hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.datasets
from numpy.typing import ArrayLike, NDArray

from semigen.common import checks
from semigen.datasets.drawing import generator
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
    """A table of which some rows are labeled, with the labels of all rows beside it.

    Attributes
    ----------
    X : ndarray of shape (n, D)
    y : ndarray of shape (n,), object
        Label of a labeled row, None for an unlabeled one.
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
        150 flowers × 4, 178 wines × 13, 569 tumors × 30, 1797 images × 64.
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
    rng = generator(random_state)
    hidden = np.full(labels.shape, None, dtype=object)
    checks.integer("labels_per_class", labels_per_class, minimum=1)
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
