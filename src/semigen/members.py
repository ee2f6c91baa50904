"""Classifiers as parts of another one: the rows that each can use, and its probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier
from sklearn.utils.validation import has_fit_parameter

from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.labels import Labels, labeled_examples
from semigen.metrics import align_probabilities, take_rows
from semigen.model_selection import SemiSupervisedSplit, n_hideable

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

BLOCK_ROWS = 4096
"""Rows whose features are held at once in a prediction, at most."""

BLOCK_PROBABILITIES = 100_000
"""Class probabilities that each part of a model gives at once, at most: with many classes, fewer rows."""

FLOOR = 1e-3
"""Every member's probabilities are mixed with so much of equal ones: a member that is sure and wrong once may
not outvote all others."""

MARKED = (LabelPropagation, LabelSpreading, SelfTrainingClassifier)
"""Classifiers of scikit-learn that take unlabelled rows, marked -1."""


def takes_unlabeled(model: Any) -> bool:
    """Whether a classifier learns from unlabelled rows: scikit-learn's own, and any with ``unlabeled``."""
    return isinstance(model, MARKED) or hasattr(model, "unlabeled")


def fit_member(model: Any, X: Any, labels: Labels, weight: Array) -> Any:
    """Fit a classifier on the rows that it can use.

    Semi-supervised ones get all rows; others the labelled ones, a row with soft labels or candidates once
    for each possible class, weighted.

    Raises
    ------
    ParameterError
        If rows are weighted and the classifier takes no weights.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one that is not settled is used as it is
        if isinstance(model, MARKED):
            return model.fit(X, labels.hard)
        if takes_unlabeled(model):
            weighted = {} if (weight == 1).all() else {"sample_weight": weight}
            return model.fit(X, given_labels(labels), **weighted)
        rows, code, share = labeled_examples(labels, weight)
        X_labeled, y = take_rows(X, rows), labels.classes[code]
        if (share == 1).all():
            return model.fit(X_labeled, y)
        if not has_fit_parameter(model, "sample_weight"):
            raise ParameterError(
                f"{type(model).__name__}.fit takes no sample_weight, which soft labels and weights need: use "
                "another classifier, such as LogisticRegression."
            )
        return model.fit(X_labeled, y, sample_weight=share)


def given_labels(labels: Labels) -> Any:
    """Labels as an estimator of semigen reads them: a vector with None, or a matrix if some are soft."""
    labelled = labels.is_labeled
    if (labels.hard[labelled] >= 0).all():
        y = np.full(len(labelled), None, dtype=object)
        y[labelled] = labels.classes[labels.hard[labelled]]
        return y
    return np.where(labelled[:, None], labels.probabilities, np.nan)


def member_proba(model: Any, X: Any, classes: NDArray[Any]) -> Array:
    """Probabilities of a classifier that :func:`fit_member` fitted over ``classes``, (n, K).

    A row that it knows nothing about (no labelled row can be reached in its graph) has equal ones.
    """
    known = classes[model.classes_] if isinstance(model, MARKED) else model.classes_
    with np.errstate(invalid="ignore"):  # 0 / 0 where no labelled row can be reached
        probs = np.nan_to_num(model.predict_proba(X), nan=0.0)
    total = probs.sum(axis=1, keepdims=True)
    probs = np.where(total > 0, probs / np.where(total > 0, total, 1.0), 1.0 / probs.shape[1])
    return align_probabilities(probs, known, classes)


def class_rows(labels: Labels, weight: Array) -> Array:
    """Weight of the labelled rows of each class, (K,); soft labels in parts."""
    return np.asarray((weight * labels.is_labeled) @ labels.probabilities)


def balanced(labels: Labels, weight: Array, pseudo_rows: float) -> Array:
    """Row weights by which labelled rows count as if each class had ``pseudo_rows`` more of them, (n,).

    The sum over labelled rows stays what it is.
    """
    count = class_rows(labels, weight)
    if not pseudo_rows or not np.ptp(count):
        return weight
    wanted = (count + pseudo_rows) / (count + pseudo_rows).sum() * count.sum()
    factor = wanted / np.where(count > 0, count, 1.0)
    return np.where(labels.is_labeled, weight * (labels.probabilities @ factor), weight)


def hidden_folds(labels: Labels, weight: Array, n_splits: int, random_state: Any) -> list[Rows]:
    """Labelled rows to hide in turn: up to ``n_splits`` folds, none if no row can be hidden."""
    counted = np.where(weight > 0, labels.hard, -1)
    testable = n_hideable(counted)
    if testable < 2:
        return []
    split = SemiSupervisedSplit(min(n_splits, testable), random_state=random_state, unlabeled=-1)
    return [test for _, test in split.split(None, counted)]


def without(X: Any, labels: Labels, weight: Array, rows: Rows) -> tuple[Any, Labels, Array]:
    """The table, its labels and its weights without some rows."""
    rest = np.delete(np.arange(len(weight)), rows)
    return take_rows(X, rest), labels.take(rest), weight[rest]


def member_log_proba(model: Any, X: Any, classes: NDArray[Any]) -> Array:
    """Log probabilities over ``classes``, mixed with ``FLOOR`` of equal ones, (n, K)."""
    return np.asarray(np.log((1 - FLOOR) * member_proba(model, X, classes) + FLOOR / len(classes)))


def by_blocks(function: Callable[[Any], Array], X: Any, n_classes: int, n_threads: int = 1) -> Array:
    """Class probabilities of the rows of any table, block by block, one below the other."""
    n_rows = count_rows(X)
    size = max(1, min(BLOCK_ROWS, BLOCK_PROBABILITIES // n_classes))
    if n_rows <= size:
        return function(X)

    def block(begin: int) -> Array:
        return function(take_rows(X, np.arange(begin, min(begin + size, n_rows))))

    with ThreadPoolExecutor(n_threads) as pool:
        return np.concatenate(list(pool.map(block, range(0, n_rows, size))))


def count_rows(X: Any) -> int:
    """Number of rows of any table."""
    if hasattr(X, "shape"):
        return int(X.shape[0])
    return len(X) if hasattr(X, "__len__") else len(np.asarray(X))
