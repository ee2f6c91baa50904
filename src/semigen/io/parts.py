"""The files of a table that is larger than memory: Parquet, Arrow, CSV, and datasets of pyarrow.

Each is read in batches, however large its row groups are; every pass checks that it is what it was.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pyarrow import compute, fs, ipc, parquet
from pyarrow import csv as arrow_csv
from pyarrow import dataset as arrow_dataset

from semigen.columns.tables import plain_types
from semigen.columns.vectors import numbers_of_lists
from semigen.exceptions import TableError
from semigen.io.delimited import WORDS_FOR_MISSING, Widths, open_delimited
from semigen.io.embeddings import holds_numbers, names_of, with_numbers
from semigen.io.files import first_line
from semigen.io.reading import Reading, refuse_sheet
from semigen.io.tables import check_text, refuse_repeated, value_type

AHEAD = 2
"""Batches that are read before they are asked for."""

BUFFER = 2**20
"""Bytes of each column that are read at once."""

HEAD_ROWS = 1000
"""Rows at the start of a file that the lengths of lists are told from."""

HEAD = 2**23
"""Bytes at the start of a CSV file that its columns' types are told from."""

CSV_BLOCK = 2**23
Piece = tuple[int, str, pa.RecordBatch]
"""The row group of some rows (0 in other formats), where they are from in words, and the rows."""


