"""Paired cross-validation of several classifiers on partly labeled rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from semigen.common.notices import once_each
from semigen.common.progress import Progress
from semigen.common.threads import map_threads, thread_count
from semigen.comparison.record import CLASS_SHARES, Comparison, stated_seed
from semigen.comparison.tally import Tally
from semigen.data.labels import encode
from semigen.data.rows import take_rows
from semigen.data.weights import check_weights, class_shares
from semigen.evaluation.metrics import align_probabilities
from semigen.evaluation.splits import SemiSupervisedSplit
from semigen.exceptions import LabelError, ParameterError, SemigenError

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
    """Fit every estimator on the train part of every fold and score it on the held-out labeled rows.

    Parameters
    ----------
    estimators : mapping of str to classifier
        Cloned before each fit; ``fit(X, y)`` gets y as it was given, markers included, and
        ``predict_proba`` and ``classes_`` are used. The name ``"class shares"`` is taken: it is the zero line
        of every comparison (:class:`Comparison`).
    X : array-like, sparse matrix or data frame of shape (n, D)
        All rows.
    y : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        Their labels, as :func:`semigen.data.labels.encode` reads them.
    sample_weight : array-like of shape (n,), optional
        Row weights; passed to ``fit`` and used in the means.
    n_splits, n_repeats, random_state, unlabeled
        As in :class:`SemiSupervisedSplit`.
    n_jobs : int or None, default=1
        Fits at a time, in threads; None or -1: one for each processor. Apart from rounding, results do not
        depend on it, unless an estimator draws from a random state that all fits share, as PyTorch's.
    progress : callable, optional
        Called as ``progress(fits done, all fits, name of the estimator)`` after each fit.

    Returns
    -------
    Comparison

    Raises
    ------
    LabelError
        If y or the weights cannot be used, or too few rows are labeled.
    ParameterError
        If ``estimators`` is no mapping, is empty or has a reserved name, ``n_jobs`` is 0, or probabilities
        are not probabilities.

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
    if not isinstance(estimators, Mapping):
        raise ParameterError(
            f"estimators is of type {type(estimators).__name__}: give a dict from names to classifiers, such "
            "as {'mixture': semigen.MixtureClassifier()}."
        )
    if not estimators:
        raise ParameterError("estimators is empty: give at least one, by name.")
    if CLASS_SHARES in estimators:
        raise ParameterError(f"the name {CLASS_SHARES!r} is reserved for the zero line: choose another name.")
    split = SemiSupervisedSplit(n_splits, n_repeats=n_repeats, random_state=random_state)
    labels = encode(y, unlabeled)
    folds = list(split.split(X, labels))
    code, weight = labels.hard, check_weights(sample_weight, len(labels))
    rows = np.unique(np.concatenate([test for _, test in folds]))
    if not weight[rows].any():
        raise LabelError("sample_weight is 0 for every row that can be tested: at least one must count.")

    def judged(fold: tuple[_Rows, _Rows], name: str) -> _Floats:
        """What one fit predicts for the held-out rows, (m, K)."""
        train, test = fold
        weighted = {} if sample_weight is None else {"sample_weight": weight[train]}
        try:
            fitted = clone(estimators[name]).fit(take_rows(X, train), take_rows(y, train), **weighted)
        except ValueError as error:
            if isinstance(error, SemigenError):
                raise
            raise ParameterError(
                f"{name!r} cannot be fitted to these rows ({str(error).splitlines()[0]}): a classifier that "
                "is not semigen's gets X as it is. Put what encodes its columns before it, in a pipeline."
            ) from error
        given = fitted.predict_proba(take_rows(X, test))
        return align_probabilities(given, fitted.classes_, labels.classes)

    tally = Tally(tuple(estimators), rows, code[rows], labels.classes)
    for train, test in folds:
        tally.add_shares(test, class_shares(labels.take(train), weight[train]))
    of_fold, names = zip(*product(folds, estimators), strict=True)
    with ExitStack() as stack:
        stack.enter_context(once_each())  # which also restores filters that fits in threads leave changed
        if thread_count(n_jobs) == 1:
            found: Iterator[Any] = map(judged, of_fold, names)
        else:
            found = stack.enter_context(closing(map_threads(judged, of_fold, names, n_jobs=n_jobs)))
        for done, ((_, test), name, said) in enumerate(zip(of_fold, names, found, strict=True), start=1):
            tally.add(name, test, said)
            if progress is not None:
                progress(done, len(names), name)
    return tally.comparison(
        int(n_splits),
        int(n_repeats),
        weight[rows],
        n_labeled=int((labels.is_labeled & (weight > 0)).sum()),
        n_unlabeled=int((~labels.is_labeled & (weight > 0)).sum()),
        random_state=stated_seed(random_state),
    )
