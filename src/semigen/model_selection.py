"""Cross-validation when only some rows are labelled: which rows to hide, and what the hidden ones say.

Only labelled rows can be tested, and a class must keep a label to be learned. Unlabelled rows belong to
every training part: they are what a semi-supervised model learns from.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from semigen import intervals
from semigen.checks import integer
from semigen.exceptions import LabelError, ParameterError
from semigen.intervals import Estimate
from semigen.labels import check_weights, encode
from semigen.metrics import CLIP, align_probabilities, row_log_loss, take_rows
from semigen.progress import Progress
from semigen.threads import map_threads, thread_count

__all__ = ["CrossValidation", "Estimate", "Score", "SemiSupervisedSplit", "cross_validate"]

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]
_MAX_LOSS = -float(np.log(CLIP)) + 1e-3  # renormalising after the clip adds at most K · CLIP


class SemiSupervisedSplit:
    """Folds of the labelled rows, stratified by class; unlabelled rows are always in train, never in test.

    Rows with exactly one possible class are tested; rows with soft or candidate labels are always in train.
    Each class is shuffled and dealt to the folds round robin, starting where the class before stopped, so
    fold sizes differ by at most 1 per class and at most 1 in total. Every class keeps a labelled row in every
    train part. **A class with a single labelled row is therefore never tested**; every other labelled row is
    tested exactly once a repeat.

    The order of the train rows is made for :func:`sklearn.model_selection.learning_curve`, which trains on
    prefixes: the first K are one labelled row of each class, and after them every prefix has the labelled
    share of the whole to within one row, and each class its share of the labelled rows as nearly.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, 2 or more.
    n_repeats : int, default=1
        How often to deal anew.
    random_state : int, Generator, RandomState or None, default=None
        Where the shuffles come from; an int gives the same folds at every call.
    unlabeled : scalar or None, default=-1
        The marker in y; ``None``, NaN and NA always count as unlabelled.

    Raises
    ------
    ParameterError
        If ``n_splits`` or ``n_repeats`` is no integer or too small.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.model_selection import SemiSupervisedSplit
    >>> y = np.array(["a", "b", None, "a", "b", None], dtype=object)
    >>> for train, test in SemiSupervisedSplit(2, random_state=0).split(None, y):
    ...     print(sorted(train.tolist()), test)
    [2, 3, 4, 5] [0 1]
    [0, 1, 2, 5] [3 4]
    """

    def __init__(
        self, n_splits: int = 5, *, n_repeats: int = 1, random_state: Any = None, unlabeled: Any = -1
    ) -> None:
        for name, value, least in (("n_splits", n_splits, 2), ("n_repeats", n_repeats, 1)):
            integer(name, value, minimum=least)
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state
        self.unlabeled = unlabeled

    def __repr__(self) -> str:
        return (
            f"SemiSupervisedSplit(n_splits={self.n_splits}, n_repeats={self.n_repeats}, "
            f"random_state={self.random_state!r}, unlabeled={self.unlabeled!r})"
        )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of (train, test) pairs, ``n_splits · n_repeats``."""
        return int(self.n_splits * self.n_repeats)

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[_Rows, _Rows]]:
        """Yield the row numbers of each train part, in the order described above, and of each test part.

        Parameters
        ----------
        X : array-like of shape (n, D), or None
            Only its length is looked at.
        y : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
            Labels, as :func:`semigen.labels.encode` reads them.
        groups : object
            Ignored, with a warning, as in scikit-learn's stratified splitters.

        Yields
        ------
        train : ndarray of shape (n_train,)
        test : ndarray of shape (n_test,)
            In increasing order.

        Raises
        ------
        LabelError
            If y cannot be read, its length is not that of X, or too few rows can be tested.
        """
        if groups is not None:
            warnings.warn(
                "groups is ignored: SemiSupervisedSplit may split a group.", UserWarning, stacklevel=2
            )
        labels = encode(y, self.unlabeled)
        code = labels.hard
        n_rows = None if X is None else X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows not in (None, code.shape[0]):
            raise LabelError(f"X has {n_rows} rows and y {code.shape[0]}: give one label or marker a row.")
        count = np.bincount(code[code >= 0], minlength=labels.classes.shape[0])
        n_testable = n_hideable(code)
        if n_testable < self.n_splits:
            raise LabelError(
                f"n_splits={self.n_splits} folds need as many labelled rows that can be tested, and y has "
                f"{n_testable}: of {count.sum()} rows with one certain class {(count == 1).sum()} are alone "
                "in their class and must stay in train. Label more rows or lower n_splits."
            )
        return self._folds(code, np.flatnonzero(count))

    def _folds(self, code: _Rows, seen: _Rows) -> Iterator[tuple[_Rows, _Rows]]:
        random = np.random.default_rng(self.random_state)
        for _ in range(self.n_repeats):
            fold = np.full(code.shape[0], -1, dtype=np.intp)
            dealt = 0
            for k in random.permutation(seen):
                rows = random.permutation(np.flatnonzero(code == k))
                if rows.size > 1:
                    fold[rows] = (dealt + np.arange(rows.size)) % self.n_splits
                    dealt += rows.size
            for test in range(self.n_splits):
                yield _train_order(np.flatnonzero(fold != test), code, random), np.flatnonzero(fold == test)


