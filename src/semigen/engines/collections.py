"""Dask's arrays and data frames as tables, whose partitions are read where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from dask.base import tokenize
from dask.delayed import delayed
from numpy.typing import NDArray

from semigen.data.sources import Batch, RowSource
from semigen.exceptions import LabelError, TableError


class DaskSource(RowSource):
    """A Dask collection as a table; :func:`from_dask` makes it.

    Attributes
    ----------
    target : str
    names : tuple of str
        Columns that models read; ``x0``, ``x1``, … of an array.
    partitions : tuple of (x, y, weight)
        Of each partition, Dask's delayed objects; None without weights.
    """

    def __init__(
        self, partitions: Sequence[tuple[Any, Any, Any]], target: str, names: Sequence[str], fingerprint: str
    ) -> None:
        self.partitions, self.target, self.names = tuple(partitions), target, tuple(names)
        self._fingerprint = fingerprint

    def __repr__(self) -> str:
        size = f"{len(self.partitions)} partitions, {len(self.names)} columns"
        return f"DaskSource({size}, target={self.target!r})"

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def tasks(self, names: Sequence[str] | None = None) -> list[Any]:
        """Delayed batches, one for each partition, in their order."""
        wanted = self.names if names is None else tuple(names)
        return [
            delayed(partial(_batch, wanted, self.target, self.names, number), pure=False)(*parts)
            for number, parts in enumerate(self.partitions)
        ]

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All rows in their order: partition by partition, they come to this process."""
        return (task.compute() for task in self.tasks(names))


def from_dask(X: Any, y: Any, sample_weight: Any = None) -> DaskSource:
    """A Dask collection as a table for ``fit`` (X; y is None then), whose blocks are its partitions.

    Nothing is computed here, and nothing is persisted: each pass computes the partitions anew unless the
    caller has persisted them. ``fit(X, y)`` with Dask collections does the same.

    Parameters
    ----------
    X : Dask array of shape (n, D) or data frame
    y : str, or Dask array or series of shape (n,)
        The classes, or the column of X that has them. Partitions are those of X.
    sample_weight : str, or Dask array or series of shape (n,), or None
        Row weights ≥ 0, or their column.

    Returns
    -------
    DaskSource

    Raises
    ------
    LabelError
        If y is neither a collection nor a column.
    TableError
        If partitions do not match.
    """
    is_array = not hasattr(X, "columns")
    columns = [f"x{j}" for j in range(X.shape[1])] if is_array else [str(one) for one in X.columns]
    named = {one for one in (y, sample_weight) if isinstance(one, str)}
    for one in named:
        if one not in columns or is_array:
            raise TableError(f"X has no column {one!r}: it has {', '.join(columns[:20])}.")
    if not isinstance(y, str) and not hasattr(y, "to_delayed"):
        raise LabelError(
            "X is a Dask collection, so y must be one, too, with the same partitions, or the name of a "
            f"column of X; it is {type(y).__name__}."
        )
    x_parts = _parts(X.rechunk({1: X.shape[1]}) if is_array else X)

    def beside(values: Any, what: str) -> Sequence[Any]:
        if values is None:
            return [None] * len(x_parts)
        parts = x_parts if isinstance(values, str) else _parts(values)
        if len(parts) != len(x_parts):
            raise TableError(
                f"{what} has {len(parts)} partitions and X {len(x_parts)}: give both the same (rechunk, "
                "repartition)."
            )
        return [one[values] for one in parts] if isinstance(values, str) else parts

    rows = zip(x_parts, beside(y, "y"), beside(sample_weight, "sample_weight"), strict=True)
    target = y if isinstance(y, str) else str(getattr(y, "name", None) or "y") if not is_array else "y"
    names = [one for one in columns if one not in named]
    return DaskSource(list(rows), target, names, tokenize(X, y, sample_weight))


def _parts(collection: Any) -> list[Any]:
    return list(np.ravel(collection.to_delayed()))


def _batch(
    wanted: Sequence[str], target: str, names: Sequence[str], number: int, x: Any, y: Any, weight: Any
) -> Batch:
    """A partition, where it is computed."""
    place = f"partition {number}"
    if isinstance(x, np.ndarray):
        x = pa.table(dict(zip(names, x.T, strict=True)))
        table = x.select(list(wanted))
    else:
        table = x[list(wanted)]
    cells, code = _factorized(y, place)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    for what, values in (("y", code), ("sample_weight", weights)):
        if values is not None and len(values) != len(x):
            raise TableError(f"{place}: {what} has {len(values)} rows and X {len(x)}: give both the same.")
    if weights is not None and not (weights >= 0).all():
        raise TableError(f"{place}: row weights must be numbers of 0 or more.")
    return Batch(table, cells, code, weights, place)


def _factorized(values: Any, place: str) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    """Distinct cells, and the number of each row's, -1 where it is empty."""
    try:
        array = pa.array(values, from_pandas=True)
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        coded = array.dictionary_encode()
    except pa.ArrowException as error:
        raise LabelError(f"{place}: y has labels of several types ({error}): use one type.") from error
    code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return tuple(coded.dictionary.to_pylist()), code.astype(np.intp)
