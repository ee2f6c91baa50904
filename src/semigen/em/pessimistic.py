"""Parameters that beat a supervised fit whatever the missing labels are, and a certificate of by how much.

A labeling q gives each unlabeled row class probabilities. The penalized complete log likelihood

    ℓ(θ; q) = Σ_labeled w log p(x, y) + Σ_unlabeled w Σ_k q_k log p(x, k) + log prior(θ)

is linear in q and, for an exponential family in its natural parameters, concave in θ. The contrast with the
supervised fit, C(θ; q) = ℓ(θ; q) - ℓ(θ_sup; q), therefore has a saddle point, at which θ has the largest
guaranteed gain min_q C(θ; q) (Loog 2016, *IEEE TPAMI* 38:462).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.data.blocks import Block, Blocks, Engine
from semigen.em.kernel import given_stats, log_joint, log_likelihood, log_prior, m_step, stats_by_label
from semigen.em.records import Array, Mixture, Params, Stats

SHARE_OF_GAIN = 1e-2
"""A solution is found when no parameters can guarantee more than this share of the gain beyond it."""

EVEN = 0.01
"""Weight of even class probabilities in the first labeling, which so rules out no class of any row."""

LEAST_PROBABILITY = 1e-15
"""Class probabilities below it count as it where they are multiplied: none is lost for good."""

MEMORY, SLOWEST = 0.9, 0.03
"""How much of a row's pace is remembered each time, and the least pace, in means of all rows."""

SMALLEST_STEP = 2.0**-30


@dataclass(frozen=True)
class Pessimistic:
    """A fit that no labeling of the unlabeled rows makes worse than the supervised one.

    Attributes
    ----------
    params : Params
        θ; the supervised ones where ``gain`` is 0.
    gain : float
        Least ``C(θ; q)`` over all labelings q, nats per row (of total weight), computed for these
        parameters: it holds even where ``converged`` is False.
    gap : float
        No parameters guarantee more than ``gain + gap``, nats per row.
    labels : ndarray of shape (unlabeled rows, K)
        The labeling that proves it: class probabilities of the unlabeled rows that count.
    n_iter : int
        Labelings tried.
    converged : bool
        ``gap`` is at most a hundredth of ``gain``, or ``gain + gap`` is at most ``tol``.
    """

    params: Params
    gain: float
    gap: float
    labels: Array
    n_iter: int
    converged: bool


