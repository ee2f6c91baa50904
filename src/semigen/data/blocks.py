"""Rows in blocks: what a computation is handed, what a source of blocks offers, and what an engine does.

A fit walks over its rows many times. Each walk is a function of one block, which an engine applies to every
block of a source; the results are merged in block order. A function knows parameters and its block, never
the source, so blocks can be anywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from semigen.arrays.pieces import Indices
from semigen.data.labels import UNLABELED_PATTERN, Labels
from semigen.data.sources import RowSource

Array = NDArray[np.float64]
Missing = NDArray[np.bool_] | None
"""Which columns may hold missing values, (D,); None: no column does, and nothing looks for them."""


def among(missing: Missing, columns: Any) -> Missing:
    """The flags of some columns; None where none of them may hold missing values."""
    if missing is None or not missing[columns].any():
        return None
    return np.asarray(missing[columns])


@dataclass(frozen=True)
class Block:
    """Some rows with their labels and weights, in memory.

    Attributes
    ----------
    x : ndarray or CSR matrix of shape (n, D)
    labels : Labels
    weight : ndarray of shape (n,)
        Row weights, those of unlabeled rows times λ. Rows of weight 0 are never visited.
    missing : ndarray of shape (D,), bool, or None
        Columns with missing values; None if there are none.
    """

    x: Any
    labels: Labels
    weight: Array
    missing: Missing = None

    @cached_property
    def rows(self) -> Indices:
        """Numbers of the rows that count, rising."""
        return np.flatnonzero(self.weight > 0)

    @cached_property
    def rows_by_pattern(self) -> Indices:
        """The same numbers, rows that miss the same columns together."""
        if self.missing is None:
            return self.rows
        pattern = np.packbits(np.isnan(self.x[self.rows][:, self.missing]), axis=1)
        return self.rows[np.lexsort(pattern.T[::-1])]

    def columns(self, columns: Any) -> Self:
        """The same rows with some of the columns."""
        return replace(self, x=self.x[:, columns], missing=among(self.missing, columns))


class Blocks(Protocol):
    """A source of blocks: rows that need not be in memory at once, and what is known of them beforehand."""

    @property
    def labels(self) -> Labels:
        """The classes and the distinct label rows; which row has which need only be known in its block."""
        ...

    @property
    def missing(self) -> Missing:
        """Columns with missing values."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in the rows."""
        ...

    @property
    def n_columns(self) -> int:
        """D."""
        ...

    @property
    def n_rows(self) -> int:
        """How many rows count."""
        ...

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        ...

    def blocks(self, most_rows: int) -> Iterable[Block]:
        """Blocks in which at most ``most_rows`` rows count, in the order of the rows, the same each time."""
        ...

    def where(self, patterns: NDArray[np.bool_]) -> Blocks:
        """The rows whose label is one of these label rows, (P,)."""
        ...

    def columns(self, columns: Any) -> Blocks:
        """The same rows with some of the columns."""
        ...

    def weighted(self, unlabeled_weight: float) -> Blocks:
        """The same rows, those without a label with their weights times λ."""
        ...

    def in_memory(self, most_unlabeled: int) -> Data:
        """All rows if they are in memory, else labeled rows and some unlabeled ones weighted as all."""
        ...

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are a sparse matrix."""
        ...

    def take(self, positions: Indices) -> Data:
        """Copy rows to memory, by their positions among the rows that count."""
        ...


@dataclass(frozen=True)
class Data(Block):
    """Rows in memory: a block, and a source of smaller ones.

    Attributes
    ----------
    x : ndarray or CSR matrix of shape (n, D)
    labels : Labels
    weight : ndarray of shape (n,)
        Row weights, those of unlabeled rows times λ. Rows of weight 0 are never visited.
    missing : ndarray of shape (D,), bool, or None
        Columns with missing values; None if there are none.
    """

    @classmethod
    def unlabeled(cls, x: Any, missing: Missing = None) -> Self:
        """Rows of weight 1 without labels."""
        pattern = np.broadcast_to(np.intp(UNLABELED_PATTERN), x.shape[0])
        labels = Labels(np.zeros(1, dtype=np.intp), np.zeros((1, 1)), pattern)
        return cls(x, labels, np.broadcast_to(1.0, x.shape[0]), missing)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in the rows."""
        dtype: np.dtype[Any] = self.x.dtype
        return dtype

    @property
    def n_columns(self) -> int:
        """D."""
        return int(self.x.shape[1])

    @property
    def n_rows(self) -> int:
        """How many rows count."""
        return len(self.rows)

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(self.weight.sum())

    def blocks(self, most_rows: int) -> Iterable[Block]:
        """Slices in which at most ``most_rows`` rows count; they share the memory of the whole."""
        if most_rows not in self._cuts:
            ends = (self.rows[begin : begin + most_rows] for begin in range(0, self.n_rows, most_rows))
            self._cuts[most_rows] = tuple(self._between(rows[0], rows[-1] + 1) for rows in ends)
        return self._cuts[most_rows]

    def where(self, patterns: NDArray[np.bool_]) -> Data:
        """The rows whose label is one of these label rows, (P,); the others count for nothing."""
        if patterns.all():
            return self
        return replace(self, weight=np.where(patterns[self.labels.pattern], self.weight, 0.0))

    def weighted(self, unlabeled_weight: float) -> Self:
        """The same rows, those without a label with their weights times λ."""
        weight = np.where(self.labels.is_labeled, self.weight, unlabeled_weight * self.weight)
        return replace(self, weight=weight)

    def in_memory(self, most_unlabeled: int) -> Data:
        """The rows themselves."""
        return self

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are a sparse matrix."""
        return issparse(self.x)

    def take(self, positions: Indices) -> Data:
        """Copy rows, by their positions among the rows that count."""
        return self.at(self.rows[positions])

    def at(self, rows: Indices) -> Data:
        """Copy rows, by their numbers; those of weight 0 have numbers, too."""
        return Data(self.x[rows], self.labels.take(rows), self.weight[rows], self.missing)

    @cached_property
    def _cuts(self) -> dict[int, tuple[Block, ...]]:
        return {}

    def _between(self, begin: int, end: int) -> Block:
        labels = Labels(self.labels.classes, self.labels.log_table, self.labels.pattern[begin:end])
        return Block(row_slice(self.x, begin, end), labels, self.weight[begin:end], self.missing)


def row_slice(x: Any, begin: int, end: int) -> Any:
    """Consecutive rows of an array or a CSR matrix, without a copy."""
    if isinstance(x, np.ndarray):
        return x[begin:end]
    first, last = x.indptr[begin], x.indptr[end]
    rows = csr_array((end - begin, x.shape[1]), dtype=x.dtype)
    # the constructor would copy slices of large arrays
    rows.data, rows.indices = x.data[first:last], x.indices[first:last]
    rows.indptr = x.indptr[begin : end + 1] - first
    return rows


class Engine(ABC):
    """Applies functions to the blocks of a source. It knows nothing of what is computed."""

    @contextmanager
    def open(self) -> Iterator[Engine]:
        """Give the engine with its workers, which it keeps until the end of the context."""
        yield self

    def placed(self, source: RowSource) -> RowSource:
        """A table as this engine reads it: by this process, if the engine has no other way."""
        return source

    @property
    def for_few(self) -> Engine:
        """What computes a few rows of this process: the engine itself, unless sending them takes longer."""
        return self

    @abstractmethod
    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        """Apply ``function`` to each block, and to the item of each of ``states`` that belongs to it.

        Parameters
        ----------
        function : callable
            It is called as ``function(block, *items)``, for each block once, anywhere and in any order. It
            depends on nothing else that changes, and holds no rows.
        source : Blocks
        *states : iterables
            One item for each block, in block order, such as what an earlier walk gave.

        Returns
        -------
        list
            The results in block order.
        """

    def reduce_blocks(
        self, function: Callable[..., Any], merge: Callable[[Any, Any], Any], source: Blocks
    ) -> list[Any]:
        """Apply ``function`` to each block and merge the results in a fixed order.

        Parameters
        ----------
        function : callable
            As in :meth:`map_blocks`.
        merge : callable
            ``merge(result, result)``, which may be done anywhere.
        source : Blocks

        Returns
        -------
        list
            The merged result; empty if the source has no block.
        """
        results = self.map_blocks(function, source)
        return [reduce(merge, results)] if results else []

    def reduce_each(
        self,
        functions: Sequence[Callable[..., Any]],
        merge: Callable[[Any, Any], Any],
        sources: Sequence[Blocks],
    ) -> list[list[Any]]:
        """:meth:`reduce_blocks` of each function on the source that belongs to it.

        Parameters
        ----------
        functions : sequence of callables
        merge : callable
        sources : sequence of Blocks

        Returns
        -------
        list
            What :meth:`reduce_blocks` gives, for each function.
        """
        pairs = zip(functions, sources, strict=True)
        return [self.reduce_blocks(function, merge, source) for function, source in pairs]
