"""The first pass over a table that is read batch by batch: labels, columns, and a sample of the rows."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.encoders import NumberEncoder
from semigen.columns.kinds import kind_by_type
from semigen.columns.learning import Kinds, learn
from semigen.columns.levels import find_levels
from semigen.columns.numerals import is_filled
from semigen.columns.reading import read
from semigen.columns.schema import Schema
from semigen.columns.streams import ReadSource, StreamedRows, says_nothing
from semigen.columns.tables import as_frame, is_missing
from semigen.columns.vectors import lacks_numbers, stem
from semigen.data.blocks import Data, Engine, Missing
from semigen.data.containers import plain_dtype
from semigen.data.labels import Labels, encode, is_unlabeled
from semigen.data.sources import Batch, RowSource, as_source
from semigen.data.spelling import warn_of_names
from semigen.exceptions import ClassNameWarning, ColumnError, LabelError, TableError

SAMPLE_ROWS = 100_000
"""Rows of each part, labeled and unlabeled, that are kept in memory; of more, as many drawn at random."""

MOST_CLASSES = 1_000
MOST_SOFT_LABELS = 100_000
MOST_LEVELS = 100_000
_CELLS = {"number": "numbers", "flag": "booleans", "text": "text", "category": "text", "date": "dates"}
"""What the cells of a column are, by its kind."""

Array = NDArray[np.float64]


def source_of(X: Any, y: Any, sample_weight: Any, engine: Engine) -> RowSource | ReadSource | None:
    """What is read batch by batch: X, or what a collection of Dask becomes; None for rows in memory.

    Raises
    ------
    LabelError
        If labels or weights are given beside a source.
    """
    X, y, sample_weight = as_source(X, y, sample_weight)
    if not isinstance(X, RowSource | ReadSource):
        return None
    if y is not None or sample_weight is not None:
        raise LabelError(
            "X is a source, which has the labels and weights in columns of its own (target=, weight=): pass "
            "neither y nor sample_weight."
        )
    return X if isinstance(X, ReadSource) else engine.placed(X)


def learn_source(
    X: RowSource | ReadSource,
    kinds: Kinds = None,
    unlabeled: Any = -1,
    *,
    sparse: bool | Literal["words"] = False,
    words: bool = False,
    seed: int = 0,
) -> ReadSource:
    """Survey a source in one pass: its labels, the kinds of its columns, their levels, a sample of its rows.

    Each piece is looked at where it is read; what was seen is merged in their order, so that the result does
    not depend on the pieces.

    Kinds of columns and what text becomes are told from the sample: labeled and unlabeled rows, at most
    100,000 of each. Levels, missing values, classes and weights are those of all rows.

    Parameters
    ----------
    X : RowSource or ReadSource
        One that is read already stays as it is.
    kinds, sparse, words
        As :func:`semigen.columns.learn` has them.
    unlabeled : scalar or None
        The marker in the target.
    seed : int
        For the sample.

    Raises
    ------
    LabelError, ColumnError, TableError
        If labels, columns or files cannot be used.
    """
    if isinstance(X, ReadSource):
        return X
    look = partial(_survey, kinds, unlabeled, seed)
    survey: _Survey = X.reduce_pieces(look, _Survey.merge)
    return survey.result(X, sparse=sparse, words=words)


def _survey(kinds: Kinds, unlabeled: Any, seed: int, piece: RowSource) -> _Survey:
    survey = _Survey(piece.target, piece.classes, kinds, unlabeled, seed)
    for batch in piece.batches():
        if len(batch.code):
            survey.add(batch)
    return survey


class _Reservoir:
    """Rows drawn at random from all that pass by: those with the smallest of random numbers."""

    def __init__(self, size: int) -> None:
        self.size, self.bound = size, np.inf
        self.tables: list[nw.DataFrame[Any]] = []
        self.facts = np.empty((0, 4))
        """Random number, number of the row, number of its label cell, weight."""

    def add(self, frame: nw.DataFrame[Any], facts: Array, mine: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(mine & (facts[:, 0] < self.bound))
        if not len(rows):
            return
        self.tables.append(frame[rows])
        self.facts = np.concatenate([self.facts, facts[rows]])
        if len(self.facts) > 2 * self.size:
            self._prune()

    def merge(self, other: _Reservoir, n_rows: int, number: NDArray[np.intp]) -> _Reservoir:
        """The rows of both; the other's come after ``n_rows``, and its label cells have other numbers."""
        random, row, cell, weight = other.facts.T
        theirs = np.column_stack([random, n_rows + row, number[cell.astype(np.intp)], weight])
        both = _Reservoir(self.size)
        both.tables = [*self.tables, *other.tables]
        both.facts = np.concatenate([self.facts, theirs])
        if len(both.facts) > self.size:
            both._prune()
        return both

    def result(self) -> tuple[nw.DataFrame[Any] | None, Array]:
        """The rows, and what is known of each."""
        if len(self.facts) > self.size:
            self._prune()
        return (nw.concat(self.tables, how="vertical") if self.tables else None), self.facts

    def _prune(self) -> None:
        kept = np.sort(np.argsort(self.facts[:, 0], kind="stable")[: self.size])
        self.tables = [nw.concat(self.tables, how="vertical")[kept]]
        self.facts = self.facts[kept]
        self.bound = float(self.facts[:, 0].max())


