"""Labels: ``y`` becomes classes and a log label matrix.

A label is evidence about the class of its row, written as the log matrix ``log_label`` (n, K) whose entry
is ``log p(label of row i | class k)`` up to a constant of the row. A hard label is 0 at its class and
``-inf`` elsewhere; an unlabeled row is 0 everywhere; a candidate set is 0 at its classes; a soft label
(class probabilities) lies between. Rows are scaled so that their largest entry is 0, so equal probabilities
*are* an unlabeled row.

The matrix is stored as a table of distinct rows and one index per row: n hard labels take n integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from narwhals.dependencies import is_pandas_dataframe, is_pandas_series
from numpy.typing import ArrayLike, NDArray

from semigen.common.notices import warn
from semigen.data.containers import as_matrix, as_vector, objects, plain_dtype
from semigen.data.spelling import warn_of_names
from semigen.exceptions import LabelError, LabelWarning, ParameterError

UNLABELED_PATTERN = 0
_FEW_FRACTIONS = 4  # from 0 to 1 may be grades; more look like probabilities
_EQUAL_LOG = 1e-9  # entries of a matrix row that differ by less are equal: 1/3 and 1 - 2/3 say nothing


@dataclass(frozen=True)
class Labels:
    """The labels of n rows over K classes.

    Attributes
    ----------
    classes : ndarray of shape (K,)
        The classes, in the caller's type: sorted for a vector of labels, in column order for a matrix.
    log_table : ndarray of shape (P, K)
        The distinct rows of the log label matrix, each with maximum 0. Row 0 is the unlabeled row.
    pattern : ndarray of shape (n,), intp
        The row of ``log_table`` that each row of the data has.
    """

    classes: NDArray[Any]
    log_table: NDArray[np.float64]
    pattern: NDArray[np.intp]

    @property
    def is_labeled(self) -> NDArray[np.bool_]:
        """Which rows are labeled, softly or not, (n,)."""
        return np.asarray(self.pattern != UNLABELED_PATTERN)

    @property
    def pattern_labeled(self) -> NDArray[np.bool_]:
        """Which rows of ``log_table`` are labels, (P,)."""
        return np.asarray(np.arange(len(self.log_table)) != UNLABELED_PATTERN)

    @property
    def hard(self) -> NDArray[np.intp]:
        """Class index of each row with exactly one possible class, -1 for every other row, (n,)."""
        possible = np.isfinite(self.log_table)
        code = np.where(possible.sum(axis=1) == 1, possible.argmax(axis=1), -1)
        code[UNLABELED_PATTERN] = -1
        return np.asarray(code[self.pattern], dtype=np.intp)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Class probabilities given the labels alone, (n, K); equal for unlabeled rows."""
        table = np.exp(self.log_table)
        return np.asarray((table / table.sum(axis=1, keepdims=True))[self.pattern])

    @cached_property
    def are_alike(self) -> bool:
        """Whether all rows have the same label, or none."""
        return bool((self.pattern == self.pattern[:1]).all())

    def __len__(self) -> int:
        return len(self.pattern)

    def take(self, rows: NDArray[Any]) -> Labels:
        """Take the labels of some rows, in their order; classes stay as they are."""
        return Labels(self.classes, self.log_table, self.pattern[rows])

    def to_array(self) -> NDArray[Any]:
        """Return what :func:`encode` reads as these labels.

        A vector (n,) of classes with None where unlabeled, or, if some labels are soft, a matrix (n, K) of
        probabilities with NaN where unlabeled.
        """
        labeled = self.is_labeled
        if (self.hard[labeled] >= 0).all():
            y = np.full(len(self), None, dtype=object)
            y[labeled] = self.classes[self.hard[labeled]]
            return y
        return np.where(labeled[:, None], self.probabilities, np.nan)


