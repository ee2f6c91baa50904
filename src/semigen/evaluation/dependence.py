"""Whether unlabeled rows are put together as labeled ones are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEPENDENCE_SHIFT = (
    "Columns go together in the labeled rows, but not in the unlabeled ones, as if each column there had "
    "been shuffled by itself or joined to other rows: check where these rows come from."
)
LEAST_LABELED, MOST_LABELED = 5, 100
LEAST_UNLABELED, MOST_UNLABELED = 30, 1000
MOST_COLUMNS = 500
"""Fewer rows show nothing, and more rows and columns are not needed: as many are drawn."""
N_DRAWS, N_SHUFFLES = 199, 19
LEVEL = 0.05


def dependence_differs(
    matrix: Any, labeled: NDArray[np.bool_], numbers: Callable[[Any], Array], random_state: int
) -> bool:
    """Whether columns go together in the labeled rows, but in the unlabeled rows they do not.

    Such unlabeled rows carry nothing about the classes but what each column carries alone: as if each
    column had been shuffled by itself, or joined to other rows. Two permutation tests at the level of 5 % of
    one statistic, the sum of squared correlations of all columns: of the labeled rows against as many
    unlabeled ones, drawn 199 times; and of the unlabeled rows against 19 copies with every column shuffled
    by itself (parallel analysis: Horn 1965, *Psychometrika* 30:179). True where the first test says that the
    labeled rows go together more closely, and the second cannot tell that the unlabeled ones do at all. The
    second keeps quiet about labeled rows that were chosen, the first about columns that are independent.

    Parameters
    ----------
    matrix : array of shape (n, D)
    labeled : ndarray of shape (n,), bool
    numbers : callable
        From rows to numbers (rows, columns), column by column.
    random_state : int
    """
    rng = np.random.default_rng(random_state)
    shown = _some(rng, np.flatnonzero(labeled), MOST_LABELED)
    hidden = _some(rng, np.flatnonzero(~labeled), MOST_UNLABELED)
    if len(shown) < LEAST_LABELED or len(hidden) < max(LEAST_UNLABELED, 2 * len(shown)):
        return False
    rows = matrix[hidden]
    table = numbers(rows)
    columns = _some(rng, np.arange(table.shape[1]), MOST_COLUMNS)
    table = table[:, columns]
    together = _together(numbers(matrix[shown])[:, columns])
    drawn = [_together(table[rng.permutation(len(table))[: len(shown)]]) for _ in range(N_DRAWS)]
    if 1 + np.count_nonzero(np.array(drawn) >= together) > LEVEL * (N_DRAWS + 1):
        return False
    together = _together(table)
    return any(
        _together(numbers(rng.permuted(rows, axis=0))[:, columns]) >= together for _ in range(N_SHUFFLES)
    )


def _some(rng: np.random.Generator, items: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return items if len(items) <= most else np.sort(rng.choice(items, most, replace=False))


def _together(table: Array) -> float:
    """Mean over columns of the sum of their squared correlations with all columns."""
    table = table - table.mean(axis=0)
    size = np.sqrt((table**2).sum(axis=0))
    varies = size > 1e-9 * max(size.max(), 1e-300)
    table = table[:, varies] / size[varies]
    inner = table @ table.T if len(table) < table.shape[1] else table.T @ table
    return float((inner**2).sum() / max(table.shape[1], 1))
