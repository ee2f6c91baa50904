"""Positive definite matrices with a floor under their eigenvalues."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Array = NDArray[np.float64]

RELATIVE_FLOOR = 1e-13
"""An eigenvalue smaller than this share of the largest is lost in rounding."""


def floor_eigenvalues(matrices: Array, floor: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The nearest matrices Σ ⪰ diag(floor), in the sense of the Gaussian likelihood.

    Of all Σ with that lower bound, the result maximizes ``-log|Σ| - tr(Σ⁻¹ S)`` for the given S: in the
    coordinates x / √floor, eigenvalues below 1 are raised to 1 and the rest stay. Being the exact
    constrained maximum, it never makes an EM objective fall, and whatever S is, Σ has a Cholesky factor.

    Parameters
    ----------
    matrices : ndarray of shape (C, D, D)
        Symmetric, S.
    floor : ndarray of shape (D,)
        Smallest variances, > 0; the smallest eigenvalue is at least ``RELATIVE_FLOOR`` of the largest, too.

    Returns
    -------
    matrices : ndarray of shape (C, D, D)
    raised : ndarray of shape (C,), bool
        Which matrices had to be changed.
    """
    scale = np.sqrt(floor)
    unit = matrices / (scale[:, None] * scale)
    raised = np.zeros(len(unit), dtype=bool)
    eye = np.eye(len(scale))
    least = np.maximum(1.0, RELATIVE_FLOOR * np.diagonal(unit, axis1=1, axis2=2).max(axis=1))
    for c, matrix in enumerate(unit):
        try:
            np.linalg.cholesky(matrix - least[c] * eye)  # succeeds where every eigenvalue is above the floor
        except np.linalg.LinAlgError:
            raised[c] = True
    if not raised.any():
        return matrices, raised
    result = matrices.copy()
    for c in np.flatnonzero(raised).tolist():
        values, vectors = np.linalg.eigh(unit[c])
        clipped = (vectors * np.maximum(values, max(1.0, RELATIVE_FLOOR * values[-1]))) @ vectors.T
        result[c] = 0.5 * (clipped + clipped.T) * (scale[:, None] * scale)
    return result, raised


def whitener(matrices: Array) -> tuple[Array, Array]:
    """``A = L⁻¹`` and log|Σ| of Σ = L Lᵀ, so that |A (x - μ)|² is the squared Mahalanobis distance.

    Parameters
    ----------
    matrices : ndarray of shape (C, D, D)
        Positive definite.

    Returns
    -------
    whiten : ndarray of shape (C, D, D)
        Lower triangular.
    log_det : ndarray of shape (C,)
    """
    factor = np.linalg.cholesky(matrices)
    eye = np.eye(matrices.shape[-1])
    whiten = np.ascontiguousarray(np.stack([solve_triangular(one, eye, lower=True) for one in factor]))
    log_det = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return whiten, log_det
