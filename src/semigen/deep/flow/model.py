"""A normalizing flow onto a Gaussian mixture per class: exact log p(x, y)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from zuko.flows import MaskedAutoregressiveTransform
from zuko.lazy import LazyComposedTransform
from zuko.transforms import MonotonicRQSTransform

from semigen.deep import bounds
from semigen.deep.data.rows import Batch
from semigen.deep.data.tables import Table
from semigen.deep.flow.start import Components
from semigen.deep.training.model import LossTerms, Model

BOUND = 6.0
"""Splines transform standardized values from −BOUND to BOUND; outside they are the identity."""


class ClassFlow(Model):
    """z = f(x) and z | y = k ~ Σ_m π_km N(μ_km, diag σ_km²): p(x | k) = p(f(x) | k) |det ∂f/∂x|.

    f is a stack of coupling layers with rational-quadratic splines (Durkan, Bekasov, Murray & Papamakarios
    2019, *NeurIPS* 32), which transform one half of the columns given the other. It starts as the
    identity, after a linear map if there is one.

    Parameters
    ----------
    architecture : FlowArchitecture
    """

    log_prior: Tensor
    turn: Tensor
    log_volume: Tensor
    spread: Tensor
    width: Tensor

    def __init__(self, architecture: FlowArchitecture) -> None:
        super().__init__()
        n_features = architecture.table.schema.n_features
        self.flow = _identity_flow(
            n_features, architecture.n_transforms, architecture.bins, architecture.hidden
        )
        shape = (len(architecture.log_prior), architecture.n_components, n_features)
        self.share_logits = nn.Parameter(torch.zeros(shape[:2]))
        self.mean = nn.Parameter(torch.zeros(shape))
        self.log_sd = nn.Parameter(torch.zeros(shape))
        for name in ("log_prior", "spread", "width"):
            self.register_buffer(name, torch.from_numpy(getattr(architecture, name)).float())
        self.turned = architecture.turned
        if self.turned:
            self.register_buffer("turn", torch.eye(n_features))
            self.register_buffer("log_volume", torch.zeros(()))
        self.labeled_share = architecture.labeled_share
        self.alpha = architecture.alpha
        self.warmup_steps = architecture.warmup_steps

    def start_at(self, components: Components, turn: NDArray[np.float64] | None = None) -> None:
        """Set the latent components, and the linear map if there is one."""
        if turn is not None:
            self.turn.copy_(torch.from_numpy(turn))
            self.log_volume.fill_(float(np.linalg.slogdet(turn)[1]))
        with torch.no_grad():
            self.share_logits.copy_(torch.from_numpy(components.log_share))
            self.mean.copy_(torch.from_numpy(components.mean))
            self.log_sd.copy_(torch.from_numpy(components.log_sd))

    def latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x) (n, D) and log |det ∂f/∂x| (n,) of standardized rows (n, D)."""
        found: tuple[Tensor, Tensor] = self.flow().call_and_ladj(x @ self.turn if self.turned else x)
        return (found[0], found[1] + self.log_volume) if self.turned else found

    def rows(self, z: Tensor) -> Tensor:
        """f⁻¹(z), standardized rows (n, D)."""
        found: Tensor = self.flow().inv(z)
        return torch.linalg.solve(self.turn, found, left=False) if self.turned else found

    def log_joint(self, x: Tensor) -> Tensor:
        """Log p(x, k) of standardized rows, (K, n)."""
        z, log_det = self.latents(x)
        precision = (-2.0 * self.log_sd).exp()
        square = z.square() @ precision.transpose(1, 2) - 2.0 * z @ (precision * self.mean).transpose(1, 2)
        square = square + (precision * self.mean.square()).sum(dim=-1)[:, None, :]
        log_size = self.log_sd.sum(dim=-1) + 0.5 * z.shape[-1] * math.log(2.0 * math.pi)
        log_share = self.share_logits.log_softmax(dim=-1)
        within = ((log_share - log_size)[:, None, :] - 0.5 * square).logsumexp(dim=-1)
        return self.log_prior[:, None] + within + log_det

    def sample(self, y: Tensor) -> Tensor:
        """Draw standardized rows of classes (n,), (n, D)."""
        part = torch.multinomial(self.share_logits.softmax(dim=-1)[y], 1)[:, 0]
        mean, log_sd = self.mean[y, part], self.log_sd[y, part]
        return self.rows(mean + log_sd.exp() * torch.randn_like(mean))

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """−mean log-likelihood of labeled and unlabeled rows + α · mean cross-entropy of the labeled ones.

        During the warm-up an unlabeled row contributes ``(1 − t) log p(x) + t log p(x, ŷ)``, a lower bound of
        log p(x), with its propagated label ŷ and t falling from 1 to 0. One without ŷ (y = −1) contributes
        log p(x) throughout.
        """
        labeled, unlabeled = batch
        n_labeled = len(labeled.x)
        # One pass over both costs half of two.
        both = self.log_joint(self._blurred(torch.cat([labeled.x, unlabeled.x])))
        first, joint = both[:, :n_labeled], both[:, n_labeled:]
        own = first.gather(0, labeled.y[None])[0]
        cross_entropy = first.logsumexp(dim=0) - own
        density = joint.logsumexp(dim=0)
        warm = bounds.warm_up(step, self.warmup_steps)
        bound = density
        if warm < 1.0:
            own_class = joint.gather(0, unlabeled.y.clamp(min=0)[None])[0]
            bound = torch.where(unlabeled.y >= 0, warm * density + (1.0 - warm) * own_class, density)
        loss = bounds.semi_supervised_loss(
            bounds.weighted_mean(own, labeled.weight),
            bounds.weighted_mean(bound, unlabeled.weight),
            bounds.weighted_mean(cross_entropy, labeled.weight),
            labeled_share=self.labeled_share,
            alpha=self.alpha,
        )
        parts = {"log_joint": own, "cross_entropy": cross_entropy, "log_density": density}
        log_resp = joint.log_softmax(dim=0)
        parts["entropy"] = -(log_resp.exp() * log_resp).sum(dim=0)
        return LossTerms(loss, {name: value for name, value in parts.items() if value.shape[-1]})

    def _blurred(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + self.spread * torch.randn_like(x) + self.width * (torch.rand_like(x) - 0.5)


@dataclass(frozen=True, eq=False)
class FlowArchitecture:
    """All that it takes to build a :class:`ClassFlow`.

    Attributes
    ----------
    table : Table
    log_prior : ndarray of shape (K,)
        log p(y).
    spread : ndarray of shape (D,)
        Sd of the Gaussian noise that a training step adds to standardized values.
    width : ndarray of shape (D,)
        Width of the uniform noise that it adds: one unit for columns of whole numbers, 0 for others.
    n_components, n_transforms, bins : int
    hidden : tuple of int
        Hidden layers of each coupling layer's network.
    least_sd : float
        Smallest sd of a component at the start, in standard deviations of a column.
    labeled_share : float in [0, 1]
        The labeled rows' share of the total weight.
    alpha : float
        Weight of the mean cross-entropy.
    warmup_steps : int
        Steps over which the propagated labels of unlabeled rows lose their weight.
    turned : bool
        Whether the first layer is a linear map.
    """

    table: Table
    log_prior: NDArray[np.float64]
    spread: NDArray[np.float64]
    width: NDArray[np.float64]
    n_components: int
    n_transforms: int
    bins: int
    hidden: tuple[int, ...]
    least_sd: float
    labeled_share: float
    alpha: float
    warmup_steps: int
    turned: bool = False

    @property
    def least_size(self) -> tuple[int, int]:
        """Arrays, and numbers in them, that the weights have at least: of layers, means and linear map."""
        n_features, n_outputs = self.table.schema.n_features, 3 * self.bins - 1
        widths = (n_features, *self.hidden, n_features * n_outputs) if n_features > 1 else (1, n_outputs)
        of_layers = sum(inner * outer for inner, outer in pairwise(widths))
        of_components = len(self.log_prior) * self.n_components * n_features
        of_turn = self.turned * n_features**2
        return self.n_transforms * (len(widths) - 1), self.n_transforms * of_layers + of_components + of_turn

    def build(self) -> ClassFlow:
        """A flow that is the identity, with all components standard normal."""
        return ClassFlow(self)


def _identity_flow(n_features: int, n_transforms: int, bins: int, hidden: tuple[int, ...]) -> Any:
    """Coupling layers with splines: pairs that swap the halves, each pair with another random split."""
    layers = []
    order = torch.arange(n_features)
    for i in range(n_transforms):
        if i % 2:
            order = order.flip(0)
        elif i:
            order = torch.randperm(n_features)
        layer: Any = MaskedAutoregressiveTransform(
            n_features,
            passes=2,
            order=order,
            univariate=partial(MonotonicRQSTransform, bound=BOUND),
            shapes=[(bins,), (bins,), (bins - 1,)],
            hidden_features=hidden,
        )
        last = [layer.hyper[-1].weight, layer.hyper[-1].bias] if n_features > 1 else list(layer.phi)
        for value in last:  # equal bins of slope 1
            nn.init.zeros_(value)
        layers.append(layer)
    return LazyComposedTransform(*layers)
