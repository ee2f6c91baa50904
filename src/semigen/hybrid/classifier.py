"""A classifier of the labelled rows on a representation learned from all rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from semigen.base import TableClassifier
from semigen.exceptions import LabelError
from semigen.hybrid.classifiers import RidgeLogistic
from semigen.hybrid.ensemble import MixtureEnsembleFeatures
from semigen.labels import check_weights, encode
from semigen.members import by_blocks, count_rows, fit_member, member_proba, takes_unlabeled
from semigen.metrics import take_rows

Array = NDArray[np.float64]


class HybridClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """Learn features from all rows, labelled or not, and a classifier of the labelled rows on them.

    For data whose classes no simple density describes, such as those of many columns: the generative model
    only has to say which rows are alike.

    Parameters
    ----------
    representation : transformer or None, default=None
        Fitted on all rows without labels. None: :class:`MixtureEnsembleFeatures`. A fitted transformer in
        ``sklearn.frozen.FrozenEstimator`` is used as it is.
    classifier : classifier or None, default=None
        Fitted on the labelled rows' features. None: ridge logistic regression, ``C=10``. Rows with soft
        labels or candidate sets count as one row a possible class, weighted by its probability. A
        semi-supervised classifier, such as ``LabelSpreading``, is given the features of all rows.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabelled.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    representation_, classifier_ : fitted estimators
    n_features_in_ : int

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
        """Fit the representation on all rows and the classifier on the labelled ones.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
            What the representation takes.
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities.
        sample_weight : array-like of shape (n,) or None
            Weights of the labelled rows.

        Returns
        -------
        self
        """
        labels = encode(y, self.unlabeled)
        if count_rows(X) != len(labels.pattern):
            raise LabelError(
                f"Found input variables with inconsistent numbers of samples: X has {count_rows(X)} rows and "
                f"y has {len(labels.pattern)}."
            )
        weight = check_weights(sample_weight, len(labels.pattern))
        representation = MixtureEnsembleFeatures() if self.representation is None else self.representation
        self.representation_ = clone(representation).fit(X, None)
        classifier = RidgeLogistic(10.0) if self.classifier is None else self.classifier
        if takes_unlabeled(classifier):
            features = self.representation_.transform(X)
        else:
            rows = np.flatnonzero(labels.is_labeled & (weight > 0))
            features = self.representation_.transform(take_rows(X, rows))
            labels, weight = labels.take(rows), weight[rows]
        self.classifier_ = fit_member(clone(classifier), features, labels, weight)
        self.classes_ = labels.classes
        for name in ("n_features_in_", "feature_names_in_", "schema_"):
            if hasattr(self.representation_, name):
                setattr(self, name, getattr(self.representation_, name))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K), in the order of ``classes_``."""
        check_is_fitted(self)

        def block(rows: Any) -> Array:
            return member_proba(self.classifier_, self.representation_.transform(rows), self.classes_)

        return by_blocks(block, X, len(self.classes_))
