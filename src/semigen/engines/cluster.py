"""Blocks on the workers of a Dask cluster."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Any, Self
from uuid import uuid4

import dask
import numpy as np
from dask.delayed import delayed
from distributed import Client, get_client, get_worker

from semigen.columns.streams import StreamedRows
from semigen.common.checks import integer
from semigen.common.threads import one_blas_thread
from semigen.data.blocks import Block, Blocks, Engine
from semigen.data.sources import Batch, RowSource
from semigen.em import ThreadEngine
from semigen.em.engines import in_order
from semigen.engines.collections import DaskSource
from semigen.exceptions import ParameterError

FAN_IN = 8
"""Results that one task merges."""

CONNECTING = 20
"""Seconds that a scheduler has to answer."""

MOST_LOSSES = 5
"""How often in a walk rows that died with their worker are sent again."""


@dataclass(frozen=True)
class DaskEngine(Engine):
    """Workers of a Dask cluster; only parameters go out to them and only statistics come back.

    Rows in this process are sent to the workers once in blocks, which stay there until the fit ends or the
    rows are needed no more. Results are merged eight at a time in the order of the blocks, so they depend
    neither on the workers nor on which of them is first, and equal those of threads but for rounding. What
    dies with a worker is computed, or sent, again.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None: the current one.
    block_rows : int, default=65536
        Rows per block of rows in this process.

    Raises
    ------
    ParameterError
        If ``client`` is no client, ``block_rows`` is below 1, or there is no current client when it is used.

    Notes
    -----
    Tasks are named by what they compute (``semigen-e-step``, ``semigen-merge``), as Dask's dashboard shows.
    Each task uses one thread for linear algebra: give a worker as many threads as it has processors.
    """

    client: Client | None = None
    block_rows: int = 65536

    def __post_init__(self) -> None:
        integer("block_rows", self.block_rows, minimum=1)
        if self.client is not None and not isinstance(self.client, Client):
            raise ParameterError(
                f"client={self.client!r} is no distributed.Client: use Client('tcp://…'), or None for the "
                "current one."
            )

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # a client is a connection, which has no copy

    def __getstate__(self) -> dict[str, Any]:
        return {"client": None, "block_rows": self.block_rows}

    @contextmanager
    def open(self) -> Iterator[Engine]:
        if _inside_task():
            with ThreadEngine(1).open() as here:
                yield here
            return
        yield _Cluster(self._connected(), self.block_rows)

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        with self.open() as running:
            return running.map_blocks(function, source, *states)

    def _connected(self) -> Client:
        if self.client is not None:
            return self.client
        try:
            current: Client = get_client()
            return current
        except ValueError as error:
            raise ParameterError(
                "engine='dask' found no Dask client: make one first, distributed.Client() for workers on "
                "this machine or distributed.Client('tcp://scheduler:8786'), or pass DaskEngine(client=...)."
            ) from error


@dataclass(frozen=True, eq=False)
class _Cluster(Engine):
    """An open :class:`DaskEngine`, which remembers the blocks that it has sent."""

    client: Any
    block_rows: int
    _sent: dict[int, list[Any]] = field(default_factory=dict, repr=False)

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        return self._computed(source, lambda parts: _applied(function, parts, *states))

    def reduce_blocks(
        self, function: Callable[..., Any], merge: Callable[[Any, Any], Any], source: Blocks
    ) -> list[Any]:
        return self._computed(source, lambda parts: _merged(merge, _applied(function, parts)))

    def _computed(self, source: Blocks, tasks_of: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
        """The results of the tasks made of the parts of a source, done again where rows got lost."""
        losses = 0
        while True:
            try:
                found = self.client.gather(self.client.compute(tasks_of(self._parts(source))))
                return [one for one in found if one is not None]
            except CancelledError:
                losses += 1
                if losses > MOST_LOSSES:
                    raise
                self._sent.pop(id(source), None)  # they are sent anew

    def _parts(self, source: Blocks) -> Sequence[Any]:
        """The blocks of a source as futures, or as tasks that compute them."""
        if isinstance(source, StreamedRows) and isinstance(source.source, DaskSource):
            none = np.empty(0, dtype=np.intp)
            bare = replace(source, source=_NO_ROWS, sample=source.sample.at(none))
            batches = source.source.tasks(source.schema.input_names)
            name = _task_name("read")
            read = delayed(partial(_read, bare), pure=False)
            return [read(one, dask_key_name=f"{name}-{number}") for number, one in enumerate(batches)]
        if id(source) not in self._sent:
            blocks = [_counted(block) for block in source.blocks(self.block_rows)]
            self._sent[id(source)] = self.client.scatter(blocks, hash=False) if blocks else []
            weakref.finalize(source, self._sent.pop, id(source), None)
        return self._sent[id(source)]


def map_in_order(
    address: str, function: Callable[[Any, Any], Any], shared: Any, items: Iterable[Any]
) -> Iterator[Any]:
    """``function(shared, item)`` of each item on the workers of a cluster, in the order of the items.

    Two items for each thread of the workers are on their way at a time. What dies with a worker is computed
    again.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    function : callable
    shared : object
        Sent to each worker once.
    items : iterable

    Raises
    ------
    ParameterError
        If no scheduler with a worker answers there.
    """
    try:
        client: Any = Client(address, timeout=CONNECTING, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ParameterError(f"no Dask scheduler answers at {address!r}: {error!s:.120}") from error
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}):
        threads = sum(client.nthreads().values())
        if not threads:
            raise ParameterError(f"the Dask scheduler at {address!r} has no worker: start one.")
        there = client.scatter(shared, broadcast=True, hash=False)

        def submit(item: Any) -> Any:
            return client.submit(function, there, item, key=_task_name(_name_of(function)))

        yield from in_order(submit, items, 2 * threads - 1)


def _inside_task() -> bool:
    """Whether this is a worker computing a task, such as the prediction for a partition."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


