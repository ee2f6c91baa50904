"""A pool of classifiers: their probabilities multiplied, each to a power learned from hidden labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from semigen.base import TableClassifier
from semigen.checks import integer, real
from semigen.exceptions import ParameterError
from semigen.labels import UNLABELED_PATTERN, Labels, check_weights, encode
from semigen.members import by_blocks, count_rows, fit_member, member_proba, takes_unlabeled
from semigen.metrics import take_rows
from semigen.model_selection import SemiSupervisedSplit, n_hideable

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FLOOR = 1e-3
"""Every member's probabilities are mixed with so much of equal ones: a member that is sure and wrong once may
not outvote all others."""
FEW_LABELS = 3.0
"""With n hidden rows of K classes weights hold to their defaults 1 + FEW_LABELS · K² / n times as much."""


@dataclass(frozen=True)
class PoolMember:
    """What a member contributes.

    Attributes
    ----------
    name : str
    weight : float
        Power of its probabilities in the pool, ≥ 0.
    log_loss : float
        On hidden labelled rows, nats a row; NaN where none could be hidden.
    accuracy : float
        On hidden labelled rows.
    uses_unlabeled : bool
        Whether it learns from unlabelled rows.
    seconds : float
        For all of its fits.
    """

    name: str
    weight: float
    log_loss: float
    accuracy: float
    uses_unlabeled: bool
    seconds: float


class PoolClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Log-linear pool of any classifiers: ``p(k | x) ∝ Π_m p_m(k | x)^{w_m}`` with w_m ≥ 0.

    The weights minimise ``Σ_hidden -log p(y | x) + r Σ_m (w_m - w⁰_m)²`` over labelled rows that each member
    did not see with their label: they are hidden fold by fold and count as unlabelled rows meanwhile. Weights
    are blend and temperature in one: their sum says how sure the pool is. With few labels they stay near w⁰:
    ``r = ridge (1 + 3 K² / n)`` for n hidden rows of K classes, because members miss a good part of a small
    class while one of its rows is hidden, and look worse than they are (Genest & Zidek 1986, *Statistical
    Science* 1:114, on log-linear pools; Wolpert 1992, *Neural Networks* 5:241, on stacking).

    Parameters
    ----------
    estimators : list of (name, classifier)
        With ``predict_proba``. Those with a parameter ``unlabeled`` (all of semigen's), and scikit-learn's
        own semi-supervised ones, are given all rows; others the labelled rows.
    weights : dict {name: float} or None, default=None
        w⁰; None: 1 / M each. Names left out have 1 / M.
    ridge : float, default=3.0
        How strongly weights hold to w⁰ where labels are many, in nats a squared unit.
    n_splits : int, default=5
        Folds.
    unlabeled : scalar or None, default=-1
        The marker in y.
    random_state : int, RandomState or None, default=0
        Of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    estimators_ : dict {name: fitted classifier}
    weights_ : dict {name: float}
    members_ : tuple of PoolMember
        By weight, the largest first.
    log_loss_, accuracy_ : float
        Of the pool on the hidden rows, which its weights were fitted on: with few labels a little too good.
    hidden_ : tuple of ndarrays
        Row numbers (m,), class codes (m,) and log probabilities (M, m, K) of the hidden rows.
    hidden_weight_ : ndarray of shape (m,)
    """

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        weights: Mapping[str, float] | None = None,
        ridge: float = 3.0,
        n_splits: int = 5,
        unlabeled: Any = -1,
        random_state: Any = 0,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.ridge = ridge
        self.n_splits = n_splits
        self.unlabeled = unlabeled
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Fit every member on every fold and on all rows, and weigh them.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities.
        sample_weight : array-like of shape (n,) or None
            Row weights.
        progress : callable, optional
            Called as ``progress(fits done, fits in all)``.

        Returns
        -------
        self
        """
        names, start = self._names(), self._start()
        labels = encode(y, self.unlabeled)
        weight = check_weights(sample_weight, len(labels.pattern))
        folds = hidden_folds(labels, weight, self.n_splits, self.random_state)
        n_fits, done = len(names) * (len(folds) + 1), 0
        fitted, table, seconds = {}, [], []
        hidden = np.concatenate(folds) if folds else np.empty(0, dtype=np.intp)
        for name, estimator in self.estimators:
            begin = time.perf_counter()
            columns: list[Array] = []
            for rows in [*folds, None]:
                shown = labels if rows is None else hide(labels, rows)
                model = fit_member(clone(estimator), X, shown, weight)
                done += 1
                if progress is not None:
                    progress(done, n_fits)
                if rows is not None:
                    columns.append(member_log_proba(model, take_rows(X, rows), labels.classes))
            fitted[name] = model
            table.append(np.concatenate(columns) if columns else np.empty((0, len(labels.classes))))
            seconds.append(time.perf_counter() - begin)
        log_probs = np.stack(table)
        code = labels.hard[hidden]
        found = pool_weights(log_probs, code, weight[hidden], start, self.ridge)
        self.classes_ = labels.classes
        self.estimators_ = fitted
        self.hidden_ = (hidden, code, log_probs)
        self.hidden_weight_ = weight[hidden]
        self.members_ = _members(self, seconds)
        self.reweigh(dict(zip(names, found.tolist(), strict=True)))
        first = next(iter(fitted.values()))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        return self

    def reweigh(self, weights: Mapping[str, float]) -> None:
        """Pool the fitted members with other weights, one for each by name."""
        self.weights_ = {name: weights[name] for name in self.estimators_}
        members = (replace(one, weight=self.weights_[one.name]) for one in self.members_)
        self.members_ = tuple(sorted(members, key=lambda one: -one.weight))
        _, code, log_probs = self.hidden_
        losses, right = pool_losses(log_probs, code, np.array(list(self.weights_.values())))
        self.log_loss_ = _mean(losses, self.hidden_weight_)
        self.accuracy_ = _mean(right, self.hidden_weight_)

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return by_blocks(self._pooled, X)

    def _pooled(self, X: Any) -> Array:
        total: Any = 0.0
        for name, weight in self.weights_.items():
            if weight > 0:
                total = total + weight * member_log_proba(self.estimators_[name], X, self.classes_)
        if np.isscalar(total):  # every weight is 0: the members know nothing
            total = np.zeros((count_rows(X), len(self.classes_)))
        return np.asarray(np.exp(log_softmax(total, axis=1)))

    def _names(self) -> list[str]:
        real("ridge", self.ridge, minimum=0)
        integer("n_splits", self.n_splits, minimum=2)
        names = [name for name, _ in self.estimators]
        if not names or len(set(names)) < len(names):
            raise ParameterError(
                f"estimators are named {names!r}: give at least one, each with a name of its own."
            )
        for name, estimator in self.estimators:
            if not hasattr(estimator, "predict_proba"):
                raise ParameterError(f"estimator {name!r} has no predict_proba: a pool needs probabilities.")
        return names

    def _start(self) -> Array:
        names = [name for name, _ in self.estimators]
        given = dict(self.weights or {})
        stray = [name for name in given if name not in names]
        if stray:
            raise ParameterError(f"weights name {stray!r}, which are not among the estimators {names!r}.")
        return np.array([real(f"weights[{n!r}]", given.get(n, 1 / len(names)), minimum=0) for n in names])


def hidden_folds(labels: Labels, weight: Array, n_splits: int, random_state: Any) -> list[Rows]:
    """Labelled rows to hide in turn: up to ``n_splits`` folds, none if no row can be hidden."""
    counted = np.where(weight > 0, labels.hard, -1)
    testable = n_hideable(counted)
    if testable < 2:
        return []
    split = SemiSupervisedSplit(min(n_splits, testable), random_state=random_state, unlabeled=-1)
    return [test for _, test in split.split(None, counted)]


def hide(labels: Labels, rows: Rows) -> Labels:
    """The same labels, but for rows that count as unlabelled."""
    pattern = labels.pattern.copy()
    pattern[rows] = UNLABELED_PATTERN
    return Labels(labels.classes, labels.log_table, pattern)


def member_log_proba(model: Any, X: Any, classes: NDArray[Any]) -> Array:
    """Log probabilities over ``classes``, mixed with ``FLOOR`` of equal ones, (n, K)."""
    return np.asarray(np.log((1 - FLOOR) * member_proba(model, X, classes) + FLOOR / len(classes)))


def pool_weights(log_probs: Array, code: Rows, weight: Array, start: Array, ridge: float) -> Array:
    """Weights ≥ 0 that minimise the loss of the pool plus ``r |w - start|²``; convex, so there is one.

    Parameters
    ----------
    log_probs : ndarray of shape (M, m, K)
    code : ndarray of shape (m,)
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    start : ndarray of shape (M,)
    ridge : float
    """
    if not len(code):
        return start
    ridge *= 1 + FEW_LABELS * log_probs.shape[2] ** 2 / len(code)
    rows = np.arange(len(code))
    true = log_probs[:, rows, code]

    def loss(w: Array) -> tuple[float, Array]:
        log_pool = log_softmax(np.tensordot(w, log_probs, 1), axis=1)
        expected = (np.exp(log_pool) * log_probs).sum(axis=2)
        value = -float(weight @ log_pool[rows, code]) + ridge * float(((w - start) ** 2).sum())
        return value, (expected - true) @ weight + 2 * ridge * (w - start)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    return np.asarray(found.x)


def pool_losses(log_probs: Array, code: Rows, weights: Array) -> tuple[Array, Array]:
    """Log-loss, nats, and whether the class is right, of each row, (m,)."""
    log_pool = log_softmax(np.tensordot(weights, log_probs, 1), axis=1)
    return -log_pool[np.arange(len(code)), code], log_pool.argmax(axis=1) == code


def _mean(values: Array, weight: Array) -> float:
    return float(weight @ values / weight.sum()) if len(values) else float("nan")


def _members(pool: PoolClassifier, seconds: list[float]) -> tuple[PoolMember, ...]:
    """What each member is on its own, not weighed yet."""
    _, code, log_probs = pool.hidden_
    found = []
    for m, (name, estimator) in enumerate(pool.estimators):
        alone = np.zeros(len(log_probs))
        alone[m] = 1.0
        losses, right = pool_losses(log_probs, code, alone)
        ones = np.ones(len(losses))
        found.append(
            PoolMember(
                name,
                0.0,
                _mean(losses, ones),
                _mean(right, ones),
                takes_unlabeled(estimator),
                seconds[m],
            )
        )
    return tuple(found)
