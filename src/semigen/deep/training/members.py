"""Several models trained as one: their weights stacked, their losses computed in one batched pass."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from semigen.deep.data.rows import Batch
from semigen.deep.training.model import LossTerms, Model


class Members(nn.Module):
    """M models of one architecture with weights of their own.

    Parameters and buffers have a leading axis of M members. So have the tensors of the batches: every member
    sees rows of its own. The loss is the sum of the members' losses, so each gets its own gradient.

    Parameters
    ----------
    models : sequence of Model
        Differently initialized copies.
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
        """A state dict for each member, as its model has it."""
        stacked = {name: getattr(self, own).detach() for name, own in self._names.items()}
        return [{name: value[m].clone() for name, value in stacked.items()} for m in range(self.n_members)]

    def forward(self, batch: Batch, step: int, objective: str) -> tuple[Tensor, dict[str, Tensor]]:
        """The summed loss, and each part's mean over rows and members."""
        template = self._template[0]
        template.train(self.training)
        state = {name: getattr(self, own) for name, own in self._names.items()}

        def one(state: dict[str, Tensor], batch: Batch) -> LossTerms:
            terms: LossTerms = functional_call(template, state, (batch, step, objective))
            return terms

        if self.n_members == 1:  # a view of one member costs nothing, a batch of one does
            terms = one(
                {name: value[0] for name, value in state.items()}, Batch(*(rows.take(0) for rows in batch))
            )
        else:
            terms = torch.vmap(one, randomness="different")(state, batch)
        return terms.loss.sum(), {name: part.detach().mean() for name, part in terms.parts.items()}
