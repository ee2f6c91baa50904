"""Any classifier as part of another one: the rows that it can use, and its probabilities."""

from __future__ import annotations

import sys
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from semigen.data.labels import Labels, labeled_examples
from semigen.data.rows import take_rows
from semigen.data.weights import read_labels
from semigen.estimators.base import TableClassifier
from semigen.estimators.classifiers import TOO_MANY
from semigen.evaluation.calibration import Calibration
from semigen.evaluation.metrics import align_probabilities
from semigen.exceptions import ConvergenceWarning, ParameterError

Array = NDArray[np.float64]
FLOOR = 1e-3
"""Share of equal probabilities that is mixed into those of every model: one that is once confidently wrong
must not outvote all others."""

MARKED = ("LabelPropagation", "LabelSpreading", "SelfTrainingClassifier")
"""Classifiers of scikit-learn that take unlabeled rows, marked -1."""


def _is_marked(model: Any) -> bool:
    module = sys.modules.get("sklearn.semi_supervised")  # not loaded before somebody made such a classifier
    return module is not None and isinstance(model, tuple(getattr(module, name) for name in MARKED))


def takes_unlabeled(model: Any) -> bool:
    """Whether a classifier learns from unlabeled rows: scikit-learn's own, and any with ``unlabeled``."""
    return _is_marked(model) or hasattr(model, "unlabeled")


def fit_classifier(model: Any, X: Any, labels: Labels, weight: Array) -> Any:
    """Fit a classifier on the rows that it can use.

    A semi-supervised one gets all rows of positive weight; any other the labeled ones, one with soft labels
    or candidates once for each possible class, weighted by its probability. Classifiers that know no
    ``Labels`` or markers learn the numbers of the classes, 0 … K-1, because they do not take every type of
    class.

    Raises
    ------
    ParameterError
        If rows are weighted and the classifier takes no weights.
    """
    if not weight.all():  # what takes no weights would learn from rows that do not count
        counted = np.flatnonzero(weight)
        X, labels, weight = take_rows(X, counted), labels.take(counted), weight[counted]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one that has not converged is used as it is
        warnings.filterwarnings("ignore", TOO_MANY, UserWarning)
        if _is_marked(model):
            return model.fit(X, labels.hard)
        if takes_unlabeled(model):
            weighted = {} if (weight == 1).all() else {"sample_weight": weight}
            return model.fit(
                X, labels if isinstance(model, TableClassifier) else labels.to_array(), **weighted
            )
        rows, code, share = labeled_examples(labels, weight)
        X_labeled, y = take_rows(X, rows), code
        if (share == 1).all():
            return model.fit(X_labeled, y)
        if not has_fit_parameter(model, "sample_weight"):
            raise ParameterError(
                f"{type(model).__name__}.fit takes no sample_weight, which soft labels and weights need: use "
                "another classifier, such as LogisticRegression."
            )
        return model.fit(X_labeled, y, sample_weight=share)


def class_proba(model: Any, X: Any, classes: NDArray[Any]) -> Array:
    """Probabilities over ``classes`` of a classifier that :func:`fit_classifier` fitted, (n, K).

    They are equal for a row about which it says nothing (no labeled row can be reached in its graph).
    """
    with np.errstate(invalid="ignore"):  # 0 / 0 where no labeled row can be reached
        probs = np.nan_to_num(model.predict_proba(X), nan=0.0)
    total = probs.sum(axis=1, keepdims=True)
    probs = np.where(total > 0, probs / np.where(total > 0, total, 1.0), 1.0 / probs.shape[1])
    return align_probabilities(probs, known_classes(model, classes), classes)


def known_classes(model: Any, classes: NDArray[Any]) -> NDArray[Any]:
    """The classes that a model of :func:`fit_classifier` knows, by name, in its order."""
    knows_names = takes_unlabeled(model) and not _is_marked(model)
    return np.asarray(model.classes_ if knows_names else classes[model.classes_])


def class_log_proba(model: Any, X: Any, classes: NDArray[Any]) -> Array:
    """Log probabilities over ``classes`` after mixing in ``FLOOR`` of equal ones, (n, K)."""
    return np.asarray(np.log((1 - FLOOR) * class_proba(model, X, classes) + FLOOR / len(classes)))


def prior_of(model: Any, classes: NDArray[Any], shares: Array) -> Array:
    """The class prior inside a fitted classifier's probabilities over ``classes``, (K,).

    That of its ``calibration_`` (ours) or of its attribute ``class_prior_`` (scikit-learn's Gaussian naive
    Bayes), else the class shares of the labeled rows that it was fitted on.
    """
    calibration = getattr(model, "calibration_", None)
    own = calibration.shares if isinstance(calibration, Calibration) else getattr(model, "class_prior_", None)
    if own is None:
        return shares
    return np.asarray(align_probabilities([own], known_classes(model, classes), classes)[0])


def without(X: Any, labels: Labels, weight: Array, rows: NDArray[np.intp]) -> tuple[Any, Labels, Array]:
    """The table, its labels and its weights without some rows."""
    rest = np.delete(np.arange(len(weight)), rows)
    return take_rows(X, rest), labels.take(rest), weight[rest]


class PartlyLabeledClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Any classifier, fitted on the rows of a partly labeled table that it can use.

    A pipeline is given what its last step can use.

    Parameters
    ----------
    estimator : classifier
    unlabeled : scalar or None, default=-1
        The marker in y.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    estimator_ : classifier
    """

    def __init__(self, estimator: Any, unlabeled: Any = -1) -> None:
        self.estimator = estimator
        self.unlabeled = unlabeled

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on all rows or on the labeled ones.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K), or Labels
        sample_weight : array-like of shape (n,) or None
        """
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X)
        self.classes_ = labels.classes
        model = clone(self.estimator)
        self.estimator_, last = model, _last_step(model)
        if last is model or not takes_unlabeled(last):
            fit_classifier(model, X, labels, weight)
        elif (weight == 1).all():
            model.fit(X, labels.hard if _is_marked(last) else labels.to_array())
        else:
            raise ParameterError("a pipeline of a semi-supervised classifier takes no row weights.")
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        last = _last_step(self.estimator_)
        if last is self.estimator_ or not takes_unlabeled(last) or _is_marked(last):
            return class_proba(self.estimator_, X, self.classes_)
        return align_probabilities(self.estimator_.predict_proba(X), last.classes_, self.classes_)


def _last_step(model: Any) -> Any:
    """The last step of a pipeline; any other model is its own."""
    return model.steps[-1][1] if hasattr(model, "steps") else model
