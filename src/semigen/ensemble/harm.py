"""How likely it is that the models that use unlabeled rows make the default ensemble worse.

A handful of held-out labels rarely decides it. What two generative models say of the unlabeled rows tells
more: they find classes in different ways, and where there are such classes they agree. What that is worth was
learned over tables whose test rows know the outcome (``python -m benchmarks.judgement.ensembles``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from semigen.arrays.pieces import evenly
from semigen.data.labels import Labels
from semigen.data.rows import take_rows
from semigen.ensemble.defaults import MIXTURE_PER_CLASS, MIXTURES, OF_WORDS
from semigen.ensemble.held_out import HeldOut
from semigen.ensemble.training import read_form
from semigen.estimators.adapters import class_log_proba

Array = NDArray[np.float64]

SIGNS = ("t", "agreement", "columns")
COEFFICIENTS = (1.42, 0.359, -1.16, -0.284)
"""Log odds of harm for signs of 0, and for each of the signs."""
LITTLE, MUCH = 0.3, 0.7
"""Probabilities of harm up to which supervised models have no share of their own, and from which on all."""
PRIOR_ROWS = 20.0
"""Rows for which the expected variance counts beside that of the held-out rows."""
LARGEST_T = 5.0
MOST_ROWS = 1_000
"""Unlabeled rows that agreement is measured on."""


def agreement(pool: Any, X: Any, labels: Labels, weight: Array) -> float | None:
    """Correlation over unlabeled rows of what the mixture features and the mixture per class say of classes.

    Where long texts have models of their own, both add what these say.

    Parameters
    ----------
    pool : PoolClassifier
        Fitted.
    X : FormedRows
        The rows of the fit, with ``labels`` and ``weight``.

    Returns
    -------
    float or None
        None without unlabeled rows or one of the two models.
    """
    rows = np.flatnonzero(~labels.is_labeled & (weight > 0))
    if not len(rows) or not {MIXTURES, MIXTURE_PER_CLASS} <= pool.estimators_.keys():
        return None
    some = take_rows(X, rows[evenly(len(rows), MOST_ROWS)])

    def evidence(name: str) -> Array:
        return np.asarray(
            class_log_proba(pool.estimators_[name], read_form(some, pool.forms_[name]), pool.classes_)
            - np.log(pool.priors_[name])
        )

    first, second = evidence(MIXTURES), evidence(MIXTURE_PER_CLASS)
    if {OF_WORDS[MIXTURES], OF_WORDS[MIXTURE_PER_CLASS]} <= pool.estimators_.keys():
        first = first + evidence(OF_WORDS[MIXTURES])
        second = second + evidence(OF_WORDS[MIXTURE_PER_CLASS])
    return correlation(first, second)


def correlation(first: Array, second: Array) -> float:
    """Correlation of two log evidences (n, K), less the mean over the classes of each row."""
    first, second = (one - one.mean(axis=1, keepdims=True) for one in (first, second))
    size = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / np.sqrt(size)) if size > 0 else 0.0


def harm_signs(
    held_out: HeldOut, log_with: Array, log_without: Array, agreement: float, n_columns: int
) -> Array | None:
    """What harm is told from, (3,); None without held-out rows.

    Parameters
    ----------
    held_out : HeldOut
    log_with, log_without : ndarrays of shape (m, K)
        Log probabilities of the ensemble and of its supervised models, cross-fitted.
    agreement : float
        See :func:`agreement`.
    n_columns : int

    Returns
    -------
    ndarray or None
        ``t``: mean of the paired difference of the log-loss in standard errors, from -5 to 5; the variance of
        few rows is drawn towards the one that the predictions lead to expect. ``agreement``, and ``columns``:
        log of their number.
    """
    total = held_out.weight.sum()
    if total == 0:
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
    return np.array([np.clip(t, -LARGEST_T, LARGEST_T), agreement, np.log(n_columns)])


def harm_probability(signs: Array | None, coefficients: Sequence[float] = COEFFICIENTS) -> float | None:
    """Probability that the log-loss on new rows is higher with the unlabeled rows; see :func:`harm_signs`."""
    return None if signs is None else float(expit(coefficients[0] + signs @ np.array(coefficients[1:])))


def supervised_share(harm: float | None) -> float:
    """Share of the weights that the ensemble of supervised models has, by the probability of harm."""
    return 0.0 if harm is None else float(np.clip((harm - LITTLE) / (MUCH - LITTLE), 0.0, 1.0))
