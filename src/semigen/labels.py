"""What a label is: ``y`` becomes classes and a log label matrix.

A label is evidence about the class of its row, written as the log matrix ``log_label`` (n, K) whose entry
is ``log p(label of row i | class k)`` up to a constant of the row. A hard label is 0 at its class and
``-inf`` elsewhere; an unlabelled row is 0 everywhere; a candidate set is 0 at its members; a soft label
(a row of class probabilities) lies between. Rows are scaled so that their largest entry is 0, so a row of
equal probabilities *is* an unlabelled row.

The matrix is held as a table of distinct rows and one index per row: n hard labels cost n integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import column_or_1d

from semigen.exceptions import LabelError

UNLABELED_PATTERN = 0


@dataclass(frozen=True)
class Labels:
    """The labels of n rows over K classes.

    Attributes
    ----------
    classes : ndarray of shape (K,)
        The classes, in the caller's type: sorted for a vector of labels, in column order for a matrix.
    log_table : ndarray of shape (P, K)
        The distinct rows of the log label matrix, each with maximum 0. Row 0 is the unlabelled row.
    pattern : ndarray of shape (n,), intp
        Which row of ``log_table`` each row of the data has.
    """

    classes: NDArray[Any]
    log_table: NDArray[np.float64]
    pattern: NDArray[np.intp]

    @property
    def is_labeled(self) -> NDArray[np.bool_]:
        """Which rows say anything about their class."""
        return self.pattern != UNLABELED_PATTERN

    @property
    def hard(self) -> NDArray[np.intp]:
        """Class index of each row with exactly one possible class, -1 for every other row, (n,)."""
        possible = np.isfinite(self.log_table)
        code = np.where(possible.sum(axis=1) == 1, possible.argmax(axis=1), -1)
        code[UNLABELED_PATTERN] = -1
        return np.asarray(code[self.pattern], dtype=np.intp)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Class probabilities that the labels alone give, (n, K); equal where a row is unlabelled."""
        table = np.exp(self.log_table)
        return np.asarray((table / table.sum(axis=1, keepdims=True))[self.pattern])

    def take(self, rows: NDArray[Any]) -> Labels:
        """The labels of some rows, in their order; classes stay as they are."""
        return Labels(self.classes, self.log_table, self.pattern[rows])


def encode(y: Any, unlabeled: Any = -1) -> Labels:
    """Read labels.

    Parameters
    ----------
    y : array-like or series of shape (n,), or array-like or data frame of shape (n, K)
        One label a row, or one row of label probabilities or candidate sets (any non-negative numbers, at
        least one positive) over K classes. In a vector ``None``, NaN, ``pd.NA`` and the marker are
        unlabelled; in a matrix a row of NaN or of equal numbers is. A data frame's column names are its
        classes; for an array they are 0 … K-1.
    unlabeled : scalar or None, default=-1
        The marker. ``None`` turns it off, so that -1 can be a class.

    Returns
    -------
    Labels

    Raises
    ------
    LabelError
        If no row is labelled, there are fewer than two classes, a row of a matrix sums to 0, or the values
        cannot be labels.
    """
    if y is None:
        raise LabelError("requires y to be passed, but the target y is None")
    matrix = _as_matrix(y)
    if matrix is not None:
        return _encode_matrix(*matrix)
    values, missing = _as_vector(y)
    mask = missing | _equals_marker(values, unlabeled)
    labelled = _plain_dtype(values[~mask])
    _refuse_unusable(labelled, unlabeled)
    classes, code = np.unique(labelled, return_inverse=True)
    if classes.size == 0:
        raise LabelError(
            f"y has no labelled row: all {values.shape[0]} rows are unlabelled "
            f"({_marker_text(unlabeled)}). Label at least one row of each class."
        )
    if classes.size == 1:
        raise LabelError(_one_class_message(classes[0], int(mask.sum()), unlabeled))
    log_table = np.full((classes.size + 1, classes.size), -np.inf)
    log_table[0] = 0.0
    log_table[np.arange(1, classes.size + 1), np.arange(classes.size)] = 0.0
    pattern = np.zeros(values.shape[0], dtype=np.intp)
    pattern[~mask] = code + 1
    return Labels(classes, log_table, pattern)


