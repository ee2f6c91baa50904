"""Decisions: which class costs least, where errors are not equally bad."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.data.labels import in_class_order
from semigen.evaluation.metrics import CLIP, align_probabilities
from semigen.exceptions import ParameterError


def least_cost(probabilities: ArrayLike, cost: Any = "balanced", *, classes: ArrayLike) -> NDArray[Any]:
    """The class of least expected cost for each row, ``argmin_j Σ_k p(k | x) cost[k, j]``, (n,).

    ``predict`` of a classifier takes every error for equally bad, so with 3 % positives it may never say
    "positive". With two classes the rule is a threshold: "positive" where its probability is above
    ``c_false_alarm / (c_false_alarm + c_miss)``. No threshold has to be tuned if probabilities are honest.

    Parameters
    ----------
    probabilities : array-like of shape (n, K)
        As ``predict_proba`` returns them.
    cost : array-like of shape (K, K) or (K,), dict {class: cost}, or "balanced"
        ``cost[k, j]``: what it costs to predict class j where class k is true. A vector: cost of missing each
        class, whatever is predicted instead. A dict, a series of pandas or a frame of pandas whose rows and
        columns are named goes by the names of the classes, anything else by their order. "balanced": inverse
        to the mean probability of each class, so that the mean error of the classes is least.
    classes : array-like of shape (K,)
        The class of each column, as in ``estimator.classes_``.

    Raises
    ------
    ParameterError
        If ``probabilities`` is no (n, K) matrix of probabilities with row sums 1, or ``cost`` has another
        shape, is not finite, or names other classes.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, *IJCAI*:973.

    Examples
    --------
    >>> from semigen.metrics import least_cost
    >>> probabilities = [[0.98, 0.02], [0.9, 0.1], [0.995, 0.005]]
    >>> least_cost(probabilities, classes=["fine", "fraud"]).tolist()
    ['fine', 'fraud', 'fine']
    >>> least_cost(probabilities, [[0, 1], [100, 0]], classes=["fine", "fraud"]).tolist()  # above 1 / 101
    ['fraud', 'fraud', 'fine']
    """
    names = np.asarray(classes)
    values = align_probabilities(probabilities, names, names)
    if isinstance(cost, str):
        if cost != "balanced":
            raise ParameterError(f"cost={cost!r} is not known: use 'balanced' or an array of costs.")
        cost = 1.0 / np.maximum(values.mean(axis=0), CLIP)
    return np.asarray(names[(values @ cost_matrix(cost, names)).argmin(axis=1)])


def cost_matrix(cost: Any, names: NDArray[Any]) -> NDArray[np.float64]:
    """What it costs to predict each class (column) where each (row) is true, (K, K), from that or a vector.

    Raises
    ------
    ParameterError
        If ``cost`` has another shape, is not finite, or names other classes.
    """
    n_classes = len(names)
    given = in_class_order("cost", cost, names)
    try:
        matrix = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"cost is no array of numbers ({error}): give a number for each class."
        ) from error
    if matrix.shape == (n_classes,):
        matrix = np.where(np.eye(n_classes, dtype=bool), 0.0, matrix[:, None])
    if matrix.shape != (n_classes, n_classes) or not np.isfinite(matrix).all():
        raise ParameterError(
            f"cost has shape {matrix.shape}: give a finite number for each of the {n_classes} classes, or "
            f"for each true class (row) and predicted class (column), in the order {names.tolist()!r}."
        )
    return matrix
