"""How well probabilities rank the rows of two classes: area under the ROC curve and average precision."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from sklearn.metrics import average_precision_score, roc_auc_score

from semigen.evaluation.intervals import QUANTILE, TAIL, Estimate, effective_rows, share_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """How well the probabilities of the rarer of two classes rank held-out rows.

    Attributes
    ----------
    of : str, int or other class
        The rarer class; of classes as frequent the second.
    n_rows : int
        Held-out rows of it.
    share : float
        Their share of all held-out rows: the average precision that chance has.
    auc : Estimate
        Area under the ROC curve: the chance that a row of the class has a higher probability than one of
        the other class (a tie is half); .5 by chance, 1 at best. The interval is Wilson's for as many rows as
        have the variance of DeLong, DeLong & Clarke-Pearson (1988), *Biometrics* 44:837.
    average_precision : Estimate
        Mean precision over the rows of the class, each with all rows called that rank as high; 1 at best. The
        interval is Wilson's for the rows of the class (as Boyd, Eng & Page 2013, *ECML PKDD*, count them).

    With few rows of the class both are wider, by the quantiles of Student's t distribution.
    """

    of: Any
    n_rows: int
    share: float
    auc: Estimate
    average_precision: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return asdict(self)


def ranking(
    probabilities: Array, code: NDArray[np.intp], weight: Array, classes: tuple[Any, ...]
) -> Ranking | None:
    """How well probabilities (m, 2) rank rows of known class; None without rows of exactly two classes.

    Parameters
    ----------
    probabilities : ndarray of shape (m, K)
    code : ndarray of shape (m,)
        Index of the true class of each row.
    weight : ndarray of shape (m,)
    classes : tuple
        K classes.
    """
    counts = np.bincount(code, weight, len(classes))
    if len(classes) != 2 or not counts.all():
        return None
    counted = weight > 0
    rarer = int(counts[1] <= counts[0])
    score, weight = probabilities[counted, rarer], weight[counted]
    positive = code[counted] == rarer
    share = float(counts[rarer] / counts.sum())
    average = float(average_precision_score(positive, score, sample_weight=weight))
    return Ranking(
        classes[rarer],
        int(positive.sum()),
        share,
        _auc(score, positive, weight),
        share_of(average, effective_rows(weight[positive]) / _few(weight[positive])),
    )


def _auc(score: Array, positive: NDArray[np.bool_], weight: Array) -> Estimate:
    value = float(roc_auc_score(positive, score, sample_weight=weight))
    sides = (positive, ~positive)
    least = min(effective_rows(weight[side]) for side in sides)
    error = sum(
        _spread(_share_below(score[side], score[~side], weight[~side]), weight[side]) for side in sides
    )
    n_rows = value * (1 - value) / error if error > 0 else least
    few = max(_few(weight[side]) for side in sides)
    return share_of(value, min(max(n_rows, least), effective_rows(weight)) / few)


def _share_below(score: Array, others: Array, weight: Array) -> Array:
    """Share of the others with a lower score, for each score; ties count half."""
    order = np.argsort(others, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    ends = (np.searchsorted(others[order], score, side) for side in ("left", "right"))
    return np.asarray(sum(total[end] for end in ends) / (2 * total[-1]))


def _spread(value: Array, weight: Array) -> float:
    """Variance of a weighted mean."""
    share = weight / weight.sum()
    n = effective_rows(weight)
    return float((share**2) @ (value - share @ value) ** 2) * n / max(n - 1, 1)


def _few(weight: Array) -> float:
    """How much larger a variance counts that few rows tell."""
    return float((stdtrit(max(effective_rows(weight) - 1, 1), TAIL) / QUANTILE) ** 2)
