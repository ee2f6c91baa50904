"""Columns of a table with a role (ids, labels, weights, copies), and the words of ``--as`` for the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources.labels import given_labels, labels_of, matching, require_columns
from semigen.cli.sources.later import about_added_columns
from semigen.cli.sources.records import Labels, ReadOptions, Rows
from semigen.cli.wording import counted
from semigen.columns import Column, Kind, learn
from semigen.columns.kinds import are_documents
from semigen.columns.numerals import Numerals
from semigen.columns.tables import listing
from semigen.data.weights import check_weights
from semigen.exceptions import ColumnError, LabelError, ParameterError
from semigen.families.registry import FAMILIES, FAMILY_OF_KIND
from semigen.io.tables import TableFile, filled, is_text, value_type
from semigen.io.tables import open_table as open_file

FAMILY_OF_WORD: dict[str, str] = {
    **{str(kind): family for kind, family in FAMILY_OF_KIND.items()},
    "count": "negative_binomial",  # who says that it is a count wants counts
    **{family: family for family in FAMILIES},
}
"""The family that a word of ``--as`` means: a kind of columns, or the family itself."""

KINDS: tuple[str, ...] = tuple(FAMILY_OF_KIND)
"""Words of ``--as`` that name no family."""

_LARGEST = 1e150  # squares of larger numbers, and their sums, are beyond float64

TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "integer": pa.types.is_integer,
    "decimal": lambda kind: pa.types.is_floating(kind) or pa.types.is_decimal(kind),
    "boolean": pa.types.is_boolean,
    "text": is_text,
    "date": pa.types.is_temporal,
}
"""Types of columns that ``--as`` takes in place of a name."""


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


@dataclass(frozen=True, eq=False)
class OpenTable:
    """A table that is read, and what the predictions copy of it.

    Attributes
    ----------
    table : pyarrow table
        Columns with their types; those that were asked for are as they are written.
    kept : pyarrow table
        Columns to copy to the predictions, as they are written.
    decimal : str
        The decimal mark of numbers where their cells leave it open.
    notes : tuple of str
    """

    table: pa.Table
    kept: pa.Table
    decimal: str
    notes: tuple[str, ...]


def open_table(
    file: TableFile,
    named: Mapping[str, Sequence[str]],
    options: ReadOptions,
    *,
    as_written: Sequence[str],
    text: Sequence[str] = (),
) -> OpenTable:
    """Read a table that has the columns that each option names.

    Parameters
    ----------
    file : TableFile
    named : mapping
        Column names, by the options that name them.
    options : ReadOptions
    as_written : sequence of str
        Columns whose cells are kept as they are written and are missing only where they are empty.
    text : sequence of str
        Columns of a text file that are text, whatever they look like.

    Raises
    ------
    TableError
        If it cannot be read, or a column is not in it.
    """
    for option, names in named.items():
        require_columns(file.names, names, file.path, option, file.row_of, file.other_sheets)
    ids = named.get("--id", ())
    every = "all" in options.keep and "all" not in file.names
    keep = [name for name in file.names if name not in ids] if every else matching(file.names, options.keep)
    require_columns(file.names, keep, file.path, "--keep")
    table = filled(file.path, file.typed(text))
    written = file.written(list(dict.fromkeys([*as_written, *keep])))
    for name in as_written:
        table = table.set_column(table.column_names.index(name), name, written[name])
    return OpenTable(table, written.select(keep), file.decimal, file.notes)


def read_rows(
    path: Path,
    needed: Sequence[str],
    id_name: str | None,
    noted: Mapping[str, Any],
    options: ReadOptions,
    features: Callable[[OpenTable], Any],
    *,
    text: Sequence[str],
) -> Rows:
    """Read the rows of a table to predict, with their labels where it has the target.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        The columns that the model was fitted on.
    id_name : str or None
        The column that identifies the rows.
    noted : mapping
        The notes in the file of the model.
    options : ReadOptions
    features : callable
        Makes of the table what the model takes; what is wrong with it is told before what is wrong with the
        labels.
    text : sequence of str
        Columns of a text file that are text, whatever they look like.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    ids = [id_name] if id_name else []
    file = open_file(path, options.reading)
    target = known_target(file.names, noted)
    named = {"needed by the model": needed, "--id": ids}
    opened = open_table(file, named, options, as_written=[*ids, *target], text=text)
    made = features(opened)
    known = {*needed, *ids, *target, *opened.kept.column_names}
    added = about_added_columns(path, file.names, known, noted)
    truth = given_labels(opened.table[target[0]], target[0], path, options) if target else None
    return Rows(made, *row_ids(opened.table, id_name), (*opened.notes, *added), opened.kept, truth)