class _Survey:
    """What a pass over the rows of a piece, or of several, tells."""

    def __init__(
        self, target: str, classes: tuple[Any, ...] | None, kinds: Kinds, unlabeled: Any, seed: int
    ) -> None:
        self.target, self.classes, self.kinds = target, classes, kinds
        self.unlabeled, self.seed = unlabeled, seed
        self.part: tuple[int, ...] | None = None
        self.rng = np.random.default_rng(seed)
        self.number: dict[Any, int] = {}
        self.labeled: list[bool] = []
        self.totals = np.zeros((1, 2, 0))
        """Rows and weight of each label cell, piece by piece."""
        self.empty = np.zeros((1, 2))
        """Those without a label cell."""
        self.n_rows = 0
        self.levels: dict[str, set[Any]] = {}
        self.with_missing: set[str] = set()
        self.types: dict[str, tuple[str, str]] = {}
        """What the cells of each column are, and where the first ones were found."""
        self.reservoirs = _Reservoir(SAMPLE_ROWS), _Reservoir(SAMPLE_ROWS)

    def add(self, batch: Batch) -> None:
        """Look at the rows of a batch."""
        frame = as_frame(batch.table)
        if frame is None:
            raise TableError(f"{batch.place} is no table but {type(batch.table).__name__}.")
        if batch.part != self.part:
            self.part, self.rng = batch.part, np.random.default_rng((self.seed, *batch.part))
        n_rows = len(batch.code)
        weight = np.ones(n_rows) if batch.weight is None else batch.weight
        code = self._numbers(batch.cells)[batch.code]
        used = code >= 0
        totals = np.zeros((1, 2, len(self.number)))
        totals[0, 0] = np.bincount(code[used], (weight > 0)[used], len(self.number))
        totals[0, 1] = np.bincount(code[used], weight[used], len(self.number))
        totals[:, :, : self.totals.shape[2]] += self.totals
        self.totals = totals
        self.empty += (weight > 0)[~used].sum(), weight[~used].sum()
        is_labeled = np.array([*self.labeled, False])[code]
        facts = np.column_stack([self.rng.random(n_rows), self.n_rows + np.arange(n_rows), code, weight])
        self.reservoirs[0].add(frame, facts, ~is_labeled & (weight > 0))
        self.reservoirs[1].add(frame, facts, is_labeled & (weight > 0))
        self.n_rows += n_rows
        for name in frame.columns:
            self._look_at(name, frame.get_column(name), batch.place)

    def merge(self, other: _Survey) -> _Survey:
        """What both tell; the rows of the other come after these."""
        both = _Survey(self.target, self.classes, self.kinds, self.unlabeled, self.seed)
        both.number, both.labeled = dict(self.number), list(self.labeled)
        number = both._numbers(tuple(other.number))
        theirs = np.zeros((len(other.totals), 2, len(both.number)))
        theirs[:, :, number[:-1]] = other.totals
        ours = np.zeros((len(self.totals), 2, len(both.number)))
        ours[:, :, : self.totals.shape[2]] = self.totals
        both.totals = np.concatenate([ours, theirs])
        both.empty = np.concatenate([self.empty, other.empty])
        both.n_rows = self.n_rows + other.n_rows
        both.with_missing = self.with_missing | other.with_missing
        both.types = dict(self.types)
        for name, (what, place) in other.types.items():
            both._agree(name, what, place)
        both.levels = {
            name: self.levels.get(name, set()) | other.levels.get(name, set())
            for name in (*self.levels, *other.levels)
        }
        pairs = zip(self.reservoirs, other.reservoirs, strict=True)
        one, two = (ours.merge(theirs, self.n_rows, number) for ours, theirs in pairs)
        both.reservoirs = one, two
        return both

    def _numbers(self, cells: tuple[Any, ...]) -> NDArray[np.intp]:
        """The number of each label cell among all that were seen; -1: empty, as is the last one."""
        there = (cell for cell in cells if not is_missing(cell) and cell not in self.number)
        new = list(dict.fromkeys(there))
        is_soft = self.classes is not None
        most = MOST_SOFT_LABELS if is_soft else MOST_CLASSES
        if len(self.number) + len(new) > most:
            cure = (
                "round the probabilities"
                if is_soft
                else "classes are few values that repeat. Name the column of the classes (target=)"
            )
            raise LabelError(f"the target {self.target!r} has more than {most:,} different values: {cure}.")
        if new:
            self.labeled += [True] * len(new) if is_soft else (~is_unlabeled(new, self.unlabeled)).tolist()
            self.number |= {cell: len(self.number) + j for j, cell in enumerate(new)}
        return np.array([*(-1 if is_missing(one) else self.number[one] for one in cells), -1], dtype=np.intp)

    def _agree(self, name: str, what: str, place: str) -> None:
        """Note what the cells of a column are, which is the same everywhere."""
        before, first = self.types.setdefault(name, (what, place))
        if before != what:
            raise TableError(
                f"{place}: column {name!r} has {what}, and in {first} it has {before}: write all parts of "
                "the table with one type."
            )

    def _look_at(self, name: str, series: nw.Series[Any], place: str) -> None:
        """Missing values of a column and its distinct cells, where these can be levels."""
        kind = kind_by_type(series)
        if kind in _CELLS:
            self._agree(name, _CELLS[kind], place)
        has_nan = _has_nan(name, series, place) if series.dtype.is_float() else lacks_numbers(series)
        if series.null_count() or has_nan:
            self.with_missing.add(name)
        asked = self.kinds.get(name) if isinstance(self.kinds, dict) else self.kinds
        if asked == "category" or kind in ("text", "category"):
            known, distinct = self.levels.setdefault(name, set()), series.unique().to_list()
            if len(known) <= MOST_LEVELS:
                known.update(distinct)
            if kind == "text" and not all(map(is_filled, map(str, distinct))):
                self.with_missing.add(name)  # where it is numbers or dates

    def result(self, source: RowSource, *, sparse: bool | Literal["words"], words: bool) -> ReadSource:
        """The source with the columns of its matrix."""
        if not self.n_rows:
            raise TableError(f"{source!r} has no rows.")
        frames, known = zip(*(each.result() for each in self.reservoirs), strict=True)
        found = [one for one in frames if one is not None]
        if not found:
            raise LabelError("the weights of all rows are zero: at least one row must count.")
        is_labeled = np.array(self.labeled, dtype=bool)
        if not self.totals[:, 0, is_labeled].any():
            raise LabelError(
                f"the target {self.target!r} has no label in {self.n_rows:,} rows (or only in rows of weight "
                "0): label at least one row of each class."
            )
        facts = np.concatenate(known)
        order = np.argsort(facts[:, 1], kind="stable")
        frame, facts = nw.concat(found, how="vertical")[order], facts[order]
        sample = frame.to_native()
        schema, x = learn(sample, self.kinds, sparse=sparse, words=words)
        schema = replace(schema, levels=tuple(self._levels(schema, j) for j in range(schema.n_features)))
        if any(levels is not None for levels in schema.levels):
            x = read(schema, sample, sparse=True)  # by the levels of all rows
        labels, pattern_of = self._labels()
        pattern = np.array([*pattern_of.values(), 0], dtype=np.intp)[facts[:, 2].astype(np.intp)]
        missing = self._missing(schema)
        of_pattern = np.eye(len(labels.log_table))[[*pattern_of.values(), 0]]
        by_pattern = np.concatenate([self.totals, self.empty[:, :, None]], axis=2) @ of_pattern
        count, total = by_pattern[:, 0], by_pattern[:, 1].sum(axis=0)
        own = Data(x, replace(labels, pattern=pattern), facts[:, 3].copy(), missing)
        chosen = np.ones(len(labels.log_table), dtype=bool)
        rows = StreamedRows(source, schema, labels, pattern_of, missing, x.dtype, count, total, own, chosen)
        if missing is not None and missing.all():
            rows = _without_silent(replace(rows, can_be_silent=True))
        return ReadSource(schema, rows, sample)

    def _labels(self) -> tuple[Labels, dict[Any, int]]:
        """Classes and label rows, and the label row of each cell of the target."""
        totals, empty = self.totals[:, 0].sum(axis=0), self.empty[:, 0].sum()
        counted = np.append(totals > 0, bool(empty))
        if self.classes is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClassNameWarning)  # of distinct cells, not of rows
                found = encode([*self.number, None], self.unlabeled, counted=counted)
            there = found.hard[:-1] >= 0
            of_class = np.bincount(found.hard[:-1][there], totals[there], len(found.classes))
            warn_of_names(found.classes, of_class)
        else:
            cells = np.array([*self.number, (np.nan,) * len(self.classes)])
            found = replace(
                encode(cells, counted=counted), classes=plain_dtype(np.array(self.classes, object))
            )
        pattern_of = dict(zip(self.number, found.pattern.tolist(), strict=False))
        return replace(found, pattern=np.empty(0, dtype=np.intp)), pattern_of

    def _levels(self, schema: Schema, column: int) -> Any:
        if schema.levels[column] is None:
            return None
        name = str(schema.name(column))
        found = self.levels.get(name)
        if found is None or len(found) > MOST_LEVELS:
            raise ColumnError(
                f"column {name!r} has more than {MOST_LEVELS:,} levels: leave it out, or read it as text."
            )
        return find_levels(name, found)

    def _missing(self, schema: Schema) -> Missing:
        missing = np.zeros(schema.n_features, dtype=bool)
        for one in schema.inputs:
            n_columns = 1 if one.encoded is None else len(one.encoded.columns)
            names = {str(one.name), stem(str(one.name))}
            encoder = None if one.encoded is None else one.encoded.encoder
            words = isinstance(encoder, NumberEncoder) and bool(encoder.numerals.words)
            missing[one.first : one.first + n_columns] = words or not names.isdisjoint(self.with_missing)
        return missing if missing.any() and not schema.is_sparse else None


