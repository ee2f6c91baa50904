"""What passes between data, models and trainer: rows, batches, the terms of a loss."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Rows(NamedTuple):
    """Rows of a table as tensors, all float32 but ``y``.

    Attributes
    ----------
    x : Tensor of shape (n, D)
        Cells as a likelihood reads them; 0 where missing.
    mask : Tensor of shape (n, D), or (n, 1) where no cell of the table is missing
        1 where a cell is there, 0 where it is missing.
    y : Tensor of shape (n,), int64
        Class index; 0 in unlabeled rows, where nothing reads it.
    weight : Tensor of shape (n,)
    sd : Tensor of shape (n, D), or (n, 1) where cells are exact
        Cells of a training step are drawn from N(x, sd²).
    """

    x: Tensor
    mask: Tensor
    y: Tensor
    weight: Tensor
    sd: Tensor


class Batch(NamedTuple):
    """The rows of one optimizer step. Either part may have no rows.

    Attributes
    ----------
    labeled, unlabeled : Rows
    """

    labeled: Rows
    unlabeled: Rows


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    Attributes
    ----------
    loss : Tensor of shape ()
        What the optimizer lowers.
    parts : dict of str to Tensor
        Named parts, one value a row (n,) (or a single one), nats, for the record of progress; their means
        are reported and nothing is computed from them.
    """

    loss: Tensor
    parts: dict[str, Tensor]
