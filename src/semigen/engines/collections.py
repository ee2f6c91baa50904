"""Tables whose pieces Dask reads where they are: partitions of its arrays and data frames, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial, reduce
from itertools import repeat
from operator import add
from typing import Any, Self
from uuid import uuid4

import numpy as np
import pyarrow as pa
from dask.base import compute, tokenize
from dask.delayed import delayed
from distributed import get_worker
from numpy.typing import NDArray

from semigen.common.threads import one_blas_thread
from semigen.data.sources import Batch, RowSource, dask_dimensions, label_rows, refuse_no_table
from semigen.exceptions import LabelError, TableError

FAN_IN = 8
"""Results that one task merges."""


class DaskSource(RowSource):
    """A table in pieces that Dask reads; :func:`from_dask` and :class:`semigen.engines.DaskEngine` make it.

    Attributes
    ----------
    pieces : tuple
        Dask's delayed objects; computed, each is a :class:`semigen.data.sources.RowSource`.
    target : str
    names : tuple of str
        Columns that models read; ``x0``, ``x1``, … of an array.
    client : distributed.Client or None
        What computes; None: the current client, or Dask's scheduler without one.
    fingerprint : str
        Where none is given, of what is in the partitions, in a pass over them when it is first asked for:
        Dask's own names for a collection can be others in another process.
    """

    def __init__(
        self,
        pieces: Sequence[Any],
        target: str,
        names: Sequence[str],
        fingerprint: str | None = None,
        client: Any = None,
        classes: tuple[Any, ...] | None = None,
    ) -> None:
        self.pieces = tuple(pieces)
        self.target = target
        self.names = tuple(names)
        self._fingerprint = fingerprint
        self.client = client
        self.classes = classes

    def __repr__(self) -> str:
        size = f"{self.n_pieces} partitions, {len(self.names)} columns"
        return f"DaskSource({size}, target={self.target!r})"

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = tokenize(self.target, self.names, self.reduce_pieces(_fingerprints, add))
        return self._fingerprint

    def at(self, client: Any) -> Self:
        """The same table, computed by a client."""
        there = copy(self)
        there.client = client
        return there

    @property
    def n_pieces(self) -> int:  # type: ignore[override]
        """Partitions."""
        return len(self.pieces)

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All rows in their order: piece by piece, they come to this process."""
        read = partial(_batches, None if names is None else tuple(names))
        for number in range(self.n_pieces):
            yield from self.map_pieces({number: read})[0]

    def map_pieces(self, calls: Mapping[int, Callable[[RowSource], Any]]) -> list[Any]:
        tasks = [apply(call, [self.pieces[j]], what="read") for j, call in calls.items()]
        return self._computed([task for one in tasks for task in one])

    def reduce_pieces(self, function: Callable[[RowSource], Any], merge: Callable[[Any, Any], Any]) -> Any:
        return self._computed(merged(merge, apply(function, self.pieces)))[0]

    def _computed(self, tasks: list[Any]) -> list[Any]:
        if self.client is None:
            return list(compute(*tasks))  # type: ignore[no-untyped-call]
        return list(self.client.gather(self.client.compute(tasks)))


class Partition(RowSource):
    """A partition of a Dask collection, where it is computed.

    Attributes
    ----------
    number : int
    target : str
    names : tuple of str
    x : array or data frame of shape (n, D)
    classes : tuple or None
        Of the columns of y, where it has several.
    y : array or series of shape (n,), or with a column for each class
    weight : array or series of shape (n,), or None
    """

    def __init__(
        self, number: int, target: str, names: Sequence[str], classes: Any, x: Any, y: Any, weight: Any
    ) -> None:
        self.number = number
        self.target = target
        self.names = tuple(names)
        self.classes = classes
        self.x = x
        self.y = y
        self.weight = weight

    def __repr__(self) -> str:
        return f"partition {self.number}"

    @property
    def fingerprint(self) -> str:
        return tokenize(self.x, self.y, self.weight)

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """The rows as one batch.

        Raises
        ------
        TableError, LabelError
            If the partition has other columns than the collection, or labels and weights do not fit.
        """
        place, x = repr(self), self.x
        wanted = list(self.names if names is None else names)
        if isinstance(x, np.ndarray):
            x = pa.table(dict(zip(self.names, x.T, strict=True)))
        absent = [name for name in wanted if name not in getattr(x, "column_names", x.columns)]
        if absent:
            raise TableError(f"{place} has no column {absent[0]!r}: every partition needs the same columns.")
        table = x.select(wanted) if isinstance(x, pa.Table) else x[wanted]
        cells, code = _factorized(self.y, place) if self.classes is None else label_rows(self.y, place)
        weights = None if self.weight is None else np.asarray(self.weight, dtype=np.float64)
        for what, values in (("y", code), ("sample_weight", weights)):
            if values is not None and len(values) != len(x):
                raise TableError(
                    f"{place}: {what} has {len(values)} rows and X {len(x)}: give both the same."
                )
        if weights is not None and not (weights >= 0).all():
            raise TableError(f"{place}: row weights must be numbers of 0 or more.")
        yield Batch(table, cells, code, weights, place, (self.number,))


