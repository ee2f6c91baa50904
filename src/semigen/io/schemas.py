"""The columns that files have in common: of what types, where each file has its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa

from semigen.columns.tables import listing, plain_types
from semigen.exceptions import TableError
from semigen.io.delimited import Widths
from semigen.io.files import first_line
from semigen.io.parts import CsvPart, Part
from semigen.io.tables import is_text, value_type

_UNITS = ("s", "ms", "us", "ns")


def agreed(
    parts: Sequence[Part],
    *,
    as_text: Collection[str] = (),
    as_written: Collection[str] = (),
    as_is: Collection[str] = (),
) -> list[Part]:
    """Files whose columns have the types that the cells of all of them tell, where the files have none.

    Whole numbers of CSV files are measurements, which may have decimals further down; those that are
    written as codes are text, and so are numbers with points between thousands.

    Parameters
    ----------
    parts : sequence of Part
    as_text : collection of str
        Columns of CSV files that are text.
    as_written : collection of str
        Those of them of which only empty cells are missing.
    as_is : collection of str
        Columns whose whole numbers are classes.
    """
    files = [part for part in parts if isinstance(part, CsvPart)]
    if not files:
        return list(parts)
    types = {}
    for name in dict.fromkeys(name for part in files for name in part.names):
        having = [part for part in files if name in part.names]
        kind = pa.string() if name in as_text else _csv_type(name, having, name in as_is)
        if kind is not None:
            types[name] = kind
    return [part.typed(types, as_written) if isinstance(part, CsvPart) else part for part in parts]


def _csv_type(name: str, files: Sequence[CsvPart], is_class: bool) -> pa.DataType | None:
    """The type of a column of CSV files; None: each has its own."""
    known = {one for part in files if not pa.types.is_null(one := part.schema.field(name).type)}
    if not known:
        return pa.string() if is_class else pa.float64()
    if all(map(pa.types.is_integer, known)):
        widths = reduce(Widths.merge, (part.widths[name] for part in files if name in part.widths))
        return pa.string() if widths.are_codes else pa.int64() if is_class else pa.float64()
    of_numbers = [part for part in files if pa.types.is_floating(part.schema.field(name).type)]
    if of_numbers and all(name in part.thousands for part in of_numbers):
        return pa.string()  # 2.509 beside 915
    if is_class and len(known) > 1 and any(map(is_text, known)):
        return pa.string()  # 1, 2 in one file, and "other" in another
    return common_type(known)


def common_schema(parts: Sequence[Part], names: Iterable[str]) -> pa.Schema:
    """Columns with types that those of all files have room in.

    Raises
    ------
    TableError
        If a file lacks a column, or has text where the others have numbers.
    """
    first, names = parts[0], list(names)
    common: dict[str, pa.DataType] = {}
    for part in parts:
        absent = [repr(name) for name in names if name not in part.schema.names]
        if absent:
            raise TableError(
                f"{part.path} lacks {listing(absent)}, which {first.path} has: every file needs it."
            )
        for name in names:
            own = value_type(part.schema.field(name).type)
            kind = common_type([common.get(name, own), own])
            if kind is None:
                raise TableError(
                    f"{part.path}: column {name!r} is {own}, and in {first.path} it is {common[name]}: write "
                    "all files with one type."
                )
            common[name] = kind
    return plain_types(pa.schema(list(common.items())).empty_table()).schema


def common_type(types: Iterable[pa.DataType]) -> pa.DataType | None:
    """A type for the values of all, None if there is none."""
    kinds = [kind for kind in dict.fromkeys(types) if not pa.types.is_null(kind)]
    if len(kinds) < 2:
        return kinds[0] if kinds else pa.null()
    if all(map(pa.types.is_integer, kinds)):
        return pa.int64()
    if all(map(_is_number, kinds)):
        return pa.float64()
    if all(map(is_text, kinds)):
        return pa.large_string()
    return _common_time(kinds)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _common_time(kinds: Sequence[Any]) -> pa.DataType | None:
    """Dates and time stamps of one time zone, or durations, with the finest unit of all."""
    stamps = [kind for kind in kinds if pa.types.is_timestamp(kind)]
    spans = [kind for kind in kinds if pa.types.is_duration(kind)]
    dates = [kind for kind in kinds if pa.types.is_date(kind)]
    if len(spans) == len(kinds):
        return pa.duration(_finest(spans))
    zones = {kind.tz for kind in stamps} | ({None} if dates else set())
    if len(zones) != 1 or len(stamps) + len(dates) < len(kinds):
        return None
    return pa.timestamp(_finest(stamps) if stamps else "ms", zones.pop())


def _finest(kinds: Iterable[Any]) -> str:
    return _UNITS[max(_UNITS.index(kind.unit) for kind in kinds)]


def as_schema(table: pa.Table, schema: pa.Schema, place: str) -> pa.Table:
    """A table with the columns of a schema.

    Raises
    ------
    TableError
        If it has others.
    """
    if table.schema.equals(schema):
        return table
    try:
        return plain_types(table).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{place} has other columns than before: {first_line(error)}.") from error
