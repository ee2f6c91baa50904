"""What held-out labels say of a deep classifier: whether unlabeled rows help it, and how sure it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import evenly
from semigen.comparison import CLASS_SHARES, Comparison, Tally, Verdict, explain, judge
from semigen.comparison.rule import signed_interval
from semigen.data.labels import Labels
from semigen.data.weights import class_shares
from semigen.evaluation.calibration import Calibration, Fold, agreement, calibrate, evidence_of
from semigen.evaluation.splits import held_out_folds

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

WITH, WITHOUT = "all rows", "labeled rows only"
"""Names in comparisons of a fit with unlabeled rows, and of one without them."""
N_FOLDS = 3
"""Folds at most, each a fit for every λ that is tried."""
TRIED = (0.0, 1.0)
"""λ with ``unlabeled_weight="auto"``."""
KEPT = (
    "They are kept: in such cases networks are better with them in the mean, but worse almost as often as "
    "better. More labels would tell."
)
"""What is done where held-out labels do not tell whether unlabeled rows help."""
LEFT_OUT = (
    "They are left out: fits with them call many rows otherwise than fits without them, and where that is so "
    "and labels do not tell, networks are mostly worse with them. More labels would tell."
)
"""The same where unlabeled rows turn the model into another one."""
MOST_SHOWN = 1000
"""Rows at most that all fits are shown, to see how far they agree."""


@dataclass(frozen=True)
class Selection:
    """What has been chosen for a deep classifier, and why.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    folds : sequence of Fold
        What the fits with this λ made of labeled rows that they had not seen.
    comparison : Comparison or None
        Of the λ that were tried, each as sure as the other folds let it be, and of the class shares. None
        where no labeled row could be held out, or nothing was left to the labels.
    verdict : Verdict
    agreement : float or None
        How often fits of the same labeled rows call rows the same with the unlabeled rows and without, from 0
        (as by chance) to 1; the mean over folds. None where not both were tried.
    """

    unlabeled_weight: float
    folds: Sequence[Fold]
    comparison: Comparison | None
    verdict: Verdict
    agreement: float | None = None


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


def to_show(weight: Array) -> Rows:
    """Rows that all fits are shown: those that count, evenly spaced ones of many."""
    rows = np.flatnonzero(weight > 0)
    return rows[evenly(len(rows), MOST_SHOWN)]


def select(
    predict: Callable[[float, Rows, Rows], Array],
    tried: Sequence[float],
    folds: Sequence[Rows],
    labels: Labels,
    weight: Array,
    shares: Array,
    seed: int,
    power: float | None,
    least_agreement: float | None = None,
) -> Selection:
    """Choose λ by labeled rows that are held out in turn, and keep what the fits made of them.

    Unlabeled rows are left out where they hurt (:class:`semigen.comparison.Verdict`). Where that is unclear
    they are kept: a network that is trained on a handful of rows alone is mostly the worse one. But where
    they turn the model into another one they are left out.

    Parameters
    ----------
    predict : callable
        ``predict(λ, held, rows)``: probabilities (rows, K) by a fit without the labeled rows ``held``.
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
    least_agreement : float or None, default=None
        The least agreement of fits with unlabeled rows and without them at which an unclear verdict keeps the
        unlabeled rows; None: it always does.
    """
    n_unlabeled = int((~labels.is_labeled & (weight > 0)).sum())
    if not folds:
        return Selection(tried[-1], [], None, judge(None, "", "", n_unlabeled=n_unlabeled))
    shown = to_show(weight)

    def fold(lam: float, held: Rows) -> Fold:
        evidence = evidence_of(predict(lam, held, np.concatenate([held, shown])), shares)
        return Fold(evidence[: len(held)], labels.hard[held], weight[held], evidence[len(held) :])

    found = {lam: [fold(lam, held) for held in folds] for lam in tried}
    comparison = _compare(found, folds, shown, shares, labels, weight, power, n_unlabeled, seed)
    verdict = judge(comparison if len(tried) > 1 else None, WITH, WITHOUT, n_unlabeled=n_unlabeled)
    agreed, is_another = None, False
    if len(tried) > 1:
        pairs = zip(found[tried[0]], found[tried[-1]], strict=True)
        agreed = float(np.mean([agreement(one.shown, other.shown, weight[shown]) for one, other in pairs]))
        is_another = least_agreement is not None and agreed < least_agreement
    chosen = tried[0] if verdict.hurt or (verdict.outcome == "unclear" and is_another) else tried[-1]
    return Selection(chosen, found[chosen], comparison, verdict, agreed)


def explain_selection(comparison: Comparison | None, verdict: Verdict, unlabeled_weight: float) -> str:
    """What held-out labels say of the unlabeled rows and of the model, in sentences for a person.

    Parameters
    ----------
    comparison, verdict
        As :class:`Selection` has them.
    unlabeled_weight : float
        The λ that was chosen or given.
    """
    if verdict.outcome == "no unlabeled rows":
        return explain(verdict, 0)
    if comparison is None:
        return "No labeled row was held out: nothing is known of how good the model is."
    if verdict.change is None:
        lines = [f"Unlabeled rows have the weight {unlabeled_weight:g}: nothing says whether they help."]
    else:
        lines = [explain(verdict, comparison.n_unlabeled or 0)]
        if verdict.outcome == "unclear" and not verdict.negligible:
            lines[0] += f" {KEPT if unlabeled_weight else LEFT_OUT}"
    change = comparison.difference(name_of(unlabeled_weight), CLASS_SHARES).log_loss
    beside = f"class shares alone: {signed_interval(change, 1, '.3f')} nats per row (95 % interval)."
    if change.low > 0:
        lines.append(f"The model predicts worse than the {beside} Do not use it.")
    elif change.high >= 0:
        lines.append(f"These labels do not show that the model predicts better than the {beside}")
    else:
        lines.append(f"The model predicts better than the {beside}")
    return "\n".join(lines)


def name_of(unlabeled_weight: float) -> str:
    """The name in comparisons of a fit with this λ."""
    return WITH if unlabeled_weight else WITHOUT


def _compare(
    found: Mapping[float, Sequence[Fold]],
    folds: Sequence[Rows],
    shown: Rows,
    shares: Array,
    labels: Labels,
    weight: Array,
    power: float | None,
    n_unlabeled: int,
    seed: int,
) -> Comparison:
    """Score each λ on the held-out rows, each fold as sure as the others let it be."""
    rows = np.sort(np.concatenate(folds))
    names = [name_of(lam) for lam in sorted(found, reverse=True)]
    tally = Tally(names, rows, labels.hard[rows], labels.classes)
    for i, held in enumerate(folds):
        for lam, fits in found.items():
            rest = [*fits[:i], *fits[i + 1 :]]
            if power is None:
                calibration = calibrate(fits[i].shown, weight[shown], rest, shares)
            else:
                calibration = Calibration.at(power, shares)
            tally.add(name_of(lam), held, calibration.of_evidence(fits[i].evidence))
        others = np.delete(np.arange(len(weight)), held)
        tally.add_shares(held, class_shares(labels.take(others), weight[others]))
    return tally.comparison(
        len(folds),
        1,
        weight[rows],
        n_labeled=int((labels.is_labeled & (weight > 0)).sum()),
        n_unlabeled=n_unlabeled,
        random_state=seed,
    )
