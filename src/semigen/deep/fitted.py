"""Trained networks: an architecture and the weights of each member, and how they are asked about rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from semigen.deep.data.rows import ROWS_PER_BLOCK, Rows, TensorRows
from semigen.deep.data.tables import Table
from semigen.deep.draws import forked
from semigen.deep.training.model import Model

VALUES_PER_BLOCK = 2**18
"""Values, times classes, whose densities are held at once in an answer."""

OLD_WEIGHTS = {"inputs.centre": "inputs.center"}
"""Weights of files of semigen 0.1 that have other names now."""


class Architecture(Protocol):
    """A frozen record of all that it takes to build a network: what a model file holds beside the weights."""

    @property
    def table(self) -> Table:
        """How tables become tensors."""

    @property
    def log_prior(self) -> NDArray[np.float64]:
        """Log p(y), (K,); K = 0 for a model without classes."""

    @property
    def least_size(self) -> tuple[int, int]:
        """Arrays, and numbers in them, that the weights of such a network have at least."""

    def build(self) -> Model:
        """A new network with random weights."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks: weights as arrays, and modules in float64 that answer.

    Answers are computed in float64, so that those about a row do not depend on the rows beside it.

    Attributes
    ----------
    architecture : Architecture
    weights : tuple of dict {str: ndarray}
        Of each member.
    models : tuple of Model
        Built from the two; not saved.
    """

    architecture: Architecture
    weights: tuple[dict[str, NDArray[Any]], ...]
    models: tuple[Any, ...] = field(init=False, repr=False)  # of the class that the architecture builds

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(map(self._model, self.weights)))

    @classmethod
    def of(cls, architecture: Architecture, states: Sequence[Mapping[str, Tensor]]) -> Networks:
        """The networks of trained weights, one state dict per member."""
        weights = ({name: value.numpy() for name, value in state.items()} for state in states)
        return cls(architecture, tuple(weights))

    def ask(self, rows: Rows, question: Callable[[TensorRows], Tensor]) -> Tensor:
        """Answers about rows, (n, …), computed block by block."""
        n_classes = max(1, len(self.architecture.log_prior))
        size = max(1, VALUES_PER_BLOCK // (n_classes * self.architecture.table.schema.n_features))
        size = min(size, ROWS_PER_BLOCK)  # hidden units take memory, however few the columns
        with torch.no_grad():
            first = question(rows.take(slice(size)))
            answers = first.new_empty(rows.n_rows, *first.shape[1:])
            answers[:size] = first
            for i in range(size, rows.n_rows, size):  # into place: small pieces would scatter over memory
                answers[i : i + size] = question(rows.take(slice(i, i + size)))
        return answers

    def ask_each(self, rows: Rows, question: Callable[[Any, TensorRows], Tensor]) -> NDArray[np.float64]:
        """Each member's answers, (members, n, …), where ``question(model, rows)`` is (n, …)."""
        answers = self.ask(rows, lambda block: torch.stack([question(one, block) for one in self.models], 1))
        return answers.transpose(0, 1).numpy()

    def draw(self, n: int, rows: Callable[[Any, Tensor], Tensor]) -> Tensor:
        """Draw ``n`` rows as tensors of the table, each from a member at random, (n, D).

        ``rows(model, which)`` draws those of one member; ``which`` are their indices among the n.
        """
        member = torch.randint(len(self.models), (n,))
        drawn = torch.empty(n, self.architecture.table.schema.n_features, dtype=torch.float64)
        for m, model in enumerate(self.models):
            which = torch.nonzero(member == m)[:, 0]
            if len(which):
                drawn[which] = rows(model, which)
        return drawn

    def _model(self, weights: Mapping[str, NDArray[Any]]) -> Model:
        n_arrays, n_values = self.architecture.least_size
        if n_arrays > len(weights) or n_values > sum(value.size for value in weights.values()):
            raise ValueError("an architecture is larger than its weights")
        with forked():  # layers draw weights, which are replaced
            try:
                with torch.device(
                    "meta"
                ):  # takes no memory, whatever sizes the architecture of a file claims
                    model = self.architecture.build()
            except NotImplementedError:  # a flow's masks are computed while it is built
                model = self.architecture.build()
        arrays = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        model.load_state_dict(arrays, assign=True)
        return model.double().eval().requires_grad_(False)

    def __getstate__(self) -> dict[str, Any]:
        """The architecture, and all weights in the bytes of one safetensors file, named member/weight."""
        tensors = {
            f"{m}/{name}": torch.from_numpy(np.array(value))
            for m, member in enumerate(self.weights)
            for name, value in member.items()
        }
        data = np.frombuffer(write_tensors(tensors), dtype=np.uint8)
        return {"architecture": self.architecture, "n_members": len(self.weights), "safetensors": data}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        tensors = read_tensors(np.asarray(state["safetensors"]).tobytes())
        if state["n_members"] > len(tensors):
            raise ValueError("there are more members than weights")
        members: list[dict[str, NDArray[Any]]] = [{} for _ in range(state["n_members"])]
        for name, value in tensors.items():
            member, own = name.split("/", 1)
            members[int(member)][OLD_WEIGHTS.get(own, own)] = value.numpy()
        object.__setattr__(self, "architecture", state["architecture"])
        object.__setattr__(self, "weights", tuple(members))
        self.__post_init__()
