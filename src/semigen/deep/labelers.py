"""Labels for the unlabeled rows that deep models start from."""

from __future__ import annotations

import warnings
from collections.abc import Callable

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

DENSITY_NEIGHBORS = 20
"""Nearest rows whose distances measure the density around a row."""
NEAREST, MAX_ITER, FROM_NEIGHBORS = 5, 50, 0.9
"""Of label spreading: neighbors, iterations, and the share of a row's label that comes from its neighbors."""
LINKS = 7
"""Nearest rows that a label can move to from a row."""
MOST_ROWS = 20_000
"""Rows that labels are spread over; the others take the label of the nearest of these."""
N_FOLDS = 3
"""Folds of labeled rows, at most, that choose between ways of spreading labels."""


def choose_start(x: Array, code: Codes, seed: int) -> str:
    """The way to label all rows that calls more labeled rows right that are held out of it.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        Standardized rows.
    code : ndarray of int, shape (n,)
        Class, -1 where unlabeled.
    seed : int
        Of the folds, and of the subsample where there are too many rows.

    Returns
    -------
    {"density", "spreading", "mixture"}
        The first one if they are equal, or if no row can be held out.
    """
    kept = _kept(code, seed)
    x, code = x[kept], code[kept]
    right = dict.fromkeys(LABELERS, 0)
    n_folds = min(N_FOLDS, count_testable(code)) if len(np.unique(code[code >= 0])) > 1 else 0
    for _, test in stratified_folds(code, n_folds, 1, seed) if n_folds > 1 else ():
        seen = code.copy()
        seen[test] = -1
        for name, labeler in LABELERS.items():
            right[name] += int((labeler(x, seen)[test] == code[test]).sum())
    return max(right, key=right.__getitem__)


def start_labels(x: Array, code: Codes, start: str, seed: int) -> Codes:
    """Labels of all rows, (n,).

    Parameters
    ----------
    x, code, seed
        As in :func:`choose_start`.
    start : {"density", "spreading", "mixture"}
        :func:`grow_labels`, :func:`spread_labels` or :func:`mixture_labels`.
    """
    kept = _kept(code, seed)
    found = code.copy()
    found[kept] = LABELERS[start](x[kept], code[kept])
    return _nearest(x, kept, found)


def _kept(code: Codes, seed: int) -> Codes:
    """The rows that labels are spread over: of too many, the labeled ones and a sample of the others."""
    if len(code) <= MOST_ROWS:
        return np.arange(len(code))
    known = np.flatnonzero(code >= 0)
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(code < 0))
    return np.sort(np.concatenate([known, drawn[: max(MOST_ROWS - len(known), 0)]]))


def spread_labels(x: Array, code: Codes) -> Codes:
    """Labels of unlabeled rows, spread over nearest rows (:func:`semigen.arrays.graphs.spread`), (n,)."""
    n = len(x)
    known = np.flatnonzero(code >= 0)
    k = min(NEAREST, n - 1)
    if not k or len(known) == n:
        return _nearest(x, known, code)
    graph = graphs.similarities(*NearestNeighbors(n_neighbors=k).fit(x).kneighbors(), n)
    similar, _ = graphs.symmetric(graph)
    classes = np.unique(code[known])
    given = (code[:, None] == classes).astype(np.float64)
    found = graphs.spread(similar, given, alpha=FROM_NEIGHBORS, max_iter=MAX_ITER)
    reached = np.where(found.any(axis=1), classes[found.argmax(axis=1)], -1)
    reached[known] = code[known]
    return _nearest(x, np.flatnonzero(reached >= 0), reached)


def mixture_labels(x: Array, code: Codes) -> Codes:
    """Labels of unlabeled rows by a Gaussian per class, fitted to all rows, (n,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not have converged
        found = MixtureClassifier(random_state=0).fit(x, code).predict(x)
    return np.where(code >= 0, code, found)


def grow_labels(x: Array, code: Codes) -> Codes:
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

    Returns
    -------
    ndarray of int, shape (n,)
        Classes.
    """
    known = np.flatnonzero(code >= 0)
    n = len(x)
    if n < 3 or len(known) == n:
        return _nearest(x, known, code)
    distance, index = NearestNeighbors(n_neighbors=min(DENSITY_NEIGHBORS + 1, n)).fit(x).kneighbors(x)
    core = np.sqrt(np.mean(distance[:, 1:] ** 2, axis=1))
    n_links = min(LINKS, n - 1)
    links, length = index[:, 1 : n_links + 1], distance[:, 1 : n_links + 1].ravel()
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


LABELERS: dict[str, Callable[[Array, Codes], Codes]] = {
    "density": grow_labels,
    "spreading": spread_labels,
    "mixture": mixture_labels,
}
"""Ways to spread labels, by the start that they make."""


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
