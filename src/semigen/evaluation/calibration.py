"""How sure predictions may be: one power of what a model makes of the columns, beside the class shares."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Array = NDArray[np.float64]

POWER = 0.1
"""Power of a network's evidence where no label can be held out."""
SIZE, STRENGTH = 0.1, 1.0
"""The prior of log a is normal around log (SIZE / s) with variance 1 / (2 · STRENGTH), where s is how far the
evidence spreads between classes, nats: the median over held-out rows of its standard deviation. So the scale
of logits does not matter, nor do a few rows far from all others. Chosen on development tables, with ten
labels per class."""
POWER_RANGE = (0.01, 1.5)
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
    """The power a that minimizes ``-Σ w log p_a(y | x) + STRENGTH (log a - log (SIZE / s))²``.

    Parameters
    ----------
    probs : ndarray of shape (m, K)
        Of a network that has not seen these rows.
    shares : ndarray of shape (K,)
    code : ndarray of shape (m,)
        True classes.
    weight : ndarray of shape (m,)
    """
    if not weight.any():
        return POWER
    logs, at = np.log(np.maximum(probs, LEAST)), np.arange(len(code))
    spread = evidence_spread(probs, shares, weight)
    low, high = np.log(POWER_RANGE)
    usual = np.clip(np.log(SIZE / max(spread, LEAST)), low, high)

    def loss(log_power: float) -> float:
        of_class = Calibration(float(np.exp(log_power)), shares).of_logs(logs)[at, code]
        return float(-(of_class @ weight)) + STRENGTH * float(log_power - usual) ** 2

    return float(np.exp(minimize_scalar(loss, bounds=(float(low), float(high)), method="bounded").x))


def evidence_spread(probs: Array, shares: Array, weight: Array) -> float:
    """How far the evidence log q(k | x) - log π_k spreads between classes, nats, in the median row.

    Parameters
    ----------
    probs : ndarray of shape (m, K)
    shares : ndarray of shape (K,)
    weight : ndarray of shape (m,)
        Not all 0.
    """
    logs = np.log(np.maximum(probs, LEAST))
    return _median((logs - np.log(shares)).std(axis=1), weight)


def _median(values: Array, weight: Array) -> float:
    """The smallest value that half of the weight does not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(reached, 0.5 * reached[-1])]])
