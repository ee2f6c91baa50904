"""A deep ensemble trained as one: weights are stacked, losses are computed in one batched pass."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from semigen.deep.data.rows import Batch
from semigen.deep.training.model import LossTerms, Model


class Members(nn.Module):
    """The members of a deep ensemble: models of one architecture, each with its own weights.

    Parameters and buffers have a leading axis of members. So have the tensors of a batch: every member sees
    its own rows. The loss is the sum of the members' losses, so each gets its own gradient.

    Parameters
    ----------
    models : sequence of Model
        The members, initialized differently.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(models))
        self.n_members = len(models)
        self.objectives = models[0].objectives
        # A list hides the template from PyTorch: its own weights are never used.
        self._template = [copy.deepcopy(models[0]).to("meta")]
        self._names = {name: name.replace(".", "/") for name in (*parameters, *buffers)}
        for name, value in parameters.items():
            self.register_parameter(self._names[name], nn.Parameter(value.detach()))
        for name, value in buffers.items():
            self.register_buffer(self._names[name], value.detach().clone())

    def moved_by(self, objective: str) -> list[nn.Parameter]:
        """The parameters that an objective moves."""
        prefixes = self.objectives[objective]
        return [value for name, value in self.named_parameters() if name.startswith(prefixes)]

    def states(self) -> list[dict[str, Tensor]]:
        """The state dict of each member's model."""
        stacked = {name: getattr(self, own).detach() for name, own in self._names.items()}
        return [{name: value[m].clone() for name, value in stacked.items()} for m in range(self.n_members)]

    def forward(self, batch: Batch, step: int, objective: str) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the members' losses, and the mean of each part over rows and members."""
        template = self._template[0]
        template.train(self.training)
        state = {name: getattr(self, own) for name, own in self._names.items()}

        def one(state: dict[str, Tensor], batch: Batch) -> LossTerms:
            terms: LossTerms = functional_call(template, state, (batch, step, objective))
            return terms

        if self.n_members == 1:  # a view costs nothing, vmap does
            terms = one(
                {name: value[0] for name, value in state.items()}, Batch(*(rows.take(0) for rows in batch))
            )
        else:
            terms = torch.vmap(one, randomness="different")(state, batch)
        return terms.loss.sum(), {name: part.detach().mean() for name, part in terms.parts.items()}
