"""How sure predictions may be: one power of what a model makes of the columns, beside the class shares."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

Array = NDArray[np.float64]

POWER = 0.1
"""Power of a network's evidence where no label can be held out."""
SIZE, SD = 0.2, 0.7
"""The evidence to the power a spreads between classes by about SIZE nats; SD is the prior's of log a."""
NOTHING = 0.5
"""Prior probability that the columns carry nothing. All were chosen on development tables, with ten labels
per class."""
MOST = 1.5
"""The largest power."""
GRID = np.linspace(-4.0, 4.0, 81)
"""Where log a is looked at, in standard deviations of the prior."""
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


def expected_power(probs: Array, shares: Array, code: NDArray[np.intp], weight: Array) -> float:
    """The posterior mean of the power a.

    A priori a is 0 with probability ½, because the columns may carry nothing; otherwise log a is normal with
    sd 0.7 around log (0.2 / s), and a at most 1.5. s is how far the evidence spreads between classes,
    nats: the root mean square over held-out rows of its standard deviation. So the scale of logits does not
    matter. The likelihood is ``Σ w log p_a(y | x)``.

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
    spread = np.sqrt(np.average((logs - np.log(shares)).var(axis=1), weights=weight))
    usual = min(np.log(SIZE / max(spread, LEAST)), np.log(MOST))
    log_power = usual + SD * GRID
    log_power = log_power[log_power <= np.log(MOST)]

    def log_likelihood(power: float) -> float:
        return float(Calibration(power, shares).of_logs(logs)[at, code] @ weight)

    log_prior = log_softmax(-0.5 * ((log_power - usual) / SD) ** 2) + np.log1p(-NOTHING)
    gain = np.array([log_likelihood(one) for one in np.exp(log_power)]) - log_likelihood(0.0)
    posterior = softmax(np.append(log_prior + gain, np.log(NOTHING)))
    return float(posterior[:-1] @ np.exp(log_power))
