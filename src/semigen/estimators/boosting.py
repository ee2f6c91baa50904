"""Stochastic gradient boosting of the log-loss around scikit-learn's trees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEARNING_RATE = 0.1
SEEN_ROWS = 0.7
"""Share of the rows that boosted trees of one round see."""
SEEN_COLUMNS, MOST_SEEN = 0.5, 100
"""Share of the columns that a node looks at, and most of them: more make trees alike and take longer."""
LARGEST_SCORE, FLAT = 37.0, 1e-150
"""Log odds and curvatures beyond which there is nothing to gain."""
MANY_ROWS, BINS = 500, 64
"""Of more rows, boosted trees learn from columns in so many bins: less time, and no worse."""


def cuts_of(column: NDArray[np.float32]) -> Array:
    """Where the bins of a column end, rising; a value that is a cut lies below it."""
    values = np.unique(column).astype(np.float64)
    if len(values) > BINS:
        values = np.unique(np.quantile(column, np.linspace(0, 1, BINS), method="nearest")).astype(np.float64)
    return np.asarray((values[1:] + values[:-1]) / 2)


def boosted(
    cells: NDArray[np.float32], is_class: Array, weight: Array | None, n_rounds: int, random: Any
) -> tuple[list[Any], list[Array]]:
    """Trees, round by round one for each class, and the Newton step of each of their nodes.

    Parameters
    ----------
    cells : ndarray of shape (n, P)
    is_class : ndarray of shape (K, n)
        Indicators of the classes; of two classes only of the second.
    weight : ndarray of shape (n,) or None
        Row weights.
    n_rounds : int
    random : RandomState
        Used in the order in which scikit-learn does.
    """
    n_rows, n_columns = cells.shape
    score = np.zeros(is_class.shape)
    shrink = (len(score) - 1) / len(score) if len(score) > 1 else 1.0
    trees, steps = [], []
    for _ in range(n_rounds):
        rows = _drawn(n_rows, max(1, int(SEEN_ROWS * n_rows)), random)
        seen, own = cells[rows], None if weight is None else weight[rows]
        residual = residuals(is_class, score, _exp)
        for k, of_class in enumerate(is_class):
            grown = sklearn.tree.DecisionTreeRegressor(
                max_depth=4, max_features=n_seen(n_columns), min_samples_leaf=3, random_state=random
            )
            tree = grown.fit(seen, residual[k, rows], sample_weight=own, check_input=False).tree_
            leaf = tree.apply(cells)
            step = tree.value[:, 0, 0].copy()
            _set_leaves(step, leaf[rows], residual[k, rows], of_class[rows], own, shrink)
            score[k] += LEARNING_RATE * step[leaf]
            trees.append(tree)
            steps.append(step)
    return trees, steps


def n_seen(n_columns: int) -> int:
    """Columns that each node looks at."""
    return max(1, min(int(SEEN_COLUMNS * n_columns), MOST_SEEN))


def _drawn(n_rows: int, n_drawn: int, random: Any) -> NDArray[np.intp]:
    """Numbers of ``n_drawn`` rows, rising."""
    drawn: list[int] = []
    for row, share in enumerate(random.uniform(size=n_rows).tolist()):
        if share * (n_rows - row) < n_drawn - len(drawn):
            drawn.append(row)
    return np.array(drawn)


def residuals(is_class: Array, score: Array, exp: Callable[[Array], Array]) -> Array:
    """Indicators of the classes less their probabilities, (K, n); of two classes of the second, (1, n)."""
    if len(score) == 1:
        odds = exp(-np.maximum(score, -LARGEST_SCORE))
        return np.asarray(-((1.0 - is_class) - is_class * odds) / (1.0 + odds))
    odds = exp(score - score.max(axis=0))
    return np.asarray(is_class - odds / odds.sum(axis=0))


def _exp(values: Array) -> Array:
    """The C library's, as scikit-learn has it: where splits of few rows are as good, the last bit decides."""
    return np.fromiter(map(math.exp, values.ravel().tolist()), np.float64, values.size).reshape(values.shape)


def _set_leaves(
    step: Array, leaf: NDArray[np.intp], residual: Array, is_class: Array, weight: Array | None, shrink: float
) -> None:
    """Set the Newton steps of a tree's leaves, given the leaf of each row that it has seen."""
    order = np.argsort(leaf, kind="stable")
    slope = residual[order]
    probability = is_class[order] - slope
    curve = probability * (1.0 - probability)
    if weight is not None:
        slope, curve = slope * weight[order], curve * weight[order]
    ends = np.flatnonzero(np.diff(leaf[order], append=-1)) + 1
    begin = 0
    for end in ends.tolist():
        total = weight[order[begin:end]].sum() if weight is not None else end - begin
        mean = curve[begin:end].sum() / total
        rise = slope[begin:end].sum() / total * shrink
        step[leaf[order[begin]]] = rise / mean if mean >= FLAT else 0.0
        begin = end