def fit(
    mixture: Mixture,
    prior: Any,
    data: Blocks,
    supervised: Params,
    engine: Engine,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> Pessimistic:
    """Maximize the gain over a supervised fit that every labeling of the unlabeled rows guarantees.

    The saddle point is found from the side of the labeling: ``G(q) = max_θ C(θ; q)``, one M-step, is convex
    with the gradient ``c = w log p(x, k | θ(q)) - w log p(x, k | θ_sup)``, so q goes to ``q exp(-η c)``
    (exponentiated gradient; Kivinen & Warmuth 1997, *Information and Computation* 132:1), with smaller steps
    for rows whose c changes much, and as much of the way as G falls, which the sums of statistics tell
    without a look at the rows. Each θ(q) guarantees ``min_q C``, the sum of each row's least c; the best is
    kept. G(q) bounds what any parameters can guarantee.

    Parameters
    ----------
    mixture
        One component per class, right labels, and a family whose M-step is the exact maximum and whose
        statistics do not depend on the parameters.
    prior
    data
        All rows with the weights that they have here; every class has a labeled row, and labels are of one
        class each.
    supervised : Params
        θ_sup: the maximum of the objective without the unlabeled rows, under the same ``prior``.
    engine : Engine
    max_iter : int, default=200
        At most this many labelings, two passes each over the unlabeled rows.
    tol : float, default=1e-6
        Where no parameters guarantee more than this, nats per row, the supervised ones are returned.
    """
    if data.where(~data.labels.pattern_labeled).n_rows == 0:
        return Pessimistic(supervised, 0.0, 0.0, np.empty((0, mixture.n_classes)), 0, True)
    contrast = _Contrast(mixture, prior, data, supervised, engine)
    step = _Steps(contrast.first_labels(), contrast.weight)
    stats = contrast.stats(step.labels)
    best = supervised
    gain = 0.0
    bound = np.inf
    bounding = step.labels
    n_iter, converged = 0, False
    while n_iter < max_iter:
        n_iter += 1
        params = contrast.maximize(stats)
        by_class = contrast.by_class(params)
        upper, lower = contrast.value(params, stats), contrast.least(params, by_class)
        if upper < bound:
            bound, bounding = upper, step.labels
        if lower > gain:
            best, gain = params, lower
        converged = bound <= max((1.0 + SHARE_OF_GAIN) * gain, tol)
        if converged:
            break
        wanted = step.propose(by_class)
        target = contrast.stats(wanted)
        size = contrast.line_search(stats, target)
        if size == 0.0:
            break
        step.take(size, wanted)
        stats = stats.scaled(1.0 - size).merge(target.scaled(size))
    if bound <= tol:
        best, gain = supervised, 0.0
    return Pessimistic(best, gain, max(bound - gain, 0.0), bounding, n_iter, converged)


class _Contrast:
    """C(θ; q), nats per row."""

    def __init__(
        self, mixture: Mixture, prior: Any, data: Blocks, supervised: Params, engine: Engine
    ) -> None:
        self.mixture, self.prior, self.engine = mixture, prior, engine
        self.supervised = supervised
        has_label = data.labels.pattern_labeled
        self.unlabeled = data.where(~has_label)
        weights = engine.map_blocks(_weights, self.unlabeled)
        self.weight, self.ends = np.concatenate(weights), np.cumsum([len(one) for one in weights])[:-1]
        self.total_weight = data.total_weight
        by_label = np.exp(data.labels.log_table)
        by_label /= by_label.sum(axis=1, keepdims=True)
        of_labels = partial(stats_by_label, mixture, supervised, by_label)
        self.known: Stats = reduce(Stats.merge, engine.map_blocks(of_labels, data.where(has_label)))
        self.joint = self._log_joint(supervised)

    def first_labels(self) -> Array:
        """What the supervised fit says, a little undecided."""
        likely = np.exp(self.joint - self.joint.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        return np.asarray((1.0 - EVEN) * likely + EVEN / self.mixture.n_classes)

    def stats(self, labels: Array) -> Stats:
        """Statistics of all rows, the unlabeled ones as labeled with q (rows, K)."""
        given = partial(given_stats, self.mixture, self.supervised)
        sums: Stats = reduce(
            Stats.merge, self.engine.map_blocks(given, self.unlabeled, np.split(labels, self.ends))
        )
        return self.known.merge(replace(sums, weight=sums.weight[::-1]))

    def maximize(self, stats: Stats) -> Params:
        """θ(q)."""
        return m_step(self.mixture, self.prior, stats, self.supervised)

    def value(self, params: Params, stats: Stats) -> float:
        """C(θ; q) of the labeling that gave ``stats``."""
        gain = self._log_likelihood(params, stats) - self._log_likelihood(self.supervised, stats)
        gain += log_prior(self.mixture, self.prior, params)
        gain -= log_prior(self.mixture, self.prior, self.supervised)
        return gain / self.total_weight

    def by_class(self, params: Params) -> Array:
        """What each class of each unlabeled row adds, log p(x, k | θ) - log p(x, k | θ_sup), (rows, K)."""
        return self._log_joint(params) - self.joint

    def least(self, params: Params, by_class: Array) -> float:
        """Minimum over q of C(θ; q)."""
        worst = float(self.weight @ by_class.min(axis=1))
        return self.value(params, self.known) + worst / self.total_weight

    def line_search(self, here: Stats, there: Stats) -> float:
        """How much of the way to a labeling to go so that G falls: 1, ½, ¼, …; 0 where it cannot fall."""
        size = 1.0
        while size >= SMALLEST_STEP:
            params = self.maximize(here.scaled(1.0 - size).merge(there.scaled(size)))
            # G is convex: where it still falls at the end of a step, it fell all the way
            if self.value(params, there) <= self.value(params, here):
                return size
            size /= 2
        return 0.0

    def _log_likelihood(self, params: Params, stats: Stats) -> float:
        return log_likelihood(self.mixture, params, stats)

    def _log_joint(self, params: Params) -> Array:
        return np.concatenate(
            self.engine.map_blocks(partial(log_joint, self.mixture, params), self.unlabeled)
        )


def _weights(block: Block) -> Array:
    """Weights of the rows that count."""
    return block.weight[block.rows]


class _Steps:
    """Steps of a labeling against what each class adds, at a pace of its own for each row."""

    def __init__(self, labels: Array, weight: Array) -> None:
        self.labels, self.share = labels, weight / weight.sum()
        self.size = 1.0
        self.pace: Array | None = None
        self.last: Array | None = None

    def propose(self, by_class: Array) -> Array:
        """Where a full step leads."""
        log_labels = np.log(np.maximum(self.labels, LEAST_PROBABILITY))
        excess = by_class - by_class.min(axis=1, keepdims=True)
        log_labels -= self.size * excess / self._caution(by_class)
        labels = np.exp(log_labels - log_labels.max(axis=1, keepdims=True))
        return np.asarray(labels / labels.sum(axis=1, keepdims=True))

    def take(self, size: float, wanted: Array) -> None:
        """Go a part of the way; steps grow while all of it is gone and shrink while less than half is."""
        self.labels = (1.0 - size) * self.labels + size * wanted
        if size == 1.0:
            self.size *= 2.0
        elif size < 0.5:
            self.size /= 2.0

    def _caution(self, by_class: Array) -> NDArray[np.float64] | float:
        """How much each row's contrasts change from step to step, relative to all rows, (rows, 1)."""
        if self.last is not None:
            change = np.ptp(by_class - self.last, axis=1, keepdims=True)
            self.pace = change if self.pace is None else MEMORY * self.pace + (1.0 - MEMORY) * change
        self.last = by_class
        if self.pace is None or not self.pace.any():
            return 1.0
        return np.asarray(SLOWEST + self.pace / (self.share @ self.pace))
