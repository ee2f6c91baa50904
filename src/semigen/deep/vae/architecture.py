"""The architecture of M1 and M2: the networks that they are built from, and where the decoder starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from semigen.deep.data.rows import TensorRows
from semigen.deep.data.tables import Inputs, Table
from semigen.deep.draws import forked
from semigen.deep.parameters import CONVOLUTIONAL
from semigen.deep.residual import ResidualDecoder, ResidualEncoder, augment
from semigen.deep.vae.auxiliary import AuxiliaryPosterior, AuxiliaryVAE
from semigen.deep.vae.model import VAE, ClassVAE
from semigen.deep.vae.networks import MLP, ConvDecoder, ConvEncoder, Decoder, Encoder
from semigen.deep.vae.priors import VampPrior
from semigen.exceptions import ParameterError


@dataclass(frozen=True, eq=False)
class VAEArchitecture:
    """All that it takes to build M1 or M2.

    Attributes
    ----------
    table : Table
    n_latent : int
    hidden : tuple of int
        Hidden layers of an MLP. Every body ends, or that of a decoder begins, with the last of these sizes.
    network : "mlp", "conv", "resnet" or callable
    image_shape : (channels, height, width) or None
    log_prior : ndarray of shape (K,)
        log p(y); K = 0 for M1.
    labeled_share, alpha, warmup_steps, top_k, beta, free_bits
        As :class:`semigen.deep.vae.model.ClassVAE`.
    n_pseudo_inputs : int
        Of a VampPrior; 0: the prior is N(0, I).
    n_auxiliary : int
        Auxiliary variables of an ADGM; 0: M2.
    skip : bool
        Whether the decoder sees these, too: SDGM.
    augment : str or None
        How images are changed for the cross-entropy of labeled rows.
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
    beta: float = 1.0
    free_bits: float = 0.0
    n_pseudo_inputs: int = 0
    n_auxiliary: int = 0
    skip: bool = False
    augment: str | None = None

    @property
    def least_size(self) -> tuple[int, int]:
        """Arrays, and numbers in them, that the weights have at least: one array per layer."""
        return (len(self.hidden) if self.network == "mlp" else 0), 0

    def build(self) -> VAE:
        """A new model with random weights."""
        inputs, likelihood = Inputs(self.table), self.table.likelihood()
        width, n_classes = self.hidden[-1], len(self.log_prior)
        log_prior, n_seen = torch.from_numpy(self.log_prior).float(), inputs.n_outputs + self.n_auxiliary
        encoder = Encoder(self._body(n_seen, width), width, n_classes, self.n_latent)
        back = self._body(width, likelihood.n_outputs, backwards=True)
        decoder = Decoder(self.n_latent + self.skip * self.n_auxiliary, n_classes, width, back)
        parts: list[Any] = [inputs, encoder, decoder, likelihood]
        options: dict[str, Any] = {
            "n_latent": self.n_latent,
            "warmup_steps": self.warmup_steps,
            "beta": self.beta,
            "free_bits": self.free_bits,
        }
        if n_classes:
            parts += [self._body(n_seen, n_classes, last=True), log_prior]
            options |= {"labeled_share": self.labeled_share, "alpha": self.alpha, "top_k": self.top_k}
            if self.augment is not None and self.image_shape is not None:
                options["change"] = partial(augment, image_shape=self.image_shape, kind=self.augment)
        if self.n_pseudo_inputs:
            options["prior"] = VampPrior(self.n_pseudo_inputs, n_seen, log_prior)
        if not n_classes:
            return VAE(*parts, **options)
        if not self.n_auxiliary:
            return ClassVAE(*parts, **options)
        n_inputs, n = inputs.n_outputs, self.n_auxiliary
        return AuxiliaryVAE(
            *parts,
            auxiliary=Encoder(self._body(n_inputs, width), width, 0, n),
            posterior=AuxiliaryPosterior(0 if self.skip else n_inputs, self.n_latent, width, n_classes, n),
            n_auxiliary=n,
            skip=self.skip,
            **options,
        )

    def _body(
        self, n_inputs: int, n_outputs: int, *, backwards: bool = False, last: bool = False
    ) -> nn.Module:
        """A body; ``last`` if it ends in outputs and not in hidden units."""
        if callable(self.network):
            return _made(self.network, n_inputs, n_outputs)
        if self.network in CONVOLUTIONAL and self.image_shape is not None:
            nets = (
                (ConvEncoder, ConvDecoder) if self.network == "conv" else (ResidualEncoder, ResidualDecoder)
            )
            return nets[backwards](n_inputs, self.image_shape, n_outputs)
        if last:
            return MLP(n_inputs, self.hidden, n_outputs)
        inner = self.hidden[:-1]
        return MLP(n_inputs, inner[::-1] if backwards else inner, n_outputs)


def _made(network: Any, n_inputs: int, n_outputs: int) -> nn.Module:
    """A body of the user's.

    Raises
    ------
    ParameterError
        If it does not map (n, inputs) to (n, outputs).
    """
    name = f"network={getattr(network, '__name__', type(network).__name__)}"
    wanted = f"it has to return a torch.nn.Module from (n, {n_inputs}) to (n, {n_outputs})"
    try:
        body = network(n_inputs, n_outputs)
    except TypeError as error:
        told = f"{name} does not take ({n_inputs}, {n_outputs})"
        raise ParameterError(f"{told} ({error}): {wanted}.") from error
    if not isinstance(body, nn.Module):
        raise ParameterError(f"{name} returned {type(body).__name__} for {n_inputs} inputs: {wanted}.")
    mode, device = body.training, next((one.device for one in body.parameters()), torch.device("cpu"))
    try:
        with forked(), torch.no_grad():
            found = body.eval()(torch.zeros(2, n_inputs, device=device))
    except Exception as error:  # of whatever layers there are
        raise ParameterError(f"{name} failed on rows of {n_inputs} inputs ({error}): {wanted}.") from error
    finally:
        body.train(mode)
    if not isinstance(found, torch.Tensor) or found.shape != (2, n_outputs):
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ParameterError(f"{name} turned rows of shape (2, {n_inputs}) into {shape}: {wanted}.")
    return body


def start_decoder(model: VAE, rows: TensorRows) -> None:
    """Let the decoder start at the columns' own distributions, if its last layer has a bias per output."""
    if model.prior is not None:
        seen = model.inputs(rows.x, rows.mask)
        chosen = seen[torch.randperm(len(seen))[: model.prior.inputs.shape[0]]]
        model.prior.start(nn.functional.pad(chosen, (0, model.prior.inputs.shape[1] - seen.shape[1])))
    start = model.likelihood.start(rows.x, rows.mask)
    biases = [value for name, value in model.decoder.body.named_parameters() if name.endswith("bias")]
    if biases and biases[-1].shape == start.shape:  # a convolution has one bias per channel
        with torch.no_grad():
            biases[-1].copy_(start)
