"""Tables that are read batch by batch: blocks of numbers pass after pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse, vstack

from semigen.arrays.pieces import Indices, evenly
from semigen.columns.checks import refuse_missing
from semigen.columns.reading import read
from semigen.columns.schema import ReadTable, Schema
from semigen.columns.tables import as_frame, is_missing, listing
from semigen.columns.vectors import as_stored
from semigen.common.threads import ahead
from semigen.data.blocks import Block, Blocks, Data, Missing, among
from semigen.data.labels import Labels
from semigen.data.sources import Batch, RowSource
from semigen.exceptions import ColumnError, TableError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """Rows of a source as blocks of numbers: what :class:`semigen.data.blocks.Blocks` asks for.

    Labeled rows stay in memory where all of them are in the sample, so that a walk over them alone reads
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
    count : ndarray of shape (pieces, P)
        Rows that count in each piece of the source, by label row.
    total : ndarray of shape (P,)
        Their weight.
    sample : Data
        All labeled rows and unlabeled ones drawn at random, in their order; too many labeled ones likewise.
    unlabeled_weight : float
        λ: unlabeled rows have their weights times it.
    chosen : ndarray of shape (P,), bool
        Label rows whose rows count.
    of_columns : tuple
        Choices of columns, one after the other.
    can_be_silent : bool
        Whether every column has missing values, so that rows may have none at all: unlabeled ones count not.
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
    can_be_silent: bool = False

    @property
    def n_columns(self) -> int:
        """D."""
        return int(self.sample.x.shape[1])

    @property
    def of_label(self) -> Array:
        """Rows that count of each label row, (P,)."""
        return np.asarray(self.count.sum(axis=0))

    @property
    def n_rows(self) -> int:
        """How many rows count."""
        return int(self.of_label[self._counted].sum())

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
        there = int(self.sample.labels.is_labeled.sum())
        return bool(self.of_label[self.labels.pattern_labeled].sum() <= there)

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
        for whole in self.whole():
            for begin in range(0, len(whole.weight), most_rows):
                part = slice(begin, begin + most_rows)
                if not (whole.weight[part] > 0).any():
                    continue
                labels = replace(self.labels, pattern=whole.labels.pattern[part])
                yield Block(whole.x[part], labels, whole.weight[part], self.missing)

    def whole(self) -> Iterator[Data]:
        """The rows batch by batch, those that do not count, too; a thread makes numbers of the next batch."""
        batches = (batch for batch in self.source.batches(self._names) if len(batch.code))
        yield from ahead(map(self._block, batches), 1)

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

    def by_pieces(self, calls: Mapping[int, Callable[[StreamedRows], Any]]) -> list[Any]:
        """Call functions with these rows of pieces of the source, by their numbers, where these are read."""
        bare = self.without_rows()
        return self.source.map_pieces({j: partial(of_piece, bare, call) for j, call in calls.items()})

    def without_rows(self) -> StreamedRows:
        """What to do with the rows of a source, for whoever reads one."""
        return replace(self, source=_NOWHERE, sample=self.sample.at(np.empty(0, dtype=np.intp)))

    def take(self, positions: Indices) -> Data:
        """Copy rows to memory in a pass, by their positions among the rows that count."""
        order = np.argsort(positions, kind="stable")
        wanted = positions[order]
        ends = np.cumsum(self.count[:, self._counted].sum(axis=1))
        cuts = np.searchsorted(wanted, ends[:-1])
        begins = [0, *ends[:-1].astype(np.intp).tolist()]
        of_piece = {j: part - begins[j] for j, part in enumerate(np.split(wanted, cuts)) if len(part)}
        parts = self.by_pieces({j: partial(_rows_at, positions=part) for j, part in of_piece.items()})
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
        return as_stored(map(str, self.schema.input_names or ()), self.source.names)

    @cached_property
    def _levels(self) -> list[tuple[int, int]]:
        """Columns of categories, and how many levels each has; none of a sparse matrix."""
        levels = () if self.is_sparse else self.schema.levels
        return [(j, len(one)) for j, one in enumerate(levels) if one is not None]

    def _block(self, batch: Batch) -> Data:
        """The rows of a batch as numbers, with their labels and weights."""
        try:
            x = read(self.schema, batch.table, sparse=True, order="F")
            pattern = self._patterns(batch)
        except ColumnError as error:
            raise ColumnError(f"{batch.place}: {error}") from error
        for j, n_levels in self._levels:
            if (x[:, j] >= n_levels).any():
                raise TableError(
                    f"{batch.place}: column {self.schema.name(j)!r} has a level that the first pass did not "
                    "see: the table has changed. Start again."
                )
        weight = np.ones(len(pattern)) if batch.weight is None else batch.weight
        if self.can_be_silent:
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
        The sample of ``rows`` as it is stored.
    """

    schema: Schema
    rows: StreamedRows
    example: Any

    @property
    def shown(self) -> Any:
        """What tells scikit-learn the columns: the sample as it is stored."""
        frame = as_frame(self.example)
        return self.example if self.rows.source.is_named or frame is None else frame.to_numpy()

    @property
    def table(self) -> ReadTable:
        """The sample of the rows."""
        return ReadTable(self.schema, self.rows.sample.x)


class _Nowhere(RowSource):
    """A source without rows, in the place of one that is read elsewhere."""

    target, names, fingerprint = "", (), ""

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        return iter(())


_NOWHERE = _Nowhere()


def of_piece(rows: StreamedRows, call: Callable[[StreamedRows], Any], piece: RowSource) -> Any:
    """Call a function with these rows of a piece."""
    return call(replace(rows, source=piece))


def _rows_at(rows: StreamedRows, positions: Indices) -> Data:
    """The rows at rising positions among those that count."""
    parts: list[Data] = []
    done = 0
    for block in rows.whole():
        here = positions[
            np.searchsorted(positions, done) : np.searchsorted(positions, done + len(block.rows))
        ]
        if len(here):
            parts.append(block.at(block.rows[here - done]))
        done += len(block.rows)
        if done > positions[-1]:
            return concatenated(parts)
    raise TableError(
        f"{rows.source!r} has fewer rows than in the first pass: the table has changed. Start again."
    )


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


def refuse_missing_rows(schema: Schema, rows: Blocks, cure: str) -> None:
    """Raise a ColumnError that names the columns with missing values, if there are any."""
    if isinstance(rows, Data):
        refuse_missing(schema, rows.x, cure)
    elif rows.missing is not None:
        names = [repr(schema.name(j)) for j in np.flatnonzero(rows.missing).tolist()]
        raise ColumnError(f"Input X contains NaN: values are missing in {listing(names)}. {cure}")
