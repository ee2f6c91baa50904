"""Where EM starts: the labeled rows, and for components that no label names, rows that lie far from them.

Or where another fit ended.
"""

from __future__ import annotations

import warnings
from dataclasses import fields, is_dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices
from semigen.data.blocks import Block, Blocks, Data, Engine
from semigen.data.labels import Labels
from semigen.em.kernel import given_stats, label_evidence, m_step, stats_by_label
from semigen.em.records import LABELED, Array, Mixture, Params, Stats
from semigen.exceptions import ConvergenceWarning, ParameterError

MAX_SEED_ROWS = 5000
"""Unlabeled rows that a start uses, and labeled rows that it compares them with; of more, a sample."""


def start(
    mixture: Mixture,
    prior: Any,
    data: Blocks,
    engine: Engine,
    rng: np.random.Generator,
    *,
    perturb: bool = False,
) -> Params:
    """Parameters to start from.

    A class with one component starts from its labeled rows. A class with several starts from the clusters
    (k-means) of its labeled rows and the unlabeled rows nearest to them. Classes without labeled rows
    and novel components start from unlabeled rows far from every labeled row and from each other, or
    without weight where there are no such rows.

    Parameters
    ----------
    mixture, prior, data, engine
    rng : Generator
    perturb : bool, default=False
        Add a random half of the unlabeled rows, each to the class of its nearest labeled row: a different
        start for a restart.

    Raises
    ------
    ParameterError
        If a class has more components than distinct rows to start them from.
    """
    seeds = _Seeds(mixture, prior, data, engine, rng)
    reference = _reference(mixture, prior)
    if seeds.needed or perturb:
        parts = [given_stats(mixture, reference, *one) for one in seeds.collect(perturb)]
    else:
        by_label = seeds.class_probs[:, mixture.group]
        of_labels = partial(stats_by_label, mixture, reference, by_label)
        parts = engine.reduce_blocks(of_labels, Stats.merge, seeds.labeled)
    params = m_step(mixture, prior, reduce(Stats.merge, parts), reference)
    if seeds.nameless.any():
        params = replace(params, log_group=seeds.log_group())
    return params


def restart(mixture: Mixture, prior: Any, params: Params) -> Params:
    """Where another fit of the mixture ended, as parameters to start from.

    Rows and weights, and with them the prior, can be others now: parameters that this prior does not allow
    are moved to its bounds.

    Parameters
    ----------
    mixture, prior
    params : Params
        Of a fit with the same groups of components and :func:`alive`.

    Raises
    ------
    ParameterError
        If they are those of another family, covariance shape or number of columns.
    """
    reference = mixture.family.reference(prior, mixture.n_components)
    if _form(params.family) != _form(reference):
        raise ParameterError(
            "the fit to go on from has another family, covariance or number of levels than this one: start "
            "afresh (warm_start=False), or leave them as they were."
        )
    noise = None if mixture.label_noise is None else mixture.label_noise.matrix
    if mixture.label_noise is not None and mixture.label_noise.estimated and params.noise is not None:
        noise = params.noise
    return replace(params, family=mixture.family.moved(prior, params.family), noise=noise)


def alive(mixture: Mixture, params: Params) -> bool:
    """Whether every component has weight, in each part of the rows that it can have rows in.

    EM never gives any to one without.
    """
    weight = params.log_within + params.log_group[:, mixture.group]
    weight[LABELED, mixture.group == mixture.n_classes] = 0.0  # novel components have no labels
    return bool(np.isfinite(weight).all())


def _form(record: Any) -> Any:
    """Types and shapes of everything in a record of parameters."""
    if is_dataclass(record):
        return type(record), *(_form(getattr(record, field.name)) for field in fields(record))
    return tuple(map(_form, record)) if isinstance(record, tuple) else np.shape(record)


def _reference(mixture: Mixture, prior: Any) -> Params:
    """Parameters before any row was seen."""
    return Params(
        np.zeros((2, mixture.n_groups)),
        np.zeros(mixture.n_components),
        mixture.family.reference(prior, mixture.n_components),
        None if mixture.label_noise is None else mixture.label_noise.matrix,
    )


