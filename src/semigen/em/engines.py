"""Where blocks of rows are computed. An engine knows nothing of what is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from semigen.checks import integer

Rows = NDArray[np.intp]


class Engine(Protocol):
    """Applies a function to blocks of rows. Used as a context, it keeps its workers until the end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def map_rows(self, function: Callable[[Rows], Any], rows: Rows) -> list[Any]:
        """``function`` of each block of ``rows``, in the order of the rows."""
        ...


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def available_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(n_jobs: int | None) -> int:
    """Threads that an estimator's ``n_jobs`` asks for; None and -1: one for each processor.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    if n_jobs is None or n_jobs == -1:
        return available_cpus()
    return integer("n_jobs", n_jobs, minimum=1, more="None, -1 (both: one thread for each processor) or ")


def map_threads(
    function: Callable[..., Any], *items: Iterable[Any], n_jobs: int | None
) -> Generator[Any, None, None]:
    """``map`` in threads, for small computations: the linear algebra library has one thread in each."""
    with (
        _blas().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(thread_count(n_jobs)) as pool,
    ):
        yield from pool.map(function, *items)


class ThreadEngine:
    """Threads over blocks, with the linear algebra library at one thread each.

    Blocks have a fixed size and are merged in order, so results do not depend on the number of threads.

    Parameters
    ----------
    n_threads : int or None, default=None
        None: one for each processor this process may use.
    block_rows : int, default=32768
        Rows a block; fewer rows than two blocks hold run in the calling thread.
    """

    def __init__(self, n_threads: int | None = None, block_rows: int = 32768) -> None:
        self.n_threads = n_threads or available_cpus()
        self.block_rows = block_rows
        self._open: ExitStack | None = None

    def __enter__(self) -> Self:
        self._open = ExitStack()
        # one thread in small matrix products, too: waking others takes longer than the product
        self._open.enter_context(_blas().limit(limits=1, user_api="blas"))
        self._pool = self._open.enter_context(ThreadPoolExecutor(self.n_threads))
        return self

    def __exit__(self, *error: object) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def map_rows(self, function: Callable[[Rows], Any], rows: Rows) -> list[Any]:
        """``function`` of each block of ``rows``, in the order of the rows."""
        if self._open is None:
            with self:
                return self.map_rows(function, rows)
        blocks = [rows[i : i + self.block_rows] for i in range(0, len(rows), self.block_rows)]
        if len(blocks) == 1 or self.n_threads == 1:
            return [function(block) for block in blocks]
        return list(self._pool.map(function, blocks))
