"""Positive definite matrices with a floor under their eigenvalues."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

Array = NDArray[np.float64]

RELATIVE_FLOOR = 1e-13
"""An eigenvalue smaller than this share of the largest is lost in rounding."""

CERTAIN = 0.5
"""Share of the largest ``tr Σ⁻¹`` with which no eigenvalue can be below the floor, far from rounding."""


def floor_eigenvalues(
    matrices: Array, floor: Array, doubtful: NDArray[np.bool_] | None = None
) -> tuple[Array, NDArray[np.bool_]]:
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
    doubtful : ndarray of shape (C,), bool, or None
        Matrices that may have eigenvalues below the floor; None: all.

    Returns
    -------
    matrices : ndarray of shape (C, D, D)
    raised : ndarray of shape (C,), bool
        Which matrices had to be changed.
    """
    scale = np.sqrt(floor)
    per_unit = scale[:, None] * scale
    unit, diagonal = np.empty(per_unit.shape), np.arange(len(scale))
    raised = np.zeros(len(matrices), dtype=bool)
    least = _least(matrices, floor)
    for c in range(len(matrices)) if doubtful is None else np.flatnonzero(doubtful):
        np.divide(matrices[c], per_unit, out=unit)
        unit[diagonal, diagonal] -= least[c]
        _, failed = dpotrf(unit.T, clean=0, overwrite_a=1)  # not where every eigenvalue is above the floor
        raised[c] = failed
    if not raised.any():
        return matrices, raised
    result = matrices.copy()
    for c in np.flatnonzero(raised).tolist():
        values, vectors = np.linalg.eigh(matrices[c] / per_unit)
        clipped = (vectors * np.maximum(values, max(1.0, RELATIVE_FLOOR * values[-1]))) @ vectors.T
        result[c] = 0.5 * (clipped + clipped.T) * per_unit
    return result, raised


def _least(matrices: Array, floor: Array) -> Array:
    """The smallest eigenvalue that stays as it is, in the coordinates x / √floor, (C,)."""
    diagonal = np.diagonal(matrices, axis1=1, axis2=2) / floor
    return np.asarray(np.maximum(1.0, RELATIVE_FLOOR * diagonal.max(axis=1)))


def floored_whitener(matrices: Array, floor: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """:func:`floor_eigenvalues` and the :func:`whitener` of the result.

    Most matrices are far above the floor, which their inverses tell: no eigenvalue is below ``1 / tr Σ⁻¹``.

    Returns
    -------
    matrices, whiten, log_det, raised
    """
    try:
        whiten, log_det = whitener(matrices)
    except np.linalg.LinAlgError:
        matrices, raised = floor_eigenvalues(matrices, floor)
        return matrices, *whitener(matrices), raised
    trace = np.einsum("cij,cij->cj", whiten, whiten) @ floor
    doubtful = ~(trace * _least(matrices, floor) < CERTAIN)
    matrices, raised = floor_eigenvalues(matrices, floor, doubtful)
    if raised.any():
        whiten[raised], log_det[raised] = whitener(matrices[raised])
    return matrices, whiten, log_det, raised


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
    factor = np.array(matrices, dtype=np.float64, order="C")
    for one in factor:  # in place: in the order of LAPACK these are the upper triangles of transposes
        if dpotrf(one.T, overwrite_a=1)[1]:
            raise np.linalg.LinAlgError("Matrix is not positive definite")
    log_det = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    for one in factor:
        dtrtri(one.T, overwrite_c=1)
    return factor, log_det
