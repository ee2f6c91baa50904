"""The one-standard-error rule: the simplest candidate that is not clearly worse than the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semigen.comparison.record import Comparison


@dataclass(frozen=True)
class Excess:
    """How much worse a candidate is than the best one.

    Attributes
    ----------
    log_loss : float
        Mean over held-out rows, nats.
    accuracy : float
        Fraction of held-out rows predicted right.
    excess : float
        Log-loss minus that of the best candidate, nats per row; 0 for the best.
    standard_error : float
        Of ``excess``, from the paired differences row by row, nats.
    """

    log_loss: float
    accuracy: float
    excess: float
    standard_error: float


def excess_losses(comparison: Comparison, names: Sequence[str]) -> tuple[Excess, ...]:
    """Losses of candidates against the best of them, paired by row."""
    share = comparison.weight / comparison.weight.sum()
    losses = np.array([comparison.row_losses[name] for name in names])
    mean = losses @ share
    difference = losses - losses[int(mean.argmin())]
    excess = difference @ share
    n_effective = 1.0 / (share**2).sum()
    error = np.sqrt((difference - excess[:, None]) ** 2 @ share) / np.sqrt(max(n_effective - 1.0, 1.0))
    return tuple(
        Excess(float(mean[i]), float(comparison.correct[name] @ share), float(excess[i]), float(error[i]))
        for i, name in enumerate(names)
    )


def first_close(candidates: Sequence[Excess]) -> int:
    """Index of the first candidate within one standard error of the best and no worse than the first of all.

    Candidates come in order, the simplest first (Breiman et al. 1984, *Classification and Regression Trees*,
    §3.4.3). There always is one: the best candidate meets both conditions.
    """
    return next(
        i
        for i, one in enumerate(candidates)
        if one.excess <= one.standard_error and one.log_loss <= candidates[0].log_loss
    )
