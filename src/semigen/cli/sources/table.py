"""The columns of a table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa

from semigen.cli.sources.columns import (
    FAMILY_OF_WORD,
    OpenTable,
    about_documents,
    about_reading,
    expand_kinds,
    named_kinds,
    open_table,
    read_labels,
    read_rows,
    refuse_huge,
    row_ids,
)
from semigen.cli.sources.labels import matching
from semigen.cli.sources.later import Later, ranges
from semigen.cli.sources.numbers import read_numbers_again, read_written_numbers
from semigen.cli.sources.records import ReadOptions, Rows, Source
from semigen.cli.sources.repeats import about_repeated_rows, without_copies
from semigen.cli.wording import Lines, column_lines
from semigen.columns import Column, Kind, describe
from semigen.columns.kinds import ID_TEXT
from semigen.columns.several import options_of
from semigen.columns.tables import listing
from semigen.exceptions import ColumnError, ModelFileError
from semigen.io.tables import TableFile
from semigen.io.tables import open_table as open_file


@dataclass(frozen=True, eq=False)
class TableSource(Source):
    """Columns of numbers, counts, true/false, categories, text and dates.

    Attributes
    ----------
    families : dict
        The families of the columns that are named with ``--as``.
    reading : dict
        How cells were read, for tables to come: markers, and how numbers are written.
    """

    families: dict[str, str]
    reading: dict[str, Any]

    cure: ClassVar[str] = (
        " With semigen fit: --as COLUMN=KIND reads it as something else, --drop COLUMN leaves it out."
    )

    @classmethod
    def read(
        cls,
        path: Path,
        target: str,
        *,
        id_name: str | None = None,
        drop: Sequence[str] = (),
        read_as: Mapping[str, str] | None = None,
        weight: str | None = None,
        options: ReadOptions | None = None,
        least_classes: int = 2,
        file: TableFile | None = None,
    ) -> Self:
        """Read a table to learn from, and sort its columns out.

        Parameters
        ----------
        path : Path
        target : str
            The column of the classes.
        id_name, weight : str, optional
            Columns that identify the rows, and of their weights.
        drop : sequence of str
            Columns to leave out, or patterns of their names.
        read_as : mapping, optional
            Kinds or families of columns, by name, pattern or type.
        options : ReadOptions, optional
        least_classes : int
            Classes that there must be; with 0 the table may lack the target.
        file : TableFile, optional
            The table where it is open already.

        Raises
        ------
        SemigenError
            If the table, its labels or its columns cannot be used.
        """
        options = options or ReadOptions()
        ids, weights = ([name] if name else [] for name in (id_name, weight))
        file = file or open_file(path, options.reading)
        targets = [target] if least_classes or target in file.names else []
        drop = matching(file.names, drop)
        read_as = expand_kinds(read_as or {}, file, {target, *ids, *weights, *drop})
        kinds = named_kinds(read_as)
        named = {"--target": targets, "--id": ids, "--weight": weights, "--drop": drop, "--as": list(kinds)}
        written = [name for name, kind in kinds.items() if kind in ("category", "text")]
        opened = open_table(file, named, options, as_written=[*targets, *ids], text=written)
        as_text = {target, *ids, *drop, *written}
        as_numbers = [name for name, kind in kinds.items() if kind in ("number", "count", "flag")]
        table, numerals, notes = read_written_numbers(opened.table, as_text, as_numbers, opened.decimal)
        labels = read_labels(table, target, weight, path, options, least_classes)
        reasons = {
            **dict.fromkeys(ids, "identifies the rows (--id)"),
            **dict.fromkeys(drop, "left out (--drop)"),
        }
        columns = tuple(
            _sorted_out(column, reasons, kinds, table)
            for column in describe(table.drop_columns([*targets, *weights]))
        )
        columns = without_copies(columns, table, list(kinds))
        used = [column.name for column in columns if column.use]
        if not used:
            which = listing([f"{column.name} ({column.reason})" for column in columns]) or "only the target"
            raise ColumnError(f"{path} has no column that a model can use: {which}.")
        refuse_huge(table.select(used), path)
        reading = about_reading(options, numerals, weight, ranges(table.select(used)))
        notes = (*notes, *about_documents(table, columns), *about_repeated_rows(table.select(used), columns))
        rows = Rows(table.select(used), *row_ids(table, id_name), (*opened.notes, *notes), opened.kept)
        families = {name: FAMILY_OF_WORD[word] for name, word in read_as.items()}
        return cls(path, rows, labels, columns, families, reading)

    @staticmethod
    def read_new(
        path: Path,
        model: Any,
        model_path: Path,
        id_name: str | None,
        noted: Mapping[str, Any],
        options: ReadOptions,
    ) -> Rows:
        """Read the rows of another table, with the columns that a model was fitted on.

        Parameters
        ----------
        path : Path
        model : classifier
        model_path : Path
        id_name : str or None
            The column that identifies the rows.
        noted : mapping
            The notes in the file of the model.
        options : ReadOptions

        Raises
        ------
        SemigenError
            If the model does not know its columns by name, or the table cannot be used.
        """
        names, text_levels, features = reads(model, model_path, noted, path, options.reading.decimal)
        rows = read_rows(path, names, id_name, noted, options, features, text=text_levels)
        later = Later(model, noted)
        later.add(rows.features)
        return replace(rows, notes=(*rows.notes, *later.notes(path)))

    @property
    def kinds(self) -> dict[str, Kind]:
        """Of the columns that are used, by name."""
        return {column.name: column.kind for column in self.columns if column.use}

    def family(self, of_kind: Mapping[Kind, str]) -> dict[str, str]:
        """One for each column that is used: the user's, or the usual one for its kind or for its flags."""
        own: dict[str, str | None] = {}
        for name, kind in self.kinds.items():
            if kind == "text":
                own[name] = of_kind.get("flag" if name in self._in_flags else "text")
            else:
                own[name] = self.families.get(name, of_kind.get(kind))
        return {name: family for name, family in own.items() if family is not None}

    @cached_property
    def _in_flags(self) -> frozenset[str]:
        """Columns of text whose cells are choices of a list: each choice becomes a flag."""
        texts = [name for name, kind in self.kinds.items() if kind == "text" and name not in self.families]
        features = self.rows.features
        return frozenset(name for name in texts if options_of(features[name].to_pylist()) is not None)

    def about(self) -> dict[str, Any]:
        """The table, and how its cells were read."""
        return {"table": str(self.path), "reading": self.reading}

    def _describe_features(self) -> Lines:
        return column_lines(self.columns)


