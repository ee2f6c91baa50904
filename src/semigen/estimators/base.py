"""What classifiers of tables share: their input tags, and predictions from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from semigen.data.sources import classes, over_partitions
from semigen.evaluation.metrics import accuracy_score

Array = NDArray[np.float64]


class TableInput:
    """Tells scikit-learn that rows may be sparse and values missing."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags


class KeepsPrecision:
    """Tells scikit-learn that features of rows in float32 are float32."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ProbabilityClassifier(ClassifierMixin):
    """A classifier that predicts the most probable class."""

    classes_: NDArray[Any]

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K), in the order of ``classes_``."""
        raise NotImplementedError

    @over_partitions(classes)
    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each row, (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])


class TableClassifier(TableInput, ProbabilityClassifier):
    """A classifier of partly labeled tables, whose ``fit`` also takes ``Labels`` as y."""

    unlabeled: Any

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy on the labeled rows of (X, y)."""
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight, unlabeled=self.unlabeled)
