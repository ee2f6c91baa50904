"""Scores over the labeled rows: unlabeled rows are left out, never counted as wrong.

scikit-learn's own scorers take the unlabeled marker for a class, so they can report 9 % accuracy for a model
that is right in 95 % of the rows. The functions and scorers here drop unlabeled rows first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from semigen.data.labels import class_columns, labeled_values
from semigen.data.rows import take_rows
from semigen.data.weights import check_weights
from semigen.exceptions import LabelError, ParameterError

__all__ = ["CLIP", "LabeledScorer", "accuracy_score", "brier_score", "get_scorer", "log_loss"]

CLIP = 1e-6
"""Probabilities are clipped here before a log-loss: one confidently wrong row costs at most 13.8 nats."""

_SUM_TOLERANCE = 1e-3  # float32 softmax stays far below; logits and log probabilities do not


def accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = None, unlabeled: Any = -1
) -> float:
    """Weighted share of labeled rows that are predicted correctly, Σ_i w_i [ŷ_i = y_i] / Σ_i w_i.

    Parameters
    ----------
    y_true : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        True labels. Only rows with exactly one possible class count.
    y_pred : array-like or series of shape (n,)
        Predicted classes, one for every row of ``y_true``.
    sample_weight : array-like of shape (n,), optional
        Weight of each row, 0 or more.
    unlabeled : scalar or None, default=-1
        The marker in ``y_true``; ``None``, NaN and NA always count as unlabeled.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    LabelError
        If no row is labeled, the lengths differ, a prediction is missing, or one side is text and the other
        is not.

    Examples
    --------
    >>> from semigen.evaluation.metrics import accuracy_score
    >>> accuracy_score(["a", "b", None, "b"], ["a", "b", "a", "a"])
    0.6666666666666666
    """
    truth, rows, n_rows = _labeled_rows(y_true, unlabeled)
    predicted, predicted_rows = labeled_values(y_pred, None)
    n_predicted = _n_rows(y_pred)
    _check_lengths(n_rows, n_predicted, "y_pred")
    if predicted_rows.size < n_predicted:
        raise LabelError(
            f"y_pred has {n_predicted - predicted_rows.size} missing value(s), the first in row "
            f"{np.setdiff1d(np.arange(n_predicted), predicted_rows)[0]}: predict a class for every row."
        )
    _check_types(truth, predicted, "y_pred")
    weight = _weights(sample_weight, rows, n_rows)
    return float(np.average(predicted[rows] == truth, weights=weight))


def log_loss(
    y_true: Any,
    probabilities: ArrayLike,
    *,
    classes: ArrayLike,
    sample_weight: ArrayLike | None = None,
    unlabeled: Any = -1,
) -> float:
    """Mean of −log p_i(y_i) over the labeled rows, in nats.

    Probabilities are clipped at ``CLIP`` = 1e-6 and renormalized first, so a row costs at most about 13.8
    nats. A class that is missing from ``classes`` has probability 0 before clipping.

    Parameters
    ----------
    y_true : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        True labels. Only rows with exactly one possible class count.
    probabilities : array-like of shape (n, K)
        Class probabilities, one row for every row of ``y_true``.
    classes : array-like of shape (K,)
        The class of each column, as in ``estimator.classes_``.
    sample_weight : array-like of shape (n,), optional
        Weight of each row, 0 or more.
    unlabeled : scalar or None, default=-1
        The marker in ``y_true``; ``None``, NaN and NA always count as unlabeled.

    Returns
    -------
    float
        Nats per row, 0 or more; lower is better.

    Raises
    ------
    LabelError
        If no row is labeled, or the lengths differ.
    ParameterError
        If ``probabilities`` is not an (n, K) matrix of probabilities with row sums 1.

    Examples
    --------
    >>> from semigen.evaluation.metrics import log_loss
    >>> probabilities = [[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]
    >>> round(log_loss(["a", "b", None], probabilities, classes=["a", "b"]), 4)
    0.3993
    """
    aligned, column, weight = _read(y_true, probabilities, classes, sample_weight, unlabeled)
    return float(np.average(row_log_loss(aligned, column), weights=weight))


def brier_score(
    y_true: Any,
    probabilities: ArrayLike,
    *,
    classes: ArrayLike,
    sample_weight: ArrayLike | None = None,
    unlabeled: Any = -1,
) -> float:
    """Mean of Σ_k (p_ik − [y_i = k])² over the labeled rows.

    Every class counts, so with two classes this is twice the score of the positive class alone. Nothing is
    clipped; a class that is missing from ``classes`` has probability 0.

    Parameters
    ----------
    y_true : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        True labels. Only rows with exactly one possible class count.
    probabilities : array-like of shape (n, K)
        Class probabilities, one row for every row of ``y_true``.
    classes : array-like of shape (K,)
        The class of each column, as in ``estimator.classes_``.
    sample_weight : array-like of shape (n,), optional
        Weight of each row, 0 or more.
    unlabeled : scalar or None, default=-1
        The marker in ``y_true``; ``None``, NaN and NA always count as unlabeled.

    Returns
    -------
    float
        Between 0 and 2; lower is better.

    Raises
    ------
    LabelError
        If no row is labeled, or the lengths differ.
    ParameterError
        If ``probabilities`` is not an (n, K) matrix of probabilities with row sums 1.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability, eq. 2.

    Examples
    --------
    >>> from semigen.evaluation.metrics import brier_score
    >>> round(brier_score([0, 1, -1], [[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], classes=[0, 1]), 4)
    0.26
    """
    aligned, column, weight = _read(y_true, probabilities, classes, sample_weight, unlabeled)
    error = aligned - (np.arange(aligned.shape[1]) == column[:, None])
    return float(np.average((error**2).sum(axis=1), weights=weight))


def row_log_loss(probabilities: NDArray[np.float64], column: NDArray[np.intp]) -> NDArray[np.float64]:
    """−log p_i(y_i) of each row in nats, (m,), after clipping at ``CLIP`` and renormalizing.

    ``probabilities`` is (m, K); ``column`` (m,) is the column of each row's true class.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.evaluation.metrics import row_log_loss
    >>> row_log_loss(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])).round(2)
    array([ 0.  , 13.82])
    """
    clipped = np.maximum(probabilities, CLIP)
    picked = np.take_along_axis(clipped, column[:, None], axis=1)[:, 0]
    return np.asarray(np.log(clipped.sum(axis=1)) - np.log(picked))


def row_brier(probabilities: NDArray[np.float64], column: NDArray[np.intp]) -> NDArray[np.float64]:
    """Brier score of each row, ``Σ_k (p_k - [k is its class])²``, (n,).

    Parameters
    ----------
    probabilities : ndarray of shape (n, K)
    column : ndarray of shape (n,)
        The column of each row's class.
    """
    error = probabilities - (np.arange(probabilities.shape[1]) == column[:, None])
    return np.asarray((error**2).sum(axis=1))


def align_probabilities(
    probabilities: ArrayLike, classes: ArrayLike, onto: NDArray[Any]
) -> NDArray[np.float64]:
    """Class probabilities with their columns in the order of ``onto``, and 0 for classes that are missing.

    ``probabilities`` is (m, K) with one column for each of ``classes``. Columns of classes outside ``onto``
    follow behind.

    Raises
    ------
    ParameterError
        If ``probabilities`` is not an (m, K) matrix of probabilities with row sums 1.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.evaluation.metrics import align_probabilities
    >>> align_probabilities([[0.25, 0.75]], ["a", "c"], np.array(["a", "b", "c"]))
    array([[0.25, 0.  , 0.75]])
    """
    names = np.asarray(classes)
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or names.shape != values.shape[1:]:
        raise ParameterError(
            f"probabilities have shape {values.shape} and classes {names.shape}: "
            "give one column per class and one row for each row of y."
        )
    bad = ~(np.abs(values.sum(axis=1) - 1.0) <= _SUM_TOLERANCE) | ~(values >= 0).all(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        raise ParameterError(
            f"probabilities are not probabilities in {int(np.sum(bad))} row(s), the first is row {first}: "
            f"{values[first].tolist()}. They must be 0 or more and sum to 1; exponentiate log probabilities "
            "and normalize."
        )
    column = class_columns(names, onto)
    extra = column < 0
    column[extra] = onto.shape[0] + np.arange(int(extra.sum()))
    aligned = np.zeros((values.shape[0], onto.shape[0] + int(extra.sum())))
    aligned[:, column] = values
    return aligned


@dataclass(frozen=True)
class LabeledScorer:
    """Score of a fitted estimator on the labeled rows; made by :func:`get_scorer`.

    Parameters
    ----------
    name : str
        "neg_log_loss", "neg_brier_score", or any scorer name of scikit-learn.
    unlabeled : scalar or None, default=-1
        The marker in y. ``None``, NaN and NA are always unlabeled.
    """

    name: str
    unlabeled: Any = -1
    _requested: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Ask for row weights, or not, where scikit-learn routes metadata.

        Parameters
        ----------
        sample_weight : bool, str or None
            True, or the name under which the weights are passed to ``fit`` of a search or a cross-validation;
            False leaves them out, and None makes weights that are passed an error.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            If metadata routing is not enabled.
        """
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise ParameterError(
                "set_score_request needs metadata routing: call "
                "sklearn.set_config(enable_metadata_routing=True) first."
            )
        self._requested["sample_weight"] = sample_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """What :meth:`set_score_request` asked for, as scikit-learn reads it."""
        request = MetadataRequest(owner=self)
        for param, alias in self._requested.items():
            request.score.add_request(param=param, alias=alias)
        return request

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Score ``estimator`` on the rows of ``X`` that ``y`` labels; higher is better, losses are negated.

        Raises
        ------
        LabelError
            If no row is labeled or the lengths differ.
        """
        truth, rows, n_rows = _labeled_rows(y, self.unlabeled)
        _check_lengths(n_rows, _n_rows(X), "X")
        weight = None if sample_weight is None else _weights(sample_weight, rows, n_rows)
        labeled_rows = take_rows(X, rows)
        loss = {"neg_log_loss": log_loss, "neg_brier_score": brier_score}.get(self.name)
        if loss is not None:
            probabilities = estimator.predict_proba(labeled_rows)
            classes = estimator.classes_
            return -loss(truth, probabilities, classes=classes, sample_weight=weight, unlabeled=None)
        scorer = sklearn.metrics.get_scorer(self.name)
        extra = {} if weight is None else {"sample_weight": weight}
        return float(scorer(estimator, labeled_rows, truth, **extra))


def get_scorer(name: str, unlabeled: Any = -1) -> LabeledScorer:
    """Make a scorer that leaves out unlabeled rows, for ``scoring=`` anywhere in scikit-learn.

    Parameters
    ----------
    name : str
        "neg_log_loss" or "neg_brier_score" (ours: they work when a fold lacks a class), or any scorer name
        of scikit-learn, such as "accuracy", "balanced_accuracy" or "f1_macro".
    unlabeled : scalar or None, default=-1
        The marker in y. ``None``, NaN and NA are always unlabeled.

    Returns
    -------
    LabeledScorer
        Called as ``scorer(estimator, X, y, sample_weight=None)``.

    Raises
    ------
    ParameterError
        If there is no scorer of that name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from semigen.evaluation.metrics import get_scorer
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> model = LogisticRegression().fit(X, y)
    >>> scorer = get_scorer("accuracy")
    >>> scorer
    LabeledScorer(name='accuracy', unlabeled=-1)
    >>> scorer(model, X, np.array([0, -1, -1, 1]))
    1.0
    """
    names = sklearn.metrics.get_scorer_names()
    if name not in names:
        close = get_close_matches(str(name), names, n=3) or ["accuracy", "neg_log_loss", "neg_brier_score"]
        raise ParameterError(f"there is no scorer {name!r}: use one such as {', '.join(map(repr, close))}.")
    return LabeledScorer(name, unlabeled)


def _labeled_rows(y_true: Any, unlabeled: Any) -> tuple[NDArray[Any], NDArray[np.intp], int]:
    """Labels of the labeled rows, their row numbers, and the number of all rows."""
    truth, rows = labeled_values(y_true, unlabeled)
    n_rows = _n_rows(y_true)
    if rows.size == 0:
        raise LabelError(f"y has no labeled row to score: all {n_rows} rows are unlabeled.")
    return truth, rows, n_rows


def _n_rows(data: Any) -> int:
    return int(data.shape[0]) if hasattr(data, "shape") else len(data)


def _check_lengths(n_rows: int, n_other: int, name: str) -> None:
    if n_rows != n_other:
        raise LabelError(f"y has {n_rows} rows and {name} {n_other}: give both for the same rows.")


def _check_types(truth: NDArray[Any], other: NDArray[Any], name: str) -> None:
    kinds = {truth.dtype.kind, other.dtype.kind}
    if "U" in kinds and kinds & set("biuf"):
        raise LabelError(
            f"y holds {truth.dtype} and {name} {other.dtype}, so none can be right: convert one to the other."
        )


def _weights(sample_weight: ArrayLike | None, rows: NDArray[np.intp], n_rows: int) -> NDArray[np.float64]:
    weight = check_weights(sample_weight, n_rows)[rows]
    if not weight.any():
        raise LabelError("sample_weight is 0 for every labeled row: at least one labeled row must count.")
    return weight


def _read(
    y_true: Any, probabilities: ArrayLike, classes: ArrayLike, sample_weight: ArrayLike | None, unlabeled: Any
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Probabilities, true column and weight of the labeled rows, with a column for every true class."""
    truth, rows, n_rows = _labeled_rows(y_true, unlabeled)
    values, names = np.asarray(probabilities, dtype=np.float64), np.asarray(classes)
    _check_lengths(n_rows, values.shape[0] if values.ndim else 1, "probabilities")
    _check_types(truth, names, "classes")
    # True classes come first, so those that ``classes`` lacks get a column of zeros.
    onto = np.unique(truth)
    aligned = align_probabilities(values[rows], names, onto)
    return aligned, class_columns(truth, onto), _weights(sample_weight, rows, n_rows)
