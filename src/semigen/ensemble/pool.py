"""A pool of classifiers: their probabilities multiplied, each to a power learned from hidden labels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer, real
from semigen.common.progress import Progress
from semigen.comparison import Comparison
from semigen.data.labels import Labels, encode
from semigen.data.rows import by_blocks, count_rows, take_rows
from semigen.data.weights import balanced, check_weights
from semigen.estimators.adapters import class_log_proba, fit_classifier, takes_unlabeled, without
from semigen.estimators.base import TableClassifier
from semigen.evaluation.metrics import row_log_loss
from semigen.evaluation.splits import held_out_folds
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FEW_LABELS = 3.0
"""With n hidden rows of K classes weights hold to their defaults 1 + FEW_LABELS · K² / n times as much."""


@dataclass(frozen=True)
class PoolModel:
    """What a member contributes.

    Attributes
    ----------
    name : str
    weight : float
        Power of its probabilities in the pool, ≥ 0.
    log_loss : float
        On hidden labeled rows, nats a row; NaN where none could be hidden.
    accuracy : float
        On hidden labeled rows.
    uses_unlabeled : bool
        Whether it learns from unlabeled rows.
    seconds : float
        For all of its fits.
    """

    name: str
    weight: float
    log_loss: float
    accuracy: float
    uses_unlabeled: bool
    seconds: float


@dataclass(frozen=True)
class HeldOut:
    """What members said about labeled rows whose label they did not see.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp
        Row numbers.
    code : ndarray of shape (m,), intp
        True classes.
    weight : ndarray of shape (m,)
        Row weights.
    fold : ndarray of shape (m,), intp
        With which other rows they were hidden.
    log_probs : ndarray of shape (M, m, K)
        Log probabilities.
    """

    rows: Rows
    code: Rows
    weight: Array
    fold: Rows
    log_probs: Array

    def only(self, members: NDArray[np.bool_]) -> HeldOut:
        """The same of some members (M,)."""
        return replace(self, log_probs=self.log_probs[members])

    def pool_weights(self, start: Array, ridge: float) -> Array:
        """Weights of the pool, (M,): see :func:`pool_weights`."""
        return pool_weights(self.log_probs, self.code, self.weight, start, ridge)

    def crossfitted(self, start: Array, ridge: float) -> Array:
        """Log probabilities of the pool, (m, K), whose weights for a fold come from the other folds."""
        result = np.empty(self.log_probs.shape[1:])
        for fold in np.unique(self.fold):
            mine = self.fold == fold
            others = self.log_probs[:, ~mine]
            found = pool_weights(others, self.code[~mine], self.weight[~mine], start, ridge)
            result[mine] = log_softmax(np.tensordot(found, self.log_probs[:, mine], 1), axis=1)
        return result

    def validation(self, log_probs: Mapping[str, Array]) -> Comparison | None:
        """Accuracy and log-loss of log probabilities (m, K) by name; None without hidden rows."""
        if not self.weight.any():
            return None
        order = np.argsort(self.rows)
        code = self.code[order]
        correct, losses = {}, {}
        for name, values in log_probs.items():
            correct[name] = (values[order].argmax(axis=1) == code).astype(float)
            losses[name] = row_log_loss(np.exp(values[order]), code)
        n_splits = len(np.unique(self.fold))
        return Comparison(
            tuple(log_probs), n_splits, 1, self.rows[order], self.weight[order], correct, losses
        )


class PoolClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Log-linear pool of any classifiers: ``p(k | x) ∝ Π_m p_m(k | x)^{w_m}`` with w_m ≥ 0.

    The weights minimize ``Σ_hidden -log p(y | x) + r Σ_m (w_m - w⁰_m)²`` over labeled rows that each member
    did not see: fold by fold they are left out altogether, because a member that has seen a row without its
    label can still be surer of it than of new rows. Weights are blend and temperature in one: their sum says
    how sure the pool is. With few labels they stay near w⁰: ``r = ridge (1 + 3 K² / n)`` for n hidden rows of
    K classes, because members miss a good part of a small class while one of its rows is hidden, and look
    worse than they are (Genest & Zidek 1986, *Statistical Science* 1:114, on log-linear pools; Wolpert 1992,
    *Neural Networks* 5:241, on stacking).

    Parameters
    ----------
    estimators : list of (name, classifier)
        With ``predict_proba``. Those with a parameter ``unlabeled`` (all of semigen's), and scikit-learn's
        own semi-supervised ones, are given all rows; others the labeled rows.
    weights : dict {name: float} or None, default=None
        w⁰; None: 1 / M each. Names left out have 1 / M.
    ridge : float, default=3.0
        How strongly weights hold to w⁰ where labels are many, in nats a squared unit.
    balance : float, default=0.0
        Members learn from labeled rows that are weighted as if each class had so many more of them. A few
        labels drawn at random say little about the shares of the classes, and members that take uneven ones
        at their word all lean to the same side; with many labels it changes nothing. Members must take
        ``sample_weight`` then, but for scikit-learn's semi-supervised ones, which stay as they are.
    n_splits : int, default=5
        Folds.
    time_budget : float or None, default=None
        Seconds. Every member is fitted on all rows first, then fold by fold; what cannot be finished in time
        is left out, later members and later folds first. The first member is always fitted. Results then
        depend on the machine's speed.
    unlabeled : scalar or None, default=-1
        The marker in y.
    random_state : int, RandomState or None, default=0
        Of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    estimators_ : dict {name: fitted classifier}
    weights_ : dict {name: float}
    models_ : tuple of PoolModel
        By weight, the largest first.
    validation_ : Comparison or None
        Accuracy and log-loss on hidden rows of the members and of ``"pool"``, whose weights come from the
        other folds for this purpose. None if no row could be hidden.
    held_out_ : HeldOut
        What the members said about hidden rows.
    """

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        weights: Mapping[str, float] | None = None,
        ridge: float = 3.0,
        balance: float = 0.0,
        n_splits: int = 5,
        time_budget: float | None = None,
        unlabeled: Any = -1,
        random_state: Any = 0,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.ridge = ridge
        self.balance = balance
        self.n_splits = n_splits
        self.time_budget = time_budget
        self.unlabeled = unlabeled
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Fit every member on all rows and on every fold, and weigh them.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities.
        sample_weight : array-like of shape (n,) or None
            Row weights.
        progress : callable, optional
            Called as ``progress(fits done, fits in all, name of the member)`` after each fit.

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        start = self._start()
        budget = np.inf if self.time_budget is None else self.time_budget
        labels = encode(y, self.unlabeled)
        weight = check_weights(sample_weight, len(labels.pattern))
        folds = held_out_folds(labels, weight, self.n_splits, self.random_state)
        n_fits, done = len(self.estimators) * (len(folds) + 1), 0
        seconds: dict[str, float] = {}

        def fitted(name: str, estimator: Any, X: Any, labels: Labels, weight: Array) -> Any:
            nonlocal done
            since = time.perf_counter()
            model = fit_classifier(clone(estimator), X, labels, weight)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - since
            done += 1
            if progress is not None:
                progress(done, n_fits, name)
            return model

        balanced_weight = balanced(labels, weight, self.balance)
        self.classes_ = labels.classes
        self.estimators_: dict[str, Any] = {}
        for name, estimator in self.estimators:
            if self.estimators_ and time.perf_counter() - begin > budget:
                break
            self.estimators_[name] = fitted(name, estimator, X, labels, balanced_weight)
        members = [(name, estimator) for name, estimator in self.estimators if name in self.estimators_]
        finished: list[Array] = []
        round_seconds = time.perf_counter() - begin
        for rows in folds:
            since = time.perf_counter()
            if since - begin + round_seconds > budget:
                break
            rest, shown, shown_weight = without(X, labels, weight, rows)
            shown_weight, hidden = balanced(shown, shown_weight, self.balance), take_rows(X, rows)
            said = [
                class_log_proba(fitted(name, one, rest, shown, shown_weight), hidden, labels.classes)
                for name, one in members
            ]
            finished.append(np.stack(said))
            round_seconds = time.perf_counter() - since
        self.held_out_ = _hidden(labels, weight, folds[: len(finished)], finished, len(members))
        found = self.held_out_.pool_weights(start[: len(members)], self.ridge)
        self.validation_ = self.held_out_.validation(
            {
                "pool": self.held_out_.crossfitted(start[: len(members)], self.ridge),
                **dict(zip(self.estimators_, self.held_out_.log_probs, strict=True)),
            }
        )
        self.models_ = tuple(_member(name, one, seconds[name], self.validation_) for name, one in members)
        self.reweigh(dict(zip(self.estimators_, found.tolist(), strict=True)))
        first = next(iter(self.estimators_.values()))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        return self

    def restrict(self, start: Mapping[str, float]) -> None:
        """Pool only some of the fitted members, with weights found anew on the same hidden rows.

        Parameters
        ----------
        start : dict {name: float}
            Their default weights w⁰.
        """
        kept = np.array([name in start for name in self.estimators_])
        weights = np.zeros(len(kept))
        given = np.array([start[name] for name in self.estimators_ if name in start])
        weights[kept] = self.held_out_.only(kept).pool_weights(given, self.ridge)
        self.reweigh(dict(zip(self.estimators_, weights.tolist(), strict=True)))

    def reweigh(self, weights: Mapping[str, float]) -> None:
        """Pool the fitted members with other weights, one for each by name."""
        self.weights_ = {name: weights[name] for name in self.estimators_}
        members = (replace(one, weight=self.weights_[one.name]) for one in self.models_)
        self.models_ = tuple(sorted(members, key=lambda one: -one.weight))

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return by_blocks(self._pooled, X, len(self.classes_))

    def _pooled(self, X: Any) -> Array:
        total: Any = 0.0
        for name, weight in self.weights_.items():
            if weight > 0:
                total = total + weight * class_log_proba(self.estimators_[name], X, self.classes_)
        if np.isscalar(total):  # every weight is 0: the members know nothing
            total = np.zeros((count_rows(X), len(self.classes_)))
        return np.asarray(np.exp(log_softmax(total, axis=1)))

    def _start(self) -> Array:
        """The default weights, in the order of the members."""
        real("ridge", self.ridge, minimum=0)
        real("balance", self.balance, minimum=0)
        integer("n_splits", self.n_splits, minimum=2)
        if self.time_budget is not None:
            real("time_budget", self.time_budget, minimum=0)
        names = [name for name, _ in self.estimators]
        if not names or len(set(names)) < len(names):
            raise ParameterError(
                f"estimators are named {names!r}: give at least one, each with a name of its own."
            )
        for name, estimator in self.estimators:
            if not hasattr(estimator, "predict_proba"):
                raise ParameterError(f"estimator {name!r} has no predict_proba: a pool needs probabilities.")
        given = dict(self.weights or {})
        stray = [name for name in given if name not in names]
        if stray:
            raise ParameterError(f"weights name {stray!r}, which are not among the estimators {names!r}.")
        return np.array([real(f"weights[{n!r}]", given.get(n, 1 / len(names)), minimum=0) for n in names])


def pool_weights(log_probs: Array, code: Rows, weight: Array, start: Array, ridge: float) -> Array:
    """Weights ≥ 0 that minimize the loss of the pool plus ``r |w - start|²``; convex, so there is one.

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


def _hidden(
    labels: Labels, weight: Array, folds: list[Rows], finished: list[Array], n_members: int
) -> HeldOut:
    rows = np.concatenate(folds) if folds else np.empty(0, dtype=np.intp)
    nothing = np.empty((n_members, 0, len(labels.classes)))
    fold = np.repeat(np.arange(len(folds)), [len(one) for one in folds])
    return HeldOut(rows, labels.hard[rows], weight[rows], fold, np.concatenate([nothing, *finished], axis=1))


def _member(name: str, estimator: Any, seconds: float, validation: Comparison | None) -> PoolModel:
    """What a member is on its own, not weighed yet."""
    log_loss = accuracy = float("nan")
    if validation is not None:
        score = validation.score(name)
        log_loss, accuracy = score.log_loss.value, score.accuracy.value
    return PoolModel(name, 0.0, log_loss, accuracy, takes_unlabeled(estimator), seconds)
