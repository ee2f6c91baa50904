"""Rows as tensors: those of an optimizer step, those held out, those that a network is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semigen.arrays.pieces import evenly
from semigen.data.rows import count_rows, take_rows
from semigen.deep.data.tables import Table

Array = NDArray[Any]

IN_MEMORY = 2**26
"""Values of rows that are kept as tensors, 256 MB; those of larger tables are made for each batch."""
ROWS_PER_BLOCK = 2**10
MOST_HELD_OUT = 4_000


class TensorRows(NamedTuple):
    """Rows of a table as tensors, all of one float type but ``y``.

    Attributes
    ----------
    x : Tensor of shape (n, D)
        Values as a likelihood reads them; 0 where missing.
    mask : Tensor of shape (n, D), or (n, 1) where the table has no missing values
        1 where a value is observed, 0 where it is missing.
    y : Tensor of shape (n,), int64
        Class index; 0 in unlabeled rows, where nothing reads it.
    weight : Tensor of shape (n,)
    sd : Tensor of shape (n, D), or (n, 1) where values are exact
        A training step draws the values from N(x, sd²).
    """

    x: Tensor
    mask: Tensor
    y: Tensor
    weight: Tensor
    sd: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.x)

    def take(self, index: Any) -> TensorRows:
        """Some rows, by any index of the first axis."""
        return TensorRows(*(value[index] for value in self))


class Batch(NamedTuple):
    """The rows of one optimizer step. Either part may have no rows.

    Attributes
    ----------
    labeled, unlabeled : TensorRows
    """

    labeled: TensorRows
    unlabeled: TensorRows


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of a matrix that become tensors when they are asked for; the matrix stays where it is.

    Attributes
    ----------
    table : Table
    matrix : ndarray
        As :func:`semigen.columns.read` returns it; it may be a memory map.
    index : ndarray of int, shape (n,)
        Rows of the matrix.
    y : Tensor of shape (n,), int64
    weight : Tensor of shape (n,)
    sd : ndarray of shape (rows of the matrix, D) or None
        In the units of the table.
    dtype : torch.dtype
    """

    table: Table
    matrix: Any
    index: NDArray[np.int64]
    y: Tensor
    weight: Tensor
    sd: Array | None
    dtype: torch.dtype

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.index)

    def take(self, index: Any) -> TensorRows:
        """Some rows as tensors, by any index of the first axis."""
        index = index.numpy() if isinstance(index, Tensor) else index
        where = self.index[index]
        shape, rows = where.shape, where.reshape(-1)
        x, mask = self.table.tensors(self.matrix[rows])
        if self.table.has_missing:
            mask = mask.expand_as(x)
        spread = np.zeros((len(rows), 1)) if self.sd is None else self.sd[rows] / self.table.scale
        cells = (x, mask, torch.from_numpy(spread))
        x, mask, spread = (one.to(self.dtype).contiguous().reshape(*shape, one.shape[1]) for one in cells)
        return TensorRows(x, mask, self.y[index], self.weight[index], spread)

    def held(self) -> TensorRows:
        """All rows as tensors, made block by block."""
        first = self.take(slice(ROWS_PER_BLOCK))
        if self.n_rows <= ROWS_PER_BLOCK:
            return first
        made = TensorRows(*(torch.empty(self.n_rows, *one.shape[1:], dtype=one.dtype) for one in first))
        for begin in range(0, self.n_rows, ROWS_PER_BLOCK):
            block = slice(begin, begin + ROWS_PER_BLOCK)
            for whole, one in zip(made, self.take(block), strict=True):
                whole[block] = one
        return made


@dataclass(frozen=True, eq=False)
class PartOfRows:
    """Some of other rows, which stay where they are.

    Attributes
    ----------
    rows : TrainingRows
    index : Tensor of shape (n,), int64
    """

    rows: TrainingRows
    index: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.index)

    @property
    def y(self) -> Tensor:
        """Their classes, (n,)."""
        return self.rows.y[self.index]

    def take(self, index: Any) -> TensorRows:
        """Some of them as tensors, by any index of the first axis."""
        return self.rows.take(self.index[index])


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Rows of features to ask networks about, which are computed when they are asked for.

    Attributes
    ----------
    X : table of n rows
    features : callable
        The features of rows of ``X``.
    """

    X: Any
    features: Callable[[Any], TableRows]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return count_rows(self.X)

    def take(self, index: Any) -> TensorRows:
        """Some rows as tensors, by any index of the first axis."""
        return self.features(take_rows(self.X, np.arange(self.n_rows)[index])).take(slice(None))


TrainingRows: TypeAlias = TensorRows | TableRows | PartOfRows
"""Rows with classes and weights."""


class Rows(Protocol):
    """Rows that give tensors of some of them."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def take(self, index: Any) -> TensorRows:
        """Some rows as tensors, by any index of the first axis."""


def training_rows(
    table: Table,
    matrix: Any,
    index: NDArray[np.int64],
    y: NDArray[Any] | None = None,
    weight: Array | None = None,
    sd: Array | None = None,
) -> TensorRows | TableRows:
    """Rows of a matrix to train on, float32: tensors, or if they are large, made batch by batch.

    ``sd``, in the units of the table and as long as the matrix, says how uncertain values are.
    """
    code = np.zeros(len(index), dtype=np.int64) if y is None else np.asarray(y, dtype=np.int64)
    weight = np.ones(len(index)) if weight is None else weight
    relative = torch.from_numpy(weight / weight.mean() if len(weight) else weight).float()
    rows = TableRows(table, matrix, index, torch.from_numpy(code), relative, sd, torch.float32)
    return rows.held() if len(index) * matrix.shape[1] <= IN_MEMORY else rows


def spread_out(rows: Rows, n: int) -> TensorRows:
    """At most ``n`` of the rows, evenly spread over them."""
    return rows.take(evenly(rows.n_rows, n))


def table_rows(table: Table, matrix: Any) -> TableRows:
    """Rows of a matrix to ask networks about, float64, all of weight 1 and without a class."""
    n = len(matrix)
    one = torch.ones(n, dtype=torch.float64)
    return TableRows(table, matrix, np.arange(n), torch.zeros(n, dtype=torch.int64), one, None, torch.float64)


def rows_to_predict(x: Tensor, mask: Tensor) -> TensorRows:
    """Tensors (n, D) as rows to ask networks about: of weight 1, exact and without a class."""
    one = torch.ones(len(x), dtype=x.dtype)
    return TensorRows(x, mask, torch.zeros(len(x), dtype=torch.int64), one, 0.0 * one[:, None])


def blocks(rows: Rows) -> Iterator[TensorRows]:
    """The rows as tensors, block by block."""
    return (rows.take(slice(i, i + ROWS_PER_BLOCK)) for i in range(0, rows.n_rows, ROWS_PER_BLOCK))


def hold_out(labeled: Rows, unlabeled: TrainingRows, seed: int) -> tuple[PartOfRows, Batch]:
    """Two or more unlabeled rows without a tenth of them, at most 4,000, and a batch of these alone."""
    n_rows = unlabeled.n_rows
    n_held = min(max(1, n_rows // 10), MOST_HELD_OUT)
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    kept, held = order[n_held:].sort().values, order[:n_held]
    return PartOfRows(unlabeled, kept), Batch(labeled.take(slice(0)), unlabeled.take(held))


def for_members(batch: Batch, n_members: int) -> Batch:
    """The same rows for every member, each tensor (members, n, …)."""
    return Batch(*(TensorRows(*(value.expand(n_members, *value.shape) for value in rows)) for rows in batch))
