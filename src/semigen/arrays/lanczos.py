"""The largest eigenvalues of a sparse symmetric matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Array = NDArray[np.float64]

BLOCK = 8
"""Vectors that the matrix is multiplied with at once."""
LEAST_BASIS = 32
CONVERGED = 1e-6
"""Length of ``S v - θ v`` over θ at which an eigenpair is good enough."""
DEPENDENT = 1e-8
"""Share of a vector below which what is left of it is rounding."""


def largest_eigenpairs(matrix: Any, n_values: int) -> tuple[Array, Array]:
    """The largest eigenvalues θ of a symmetric matrix S, falling, and their eigenvectors v (n, n_values).

    Block Lanczos iterations with full orthogonalization and thick restarts (Wu & Simon 2000, *SIAM Journal on
    Matrix Analysis and Applications* 22:602). ARPACK reads its basis from memory once for each vector instead
    of once for a block, and lets no other thread run meanwhile.

    Parameters
    ----------
    matrix : sparse array of shape (n, n)
        Of few rows a dense solver computes them.
    n_values : int
    """
    n_rows = matrix.shape[0]
    size = _basis_size(n_values)
    if n_rows < 2 * (size + BLOCK):
        value, vector = eigh(matrix.toarray(), subset_by_index=[n_rows - n_values, n_rows - 1])
        return value[::-1], vector[:, ::-1]
    rng = np.random.default_rng(0)
    basis, projected = np.empty((size + BLOCK, n_rows)), np.zeros((size, size))
    basis[:BLOCK] = np.linalg.qr(rng.normal(size=(n_rows, BLOCK)))[0].T
    done = 0
    while True:
        for begin in range(done, size, BLOCK):
            end = begin + BLOCK
            block = matrix @ np.ascontiguousarray(basis[begin:end].T)
            within = basis[:end] @ block
            projected[:end, begin:end], projected[begin:end, :end] = within, within.T
            block -= basis[:end].T @ within
            basis[end : end + BLOCK], rest = _orthonormal(block, basis[:end], rng)
        value, vector = np.linalg.eigh(projected)
        value, vector = value[::-1], vector[:, ::-1]
        error = np.linalg.norm(rest @ vector[-BLOCK:, :n_values], axis=0)
        if (error <= CONVERGED * np.maximum(np.abs(value[:n_values]), 1e-10)).all():
            return value[:n_values], basis[:size].T @ vector[:, :n_values]
        done = (n_values + size) // (2 * BLOCK) * BLOCK
        basis[:done], basis[done : done + BLOCK] = vector[:, :done].T @ basis[:size], basis[size:]
        projected[:] = 0.0
        projected[range(done), range(done)] = value[:done]


def _basis_size(n_values: int) -> int:
    return -(-max(2 * n_values, LEAST_BASIS) // BLOCK) * BLOCK


def _orthonormal(block: Array, basis: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Orthonormal rows, orthogonal to a basis, that span the columns of a block, and their coordinates.

    Random ones take the place of those that the basis, or the columns before, have already.
    """
    length = np.linalg.norm(block, axis=0)
    block /= np.maximum(length, 1e-300)
    block -= basis.T @ (basis @ block)
    found, rest = np.linalg.qr(block)
    spent = (np.abs(np.diag(rest)) < DEPENDENT) | (length < DEPENDENT)
    if spent.any():
        block[:, spent] = rng.normal(size=(len(block), int(spent.sum())))
        for _ in range(2):
            block -= basis.T @ (basis @ block)
        found = np.linalg.qr(block)[0]
    return found.T, rest * length
