"""Where blocks of rows are computed. An engine knows nothing of what is computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from semigen.common.threads import available_cpus, one_blas_thread

Rows = NDArray[np.intp]


class Engine(Protocol):
    """Applies a function to blocks of rows. Used as a context, it keeps its workers until the end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def map_rows(self, function: Callable[[Rows], Any], rows: Rows) -> list[Any]:
        """``function`` of each block of ``rows``, in the order of the rows."""
        ...


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
        self._open.enter_context(one_blas_thread())
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
