"""Which rows are in which step: shuffled streams of labeled and unlabeled rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semigen.deep.data.rows import Batch, TensorRows, TrainingRows
from semigen.deep.draws import mix


@dataclass(frozen=True)
class Stream:
    """Endless batches of rows, in a different order for each member.

    A stream has no state: the batch of a step is a function of the seed and the step, so training that is
    resumed sees the same batches. Each epoch has a new order, and a batch may span two epochs. If there are
    at most ``size`` rows, every batch has all of them, in every process.

    Attributes
    ----------
    rows : TrainingRows
    size : int
        Rows per batch.
    seed : int
    n_members : int
    balanced : bool
        Whether classes take turns, so that batches have as many rows of each; rows of small classes come
        more often.
    part, n_parts : int
        Number of this process, and of all processes: each takes every ``n_parts``-th row of a batch.
    """

    rows: TrainingRows
    size: int
    seed: int
    n_members: int = 1
    balanced: bool = False
    part: int = 0
    n_parts: int = 1

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.rows.n_rows

    def batches(self, step: int) -> Iterator[TensorRows]:
        """Batches from ``step`` on, each tensor (members, rows, …)."""
        if self.n_rows <= self.size:
            order = self._in_turn(None) if self.balanced else torch.arange(self.n_rows)
            always = self.rows.take(order.expand(self.n_members, -1))
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
        if self.balanced:
            return torch.stack([self._in_turn(generator) for _ in range(self.n_members)])
        orders = [torch.randperm(self.n_rows, generator=generator) for _ in range(self.n_members)]
        return torch.stack(orders)

    def _in_turn(self, generator: torch.Generator | None) -> Tensor:
        """Rows of the classes in turn, (n_rows,), each shuffled, and again from its first row when it ends.

        Without a generator nothing is shuffled, and every row is there: the largest class once, (rows,).
        """
        classes = [torch.nonzero(self.rows.y == k)[:, 0] for k in sorted(set(self.rows.y.tolist()))]
        if not classes:
            return torch.arange(0)
        largest = max(map(len, classes))
        if generator is None:
            n_turns, n_wanted = largest, largest * len(classes)
        else:
            n_turns, n_wanted = -(-self.n_rows // len(classes)), self.n_rows
            classes = [one[torch.randperm(len(one), generator=generator)] for one in classes]
            classes = [classes[k] for k in torch.randperm(len(classes), generator=generator)]
        turns = [one.repeat(-(-n_turns // len(one)))[:n_turns] for one in classes]
        return torch.stack(turns, dim=1).flatten()[:n_wanted]


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
