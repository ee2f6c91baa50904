"""Columns that alone tell the class of every labeled row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.columns import ReadTable

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_TOLD = 44
"""Labeled rows outside of the largest class that such a column has to tell: of a column that misreads a tenth
of them, so many are read right in 1 of 100 draws."""


LEAST_NAMED = 10
"""The same where the values of the column are the names of the classes, as in a copy of the labels."""


def telling_columns(table: ReadTable, code: Rows, classes: NDArray[Any] | None = None) -> list[Any]:
    """Names of the columns of which each value, or each range of values, is of one class.

    A level of a category belongs to one class; values of a number are cut into no more ranges than there are
    classes, where a missing value is the largest. The first row of each level or range only says which
    class it is, so it does not count among the ``LEAST_TOLD``.

    Parameters
    ----------
    table : ReadTable
        Sparse rows have no such columns.
    code : ndarray of shape (n,), intp
        Classes; negative for rows without one.
    classes : ndarray of shape (K,) or None
        Their names.
    """
    known = np.flatnonzero(code >= 0)
    count = np.bincount(code[known])
    told_at_most = count.sum() - count.max(initial=0)
    if issparse(table.matrix) or told_at_most < min(LEAST_TOLD, LEAST_NAMED):
        return []
    rows, own = np.asarray(table.matrix[known], dtype=np.float64), code[known]
    most = np.count_nonzero(count)
    found = []
    for one in table.schema.inputs:
        values = rows[:, one.first]
        if one.encoded is not None:  # of text and dates only whether there is one
            values = np.isnan(values).astype(np.float64)
        is_level = one.encoded is not None or table.schema.kinds[one.first] in ("category", "flag")
        group = _groups(values, own, is_level)
        if group is None:
            continue
        names, first = np.unique(group, return_index=True)
        levels = table.schema.levels[one.first]
        if levels and classes is not None and _are_named(values[first], levels, classes[own[first]]):
            found.append(one.name)
            continue
        told = count.copy()
        np.subtract.at(told, own[first], 1)
        if (is_level or len(names) <= most) and told.sum() - told.max() >= LEAST_TOLD:
            found.append(one.name)
    return found


def sentence(names: Sequence[str]) -> str:
    """What to ask about such columns."""
    first, *others = names
    too = f", and so do{'es' if len(others) == 1 else ''} {', '.join(others)}" if others else ""
    which = "is it" if not others else "are they"
    return (
        f"Column {first} alone tells the class of every labeled row{too}: {which} known when predictions are "
        "made?"
    )


def _are_named(values: Array, levels: Sequence[Any], classes: NDArray[Any]) -> bool:
    """Whether the name of each level is that of its class."""
    if np.isnan(values).any():
        return False
    pairs = zip((levels[int(value)] for value in values), classes.tolist(), strict=True)
    return all(str(level).strip().casefold() == str(name).strip().casefold() for level, name in pairs)


def _groups(values: Array, own: Rows, is_level: bool) -> Rows | None:
    """The level of each row, or its range of values; None where a value has rows of several classes."""
    levels, place = np.unique(values, return_inverse=True)  # a missing value is the last level
    class_of = np.zeros(len(levels), dtype=np.intp)
    class_of[place] = own
    if (class_of[place] != own).any():
        return None
    if is_level:
        return place
    return np.concatenate([[0], np.cumsum(class_of[1:] != class_of[:-1])])[place]
