"""Data frames of any library through narwhals: names, columns, and cells as floats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.data.rows import refuse_unread
from semigen.exceptions import ColumnError

_NEAR = 0.65  # of 1 for the same name: that two names may be a slip of each other

Series: TypeAlias = "nw.Series[Any]"
Frame: TypeAlias = "nw.DataFrame[Any]"


def as_frame(X: Any) -> Frame | None:
    """``X`` through narwhals if it is a data frame, else None.

    Raises
    ------
    ColumnError
        If it is a source or files, its rows are not read yet, two columns have one name, or it has named
        values and is no data frame.
    """
    refuse_unread(X)
    _refuse_named(X)
    try:
        frame = nw.from_native(plain_types(X), pass_through=True)
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


def plain_types(X: Any) -> Any:
    """A table without types that not all libraries compute with: views, half floats, periods and others."""
    pa = nw.dependencies.get_pyarrow()
    if pa is not None and isinstance(X, pa.Table):
        plain = {
            "string_view": pa.large_string(),
            "binary_view": pa.large_binary(),
            "halffloat": pa.float64(),
        }
        types = [plain.get(str(one.type), one.type) for one in X.schema]
        if types != X.schema.types:
            X = X.cast(pa.schema([one.with_type(kind) for one, kind in zip(X.schema, types, strict=True)]))
        for j, kind in enumerate(types):
            if pa.types.is_decimal256(kind):
                numbers = [None if cell is None else float(cell) for cell in X.column(j).to_pylist()]
                X = X.set_column(j, X.column_names[j], pa.array(numbers, pa.float64()))
        return X
    if nw.dependencies.is_pandas_dataframe(X):
        plain = {name: kind for name, dtype in X.dtypes.items() if (kind := _plain_type(dtype)) is not None}
        return X.astype(plain) if plain else X
    return X


def _plain_type(dtype: Any) -> Any:
    """The type that a column of pandas has instead, None if it stays."""
    text = str(dtype)
    if text.startswith("Sparse["):
        return dtype.subtype
    if text.startswith("period["):
        return "datetime64[us]"
    return "float64" if text in ("float16", "halffloat[pyarrow]") else None


def _refuse_named(X: Any) -> None:
    first = X[0] if isinstance(X, list) and X else X
    is_mapping = isinstance(first, Mapping) and not issparse(first)  # SciPy's dok_array is one, too
    if is_mapping or (isinstance(X, np.ndarray) and X.dtype.names):
        what = "a structured array" if isinstance(X, np.ndarray) else f"a {type(X).__name__} of named values"
        raise ColumnError(f"X is {what}: make a data frame of it, such as pandas.DataFrame(X).")


def _refuse_repeated(names: Iterable[Any]) -> None:
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise ColumnError(
            f"X has more than one column named {listing(twice)}: give every column its own name."
        )


def plain_name(name: Any) -> Any:
    """A column's name as Python's own type."""
    return name.item() if isinstance(name, np.generic) else name


def positions(wanted: Iterable[Any], names: Sequence[Any]) -> tuple[list[int], list[Any]]:
    """Positions of the wanted names among ``names``, and the wanted names that are absent."""
    place = {str(name): j for j, name in enumerate(names)}
    found, absent = [], []
    for name in wanted:
        if str(name) in place:
            found.append(place[str(name)])
        else:
            absent.append(name)
    return found, absent


def hint(absent: Any, names: Sequence[Any], there: Sequence[Any] | None = None) -> str:
    """A hint for an absent name: similar ones of ``names``, or all of them, or without any all ``there``."""
    others = list(map(str, names))
    close = get_close_matches(str(absent), others, n=3, cutoff=_NEAR)
    close += [name for name in others if name.strip().lower() == str(absent).strip().lower()]
    if close:
        return f"did you mean {' or '.join(map(repr, dict.fromkeys(close)))}?"
    if there and others:
        return f"of its columns the model does not know {listing([repr(name) for name in names])}."
    return f"it has {listing([repr(name) for name in there or names])}."


def listing(items: Sequence[Any], most: int = 8) -> str:
    """Items separated by commas, the first few if there are many."""
    shown = ", ".join(map(str, items[:most]))
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def is_missing(cell: Any) -> bool:
    """None, NaN, or a library's NA."""
    return (
        cell is None
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, float | Decimal) and cell != cell)
    )


def filled_cells(series: Series) -> list[Any]:
    """The values that are not missing, as Python objects."""
    cells = series.drop_nulls().to_list()
    return [cell for cell in cells if not is_missing(cell)] if series.dtype == nw.Object else cells


def as_floats(series: Series) -> NDArray[Any]:
    """Values of a column of numbers or booleans, NaN where missing, (n,)."""
    if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
        cells = series.to_list()
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in cells], dtype=np.float64)
    incomplete = series.null_count() > 0
    values = np.asarray(
        (series.fill_null(0 if series.dtype.is_numeric() else False) if incomplete else series).to_numpy()
    )
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if incomplete:
        values = np.where(series.is_null().to_numpy(), np.nan, values)
    return values