def from_dask(X: Any, y: Any, sample_weight: Any = None) -> DaskSource:
    """A Dask collection as a table for ``fit`` (X; y is None then), whose blocks are its partitions.

    Nothing is computed here, and nothing is persisted: each pass computes the partitions anew unless the
    caller has persisted them. ``fit(X, y)`` with Dask collections does the same.

    Parameters
    ----------
    X : Dask array of shape (n, D) or data frame
    y : str, or Dask array or series of shape (n,), or array or data frame of shape (n, K)
        The classes, or the column of X that has them; or a column with the probability of each class, or 1
        where the row may be of that class. Partitions are those of X.
    sample_weight : str, or Dask array or series of shape (n,), or None
        Row weights ≥ 0, or their column.

    Returns
    -------
    DaskSource

    Raises
    ------
    ColumnError
        If X has not two dimensions, as a bag or a delayed object of Dask.
    LabelError
        If y is neither an array, a series or a data frame of Dask nor a column.
    TableError
        If partitions do not match.
    """
    refuse_no_table(X)
    is_array = not hasattr(X, "columns")
    columns = [f"x{j}" for j in range(X.shape[1])] if is_array else [str(one) for one in X.columns]
    named = {one for one in (y, sample_weight) if isinstance(one, str)}
    for one in named:
        if one not in columns or is_array:
            raise TableError(f"X has no column {one!r}: it has {', '.join(columns[:20])}.")
    others = {"y": y} | ({} if sample_weight is None else {"sample_weight": sample_weight})
    for what, values in others.items():
        if not isinstance(values, str) and not dask_dimensions(values):
            raise LabelError(
                f"X is a Dask collection, so {what} must be an array or a series of Dask with the same "
                f"partitions, or the name of a column of X; it is {type(values).__name__}."
            )
    parts = _partitions({"X": X} | {what: one for what, one in others.items() if not isinstance(one, str)})
    classes = None
    if getattr(y, "ndim", 1) == 2 and y.shape[1] > 1:
        classes = tuple(y.columns) if hasattr(y, "columns") else tuple(range(y.shape[1]))

    def beside(what: str) -> Iterable[Any]:
        name = others.get(what)
        if isinstance(name, str):
            return [one[name] for one in parts["X"]]
        return parts.get(what, repeat(None))

    rows = zip(parts["X"], beside("y"), beside("sample_weight"), strict=False)
    target = y if isinstance(y, str) else str(getattr(y, "name", None) or "y") if not is_array else "y"
    names = [one for one in columns if one not in named]
    pieces = [
        delayed(partial(Partition, number, target, names, classes), pure=False)(*row)
        for number, row in enumerate(rows)
    ]
    source = DaskSource(pieces, target, names, classes=classes)
    source.is_named = not is_array
    return source


def _partitions(collections: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The partitions of each collection, with all columns.

    Dask reads several partitions as one where a table has few columns (``df["label"]``); where others must
    match, each stays by itself.

    Raises
    ------
    TableError
        If one has more of them than another.
    """
    whole = {what: _by_rows(one) for what, one in collections.items()}
    n_parts = {what: one.npartitions for what, one in whole.items()}
    for what, n in n_parts.items():
        if n != n_parts["X"]:
            raise TableError(
                f"{what} has {n} partitions and X {n_parts['X']}: give both the same (rechunk, repartition)."
            )
    found = {what: list(np.ravel(one.to_delayed())) for what, one in whole.items()}
    if len(whole) > 1 and any(len(parts) != n_parts["X"] for parts in found.values()):
        return {what: list(np.ravel(one.to_delayed(optimize_graph=False))) for what, one in whole.items()}
    return found


def _by_rows(collection: Any) -> Any:
    """A collection whose partitions have all columns."""
    is_matrix = not hasattr(collection, "columns") and collection.ndim == 2
    return collection.rechunk({1: collection.shape[1]}) if is_matrix else collection


def apply(
    function: Callable[..., Any], parts: Sequence[Any], *states: Iterable[Any], what: str | None = None
) -> list[Any]:
    """Tasks that apply a function to each part, and to the items of states that belong to it.

    ``what`` names them, the function by default.
    """
    name = task_name(what or name_of(function))
    calls = zip(parts, *states, strict=True) if states else ((one,) for one in parts)
    return [
        delayed(partial(_call, function, items), pure=False)(part, dask_key_name=f"{name}-{number}")
        for number, (part, *items) in enumerate(calls)
    ]


def merged(merge: Callable[[Any, Any], Any], tasks: list[Any]) -> list[Any]:
    """One task, or none, with all results but None merged in their order, a few at a time."""
    name, level = task_name("merge"), 0
    of_several = delayed(partial(_merge, merge), pure=False)
    while len(tasks) > 1:
        groups = [tasks[begin : begin + FAN_IN] for begin in range(0, len(tasks), FAN_IN)]
        tasks = [
            of_several(*group, dask_key_name=f"{name}-{level}-{number}")
            for number, group in enumerate(groups)
        ]
        level += 1
    return tasks


def name_of(function: Any) -> str:
    """What a function is called, whatever is given to it already."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def task_name(what: str) -> str:
    """The start of the keys of some tasks; Dask's dashboard shows its words up to the number."""
    return f"semigen-{what.strip('_').replace('_', '-')}-{uuid4().int}"


def _call(function: Callable[..., Any], items: Sequence[Any], part: Any) -> Any:
    try:
        with one_blas_thread():
            return function(part, *items)
    except TableError as error:
        if not isinstance(part, RowSource) or isinstance(part, Partition):
            raise
        raise TableError(
            f"{error} That was on the worker {get_worker().address}: workers read the files themselves, so "
            "each must see them under these paths, as on a shared disk."
        ) from error


def _merge(merge: Callable[[Any, Any], Any], *parts: Any) -> Any:
    found = [one for one in parts if one is not None]
    return reduce(merge, found) if found else None


def _fingerprints(piece: RowSource) -> list[str]:
    return [piece.fingerprint]


def _batches(names: Sequence[str] | None, piece: RowSource) -> list[Batch]:
    return list(piece.batches(names))


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
