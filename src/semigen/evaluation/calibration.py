"""How sure predictions may be: a power of what a model makes of the columns, beside the class shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import log_softmax, logsumexp, softmax

Array = NDArray[np.float64]

POWER = 0.1
"""Power of a network's evidence where no label can be held out."""
USUAL, SD = 0.25, 1.3
"""Before labels are held out, log a is normal around log(USUAL · mean agreement of the folds with the fit),
in units of how far the evidence spreads, with this standard deviation. Chosen on development tables, with
ten labels per class."""
TRUST = 6
"""Held-out rows of a fold count by this power of its agreement with the fit: half of .9, a sixth of .75."""
LEAST_AGREEMENT = 0.05
"""The mean agreement is not taken to be smaller."""
DEVIATIONS = np.linspace(-3.0, 3.0, 21)
"""Possible log powers beside the usual one, in standard deviations."""
MOST_POWERS = 5
"""Powers that predictions are averaged over."""
ROUNDING = 1e-9
LEAST_SPREAD = 0.1
"""Evidence is not taken to spread less, nats."""
LEAST = 1e-12
"""Probabilities of networks are not taken to be smaller."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """``p(k | x) = Σ_a P(a) p_a(k | x)``, ``p_a(k | x) ∝ π_k (q(k | x) / π_k)^a``: as sure as they may be.

    q(k | x) / π_k is what a network makes of the columns. With a = 0 predictions are the class shares π, with
    a = 1 those of the network. 1 / a is the temperature of its logits (Guo et al. 2017, *ICML*) beside fixed
    shares.

    Attributes
    ----------
    powers : ndarray of shape (m,)
        Possible a, 0 or more.
    chances : ndarray of shape (m,)
        P(a).
    shares : ndarray of shape (K,)
        π.
    """

    powers: Array
    chances: Array = field(repr=False)
    shares: Array = field(repr=False)

    @classmethod
    def at(cls, power: float, shares: Array) -> Self:
        """With one power."""
        return cls(np.array([power]), np.ones(1), shares)

    @classmethod
    def of_posterior(cls, power: float, shares: Array) -> Self:
        """The power of a whole posterior, whose class shares (K,) are raised to it, too."""
        raised = shares**power
        return cls.at(power, raised / raised.sum())

    @property
    def power(self) -> float:
        """The geometric mean of the powers."""
        with np.errstate(divide="ignore"):
            return float(np.exp(self.chances @ np.log(self.powers)))

    def __call__(self, probs: Array) -> Array:
        """Calibrated probabilities, of the shape (…, K) of ``probs``."""
        is_model = len(self.powers) == 1 and self.powers[0] == 1.0
        return probs if is_model else self.of_evidence(evidence_of(probs, self.shares))

    def log_of_evidence(self, evidence: Array) -> Array:
        """Log of :meth:`of_evidence`, without ``exp`` of what is far from 0, (n, K)."""
        with np.errstate(divide="ignore"):
            log_shares, log_chances = np.log(self.shares), np.log(self.chances)
        parts = (
            chance + log_softmax(log_shares + power * evidence, axis=1)
            for power, chance in zip(self.powers, log_chances, strict=True)
        )
        return np.asarray(reduce(np.logaddexp, parts))

    def of_evidence(self, evidence: Array) -> Array:
        """Calibrated probabilities of evidence (:func:`evidence_of`), (…, K)."""
        by_class = np.moveaxis(evidence, -1, 0)  # sums over the first axis are several times as fast
        shares = self.shares.reshape(-1, *[1] * (evidence.ndim - 1))
        if not shares.all():
            by_class = np.where(shares > 0, by_class, -np.inf)
        by_class = by_class - by_class.max(axis=0)
        found = np.zeros(by_class.shape)
        for power, chance in zip(self.powers, self.chances, strict=True):
            each = power * by_class
            np.exp(each, out=each)
            each *= shares
            each *= chance / each.sum(axis=0)
            found += each
        return np.ascontiguousarray(np.moveaxis(found, 0, -1))


@dataclass(frozen=True, eq=False)
class Fold:
    """What a fit that has not seen some labeled rows makes of the columns.

    Attributes
    ----------
    evidence : ndarray of shape (m, K)
        Of these rows (:func:`evidence_of`).
    code : ndarray of int, shape (m,)
        Their true classes.
    weight : ndarray of shape (m,)
    shown : ndarray of shape (n, K)
        The evidence of rows that all fits are shown, most of them without a label.
    """

    evidence: Array
    code: NDArray[np.intp]
    weight: Array
    shown: Array


def evidence_of(probs: Array, shares: Array) -> Array:
    """Log q(k | x) - log π_k, nats, of the shape (…, K) of ``probs``."""
    return np.asarray(np.log(np.maximum(probs, LEAST)) - np.log(shares))


def calibrate(shown: Array, weight: Array, folds: Sequence[Fold], shares: Array) -> Calibration:
    """How sure a fit may be, by labeled rows that similar fits have not seen.

    Where the folds make something else of the rows that all are shown, the fit depends on which rows happen
    to have a label: the usual power is proportional to their mean :func:`agreement` with it. A fold's
    held-out rows count by its agreement to the power of TRUST. All powers are in units of the evidence's
    spread between classes in each fit.

    Parameters
    ----------
    shown : ndarray of shape (n, K)
        The fit's evidence of the rows that all are shown.
    weight : ndarray of shape (n,)
        Of these rows, not all 0.
    folds : sequence of Fold
        With nothing in it, the power is POWER.
    shares : ndarray of shape (K,)
    """
    if not folds:
        return Calibration.at(POWER, shares)
    agreements = [agreement(shown, fold.shown, weight) for fold in folds]
    usual = USUAL * max(float(np.mean(agreements)), LEAST_AGREEMENT)
    seen = [
        (fold.evidence / spread(fold.shown, weight), fold.code, agreed**TRUST * fold.weight)
        for fold, agreed in zip(folds, agreements, strict=True)
    ]
    powers, chances, _ = power_posterior(usual, seen, shares)
    return Calibration(powers / spread(shown, weight), chances, shares)


def power_posterior(
    usual: float,
    seen: Iterable[tuple[Array, NDArray[np.intp], Array]],
    shares: Array,
    largest: float | None = None,
    trust: float = 1.0,
) -> tuple[Array, Array, float]:
    """How probable each power is: log a is normal around log(``usual``) before labels left out speak.

    Parameters
    ----------
    usual : float
    seen : iterable of (evidence (m, K), code (m,), weight (m,))
        Of rows that a fit has not seen: what it makes of them, and their true classes.
    shares : ndarray of shape (K,)
    largest : float or None, default=None
        No power is larger: this one is as probable as all beyond.
    trust : float, default=1.0
        For the chances of the powers a row counts as so many: below 1 where rows left out are easier than new
        ones, or fits without them too much alike.

    Returns
    -------
    powers, chances : ndarray of shape (m,)
        m is ``MOST_POWERS`` at most, by :func:`few_values` of log a.
    loss : float
        ``-log Σ_a P(a) Π p_a(y | x)^w``, nats: minus the log of the marginal likelihood.
    """
    possible = usual * np.exp(SD * DEVIATIONS)
    powers, at = np.unique(
        np.minimum(possible, possible.max() if largest is None else largest), return_inverse=True
    )
    prior = np.log(np.bincount(at, softmax(-0.5 * DEVIATIONS**2)))
    likelihood = np.zeros(len(powers))
    with np.errstate(divide="ignore"):
        log_shares = np.log(shares)
    for evidence, code, weight in seen:
        rows = np.arange(len(code))
        for i, power in enumerate(powers):
            likelihood[i] += log_softmax(log_shares + power * evidence, axis=1)[rows, code] @ weight
    log_powers, chances = few_values(np.log(powers), softmax(prior + trust * likelihood))
    return np.exp(log_powers), chances, -float(logsumexp(prior + likelihood))


def few_values(values: Array, chances: Array, most: int = MOST_POWERS) -> tuple[Array, Array]:
    """The few values and chances with the same moments as many: Gauss quadrature by Lanczos' method.

    Of ``most`` values 2 · ``most`` - 1 moments (Golub & Welsch 1969, *Math. Comp.* 23:221); all where there
    are no more.
    """
    basis = np.sqrt(chances)[None] / np.linalg.norm(np.sqrt(chances))
    diagonal, beside = [], []
    while True:
        next_one = values * basis[-1]
        diagonal.append(float(basis[-1] @ next_one))
        for _ in range(2):  # once leaves rounding behind
            next_one = next_one - basis.T @ (basis @ next_one)
        length = float(np.linalg.norm(next_one))
        if len(diagonal) == most or length <= ROUNDING * np.abs(values).max():
            break
        beside.append(length)
        basis = np.vstack([basis, next_one / length])
    found, vectors = eigh_tridiagonal(diagonal, beside)
    return np.asarray(found, dtype=np.float64), np.asarray(vectors[0] ** 2, dtype=np.float64)


def agreement(one: Array, other: Array, weight: Array) -> float:
    """How often two fits find the same class, from 0 (as by chance, or less) to 1 (Cohen's kappa).

    Parameters
    ----------
    one, other : ndarray of shape (n, K)
        Evidence of the same rows.
    weight : ndarray of shape (n,)
        Not all 0.
    """
    table = np.zeros((one.shape[1],) * 2)
    np.add.at(table, (one.argmax(axis=1), other.argmax(axis=1)), weight / weight.sum())
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return max(0.0, float(np.trace(table)) - by_chance) / max(LEAST, 1.0 - by_chance)


def spread(evidence: Array, weight: Array) -> float:
    """How far evidence (n, K) spreads between classes, nats: the weighted median of the rows' deviations."""
    values = evidence.std(axis=1)
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return max(LEAST_SPREAD, float(values[order[np.searchsorted(reached, 0.5 * reached[-1])]]))
