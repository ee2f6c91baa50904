"""What classifiers of tables share: their input tags, and predictions from probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from semigen.common.notices import warn
from semigen.data.labels import labeled_values
from semigen.data.sources import classes, computed, over_partitions
from semigen.evaluation.metrics import accuracy_score
from semigen.exceptions import LabelWarning

Array = NDArray[np.float64]


def take_attributes(model: Any, inner: Any, names: Sequence[str]) -> None:
    """Give ``model`` fitted attributes of the one inside it; those that it lacks go, as of an earlier fit."""
    for name in names:
        if hasattr(inner, name):
            setattr(model, name, getattr(inner, name))
        elif name in vars(model):
            delattr(model, name)


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
        """Accuracy on the labeled rows of (X, y); a class that the fit has not seen counts as wrong.

        Warns
        -----
        LabelWarning
            If there is such a class.
        """
        predicted, y, sample_weight = map(computed, (self.predict(X), y, sample_weight))
        accuracy = accuracy_score(y, predicted, sample_weight=sample_weight, unlabeled=self.unlabeled)
        truth, _ = labeled_values(y, self.unlabeled)
        unseen = ~np.isin(truth, self.classes_)
        if unseen.any():
            warn(
                f"{int(unseen.sum())} of {len(truth)} labeled rows are of a class without a label in the fit "
                f"(such as {truth[unseen][0]!s}), and count as wrong: if this is cross-validation, pass "
                "cv=semigen.model_selection.SemiSupervisedSplit(), which has every class in every fit.",
                LabelWarning,
            )
        return accuracy
