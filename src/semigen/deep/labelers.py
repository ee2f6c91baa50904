"""Labels for the unlabeled rows that deep models start from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from semigen.arrays import graphs
from semigen.evaluation.splits import count_testable, stratified_folds
from semigen.mixture import MixtureClassifier

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Near: TypeAlias = tuple[Array, Codes]

FROM_LABELS = "labels"
"""A start from the labeled rows alone."""
DENSITY_NEIGHBORS = 20
"""Nearest rows whose distances measure the density around a row."""
LINKS = 7
"""Nearest rows that a label can move to from a row."""
NEAREST, MAX_ITER, FROM_NEIGHBORS = 5, 50, 0.9
"""Of label spreading: neighbors, iterations, and the share of a row's label that comes from its neighbors."""
MOST_ROWS, MOST_VALUES = 20_000, 2**23
"""Rows, and values of these, that labels are spread over."""
MOST_COLUMNS = 100
"""With more columns no Gaussian per class is tried."""
CLEAR = 0.9
"""Gaussians that are fitted to labels that were spread, and agree with this share of them, replace them."""
N_FOLDS = 3
"""Folds of labeled rows, at most, that choose between ways of spreading labels."""
LUCK = 0.03
"""Share of the held-out rows, rounded down, by which others have to be right more often than spreading."""


@dataclass(frozen=True)
class Choice:
    """A way to label all rows.

    Attributes
    ----------
    start : {"density", "spreading", "mixture"}
    agreement : float
        How much more often than chance it calls held-out labels right: 1 always, 0 as often as chance. NaN
        where none can be held out.
    """

    start: str
    agreement: float


def choose_start(x: Array, code: Codes, seed: int) -> Choice:
    """The way to label all rows that calls most labeled rows right that are held out of it.

    Label spreading if it is as good but for LUCK; the first one if they are equal otherwise, or if no row can
    be held out.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        Standardized rows.
    code : ndarray of int, shape (n,)
        Class, -1 where unlabeled.
    seed : int
        Of the folds.
    """
    classes = np.unique(code[code >= 0])
    n_folds = min(N_FOLDS, count_testable(code)) if len(classes) > 1 else 0
    if n_folds < 2:
        return Choice(next(iter(LABELERS)), np.nan)
    near, n_held = nearest_rows(x), 0
    right = {name: 0 for name in LABELERS if name != "mixture" or x.shape[1] <= MOST_COLUMNS}
    for _, test in stratified_folds(code, n_folds, 1, seed):
        seen = code.copy()
        seen[test] = -1
        n_held += len(test)
        for name in right:
            right[name] += int((LABELERS[name](x, seen, near)[test] == code[test]).sum())
    best = max(right, key=right.__getitem__)
    if right[best] - right["spreading"] <= int(LUCK * n_held) > 0:
        best = "spreading"
    return Choice(best, (right[best] / n_held - 1 / len(classes)) / (1 - 1 / len(classes)))


def to_spread_over(code: Codes, seed: int, n_columns: int) -> Codes:
    """The rows that labels are spread over: of too many, the labeled ones and a sample of the others."""
    most = min(MOST_ROWS, MOST_VALUES // n_columns)
    if len(code) <= most:
        return np.arange(len(code))
    known = np.flatnonzero(code >= 0)
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(code < 0))
    return np.sort(np.concatenate([known, drawn[: max(most - len(known), 0)]]))


def nearest_rows(x: Array) -> Near:
    """Distances and numbers of the nearest other rows to each row, (n, k), the nearest first."""
    k = min(DENSITY_NEIGHBORS, len(x) - 1)
    found: Near = NearestNeighbors(n_neighbors=k).fit(x).kneighbors()
    return found


def spread_labels(x: Array, code: Codes, near: Near | None = None) -> Codes:
    """Labels of unlabeled rows, spread over nearest rows (:func:`semigen.arrays.graphs.spread`), (n,).

    Then a Gaussian per class is fitted to them all. If it calls CLEAR of the rows the same, these are its
    classes: a graph is wrong about rows between classes, which the others of their class can tell.

    Parameters
    ----------
    x, code
        As in :func:`grow_labels`.
    near : tuple of ndarray, optional
        Of :func:`nearest_rows`.
    """
    known = np.flatnonzero(code >= 0)
    if len(x) < 2 or len(known) == len(x):
        return _nearest(x, known, code)
    distance, index = nearest_rows(x) if near is None else near
    similar, _ = graphs.symmetric(graphs.similarities(distance[:, :NEAREST], index[:, :NEAREST], len(x)))
    classes = np.unique(code[known])
    given = (code[:, None] == classes).astype(np.float64)
    found = graphs.spread(similar, given, alpha=FROM_NEIGHBORS, max_iter=MAX_ITER)
    reached = np.where(found.any(axis=1), classes[found.argmax(axis=1)], -1)
    reached[known] = code[known]
    reached = _nearest(x, np.flatnonzero(reached >= 0), reached)
    if len(classes) == 1 or x.shape[1] > MOST_COLUMNS:
        return reached
    by_gaussians = _gaussian_labels(x, reached, covariance="full", calibrate=1.0)
    if np.mean(by_gaussians == reached) < CLEAR:
        return reached
    return np.where(code >= 0, code, by_gaussians)


