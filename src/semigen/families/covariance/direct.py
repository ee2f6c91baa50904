"""Walks whose matrix products take rows as they lie in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.families.covariance.base import (
    COMPLETE_BYTES,
    MOST_ROWS,
    Array,
    CompleteWalk,
    Floats,
    LocationShape,
    Moments,
)

_NOTHING = np.zeros((1, 1))
FARTHEST = float(np.finfo(np.float64).max) ** 0.5
"""Of a row too far away for its log density to be a number, minus that."""


class DirectWalk(CompleteWalk):
    """A walk in float64 whose distances are products of weights with the rows and with numbers made of them.

    Rows are not even centered where 0 is as near to the center as the rows of each component are: their
    squares have about as many digits.

    Parameters
    ----------
    params : LocationShape
    log_det : ndarray of shape (C or 1,)
    whiten : ndarray of shape (C or 1, D, D) or (C or 1, D)
        What gives differences the covariance 1; without the last axis, of each column.
    numbers_per_row : int
    """

    chunk_bytes, most_rows = 2 * COMPLETE_BYTES, 2 * MOST_ROWS  # fewer operations wait for the lock
    constant: Array
    """What does not depend on the row in distances, (C, 1)."""

    def __init__(self, params: LocationShape, log_det: Array, whiten: Array, numbers_per_row: int) -> None:
        super().__init__(params, log_det, np.float64, numbers_per_row)
        with np.errstate(over="ignore", invalid="ignore"):  # then it is far
            white = whiten @ params.center if whiten.ndim == 3 else whiten * params.center
            near = bool(((white**2).sum(axis=1) <= len(params.center)).all())
        self.moved = params.center if near else np.zeros_like(params.center)
        """By how much ``y`` is more than the row less the center, (D,)."""
        self.mean = params.mean + self.moved
        self._centers = not near

    @abstractmethod
    def weights(self, factor: float, constant: Array) -> tuple[Array, ...]:
        """What :meth:`form` multiplies rows by."""

    @abstractmethod
    def form(self, x: NDArray[Any], *weights: Array) -> Floats:
        """``constant`` (C, 1) plus ``factor`` times distances less ``self.constant``, (C, rows)."""

    @cached_property
    def _of_distances(self) -> tuple[Array, ...]:
        return self.weights(1.0, self.constant)

    def distances(self, x: NDArray[Any]) -> Floats:
        return self.form(x, *self._of_distances)

    def log_normal(self, x: NDArray[Any]) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            log_prob = self.joint(_NOTHING)(x)
        if not log_prob.min(initial=0.0) >= -FARTHEST:  # NaN is not
            np.fmax(log_prob, -FARTHEST, out=log_prob)
        return log_prob

    def joint(self, offset: Array) -> Callable[[NDArray[Any]], Floats]:
        weights = self.weights(-0.5, self.log_scale - 0.5 * self.constant + offset)
        return lambda x: self.form(x, *weights)

    def load(self, x: NDArray[Any]) -> Array:
        """The chunk's rows (rows, D) as ``y`` (D, rows), less the center unless they are ``moved``."""
        self.y = x.T
        if self._centers or x.dtype != self.dtype:
            origin = self._center if self._centers else 0.0
            self.y = np.subtract(x.T, origin, out=self.scratch.like("rows", x.T), dtype=self.dtype)
        return self.y

    def moments(self) -> Moments:
        return Moments(self.weight, self.first - self.weight[:, None] * self.moved, self.second())
