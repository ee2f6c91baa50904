"""What a column is: arrays and data frames become a matrix of numbers, and every column gets a kind.

:func:`to_matrix` is strict and is what estimators call: it takes numbers and flags and names whatever else
it meets. :func:`describe` looks at a table that nobody has sorted out yet, says what each column is and
whether a model of numbers can use it; the command line drops the rest and says why.

Data frames are read through narwhals: pandas, polars and pyarrow tables look the same here.
"""

from __future__ import annotations

import numbers
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray
from sklearn.utils import check_array

from semigen.exceptions import ColumnError

Matrix: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
Kind = Literal["number", "flag", "text", "category", "date", "id", "constant", "empty", "other"]

_USED: tuple[Kind, ...] = ("number", "flag")
_CURE_MISSING = (
    "Fill them in (for example with sklearn.impute.SimpleImputer) or drop these rows or columns; support for "
    "missing cells is planned."
)
_CURE_KIND = "Drop these columns, or encode them as numbers (for example with sklearn.preprocessing)."
_LOOKS_LIKE_ID = re.compile(
    r"(^|.*[\W_])(ids?|uuid|guid|key|index|idx|rowid)$|^(ids?|uuid|guid)[\W_]|.*[a-z](Id|ID)$"
    r"|^(no|nr|row|unnamed: 0|__index_level_\d+__)\.?$"
)
_LEAST_ROWS_FOR_ORDER = 10


@dataclass(frozen=True)
class Column:
    """What a column of a table is.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        ``"number"``; ``"flag"`` (true/false, or exactly the numbers 0 and 1); ``"text"``; ``"category"``;
        ``"date"`` (dates, times, durations); ``"id"`` (every row has its own value, which tells rows apart
        and nothing else); ``"constant"``; ``"empty"``; ``"other"`` (lists, records, bytes).
    use : bool
        Whether a model of numbers uses it: true for numbers and flags.
    reason : str
        Why it is not used; empty if it is.
    n_missing : int
        Cells that are empty, null or NaN.
    n_distinct : int
        Distinct values among the other cells.
    """

    name: str
    kind: Kind
    use: bool
    reason: str
    n_missing: int
    n_distinct: int


def to_matrix(X: Any) -> Matrix:
    """Read an array or a data frame of numbers.

    Parameters
    ----------
    X : array-like of shape (n, D), or pandas, polars or pyarrow table
        Numbers and booleans; booleans become 0 and 1.

    Returns
    -------
    ndarray of shape (n, D), float64 or float32
        float32 if the array is, or if every number of the data frame is; float64 otherwise. An array that
        already has such a type is not copied.

    Raises
    ------
    ColumnError
        If columns hold text, dates or categories, cells are missing or infinite, or two columns have one
        name.
    ValueError, TypeError
        If ``X`` is not two-dimensional, is empty, complex or sparse.
    """
    frame = _as_frame(X)
    if frame is None:
        _refuse_text_array(X)
        matrix: Matrix = check_array(
            X, dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="X"
        )
        names: Sequence[Any] = range(matrix.shape[1])
    else:
        matrix = check_array(_frame_to_array(frame), ensure_all_finite=False, input_name="X")
        names = frame.columns
    _refuse_not_finite(matrix, names)
    return matrix


def column_kinds(X: Any) -> list[Kind] | None:
    """Say the kind of each column of a data frame that :func:`to_matrix` reads; None for an array."""
    frame = _as_frame(X)
    return None if frame is None else [_kind_by_type(frame.get_column(name)) for name in frame.columns]


def describe(frame: Any) -> tuple[Column, ...]:
    """Say what each column of a table is and whether a model of numbers can use it.

    Parameters
    ----------
    frame : pandas, polars or pyarrow table

    Returns
    -------
    tuple of Column
        In the order of the table.

    Raises
    ------
    ColumnError
        If ``frame`` is no table, or two columns have one name.
    """
    table = _as_frame(frame)
    if table is None:
        raise ColumnError(
            "columns can be described for a data frame (pandas, polars, pyarrow), not for "
            f"{type(frame).__name__}: put the values in one, with column names."
        )
    return tuple(_describe(str(name), table.get_column(name)) for name in table.columns)


