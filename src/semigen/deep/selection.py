"""What held-out labels say of a deep classifier: whether unlabeled rows help it, and how sure it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.comparison import Comparison, Tally, Verdict, judge
from semigen.comparison.one_standard_error import excess_losses, first_close
from semigen.data.labels import Labels
from semigen.data.weights import class_shares
from semigen.evaluation.calibration import POWER, Calibration, best_power
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
    comparison : Comparison or None
        Of the λ that were tried, each with the power that the other folds ask for, and of the class shares.
        None where no labeled row could be held out, or nothing was left to the labels.
    verdict : Verdict
    """

    unlabeled_weight: float
    power: float
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


def select(
    predict: Callable[[float, Rows], Array],
    labels: Labels,
    weight: Array,
    shares: Array,
    seed: int,
    *,
    unlabeled_weight: float | None,
    power: float | None,
) -> Selection:
    """Choose λ and the power of the calibration by labeled rows that are held out in turn.

    λ = 0 is kept unless λ = 1 has a log-loss that is smaller by more than one standard error of the paired
    difference, as in :class:`semigen.SafeClassifier`.

    Parameters
    ----------
    predict : callable
        ``predict(λ, rows)``: probabilities (rows, K) of a fit that does not see these labeled rows.
    labels : Labels
    weight : ndarray of shape (n,)
    shares : ndarray of shape (K,)
        The class shares of the calibration.
    seed : int
    unlabeled_weight, power : float or None
        What is given and not left to the labels.
    """
    n_unlabeled = int((~labels.is_labeled & (weight > 0)).sum())
    tried: Sequence[float] = TRIED if unlabeled_weight is None else (unlabeled_weight,)
    tried = tried if n_unlabeled else tried[-1:]
    folds = held_out_folds(labels, weight, N_FOLDS, seed)
    if not folds or (power is not None and len(tried) == 1):
        verdict = judge(None, "", "", n_unlabeled=n_unlabeled)
        return Selection(tried[-1], POWER if power is None else power, None, verdict)
    order = np.argsort(np.concatenate(folds))
    rows = np.concatenate(folds)[order]
    fold = np.repeat(np.arange(len(folds)), [len(one) for one in folds])[order]
    held = HeldOutRows(rows, labels.hard[rows], fold, weight[rows])
    found = {lam: np.concatenate([predict(lam, one) for one in folds])[order] for lam in tried}
    comparison = _compare(found, shares, held, labels, weight, power, n_unlabeled, seed)
    chosen = tried[first_close(excess_losses(comparison, [name_of(lam) for lam in tried]))]
    verdict = judge(comparison if len(tried) > 1 else None, WITH, WITHOUT, n_unlabeled=n_unlabeled)
    if power is None:
        power = best_power(found[chosen], shares, held.code, held.weight)
    return Selection(chosen, power, comparison, verdict)


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
    tally = Tally([name_of(lam) for lam in found], held.rows, held.code, len(shares))
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
