"""What the models of an ensemble predict for held-out labeled rows, and the weights that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from semigen.comparison import CLASS_SHARES, Comparison
from semigen.evaluation.metrics import row_log_loss

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_SHARE = 1e-12
"""Of a class without a labeled row, which no model can predict."""
NEGLIGIBLE = 0.03
"""Weight over the largest one below which a model has none: it would take time and change nothing."""
FEW = 100.0
"""Held-out rows up to which the weights are held to the default ones with all of ``ridge``: what models are
worth differs more from table to table than a few rows can tell."""

PRIOR_WEIGHT = 0.1
"""Weight of the prior of class shares, in rows for each row: probabilities that are a little too sure would
otherwise lead EM to shares near 0 and 1."""
MAX_ITER, CONVERGED = 1000, 1e-7


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
    evidence : ndarray of shape (M, m, K)
        The same less the log class prior of each model.
    class_shares : ndarray of shape (m, K)
        Class shares of the labeled rows that were not in the same fold.
    log_prior : ndarray of shape (m, K)
        Log of the class shares that these labels suggest (:func:`semigen.data.weights.estimated_shares`).
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
    evidence: Array
    class_shares: Array
    log_prior: Array
    n_labeled: int | None = None
    n_unlabeled: int | None = None
    random_state: int | None = None

    def only(self, models: NDArray[np.bool_]) -> HeldOut:
        """The predictions of some models (M,)."""
        return replace(self, log_probs=self.log_probs[models], evidence=self.evidence[models])

    def at(self, rows: NDArray[np.bool_]) -> HeldOut:
        """Some of the rows (m,)."""
        by_row = ("rows", "code", "weight", "fold", "class_shares", "log_prior")
        return replace(
            self,
            log_probs=self.log_probs[:, rows],
            evidence=self.evidence[:, rows],
            **{name: getattr(self, name)[rows] for name in by_row},
        )

    def pool_weights(self, start: Array, ridge: float) -> Array:
        """Weights of the models, (M,): see :func:`pool_weights`."""
        return pool_weights(self.log_prior, self.evidence, self.code, self.weight, start, ridge)

    def crossfitted(self, learn: Callable[[HeldOut], Array]) -> Array:
        """Log probabilities of the ensemble, (m, K), with weights for each fold learned on the others."""
        result = np.empty(self.log_prior.shape)
        for fold in np.unique(self.fold):
            mine = self.fold == fold
            result[mine] = pooled(self.log_prior[mine], self.evidence[:, mine], learn(self.at(~mine)))
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


def log_evidence(log_probs: Array, prior: Array) -> Array:
    """``log p_m(k | x) - log π_mk``: what a model with the class prior π_m makes of x itself, (m, K).

    Parameters
    ----------
    log_probs : ndarray of shape (m, K)
    prior : ndarray of shape (K,)
    """
    return np.asarray(log_probs - np.log(np.maximum(prior, LEAST_SHARE)))


def pooled(log_prior: Array, evidence: Array, weights: Array) -> Array:
    """Log probabilities of the ensemble, ``log p(k) + Σ_m w_m evidence_m(k)`` normalized, (m, K).

    Parameters
    ----------
    log_prior : ndarray of shape (K,) or (m, K)
    evidence : ndarray of shape (M, m, K)
    weights : ndarray of shape (M,)
    """
    return np.asarray(log_softmax(log_prior + np.tensordot(weights, evidence, 1), axis=1))


def pool_weights(
    log_prior: Array, evidence: Array, code: Rows, weight: Array, start: Array, ridge: float
) -> Array:
    """Weights ≥ 0 that minimize the log-loss of the ensemble plus ``ridge FEW / max(FEW, n) |w - start|²``.

    n is the sum of the row weights. The problem is convex. Negligible weights (``NEGLIGIBLE``) are 0.

    Parameters
    ----------
    log_prior : ndarray of shape (m, K)
    evidence : ndarray of shape (M, m, K)
    code : ndarray of shape (m,)
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    start : ndarray of shape (M,)
        Default weights.
    ridge : float
    """
    if not len(code):
        return _without_negligible(start)
    rows = np.arange(len(code))
    true = evidence[:, rows, code]
    ridge *= FEW / max(FEW, weight.sum())

    def loss(w: Array) -> tuple[float, Array]:
        log_pool = pooled(log_prior, evidence, w)
        expected = (np.exp(log_pool) * evidence).sum(axis=2)
        value = -float(weight @ log_pool[rows, code]) + ridge * float(((w - start) ** 2).sum())
        return value, (expected - true) @ weight + 2 * ridge * (w - start)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    return _without_negligible(found.x)


def _without_negligible(weights: Array) -> Array:
    return np.where(weights < NEGLIGIBLE * weights.max(initial=0.0), 0.0, weights)


def shares_of_rows(probs: Array, weight: Array, prior: Array) -> Array:
    """Class shares of rows from their probabilities under other shares, (K,).

    EM for ``Σ_i w_i log Σ_k π_k p(k | x_i) / prior_k`` plus the log density of a Dirichlet prior with mode
    ``prior``, worth ``PRIOR_WEIGHT`` of the rows (Saerens, Latinne & Decaestecker 2002, *Neural Computation*
    14:21).

    Parameters
    ----------
    probs : ndarray of shape (n, K)
    weight : ndarray of shape (n,)
    prior : ndarray of shape (K,)
        The shares under which ``probs`` were computed.
    """
    shares = prior
    for _ in range(MAX_ITER):
        joint = probs * (shares / prior)
        count = weight @ (joint / joint.sum(axis=1, keepdims=True)) + PRIOR_WEIGHT * weight.sum() * prior
        shares, last = count / count.sum(), shares
        if np.abs(shares - last).max() < CONVERGED:
            break
    return np.asarray(shares)
