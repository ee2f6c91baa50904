"""Log-sum-exp and responsibilities (axis 0 is the component, axis 1 the row); normal scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from semigen.arrays.scratch import Scratch

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

NO_NAT = -1e15
"""Log densities below this are rounded to whole nats and more."""

CUT = -44.0
"""What lies further below the largest log probability of a row has no share in it."""


def log_sum_exp(log_values: Floats) -> Floats:
    """``log Σ_c exp(log_values[c])`` over axis 0; -inf where every term is -inf."""
    if len(log_values) == 1:
        return np.array(log_values[0])
    largest = log_values.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0).astype(log_values.dtype, copy=False)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(log_values - shift).sum(axis=0)) + shift)


def count_below(rising: NDArray[Any], values: NDArray[Any]) -> NDArray[np.intp]:
    """How many of ``rising`` numbers are below each value, (n,); sorted values are found in far less time."""
    order = np.argsort(values)
    found = np.empty(len(values), dtype=np.intp)
    found[order] = np.searchsorted(rising, values[order])
    return found


def beyond_numbers(log_joint: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows (n,) of log p(x, class) (n, K) that say nothing: no number, or equal ones rounded to nats."""
    largest = log_joint.max(axis=1)
    return np.asarray(~np.isfinite(largest) | ((largest < NO_NAT) & (log_joint.min(axis=1) == largest)))


def log_posterior(log_joint: NDArray[np.float64], log_prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log p(class | x) of rows, (n, K), from log p(x, class); ``log_prior`` (K,) where that says nothing.

    The largest entry of a row is subtracted first: beside a log density of -1e40 a log of a sum has no digit
    left, and probabilities would not sum to 1.
    """
    with np.errstate(invalid="ignore"):
        shifted = log_joint - log_joint.max(axis=1, keepdims=True)
    shifted[beyond_numbers(log_joint)] = log_prior
    return np.asarray(shifted - log_sum_exp(shifted.T)[:, None])


def class_evidence(log_joint: NDArray[np.float64], log_prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log p(x | class) less the largest one of the row, (n, K), from log p(x, class) and log p(class) (K,).

    0 where the row's numbers are too large for any class.
    """
    with np.errstate(invalid="ignore"):
        density = np.where(np.isneginf(log_prior), -np.inf, log_joint - log_prior)
        density = density - density.max(axis=1, keepdims=True)
    density[beyond_numbers(log_joint)] = 0.0
    return np.asarray(density)


def normalize(log_joint: Floats, weight: Array | None = None) -> tuple[Floats, Floats]:
    """Turn log p(x, c) into responsibilities, in place.

    Responsibilities below about 1e-20 (1e-19 in float32) become exactly 0: they are far below rounding in
    every sum that uses them, they would be denormal numbers in float32, which are several times slower, and
    a zero lets the M-step skip the row.

    Parameters
    ----------
    log_joint : ndarray of shape (C, n)
        Overwritten with p(c | x). Each column needs one finite entry.
    weight : ndarray of shape (n,) or None
        Of the rows, by which responsibilities are multiplied.

    Returns
    -------
    resp : ndarray of shape (C, n)
        ``log_joint``'s memory.
    log_prob : ndarray of shape (n,)
        log Σ_c p(x, c), nats.
    """
    total = LogSums(log_joint.shape[1], log_joint.dtype)
    return total.shares(log_joint, weight), total.log()


class LogSums:
    """``log Σ_c p(x, c)`` of rows that come in pieces, whose logarithms are taken at once at the end.

    Parameters
    ----------
    n_rows : int
        Of all pieces.
    dtype : dtype
    """

    def __init__(self, n_rows: int, dtype: Any) -> None:
        scratch = Scratch(dtype)
        self._largest, self._total = scratch("largest", n_rows), scratch("total", n_rows)
        self._cut = self._total.dtype.type(CUT)
        self._rest = np.exp(self._cut)
        self._done = 0

    def shares(self, log_joint: Floats, weight: Array | None = None) -> Floats:
        """Turn those of the next piece, (C, rows), into responsibilities, as :func:`normalize` does."""
        rows = slice(self._done, self._done + log_joint.shape[1])
        self._done = rows.stop
        log_joint -= np.maximum.reduce(log_joint, axis=0, out=self._largest[rows])
        log_joint.clip(self._cut, 0.0, out=log_joint)  # in a third of the time of np.maximum
        np.exp(log_joint, out=log_joint)
        log_joint -= self._rest  # of what was cut off nothing is left
        total = np.add.reduce(log_joint, axis=0, out=self._total[rows])
        log_joint *= (1.0 if weight is None else weight.astype(total.dtype, copy=False)) / total
        return log_joint

    def log(self) -> Floats:
        """Of the rows of all pieces, in their order, nats; once."""
        total: Floats = np.log(self._total, out=self._total)
        total += self._largest
        return total


@dataclass(frozen=True)
class NormalScores:
    """``Φ⁻¹(rank / n)`` among the n known values of each column, ties at their middle rank.

    Attributes
    ----------
    values : ndarray of shape (u,)
        The distinct known values of all columns, one column after the other, rising in each.
    at : ndarray of shape (u,)
        Score of each.
    between : ndarray of shape (u + D,)
        Scores of a value below the first of a column, between two, above the last; column by column.
    start : ndarray of shape (D + 1,)
        Where the values of a column start, and where the last one's end.
    """

    values: Array
    at: Array
    between: Array
    start: NDArray[np.intp]

    @classmethod
    def of(cls, table: Array) -> NormalScores:
        """Scores among the known values (n, D), NaN left out; 0 for every value of a column without any."""
        return cls.joined([_column_scores(column) for column in table.T])

    @classmethod
    def joined(cls, columns: Sequence[tuple[Array, Array, Array]]) -> NormalScores:
        """Scores of columns whose ``values``, ``at`` and ``between`` are given."""
        values, at, between = (
            np.concatenate(parts) if parts else np.zeros(0)
            for parts in ([one[i] for one in columns] for i in range(3))
        )
        return cls(values, at, between, np.cumsum([0, *(len(one[0]) for one in columns)]))

    def __call__(self, table: Array) -> Array:
        """Scores of values (m, D); NaN stays."""
        found = np.empty(table.shape)
        for j, (begin, end) in enumerate(zip(self.start[:-1], self.start[1:], strict=True)):
            known, column = self.values[begin:end], table[:, j]
            place = count_below(known, column)
            near = begin + np.minimum(place, len(known) - 1)
            between = self.between[begin + j + place]
            found[:, j] = np.where(self.values[near] == column, self.at[near], between)
        return np.where(np.isnan(table), np.nan, found)


def _column_scores(known: Array) -> tuple[Array, Array, Array]:
    known = known[~np.isnan(known)]
    values, count = np.unique(known, return_counts=True)
    if not len(known):
        return np.zeros(1), np.zeros(1), np.zeros(2)
    below = np.concatenate([[0], np.cumsum(count)])
    half = 0.5 / len(known)

    def score(rank: Array) -> Array:
        return np.asarray(ndtri(np.clip(rank / len(known), half, 1 - half)))

    return values, score(below[:-1] + 0.5 * count), score(below.astype(np.float64))
