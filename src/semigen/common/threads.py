"""The number of threads, and small computations in several of them."""

from __future__ import annotations

import os
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
