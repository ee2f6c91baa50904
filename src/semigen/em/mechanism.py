"""Labels that are missing where the class of a row is uncertain: the missingness indicator as data.

With H_i the entropy of p(class | x_i) under the current parameters, a row is unlabeled with probability
``q_i = logistic(ξ₀ + ξ₁ log(H_i + 10⁻⁴))``, and the objective gains

    M(θ, ξ) = Σ_unlabeled w log q_i + Σ_labeled w log(1 - q_i).

Since ``∂M/∂ log p(x_i, c) = g_ic = -w_i (m_i - q_i) ξ₁ / (H_i + 10⁻⁴) · τ_ic (log τ_i,class(c) + H_i)``, with
τ = p(c | x_i) and m_i = 1 for unlabeled rows, a stationary point of the whole objective is a fixed point of
the M-step with responsibilities r + g in place of r, whatever the family. An M-step from statistics that
move part of the way to those of r + g climbs if the part is small enough, so it is halved until the
objective does not fall. ξ is at its maximum for each θ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logit, xlogy
from scipy.stats import chi2

from semigen.arrays.pieces import Indices, chunks
from semigen.arrays.special import Floats, normalize
from semigen.data.blocks import Block, Blocks, Engine
from semigen.data.labels import UNLABELED_PATTERN
from semigen.em.kernel import (
    add_parts,
    label_counts,
    log_offsets,
    log_prior,
    m_step,
    no_label_counts,
    start_walk,
)
from semigen.em.loop import Fit
from semigen.em.loop import fit as fit_at_random
from semigen.em.records import UNLABELED, Array, Mixture, Params, Stats
from semigen.families import Walk

ENTROPY_FLOOR = 1e-4
"""Nats. Rows whose class is surer are all alike: their entropies say how thin the densities' tails are."""

RISE = 1e-3
"""Nats. Both fits of a likelihood ratio go on until the whole log likelihood rises by less."""

SMALLEST_STEP = 2.0**-10
NEWTON_STEPS = 50
FLAT = 1e-12
"""Nats per row. Newton's method ends where a step gains less, also where the maximum is at infinity."""


@dataclass(frozen=True)
class LabelMechanism:
    """Whether labels are missing where classes are uncertain.

    Attributes
    ----------
    intercept, slope : float
        ξ₀ and ξ₁ of ``P(unlabeled | x) = logistic(ξ₀ + ξ₁ log(H + 10⁻⁴))``, H the entropy of the class
        posterior in nats. A positive slope: uncertain rows are more often unlabeled.
    log_likelihood_at_random, log_likelihood : float
        Maximum of the whole log posterior, nats: with a slope of 0, which is labels missing completely at
        random, and with this mechanism.
    statistic : float
        Twice their difference.
    p_value : float
        Of a slope of 0: the probability of a larger statistic under χ² with one degree of freedom.
    """

    intercept: float
    slope: float
    log_likelihood_at_random: float
    log_likelihood: float
    statistic: float
    p_value: float

    def __str__(self) -> str:
        return (
            f"log-odds of a missing label: {self.intercept:.3g} {self.slope:+.3g} · log(entropy + 0.0001)\n"
            "slope 0 (missing completely at random): likelihood ratio "
            f"{self.statistic:.4g}, p = {self.p_value:.3g}"
        )


