"""What labeled rows say of fits that did not see them: how sure posteriors may be, and which fit is best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import evenly
from semigen.arrays.special import log_posterior
from semigen.common.notices import warn
from semigen.data.blocks import Block, Blocks, Data, Engine
from semigen.data.weights import class_rows, estimated_shares
from semigen.em import Level, Mixture, Params, evidence_of, log_joint
from semigen.em.hierarchy import MOST_UNLABELED, evidence_left_out
from semigen.evaluation.calibration import Calibration, power_posterior, spread
from semigen.evaluation.splits import testable_rows
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.families import Multinomial

Array = NDArray[np.float64]
T = TypeVar("T")

N_FOLDS = 5
"""Folds at most: one labeled row of each class at a time where classes have no more than these."""

SAME_DECIMALS = 8
"""Rows of a class with the same log p(x, y) to so many decimals are the same row."""

LARGEST_POWER, USUAL = 1 / 3, 2.0
"""Before any label is left out the power of the evidence is such that it spreads by ``USUAL`` nats between
classes, and ``LARGEST_POWER`` at most. Densities of many columns are overconfident, because no class is quite
what the model says, and the more so the farther apart they put the classes. Chosen on the development
tables."""

SUREST = 1.0
"""No power is larger: predictions are not surer than the model is of itself."""

TRUST = 0.5
"""A row left out counts as half of one for the power: its fold was still a part of the start and of the
prior, and one power has to hold in all of the space."""

FARTHEST = 1e6
"""Nats by which a class is at most less probable than the best one, in spreads."""

ROWS_THAT_TELL, ALIKE = 1_000, 0.2
"""Unlabeled rows that show whether some are more novel than others, and by how much at least."""

DOUBT = 2.0
"""Nats by which λ = 1 or 0 has to be better than the balanced λ: prior odds of about 7 : 1 against each."""


@dataclass(frozen=True)
class Evidence:
    """What held-out labeled rows say of a fit.

    Attributes
    ----------
    calibration : Calibration or None
        How sure probabilities of classes may be; None where nothing was left to the labels.
    loss : float
        Minus the log of the marginal likelihood of held-out rows, nats; 0 if no row could be held out.
    """

    calibration: Calibration | None = None
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


def silent_columns(data: Blocks, engine: Engine) -> NDArray[np.intp]:
    """Columns without a value in the rows that count."""
    if data.missing is None:
        return np.empty(0, dtype=np.intp)
    here, suspects = data.in_memory(0), np.flatnonzero(data.missing)
    suspects = suspects[~_filled(suspects, here)]
    if suspects.size and here is not data:
        suspects = suspects[~np.any(engine.map_blocks(partial(_filled, suspects), data), axis=0)]
    return suspects


def _filled(columns: NDArray[np.intp], block: Block) -> NDArray[np.bool_]:
    """Which of these columns have a value in a row of a block that counts."""
    return np.array([not np.isnan(block.x[:, j][block.rows]).all() for j in columns], dtype=bool)


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
    on_fold: Callable[[int, int], None] | None = None,
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
    on_fold : callable or None, default=None
        Called as ``on_fold(folds done, all folds)`` with each λ.
    """
    found = {one: [Evidence()] * len(levels) for one, levels in fits.items()}
    if judged:
        with engine.for_few.open() as here:
            found = left_out(rows.in_memory(MOST_UNLABELED), fits, shrinkage, here, on_fold)
    trials = [
        Trial(one, level, level is not fits[one][-1], proof)
        for one, proofs in found.items()
        for level, proof in zip(fits[one][::-1], proofs[::-1], strict=True)
        if shape_open or level is fits[one][-1]
    ]
    first = next(iter(fits))
    return min(trials, key=lambda one: one.evidence.loss + (DOUBT if one.unlabeled_weight != first else 0.0))


def left_out(
    rows: Data,
    fits: Mapping[float, Sequence[Level]],
    shrinkage: float | None,
    engine: Engine,
    on_fold: Callable[[int, int], None] | None = None,
) -> dict[float, list[Evidence]]:
    """The evidence for each level of the fits by λ that can be judged: the same labeled rows left out."""
    folds = deal(rows, next(iter(fits.values()))[-1])
    if not folds:
        return _no_evidence(rows, fits)
    held_out = np.concatenate(folds)
    truth, weight = rows.labels.hard[held_out], rows.weight[held_out]

    def of_levels(unlabeled_weight: float) -> list[Evidence]:
        levels = fits[unlabeled_weight]
        found = evidence_left_out(levels, shrinkage, rows.weighted(unlabeled_weight), folds, engine, on_fold)
        return [
            judge(each, truth, weight, assumed_shares(rows, level))
            for each, level in zip(found, levels, strict=True)
        ]

    try:
        return for_each(fits, of_levels)
    except ParameterError:  # without a fold a class has fewer rows than components
        return _no_evidence(rows, fits)


