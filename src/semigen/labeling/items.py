"""What is labeled: the rows of a table, or the images of a folder, and how each is shown."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns import describe
from semigen.columns.numerals import Numerals, are_digits, is_filled, numerals_of_column
from semigen.columns.tables import Frame, as_floats, as_frame, hint, is_missing
from semigen.columns.vectors import numbers_called
from semigen.common.text import shortened, visible
from semigen.exceptions import ParameterError, TableError
from semigen.io.images import image_files, read_image
from semigen.io.reading import Reading
from semigen.io.tables import read_table
from semigen.io.writing import write_table
from semigen.labeling.cells import WORD, cell_text
from semigen.labeling.keys import keys_by_content, keys_by_id

Cells = list[dict[str, Any]]

MOST_TEXT = 20_000
"""Characters of a cell that are shown."""
RARE = 0.02
"""A level of a smaller share of the rows is rare."""
MOST_LEVELS = 50
"""A column of more levels has no rare ones: they are all different."""
MOST_RANKED = 20_000
"""Rows among which a number has its percentile."""
SHOWN_OF_NEIGHBORS = 6

_TYPES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}


class Items(ABC):
    """Rows to label.

    Attributes
    ----------
    keys : list of str
        One for each row; see :mod:`semigen.labeling.keys`.
    given : dict of int to str
        Labels that the table has, by row.
    values : dict of str to object
        Classes of the table in their own type, by their text.
    home : Path
        What the journal is named after if nobody says otherwise.
    library : str
        What makes the series of labels: "pandas", "polars" or "pyarrow".
    """

    keys: list[str]
    given: dict[int, str]
    values: dict[str, Any]
    home: Path
    library: str = "pandas"

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row numbers by key."""
        return {key: row for row, key in enumerate(self.keys)}

    @abstractmethod
    def content(self, row: int, weights: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
        """The row as a page shows it; ``weights`` has words, the class that each speaks for, and how much."""

    @abstractmethod
    def brief(self, row: int) -> Cells:
        """The first few cells of a row."""

    @abstractmethod
    def words(self, row: int) -> list[str]:
        """The words of its text, none if it has no text."""

    @abstractmethod
    def job(self, rows: NDArray[np.intp], folder: Path) -> dict[str, Any]:
        """What the learning process needs to read some rows; tables are written to ``folder``."""

    def image(self, row: int) -> tuple[bytes, str]:
        """The bytes of an image and their media type."""
        raise ParameterError(f"row {row} is no image.")


@dataclass(eq=False)
class TableItems(Items):
    """The rows of a table."""

    frame: Frame
    keys: list[str]
    given: dict[int, str]
    values: dict[str, Any]
    home: Path
    target: str
    id_name: str | None
    text: str | None
    kinds: Mapping[str, Any]
    library: str = "pandas"

    @classmethod
    def read(
        cls,
        source: Any,
        target: str,
        id_name: str | None,
        text: str | None,
        kinds: Mapping[str, Any] | None,
        reading: Reading | None,
        drop: Sequence[str] = (),
        unlabeled: Collection[str] = (),
    ) -> Self:
        """Read a data frame, or a table by its path.

        Raises
        ------
        SemigenError
            If it cannot be read, or lacks a column that is named.
        """
        library = "pandas"
        home = Path(re.sub(r"[^\w.-]+", "_", target) or "labels")
        is_file = isinstance(source, str | Path)
        if is_file:
            home = Path(source)
            source = read_table(home, [one for one in (target, id_name, text) if one], reading)
        frame = as_frame(source)
        if frame is None:
            raise ParameterError(
                f"source is a {type(source).__name__}: give a data frame, the path of a table, or a folder "
                "of images."
            )
        if frame.implementation.is_polars() or (frame.implementation.is_pyarrow() and not is_file):
            library = frame.implementation.value
        if not len(frame):
            raise TableError("the table has no rows: there is nothing to label.")
        for name in (text, *(kinds or ())):
            if name is not None and name not in frame.columns:
                raise ParameterError(f"the table has no column {name!r}: {hint(name, frame.columns)}")
        if target in (text, id_name):
            raise ParameterError(f"column {target!r} is the target: it cannot be the id or the text, too.")
        rest = frame.drop([target]) if target in frame.columns else frame
        if not rest.columns:
            raise TableError(f"the table has no column beside the target {target!r}: nothing can be shown.")
        keys = keys_by_id(frame, id_name) if id_name else keys_by_content(rest)
        rest = rest.drop(_left_out(rest.columns, drop, {id_name, text, *(kinds or ())}))
        given, values = {}, {}
        if target in frame.columns:
            for row, cell in enumerate(frame.get_column(target).to_list()):
                name = "" if is_missing(cell) else cell_text(cell).strip()
                if name and name not in unlabeled:
                    given[row] = name
                    values[name] = name if isinstance(cell, str) else cell
        return cls(rest, keys, given, values, home, target, id_name, text, dict(kinds or {}), library)

    def content(self, row: int, weights: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
        cells = [self._cell(name, row) for name in self.frame.columns if name != self.text]
        if self.text is None:
            return {"kind": "table", "cells": cells}
        text = "\n".join(visible(line) for line in self._text(row).splitlines())[:MOST_TEXT]
        marked = [
            {"word": word, "class": weights[word.lower()][0], "weight": weights[word.lower()][1]}
            for word in dict.fromkeys(WORD.findall(text))
            if word.lower() in weights
        ]
        return {"kind": "text", "text": text, "words": marked, "cells": cells}

    def brief(self, row: int) -> Cells:
        shown = [name for name in self.frame.columns if name != self.id_name]
        if self.text is not None:
            shown = [self.text, *(name for name in shown if name != self.text)]
        return [
            {"name": visible(str(name)), "value": shortened(self._value(name, row), 200)}
            for name in shown[:SHOWN_OF_NEIGHBORS]
        ]

    def words(self, row: int) -> list[str]:
        if self.text is None:
            return []
        return list({word.lower() for word in WORD.findall(self._text(row)[:MOST_TEXT])})

    def job(self, rows: NDArray[np.intp], folder: Path) -> dict[str, Any]:
        some = self.frame.drop([self.id_name]) if self.id_name else self.frame
        some = some[rows].rename({name: str(name) for name in some.columns})
        kinds = {str(one.name): one.kind for one in describe(some.to_native()) if one.use}
        kinds |= {str(name): kind for name, kind in self.kinds.items()}
        if self.text is not None:
            kinds[self.text] = "text"
        if not kinds:
            raise TableError(
                "the table has no column that a model can use: leave out --id, or add columns that say "
                "something about the class."
            )
        used = some.select([name for name in some.columns if name in kinds])
        write_table(used.to_arrow(), folder / "rows.arrow", ".arrow")
        return {"table": "rows.arrow", "kinds": kinds}

    def _text(self, row: int) -> str:
        cell = None if self.text is None else self.frame.get_column(self.text)[row]
        return "" if is_missing(cell) else str(cell)

    def _value(self, name: Any, row: int) -> str:
        cell = self.frame.get_column(name)[row]
        return "" if is_missing(cell) else visible(shortened(cell_text(cell), MOST_TEXT))

    def _cell(self, name: Any, row: int) -> dict[str, Any]:
        """One cell: a number has its percentile, from 0 to 100; a level may be rare."""
        value, percentile, rare = self._value(name, row), None, False
        if name in self._ranked and value:
            ranked = self._ranked[name]
            number = self._number(name, self.frame.get_column(name)[row])
            if number is not None:
                place = np.searchsorted(ranked, number, "left") + np.searchsorted(ranked, number, "right")
                percentile = round(50.0 * float(place) / len(ranked), 1)
        elif name in self._shares and value:
            rare = self._shares[name].get(value, 0.0) < RARE
        return {"name": visible(str(name)), "value": value, "percentile": percentile, "rare": rare}

    @cached_property
    def _some(self) -> Frame:
        step = max(1, len(self.frame) // MOST_RANKED)
        return self.frame[np.arange(0, len(self.frame), step)]

    def _number(self, name: Any, cell: Any) -> float | None:
        numerals = self._numerals.get(name)
        return float(cell) if numerals is None else numerals.read_column([cell])[0][0]

    @cached_property
    def _numerals(self) -> dict[Any, Numerals]:
        """How the numbers in columns of text are written."""
        found = {}
        for name in self.frame.columns:
            column = self._some.get_column(name)
            if name not in (self.id_name, self.text) and column.dtype == nw.String:
                cells = column.drop_nulls().to_list()
                numerals = None if are_digits(filter(is_filled, cells)) else numerals_of_column(cells)
                if numerals is not None:
                    found[name] = numerals
        return found

    @cached_property
    def _ranked(self) -> dict[Any, NDArray[np.float64]]:
        """Of each column of numbers that is no id, sorted cells."""
        found = {}
        for name in self.frame.columns:
            column = self._some.get_column(name)
            if name in self._numerals:
                cells = [None if is_missing(cell) else cell for cell in column.to_list()]
                read = self._numerals[name].read_column(cells)[0]
                numbers = np.array(read, dtype=np.float64)
            elif name != self.id_name and column.dtype.is_numeric():
                numbers = as_floats(column)
            else:
                continue
            numbers = np.sort(numbers[~np.isnan(numbers)])
            if len(numbers):
                found[name] = numbers
        return found

    @cached_property
    def _shares(self) -> dict[Any, dict[str, float]]:
        """Of each column of levels, their shares of the rows."""
        found = {}
        for name in self.frame.columns:
            column = self._some.get_column(name)
            if name in (self.id_name, self.text, *self._numerals) or column.dtype.is_numeric():
                continue
            count = Counter(cell_text(cell) for cell in column.to_list() if not is_missing(cell))
            if 1 < len(count) <= MOST_LEVELS:
                found[name] = {level: n / count.total() for level, n in count.items()}
        return found


@dataclass(eq=False)
class ImageItems(Items):
    """The images of a folder, whose keys are their names."""

    folder: Path
    keys: list[str]
    given: dict[int, str]
    values: dict[str, Any]
    home: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """List the images of a folder and its subfolders.

        Raises
        ------
        SemigenError
            If there is none, or Pillow is not installed.
        """
        return cls(folder, image_files(folder), {}, {}, folder.resolve())

    def content(self, row: int, weights: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
        return {"kind": "image", "name": visible(self.keys[row]), "cells": []}

    def brief(self, row: int) -> Cells:
        return [{"name": "file", "value": visible(self.keys[row])}]

    def words(self, row: int) -> list[str]:
        return []

    def job(self, rows: NDArray[np.intp], folder: Path) -> dict[str, Any]:
        return {"images": str(self.folder.resolve()), "files": [self.keys[row] for row in rows.tolist()]}

    def image(self, row: int) -> tuple[bytes, str]:
        path = self.folder / self.keys[row]
        kind = _TYPES.get(path.suffix.lower())
        if kind is not None:
            try:
                return path.read_bytes(), f"image/{kind}"
            except OSError as error:
                raise TableError(f"{path} cannot be read ({error.strerror}).") from error
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(read_image(path)).save(buffer, "PNG")
        return buffer.getvalue(), "image/png"


def read_items(
    source: Any,
    target: str,
    *,
    id: str | None = None,  # noqa: A002 - the word of the command line
    text: str | None = None,
    kinds: Mapping[str, Any] | None = None,
    drop: Sequence[str] = (),
    reading: Reading | None = None,
    unlabeled: Collection[str] = (),
) -> Items:
    """The rows of a data frame or of a table's file, or the images of a folder.

    Parameters
    ----------
    source, target, id, text, kinds, drop, reading, unlabeled
        As :meth:`semigen.labeling.Session.open` takes them.

    Raises
    ------
    SemigenError
        If they cannot be read.
    """
    if isinstance(source, str | Path) and Path(source).is_dir():
        if text is not None or id is not None or drop or kinds:
            raise ParameterError("id, text, kinds and drop are of the columns of a table: images have none.")
        return ImageItems.read(Path(source))
    return TableItems.read(source, target, id, text, kinds, reading, drop, unlabeled)


def _left_out(names: Sequence[Any], drop: Sequence[str], others: Collection[str | None]) -> list[Any]:
    """The columns that ``drop`` names, or matches by a pattern."""
    found: list[Any] = []
    for pattern in drop:
        alike = [name for name in names if pattern in names and name == pattern]
        alike = alike or numbers_called(pattern, names)
        alike = alike or [name for name in names if fnmatchcase(str(name), pattern)]
        if not alike:
            raise ParameterError(f"the table has no column {pattern!r} to drop: {hint(pattern, names)}")
        found += [name for name in alike if name not in others and name not in found]
    if len(found) == len(names):
        raise ParameterError("all columns are dropped, and nothing can be shown: keep one.")
    return found
