"""Classifiers of numbers whose fitted state is plain arrays, so that model files hold no code."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer
from semigen.estimators.base import ProbabilityClassifier

Array = NDArray[np.float64]

MOST_ROWS_TO_ROTATE = 1500


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

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on rows (n, P) with one class each."""
        basis: Any = None
        if not issparse(X) and X.shape[0] < min(X.shape[1], MOST_ROWS_TO_ROTATE):
            _, size, basis = np.linalg.svd(X, full_matrices=False)
            basis = basis[size > 1e-10 * max(size[0], 1e-300)]
            X = X @ basis.T
        found = LogisticRegression(C=self.C, max_iter=500).fit(X, y, sample_weight=sample_weight)
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


class TreeEnsemble(ProbabilityClassifier, BaseEstimator):
    """Extra trees (Geurts, Ernst & Wehenkel 2006, *Machine Learning* 63:3), kept as arrays of nodes.

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
    proba_ : ndarray of shape (nodes, K)
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
        grown = ExtraTreesClassifier(self.n_trees, random_state=self.random_state)
        trees = [one.tree_ for one in grown.fit(X, y, sample_weight=sample_weight).estimators_]
        self.classes_ = grown.classes_
        counts = [tree.node_count for tree in trees]
        self.root_ = np.cumsum([0, *counts[:-1]])
        self.feature_ = np.concatenate([tree.feature for tree in trees]).astype(np.intp)
        self.threshold_ = np.concatenate([tree.threshold for tree in trees])
        pairs = [np.column_stack([tree.children_right, tree.children_left]) for tree in trees]
        self.child_ = (np.concatenate(pairs) + np.repeat(self.root_, counts)[:, None]).ravel()
        value = np.concatenate([tree.value[:, 0] for tree in trees])
        self.proba_ = value / value.sum(axis=1, keepdims=True)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, the mean over the trees, (n, K)."""
        check_is_fitted(self)
        X = np.asarray(X, dtype=np.float32)  # scikit-learn's trees compare float32
        result = np.empty((len(X), len(self.classes_)))
        rows = max(1, 2**18 // len(self.root_))
        for begin in range(0, len(X), rows):
            x = X[begin : begin + rows]
            node = np.tile(self.root_, len(x))
            going = np.arange(len(node))  # pairs of row and tree that have not reached a leaf
            while len(going):
                here = node[going]
                inner = self.feature_[here] >= 0
                going, here = going[inner], here[inner]
                cell = x.ravel()[going // len(self.root_) * x.shape[1] + self.feature_[here]]
                node[going] = self.child_[2 * here + (cell <= self.threshold_[here])]
            leaves = csr_array(
                (np.full(len(node), 1 / len(self.root_)), node, np.arange(0, len(node) + 1, len(self.root_))),
                shape=(len(x), len(self.proba_)),
            )
            result[begin : begin + rows] = leaves @ self.proba_
        return result
