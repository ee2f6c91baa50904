"""Restoring: matrices of numbers become tables like the one of the fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.levels import decode
from semigen.columns.reading import as_table
from semigen.columns.schema import Input, Schema
from semigen.columns.tables import Frame, Series, is_missing, positions
from semigen.columns.vectors import wide_frame


def restore(schema: Schema, matrix: NDArray[Any], like: Any = None) -> Any:
    """Turn a matrix of numbers into a table like the one of the fit.

    Parameters
    ----------
    schema : Schema
    matrix : ndarray of shape (n, D)
        As :func:`read` returns it; NaN and levels that the schema does not have become missing values.
    like : data frame or array, optional
        The table that ``matrix`` was read from, with missing values that ``matrix`` fills in. Everything else
        is kept: the other values, the library, the index, and the types where they can hold the new values.
        Numbers that were text become numbers.

    Returns
    -------
    data frame or ndarray
        As ``like``, otherwise as in the fit. Categories are levels, flags of a data frame booleans, and its
        counts integers where they are whole.
    """
    frame = None if like is None else wide_frame(like)
    if frame is not None:
        return _filled_frame(schema, matrix, frame)
    if schema.names is None or like is not None:
        return _array(schema, matrix, like)
    library: Any = schema.library
    columns = {
        one.name: nw.new_series(str(one.name), _cells(schema, one, matrix), backend=library).to_native()
        for one in schema.inputs
    }
    return nw.from_dict(columns, backend=library).to_native()


def _array(schema: Schema, matrix: NDArray[Any], like: Any) -> NDArray[Any]:
    coded = [(j, levels) for j, levels in enumerate(schema.levels) if levels is not None]
    if not coded:
        return matrix
    source = None if like is None else as_table(like)
    text = any(isinstance(level, str) for _, levels in coded for level in levels)
    table = matrix.astype(object if text else np.float64)
    for j, levels in coded:
        cells = decode(matrix[:, j], levels)
        if source is not None:
            cells = [new if is_missing(old) else old for old, new in zip(source[:, j], cells, strict=True)]
        table[:, j] = cells if text else np.array(cells, dtype=np.float64)
    return table


def _filled_frame(schema: Schema, matrix: NDArray[Any], frame: Frame) -> Any:
    names = range(schema.n_features) if schema.input_names is None else schema.input_names
    places = names if schema.input_names is None else positions(names, frame.columns)[0]
    index = nw.maybe_get_index(frame)
    frame = nw.maybe_reset_index(frame)
    columns = []
    for one, place in zip(schema.inputs, places, strict=True):
        series = frame.get_column(frame.columns[place])
        if one.encoded is None:  # no text or date is made up
            series = _filled(series, _cells(schema, one, matrix), frame.implementation)
        elif one.encoded.kind == "number" and len(one.encoded.columns) == 1:
            numbers = _cells(schema, one, matrix)
            series = nw.new_series(series.name, numbers, nw.Float64(), backend=frame.implementation)
        columns.append(series)
    table = frame.select(*(frame.columns[place] for place in places)).with_columns(*columns).to_native()
    return table if index is None else table.set_axis(index)


def _filled(series: Series, values: list[Any], library: Any) -> Series:
    """A column with its missing values filled in, in its own type where that can hold them."""
    cells = series.to_list()
    missing = [is_missing(cell) for cell in cells]
    if not any(missing):
        return series
    number = series.dtype.is_numeric()
    new = [value if gone else cell for cell, value, gone in zip(cells, values, missing, strict=True)]
    if number:
        new = [None if cell is None else float(cell) for cell in new]
    result = nw.new_series(series.name, new, backend=library)
    whole = all(cell is not None and cell.is_integer() for cell in new) if number else None not in new
    if series.dtype in (nw.Object, nw.Unknown, result.dtype) or not (whole or series.dtype.is_float()):
        return result
    return result.cast(series.dtype)


def _cells(schema: Schema, column: Input, matrix: NDArray[Any]) -> list[Any]:
    """The values of a restored column, None where missing."""
    if column.encoded is not None:
        return list(column.encoded.encoder.restore(matrix[:, list(column.encoded.columns)]))
    kind, levels, values = schema.kinds[column.first], schema.levels[column.first], matrix[:, column.first]
    if levels is not None:
        return decode(values, levels)
    filled = values[~np.isnan(values)]
    make: Callable[[Any], Any] = float
    if kind == "flag":
        make = bool
    elif kind == "count" and (filled == np.floor(filled)).all():
        make = int
    return [None if value != value else make(value) for value in values.tolist()]