def _has_nan(name: str, series: nw.Series[Any], place: str) -> bool:
    """Whether a column of floats has NaN.

    Raises
    ------
    ColumnError
        If it has infinity.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = series.sum() or 0.0  # None of no values
    if np.isfinite(total):  # one sum tells whether a search is needed
        return False
    if np.isinf(series.to_numpy()).any():
        raise ColumnError(
            f"{place}: Input X contains infinity in column {name!r}: correct it, or leave the column out."
        )
    return bool(series.is_nan().any())


def _without_silent(rows: StreamedRows) -> StreamedRows:
    """Rows counted again, without unlabeled ones that have no observed value."""
    found = rows.by_pieces(dict.fromkeys(range(rows.source.n_pieces), _counted))
    count, total = (np.array(one) for one in zip(*found, strict=True))
    silent = says_nothing(rows.sample.x, rows.sample.labels.pattern)
    kept = rows.sample.at(np.flatnonzero(~silent))
    return replace(rows, count=count, total=total.sum(axis=0), sample=kept)


def _counted(rows: StreamedRows) -> tuple[Array, Array]:
    """Rows that count, and their weight, by label row."""
    count, total = np.zeros((2, len(rows.labels.log_table)))
    for block in rows.whole():
        count += np.bincount(block.labels.pattern[block.rows], minlength=len(count))
        total += np.bincount(block.labels.pattern, block.weight, len(total))
    return count, total
