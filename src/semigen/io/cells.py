"""What cells of a file mean beyond their types: markers, numbers in text, spellings of labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from semigen.columns.numerals import Numerals
from semigen.exceptions import ColumnError
from semigen.io.tables import is_text, without_markers


@dataclass(frozen=True)
class Cells:
    """How the cells of a table are read.

    Attributes
    ----------
    as_text : tuple of str
        Columns of CSV files that are text, whatever they look like.
    as_written : tuple of str
        Such columns of which only empty cells are missing: ids and labels.
    missing : tuple of str
        Markers of missing cells.
    numerals : dict
        How numbers are written in columns of text that are read as numbers, by name.
    labels : dict
        The class of each cell of the target, None for no label; others are classes as they are.
    """

    as_text: tuple[str, ...] = ()
    as_written: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    numerals: Mapping[str, Numerals] = field(default_factory=dict)
    labels: Mapping[Any, Any] = field(default_factory=dict)

    def read(self, table: pa.Table, features: Collection[str], place: str) -> pa.Table:
        """A table without markers in these columns, and with numbers in the place of text that means some.

        Raises
        ------
        ColumnError
            If a cell of a column of numbers is none; the error says where.
        """
        for position, name in enumerate(table.column_names):
            column = table.column(position)
            if name in features:
                column = without_markers(column, self.missing)
            if name in self.numerals and is_text(column.type):
                column = _numbers(column, self.numerals[name], f"{place}: column {name!r}")
            table = table.set_column(position, name, column)
        return table

    def classes(self, cells: Sequence[Any]) -> tuple[Any, ...]:
        """What cells of the target mean."""
        return tuple(self.labels.get(cell, cell) for cell in cells)


def _numbers(column: pa.ChunkedArray, numerals: Numerals, place: str) -> pa.ChunkedArray:
    coded = column.combine_chunks().dictionary_encode()
    cells = coded.dictionary.to_pylist()
    numbers, odd = numerals.read_column(cells)
    if odd:
        raise ColumnError(
            f"{place} is numbers, and the cell {cells[odd[0]]!r} is none: correct it, or leave it empty."
        )
    return pa.chunked_array([pa.array(numbers, pa.float64()).take(coded.indices)])
