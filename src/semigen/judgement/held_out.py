"""What several models predict for labeled rows that they did not see, by repeated cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from semigen.comparison import Comparison, Tally
from semigen.data.labels import Labels
from semigen.data.weights import class_shares
from semigen.estimators.adapters import class_proba, fit_classifier, without
from semigen.evaluation.metrics import row_brier
from semigen.evaluation.splits import count_testable, stratified_folds

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

N_SPLITS = 5
ENOUGH_TESTED, MOST_REPEATS = 40, 4
"""Fewer labeled rows are dealt into folds again."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Held-out predictions of named models for the same labeled rows.

    Attributes
    ----------
    comparison : Comparison
        Losses and probabilities, row by row.
    code : ndarray of shape (m,), intp
        True classes of ``comparison.rows``.
    """

    comparison: Comparison
    code: Rows = field(repr=False)

    @property
    def probs(self) -> Mapping[str, Array]:
        """Mean probabilities over the repeats, by model, (m, K) each."""
        return self.comparison.probabilities or {}

    def squared_errors(self, name: str) -> Array:
        """Brier score row by row, of the mean probabilities, (m,)."""
        return row_brier(self.probs[name], self.code)


def count_repeats(code: Rows) -> int:
    """How many times labeled rows are dealt into folds; 0 where none can be left out."""
    n_testable = count_testable(code)
    return min(MOST_REPEATS, -(-ENOUGH_TESTED // n_testable)) if n_testable >= N_SPLITS else 0


def cross_validated(
    models: Mapping[str, tuple[str, Any]],
    forms: Mapping[str, Any],
    labels: Labels,
    weight: Array,
    random_state: int,
    report: Callable[[str], None],
) -> OutOfFold | None:
    """Fit every model without each fold of labeled rows and ask it about them; None where none can be left
    out.

    Parameters
    ----------
    models : mapping {name: (form, classifier)}
    forms : mapping {form: rows}
        The same rows, in each form that a model reads.
    labels : Labels
    weight : ndarray of shape (n,)
        Of the rows, in the fits and in the scores.
    random_state : int
    report : callable
        Is told the name of each model that has been fitted.
    """
    code, n_repeats = labels.hard, count_repeats(labels.hard)
    if not n_repeats:
        return None
    folds = [test for _, test in stratified_folds(code, N_SPLITS, n_repeats, random_state)]
    rows = np.unique(np.concatenate(folds))
    tally = Tally(tuple(models), rows, code[rows], labels.classes)
    for test in folds:
        for name, (form, model) in models.items():
            known_rows, known, own = without(forms[form], labels, weight, test)
            fitted = fit_classifier(clone(model), known_rows, known, own)
            tally.add(name, test, class_proba(fitted, forms[form][test], labels.classes))
            report(name)
        tally.add_shares(test, class_shares(known, own))
    comparison = tally.comparison(
        N_SPLITS,
        n_repeats,
        weight[rows],
        n_labeled=int(labels.is_labeled.sum()),
        n_unlabeled=int((~labels.is_labeled).sum()),
        random_state=random_state,
    )
    return OutOfFold(comparison, code[rows])
