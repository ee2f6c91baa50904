"""Prediction sets: every class that is likely enough, so that most sets have the true one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.common.checks import real
from semigen.evaluation.metrics import align_probabilities
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]
MOST_COVERAGE = 0.999
_ROUNDING = 1e-9
_MOST_NAMED = 5


@dataclass(frozen=True)
class HeldOutProbabilities:
    """Class probabilities of labeled rows by a model that was fitted without them.

    Attributes
    ----------
    classes : ndarray of shape (K,)
    code : ndarray of shape (m,), intp
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    probabilities : ndarray of shape (m, K)
    """

    classes: NDArray[Any]
    code: NDArray[np.intp] = field(repr=False)
    weight: Array = field(repr=False)
    probabilities: Array = field(repr=False)


@dataclass(frozen=True)
class SetRule:
    """The classes of a prediction set: those whose probability is at least their threshold.

    Attributes
    ----------
    classes : ndarray of shape (K,)
    coverage : float
        Share of the sets that should hold the true class.
    by_class : bool
        Whether that holds for the rows of each class, or for all rows together.
    thresholds : ndarray of shape (K,)
        Least probability of each class that is in a set; all the same unless ``by_class``.
    n_rows : ndarray of shape (K,)
        Held-out labeled rows that each threshold rests on; rows of weights w count as (Σ w)² / Σ w².
    n_assumed : ndarray of shape (K,)
        Rows that were not there, and that each threshold takes from the probabilities instead.
    """

    classes: NDArray[Any]
    coverage: float
    by_class: bool
    thresholds: Array
    n_rows: Array
    n_assumed: Array

    def sets(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Whether each class is in the set of each row, (n, K), from class probabilities (n, K).

        Raises
        ------
        ParameterError
            If these are no probabilities, or of another number of classes.
        """
        given = align_probabilities(probabilities, self.classes, self.classes)
        return np.asarray(given >= self.thresholds)

    @property
    def caution(self) -> str | None:
        """In words, where thresholds rest on probabilities for want of held-out labels; None otherwise."""
        few = [k for k in np.argsort(self.n_rows, kind="stable").tolist() if self.n_assumed[k] > _ROUNDING]
        if not few:
            return None
        needed = 1 / (1 - self.coverage) - 1
        counts = ", ".join(f"{self.classes.tolist()[k]!r} ({self.n_rows[k]:.3g})" for k in few[:_MOST_NAMED])
        more = f" and {len(few) - _MOST_NAMED} more" if len(few) > _MOST_NAMED else ""
        each, which = "", f"({self.n_rows[0]:.3g})"
        if self.by_class:
            each, which = " of each class", f"of the classes {counts}{more}"
        return (
            f"Sets that cover {self.coverage:.4g} need {needed:.3g} held-out labels{each}, and there are "
            f"fewer {which}: their thresholds rest on the probabilities, too."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return {
            "coverage": self.coverage,
            "by_class": self.by_class,
            "caution": self.caution,
            "classes": [
                {"class": name, "threshold": threshold, "n_rows": rows, "n_assumed": assumed}
                for name, threshold, rows, assumed in zip(
                    self.classes.tolist(),
                    self.thresholds.tolist(),
                    self.n_rows.tolist(),
                    self.n_assumed.tolist(),
                    strict=True,
                )
            ],
        }


def set_rule(held_out: HeldOutProbabilities, coverage: float = 0.9, *, by_class: bool = False) -> SetRule:
    """Learn from held-out rows how probable a class must be to be in a prediction set.

    A class is left out of a set where its p-value is 1 - coverage or less. With the probabilities p_i of the
    true classes of n held-out rows, the p-value of a class with the probability p is that of conformal
    prediction, ``(Σ_i [p_i ≤ p] + 1) / (n + 1)``.

    With fewer than ``1 / (1 - coverage) - 1`` rows (9 at 90 %) that is never small enough to leave a class
    out. There the missing rows and the new one are taken from the probabilities themselves: the p-value is
    ``(Σ_i [p_i ≤ p] + (m - n) F(p)) / m`` with ``m = 1 / (1 - coverage)``, where F is the distribution of
    the p_i that calibrated probabilities lead to expect, that of p_k(x) where class k is drawn from p(k | x),
    over all held-out rows. So a class with two labels gets sets that rest mostly on its probabilities, and
    one with nine on its labels.

    Parameters
    ----------
    held_out : HeldOutProbabilities
    coverage : float, default=0.9
        Above 0, at most 0.999.
    by_class : bool, default=False
        Every class by its own held-out rows, so that rare classes are covered as often as frequent ones; else
        all rows together, which gives the smallest sets.

    Raises
    ------
    ParameterError
        If ``coverage`` is out of bounds, or there is no held-out row.

    References
    ----------
    V. Vovk, A. Gammerman & G. Shafer (2005), *Algorithmic Learning in a Random World*. M. Sadinle, J. Lei &
    L. Wasserman (2019), *JASA* 114:223, on thresholds as the smallest sets. V. Vovk (2015), *Annals of
    Mathematics and Artificial Intelligence* 74:9, on cross-fitted p-values.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.evaluation.conformal import HeldOutProbabilities, set_rule
    >>> p = np.linspace(0.5, 1, 40)
    >>> rows = HeldOutProbabilities(np.array(["a", "b"]), np.zeros(40, int), np.ones(40), np.c_[p, 1 - p])
    >>> rule = set_rule(rows, 0.9)
    >>> rule.thresholds.round(2)
    array([0.54, 0.54])
    >>> rule.sets([[0.7, 0.3], [0.52, 0.48]]).tolist()
    [[True, False], [False, False]]
    """
    alpha = 1 - share_to_cover(coverage)
    code, weight, probs = held_out.code, held_out.weight, held_out.probabilities
    if not weight.any():
        raise ParameterError("there is no held-out row to learn prediction sets from.")
    n_classes = len(held_out.classes)
    of_true = probs[np.arange(len(code)), code]
    found = []
    for k in range(n_classes) if by_class else [None]:
        mine = slice(None) if k is None else code == k
        expected = probs if k is None else probs[:, k : k + 1]
        found.append(_threshold(of_true[mine], weight[mine], expected, weight, alpha))
    thresholds, n_rows, n_assumed = (np.broadcast_to(value, n_classes) for value in zip(*found, strict=True))
    return SetRule(held_out.classes, float(coverage), by_class, thresholds, n_rows, n_assumed)


def share_to_cover(coverage: float) -> float:
    """``coverage``, above 0 and at most ``MOST_COVERAGE``, or a ParameterError."""
    share = real("coverage", coverage, minimum=0, maximum=MOST_COVERAGE)
    if share == 0:
        raise ParameterError("coverage=0: give a share of rows above 0, such as 0.9.")
    return share


def _threshold(
    score: Array, weight: Array, expected: Array, of_expected: Array, alpha: float
) -> tuple[float, float, float]:
    """The least probability with a p-value above alpha, the effective rows it rests on, and those missing.

    ``expected`` has probabilities (m, J), each of which is the score of a row of its class with that very
    probability; ``of_expected`` (m,) are the weights of these rows.
    """
    n = float(weight.sum() ** 2 / (weight @ weight)) if weight.any() else 0.0
    shortfall = 1 / alpha - 1 - n
    own = weight * (n / max(weight.sum(), 1e-300))
    if shortfall <= _ROUNDING:
        return _quantile(score, own, alpha * (n + 1) - 1), n, 0.0
    assumed = expected * of_expected[:, None]
    mass = np.append(own, assumed / assumed.sum() * (1 + shortfall))
    return _quantile(np.append(score, expected), mass, 1.0), n, shortfall


def _quantile(scores: Array, mass: Array, below: float) -> float:
    """The least of the scores up to which there is more mass than ``below``."""
    order = np.argsort(scores)
    reached = np.cumsum(mass[order]) > below + _ROUNDING
    return float(scores[order][np.argmax(reached)])
