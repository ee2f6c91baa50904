"""Columns in which labeled and unlabeled rows hardly overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.stats import rankdata

from semigen.arrays.pieces import evenly
from semigen.columns import ReadTable
from semigen.columns.schema import Input
from semigen.columns.tables import listing

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

OVERLAP, FAR = 0.02, 5.0
"""Share of the pairs of a labeled and an unlabeled row that lie the other way round in a parting column, at
most, or of the labeled rows whose level an unlabeled row has; and standard deviations from what that share is
where labels are drawn at random."""
MOST_ROWS = 2_000
"""Labeled rows, and unlabeled ones, that are looked at."""


def parting_columns(table: ReadTable, code: Rows) -> list[Any]:
    """Names of the columns in which labeled and unlabeled rows hardly overlap, as in time or between places.

    Next to all labeled rows have larger or smaller numbers or dates than the unlabeled ones, or levels that
    no unlabeled row has. A missing value is a level, and the largest number.

    Parameters
    ----------
    table : ReadTable
        Sparse rows have no such columns.
    code : ndarray of shape (n,), intp
        Classes; negative for rows without one.
    """
    if issparse(table.matrix):
        return []
    labeled, rest = np.flatnonzero(code >= 0), np.flatnonzero(code < 0)
    labeled, rest = labeled[evenly(len(labeled), MOST_ROWS)], rest[evenly(len(rest), MOST_ROWS)]
    n, m = len(labeled), len(rest)
    if not n or not m or FAR * np.sqrt((n + m + 1) / (12 * n * m)) > 0.5 - OVERLAP:
        return []
    matrix, known = table.matrix[np.concatenate([labeled, rest])], np.arange(n + m) < n
    found: dict[Any, None] = {}
    for one, j in _values_of(table):
        values = np.asarray(matrix[:, j], dtype=np.float64)
        if _has_order(table, one, j):
            above = _share_above(values, known)
            parted = min(above, 1 - above) <= OVERLAP
        else:
            is_level = table.schema.kinds[j] in ("category", "flag")
            levels = np.nan_to_num(values, nan=-1) if is_level else np.isnan(values)
            parted = _lie_apart(np.unique(levels, return_inverse=True)[1], known)
        if parted:
            found[one.name] = None
    return list(found)


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


def _lie_apart(level: Rows, known: NDArray[np.bool_]) -> bool:
    """Whether hardly a labeled row has the level (n,) of an unlabeled one, though by chance many would.

    A row that shares its level with c others would by chance have an unlabeled one among them with a
    probability of about ``1 - (share of labeled rows)^c``: never where every row has a level of its own.
    """
    count = np.bincount(level)
    overlap = (np.bincount(level[~known], minlength=len(count)) > 0)[level[known]].mean()
    chance = (1 - known.mean() ** (count[level] - 1.0)).mean()
    spread = np.sqrt(chance * (1 - chance) / np.count_nonzero(known))
    return bool(overlap <= OVERLAP and overlap < chance - FAR * spread)


def _values_of(table: ReadTable) -> Iterator[tuple[Input, int]]:
    """The columns of a table, with each column of the matrix that is one of its values."""
    for one in table.schema.inputs:
        encoded = one.encoded
        several = encoded is not None and (
            encoded.kind == "number" or table.schema.kinds[one.first] == "flag"
        )  # the first of a date is its time, and all of a text are missing in the same rows
        for j in encoded.columns if encoded is not None and several else (one.first,):
            yield one, j


def parting_sentence(names: Sequence[str]) -> str:
    """What such columns mean for the predictions."""
    return (
        f"Labeled and unlabeled rows hardly overlap in {listing(names)}: held-out labeled rows do not tell "
        "how good predictions of the unlabeled ones are. Label some of these, and leave out what "
        "says nothing of the class."
    )
