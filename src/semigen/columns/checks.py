"""Values that are missing, infinite, or not of the kind of their column, found without copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array

from semigen.columns.kinds import Kind
from semigen.columns.schema import Schema
from semigen.columns.tables import listing
from semigen.exceptions import ColumnError

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


def check_sparse(schema: Schema, matrix: csr_array) -> None:
    """Refuse sparse rows with values that are missing, infinite, or not of the kind of their column."""
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
    for kind, (wrong, what) in _WRONG.items():
        if kind in schema.kinds:
            chosen = np.array([one == kind for one in schema.kinds])
            bad = np.unique(matrix.indices[wrong(matrix.data) & chosen[matrix.indices]]).tolist()
            if bad:
                raise ColumnError(
                    f"X has values other than {what} in column number {listing(bad)}: correct them."
                )


def check_cells(schema: Schema, matrix: Matrix) -> None:
    """Refuse infinity, and values that are not of the kind of their column."""
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
    for kind, (wrong, what) in _WRONG.items():
        columns = [j for j, one in enumerate(schema.kinds) if one == kind]
        if (
            columns
            and _any_row(matrix[:, columns] if len(columns) < len(schema.kinds) else matrix, wrong).any()
        ):
            j = next(j for j in columns if wrong(matrix[:, j]).any())
            rows = np.flatnonzero(wrong(matrix[:, j]))
            name = schema.name(j)
            raise ColumnError(
                f"column {name!r} is read as {PLURAL[kind]}, and {rows.size} of its values are not {what} "
                f"(the first, in row {rows[0]}, is {matrix[rows[0], j]:g}).",
                "Correct them, or read it as numbers when the model is fitted: "
                f"{wish(name, 'number', 'gaussian')}.",
            )


def wish(name: Any, kind: Kind, family: str) -> str:
    """How an estimator is told what a column is."""
    return f"kinds={{{name!r}: {kind!r}}}, or family={{{name!r}: {family!r}}} of a MixtureClassifier"


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


def _not_a_count(cells: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((cells < 0) | ((cells != np.floor(cells)) & ~np.isnan(cells)))


def _not_a_flag(cells: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((cells != 0) & (cells != 1) & ~np.isnan(cells))


PLURAL = {"number": "numbers", "count": "counts", "flag": "flags", "category": "categories"}
_WRONG: dict[Kind, tuple[Callable[[NDArray[Any]], NDArray[np.bool_]], str]] = {
    "count": (_not_a_count, "whole numbers of 0 or more"),
    "flag": (_not_a_flag, "0 or 1"),
}


def checked(X: Any, **wanted: Any) -> Any:
    """``X`` as scikit-learn checks it, with its errors by our name and without the cells that they show."""
    try:
        return check_array(X, ensure_all_finite=False, input_name="X", **wanted)
    except ValueError as error:
        shown = str(error).splitlines()
        said = " ".join(line for line in shown if not line.startswith((" ", "[", "array=")))
        raise ColumnError(said.replace(" instead:", ".")) from error
