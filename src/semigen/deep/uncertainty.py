"""How uncertain class probabilities are, and how far the members of an ensemble disagree, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def entropy(probs: Array) -> Array:
    """−Σ p log p over the last axis."""
    return np.asarray(-(probs * np.log(np.maximum(probs, 1e-300))).sum(axis=-1))


def disagreement(probs: Array) -> tuple[Array, Array]:
    """Entropy of the members' mean probabilities, and its excess over their mean entropy, each (n,).

    The excess is the mutual information of class and member: the epistemic part. ``probs`` has shape
    (members, n, K).
    """
    total = entropy(probs.mean(axis=0))
    return total, np.maximum(total - entropy(probs).mean(axis=0), 0.0)
