"""How sure predictions may be: one power of what a model makes of the columns, beside the class shares."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Array = NDArray[np.float64]

POWER = 0.3
"""Power of a network's evidence before any label is held out. Chosen on the development tables."""
DOUBT = 4.0
"""The prior of the power is normal around ``POWER`` with variance 1 / (2 · ``DOUBT``)."""
MOST_POWER = 1.5
LEAST = 1e-12
"""Probabilities of networks are not taken to be smaller."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """``p(k | x) ∝ π_k (q(k | x) / π_k)^a``: a network's probabilities, as sure as they may be.

    q(k | x) / π_k is what a network makes of the columns. With a = 0 predictions are the class shares π, with
    a = 1 those of the network. 1 / a is the temperature of its logits (Guo et al. 2017, *ICML*) beside fixed
    shares.

    Attributes
    ----------
    power : float
        a, 0 or more.
    shares : ndarray of shape (K,)
        π.
    """

    power: float
    shares: Array = field(repr=False)

    def __call__(self, probs: Array) -> Array:
        """Calibrated probabilities, of the shape (…, K) of ``probs``."""
        if self.power == 1.0:
            return probs
        return np.asarray(np.exp(self.of_logs(np.log(np.maximum(probs, LEAST)))))

    def of_logs(self, log_probs: Array) -> Array:
        """Calibrated log probabilities from log probabilities, or others that differ by a sum per row."""
        prior = np.log(self.shares)
        return np.asarray(log_softmax(prior + self.power * (log_probs - prior), axis=-1))


def best_power(probs: Array, shares: Array, code: NDArray[np.intp], weight: Array) -> float:
    """The power a ≥ 0 that minimizes ``-Σ w log p_a(y | x) + DOUBT (a - POWER)²``, which is convex in a.

    Parameters
    ----------
    probs : ndarray of shape (m, K)
    shares : ndarray of shape (K,)
    code : ndarray of shape (m,)
        True classes.
    weight : ndarray of shape (m,)
    """
    logs, at = np.log(np.maximum(probs, LEAST)), np.arange(len(code))

    def loss(power: float) -> float:
        of_class = Calibration(power, shares).of_logs(logs)[at, code]
        return float(-(of_class @ weight)) + DOUBT * (power - POWER) ** 2

    return float(minimize_scalar(loss, bounds=(0.0, MOST_POWER), method="bounded").x)
