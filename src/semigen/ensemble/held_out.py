"""What the models of an ensemble predict for held-out labeled rows, and the weights that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from semigen.comparison import CLASS_SHARES, Comparison
from semigen.evaluation.metrics import row_log_loss

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FEW_LABELS = 3.0
"""With n held-out rows of K classes the ridge that keeps weights near their defaults is
1 + FEW_LABELS · K² / n times as strong."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for labeled rows by models that were fitted without these rows.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp
        Row numbers.
    code : ndarray of shape (m,), intp
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    fold : ndarray of shape (m,), intp
        The fold of each row.
    log_probs : ndarray of shape (M, m, K)
        Log probabilities of the M models.
    class_shares : ndarray of shape (m, K)
        Class shares of the labeled rows that were not in the same fold.
    n_labeled, n_unlabeled : int or None
        Labeled and unlabeled rows of positive weight that were there to learn from.
    random_state : int or None
        Seed of the folds.
    """

    rows: Rows
    code: Rows
    weight: Array
    fold: Rows
    log_probs: Array
    class_shares: Array
    n_labeled: int | None = None
    n_unlabeled: int | None = None
    random_state: int | None = None

    def only(self, models: NDArray[np.bool_]) -> HeldOut:
        """The predictions of some models (M,)."""
        return replace(self, log_probs=self.log_probs[models])

    def pool_weights(self, start: Array, ridge: float) -> Array:
        """Weights of the models, (M,): see :func:`pool_weights`."""
        return pool_weights(self.log_probs, self.code, self.weight, start, ridge)

    def crossfitted(self, start: Array, ridge: float) -> Array:
        """Log probabilities of the ensemble, (m, K), with weights for each fold learned on the others."""
        result = np.empty(self.log_probs.shape[1:])
        for fold in np.unique(self.fold):
            mine = self.fold == fold
            others = self.log_probs[:, ~mine]
            found = pool_weights(others, self.code[~mine], self.weight[~mine], start, ridge)
            result[mine] = log_softmax(np.tensordot(found, self.log_probs[:, mine], 1), axis=1)
        return result

    def validation(self, log_probs: Mapping[str, Array]) -> Comparison | None:
        """Compare named log probabilities (m, K); None without held-out rows."""
        if not self.weight.any():
            return None
        order = np.argsort(self.rows)
        code = self.code[order]
        probs = {name: np.exp(values[order]) for name, values in log_probs.items()}
        probs[CLASS_SHARES] = self.class_shares[order]
        return Comparison(
            tuple(log_probs),
            len(np.unique(self.fold)),
            1,
            self.rows[order],
            self.weight[order],
            {name: (values.argmax(axis=1) == code).astype(float) for name, values in probs.items()},
            {name: row_log_loss(values, code) for name, values in probs.items()},
            self.n_labeled,
            self.n_unlabeled,
            self.random_state,
        )


def pool_weights(log_probs: Array, code: Rows, weight: Array, start: Array, ridge: float) -> Array:
    """Weights ≥ 0 that minimize the log-loss of the ensemble plus ``r |w - start|²``.

    The problem is convex. ``r`` is ``ridge`` times ``1 + FEW_LABELS · K² / m``.

    Parameters
    ----------
    log_probs : ndarray of shape (M, m, K)
    code : ndarray of shape (m,)
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    start : ndarray of shape (M,)
        Default weights.
    ridge : float
    """
    if not len(code):
        return start
    ridge *= 1 + FEW_LABELS * log_probs.shape[2] ** 2 / len(code)
    rows = np.arange(len(code))
    true = log_probs[:, rows, code]

    def loss(w: Array) -> tuple[float, Array]:
        log_pool = log_softmax(np.tensordot(w, log_probs, 1), axis=1)
        expected = (np.exp(log_pool) * log_probs).sum(axis=2)
        value = -float(weight @ log_pool[rows, code]) + ridge * float(((w - start) ** 2).sum())
        return value, (expected - true) @ weight + 2 * ridge * (w - start)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    return np.asarray(found.x)
