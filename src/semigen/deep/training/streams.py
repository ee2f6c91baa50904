"""Which rows are in which step: shuffled streams of labeled and unlabeled rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semigen.deep.data.rows import Batch, TensorRows
from semigen.deep.draws import mix


@dataclass(frozen=True)
class Stream:
    """Endless batches of rows, in a different order for each member.

    A stream has no state: the batch of a step is a function of the seed and the step, so training that is
    resumed sees the same batches. Each epoch has a new order, and a batch may span two epochs. If there are
    at most ``size`` rows, every batch has all of them, in every process.

    Attributes
    ----------
    rows : TensorRows
    size : int
        Rows per batch.
    seed : int
    n_members : int
    part, n_parts : int
        Number of this process, and of all processes: each takes every ``n_parts``-th row of a batch.
    """

    rows: TensorRows
    size: int
    seed: int
    n_members: int = 1
    part: int = 0
    n_parts: int = 1

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows.x)

    def batches(self, step: int) -> Iterator[TensorRows]:
        """Batches from ``step`` on, each tensor (members, rows, …)."""
        if self.n_rows <= self.size:
            always = self.rows.take(torch.arange(self.n_rows).expand(self.n_members, -1))
            while True:
                yield always
        epoch, order = -1, torch.empty(0, dtype=torch.int64)
        while True:
            position = step * self.size
            pieces, wanted = [], self.size
            while wanted:
                if epoch != position // self.n_rows:
                    epoch = position // self.n_rows
                    order = self._order(epoch)
                first = position % self.n_rows
                pieces.append(order[:, first : first + wanted])
                wanted -= pieces[-1].shape[1]
                position += pieces[-1].shape[1]
            yield self.rows.take(torch.cat(pieces, dim=1)[:, self.part :: self.n_parts])
            step += 1

    def _order(self, epoch: int) -> Tensor:
        """The order of the rows in one epoch, (members, n_rows)."""
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
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
        """The part of each batch that process ``part`` of ``n_parts`` takes."""
        both = (self.labeled, self.unlabeled)
        return Streams(*(replace(one, part=part, n_parts=n_parts) for one in both))