def is_unlabeled(y: Any, unlabeled: Any = -1) -> NDArray[np.bool_]:
    """Which rows of ``y`` have no label, (n,); unlike :func:`encode` it accepts any number of classes."""
    matrix = _as_matrix(y)
    if matrix is not None:
        return ~_read_matrix(matrix[1])[1]
    values, missing = _as_vector(y)
    return missing | _equals_marker(values, unlabeled)


def labeled_values(y: Any, unlabeled: Any = -1) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels of the labelled rows of a vector, in a plain type, and their row numbers."""
    values, missing = _as_vector(y)
    rows = np.flatnonzero(~(missing | _equals_marker(values, unlabeled)))
    return _plain_dtype(values[rows]), rows


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64]:
    """Row weights as a float vector; ones if None.

    Raises
    ------
    LabelError
        If the weights have another length, are negative, not finite or all zero.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.shape != (n_rows,):
        raise LabelError(
            f"sample_weight has shape {weight.shape}, but X has {n_rows} rows: give one weight a row."
        )
    bad = ~np.isfinite(weight)
    if bad.any():
        raise LabelError(
            f"sample_weight has {int(bad.sum())} value(s) that are NaN or infinite, the first in row "
            f"{int(bad.argmax())}: weights must be finite; use 0 for a row that shall not count."
        )
    if (weight < 0).any():
        raise LabelError(
            f"sample_weight has {int((weight < 0).sum())} negative value(s), the first in row "
            f"{int((weight < 0).argmax())}: weights must be 0 or more."
        )
    if not weight.any():
        raise LabelError("sample_weight is 0 for every row: at least one row must count.")
    return weight


