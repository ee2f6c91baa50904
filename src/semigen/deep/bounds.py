"""The bounds that deep models maximize, as pure functions of tensors.

Class-major: a tensor over classes and rows is (K, n), one over importance samples, classes and rows
(S, K, n). All values are in nats per row and larger is better; only :func:`semi_supervised_loss` is a loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TAIL_SHAPE = 0.75
_TAIL_REACH = 5.0


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


def guessed(log_q: Tensor, y: Tensor) -> Tensor:
    """−log q(y | x) of rows with a guessed class, and 0 of those without one (y = −1), (K, n) → (n,)."""
    return torch.where(y >= 0, -log_q.gather(0, y.clamp(min=0)[None])[0], 0.0)


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
    """Standard error of :func:`importance_weighted_bound`, (S, n) → (n,).

    By the delta method it is ``sd(w) / (mean(w) √S)`` with the weights of each row. But the weights of an
    autoencoder have heavy tails, with a shape of about 0.6 to 0.8 (from 0.5 on the variance is infinite), and
    draws that lack the large weights have a small sd, too: errors then are many times that. So the largest
    3 √S weights, at most half of them, are taken for a generalized Pareto distribution of shape 0.75 with the
    median of their excesses, up to the weight that is exceeded once in five times as many draws. The larger
    of the two errors is returned; NaN for S = 1.
    """
    n_samples = len(log_weight)
    if n_samples == 1:
        return torch.full_like(log_weight[0], math.nan)
    weight = (log_weight - importance_weighted_bound(log_weight)).exp()  # of mean 1
    of_delta = weight.std(dim=0) / math.sqrt(n_samples)
    n_tail = max(1, min(n_samples // 2, math.ceil(3 * math.sqrt(n_samples))))
    ordered = weight.sort(dim=0).values
    rest, above = ordered[: n_samples - n_tail], ordered[n_samples - n_tail :]
    start = rest[-1]
    scale = (above - start).median(dim=0).values / (2.0**_TAIL_SHAPE - 1.0)
    least = 1.0 / (_TAIL_REACH * n_tail)  # x = scale (u^-shape − 1) for u from ``least`` to 1
    one, two = (_moment_of_power(j * _TAIL_SHAPE, least) for j in (1, 2))
    first, second = scale * (one - (1.0 - least)), scale.square() * (two - 2.0 * one + 1.0 - least)
    beyond = n_tail * (second + 2.0 * (start - 1.0) * first + (start - 1.0).square())
    of_tail = ((rest - 1.0).square().sum(dim=0) + beyond).sqrt() / n_samples
    return torch.maximum(of_delta, of_tail)


def _moment_of_power(power: float, least: float) -> float:
    """∫ u^−power du from ``least`` to 1."""
    return float((1.0 - least ** (1.0 - power)) / (1.0 - power))
