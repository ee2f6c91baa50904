"""Whether columns are correlated in the labeled rows but not in the unlabeled ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns import ReadTable, Schema

Array = NDArray[np.float64]

DEPENDENCE_SHIFT = (
    "Columns are correlated in the labeled rows but not in the unlabeled ones, as if each column of these "
    "had been shuffled on its own or joined to other rows: check where the unlabeled rows come from."
)
LEAST_LABELED, MOST_LABELED = 5, 100
LEAST_UNLABELED, MOST_UNLABELED = 30, 1000
MOST_COLUMNS = 500
"""Fewer rows show nothing; of more rows and columns than are needed, this many are drawn."""
N_DRAWS, N_SHUFFLES = 199, 19
LEVEL = 0.05


def dependence_differs(
    matrix: Any, labeled: NDArray[np.bool_], numbers: Callable[[Any], Array], random_state: int
) -> bool:
    """Test whether columns are correlated in the labeled rows but not in the unlabeled ones.

    Such unlabeled rows tell no more about the classes than each column does alone: as if each column had been
    shuffled on its own, or joined to other rows. Two permutation tests at the 5 % level of one statistic, the
    sum of the squared correlations of all columns: that of the labeled rows against as many unlabeled ones,
    drawn 199 times; and that of the unlabeled rows against 19 copies with every column shuffled on its own
    (parallel analysis: Horn 1965, *Psychometrika* 30:179). True where the first test says that correlations
    are stronger in the labeled rows, and the second cannot tell that there are any in the unlabeled ones. The
    second prevents false alarms where the labeled rows were selected, the first where columns are
    independent.

    Parameters
    ----------
    matrix : array of shape (n, D)
    labeled : ndarray of shape (n,), bool
    numbers : callable
        From rows to numbers (rows, columns), column by column.
    random_state : int
    """
    rng = np.random.default_rng(random_state)
    labeled_rows = _some(rng, np.flatnonzero(labeled), MOST_LABELED)
    unlabeled_rows = _some(rng, np.flatnonzero(~labeled), MOST_UNLABELED)
    n_labeled = len(labeled_rows)
    if n_labeled < LEAST_LABELED or len(unlabeled_rows) < max(LEAST_UNLABELED, 2 * n_labeled):
        return False
    rows = matrix[unlabeled_rows]
    table = numbers(rows)
    if table.shape[1] < 2:
        return False
    columns = _some(rng, np.arange(table.shape[1]), MOST_COLUMNS)
    table = table[:, columns]
    observed = _correlation(numbers(matrix[labeled_rows])[:, columns])
    drawn = [_correlation(table[rng.permutation(len(table))[:n_labeled]]) for _ in range(N_DRAWS)]
    if 1 + np.count_nonzero(np.array(drawn) >= observed) > LEVEL * (N_DRAWS + 1):
        return False
    observed = _correlation(table)
    return any(
        _correlation(numbers(rng.permuted(rows, axis=0))[:, columns]) >= observed for _ in range(N_SHUFFLES)
    )


def separate_numbers(plain: Any, schema: Schema) -> Callable[[Any], Array]:
    """How rows of a schema become numbers of which no two are made of one column of the table.

    Of a date the time is kept, of text nothing: what several features of one cell have to do with each other
    says nothing of columns. Within a month the sine of the year is almost a line, over years it is not.

    Parameters
    ----------
    plain : PlainColumns
        Fitted to such rows.
    schema : Schema
    """
    others = [j for one in schema.encoded for j in one.columns[one.kind != "text" :]]
    places = np.flatnonzero(np.isin(plain.numbers_, others))

    def numbers(matrix: Any) -> Array:
        return np.delete(plain.transform(ReadTable(schema, matrix)), places, axis=1)

    return numbers


def _some(rng: np.random.Generator, items: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return items if len(items) <= most else np.sort(rng.choice(items, most, replace=False))


def _correlation(table: Array) -> float:
    """Mean over columns of the sum of their squared correlations with all columns."""
    table = table - table.mean(axis=0)
    size = np.sqrt((table**2).sum(axis=0))
    varies = size > 1e-9 * max(size.max(), 1e-300)
    table = table[:, varies] / size[varies]
    inner = table @ table.T if len(table) < table.shape[1] else table.T @ table
    return float((inner**2).sum() / max(table.shape[1], 1))
