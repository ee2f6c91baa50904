"""Tables that are read batch by batch: a survey of all rows, then blocks of numbers pass after pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse, vstack

from semigen.arrays.pieces import Indices, evenly
from semigen.columns.checks import refuse_missing
from semigen.columns.kinds import kind_by_type
from semigen.columns.levels import find_levels
from semigen.columns.reading import Kinds, learn, read
from semigen.columns.schema import ReadTable, Schema
from semigen.columns.tables import as_frame, is_missing, listing
from semigen.data.blocks import Block, Blocks, Data, Missing, among
from semigen.data.labels import Labels, encode, is_unlabeled
from semigen.data.sources import Batch, RowSource
from semigen.exceptions import ColumnError, LabelError, TableError

SAMPLE_ROWS = 100_000
"""Rows of each part, labeled and unlabeled, that are kept in memory; of more, as many drawn at random."""

MOST_CLASSES = 1_000
MOST_LEVELS = 100_000
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """Rows of a source as blocks of numbers: what :class:`semigen.data.blocks.Blocks` asks for.

    Labeled rows stay in memory where they are at most ``SAMPLE_ROWS``, so that a walk over them alone reads
    nothing.

    Attributes
    ----------
    source : RowSource
    schema : Schema
    labels : Labels
        Classes and label rows; each row's is only in its block.
    pattern_of : dict
        The label row of each distinct cell of the target.
    missing : ndarray of shape (D,), bool, or None
    dtype : numpy dtype
    count, total : ndarray of shape (P,)
        Rows that count, and their weight, by label row.
    sample : Data
        All labeled rows and unlabeled ones drawn at random, in their order; too many labeled ones likewise.
    unlabeled_weight : float
        λ: unlabeled rows have their weights times it.
    chosen : ndarray of shape (P,), bool
        Label rows whose rows count.
    of_columns : tuple
        Choices of columns, one after the other.
    """

    source: RowSource
    schema: Schema
    labels: Labels
    pattern_of: dict[Any, int] = field(repr=False)
    missing: Missing
    dtype: np.dtype[Any]
    count: Array
    total: Array
    sample: Data = field(repr=False)
    chosen: NDArray[np.bool_]
    unlabeled_weight: float = 1.0
    of_columns: tuple[Any, ...] = ()

    @property
    def n_columns(self) -> int:
        """D."""
        return int(self.sample.x.shape[1])

    @property
    def n_rows(self) -> int:
        """How many rows count."""
        return int(self.count[self._counted].sum())

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float((self.total * self._factor)[self.chosen].sum())

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are a sparse matrix."""
        return issparse(self.sample.x)

    @property
    def holds_all_labeled(self) -> bool:
        """Whether all labeled rows are in memory."""
        return bool(self.count[self.labels.pattern_labeled].sum() <= SAMPLE_ROWS)

    @property
    def _factor(self) -> Array:
        return np.where(self.labels.pattern_labeled, 1.0, self.unlabeled_weight)

    @property
    def _counted(self) -> NDArray[np.bool_]:
        return self.chosen & (self._factor > 0)

    def blocks(self, most_rows: int) -> Iterator[Block]:
        """Blocks of consecutive rows, ``most_rows`` or fewer of each batch; those that do not count, too.

        Raises
        ------
        TableError, ColumnError
            If rows cannot be read or are not what they were; the error says where they are.
        """
        for batch in self.source.batches(self._names):
            whole = self._block(batch)
            for begin in range(0, len(whole.weight), most_rows):
                part = slice(begin, begin + most_rows)
                if not (whole.weight[part] > 0).any():
                    continue
                labels = replace(self.labels, pattern=whole.labels.pattern[part])
                yield Block(whole.x[part], labels, whole.weight[part], self.missing)

    def where(self, patterns: NDArray[np.bool_]) -> StreamedRows | Data:
        """The rows whose label is one of these label rows, (P,)."""
        chosen = self.chosen & patterns
        if not (chosen & ~self.labels.pattern_labeled).any() and self.holds_all_labeled:
            return self.sample.where(chosen)
        return replace(self, chosen=chosen)

    def columns(self, columns: Any) -> StreamedRows:
        """The same rows with some of the columns."""
        return replace(
            self,
            of_columns=(*self.of_columns, columns),
            missing=among(self.missing, columns),
            sample=self.sample.columns(columns),
        )

    def weighted(self, unlabeled_weight: float) -> StreamedRows:
        """The same rows, those without a label with their weights times λ."""
        sample = self.sample.weighted(unlabeled_weight)
        return replace(self, unlabeled_weight=self.unlabeled_weight * unlabeled_weight, sample=sample)

    def take(self, positions: Indices) -> Data:
        """Copy rows to memory in a pass, by their positions among the rows that count."""
        order = np.argsort(positions, kind="stable")
        wanted, done = positions[order], 0
        parts: list[Data] = []
        for batch in self.source.batches(self._names) if len(positions) else ():
            block = self._block(batch)
            here = wanted[np.searchsorted(wanted, done) : np.searchsorted(wanted, done + len(block.rows))]
            if len(here):
                parts.append(
                    Data(block.x, block.labels, block.weight, self.missing).at(block.rows[here - done])
                )
            done += len(block.rows)
            if done > wanted[-1]:
                break
        if not parts:
            return self.sample.at(np.empty(0, dtype=np.intp))
        found = concatenated(parts)
        back = np.empty(len(order), dtype=np.intp)
        back[order] = np.arange(len(order))
        return found if (back == np.arange(len(back))).all() else found.at(back)

    def in_memory(self, most_unlabeled: int) -> Data:
        """The labeled rows, and evenly spaced unlabeled ones weighted as if they were all.

        Of more labeled rows than are in memory those that are, weighted likewise.
        """
        is_labeled = self.labels.pattern_labeled
        known, rest = self.sample.at(np.flatnonzero(self.sample.labels.is_labeled)), self.where(~is_labeled)
        some = rest.take(
            evenly(rest.n_rows, most_unlabeled) if most_unlabeled else np.empty(0, dtype=np.intp)
        )
        parts = [known if len(known.weight) == 0 else _scaled_to(known, self.where(is_labeled).total_weight)]
        if len(some.weight):
            parts.append(_scaled_to(some, rest.total_weight))
        return concatenated(parts)

    @cached_property
    def _names(self) -> list[str]:
        return list(map(str, self.schema.input_names or ()))

    def _block(self, batch: Batch) -> Data:
        """The rows of a batch as numbers, with their labels and weights."""
        try:
            x = read(self.schema, batch.table, sparse=True)
            pattern = self._patterns(batch)
        except ColumnError as error:
            raise ColumnError(f"{batch.place}: {error}") from error
        weight = np.ones(len(pattern)) if batch.weight is None else batch.weight
        if self.missing is not None and not self.of_columns and self.missing.all():
            weight = np.where(says_nothing(x, pattern), 0.0, weight)
        for columns in self.of_columns:
            x = x[:, columns]
        weight = weight * np.where(self.chosen, self._factor, 0.0)[pattern]
        return Data(x, replace(self.labels, pattern=pattern), weight, self.missing)

    def _patterns(self, batch: Batch) -> NDArray[np.intp]:
        """The label row of each row of a batch."""
        try:
            table = [0 if is_missing(cell) else self.pattern_of[cell] for cell in batch.cells]
        except KeyError as error:
            raise TableError(
                f"{batch.place}: the target has the cell {error.args[0]!r}, which the first pass did "
                "not see: the table has changed. Start again."
            ) from error
        return np.array([*table, 0], dtype=np.intp)[batch.code]


