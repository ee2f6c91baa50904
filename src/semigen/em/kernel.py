"""The formulas of EM on labelled and unlabelled rows. Pure functions of records; no engine in them.

For row i with label evidence ``ℓ_ik = log p(label_i | k)`` (0 where unlabelled) the E-step has

    log p(x_i, label_i, c) = ℓ_i,class(c) + log p(class(c)) + log p(c | class(c)) + log p(x_i | c)

and the M-step takes weighted averages with the responsibilities p(c | x_i, label_i) · w_i, w_i being the
row's weight, times λ if it is unlabelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from semigen.arrays.pieces import chunks
from semigen.arrays.special import Floats, log_sum_exp, normalise
from semigen.em.records import LABELED, UNLABELED, Array, Data, Mixture, Params, Rows, Stats
from semigen.families import Walk
from semigen.labels import UNLABELED_PATTERN

MAX_NOVEL_SHARE = 1.0 - 1e-9
"""Known classes keep a probability, so that a row's known class is defined where every row is novel."""


def log_offsets(mixture: Mixture, params: Params, log_table: Array, labelled: NDArray[np.bool_]) -> Array:
    """Everything in log p(x, label, c) but log p(x | c), (P, C), of P label rows (P, K)."""
    part = np.where(labelled, LABELED, UNLABELED)
    by_group = params.log_group[part][:, mixture.group]
    return np.asarray(mixture.log_label(log_table, labelled) + params.log_within + by_group)


def responsibilities(
    mixture: Mixture, params: Params, data: Data, rows: Rows, walk: Walk
) -> Iterator[tuple[Rows | slice, Floats, Floats]]:
    """Chunk by chunk: its row numbers, p(c | x, label) (C, rows) and log p(x, label) (rows,)."""
    labels = data.labels
    few = len(labels.log_table) <= walk.chunk_rows  # hard labels: one table serves all chunks
    if few:
        of_pattern = log_offsets(mixture, params, labels.log_table, labels.pattern_labeled)
    for piece in chunks(rows, walk.chunk_rows):
        pattern = labels.pattern[piece]
        values = walk.log_prob(data.x[piece])
        if few and (pattern == pattern[0]).all():
            offsets = of_pattern[pattern[:1]]
        elif few:
            offsets = of_pattern[pattern]
        else:
            offsets = log_offsets(mixture, params, labels.log_table[pattern], pattern != UNLABELED_PATTERN)
        values += offsets.T.astype(values.dtype, copy=False)
        yield piece, *normalise(values)


def e_step(mixture: Mixture, params: Params, data: Data, rows: Rows) -> Stats:
    """Expected statistics of some rows under the current parameters."""
    walk = mixture.family.walk(params.family, data.x.dtype)
    parts = np.zeros((2, mixture.n_components))
    log_lik = 0.0
    for piece, resp, log_prob in responsibilities(mixture, params, data, rows, walk):
        weight = data.weight[piece]
        log_lik += float(weight @ log_prob.astype(np.float64, copy=False))
        resp *= weight.astype(resp.dtype, copy=False)
        walk.add(resp)
        _add_parts(parts, resp, data.labels.pattern[piece])
    return Stats(parts, log_lik, walk.stats())


def entropy(mixture: Mixture, params: Params, data: Data, rows: Rows) -> float:
    """``-Σ w Σ_c r log r``, nats, of the responsibilities r = p(c | x, label)."""
    walk = mixture.family.walk(params.family, data.x.dtype)
    total = 0.0
    for piece, resp, _ in responsibilities(mixture, params, data, rows, walk):
        total -= float(xlogy(resp, resp).sum(axis=0) @ data.weight[piece])
    return total


def given_stats(mixture: Mixture, params: Params, data: Data, rows: Rows, resp: Array) -> Stats:
    """Statistics of rows whose responsibilities (len(rows), C) are given, as at a start."""
    walk = mixture.family.walk(params.family, data.x.dtype)
    parts = np.zeros((2, mixture.n_components))
    done = 0
    for piece in chunks(rows, walk.chunk_rows):
        size = walk.log_prob(data.x[piece]).shape[1]
        weighted = (resp[done : done + size] * data.weight[piece][:, None]).T
        walk.add(np.ascontiguousarray(weighted))
        _add_parts(parts, weighted, data.labels.pattern[piece])
        done += size
    return Stats(parts, 0.0, walk.stats())


def _add_parts(parts: Array, resp: Floats, pattern: NDArray[np.intp]) -> None:
    labelled = pattern != UNLABELED_PATTERN
    total = resp.sum(axis=1, dtype=np.float64)
    part = resp[:, labelled].sum(axis=1, dtype=np.float64) if labelled.any() else 0.0
    parts[LABELED] += part
    parts[UNLABELED] += total - part


def m_step(mixture: Mixture, prior: Any, stats: Stats, params: Params) -> Params:
    """Parameters that maximise (or at least do not lower) the expected log posterior."""
    log_within, log_group = _weights(mixture, stats.weight)
    return Params(log_group, log_within, mixture.family.m_step(prior, stats.family, params.family))


def _weights(mixture: Mixture, weight: Array) -> tuple[Array, Array]:
    """Log p(c | group) (C,) and log p(group) (2, G), their maximum likelihood."""
    n_groups, n_classes = mixture.n_groups, mixture.n_classes
    total = np.zeros((2, n_groups))
    for part in (UNLABELED, LABELED):
        np.add.at(total[part], mixture.group, weight[part])
    group_total = total.sum(axis=0)[mixture.group]
    members = np.bincount(mixture.group, minlength=n_groups)[mixture.group]
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
    return np.asarray(counts / counts.sum())


def log_likelihood(mixture: Mixture, params: Params, stats: Stats) -> float:
    """``Σ w log p(x, y)`` of rows with known component, from their statistics."""
    log_weight = params.log_within + params.log_group[LABELED][mixture.group]
    used = stats.weight[LABELED] > 0
    fixed = float(stats.weight[LABELED][used] @ log_weight[used])
    return fixed + mixture.family.log_likelihood(params.family, stats.family)


def log_joint(mixture: Mixture, params: Params, x: Any, rows: Rows) -> Array:
    """Log p(x, group) of unlabelled rows, (len(rows), G), nats."""
    walk = mixture.family.walk(params.family, x.dtype)
    offset = params.log_within + params.log_group[UNLABELED][mixture.group]
    result = np.empty((len(rows), mixture.n_groups))
    done = 0
    for piece in chunks(rows, walk.chunk_rows):
        by_component = walk.log_prob(x[piece]) + offset[:, None]
        size = by_component.shape[1]
        for group in range(mixture.n_groups):
            members = mixture.group == group
            result[done : done + size, group] = log_sum_exp(by_component[members])
        done += size
    return result
