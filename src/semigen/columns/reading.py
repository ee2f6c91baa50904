"""Reading: arrays, sparse matrices and data frames become matrices of numbers by a schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse

from semigen.columns.checks import PLURAL, Matrix, check_cells, check_sparse, checked, wish
from semigen.columns.dates import date_cells
from semigen.columns.encoders import as_texts
from semigen.columns.kinds import kind_by_type
from semigen.columns.levels import encode
from semigen.columns.numerals import plain_numbers
from semigen.columns.schema import ReadTable, Schema
from semigen.columns.sparse import as_dense
from semigen.columns.tables import Series, as_floats, hint, is_missing, listing, positions
from semigen.columns.vectors import refuse_one_column, wide_frame, with_empty_lists
from semigen.exceptions import ColumnError


def read(
    schema: Schema, X: Any, *, sparse: bool | Literal["dense"] = False, order: Literal["C", "F"] = "C"
) -> Any:
    """Read rows in the way of a fit, as :func:`read_table` does.

    Returns
    -------
    ndarray of shape (n, D), float64 or float32, or csr_array
    """
    return read_table(schema, X, sparse=sparse, order=order).matrix


def read_table(
    schema: Schema, X: Any, *, sparse: bool | Literal["dense"] = False, order: Literal["C", "F"] = "C"
) -> ReadTable:
    """Read rows in the way of a fit.

    A data frame is read by name if the fit had names: the order of its columns and further ones do not
    matter. An array is read by position.

    Parameters
    ----------
    schema : Schema
    X : array-like or sparse matrix of shape (n, D), pandas, polars or pyarrow table, or ReadTable
    sparse : bool or "dense", default=False
        Whether rows may be sparse; "dense": they become an array.
    order : {"C", "F"}, default="C"
        How a data frame lies in memory: row by row, or column by column, which is read several times faster.

    Returns
    -------
    ReadTable
        Its matrix as :func:`learn` returns it; a level that the schema does not have is one past its last,
        and a value that is no flag or no count the nearest that is.

    Raises
    ------
    ColumnError
        If a column is absent, or cannot be read as its kind.
    ValueError, TypeError
        If ``X`` has another number of columns, is not two-dimensional, is empty or complex.

    Warns
    -----
    ColumnWarning
        If flags or counts have other values.
    """
    if isinstance(X, ReadTable):
        alike = (X.schema.kinds, X.schema.levels) == (schema.kinds, schema.levels)
        if alike and (sparse is True or not issparse(X.matrix)):
            return ReadTable(schema, X.matrix, X.words)
        X = X.matrix
    if issparse(X):
        matrix = read_sparse(X, bool(sparse))
        _check_width(schema, matrix.shape[1])
        if sparse == "dense":
            return ReadTable(schema, read_array(schema, as_dense(matrix), fitting=False))
        return ReadTable(schema, check_sparse(schema, matrix, fitting=False))
    refuse_one_column(X)
    frame = wide_frame(X)
    if frame is None:
        return ReadTable(schema, read_array(schema, as_table(X), fitting=False))
    names = schema.input_names
    there = frame.columns  # listed anew each time it is asked for
    if schema.is_sparse and not sparse:
        _refuse_sparse()
    if names is None:
        _check_width(schema, len(there))
        found = list(range(schema.n_features))
    else:
        found, absent = positions(names, there)
        if absent:
            frame = with_empty_lists(frame, map(str, absent))
            there = frame.columns
            found, absent = positions(names, there)
        if absent:
            others = [name for j, name in enumerate(there) if j not in found]
            raise ColumnError(
                f"X lacks {listing([repr(name) for name in absent])} ({len(absent)} of the "
                f"{len(names)} columns that the model was fitted on): {hint(absent[0], others, there)}"
            )
    return read_columns(schema, [frame.get_column(there[j]) for j in found], order, fitting=False)


def read_columns(
    schema: Schema, columns: Sequence[Series], order: Literal["C", "F"] = "C", *, fitting: bool
) -> ReadTable:
    """Read the columns of a data frame that are used, in the order of ``schema.input_names``."""
    if schema.is_sparse:
        blocks = [
            one.encoder.read(one.name, s.to_list()) for one, s in zip(schema.encoded, columns, strict=True)
        ]
        return ReadTable(schema, csr_array(hstack(blocks)))
    n_rows = len(columns[0]) if columns else 0
    inputs = list(zip(schema.inputs, columns[: len(schema.inputs)], strict=True))
    documents = zip(schema.documents, columns[len(inputs) :], strict=True)
    words = [one.encoder.read(one.name, series.to_list()) for one, series in documents]
    floats = {s.dtype for one, s in inputs if schema.kinds[one.first] in ("number", "count")}
    single = floats == {nw.Float32()} and "category" not in schema.kinds and not schema.encoded
    dtype = np.float32 if single else np.float64
    matrix: NDArray[Any] = np.empty((n_rows, schema.n_features), dtype=dtype, order=order)
    for one, series in inputs:
        j, levels = one.first, schema.levels[one.first]
        if one.encoded is not None:
            cells = date_cells(series) if one.encoded.kind == "date" else series.to_list()
            found = one.encoded.encoder.read(one.name, cells)
            matrix[:, j : j + found.shape[1]] = found.toarray() if schema.kinds[j] == "word" else found
            continue
        if levels is not None:
            matrix[:, j] = encode(one.name, series.to_list(), levels)
            continue
        kind = kind_by_type(series)
        numbers = None
        if kind == "text":  # as a table has it that was read without types
            numbers = plain_numbers(as_texts(series.to_list()), flags=schema.kinds[j] == "flag")
        if numbers is None and kind not in ("number", "flag", "empty"):
            row, cell = _first_odd(series)
            raise ColumnError(
                f"column {one.name!r} ({kind}) cannot be read as {PLURAL[schema.kinds[j]]}: its cell in row "
                f"{row} is {cell!r}.",
                "Correct it, or write None if the value is missing; if the column is a category, say so when "
                f"the model is fitted: {wish(one.name, 'category', 'categorical')}.",
            )
        matrix[:, j] = as_floats(series) if numbers is None else numbers
    checked(matrix)
    matrix = check_cells(schema, matrix, fitting=fitting)
    return ReadTable(schema, matrix, csr_array(hstack(words)) if words else None)


def _first_odd(series: Series) -> tuple[int, Any]:
    """Row and value of the first cell that is no number as a program writes it, else of the first cell."""
    cells = [(row, cell) for row, cell in enumerate(series.to_list()) if not is_missing(cell)]
    odd = (one for one in cells if isinstance(one[1], str) and plain_numbers([one[1]]) is None)
    return next(odd, cells[0])


def as_table(X: Any) -> NDArray[Any]:
    """``X`` as a table of cells of any type, with NaN for masked, None and NA ones."""
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X if X.dtype.kind in "fO" else X.astype(object), np.nan)
    table: NDArray[Any] = checked(X, dtype=None)
    if table.dtype.kind == "O":
        missing = np.frompyfunc(is_missing, 1, 1)(table).astype(bool)
        table = np.where(missing, np.nan, table) if missing.any() else table
    return table


def read_array(schema: Schema, table: NDArray[Any], *, fitting: bool) -> Matrix:
    """Read the columns of an array by position."""
    if schema.several:
        raise ColumnError(
            "X is an array, and the model was fitted on a data frame with columns of text or dates "
            f"({listing([repr(one.name) for one in schema.several])}): pass a data frame."
        )
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
    return check_cells(schema, matrix, fitting=fitting)


def _as_numbers(table: NDArray[Any]) -> Matrix:
    matrix: Matrix = checked(table, dtype=[np.float64, np.float32])
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


def read_sparse(X: Any, allowed: bool) -> csr_array:
    """A sparse matrix in canonical form; a ColumnError where rows may not be sparse."""
    if not allowed:
        _refuse_sparse()
    rows = checked(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    matrix = csr_array(rows)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # the caller's stays as it is
        matrix.sum_duplicates()
    return matrix


def _refuse_sparse() -> NoReturn:
    raise ColumnError(
        "X is sparse, and this model needs every cell: pass X.toarray(), or take one for sparse rows such as "
        "AutoClassifier or MixtureClassifier."
    )


def _check_width(schema: Schema, n_columns: int) -> None:
    if n_columns != schema.n_features:
        raise ColumnError(
            f"X has {n_columns} features, but the model is expecting {schema.n_features} features as input."
        )