def fit(
    mixture: Mixture,
    prior: Any,
    data: Blocks,
    found: Fit,
    engine: Engine,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> tuple[Fit, LabelMechanism | None]:
    """Maximize the objective of :func:`semigen.em.fit` plus M(θ, ξ) / total weight, from that fit.

    With labels missing completely at random, ξ₁ = 0, M does not depend on θ: the path is the fit's, then
    further to its maximum, then that with the mechanism. Where every row is labeled or none is, there is no
    mechanism.

    Ahfock & McLachlan (2020), *Statistics and Computing* 30:1779; log H as in Lyu, Ahfock, Thompson &
    McLachlan (2023, arXiv:2302.13206).

    Parameters
    ----------
    mixture, prior, data, engine
        As there. The class prior is the same in both parts, and there are no novel components.
    found : Fit
        The maximum without a mechanism.
    max_iter : int, default=200
        At most this many M-steps for each of the two fits.
    tol : float, default=1e-6
        Stop when the objective rises by less, nats per row, or by 10⁻³ nats in all if that is less.
    """
    total_weight = data.total_weight
    tol = min(tol, RISE / total_weight)
    null = fit_at_random(mixture, prior, data, found.params, engine, max_iter=max_iter, tol=tol)
    null = replace(null, path=np.concatenate([found.path[:-1], null.path]))
    share = data.where(~data.labels.pattern_labeled).total_weight / total_weight
    if not 0.0 < share < 1.0:
        return null, None
    climb = _Climb(mixture, prior, data, engine)
    path = (null.path + xlogy(share, share) + xlogy(1.0 - share, 1.0 - share)).tolist()
    at_random = path[-1]
    point = climb.look(null.params)
    path[-1] = point.objective
    here = climb.statistics(_Point(point.params, (0.0, 0.0), at_random))
    size, converged = 1.0, False
    for _ in range(max_iter):
        step = climb.step(point, here, size)
        if step is None:
            converged = True
            break
        better, here, size = step
        rise, point = better.objective - point.objective, better
        path.append(point.objective)
        if rise < tol * size:
            converged = True
            break
        size = min(1.0, 2.0 * size)
    statistic = 2.0 * total_weight * max(point.objective - at_random, 0.0)
    report = LabelMechanism(
        *point.logistic,
        total_weight * at_random,
        total_weight * point.objective,
        statistic,
        float(chi2.sf(statistic, 1)),
    )
    return Fit(point.params, np.asarray(path), converged and null.converged), report


@dataclass(frozen=True)
class _Point:
    """Parameters θ, the best ξ for them, and the objective there, nats per row."""

    params: Params
    logistic: tuple[float, float]
    objective: float


class _Climb:
    """Steps up the whole objective."""

    def __init__(self, mixture: Mixture, prior: Any, data: Blocks, engine: Engine) -> None:
        self.mixture = mixture
        self.prior = prior
        self.data = data
        self.engine = engine
        weights, unlabeled = zip(*engine.map_blocks(_weights_and_labels, data), strict=True)
        self.weight, self.unlabeled = np.concatenate(weights), np.concatenate(unlabeled)

    def look(self, params: Params) -> _Point:
        """The objective, at its maximum over ξ."""
        parts = self.engine.map_blocks(partial(_log_lik_and_scores, self.mixture, params), self.data)
        logistic, log_missing = logistic_maximum(
            np.concatenate([scores for _, scores in parts]), self.unlabeled, self.weight
        )
        total = sum(log_lik for log_lik, _ in parts) + log_missing
        total += log_prior(self.mixture, self.prior, params)
        return _Point(params, logistic, float(total) / float(self.weight.sum()))

    def statistics(self, point: _Point) -> Stats:
        """Statistics of the responsibilities r + g."""
        signed = partial(_signed_stats, self.mixture, point.params, point.logistic)
        parts: list[Stats] = self.engine.map_blocks(signed, self.data)
        return reduce(Stats.merge, parts)

    def step(self, point: _Point, here: Stats, size: float) -> tuple[_Point, Stats, float] | None:
        """A better point, the statistics that gave it and the part of the way taken; None at the top.

        ``here`` are the statistics that ``point`` came from.
        """
        wanted = self.statistics(point)
        while size >= SMALLEST_STEP:
            stats = here.scaled(1.0 - size).merge(wanted.scaled(size))
            if (stats.weight.sum(axis=0) >= 0).all():
                with np.errstate(
                    all="ignore"
                ):  # statistics of no rows at all can come out; they do not climb
                    found = self.look(m_step(self.mixture, self.prior, stats, point.params))
                if found.objective >= point.objective:
                    return found, stats, size
            size /= 2
        return None


def _weights_and_labels(block: Block) -> tuple[Array, NDArray[np.bool_]]:
    """Weights of the rows of a block, and which are unlabeled."""
    rows = block.rows_by_pattern
    return block.weight[rows], ~block.labels.is_labeled[rows]


def _log_lik_and_scores(mixture: Mixture, params: Params, block: Block) -> tuple[float, Array]:
    """``Σ w log p(row)`` of a block, and the score of each row."""
    log_lik, scores = 0.0, []
    for one in posteriors(mixture, params, block, start_walk(mixture, params, block)):
        log_lik += float(block.weight[one.piece] @ one.log_prob)
        scores.append(score(one.entropy))
    return log_lik, np.concatenate(scores)


def _signed_stats(mixture: Mixture, params: Params, logistic: tuple[float, float], block: Block) -> Stats:
    """Statistics of a block with the responsibilities r + g."""
    walk = start_walk(mixture, params, block)
    parts = np.zeros((2, mixture.n_components))
    noise = no_label_counts(mixture)
    for one in posteriors(mixture, params, block, walk):
        weight, pattern = block.weight[one.piece], block.labels.pattern[one.piece]
        resp = one.resp * weight
        if noise is not None:
            noise += label_counts(mixture, params, block.labels.log_table, pattern, resp)
        resp += gradient(mixture, one, pattern == UNLABELED_PATTERN, weight, logistic)
        walk.add(resp)
        add_parts(parts, resp, pattern)
    return Stats(parts, 0.0, walk.stats(), noise)


@dataclass(frozen=True)
class Posteriors:
    """What a chunk of rows says of components and classes.

    Attributes
    ----------
    piece : row numbers
    resp : ndarray of shape (C, rows)
        p(c | x, label).
    log_prob : ndarray of shape (rows,)
        log p(x, label), or log p(x) where unlabeled.
    tau : ndarray of shape (C, rows)
        p(c | x), as if no row were labeled.
    log_class : ndarray of shape (C, rows)
        log p(class(c) | x).
    entropy : ndarray of shape (rows,)
        Of p(class | x), nats.
    """

    piece: Indices | slice
    resp: Floats
    log_prob: Floats
    tau: Floats
    log_class: Floats
    entropy: Array


def posteriors(mixture: Mixture, params: Params, block: Block, walk: Walk) -> Iterator[Posteriors]:
    """Chunk by chunk what rows say, labeled ones with and without their label."""
    labels = block.labels
    no_label = (params.log_within + params.log_group[UNLABELED][mixture.group])[:, None]
    members = np.equal(mixture.group, np.arange(mixture.n_classes)[:, None]).astype(np.float64)
    for piece in chunks(block.rows_by_pattern, walk.chunk_rows):
        pattern = labels.pattern[piece]
        log_prob = walk.log_prob(block.x[piece])
        offsets = log_offsets(mixture, params, labels.log_table[pattern], pattern != UNLABELED_PATTERN)
        tau, _ = normalize(np.asarray(log_prob + no_label))
        resp, log_row = normalize(np.asarray(log_prob + offsets.T))
        classes = members @ tau
        entropy = -xlogy(classes, classes).sum(axis=0)
        with np.errstate(divide="ignore"):
            log_class = np.log(classes)[mixture.group]
        yield Posteriors(piece, resp, log_row, tau, log_class, entropy)


def score(entropy: Array) -> Array:
    """What a missing label depends on, ``log(H + 10⁻⁴)``."""
    return np.asarray(np.log(np.maximum(entropy, 0.0) + ENTROPY_FLOOR))


def gradient(
    mixture: Mixture,
    one: Posteriors,
    unlabeled: NDArray[np.bool_],
    weight: Array,
    logistic: tuple[float, float],
) -> Array:
    """The derivative g of M with respect to log p(x_i, c), (C, rows); over the components it sums to 0."""
    intercept, slope = logistic
    residual = unlabeled - expit(intercept + slope * score(one.entropy))
    steepness = weight * residual * slope / (one.entropy + ENTROPY_FLOOR)
    surprise = np.where(one.tau > 0, one.log_class + one.entropy, 0.0)
    return np.asarray(-steepness * one.tau * surprise)


def logistic_maximum(
    scores: Array, unlabeled: NDArray[np.bool_], weight: Array
) -> tuple[tuple[float, float], float]:
    """Maximum likelihood of ``P(unlabeled) = logistic(ξ₀ + ξ₁ score)``: (ξ₀, ξ₁) and the log likelihood.

    Newton's method, halving steps that fall. Where the scores separate the two kinds of rows, ξ₁ is large
    but finite; where all scores are equal, it is 0.
    """
    total = float(weight.sum())
    center = float(weight @ scores) / total
    spread = float(np.sqrt(weight @ (scores - center) ** 2 / total))
    standard = (scores - center) / spread if spread > 0 else np.zeros_like(scores)

    def log_lik(value: Array) -> float:
        log_odds = value[0] + value[1] * standard
        return float(weight @ log_expit(np.where(unlabeled, log_odds, -log_odds)))

    value = np.array([logit(float(weight @ unlabeled) / total), 0.0])
    best = log_lik(value)
    for _ in range(NEWTON_STEPS if spread > 0 else 0):
        prob = expit(value[0] + value[1] * standard)
        residual, spreads = weight * (unlabeled - prob), weight * prob * (1.0 - prob)
        cross = float(spreads @ standard)
        curvature = np.array([[spreads.sum(), cross], [cross, spreads @ standard**2]])
        slope = np.array([residual.sum(), residual @ standard])
        step = np.linalg.solve(curvature + FLAT * total * np.eye(2), slope)
        while log_lik(value + step) < best and np.abs(step).max() > FLAT:
            step = step / 2
        reached = log_lik(value + step)
        if reached <= best + FLAT * total:
            break
        value, best = value + step, reached
    steep = float(value[1]) / (spread if spread > 0 else 1.0)
    return (float(value[0]) - steep * center, steep), best
