"""Log-sum-exp and responsibilities (axis 0 is the component, axis 1 the row); normal scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.floating]


def log_sum_exp(log_values: Floats) -> Floats:
    """``log Σ_c exp(log_values[c])`` over axis 0; -inf where every term is -inf."""
    largest = log_values.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0).astype(log_values.dtype, copy=False)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(log_values - shift).sum(axis=0)) + shift)


def normalise(log_joint: Floats) -> tuple[Floats, Floats]:
    """Turn log p(x, c) into responsibilities, in place.

    Responsibilities below about 1e-20 (1e-19 in float32) become exactly 0: they are far below rounding in
    every sum that uses them, they would be denormal numbers in float32, which are several times slower, and
    a zero lets the M-step skip the row.

    Parameters
    ----------
    log_joint : ndarray of shape (C, n)
        Overwritten with p(c | x). Each column needs one finite entry.

    Returns
    -------
    resp : ndarray of shape (C, n)
        ``log_joint``'s memory.
    log_prob : ndarray of shape (n,)
        log Σ_c p(x, c), nats.
    """
    cut = log_joint.dtype.type(-44.0)
    largest = log_joint.max(axis=0)
    log_joint -= largest
    negligible = log_joint < cut
    np.maximum(log_joint, cut, out=log_joint)
    np.exp(log_joint, out=log_joint)
    log_joint[negligible] = 0.0
    total = log_joint.sum(axis=0)
    log_joint /= total
    return log_joint, largest + np.log(total)


def normal_scores(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Φ⁻¹(rank / n)`` of values among the sorted ``known`` ones, ties at their middle rank; NaN stays."""
    if not len(known):
        return np.zeros_like(values)
    rank = 0.5 * (np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right"))
    half = 0.5 / len(known)
    return np.where(np.isnan(values), np.nan, ndtri(np.clip(rank / len(known), half, 1 - half)))
