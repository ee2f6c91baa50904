"""Any classifiers on the same folds of partly labeled rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from semigen.columns.tables import listing
from semigen.common.progress import Progress
from semigen.comparison import Comparison, cross_validate
from semigen.data.labels import encode
from semigen.data.weights import check_weights
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.safe import SafeClassifier
from semigen.estimators.adapters import PartlyLabeledClassifier
from semigen.evaluation.splits import count_testable
from semigen.exceptions import LabelError, ParameterError
from semigen.mixture import MixtureClassifier
from semigen.representation import HybridClassifier, PlainColumns

OURS: Mapping[str, Callable[..., BaseEstimator]] = {
    "auto": partial(AutoClassifier, verbose=0),
    "mixture": partial(MixtureClassifier, verbose=0),
    "supervised mixture": partial(MixtureClassifier, unlabeled_weight=0, verbose=0),
    "safe": lambda unlabeled: SafeClassifier(
        MixtureClassifier(unlabeled=unlabeled, verbose=0), n_repeats=1, verbose=0
    ),
    "hybrid": HybridClassifier,
}
"""Classifiers of semigen that :func:`compare` knows by name, from the marker of unlabeled rows."""
OTHERS: Mapping[str, Callable[[], BaseEstimator]] = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "forest": lambda: sklearn.ensemble.RandomForestClassifier(200, random_state=0),
    "boosting": lambda: sklearn.ensemble.HistGradientBoostingClassifier(min_samples_leaf=5, random_state=0),
    "self-training": lambda: sklearn.semi_supervised.SelfTrainingClassifier(
        LogisticRegression(max_iter=1000), threshold=0.9
    ),
    "label spreading": lambda: sklearn.semi_supervised.LabelSpreading(kernel="knn"),
}
"""Those of scikit-learn, on columns as numbers."""


def compare(
    estimators: Mapping[str, Any] | Sequence[Any],
    X: Any,
    y: Any,
    *,
    sample_weight: ArrayLike | None = None,
    n_splits: int = 5,
    n_repeats: int = 1,
    random_state: Any = 0,
    unlabeled: Any = -1,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Which of several classifiers is best with these labels and these unlabeled rows?

    All are fitted on the same folds of the labeled rows and judged on the rows left out, so that differences
    are paired row by row. No classifier gets more labels than another. A semi-supervised one also gets the
    unlabeled rows of the table, never the rows that it is judged on, not even without their labels; any other
    gets the labeled rows only.

    Parameters
    ----------
    estimators : mapping of str to classifier, or sequence
        Classifiers with ``predict_proba``, or names: ``"auto"``, ``"mixture"``, ``"supervised mixture"``,
        ``"safe"``, ``"hybrid"``, and of scikit-learn ``"logistic"``, ``"forest"``, ``"boosting"``,
        ``"self-training"`` and ``"label spreading"``, which get numbers whatever the columns are. Other
        classifiers get ``X`` as it is. Semi-supervised are those with a parameter ``unlabeled`` (semigen's),
        scikit-learn's own, and a pipeline that ends with one.
    X : array-like, sparse matrix or data frame of shape (n, D)
    y : array-like of shape (n,) or (n, K)
        Labels with markers, or label probabilities.
    sample_weight : array-like of shape (n,), optional
        Row weights.
    n_splits : int, default=5
        Folds; as many as there are labeled rows that can be held out, if these are fewer.
    n_repeats : int, default=1
        How many times rows are dealt into folds; with few labels, more say more.
    random_state : int, RandomState or None, default=0
        Seed of the folds.
    unlabeled : scalar or None, default=-1
        The marker in y.
    n_jobs : int or None, default=1
        Fits at a time, in threads.
    progress : callable, optional
        Called as ``progress(fits done, all fits, name)`` after each fit.

    Returns
    -------
    Comparison
        ``print`` shows it as a table; ``to_frame()``, ``to_dict()``, and :func:`semigen.plot` draws it.

    Raises
    ------
    ParameterError
        If a name is not known, or an estimator is no classifier with ``predict_proba``.
    LabelError
        If y or the weights cannot be used, or fewer than two labeled rows can be held out.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(20, 200, distance=2, random_state=0)
    >>> print(semigen.compare(["mixture", "logistic"], data.X, data.y))  # doctest: +ELLIPSIS
    20 held-out labeled rows, 5 folds; 95 % intervals
    name ... accuracy, % ... log-loss ... behind the best ... ROC AUC
    ...
    """
    models = {
        name: PartlyLabeledClassifier(as_classifier(name, one, unlabeled), unlabeled)
        for name, one in _named(estimators).items()
    }
    labels = encode(y, unlabeled)
    counted = np.where(check_weights(sample_weight, len(labels)) > 0, labels.hard, -1)
    n_testable = count_testable(counted)
    if n_testable < 2:
        raise LabelError(
            f"{n_testable} labeled rows can be held out without losing a class: label two rows or more of "
            "each class."
        )
    return cross_validate(
        models,
        X,
        y,
        sample_weight=sample_weight,
        n_splits=min(n_splits, n_testable),
        n_repeats=n_repeats,
        random_state=random_state,
        unlabeled=unlabeled,
        n_jobs=n_jobs,
        progress=progress,
    )


def _named(estimators: Any) -> dict[str, Any]:
    """Classifiers, or names of them, by the name that each has in the comparison."""
    if isinstance(estimators, str) or not isinstance(estimators, Mapping | Sequence):
        raise ParameterError(
            f"estimators is {estimators!r}: give a list such as ['auto', 'forest'], or a dict from names to "
            "classifiers."
        )
    if isinstance(estimators, Mapping):
        return dict(estimators)
    given: dict[str, Any] = {}
    for one in estimators:
        name = one if isinstance(one, str) else type(one).__name__
        same = sum(other == name or other.startswith(f"{name} #") for other in given)
        given[f"{name} #{same + 1}" if same else name] = one
    return given


def named_model(name: str, *, kinds: Any = None, unlabeled: Any = -1) -> BaseEstimator:
    """The classifier of a name in ``OURS`` or ``OTHERS``, the latter with columns read by ``kinds``.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if name in OURS:
        return OURS[name](unlabeled=unlabeled)
    if name in OTHERS:
        return HybridClassifier(PlainColumns(kinds), OTHERS[name](), unlabeled=unlabeled)
    known = [*OURS, *OTHERS]
    raise ParameterError(f"there is no model {name!r}: use {listing(known, most=len(known))}.")


def as_classifier(name: str, one: Any, unlabeled: Any) -> Any:
    """A classifier with probabilities, or that of a name (:func:`named_model`).

    Raises
    ------
    ParameterError
        If it is neither, or ``name`` is no text.
    """
    if not isinstance(name, str):
        raise ParameterError(f"estimators has the name {name!r}: names are text.")
    if isinstance(one, str):
        return named_model(one, unlabeled=unlabeled)
    if isinstance(one, type) or not hasattr(one, "predict_proba"):
        kind = one.__name__ if isinstance(one, type) else type(one).__name__
        raise ParameterError(
            f"{name!r} is a {kind} without predict_proba: give an instance of a classifier that has it "
            "(SVC(probability=True), CalibratedClassifierCV)."
        )
    return one
