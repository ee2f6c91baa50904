"""The K+1 GAN: a discriminator and a generator, and the loss of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semigen.deep.bounds import guessed, weighted_mean
from semigen.deep.data.likelihoods import is_level
from semigen.deep.data.rows import Batch, TensorRows
from semigen.deep.data.tables import Inputs, Table
from semigen.deep.gan import losses
from semigen.deep.gan.layers import Discriminator, Generator, ResidualGenerator
from semigen.deep.residual import augment
from semigen.deep.training.model import LossTerms, Model

_CALIBRATION_ROWS = 10_000


class OutputLayer(nn.Module):
    """The last layer of the generator: its outputs become rows in the encoding of :class:`Inputs`.

    Numbers and counts (as standardized log(1 + count)) are the outputs themselves, numbers from 0 to 1 their
    sigmoid. Flags, levels and missing values are drawn, 0 or 1 as in the data, because probabilities would
    give generated rows away; the gradient is that of the probabilities (straight-through estimator).

    Parameters
    ----------
    inputs : Inputs
    table : Table
    unit : tuple of bool
        Columns of numbers from 0 to 1.
    """

    def __init__(self, inputs: Inputs, table: Table, unit: Sequence[bool]) -> None:
        super().__init__()
        self.plain, self.levels, self.counts = inputs.plain, dict(inputs.levels), inputs.counts
        self.shows_missing = inputs.shows_missing
        self.n_columns, self.n_outputs = len(table.likelihoods), inputs.n_outputs
        self.unit = [i for i, j in enumerate(self.plain) if unit[j]]
        self.flags = [i for i, j in enumerate(self.plain) if table.likelihoods[j] == "bernoulli"]

    def forward(self, outputs: Tensor) -> Tensor:
        """Encoded rows, (n, outputs)."""
        plain, levels, missing = self._split(outputs)
        plain = self._plain(plain)
        if not self.levels and not self.shows_missing:
            return plain
        if missing is not None:
            there = 1.0 - _flags(missing)
            plain = plain * there[:, self.plain]
            levels = {j: one * there[:, j, None] for j, one in levels.items()}
        pieces = [plain, *levels.values()]
        return torch.cat(pieces if missing is None else [*pieces, 1.0 - there], dim=1)

    def rows(self, outputs: Tensor, inputs: Inputs) -> Tensor:
        """Rows of the table, (n, D), without missing values: those that the generator draws are not used."""
        plain, levels, _ = self._split(outputs)
        plain = self._plain(plain)
        x = outputs.new_zeros(len(outputs), self.n_columns)
        x[:, self.plain] = plain / inputs.inverse[self.plain] + inputs.center[self.plain]
        x[:, self.counts] = torch.expm1(x[:, self.counts].clamp(max=30.0)).round().clamp(min=0.0)
        for j, one in levels.items():
            x[:, j] = one.argmax(dim=-1).to(x.dtype)
        return x

    def _split(self, outputs: Tensor) -> tuple[Tensor, dict[int, Tensor], Tensor | None]:
        """Outputs of plain columns, drawn levels of categorical columns, outputs of missing values."""
        sizes = [len(self.plain), *self.levels.values(), self.shows_missing * self.n_columns]
        plain, *found, missing = torch.split(outputs, sizes, dim=1)
        levels = {j: _levels(one) for j, one in zip(self.levels, found, strict=True)}
        return plain, levels, missing if self.shows_missing else None

    def _plain(self, outputs: Tensor) -> Tensor:
        if len(self.unit) == len(self.plain):
            return outputs.sigmoid()
        found = outputs.clone()
        found[:, self.unit] = outputs[:, self.unit].sigmoid()
        found[:, self.flags] = _flags(outputs[:, self.flags])
        return found


@dataclass(frozen=True, eq=False)
class GANArchitecture:
    """All that it takes to build a :class:`GAN`.

    Attributes
    ----------
    table : Table
    unit : tuple of bool
        Columns of numbers from 0 to 1.
    log_prior : ndarray of shape (K,)
        Zeros: a GAN has no p(y) of its own.
    hidden, generator_hidden : tuple of int
    n_latent, n_generated : int
    input_noise, hidden_noise, alpha, entropy_weight, pull_away_weight : float
    image_shape : (channels, height, width) or None
        Images that the discriminator's convolutions see; None: no convolutions.
    network : {"conv", "resnet"}
        Which networks images have.
    augment : str or None
        How images are changed for the discriminator.
    """

    table: Table
    unit: tuple[bool, ...]
    log_prior: NDArray[np.float64]
    hidden: tuple[int, ...]
    generator_hidden: tuple[int, ...]
    n_latent: int
    n_generated: int
    input_noise: float
    hidden_noise: float
    alpha: float
    entropy_weight: float
    pull_away_weight: float
    image_shape: tuple[int, int, int] | None = None
    network: str = "conv"
    augment: str | None = None

    @property
    def least_size(self) -> tuple[int, int]:
        """Arrays, and numbers in them, that the weights have at least: one array per layer."""
        if self.image_shape is not None and self.network == "resnet":
            return 0, 0
        return len(self.generator_hidden) + (len(self.hidden) if self.image_shape is None else 0), 0

    def build(self) -> GAN:
        """A new GAN with random weights."""
        return GAN(self)


class GAN(Model):
    """K+1 GAN with feature matching; see :mod:`semigen.deep.gan.losses`.

    Parameters
    ----------
    architecture : GANArchitecture
    """

    objectives = {"discriminator": ("discriminator",), "generator": ("generator",)}  # noqa: RUF012

    def __init__(self, architecture: GANArchitecture) -> None:
        super().__init__()
        self.inputs = Inputs(architecture.table)
        self.output_layer = OutputLayer(self.inputs, architecture.table, architecture.unit)
        n_seen = self.inputs.n_outputs
        self.discriminator = Discriminator(
            n_seen,
            architecture.hidden,
            len(architecture.log_prior),
            architecture.input_noise,
            architecture.hidden_noise,
            architecture.image_shape,
            residual=architecture.network == "resnet",
        )
        shape, n_latent = architecture.image_shape, architecture.n_latent
        self.generator: Generator | ResidualGenerator
        if shape is not None and architecture.network == "resnet":
            self.generator = ResidualGenerator(n_latent, shape, n_seen)
        else:
            self.generator = Generator(n_latent, architecture.generator_hidden, n_seen)
        self.change = None
        if shape is not None and architecture.augment is not None:
            self.change = partial(augment, image_shape=shape, kind=architecture.augment)
        self.n_generated = architecture.n_generated
        self.alpha = architecture.alpha
        self.entropy_weight = architecture.entropy_weight
        self.pull_away_weight = architecture.pull_away_weight
        self.guidance = 0.0

    def optimizer(
        self, objective: str, parameters: list[nn.Parameter], learning_rate: float
    ) -> torch.optim.Optimizer:
        """Adam with the published β₁ = 0.5, and an ε that keeps steps small where gradients are tiny."""
        return torch.optim.Adam(parameters, lr=learning_rate, betas=(0.5, 0.999), eps=1e-4, fused=True)

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """The discriminator's or the generator's loss; the unlabeled part of a batch is from all rows."""
        real = self.inputs(batch.unlabeled.x, batch.unlabeled.mask)
        if objective == "generator":
            return self._generator_loss(real, batch.unlabeled.weight)
        labeled, unlabeled = batch
        if self.change is not None and self.training:
            labeled = labeled._replace(x=self.change(labeled.x))
            real = self.inputs(self.change(unlabeled.x), unlabeled.mask)
        with torch.no_grad():
            generated = self.generated()
        seen = torch.cat([self.inputs(labeled.x, labeled.mask), real, generated])
        logits, _ = self.discriminator(seen)
        sizes = [len(labeled.x), len(real), len(generated)]
        of_labeled, of_real, of_generated = torch.split(logits, sizes)
        parts = {
            "cross_entropy": losses.cross_entropy(of_labeled, labeled.y),
            "real": losses.real_loss(of_real),
            "generated": losses.generated_loss(of_generated),
            "entropy": losses.conditional_entropy(of_real),
        }
        loss = self.alpha * weighted_mean(parts["cross_entropy"], labeled.weight)
        loss = loss + 0.5 * (weighted_mean(parts["real"], unlabeled.weight) + parts["generated"].mean())
        if self.guidance:
            of_guessed = guessed(of_real.log_softmax(dim=-1).T, unlabeled.y)
            loss = loss + self.alpha * self.guidance * weighted_mean(of_guessed, unlabeled.weight)
        if self.entropy_weight:
            loss = loss + self.entropy_weight * weighted_mean(parts["entropy"], unlabeled.weight)
        return LossTerms(loss, parts)

    def _generator_loss(self, real: Tensor, weight: Tensor) -> LossTerms:
        with torch.no_grad():
            wanted = weighted_mean(self.discriminator(real)[1].T, weight)
        _, features = self.discriminator(self.generated())
        loss = losses.feature_matching(wanted, features.mean(dim=0))
        parts = {"feature_matching": loss}
        if self.pull_away_weight:
            parts["pull_away"] = losses.pull_away(features)
            loss = loss + self.pull_away_weight * parts["pull_away"]
        return LossTerms(loss, parts)

    def generated(self) -> Tensor:
        """Generated rows, encoded, (n_generated, inputs)."""
        found: Tensor = self.output_layer(self.generator(self.generator.latents(self.n_generated)))
        return found

    def log_probs(self, rows: TensorRows) -> Tensor:
        """Log p(class | x, real), (n, K)."""
        logits, _ = self.discriminator(self.inputs(rows.x, rows.mask))
        found: Tensor = logits.log_softmax(dim=-1)
        return found

    @torch.no_grad()
    def start(self, x: Tensor, mask: Tensor) -> None:
        """Data-dependent initialization, from rows of the table."""
        self.discriminator.start(self.inputs(x, mask))

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set the moments of the generator's batch norm from many draws."""
        self.generator.calibrate(self.generator.latents(_CALIBRATION_ROWS))


def _flags(outputs: Tensor) -> Tensor:
    """Draws of 0 and 1 with the gradient of their probabilities."""
    probs = outputs.sigmoid()
    drawn = (torch.rand_like(probs) < probs).to(probs.dtype)
    return drawn + (probs - probs.detach())


def _levels(outputs: Tensor) -> Tensor:
    """One-hot draws with the gradient of their probabilities, (n, L)."""
    probs = outputs.softmax(dim=-1)
    above = (torch.rand_like(probs[:, :1]) > probs.cumsum(dim=-1)[:, :-1]).sum(dim=-1)
    return is_level(above, outputs.shape[-1]).to(probs.dtype) + (probs - probs.detach())