def encode(
    y: Any,
    unlabeled: Any = -1,
    *,
    counted: NDArray[np.bool_] | None = None,
    classes: NDArray[Any] | None = None,
) -> Labels:
    """Read labels; labels that are read already stay as they are.

    Parameters
    ----------
    y : array-like or series of shape (n,), array-like or data frame of shape (n, K), or Labels
        One label per row, or one row of label probabilities or candidate sets (any non-negative numbers, at
        least one positive) over K classes. In a vector ``None``, NaN, ``pd.NA``, text that is empty or blank
        (as an empty cell of a file is) and the marker are unlabeled; in a matrix a row of NaN or of equal
        numbers is. A data frame's column names are its classes; for an array they are 0 … K-1.
    unlabeled : scalar or None, default=-1
        The marker. ``None`` turns it off, so that -1 can be a class.
    counted : ndarray of shape (n,), bool, or None
        Rows that count; the others are read as unlabeled, so a class that only they have does not exist
        (unless ``y`` is a matrix or ``Labels``, which state their classes).
    classes : ndarray of shape (K,) or None
        The classes of a fit: labels are read as these, and there may be none.

    Returns
    -------
    Labels

    Raises
    ------
    LabelError
        If no row is labeled, there are fewer than two classes, a row of a matrix sums to 0, or the values
        cannot be labels.

    Warns
    -----
    LabelWarning
        If numbers look like probabilities, or -2 is a class beside the marker -1; a ``ClassNameWarning`` if
        names of classes look like "no label" (``"nan"``, ``"?"``), or differ only by spaces or case.
    """
    if y is None:
        raise LabelError("requires y to be passed, but the target y is None")
    if isinstance(y, Labels):
        return _as_read(y, counted, classes)
    matrix = as_matrix(y)
    if matrix is not None:
        return _encode_matrix(*matrix, counted, classes)
    values, mask = as_vector(y, unlabeled)
    n_unlabeled = int(mask.sum())
    if counted is not None:
        mask |= ~_of_length(counted, mask.size)
    labeled = plain_dtype(values[~mask])
    _refuse_unusable(labeled)
    try:
        found, code = np.unique(labeled, return_inverse=True)
    except TypeError as error:
        kind = type(labeled[0]).__name__
        raise LabelError(f"y holds labels of type {kind}, which have no order: use text.") from error
    if classes is None:
        classes = found
        if classes.size < 2:
            raise LabelError(_too_few_classes(classes, mask.size, n_unlabeled, unlabeled))
        warn_of_names(classes, np.bincount(code, minlength=len(classes)))
        _warn_of_marker(classes, n_unlabeled, unlabeled)
    elif found.size:
        code = _positions(found, classes)[code]
    log_table = np.full((classes.size + 1, classes.size), -np.inf)
    log_table[UNLABELED_PATTERN] = 0.0
    log_table[np.arange(1, classes.size + 1), np.arange(classes.size)] = 0.0
    pattern = np.full(mask.size, UNLABELED_PATTERN, dtype=np.intp)
    pattern[~mask] = code + 1
    return Labels(classes, log_table, pattern)


def _as_read(y: Labels, counted: NDArray[np.bool_] | None, classes: NDArray[Any] | None) -> Labels:
    """Labels that are read already, those of rows that do not count left out."""
    if classes is not None and classes.tolist() != y.classes.tolist():
        raise LabelError(f"y has the classes {y.classes.tolist()!r}, not {classes.tolist()!r}.")
    if counted is None or _of_length(counted, len(y)).all():
        return y
    return Labels(y.classes, y.log_table, np.where(counted, y.pattern, UNLABELED_PATTERN))


def is_unlabeled(y: Any, unlabeled: Any = -1) -> NDArray[np.bool_]:
    """Which rows of ``y`` have no label, (n,); unlike :func:`encode` it accepts any number of classes."""
    matrix = as_matrix(y)
    if matrix is not None:
        return ~_read_matrix(matrix[1])[1]
    return as_vector(y, unlabeled)[1]


