"""M1 and M2 with their losses: p(x | y, z), q(z | x, y) and q(y | x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from semigen.deep import bounds
from semigen.deep.data.likelihoods import Likelihood
from semigen.deep.data.rows import Batch, TensorRows
from semigen.deep.data.tables import Inputs
from semigen.deep.training.model import LossTerms, Model
from semigen.deep.vae.networks import Decoder, Encoder
from semigen.deep.vae.priors import VampPrior, normal_log_prob


class VAE(Model):
    """M1: latents z ~ N(0, I) and p(x | z), with q(z | x) (Kingma & Welling 2014, *ICLR*).

    Parameters
    ----------
    inputs : Inputs
        The inputs of encoder and classifier.
    encoder : Encoder
    decoder : Decoder
    likelihood : Likelihood
    n_latent : int
    warmup_steps : int
        Steps over which the weight of the KL term rises to ``beta``.
    beta : float, default=1
        Weight of the KL term: 1 gives a bound, more ties latents closer to the prior (Higgins et al. 2017).
    free_bits : float, default=0
        Nats of KL divergence of each latent and row that cost nothing (Kingma et al. 2016): a divergence
        below counts as this much, so the value is still a bound.
    prior : VampPrior or None, default=None
        p(z); None: N(0, I).
    """

    def __init__(
        self,
        inputs: Inputs,
        encoder: Encoder,
        decoder: Decoder,
        likelihood: Likelihood,
        *,
        n_latent: int,
        warmup_steps: int = 0,
        beta: float = 1.0,
        free_bits: float = 0.0,
        prior: VampPrior | None = None,
    ) -> None:
        super().__init__()
        self.prior = prior
        self.beta = beta
        self.free_bits = free_bits
        self.inputs = inputs
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.n_latent = n_latent
        self.warmup_steps = warmup_steps

    @property
    def n_noise(self) -> int:
        """Random numbers per draw of all latents."""
        return self.n_latent

    def observe(self, rows: TensorRows) -> tuple[Tensor, Tensor]:
        """The values that the likelihood sees in this step, and the inputs of networks."""
        x = rows.x
        if self.training:
            if rows.sd.shape == x.shape:  # exact values have one sd for all columns
                x = x + rows.sd * torch.randn_like(x)
            x = self.likelihood.observe(x)
        return x, self.inputs(x, rows.mask)

    def bound_parts(
        self, rows: TensorRows, x: Tensor, seen: Tensor, y: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Log p(x | y, z) for one z from q(z | x, y), and KL(q(z | x, y) ‖ p(z)), each (…, n).

        ``x`` and ``seen`` are what :meth:`observe` returns; ``y`` are classes (…, n).
        """
        mean, log_sd = self.encoder(seen, y)
        z = mean + log_sd.exp() * torch.randn_like(mean)
        log_px = self.likelihood.log_prob(self.decoder(z, y), x, rows.mask)
        return log_px, self.divergence(z, mean, log_sd)

    def divergence(self, z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
        """KL(q(z | x, y) ‖ p(z)), exact for a standard normal, otherwise its estimate by a draw z, (…, n)."""
        if self.prior is not None:
            return -self.log_ratio(z, mean, log_sd)
        each = bounds.gaussian_kl(mean, log_sd)
        return (each.clamp(min=self.free_bits) if self.free_bits else each).sum(dim=-1)

    def kl_weight(self, step: int) -> float:
        """Weight of the divergence after so many steps."""
        return self.beta * bounds.warm_up(step, self.warmup_steps)

    def look(self, rows: TensorRows) -> Tensor:
        """What encoder and classifier see of rows that are asked about, (n, inputs)."""
        found: Tensor = self.inputs(rows.x, rows.mask)
        return found

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Mean and sd of each latent under p(z), each (latents,)."""
        if self.prior is not None:
            return self.prior.moments(self.encoder)
        like = self.decoder.first.weight.new_zeros(self.n_latent)
        return like, like + 1.0

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """−mean bound of the unlabeled rows of the batch, which are all rows of M1."""
        rows = batch.unlabeled
        x, seen = self.observe(rows)
        log_px, kl = self.bound_parts(rows, x, seen, None)
        weight = self.kl_weight(step)
        bound = bounds.labeled_bound(log_px, torch.zeros_like(log_px), kl, weight)
        parts = {"bound": bound, "log_px": log_px, "kl": kl}
        return LossTerms(-bounds.weighted_mean(bound, rows.weight), parts)

    def sample(self, n: int, y: Tensor | None = None, *, expected: bool = False) -> Tensor:
        """Draw rows, of classes ``y`` (n,) if there are classes, (n, D).

        ``expected``: only latents are drawn, and the values are their means.
        """
        like = self.decoder.first.weight
        z = torch.randn(n, self.n_latent, dtype=like.dtype, device=like.device)
        z = z if self.prior is None else self.prior.sample(n, self.encoder)
        outputs = self.decoder(self.to_decode(z, y, torch.randn), y)
        return self.likelihood.mean(outputs) if expected else self.likelihood.sample(outputs)

    def to_decode(self, z: Tensor, y: Tensor | None, noise: Callable[..., Tensor] = torch.zeros) -> Tensor:
        """What the decoder sees for latents z and classes y: the latents."""
        return z

    def log_weights(self, rows: TensorRows, noise: Tensor) -> Tensor:
        """Log p(x, z) − log q(z | x), (S, n), for z from noise (S, latents), the same for every row."""
        mean, log_sd = self.encoder(self.look(rows))
        return self._log_weights(rows, mean, log_sd, noise, None)

    def _log_weights(
        self, rows: TensorRows, mean: Tensor, log_sd: Tensor, noise: Tensor, y: Tensor | None
    ) -> Tensor:
        found = []
        for one in noise:
            z = mean + log_sd.exp() * one
            log_px = self.likelihood.log_prob(self.decoder(z, y), rows.x, rows.mask)
            found.append(log_px + self.log_ratio(z, mean, log_sd))
        return torch.stack(found)

    def log_ratio(self, z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
        """Log p(z) − log q(z | x, y) of draws z, (…, n)."""
        if self.prior is not None:
            return self.prior.log_prob(z, self.encoder) - normal_log_prob(z, mean, log_sd)
        noise = (z - mean) * (-log_sd).exp()
        return (log_sd + 0.5 * noise.square() - 0.5 * z.square()).sum(dim=-1)


class ClassVAE(VAE):
    """M2: class y, latents z ~ N(0, I) and p(x | y, z), with q(z | x, y) and q(y | x) (Kingma et al. 2014).

    Parameters
    ----------
    classifier : Module
        From inputs to the logits of q(y | x).
    log_prior : Tensor of shape (K,)
        log p(y).
    labeled_share : float in [0, 1]
        The labeled rows' share of the total weight in the mean bound.
    alpha : float
        Weight of the mean cross-entropy.
    top_k : int or None
        Number of classes of each row that the unlabeled bound sums over; None: all.
    change : callable or None
        Changes labeled rows (n, D) at random for the cross-entropy: augmentation.
    **options
        As :class:`VAE`.

    Attributes
    ----------
    guidance : float
        Weight of the mean cross-entropy of unlabeled rows whose class is guessed, beside that of the labeled
        rows.
    """

    log_prior: Tensor

    def __init__(
        self,
        inputs: Inputs,
        encoder: Encoder,
        decoder: Decoder,
        likelihood: Likelihood,
        classifier: nn.Module,
        log_prior: Tensor,
        *,
        n_latent: int,
        labeled_share: float,
        alpha: float,
        top_k: int | None = None,
        change: Callable[[Tensor], Tensor] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(inputs, encoder, decoder, likelihood, n_latent=n_latent, **options)
        self.classifier = classifier
        self.register_buffer("log_prior", log_prior)
        self.labeled_share = labeled_share
        self.alpha = alpha
        self.change = change
        self.guidance = 0.0
        self.top_k = top_k if top_k is not None and top_k < len(log_prior) else None

    def loss(self, batch: Batch, step: int, objective: str) -> LossTerms:
        """−mean bound of labeled and unlabeled rows + α · mean cross-entropy of the labeled ones."""
        labeled, unlabeled = batch
        weight = self.kl_weight(step)
        x, seen = self.observe(labeled)
        log_px, kl = self.bound_parts(labeled, x, seen, labeled.y)
        bound = bounds.labeled_bound(log_px, self.log_prior[labeled.y], kl, weight)
        if self.change is not None and self.training:
            _, seen = self.observe(labeled._replace(x=self.change(labeled.x)))
        cross_entropy = -self.log_q(seen).gather(1, labeled.y[:, None])[:, 0]

        x, seen = self.observe(unlabeled)
        log_q = self.log_q(seen).T
        guessed = bounds.guessed(log_q, unlabeled.y)
        parts = {}
        if self.top_k is None:
            classes = self.every_class(len(x))
        else:
            log_q, classes, parts["log_mass"] = bounds.truncate(log_q, self.top_k)
        log_px, kl = self.bound_parts(unlabeled, x, seen, classes)
        each = bounds.labeled_bound(log_px, self.log_prior[classes], kl, weight)
        mixed = bounds.unlabeled_bound(log_q, each)
        loss = bounds.semi_supervised_loss(
            bounds.weighted_mean(bound, labeled.weight),
            bounds.weighted_mean(mixed, unlabeled.weight),
            bounds.weighted_mean(cross_entropy, labeled.weight)
            + self.guidance * bounds.weighted_mean(guessed, unlabeled.weight),
            labeled_share=self.labeled_share,
            alpha=self.alpha,
        )
        q = log_q.exp()
        parts |= {"labeled_bound": bound, "unlabeled_bound": mixed, "cross_entropy": cross_entropy}
        parts |= {"kl": (q * kl).sum(dim=0), "entropy": -(q * log_q).sum(dim=0)}
        return LossTerms(loss, {name: value for name, value in parts.items() if value.shape[-1]})

    def log_q(self, seen: Tensor) -> Tensor:
        """Log q(y | x), (n, K)."""
        found: Tensor = self.classifier(seen).to(seen.dtype).log_softmax(dim=-1)
        return found

    def every_class(self, n_rows: int) -> Tensor:
        """All classes for every row, (K, n)."""
        n_classes = len(self.log_prior)
        return torch.arange(n_classes, device=self.log_prior.device)[:, None].expand(n_classes, n_rows)

    def log_weights(self, rows: TensorRows, noise: Tensor) -> Tensor:
        """Log Σ_y p(x, y, z_y) / q(z_y | x, y), (S, n), for z from noise (S, latents)."""
        classes = self.every_class(len(rows.x))
        mean, log_sd = self.encoder(self.look(rows), classes)
        each = self._log_weights(rows, mean, log_sd, noise, classes)
        return (each + self.log_prior[:, None]).logsumexp(dim=1)
