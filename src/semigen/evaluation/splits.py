"""Cross-validation when only some rows are labeled: which labeled rows to hold out.

Only labeled rows can be tested, and a class must keep a label to be learned. Unlabeled rows belong to
every training part: they are what a semi-supervised model learns from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.common.checks import integer
from semigen.common.notices import warn
from semigen.data.labels import Labels, encode
from semigen.data.rows import count_rows
from semigen.exceptions import LabelError

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]


class SemiSupervisedSplit:
    """Folds of the labeled rows, stratified by class; unlabeled rows are always in train, never in test.

    Rows with exactly one possible class are tested; rows with soft or candidate labels are always in train.
    Each class is shuffled and dealt to the folds round robin, starting where the class before stopped, so
    fold sizes differ by at most 1 per class and at most 1 in total. Every class keeps a labeled row in every
    train part. **A class with a single labeled row is therefore never tested**; every other labeled row is
    tested exactly once per repeat.

    The order of the train rows is made for :func:`sklearn.model_selection.learning_curve`, which trains on
    prefixes: the first K are one labeled row of each class, and after them every prefix has the labeled
    share of the whole to within one row, and each class its share of the labeled rows as nearly.

    ``cross_val_score`` and the searches of scikit-learn take it as ``cv``. ``CalibratedClassifierCV`` and
    others that read the classes from y take the marker for one: :doc:`/guide/evaluate` shows what to do.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, 2 or more.
    n_repeats : int, default=1
        How many times the rows are dealt into folds.
    random_state : int, Generator, RandomState or None, default=None
        Source of the shuffles; an int gives the same folds at every call.
    unlabeled : scalar or None, default=-1
        The marker in y; ``None``, NaN and NA always count as unlabeled.

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
        y : array-like or series of shape (n,), array-like or data frame of shape (n, K), or Labels
            Labels, as :func:`semigen.data.labels.encode` reads them.
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
            warn(
                "groups is ignored: SemiSupervisedSplit may split a group.",
                UserWarning,
            )
        code = encode(y, self.unlabeled).hard
        n_rows = None if X is None else count_rows(X)
        if n_rows not in (None, code.shape[0]):
            raise LabelError(f"X has {n_rows} rows and y {code.shape[0]}: give one label or marker per row.")
        return stratified_folds(code, self.n_splits, self.n_repeats, self.random_state)


def stratified_folds(
    code: _Rows, n_splits: int, n_repeats: int, random_state: Any
) -> Iterator[tuple[_Rows, _Rows]]:
    """Train and test rows as :class:`SemiSupervisedSplit` makes them.

    Parameters
    ----------
    code : ndarray of shape (n,)
        Class index of each row with one certain class, -1 for every other row.
    n_splits, n_repeats, random_state
        As in :class:`SemiSupervisedSplit`.

    Raises
    ------
    LabelError
        If fewer than ``n_splits`` rows can be tested.
    """
    count = np.bincount(code[code >= 0], minlength=1)
    n_testable = count_testable(code)
    if n_testable < n_splits:
        raise LabelError(
            f"n_splits={n_splits} folds need as many labeled rows that can be held out, and y has "
            f"{n_testable}: of {count.sum()} rows with one certain class, those alone in their class "
            f"({(count == 1).sum()}) stay in every training part. Label more rows, or lower n_splits."
        )
    return _folds(code, np.flatnonzero(count), n_splits, n_repeats, random_state)


def _folds(
    code: _Rows, seen: _Rows, n_splits: int, n_repeats: int, random_state: Any
) -> Iterator[tuple[_Rows, _Rows]]:
    random = np.random.default_rng(random_state)
    for _ in range(n_repeats):
        fold = np.full(code.shape[0], -1, dtype=np.intp)
        dealt = 0
        for k in random.permutation(seen):
            rows = random.permutation(np.flatnonzero(code == k))
            if rows.size > 1:
                fold[rows] = (dealt + np.arange(rows.size)) % n_splits
                dealt += rows.size
        for test in range(n_splits):
            yield _train_order(np.flatnonzero(fold != test), code, random), np.flatnonzero(fold == test)


def _train_order(rows: _Rows, code: _Rows, random: np.random.Generator) -> _Rows:
    """Order train rows so that prefixes resemble the whole: one label per class, then an even mixture."""
    rows = random.permutation(rows)
    k = code[rows]
    labeled, rest = rows[k >= 0], rows[k < 0]
    k = k[k >= 0]
    # Row j of the n rows of a class sits at (j + u) / n of the labeled rows, its first row before all.
    place = np.empty(labeled.shape[0])
    for each in np.unique(k):
        of_class = np.flatnonzero(k == each)
        place[of_class] = (np.arange(of_class.size) + random.random()) / of_class.size
        place[of_class[0]] = -random.random()
    labeled = labeled[np.argsort(place, kind="stable")]
    at = (np.arange(labeled.size) + 0.5) / max(labeled.size, 1)
    at[: np.unique(k).size] = -1.0
    at_rest = (np.arange(rest.size) + 0.5) / max(rest.size, 1)
    order = np.argsort(np.concatenate([at, at_rest]), kind="stable")
    return np.asarray(np.concatenate([labeled, rest])[order])


def testable_rows(code: _Rows) -> _Rows:
    """Rows that can be held out without losing their class; codes are -1 where no class is certain."""
    count = np.bincount(code[code >= 0], minlength=1)
    return np.flatnonzero((code >= 0) & (count[code] > 1))


def count_testable(code: _Rows) -> int:
    """How many rows :func:`testable_rows` finds."""
    return testable_rows(code).size


def held_out_folds(labels: Labels, weight: _Floats, n_splits: int, random_state: Any) -> list[_Rows]:
    """Labeled rows to hold out in turn: up to ``n_splits`` folds, none if no row can be held out."""
    counted = np.where(weight > 0, labels.hard, -1)
    testable = count_testable(counted)
    if testable < 2:
        return []
    return [test for _, test in stratified_folds(counted, min(n_splits, testable), 1, random_state)]
