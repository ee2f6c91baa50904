"""The rows that the models of an ensemble learn from, fold by fold, and what they say of those held out."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import evenly
from semigen.data.labels import Labels
from semigen.data.rows import take_rows
from semigen.data.weights import class_rows, class_shares, estimated_shares
from semigen.ensemble.held_out import HeldOut, log_evidence
from semigen.estimators.adapters import class_log_proba, fit_classifier, prior_of, takes_unlabeled

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

MAX_ROWS = 100_000
"""Unlabeled rows that the mixture per class is fitted on."""
MAX_LABELED = 20_000
"""Labeled rows that models are fitted on."""
JUDGED_UNLABELED = 10_000
"""Unlabeled rows that the models of a fold, whose predictions are only compared, are fitted on."""


def rows_to_learn_from(labels: Labels, weight: Array, seed: int) -> Rows:
    """Rows that the models are fitted on: those of positive weight, of too many as many drawn at random."""
    rng = np.random.default_rng(seed)
    counted = weight > 0
    labeled = np.flatnonzero(labels.is_labeled & counted)
    rest = np.flatnonzero(~labels.is_labeled & counted)
    if len(labeled) > MAX_LABELED:
        order = rng.permutation(labeled)
        rank = np.empty(len(order))
        hard = labels.take(order).probabilities.argmax(axis=1)
        for k in np.unique(hard):
            mine = np.flatnonzero(hard == k)
            rank[mine] = np.arange(len(mine)) / len(mine)
        labeled = np.sort(order[np.argsort(rank, kind="stable")][:MAX_LABELED])
    if len(rest) > MAX_ROWS:
        rest = rng.choice(rest, MAX_ROWS, replace=False)
    return np.sort(np.concatenate([labeled, rest]))


class Training:
    """All rows of a fit. Forms of the labeled rows are computed once, for all models and folds.

    Of more unlabeled rows than ``most_unlabeled`` folds have an even share with larger weights.
    """

    def __init__(self, X: Any, labels: Labels, weight: Array, most_unlabeled: int | None = None) -> None:
        self.X, self.labels, self.weight = X, labels, weight
        self.most_unlabeled = most_unlabeled
        self.labeled_rows = np.flatnonzero(labels.is_labeled & (weight > 0))
        self.X_labeled = take_rows(X, self.labeled_rows)

    def labeled(self, form: str | None, rows: Rows) -> Any:
        """What a model reads of some labeled rows."""
        return take_rows(read_form(self.X_labeled, form), np.searchsorted(self.labeled_rows, rows))

    def without(self, rows: Rows) -> Part:
        """The rows that are not held out."""
        kept, weight = np.ones(len(self.weight), dtype=bool), self.weight
        kept[rows] = False
        unlabeled = np.flatnonzero(~self.labels.is_labeled & (weight > 0))
        if len(rows) and self.most_unlabeled is not None and len(unlabeled) > self.most_unlabeled:
            some, weight = unlabeled[evenly(len(unlabeled), self.most_unlabeled)], weight.copy()
            kept[~self.labels.is_labeled] = False
            kept[some] = True
            weight[some] *= weight[unlabeled].sum() / weight[some].sum()
        rest = np.flatnonzero(kept)
        return Part(self, rest, self.labels.take(rest), weight[rest])


@dataclass(frozen=True)
class Part:
    """The rows that the models of one fold learn from."""

    train: Training
    rows: Rows
    labels: Labels
    weight: Array

    def fit(self, model: Any, form: str | None) -> Any:
        """Fit a model on the rows that it can use."""
        if takes_unlabeled(model):
            X = (
                self.train.X
                if len(self.rows) == len(self.train.weight)
                else take_rows(self.train.X, self.rows)
            )
            return fit_classifier(model, read_form(X, form), self.labels, self.weight)
        mine = np.flatnonzero(self.labels.is_labeled & (self.weight > 0))
        X = self.train.labeled(form, self.rows[mine])
        return fit_classifier(model, X, self.labels.take(mine), self.weight[mine])


def read_form(X: Any, form: str | None) -> Any:
    """The form of the rows that a model reads: an attribute, or one of an attribute (``documents.plain``)."""
    return X if form is None else attrgetter(form)(X)


def held_out_fold(train: Training, part: Part, rows: Rows, entries: list[Any], models: list[Any]) -> HeldOut:
    """What models that were fitted without some labeled rows predict for these."""
    classes, shares = train.labels.classes, class_shares(part.labels, part.weight)
    read = [train.labeled(form, rows) for _, form, _ in entries]
    log_probs = [class_log_proba(model, X, classes) for model, X in zip(models, read, strict=True)]
    priors = [prior_of(model, classes, shares) for model in models]
    return HeldOut(
        rows,
        train.labels.hard[rows],
        train.weight[rows],
        np.zeros(len(rows), dtype=np.intp),
        np.stack(log_probs),
        np.stack([log_evidence(of_x, prior) for of_x, prior in zip(log_probs, priors, strict=True)]),
        np.tile(shares, (len(rows), 1)),
        np.tile(np.log(estimated_shares(class_rows(part.labels, part.weight))), (len(rows), 1)),
    )


def join_folds(train: Training, folds: list[HeldOut], n_models: int, seed: int | None) -> HeldOut:
    """The folds as one record."""
    n_classes = len(train.labels.classes)
    none = np.empty(0, dtype=np.intp)
    of_rows, of_models = np.empty((0, n_classes)), np.empty((n_models, 0, n_classes))
    all_folds = [HeldOut(none, none, np.empty(0), none, of_models, of_models, of_rows, of_rows), *folds]

    def join(name: str, axis: int = 0) -> Any:
        return np.concatenate([getattr(one, name) for one in all_folds], axis=axis)

    return HeldOut(
        join("rows"),
        join("code"),
        join("weight"),
        np.repeat(np.arange(len(folds)), [len(one.rows) for one in folds]),
        join("log_probs", 1),
        join("evidence", 1),
        join("class_shares"),
        join("log_prior"),
        len(train.labeled_rows),
        int((~train.labels.is_labeled & (train.weight > 0)).sum()),
        seed,
    )
