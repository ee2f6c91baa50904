"""Classifiers of a representation whose fitted state is plain arrays, to be saved without code."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array, issparse
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from semigen.base import ProbabilityClassifier
from semigen.checks import integer, real
from semigen.labels import check_weights, encode

Array = NDArray[np.float64]

MOST_ROWS_TO_ROTATE = 1500


class RidgeLogistic(ProbabilityClassifier, BaseEstimator):
    """Logistic regression with the penalty ``|β|² / (2 C)``, for many more features than labelled rows.

    The best coefficients lie in the span of the rows, so rows are first expressed in a basis of it: the
    solution is scikit-learn's, found much sooner.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on rows (n, P) with one class each."""
        self.basis_ = None
        if not issparse(X) and X.shape[0] < min(X.shape[1], MOST_ROWS_TO_ROTATE):
            _, size, basis = np.linalg.svd(X, full_matrices=False)
            self.basis_ = basis[size > 1e-10 * max(size[0], 1e-300)].T
        regression = LogisticRegression(C=self.C, max_iter=500)
        self.regression_ = regression.fit(self._rotated(X), y, sample_weight=sample_weight)
        self.classes_ = self.regression_.classes_
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return np.asarray(self.regression_.predict_proba(self._rotated(X)))

    def _rotated(self, X: Any) -> Any:
        return X if self.basis_ is None else X @ self.basis_


