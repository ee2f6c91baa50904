"""Tables on disk: CSV and TSV, JSON Lines, Parquet, Arrow and Excel."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from semigen.columns.numerals import plain_number
from semigen.columns.tables import plain_types
from semigen.exceptions import MissingExtraError, TableError
from semigen.io.delimited import ROWS_OF_TITLES, open_delimited, row_with
from semigen.io.embeddings import WithEmbeddings, read_embeddings, spread_lists
from semigen.io.files import first_line
from semigen.io.packed import of_zip, unzipped
from semigen.io.reading import Reading, refuse_separator, refuse_sheet

STDIN = Path("-")
"""The path that means standard input."""

_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
_JSON_LINES = (".jsonl", ".ndjson")
_ARROW = (".feather", ".arrow")
_EXCEL = (".xlsx", ".xls", ".xlsb", ".ods")
WRITTEN = (*_TEXT[:4], ".parquet", *_ARROW, *_JSON_LINES)
"""Endings of files that can be written."""
_PLAIN = (*_TEXT, ".parquet", *_ARROW, *_JSON_LINES, *_EXCEL)
READ = (*_PLAIN, ".zip")
"""Endings of files that can be read."""

_SIGNATURES = ((b"PAR1", ".parquet"), (b"ARROW1", ".arrow"), (b"PK\x03\x04", ".xlsx"))
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the start of a formula


class TableFile(Protocol):
    """An open table: a :class:`semigen.io.delimited.DelimitedFile` or a :class:`TypedFile`."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed about it."""

    @property
    def decimal(self) -> str:
        """The decimal mark where numbers leave it open."""

    @property
    def other_sheets(self) -> tuple[str, ...]:
        """Of a spreadsheet: those that are not read."""

    def typed(self, text: Collection[str] = ()) -> pa.Table:
        """All columns with their types; in a file without types, those of ``text`` are text."""

    def written(self, names: Sequence[str]) -> pa.Table:
        """Some columns as they are written; in a file with types these are their types."""

    def row_of(self, names: Collection[str]) -> int | None:
        """The number of the row, from 1, that has all these cells; None if none of the first ones has."""


@dataclass(frozen=True, eq=False)
class TypedFile:
    """An open table of a file whose columns have types."""

    path: Path
    table: pa.Table = field(repr=False)
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decimal: str = "."
    other_sheets: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(self.table.column_names)

    def typed(self, text: Collection[str] = ()) -> pa.Table:
        """The columns, with the markers of missing cells as missing."""
        columns = [
            _as_numbers(without_markers(column, self.missing), column) for column in self.table.columns
        ]
        return pa.table(columns, names=self.table.column_names)

    def written(self, names: Sequence[str]) -> pa.Table:
        """Some columns, every cell as it is."""
        return self.table.select(list(names))

    def row_of(self, names: Collection[str]) -> int | None:
        """The number of the row, from 1, of a spreadsheet that has all these cells below titles."""
        rows = zip(*(column.to_pylist() for column in self.table[:ROWS_OF_TITLES].columns), strict=True)
        found = row_with(names, ([str(cell) for cell in row] for row in rows))
        return None if found is None else found + 1


def table_format(path: Path, known: Sequence[str] = WRITTEN) -> str:
    """Return the ending of a path that tells the format, such as ``.csv.gz``.

    Raises
    ------
    TableError
        If it is none of those that are known: by default those that can be written.
    """
    endings = [ending for ending in known if path.name.lower().endswith(ending)]
    if not endings:
        raise TableError(f"{path} has no known table format: its name must end in one of {', '.join(known)}.")
    return max(endings, key=len)


def open_table(path: Path, reading: Reading | None = None) -> TableFile:
    """Open a table; ``-`` is standard input, whose format is told from its first bytes.

    Raises
    ------
    TableError
        If there is no such file, or it is empty, damaged or no table, or column names repeat.
    MissingExtraError
        If its format needs a library that is not installed.
    """
    reading = reading or Reading()
    if reading.separator is not None:
        refuse_separator(reading.separator)
    file = _opened(path, reading)
    if reading.embeddings is not None:
        file = WithEmbeddings(file, read_embeddings(reading.embeddings))
    refuse_repeated(path, file.names)
    return file


