"""Columns of a table with a role (ids, labels, weights), and the words of ``--as`` for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources.labels import label_notes, labels_of, require_columns
from semigen.cli.sources.records import Labels
from semigen.columns import Kind, learn
from semigen.columns.tables import listing
from semigen.data.weights import check_weights
from semigen.exceptions import ColumnError, LabelError, ParameterError
from semigen.families.registry import FAMILIES, FAMILY_OF_KIND
from semigen.io.tables import read_table

FAMILY_OF_WORD: dict[str, str] = {
    **{str(kind): family for kind, family in FAMILY_OF_KIND.items()},
    "count": "negative_binomial",  # who says that it is a count wants counts
    **{family: family for family in FAMILIES},
}
"""The family that a word of ``--as`` means: a kind of columns, or the family itself."""

KINDS: tuple[str, ...] = tuple(FAMILY_OF_KIND)
"""Words of ``--as`` that name no family."""


def named_kinds(read_as: Mapping[str, str]) -> dict[str, Kind]:
    """The kinds of the columns that are named with ``--as``.

    Raises
    ------
    ParameterError
        If a word is neither a kind nor a family.
    """
    wrong = [f"{name}={word}" for name, word in read_as.items() if word not in FAMILY_OF_WORD]
    if wrong:
        raise ParameterError(
            f"--as {listing(wrong)}: unknown kind. A column is read as one of {listing(list(KINDS))}, "
            f"or modeled as {listing(list(FAMILIES))}."
        )
    kinds: dict[str, Kind] = {str(kind): kind for kind in FAMILY_OF_KIND}
    return {name: kinds.get(word, FAMILIES[FAMILY_OF_WORD[word]].kind) for name, word in read_as.items()}


def open_table(path: Path, options: Mapping[str, Sequence[str]], as_written: Sequence[str]) -> pa.Table:
    """Read a table that has the columns that each option names.

    Raises
    ------
    TableError
        If it cannot be read, or a column is not in it.
    """
    table = read_table(path, as_written)
    for option, names in options.items():
        require_columns(table, names, path, option)
    return table


def row_ids(table: pa.Table, id_name: str | None) -> tuple[pa.Array, str]:
    """The ids of rows, their numbers if no column is given, and the name of that column."""
    return (table[id_name], id_name) if id_name else (pa.array(np.arange(table.num_rows)), "row")


def read_labels(table: pa.Table, target: str, weight: str | None, marker: str | None) -> Labels:
    """Labels and weights of the rows of a table.

    Raises
    ------
    TableError, ColumnError
        If a column cannot be used for that.
    """
    values = labels_of(table, target, marker)
    weights = None if weight is None else _weights(table, weight)
    return Labels(target, values, weights, label_notes(values, target, marker))


def _weights(table: pa.Table, name: str) -> NDArray[np.float64]:
    refused = f"column {name!r} cannot be used as row weights:"
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ColumnError(f"{refused} its cells are of type {kind}, not numbers.")
    try:
        return check_weights(learn(table.select([name]), "number")[1][:, 0], table.num_rows)
    except (ColumnError, LabelError) as error:
        raise ColumnError(f"{refused} {error}") from error
