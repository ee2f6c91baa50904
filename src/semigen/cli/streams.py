"""Predictions of tables larger than memory: read, predicted and written batch by batch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.predictions import predict_table, probabilities_of
from semigen.cli.sources import ReadOptions, Rows
from semigen.cli.sources.columns import OpenTable, known_target
from semigen.cli.sources.labels import as_classes, given_labels, matching, require_columns
from semigen.cli.sources.later import Later, about_added_columns
from semigen.cli.sources.table import reads
from semigen.common.threads import ahead
from semigen.evaluation.scoring import PredictionScore, ScoreSums
from semigen.exceptions import ParameterError, TableError
from semigen.io.delimited import WORDS_FOR_MISSING
from semigen.io.parts import AHEAD, CsvPart, Part
from semigen.io.scan import BATCH_ROWS
from semigen.io.schemas import agreed, as_schema, common_schema
from semigen.io.tables import STDIN, TypedFile, spreadsheet_safe
from semigen.io.writing import KeptPieces, TableWriter

LARGE_CELLS = 50_000_000
"""Rows times columns from which a Parquet file is read batch by batch."""

LARGE_BYTES = 2**28
"""Size from which a CSV file is."""

RULE = (
    f"folders, patterns such as 'part-*.csv', tables of more than {LARGE_CELLS:,} cells and CSV files of "
    f"more than {LARGE_BYTES >> 20} MiB are read batch by batch"
)
_STREAMED = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".feather", ".arrow")


def is_pattern(path: Path) -> bool:
    """Whether a path stands for several files, as in a shell."""
    return any(mark in str(path) for mark in "*?[") and not path.exists()


def is_streamable(path: Path) -> bool:
    """Whether a table can be read batch by batch."""
    several = path.is_dir() or is_pattern(path)
    return path != STDIN and (several or path.name.lower().endswith(_STREAMED))


def is_large(path: Path) -> bool:
    """Whether a table is read batch by batch without being asked to; several files always are."""
    if path.is_dir() or is_pattern(path):
        return True
    if not is_streamable(path) or not path.exists():
        return False
    if path.name.lower().endswith(".parquet"):
        from pyarrow import parquet

        try:
            metadata = parquet.read_metadata(path)
        except (pa.ArrowException, OSError):  # told when it is read
            return False
        return bool(metadata.num_rows * metadata.num_columns > LARGE_CELLS)
    return path.stat().st_size > LARGE_BYTES


def predict(given: tuple[Any, float | None, Sequence[float] | None], rows: Rows) -> pa.Table:
    """Predictions of some rows, by a model, with the coverage of prediction sets and the costs of classes."""
    model, coverage, cost = given
    return predict_table(model, rows, coverage=coverage, cost=cost)


@dataclass(frozen=True)
class Predicted:
    """What is known of predictions that are written.

    Rows, those of each predicted class and of each class of least cost, scores and notes.
    """

    n_rows: int
    count: Counter[Any]
    decided: Counter[Any]
    score: PredictionScore | None
    notes: list[str]


@dataclass(frozen=True)
class Predicting:
    """A model and how the rows of a table are predicted by it.

    Attributes
    ----------
    model : classifier
    model_path : Path
    table : Path
    parts : sequence of Part
        Its files.
    id_name : str or None
    notes : dict
        Of the model file.
    options : ReadOptions
    coverage : float or None
    cost : sequence of float, or None
    csv_safe : bool
    scheduler : str or None
        Address of a Dask scheduler, whose workers predict; None: this process does.
    scored : bool
        Whether predictions are compared with the true classes, where the table has them.
    """

    model: Any
    model_path: Path
    table: Path
    parts: Sequence[Part]
    id_name: str | None
    notes: dict[str, Any]
    options: ReadOptions
    coverage: float | None = None
    cost: Sequence[float] | None = None
    csv_safe: bool = False
    scheduler: str | None = None
    scored: bool = False

    @property
    def target(self) -> list[str]:
        """The column of the true classes, if every file has it."""
        found = [known_target(part.schema.names, self.notes) for part in self.parts]
        return found[0] if all(found) else []

    def write(self, out: Path, ending: str, kept: Path | None, progress: Callable[..., None]) -> Predicted:
        """Predict all rows into a file.

        Parameters
        ----------
        out : path
            To write to.
        ending : str
            That tells its format.
        kept : path or None
            A folder for finished pieces, from which an interrupted run goes on; removed when all are written.
        progress : callable
            Called with the rows that are written, their number in all or None, and both in words.

        Raises
        ------
        SemigenError
            If the rows cannot be used.
        OSError
            If the file cannot be written.
        """
        pieces = None if kept is None else KeptPieces(kept, self._about())
        classes = self.model.classes_
        count: Counter[Any] = Counter()
        decided: Counter[Any] = Counter()
        sums = ScoreSums(classes, self.cost)
        n_rows, of_parts = 0, [part.n_rows for part in self.parts]
        n_all = None if None in of_parts else sum(n for n in of_parts if n is not None)
        later = Later(self.model, self.notes)
        with TableWriter(out, ending) as writer:
            for table, truth in zip(self._tables(pieces, later), self._truth(), strict=False):
                n_rows += table.num_rows
                count.update(_counts(table["predicted"]))
                if self.cost is not None:
                    decided.update(_counts(table["least_cost"]))
                if truth is not None:
                    sums.add(truth, probabilities_of(table, classes))
                writer.write(spreadsheet_safe(table) if self.csv_safe else table)
                of_all = "" if n_all is None else f"of {n_all:,} "
                progress(n_rows, n_all, f"{n_rows:,} {of_all}rows")
        if not n_rows:
            raise TableError(f"{self.table} has column names but no rows.")
        if pieces is not None:
            pieces.remove()
        score = sums.result() if sums.n_rows else None
        return Predicted(n_rows, count, decided, score, later.notes(self.table))

    def _tables(self, pieces: KeptPieces | None, later: Later) -> Iterator[pa.Table]:
        if pieces is not None:
            yield from pieces.tables()
        done = 0 if pieces is None else sum(pieces.rows)
        for table in self._predicted(later.counted(self._rows(done))):
            if pieces is not None:
                pieces.add(table)
            yield table

    def _predicted(self, batches: Iterator[Rows]) -> Iterator[pa.Table]:
        given = (self.model, self.coverage, self.cost)
        if self.scheduler is None:
            return (predict(given, rows) for rows in batches)
        try:
            from semigen.engines.cluster import map_in_order
        except ImportError as error:
            raise ParameterError(
                "--scheduler needs Dask, which is not installed: pip install 'semigen[dask]'"
            ) from error
        return map_in_order(self.scheduler, predict, given, batches)

    def _rows(self, done: int) -> Iterator[Rows]:
        """The rows of the table in batches, after those that are done."""
        parts = self.parts
        missing, decimal = self.options.reading.missing, self.options.reading.decimal
        names, text, features = reads(self.model, self.model_path, self.notes, self.table, decimal)
        there = parts[0].schema.names
        ids = [self.id_name] if self.id_name else []
        keep = self._kept(there)
        for part in parts:
            for option, wanted in {"needed by the model": names, "--id": ids, "--keep": keep}.items():
                require_columns(part.schema.names, wanted, Path(part.path), option)
        wanted = list(dict.fromkeys([*names, *ids, *keep]))
        if isinstance(parts[0], CsvPart):
            missing = (*missing, *WORDS_FOR_MISSING)  # of features that are kept as they are written
        begin = 0
        for place, raw in ahead(_tables(parts, wanted, text, [*ids, *keep]), AHEAD):
            end = begin + raw.num_rows
            if end > done:
                typed = TypedFile(Path(place), raw.select(names), missing).typed()
                opened = OpenTable(typed, raw.select(keep), decimal, ())
                numbers = raw[self.id_name] if self.id_name else pa.array(np.arange(begin, end))
                yield Rows(features(opened), numbers, self.id_name or "row", (), opened.kept)
            begin = end

    def _kept(self, there: list[str]) -> list[str]:
        """The columns to copy to the predictions."""
        every = "all" in self.options.keep and "all" not in there
        return (
            [name for name in there if name != self.id_name] if every else matching(there, self.options.keep)
        )

    def added(self) -> list[str]:
        """A note on columns that the table of the fit had not."""
        there = list(dict.fromkeys(name for part in self.parts for name in part.schema.names))
        names, _, _ = reads(self.model, self.model_path, self.notes, self.table, self.options.reading.decimal)
        known = {*names, self.id_name or "", *self._kept(there)}
        return about_added_columns(self.table, there, known, self.notes)

    def _truth(self) -> Iterator[NDArray[Any] | None]:
        """The true classes of each batch, read beside the rows; None where there is nothing to score."""
        target = self.target if self.scored else []
        if not target:
            yield from repeat(None)
        for place, table in ahead(_tables(self.parts, target, (), target), AHEAD):
            labels = given_labels(table[target[0]], target[0], Path(place), self.options)
            yield as_classes(labels, self.model.classes_.tolist(), self.options)

    def _about(self) -> dict[str, Any]:
        """What the predictions are of."""
        state = [(part.path, part.state) for part in self.parts]
        return {
            "model": hashlib.sha256(self.model_path.read_bytes()).hexdigest(),
            "table": hashlib.sha256(repr(state).encode()).hexdigest(),
            "options": repr((self.id_name, self.options, self.coverage, self.cost, BATCH_ROWS)),
        }


def pieces_folder(out: Path) -> Path:
    """Where ``--resume`` keeps finished pieces."""
    return out.with_name(f".{out.name}.pieces")


def checkpoint_folder(out: Path) -> Path:
    """Where ``semigen fit --resume`` keeps how far it has come."""
    return out.with_name(f".{out.name}.checkpoint")


def _tables(
    parts: Sequence[Part], names: Sequence[str], text: Sequence[str], written: Sequence[str]
) -> Iterator[tuple[str, pa.Table]]:
    """Where rows are from, and the rows; text that looks like numbers, or like a missing value, stays."""
    parts = agreed(parts, as_text=text, as_written=written)
    schema = common_schema(parts, names)
    for part in parts:
        for _, place, batch in part.pieces(names, BATCH_ROWS):
            yield place, as_schema(pa.Table.from_batches([batch]), schema, place)


def _counts(column: pa.ChunkedArray) -> dict[Any, int]:
    return {one["values"]: one["counts"] for one in column.value_counts().to_pylist()}
