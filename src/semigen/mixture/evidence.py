"""What labeled rows say of fits that did not see them: how sure posteriors may be, and which fit is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from semigen.data.blocks import Data, Engine
from semigen.em.hierarchy import Level, joint_left_out

Array = NDArray[np.float64]

N_FOLDS = 20
"""Folds at most: with fewer labeled rows each is left out by itself."""

POWER = 1 / 3
"""Power of the posterior before any evidence. Densities of many columns are overconfident, because no class
is quite what the model says. Chosen on the development tables."""

POWER_STRENGTH = 2.0
"""The prior of log a is normal around log ``POWER`` with variance 1 / (2 · ``POWER_STRENGTH``)."""

POWER_RANGE = (0.02, 1.5)


@dataclass(frozen=True)
class Evidence:
    """What held-out labeled rows say of a fit.

    Attributes
    ----------
    power : float
        a: p(class | x)ᵃ, normalized, is as sure as it may be.
    log_loss : float
        Of held-out rows with that power, nats per row; infinite if no row could be held out.
    """

    power: float = POWER
    log_loss: float = np.inf


@dataclass(frozen=True)
class Trial:
    """A fit that may be chosen.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    level : Level
    evidence : Evidence
    is_upper : bool
        Whether it is the upper level of a hierarchy, the fit with a covariance that all components share.
    """

    unlabeled_weight: float
    level: Level
    evidence: Evidence
    is_upper: bool


def weighted(rows: Data, unlabeled_weight: float) -> Data:
    """The same rows, those without a label with their weights times λ."""
    return replace(rows, weight=np.where(rows.labels.is_labeled, rows.weight, unlabeled_weight * rows.weight))


def candidate_weights(rows: Data, *, judged: bool) -> list[float]:
    """λ that lets all unlabeled rows together count no more than the labeled ones, and, to be judged, 1."""
    is_labeled = rows.labels.is_labeled
    labeled, unlabeled = rows.weight[is_labeled].sum(), rows.weight[~is_labeled].sum()
    balanced = float(labeled / unlabeled) if unlabeled > labeled else 1.0
    return [balanced, 1.0] if judged and balanced < 1.0 else [balanced]


def left_out(
    levels: Sequence[Level],
    shrinkage: float | None,
    data: Data,
    folds: Sequence[NDArray[np.intp]],
    engine: Engine,
) -> list[Evidence]:
    """The evidence for each level of a fit, from labeled rows left out of its sums, fold by fold."""
    rows = np.concatenate(folds)
    joints = joint_left_out(levels, shrinkage, data, folds, engine)
    return [best_power(joint, data.labels.hard[rows], data.weight[rows]) for joint in joints]


def best_power(joint: Array, truth: NDArray[np.intp], weight: Array) -> Evidence:
    """The power a that minimizes ``-Σ w log p_a(y | x) + 2 (log a - log ⅓)²``, ``p_a(k | x) ∝ p(x, k)ᵃ``.

    Parameters
    ----------
    joint : ndarray of shape (n, K)
        Log p(x, class), nats.
    truth : ndarray of shape (n,)
        Index of the class of each row.
    weight : ndarray of shape (n,)
    """

    def loss(power: float) -> float:
        of_class = log_softmax(power * joint, axis=1)[np.arange(len(truth)), truth]
        return float(-(of_class @ weight))

    def penalized(log_power: float) -> float:
        return loss(float(np.exp(log_power))) + POWER_STRENGTH * float(log_power - np.log(POWER)) ** 2

    low, high = np.log(POWER_RANGE)
    found = minimize_scalar(penalized, bounds=(float(low), float(high)), method="bounded")
    power = float(np.exp(found.x))
    return Evidence(power, loss(power) / float(weight.sum()))
