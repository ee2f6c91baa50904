"""Tables larger than memory to learn from: a sample that says what columns and labels are, and all rows."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from semigen.cli.sources import ReadOptions, Source, TableSource
from semigen.cli.sources.columns import as_noted, expand_kinds, named_kinds
from semigen.cli.sources.labels import classes_of, matching, require_columns
from semigen.cli.streams import RULE, Predicting
from semigen.columns.numerals import Numerals
from semigen.columns.survey import MOST_CLASSES, learn_source
from semigen.common.progress import Progress
from semigen.exceptions import ClassNameWarning, ColumnWarning
from semigen.io.cells import Cells
from semigen.io.parts import CsvPart, Part
from semigen.io.paths import parts_of
from semigen.io.scan import FileSource
from semigen.io.tables import TypedFile, is_text


@dataclass(frozen=True, eq=False)
class StreamSource(TableSource):
    """A table larger than memory; rows and labels are its labeled rows and a sample of the others.

    Attributes
    ----------
    n_all : int
        Rows in all.
    all_labeled : Counter
        Labeled rows of each class.
    parts : sequence of Part
        The files.
    files : FileSource
        All rows of them.
    id_name : str or None
    options : ReadOptions
    """

    n_all: int
    all_labeled: Counter[Any]
    parts: Sequence[Part]
    files: FileSource
    id_name: str | None
    options: ReadOptions

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return self.n_all

    @property
    def labeled(self) -> Counter[Any]:
        """Labeled rows of each class."""
        return self.all_labeled

    @property
    def n_learned_unlabeled(self) -> int:
        """Rows without a label."""
        return self.n_all - self.all_labeled.total()

    @property
    def stream(self) -> FileSource:
        """All rows."""
        return self.files

    def watched(self, progress: Progress) -> Progress:
        """The same progress, which also says how far passes over all rows have come."""
        last: list[Any] = [0, None]

        def step(done: int, total: int, name: str) -> None:
            last[:] = done, total
            progress(done, total, name)

        def watch(number: int, n_rows: int) -> None:
            progress(last[0], last[1], f"pass {number}, {n_rows:,} of {self.n_all:,} rows")

        self.files.watch = watch
        return step

    @classmethod
    def sampled(
        cls,
        path: Path,
        target: str,
        *,
        id_name: str | None,
        drop: Sequence[str],
        read_as: Mapping[str, str],
        weight: str | None,
        options: ReadOptions,
    ) -> StreamSource:
        """Survey a table in a pass, and sort its columns out by a sample.

        Raises
        ------
        SemigenError
            If the table, its labels or its columns cannot be used.
        """
        parts = parts_of(path, options.reading)
        roles = [name for name in (id_name, weight) if name is not None]
        there = list(dict.fromkeys(name for part in parts for name in part.schema.names))
        for option, name in {"--target": target, "--id": id_name, "--weight": weight}.items():
            require_columns(there, [] if name is None else [name], path, option)
        drop = matching(there, drop)
        typed = TypedFile(path, parts[0].schema.empty_table())
        kinds = named_kinds(expand_kinds(read_as, typed, {target, *roles, *drop}))
        as_text = tuple(name for name, kind in kinds.items() if kind in ("category", "text"))
        read = Cells(as_text, (target,) if id_name is None else (target, id_name))
        read = replace(read, labels=_classes(FileSource(parts, target, cells=read), options))
        whole = FileSource(parts, target, weight=weight, cells=read)
        with warnings.catch_warnings():
            for kind in (ColumnWarning, ClassNameWarning):  # columns and labels are sorted out below
                warnings.simplefilter("ignore", kind)
            surveyed = learn_source(whole, None, None)
        rows, sample = surveyed.rows, surveyed.rows.sample
        table = surveyed.example.append_column(target, pa.array(sample.labels.to_array().tolist()))
        if weight is not None:
            table = table.append_column(weight, pa.array(sample.weight))
        reading = options.reading
        guessed = (note for part in parts if isinstance(part, CsvPart) for note in part.notes)
        said = [_said(rows)] if whole.note is None else [_said(rows), whole.note]
        file = TypedFile(path, table, reading.missing, (*said, *guessed), reading.decimal)
        found = TableSource.read(
            path,
            target,
            id_name=id_name,
            drop=drop,
            read_as=read_as,
            weight=weight,
            options=replace(options, unlabeled=(), strip_labels=False),  # they are classes by now
            file=file,
        )
        features = found.rows.features.schema
        numerals = {
            one.name: Numerals(**found.reading["numerals"].get(one.name, {}))
            for one in features
            if is_text(whole.schema.field(one.name).type) and not is_text(one.type)
        }
        read = replace(read, missing=reading.missing, numerals=numerals)
        unused = [name for name in whole.names if name not in found.rows.features.column_names]
        named = zip(rows.labels.classes.tolist(), rows.of_label[1:].astype(int).tolist(), strict=True)
        return cls(
            path,
            found.rows,
            found.labels,
            found.columns,
            found.families,
            {**found.reading, "unlabeled": list(options.unlabeled), "strip_labels": options.strip_labels},
            n_all=rows.n_rows,
            all_labeled=Counter(dict(named)),
            parts=parts,
            files=FileSource(parts, target, weight=weight, drop=unused, cells=read),
            id_name=id_name,
            options=options,
        )


def _classes(source: FileSource, options: ReadOptions) -> dict[Any, Any]:
    """The class of each distinct cell of the target, in a pass over it."""
    count: Counter[Any] = Counter()
    for batch in source.batches([]):
        for cell, n_rows in zip(batch.cells, np.bincount(batch.code[batch.code >= 0]).tolist(), strict=True):
            count[cell] += n_rows
        if len(count) > MOST_CLASSES:
            return {}  # the survey says so
    kind = source.schema.field(source.target).type
    return classes_of(count, kind, source.target, Path(source.parts[0].path), options)


def _said(rows: Any) -> str:
    return (
        f"{RULE}; the report and the kinds of the columns are of {rows.sample.n_rows:,} rows: "
        f"{'all' if rows.holds_all_labeled else 'some'} labeled ones, and others drawn at random."
    )


def stream_of(source: Source, facts: dict[str, Any]) -> Callable[[Any, Path, Progress], None] | None:
    """What writes the predictions of all rows of a stream; None for a source in memory."""
    if not isinstance(source, StreamSource):
        return None

    def write(model: Any, out: Path, progress: Progress) -> None:
        saved = out.with_name("model.semigen")
        noted = as_noted(source.options, facts)
        stream = Predicting(model, saved, source.path, source.parts, source.id_name, facts, noted)
        stream.write(out, ".csv", None, progress)

    return write
