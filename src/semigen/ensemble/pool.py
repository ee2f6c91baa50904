"""An ensemble of any classifiers: a weighted geometric mean, with weights learned on held-out labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer, real
from semigen.common.progress import Progress
from semigen.comparison import CLASS_SHARES, Comparison
from semigen.comparison.record import stated_seed
from semigen.data.labels import Labels
from semigen.data.rows import by_blocks, count_rows, take_rows
from semigen.data.weights import class_rows, class_shares, estimated_shares, read_labels
from semigen.em import ClassPrior
from semigen.ensemble.held_out import HeldOut, log_evidence, pooled, shares_of_rows
from semigen.ensemble.training import Part, Training, held_out_fold, join_folds, read_form
from semigen.ensemble.uncertainty import Ensemble, UncertainEnsemble
from semigen.estimators.adapters import class_log_proba, prior_of, takes_unlabeled
from semigen.estimators.base import TableClassifier, take_attributes
from semigen.evaluation.splits import held_out_folds
from semigen.exceptions import ParameterError
from semigen.mixture.checkpoints import at_once
from semigen.mixture.parameters import class_prior

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

ENOUGH_HELD_OUT = 1000
"""Held-out rows that tell the weights well enough: with many labels not every fold has its turn."""
_ENSEMBLE = "pool"  # its name among the models in validation_


@dataclass(frozen=True)
class PoolModel:
    """A model of the ensemble: its weight and its held-out scores.

    Attributes
    ----------
    name : str
    weight : float
        Exponent of its probabilities, ≥ 0.
    log_loss : float
        On held-out labeled rows, nats per row; NaN where none could be held out.
    accuracy : float
        On held-out labeled rows.
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


