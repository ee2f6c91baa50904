"""Naive Bayes with EM as in Nigam et al. (2000), written from the formulas alone; the baseline to beat."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from benchmarks.text.newsgroups import UNLABELED

Array = NDArray[np.float64]


class NaiveBayesEM:
    """Start from the labeled documents, then EM on all; ``smoothing`` is added to each word's count.

    Parameters
    ----------
    smoothing : float
    max_iter : int
    tol : float
        Largest change of any responsibility at which the iteration stops.
    """

    def __init__(self, smoothing: float = 1.0, max_iter: int = 50, tol: float = 1e-3) -> None:
        self.smoothing = smoothing
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: NDArray[np.intp]) -> Self:
        """EM."""
        known = y != UNLABELED
        self.classes_, code = np.unique(y[known], return_inverse=True)
        fixed = np.eye(len(self.classes_))[code]
        self._maximize(X[known], fixed)
        last: Array = np.zeros(0)
        for iteration in range(self.max_iter):
            resp = self.predict_proba(X)
            resp[known] = fixed
            self.n_iter_ = iteration + 1
            if len(last) and np.abs(resp - last).max() < self.tol:
                break
            self._maximize(X, resp)
            last = resp
        return self

    def predict_proba(self, X: Any) -> Array:
        """p(class | document)."""
        return np.asarray(softmax(X @ self._log_word + self._log_class, axis=1))

    def _maximize(self, X: Any, resp: Array) -> None:
        self._log_class = log_softmax(np.log(resp.sum(axis=0)))
        count = X.T @ resp + self.smoothing
        self._log_word = np.log(count) - np.log(count.sum(axis=0))