def mixture_labels(x: Array, code: Codes, near: Near | None = None) -> Codes:
    """Labels of unlabeled rows by a Gaussian per class, fitted to all rows, (n,)."""
    return np.where(code >= 0, code, _gaussian_labels(x, code))


def grow_labels(x: Array, code: Codes, near: Near | None = None) -> Codes:
    """Labels of unlabeled rows, propagated from the labeled ones along dense regions.

    With c(i) the root mean square distance of row i to its nearest rows, a step between neighbors i and j
    costs max(c(i), c(j)), which is low where rows are dense. Every row takes the label of the labeled row
    with the minimax path, whose most expensive step is cheapest, so that labels meet where the density is low
    (the minimum spanning forest of density-based distances, Gertrudes et al. 2019, *Data Min. Knowl. Discov.*
    33:1894). A label also holds for the denser rows uphill from its row: otherwise a labeled row at the edge
    of its class would be cut off by its own first step.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        Standardized rows.
    code : ndarray of int, shape (n,)
        Class, -1 where unlabeled.
    near : tuple of ndarray, optional
        Of :func:`nearest_rows`.

    Returns
    -------
    ndarray of int, shape (n,)
        Classes.
    """
    known = np.flatnonzero(code >= 0)
    n = len(x)
    if n < 3 or len(known) == n:
        return _nearest(x, known, code)
    distance, index = nearest_rows(x) if near is None else near
    core = np.sqrt(np.mean(distance**2, axis=1))
    n_links = min(LINKS, n - 1)
    links, length = index[:, :n_links], distance[:, :n_links].ravel()
    seeds = _uphill(core, links, code)
    rows, others = np.repeat(np.arange(n), n_links), links.ravel()
    # The cost's rank, ties by length, is the weight: distinct weights make the forest unique.
    weight = np.empty(len(rows))
    weight[np.lexsort((length, np.maximum(core[rows], core[others])))] = 1.0 + np.arange(len(rows))
    low, high = np.minimum(rows, others), np.maximum(rows, others)
    _, first = np.unique(low * n + high, return_index=True)  # a pair may be found from both sides
    low, high, weight = low[first], high[first], weight[first]
    # A root that is linked to all seeds at the lowest cost, and then removed, leaves one tree per seed.
    source = np.flatnonzero(seeds >= 0)
    graph = coo_array(
        (
            np.concatenate([weight, np.full(len(source), 0.5)]),
            # 32 bits: SciPy's spanning trees took no others before 1.17
            (
                np.concatenate([low, source]).astype(np.int32),
                np.concatenate([high, np.full(len(source), n)]).astype(np.int32),
            ),
        ),
        shape=(n + 1, n + 1),
    )
    forest = minimum_spanning_tree(graph.tocsr())[:n, :n]
    _, tree = connected_components(forest, directed=False)
    label_of_tree = np.full(tree.max() + 1, -1)
    label_of_tree[tree[source]] = seeds[source]
    found = np.where(code >= 0, code, label_of_tree[tree])
    left = np.flatnonzero(found < 0)
    if len(left):  # trees without a label: each takes that of the nearest row of the others
        reached = np.flatnonzero(found >= 0)
        away, nearest = NearestNeighbors(n_neighbors=1).fit(x[reached]).kneighbors(x[left])
        order = np.argsort(-away[:, 0], kind="stable")  # the least distance of a tree is written last
        label_of_tree[tree[left[order]]] = found[reached[nearest[order, 0]]]
        found[left] = label_of_tree[tree[left]]
    return found


LABELERS: dict[str, Callable[[Array, Codes, Near | None], Codes]] = {
    "density": grow_labels,
    "spreading": spread_labels,
    "mixture": mixture_labels,
}
"""Ways to spread labels, by the start that they make."""


def _gaussian_labels(x: Array, code: Codes, **options: Any) -> Codes:
    """What a Gaussian per class makes of all rows, (n,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not have converged
        found: Codes = MixtureClassifier(random_state=0, verbose=0, **options).fit(x, code).predict(x)
    return found


def _uphill(core: Array, links: Codes, code: Codes) -> Codes:
    """Labels, also of the rows on the way from a labeled row uphill to a local maximum of density, (n,)."""
    itself = np.arange(len(core))
    around = np.concatenate([itself[:, None], links], axis=1)
    above = around[itself, core[around].argmin(axis=1)]
    seeds = np.full(len(core), -1)
    contested = np.zeros(len(core), dtype=bool)
    for row in np.flatnonzero(code >= 0):
        at = row
        while above[at] != at:
            at = above[at]
            contested[at] |= seeds[at] >= 0 and seeds[at] != code[row]
            seeds[at] = code[row]
    seeds[contested] = -1
    return np.where(code >= 0, code, seeds)


def _nearest(x: Array, known: Codes, code: Codes) -> Codes:
    """The codes of known rows, and for the others that of the nearest known row."""
    found = code.copy()
    others = np.setdiff1d(np.arange(len(x)), known)
    if not len(others):
        return found
    nearest = NearestNeighbors(n_neighbors=1).fit(x[known]).kneighbors(x[others], return_distance=False)
    found[others] = code[known[nearest[:, 0]]]
    return found
