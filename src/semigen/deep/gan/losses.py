"""The losses of the K+1 GAN, as pure functions: K classes of real rows, and one of generated rows.

K logits l_k are enough for K + 1 classes: adding a constant to all K + 1 changes nothing, so that of the
generated class is fixed at 0. With Z = Σ_k exp l_k, a row is real with probability ``D(x) = Z / (Z + 1)``
and, if it is real, of class k with ``exp l_k / Z`` (Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen
2016, *NeurIPS* 29, sec. 5). Adding c to the K logits alone leaves the classes' probabilities as they are and
multiplies the odds D / (1 − D) by e^c.

All values are in nats and smaller is better. Rows are on the first axis, (n, K) or (n, F).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−log p(y | x, real) = log Z − l_y of labeled rows, (n,).

    Parameters
    ----------
    logits : Tensor of shape (n, K)
    y : Tensor of shape (n,), int64
    """
    return -logits.log_softmax(dim=-1).gather(1, y[:, None])[:, 0]


def real_loss(logits: Tensor) -> Tensor:
    """−log D(x) = −log Z + softplus(log Z) = softplus(−log Z) of rows of the data, (n, K) → (n,)."""
    return softplus(-logits.logsumexp(dim=-1))


def generated_loss(logits: Tensor) -> Tensor:
    """−log(1 − D(x)) = softplus(log Z) of generated rows, (n, K) → (n,)."""
    return softplus(logits.logsumexp(dim=-1))


def feature_matching(mean_real: Tensor, mean_generated: Tensor) -> Tensor:
    """‖E f(x) − E f(G(z))‖² / F from the mean features (F,) of both: what the generator minimizes.

    It does not depend on whether the discriminator finds rows real. Division by F makes the size of gradients
    independent of the width of the layer.
    """
    return (mean_real - mean_generated).square().mean()


def conditional_entropy(logits: Tensor) -> Tensor:
    """H(p(y | x, real)) = −Σ_k p_k log p_k, (n, K) → (n,).

    Minimized on unlabeled rows, it keeps decision boundaries away from them (Dai, Yang, Yang, Cohen &
    Salakhutdinov 2017, *NeurIPS* 30, eq. 6).
    """
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


def pull_away(features: Tensor) -> Tensor:
    """Σ_{i ≠ j} cos²(f_i, f_j) / (n (n − 1)) of generated rows' features (n, F).

    Minimized by the generator, it makes generated rows more diverse (Zhao, Mathieu & LeCun 2017, *ICLR*, eq.
    4), the tractable stand-in for their entropy in Dai et al. (2017). 0 for fewer than two rows.
    """
    n_rows = len(features)
    unit = normalize(features, dim=-1)
    squares = (unit @ unit.T).square()
    return (squares.sum() - torch.diagonal(squares).sum()) / max(n_rows * (n_rows - 1), 1)
