"""Numbers that may stand for a missing value: -999 among ages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_SHARE = 0.005  # of the rows
_LEAST_OTHERS = 5  # distinct values
_LEAST_GAP = 0.5  # of the range of the others


@dataclass(frozen=True)
class StandIn:
    """A number of nines that repeats, far from all other values of its column or the only one below 0."""

    value: float
    n_rows: int
    lowest: float
    highest: float

    @property
    def is_far(self) -> bool:
        """Whether it is far from the others."""
        gap = max(self.lowest - self.value, self.value - self.highest)
        return gap >= _LEAST_GAP * (self.highest - self.lowest)

    def __str__(self) -> str:
        how = "far from all other values" if self.is_far else "below 0, unlike all other values"
        return f"{self.value:g} in {self.n_rows:,} rows is {how}, {self.lowest:g} to {self.highest:g}"


def stand_ins(matrix: NDArray[Any]) -> dict[int, StandIn]:
    """The numbers that may stand for missing values, by column."""
    if not len(matrix):
        return {}
    ends = np.column_stack([np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)])  # without NaN
    found = {
        j: _stand_in(matrix[:, j], two) for j, two in enumerate(ends.tolist()) if any(map(_is_nines, two))
    }
    return {j: one for j, one in found.items() if one is not None}


def _is_nines(value: float) -> bool:
    return set(f"{abs(value):.10g}") == {"9"}


def _stand_in(values: NDArray[Any], ends: list[float]) -> StandIn | None:
    for value in filter(_is_nines, ends):
        n_rows = int((values == value).sum())
        others = values[(values != value) & ~np.isnan(values)]
        if n_rows < max(2, _LEAST_SHARE * len(values)) or not others.size:
            continue
        found = StandIn(value, n_rows, float(others.min()), float(others.max()))
        if value < 0 <= found.lowest or (found.is_far and len(np.unique(others)) >= _LEAST_OTHERS):
            return found
    return None