def _as_frame(X: Any) -> nw.DataFrame[Any] | None:
    """``X`` through narwhals if it is a data frame, else None."""
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError:
        _refuse_repeated(getattr(X, "column_names", X.columns))  # pyarrow's columns are not their names
        raise
    if isinstance(frame, nw.LazyFrame):
        raise ColumnError(
            f"X is a lazy table ({type(X).__name__}) whose rows are not read yet: pass X.collect() instead."
        )
    if not isinstance(frame, nw.DataFrame):
        return None
    _refuse_repeated(frame.columns)
    return frame


def _refuse_repeated(names: Iterable[Any]) -> None:
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise ColumnError(
            f"X has more than one column named {_listing(twice)}: give every column its own name."
        )


def _kind_by_type(series: nw.Series[Any]) -> Kind:
    """Tell the kind from the type of the cells, before their values are looked at."""
    dtype = series.dtype
    if dtype.is_numeric():
        return "number"
    if dtype == nw.Boolean:
        return "flag"
    if series.null_count() == len(series):
        return "empty"
    if dtype == nw.String:
        return "text"
    if dtype in (nw.Categorical, nw.Enum):
        return "category"
    if dtype.is_temporal():
        return "date"
    if dtype == nw.Object:
        return _kind_of_objects([cell for cell in series.to_list() if not _is_missing(cell)])
    return "other"


def _kind_of_objects(cells: list[Any]) -> Kind:
    if not cells:
        return "empty"
    if all(isinstance(cell, bool | np.bool_) for cell in cells):
        return "flag"
    if all(isinstance(cell, numbers.Real) for cell in cells):
        return "number"
    return "text" if any(isinstance(cell, str) for cell in cells) else "other"


def _is_missing(cell: Any) -> bool:
    return cell is None or type(cell).__name__ == "NAType" or (isinstance(cell, float) and cell != cell)


def _frame_to_array(frame: nw.DataFrame[Any]) -> Matrix:
    columns = [frame.get_column(name) for name in frame.columns]
    kinds = [_kind_by_type(series) for series in columns]
    unusable = {
        str(name): f"{kind}, {series.dtype}" if kind == "other" else kind
        for name, kind, series in zip(frame.columns, kinds, columns, strict=True)
        if kind not in ("number", "flag", "empty")
    }
    if unusable:
        found = _listing([f"{name!r} ({kind})" for name, kind in unusable.items()])
        raise ColumnError(
            f"X has {len(unusable)} column(s) of {len(columns)} that are not numbers: {found}. {_CURE_KIND}"
        )
    floats = {series.dtype for series, kind in zip(columns, kinds, strict=True) if kind == "number"}
    dtype = np.float32 if floats == {nw.Float32()} else np.float64
    matrix: NDArray[Any] = np.empty((len(frame), len(columns)), dtype=dtype)
    for j, series in enumerate(columns):
        matrix[:, j] = _as_floats(series)
    return matrix


def _as_floats(series: nw.Series[Any]) -> NDArray[Any]:
    """Return the cells of a column of numbers or flags, NaN where there is none, (n,)."""
    if series.dtype in (nw.Float32, nw.Float64) and series.null_count() == 0:
        return np.asarray(series.to_numpy())
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        return np.asarray(series.cast(nw.Float64()).to_numpy())
    cells = series.to_list()
    return np.array([np.nan if _is_missing(cell) else float(cell) for cell in cells], dtype=np.float64)


def _refuse_text_array(X: Any) -> None:
    values = np.asarray(X) if isinstance(X, np.ndarray | list | tuple) else None
    if values is None or values.ndim != 2 or values.dtype.kind not in "USOmM":
        return
    if values.dtype.kind == "O":
        bad = [
            j for j in range(values.shape[1]) if any(isinstance(cell, str | bytes) for cell in values[:, j])
        ]
        what = "text"
    else:
        bad = list(range(values.shape[1]))
        what = "dates or durations" if values.dtype.kind in "mM" else "text"
    if bad:
        raise ColumnError(
            f"X holds {what} in {len(bad)} column(s) of {values.shape[1]} (column number {_listing(bad)}), "
            f"and a model of numbers cannot use it. {_CURE_KIND}"
        )


