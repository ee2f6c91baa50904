"""Columns in which unlabeled rows lie where no labeled row does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import gammaln
from scipy.stats import betabinom, rankdata

from semigen.arrays.pieces import evenly
from semigen.columns import ReadTable
from semigen.columns.schema import Input
from semigen.columns.tables import listing

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_OUTSIDE, CHANCE = 0.2, 1e-6
"""Share of the unlabeled rows that lie outside of the labeled ones in a parting column, at least; and how
likely as many are where labels are drawn at random, at most."""
STRAY = 0.01
"""Share of the labeled rows at either end of a range that may lie apart from the others."""
FAR = 5.0
"""Standard deviations of the share of pairs that chance decides."""
MOST_ROWS = 2_000
"""Labeled rows, and unlabeled ones, that are looked at."""


def parting_columns(table: ReadTable, code: Rows) -> dict[Any, float]:
    """Columns in which unlabeled rows lie outside of the labeled ones, as in time or between places.

    That is outside of the range of their numbers or dates, or at levels that no labeled row has. A missing
    value is a level, and the largest number. Where labels are drawn at random, so many lie there with a
    probability of at most ``CHANCE``.

    Parameters
    ----------
    table : ReadTable
        Sparse rows have no such columns.
    code : ndarray of shape (n,), intp
        Classes; negative for rows without one.

    Returns
    -------
    dict
        For each such column the share of the unlabeled rows that lie outside, the largest first.
    """
    if issparse(table.matrix):
        return {}
    labeled, rest = np.flatnonzero(code >= 0), np.flatnonzero(code < 0)
    labeled, rest = labeled[evenly(len(labeled), MOST_ROWS)], rest[evenly(len(rest), MOST_ROWS)]
    n, m = len(labeled), len(rest)
    if not n or not m:
        return {}
    matrix, known = table.matrix[np.concatenate([labeled, rest])], np.arange(n + m) < n
    found: dict[Any, float] = {}
    for one, j in _values_of(table):
        values = np.asarray(matrix[:, j], dtype=np.float64)
        if _has_order(table, one, j):
            share, chance = _outside_of_range(np.where(np.isnan(values), np.inf, values), known)
        else:
            is_level = table.schema.kinds[j] in ("category", "flag")
            levels = np.nan_to_num(values, nan=-1) if is_level else np.isnan(values)
            share, chance = _at_other_levels(np.unique(levels, return_inverse=True)[1], known)
        if share >= LEAST_OUTSIDE and chance <= CHANCE:
            found[one.name] = max(float(share), found.get(one.name, 0.0))
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def most_apart(table: ReadTable, labeled: Rows, unlabeled: Rows) -> Any | None:
    """Name of the column of numbers or dates in which labeled and unlabeled rows differ most.

    None where none differs by more than chance, and for sparse rows.
    """
    n, m = len(labeled), len(unlabeled)
    if issparse(table.matrix) or not n or not m:
        return None
    matrix, known = table.matrix[np.concatenate([labeled, unlabeled])], np.arange(n + m) < n
    far: dict[Any, float] = {}
    for one, j in _values_of(table):
        if _has_order(table, one, j):
            apart = abs(_share_above(np.asarray(matrix[:, j], dtype=np.float64), known) - 0.5)
            far[one.name] = max(apart, far.get(one.name, 0.0))
    most = max(far, key=far.__getitem__, default=None)
    return most if most is not None and far[most] > FAR * np.sqrt((n + m + 1) / (12 * n * m)) else None


def _has_order(table: ReadTable, one: Input, j: int) -> bool:
    """Whether the values in column j of the matrix are numbers or times."""
    is_text = one.encoded is not None and one.encoded.kind == "text"
    return not is_text and table.schema.kinds[j] not in ("category", "flag")


def _share_above(values: Array, known: NDArray[np.bool_]) -> float:
    """The share of pairs in which the labeled row is larger than the unlabeled one; ties count half."""
    n, m = np.count_nonzero(known), np.count_nonzero(~known)
    ranks = rankdata(np.where(np.isnan(values), np.inf, values))
    return float((ranks[known].sum() - n * (n + 1) / 2) / (n * m))


def _outside_of_range(values: Array, known: NDArray[np.bool_]) -> tuple[float, float]:
    """The share of unlabeled rows outside of the labeled ones, and how likely as many are by chance.

    Of n rows drawn at random, all but the r least and the r largest span a range outside of which lie as many
    of the m others as a beta-binomial with parameters 2 (1 + r) and n - 1 - 2 r says; fewer where rows tie.
    """
    own, others = np.sort(values[known]), values[~known]
    n, stray = len(own), int(STRAY * len(own))
    if n < 2:
        return 0.0, 1.0
    outside = np.count_nonzero((others < own[stray]) | (others > own[n - 1 - stray]))
    law = betabinom(len(others), 2 * (1 + stray), n - 1 - 2 * stray)
    return outside / len(others), float(law.sf(outside - 1))


def _at_other_levels(level: Rows, known: NDArray[np.bool_]) -> tuple[float, float]:
    """The share of unlabeled rows at levels (n,) without a labeled row, and how likely as many are by chance.

    Which levels none of the n rows drawn at random has is negatively associated (Joag-Dev and Proschan 1983),
    so Chernoff's bound holds as if the levels were independent.
    """
    count, taken = np.bincount(level), np.bincount(level[known])
    taken = np.pad(taken, (0, len(count) - len(taken)))
    outside, n, m = int(count[taken == 0].sum()), np.count_nonzero(known), np.count_nonzero(~known)
    if not outside:
        return 0.0, 1.0
    few = np.maximum(m - count, 0)
    log_p = gammaln(n + few + 1) - gammaln(few + 1) - gammaln(n + m + 1) + gammaln(m + 1)
    log_p = np.where(count > m, -np.inf, np.minimum(log_p, -1e-12))  # of no labeled row at a level
    slope = np.geomspace(0.1, 100.0, 31)[:, None] / outside
    log_moment = np.logaddexp(np.log(-np.expm1(log_p)), log_p + slope * count).sum(axis=1)
    return outside / m, float(np.exp(min((log_moment - slope[:, 0] * outside).min(), 0.0)))


def _values_of(table: ReadTable) -> Iterator[tuple[Input, int]]:
    """The columns of a table, with each column of the matrix that is one of its values."""
    for one in table.schema.inputs:
        encoded = one.encoded
        several = encoded is not None and (
            encoded.kind == "number" or table.schema.kinds[one.first] == "flag"
        )  # the first of a date is its time, and all of a text are missing in the same rows
        for j in encoded.columns if encoded is not None and several else (one.first,):
            yield one, j


def parting_sentence(outside: Mapping[str, float]) -> str:
    """What such columns, and their shares of the unlabeled rows, mean for the predictions."""
    return (
        f"{lie_outside(outside)} Held-out labeled rows do not tell how good predictions of those rows are: "
        "label some of them, and leave out a column that says nothing of the class."
    )


def lie_outside(outside: Mapping[str, float]) -> str:
    """In which columns how many unlabeled rows lie outside."""
    where = listing([f"{100 * share:.0f} % in {name}" for name, share in outside.items()])
    return f"Many unlabeled rows lie outside of the labeled ones: {where}."
