"""Responsibilities of Gaussian mixtures as a softmax of a few linear functions of a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.em import Mixture, Params
from semigen.em.kernel import log_offsets
from semigen.families.covariance.full import DenseShape, linear_weights

Array = NDArray[np.float64]

LEAST = -100.0
"""Log responsibilities below this are raised to it: denormal numbers are many times slower."""
NEVER = -1e9
"""Log weight of a component without any, which a matrix product may not see as infinite."""


@dataclass(frozen=True)
class Powers:
    """Rows column-major, as :class:`Softmax` reads them; the first columns are the first rows of both.

    Attributes
    ----------
    linear : ndarray of shape (1 + D, n)
        Ones, and the columns.
    squared : ndarray of shape (1 + 2 D, n)
        Ones, and each column followed by its square.
    """

    linear: Array
    squared: Array

    @classmethod
    def of(cls, x: Array) -> Powers:
        """Powers of rows (n, D)."""
        n_rows, n_columns = x.shape
        linear, squared = np.empty((1 + n_columns, n_rows)), np.empty((1 + 2 * n_columns, n_rows))
        linear[0] = squared[0] = 1.0
        linear[1:] = squared[1::2] = x.T
        np.multiply(linear[1:], linear[1:], out=squared[2::2])
        return cls(linear, squared)


@dataclass(frozen=True)
class Softmax:
    """p(c | x) of a mixture with a tied or diagonal covariance.

    ``log p(x, c)`` less what is the same for all components is linear in x for a tied covariance, and linear
    in x and its squares for a diagonal one.

    Attributes
    ----------
    weights : ndarray of shape (C, 1 + D) or (C, 1 + 2 D)
    is_linear : bool
    """

    weights: Array
    is_linear: bool

    @classmethod
    def of(cls, mixture: Mixture, params: Params) -> Softmax:
        """Of a mixture of unlabeled rows."""
        gaussian = params.family
        offsets = log_offsets(mixture, params, np.zeros((1, mixture.n_classes)), np.zeros(1, dtype=bool))
        weight = np.maximum(offsets[0], NEVER)
        if isinstance(gaussian.shape, DenseShape):
            weights = -0.5 * linear_weights(gaussian)
            weights[:, 0] += weight - weights[:, 1:] @ gaussian.center
            return cls(weights, True)
        mean, precision = gaussian.mean + gaussian.center, 1.0 / gaussian.shape.variance
        weights = np.empty((len(mean), 1 + 2 * mean.shape[1]))
        weights[:, 0] = weight + 0.5 * (np.log(precision) - mean**2 * precision).sum(axis=1)
        weights[:, 1::2], weights[:, 2::2] = mean * precision, -0.5 * precision
        return cls(weights, False)

    def exponentials(self, powers: Powers, memory: Array) -> Array:
        """Responsibilities (C, n), in ``memory``, with those of each row divided by the largest of them."""
        rows = powers.linear if self.is_linear else powers.squared
        n_components, n_powers = self.weights.shape
        values = memory[: n_components * rows.shape[1]].reshape(n_components, -1)
        np.matmul(self.weights, rows[:n_powers], out=values)
        values -= values.max(axis=0)
        np.clip(values, LEAST, 0.0, out=values)  # in a third of the time of np.maximum
        return np.exp(values, out=values)