def _no_evidence(rows: Data, fits: Mapping[float, Sequence[Level]]) -> dict[float, list[Evidence]]:
    """How far apart the densities put the classes of the labeled rows themselves is all that is known."""
    labeled = np.flatnonzero(rows.labels.is_labeled & (rows.weight > 0))
    nobody, weight = np.zeros(0, dtype=np.intp), rows.weight[labeled]

    def usual(level: Level) -> Evidence:
        evidence = evidence_of(level.mixture, level.fit.params, rows.at(labeled))
        power = usual_power(evidence, weight)
        return judge(evidence[:0], nobody, weight[:0], assumed_shares(rows, level), power)

    return {one: [usual(level) for level in levels] for one, levels in fits.items()}


def assumed_shares(rows: Data, level: Level) -> Array:
    """The class shares that predictions assume, (K,)."""
    return shares_of(level.mixture, level.fit.params, class_rows(rows.labels, rows.weight))


def shares_of(mixture: Mixture, params: Params, count: Array | None) -> Array:
    """What the labels of each class (K,) suggest, where labeled rows are a sample of all; or the model's.

    :func:`semigen.data.weights.estimated_shares` finds the former; the latter come from the unlabeled rows or
    are given.
    """
    if mixture.class_prior.kind == "shared" and count is not None:
        return estimated_shares(count)
    known = np.exp(params.log_group[0, : mixture.n_classes])
    return np.asarray(known / known.sum())


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


def usual_power(evidence: Array, weight: Array) -> float:
    """The power to expect of p(x | class), before labels speak, from evidence (n, K) of some rows."""
    return min(LARGEST_POWER, USUAL / spread(np.maximum(evidence, -FARTHEST), weight))


def judge(
    evidence: Array, truth: NDArray[np.intp], weight: Array, shares: Array, usual: float | None = None
) -> Evidence:
    """How sure ``p_a(k | x) ∝ π_k p(x | k)^a`` may be: the posterior of the power a.

    Parameters
    ----------
    evidence : ndarray of shape (n, K)
        Log p(x | class) of rows that a fit has not seen, nats, but for a constant of each row.
    truth : ndarray of shape (n,)
        Index of the class of each row.
    weight : ndarray of shape (n,)
    shares : ndarray of shape (K,)
        π.
    usual : float or None, default=None
        The usual power, if not that of these rows.
    """
    if usual is None:
        usual = usual_power(evidence, weight)
    powers, chances, loss = power_posterior(usual, [(evidence, truth, weight)], shares, SUREST, TRUST)
    return Evidence(Calibration(powers, chances, shares), loss)


def novel_probability(joint: Array, log_group: Array, n_classes: int) -> Array:
    """p(row belongs to a novel component | x), (n,), from log p(x, group); 0 without novel components."""
    if joint.shape[1] == n_classes:
        return np.zeros(len(joint))
    return np.asarray(np.exp(log_posterior(joint, log_group)[:, -1]))


def warn_if_novelty_is_silent(mixture: Mixture, params: Params, rows: Blocks) -> None:
    """Say that all unlabeled rows are equally novel, where they are."""
    if mixture.n_groups == mixture.n_classes:
        return
    here = rows.in_memory(ROWS_THAT_TELL)
    unlabeled = np.flatnonzero(~here.labels.is_labeled & (here.weight > 0))
    some = here.at(unlabeled[evenly(len(unlabeled), ROWS_THAT_TELL)])
    probability = novel_probability(log_joint(mixture, params, some), params.log_group[0], mixture.n_classes)
    if len(probability) >= ROWS_THAT_TELL // 10 and np.ptp(probability) < ALIKE < 2 * probability.mean():
        text = f"{probability.min():.0%} to {probability.max():.0%}"
        cure = "raise n_init, or take another family or components_per_class"
        if isinstance(mixture.family, Multinomial):
            cure = "let a row count as more words (family=semigen.families.Multinomial(50)) and raise n_init"
        warn(
            f"novel_probability tells nothing: it is {text} for every unlabeled row. To find rows of a class "
            f"that nobody labeled, {cure}.",
            ConvergenceWarning,
        )


def report(unlabeled_weight: float) -> Callable[[int, float], None]:
    """What is printed of a fit with ``verbose=1``."""

    def report(iteration: int, objective: float) -> None:
        if iteration == 1 or iteration % 10 == 0:
            print(
                f"λ = {unlabeled_weight:.3g}  iteration {iteration}  objective {objective:.6f} nats per row"
            )

    return report