class PoolClassifier(UncertainEnsemble, TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Log-linear pool of any classifiers: ``p(k | x) ∝ p(k) Π_m (p_m(k | x) / π_mk)^{w_m}`` with w_m ≥ 0.

    π_m is the class prior of a model, the class shares of the labeled rows unless it has a ``class_prior_``,
    so ``p_m(k | x) / π_mk`` is what it makes of x itself; p(k) are the class shares that are assumed. With
    weights of 0 the ensemble predicts p(k).

    The weights minimize ``Σ_held-out -log p(y | x) + ridge Σ_m (w_m - w⁰_m)²``, with a smaller ``ridge`` from
    100 held-out rows on; those below 3 % of the largest are 0, as they would take time and change nothing.
    Each fold of labeled rows is left out of the fits altogether, because a model that has seen a row without
    its label can still be more confident about it than about new rows. The weights both blend and calibrate:
    their sum says how confident the ensemble is (Genest & Zidek 1986, *Statistical Science* 1:114, on
    log-linear pools; Wolpert 1992, *Neural Networks* 5:241, on stacking).

    Parameters
    ----------
    estimators : list of (name, classifier) or (name, form, classifier)
        Classifiers with ``predict_proba``. Those with a parameter ``unlabeled`` (all of semigen's), and
        scikit-learn's own semi-supervised ones, are given all rows; others the labeled rows. With a ``form``
        the classifier reads that attribute of X, where X has its rows in several forms
        (:class:`semigen.ensemble.forms.FormedRows`). An object that stands here twice is fitted once. The
        names ``"pool"`` and ``"class shares"`` are reserved.
    weights : dict {name: float} or None, default=None
        w⁰; None: 1 / M each. Names left out have 1 / M.
    ridge : float, default=10.0
        How strongly weights are held to w⁰, in nats per squared unit; with n > 100 held-out rows 100 / n of
        it.
    class_prior : {"shared", "unlabeled", "uniform"}, array (K,) or dict {class: share}, default="shared"
        p(k). "shared": labeled rows are drawn as all rows are, so their counts are evidence of the shares
        (:func:`semigen.data.weights.estimated_shares`: between equal shares and those of the labels, because
        a few labels drawn at random can be two of one class and eight of another although the classes are
        equally frequent). "unlabeled": of the unlabeled rows, whatever the shares of the labeled ones are; by
        EM on the ensemble's probabilities (Saerens, Latinne & Decaestecker 2002, *Neural Computation* 14:21).
        "uniform": all equal. An array (in the order of ``classes_``), dict or series (by class): p(k). The
        weights are learned under "shared", because held-out rows are labeled ones.
    n_splits : int, default=5
        Folds. With many labels only as many of them are held out as have a thousand rows, two or more, or
        the two halves of one.
    time_budget : float or None, default=None
        Seconds. Every model is fitted on all rows first, then fold by fold; what cannot be finished in time
        is left out, later models and later folds first. The first model is always fitted. Results then
        depend on the speed of the machine.
    unlabeled : scalar or None, default=-1
        The marker in y.
    random_state : int, RandomState or None, default=0
        Seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    estimators_ : dict {name: fitted classifier}
    forms_ : dict {name: str or None}
        The form of the rows that each classifier reads.
    weights_ : dict {name: float}
    priors_ : dict {name: ndarray of shape (K,)}
        π_m.
    class_prior_ : ndarray of shape (K,)
        p(k).
    models_ : tuple of PoolModel
        The models with their weights and held-out scores, by weight, the largest first.
    validation_ : Comparison or None
        Accuracy and log-loss on held-out rows of the models and of ``"pool"``, the ensemble, whose weights
        for each fold are learned on the other folds. None if no row could be held out.
    stopped_early_ : bool
        Whether the time budget ended the fit before all models and folds were there.
    held_out_ : HeldOut
        Predictions of the models for held-out rows.
    n_features_in_, feature_names_in_
        Those of the first model, where it has them.
    """

    def __init__(
        self,
        estimators: Sequence[tuple[Any, ...]],
        *,
        weights: Mapping[str, float] | None = None,
        ridge: float = 10.0,
        class_prior: Any = "shared",
        n_splits: int = 5,
        time_budget: float | None = None,
        unlabeled: Any = -1,
        random_state: Any = 0,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.ridge = ridge
        self.class_prior = class_prior
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
        """Fit every model on all rows and on every fold, and learn the weights.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K), or Labels
            Labels with markers, or label probabilities.
        sample_weight : array-like of shape (n,) or None
            Row weights.
        progress : callable, optional
            Called as ``progress(fits done, all fits, name of the model)`` after each fit.

        Returns
        -------
        self
        """
        return self.fit_in_runs(X, y, sample_weight, progress=progress)

    def fit_in_runs(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
        run: Callable[[Callable[[], Any]], Any] = at_once,
        most_unlabeled: int | None = None,
    ) -> Self:
        """Fit as :meth:`fit` does; ``run`` calls what fits all models on all rows, and then fold by fold.

        Of more unlabeled rows than ``most_unlabeled`` folds have an even share with larger weights.
        """
        begin = time.perf_counter()
        entries = self._entries()
        start = self._start([name for name, _, _ in entries])
        budget = np.inf if self.time_budget is None else self.time_budget
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X)
        prior = class_prior(self.class_prior, labels.classes)
        folds = held_out_folds(labels, weight, self.n_splits, self.random_state)
        together: list[tuple[Rows, ...]] = [(rows,) for rows in folds]
        if folds and len(folds[0]) >= ENOUGH_HELD_OUT:  # one fit without both halves judges them
            together = [(folds[0][::2], folds[0][1::2])]
        elif folds:
            together = together[: max(2, -(-ENOUGH_HELD_OUT // len(folds[0])))]
        train = Training(X, labels, weight, most_unlabeled)
        n_fits, done = len(entries) * (len(together) + 1), 0

        def fitted(part: Part, until: float = np.inf) -> tuple[dict[str, Any], dict[str, float]]:
            """Fitted models, and the seconds that they took."""
            nonlocal done
            found: dict[str, Any] = {}
            seconds: dict[str, float] = {}
            once: dict[tuple[int, str | None], Any] = {}
            for name, form, estimator in entries:
                since = time.perf_counter()
                if found and since > until:
                    break
                same = id(estimator), form
                if same not in once:
                    once[same] = part.fit(clone(estimator), form)
                found[name] = once[same]
                seconds[name] = time.perf_counter() - since
                done += 1
                if progress is not None:
                    progress(done, n_fits, name)
            return found, seconds

        def held_out(folds: tuple[Rows, ...]) -> tuple[list[HeldOut], dict[str, float]]:
            part = train.without(np.concatenate(folds))
            found, seconds = fitted(part)
            models = list(found.values())
            return [held_out_fold(train, part, rows, entries, models) for rows in folds], seconds

        everything = train.without(np.empty(0, dtype=np.intp))
        self.classes_ = labels.classes
        self.estimators_, spent = run(partial(fitted, everything, begin + budget))
        entries = entries[: len(self.estimators_)]
        shares = class_shares(labels, weight)
        self.priors_ = {
            name: prior_of(model, self.classes_, shares) for name, model in self.estimators_.items()
        }
        self.forms_ = {name: form for name, form, _ in entries}
        finished: list[tuple[list[HeldOut], dict[str, float]]] = []
        round_seconds = time.perf_counter() - begin
        for some in together:
            since = time.perf_counter()
            if since - begin + round_seconds > budget:
                break
            finished.append(run(partial(held_out, some)))
            round_seconds = time.perf_counter() - since
        seconds = {name: sum(one[name] for one in (spent, *(of for _, of in finished))) for name in spent}
        self.stopped_early_ = len(entries) * (len(finished) + 1) < n_fits
        self.held_out_ = join_folds(
            train, [one for of, _ in finished for one in of], len(entries), stated_seed(self.random_state)
        )
        found = self.held_out_.pool_weights(start[: len(entries)], self.ridge)
        self.validation_ = self.held_out_.validation(
            {
                _ENSEMBLE: self.held_out_.crossfitted(
                    partial(HeldOut.pool_weights, start=start[: len(entries)], ridge=self.ridge)
                ),
                **dict(zip(self.estimators_, self.held_out_.log_probs, strict=True)),
            }
        )
        self.models_ = tuple(_model(name, one, seconds[name], self.validation_) for name, _, one in entries)
        self.reweight(dict(zip(self.estimators_, found.tolist(), strict=True)))
        self.assume_prior(prior, X, labels, weight)
        first = next(iter(self.estimators_.values()))
        take_attributes(self, first, ("n_features_in_", "feature_names_in_"))
        return self

    def assume_prior(self, prior: ClassPrior, X: Any, labels: Labels, weight: Array) -> None:
        """Set the class shares that predictions assume, given the rows, labels and weights of the fit."""
        self.class_prior_ = estimated_shares(class_rows(labels, weight))
        rest = np.flatnonzero(~labels.is_labeled & (weight > 0))
        if prior.values is not None:
            self.class_prior_ = prior.values
        elif prior.kind == "unlabeled" and len(rest):
            probs = self.predict_proba(take_rows(X, rest))
            self.class_prior_ = shares_of_rows(probs, weight[rest], self.class_prior_)

    def drop(self, names: Sequence[str]) -> None:
        """Forget some fitted models and what they predicted for held-out rows."""
        kept = np.array([name not in names for name in self.estimators_])
        self.held_out_ = self.held_out_.only(kept)
        self.estimators = [one for one in self.estimators if one[0] not in names]
        self.models_ = tuple(one for one in self.models_ if one.name not in names)
        for attribute in ("estimators_", "forms_", "priors_", "weights_"):
            values = getattr(self, attribute)
            setattr(self, attribute, {name: one for name, one in values.items() if name not in names})

    def restrict(self, start: Mapping[str, float]) -> None:
        """Keep only some of the fitted models, with weights learned anew on the same held-out rows.

        Parameters
        ----------
        start : dict {name: float}
            Their default weights w⁰.
        """
        kept = np.array([name in start for name in self.estimators_])
        weights = np.zeros(len(kept))
        given = np.array([start[name] for name in self.estimators_ if name in start])
        weights[kept] = self.held_out_.only(kept).pool_weights(given, self.ridge)
        self.reweight(dict(zip(self.estimators_, weights.tolist(), strict=True)))

    def reweight(self, weights: Mapping[str, float]) -> None:
        """Give the fitted models other weights, one for each by name."""
        self.weights_ = {name: weights[name] for name in self.estimators_}
        models = (replace(one, weight=self.weights_[one.name]) for one in self.models_)
        self.models_ = tuple(sorted(models, key=lambda one: -one.weight))

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""

        def block(ensemble: Any, rows: Any) -> Array:
            weights, evidence = ensemble._evidence(rows)
            return np.exp(pooled(np.log(ensemble.class_prior_), evidence, weights))

        return self._by_blocks(block, X)

    def model_proba(self, X: Any) -> tuple[Array, Array]:
        """Probabilities of the models with a weight, each as sure as the ensemble, and their shares of it.

        ``p_m(k | x) ∝ p(k) (p_m(k | x) / π_mk)^W`` with the sum W of all weights: what the ensemble would say
        if model m had them all. Its probabilities are the geometric mean of these.

        Returns
        -------
        probabilities : ndarray of shape (M, n, K)
        shares : ndarray of shape (M,)
            Sum 1. Without a weight above 0: one model, which says the class shares.
        """
        check_is_fitted(self)
        weights, evidence = self._evidence(X)
        if not len(weights):
            return np.tile(self.class_prior_, (1, count_rows(X), 1)), np.ones(1)
        total, prior = weights.sum(), np.log(self.class_prior_)
        each = [np.exp(pooled(prior, one[None], np.array([total]))) for one in evidence]
        return np.stack(each), weights / total

    def _ensemble(self) -> Ensemble:
        return self

    def _by_blocks(self, answer: Callable[[Ensemble, Any], Array], X: Any) -> Array:
        check_is_fitted(self)
        return by_blocks(partial(answer, self), X, len(self.classes_))

    def _evidence(self, X: Any) -> tuple[Array, Array]:
        """Weights (M,) and evidence (M, n, K) of the models with a weight."""
        used = {name: weight for name, weight in self.weights_.items() if weight > 0}
        evidence = np.empty((len(used), count_rows(X), len(self.classes_)))
        for of_model, name in zip(evidence, used, strict=True):
            rows = read_form(X, self.forms_[name])
            log_probs = class_log_proba(self.estimators_[name], rows, self.classes_)
            of_model[:] = log_evidence(log_probs, self.priors_[name])
        return np.array(list(used.values())), evidence

    def _entries(self) -> list[tuple[str, str | None, Any]]:
        """Name, form and classifier of each model, checked."""
        for one in self.estimators:
            if not isinstance(one, tuple | list) or len(one) not in (2, 3):
                raise ParameterError(
                    f"estimators holds {one!r}: give pairs of a name and a classifier, such as "
                    "('mixture', semigen.MixtureClassifier())."
                )
        names = [one[0] for one in self.estimators]
        if not names or len(set(names)) < len(names):
            raise ParameterError(
                f"estimators are named {names!r}: give at least one, each with a name of its own."
            )
        for name in (_ENSEMBLE, CLASS_SHARES):
            if name in names:
                raise ParameterError(f"the name {name!r} is reserved in validation_: choose another name.")
        entries = [(one[0], one[1] if len(one) > 2 else None, one[-1]) for one in self.estimators]
        for name, _, estimator in entries:
            if not hasattr(estimator, "predict_proba"):
                raise ParameterError(f"estimator {name!r} has no predict_proba: a pool needs probabilities.")
        return entries

    def _start(self, names: list[str]) -> Array:
        """The default weights, in the order of the models."""
        real("ridge", self.ridge, minimum=0)
        integer("n_splits", self.n_splits, minimum=2)
        if self.time_budget is not None:
            real("time_budget", self.time_budget, minimum=0)
        given = dict(self.weights or {})
        stray = [name for name in given if name not in names]
        if stray:
            raise ParameterError(f"weights name {stray!r}, which are not among the estimators {names!r}.")
        return np.array([real(f"weights[{n!r}]", given.get(n, 1 / len(names)), minimum=0) for n in names])


def _model(name: str, estimator: Any, seconds: float, validation: Comparison | None) -> PoolModel:
    """A model before it has its weight."""
    log_loss = accuracy = float("nan")
    if validation is not None:
        score = validation.score(name)
        log_loss, accuracy = score.log_loss.value, score.accuracy.value
    return PoolModel(name, 0.0, log_loss, accuracy, takes_unlabeled(estimator), seconds)
