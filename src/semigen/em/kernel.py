"""The formulas of EM on a block of labeled and unlabeled rows. Pure functions of records; no engine in them.

For row i with label evidence ``ℓ_ik = log p(label_i | k)`` (0 where unlabeled) the E-step has

    log p(x_i, label_i, c) = ℓ_i,class(c) + log p(class(c)) + log p(c | class(c)) + log p(x_i | c)

and the M-step takes weighted averages with the responsibilities p(c | x_i, label_i) · w_i, w_i being the
row's weight, times λ if it is unlabeled. Where labels are noisy, the evidence is that of the label seen
through p(label | class), :func:`label_evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from semigen.arrays.pieces import Indices, chunks
from semigen.arrays.scratch import kept
from semigen.arrays.special import Floats, LogSums, class_evidence, log_sum_exp, normalize
from semigen.data.blocks import Block
from semigen.data.labels import UNLABELED_PATTERN, Labels
from semigen.em.records import LABELED, UNLABELED, Array, Mixture, Params, Stats
from semigen.families import Walk

MAX_NOVEL_SHARE = 1.0 - 1e-9
"""Known classes keep a probability, so that a row's known class is defined where every row is novel."""


def label_evidence(noise: Array | None, log_table: Array, labeled: NDArray[np.bool_]) -> Array:
    """Log p(label | true class) of P label rows (P, K), ``log Σ_j T[k, j] exp(ℓ_j)``; 0 where unlabeled."""
    if noise is None:
        return log_table
    with np.errstate(divide="ignore"):
        seen = np.log(np.exp(log_table) @ noise.T)
    return np.where(labeled[:, None], seen, 0.0)


def log_offsets(mixture: Mixture, params: Params, log_table: Array, labeled: NDArray[np.bool_]) -> Array:
    """Everything in log p(x, label, c) but log p(x | c), (P, C), of P label rows (P, K)."""
    part = np.where(labeled, LABELED, UNLABELED)
    by_group = params.log_group[part][:, mixture.group]
    evidence = label_evidence(params.noise, log_table, labeled)
    return np.asarray(mixture.log_label(evidence, labeled) + params.log_within + by_group)


def start_walk(mixture: Mixture, params: Params, block: Block, dtype: Any = np.float64) -> Walk:
    """Start a walk over the rows of a block that computes in numbers of some type."""
    return mixture.family.walk(params.family, dtype, block.missing)


def patterns(labels: Labels, piece: Indices | slice) -> Indices:
    """Which label row each row of a chunk has, (rows,), or (1,) where all have the same."""
    found = labels.pattern[piece]
    return found[:1] if labels.are_alike or (found == found[0]).all() else found


def log_joints(
    mixture: Mixture, params: Params, block: Block, walk: Walk, *, quick: bool = False
) -> Iterator[tuple[Indices | slice, Indices, Floats]]:
    """Chunk by chunk: its row numbers, their :func:`patterns` and log p(x, label, c) (C, rows).

    ``quick``: rows too far away may have no numbers.
    """
    labels, joint = block.labels, getattr(walk, "joint", partial(Walk.joint, walk))
    few = len(labels.log_table) <= walk.chunk_rows  # hard labels: one table serves all chunks
    if few:
        table = log_offsets(mixture, params, labels.log_table, labels.pattern_labeled).T
    known: dict[int, Callable[[Any], Floats]] = {}
    for piece in chunks(block.rows_by_pattern, walk.chunk_rows):
        pattern, x = patterns(labels, piece), block.x[piece]
        if quick and few and len(pattern) == 1:
            number = int(pattern[0])
            if number not in known:
                known[number] = joint(table[:, pattern])
            values = known[number](x)
        else:
            if few:
                offsets = table[:, pattern]
            else:
                its, labeled = labels.log_table[pattern], pattern != UNLABELED_PATTERN
                offsets = log_offsets(mixture, params, its, labeled).T
            values = walk.log_prob(x)
            values += offsets.astype(values.dtype, copy=False)
        yield piece, pattern, values


