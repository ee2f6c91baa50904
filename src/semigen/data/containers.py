"""Labels as arrays, lists, series or frames of any library, read as values and which are missing."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import column_or_1d

from semigen.exceptions import LabelError


def as_matrix(y: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Column names and values if ``y`` has several columns, else None."""
    data = _narwhal(y)
    if isinstance(data, nw.DataFrame):
        if not data.columns:
            raise LabelError("y is a data frame without columns: give one of labels, or one per class.")
        if len(data.columns) == 1:
            return None
        return plain_dtype(objects(data.columns)), np.asarray(data.to_numpy())
    if data is not None:
        return None
    values = _as_array(y)
    if values.ndim == 2 and values.shape[1] > 1:
        return np.arange(values.shape[1]), values
    if values.ndim > 2 or values.shape[1:] == (0,):
        raise LabelError(f"y has the shape {values.shape}: give a vector (n,) or a matrix (n, K).")
    return None


def _narwhal(y: Any) -> nw.DataFrame[Any] | nw.Series[Any] | None:
    try:
        data = nw.from_native(y, eager_only=True, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise LabelError(f"y has several columns (classes) of one name: {error}") from error
    return data if isinstance(data, nw.DataFrame | nw.Series) else None


def objects(items: Any) -> NDArray[Any]:
    """Make a one-dimensional object array, whatever its items are."""
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return values


def _as_array(y: Any) -> NDArray[Any]:
    """``y`` as an array of one dimension or more; masked cells are None."""
    if issparse(y):
        raise LabelError("y is a sparse matrix: pass y.toarray().")
    if isinstance(y, np.ma.MaskedArray):
        values = np.array(y.data, dtype=object)
        values[np.ma.getmaskarray(y)] = None
        return values
    if hasattr(y, "to_pylist"):  # of pyarrow, where NumPy makes floats of integers beside nulls
        y = y.to_pylist()
    try:
        of_pandas = hasattr(y, "isna") and not isinstance(y.dtype, np.dtype)
        values = np.asarray(y, dtype=object if of_pandas else None)  # else Int64 with NA becomes floats
    except ValueError as error:
        raise LabelError(f"y is neither a vector nor a matrix: {error}") from error
    if values.ndim == 0:
        raise LabelError(f"y is a single value (type {type(y).__name__}): give one label per row.")
    if values.dtype.kind == "c":
        raise LabelError("y holds complex numbers. Complex data not supported")
    if isinstance(y, list | tuple) and values.ndim == 1:
        return objects(y)  # NumPy would make text of a NaN among texts, and a number of a bool among numbers
    return values.astype(object) if values.dtype.kind == "T" else values


def as_vector(y: Any, unlabeled: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values (n,) and which of them are unlabeled: None, NaN, NA, blank text or the marker."""
    series = _narwhal(y)
    if isinstance(series, nw.DataFrame):
        series = series.get_column(series.columns[0])
    if series is not None:
        missing = series.is_null().to_numpy().astype(bool)
        values = objects(series.to_list()) if missing.any() else np.asarray(series.to_numpy())
    else:
        values = _as_array(y)
        values = np.asarray(column_or_1d(values, warn=values.ndim == 2))
        missing = np.zeros(values.shape[0], dtype=bool)
    if values.dtype.kind == "f":
        missing = missing | np.isnan(values)
    elif values.dtype.kind in "mM":
        missing = missing | np.isnat(values)
    elif values.dtype.kind == "O":
        missing = missing | np.fromiter(map(_is_missing, values), dtype=bool, count=values.shape[0])
    elif values.dtype.kind == "U":
        missing = missing | (np.strings.strip(values) == "")
    return values, np.asarray(missing | _equals_marker(values, unlabeled), dtype=bool)


def _is_missing(value: Any) -> bool:
    """None, blank text, or NaN, NaT or a library's NA, told by the fact that it does not equal itself."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    equal = value == value
    return type(equal).__name__ == "NAType" or equal is False or equal is np.False_


def _equals_marker(values: NDArray[Any], unlabeled: Any) -> NDArray[np.bool_]:
    if np.ndim(unlabeled) != 0:
        raise LabelError(f"unlabeled={unlabeled!r} is not one value: give one marker, or None.")
    unlabeled = None if _is_missing(unlabeled) else unlabeled
    kind, n_rows = values.dtype.kind, values.shape[0]
    is_bool = isinstance(unlabeled, bool | np.bool_)
    _refuse_lookalikes(values, unlabeled)
    if unlabeled is None:
        return np.zeros(n_rows, dtype=bool)
    if kind == "O":
        same = (isinstance(v, bool | np.bool_) == is_bool and _equal(v, unlabeled) for v in values)
        return np.fromiter(same, dtype=bool, count=n_rows)
    if kind in "biuf" and (kind == "b") != is_bool:
        return np.zeros(n_rows, dtype=bool)  # True equals 1 in Python, but is no number to a user
    return np.asarray(values == unlabeled, dtype=bool) & np.ones(n_rows, dtype=bool)


def _refuse_lookalikes(values: NDArray[Any], unlabeled: Any) -> None:
    """Refuse text that reads like NaN or like a number used as marker, and the reverse: none is a class."""
    kind, is_text = values.dtype.kind, isinstance(unlabeled, str)
    spellings: set[str] = set()
    if not isinstance(unlabeled, bool | np.bool_):
        with suppress(TypeError, ValueError):
            spellings = {str(unlabeled), str(float(unlabeled)), f"{float(unlabeled):.0f}"}
    if kind == "U":
        spellings = (set() if is_text else spellings) | (set() if unlabeled == "nan" else {"nan"})
        alike = np.isin(values, np.array(sorted(spellings), dtype=str))
    elif spellings and (kind == "O" or (is_text and kind in "iuf")):
        found = (isinstance(v, str) != is_text and str(v) in spellings for v in values.astype(object))
        alike = np.fromiter(found, dtype=bool, count=values.shape[0])
    else:
        return
    if alike.any():
        first = values[alike].tolist()[0]
        meant = "NaN" if first == "nan" else f"the unlabeled marker {unlabeled!r}"
        is_class = "give an array of dtype=object" if first == "nan" else "say unlabeled=None"
        raise LabelError(
            f"y holds the {'number' if is_text and kind != 'U' else 'text'} {first!r} in {int(alike.sum())} "
            f"row(s), the first in row {int(alike.argmax())}, which looks like {meant}: NumPy and files turn "
            f"a number among texts into text. If it means unlabeled, say unlabeled={first!r} or give an "
            f"array of dtype=object with None there; if it is a class, {is_class}."
        )


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except (TypeError, ValueError):
        return False


def plain_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Object arrays of one kind of value in that kind's own type."""
    if values.dtype.kind != "O" or values.size == 0:
        return values
    kinds = {type(v) for v in values}
    if all(issubclass(k, str) for k in kinds):
        return np.asarray(values.astype(str))
    if all(issubclass(k, bool | np.bool_) for k in kinds):
        return np.asarray(values.astype(bool))
    if any(issubclass(k, bool | np.bool_ | str) for k in kinds):
        names = ", ".join(sorted(k.__name__ for k in kinds))
        raise LabelError(f"y mixes labels of different types ({names}): use one type.")
    if all(issubclass(k, int | np.integer) for k in kinds):
        try:
            return np.asarray(values.astype(np.int64))
        except OverflowError:
            return values
    if all(issubclass(k, int | float | np.integer | np.floating) for k in kinds):
        return np.asarray(values.astype(np.float64))
    collections = [k.__name__ for k in kinds if issubclass(k, Collection) and not issubclass(k, bytes)]
    if collections:
        raise LabelError(
            f"y holds a {min(collections)} as a label: give one value per row. Candidate sets and label "
            "probabilities go into a matrix, one column per class."
        )
    return values
