"""Values that are missing, infinite, or not of the kind of their column, found without copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array

from semigen.columns.kinds import Kind
from semigen.columns.schema import Schema
from semigen.columns.tables import listing
from semigen.common.notices import warn
from semigen.exceptions import ColumnError, ColumnWarning

Matrix: TypeAlias = NDArray[np.float64] | NDArray[np.float32]

_BLOCK_CELLS = 2**20


def missing_columns(matrix: Any) -> NDArray[np.bool_] | None:
    """Which columns of a matrix hold NaN, (D,); None if none does, as in every sparse matrix."""
    if issparse(matrix):
        return None
    # One sum tells whether a search is needed, without an array of the size of the data.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(matrix.sum()):
            return None
    found = _any_row(matrix, np.isnan)
    return found if found.any() else None


def refuse_missing(schema: Schema, matrix: Any, cure: str) -> None:
    """Raise if values are missing.

    Raises
    ------
    ColumnError
        With the number of missing values in each column.
    """
    if missing_columns(matrix) is not None:
        _refuse_cells(schema, matrix, np.isnan, "NaN", "missing", cure)


def check_sparse(schema: Schema, matrix: csr_array, *, fitting: bool) -> csr_array:
    """Refuse sparse rows with values that are missing or infinite; for others see :func:`check_cells`."""
    if "category" in schema.kinds:
        raise ColumnError("X is sparse, and a sparse column cannot be a category: pass X.toarray().")
    if not np.isfinite(matrix.data.sum(dtype=np.float64)):
        for what, test in (("NaN", np.isnan), ("infinity", np.isinf)):
            bad = np.unique(matrix.indices[test(matrix.data)]).tolist()
            if bad:
                raise ColumnError(
                    f"Input X contains {what} in column number {listing(bad)}: a sparse matrix can have "
                    "neither missing nor infinite values."
                )
    notes = []
    for kind, allowed in _ALLOWED.items():
        if kind not in schema.kinds:
            continue
        chosen = np.array([one == kind for one in schema.kinds])[matrix.indices]
        odd = chosen & allowed.refuses(matrix.data)
        if odd.any():
            bad = np.unique(matrix.indices[odd]).tolist()
            if fitting:
                raise ColumnError(
                    f"X has values other than {allowed.values} in column number {listing(bad)}: correct them."
                )
            data = np.where(odd, allowed.nearest(matrix.data), matrix.data).astype(matrix.dtype)
            matrix = csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
            notes.append(
                f"{int(odd.sum())} values in column number {listing(bad)}, {PLURAL[kind]} in the fit"
            )
    _warn_of_nearest(notes)
    return matrix


def check_cells(schema: Schema, matrix: Matrix, *, fitting: bool) -> Matrix:
    """Refuse infinity, and in a fit values that are not of the kind of their column.

    In new rows such a value becomes the nearest that is, with a warning: one odd value among thousands of
    rows must not end a prediction.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(matrix.sum()) and _any_row(matrix, np.isinf).any():
            _refuse_cells(
                schema,
                matrix,
                np.isinf,
                "infinity",
                "infinite",
                "Correct them, or drop these rows or columns.",
            )
    notes: list[str] = []
    for kind, allowed in _ALLOWED.items():
        columns = [j for j, one in enumerate(schema.kinds) if one == kind]
        if not columns:
            continue
        chosen = matrix[:, columns] if len(columns) < len(schema.kinds) else matrix
        bad = [columns[i] for i in np.flatnonzero(_any_row(chosen, allowed.refuses))]
        if bad and fitting:
            _refuse_odd(schema, matrix, bad[0], kind)
        if bad and not notes:
            matrix = matrix.copy()  # the caller's stays as it is
        for j in bad:
            odd = allowed.refuses(matrix[:, j])
            notes.append(
                f"{schema.name(j)!r}, {PLURAL[kind]} in the fit: {int(odd.sum())} of {len(odd)} rows "
                f"(such as {matrix[np.argmax(odd), j]:g} in row {np.argmax(odd)})"
            )
            matrix[odd, j] = allowed.nearest(matrix[odd, j])
    _warn_of_nearest(notes)
    return matrix


def _refuse_odd(schema: Schema, matrix: Matrix, column: int, kind: Kind) -> None:
    name, rows = schema.name(column), np.flatnonzero(_ALLOWED[kind].refuses(matrix[:, column]))
    raise ColumnError(
        f"column {name!r} is read as {PLURAL[kind]}, and {rows.size} of its values are not "
        f"{_ALLOWED[kind].values} (the first, in row {rows[0]}, is {matrix[rows[0], column]:g}).",
        f"Correct them, or read it as numbers when the model is fitted: {wish(name, 'number', 'gaussian')}.",
    )


def _warn_of_nearest(notes: list[str]) -> None:
    if notes:
        warn(
            f"new values are read as the nearest that the model knows: {listing(notes)}.",
            ColumnWarning,
        )


def wish(name: Any, kind: Kind, family: str) -> str:
    """How an estimator is told what a column is."""
    return (
        f"kinds={{{name!r}: {kind!r}}} (in a MixtureClassifier family={{{name!r}: {family!r}}}, in a "
        "VAEClassifier likelihood=)"
    )


def _refuse_cells(
    schema: Schema, matrix: Matrix, test: Callable[..., Any], what: str, adjective: str, cure: str
) -> None:
    counts = [int(test(matrix[:, j]).sum()) for j in range(matrix.shape[1])]
    names = range(len(counts)) if schema.names is None else schema.names
    where = listing([f"{names[j]!r} ({counts[j]})" for j in np.argsort(counts)[::-1] if counts[j]])
    column = "column number" if schema.names is None else "column"
    raise ColumnError(
        f"Input X contains {what}: {sum(counts)} {adjective} value(s) in {len(matrix)} rows, counted by "
        f"{column}: {where}. {cure}"
    )


def _any_row(matrix: Matrix, test: Callable[..., Any]) -> NDArray[np.bool_]:
    """Which columns have a value that passes the test, found block by block, (D,)."""
    found = np.zeros(matrix.shape[1], dtype=bool)
    step = max(1, _BLOCK_CELLS // matrix.shape[1])
    for first in range(0, len(matrix), step):
        found |= test(matrix[first : first + step]).any(axis=0)
    return found


@dataclass(frozen=True)
class _Allowed:
    """Values that a kind of column can have."""

    values: str
    refuses: Callable[[NDArray[Any]], NDArray[np.bool_]]
    nearest: Callable[[NDArray[Any]], NDArray[Any]]


def _not_a_count(cells: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((cells < 0) | ((cells != np.floor(cells)) & ~np.isnan(cells)))


def _not_a_flag(cells: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((cells != 0) & (cells != 1) & ~np.isnan(cells))


PLURAL = {"number": "numbers", "count": "counts", "flag": "flags", "category": "categories"}
_ALLOWED: dict[Kind, _Allowed] = {
    "count": _Allowed(
        "whole numbers of 0 or more", _not_a_count, lambda cells: np.maximum(np.rint(cells), 0.0)
    ),
    "flag": _Allowed("0 or 1", _not_a_flag, lambda cells: np.asarray(cells > 0.5, dtype=cells.dtype)),
}


def checked(X: Any, **wanted: Any) -> Any:
    """``X`` as scikit-learn checks it, with its errors by our name and without the cells that they show."""
    try:
        return check_array(X, ensure_all_finite=False, input_name="X", **wanted)
    except ValueError as error:
        shown = str(error).splitlines()
        said = " ".join(line for line in shown if not line.startswith((" ", "[", "array=")))
        raise ColumnError(said.replace(" instead:", ".")) from error
