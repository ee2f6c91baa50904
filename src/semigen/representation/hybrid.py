"""A classifier of the labeled rows on a representation learned from all rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from semigen.data.rows import by_blocks, take_rows
from semigen.data.weights import read_labels
from semigen.estimators.adapters import class_log_proba, class_proba, fit_classifier, takes_unlabeled, without
from semigen.estimators.base import TableClassifier, take_attributes
from semigen.estimators.classifiers import RidgeLogistic
from semigen.evaluation.splits import held_out_folds
from semigen.representation.mixtures import MixtureEnsembleFeatures

Array = NDArray[np.float64]

_FOLDS = 5


class HybridClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Learn features from all rows, labeled or not, and a classifier of the labeled rows on them.

    For data whose classes have no simple density, such as those with many columns: the generative model only
    has to say which rows are alike.

    Parameters
    ----------
    representation : transformer, semi-supervised classifier or None, default=None
        A transformer is fitted on all rows without labels. None: :class:`MixtureEnsembleFeatures`. A fitted
        transformer in ``sklearn.frozen.FrozenEstimator`` is used as it is. A classifier that takes unlabeled
        rows (:class:`~semigen.MixtureClassifier`, a flow mixture) is fitted on all rows with the labels; its
        log p(k | x) are the features. Those of labeled rows come from fits without these rows, in up to 5
        folds, so that the classifier learns how far they can be trusted (Wolpert 1992); the only labeled row
        of a class cannot be held out.
    classifier : classifier or None, default=None
        Fitted on the features of the labeled rows. None: ridge logistic regression, ``C=10``. A row with soft
        labels or a candidate set counts as one row per possible class, weighted by its probability. A
        semi-supervised classifier, such as ``LabelSpreading``, is given the features of all rows.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    representation_, classifier_ : fitted estimators
    n_features_in_, feature_names_in_, schema_
        Those of the representation, where it has them.

    References
    ----------
    R. Raina, Y. Shen, A. Y. Ng & A. McCallum (2003), *NeurIPS* 16: a discriminative model of generative log
    probabilities. D. H. Wolpert (1992), *Neural Networks* 5:241.

    Examples
    --------
    >>> import numpy as np, semigen
    >>> X = np.concatenate([np.linspace(0, 1, 30), np.linspace(3, 4, 30)])[:, None]
    >>> y = np.full(60, None)
    >>> y[[3, 40]] = ["low", "high"]
    >>> semigen.HybridClassifier().fit(X, y).predict([[0.2], [3.7]]).tolist()
    ['low', 'high']
    """

    def __init__(self, representation: Any = None, classifier: Any = None, *, unlabeled: Any = -1) -> None:
        self.representation = representation
        self.classifier = classifier
        self.unlabeled = unlabeled

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the representation on all rows and the classifier on the labeled ones.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
            Any table that the representation takes.
        y : array-like of shape (n,) or (n, K), or Labels
            Labels with markers, or label probabilities.
        sample_weight : array-like of shape (n,) or None
            Weights of the labeled rows. A row of weight 0 is left out altogether.

        Returns
        -------
        self
        """
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X)
        if not weight.all():
            counted = np.flatnonzero(weight)
            X, labels, weight = take_rows(X, counted), labels.take(counted), weight[counted]
        representation = MixtureEnsembleFeatures() if self.representation is None else self.representation
        learns_labels = _learns_labels(representation)
        if learns_labels:
            self.representation_ = fit_classifier(clone(representation), X, labels, weight)
        else:
            self.representation_ = clone(representation).fit(X, None)
        self.classes_ = labels.classes
        classifier = RidgeLogistic(10.0) if self.classifier is None else self.classifier
        rows = np.arange(len(weight))
        if not takes_unlabeled(classifier):
            rows = np.flatnonzero(labels.is_labeled)
        features = self._features(X if len(rows) == len(weight) else take_rows(X, rows))
        if learns_labels:
            for fold in held_out_folds(labels, weight, _FOLDS, 0):
                model = fit_classifier(clone(representation), *without(X, labels, weight, fold))
                unseen = class_log_proba(model, take_rows(X, fold), labels.classes)
                features[np.searchsorted(rows, fold)] = unseen
        labels, weight = labels.take(rows), weight[rows]
        self.classifier_ = fit_classifier(clone(classifier), features, labels, weight)
        take_attributes(self, self.representation_, ("n_features_in_", "feature_names_in_", "schema_"))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K), in the order of ``classes_``."""
        check_is_fitted(self)

        def block(rows: Any) -> Array:
            return class_proba(self.classifier_, self._features(rows), self.classes_)

        return by_blocks(block, X, len(self.classes_))

    def _features(self, X: Any) -> Any:
        """The features of rows."""
        if _learns_labels(self.representation_):
            return class_log_proba(self.representation_, X, self.classes_)
        return self.representation_.transform(X)


def _learns_labels(representation: Any) -> bool:
    return takes_unlabeled(representation) and hasattr(representation, "predict_proba")
