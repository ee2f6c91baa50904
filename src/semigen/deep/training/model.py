"""What the trainer needs to know of a deep model: its losses, and the parameters that each moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from semigen.deep.data.rows import Batch


class LossTerms(NamedTuple):
    """A loss and the parts that it is made of.

    Attributes
    ----------
    loss : Tensor of shape ()
        What the optimizer lowers.
    parts : dict of str to Tensor
        Named parts, nats per row, (n,) or (): their means are the record of progress, and nothing is computed
        from them.
    """

    loss: Tensor
    parts: dict[str, Tensor]


class Model(nn.Module):
    """A deep model: what the trainer needs to know of it.

    Attributes
    ----------
    objectives : dict {name: prefixes}
        The losses of one training step in their order, and the parameters that each moves, by the
        beginnings of their names. One objective moves all by default; a GAN has two, ``{"discriminator":
        ("discriminator",), "generator": ("generator",)}``, and :meth:`loss` is asked for each in turn.
    """

    objectives: ClassVar[Mapping[str, tuple[str, ...]]] = {"bound": ("",)}

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """The loss of a batch after ``step`` optimizer steps.

        Written for one model. It must not depend on values of tensors in Python (no ``item()``, no ``if`` on
        a tensor), so that several models can be computed at once; random numbers differ between them.
        """
        raise NotImplementedError

    def optimizer(
        self, objective: str, parameters: list[nn.Parameter], learning_rate: float
    ) -> torch.optim.Optimizer:
        """The optimizer of an objective's parameters."""
        return torch.optim.Adam(parameters, lr=learning_rate, fused=True)

    def forward(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """:meth:`loss`, where PyTorch looks for it."""
        return self.loss(batch, step, objective)
