"""Auxiliary and skip deep generative models (Maaløe et al. 2016): M2 with a richer q(z | x, y) and q(y | x).

ADGM: p(x, y, z) is that of M2. An auxiliary variable a with p(a | x, y, z) leaves it as it is, and lets
q(z | x, y) = ∫ q(z | a, x, y) q(a | x) da be any mixture of Gaussians, and q(y | x) one of classifiers.

SDGM: a is a latent variable of two layers, p(a | y, z) and p(x | a, y, z), with the same q.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from semigen.deep.data.rows import TensorRows
from semigen.deep.vae.model import ClassVAE
from semigen.deep.vae.networks import ClassShift, Encoder
from semigen.deep.vae.priors import normal_log_prob


class AuxiliaryPosterior(nn.Module):
    """p(a | x, y, z), Gaussian: one hidden layer of the inputs, the latents and the class.

    Parameters
    ----------
    n_inputs, n_latent, n_hidden, n_classes, n_auxiliary : int
        Without inputs it is p(a | y, z).
    """

    def __init__(self, n_inputs: int, n_latent: int, n_hidden: int, n_classes: int, n_auxiliary: int) -> None:
        super().__init__()
        self.of_x = nn.Linear(n_inputs, n_hidden) if n_inputs else None
        self.of_z = nn.Linear(n_latent, n_hidden, bias=False)
        self.shift = ClassShift(n_classes, n_hidden)
        self.head = nn.Linear(n_hidden, 2 * n_auxiliary)

    def forward(self, seen: Tensor | None, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log sd, each (…, n, auxiliary), for inputs (n, inputs), latents and classes (…, n)."""
        of_x = 0.0 if self.of_x is None else self.of_x(seen)
        hidden = torch.relu(self.shift(of_x + self.of_z(z), y))
        mean, log_sd = self.head(hidden).to(z.dtype).chunk(2, dim=-1)
        return mean, log_sd.clamp(-8.0, 4.0)


class AuxiliaryVAE(ClassVAE):
    """ADGM: q(a | x) q(y | a, x) q(z | a, x, y) and p(a | x, y, z) around the p(x, y, z) of M2; or SDGM.

    The bound of a labeled row is E_q(a|x) q(z|a,x,y) [log p(x | y, z) + log p(y) + log p(a | x, y, z)
    − log q(a | x)] − KL(q(z | a, x, y) ‖ p(z)), and that of an unlabeled one the same sum over y as in M2,
    for one a per row. Encoder and classifier see the inputs and a side by side. With ``skip`` p(x | a, y, z)
    and p(a | y, z) take the places of p(x | y, z) and p(a | x, y, z).

    Parameters
    ----------
    *parts : Any
        As :class:`ClassVAE`.
    auxiliary : Encoder
        q(a | x).
    posterior : AuxiliaryPosterior
        p(a | x, y, z), or p(a | y, z).
    n_auxiliary : int
    skip : bool
        Whether the decoder sees a beside the latents: SDGM.
    **options
        As :class:`ClassVAE`.
    """

    def __init__(
        self,
        *parts: Any,
        auxiliary: Encoder,
        posterior: AuxiliaryPosterior,
        n_auxiliary: int,
        skip: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*parts, **options)
        self.auxiliary = auxiliary
        self.posterior = posterior
        self.n_auxiliary = n_auxiliary
        self.skip = skip

    @property
    def n_noise(self) -> int:
        """Random numbers per draw of all latents."""
        return self.n_latent + self.n_auxiliary

    def observe(self, rows: TensorRows) -> tuple[Tensor, Tensor]:
        """The values that the likelihood sees in this step; the inputs of networks beside a draw of a."""
        x, seen = super().observe(rows)
        mean, log_sd = self.auxiliary(seen)
        return x, torch.cat([seen, mean + log_sd.exp() * torch.randn_like(mean)], dim=-1)

    def look(self, rows: TensorRows) -> Tensor:
        """What encoder and classifier see of rows that are asked about: inputs, and the mean of a."""
        seen = super().look(rows)
        return torch.cat([seen, self.auxiliary(seen)[0]], dim=-1)

    def bound_parts(
        self, rows: TensorRows, x: Tensor, seen: Tensor, y: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Log p(x | y, z), and KL(q(z | a, x, y) ‖ p(z)) + log q(a | x) − log p(a | x, y, z), each (…, n)."""
        mean, log_sd = self.encoder(seen, y)
        z = mean + log_sd.exp() * torch.randn_like(mean)
        log_px = self.likelihood.log_prob(self.decoder(self._beside(z, seen), y), x, rows.mask)
        return log_px, self.divergence(z, mean, log_sd) + self._extra(seen, z, y)

    def to_decode(self, z: Tensor, y: Tensor | None, noise: Callable[..., Tensor] = torch.zeros) -> Tensor:
        """What the decoder sees for latents z and classes y: with ``skip``, a from p(a | y, z) beside z."""
        if not self.skip:
            return z
        mean, log_sd = self.posterior(None, z, y)
        return self._beside(z, mean + log_sd.exp() * noise(mean.shape, dtype=z.dtype, device=z.device))

    def log_weights(self, rows: TensorRows, noise: Tensor) -> Tensor:
        """Log Σ_y p(x, y, z_y) p(a | x, y, z_y) / [q(a | x) q(z_y | a, x, y)], (S, n)."""
        inputs, classes = super().look(rows), self.every_class(len(rows.x))
        mean_a, log_sd_a = self.auxiliary(inputs)
        found = []
        for of_a, of_z in zip(noise[:, : self.n_auxiliary], noise[:, self.n_auxiliary :], strict=True):
            seen = torch.cat([inputs, mean_a + log_sd_a.exp() * of_a], dim=-1)
            mean, log_sd = self.encoder(seen, classes)
            z = mean + log_sd.exp() * of_z
            log_px = self.likelihood.log_prob(self.decoder(self._beside(z, seen), classes), rows.x, rows.mask)
            each = log_px + self.log_ratio(z, mean, log_sd) - self._extra(seen, z, classes)
            found.append((each + self.log_prior[:, None]).logsumexp(dim=0))
        return torch.stack(found)

    def _beside(self, z: Tensor, seen: Tensor) -> Tensor:
        """With ``skip`` the latents (…, n, latents) and a, which ``seen`` (…, n, at least a) ends in."""
        if not self.skip:
            return z
        a = seen[..., -self.n_auxiliary :]
        return torch.cat([z, a.expand(*z.shape[:-1], self.n_auxiliary)], dim=-1)

    def _extra(self, seen: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Log q(a | x) − log p(a | x, y, z), (…, n)."""
        inputs, a = seen[:, : -self.n_auxiliary], seen[:, -self.n_auxiliary :]
        return normal_log_prob(a, *self.auxiliary(inputs)) - normal_log_prob(a, *self.posterior(inputs, z, y))