def responsibilities(
    mixture: Mixture, params: Params, block: Block, walk: Walk
) -> Iterator[tuple[Indices | slice, Floats, Floats]]:
    """Chunk by chunk: its row numbers, p(c | x, label) (C, rows) and log p(x, label) (rows,)."""
    for piece, _, values in log_joints(mixture, params, block, walk):
        yield piece, *normalize(values)


@kept()
def e_step(mixture: Mixture, params: Params, block: Block, dtype: Any = np.float64) -> Stats:
    """Expected statistics of a block under the current parameters.

    ``dtype`` float32 is faster where a family computes in it, and good to about six digits. The quick way
    looks for no row that is too far away for numbers; where there is one the log-likelihood is none, either.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        stats = _expected(mixture, params, block, dtype, quick=True)
    if not np.isfinite(stats.log_lik):
        stats = _expected(mixture, params, block, dtype, quick=False)
    return stats


def _expected(mixture: Mixture, params: Params, block: Block, dtype: Any, *, quick: bool) -> Stats:
    """The statistics, in one walk."""
    walk = start_walk(mixture, params, block, dtype)
    parts = np.zeros((2, mixture.n_components))
    noise = no_label_counts(mixture)
    log_sums = None
    known = block.labels.are_alike and getattr(walk, "mass", None) is not None
    for piece, pattern, values in log_joints(mixture, params, block, walk, quick=quick):
        log_sums = log_sums or LogSums(len(block.rows), values.dtype)
        resp = log_sums.shares(values, block.weight[piece])
        walk.add(resp)
        if not known:
            add_parts(parts, resp, pattern)
        if noise is not None:
            each = block.labels.pattern[piece]
            noise += label_counts(mixture, params, block.labels.log_table, each, resp)
    log_lik = 0.0
    if log_sums is not None:
        if known:
            parts[UNLABELED if pattern[0] == UNLABELED_PATTERN else LABELED] = walk.mass
        weight = block.weight[block.rows_by_pattern]
        log_lik = float(weight @ log_sums.log().astype(np.float64, copy=False))
    return Stats(parts, log_lik, walk.stats(), noise)


def entropy(mixture: Mixture, params: Params, block: Block) -> float:
    """``-Σ w Σ_c r log r``, nats, of the responsibilities r = p(c | x, label)."""
    total = 0.0
    for piece, resp, _ in responsibilities(mixture, params, block, start_walk(mixture, params, block)):
        total -= float(xlogy(resp, resp).sum(axis=0) @ block.weight[piece])
    return total


def given_stats(mixture: Mixture, params: Params, block: Block, resp: Array) -> Stats:
    """Statistics of a block with given responsibilities (rows that count, C), as at a start."""
    walk = start_walk(mixture, params, block)
    parts = np.zeros((2, mixture.n_components))
    done = 0
    for piece in chunks(block.rows, walk.chunk_rows):
        size = walk.log_prob(block.x[piece]).shape[1]
        weighted = (resp[done : done + size] * block.weight[piece][:, None]).T
        walk.add(np.ascontiguousarray(weighted))
        add_parts(parts, weighted, block.labels.pattern[piece])
        done += size
    return Stats(parts, 0.0, walk.stats())


def stats_by_label(mixture: Mixture, params: Params, resp_by_pattern: Array, block: Block) -> Stats:
    """Statistics of a block whose responsibilities follow from the labels alone, (P, C)."""
    return given_stats(mixture, params, block, resp_by_pattern[block.labels.pattern[block.rows]])


def add_parts(parts: Array, resp: Floats, pattern: Indices) -> None:
    """Add the responsibilities (C, rows) of labeled and of unlabeled rows to ``parts`` (2, C).

    ``pattern`` is that of each row, or one for all.
    """
    total = np.add.reduce(resp, axis=1, dtype=np.float64)
    if len(pattern) == 1:
        parts[UNLABELED if pattern[0] == UNLABELED_PATTERN else LABELED] += total
        return
    labeled = pattern != UNLABELED_PATTERN
    if labeled.all():
        parts[LABELED] += total
        return
    part = resp[:, labeled].sum(axis=1, dtype=np.float64) if labeled.any() else 0.0
    parts[LABELED] += part
    parts[UNLABELED] += total - part


def no_label_counts(mixture: Mixture) -> Array | None:
    """Zeros (K, K) to add :func:`label_counts` to, or None where no label noise is learned."""
    if mixture.label_noise is None or not mixture.label_noise.estimated:
        return None
    return np.zeros((mixture.n_classes, mixture.n_classes))


def label_counts(mixture: Mixture, params: Params, log_table: Array, pattern: Indices, resp: Floats) -> Array:
    """Expected weight of rows of class k with label j, (K, K): r_k T[k, j] e_j / Σ_j T[k, j] e_j."""
    labeled = pattern != UNLABELED_PATTERN
    noise = np.asarray(params.noise)
    of_class = np.zeros((mixture.n_classes, int(labeled.sum())))
    known = mixture.group < mixture.n_classes
    np.add.at(of_class, mixture.group[known], resp[known][:, labeled])
    likelihood = np.exp(log_table[pattern[labeled]])
    seen = likelihood @ noise.T
    share = of_class.T / seen  # an estimated T is positive
    return np.asarray(noise * (share.T @ likelihood))


def m_step(mixture: Mixture, prior: Any, stats: Stats, params: Params) -> Params:
    """Parameters that maximize (or at least do not lower) the expected log posterior."""
    log_within, log_group = _weights(mixture, stats.weight)
    noise = params.noise
    if mixture.label_noise is not None and stats.noise is not None:
        counts = stats.noise + mixture.label_noise.pseudo_labels
        noise = counts / counts.sum(axis=1, keepdims=True)
    return Params(log_group, log_within, mixture.family.m_step(prior, stats.family, params.family), noise)


def log_prior(mixture: Mixture, prior: Any, params: Params) -> float:
    """Log density of the parameters under their prior, up to a constant, nats."""
    total = mixture.family.log_prior(prior, params.family)
    if mixture.label_noise is not None and mixture.label_noise.estimated:
        total += float((mixture.label_noise.pseudo_labels * np.log(np.asarray(params.noise))).sum())
    return total


def _weights(mixture: Mixture, weight: Array) -> tuple[Array, Array]:
    """Log p(c | group) (C,) and log p(group) (2, G), their maximum likelihood."""
    n_groups, n_classes = mixture.n_groups, mixture.n_classes
    total = np.zeros((2, n_groups))
    for part in (UNLABELED, LABELED):
        np.add.at(total[part], mixture.group, weight[part])
    group_total = total.sum(axis=0)[mixture.group]
    members = np.bincount(mixture.group)[mixture.group]
    within = np.where(
        group_total > 0, weight.sum(axis=0) / np.where(group_total > 0, group_total, 1), 1 / members
    )

    novel = total[UNLABELED, n_classes:].sum()
    novel_share = novel / total[UNLABELED].sum() if total[UNLABELED].sum() > 0 else 0.0
    novel_share = min(novel_share, MAX_NOVEL_SHARE)
    known = np.vstack([_class_probs(mixture, total[:, :n_classes], part) for part in (UNLABELED, LABELED)])
    group = np.zeros((2, n_groups))
    group[:, :n_classes] = known
    if n_groups > n_classes:
        group[UNLABELED] *= 1.0 - novel_share
        group[UNLABELED, n_classes:] = novel_share
    with np.errstate(divide="ignore"):
        return np.log(within), np.log(group)


def _class_probs(mixture: Mixture, total: Array, part: int) -> Array:
    """p(class | known class) of one part of the data, (K,)."""
    prior = mixture.class_prior
    if prior.values is not None:
        return prior.values
    counts = total[part] if prior.kind == "unlabeled" and total[part].sum() > 0 else total.sum(axis=0)
    probs = np.asarray(counts / counts.sum())
    return probs if prior.held is None or part == LABELED else hold(probs, *prior.held)


def hold(probs: Array, k: int, value: float) -> Array:
    """Probabilities with the k-th set to ``value`` and the others in their proportions, (K,)."""
    others = np.delete(probs, k)
    others = others / others.sum() if others.any() else np.full(len(others), 1.0 / len(others))
    return np.insert((1.0 - value) * others, k, value)


def log_likelihood(mixture: Mixture, params: Params, stats: Stats) -> float:
    """``Σ w log p(x, y)`` of rows with known component, from their statistics."""
    log_weight = params.log_within + params.log_group[LABELED][mixture.group]
    used = stats.weight[LABELED] > 0
    fixed = float(stats.weight[LABELED][used] @ log_weight[used])
    return fixed + mixture.family.log_likelihood(params.family, stats.family)


def _joint_of_unlabeled(mixture: Mixture, params: Params, block: Block) -> Iterator[tuple[slice, Any, Array]]:
    """Chunk by chunk: where its rows stand among those that count, the rows, and log p(x, c) (C, rows)."""
    walk = start_walk(mixture, params, block)
    offset = params.log_within + params.log_group[UNLABELED][mixture.group]
    done = 0
    for piece in chunks(block.rows, walk.chunk_rows):
        chunk = block.x[piece]
        by_component = np.asarray(walk.log_prob(chunk) + offset[:, None])
        here = slice(done, done + by_component.shape[1])
        done = here.stop
        yield here, chunk, by_component


def log_joint(mixture: Mixture, params: Params, block: Block) -> Array:
    """Log p(x, group) of the rows that count, whatever their labels, (rows, G), nats."""
    result = np.empty((len(block.rows), mixture.n_groups))
    members = [mixture.group == group for group in range(mixture.n_groups)]
    for here, _, by_component in _joint_of_unlabeled(mixture, params, block):
        for group, mine in enumerate(members):
            result[here, group] = log_sum_exp(by_component[mine])
    return result


def evidence_of(mixture: Mixture, params: Params, block: Block) -> Array:
    """What the columns of the rows that count say of their class, (rows, K): :func:`class_evidence`."""
    joint = log_joint(mixture, params, block)[:, : mixture.n_classes]
    return class_evidence(joint, params.log_group[UNLABELED, : mixture.n_classes])


def impute(mixture: Mixture, params: Params, block: Block, rng: np.random.Generator | None = None) -> Array:
    """The rows that count with their missing values filled in, given the observed ones and no label.

    Without ``rng`` a missing value becomes its expectation (the mode of a flag or a category) over all
    components, weighted with p(c | observed values). With it each row draws a component from these
    probabilities and its missing values from that component, given the observed ones.

    Parameters
    ----------
    mixture, params
    block : Block
        NaN where missing.
    rng : Generator or None, default=None
        Blocks that draw at the same time need one each.

    Returns
    -------
    ndarray of shape (rows, D), float64
    """
    family = mixture.family
    result = np.empty((len(block.rows), block.x.shape[1]))
    for here, chunk, by_component in _joint_of_unlabeled(mixture, params, block):
        cells = np.asarray(chunk, dtype=np.float64)
        resp, _ = normalize(by_component)
        if rng is None:
            result[here] = family.expect_missing(params.family, cells, np.asarray(resp, dtype=np.float64))
        else:
            components = (resp.cumsum(axis=0) <= rng.random(resp.shape[1])).sum(axis=0)
            last = len(resp) - 1  # rounding can leave the sum of all below the number drawn
            result[here] = family.draw_missing(params.family, cells, np.minimum(components, last), rng)
    return result
