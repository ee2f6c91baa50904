"""The interface between deep models and the trainer: losses, and the parameters that each changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from semigen.deep.data.rows import Batch


class LossTerms(NamedTuple):
    """A loss and its parts.

    Attributes
    ----------
    loss : Tensor of shape ()
        What the optimizer minimizes.
    parts : dict of str to Tensor
        Named parts, nats per row, (n,) or (): their means are reported, and nothing else is done with them.
    """

    loss: Tensor
    parts: dict[str, Tensor]


class Model(nn.Module):
    """A deep model, as the trainer sees it.

    Attributes
    ----------
    objectives : dict {name: prefixes}
        The objectives of one training step, in this order, each with the prefixes of the names of the
        parameters that it changes. By default one objective changes all; a GAN has two,
        ``{"discriminator": ("discriminator",), "generator": ("generator",)}``.
    """

    objectives: ClassVar[Mapping[str, tuple[str, ...]]] = {"bound": ("",)}

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """The loss of a batch after ``step`` optimizer steps.

        Written for one model and vectorized over several by ``torch.vmap``, so Python code must not depend on
        values of tensors (no ``item()``, no ``if`` on a tensor). Random numbers differ between members.
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
