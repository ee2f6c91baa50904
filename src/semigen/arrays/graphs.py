"""Graphs of nearest rows: similarities, and labels that spread along them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

Array = NDArray[np.float64]

CONVERGED = 1e-6
"""Labels have spread when none changes by more than this share of the largest."""


def similarities(distance: Array, row: NDArray[np.intp], n_rows: int) -> csr_array:
    """Similarities ``exp(-(d / d_k)²)`` to the nearest of ``n_rows`` rows, (m, n_rows).

    Parameters
    ----------
    distance : ndarray of shape (m, k)
        The nearest first; d_k is the last one.
    row : ndarray of int, shape (m, k)
    n_rows : int
    """
    k = row.shape[1]
    weight = np.exp(-((distance / np.maximum(distance[:, -1:], 1e-300)) ** 2))
    return csr_array((weight.ravel(), row.ravel(), np.arange(0, row.size + 1, k)), (len(row), n_rows))


def symmetric(graph: csr_array) -> tuple[csr_array, Array]:
    """``D^{-1/2} W D^{-1/2}`` (n, n) and the diagonal of D (n,); rows are near if one is to the other."""
    graph = graph.maximum(graph.T)
    degree: Array = np.asarray(graph.sum(axis=1))
    root = diags_array(1 / np.sqrt(degree))
    return csr_array(root @ graph @ root), degree


def spread(similar: csr_array, given: Array, *, alpha: float, max_iter: int) -> Array:
    """F of ``F = α S F + (1 - α) Y``, (n, K) (Zhou et al. 2004, *NeurIPS* 16:321).

    Parameters
    ----------
    similar : sparse array of shape (n, n)
        S, of :func:`symmetric`.
    given : ndarray of shape (n, K)
        Y: labels.
    alpha : float in [0, 1)
        Share of a row's label that comes from its neighbors.
    max_iter : int
    """
    found, added = given.copy(), (1 - alpha) * given
    for _ in range(max_iter):  # in place: memory anew takes as long as the product
        found, last = similar @ found, found
        found *= alpha
        found += added
        last -= found
        if max(last.max(), -last.min()) < CONVERGED * found.max():
            break
    return found
