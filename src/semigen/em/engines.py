"""Where blocks of rows are computed."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from semigen.arrays.scratch import keep, keeping
from semigen.common.checks import integer
from semigen.common.threads import available_cpus, one_blas_thread
from semigen.data.blocks import Blocks, Engine
from semigen.exceptions import ParameterError

_BY_NAME = {
    "dask": ("semigen.engines.cluster", "DaskEngine", "dask"),
    "torch": ("semigen.engines.tensors", "TorchEngine", "deep"),
}
"""Module, class and extra of engines that live above, with the libraries that they need."""


@dataclass(frozen=True)
class ThreadEngine(Engine):
    """Threads over blocks, with the linear algebra library at one thread each.

    Blocks have a fixed size and results are merged in block order, so they do not depend on the number of
    threads.

    Parameters
    ----------
    n_threads : int or None, default=None
        None: one for each processor that this process may use.
    block_rows : int, default=32768
        Rows per block; a source of a single block is computed in the calling thread.

    Raises
    ------
    ParameterError
        If a number is below 1.
    """

    n_threads: int | None = None
    block_rows: int = 32768

    def __post_init__(self) -> None:
        if self.n_threads is not None:
            integer("n_threads", self.n_threads, minimum=1, more="None or ")
        integer("block_rows", self.block_rows, minimum=1)

    @contextmanager
    def open(self) -> Iterator[Engine]:
        # one thread in small matrix products, too: waking others takes longer than the product
        n_threads = self.n_threads or available_cpus()
        with one_blas_thread(), keeping(), ThreadPoolExecutor(n_threads, initializer=keep) as pool:
            yield _Threads(pool, n_threads, self.block_rows)

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        with self.open() as running:
            return running.map_blocks(function, source, *states)


@dataclass(frozen=True)
class _Threads(Engine):
    """The threads of an open :class:`ThreadEngine`, beside the calling one."""

    pool: ThreadPoolExecutor
    n_threads: int
    block_rows: int

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        results: list[Any] = []
        self._each(results.append, function, source, *states)
        return results

    def reduce_blocks(
        self, function: Callable[..., Any], merge: Callable[[Any, Any], Any], source: Blocks
    ) -> list[Any]:
        total: list[Any] = []

        def add(result: Any) -> None:  # a few are in memory at once
            total[:] = [merge(total[0], result) if total else result]

        self._each(add, function, source)
        return total

    def _each(
        self,
        take: Callable[[Any], None],
        function: Callable[..., Any],
        source: Blocks,
        *states: Iterable[Any],
    ) -> None:
        """Give ``take`` the results in block order."""
        calls = zip(source.blocks(self.block_rows), *states, strict=False)
        n_threads = self.n_threads if source.n_rows > self.block_rows else 1
        _Turns(function, calls, take).share(self.pool, n_threads)


class _Turns:
    """Calls that threads take as they come, this one among them: none waits for another to hand them out.

    So as many blocks are in memory as there are threads, also where each is read when it is asked for.

    Parameters
    ----------
    function : callable
    calls : iterator of tuples
        Its arguments.
    take : callable
        Is given the results in the order of the calls, one at a time.
    """

    def __init__(
        self, function: Callable[..., Any], calls: Iterator[tuple[Any, ...]], take: Callable[[Any], None]
    ) -> None:
        self._function, self._calls, self._take = function, enumerate(calls), take
        self._lock = threading.Lock()
        self._waiting: dict[int, Any] = {}
        self._taken = 0
        self._ends = False

    def share(self, pool: ThreadPoolExecutor, n_threads: int) -> None:
        """Make all calls in this thread and ``n_threads - 1`` of a pool."""
        others = [pool.submit(self._work) for _ in range(n_threads - 1)]
        try:
            self._work()
        finally:  # those that have not begun find nothing to do
            begun = [one for one in others if not one.cancel()]
            wait(begun)
        for one in begun:
            one.result()

    def _work(self) -> None:
        try:
            while (call := self._next()) is not None:
                self._done(call[0], self._function(*call[1]))
        except BaseException:  # an interrupt is raised in the main thread only
            self._ends = True
            raise

    def _next(self) -> tuple[int, tuple[Any, ...]] | None:
        with self._lock:
            return None if self._ends else next(self._calls, None)

    def _done(self, number: int, result: Any) -> None:
        with self._lock:
            self._waiting[number] = result
            while self._taken in self._waiting:
                self._take(self._waiting.pop(self._taken))
                self._taken += 1


def as_engine(engine: Any, default: Engine | None = None) -> Engine:
    """The engine of an estimator's ``engine`` parameter; None means ``default``, or threads.

    Raises
    ------
    ParameterError
        If it is no engine.
    """
    if engine is None:
        return default or ThreadEngine()
    if isinstance(engine, str) and engine in _BY_NAME:
        return _load(engine)
    if isinstance(engine, Engine):
        return engine
    raise ParameterError(
        f"engine={engine!r} is no engine: use None (threads), {', '.join(map(repr, _BY_NAME))}, "
        "semigen.em.ThreadEngine(...) or an Engine of your own."
    )


def _load(name: str) -> Engine:
    module, engine, extra = _BY_NAME[name]
    try:
        found: Engine = getattr(importlib.import_module(module), engine)()
    except ImportError as error:
        raise ParameterError(
            f"engine={name!r} needs a package that is not installed ({error}): pip install semigen[{extra}]"
        ) from error
    return found
