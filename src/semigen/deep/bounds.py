"""The bounds that deep models maximize, as pure functions of tensors.

Class-major: a tensor over classes and rows is (K, n), one over importance samples, classes and rows
(S, K, n). All values are in nats per row and larger is better; only :func:`semi_supervised_loss` is a loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_kl(mean: Tensor, log_sd: Tensor) -> Tensor:
    """KL(N(mean, sd²) ‖ N(0, I)) of each latent, ``½ (mean² + sd² − 1) − log sd``, same shape."""
    return 0.5 * (mean.square() + (2.0 * log_sd).exp() - 1.0) - log_sd


def labeled_bound(log_px: Tensor, log_py: Tensor, kl: Tensor, kl_weight: float | Tensor = 1.0) -> Tensor:
    """L(x, y) = E_q(z|x,y)[log p(x | y, z)] + log p(y) − KL(q(z | x, y) ‖ p(z)) ≤ log p(x, y).

    Kingma, Mohamed, Rezende & Welling (2014), *NeurIPS* 27, eq. 6.

    Parameters
    ----------
    log_px : Tensor
        log p(x | y, z) for z drawn from q(z | x, y), or its mean over several draws.
    log_py : Tensor
        log p(y).
    kl : Tensor
        KL divergence of the latents, summed over them.
    kl_weight : float, default=1
        Below 1 during a warm-up, when the value is not a bound; 1 otherwise.

    Returns
    -------
    Tensor
        (n,) or (K, n), as the three are broadcast.
    """
    return log_px + log_py - kl_weight * kl


def unlabeled_bound(log_q: Tensor, bound: Tensor) -> Tensor:
    """U(x) = Σ_y q(y | x) L(x, y) + H(q(y | x)) ≤ log p(x), summed over y, which is never sampled.

    With H(q) = −Σ_y q log q this is ``Σ_y q (L − log q)`` (Kingma et al. 2014, eq. 7). Its maximum over q is
    ``log Σ_y exp L(x, y)``, at q(y | x) ∝ exp L(x, y): the bound itself trains the classifier q.

    Parameters
    ----------
    log_q : Tensor of shape (K, n)
        log q(y | x), normalized over the first axis.
    bound : Tensor of shape (K, n)
        L(x, y).

    Returns
    -------
    Tensor of shape (n,)
    """
    return (log_q.exp() * (bound - log_q)).sum(dim=0)


def truncate(log_q: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the k most probable classes of each row: q̃(y | x) = q(y | x) / m(x) on them, 0 elsewhere.

    :func:`unlabeled_bound` of q̃ needs L(x, y) for k classes instead of K and is still a bound, because any
    distribution over y gives one. The loss is known: if q(y | x) is the model's own p(y | x), the truncated
    bound is below the full one by exactly −log m(x), where m(x) is the probability of the classes that are
    kept (Lücke & Eggert 2010, *JMLR* 11:2855).

    Parameters
    ----------
    log_q : Tensor of shape (K, n)
    k : int

    Returns
    -------
    log_q : Tensor of shape (k, n)
        log q̃, normalized.
    classes : Tensor of shape (k, n), int64
        Which classes these are.
    log_mass : Tensor of shape (n,)
        log m(x) ≤ 0.
    """
    kept, classes = log_q.topk(k, dim=0)
    log_mass = kept.logsumexp(dim=0)
    return kept - log_mass, classes, log_mass


def semi_supervised_loss(
    labeled: Tensor, unlabeled: Tensor, cross_entropy: Tensor, *, labeled_share: float | Tensor, alpha: float
) -> Tensor:
    """−[s · mean L(x, y) + (1 − s) · mean U(x)] + α · mean cross-entropy, nats per row.

    s is the labeled rows' share of the total weight, so the bracket estimates the mean bound over all rows,
    whatever the sizes of the two batches. α is the weight of the mean cross-entropy of the labeled rows,
    −log q(y | x), relative to that mean bound: one scale for all models and numbers of rows. (Kingma et al.
    2014, eq. 9, add ``0.1 N · mean`` to a *sum* of N bounds, which is 0.1 here. So does their code: it weighs
    the sum of the N_l labeled cross-entropies 0.1 N / N_l.)

    Without the cross-entropy, labels would enter through L(x, y) alone, which does not depend on q(y | x).

    Parameters
    ----------
    labeled, unlabeled, cross_entropy : Tensor of shape ()
        Means over the rows of a batch.
    labeled_share : float in [0, 1]
    alpha : float ≥ 0
    """
    bound = labeled_share * labeled + (1.0 - labeled_share) * unlabeled
    return alpha * cross_entropy - bound


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """``Σ w v / Σ w`` over the last axis; 0 where there are no rows."""
    if not values.shape[-1]:
        return values.sum(dim=-1)
    return (values * weight).sum(dim=-1) / weight.sum(dim=-1)


def warm_up(step: int, warmup_steps: int) -> float:
    """How much of a warm-up is over after ``step`` optimizer steps: linear from 0 to 1.

    A pure function of the optimizer's steps: evaluating the model does not advance it.
    """
    return 1.0 if step >= warmup_steps else step / warmup_steps


def importance_weighted_bound(log_weight: Tensor) -> Tensor:
    """Log 1/S Σ_s p(x, z_s) / q(z_s | x), (S, n) → (n,).

    Its mean is a lower bound of log p(x) that grows with S to log p(x) (Burda, Grosse & Salakhutdinov 2016,
    *ICLR*, eq. 8); S = 1 is the plain bound.

    Parameters
    ----------
    log_weight : Tensor of shape (S, n)
        log p(x, z_s) − log q(z_s | x); of a model with classes, log Σ_y p(x, y, z_sy) / q(z_sy | x, y).
    """
    return log_weight.logsumexp(dim=0) - math.log(len(log_weight))


def importance_weighted_error(log_weight: Tensor) -> Tensor:
    """Standard error of :func:`importance_weighted_bound`, by the delta method, (S, n) → (n,).

    ``sd(w) / (mean(w) √S)`` with the weights of each row; NaN for S = 1.
    """
    n_samples = len(log_weight)
    scaled = (log_weight - log_weight.max(dim=0).values).exp()
    if n_samples == 1:
        return torch.full_like(scaled[0], math.nan)
    return scaled.std(dim=0) / (scaled.mean(dim=0) * math.sqrt(n_samples))
