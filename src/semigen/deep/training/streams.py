"""Which rows are in which step: shuffled streams of labeled and of unlabeled rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semigen.deep.data.rows import Batch, TensorRows
from semigen.deep.draws import mix


@dataclass(frozen=True)
class Stream:
    """Endless batches of some rows, each member's in an order of its own.

    A stream has no state: the batch of a step is a function of the seed and the step, so a fit that is
    resumed at a step sees the rows that it would have seen. Each pass over the rows has a new order, and a
    batch may span two passes. Where there are at most ``size`` rows, every batch has all of them, in every
    process.

    Attributes
    ----------
    rows : TensorRows
    size : int
        Rows of a batch.
    seed : int
    n_members : int
    part, n_parts : int
        Which share of each batch this process takes, of how many. Shares differ by one row at most.
    """

    rows: TensorRows
    size: int
    seed: int
    n_members: int = 1
    part: int = 0
    n_parts: int = 1

    @property
    def n_rows(self) -> int:
        """Rows in the stream."""
        return len(self.rows.x)

    def batches(self, step: int) -> Iterator[TensorRows]:
        """Batches from ``step`` on, each tensor (members, rows, …)."""
        if self.n_rows <= self.size:
            always = self.rows.take(torch.arange(self.n_rows).expand(self.n_members, -1))
            while True:
                yield always
        turn, order = -1, torch.empty(0, dtype=torch.int64)
        while True:
            position = step * self.size
            pieces, wanted = [], self.size
            while wanted:
                if turn != position // self.n_rows:
                    turn = position // self.n_rows
                    order = self._order(turn)
                first = position % self.n_rows
                pieces.append(order[:, first : first + wanted])
                wanted -= pieces[-1].shape[1]
                position += pieces[-1].shape[1]
            yield self.rows.take(torch.cat(pieces, dim=1)[:, self.part :: self.n_parts])
            step += 1

    def _order(self, turn: int) -> Tensor:
        """The order of the rows in one pass, (members, n_rows)."""
        generator = torch.Generator().manual_seed(mix(self.seed, turn))
        orders = [torch.randperm(self.n_rows, generator=generator) for _ in range(self.n_members)]
        return torch.stack(orders)


@dataclass(frozen=True)
class Streams:
    """Labeled and unlabeled rows side by side.

    Attributes
    ----------
    labeled, unlabeled : Stream
    """

    labeled: Stream
    unlabeled: Stream

    def batches(self, step: int) -> Iterator[Batch]:
        """Batches from ``step`` on."""
        return map(Batch, self.labeled.batches(step), self.unlabeled.batches(step))

    def shared(self, part: int, n_parts: int) -> Streams:
        """The batches that one of several processes takes."""
        both = (self.labeled, self.unlabeled)
        return Streams(*(replace(one, part=part, n_parts=n_parts) for one in both))
