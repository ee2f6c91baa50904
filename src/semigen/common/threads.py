"""The number of threads, and small computations in several of them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from semigen.common.checks import integer

T = TypeVar("T")


@cache
def _blas() -> tuple[ThreadpoolController, ThreadpoolController]:
    """Linear algebra libraries that have one number of threads in a process, and one in each thread."""
    found = ThreadpoolController().select(user_api="blas")
    files: tuple[list[str], list[str]] = [], []
    for one in found.info():
        files[one.get("threading_layer") == "openmp"].append(one["filepath"])
    return found.select(filepath=files[0]), found.select(filepath=files[1])


class _Limit:
    """That of the process, and how many contexts need it."""

    lock, users = threading.Lock(), 0
    original: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context, or decorator of a function, in which the linear algebra library uses one thread.

    Several threads may be in such contexts: the first limits the library, the last one lifts the limit.
    """
    of_process, of_thread = _blas()
    with _Limit.lock:
        if not _Limit.users:
            _Limit.original = of_process.limit(limits=1)
        _Limit.users += 1
    try:
        with of_thread.limit(limits=1):
            yield
    finally:
        with _Limit.lock:
            _Limit.users -= 1
            if not _Limit.users:
                _free(of_process)
                _Limit.original.restore_original_limits()
                _free(of_process)


def _free(libraries: ThreadpoolController) -> None:
    """Let any thread limit them; since 3.8 threadpoolctl ignores all but the one that was first."""
    for one in libraries.lib_controllers:
        if hasattr(one, "clear_controlling_thread"):
            one.clear_controlling_thread(force=True)


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


def begun(function: Callable[[], T], n_jobs: int | None) -> Callable[[], T]:
    """Begin to compute something in a thread beside this one; call the result for what was found.

    The linear algebra library uses one thread there. An error is raised where the result is asked for. With
    ``n_jobs=1`` it is computed then, too.
    """
    if thread_count(n_jobs) == 1:
        return function
    found: Future[T] = Future()

    def work() -> None:
        try:
            with one_blas_thread():
                result = function()
        except BaseException as error:  # raised again where the result is asked for
            found.set_exception(error)
        else:
            found.set_result(result)

    threading.Thread(target=work, daemon=True, name="semigen-beside").start()  # an interrupt does not wait
    return found.result


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
