"""The textbook recipe, written from the formulas alone: an independent twin of ``shrinkage=0``.

A Gaussian with full covariance per class, started from the labeled rows, then EM on all rows (labeled
rows keep their class), maximum likelihood with 1e-6 added to each covariance's diagonal.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp

from benchmarks.accuracy.splits import UNLABELED

Array = NDArray[np.float64]


class TextbookEM:
    """See the module. ``floor=True`` raises eigenvalues to the ridge instead of adding it to all."""

    def __init__(
        self, *, ridge: float = 1e-6, floor: bool = False, max_iter: int = 200, tol: float = 1e-6
    ) -> None:
        self.ridge = ridge
        self.floor = floor
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Array, y: NDArray[np.intp]) -> Self:
        """Start from the labeled rows, then EM on all."""
        self.classes_ = np.unique(y[y != UNLABELED])
        labeled = y != UNLABELED
        fixed = np.zeros((len(X), len(self.classes_)))
        fixed[labeled] = y[labeled, None] == self.classes_
        self._maximize(X[labeled], fixed[labeled])
        last = -np.inf
        for iteration in range(self.max_iter + 1):
            log_joint = self._log_joint(X)
            log_row = logsumexp(log_joint, axis=1)
            objective = (log_row[~labeled].sum() + log_joint[fixed > 0].sum()) / len(X)
            self.n_iter_ = iteration
            if abs(objective - last) < self.tol or iteration == self.max_iter:
                break
            last = objective
            self._maximize(X, np.where(labeled[:, None], fixed, np.exp(log_joint - log_row[:, None])))
        return self

    def predict_proba(self, X: Array) -> Array:
        """p(class | x)."""
        log_joint = self._log_joint(X)
        return np.asarray(np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)))

    def _maximize(self, X: Array, resp: Array) -> None:
        rows = resp.sum(axis=0)
        self._log_prior = np.log(rows / rows.sum())
        self._means = (resp.T @ X) / rows[:, None]
        self._factors = []
        for k, mean in enumerate(self._means):
            away = X - mean
            covariance = (resp[:, k, None] * away).T @ away / rows[k]
            if self.floor:
                values, vectors = np.linalg.eigh(covariance)
                covariance = (vectors * np.maximum(values, self.ridge)) @ vectors.T
            else:
                covariance += self.ridge * np.eye(X.shape[1])
            self._factors.append(cholesky(covariance, lower=True))

    def _log_joint(self, X: Array) -> Array:
        columns = []
        for log_prior, mean, factor in zip(self._log_prior, self._means, self._factors, strict=True):
            white = solve_triangular(factor, (X - mean).T, lower=True)
            log_det = 2 * np.log(np.diag(factor)).sum()
            density = -0.5 * (X.shape[1] * np.log(2 * np.pi) + log_det + (white**2).sum(axis=0))
            columns.append(log_prior + density)
        return np.stack(columns, axis=1)
