"""What several models predict for labeled rows that they did not see, by repeated cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from semigen.comparison import CLASS_SHARES, Comparison
from semigen.data.labels import Labels
from semigen.data.weights import class_shares
from semigen.estimators.adapters import class_proba, fit_classifier, without
from semigen.evaluation.metrics import row_brier, row_log_loss
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
        """Brier score row by row, ``Σ_k (p_k - [y = k])²``, (m,)."""
        truth = np.eye(self.probs[name].shape[1])[self.code]
        return np.asarray(((self.probs[name] - truth) ** 2).sum(axis=1))


def cross_validated(
    models: Mapping[str, tuple[str, Any]],
    forms: Mapping[str, Any],
    labels: Labels,
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
    random_state : int
    report : callable
        Is told the name of each model that has been fitted.
    """
    code = labels.hard
    n_testable = count_testable(code)
    if n_testable < N_SPLITS:
        return None
    n_repeats = min(MOST_REPEATS, -(-ENOUGH_TESTED // n_testable))
    n, n_classes, one = len(labels), len(labels.classes), np.ones(len(labels))
    names = (*models, CLASS_SHARES)
    probs = {name: np.zeros((n, n_classes)) for name in names}
    correct, losses, briers = ({name: np.zeros(n) for name in names} for _ in range(3))
    tested = np.zeros(n, dtype=bool)

    def add(name: str, test: Rows, said: Array) -> None:
        probs[name][test] += said / n_repeats
        correct[name][test] += (said.argmax(axis=1) == code[test]) / n_repeats
        losses[name][test] += row_log_loss(said, code[test]) / n_repeats
        briers[name][test] += row_brier(said, code[test]) / n_repeats

    for _, test in stratified_folds(code, N_SPLITS, n_repeats, random_state):
        tested[test] = True
        for name, (form, model) in models.items():
            rows, known, weight = without(forms[form], labels, one, test)
            fitted = fit_classifier(clone(model), rows, known, weight)
            add(name, test, class_proba(fitted, forms[form][test], labels.classes))
            report(name)
        shares = class_shares(known, weight)
        add(CLASS_SHARES, test, np.tile(shares, (len(test), 1)))
    rows = np.flatnonzero(tested)
    comparison = Comparison(
        tuple(models),
        N_SPLITS,
        n_repeats,
        rows,
        one[rows],
        {name: correct[name][rows] for name in names},
        {name: losses[name][rows] for name in names},
        n_labeled=int(labels.is_labeled.sum()),
        n_unlabeled=int((~labels.is_labeled).sum()),
        random_state=random_state,
        probabilities={name: probs[name][rows] for name in models},
        row_briers={name: briers[name][rows] for name in names},
    )
    return OutOfFold(comparison, code[rows])
