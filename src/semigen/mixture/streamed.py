"""Fits on rows that are read batch by batch."""

from __future__ import annotations

from typing import Any

from sklearn.utils import check_random_state

from semigen.columns.streams import ReadSource
from semigen.columns.survey import learn_source, source_of
from semigen.em import as_engine
from semigen.exceptions import ParameterError
from semigen.families import wanted_kinds
from semigen.mixture import parameters


def surveyed(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """X, after one pass over it if it is a source.

    Raises
    ------
    LabelError
        If labels or weights are given beside a source, or are missing beside rows.
    ParameterError
        If something is asked for that needs all rows in memory.
    """
    source = source_of(X, y, sample_weight, as_engine(estimator.engine))
    if source is None:
        return X
    if estimator.label_mechanism is not None:
        raise ParameterError(
            "label_mechanism needs all rows in memory, and X is a source: use a sample of it."
        )
    if "cv" in [
        one for one in (estimator.covariance, estimator.components_per_class) if isinstance(one, str)
    ]:
        raise ParameterError("'cv' needs all rows in memory, and X is a source: use 'bic' or 'icl'.")
    kinds = wanted_kinds(estimator.family, parameters.lower_shape(estimator.covariance))
    seed = check_random_state(estimator.random_state).randint(2**31) if _is_seed(estimator) else 0
    return learn_source(source, kinds, estimator.unlabeled, sparse=True, words=True, seed=seed)


def shown(X: Any) -> Any:
    """What tells scikit-learn the columns of X."""
    return X.shown if isinstance(X, ReadSource) else X


def _is_seed(estimator: Any) -> bool:
    """Whether the sample may follow the estimator's random numbers without using any of them up."""
    return isinstance(estimator.random_state, int)