@dataclass(frozen=True)
class Part(ABC):
    """A file of a table.

    Attributes
    ----------
    path : str
    system : pyarrow file system
    state : tuple
        Size in bytes and time of the last change.
    schema : pyarrow schema
        Its columns and the constant ones.
    number : int
        Of the file in its table.
    constants : dict
        Cells of the columns that have one for all of its rows, by name.
    lists : dict
        How many numbers there are in the cells of a column of lists, of which each is a column of ``schema``.
    """

    path: str
    system: fs.FileSystem = field(repr=False)
    state: tuple[Any, ...]
    schema: pa.Schema = field(repr=False)
    number: int = field(default=0, kw_only=True)
    constants: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    lists: Mapping[str, int] = field(default_factory=dict, kw_only=True)

    def pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        """The rows, at most so many at once.

        Raises
        ------
        TableError
            If the file is not what it was, or cannot be read; the error names the part of it.
        """
        self.check()
        holder = {one: name for name, width in self.lists.items() for one in names_of(name, width)}
        stored = list(dict.fromkeys(holder.get(one, one) for one in names if one not in self.constants))
        for group, place, batch in self._pieces(stored, most_rows):
            check_text(batch, place)
            for name in self.lists.keys() & stored:
                batch = with_numbers(batch, name, self.lists[name], place)
            yield group, place, self._completed(batch, names)
        self.check()

    @property
    def n_rows(self) -> int | None:
        """Rows, where the file says so."""
        return None

    def with_constants(self, constants: Mapping[str, Any], schema: pa.Schema) -> Self:
        """The file with columns that have one cell for all rows; ``schema`` has their types."""
        own = [one for one in self.schema if one.name not in constants]
        whole = pa.schema([*own, *(schema.field(name) for name in constants)], self.schema.metadata)
        return replace(self, schema=whole, constants={**self.constants, **constants})

    def width(self, name: str) -> int | None:
        """The length of the first lists in a column, None where there are none or they differ."""
        for *_, batch in self._pieces([name], HEAD_ROWS):
            column = batch.column(0)
            if column.null_count < len(column):
                found = numbers_of_lists(column)
                return None if found is None else found.shape[1]
        return None

    def with_lists(self, widths: Mapping[str, int]) -> Self:
        """The file with a column for each number of columns of lists, whose lengths are ``widths``."""
        fields = []
        for one in self.schema:
            if one.name in widths and holds_numbers(one.type):
                kind = pa.float32() if pa.types.is_float32(one.type.value_type) else pa.float64()
                fields += [pa.field(name, kind) for name in names_of(one.name, widths[one.name])]
            else:
                fields.append(one)
        lists = {name: widths[name] for name in self.schema.names if name in widths}
        return replace(self, schema=pa.schema(fields, self.schema.metadata), lists=lists)

    def check(self) -> None:
        """Raise a TableError if the file is not what it was."""
        now = _state(self.system, self.path)
        if now != self.state:
            what = "has disappeared" if now[0] is None else "has changed"
            how = f"{_told(self.state)}, now {_told(now)}"
            if now[0] == self.state[0]:
                how = f"still {_told(now)}, but written again"
            raise TableError(
                f"{self.path} {what} since it was first read ({how}): every pass must see the same rows. "
                "Restore it, or start again."
            )

    def split(self, most_rows: int) -> Sequence[Self]:
        """The file in parts for other processes, of so many rows or fewer if its format allows it."""
        local = isinstance(self.system, fs.LocalFileSystem)
        return [replace(self, path=os.path.abspath(self.path)) if local else self]

    @abstractmethod
    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        """The rows with some columns of the file itself."""

    def _completed(self, batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
        for name in names:
            if name in self.constants:
                cell = pa.scalar(self.constants[name], value_type(self.schema.field(name).type))
                batch = batch.append_column(name, pa.repeat(cell, batch.num_rows))
        return batch.select(list(names))


@dataclass(frozen=True)
class ParquetPart(Part):
    """A Parquet file, which is read row group by row group.

    Attributes
    ----------
    stored : pyarrow schema
        The columns of the file.
    groups : tuple of (int, int)
        Number and rows of each row group that is read.
    """

    stored: pa.Schema = field(repr=False)
    groups: tuple[tuple[int, int], ...]

    @property
    def n_rows(self) -> int:
        """Of the row groups that are read."""
        return sum(n for _, n in self.groups)

    def split(self, most_rows: int) -> Sequence[Self]:
        """Consecutive row groups that have so many rows or fewer together."""
        found: list[list[tuple[int, int]]] = []
        for group, n_rows in self.groups:
            if not found or sum(n for _, n in found[-1]) + n_rows > most_rows:
                found.append([])
            found[-1].append((group, n_rows))
        (whole,) = super().split(most_rows)
        return [replace(whole, groups=tuple(groups)) for groups in found]

    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        place = self.path
        try:
            with parquet.ParquetFile(
                self.system.open_input_file(self.path),
                buffer_size=BUFFER,
                pre_buffer=False,
                page_checksum_verification=True,  # where the file has some: 2 % of the time of an iteration
            ) as file:
                if not file.schema_arrow.equals(self.stored):
                    raise TableError(f"{self.path} has other columns than before: start again.")
                for group, _ in self.groups:
                    place = f"{self.path}, row group {group}"
                    for batch in file.iter_batches(most_rows, row_groups=[group], columns=list(names)):
                        yield group, place, batch
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(place, error) from error


@dataclass(frozen=True)
class ArrowPart(Part):
    """An Arrow (Feather) file, which is read record batch by record batch."""

    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        place = self.path
        try:
            with ipc.open_file(self.system.open_input_file(self.path)) as file:
                for number in range(file.num_record_batches):
                    place = f"{self.path}, record batch {number}"
                    batch = file.get_batch(number).select(list(names))
                    for begin in range(0, batch.num_rows, most_rows):
                        yield 0, place, batch.slice(begin, most_rows)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(place, error) from error


@dataclass(frozen=True)
class CsvPart(Part):
    """A CSV file, which is read block by block as columns of the types that its start has.

    Attributes
    ----------
    names : tuple of str
        Of the columns in the file.
    separator, encoding, decimal : str
    missing, notes : tuple of str
    n_before : int
        Lines before the names.
    widths : dict
        How columns of whole numbers are written, by name.
    thousands : frozenset of str
        Columns of numbers that have points between thousands.
    as_written : frozenset of str
        Columns of text of which only empty cells are missing.
    """

    names: tuple[str, ...]
    separator: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    n_before: int = 0
    widths: Mapping[str, Widths] = field(default_factory=dict)
    thousands: frozenset[str] = frozenset()
    as_written: frozenset[str] = frozenset()

    def typed(self, types: Mapping[str, pa.DataType], as_written: Collection[str] = ()) -> Self:
        """The file with other types of some columns, and some as they are written."""
        types = {**types, **dict.fromkeys(as_written, pa.string())}
        schema = pa.schema([one.with_type(types.get(one.name, one.type)) for one in self.schema])
        return replace(self, schema=schema, as_written=frozenset(as_written))

    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        place, row = self.path, 0
        words = [*WORDS_FOR_MISSING, *self.missing]
        written = self.as_written.intersection(names)
        types = {name: self.schema.field(name).type for name in names}
        read = types or {self.names[0]: pa.string()}  # of no column there would be no rows
        try:
            with arrow_csv.open_csv(
                self.system.open_input_stream(self.path),
                read_options=arrow_csv.ReadOptions(
                    block_size=CSV_BLOCK,
                    use_threads=False,
                    column_names=list(self.names),
                    skip_rows_after_names=self.n_before + 1,
                    encoding=self.encoding,
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=read,
                    include_columns=list(read),
                    strings_can_be_null=not written,
                    decimal_point=self.decimal,
                    null_values=words,
                ),
            ) as file:
                for batch in file:
                    batch = _with_missing(batch, written, words) if written else batch
                    for begin in range(0, batch.num_rows, most_rows):
                        yield 0, place, batch.slice(begin, most_rows)
                    row += batch.num_rows
                    place = f"{self.path}, after row {row:,}"
        except (pa.ArrowException, OSError) as error:
            if "straddl" in str(error):  # more than a block
                raise TableError(
                    f"{place} cannot be read: a row is longer than {CSV_BLOCK >> 20} MiB, or a quotation "
                    "mark is opened and never closed."
                ) from error
            raise _unreadable(place, error) from error


def _with_missing(batch: pa.RecordBatch, written: Collection[str], words: Sequence[str]) -> pa.RecordBatch:
    """Rows with empty cells of text as missing ones, and with words for them but in ``written`` columns."""
    for position, name in enumerate(batch.schema.names):
        column = batch.column(position)
        if pa.types.is_string(column.type):
            marks = pa.array([""] if name in written else words, pa.string())
            cells = compute.if_else(compute.is_in(column, marks), pa.scalar(None, pa.string()), column)
            batch = batch.set_column(position, name, cells)
    return batch


@dataclass(frozen=True)
class DatasetPart(Part):
    """A dataset of pyarrow, which reads its files itself, with whatever filter it has."""

    dataset: Any = field(default=None, repr=False)

    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        place = self.path
        options: dict[str, Any] = {}
        if isinstance(getattr(self.dataset, "format", None), arrow_dataset.ParquetFileFormat):
            options["fragment_scan_options"] = arrow_dataset.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=BUFFER, pre_buffer=False
            )
        scanner = self.dataset.scanner(
            columns=list(names), batch_size=most_rows, batch_readahead=AHEAD, fragment_readahead=1, **options
        )
        try:
            for tagged in scanner.scan_batches():
                place = getattr(tagged.fragment, "path", self.path)
                yield 0, place, tagged.record_batch
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(f"{place} or the part after it", error) from error

    def check(self) -> None:
        """Raise a TableError if a file is not what it was."""
        now = dataset_state(self.dataset)
        for one, then in zip(now, self.state, strict=False):
            if one != then:
                raise TableError(
                    f"{one[0]} is not what it was when it was first read: restore it, or start again."
                )