def expand_kinds(read_as: Mapping[str, str], file: TableFile, others: Collection[str]) -> dict[str, str]:
    """The words of ``--as`` by column: of columns, of patterns of names such as ``q*``, and of types.

    A column's own name goes before patterns, and patterns before types; ``others`` have another role and are
    reached by their own names only.

    Raises
    ------
    TableError
        If a name or pattern is no column's.
    """
    by_name = {name: word for name, word in read_as.items() if name in file.names}
    by_type = {name: word for name, word in read_as.items() if name in TYPES and name not in by_name}
    by_pattern: dict[str, str] = {}
    free = [name for name in file.names if name not in others]
    for pattern, word in read_as.items():
        if pattern not in by_name and pattern not in by_type:
            found = matching(free, [pattern])
            require_columns(file.names, found, file.path, "--as")
            by_pattern |= dict.fromkeys(found, word)
    of_type: dict[str, str] = {}
    if by_type:
        schema = file.typed().schema
        of_type = {
            name: word
            for type_name, word in by_type.items()
            for name in free
            if TYPES[type_name](value_type(schema.field(name).type))
        }
    return {**of_type, **by_pattern, **by_name}


def row_ids(table: pa.Table, id_name: str | None) -> tuple[pa.Array, str]:
    """The ids of rows, their numbers if no column is given, and the name of that column."""
    return (table[id_name], id_name) if id_name else (pa.array(np.arange(table.num_rows)), "row")


def about_reading(
    options: ReadOptions,
    numerals: Mapping[str, Numerals],
    weight: str | None,
    ranges: Mapping[str, list[float]],
) -> dict[str, Any]:
    """How cells were read, for the tables that a model is to predict."""
    return {
        "weight": weight,
        "ranges": dict(ranges),
        "missing": list(options.reading.missing),
        "unlabeled": list(options.unlabeled),
        "strip_labels": options.strip_labels,
        "numerals": {name: asdict(one) for name, one in numerals.items()},
    }


def as_noted(options: ReadOptions, noted: Mapping[str, Any]) -> ReadOptions:
    """Options for a table to predict, with the markers of the table that the model was fitted on."""
    known = noted.get("reading", {})
    missing = (*options.reading.missing, *known.get("missing", ()))
    return replace(
        options,
        reading=replace(options.reading, missing=tuple(dict.fromkeys(missing))),
        unlabeled=tuple(known.get("unlabeled", ())),
        strip_labels=bool(known.get("strip_labels", False)),
    )


def known_target(names: Sequence[str], noted: Mapping[str, Any]) -> list[str]:
    """The target that a model was fitted on, if there is such a column."""
    target = noted.get("target")
    return [target] if isinstance(target, str) and target in names else []


def about_documents(table: pa.Table, columns: Sequence[Column]) -> tuple[str, ...]:
    """Which models learn from the words of long texts where there are other columns beside them."""
    texts = [one.name for one in columns if one.use and one.kind == "text"]
    long = [name for name in texts if are_documents(table[name].to_pylist())]
    others = [one.name for one in columns if one.use and one.name not in long]
    if not long or not others:
        return ()
    return (
        f"{listing(long)}: beside other columns the words of long texts are learned by auto and by mixtures; "
        "other models learn from a few features of them",
    )


def refuse_huge(table: pa.Table, path: Path) -> None:
    """Refuse numbers whose squares are none, by column and row.

    Raises
    ------
    ColumnError
        If a cell is infinite, or beyond 1e150.
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_floating(column.type):
            continue
        with np.errstate(invalid="ignore"):
            huge = np.flatnonzero(np.abs(column.to_numpy().astype(np.float64)) > _LARGEST)
        if huge.size:
            cell = column[int(huge[0])].as_py()
            what = "is infinity" if abs(cell) == np.inf else f"is {cell:g}, too large to compute with"
            raise ColumnError(
                f"{path}: column {name!r} has {counted(huge.size, 'cell')} beyond {_LARGEST:g}; the first, "
                f"in row {huge[0]} (from 0), {what}. Correct it; if it means 'missing', name it with "
                "--missing, or leave the column out with --drop."
            )


def read_labels(
    table: pa.Table,
    target: str,
    weight: str | None,
    path: Path,
    options: ReadOptions,
    least: int = 2,
) -> Labels:
    """Labels and weights of the rows of a table, none if it lacks the column of the labels.

    Raises
    ------
    TableError, ColumnError
        If a column cannot be used for that.
    """
    values: NDArray[Any] = np.full(table.num_rows, None, dtype=object)
    notes: tuple[str, ...] = ()
    if target in table.column_names:
        values, notes = labels_of(table, target, path, options, least)
    weights = None if weight is None else _weights(table, weight)
    return Labels(target, values, weights, notes)


def _weights(table: pa.Table, name: str) -> NDArray[np.float64]:
    refused = f"column {name!r} cannot be used as row weights:"
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ColumnError(f"{refused} its cells are of type {kind}, not numbers.")
    try:
        return check_weights(learn(table.select([name]), "number")[1][:, 0], table.num_rows)
    except (ColumnError, LabelError) as error:
        raise ColumnError(f"{refused} {error}") from error
