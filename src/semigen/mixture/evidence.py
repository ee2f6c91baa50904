"""What labeled rows say of fits that did not see them: how sure posteriors may be, and which fit is best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from semigen.data.blocks import Blocks, Data, Engine
from semigen.em import Level, log_joint
from semigen.em.hierarchy import MOST_UNLABELED, joint_left_out
from semigen.evaluation.splits import testable_rows
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]
T = TypeVar("T")

N_FOLDS = 5
"""Folds at most: one labeled row of each class at a time where classes have no more than these."""

SAME_DECIMALS = 8
"""Rows of a class with the same log p(x, y) to so many decimals are the same row."""

POWER = 1 / 3
"""Power of the posterior before any evidence. Densities of many columns are overconfident, because no class
is quite what the model says. Chosen on the development tables."""

POWER_STRENGTH = 2.0
"""The prior of log a is normal around log ``POWER`` with variance 1 / (2 · ``POWER_STRENGTH``)."""

POWER_RANGE = (0.02, 1.5)

DOUBT = 2.0
"""Nats by which λ = 1 or 0 has to be better than the balanced λ: prior odds of about 7 : 1 against each."""


@dataclass(frozen=True)
class Evidence:
    """What held-out labeled rows say of a fit.

    Attributes
    ----------
    power : float
        a: p(class | x)ᵃ, normalized, is as sure as it may be.
    loss : float
        ``-Σ w log p(y | x)`` of held-out rows with that power, nats; 0 if no row could be held out.
    """

    power: float = POWER
    loss: float = 0.0


@dataclass(frozen=True)
class Trial:
    """A fit that may be chosen.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    level : Level
    is_upper : bool
        Whether it is the upper level of a hierarchy, the fit with a covariance that all components share.
    evidence : Evidence
    """

    unlabeled_weight: float
    level: Level
    is_upper: bool
    evidence: Evidence


def candidate_weights(rows: Blocks) -> list[float]:
    """λ that lets all unlabeled rows count no more than the labeled ones; 1 and 0 where labels can judge."""
    is_label = rows.labels.pattern_labeled
    labeled, unlabeled = rows.where(is_label).total_weight, rows.where(~is_label).total_weight
    if unlabeled <= labeled:
        return [1.0]
    balanced = labeled / unlabeled
    return [balanced, 1.0, 0.0] if _testable(rows.in_memory(0)).size else [balanced]


def for_each(weights: Iterable[float], fitted: Callable[[float], T]) -> dict[float, T]:
    """What fits with each λ give; without those but the first for which rows are fewer than components."""
    first, *others = weights
    found = {first: fitted(first)}
    for other in others:
        with suppress(ParameterError):
            found[other] = fitted(other)
    return found


def choose(
    rows: Blocks,
    fits: Mapping[float, Sequence[Level]],
    shrinkage: float | None,
    engine: Engine,
    *,
    shape_open: bool,
    judged: bool,
) -> Trial:
    """The fit that labeled rows left out speak for, the first one where they say nothing.

    Parameters
    ----------
    rows : Blocks
        With their own weights; where they are not in memory, labeled ones and a sample of the others judge.
    fits : mapping {λ: levels}
        The λ to take without evidence is the first.
    shrinkage, engine
        As the fits had them.
    shape_open : bool
        Whether the upper level, with one covariance for all components, may be chosen.
    judged : bool
        Whether anything is left to the labels.
    """
    found = _no_evidence(fits)
    if judged:
        with engine.for_few.open() as here:
            found = left_out(rows.in_memory(MOST_UNLABELED), fits, shrinkage, here)
    trials = [
        Trial(one, level, level is not fits[one][-1], proof)
        for one, proofs in found.items()
        for level, proof in zip(fits[one][::-1], proofs[::-1], strict=True)
        if shape_open or level is fits[one][-1]
    ]
    first = next(iter(fits))
    return min(trials, key=lambda one: one.evidence.loss + (DOUBT if one.unlabeled_weight != first else 0.0))


def left_out(
    rows: Data, fits: Mapping[float, Sequence[Level]], shrinkage: float | None, engine: Engine
) -> dict[float, list[Evidence]]:
    """The evidence for each level of the fits by λ that can be judged: the same labeled rows left out."""
    folds = deal(rows, next(iter(fits.values()))[-1])
    if not folds:
        return _no_evidence(fits)
    held_out = np.concatenate(folds)
    truth, weight = rows.labels.hard[held_out], rows.weight[held_out]

    def judge(unlabeled_weight: float, levels: Sequence[Level]) -> list[Evidence]:
        data = rows.weighted(unlabeled_weight)
        joints = joint_left_out(levels, shrinkage, data, folds, engine)
        return [best_power(joint, truth, weight) for joint in joints]

    try:
        return for_each(fits, lambda one: judge(one, fits[one]))
    except ParameterError:  # without a fold a class has fewer rows than components
        return _no_evidence(fits)


def _no_evidence(fits: Mapping[float, Sequence[Level]]) -> dict[float, list[Evidence]]:
    return {one: [Evidence()] * len(levels) for one, levels in fits.items()}


def deal(rows: Data, level: Level) -> list[NDArray[np.intp]]:
    """Folds of the labeled rows that can be left out without losing their class, stratified by class.

    Rows of a class are dealt in the order of their log p(x, y), equal ones together: so folds depend neither
    on the order of rows, columns and classes nor on units, and a weight of 2 is a row given twice. None if no
    row can be left out.
    """
    testable = _testable(rows)
    if not testable.size:
        return []
    code = rows.labels.hard[testable]
    joint = log_joint(level.mixture, level.fit.params, rows.at(testable))[np.arange(len(code)), code]
    rank = np.empty(len(code), dtype=np.intp)
    for k in np.unique(code):
        mine = np.flatnonzero(code == k)
        _, place = np.unique(joint[mine].round(SAME_DECIMALS), return_inverse=True)
        rank[mine] = place if place.max() else -1  # copies of one row are all that is known of the class
    n_folds = min(N_FOLDS, int(rank.max()) + 1)
    return [testable[(rank >= 0) & (rank % n_folds == f)] for f in range(n_folds)] if n_folds > 1 else []


def _testable(rows: Data) -> NDArray[np.intp]:
    """Rows that count, of classes with two rows of one certain class or more."""
    return testable_rows(np.where(rows.weight > 0, rows.labels.hard, -1))


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
    return Evidence(power, loss(power))


def report(unlabeled_weight: float) -> Callable[[int, float], None]:
    """What is printed of a fit with ``verbose=1``."""

    def report(iteration: int, objective: float) -> None:
        if iteration == 1 or iteration % 10 == 0:
            print(
                f"λ = {unlabeled_weight:.3g}  iteration {iteration}  objective {objective:.6f} nats per row"
            )

    return report
