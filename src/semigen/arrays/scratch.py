"""Memory that is used again for each piece of the rows, and sums that let other threads compute meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class _Thread(threading.local):
    """Of this thread: memory that is free, if it keeps any, and who uses some in the context."""

    free: dict[str, list[NDArray[np.uint8]]] | None = None
    users: list[Scratch] | None = None


_THREAD = _Thread()


def keep() -> None:
    """Let this thread keep the memory of its :func:`kept` contexts, for the next ones, until it ends."""
    _THREAD.free = {}


@contextmanager
def keeping() -> Iterator[None]:
    """Context in which this thread does so."""
    before = _THREAD.free
    keep()
    try:
        yield
    finally:
        _THREAD.free = before


@contextmanager
def kept() -> Iterator[None]:
    """Context whose scratch memory serves the next one, if this thread keeps any: no array may outlive it.

    The system takes back large pieces of memory and has to clear new ones, which can take longer than
    what fills them.
    """
    before, _THREAD.users = _THREAD.users, []
    try:
        yield
    finally:
        if _THREAD.free is not None:
            for one in _THREAD.users:
                one.give_back(_THREAD.free)
        _THREAD.users = before


def _taken(name: str, size: int) -> NDArray[np.uint8]:
    """So many bytes or more, of the thread's free memory of this name or new."""
    found = _THREAD.free[name].pop() if _THREAD.free and _THREAD.free.get(name) else None
    return np.empty(size, np.uint8) if found is None or found.size < size else found


class Scratch:
    """Arrays by name, in memory that is kept: new memory for each piece can take longer than what fills it.

    Parameters
    ----------
    dtype : dtype
        Type of the numbers.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._memory: dict[str, NDArray[np.uint8]] = {}
        self._last: dict[str, NDArray[Any]] = {}
        if _THREAD.users is not None:
            _THREAD.users.append(self)

    def __call__(self, name: str, *shape: int) -> NDArray[Any]:
        """An array of this shape with any content, in the memory of the last one of this name."""
        found = self._last.get(name)
        if found is None or found.shape != shape:
            size = prod(shape) * self.dtype.itemsize
            if name not in self._memory or self._memory[name].size < size:
                self._memory[name] = _taken(name, size)
            found = self._last[name] = self._memory[name][:size].view(self.dtype).reshape(shape)
        return found

    def give_back(self, free: dict[str, list[NDArray[np.uint8]]]) -> None:
        """Hand its memory over."""
        for name, memory in self._memory.items():
            free.setdefault(name, []).append(memory)
        self._memory, self._last = {}, {}

    def like(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """An array of the shape and order in memory of another with two axes."""
        if array.strides[0] <= array.strides[1]:
            return self(name, *array.shape[::-1]).T
        return self(name, *array.shape)


def weighted_sums(weight: Floats, rows: Floats) -> Any:
    """``weight @ rows``, (C, n) or (n,) and (n, D) or (n,).

    ``@`` keeps the interpreter lock where the result has fewer than 500 numbers, however many rows there are.
    """
    return np.dot(weight, rows)
