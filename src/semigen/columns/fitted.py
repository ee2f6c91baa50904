"""Reading rows to predict, and answers in their precision."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from semigen.columns.reading import read_table
from semigen.columns.schema import ReadTable
from semigen.columns.tables import as_frame
from semigen.columns.vectors import refuse_one_column


def read_like(estimator: Any, X: Any, *, sparse: bool | Literal["dense"] = True) -> Any:
    """Read rows by the ``schema_`` of a fitted estimator: data frames by name, arrays as scikit-learn does.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ColumnError, ValueError, TypeError
        As :func:`semigen.columns.read`.
    """
    return table_like(estimator, X, sparse=sparse).matrix


def table_like(estimator: Any, X: Any, *, sparse: bool | Literal["dense"] = True) -> ReadTable:
    """The same as a table, with the words of documents that stand beside the matrix."""
    check_is_fitted(estimator)
    refuse_one_column(X)
    if not isinstance(X, ReadTable) and as_frame(X) is None and getattr(X, "ndim", 2) != 1:
        validate_data(estimator, X, skip_check_array=True, reset=False)
    return read_table(estimator.schema_, X, sparse=sparse)


def in_precision_of(X: Any, answers: NDArray[Any]) -> NDArray[Any]:
    """Answers about rows in float32 where ``X`` is an array or a sparse matrix of float32, else as they are.

    They are computed in float64 and rounded last; a finite answer stays finite. Data frames, whose columns
    may differ in type, have answers in float64.
    """
    if getattr(X, "dtype", None) != np.float32:
        return answers
    largest = np.finfo(np.float32).max
    within = np.where(np.isfinite(answers), np.clip(answers, -largest, largest), answers)
    return np.asarray(within, dtype=np.float32)
