"""Rows as tensors: those of an optimizer step, those held out, those that a network is asked about."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semigen.deep.data.tables import Table
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]


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


def training_rows(
    table: Table,
    matrix: Any,
    y: NDArray[Any] | None = None,
    weight: Array | None = None,
    sd: Array | None = None,
) -> TensorRows:
    """Rows to train on, float32; ``sd`` (n, D), in the units of the table, says how uncertain values are."""
    x, mask = table.tensors(matrix)
    code = np.zeros(len(matrix), dtype=np.int64) if y is None else np.asarray(y, dtype=np.int64)
    weight = np.ones(len(matrix)) if weight is None else weight
    spread = np.zeros((len(matrix), 1)) if sd is None else sd / table.scale
    if table.has_missing:
        mask = mask.expand_as(x)
    return TensorRows(
        x.float().contiguous(),
        mask.float().contiguous(),
        torch.from_numpy(code),
        torch.from_numpy(weight / weight.mean() if len(weight) else weight).float(),
        torch.from_numpy(spread).float(),
    )


def rows_to_predict(x: Tensor, mask: Tensor) -> TensorRows:
    """Rows (n, D) to ask networks about: of weight 1, exact and without a class."""
    one = torch.ones(len(x), dtype=x.dtype)
    return TensorRows(x, mask, torch.zeros(len(x), dtype=torch.int64), one, 0.0 * one[:, None])


def hold_out(labeled: TensorRows, unlabeled: TensorRows, seed: int) -> tuple[TensorRows, Batch]:
    """Unlabeled rows without a tenth of them, and a batch of that tenth and no labeled rows.

    Raises
    ------
    ParameterError
        If there are fewer than two unlabeled rows.
    """
    n_rows = len(unlabeled.x)
    n_held = max(1, n_rows // 10)
    if n_rows < 2:
        raise ParameterError(
            f"patience is set, and there are {n_rows} unlabeled row(s) to hold out from: early stopping "
            "looks at unlabeled rows only. Use patience=None."
        )
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    kept, held = order[n_held:].sort().values, order[:n_held]
    return unlabeled.take(kept), Batch(labeled.take(slice(0)), unlabeled.take(held))


def for_members(batch: Batch, n_members: int) -> Batch:
    """The same rows for every member, each tensor (members, n, …)."""
    return Batch(*(TensorRows(*(value.expand(n_members, *value.shape) for value in rows)) for rows in batch))
