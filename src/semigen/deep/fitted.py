"""What a fit leaves: the shape of the networks and their weights, and the networks that answer questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from semigen.deep.networks import MLP, ConvDecoder, ConvEncoder, Decoder, Encoder
from semigen.deep.records import Rows
from semigen.deep.tables import Inputs, Table
from semigen.deep.vae import VAE, ClassVAE

CELLS_A_BLOCK = 2**22
"""Cells, over classes, whose densities are held at once in an answer."""

OLD_WEIGHTS = {"inputs.centre": "inputs.center"}
"""Weights of files of semigen 0.1 that have other names now."""


@dataclass(frozen=True, eq=False)
class VAEShape:
    """All that it takes to build the networks of M1 or M2.

    Attributes
    ----------
    table : Table
    n_latent : int
    hidden : tuple of int
        Hidden layers of an MLP; every body ends, or for a decoder begins, at the last of these sizes.
    network : "mlp", "conv" or callable
    image_shape : (channels, height, width) or None
    log_prior : ndarray of shape (K,)
        log p(y); no classes (K = 0) for M1.
    labeled_share, alpha, warmup_steps, top_k
        As :class:`semigen.deep.vae.ClassVAE`.
    """

    table: Table
    n_latent: int
    hidden: tuple[int, ...]
    network: Any
    image_shape: tuple[int, int, int] | None
    log_prior: NDArray[np.float64]
    labeled_share: float = 0.0
    alpha: float = 0.0
    warmup_steps: int = 0
    top_k: int | None = None

    def build(self) -> VAE:
        """New networks with random weights."""
        inputs, likelihood = Inputs(self.table), self.table.likelihood()
        width, n_classes = self.hidden[-1], len(self.log_prior)
        encoder = Encoder(self._body(inputs.n_outputs, width), width, n_classes, self.n_latent)
        back = self._body(width, likelihood.n_outputs, backwards=True)
        decoder = Decoder(self.n_latent, n_classes, width, back)
        if not n_classes:
            return VAE(
                inputs, encoder, decoder, likelihood, n_latent=self.n_latent, warmup_steps=self.warmup_steps
            )
        return ClassVAE(
            inputs,
            encoder,
            decoder,
            likelihood,
            self._body(inputs.n_outputs, n_classes, last=True),
            torch.from_numpy(self.log_prior).float(),
            n_latent=self.n_latent,
            labeled_share=self.labeled_share,
            alpha=self.alpha,
            warmup_steps=self.warmup_steps,
            top_k=self.top_k,
        )

    def _body(
        self, n_inputs: int, n_outputs: int, *, backwards: bool = False, last: bool = False
    ) -> nn.Module:
        """A body; ``last`` if it ends in outputs and not in hidden units."""
        if callable(self.network):
            made: nn.Module = self.network(n_inputs, n_outputs)
            return made
        if self.network == "conv" and self.image_shape is not None:
            if backwards:
                return ConvDecoder(n_inputs, self.image_shape, n_outputs)
            return ConvEncoder(n_inputs, self.image_shape, n_outputs)
        if last:
            return MLP(n_inputs, self.hidden, n_outputs)
        inner = self.hidden[:-1]
        return MLP(n_inputs, inner[::-1] if backwards else inner, n_outputs)


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks: weights as arrays, and modules in float64 that answer.

    Answers are computed in float64, so that a row's do not depend on the rows beside it.

    Attributes
    ----------
    shape : VAEShape
    weights : tuple of dict {str: ndarray}
        For each member.
    models : tuple of VAE
        Built from the two; not saved.
    """

    shape: VAEShape
    weights: tuple[dict[str, NDArray[Any]], ...]
    models: tuple[VAE, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(map(self._model, self.weights)))

    def ask(self, rows: Rows, question: Callable[[Rows], Tensor]) -> Tensor:
        """Answers about rows, computed block by block; the rows are on the last axis."""
        n_classes = max(1, len(self.shape.log_prior))
        size = max(1, CELLS_A_BLOCK // (n_classes * rows.x.shape[1]))
        with torch.no_grad():
            blocks = (Rows(*(value[i : i + size] for value in rows)) for i in range(0, len(rows.x), size))
            return torch.cat([question(block) for block in blocks], dim=-1)

    def ask_each(self, rows: Rows, question: Callable[[Any, Rows], Tensor]) -> NDArray[np.float64]:
        """Each member's answers, (members, n, …): ``question(model, rows)`` has the rows on the last axis."""
        answers = (self.ask(rows, partial(question, one)).numpy() for one in self.models)
        return np.stack([np.ascontiguousarray(np.moveaxis(one, -1, 0)) for one in answers])

    def draw(self, n: int, rows: Callable[[Any, Tensor], Tensor]) -> Tensor:
        """Draw ``n`` rows as tensors of the table, each from a member at random, (n, D).

        ``rows(model, which)`` draws those of one member, ``which`` of the n they are.
        """
        member = torch.randint(len(self.models), (n,))
        found = torch.empty(n, self.shape.table.schema.n_features, dtype=torch.float64)
        for m, model in enumerate(self.models):
            which = torch.nonzero(member == m)[:, 0]
            if len(which):
                found[which] = rows(model, which)
        return found

    def _model(self, weights: Mapping[str, NDArray[Any]]) -> VAE:
        model = self.shape.build()
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return model.double().eval().requires_grad_(False)

    def __getstate__(self) -> dict[str, Any]:
        """The shape, and all weights in the bytes of one safetensors file, named member/weight."""
        tensors = {
            f"{m}/{name}": torch.from_numpy(np.array(value))
            for m, member in enumerate(self.weights)
            for name, value in member.items()
        }
        data = np.frombuffer(write_tensors(tensors), dtype=np.uint8)
        return {"shape": self.shape, "n_members": len(self.weights), "safetensors": data}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        members: list[dict[str, NDArray[Any]]] = [{} for _ in range(state["n_members"])]
        for name, value in read_tensors(np.asarray(state["safetensors"]).tobytes()).items():
            member, own = name.split("/", 1)
            members[int(member)][OLD_WEIGHTS.get(own, own)] = value.numpy()
        object.__setattr__(self, "shape", state["shape"])
        object.__setattr__(self, "weights", tuple(members))
        self.__post_init__()


def as_networks(shape: VAEShape, states: Sequence[Mapping[str, Tensor]]) -> Networks:
    """The networks of trained weights."""
    return Networks(shape, tuple({name: value.numpy() for name, value in state.items()} for state in states))


def new_models(shape: VAEShape, x: Tensor, mask: Tensor, seeds: Sequence[int]) -> list[VAE]:
    """Models with random weights from seeds, whose decoders start at the columns' own distributions."""
    models = []
    for seed in seeds:
        torch.manual_seed(seed)
        model = shape.build()
        start = model.likelihood.start(x, mask)
        biases = [value for name, value in model.decoder.body.named_parameters() if name.endswith("bias")]
        if biases and biases[-1].shape == start.shape:  # a convolution has one bias a channel
            with torch.no_grad():
                biases[-1].copy_(start)
        models.append(model.float())
    return models
