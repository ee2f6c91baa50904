"""What held-out labels say of a deep classifier: whether unlabeled rows help it, and how sure it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.comparison import Comparison, Tally, Verdict, judge
from semigen.data.labels import Labels
from semigen.data.weights import class_shares
from semigen.evaluation.calibration import POWER, Calibration, best_power, evidence_spread
from semigen.evaluation.splits import held_out_folds

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

WITH, WITHOUT = "all rows", "labeled rows only"
"""Names in comparisons of a fit with unlabeled rows, and of one without them."""
N_FOLDS = 3
"""Folds at most, each a fit for every λ that is tried."""
TRIED = (0.0, 1.0)
"""λ with ``unlabeled_weight="auto"``."""


@dataclass(frozen=True)
class Selection:
    """What has been chosen for a deep classifier, and why.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    power : float
        Of the :class:`Calibration`.
    spread : float or None
        Of the evidence of the fits that the power was chosen for
        (:func:`semigen.evaluation.calibration.evidence_spread`), None where it was not chosen.
    comparison : Comparison or None
        Of the λ that were tried, each with the power that the other folds ask for, and of the class shares.
        None where no labeled row could be held out, or nothing was left to the labels.
    verdict : Verdict
    """

    unlabeled_weight: float
    power: float
    spread: float | None
    comparison: Comparison | None
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """Labeled rows that fits have not seen.

    Attributes
    ----------
    rows, code, fold : ndarray of int, shape (m,)
        Row numbers in increasing order, true classes, and the fold of each.
    weight : ndarray of shape (m,)
    """

    rows: Rows
    code: Rows
    fold: Rows
    weight: Array


def to_try(unlabeled_weight: float | None, labels: Labels, weight: Array) -> tuple[float, ...]:
    """The λ to try where none is given: 0 and 1 if there are unlabeled rows."""
    if unlabeled_weight is not None:
        return (unlabeled_weight,)
    return TRIED if bool((~labels.is_labeled & (weight > 0)).any()) else TRIED[-1:]


def to_hold_out(
    tried: Sequence[float], power: float | None, labels: Labels, weight: Array, seed: int
) -> list[Rows]:
    """Folds of labeled rows; none where none can be held out, or nothing is left to the labels."""
    if len(tried) == 1 and power is not None:
        return []
    return held_out_folds(labels, weight, N_FOLDS, seed)


def select(
    predict: Callable[[float, Rows], Array],
    tried: Sequence[float],
    folds: Sequence[Rows],
    labels: Labels,
    weight: Array,
    shares: Array,
    seed: int,
    power: float | None,
) -> Selection:
    """Choose λ and the power of the calibration by labeled rows that are held out in turn.

    Unlabeled rows are left out where they hurt (:class:`semigen.comparison.Verdict`). Where that is unclear
    they are kept: a network that is trained on a handful of rows alone is mostly the worse one.

    Parameters
    ----------
    predict : callable
        ``predict(λ, rows)``: probabilities (rows, K) of a fit that does not see these labeled rows.
    tried : sequence of float
        λ, of :func:`to_try`.
    folds : sequence of arrays of int
        Labeled rows to hold out in turn, of :func:`to_hold_out`.
    labels : Labels
    weight : ndarray of shape (n,)
    shares : ndarray of shape (K,)
        The class shares of the calibration.
    seed : int
        Of the folds.
    power : float or None
        Of the calibration; None where it is left to the labels.
    """
    n_unlabeled = int((~labels.is_labeled & (weight > 0)).sum())
    if not folds:
        verdict = judge(None, "", "", n_unlabeled=n_unlabeled)
        return Selection(tried[-1], POWER if power is None else power, None, None, verdict)
    order = np.argsort(np.concatenate(folds))
    rows = np.concatenate(folds)[order]
    fold = np.repeat(np.arange(len(folds)), [len(one) for one in folds])[order]
    held = HeldOutRows(rows, labels.hard[rows], fold, weight[rows])
    found = {lam: np.concatenate([predict(lam, one) for one in folds])[order] for lam in tried}
    comparison = _compare(found, shares, held, labels, weight, power, n_unlabeled, seed)
    verdict = judge(comparison if len(tried) > 1 else None, WITH, WITHOUT, n_unlabeled=n_unlabeled)
    chosen = tried[0] if verdict.hurt else tried[-1]
    spread = None
    if power is None:
        power = best_power(found[chosen], shares, held.code, held.weight)
        spread = evidence_spread(found[chosen], shares, held.weight)
    return Selection(chosen, power, spread, comparison, verdict)


def name_of(unlabeled_weight: float) -> str:
    """The name in comparisons of a fit with this λ."""
    return WITH if unlabeled_weight else WITHOUT


def _compare(
    found: Mapping[float, Array],
    shares: Array,
    held: HeldOutRows,
    labels: Labels,
    weight: Array,
    power: float | None,
    n_unlabeled: int,
    seed: int,
) -> Comparison:
    """Score each λ on the held-out rows, calibrated by those of the other folds."""
    tally = Tally([name_of(lam) for lam in sorted(found, reverse=True)], held.rows, held.code, len(shares))
    for fold in np.unique(held.fold):
        mine = held.fold == fold
        rest = ~mine
        for lam, probs in found.items():
            own = power
            if own is None:
                own = best_power(probs[rest], shares, held.code[rest], held.weight[rest])
            tally.add(name_of(lam), held.rows[mine], Calibration(own, shares)(probs[mine]))
        others = np.delete(np.arange(len(weight)), held.rows[mine])
        tally.add_shares(held.rows[mine], class_shares(labels.take(others), weight[others]))
    return tally.comparison(
        len(np.unique(held.fold)),
        1,
        held.weight,
        n_labeled=int((labels.is_labeled & (weight > 0)).sum()),
        n_unlabeled=n_unlabeled,
        random_state=seed,
    )