def _train_order(rows: _Rows, code: _Rows, random: np.random.Generator) -> _Rows:
    """Order train rows so that prefixes resemble the whole: one label a class, then an even mixture."""
    rows = random.permutation(rows)
    k = code[rows]
    labelled, rest = rows[k >= 0], rows[k < 0]
    k = k[k >= 0]
    # Row j of the n rows of a class sits at (j + u) / n of the labelled rows, its first row before all.
    place = np.empty(labelled.shape[0])
    for each in np.unique(k):
        of_class = np.flatnonzero(k == each)
        place[of_class] = (np.arange(of_class.size) + random.random()) / of_class.size
        place[of_class[0]] = -random.random()
    labelled = labelled[np.argsort(place, kind="stable")]
    at = (np.arange(labelled.size) + 0.5) / max(labelled.size, 1)
    at[: np.unique(k).size] = -1.0
    at_rest = (np.arange(rest.size) + 0.5) / max(rest.size, 1)
    order = np.argsort(np.concatenate([at, at_rest]), kind="stable")
    return np.asarray(np.concatenate([labelled, rest])[order])


def n_hideable(code: _Rows) -> int:
    """Rows of which each can be hidden without losing its class; codes are -1 where there is no one class."""
    count = np.bincount(code[code >= 0], minlength=1)
    return int(count[count > 1].sum())


@dataclass(frozen=True)
class Score:
    """Accuracy and log-loss in nats per row, of one estimator or of one minus another.

    A row counts as right if its true class has the highest probability.
    """

    accuracy: Estimate
    log_loss: Estimate


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Out-of-fold results of several estimators on the same folds.

    All intervals are 95 % and treat the tested rows as independent; folds share training rows, so they are
    somewhat too narrow. Weights count by their ratios only: m rows of weights w stand for
    (Σ w)² / Σ w² rows.

    Attributes
    ----------
    names : tuple of str
        The estimators, in the caller's order.
    n_splits, n_repeats : int
        The folds.
    rows : ndarray of shape (m,)
        The tested rows, in increasing order.
    weight : ndarray of shape (m,)
        Their weights.
    correct : dict of ndarray of shape (m,)
        For each estimator the share of repeats in which each row was classified right.
    row_losses : dict of ndarray of shape (m,)
        For each estimator each row's mean log-loss over repeats, in nats.
    """

    names: tuple[str, ...]
    n_splits: int
    n_repeats: int
    rows: _Rows
    weight: _Floats
    correct: Mapping[str, _Floats]
    row_losses: Mapping[str, _Floats]

    def score(self, name: str) -> Score:
        """Accuracy with a Wilson interval and log-loss with a Student t interval over rows.

        Raises
        ------
        ParameterError
            If no estimator has that name.

        References
        ----------
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
        """
        correct, row_losses = self._rows_of(name)
        return Score(
            intervals.of_share(correct, self.weight),
            intervals.of_mean(row_losses, self.weight, 0.0, _MAX_LOSS),
        )

    def difference(self, name_a: str, name_b: str) -> Score:
        """Score of ``name_a`` minus that of ``name_b``, paired by row.

        Below 0 the log-loss of ``name_a`` is better, above 0 its accuracy is. The log-loss has a Student t
        interval over rows. The accuracy has the interval of Agresti and Min (half a row added to each of the
        four outcomes), which stays honest when both are right or wrong together in every row.

        Raises
        ------
        ParameterError
            If no estimator has that name.

        References
        ----------
        Agresti and Min (2005), Simple improved confidence intervals for comparing matched proportions.
        """
        correct_a, losses_a = self._rows_of(name_a)
        correct_b, losses_b = self._rows_of(name_b)
        return Score(
            intervals.of_paired_shares(correct_a - correct_b, self.weight),
            intervals.of_mean(losses_a - losses_b, self.weight, -_MAX_LOSS, _MAX_LOSS),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single rows, as plain Python values that JSON can hold."""
        return {
            "n_splits": self.n_splits,
            "n_repeats": self.n_repeats,
            "n_rows": int(self.rows.shape[0]),
            "confidence": intervals.CONFIDENCE,
            "scores": {name: asdict(self.score(name)) for name in self.names},
            "differences": [
                {"a": a, "b": b, **asdict(self.difference(a, b))} for a, b in combinations(self.names, 2)
            ],
        }

    def _rows_of(self, name: str) -> tuple[_Floats, _Floats]:
        if name not in self.names:
            raise ParameterError(f"there is no estimator {name!r}: use one of {', '.join(self.names)}.")
        return self.correct[name], self.row_losses[name]


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
) -> CrossValidation:
    """Fit every estimator on every train part and judge it on the labelled rows that were hidden from it.

    Parameters
    ----------
    estimators : mapping of str to classifier
        Cloned before each fit; ``fit(X, y)`` gets y as it was given, markers included, and
        ``predict_proba`` and ``classes_`` are used.
    X : array-like, sparse matrix or data frame of shape (n, D)
        All rows.
    y : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        Their labels, as :func:`semigen.labels.encode` reads them.
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
    CrossValidation

    Raises
    ------
    LabelError
        If y or the weights cannot be used, or too few rows are labelled.
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
    return CrossValidation(
        tuple(estimators), int(n_splits), int(n_repeats), rows, weight[rows], share, mean_losses
    )