def _as_matrix(y: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Column names and values if ``y`` has several columns, else None."""
    frame = nw.from_native(y, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        if len(frame.columns) == 1:
            return None
        return np.asarray(frame.columns), np.asarray(frame.to_numpy())
    if _series(y) is not None:
        return None
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] > 1:
        return np.arange(values.shape[1]), values
    if values.ndim > 2:
        raise LabelError(f"y has {values.ndim} dimensions: give a vector (n,) or a matrix (n, K).")
    return None


def _series(y: Any) -> nw.Series[Any] | None:
    series = nw.from_native(y, series_only=True, pass_through=True)
    return series if isinstance(series, nw.Series) else None


def _as_vector(y: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values (n,) and which of them are None, NaN or NA."""
    frame = nw.from_native(y, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and len(frame.columns) == 1:
        y = frame.get_column(frame.columns[0]).to_native()
    series = _series(y)
    if series is not None:
        missing = series.is_null().to_numpy().astype(bool)
        values = np.asarray(series.to_list(), dtype=object) if missing.any() else series.to_numpy()
    else:
        values = np.asarray(y)
        if values.ndim == 0:
            raise LabelError("y is a single value: give one label a row.")
        values = np.asarray(column_or_1d(values, warn=values.ndim == 2))
        missing = np.zeros(values.shape[0], dtype=bool)
    if values.dtype.kind == "f":
        missing = missing | np.isnan(values)
    elif values.dtype.kind == "O":
        missing = missing | np.fromiter(map(_is_missing, values), dtype=bool, count=values.shape[0])
    elif values.dtype.kind == "c":
        raise LabelError("y holds complex numbers. Complex data not supported")
    return values, np.asarray(missing, dtype=bool)


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT, or a library's NA, told by the fact that it does not equal itself."""
    if value is None:
        return True
    equal = value == value
    return type(equal).__name__ == "NAType" or equal is False or equal is np.False_


def _equals_marker(values: NDArray[Any], unlabeled: Any) -> NDArray[np.bool_]:
    if unlabeled is None:
        return np.zeros(values.shape[0], dtype=bool)
    if values.dtype.kind == "O":
        same = (
            isinstance(v, bool | np.bool_) == isinstance(unlabeled, bool) and _equal(v, unlabeled)
            for v in values
        )
        return np.fromiter(same, dtype=bool, count=values.shape[0])
    if values.dtype.kind == "b" and not isinstance(unlabeled, bool):
        return np.zeros(values.shape[0], dtype=bool)
    if values.dtype.kind in "US" and not isinstance(unlabeled, str | bytes):
        as_text = values == str(unlabeled)
        if as_text.any():
            raise LabelError(
                f"y holds the text {str(unlabeled)!r} in {int(as_text.sum())} row(s), the first in row "
                f"{int(as_text.argmax())}, while the unlabelled marker is {unlabeled!r}. NumPy turns a number "
                f"among texts into text: mark unlabelled rows with None in an array of dtype=object, or say "
                f"unlabeled={str(unlabeled)!r} (or unlabeled=None if {str(unlabeled)!r} is a class)."
            )
        return as_text
    return np.asarray(values == unlabeled, dtype=bool) & np.ones(values.shape[0], dtype=bool)


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except (TypeError, ValueError):
        return False


def _plain_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Object arrays of one kind of value in that kind's own type."""
    if values.dtype.kind != "O" or values.size == 0:
        return values
    kinds = {type(v) for v in values}
    if all(issubclass(k, str) for k in kinds):
        return np.asarray(values.astype(str))
    if all(issubclass(k, bool | np.bool_) for k in kinds):
        return np.asarray(values.astype(bool))
    if any(issubclass(k, bool | np.bool_ | str) for k in kinds):
        names = sorted(k.__name__ for k in kinds)
        raise LabelError(f"y mixes labels of different types ({', '.join(names)}): use one type.")
    if all(issubclass(k, int | np.integer) for k in kinds):
        return np.asarray(values.astype(np.int64))
    if all(issubclass(k, int | float | np.integer | np.floating) for k in kinds):
        numbers = values.astype(np.float64)
        return numbers
    return values


def _refuse_unusable(labelled: NDArray[Any], unlabeled: Any) -> None:
    if labelled.dtype.kind != "f":
        return
    if np.isinf(labelled).any():
        raise LabelError("Input y contains infinity or a value too large for a label.")
    fractional = labelled != np.floor(labelled)
    n_distinct = np.unique(labelled).size
    if fractional.any() and n_distinct > max(20, labelled.size // 2):
        raise LabelError(
            f"Unknown label type: continuous. y has {n_distinct} distinct fractional values in "
            f"{labelled.size} labelled rows, which looks like a regression target; semigen classifies. "
            "Bin the values, or pass them as text."
        )


def _marker_text(unlabeled: Any) -> str:
    return "None, NaN or NA" if unlabeled is None else f"{unlabeled!r}, None, NaN or NA"


def _one_class_message(only: Any, n_unlabelled: int, unlabeled: Any) -> str:
    message = f"y has only one class, {only!r}, among its labelled rows, and at least two are needed."
    if n_unlabelled and unlabeled is not None:
        message += (
            f" {n_unlabelled} rows hold the unlabelled marker ({_marker_text(unlabeled)}). If {unlabeled!r} is "
            f"one of your classes, as in labels {{-1, +1}}, say so with unlabeled=None and mark unlabelled rows "
            "with None or NaN."
        )
    return message


def _read_matrix(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log label matrix (n, K) and which rows are labelled, (n,)."""
    try:
        weight = table.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise LabelError(
            f"y has {table.shape[1]} columns that are not all numbers: a matrix holds label probabilities "
            "or candidate sets, one column a class."
        ) from error
    missing = np.isnan(weight)
    empty = missing.all(axis=1)
    partly = missing.any(axis=1) & ~empty
    for bad, what, cure in (
        (partly, "hold NaN beside numbers", "use NaN for a whole row that is unlabelled, or 0"),
        (np.isinf(weight).any(axis=1), "hold infinity", "use finite numbers"),
        ((weight < 0).any(axis=1), "hold negative numbers", "label probabilities are 0 or more"),
        ((weight == 0).all(axis=1), "sum to 0, which rules out every class", "use 1 for every candidate class"),
    ):
        if bad.any():
            raise LabelError(
                f"y: {int(bad.sum())} row(s) of the label matrix {what}, the first is row {int(bad.argmax())}: {cure}."
            )
    weight[empty] = 1.0
    with np.errstate(divide="ignore"):
        log_label = np.log(weight / weight.max(axis=1, keepdims=True))
    return log_label, np.asarray((log_label != 0).any(axis=1))


def _encode_matrix(names: NDArray[Any], table: NDArray[Any]) -> Labels:
    log_label, labelled = _read_matrix(table)
    if not labelled.any():
        raise LabelError(
            f"y has no labelled row: every one of the {table.shape[0]} rows of the label matrix allows all "
            "classes alike. Label at least one row."
        )
    distinct, code = np.unique(log_label[labelled], axis=0, return_inverse=True)
    pattern = np.zeros(table.shape[0], dtype=np.intp)
    pattern[labelled] = np.asarray(code).reshape(-1) + 1
    log_table = np.vstack([np.zeros((1, table.shape[1])), distinct])
    return Labels(names, log_table, pattern)