def _applied(function: Callable[..., Any], parts: Sequence[Any], *states: Iterable[Any]) -> list[Any]:
    """Tasks that apply a function to each part."""
    name = _task_name(_name_of(function))
    calls = zip(parts, *states, strict=True) if states else ((one,) for one in parts)
    return [
        delayed(partial(_call, function, items), pure=False)(part, dask_key_name=f"{name}-{number}")
        for number, (part, *items) in enumerate(calls)
    ]


def _merged(merge: Callable[[Any, Any], Any], tasks: list[Any]) -> list[Any]:
    """One task, or none, with all results merged in their order, a few at a time."""
    name, level = _task_name("merge"), 0
    of_several = delayed(partial(_merge, merge), pure=False)
    while len(tasks) > 1:
        groups = [tasks[begin : begin + FAN_IN] for begin in range(0, len(tasks), FAN_IN)]
        tasks = [
            of_several(*group, dask_key_name=f"{name}-{level}-{number}")
            for number, group in enumerate(groups)
        ]
        level += 1
    return tasks


def _read(rows: StreamedRows, batch: Batch) -> Block | None:
    """A partition as a block, on a worker; None where no row counts."""
    one = replace(rows, source=_OneBatch(batch))
    return next(iter(one.blocks(max(1, len(batch.code)))), None)


def _call(function: Callable[..., Any], items: Sequence[Any], block: Block | None) -> Any:
    if block is None:
        return None
    with one_blas_thread():
        return function(block, *items)


def _merge(merge: Callable[[Any, Any], Any], *parts: Any) -> Any:
    found = [one for one in parts if one is not None]
    return reduce(merge, found) if found else None


class _OneBatch(RowSource):
    """A table of one batch, or none."""

    target, names, fingerprint = "", (), ""

    def __init__(self, *batches: Batch) -> None:
        self._batches = batches

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        return iter(self._batches)


_NO_ROWS = _OneBatch()


def _counted(block: Block) -> Block:
    """The block without rows that do not count, which would travel for nothing."""
    if len(block.rows) == len(block.weight):
        return block
    labels = block.labels.take(block.rows)
    return replace(block, x=block.x[block.rows], labels=labels, weight=block.weight[block.rows])


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _task_name(what: str) -> str:
    """The start of the keys of some tasks; Dask's dashboard shows its words up to the number."""
    return f"semigen-{what.strip('_').replace('_', '-')}-{uuid4().int}"
