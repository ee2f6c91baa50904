"""What every source has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.wording import Lines, label_lines
from semigen.columns import Column, Kind
from semigen.common.progress import Progress
from semigen.data.labels import Labels as Evidence
from semigen.io.reading import Reading


@dataclass(frozen=True)
class ReadOptions:
    """How files are read, whatever they hold.

    Attributes
    ----------
    reading : Reading
        What they do not say about themselves.
    unlabeled : tuple of str
        Cells that mean "no label", besides empty ones.
    strip_labels : bool
        Whether labels that differ only by spaces around them or by case are one class.
    keep : tuple of str
        Columns, or patterns of their names, to copy to the predictions; "all" for every one.
    """

    reading: Reading = field(default_factory=Reading)
    unlabeled: tuple[str, ...] = ()
    strip_labels: bool = False
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that a model can take.

    Attributes
    ----------
    features : pyarrow table, list of str, CSR matrix or ndarray
        Columns, texts, weighted words or pixels, (n, …).
    ids : pyarrow array of shape (n,)
        What the rows are called in predictions.
    id_name : str
        The name of that column.
    notes : tuple of str
        What the user should know about how they were read.
    kept : pyarrow table
        Columns to copy to the predictions.
    truth : ndarray of shape (n,), object, or None
        The cells of the target in rows to be predicted, None where there is no label; None if there is no
        such column.
    """

    features: Any
    ids: Any
    id_name: str
    notes: tuple[str, ...] = ()
    kept: pa.Table = field(default_factory=lambda: pa.table({}))
    truth: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known about the classes of rows.

    Attributes
    ----------
    target : str
        The name of the column.
    values : ndarray of shape (n,), object
        In their own type, None where there is no label.
    weight : ndarray of shape (n,) or None
        Row weights; None: all rows count the same.
    notes : tuple of str
        Classes that may not be meant as such.
    evidence : Labels of estimators, or None
        The same with candidate sets, which are None in ``values``; None if there are none.
    """

    target: str
    values: NDArray[Any]
    weight: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    evidence: Evidence | None = None

    @property
    def given(self) -> Any:
        """What a model learns from."""
        return self.values if self.evidence is None else self.evidence


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """Rows and labels to learn from, and how they were read.

    Attributes
    ----------
    path : Path
        The table or the folder.
    rows : Rows
    labels : Labels
    columns : tuple of Column
        Every column of a table but the target and the weight.
    """

    path: Path
    rows: Rows
    labels: Labels
    columns: tuple[Column, ...]

    unit: ClassVar[str] = "row"
    """What one row is."""
    stream: ClassVar[Any] = None
    """All rows, where ``rows`` and ``labels`` are a sample of a table larger than memory."""
    cure: ClassVar[str] = ""
    """What the command line can do about a column that a model refuses."""

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return len(self.labels.values)

    @property
    def labeled(self) -> Counter[Any]:
        """Labeled rows of each class."""
        return Counter(label for label in self.labels.values if label is not None)

    @property
    def n_unlabeled(self) -> int:
        """Rows without a label."""
        return self.n_rows - self.labeled.total()

    @property
    def n_learned_unlabeled(self) -> int:
        """Rows without a label that a model learns from: those of positive weight."""
        if self.labels.weight is None:
            return self.n_unlabeled
        return sum(label is None for label in self.labels.values[self.labels.weight > 0])

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how rows and labels were read."""
        return (*self.labels.notes, *self.rows.notes)

    def describe(self) -> Lines:
        """How many rows, labels and classes there are, and what the rows hold."""
        labels = label_lines(self.unit, self.labels.target, self.labeled, self.n_rows)
        return [*labels, *self._describe_features()]

    def about_columns(self, family: Any) -> list[dict[str, Any]]:
        """What the summary says about each column; ``family`` is what :meth:`family` gave, None for none."""

        def of(column: Column) -> str | None:
            if not column.use or family is None:
                return None
            return family if isinstance(family, str) else family.get(column.name)

        return [{**asdict(column), "family": of(column)} for column in self.columns]

    def watched(self, progress: Progress) -> Progress:
        """The progress of what learns from it, which may say more."""
        return progress

    @property
    @abstractmethod
    def kinds(self) -> dict[str, Kind] | Kind | None:
        """How estimators are to read the columns; None for words."""

    @abstractmethod
    def family(self, of_kind: Mapping[Kind, str]) -> Any:
        """How densities model the columns, as their estimators take it; ``of_kind`` has the usual ones."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What summary and model file say about where the rows are from and how they were read."""

    @abstractmethod
    def _describe_features(self) -> Lines: ...
