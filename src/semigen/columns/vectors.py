"""Columns of lists: those of numbers, such as embeddings, become a column each, those of text become text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from itertools import groupby
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.tables import Frame, Series, as_frame, is_missing
from semigen.exceptions import ColumnError

LISTS = (list, tuple, np.ndarray)
_LISTS_OF_TEXT = (*LISTS, set, frozenset)
_JSON = json.JSONEncoder(ensure_ascii=False)
_NUMBERED = re.compile(r"\[\d+\]$")


def wide_frame(X: Any) -> Frame | None:
    """``X`` as :func:`semigen.columns.tables.as_frame` has it, with :func:`spread` lists."""
    frame = as_frame(X)
    return None if frame is None else spread(frame)


def spread(frame: Frame) -> Frame:
    """The table without columns of lists.

    ``name[0]``, ``name[1]``, … are in place of one of numbers of one length, and text such as
    ``["red", "blue"]`` in place of lists of text.
    """
    found, texts = {}, []
    for name, dtype in frame.schema.items():
        if dtype == nw.Object or isinstance(dtype, nw.List | nw.Array):
            series = frame.get_column(name)
            if (numbers := numbers_of(series)) is not None:
                found[name] = numbers
            elif (cells := texts_of(series)) is not None:
                texts.append(nw.new_series(name, cells, nw.String(), backend=frame.implementation))
    if not found and not texts:
        return frame
    index, plain = nw.maybe_get_index(frame), nw.maybe_reset_index(frame).with_columns(*texts)
    parts = [
        nw.from_numpy(
            found[name],
            [f"{name}[{j}]" for j in range(found[name].shape[1])],
            backend=frame.implementation,
        )
        if name in found
        else plain.select(name)
        for name in frame.columns
    ]
    wide = nw.concat(parts, how="horizontal")
    return wide if index is None else nw.from_native(wide.to_native().set_axis(index))


def numbers_of(series: Series) -> NDArray[Any] | None:
    """Lists of numbers of one length above 1 as (n, d), NaN where one is missing; None for other cells."""
    if (quick := _of_arrow(series)) is not None:
        return quick
    cells: Any = series.to_numpy()
    if cells.ndim == 2:
        return cells if cells.dtype.kind in "fiu" and cells.shape[1] > 1 else None
    there: NDArray[np.bool_] = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    filled = cells[there].tolist()
    if not filled or not all(isinstance(cell, LISTS) for cell in filled):
        return None
    if len({len(cell) for cell in filled}) != 1 or len(filled[0]) < 2:
        return None
    if not isinstance(filled[0][0], Real | None):
        return None
    try:
        values = np.array(filled, dtype=getattr(filled[0], "dtype", np.float64))
        values = values if values.dtype.kind == "f" else values.astype(np.float64)
    except (TypeError, ValueError):  # text, or lists in lists
        return None
    if values.ndim != 2:
        return None
    found = np.full((len(cells), values.shape[1]), np.nan, values.dtype)
    found[there] = values
    return found


def texts_of(series: Series) -> list[str | None] | None:
    """Lists, tuples or sets of text as ``["red", "blue"]``, None if one is missing; None of other cells.

    None in a list is left out.
    """
    cells = series.to_list()
    if not isinstance(next((cell for cell in cells if not is_missing(cell)), None), _LISTS_OF_TEXT):
        return None
    there = [cell for cell in cells if not is_missing(cell)]
    if not all(isinstance(cell, _LISTS_OF_TEXT) for cell in there):
        return None
    if not all(isinstance(one, str | None) for cell in there for one in cell):
        return None
    if all(one is None for cell in there for one in cell):
        return None
    return [None if is_missing(cell) else as_text(cell) for cell in cells]


def as_text(options: Collection[str | None]) -> str:
    """A list of text in one cell: JSON, a set in the order of its texts."""
    found = [one for one in options if one is not None]
    return _JSON.encode(sorted(found) if isinstance(options, set | frozenset) else found)


def _of_arrow(series: Series) -> NDArray[Any] | None:
    """:func:`numbers_of` a column of pyarrow, without an object for each number; None: not done."""
    pa, column = nw.dependencies.get_pyarrow(), series.to_native()
    if pa is None or not isinstance(column, pa.ChunkedArray) or not len(column):
        return None
    lists = column.combine_chunks()
    kind = getattr(lists.type, "value_type", None)
    if kind is None or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    return numbers_of_lists(lists)


def numbers_of_lists(lists: Any) -> NDArray[Any] | None:
    """Lists of pyarrow as numbers (n, d), NaN where one is missing; None if uneven or shorter than 2."""
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    lengths = np.unique(lists.value_lengths().to_numpy(zero_copy_only=False)[there]).astype(np.intp)
    if len(lengths) != 1 or lengths[0] < 2:
        return None
    values = lists.flatten().to_numpy(zero_copy_only=False)  # of the lists that are there
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    found = np.full((len(lists), lengths[0]), np.nan, values.dtype)
    found[there] = values.reshape(-1, lengths[0])
    return found


def lacks_numbers(series: Series) -> bool:
    """Whether a list of numbers has a gap; False of other cells."""
    if not isinstance(series.dtype, nw.List | nw.Array):
        return False
    numbers = numbers_of(series)
    return numbers is not None and bool(np.isnan(numbers).any())


def stem(name: str) -> str:
    """``name`` of ``name[0]``, ``name[1]``, …; others as they are."""
    return _NUMBERED.sub("", name)


def numbers_called(name: Any, names: Iterable[Any]) -> list[Any]:
    """The columns ``name[0]``, ``name[1]``, … among ``names``, which a column of lists became."""
    return [one for one in names if str(one) != str(name) and stem(str(one)) == str(name)]


def as_stored(names: Iterable[str], there: Collection[str]) -> list[str]:
    """The columns of a table that hold those of these names, whether as columns or as lists."""
    return list(dict.fromkeys(name if name in there else stem(name) for name in names))


def with_empty_lists(frame: Frame, absent: Iterable[str]) -> Frame:
    """The table with columns that are absent because no cell of a column of lists has one.

    Raises
    ------
    ColumnError
        If there are lists, but of other lengths.
    """
    for name, wanted in groupby(absent, stem):
        if name not in frame.columns:
            continue
        numbers, series = list(wanted), frame.get_column(name)
        if not all(map(is_missing, series.to_list())):
            raise ColumnError(
                f"column {name!r} has cells that are no lists of {len(numbers)} numbers, which the model was "
                "fitted on: correct them, or leave them empty."
            )
        empty = np.full((len(series), len(numbers)), np.nan)
        frame = nw.concat(
            [frame, nw.from_numpy(empty, numbers, backend=frame.implementation)], how="horizontal"
        )
    return frame


def refuse_one_column(X: Any) -> None:
    """Say what to do with texts or vectors that come as one column and in no table.

    Raises
    ------
    ColumnError
        If ``X`` is a list, an array or a series of texts, or an array or a series of lists.
    """
    alone = getattr(X, "ndim", 1 if nw.dependencies.is_into_series(X) else 2) == 1
    if not (alone or isinstance(X, list | tuple)) or not isinstance(X, Iterable):
        return
    first = next(iter(X), None)
    if isinstance(first, str):
        raise ColumnError(
            f"X is one column of text ({type(X).__name__}): put it in a data frame, such as "
            "pandas.DataFrame({'text': X}), whose words are then read."
        )
    if alone and isinstance(first, LISTS):
        raise ColumnError(
            f"X is one column of lists ({type(X).__name__}): pass numpy.stack(X), a matrix of numbers."
        )
