"""Paired cross-validation of several classifiers on partly labeled rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from semigen.common.progress import Progress
from semigen.common.threads import map_threads, thread_count
from semigen.comparison.record import Comparison
from semigen.data.labels import encode
from semigen.data.rows import take_rows
from semigen.data.weights import check_weights
from semigen.evaluation.metrics import align_probabilities, row_log_loss
from semigen.evaluation.splits import SemiSupervisedSplit
from semigen.exceptions import LabelError, ParameterError

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]


def cross_validate(
    estimators: Mapping[str, BaseEstimator],
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
    """Fit every estimator on every train part and judge it on the labeled rows that were hidden from it.

    Parameters
    ----------
    estimators : mapping of str to classifier
        Cloned before each fit; ``fit(X, y)`` gets y as it was given, markers included, and
        ``predict_proba`` and ``classes_`` are used.
    X : array-like, sparse matrix or data frame of shape (n, D)
        All rows.
    y : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        Their labels, as :func:`semigen.data.labels.encode` reads them.
    sample_weight : array-like of shape (n,), optional
        Row weights; passed to ``fit`` and used in the means.
    n_splits, n_repeats, random_state, unlabeled
        As in :class:`SemiSupervisedSplit`.
    n_jobs : int or None, default=1
        Fits at a time, in threads; None or -1: one for each processor. Results do not depend on it, but for
        rounding, unless an estimator draws from a random state that all share, as PyTorch's.
    progress : callable, optional
        Called as ``progress(fits done, fits in all, name of the estimator)`` after each fit.

    Returns
    -------
    Comparison

    Raises
    ------
    LabelError
        If y or the weights cannot be used, or too few rows are labeled.
    ParameterError
        If ``estimators`` is empty, ``n_jobs`` is 0, or probabilities are not probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from semigen.model_selection import cross_validate
    >>> X, y = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    >>> y[18:22] = [1, 0, 1, 0]
    >>> result = cross_validate({"bayes": GaussianNB(), "prior": DummyClassifier()}, X, y)
    >>> accuracy = result.score("bayes").accuracy
    >>> print(f"{accuracy.value} ({accuracy.low:.2f} to {accuracy.high:.2f})")
    0.925 (0.80 to 0.97)
    >>> result.difference("bayes", "prior").log_loss.high < 0
    True
    """
    if not estimators:
        raise ParameterError("estimators is empty: give at least one, by name.")
    split = SemiSupervisedSplit(n_splits, n_repeats=n_repeats, random_state=random_state, unlabeled=unlabeled)
    folds = list(split.split(X, y))
    labels = encode(y, unlabeled)
    code, n_rows = labels.hard, labels.pattern.shape[0]
    weight = check_weights(sample_weight, n_rows)
    rows = np.unique(np.concatenate([test for _, test in folds]))
    if not weight[rows].any():
        raise LabelError("sample_weight is 0 for every row that can be tested: at least one must count.")

    def judged(fold: tuple[_Rows, _Rows], name: str) -> tuple[NDArray[np.bool_], _Floats]:
        """Which hidden rows one fit has right, and their losses."""
        train, test = fold
        weighted = {} if sample_weight is None else {"sample_weight": weight[train]}
        fitted = clone(estimators[name]).fit(take_rows(X, train), take_rows(y, train), **weighted)
        given = fitted.predict_proba(take_rows(X, test))
        probabilities = align_probabilities(given, fitted.classes_, labels.classes)
        return probabilities.argmax(axis=1) == code[test], row_log_loss(probabilities, code[test])

    correct = {name: np.zeros(n_rows) for name in estimators}
    row_losses = {name: np.zeros(n_rows) for name in estimators}
    of_fold, names = zip(*product(folds, estimators), strict=True)
    with ExitStack() as stack:
        if thread_count(n_jobs) == 1:
            found: Iterator[Any] = map(judged, of_fold, names)
        else:
            stack.enter_context(warnings.catch_warnings())  # fits that overlap would leave filters changed
            found = stack.enter_context(closing(map_threads(judged, of_fold, names, n_jobs=n_jobs)))
        for done, ((_, test), name, said) in enumerate(zip(of_fold, names, found, strict=True), start=1):
            right, losses = said
            correct[name][test] += right
            row_losses[name][test] += losses
            if progress is not None:
                progress(done, len(names), name)
    share = {name: value[rows] / n_repeats for name, value in correct.items()}
    mean_losses = {name: value[rows] / n_repeats for name, value in row_losses.items()}
    return Comparison(
        tuple(estimators), int(n_splits), int(n_repeats), rows, weight[rows], share, mean_losses
    )
