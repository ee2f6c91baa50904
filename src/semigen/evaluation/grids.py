"""Rows that are all combinations of a few values, as in a designed experiment or a list of every case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

LEAST_ROWS, LEAST_COLUMNS = 30, 3
"""Fewer can be distinct, and many of their combinations, by chance."""
LEAST_SHARE = 0.5
"""Of the combinations."""


@dataclass(frozen=True)
class Grid:
    """Rows that are distinct, and at least half of all combinations of the values in their columns.

    Attributes
    ----------
    n_rows, n_combinations : int
    n_columns : int
        Columns with more than one value.
    """

    n_rows: int
    n_combinations: int
    n_columns: int


def grid(matrix: Any) -> Grid | None:
    """Whether rows (n, D) are a grid; None where they are not.

    Of independent values with so few combinations some rows would be alike: that none are has a probability
    of about ``exp(-n / 4)`` or less.
    """
    n = matrix.shape[0]
    if issparse(matrix) or n < LEAST_ROWS:
        return None
    n_combinations, varying = 1, []
    for j in range(matrix.shape[1]):
        n_values = len(np.unique(matrix[:, j]))
        n_combinations *= n_values
        if n < LEAST_SHARE * n_combinations:
            return None
        if n_values > 1:
            varying.append(j)
    if len(varying) < LEAST_COLUMNS or len(np.unique(matrix[:, varying], axis=0)) < n:
        return None
    return Grid(n, n_combinations, len(varying))
