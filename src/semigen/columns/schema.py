"""The columns of a fit, and tables that are read already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from semigen.columns.encoders import Encoded
from semigen.columns.kinds import Kind
from semigen.columns.levels import Levels
from semigen.exceptions import ColumnError


@dataclass(frozen=True)
class Schema:
    """The columns of the matrix that the table of a fit became, D.

    A column of numbers, counts, flags or categories is one column of the matrix; text and dates are several.

    Attributes
    ----------
    names : tuple or None
        Names of the columns, for text and dates followed by what a number means; None for an array or a
        sparse matrix, whose columns go by number.
    kinds : tuple of str
        "number", "count", "flag" or "category" for each column, "word" for the weight of a word.
    levels : tuple of (tuple or None)
        For each category column its levels 0 … L-1: text, numbers or booleans. None for the others.
    library : str or None
        "pandas", "polars" or "pyarrow": what :func:`restore` makes.
    encoded : tuple of Encoded
        Columns of the table that are several of the matrix.
    notes : tuple of str
        What columns became that are not read as they are, and which are not used.
    documents : tuple of Encoded
        Columns of long texts whose words stand beside the matrix (``ReadTable.words``), and which of those
        are theirs.
    """

    names: tuple[Any, ...] | None
    kinds: tuple[Kind, ...]
    levels: tuple[Levels | None, ...]
    library: str | None
    encoded: tuple[Encoded, ...] = ()
    notes: tuple[str, ...] = ()
    documents: tuple[Encoded, ...] = ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The columns of the table that are in the matrix, in its order."""
        found, j = [], 0
        starts = {one.first: one for one in self.encoded}
        while j < len(self.kinds):
            one = starts.get(j)
            found.append(Input(self.name(j), j, None) if one is None else Input(one.name, j, one))
            j += 1 if one is None else len(one.columns)
        return tuple(found)

    @property
    def input_names(self) -> tuple[Any, ...] | None:
        """Names of these columns, then those of documents beside them; None where columns go by number."""
        return None if self.names is None else tuple(self.input_kinds)

    @property
    def several(self) -> tuple[Encoded, ...]:
        """Columns of the table that became several, in the matrix or beside it."""
        return *self.encoded, *self.documents

    @property
    def input_kinds(self) -> dict[Any, str]:
        """What each of these columns is read as, by its name or number."""
        return {
            one.name: self.kinds[one.first] if one.encoded is None else one.encoded.kind
            for one in self.inputs
        } | {one.name: one.kind for one in self.documents}

    @property
    def is_sparse(self) -> bool:
        """Whether rows are words and nothing else, which stay sparse."""
        return bool(self.encoded) and set(self.kinds) == {"word"}

    def source(self, column: int) -> Any:
        """Name (or number) of the column of the table that a column of the matrix is from."""
        inside = (one.name for one in self.encoded if column in one.columns)
        return next(inside, self.name(column))

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Give an error about columns of the matrix the names of those of the table, if these have any."""
        try:
            yield
        except ColumnError as error:
            raise error if self.names is None else error.named(self.source) from error

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
            "encoded": self.encoded,
            "notes": self.notes,
            "documents": self.documents,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kinds = state["kinds"].split()
        levels = tuple(state["levels"].get(j) for j in range(len(kinds)))
        for name, value in {**state, "kinds": tuple(kinds), "levels": levels}.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Input:
    """A column of a table, its first column in the matrix, and what it became if that is several."""

    name: Any
    first: int
    encoded: Encoded | None


@dataclass(frozen=True, eq=False)
class ReadTable:
    """Rows of a table that are read already: estimators take it as X and do not read it again.

    Attributes
    ----------
    schema : Schema
    matrix : ndarray or csr_array of shape (n, D)
        As :func:`semigen.columns.learn` and :func:`semigen.columns.read` return it.
    words : csr_array of shape (n, V) or None
        Weighted words of the documents beside the matrix, where the schema has some.
    """

    schema: Schema
    matrix: Any
    words: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        n_rows, n_columns = self.matrix.shape
        return n_rows, n_columns

    @property
    def documents(self) -> ReadTable | None:
        """The words beside the matrix as a table of their own; None if there are none."""
        if self.words is None:
            return None
        n_words = self.words.shape[1]
        return ReadTable(Schema(None, ("number",) * n_words, (None,) * n_words, None), self.words)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> ReadTable:
        words = None if self.words is None else self.words[rows]
        return ReadTable(self.schema, self.matrix[rows], words)
