"""Embeddings beside a table: a file of numbers, or a column of lists; each number becomes a column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.columns.vectors import numbers_of_lists
from semigen.exceptions import TableError

if TYPE_CHECKING:
    from semigen.io.tables import TableFile

NAME = "embedding"
"""Columns of a file of embeddings are called ``embedding[0]``, ``embedding[1]``, …"""


@dataclass(frozen=True, eq=False)
class WithEmbeddings:
    """An open table with the columns of a file of embeddings after its own."""

    file: TableFile
    embeddings: NDArray[Any]

    @property
    def path(self) -> Path:
        """The table."""
        return self.file.path

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns."""
        return (*self.file.names, *names_of(NAME, self.embeddings.shape[1]))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed about the table."""
        return self.file.notes

    @property
    def decimal(self) -> str:
        """The decimal mark of the table."""
        return self.file.decimal

    @property
    def other_sheets(self) -> tuple[str, ...]:
        """Sheets of the table's file that are not read."""
        return self.file.other_sheets

    def typed(self, text: Collection[str] = ()) -> pa.Table:
        """All columns with their types."""
        table = self.file.typed(text)
        if table.num_rows != len(self.embeddings):
            raise TableError(
                f"{self.path} has {table.num_rows} rows, and its embeddings have {len(self.embeddings)}: "
                "one is needed for each row, in the same order."
            )
        for j, name in enumerate(names_of(NAME, self.embeddings.shape[1])):
            table = table.append_column(name, pa.array(np.ascontiguousarray(self.embeddings[:, j])))
        return table

    def written(self, names: Sequence[str]) -> pa.Table:
        """Some columns as they are written."""
        own = set(self.file.names)
        if own.issuperset(names):
            return self.file.written(names)
        return self.typed().select(list(names))

    def row_of(self, names: Collection[str]) -> int | None:
        """The number of the row of the table that has all these cells."""
        return self.file.row_of(names)


def names_of(name: str, n: int) -> list[str]:
    """Names of the columns that n numbers become."""
    return [f"{name}[{j}]" for j in range(n)]


def read_embeddings(path: Path) -> NDArray[Any]:
    """The numbers of a ``.npy`` file, (n, d), where they are on disk.

    Raises
    ------
    TableError
        If there is no such file, or it does not hold (n, d) numbers.
    """
    if not path.is_file():
        raise TableError(f"{path} does not exist: check the path.")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise TableError(f"{path} cannot be read as a NumPy file: save it with numpy.save.") from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        what = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else "several arrays"
        raise TableError(f"{path} holds {what}: embeddings are one array of (rows, numbers).")
    return found


def spread_lists(table: pa.Table) -> pa.Table:
    """The table with a column for each number of a column of lists that have the same length."""
    place = 0
    for name, chunks in zip(table.column_names, table.columns, strict=True):  # names may repeat
        column = chunks.combine_chunks()
        found = numbers_of_lists(column) if holds_numbers(column.type) else None
        if found is None:
            place += 1
            continue
        table = table.remove_column(place)
        for own, numbers in zip(names_of(name, found.shape[1]), found.T, strict=True):
            table = table.add_column(place, own, pa.array(numbers))
            place += 1
    return table


def holds_numbers(kind: pa.DataType) -> bool:
    """Whether cells of a type are lists of numbers."""
    types = pa.types
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)))


def with_numbers(batch: pa.RecordBatch, name: str, width: int, place: str) -> pa.RecordBatch:
    """Rows with a column for each number of a column of lists.

    Raises
    ------
    TableError
        If lists have other lengths.
    """
    lists = batch.column(name)
    if lists.null_count == len(lists):
        found = np.full((len(lists), width), np.nan)
    elif (numbers := numbers_of_lists(lists)) is not None and numbers.shape[1] == width:
        found = numbers
    else:
        raise TableError(
            f"{place}: the lists of column {name!r} are not of {width} numbers, as its first ones: correct "
            "them, or leave the column out."
        )
    batch = batch.drop_columns([name])
    for j, own in enumerate(names_of(name, width)):
        batch = batch.append_column(own, pa.array(found[:, j]))
    return batch