def part_of(fragment: Any, reading: Reading) -> Part:
    """The file of a fragment of a dataset.

    Raises
    ------
    TableError
        If it cannot be read.
    """
    system, path = fragment.filesystem, fragment.path
    state = _state(system, path)
    refuse_sheet(path, reading)
    try:
        if isinstance(fragment.format, arrow_dataset.CsvFileFormat):
            return _csv_part(path, system, state, reading)
        if isinstance(fragment.format, arrow_dataset.ParquetFileFormat):
            with parquet.ParquetFile(system.open_input_file(path)) as file:
                schema, metadata = file.schema_arrow, file.metadata
            groups = tuple((j, metadata.row_group(j).num_rows) for j in range(metadata.num_row_groups))
            return ParquetPart(path, system, state, schema, schema, groups)
        with ipc.open_file(system.open_input_file(path)) as file:
            return ArrowPart(path, system, state, file.schema)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _csv_part(path: str, system: fs.FileSystem, state: tuple[Any, ...], reading: Reading) -> CsvPart:
    with system.open_input_stream(path) as file:
        head = file.read(HEAD)
    ending = ".tsv" if ".tsv" in path.lower() else ".csv"
    opened = open_delimited(Path(path), head, ending, reading, whole=len(head) < HEAD)
    refuse_repeated(path, opened.names)
    typed = opened.typed(codes=False)
    return CsvPart(
        path,
        system,
        state,
        plain_types(typed).schema,
        opened.names,
        opened.separator,
        opened.encoding,
        reading.decimal,
        reading.missing,
        opened.notes,
        opened.n_before,
        opened.widths(typed),
        frozenset(opened.thousands(typed)),
    )


def _state(system: fs.FileSystem, path: str) -> tuple[Any, ...]:
    info = system.get_file_info(path)
    return (None, None) if info.type == fs.FileType.NotFound else (info.size, info.mtime_ns)


def dataset_state(dataset: Any) -> tuple[Any, ...]:
    """Path, size and time of change of each file of a dataset; empty for one without files."""
    system = getattr(dataset, "filesystem", None)
    return tuple((path, *_state(system, path)) for path in getattr(dataset, "files", ()))


def _told(state: tuple[Any, ...]) -> str:
    return "no file" if state[0] is None else f"{state[0]:,} bytes"


def _unreadable(place: str, error: Exception) -> TableError:
    said = first_line(error).removesuffix(".")
    return TableError(
        f"{place} cannot be read: {said}. Write this file again, or leave it out: a pattern such as "
        "'FOLDER/*.parquet' names the files that are meant."
    )
