"""Which rows of a table to label next: from a saved model, or from the table alone, to a file to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.outputs import complete_files
from semigen.cli.predictions import free_name, readable
from semigen.cli.sources import ReadOptions, Rows, TableSource
from semigen.cli.sources.columns import as_noted
from semigen.cli.sources.images import noted_form
from semigen.cli.sources.labels import as_classes
from semigen.cli.wording import cell_text
from semigen.ensemble.auto import AutoClassifier
from semigen.exceptions import ModelFileError
from semigen.io.models import load, read_notes
from semigen.io.spreadsheets import ENDING as SPREADSHEET
from semigen.io.spreadsheets import write_spreadsheet
from semigen.io.tables import WRITTEN, spreadsheet_safe, table_format
from semigen.io.writing import write_table
from semigen.judgement.query import CHECK, Query, query
from semigen.labeling import Session


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes
    ----------
    n : int
        Rows to choose.
    strategy : str
    check : int
        How many of them may be labeled rows whose label looks wrong.
    seed : int
    """

    n: int
    strategy: str
    check: int
    seed: int


@dataclass(frozen=True, eq=False)
class Asking:
    """Rows of a table, what is known of their classes, and what says how uncertain the others are.

    Attributes
    ----------
    rows : Rows
    target : str
    labels : ndarray of shape (n,), object
        None where a row has none.
    estimator : classifier
    options : ReadOptions
        How the table is read.
    """

    rows: Rows
    target: str
    labels: NDArray[Any]
    estimator: Any
    options: ReadOptions

    def choose(self, wanted: Wanted) -> Query:
        """The rows to label next."""
        return query(
            self.estimator,
            self.rows.features,
            self.labels,
            wanted.n,
            strategy=wanted.strategy,
            check=wanted.check,
            unlabeled=None,
            random_state=wanted.seed,
        )


def ask_model(
    model_path: Path, path: Path, target: str | None, id_name: str | None, options: ReadOptions
) -> Asking:
    """Rows of a table for a saved model that was fitted on such columns.

    Raises
    ------
    SemigenError
        If model or table cannot be used.
    """
    model, notes = load(model_path), read_notes(model_path)
    if noted_form(notes, model_path) is not None or notes.get("text"):
        raise ModelFileError(
            f"{model_path} was not fitted on the columns of a table: fit one with 'semigen fit' to ask it."
        )
    target = target or notes.get("target")
    if not isinstance(target, str):
        raise ModelFileError(f"{model_path} does not say which column has the classes: add --target COL.")
    options = as_noted(options, notes)
    rows = TableSource.read_new(path, model, model_path, id_name, {**notes, "target": target}, options)
    labels = np.full(len(rows.ids), None, dtype=object)
    if rows.truth is not None:
        labels = as_classes(rows.truth, model.classes_.tolist(), options)
    return Asking(rows, target, labels, model, options)


def ask_table(
    path: Path,
    target: str,
    id_name: str | None,
    options: ReadOptions,
    *,
    drop: Sequence[str],
    read_as: dict[str, str],
    seed: int,
) -> Asking:
    """Rows of a table for the default model, which is fitted where two classes or more have labels.

    Raises
    ------
    SemigenError
        If the table cannot be used.
    """
    source = TableSource.read(
        path, target, id_name=id_name, drop=drop, read_as=read_as, options=options, least_classes=0
    )
    rows = replace(source.rows, notes=source.notes)
    estimator = AutoClassifier(kinds=source.kinds, unlabeled=None, random_state=seed, verbose=0)
    return Asking(rows, target, source.labels.values, estimator, options)


def with_journal(
    asking: Asking,
    path: Path,
    id_name: str | None,
    journal: Path | None,
    filled: Path | None,
) -> tuple[Asking, int, Path]:
    """The labels of a journal over those of the table; those of a filled-in file are saved in it first.

    Returns
    -------
    asking : Asking
    n_saved : int
        Labels that were saved.
    place : Path
        The journal.

    Raises
    ------
    SemigenError
        If journal or file cannot be used.
    """
    n_saved = 0
    with Session.open(
        path,
        target=asking.target,
        id=id_name,
        journal=journal,
        reading=asking.options.reading,
        unlabeled=asking.options.unlabeled,
        learn=False,
    ) as session:
        if filled is not None:
            n_saved = session.import_labels(filled, filled.name)
        said, place = session.evidence_by_row(), session.journal
    labels = asking.labels.copy()
    for row, classes in said.items():
        labels[row] = classes[0] if len(classes) == 1 else None
    known = {cell_text(one): one for one in asking.labels if one is not None}
    labels[:] = [None if one is None else known.get(cell_text(one), one) for one in labels]
    return replace(asking, labels=labels), n_saved, place


def query_file(
    asking: Asking,
    out: Path,
    wanted: Wanted,
    output: Output,
    *,
    inputs: Sequence[Path],
    force: bool,
    csv_safe: bool,
) -> dict[str, Any]:
    """Write the rows to label next to a file with an empty column for their classes; return a summary.

    Raises
    ------
    SemigenError
        If no row is left to ask for.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """
    ending = table_format(out, (*WRITTEN, SPREADSHEET))
    with complete_files([out], force=force, inputs=inputs) as (unfinished,):
        for note in asking.rows.notes:
            output.note(note)
        with output.warnings_as_notes(), output.progress("choosing"):
            found = asking.choose(wanted)
        table = rows_to_fill_in(asking, found)
        if ending == SPREADSHEET:
            known = sorted({cell_text(one) for one in asking.labels if one is not None})
            write_spreadsheet(table, unfinished, {asking.target: known})
        else:
            write_table(spreadsheet_safe(table) if csv_safe else table, unfinished, ending)
    ids = asking.rows.ids.take(pa.array(found.rows)).to_pylist()
    about = found.to_dict()
    lines = [{"id": str(one), **line} for one, line in zip(ids, about["rows"], strict=True)]
    return {"semigen": __version__, "target": asking.target, **about, "rows": lines, "out": str(out)}


def rows_to_fill_in(asking: Asking, found: Query) -> pa.Table:
    """The rows to label: id, the empty target, why each is asked for, what is predicted, and all columns.

    Where a label is to be checked it stands in a column ``given``.
    """
    rows, which = asking.rows, pa.array(found.rows)
    columns: dict[str, Any] = {
        rows.id_name: rows.ids.take(which),
        asking.target: pa.nulls(len(found), pa.string()),
    }
    if CHECK in found.reasons:
        columns[free_name("given", columns)] = pa.array(asking.labels[found.rows].tolist())
    lines = found.to_dict()["rows"]
    for name in ("reason", "predicted", "probability", "score"):
        columns[free_name(name, columns)] = pa.array([readable(line[name]) for line in lines])
    for name in rows.kept.column_names:
        if name != asking.target:
            columns[free_name(name, columns)] = rows.kept[name].take(which)
    return pa.table(columns)
