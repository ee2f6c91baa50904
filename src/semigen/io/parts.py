"""The files of a table that is larger than memory: Parquet, Arrow, CSV, and datasets of pyarrow.

Each is read in batches, however large its row groups are; every pass checks that it is what it was.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import dataset as arrow_dataset
from pyarrow import fs, ipc, parquet

from semigen.columns.tables import plain_types
from semigen.exceptions import TableError
from semigen.io.delimited import Reading, open_delimited
from semigen.io.files import first_line
from semigen.io.tables import value_type

AHEAD = 2
"""Batches that are read before they are asked for."""

BUFFER = 2**20
"""Bytes of each column that are read at once."""

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
        Its columns and those that its folder's name says.
    number : int
        Of the file in its table.
    """

    path: str
    system: fs.FileSystem = field(repr=False)
    state: tuple[Any, ...]
    schema: pa.Schema = field(repr=False)
    number: int = field(default=0, kw_only=True)

    def pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        """The rows, at most so many at once.

        Raises
        ------
        TableError
            If the file is not what it was, or cannot be read; the error names the part of it.
        """
        self.check()
        yield from self._pieces(names, most_rows)
        self.check()

    def check(self) -> None:
        """Raise a TableError if the file is not what it was."""
        now = _state(self.system, self.path)
        if now != self.state:
            what = "has disappeared" if now[0] is None else "has changed"
            raise TableError(
                f"{self.path} {what} since it was first read ({_told(self.state)}, now {_told(now)}): every "
                "pass must see the same rows. Restore it, or start again."
            )

    def split(self, most_rows: int) -> Sequence[Self]:
        """The file in parts for other processes, of so many rows or fewer if its format allows it."""
        local = isinstance(self.system, fs.LocalFileSystem)
        return [replace(self, path=os.path.abspath(self.path)) if local else self]

    @abstractmethod
    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]: ...


@dataclass(frozen=True)
class ParquetPart(Part):
    """A Parquet file, which is read row group by row group.

    Attributes
    ----------
    groups : tuple of (int, int)
        Number and rows of each row group that is read.
    constants : tuple of (str, object)
        Columns that its folder's name says.
    """

    groups: tuple[tuple[int, int], ...]
    constants: tuple[tuple[str, Any], ...] = ()

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
        constants = dict(self.constants)
        stored = [name for name in names if name not in constants]
        place = self.path
        try:
            with parquet.ParquetFile(
                self.system.open_input_file(self.path), buffer_size=BUFFER, pre_buffer=False
            ) as file:
                if not file.schema_arrow.equals(_without_columns(self.schema, constants)):
                    raise TableError(f"{self.path} has other columns than before: start again.")
                for group, _ in self.groups:
                    place = f"{self.path}, row group {group}"
                    for batch in file.iter_batches(most_rows, row_groups=[group], columns=stored):
                        yield group, place, _with_constants(batch, constants, self.schema, names)
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
    """A CSV file, which is read block by block as columns of the types that its start has."""

    separator: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """Columns of whole numbers that look like codes, such as 01067."""
    n_before: int = 0
    """Lines before the names of the columns."""

    def reading(self, *, as_text: Collection[str] = (), as_is: Collection[str] = ()) -> Self:
        """The file with types that hold all of its cells, not only those that told them.

        ``as_text`` are columns of text, ``as_is`` those whose whole numbers are classes.
        """

        def kind(one: pa.Field) -> pa.DataType:
            if one.name in as_text or (one.name in as_is and pa.types.is_null(one.type)):
                return pa.string()
            is_open = pa.types.is_integer(one.type) or pa.types.is_null(one.type)
            return pa.float64() if is_open and one.name not in as_is else one.type

        return replace(self, schema=pa.schema([one.with_type(kind(one)) for one in self.schema]))

    def _pieces(self, names: Sequence[str], most_rows: int) -> Iterator[Piece]:
        place, row = self.path, 0
        types = {name: self.schema.field(name).type for name in names}
        try:
            with arrow_csv.open_csv(
                self.system.open_input_stream(self.path),
                read_options=arrow_csv.ReadOptions(
                    block_size=CSV_BLOCK,
                    use_threads=False,
                    column_names=list(self.schema.names),
                    skip_rows=1 + self.n_before,
                    encoding=self.encoding,
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.separator),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(names),
                    strings_can_be_null=True,
                    decimal_point=self.decimal,
                    null_values=[*arrow_csv.ConvertOptions().null_values, *self.missing],
                ),
            ) as file:
                for batch in file:
                    for begin in range(0, batch.num_rows, most_rows):
                        yield 0, place, batch.slice(begin, most_rows)
                    row += batch.num_rows
                    place = f"{self.path}, after row {row:,}"
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(place, error) from error


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


def part_of(fragment: Any, common: pa.Schema, reading: Reading) -> Part:
    """The file of a fragment of a dataset; ``common`` has the types of columns in folder names.

    Raises
    ------
    TableError
        If it cannot be read.
    """
    system, path = fragment.filesystem, fragment.path
    state = _state(system, path)
    try:
        if isinstance(fragment.format, arrow_dataset.CsvFileFormat):
            return _csv_part(path, system, state, reading)
        if isinstance(fragment.format, arrow_dataset.ParquetFileFormat):
            with parquet.ParquetFile(system.open_input_file(path)) as file:
                schema, metadata = file.schema_arrow, file.metadata
            keys = arrow_dataset.get_partition_keys(fragment.partition_expression)
            for name in keys:
                schema = schema.append(common.field(name))
            groups = enumerate(metadata.row_group(j).num_rows for j in range(metadata.num_row_groups))
            return ParquetPart(path, system, state, schema, tuple(groups), tuple(keys.items()))
        with ipc.open_file(system.open_input_file(path)) as file:
            return ArrowPart(path, system, state, file.schema)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read: {first_line(error)}") from error


def _csv_part(path: str, system: fs.FileSystem, state: tuple[Any, ...], reading: Reading) -> CsvPart:
    with system.open_input_stream(path) as file:
        head = file.read(HEAD)
    ending = ".tsv" if ".tsv" in path.lower() else ".csv"
    opened = open_delimited(Path(path), head, ending, reading, whole=len(head) < HEAD)
    typed = opened.typed(codes=False)
    written = (opened.separator, opened.encoding, reading.decimal, reading.missing, opened.notes)
    told = tuple(opened.codes(typed)), opened.n_before
    return CsvPart(path, system, state, plain_types(typed).schema, *written, *told)


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
    return TableError(f"{place} cannot be read: {first_line(error)}. Write this file again, or leave it out.")


def _without_columns(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    return pa.schema([one for one in schema if one.name not in set(names)], schema.metadata)


def _with_constants(
    batch: pa.RecordBatch, constants: dict[str, Any], schema: pa.Schema, names: Sequence[str]
) -> pa.RecordBatch:
    """The batch with the columns that the folder's name says."""
    for name in names:
        if name in constants:
            cells = pa.repeat(pa.scalar(constants[name], value_type(schema.field(name).type)), batch.num_rows)
            batch = batch.append_column(name, cells)
    return batch.select(list(names))
