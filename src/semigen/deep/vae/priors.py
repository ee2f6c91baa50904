"""A prior p(z) other than the standard normal: a mixture of the encoder's own posteriors (VampPrior)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from semigen.deep.vae.networks import Encoder

_LOG_2PI = math.log(2.0 * math.pi)


def normal_log_prob(z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Log N(z; mean, sd²) summed over the last axis."""
    each: Tensor = -0.5 * ((z - mean) * (-log_sd).exp()).square() - log_sd - 0.5 * _LOG_2PI
    return each.sum(dim=-1)


class VampPrior(nn.Module):
    """p(z) = 1/C Σ_c Σ_y p(y) q(z | u_c, y), with learned pseudo-inputs u_c.

    Tomczak & Welling (2018), *AISTATS*.
    The prior is then close to the aggregate posterior, which a standard normal forces together. It does not
    depend on the class, so that z stays independent of y.

    Parameters
    ----------
    n_components : int
        C.
    n_inputs : int
        Inputs of the encoder.
    log_prior : Tensor of shape (K,)
        log p(y); K = 0 for a model without classes.
    """

    log_prior: Tensor

    def __init__(self, n_components: int, n_inputs: int, log_prior: Tensor) -> None:
        super().__init__()
        self.inputs = nn.Parameter(0.1 * torch.randn(n_components, n_inputs))
        self.register_buffer("log_prior", log_prior.clone())

    @torch.no_grad()
    def start(self, seen: Tensor) -> None:
        """Let pseudo-inputs start at rows (n, inputs), some of them twice if there are few."""
        self.inputs.copy_(seen[torch.arange(len(self.inputs)) % len(seen)])

    def components(self, encoder: Encoder) -> tuple[Tensor, Tensor, Tensor]:
        """Log share (M,), mean and log sd, (M, latents), of the mixture's M = C · max(K, 1) components."""
        n_classes, n = len(self.log_prior), len(self.inputs)
        share = torch.full_like(self.inputs[:, 0], -math.log(n))
        if not n_classes:
            return share, *encoder(self.inputs)
        classes = torch.arange(n_classes, device=self.inputs.device)[:, None].expand(n_classes, n)
        mean, log_sd = encoder(self.inputs, classes)
        return (self.log_prior[:, None] + share).flatten(), mean.flatten(0, 1), log_sd.flatten(0, 1)

    def log_prob(self, z: Tensor, encoder: Encoder) -> Tensor:
        """Log p(z) of latents (…, latents), (…)."""
        share, mean, log_sd = self.components(encoder)
        precision = (-2.0 * log_sd).exp()
        square = z.square() @ precision.T - 2.0 * z @ (precision * mean).T
        square = square + (precision * mean.square()).sum(dim=-1)
        size = log_sd.sum(dim=-1) + 0.5 * z.shape[-1] * _LOG_2PI
        found: Tensor = (share - size - 0.5 * square).logsumexp(dim=-1)
        return found

    def moments(self, encoder: Encoder) -> tuple[Tensor, Tensor]:
        """Mean and sd of each latent under the mixture, each (latents,)."""
        share, mean, log_sd = self.components(encoder)
        weight = share.exp()[:, None]
        center = (weight * mean).sum(dim=0)
        return center, (weight * ((mean - center).square() + (2.0 * log_sd).exp())).sum(dim=0).sqrt()

    def sample(self, n: int, encoder: Encoder) -> Tensor:
        """Draw latents, (n, latents)."""
        share, mean, log_sd = self.components(encoder)
        which = torch.multinomial(share.exp(), n, replacement=True)
        return mean[which] + log_sd[which].exp() * torch.randn_like(mean[which])
