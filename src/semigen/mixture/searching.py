"""The search for what is left to a criterion: numbers of components, and the covariance."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from semigen.comparison import cross_validate
from semigen.em import Blocks, Fit, as_engine
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.families import COVARIANCES
from semigen.mixture import criteria, parameters, selection
from semigen.mixture.selection import Candidate


def search(
    estimator: Any,
    criterion: str,
    rows: Blocks,
    unlabeled_weight: float,
    given: tuple[Any, Any, Any],
    run: Callable[..., Fit],
) -> tuple[Candidate, ...]:
    """Candidates for what is left to the criterion, the best first.

    Parameters
    ----------
    estimator : MixtureClassifier
    criterion : {"bic", "icl", "cv"}
    rows : Blocks
    unlabeled_weight : float
    given : tuple
        X, y and sample_weight as they were passed, for cross-validation.
    run : callable
        What fits from a start.
    """
    data = rows.weighted(unlabeled_weight)

    def evaluate(shape: str, components: dict[Any, int]) -> Candidate:
        try:
            level = estimator._learn(rows, unlabeled_weight, shape, components, run=run)[-1]
        except ParameterError:  # more components than rows to start them from
            return Candidate(shape, components, np.inf, 0)
        mixture, params = level.mixture, level.fit.params
        n_free = criteria.n_free(mixture, params)
        if criterion == "cv":
            X, y, sample_weight = given
            chosen = {"covariance": shape, "components_per_class": components, "checkpoint": None}
            model = clone(estimator).set_params(unlabeled_weight=unlabeled_weight, calibrate=1.0, **chosen)
            scored = cross_validate(
                {"model": model},
                X,
                y,
                sample_weight=sample_weight,
                n_repeats=2,
                unlabeled=estimator.unlabeled,
            )
            return Candidate(shape, components, scored.score("model").log_loss.value, n_free)
        of_fit = criteria.bic if criterion == "bic" else criteria.icl
        return Candidate(
            shape, components, of_fit(mixture, params, data, as_engine(estimator.engine)), n_free
        )

    shapes = tuple(COVARIANCES) if estimator.covariance == criterion else (estimator.covariance,)
    is_open = estimator.components_per_class == criterion
    classes = rows.labels.classes
    fixed = None if is_open else parameters.components(estimator.components_per_class, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # warned of for the model that is kept
        return selection.search(evaluate, classes, shapes, fixed)
