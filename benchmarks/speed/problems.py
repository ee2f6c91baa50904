"""Rows to time on, made in place so that making them needs no memory beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KINDS = {
    # distance between class means in within-class standard deviations, size of the covariances' differences
    "separated": (12.0, 0.5),
    "overlapping": (1.5, 0.1),
}
CHUNK_ROWS = 8192


@dataclass(frozen=True)
class Problem:
    """Rows of a Gaussian mixture and a start: equal weights, shifted means, unit covariances."""

    x: Array
    component: NDArray[np.intp]
    means: Array

    @property
    def n_components(self) -> int:
        return len(self.means)

    @cached_property
    def x32(self) -> NDArray[np.float32]:
        """The rows in float32."""
        return self.x.astype(np.float32)

    def rows(self, dtype: Any) -> NDArray[Any]:
        return self.x if np.dtype(dtype) == np.float64 else self.x32

    def head(self, n: int) -> Problem:
        """The problem of the first rows."""
        return Problem(self.x[:n], self.component[:n], self.means)


def make(kind: str, rows: int, features: int, components: int, seed: int = 0) -> Problem:
    """Draw ``rows`` rows; the first rows do not depend on how many there are."""
    distance, difference = KINDS[kind]
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(components, features)) * distance / np.sqrt(2 * features)
    mixing = difference * rng.normal(size=(components, features, features)) / np.sqrt(features)
    mixing += np.eye(features)
    x = np.empty((rows, features))
    component = np.empty(rows, dtype=np.intp)
    for begin in range(0, rows, CHUNK_ROWS):
        drawn = rng.integers(components, size=CHUNK_ROWS)
        noise = rng.standard_normal((CHUNK_ROWS, features))
        for c in range(components):
            mine = drawn == c
            noise[mine] = noise[mine] @ mixing[c] + means[c]
        size = min(CHUNK_ROWS, rows - begin)
        x[begin : begin + size] = noise[:size]
        component[begin : begin + size] = drawn[:size]
    return Problem(x, component, means + 0.1)
