"""Reading: arrays, sparse matrices and data frames become matrices of numbers by a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array

from semigen.columns.checks import PLURAL, Matrix, check_cells, check_sparse, wish
from semigen.columns.kinds import USED, Kind, infer, kind_by_type
from semigen.columns.levels import declared_levels, encode, find_levels
from semigen.columns.numerals import numerals_of
from semigen.columns.schema import ReadTable, Schema
from semigen.columns.tables import (
    Series,
    as_floats,
    as_frame,
    hint,
    is_missing,
    listing,
    positions,
)
from semigen.exceptions import ColumnError, ParameterError

Kinds: TypeAlias = Kind | Mapping[Any, Kind] | None


def learn(X: Any, kinds: Kinds = None, *, sparse: bool = False) -> tuple[Schema, Any]:
    """Infer the kinds of the columns of ``X``, and read its rows.

    Columns of a data frame have the kinds that :func:`infer` finds, those of an array are numbers, unless
    ``kinds`` says otherwise.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, D), pandas, polars or pyarrow table, or ReadTable
        One that is read already stays as it is, unless ``kinds`` asks for other kinds.
    kinds : str, mapping or None, default=None
        A kind for all columns, or for some by name (of an array by number): "number", "count" (whole numbers
        from 0), "flag" (booleans, or 0 and 1) or "category" (any repeated text, numbers or booleans).
    sparse : bool, default=False
        Whether rows may be sparse.

    Returns
    -------
    schema : Schema
    matrix : ndarray of shape (n, D), float64 or float32, or csr_array
        A category is the number of its level, a flag 0 or 1, a missing value NaN. float32 if the array is, or
        if every column of numbers of the data frame is and there are no categories; float64 otherwise. An
        array that already has such a type is not copied. A sparse matrix has sorted indices.

    Raises
    ------
    ColumnError
        If columns cannot be read as their kind, hold text, dates or other objects, or infinity; if two have
        one name, ``kinds`` names a column that is not there, or rows are sparse that may not be.
    ParameterError
        If a kind is none of the four.
    ValueError, TypeError
        If ``X`` is not two-dimensional, is empty or complex.
    """
    if isinstance(X, ReadTable):
        asked = _asked(kinds, X.schema.names, X.schema.n_features)
        alike = all(kind in (None, own) for kind, own in zip(asked, X.schema.kinds, strict=True))
        if alike and (sparse or not issparse(X.matrix)):
            return X.schema, X.matrix
        X, kinds = X.matrix, {j: kind for j, kind in enumerate(asked) if kind}
    if issparse(X):
        matrix = _read_sparse(X, sparse)
        asked = _asked(kinds, None, matrix.shape[1])
        schema = Schema(None, tuple(kind or "number" for kind in asked), (None,) * len(asked), None)
        check_sparse(schema, matrix)
        return schema, matrix
    frame = as_frame(X)
    if frame is None:
        table = as_table(X)
        asked = _asked(kinds, None, table.shape[1])
        levels = tuple(
            find_levels(j, table[:, j].tolist()) if kind == "category" else None
            for j, kind in enumerate(asked)
        )
        schema = Schema(None, tuple(kind or "number" for kind in asked), levels, None)
        return schema, _read_array(schema, table)
    names = tuple(map(_plain_name, frame.columns))
    columns = [frame.get_column(name) for name in frame.columns]
    asked = _asked(kinds, names, len(names))
    found = [kind or infer(series) for kind, series in zip(asked, columns, strict=True)]
    _refuse_unusable(names, found, columns)
    used: tuple[Kind, ...] = tuple("number" if kind == "empty" else kind for kind in found)
    levels = tuple(
        find_levels(name, series.to_list(), declared_levels(series)) if kind == "category" else None
        for name, kind, series in zip(names, used, columns, strict=True)
    )
    schema = Schema(names, used, levels, frame.implementation.name.lower())
    return schema, _read_columns(schema, columns)


def read(schema: Schema, X: Any, *, sparse: bool = False) -> Any:
    """Read rows in the way of a fit.

    A data frame is read by name if the fit had names: the order of its columns and further ones do not
    matter. An array is read by position.

    Parameters
    ----------
    schema : Schema
    X : array-like or sparse matrix of shape (n, D), pandas, polars or pyarrow table, or ReadTable
    sparse : bool, default=False
        Whether rows may be sparse.

    Returns
    -------
    ndarray of shape (n, D), float64 or float32, or csr_array
        As :func:`learn` returns it; a level that the schema does not have is one past its last.

    Raises
    ------
    ColumnError
        If a column is absent, or cannot be read as its kind.
    ValueError, TypeError
        If ``X`` has another number of columns, is not two-dimensional, is empty or complex.
    """
    if isinstance(X, ReadTable):
        alike = (X.schema.kinds, X.schema.levels) == (schema.kinds, schema.levels)
        if alike and (sparse or not issparse(X.matrix)):
            return X.matrix
        X = X.matrix
    if issparse(X):
        matrix = _read_sparse(X, sparse)
        _check_width(schema, matrix.shape[1])
        check_sparse(schema, matrix)
        return matrix
    frame = as_frame(X)
    if frame is None:
        return _read_array(schema, as_table(X))
    names = frame.columns  # listed anew each time it is asked for
    if schema.names is None:
        _check_width(schema, len(names))
        found = list(range(schema.n_features))
    else:
        found, absent = positions(schema.names, names)
        if absent:
            others = [name for j, name in enumerate(names) if j not in found] or names
            raise ColumnError(
                f"X lacks {listing([repr(name) for name in absent])} ({len(absent)} of the "
                f"{schema.n_features} columns that the model was fitted on): {hint(absent[0], others)}"
            )
    return _read_columns(schema, [frame.get_column(names[j]) for j in found])


def _asked(kinds: Kinds, names: Sequence[Any] | None, n_columns: int) -> list[Kind | None]:
    """The kind requested for each column, None where none is."""
    for kind in kinds.values() if isinstance(kinds, Mapping) else () if kinds is None else (kinds,):
        if kind not in USED:
            raise ParameterError(f"kind {kind!r} is none of {', '.join(map(repr, USED))}.")
    if not isinstance(kinds, Mapping):
        return [kinds] * n_columns
    found, absent = positions(kinds, range(n_columns) if names is None else names)
    if absent:
        what = f"its columns are 0 to {n_columns - 1}." if names is None else hint(absent[0], names)
        raise ColumnError(f"X has no column {listing([repr(name) for name in absent])}: {what}")
    asked: list[Kind | None] = [None] * n_columns
    for j, kind in zip(found, kinds.values(), strict=True):
        asked[j] = kind
    return asked


def _plain_name(name: Any) -> Any:
    return name.item() if isinstance(name, np.generic) else name


def _refuse_unusable(names: Sequence[Any], kinds: Sequence[Kind], columns: Sequence[Series]) -> None:
    unusable = {
        name: (kind, series)
        for name, kind, series in zip(names, kinds, columns, strict=True)
        if kind not in (*USED, "empty")
    }
    if not unusable:
        return
    found = [f"{n!r} ({k}{f', {s.dtype}' if k == 'other' else ''})" for n, (k, s) in unusable.items()]
    first = {kind: name for name, (kind, _) in reversed(unusable.items())}
    cures = []
    if "text" in first:
        cures.append(
            "Turn text into counts of words with scikit-learn's TfidfVectorizer for family='multinomial' "
            "('semigen fit --text COLUMN' does both); if it is a category after all, say "
            f"{wish(first['text'], 'category', 'categorical')}."
        )
    if "date" in first:
        cures.append("Turn dates into numbers, such as days since a start.")
    cures.append("Or drop these columns.")
    raise ColumnError(
        f"X has {len(found)} column(s) of {len(names)} that no model can read as they are: {listing(found)}.",
        " ".join(cures),
    )


def _read_columns(schema: Schema, columns: Sequence[Series]) -> Matrix:
    """Read the columns of a data frame, in the order of the schema."""
    n_rows = len(columns[0]) if columns else 0
    floats = {s.dtype for s, kind in zip(columns, schema.kinds, strict=True) if kind in ("number", "count")}
    single = floats == {nw.Float32()} and "category" not in schema.kinds
    matrix: NDArray[Any] = np.empty((n_rows, len(columns)), dtype=np.float32 if single else np.float64)
    for j, (series, levels) in enumerate(zip(columns, schema.levels, strict=True)):
        name = schema.name(j)
        if levels is not None:
            matrix[:, j] = encode(name, series.to_list(), levels)
            continue
        kind = kind_by_type(series)
        if kind not in ("number", "flag", "empty"):
            row, cell = _first_odd(series)
            raise ColumnError(
                f"column {name!r} ({kind}) cannot be read as {PLURAL[schema.kinds[j]]}: its cell in row "
                f"{row} is {cell!r}.",
                "Correct it, or write None if the value is missing; if the column is a category, say so when "
                f"the model is fitted: {wish(name, 'category', 'categorical')}.",
            )
        matrix[:, j] = as_floats(series)
    check_array(matrix, ensure_all_finite=False, input_name="X")
    check_cells(schema, matrix)
    return matrix


def _first_odd(series: Series) -> tuple[int, Any]:
    """Row and value of the first cell that is no number, of the first cell if all text reads as numbers."""
    cells = [(row, cell) for row, cell in enumerate(series.to_list()) if not is_missing(cell)]
    odd = (one for one in cells if isinstance(one[1], str) and numerals_of([one[1]]) is None)
    return next(odd, cells[0])


def as_table(X: Any) -> NDArray[Any]:
    """``X`` as a table of cells of any type, with NaN for masked, None and NA ones."""
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X if X.dtype.kind in "fO" else X.astype(object), np.nan)
    table: NDArray[Any] = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    if table.dtype.kind == "O":
        missing = np.frompyfunc(is_missing, 1, 1)(table).astype(bool)
        table = np.where(missing, np.nan, table) if missing.any() else table
    return table


def _read_array(schema: Schema, table: NDArray[Any]) -> Matrix:
    """Read the columns of an array by position."""
    _check_width(schema, table.shape[1])
    coded = [j for j, levels in enumerate(schema.levels) if levels is not None]
    others = [j for j, levels in enumerate(schema.levels) if levels is None]
    _refuse_text(table, others)
    if not coded:
        matrix: NDArray[Any] = _as_numbers(table)
    else:
        matrix = np.empty(table.shape)
        if others:
            matrix[:, others] = _as_numbers(table[:, others])
        for j in coded:
            matrix[:, j] = encode(j, table[:, j].tolist(), schema.levels[j] or ())
    check_cells(schema, matrix)
    return matrix


def _as_numbers(table: NDArray[Any]) -> Matrix:
    matrix: Matrix = check_array(
        table, dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="X"
    )
    return matrix


def _refuse_text(table: NDArray[Any], columns: list[int]) -> None:
    if table.dtype.kind == "O":
        bad = [j for j in columns if any(isinstance(cell, str | bytes) for cell in table[:, j])]
    else:
        bad = columns if table.dtype.kind in "USTmM" else []
    if bad:
        what = "dates or durations" if table.dtype.kind in "mM" else "text"
        raise ColumnError(
            f"X holds {what} in {len(bad)} column(s) of {table.shape[1]} (column number {listing(bad)}), and "
            "an array is read as numbers: put the columns in a data frame, where text that repeats is a "
            "category, or encode them as numbers."
        )


def _read_sparse(X: Any, allowed: bool) -> csr_array:
    if not allowed:
        raise ColumnError(
            "X is sparse, and this model needs every cell: pass X.toarray(), or take a family for sparse "
            "rows such as family='multinomial'."
        )
    rows = check_array(
        X, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="X"
    )
    matrix = csr_array(rows)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # the caller's stays as it is
        matrix.sum_duplicates()
    return matrix


def _check_width(schema: Schema, n_columns: int) -> None:
    if n_columns != schema.n_features:
        raise ColumnError(
            f"X has {n_columns} features, but the model is expecting {schema.n_features} features as input."
        )
