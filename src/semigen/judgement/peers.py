"""Strategies of scikit-activeml, asked about the same rows. Nothing of it is imported before one is given."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from semigen.exceptions import ParameterError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

GIVEN = {"X", "y", "clf", "estimator", "discriminator", "candidates", "batch_size", "return_utilities"}
"""Arguments of ``query`` that are given to a strategy."""


class KnownAnswers(ClassifierMixin, BaseEstimator):
    """A fitted classifier of the rows of one table: it looks their probabilities up."""

    def __init__(self, features: Any = None, probabilities: Any = None) -> None:
        self.features = features
        self.probabilities = probabilities

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KnownAnswers:
        """Remember the rows; there is nothing to learn."""
        self.classes_ = np.arange(self.probabilities.shape[1])
        self.known_ = {row.tobytes(): number for number, row in enumerate(self.features)}
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of rows that are in the table, (n, K)."""
        rows = [self.known_.get(row.tobytes(), -1) for row in np.ascontiguousarray(X, dtype=np.float64)]
        if -1 in rows:
            raise ValueError("it asks about rows that are not in the table")
        return np.asarray(self.probabilities[rows])

    def predict(self, X: Any) -> Rows:
        """The most probable classes, (n,)."""
        return np.asarray(self.predict_proba(X).argmax(axis=1))


def ask_strategy(
    strategy: Any, features: Array, probabilities: Array | None, code: Rows, candidates: Rows, n: int
) -> tuple[Rows, Array]:
    """Rows that a pool strategy of scikit-activeml asks for, and their utilities.

    It sees the rows as features, and as its classifier the probabilities that are given.

    Parameters
    ----------
    strategy : pool-based query strategy
    features : ndarray of shape (n, q)
    probabilities : ndarray of shape (n, K) or None
    code : ndarray of shape (n,)
        Classes of labeled rows, -1 for every other row.
    candidates : ndarray of intp
        Rows that it may ask for.
    n : int

    Raises
    ------
    ParameterError
        If it needs something else, such as a classifier to fit again and again.
    """
    wanted = inspect.signature(strategy.query).parameters
    needs = [
        name
        for name, one in wanted.items()
        if one.default is inspect.Parameter.empty and name not in GIVEN and one.kind is not one.VAR_KEYWORD
    ]
    if needs or "ignore_partial_fit" in wanted:
        raise ParameterError(
            f"strategy {type(strategy).__name__} needs {', '.join(needs) or 'a classifier to fit anew'}: "
            "use one that takes rows, labels and one classifier, such as UncertaintySampling."
        )
    features = np.ascontiguousarray(features)
    y = np.where(code >= 0, code.astype(np.float64), np.nan)
    options: dict[str, Any] = {}
    for name in ("clf", "estimator"):
        if name not in wanted:
            continue
        if probabilities is None:
            raise ParameterError(
                f"strategy {type(strategy).__name__} needs a classifier, and there are no two labeled "
                'classes to fit one to: label rows that strategy="cover" names first.'
            )
        answers = _wrapped(KnownAnswers(features, probabilities), probabilities.shape[1])
        options |= {name: answers.fit(features, y), f"fit_{name}": False}
    if "discriminator" in wanted:
        options["discriminator"] = _wrapped(LogisticRegression(max_iter=500), 2)
    try:
        found, utilities = strategy.query(
            X=features, y=y, candidates=candidates, batch_size=n, return_utilities=True, **options
        )
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"strategy {type(strategy).__name__} cannot be used here: {error}. Use one that takes rows, "
            "labels and one classifier's probabilities, such as UncertaintySampling(missing_label=numpy.nan)."
        ) from error
    rows = np.asarray(found, dtype=np.intp)
    return rows, np.asarray(utilities)[np.arange(len(rows)), rows]


def _wrapped(classifier: Any, n_classes: int) -> Any:
    """A classifier as scikit-activeml knows them."""
    from skactiveml.classifier import SklearnClassifier

    return SklearnClassifier(classifier, classes=list(range(n_classes)))
