"""Columns that alone tell the class of every labeled row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.arrays.pieces import evenly
from semigen.columns import ReadTable
from semigen.columns.schema import Input
from semigen.estimators.classifiers import ExtraTrees, RidgeLogistic
from semigen.representation.plain import PlainColumns

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_MISREAD, MOST_MISREAD = 0.1, 0.25
"""Share of the rows that the other columns together misread, at least and at most: what a column is
measured against."""
CHANCE = 0.01
"""How likely such a column would read all labeled rows right if it misread as many."""
LEAST_NAMED = 10
"""Labeled rows to tell where the values of a column are the names of the classes, as a copy of them has."""
FOLDS = 5
MOST_ROWS = 2_000
"""Labeled rows from which is learned what the other columns say."""


def least_told(misread: float) -> int:
    """Labeled rows outside of the largest class that a column has to tell, where others misread a share."""
    return int(np.ceil(np.log(CHANCE) / np.log1p(-misread)))


def telling_columns(table: ReadTable, code: Rows, classes: NDArray[Any] | None = None) -> list[Any]:
    """Names of the columns of which each value, or each range of values, is of one class.

    A level of a category belongs to one class; values of a number are cut into no more ranges than there are
    classes, where a missing value is the largest; or whether there is a value tells the class. The first row
    of each level or range only says which class it is. Of the others ``least_told(q)`` have to lie outside of
    the largest class, where q is the share of rows that the other columns together misread, held out, with
    even weights of the classes, and is taken for no less than ``LEAST_MISREAD`` and no more than
    ``MOST_MISREAD``: a column that tells what the others tell nearly as well needs 44, one that alone knows
    it 17. Columns that are filled in the same rows, or have the same levels by other names, are no others.

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
    if issparse(table.matrix) or told_at_most < LEAST_NAMED:
        return []
    rows, own = np.asarray(table.matrix[known], dtype=np.float64), code[known]
    found = []
    for one in table.schema.inputs:
        values = rows[:, one.first]
        if one.encoded is not None:  # of text and dates only whether there is one
            values = np.isnan(values).astype(np.float64)
        is_level = one.encoded is not None or table.schema.kinds[one.first] in ("category", "flag")
        levels = table.schema.levels[one.first]
        named = levels and classes is not None and _are_named(values, levels, classes[own])
        told = max(_told(values, own, count, is_level), _told(np.isnan(values), own, count, True))
        if named or (
            told >= least_told(MOST_MISREAD)
            and (
                told >= least_told(LEAST_MISREAD)
                or told >= least_told(_misread_without(table, one, known, own))
            )
        ):
            found.append(one.name)
    return found


def _told(values: NDArray[Any], own: Rows, count: Rows, is_level: bool) -> int:
    """Rows outside of the largest class whose class their value tells, less the first of each; or 0."""
    group = _groups(values, own, is_level)
    if group is None:
        return 0
    names, first = np.unique(group, return_index=True)
    if not is_level and len(names) > np.count_nonzero(count):
        return 0
    told = count.copy()
    np.subtract.at(told, own[first], 1)
    return int(told.sum() - told.max())


def _misread_without(table: ReadTable, one: Input, known: Rows, own: Rows) -> float:
    """The share of held-out labeled rows that the other columns misread, the mean over classes."""
    mine = _partitions(table, one)
    same = [
        other for other in table.schema.inputs if other.first == one.first or mine & _partitions(table, other)
    ]
    some = evenly(len(known), MOST_ROWS)
    code = own[some]
    matrix = np.array(table.matrix[known[some]], dtype=np.float64)
    for other in same:
        matrix[:, [other.first] if other.encoded is None else list(other.encoded.columns)] = np.nan
    x = np.asarray(PlainColumns().fit_transform(ReadTable(table.schema, matrix)))
    count = np.bincount(code)
    weight = len(code) / (np.count_nonzero(count) * count[code])
    order = np.argsort(code, kind="stable")
    fold = np.empty(len(code), dtype=np.intp)
    fold[order] = np.arange(len(code)) % FOLDS
    wrong = []
    for model in (RidgeLogistic(0.1), ExtraTrees(random_state=0)):
        said = np.empty(len(code), dtype=np.intp)
        for out in (fold == number for number in range(FOLDS)):
            probs = model.fit(x[~out], code[~out], sample_weight=weight[~out]).predict_proba(x[out])
            said[out] = model.classes_[probs.argmax(axis=1)]
        wrong.append(np.bincount(code, said != code)[count > 0] / count[count > 0])
    return float(np.clip(min(one.mean() for one in wrong), LEAST_MISREAD, MOST_MISREAD))


def _partitions(table: ReadTable, one: Input) -> set[bytes]:
    """How a column divides all rows of the table: into filled and empty ones, and by its levels."""
    values = np.asarray(table.matrix[:, one.first], dtype=np.float64)
    empty = np.isnan(values)
    found = {np.packbits(empty).tobytes()} if empty.any() and not empty.all() else set()
    if one.encoded is None and table.schema.kinds[one.first] in ("category", "flag"):
        _, first, place = np.unique(values, return_index=True, return_inverse=True)
        found.add(np.argsort(np.argsort(first))[place].tobytes())  # levels in the order of the rows
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
