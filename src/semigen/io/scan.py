"""Tables larger than memory: Parquet, Arrow and CSV files, read batch by batch in their order.

A pass opens one file after the other and never holds more than a few batches of it, whatever the sizes of
files and row groups. A thread reads ahead. Every pass checks that the files are still those of the first one.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.columns.tables import hint, listing
from semigen.common.checks import integer
from semigen.common.threads import ahead
from semigen.data.sources import Batch, RowSource, label_rows
from semigen.exceptions import LabelError, LabelWarning, TableError
from semigen.io.cells import Cells
from semigen.io.embeddings import names_of
from semigen.io.files import first_line
from semigen.io.parts import AHEAD, DatasetPart, Part
from semigen.io.paths import parts_of
from semigen.io.reading import Reading
from semigen.io.schemas import agreed, as_schema, common_schema

BATCH_ROWS = 65_536


class FileSource(RowSource):
    """Files with the same columns as one table; :func:`from_files` makes it.

    Attributes
    ----------
    target : str
    targets : tuple of str
        The column of the classes, or those of their probabilities.
    weight : str or None
        The column of row weights.
    names : tuple of str
        The other columns that models read.
    parts : tuple of Part
    without_target : tuple of str
        Files that lack the target: their rows are unlabeled.
    schema : pyarrow schema
        The columns with the types that all files have room in.
    batch_rows : int
    cells : Cells
    """

    without_target: tuple[str, ...] = ()
    watch: Callable[[int, int], None] | None = None
    """Called as rows are read: with the number of the pass, and the rows that it has read."""
    _n_passes = 0

    def __init__(
        self,
        parts: Sequence[Part],
        target: str | Sequence[str],
        *,
        weight: str | None = None,
        drop: Sequence[str] = (),
        batch_rows: int = BATCH_ROWS,
        cells: Cells | None = None,
    ) -> None:
        self.cells = cells or Cells()
        self.targets = (target,) if isinstance(target, str) else tuple(target)
        self.classes = None if isinstance(target, str) else self.targets
        if self.classes is not None and len(self.targets) < 2:
            raise TableError(
                f"target={list(target)!r}: give one column of classes by its name, or a list of two or more "
                "columns with the probabilities of a class each."
            )
        self.target, self.weight = ", ".join(self.targets), weight
        self.batch_rows = integer("batch_rows", batch_rows, minimum=1)
        lacking = [part for part in parts if not {*self.targets} & {*part.schema.names}]
        if len(lacking) < len(parts):  # where no file has the target, its name is wrong
            parts = [_unlabeled(part, self.targets) if part in lacking else part for part in parts]
            self.without_target = tuple(part.path for part in lacking)
        first = parts[0]
        lists = {name: names_of(name, width) for name, width in first.lists.items()}
        drop = [one for name in drop for one in lists.get(name, [name])]
        named = {"target": self.targets, "weight": (weight,), "drop": drop}
        for option, name in [(option, name) for option, names in named.items() for name in names]:
            if name is not None and name not in first.schema.names:
                raise TableError(
                    f"{first.path} has no column {name!r} ({option}=): {hint(name, first.schema.names)}"
                )
        taken = {*self.targets, weight, *drop}
        self.names = tuple(name for name in first.schema.names if name not in taken)
        if not self.names:
            raise TableError(f"{first.path} has no column beside the target and those left out.")
        as_is, read = [] if self.classes else self.targets, self.cells
        parts = agreed(parts, as_text=read.as_text, as_written=read.as_written, as_is=as_is)
        self.parts = tuple(replace(part, number=number) for number, part in enumerate(parts))
        self.schema = common_schema(self.parts, [name for name in first.schema.names if name not in drop])

    def __repr__(self) -> str:
        files = f"{len(self.parts)} files" if len(self.parts) > 1 else self.parts[0].path
        return f"FileSource({files}, target={self.target!r}, {len(self.names)} columns)"

    @property
    def note(self) -> str | None:
        """What to know of the target, if anything."""
        n_lacking = len(self.without_target)
        if not n_lacking:
            return None
        which = self.without_target[0] if n_lacking == 1 else f"such as {self.without_target[0]}"
        return (
            f"{n_lacking:,} of {len(self.parts):,} files ({which}) lack the column {self.target!r}: all of "
            "their rows are unlabeled."
        )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the files' names, sizes and times of change, and of which columns are read as what."""
        state = [(one.path, one.state) for one in self.parts]
        return hashlib.sha256(
            repr((state, self.target, self.weight, self.names, self.cells)).encode()
        ).hexdigest()

    def tables(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows in their order as tables of ``batch_rows`` rows or fewer, such as for ``predict_proba``.

        Parameters
        ----------
        names : sequence of str or None
            Columns; None: those that models read.
        """
        for *_, table in self._read(self.names if names is None else names):
            yield table

    def split(self, most_rows: int) -> Sequence[FileSource]:
        """Row groups of Parquet files with at most so many rows together, other files whole.

        None of a dataset of pyarrow, whose filter does not leave its process.
        """
        if any(isinstance(part, DatasetPart) for part in self.parts):
            return []
        return [self._of(part) for whole in self.parts for part in whole.split(most_rows)]

    def _of(self, part: Part) -> FileSource:
        """The same columns of a part."""
        one = copy(self)
        one.parts, one.watch = (part,), None
        return one

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All rows in their order, with a thread that reads ahead.

        Raises
        ------
        TableError
            If a file has disappeared, changed, or cannot be read; the error names it and its row group.
        """
        wanted = list(self.names if names is None else names)
        more = [*self.targets] if self.weight is None else [*self.targets, self.weight]
        for part, place, table in self._read([*wanted, *more]):
            if self.classes is None:
                cells, code = _factorized(table[self.target], f"{place}: the target {self.target!r}")
                cells = self.cells.classes(cells)
            else:
                cells, code = label_rows(_numbers(table.select(self.targets), place), place)
            weight = None if self.weight is None else _weights(table[self.weight], place)
            yield Batch(table.select(wanted), cells, code, weight, place, part)

    def _read(self, names: Sequence[str]) -> Iterator[tuple[tuple[int, int], str, pa.Table]]:
        schema = pa.schema([self.schema.field(name) for name in names])

        def read() -> Iterator[tuple[tuple[int, int], str, pa.Table]]:
            for part in self.parts:
                for group, place, batch in part.pieces(names, self.batch_rows):
                    table = as_schema(pa.Table.from_batches([batch]), schema, place)
                    yield (part.number, group), place, self.cells.read(table, self.names, place)

        n_rows = 0
        self._n_passes += 1
        for part, place, table in ahead(read(), AHEAD):
            n_rows += table.num_rows
            if self.watch is not None:
                self.watch(self._n_passes, n_rows)
            yield part, place, table


def from_files(
    path: Any,
    target: str | Sequence[str],
    *,
    weight: str | None = None,
    drop: Sequence[str] = (),
    batch_rows: int = BATCH_ROWS,
    separator: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = (),
    file_format: str | None = None,
) -> FileSource:
    """A table of files that need not fit in memory, to be given to ``fit`` as X (with y=None).

    Parameters
    ----------
    path : path, glob, list of paths or pyarrow.dataset.Dataset
        Parquet (.parquet), Arrow (.feather, .arrow) or CSV files (.csv, .tsv, plain or .gz), or a folder of
        such, whose subfolders ``name=value`` are columns.
    target : str or sequence of str
        The column of the classes; empty cells are unlabeled. Or several columns, each with the probability of
        the class that it is named after, or 1 where the row may be of that class; rows of empty cells are
        unlabeled.
    weight : str, optional
        A column of row weights ≥ 0.
    drop : sequence of str
        Columns that models do not read, such as ids.
    batch_rows : int, default=65536
        Rows that are read at once; a few such batches are in memory.
    separator : str, optional
        Between the cells of a CSV file; None: told from its first lines.
    encoding : str, optional
        Of a CSV file; None: that of its byte order mark, else UTF-8, else guessed.
    missing : sequence of str
        Cells that are missing, besides empty ones and, in CSV files, the usual words (NA, NaN, null).
    file_format : {"parquet", "csv", "ipc"}, optional
        Of the files; None: by their endings.

    Returns
    -------
    FileSource

    Raises
    ------
    TableError
        If there is no such file, files differ in their columns or the types of these, or a column is absent.

    Warns
    -----
    LabelWarning
        If some of the files lack the target.

    Notes
    -----
    Columns of CSV files have the types that the first 8 MiB of each file tell, whole numbers that of
    decimals; those of one width from three digits with zeros in front, as ZIP codes have, are text, and so
    are those with points between thousands (2.509 beside 915). A cell further down that has no such value is
    an error. Files without the target are unlabeled.
    """
    reading = Reading(encoding=encoding, separator=separator, missing=tuple(missing))
    parts = parts_of(path, reading, file_format)
    cells = Cells(missing=tuple(missing))
    source = FileSource(parts, target, weight=weight, drop=drop, batch_rows=batch_rows, cells=cells)
    if note := source.note:
        warnings.warn(note, LabelWarning, stacklevel=2)
    return source


def from_parquet(path: Any, target: str | Sequence[str], **options: Any) -> FileSource:
    """:func:`from_files` for Parquet files, whatever their names end in."""
    return from_files(path, target, file_format="parquet", **options)


def _unlabeled(part: Part, targets: Sequence[str]) -> Part:
    """A file without the target, with empty cells in its place."""
    empty = pa.schema([(name, pa.null()) for name in targets])
    return part.with_constants(dict.fromkeys(targets), empty)


def _factorized(column: pa.ChunkedArray, what: str) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    """Distinct cells of a column, and the number of each row's, -1 where it is empty."""
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    try:
        coded = array.dictionary_encode()
    except pa.ArrowException as error:
        raise LabelError(
            f"{what} has cells of type {array.type}, and classes are text, integers or booleans."
        ) from error
    code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return tuple(coded.dictionary.to_pylist()), code.astype(np.intp)


def _numbers(table: pa.Table, place: str) -> NDArray[np.float64]:
    """Label probabilities, NaN where a cell is empty, (n, K)."""
    try:
        columns = [column.cast(pa.float64()).to_numpy() for column in table.columns]
    except pa.ArrowException as error:
        raise LabelError(
            f"{place}: the columns {listing(table.column_names)} are not all numbers ({first_line(error)}): "
            "several target columns are probabilities of a class each."
        ) from error
    return np.column_stack(columns)


def _weights(column: pa.ChunkedArray, place: str) -> NDArray[np.float64]:
    try:
        weight: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise TableError(f"{place}: row weights must be numbers: {first_line(error)}.") from error
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise TableError(f"{place}: row weights must be numbers of 0 or more, without empty cells.")
    return weight
