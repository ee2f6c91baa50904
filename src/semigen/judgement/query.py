"""Which rows to label next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer, real
from semigen.common.plain import plain
from semigen.common.text import Printed, in_columns
from semigen.data.containers import as_matrix
from semigen.data.labels import Labels, class_columns, encode, is_unlabeled, labeled_values
from semigen.data.rows import count_rows
from semigen.data.weights import check_weights
from semigen.ensemble.auto import AutoClassifier
from semigen.estimators.adapters import class_proba, fit_classifier, without
from semigen.estimators.classifiers import RidgeLogistic
from semigen.evaluation.doubt import label_doubts
from semigen.evaluation.splits import held_out_folds
from semigen.exceptions import LabelError, NotFittedError, ParameterError
from semigen.judgement.information import closeness, most_informative, similarity_features
from semigen.judgement.peers import ask_strategy

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

EXPLORE, UNCERTAIN, CHECK = "explore", "uncertain", "check label"
STRATEGIES = ("auto", "cover", "margin")
MOSTLY_UNKNOWN = 0.5
"""A row of which more than this share of the prior variance is left is asked for to explore."""
FOLDS, RIDGE_C = 5, 25.0
"""Of the ridge regression that looks for wrong labels: as on the mixture features of AutoClassifier."""


@dataclass(frozen=True, eq=False)
class Query(Printed):
    """Rows to label next, in the order in which to ask.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp
        Row numbers in the table, from 0.
    reasons : tuple of str
        Why each is asked for. ``"explore"``: few labels are near it. ``"uncertain"``: there are labels near
        it, but its class is open. ``"check label"``: it has a label that looks wrong.
    scores : ndarray of shape (m,)
        How much a label is worth. With ``strategy`` "auto" and "cover" the share, from 0 to 1, of what is
        uncertain now that the label is expected to settle, given those before it; with "margin" one less the
        difference of the two largest probabilities; else the strategy's own utility. Of a label to check, the
        probability that it is wrong (:func:`semigen.evaluation.doubt.label_doubts`).
    predicted : ndarray of shape (m,), object
        The most probable class; None where no class is known yet. Of a label to check, the class that a model
        without this label finds most probable.
    probabilities : ndarray of shape (m,)
        Of the predicted class; NaN where no class is known yet.
    strategy : str
        What chose the rows.
    n_rows, n_labeled : int
        Rows of the table, and those that are labeled.
    """

    rows: Rows
    reasons: tuple[str, ...]
    scores: Array
    predicted: NDArray[Any]
    probabilities: Array
    strategy: str
    n_rows: int
    n_labeled: int

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        """The rows to label as lines of a table."""
        lines = [
            (str(row), reason, f"{score:.3f}", *(("", "") if name is None else (str(name), f"{p:.3f}")))
            for row, reason, score, name, p in zip(*self._columns(), strict=True)
        ]
        asked = f"{len(self)} rows to label next, of {self.n_rows:,} ({self.n_labeled:,} labeled)"
        return "\n".join([asked, *in_columns([_COLUMNS, *lines])])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values that JSON can hold."""
        return {
            "strategy": self.strategy,
            "n_rows": self.n_rows,
            "n_labeled": self.n_labeled,
            "rows": [
                {name: plain(value) for name, value in zip(_COLUMNS, line, strict=True)}
                for line in zip(*self._columns(), strict=True)
            ],
        }

    def to_frame(self, library: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """Row, reason, score, predicted class and probability as a data frame, one line for each row to ask.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default="pandas"
            What makes the frame; it must be installed.
        """
        return nw.from_dict(dict(zip(_COLUMNS, self._columns(), strict=True)), backend=library).to_native()

    def _columns(self) -> tuple[Sequence[Any], ...]:
        numbers = (self.scores.tolist(), self.predicted.tolist(), self.probabilities.tolist())
        return self.rows.tolist(), self.reasons, *numbers


_COLUMNS = ("row", "reason", "score", "predicted", "probability")


def query(
    estimator: Any,
    X: Any,
    y: Any = None,
    n: int = 10,
    *,
    strategy: Any = "auto",
    check: float = 0,
    sample_weight: ArrayLike | None = None,
    unlabeled: Any = -1,
    random_state: int = 0,
) -> Query:
    """Choose the rows whose labels would help most.

    Rows are chosen one after the other, each the one whose label is expected to settle most of what the
    estimator is uncertain about in all rows: one that is uncertain itself, is like many others that are, and
    is unlike those that are labeled or chosen before it (:func:`semigen.judgement.information.
    most_informative`). Without labels of two classes nothing is known of the classes, all rows count the
    same, and the chosen ones cover the clusters: no estimator is needed then.

    Parameters
    ----------
    estimator : classifier or None
        With ``predict_proba``. A fitted one is used as it is. One that is not is cloned and fitted to
        (X, y), if y has two classes. None: :class:`semigen.AutoClassifier`.
    X : array, sparse matrix or data frame of shape (n, D)
        All rows, labeled or not.
    y : array-like of shape (n,) or (n, K), Labels or None
        Labels with markers. None: no row is labeled.
    n : int, default=10
        Rows to choose; fewer if fewer are left.
    strategy : {"auto", "cover", "margin"} or query strategy, default="auto"
        "auto": as said above. "cover": all rows count as uncertain, whatever the estimator says. "margin":
        the rows whose two most probable classes are closest, however alike they are. A pool-based strategy
        of scikit-activeml, such as ``skactiveml.pool.UncertaintySampling(missing_label=numpy.nan)``, sees the
        rows in the space of the similarity and the estimator's probabilities.
    check : int or float, default=0
        How many of the ``n`` rows may be labeled ones whose label looks wrong: a number of rows, or below 1 a
        share of ``n``. They are labels to which ridge regression on the similarity, fitted without them,
        gives less than to another class; the clearest first, before the other rows.
    sample_weight : array-like of shape (n,) or None
        How much it matters to know each row. Rows of weight 0 are never asked for.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled.
    random_state : int, default=0
        Seed of the mixtures that say which rows are alike, where the estimator has none, and of folds.

    Returns
    -------
    Query

    Raises
    ------
    ParameterError
        If a parameter has no valid value, or the strategy needs labels of two classes and there are none.
    LabelError
        If no row is left to ask for, or y cannot be read.

    Notes
    -----
    Labels that were asked for are no random sample: rare classes are more frequent among them. Keep some
    labels drawn at random to judge a model by. Leave its ``class_prior`` as it is: rows are asked for by
    their columns, so among rows that are alike the classes are as frequent with a label as without. With
    other shares, even the true ones, models missed rare classes on the tables of ``benchmarks/querying``.

    Examples
    --------
    >>> import numpy as np, semigen
    >>> X = np.concatenate([np.linspace(0, 1, 30), np.linspace(5, 6, 20), np.linspace(9, 10, 10)])[:, None]
    >>> asked = semigen.query(None, X, n=6)
    >>> sorted(set(np.digitize(X[asked.rows, 0], [3, 7]).tolist()))
    [0, 1, 2]
    >>> set(asked.reasons)
    {'explore'}
    """
    integer("n", n, minimum=1)
    integer("random_state", random_state, minimum=0)
    if not (strategy in STRATEGIES if isinstance(strategy, str) else hasattr(strategy, "query")):
        known = ", ".join(map(repr, STRATEGIES))
        raise ParameterError(f"strategy={strategy!r}: use one of {known}, or a strategy of scikit-activeml.")
    n_check = _number_to_check(check, n)
    weight = check_weights(sample_weight, count_rows(X))
    labels, labeled = _read(y, unlabeled, weight)
    candidates = np.flatnonzero(~labeled & (weight > 0))
    if not len(candidates) and not n_check:
        raise LabelError(
            f"each of the {len(weight)} rows has a label or weight 0, so none is left to ask for: check=10 "
            "(--check 10) names labels that look wrong."
        )
    model, answers = _answers(estimator, X, labels, weight, random_state, needed=strategy != "cover")
    if strategy == "margin" and answers is None:
        raise ParameterError(
            'strategy="margin" needs a classifier, and there are no two labeled classes to fit one to: label '
            'the rows that strategy="auto" names first.'
        )
    features = np.empty((len(weight), 0))
    if n_check or strategy != "margin":
        features = similarity_features(model, X, random_state)
    doubtful: list[_Line] = []
    if n_check and labels is not None:
        doubtful = _doubtful(features, labels, weight, random_state)[:n_check]
    left = min(n - len(doubtful), len(candidates))
    code = np.full(len(weight), -1)
    if labels is not None and answers is not None:
        code = np.append(class_columns(labels.classes, answers.classes), -1)[labels.hard]
    asked = _asked(strategy, features, answers, labeled, code, candidates, weight, left) if left else []
    lines = [*doubtful, *asked]
    predicted = np.empty(len(lines), dtype=object)
    predicted[:] = [line.predicted for line in lines]
    return Query(
        np.array([line.row for line in lines], dtype=np.intp),
        tuple(line.reason for line in lines),
        np.array([line.score for line in lines]),
        predicted,
        np.array([line.probability for line in lines]),
        strategy if isinstance(strategy, str) else type(strategy).__name__,
        len(weight),
        int((labeled & (weight > 0)).sum()),
    )


class _Line(NamedTuple):
    """One row to ask for."""

    row: int
    reason: str
    score: float
    predicted: Any
    probability: float


class _Answers(NamedTuple):
    """Classes (K,), and their probabilities for every row of the table, (n, K)."""

    classes: NDArray[Any]
    probabilities: Array

    def of(self, row: int) -> tuple[Any, float]:
        """The most probable class of a row, and its probability."""
        best = int(self.probabilities[row].argmax())
        return self.classes.tolist()[best], float(self.probabilities[row, best])


def _number_to_check(check: Any, n: int) -> int:
    """``check`` as a number of rows, at most n."""
    value = real("check", check, minimum=0)
    if value >= 1 and value != int(value):
        raise ParameterError(f"check={check!r}: give a number of rows, or a share of n below 1.")
    return min(n, int(value) if value >= 1 else int(np.ceil(value * n)))


def _read(y: Any, unlabeled: Any, weight: Array) -> tuple[Labels | None, NDArray[np.bool_]]:
    """The labels, None if there are not two classes, and which rows have one."""
    if y is None:
        return None, np.zeros(len(weight), dtype=bool)
    given = isinstance(y, Labels)
    labeled = y.is_labeled if given else ~is_unlabeled(y, unlabeled)
    if len(labeled) != len(weight):
        raise LabelError(f"X has {len(weight)} rows and y {len(labeled)}: give one label or marker per row.")
    if not given:
        values, rows = labeled_values(y, unlabeled)
        if as_matrix(y) is None and len(set(values[weight[rows] > 0].tolist())) < 2:
            return None, labeled
    if not (labeled & (weight > 0)).any():
        return None, labeled
    return encode(y, unlabeled, counted=weight > 0), labeled


def _answers(
    estimator: Any, X: Any, labels: Labels | None, weight: Array, random_state: int, *, needed: bool
) -> tuple[Any, _Answers | None]:
    """The fitted estimator with what it says of all rows; None where there is nothing to fit it to."""
    if estimator is not None:
        if not hasattr(estimator, "predict_proba"):
            raise ParameterError(
                f"{type(estimator).__name__} has no predict_proba, which says how uncertain a row is: give a "
                "classifier with probabilities, or None for the default one."
            )
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            pass
        else:
            with np.errstate(invalid="ignore"):  # label spreading has 0 / 0 where no label reaches
                probs = np.asarray(estimator.predict_proba(X))
            return estimator, _Answers(
                np.asarray(estimator.classes_), np.where(np.isnan(probs), 1 / probs.shape[1], probs)
            )
    if labels is None or not needed:
        return estimator, None
    model = AutoClassifier(random_state=random_state) if estimator is None else clone(estimator)
    model = fit_classifier(model, X, labels, weight)
    return model, _Answers(labels.classes, class_proba(model, X, labels.classes))


def _asked(
    strategy: Any,
    features: Array,
    answers: _Answers | None,
    labeled: NDArray[np.bool_],
    code: Rows,
    candidates: Rows,
    weight: Array,
    n: int,
) -> list[_Line]:
    """Unlabeled rows, in the order of asking."""
    probabilities = None if answers is None else answers.probabilities
    uncertain = np.ones(len(weight)) if probabilities is None else closeness(probabilities)
    usual = EXPLORE if answers is None else UNCERTAIN
    if not isinstance(strategy, str):
        rows, scores = ask_strategy(strategy, features, probabilities, code, candidates, n)
        reasons = [usual] * len(rows)
    elif strategy == "margin":
        rows = candidates[np.argsort(-uncertain[candidates], kind="stable")[:n]]
        scores, reasons = uncertain[rows], [usual] * len(rows)
    else:
        if strategy == "cover":
            uncertain, usual = np.ones(len(weight)), EXPLORE
        found = most_informative(
            features, uncertain, np.flatnonzero(labeled & (weight > 0)), candidates, weight * ~labeled, n
        )
        rows, scores = found.rows, found.settled
        reasons = [EXPLORE if left > MOSTLY_UNKNOWN else usual for left in found.unknown]
    said = [(None, float("nan")) if answers is None else answers.of(row) for row in rows.tolist()]
    return [
        _Line(row, reason, score, *answer)
        for row, reason, score, answer in zip(rows.tolist(), reasons, scores.tolist(), said, strict=True)
    ]


def _doubtful(features: Array, labels: Labels, weight: Array, random_state: int) -> list[_Line]:
    """Labels to which a model that was fitted without them gives less than to another class."""
    lines = []
    for fold in held_out_folds(labels, weight, FOLDS, random_state):
        model = fit_classifier(RidgeLogistic(RIDGE_C), *without(features, labels, weight, fold))
        answers = _Answers(labels.classes, class_proba(model, features[fold], labels.classes))
        doubts = label_doubts(answers.probabilities, labels.hard[fold])
        lines += [
            _Line(int(fold[at]), CHECK, float(doubts.wrong[at]), *answers.of(at))
            for at in np.flatnonzero(doubts.disputed).tolist()
        ]
    return sorted(lines, key=lambda line: (-line.score, line.row))