def refuse_repeated(path: Path | str, names: Sequence[str]) -> None:
    """Raise a TableError if two columns have one name."""
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(
            f"{path} has more than one column named {', '.join(twice)}: give each its own name, or remove "
            "the row above the names."
        )


def check_text(rows: pa.Table | pa.RecordBatch, place: Path | str) -> None:
    """Raise a TableError if a column of text holds bytes that are none, which no reader looks at."""
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if is_text(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowException as error:
                raise TableError(
                    f"{place}: column {name!r} is text with bytes that are no UTF-8 ({first_line(error)}): "
                    "write this file again, or leave the column out."
                ) from error


def read_table(path: Path, text_columns: Sequence[str] = (), reading: Reading | None = None) -> pa.Table:
    """Read a table, with every column's type told from all of its cells.

    Empty cells, and the usual words for them (NA, NaN, null), are missing. A column without a name is called
    ``unnamed: <its number>``.

    Parameters
    ----------
    path : path
    text_columns : sequence of str
        Columns of a text file whose cells are kept as they are written, such as ids with leading zeros.
    reading : Reading, optional

    Raises
    ------
    TableError, MissingExtraError
        As :func:`open_table`; or if there is no row.
    """
    file = open_table(path, reading)
    return filled(path, file.typed(set(text_columns) & set(file.names)))


def filled(path: Path, table: pa.Table) -> pa.Table:
    """The table, if it has a row.

    Raises
    ------
    TableError
        If it has none.
    """
    if table.num_rows == 0:
        raise TableError(f"{path} has column names but no rows.")
    return table


def json_lines(table: pa.Table) -> Iterator[str]:
    """The rows as JSON objects, one a line."""
    return (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in table.to_pylist())


def flat(column: pa.ChunkedArray) -> Any:
    """A column as text can hold it: lists and records as JSON."""
    if not pa.types.is_nested(column.type):
        return column
    return pa.array([None if cell is None else json.dumps(cell, default=str) for cell in column.to_pylist()])


def spreadsheet_safe(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text and name that a spreadsheet would run as a formula."""

    def safe(text: Any) -> Any:
        return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text

    columns = [
        pa.array(list(map(safe, column.to_pylist())), pa.string()) if is_text(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=list(map(safe, table.column_names)))


def is_text(kind: pa.DataType) -> bool:
    """Whether cells of a type are text, categories of text included."""
    kind = value_type(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the cells, for categories that of their levels."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _opened(path: Path, reading: Reading) -> TableFile:
    content, ending = _content(path)
    if ending in _EXCEL:
        table, notes, others = _excel(path, content, reading.sheet)
        return TypedFile(path, spread_lists(_named(table)), reading.missing, notes, reading.decimal, others)
    refuse_sheet(path, reading)
    if ending in _TEXT:
        return open_delimited(path, content, ending, reading)
    readers: dict[str, Callable[[Path, bytes], pa.Table]] = {
        ".parquet": _parquet,
        **dict.fromkeys(_ARROW, _arrow),
        **dict.fromkeys(_JSON_LINES, _json_lines),
    }
    table = readers[ending](path, content)
    check_text(table, path)
    return TypedFile(path, spread_lists(_named(table)), reading.missing, decimal=reading.decimal)


def _content(path: Path) -> tuple[bytes, str]:
    """The bytes of a file, unpacked, and the ending that tells its format."""
    if path == STDIN:
        content = sys.stdin.buffer.read()
        if content.startswith(b"\x1f\x8b"):
            content = unzipped(path, content)
        ending = next((end for start, end in _SIGNATURES if content.startswith(start)), None)
        return content, ending or (".jsonl" if content.lstrip().startswith(b"{") else ".csv")
    ending = table_format(path, READ)
    if not path.exists():
        raise TableError(f"{path} does not exist: check the path.")
    if path.is_dir():
        raise TableError(f"{path} is a folder: give a file.")
    content = path.read_bytes()
    if ending == ".zip":
        name, content = of_zip(path, content, _PLAIN)
        ending = table_format(Path(name), _PLAIN)
    return (unzipped(path, content) if ending.endswith(".gz") else content), ending


def _named(table: pa.Table) -> pa.Table:
    """The table with a name for every column, and types that all functions know."""
    names = [name or f"unnamed: {number}" for number, name in enumerate(table.column_names)]
    return plain_types(table.rename_columns(names))


def _parquet(path: Path, content: bytes) -> pa.Table:
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read as Parquet: {first_line(error)}") from error


def _arrow(path: Path, content: bytes) -> pa.Table:
    from pyarrow import feather

    try:
        return feather.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read as an Arrow file: {first_line(error)}") from error


def _json_lines(path: Path, content: bytes) -> pa.Table:
    records = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TableError(
                f"{path}, line {number}: {first_line(error)}. Every line is one JSON object."
            ) from error
        if not isinstance(record, dict):
            raise TableError(f"{path}, line {number} is no JSON object: write one per line, {{...}}.")
        records.append(record)
    if not records:
        raise TableError(f"{path} is empty.")
    names = dict.fromkeys(name for record in records for name in record)
    return pa.table({name: _column(path, name, [record.get(name) for record in records]) for name in names})


def _excel(
    path: Path, content: bytes, sheet: str | None
) -> tuple[pa.Table, tuple[str, ...], tuple[str, ...]]:
    """A sheet as a table, what was guessed, and the other sheets."""
    try:
        import python_calamine
    except ImportError:
        raise MissingExtraError(
            f"{path}: spreadsheets need python-calamine: pip install 'semigen[tables]', or save it as CSV."
        ) from None
    try:
        book = python_calamine.load_workbook(io.BytesIO(content))
        names = book.sheet_names
        place = 0 if sheet is None else names.index(sheet) if sheet in names else None
        rows = [] if place is None else book.get_sheet_by_index(place).to_python(skip_empty_area=True)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise TableError(f"{path} cannot be read as a spreadsheet: {first_line(error)}") from error
    other_sheets = tuple(name for name in names if name != (sheet or names[0]))
    others = ", ".join(map(repr, other_sheets))
    if place is None:
        raise TableError(f"{path} has no sheet {sheet!r} (--sheet): it has {others}.")
    if not rows:
        which = f"sheet {sheet!r}" if sheet is not None else f"its first sheet, {names[0]!r},"
        more = f"; --sheet reads another one ({others})" if others else ""
        raise TableError(f"{path} is empty: {which} has no cell{more}.")
    header, cells = rows[0], [[None if cell == "" else _whole(cell) for cell in row] for row in rows[1:]]
    columns = [
        _column(path, str(name), [row[j] for row in cells], mixed=True) for j, name in enumerate(header)
    ]
    table = pa.table(columns, names=[str(_whole(name)) for name in header])
    first = f"{path.name} has {len(names)} sheets; the first, {names[0]!r}, is read (--sheet reads {others})."
    return table, () if sheet is not None or not others else (first,), other_sheets


def _whole(cell: Any) -> Any:
    """Spreadsheets hold every number as a float."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53 else cell


def _column(path: Path, name: str, cells: list[Any], *, mixed: bool = False) -> pa.Array:
    """Cells of one type as a column; ``mixed``: of several as text."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if mixed and len(kinds) > 1 and not kinds <= {int, float}:
        cells = [None if cell is None else str(cell) for cell in cells]
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise TableError(
            f"{path}: the cells of column {name!r} cannot be read as one type: {first_line(error)}."
        ) from error


def without_markers(column: pa.ChunkedArray, markers: Sequence[str]) -> pa.ChunkedArray:
    """A column in which the cells that equal a marker are missing."""
    from pyarrow import compute

    if not markers:
        return column
    if pa.types.is_dictionary(column.type) and is_text(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if is_text(kind):
        marks = pa.array(markers, kind)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        marks = pa.array([value for value in map(plain_number, markers) if value is not None], pa.float64())
    else:
        return column
    same = compute.is_in(column if is_text(kind) else column.cast(pa.float64(), safe=False), marks)
    return compute.if_else(same, pa.scalar(None, kind), column) if compute.any(same).as_py() else column


def _as_numbers(rest: pa.ChunkedArray, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What is left of a column of text without its markers, as numbers if only numbers are."""
    if not is_text(rest.type) or rest.null_count == column.null_count:
        return rest
    try:
        return rest.cast(pa.float64())
    except pa.ArrowException:
        return rest
