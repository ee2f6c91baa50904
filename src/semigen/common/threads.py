"""The number of threads, and small computations in several of them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

from semigen.common.checks import integer


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context, or decorator of a function, in which the linear algebra library uses one thread."""
    with _blas().limit(limits=1, user_api="blas"):
        yield


def available_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(n_jobs: int | None) -> int:
    """Number of threads for an estimator's ``n_jobs``; None and -1: one for each processor.

    Raises
    ------
    ParameterError
        If it is neither None, -1 nor a positive integer.
    """
    if n_jobs is None or n_jobs == -1:
        return available_cpus()
    return integer("n_jobs", n_jobs, minimum=1, more="None, -1 (both: one thread for each processor) or ")


def map_threads(
    function: Callable[..., Any], *items: Iterable[Any], n_jobs: int | None
) -> Generator[Any, None, None]:
    """``map`` in threads, for small computations: the linear algebra library uses one thread in each."""
    n_threads = thread_count(n_jobs)
    with one_blas_thread():
        if n_threads == 1:
            yield from map(function, *items)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            yield from pool.map(function, *items)


def ahead(items: Iterable[Any], most: int) -> Iterator[Any]:
    """The same items, of which a thread makes ``most`` before they are asked for."""
    waiting: queue.Queue[tuple[bool, Any]] = queue.Queue(most)
    stop = threading.Event()

    def put(one: tuple[bool, Any]) -> bool:
        while not stop.is_set():
            try:
                waiting.put(one, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        last: Any = None
        try:
            for item in items:
                if not put((True, item)):
                    return
        except BaseException as error:  # raised again where the items are used
            last = error
        put((False, last))

    thread = threading.Thread(target=work, daemon=True, name="semigen-read-ahead")
    thread.start()
    try:
        while True:
            there, item = waiting.get()
            if there:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        stop.set()
        thread.join()