def reads(
    model: Any, model_path: Path, noted: Mapping[str, Any], path: Path, decimal: str
) -> tuple[list[str], list[str], Callable[[OpenTable], pa.Table]]:
    """What a model reads of a table: its columns, those that are text, and how they become its features.

    Raises
    ------
    ModelFileError
        If the model does not know its columns by name.
    """
    names, text_levels = _columns_of(model)
    if not names:
        raise ModelFileError(
            f"{model_path} was fitted without column names, so its columns cannot be found in a table: "
            "fit it on a data frame, or with 'semigen fit'."
        )
    numerals = noted.get("reading", {}).get("numerals", {})

    def features(opened: OpenTable) -> pa.Table:
        table, numbers = opened.table.select(names), set(names) - set(_not_numbers(model))
        return read_numbers_again(table, numbers, numerals, opened.decimal, path, decimal)

    commas = [name for name, one in numerals.items() if one["decimal"] == ","]  # 2.509 is 2,509 there
    return names, [*text_levels, *commas], features


def _sorted_out(
    column: Column, reasons: Mapping[str, str], kinds: Mapping[str, Kind], table: pa.Table
) -> Column:
    """A column with its role from the options, or with a hint at the option that would use it."""
    name = column.name
    if name in reasons:
        return replace(column, use=False, reason=reasons[name])
    if name in kinds:
        return replace(column, kind=kinds[name], use=True, reason="")
    if " do not (such as " in column.reason:
        return replace(column, reason=f"{column.reason}; --missing names cells that mean 'missing'")
    if " is far from all other values" in column.reason:
        value = shlex.quote(column.reason.split()[0])
        return replace(column, reason=f"{column.reason}; if it means 'missing', add --missing={value}")
    if column.kind == "id" and pa.types.is_integer(table.schema.field(name).type):
        return replace(column, reason=f"{column.reason} (--as {shlex.quote(f'{name}=number')} uses it)")
    if column.reason.endswith(ID_TEXT):
        return replace(column, reason=f"{column.reason} (--id COLUMN names rows by it)")
    return column


def _not_numbers(model: Any) -> list[str]:
    """The columns that a model knows as categories, text or dates."""
    schema = getattr(model, "schema_", None)
    if schema is None or schema.names is None:
        return []
    categories = [
        name for name, levels in zip(schema.names, schema.levels, strict=True) if levels is not None
    ]
    return list(map(str, [*categories, *(one.name for one in schema.several)]))


def _columns_of(model: Any) -> tuple[list[str], list[str]]:
    """The columns that a model was fitted on, none if it does not know their names.

    Beside them those that it knows as categories of text, which may look like numbers elsewhere.
    """
    schema = getattr(model, "schema_", None)
    if schema is None or schema.names is None:
        names = getattr(model, "feature_names_in_", ()) if schema is None else ()
        return list(map(str, names)), []
    text_levels = [
        str(name)
        for name, levels in zip(schema.names, schema.levels, strict=True)
        if levels is not None and any(isinstance(level, str) for level in levels)
    ]
    texts = [str(one.name) for one in schema.several if one.kind == "text"]
    return list(map(str, schema.input_names)), [*text_levels, *texts]
