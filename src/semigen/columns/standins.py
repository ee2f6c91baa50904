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
    """A number of nines that repeats, far below or above all other values of its column."""

    value: float
    n_rows: int
    lowest: float
    highest: float

    def __str__(self) -> str:
        return (
            f"{self.value:g} in {self.n_rows:,} rows is far from all other values, "
            f"{self.lowest:g} to {self.highest:g}"
        )


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
        if n_rows < max(2, _LEAST_SHARE * len(values)) or len(np.unique(others)) < _LEAST_OTHERS:
            continue
        lowest, highest = float(others.min()), float(others.max())
        if max(lowest - value, value - highest) >= _LEAST_GAP * (highest - lowest):
            return StandIn(value, n_rows, lowest, highest)
    return None
