"""Memory that is used again for each piece of the rows, and sums that let other threads compute meanwhile."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Scratch:
    """Arrays by name, in memory that is kept: new memory for each piece can take longer than what fills it.

    Parameters
    ----------
    dtype : dtype
        Type of the numbers.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._memory: dict[str, NDArray[Any]] = {}
        self._last: dict[str, NDArray[Any]] = {}

    def __call__(self, name: str, *shape: int) -> NDArray[Any]:
        """An array of this shape with any content, in the memory of the last one of this name."""
        found = self._last.get(name)
        if found is None or found.shape != shape:
            size = prod(shape)
            if name not in self._memory or self._memory[name].size < size:
                self._memory[name] = np.empty(size, dtype=self.dtype)
            found = self._last[name] = self._memory[name][:size].reshape(shape)
        return found

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