def _refuse_not_finite(matrix: Matrix, names: Sequence[Any]) -> None:
    # One sum tells whether a search is needed, without an array of the size of the data.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(matrix.sum()):
            return
    for what, test in (("NaN", np.isnan), ("infinity", np.isinf)):
        counts = [int(test(matrix[:, j]).sum()) for j in range(matrix.shape[1])]
        if not any(counts):
            continue
        where = _listing([f"{names[j]!r} ({counts[j]})" for j in np.argsort(counts)[::-1] if counts[j]])
        kind = "column number" if isinstance(names, range) else "column"
        cell = f"{sum(counts)} missing cell(s)" if what == "NaN" else f"{sum(counts)} infinite cell(s)"
        cure = _CURE_MISSING if what == "NaN" else "Correct them, or drop these rows or columns."
        raise ColumnError(
            f"Input X contains {what}: {cell} in {len(matrix)} rows, counted by {kind}: {where}. {cure}"
        )


def _describe(name: str, series: nw.Series[Any]) -> Column:
    kind = _kind_by_type(series)
    filled = series.drop_nulls()
    if filled.dtype.is_float():
        filled = filled.filter(~filled.is_nan())
    n_missing = len(series) - len(filled)
    if kind == "other" or filled.dtype == nw.Object:
        cells = [cell for cell in filled.to_list() if not _is_missing(cell)]
        n_missing = len(series) - len(cells)
        n_distinct = len(set(map(repr, cells)))
    else:
        n_distinct = int(filled.n_unique()) if len(filled) else 0
    kind, reason = _look(name, kind, filled, n_distinct, len(series))
    return Column(name, kind, kind in _USED, reason, n_missing, n_distinct)


def _look(name: str, kind: Kind, filled: nw.Series[Any], n_distinct: int, n_rows: int) -> tuple[Kind, str]:
    """Tell the kind from the values, and why the column is not used."""
    if n_distinct == 0:
        return "empty", "no cell is filled"
    if n_distinct == 1:
        which = "every row" if len(filled) == n_rows else "every filled cell"
        return "constant", f"{which} has the value {filled.to_list()[0]!r}"
    if kind == "number":
        if _is_numeric_id(name, filled, n_distinct, n_rows):
            return "id", "every row has its own number, as an identifier has"
        if n_distinct == 2 and filled.dtype.is_numeric() and filled.min() == 0 and filled.max() == 1:
            return "flag", ""
        return "number", ""
    if kind == "text":
        return _look_at_text(filled, n_distinct, n_rows)
    if kind == "category":
        return kind, f"{n_distinct} categories; encode them as numbers to use them"
    if kind == "date":
        return kind, "dates or times; turn them into numbers (such as days since a start) to use them"
    return kind, "" if kind in _USED else f"cells of type {filled.dtype}, not numbers"


def _look_at_text(filled: nw.Series[Any], n_distinct: int, n_rows: int) -> tuple[Kind, str]:
    cells = list(map(str, filled.to_list()))
    odd = [cell for cell in cells if not _is_number_text(cell)]
    if not odd:
        return (
            "text",
            f"text, though all {len(cells)} filled cells read as numbers; store numbers to use them",
        )
    if len(odd) < len(cells) / 2:
        return "text", (
            f"text: {len(cells) - len(odd)} cells read as numbers, {len(odd)} do not "
            f"(such as {odd[0][:20]!r}); correct them to use it"
        )
    if all(_is_number_text(cell.replace(",", ".", 1)) for cell in cells):
        return "text", "numbers with a decimal comma; write them with a point to use them"
    if n_distinct == n_rows:
        return "id", "every row has its own text, as an identifier has"
    return "text", f"text with {n_distinct} distinct values; encode it as numbers to use it"


def _is_number_text(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_numeric_id(name: str, filled: nw.Series[Any], n_distinct: int, n_rows: int) -> bool:
    """Integers of which every row has another, and whose name or order says that they only count rows."""
    if n_distinct < n_rows or not filled.dtype.is_numeric():
        return False
    named = bool(_LOOKS_LIKE_ID.match(name) or _LOOKS_LIKE_ID.match(name.lower()))
    if not filled.dtype.is_integer():
        return named and bool((filled == filled.round(0)).all())
    if named:
        return True
    first, smallest, largest = filled.to_list()[0], int(filled.min()), int(filled.max())
    rising, falling = filled.is_sorted(), filled.is_sorted(descending=True)
    if largest - smallest + 1 == n_rows and rising and first in (0, 1):
        return True
    # Ten integers come in order, or without a gap, by chance less than once in a million tables.
    return n_rows >= _LEAST_ROWS_FOR_ORDER and (rising or falling or largest - smallest + 1 == n_rows)


def _listing(items: Sequence[Any], most: int = 8) -> str:
    """Names in a row, the first few if there are many."""
    shown = ", ".join(map(str, items[:most]))
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"