def labeled_values(y: Any, unlabeled: Any = -1) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Labels of the rows with one certain class, in a plain type, and their row numbers.

    Of a matrix these are the rows with exactly one possible class.
    """
    matrix = as_matrix(y)
    if matrix is not None:
        possible = np.isfinite(_read_matrix(matrix[1])[0])
        rows = np.flatnonzero(possible.sum(axis=1) == 1)
        return matrix[0][possible[rows].argmax(axis=1)], rows
    values, mask = as_vector(y, unlabeled)
    rows = np.flatnonzero(~mask)
    return plain_dtype(values[rows]), rows


def labeled_examples(
    labels: Labels, weight: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Row numbers, classes (as indices) and weights for a classifier that takes one class per row.

    A row with soft labels or a candidate set appears once for each possible class, with its probability as
    weight. Rows of weight 0 are left out.
    """
    rows = np.flatnonzero(labels.is_labeled & (weight > 0))
    share = labels.take(rows).probabilities * weight[rows, None]
    which, code = np.nonzero(share)
    return rows[which], code, share[which, code]


def class_columns(values: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Position of each value in ``classes``, −1 where it is none of them.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.data.labels import class_columns
    >>> class_columns(np.array(["b", "x", "a"]), np.array(["a", "b"]))
    array([ 1, -1,  0])
    """
    position = {name: column for column, name in enumerate(classes.tolist())}
    return np.array([position.get(value, -1) for value in values.tolist()], dtype=np.intp)


def in_class_order(parameter: str, value: Any, classes: NDArray[Any]) -> Any:
    """What a parameter says of each class, in the order of ``classes``, if it names them.

    Classes are named by a dict, the index of a pandas series (``value_counts`` sorts by frequency) or both
    axes of a pandas frame. Anything else, also a series or a frame numbered from 0, is taken as it is.

    Raises
    ------
    ParameterError
        If the names are not those of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.data.labels import in_class_order
    >>> in_class_order("class_prior", {"b": 0.9, "a": 0.1}, np.array(["a", "b"])).tolist()
    [0.1, 0.9]
    """
    if isinstance(value, Mapping):
        names, values = [list(value)], objects(list(value.values()))
    elif is_pandas_series(value) or is_pandas_dataframe(value):
        names, values = [axis.tolist() for axis in value.axes], value.to_numpy()
    else:
        return value
    known, kind = classes.tolist(), type(value).__name__
    numbered = not isinstance(value, Mapping) and all(one == list(range(len(one))) for one in names)
    if numbered and set(names[0]) != set(known):
        return value
    for axis, given in enumerate(names):
        if len(given) != len(known) or set(given) != set(known):
            raise ParameterError(
                f"{parameter} is a {kind} that names {given!r:.200}: a {kind} needs what it says of each of "
                f"the classes {known!r:.200}, and of nothing else."
            )
        values = values.take([given.index(name) for name in known], axis)
    return values


def refuse_rows(where: str, bad: ArrayLike, what: str, cure: str) -> None:
    """Raise if some rows are ``bad``, naming the first of them and the cure."""
    rows = np.flatnonzero(bad)
    if rows.size:
        raise LabelError(f"{where} is {what} in {rows.size} row(s), the first is row {rows[0]}: {cure}.")


def _refuse_unusable(labeled: NDArray[Any]) -> None:
    if labeled.dtype.kind != "f":
        return
    if np.isinf(labeled).any():
        raise LabelError("Input y contains infinity or a value too large for a label.")
    fractional = labeled != np.floor(labeled)
    n_distinct = np.unique(labeled).size
    if fractional.any() and n_distinct > max(20, labeled.size // 2):
        raise LabelError(
            f"Unknown label type: continuous. y has {n_distinct} distinct fractional values in "
            f"{labeled.size} labeled rows, which looks like a regression target; semigen classifies. "
            "Bin the values, or pass them as text."
        )
    if n_distinct > _FEW_FRACTIONS and fractional.any() and ((labeled >= 0) & (labeled <= 1)).all():
        warn(
            f"y has {n_distinct} distinct numbers from 0 to 1, and each is taken for a class. If they are "
            "probabilities of a class, pass a matrix with one column per class.",
            LabelWarning,
        )


def _warn_of_marker(classes: NDArray[Any], n_unlabeled: int, unlabeled: Any) -> None:
    """Warn where -1 marks unlabeled rows and -2 is a class, as on a scale from -2 to 2."""
    marked = isinstance(unlabeled, Real) and unlabeled == -1
    if marked and n_unlabeled and classes.dtype.kind in "if" and -2 in classes:
        warn(
            f"y has the class -2, and {n_unlabeled:,} row(s) are unlabeled (-1, None, NaN or NA): if -1 is a "
            "class, too, say unlabeled=None and mark unlabeled rows with None or NaN.",
            LabelWarning,
        )


def _too_few_classes(classes: NDArray[Any], n_rows: int, n_unlabeled: int, unlabeled: Any) -> str:
    marker = "None, NaN or NA" if unlabeled is None else f"{unlabeled!r}, None, NaN or NA"
    if classes.size == 0:
        return (
            f"y has no labeled row: all {n_rows} rows are unlabeled ({marker}) or have weight 0. "
            "Label at least one row of each class."
        )
    only = classes.tolist()[0]
    message = f"y has only one class, {only!r}, among its labeled rows, and at least two are needed."
    if n_unlabeled and unlabeled is not None and isinstance(only, str) == isinstance(unlabeled, str):
        message += (
            f" {n_unlabeled} row(s) are unlabeled ({marker}). If {unlabeled!r} is a class, as in labels "
            "{-1, +1}, say unlabeled=None and mark unlabeled rows with None or NaN."
        )
    return message


def _read_matrix(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log label matrix (n, K) and which rows are labeled, (n,)."""
    try:
        weight = np.array(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        what = f"y has {table.shape[1]} columns that are not all numbers"
        raise LabelError(f"{what}: a matrix has one column of label probabilities per class.") from error
    missing = np.isnan(weight)
    empty = missing.all(axis=1)
    partly = missing.any(axis=1) & ~empty
    where = "label matrix y"
    refuse_rows(where, partly, "NaN beside numbers", "use NaN for a whole row that is unlabeled, or 0")
    refuse_rows(where, np.isinf(weight).any(axis=1), "infinite", "use finite numbers")
    refuse_rows(where, (weight < 0).any(axis=1), "negative", "label probabilities are 0 or more")
    refuse_rows(where, (weight == 0).all(axis=1), "0 for every class", "use 1 for every candidate class")
    weight[empty] = 1.0
    with np.errstate(divide="ignore"):
        log_label = np.log(weight) - np.log(weight.max(axis=1, keepdims=True))
    return log_label, np.asarray((log_label < -_EQUAL_LOG).any(axis=1))


def _encode_matrix(
    names: NDArray[Any],
    table: NDArray[Any],
    counted: NDArray[np.bool_] | None,
    classes: NDArray[Any] | None,
) -> Labels:
    log_label, labeled = _read_matrix(table)
    if counted is not None:
        labeled &= _of_length(counted, labeled.size)
    if classes is not None and len(classes) != table.shape[1]:
        raise LabelError(
            f"y has {table.shape[1]} columns for the {len(classes)} classes {classes.tolist()!r}."
        )
    if classes is not None and names.tolist() != list(range(len(names))):
        log_label = log_label[:, np.argsort(_positions(names, classes))]  # columns go by name, not by place
    if classes is None and not labeled.any():
        raise LabelError(
            f"y has no labeled row: all {table.shape[0]} rows of the label matrix have equal "
            "probabilities or weight 0. Label at least one row."
        )
    distinct, code = np.unique(log_label[labeled], axis=0, return_inverse=True)
    pattern = np.full(table.shape[0], UNLABELED_PATTERN, dtype=np.intp)
    pattern[labeled] = code.reshape(-1) + 1
    log_table = np.vstack([np.zeros((1, table.shape[1])), distinct])
    return Labels(names if classes is None else classes, log_table, pattern)


def _positions(found: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Where each label stands among the classes of a fit."""
    position = class_columns(found, classes)
    stray = found[position < 0].tolist()
    if stray:
        raise LabelError(f"y has labels {stray!r}, which are not among the classes {classes.tolist()!r}.")
    return position


def _of_length(counted: NDArray[np.bool_], n_rows: int) -> NDArray[np.bool_]:
    if counted.size != n_rows:
        raise LabelError(
            f"Found input variables with inconsistent numbers of samples: X has {counted.size} rows and y "
            f"has {n_rows}. Give one label per row, with the marker where there is none "
            "(of a pandas series of the labeled rows only: y.reindex(X.index))."
        )
    return counted
