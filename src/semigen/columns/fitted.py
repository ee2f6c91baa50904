"""Reading rows to predict."""

from __future__ import annotations

from typing import Any, Literal

from sklearn.utils.validation import check_is_fitted, validate_data

from semigen.columns.reading import read
from semigen.columns.schema import ReadTable
from semigen.columns.tables import as_frame


def read_like(estimator: Any, X: Any, *, sparse: bool | Literal["dense"] = True) -> Any:
    """Read rows by the ``schema_`` of a fitted estimator: data frames by name, arrays as scikit-learn does.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ColumnError, ValueError, TypeError
        As :func:`semigen.columns.read`.
    """
    check_is_fitted(estimator)
    if not isinstance(X, ReadTable) and as_frame(X) is None and getattr(X, "ndim", 2) != 1:
        validate_data(estimator, X, skip_check_array=True, reset=False)
    return read(estimator.schema_, X, sparse=sparse)