class TreeEnsemble(ProbabilityClassifier, BaseEstimator):
    """Extra trees (Geurts, Ernst & Wehenkel 2006, *Machine Learning* 63:3), kept as arrays of nodes.

    Parameters
    ----------
    n_trees : int, default=100
    random_state : int, RandomState or None, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    feature_, left_, right_ : ndarray of shape (nodes,), intp
        Column that a node asks for, and the nodes that follow; a leaf is followed by itself.
    threshold_ : ndarray of shape (nodes,)
        A row goes left if its number is not above it.
    proba_ : ndarray of shape (nodes, K)
        Class probabilities of the rows in a node.
    root_ : ndarray of shape (n_trees,), intp
    """

    def __init__(self, n_trees: int = 100, *, random_state: Any = 0) -> None:
        self.n_trees = n_trees
        self.random_state = random_state

    def fit(self, X: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the trees on rows (n, P) with one class each."""
        integer("n_trees", self.n_trees, minimum=1)
        grown = ExtraTreesClassifier(self.n_trees, random_state=self.random_state)
        trees = [one.tree_ for one in grown.fit(X, y, sample_weight=sample_weight).estimators_]
        self.classes_ = grown.classes_
        first = np.cumsum([0, *(tree.node_count for tree in trees)])
        self.root_ = first[:-1]
        self.feature_ = np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.intp)
        self.threshold_ = np.concatenate([tree.threshold for tree in trees])
        self.left_ = _children([tree.children_left for tree in trees], first)
        self.right_ = _children([tree.children_right for tree in trees], first)
        value = np.concatenate([tree.value[:, 0] for tree in trees])
        self.proba_ = value / value.sum(axis=1, keepdims=True)
        self.depth_ = max(tree.max_depth for tree in trees)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, the mean over trees, (n, K)."""
        check_is_fitted(self)
        X = np.asarray(X, dtype=np.float32)  # as the trees compare numbers
        result = np.empty((len(X), len(self.classes_)))
        rows = max(1, 2**18 // len(self.root_))
        for begin in range(0, len(X), rows):
            x = X[begin : begin + rows]
            here = np.arange(len(x))[:, None]
            node = np.tile(self.root_, (len(x), 1))
            for _ in range(self.depth_):
                below = x[here, self.feature_[node]] <= self.threshold_[node]
                node = np.where(below, self.left_[node], self.right_[node])
            result[begin : begin + rows] = self.proba_[node].mean(axis=1)
        return result


def _children(each: list[NDArray[Any]], first: NDArray[np.intp]) -> NDArray[np.intp]:
    parts = [
        np.where(children < 0, np.arange(len(children)), children) + begin
        for children, begin in zip(each, first[:-1], strict=True)
    ]
    return np.concatenate(parts).astype(np.intp)


class NeighbourSpreading(ProbabilityClassifier, BaseEstimator):
    """Labels spread over the graph of nearest neighbours of all rows.

    ``F = α S F + (1 - α) Y`` with ``S = D^{-1/2} W D^{-1/2}`` and W the symmetric graph of ``n_neighbors``
    nearest rows (Zhou et al. 2004, *Advances in Neural Information Processing Systems* 16:321). Classes are
    weighed alike. A new row has the mean of its nearest rows.

    Parameters
    ----------
    n_neighbors : int, default=7
    alpha : float in [0, 1), default=0.9
        How much a row takes over from its neighbours.
    max_iter : int, default=50
    max_rows : int, default=20000
        Unlabelled rows in the graph; of more, as many are drawn.
    unlabeled : scalar or None, default=-1
        The marker in y.
    random_state : int, default=0
        Of the rows drawn.
    """

    def __init__(
        self,
        n_neighbors: int = 7,
        *,
        alpha: float = 0.9,
        max_iter: int = 50,
        max_rows: int = 20000,
        unlabeled: Any = -1,
        random_state: int = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.max_rows = max_rows
        self.unlabeled = unlabeled
        self.random_state = random_state

    def fit(self, X: Array, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Spread the labels of ``y`` (n,) or (n, K), each as heavy as its row's weight."""
        for name in ("n_neighbors", "max_iter", "max_rows"):
            integer(name, getattr(self, name), minimum=1)
        real("alpha", self.alpha, minimum=0, maximum=1 - 1e-9)
        weight = check_weights(sample_weight, len(X))
        labels = encode(y, self.unlabeled, counted=weight > 0)
        rows = np.flatnonzero(weight > 0)
        rest = rows[~labels.is_labeled[rows]]
        if len(rest) > self.max_rows:
            drawn = np.random.default_rng(self.random_state).choice(rest, self.max_rows, replace=False)
            rows = np.sort(np.concatenate([rows[labels.is_labeled[rows]], drawn]))
        labels, self.rows_ = labels.take(rows), np.asarray(X)[rows]
        given = np.where(labels.is_labeled[:, None], labels.probabilities, 0.0) * weight[rows, None]
        self.classes_ = labels.classes
        self.share_ = given.sum(axis=0) / given.sum()
        graph = _graph(self.rows_, min(self.n_neighbors, len(rows) - 1))
        spread = given.copy()
        for _ in range(self.max_iter):
            spread, last = self.alpha * (graph @ spread) + (1 - self.alpha) * given, spread
            if np.abs(spread - last).max() < 1e-6 * spread.max():
                break
        self.spread_ = spread
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, (n, K); the labelled rows' shares where no label is near."""
        check_is_fitted(self)
        near = NearestNeighbors(n_neighbors=min(self.n_neighbors, len(self.rows_))).fit(self.rows_)
        found = self.spread_[near.kneighbors(X, return_distance=False)].sum(axis=1)
        total = found.sum(axis=1, keepdims=True)
        near_labels = total > 1e-12 * self.spread_.max()
        return np.asarray(np.where(near_labels, found / np.where(total > 0, total, 1.0), self.share_))


def _graph(rows: Array, n_neighbors: int) -> csr_array:
    """``D^{-1/2} W D^{-1/2}`` of the symmetric graph of nearest neighbours, a row not its own."""
    if n_neighbors < 1:
        return csr_array((len(rows), len(rows)))
    graph = csr_array(NearestNeighbors(n_neighbors=n_neighbors).fit(rows).kneighbors_graph())
    graph = graph + graph.T
    scale = diags_array(1.0 / np.sqrt(np.maximum(graph.sum(axis=1), 1e-300)))
    return csr_array(scale @ graph @ scale)
