"""Classifiers of numbers whose fitted state is plain arrays, so that model files hold no code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse, vstack
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer
from semigen.common.prepared import prepared
from semigen.common.threads import one_blas_thread
from semigen.estimators.base import ProbabilityClassifier
from semigen.estimators.binned import boosted_in_bins
from semigen.estimators.boosting import LEARNING_RATE, MANY_ROWS, boosted, cuts_of
from semigen.estimators.leaves import LeafTables, Walks

Array = NDArray[np.float64]

TOO_MANY = "The number of unique classes is greater than"
"""How a warning of scikit-learn begins, to which numbers of many classes look like measurements."""
MOST_ROWS_TO_ROTATE = 1500
MOST_TREES = 500
SUMMED_ROWS = 1024
"""Rows whose leaves, and leaves whose values, are in memory at once."""

ROUNDING = 1e-14
"""Share of the largest value of a leaf below which a difference of values is none."""

SPARSE = 0.1
"""Share of values that are not 0 below which sums over leaves skip the others."""


class RidgeLogistic(ProbabilityClassifier, BaseEstimator):
    """Logistic regression with the penalty ``|β|² / (2 C)``, for many more features than labeled rows.

    The best coefficients lie in the span of the rows, so the rows are first expressed in a basis of it: the
    solution is scikit-learn's, computed much faster.

    Parameters
    ----------
    C : float, default=1.0
        Inverse regularization strength.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    coef_ : ndarray of shape (P, K)
        β; zeros for the first of two classes.
    intercept_ : ndarray of shape (K,)
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    @one_blas_thread()  # a second one spins longer than most products take
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on rows (n, P) with one class each."""
        basis: Any = None
        if not issparse(X) and X.shape[0] < min(X.shape[1], MOST_ROWS_TO_ROTATE):
            _, size, basis = np.linalg.svd(X, full_matrices=False)
            basis = basis[size > 1e-10 * max(size[0], 1e-300)]
            X = X @ basis.T
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TOO_MANY, UserWarning)
            found = sklearn.linear_model.LogisticRegression(C=self.C, max_iter=500)
            found.fit(X, y, sample_weight=sample_weight)
        self.classes_ = found.classes_
        coef = found.coef_ if basis is None else found.coef_ @ basis
        self.coef_, self.intercept_ = coef.T, found.intercept_
        if len(self.classes_) == 2:
            self.coef_ = np.column_stack([np.zeros(len(self.coef_)), self.coef_])
            self.intercept_ = np.append(0.0, self.intercept_)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return np.asarray(softmax(X @ self.coef_ + self.intercept_, axis=1))


class _Trees(ProbabilityClassifier, BaseEstimator):
    """Decision trees as arrays of nodes; ``value_`` (nodes, K) is added up over the leaves of a row."""

    def _keep(self, trees: Sequence[Any], value: Array) -> None:
        counts = [tree.node_count for tree in trees]
        self.root_ = np.cumsum([0, *counts[:-1]])
        self.feature_ = np.concatenate([tree.feature for tree in trees]).astype(np.intp)
        self.threshold_ = np.concatenate([tree.threshold for tree in trees])
        pairs = [np.column_stack([tree.children_right, tree.children_left]) for tree in trees]
        self.child_ = (np.concatenate(pairs) + np.repeat(self.root_, counts)[:, None]).ravel()
        self.value_ = value

    def _sum(self, X: Array) -> Array:
        """Sum over the trees of the values in the leaves of each row, (n, K)."""
        check_is_fitted(self)
        cells: NDArray[np.float32] = np.asarray(X, dtype=np.float32)  # scikit-learn's trees compare float32
        trees, add = prepared(self, self.value_, self._prepared)
        result = np.empty((len(X), self.value_.shape[1]))
        for begin in range(0, len(X), SUMMED_ROWS):
            rows = slice(begin, begin + SUMMED_ROWS)
            result[rows] = add(trees.find(cells[rows]))
        return result

    def _prepared(self) -> tuple[LeafTables | Walks, Callable[[NDArray[np.intp]], Array]]:
        """What finds the leaves of rows, and what adds up their values."""
        nodes = self.feature_, self.threshold_, self.child_, self.root_
        trees = LeafTables.of(*nodes) or Walks.of(*nodes)
        value = self.value_[trees.node]
        value[self.feature_[trees.node] >= 0] = 0.0
        first = np.searchsorted(trees.node, self.root_)
        changed = np.logical_or.reduceat(value != 0, first)  # classes that a tree adds something to
        if (changed.sum(axis=1) > 1).any():
            times, rest = _apart(value, self.value_[self.root_[0]])
            if rest.nnz >= SPARSE * value.size:
                return trees, partial(_sums, value)
            return trees, partial(_sums_apart, rest, times, self.value_[self.root_[0]])
        return trees, partial(_sums_of_classes, value.sum(axis=1), changed[trees.tree].astype(np.float64))


def _apart(value: Array, shares: Array) -> tuple[Array, Any]:
    """Multiples (leaves,) of class shares (K,) in the values of leaves (leaves, K), and what is left, sparse.

    A leaf of few rows has few classes; to the others :class:`ExtraTrees` adds class shares of all rows.
    """
    times, parts = np.zeros(len(value)), []
    for begin in range(0, len(value), SUMMED_ROWS):
        leaves = slice(begin, begin + SUMMED_ROWS)
        rest = value[leaves].copy()
        if (shares > 0).all():
            times[leaves] = (rest / shares).min(axis=1)
            rest -= times[leaves, None] * shares
            rest[rest < ROUNDING * value[leaves].max(axis=1, keepdims=True)] = 0.0
        parts.append(csr_array(rest))
    return times, csr_array(vstack(parts))


def _sums(value: Any, leaf: NDArray[np.intp]) -> Any:
    """Sums of values (leaves, K) over the leaves of each row (n, trees), (n, K), sparse if they are."""
    ends = np.arange(0, leaf.size + 1, leaf.shape[1])
    shape = len(leaf), value.shape[0]
    return csr_array((np.ones(leaf.size), leaf.ravel(), ends), shape=shape) @ value


def _sums_apart(rest: Any, times: Array, shares: Array, leaf: NDArray[np.intp]) -> Array:
    """The same of sparse values to which multiples of class shares are added."""
    return np.asarray(_sums(rest, leaf).toarray() + times.take(leaf).sum(axis=1)[:, None] * shares)


def _sums_of_classes(value: Array, of_class: Array, leaf: NDArray[np.intp]) -> Array:
    """The same where each tree adds to one class, (trees, K), and a leaf has one value."""
    return np.asarray(value.take(leaf) @ of_class)


class TreeEnsemble(_Trees):
    """Random forest (Breiman 2001, *Machine Learning* 45:5), kept as arrays of nodes.

    Parameters
    ----------
    n_trees : int, default=100
    random_state : int, RandomState or None, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    feature_ : ndarray of shape (nodes,), intp
        Column that a node splits on, negative in a leaf.
    threshold_ : ndarray of shape (nodes,)
        Where it splits.
    child_ : ndarray of shape (2 nodes,), intp
        Two for each node: the child for numbers above the threshold, and the other one.
    value_ : ndarray of shape (nodes, K)
        Class shares of the training rows in a node.
    root_ : ndarray of shape (n_trees,), intp
        First node of each tree.
    """

    def __init__(self, n_trees: int = 100, *, random_state: Any = 0) -> None:
        self.n_trees = n_trees
        self.random_state = random_state

    def fit(self, X: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the trees on rows (n, P) with one class each."""
        integer("n_trees", self.n_trees, minimum=1)
        self.classes_, code = np.unique(y, return_inverse=True)
        trees = self._grown(np.asarray(X, dtype=np.float32), code.astype(np.float64), sample_weight)
        self._keep(trees, self._shares(trees))
        return self

    def _grown(self, cells: NDArray[np.float32], code: Array, weight: ArrayLike | None) -> list[Any]:
        """Trees of rows (n, P) with the numbers of their classes (n,)."""
        forest = sklearn.ensemble.RandomForestClassifier(self.n_trees, random_state=self.random_state)
        return [one.tree_ for one in forest.fit(cells, code, sample_weight=weight).estimators_]

    def _shares(self, trees: Sequence[Any]) -> Array:
        """Class shares in each node, (nodes, K)."""
        return np.concatenate([tree.value[:, 0] for tree in trees])

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, the mean over the trees, (n, K)."""
        return self._sum(X) / len(self.root_)


class ExtraTrees(TreeEnsemble):
    """Extremely randomized trees (Geurts, Ernst & Wehenkel 2006, *Machine Learning* 63:3), kept as arrays.

    Every tree sees all rows, and thresholds are drawn at random. Each node has one row more, with the class
    shares of all rows: without it trees would all be sure of a class where few rows of categories are alike.
    Parameters and attributes are those of :class:`TreeEnsemble`. The trees are those of scikit-learn's
    ``ExtraTreesClassifier``, without what it does between them, which takes longer than a tree of few rows.
    """

    def _grown(self, cells: NDArray[np.float32], code: Array, weight: ArrayLike | None) -> list[Any]:
        random, last = check_random_state(self.random_state), np.iinfo(np.int32).max
        with sklearn.config_context(skip_parameter_validation=True):
            return [
                sklearn.tree.ExtraTreeClassifier(max_features="sqrt", random_state=random.randint(last))
                .fit(cells, code, sample_weight=weight, check_input=False)
                .tree_
                for _ in range(self.n_trees)
            ]

    def _shares(self, trees: Sequence[Any]) -> Array:
        value = super()._shares(trees)  # up to a hundred megabytes: changed in place
        rows = np.concatenate([tree.weighted_n_node_samples for tree in trees])[:, None]
        of_all = value[0].copy()  # the first node is a root
        value *= rows
        value += of_all
        value /= rows + 1.0
        return value


class BoostedTrees(_Trees):
    """Stochastic gradient boosting of the log-loss (Friedman 2002, *CSDA* 38:367), kept as arrays of nodes.

    Each tree has at most sixteen leaves and sees seven tenths of the rows and, at each split, half of the
    columns, but no more than a hundred. With no more than ``MANY_ROWS`` rows the trees are those of
    scikit-learn's ``GradientBoostingClassifier``, grown in a third of the time; those of more rows are grown
    in the same way from the sums of ``BINS`` bins of each column (:mod:`semigen.estimators.binned`).

    Parameters
    ----------
    n_trees : int, default=100
        For two classes; with more, this many times as many trees as classes, but at most ``MOST_TREES``.
    random_state : int, RandomState or None, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    feature_, threshold_, child_, root_
        As in :class:`TreeEnsemble`.
    value_ : ndarray of shape (nodes, K)
        What a leaf adds to the log odds of each class.
    """

    def __init__(self, n_trees: int = 100, *, random_state: Any = 0) -> None:
        self.n_trees = n_trees
        self.random_state = random_state

    def fit(self, X: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the trees on rows (n, P) with one class each."""
        integer("n_trees", self.n_trees, minimum=1)
        self.classes_, code = np.unique(y, return_inverse=True)
        n_classes = len(self.classes_)
        cells: NDArray[np.float32] = np.asarray(X, dtype=np.float32)
        cuts = [cuts_of(column) for column in cells.T] if len(cells) > MANY_ROWS else []
        grow: Callable[..., Any] = boosted
        if cuts:
            places = [np.searchsorted(cut, column) for cut, column in zip(cuts, cells.T, strict=True)]
            cells, grow = np.column_stack(places), boosted_in_bins
        of_tree = np.arange(n_classes) if n_classes > 2 else np.ones(1, dtype=np.intp)
        n_rounds = min(self.n_trees, max(1, MOST_TREES // n_classes))
        with sklearn.config_context(skip_parameter_validation=True):  # which each tree would do anew
            trees, steps = grow(
                cells,
                (code == of_tree[:, None]).astype(np.float64),
                None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
                n_rounds,
                check_random_state(self.random_state),
            )
        adds_to = np.repeat(np.tile(of_tree, n_rounds), [len(step) for step in steps])
        value = np.zeros((len(adds_to), n_classes))
        value[np.arange(len(adds_to)), adds_to] = np.concatenate(steps)
        self._keep(trees, LEARNING_RATE * value)
        for column, cut in enumerate(cuts):
            mine = self.feature_ == column
            self.threshold_[mine] = cut[self.threshold_[mine].astype(np.intp)]
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, (n, K)."""
        return np.asarray(softmax(self._sum(X), axis=1))
