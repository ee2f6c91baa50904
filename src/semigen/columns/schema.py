"""The columns of a fit, and tables that are read already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semigen.columns.kinds import Kind
from semigen.columns.levels import Levels


@dataclass(frozen=True)
class Schema:
    """The columns of the table that a model was fitted on.

    Attributes
    ----------
    names : tuple or None
        Names of the columns of a data frame; None for an array or a sparse matrix, whose columns go by
        number.
    kinds : tuple of str
        "number", "count", "flag" or "category" for each column.
    levels : tuple of (tuple or None)
        For each category column its levels 0 … L-1: text, numbers or booleans. None for the others.
    library : str or None
        "pandas", "polars" or "pyarrow": what :func:`restore` makes.
    """

    names: tuple[Any, ...] | None
    kinds: tuple[Kind, ...]
    levels: tuple[Levels | None, ...]
    library: str | None

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.kinds)

    def name(self, column: int) -> Any:
        """Name of a column, its number where it has none."""
        return column if self.names is None else self.names[column]

    def __getstate__(self) -> dict[str, Any]:
        """Few objects even for documents, which have tens of thousands of columns."""
        levels = {j: one for j, one in enumerate(self.levels) if one is not None}
        return {
            "names": self.names,
            "kinds": " ".join(self.kinds),
            "levels": levels,
            "library": self.library,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kinds = state["kinds"].split()
        levels = tuple(state["levels"].get(j) for j in range(len(kinds)))
        for name, value in {**state, "kinds": tuple(kinds), "levels": levels}.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class ReadTable:
    """Rows of a table that are read already: estimators take it as X and do not read it again.

    Attributes
    ----------
    schema : Schema
    matrix : ndarray or csr_array of shape (n, D)
        As :func:`semigen.columns.learn` and :func:`semigen.columns.read` return it.
    """

    schema: Schema
    matrix: Any

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        n_rows, n_columns = self.matrix.shape
        return n_rows, n_columns

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> ReadTable:
        return ReadTable(self.schema, self.matrix[rows])
