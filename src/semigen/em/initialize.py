"""Where EM starts: the labeled rows, and for components that no label names, rows that lie far from them.

Or where another fit ended.
"""

from __future__ import annotations

import warnings
from dataclasses import fields, is_dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from semigen.data.labels import Labels
from semigen.em.engines import Engine
from semigen.em.kernel import e_step, given_stats, label_evidence, m_step
from semigen.em.records import LABELED, Array, Data, Mixture, Params, Rows, Stats
from semigen.exceptions import ConvergenceWarning, ParameterError

MAX_SEED_ROWS = 5000
"""Unlabeled (and labeled) rows looked at for a start; more are sampled."""


def start(
    mixture: Mixture,
    prior: Any,
    data: Data,
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
    seeds = _Seeds(mixture, prior, data, rng)
    rows, resp = seeds.collect(perturb)
    reference = _reference(mixture, prior)
    position = np.zeros(len(data.weight), dtype=np.intp)
    position[rows] = np.arange(len(rows))
    stats = reduce(
        Stats.merge,
        engine.map_rows(lambda mine: given_stats(mixture, reference, data, mine, resp[position[mine]]), rows),
    )
    params = m_step(mixture, prior, stats, reference)
    if seeds.nameless.any():
        params = replace(params, log_group=seeds.log_group())
    return params


def restart(mixture: Mixture, prior: Any, data: Data, engine: Engine, params: Params) -> Params:
    """Parameters to start from where another fit ended: one EM iteration on.

    That iteration leads within the bounds of this prior, where ``params`` need not be: rows and weights, and
    with them the prior, can be others now.

    Parameters
    ----------
    mixture, prior, data, engine
    params : Params
        Where the other fit ended; :func:`restartable`.
    """
    noise = None if mixture.label_noise is None else mixture.label_noise.matrix
    if mixture.label_noise is not None and mixture.label_noise.estimated and params.noise is not None:
        noise = params.noise
    params = replace(params, family=mixture.family.moved(prior, params.family), noise=noise)
    parts = engine.map_rows(lambda rows: e_step(mixture, params, data, rows), data.used)
    return m_step(mixture, prior, reduce(Stats.merge, parts), params)


def restartable(mixture: Mixture, prior: Any, params: Params) -> bool:
    """Whether EM can go on from the parameters of another fit with the same groups of components.

    They must have the form of this family's, and no component may be without weight: it would stay so.
    """
    weight = params.log_within + params.log_group[:, mixture.group]
    weight[LABELED, mixture.group == mixture.n_classes] = 0.0  # novel components have no labels
    reference = mixture.family.reference(prior, mixture.n_components)
    return bool(np.isfinite(weight).all()) and _form(params.family) == _form(reference)


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

    def __init__(self, mixture: Mixture, prior: Any, data: Data, rng: np.random.Generator) -> None:
        self.mixture, self.prior, self.data, self.rng = mixture, prior, data, rng
        used = data.used
        labeled = data.labels.is_labeled[used]
        self.labeled: Rows = used[labeled]
        self.unlabeled: Rows = used[~labeled]
        self.class_probs: Array = _class_probs(mixture, data.labels)[data.labels.pattern[self.labeled]]
        named = np.zeros(mixture.n_groups, dtype=bool)
        # through a noise matrix every label may leave every class something: a name must speak for its class
        self.least = 0.0 if mixture.label_noise is None else 1.0 / mixture.n_classes - 1e-9
        named[: mixture.n_classes] = (self.class_probs > self.least).any(axis=0)
        self.nameless = ~named

    def log_group(self) -> Array:
        """Group probabilities where some groups have no labeled row: in proportion to components."""
        share = np.bincount(self.mixture.group, minlength=self.mixture.n_groups) / self.mixture.n_components
        values = self.mixture.class_prior.values
        if values is not None:
            n_classes = self.mixture.n_classes
            share[:n_classes] = values * share[:n_classes].sum()
        return np.log(np.vstack([share, share]))

    def collect(self, perturb: bool) -> tuple[Rows, Array]:
        """Seed rows and their responsibilities (rows, C)."""
        mixture = self.mixture
        members = np.bincount(mixture.group, minlength=mixture.n_groups)
        crowded = (members > 1) & ~self.nameless
        if not (crowded.any() or self.nameless.any() or perturb):
            return self.labeled, self.class_probs[:, mixture.group]
        sample = self._sample(self.unlabeled)
        points = mixture.family.points(self.prior, self.data.x[sample])
        near_class, distance = self._nearest(points)
        rows = [self.labeled]
        resp = [self._spread(self.class_probs)]
        if perturb and len(sample):
            chosen = self.rng.random(len(sample)) < 0.5
            rows.append(sample[chosen])
            resp.append(self._spread(np.eye(mixture.n_classes)[near_class[chosen]]))
        for group in np.flatnonzero(crowded):
            mine = np.flatnonzero(near_class == group)
            order = self.rng.random(len(mine)) if perturb else distance[mine]
            mine = mine[np.argsort(order, kind="stable")][: (len(mine) + 1) // 2]
            self._cluster(int(group), sample[mine], rows, resp, perturb)
        taken = np.concatenate(rows)
        free = ~np.isin(sample, taken)
        for component in np.flatnonzero(self.nameless[mixture.group]):
            chosen_rows = self._far(points, distance, free)
            if not len(chosen_rows):
                break  # components without rows stay at the prior, with no weight
            free[chosen_rows] = False
            distance = np.minimum(distance, _distances(points, points[chosen_rows].mean(axis=0)))
            rows.append(sample[chosen_rows])
            resp.append(np.eye(mixture.n_components)[np.full(len(chosen_rows), component)])
        return _merge_rows(np.concatenate(rows), np.vstack(resp))

    def _sample(self, rows: Rows) -> Rows:
        if len(rows) <= MAX_SEED_ROWS:
            return rows
        return np.sort(self.rng.choice(rows, MAX_SEED_ROWS, replace=False))

    def _nearest(self, points: Array) -> tuple[Rows, Array]:
        """Class of and distance to the nearest labeled row."""
        if not len(points):
            return np.empty(0, dtype=np.intp), np.empty(0)
        some = np.sort(self.rng.permutation(len(self.labeled))[:MAX_SEED_ROWS])
        there = self.mixture.family.points(self.prior, self.data.x[self.labeled[some]])
        distance, index = NearestNeighbors(n_neighbors=1).fit(there).kneighbors(points)
        return self.class_probs[some][index[:, 0]].argmax(axis=1), distance[:, 0]

    def _spread(self, class_probs: Array) -> Array:
        """Class probabilities over one-component classes; crowded classes are filled by their clusters."""
        group = self.mixture.group
        alone = np.bincount(group, minlength=self.mixture.n_groups)[group] == 1
        resp = np.zeros((len(class_probs), len(group)))
        known = np.flatnonzero(alone & ~self.nameless[group])
        resp[:, known] = class_probs[:, group[known]]
        return resp

    def _cluster(self, group: int, near: Rows, rows: list[Rows], resp: list[Array], perturb: bool) -> None:
        """Split a class's labeled rows and nearby unlabeled rows into its components."""
        components = np.flatnonzero(self.mixture.group == group)
        mine = self.class_probs[:, group] > self.least
        members = np.concatenate([self.labeled[mine], near])
        share = np.concatenate([self.class_probs[mine, group], np.ones(len(near))])
        points = self.mixture.family.points(self.prior, self.data.x[members])
        n_distinct = len(np.unique(points, axis=0))
        if n_distinct < len(components):
            label = self.data.labels.classes.tolist()[group]
            raise ParameterError(
                f"components_per_class asks for {len(components)} components of class {label!r}, but only "
                f"{n_distinct} distinct rows are near it: lower it, or label more rows."
            )
        weight = share * self.data.weight[members]
        seed = int(self.rng.integers(2**31))
        if perturb:  # clusters around random rows, unrefined: k-means would lead to the same ones again
            means = KMeans(len(components), init="random", n_init=1, max_iter=1, random_state=seed)
        else:
            means = KMeans(len(components), n_init=3, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            cluster = means.fit(points, sample_weight=weight).labels_
        assigned = np.zeros((len(members), self.mixture.n_components))
        assigned[np.arange(len(members)), components[cluster]] = share
        rows.append(members)
        resp.append(assigned)

    def _far(self, points: Array, distance: Array, free: NDArray[np.bool_]) -> Rows:
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


def _distances(points: Array, origin: Array) -> Array:
    return np.asarray(np.sqrt(((points - origin) ** 2).sum(axis=1)))


def _merge_rows(rows: Rows, resp: Array) -> tuple[Rows, Array]:
    """Rows once each, their responsibilities added, in row order."""
    distinct, code = np.unique(rows, return_inverse=True)
    total = np.zeros((len(distinct), resp.shape[1]))
    np.add.at(total, code, resp)
    return distinct, total