class _Seeds:
    """Rows to start from and the components they start."""

    def __init__(
        self, mixture: Mixture, prior: Any, data: Blocks, engine: Engine, rng: np.random.Generator
    ) -> None:
        self.mixture, self.prior, self.rng = mixture, prior, rng
        self.classes = data.labels.classes
        has_label = data.labels.pattern_labeled
        self.labeled, self.unlabeled = data.where(has_label), data.where(~has_label)
        self.class_probs = _class_probs(mixture, data.labels)
        # with label noise every label may leave every class some probability: it must favor its class
        self.least = 0.0 if mixture.label_noise is None else 1.0 / mixture.n_classes - 1e-9
        occurs = sum(engine.map_blocks(_pattern_counts, self.labeled), np.zeros(len(has_label))) > 0
        named = np.zeros(mixture.n_groups, dtype=bool)
        named[: mixture.n_classes] = (self.class_probs[occurs] > self.least).any(axis=0)
        self.nameless = ~named
        size = np.bincount(mixture.group, minlength=mixture.n_groups)
        self.crowded = (size > 1) & named

    @property
    def needed(self) -> bool:
        """Whether the labels alone do not say which rows start which components."""
        return bool(self.crowded.any() or self.nameless.any())

    def log_group(self) -> Array:
        """Group probabilities where some groups have no labeled row: in proportion to components."""
        share = np.bincount(self.mixture.group, minlength=self.mixture.n_groups) / self.mixture.n_components
        values = self.mixture.class_prior.values
        if values is not None:
            n_classes = self.mixture.n_classes
            share[:n_classes] = values * share[:n_classes].sum()
        return np.log(np.vstack([share, share]))

    def collect(self, perturb: bool) -> list[tuple[Data, Array]]:
        """All labeled rows and some unlabeled ones, in memory, and their responsibilities (rows, C)."""
        mixture = self.mixture
        known, others = self.labeled.take(np.arange(self.labeled.n_rows)), self._sample()
        class_probs = self.class_probs[known.labels.pattern]
        points = mixture.family.points(self.prior, others.x)
        near_class, distance = self._nearest(points, known, class_probs)
        resp = self._spread(class_probs), np.zeros((len(points), mixture.n_components))
        free = np.ones(len(points), dtype=bool)
        if perturb:
            half = self.rng.random(len(points)) < 0.5
            resp[1][half] = self._spread(np.eye(mixture.n_classes)[near_class[half]])
            free[half] = False
        for group in np.flatnonzero(self.crowded).tolist():
            near = np.flatnonzero(near_class == group)
            order = self.rng.random(len(near)) if perturb else distance[near]
            near = near[np.argsort(order, kind="stable")][: (len(near) + 1) // 2]
            mine = np.flatnonzero(class_probs[:, group] > self.least)
            share = np.concatenate([class_probs[mine, group], np.ones(len(near))])
            weight = share * np.concatenate([known.weight[mine], others.weight[near]])
            own = np.vstack([mixture.family.points(self.prior, known.x[mine]), points[near]])
            component = self._cluster(group, own, weight, perturb)
            resp[0][mine, component[: len(mine)]] = share[: len(mine)]
            resp[1][near, component[len(mine) :]] += 1.0
            free[near] = False
        for nameless in np.flatnonzero(self.nameless[mixture.group]).tolist():
            far = self._far(points, distance, free)
            if not len(far):
                break  # components without rows stay at the prior, with no weight
            free[far] = False
            distance = np.minimum(distance, _distances(points, points[far].mean(axis=0)))
            resp[1][far, nameless] = 1.0
        used = np.flatnonzero(~free)
        return [(known, resp[0]), (others.take(used), resp[1][used])]

    def _sample(self) -> Data:
        """Unlabeled rows, all or some."""
        n_rows = self.unlabeled.n_rows
        if n_rows <= MAX_SEED_ROWS:
            return self.unlabeled.take(np.arange(n_rows))
        return self.unlabeled.take(np.sort(self.rng.choice(n_rows, MAX_SEED_ROWS, replace=False)))

    def _nearest(self, points: Array, known: Data, class_probs: Array) -> tuple[Indices, Array]:
        """Class of and distance to the nearest labeled row."""
        if not len(points):
            return np.empty(0, dtype=np.intp), np.empty(0)
        some = np.sort(self.rng.permutation(len(class_probs))[:MAX_SEED_ROWS])
        there = self.mixture.family.points(self.prior, known.x[some])
        distance, index = sklearn.neighbors.NearestNeighbors(n_neighbors=1).fit(there).kneighbors(points)
        return class_probs[some][index[:, 0]].argmax(axis=1), distance[:, 0]

    def _spread(self, class_probs: Array) -> Array:
        """Class probabilities over one-component classes; crowded classes are filled by their clusters."""
        group = self.mixture.group
        alone = np.bincount(group)[group] == 1
        resp = np.zeros((len(class_probs), len(group)))
        known = np.flatnonzero(alone & ~self.nameless[group])
        resp[:, known] = class_probs[:, group[known]]
        return resp

    def _cluster(self, group: int, points: Array, weight: Array, perturb: bool) -> Indices:
        """The component, one of the class's, of each of its labeled rows and the unlabeled rows near them."""
        components = np.flatnonzero(self.mixture.group == group)
        n_distinct = len(np.unique(points, axis=0))
        if n_distinct < len(components):
            label = self.classes.tolist()[group]
            raise ParameterError(
                f"components_per_class asks for {len(components)} components of class {label!r}, but only "
                f"{n_distinct} distinct rows are near it: lower it, or label more rows."
            )
        seed = int(self.rng.integers(2**31))
        if perturb:  # clusters around random rows, unrefined: k-means would lead to the same ones again
            means = sklearn.cluster.KMeans(
                len(components), init="random", n_init=1, max_iter=1, random_state=seed
            )
        else:
            means = sklearn.cluster.KMeans(len(components), n_init=3, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return np.asarray(components[means.fit(points, sample_weight=weight).labels_])

    def _far(self, points: Array, distance: Array, free: NDArray[np.bool_]) -> Indices:
        """A row far from what is started, drawn with probability ∝ distance², and its neighbors."""
        odds = np.where(free, distance**2, 0.0)
        if not odds.any():
            return np.flatnonzero(free)[:1]
        seed = self.rng.choice(len(points), p=odds / odds.sum())
        to_seed = _distances(points, points[seed])
        closer = np.flatnonzero(free & (to_seed <= distance))
        size = max(1, min(len(closer), 2 + len(points) // 20))
        return closer[np.argsort(to_seed[closer], kind="stable")][:size]


def _class_probs(mixture: Mixture, labels: Labels) -> Array:
    """Class probabilities that the label rows alone give, (P, K)."""
    noise = None if mixture.label_noise is None else mixture.label_noise.matrix
    evidence = np.exp(label_evidence(noise, labels.log_table, labels.pattern_labeled))
    return np.asarray(evidence / evidence.sum(axis=1, keepdims=True))


def _pattern_counts(block: Block) -> Array:
    """How many rows of a block have each label pattern, (P,)."""
    pattern = block.labels.pattern[block.rows]
    return np.bincount(pattern, minlength=len(block.labels.log_table)).astype(np.float64)


def _distances(points: Array, origin: Array) -> Array:
    return np.asarray(np.sqrt(((points - origin) ** 2).sum(axis=1)))
