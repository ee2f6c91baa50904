"""The rows of one fit of an ensemble: those that were passed, and those that models learn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns import ReadTable, Schema
from semigen.columns.streams import ReadSource
from semigen.em import Data
from semigen.ensemble.training import rows_to_learn_from


@dataclass(frozen=True)
class FitRows:
    """Rows that have been read, with their labels and weights.

    Attributes
    ----------
    schema : Schema
    given : Data
        The rows that were passed, or the sample of a source.
    learned : Data
        Those of them that models learn from.
    place : ndarray of intp
        The number of each learned row among the given ones.
    words : csr_array or None
        Of the given rows: the words of long texts that stand beside other columns.
    source : ReadSource or None
    """

    schema: Schema
    given: Data
    learned: Data
    place: NDArray[np.intp]
    words: Any = None
    source: ReadSource | None = None

    @classmethod
    def of(cls, schema: Schema, given: Data, words: Any, source: ReadSource | None, seed: int) -> FitRows:
        """Choose the rows that models learn from."""
        place = rows_to_learn_from(given.labels, given.weight, seed)
        learned = given if len(place) == len(given.weight) else given.at(place)
        return cls(schema, given, learned, place, words, source)

    @cached_property
    def table(self) -> ReadTable:
        """The rows that models learn from."""
        words = None if self.words is None else self.words[self.place]
        return ReadTable(self.schema, self.learned.x, words)

    @cached_property
    def parts(self) -> list[tuple[ReadTable, ReadTable]]:
        """The rows that models learn from, and those that count: their columns, then the words beside."""
        columns, words = (self.table, self.counted), (self.table.documents, self.counted.documents)
        return [columns] if words[0] is None or words[1] is None else [columns, (words[0], words[1])]

    @property
    def n_words(self) -> int:
        """Words that stand beside the columns of the matrix."""
        return 0 if self.words is None else int(self.words.shape[1])

    @cached_property
    def counted(self) -> ReadTable:
        """The given rows of positive weight: those that the mixture features are fitted on."""
        return ReadTable(self.schema, self.given.x, self.words)[self.given.weight > 0]

    @cached_property
    def n_labeled(self) -> int:
        """Labeled rows of positive weight, those of a source included."""
        return self._n_counted - self.n_unlabeled

    @cached_property
    def n_unlabeled(self) -> int:
        """Unlabeled rows of positive weight, those of a source included."""
        if self.source is not None:
            rows = self.source.rows
            return rows.where(~rows.labels.pattern_labeled).n_rows
        return int((~self.given.labels.is_labeled & (self.given.weight > 0)).sum())

    @property
    def _n_counted(self) -> int:
        return len(self.given.rows) if self.source is None else self.source.rows.n_rows
