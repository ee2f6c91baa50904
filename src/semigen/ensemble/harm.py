"""How likely it is that the models that use unlabeled rows make the default ensemble worse.

A handful of held-out labels rarely decides it. What the models say of the held-out rows, their labels aside,
tells more: whether two models that find the classes in different ways agree, and how far the ensemble is from
its supervised models. What that is worth was learned over tables whose test rows know the outcome
(``python -m benchmarks.judgement.ensembles``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from semigen.ensemble.defaults import MIXTURE_PER_CLASS, MIXTURES
from semigen.ensemble.held_out import HeldOut

Array = NDArray[np.float64]

SIGNS = ("t", "agreement", "distance")
INTERCEPT, WEIGHTS = -1.09, (0.499, -0.61, -0.472)
"""Log odds of harm for signs of 0, and for each of the signs."""
PRIOR_ROWS = 20.0
"""Rows for which the expected variance counts beside that of the held-out rows."""
LARGEST_T = 5.0
LEAST_DISTANCE = 1e-3


def harm_signs(held_out: HeldOut, names: Sequence[str], log_with: Array, log_without: Array) -> Array | None:
    """What harm is told from, (3,); None without held-out rows or one of the two generative models.

    Parameters
    ----------
    held_out : HeldOut
    names : sequence of str
        Its models.
    log_with, log_without : ndarrays of shape (m, K)
        Log probabilities of the ensemble and of its supervised models, cross-fitted.

    Returns
    -------
    ndarray or None
        ``t``: mean of the paired difference of the log-loss in standard errors, from -5 to 5; the variance of
        few rows is drawn towards the one that the predictions lead to expect. ``agreement``: log odds that
        the mixture features and the mixture per class name the same class. ``distance``: log of the mean
        squared log ratio of the two ensembles' probabilities.
    """
    total = held_out.weight.sum()
    if total == 0 or MIXTURES not in names or MIXTURE_PER_CLASS not in names:
        return None
    share = held_out.weight / total
    n = 1 / float(share @ share)
    ratio = log_without - log_with
    expected = float(share @ ((np.exp(log_with) + np.exp(log_without)) / 2 * ratio**2).sum(axis=1))
    change = ratio[np.arange(len(share)), held_out.code]
    mean = float(share @ change)
    seen = float(share @ (change - mean) ** 2) * n / max(n - 1, 1.0)
    variance = (n * seen + PRIOR_ROWS * expected) / (n + PRIOR_ROWS)
    t = mean / np.sqrt(max(variance, 1e-18) / n)
    first, second = (held_out.log_probs[names.index(one)] for one in (MIXTURES, MIXTURE_PER_CLASS))
    same = float(share @ (first.argmax(axis=1) == second.argmax(axis=1)))
    return np.array(
        [
            np.clip(t, -LARGEST_T, LARGEST_T),
            logit((n * same + 1) / (n + 2)),
            np.log(expected + LEAST_DISTANCE),
        ]
    )


def harm_probability(
    held_out: HeldOut, names: Sequence[str], log_with: Array, log_without: Array
) -> float | None:
    """Probability that the log-loss on new rows is higher with the unlabeled rows; see :func:`harm_signs`."""
    signs = harm_signs(held_out, names, log_with, log_without)
    return None if signs is None else float(expit(INTERCEPT + signs @ np.array(WEIGHTS)))
