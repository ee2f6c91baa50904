"""Blocks on the workers of a Dask cluster."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import chain
from typing import Any, Self

import dask
from dask.delayed import delayed
from distributed import Client, get_client, get_worker

from semigen.columns.streams import StreamedRows, of_piece
from semigen.common.checks import integer
from semigen.data.blocks import Block, Blocks, Engine
from semigen.data.sources import RowSource
from semigen.em import ThreadEngine
from semigen.engines.collections import DaskSource, apply, merged, name_of, task_name
from semigen.exceptions import ParameterError

CONNECTING = 20
"""Seconds that a scheduler has to answer."""

MOST_LOSSES = 5
"""How often in a walk rows that died with their worker are sent again."""


class _Remote(Engine):
    """An engine to which rows of this process would have to be sent."""

    @property
    def for_few(self) -> Engine:
        """Threads of this process."""
        return ThreadEngine()


@dataclass(frozen=True)
class DaskEngine(_Remote):
    """Workers of a Dask cluster; only parameters go out to them and only statistics come back.

    Rows in this process are sent to the workers once in blocks, which stay there until the fit ends or the
    rows are needed no more. Results are merged eight at a time in the order of the blocks, so they depend
    neither on the workers nor on which of them is first, and equal those of threads but for rounding. What
    dies with a worker is computed, or sent, again. Files (:func:`semigen.data.from_files`) are read by the
    workers, which get their names and row groups.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None: the current one.
    block_rows : int, default=65536
        Rows per block, and of consecutive row groups of a file that a task reads.

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

    def placed(self, source: RowSource) -> RowSource:
        """A table as the workers read it; one that only this process can read stays here."""
        return source if _inside_task() else _placed(source, self._connected(), self.block_rows)

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
class _Cluster(_Remote):
    """An open :class:`DaskEngine`, which remembers the blocks that it has sent."""

    client: Any
    block_rows: int
    _sent: dict[int, list[Any]] = field(default_factory=dict, repr=False)

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        read = self._read(source)
        if read is None:
            return self._computed(source, lambda: apply(function, self._blocks(source), *states))
        if states:  # they belong to blocks of which nobody knows the piece
            return ThreadEngine(block_rows=self.block_rows).map_blocks(function, source, *states)
        pieces, rows = read
        task = partial(of_piece, rows, partial(_mapped, function, self.block_rows))
        found = self._computed(source, lambda: apply(task, pieces, what=name_of(function)))
        return list(chain.from_iterable(found))

    def reduce_blocks(
        self, function: Callable[..., Any], merge: Callable[[Any, Any], Any], source: Blocks
    ) -> list[Any]:
        read = self._read(source)
        if read is None:
            found = self._computed(source, lambda: merged(merge, apply(function, self._blocks(source))))
        else:
            pieces, rows = read
            task = partial(of_piece, rows, partial(_reduced, function, merge, self.block_rows))
            found = self._computed(source, lambda: merged(merge, apply(task, pieces, what=name_of(function))))
        return [one for one in found if one is not None]

    def _computed(self, source: Blocks, make_tasks: Callable[[], list[Any]]) -> list[Any]:
        """The results of tasks, made and done again where rows that were sent got lost."""
        losses = 0
        while True:
            try:
                return list(self.client.gather(self.client.compute(make_tasks())))
            except CancelledError:
                losses += 1
                if losses > MOST_LOSSES:
                    raise
                self._sent.pop(id(source), None)  # they are sent anew

    def _read(self, source: Blocks) -> tuple[Sequence[Any], StreamedRows] | None:
        """Pieces that workers read, and what to do with their rows; None where rows are sent to them."""
        if not isinstance(source, StreamedRows):
            return None
        there = _placed(source.source, self.client, self.block_rows)
        return (there.pieces, source.without_rows()) if isinstance(there, DaskSource) else None

    def _blocks(self, source: Blocks) -> list[Any]:
        """The blocks of a source as futures; they are sent once."""
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
        Sent to the cluster once.
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
        # a task, which is done again where its result dies with a worker; what is scattered would be lost
        there = client.submit(_same, shared, key=task_name("send"))

        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(client.submit(function, there, item, key=task_name(name_of(function))))
            if len(waiting) == 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _same(value: Any) -> Any:
    return value


def _inside_task() -> bool:
    """Whether this is a worker computing a task, such as the prediction for a partition."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


def _placed(source: RowSource, client: Any, most_rows: int) -> RowSource:
    """A table in pieces that the workers of a client read; as it is where they cannot."""
    if isinstance(source, DaskSource):
        return source.at(client)
    pieces = tuple(delayed(one, pure=False) for one in source.split(most_rows))
    if not pieces:
        return source
    return DaskSource(pieces, source.target, source.names, source.fingerprint, client, source.classes)


def _mapped(function: Callable[..., Any], most_rows: int, rows: StreamedRows) -> list[Any]:
    return list(map(function, rows.blocks(most_rows)))


def _reduced(
    function: Callable[..., Any], merge: Callable[[Any, Any], Any], most_rows: int, rows: StreamedRows
) -> Any:
    """The merged result of a piece, None where no row counts."""
    found = map(function, rows.blocks(most_rows))
    return reduce(merge, found, next(found, None))


def _counted(block: Block) -> Block:
    """The block without rows that do not count, which would travel for nothing."""
    if len(block.rows) == len(block.weight):
        return block
    labels = block.labels.take(block.rows)
    return replace(block, x=block.x[block.rows], labels=labels, weight=block.weight[block.rows])
