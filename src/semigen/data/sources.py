"""Sources of rows: tables that are read batch by batch, pass after pass, and need not fit in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows of a table as they are stored.

    Attributes
    ----------
    table : data frame of n rows
        The columns that were asked for.
    cells : tuple
        Distinct cells of the target.
    code : ndarray of shape (n,), intp
        The number of each row's cell among ``cells``, -1 where it is empty.
    weight : ndarray of shape (n,) or None
        Row weights; None: all rows count the same.
    place : str
        Where the rows are from, for errors: the file and its part.
    """

    table: Any
    cells: tuple[Any, ...]
    code: NDArray[np.intp]
    weight: NDArray[np.float64] | None
    place: str


class RowSource(ABC):
    """A table larger than memory. Estimators take it as X, with y=None: the target is one of its columns.

    Attributes
    ----------
    target : str
        The column of the classes.
    names : tuple of str
        The other columns that models read.
    """

    target: str
    names: tuple[str, ...]

    @abstractmethod
    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All rows in their order, the same in each pass; ``names``: only these columns, all by default."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells this table from another one or from another state of it."""