@dataclass(frozen=True, eq=False)
class ReadSource:
    """A source whose columns are known: estimators take it as X, with y=None, and survey it no more.

    Attributes
    ----------
    schema : Schema
    rows : StreamedRows
    example : data frame
        Some rows as they are stored.
    """

    schema: Schema
    rows: StreamedRows
    example: Any

    @property
    def table(self) -> ReadTable:
        """The sample of the rows."""
        return ReadTable(self.schema, self.rows.sample.x)


def is_source(X: Any) -> bool:
    """Whether X is read batch by batch."""
    return isinstance(X, RowSource | ReadSource)


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
    survey = _Survey(X, kinds, unlabeled, seed)
    for batch in X.batches():
        survey.add(batch)
    return survey.result(sparse=sparse, words=words)


def says_nothing(x: Any, pattern: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Unlabeled rows without an observed value: their log p(x) is 0, but they would count in "per row"."""
    return np.asarray((pattern == 0) & np.isnan(x).all(axis=1))


def concatenated(parts: list[Data]) -> Data:
    """Rows of several pieces as one."""
    xs = [one.x for one in parts]
    x = vstack(xs, format="csr") if issparse(xs[0]) else np.concatenate(xs)
    labels = replace(parts[0].labels, pattern=np.concatenate([one.labels.pattern for one in parts]))
    return Data(x, labels, np.concatenate([one.weight for one in parts]), parts[0].missing)


def _scaled_to(rows: Data, total_weight: float) -> Data:
    own = rows.weight.sum()
    return replace(rows, weight=rows.weight * (total_weight / own if own > 0 else 1.0))


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
    """What one pass over all rows tells."""

    def __init__(self, source: RowSource, kinds: Kinds, unlabeled: Any, seed: int) -> None:
        self.source, self.kinds, self.unlabeled = source, kinds, unlabeled
        self.rng = np.random.default_rng(seed)
        self.number: dict[Any, int] = {}
        self.labeled: list[bool] = []
        self.totals = np.zeros((2, 0))
        self.n_rows = 0
        self.empty = np.zeros(2)
        """Rows and weight without a label cell."""
        self.levels: dict[str, set[Any]] = {}
        self.with_missing: set[str] = set()
        self.reservoirs = _Reservoir(SAMPLE_ROWS), _Reservoir(SAMPLE_ROWS)

    def add(self, batch: Batch) -> None:
        """Look at the rows of a batch."""
        frame = as_frame(batch.table)
        if frame is None:
            raise TableError(f"{batch.place} is no table but {type(batch.table).__name__}.")
        n_rows = len(batch.code)
        weight = np.ones(n_rows) if batch.weight is None else batch.weight
        code = self._numbers(batch)
        used = code >= 0
        totals = np.array(
            [
                np.bincount(code[used], (weight > 0)[used], len(self.number)),
                np.bincount(code[used], weight[used], len(self.number)),
            ],
            dtype=np.float64,
        )
        totals[:, : self.totals.shape[1]] += self.totals
        self.totals = totals
        self.empty += (weight > 0)[~used].sum(), weight[~used].sum()
        is_labeled = np.array([*self.labeled, False])[code]
        facts = np.column_stack([self.rng.random(n_rows), self.n_rows + np.arange(n_rows), code, weight])
        self.reservoirs[0].add(frame, facts, ~is_labeled & (weight > 0))
        self.reservoirs[1].add(frame, facts, is_labeled & (weight > 0))
        self.n_rows += n_rows
        for name in frame.columns:
            self._look_at(name, frame.get_column(name))

    def _numbers(self, batch: Batch) -> NDArray[np.intp]:
        """The number of each row's label cell among all that were seen; -1: empty."""
        new = [cell for cell in batch.cells if not is_missing(cell) and cell not in self.number]
        if len(self.number) + len(new) > MOST_CLASSES:
            raise LabelError(
                f"the target {self.source.target!r} has more than {MOST_CLASSES:,} different values: classes "
                "are few values that repeat. Name the column of the classes (target=)."
            )
        if new:
            self.labeled += (~is_unlabeled(new, self.unlabeled)).tolist()
            self.number |= {cell: len(self.number) + j for j, cell in enumerate(new)}
        table = [-1 if is_missing(cell) else self.number[cell] for cell in batch.cells]
        return np.array([*table, -1], dtype=np.intp)[batch.code]

    def _look_at(self, name: str, series: nw.Series[Any]) -> None:
        """Missing values of a column and its distinct cells, where these can be levels."""
        if series.null_count() or (series.dtype.is_float() and series.is_nan().any()):
            self.with_missing.add(name)
        asked = self.kinds.get(name) if isinstance(self.kinds, dict) else self.kinds
        if asked == "category" or kind_by_type(series) in ("text", "category"):
            known = self.levels.setdefault(name, set())
            if len(known) <= MOST_LEVELS:
                known.update(series.unique().to_list())

    def result(self, *, sparse: bool | Literal["words"], words: bool) -> ReadSource:
        """The source with the columns of its matrix."""
        if not self.n_rows:
            raise TableError(f"{self.source!r} has no rows.")
        frames, known = zip(*(each.result() for each in self.reservoirs), strict=True)
        found = [one for one in frames if one is not None]
        if not found:
            raise LabelError("the weights of all rows are zero: at least one row must count.")
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
        n_patterns = len(labels.log_table)
        by_pattern = [
            np.asarray(np.bincount([*pattern_of.values(), 0], [*row, none], n_patterns), dtype=np.float64)
            for row, none in zip(self.totals, self.empty, strict=True)
        ]
        count, total = by_pattern
        own = Data(x, replace(labels, pattern=pattern), facts[:, 3].copy(), missing)
        chosen = np.ones(n_patterns, dtype=bool)
        rows = StreamedRows(
            self.source, schema, labels, pattern_of, missing, x.dtype, count, total, own, chosen
        )
        if missing is not None and missing.all():
            rows = _without_silent(rows)
        return ReadSource(schema, rows, frame[:1000].to_native())

    def _labels(self) -> tuple[Labels, dict[Any, int]]:
        """Classes and label rows, and the label row of each cell of the target."""
        counted = np.append(self.totals[0] > 0, bool(self.empty[0]))
        cells = [*self.number, None]
        found = encode(cells, self.unlabeled, counted=counted)
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
            missing[one.first : one.first + n_columns] = str(one.name) in self.with_missing
        return missing if missing.any() and not schema.is_sparse else None


def _without_silent(rows: StreamedRows) -> StreamedRows:
    """Rows counted again, without unlabeled ones that have no observed value."""
    count, total = np.zeros_like(rows.count), np.zeros_like(rows.total)
    for batch in rows.source.batches(rows._names):
        block = rows._block(batch)
        count += np.bincount(block.labels.pattern[block.rows], minlength=len(count))
        total += np.bincount(block.labels.pattern, block.weight, len(total))
    silent = says_nothing(rows.sample.x, rows.sample.labels.pattern)
    return replace(rows, count=count, total=total, sample=rows.sample.at(np.flatnonzero(~silent)))


def refuse_missing_rows(schema: Schema, rows: Blocks, cure: str) -> None:
    """Raise a ColumnError that names the columns with missing values, if there are any."""
    if isinstance(rows, Data):
        refuse_missing(schema, rows.x, cure)
    elif rows.missing is not None:
        names = [repr(schema.name(j)) for j in np.flatnonzero(rows.missing).tolist()]
        raise ColumnError(f"Input X contains NaN: values are missing in {listing(names)}. {cure}")
