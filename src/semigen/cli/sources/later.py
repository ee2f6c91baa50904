"""What a table to predict has that the table of the fit had not: columns, levels, numbers, gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources.records import Rows
from semigen.cli.wording import counted
from semigen.columns.levels import Levels, unseen
from semigen.columns.tables import listing

FEW_ROWS = 10
"""Rows that are too few to say that a column has changed."""


def about_added_columns(
    path: Path, there: Sequence[str], known: Collection[str], noted: Mapping[str, Any]
) -> list[str]:
    """A note on the columns of a table that the table of the fit had not.

    Parameters
    ----------
    path : Path
    there : sequence of str
        The columns of the table.
    known : collection of str
        Those that the model or an option names.
    noted : mapping
        The notes in the file of the model; of one without the columns of its table nothing is said.
    """
    of_table = noted.get("columns")
    if not of_table:
        return []
    weight = noted.get("reading", {}).get("weight")
    of_fit = {noted.get("target"), weight, *(column["name"] for column in of_table)}
    added = [repr(name) for name in there if name not in known and name not in of_fit]
    if not added:
        return []
    columns, unused = counted(len(added), "column"), "it is" if len(added) == 1 else "they are"
    return [f"{path.name} has {columns} that the fit had not, and {unused} not used: {listing(added)}."]


class Later:
    """What the columns of a table hold that the fit has not seen, counted batch by batch.

    Parameters
    ----------
    model : classifier
    noted : mapping
        The notes in its file; nothing is said of what they do not have, ranges of numbers or missing values.
    """

    def __init__(self, model: Any, noted: Mapping[str, Any]) -> None:
        schema = getattr(model, "schema_", None)
        self._levels: dict[str, Levels] = {}
        if schema is not None and schema.names is not None:
            known = zip(schema.names, schema.levels, strict=True)
            self._levels = {str(name): levels for name, levels in known if levels}
        self._ranges: dict[str, list[float]] = noted.get("reading", {}).get("ranges", {})
        n_rows = noted.get("n_sample", noted.get("n_rows", 0))
        of_table = noted.get("columns", ())
        self._had_values = [one["name"] for one in of_table if one["use"] and one["n_missing"] < n_rows]
        self._n_rows = 0
        self._filled: Counter[str] = Counter()
        self._outside: Counter[str] = Counter()
        self._new: dict[str, Counter[Any]] = {name: Counter() for name in self._levels}

    def add(self, table: pa.Table) -> None:
        """Count the values of some rows."""
        self._n_rows += table.num_rows
        for name, column in zip(table.column_names, table.columns, strict=True):
            self._filled[name] += len(column) - column.null_count
            if name in self._levels:
                counts = {one["values"]: one["counts"] for one in column.value_counts().to_pylist()}
                self._new[name] += unseen(counts, self._levels[name])
            elif name in self._ranges:
                numbers, (least, most) = numbers_of(column), self._ranges[name]
                self._outside[name] += int(((numbers < least) | (numbers > most)).sum())

    def counted(self, batches: Iterator[Rows]) -> Iterator[Rows]:
        """The same batches, whose values are counted as they come by."""
        for rows in batches:
            self.add(rows.features)
            yield rows

    def notes(self, path: Path) -> list[str]:
        """What to know of them; of categories most of whose values are new, the model itself warns."""
        said = []
        levels = [
            f"{name!r} {new.total():,} of {self._filled[name]:,} (such as {new.most_common(1)[0][0]!r})"
            for name, new in self._new.items()
            if 0 < 2 * new.total() <= self._filled[name]
        ]
        if levels:
            said.append(
                f"{path.name} has values of categories that no row of the fit had, which say next to nothing "
                f"about the class: {listing(levels)}."
            )
        if self._n_rows < FEW_ROWS:
            return said
        outside = [
            f"{name!r} {n:,} of {self._filled[name]:,} (fit: {_range(self._ranges[name])})"
            for name, n in self._outside.items()
            if n >= FEW_ROWS and 2 * n > self._filled[name]
        ]
        if outside:
            said.append(
                f"most numbers of {path.name} are outside the range of the fit: {listing(outside)}. Are "
                "they in the same unit? Such predictions may be far off."
            )
        empty = [repr(name) for name in self._had_values if name in self._filled and not self._filled[name]]
        if empty:
            said.append(f"{path.name} has no value of {listing(empty)}, which had some in the fit.")
        return said


def ranges(table: pa.Table) -> dict[str, list[float]]:
    """The least and the largest number of each column of numbers."""
    of_columns = zip(table.column_names, map(numbers_of, table.columns), strict=True)
    return {name: [float(one.min()), float(one.max())] for name, one in of_columns if len(one)}


def numbers_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """The numbers in a column, without missing ones; none in one of another type."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return np.empty(0)
    values = column.drop_null().to_numpy()
    return np.asarray(values[~np.isnan(values)])


def _range(ends: Sequence[float]) -> str:
    return f"{ends[0]:.6g} to {ends[1]:.6g}"
