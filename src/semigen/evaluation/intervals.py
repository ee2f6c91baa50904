"""Confidence intervals of means over weighted rows; rows of weights w count as (Σ w)² / Σ w² rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Array = NDArray[np.float64]

CONFIDENCE = 0.95
TAIL = (1 + CONFIDENCE) / 2
QUANTILE = float(ndtri(TAIL))
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A weighted mean over tested rows with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def wilson(share: float, n_rows: float) -> tuple[float, float]:
    """Confidence interval of a proportion (Wilson 1927, *JASA* 22:209)."""
    z = QUANTILE**2 / n_rows
    half = np.sqrt(z * share * (1.0 - share) + z**2 / 4)
    low, high = (share + z / 2 - half) / (1 + z), (share + z / 2 + half) / (1 + z)
    return max(float(low), 0.0), min(float(high), 1.0)


def of_share(value: Array, weight: Array) -> Estimate:
    """Mean of proportions from 0 to 1, with the interval of :func:`wilson`."""
    mean, _, n = _moments(value, weight)
    return share_of(mean, n)


def share_of(mean: float, n_rows: float) -> Estimate:
    """A proportion of so many rows, with the interval of :func:`wilson`."""
    mean = min(mean, 1.0)
    return _estimate(mean, *wilson(mean, n_rows))


def of_mean(value: Array, weight: Array, least: float, most: float, n_intervals: int = 1) -> Estimate:
    """Mean of numbers that lie between ``least`` and ``most``, with Student's t interval; see ``_tail``."""
    mean, _, n = _moments(value, weight)
    error = np.linalg.norm(weight / weight.sum() * (value - mean))
    return mean_of(mean, float(error), n, least, most, n_intervals)


def mean_of(
    mean: float, error: float, n_rows: float, least: float, most: float, n_intervals: int = 1
) -> Estimate:
    """A mean of so many rows, as :func:`of_mean` has it; ``error``: its standard error but for n - 1."""
    if n_rows < 1.01:  # about one row: its spread is unknown
        return Estimate(mean, least, most)
    half = float(stdtrit(n_rows - 1, _tail(n_intervals)) * error * np.sqrt(n_rows / (n_rows - 1)))
    return _estimate(mean, max(mean - half, least), min(mean + half, most))


def of_paired_shares(value: Array, weight: Array, n_intervals: int = 1) -> Estimate:
    """Mean difference of two paired proportions, from -1 to 1, with the interval of Agresti & Min.

    *Statistics in Medicine* 24:729 (2005): half a row is added to each of the four outcomes, so the interval
    has positive width even where both are right or wrong together in every row.
    """
    mean, square, n = _moments(value, weight)
    center = mean * n / (n + 2)
    spread = (square * n + 1) / (n + 2) - center**2
    half = float(ndtri(_tail(n_intervals)) * np.sqrt(spread / (n + 2)))
    return _estimate(mean, max(center - half, -1.0), min(center + half, 1.0))


def _tail(n_intervals: int) -> float:
    """Quantile of the upper end, so that 95 % of the times so many intervals all hold (Bonferroni)."""
    return 1 - (1 - TAIL) / n_intervals


def effective_rows(weight: Array) -> float:
    """How many rows of equal weight say as much: ``(Σ w)² / Σ w²``."""
    weight = weight / weight.max()
    return float(weight.sum()) ** 2 / float(weight @ weight)


def _moments(value: Array, weight: Array) -> tuple[float, float, float]:
    """Weighted mean, weighted mean square and effective number of rows."""
    weight = weight / weight.max()
    total = float(weight.sum())
    return float(weight @ value) / total, float(weight @ value**2) / total, effective_rows(weight)


def _estimate(mean: float, low: float, high: float) -> Estimate:
    """An estimate whose interval contains the mean in spite of rounding."""
    return Estimate(mean, min(low, mean), max(high, mean))
