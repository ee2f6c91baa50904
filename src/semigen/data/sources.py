"""Sources of rows: tables that are read batch by batch, pass after pass, and need not fit in memory."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.data.labels import is_unlabeled
from semigen.exceptions import ColumnError, LabelError


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows of a table as they are stored.

    Attributes
    ----------
    table : data frame of n rows
        The columns that were asked for.
    cells : tuple
        Distinct cells of the target, or its distinct rows of label probabilities, as tuples.
    code : ndarray of shape (n,), intp
        The number of each row's cell among ``cells``, -1 where it is empty.
    weight : ndarray of shape (n,) or None
        Row weights; None: all rows count the same.
    place : str
        Where the rows are from, for errors: the file and its part.
    part : tuple of int
        Numbers of the file and of its row group, or of the partition. Random numbers begin anew with each
        part, so that they are the same wherever these are read.
    """

    table: Any
    cells: tuple[Any, ...]
    code: NDArray[np.intp]
    weight: NDArray[np.float64] | None
    place: str
    part: tuple[int, ...] = ()


class RowSource(ABC):
    """A table larger than memory. Estimators take it as X, with y=None: the target is one of its columns.

    Attributes
    ----------
    target : str
        The column of the classes, or those of their probabilities in words.
    names : tuple of str
        The other columns that models read.
    classes : tuple or None
        Where labels are rows of probabilities or of candidates, the class of each of their columns.
    """

    target: str
    names: tuple[str, ...]
    classes: tuple[Any, ...] | None = None
    is_named = True
    """Whether the columns have names of their own; those of an array go by number."""
    n_pieces = 1
    """Pieces that are read each by itself, maybe elsewhere; here the whole table is one."""

    @abstractmethod
    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All rows in their order, the same in each pass; ``names``: only these columns, all by default."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells this table from another one or from another state of it."""

    def map_pieces(self, calls: Mapping[int, Callable[[RowSource], Any]]) -> list[Any]:
        """Call functions with pieces, by their numbers, where these are read; the results in that order."""
        return [call(self) for call in calls.values()]

    def reduce_pieces(self, function: Callable[[RowSource], Any], merge: Callable[[Any, Any], Any]) -> Any:
        """Call a function with each piece, where it is read, and merge the results in the pieces' order."""
        return function(self)

    def split(self, most_rows: int) -> Sequence[RowSource]:
        """The table as smaller ones that other processes can read; empty if only this one can.

        Each has at most about ``most_rows`` rows where its files can be read in parts so small.
        """
        return ()


def label_rows(matrix: ArrayLike, place: str) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    """Distinct rows of label probabilities (n, K), and the number of each row's, -1 where it is unlabeled.

    Raises
    ------
    LabelError
        If a row is none of probabilities; the error says where.
    """
    values = np.asarray(matrix, dtype=np.float64)
    try:
        labeled = ~is_unlabeled(values)
    except LabelError as error:
        raise LabelError(f"{place}: {error}") from error
    found, number = np.unique(values[labeled], axis=0, return_inverse=True)
    code = np.full(len(values), -1, dtype=np.intp)
    code[labeled] = number.reshape(-1)
    return tuple(map(tuple, found.tolist())), code


def is_partitioned(X: Any) -> bool:
    """Whether X is a collection of Dask: an array or a data frame in partitions, anywhere."""
    return hasattr(X, "__dask_graph__")


def dask_dimensions(X: Any) -> int | None:
    """Of an array, a series or a data frame of Dask; None for anything else, such as a bag."""
    found = getattr(X, "ndim", None) if is_partitioned(X) else None
    return found if isinstance(found, int) else None  # a delayed object has every attribute, delayed


def refuse_no_table(X: Any) -> None:
    """Refuse what Dask computes and is no table: a bag, a delayed object, one column, a number.

    Raises
    ------
    ColumnError
        With what to pass instead.
    """
    if not is_partitioned(X) or dask_dimensions(X) == 2:
        return
    raise ColumnError(
        f"X is a {type(X).__name__} of Dask and no table, which has two dimensions: pass a data frame or an "
        "array of Dask (X.to_dataframe() of a bag, dask.dataframe.from_delayed, X.to_frame() of a series), "
        "or what X.compute() gives, if that is a table in memory."
    )


def computed(values: Any) -> Any:
    """A collection of Dask in memory; other values as they are."""
    return values.compute() if is_partitioned(values) else values


def as_source(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """A collection of Dask with its labels and weights as a source; other tables as they are."""
    if not is_partitioned(X):
        return X, y, sample_weight
    # it lives above, where Dask is known
    return importlib.import_module("semigen.engines").from_dask(X, y, sample_weight), None, None


def over_partitions(
    meta: Callable[[Any], NDArray[Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a method of a fitted model take a collection of Dask as X, too.

    It is then called for each partition, where that is computed, and the result is a Dask array, of which
    nothing is computed yet.

    Parameters
    ----------
    meta : callable
        What the model would give for no rows, (0,) or (0, K).
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def wrapped(self: Any, X: Any, *given: Any, **named: Any) -> Any:
            if not is_partitioned(X):
                return method(self, X, *given, **named)
            refuse_no_table(X)
            empty = meta(self)
            return _by_partitions(_Call(self, method.__name__, given, named, empty), X, empty)

        return wrapped

    return decorate


@dataclass(frozen=True)
class _Call:
    """A method of a model, for the rows of any partition."""

    model: Any
    method: str
    given: tuple[Any, ...]
    named: dict[str, Any]
    empty: NDArray[Any]

    def __call__(self, rows: Any) -> Any:
        if len(rows) == 0:  # such as after a filter
            return self.empty
        return getattr(self.model, self.method)(rows, *self.given, **self.named)


def _by_partitions(call: _Call, X: Any, meta: NDArray[Any]) -> Any:
    if hasattr(X, "columns"):
        return X.map_partitions(call, meta=meta)
    whole = X.rechunk({1: X.shape[1]})
    if meta.ndim == 1:
        return whole.map_blocks(call, dtype=meta.dtype, drop_axis=1, meta=meta)
    return whole.map_blocks(call, dtype=meta.dtype, chunks=(whole.chunks[0], meta.shape[1:]), meta=meta)


def probabilities(model: Any) -> NDArray[Any]:
    """Of no rows, (0, K)."""
    return np.empty((0, len(model.classes_)))


def classes(model: Any) -> NDArray[Any]:
    """Of no rows, (0,)."""
    found: NDArray[Any] = model.classes_[:0]
    return found


def numbers(_: Any) -> NDArray[Any]:
    """Of no rows, (0,)."""
    return np.empty(0)
