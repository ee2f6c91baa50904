"""How uncertain class probabilities are, and how far the models of an ensemble disagree, in nats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty about the class of each row, in nats; ``total = aleatoric + epistemic``.

    Attributes
    ----------
    total : ndarray of shape (n,)
        Entropy of the models' mean probabilities, from 0 to log K.
    aleatoric : ndarray of shape (n,)
        Mean entropy of the models: what they agree cannot be told from the columns.
    epistemic : ndarray of shape (n,)
        The rest, which is the mutual information of class and model: the models disagree, and more labels
        would make them agree.
    """

    total: Array
    aleatoric: Array
    epistemic: Array


def entropy(probs: Array) -> Array:
    """−Σ p log p over the last axis."""
    return np.asarray(-(probs * np.log(np.maximum(probs, 1e-300))).sum(axis=-1))


def disagreement(probs: Array, shares: Array | None = None) -> Uncertainty:
    """Uncertainty of the mean of several models and its parts.

    Parameters
    ----------
    probs : ndarray of shape (models, n, K)
    shares : ndarray of shape (models,) or (models, n), or None
        How much each model counts, of each row if that differs, sum 1; None: all the same.

    References
    ----------
    Depeweg, Hernández-Lobato, Doshi-Velez & Udluft (2018), *ICML*: decomposition of uncertainty.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.evaluation.uncertainty import disagreement
    >>> agreed, disputed = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    >>> found = disagreement(np.array([agreed, disputed]).transpose(1, 0, 2))
    >>> found.aleatoric.round(2), found.epistemic.round(2)
    (array([0.69, 0.  ]), array([0.  , 0.69]))
    """
    share = np.full((len(probs), 1), 1 / len(probs)) if shares is None else shares.reshape(len(probs), -1)
    total = entropy((share[..., None] * probs).sum(axis=0))
    epistemic = np.maximum(total - (share * entropy(probs)).sum(axis=0), 0.0)
    return Uncertainty(total, total - epistemic, epistemic)
