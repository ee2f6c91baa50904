"""How many labels an unlabeled row is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_PARAMETERS = 400
RIDGE = 1e-6


def efficiency(x: Array, posterior: Array) -> float:
    """Labels that one unlabeled row is worth if the model is right, from 0 to 1.

    The expected log-loss above the best possible is ``½ tr(J V)``, where V is the covariance of the estimated
    parameters, ``J = E Cov_k(s_k(x))`` over the posterior and s_k the score of a row of class k. N unlabeled
    rows have ``V = (N E s̄ s̄ᵀ)⁻¹`` with ``s̄ = Σ p(k | x) s_k``, m labeled ones ``V = (m E Σ p(k | x) s_k
    s_kᵀ)⁻¹``; the labels that they are worth are the m with the same loss. Parameters are class means and
    shares under one covariance (O'Neill 1978, *JASA* 73:821, whose relative efficiency this is for two
    classes).

    Parameters
    ----------
    x : ndarray of shape (n, P)
        Rows as numbers.
    posterior : ndarray of shape (n, K)
        p(class | x) of the model.
    """
    n_classes = posterior.shape[1]
    weight = posterior.sum(axis=0) + 1e-9
    means = (posterior.T @ x) / weight[:, None]
    within = (x.T @ x - means.T @ (weight[:, None] * means)) / len(x)
    values, axes = np.linalg.eigh(within + RIDGE * np.trace(within) / len(within) * np.eye(len(within)))
    white = axes / np.sqrt(values)
    x, means = x @ white, means @ white
    if n_classes * x.shape[1] > MOST_PARAMETERS:  # the directions in which class means differ
        _, _, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
        x, means = x @ directions[: n_classes - 1].T, means @ directions[: n_classes - 1].T
    q = n_classes * x.shape[1] + n_classes - 1
    of_unlabeled, of_labeled = np.zeros((q, q)), np.zeros((q, q))
    mean_score = np.zeros((len(x), q))
    for k in range(n_classes):
        score = np.zeros((len(x), q))
        score[:, k * x.shape[1] : (k + 1) * x.shape[1]] = x - means[k]
        score[:, n_classes * x.shape[1] :] = (np.arange(1, n_classes) == k) - weight[1:] / weight.sum()
        of_labeled += score.T @ (posterior[:, [k]] * score) / len(x)
        mean_score += posterior[:, [k]] * score
    of_unlabeled = mean_score.T @ mean_score / len(x)
    ridge = RIDGE * np.trace(of_labeled) / q * np.eye(q)
    lost = of_labeled - of_unlabeled
    by_labels = np.trace(np.linalg.solve(of_labeled + ridge, lost))
    by_rows = np.trace(np.linalg.solve(of_unlabeled + ridge, lost))
    return float(np.clip(by_labels / max(by_rows, 1e-12), 0.0, 1.0)) if by_labels > 1e-9 else 1.0
