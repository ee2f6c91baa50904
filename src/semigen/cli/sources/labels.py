"""Labels in a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.wording import cell_text, counted
from semigen.columns.tables import hint, listing
from semigen.exceptions import TableError
from semigen.io.tables import is_text, value_type

_SUSPECTS = (-1, "-1", "?", "unknown", "Unknown", "none", "None")


def require_columns(table: pa.Table, names: Sequence[str], path: Path, wanted_by: str) -> None:
    """Raise TableError if a column is not in the table, with the names that come close."""
    absent = [name for name in names if name not in table.column_names]
    if not absent:
        return
    raise TableError(
        f"{path} has no column {listing(list(map(repr, absent)))} ({wanted_by}): "
        f"{hint(absent[0], table.column_names)}"
    )


def labels_of(table: pa.Table, name: str, marker: str | None) -> NDArray[Any]:
    """Return the labels in a column in their own type, None where a row has none, (n,).

    Parameters
    ----------
    table : pyarrow table
    name : str
        The column.
    marker : str or None
        A text that means "no label", besides an empty cell.

    Raises
    ------
    TableError
        If the cells are neither text nor numbers nor booleans, or hold fewer than two classes.
    """
    column = table[name]
    kind = value_type(column.type)
    is_label = (
        is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
    if pa.types.is_null(kind):
        raise TableError(f"column {name!r} is empty in every row: label at least one row of each class.")
    if not is_label:
        raise TableError(
            f"column {name!r} has cells of type {kind}, and classes are text, integers or booleans: "
            "write them as text."
        )
    cells = column.to_pylist()
    labels = np.empty(len(cells), dtype=object)
    labels[:] = [None if _is_unlabeled(cell, marker) else cell for cell in cells]
    classes = {label for label in labels if label is not None}
    if len(classes) < 2:
        found = f"only one class, {classes.pop()!r}" if classes else "no label"
        raise TableError(f"column {name!r} has {found}: label rows of at least two classes.")
    return labels


def label_notes(labels: NDArray[Any], target: str, marker: str | None) -> tuple[str, ...]:
    """Where a class looks like a word for "no label", or a marker does not occur."""
    given = [label for label in labels if label is not None]
    notes = []
    if len(given) == len(labels) and marker is not None:
        notes.append(f"no cell of {target!r} is empty or equal to {marker!r}: every row is labeled.")
    notes += [
        f"{label!r} is taken as a class ({counted(given.count(label), 'row')}). If it means 'no label', "
        f"add --unlabeled={label}"
        for label in _SUSPECTS
        if label in given
    ]
    return tuple(notes)


def _is_unlabeled(cell: Any, marker: str | None) -> bool:
    if cell is None or cell != cell:
        return True
    if isinstance(cell, str):
        return not cell.strip() or cell == marker
    if marker is None:
        return False
    if isinstance(cell, bool):
        return cell_text(cell) == marker.lower()
    try:
        return bool(float(marker) == cell)
    except ValueError:
        return False
