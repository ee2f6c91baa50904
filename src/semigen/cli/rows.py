"""What a table gives to learn from: labels, weights, and columns or words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.console import Output
from semigen.cli.report import say_table
from semigen.cli.tables import counted, labels_of, read_table, require_columns
from semigen.cli.words import documents, vectorizer
from semigen.columns import Column, Kind, describe, learn
from semigen.columns.tables import listing
from semigen.data.weights import check_weights
from semigen.exceptions import ColumnError, LabelError, ParameterError
from semigen.families.registry import FAMILIES, FAMILY_OF_KIND

if TYPE_CHECKING:
    from semigen.cli.images import ImageForm

_FAMILY_OF_KIND_SAID: dict[str, str] = {
    **{str(kind): family for kind, family in FAMILY_OF_KIND.items()},
    "count": "negative_binomial",  # who says that it is a count wants counts
}

DEEP = ("vae", "gan", "flow")
"""Models that need PyTorch."""

FAMILIES_OF: dict[str, tuple[str, ...]] = {
    "mixture": tuple(FAMILIES),
    "safe": tuple(FAMILIES),
    "vae": ("gaussian", "categorical", "bernoulli", "poisson", "negative_binomial"),
}
"""Models that take a family for each column, and which; the others only say how columns are read."""


@dataclass(frozen=True)
class Task:
    """What the user asked ``fit`` for: to learn from a table, or with ``labels`` from a folder of images."""

    source: Path
    target: str
    labels: Path | None = None
    image_size: tuple[int, int] | None = None
    id: str | None = None
    drop: tuple[str, ...] = ()
    read_as: tuple[tuple[str, str], ...] = ()
    text: tuple[str, ...] = ()
    weight: str | None = None
    unlabeled: str | None = None
    model: str = "auto"
    covariance: str = "tied"
    time_budget: float | None = None
    jobs: int | None = None
    steps: int | None = None
    seed: int = 0

    @property
    def has_families(self) -> bool:
        """Whether every column has a density of its own in the model."""
        return self.model in FAMILIES_OF

    @property
    def is_deep(self) -> bool:
        """Whether networks are trained, in optimizer steps."""
        return self.model in DEEP


@dataclass(frozen=True)
class Rows:
    """What a table or a folder of images gives to learn from.

    Attributes
    ----------
    names : pyarrow array of shape (n,)
        What rows are called in predictions.
    name : str
        The name of that column.
    columns : tuple of Column
        Every column of a table but the target and the weight.
    features : pyarrow table, CSR matrix or ndarray
        The columns that are used, the words of the text columns, or the pixels of images.
    kinds : dict, str or None
        How they are read, by name; None for words.
    family : str, dict or None
        How densities model them; None for models without families.
    vectorizer : TfidfVectorizer or None
        What made the words.
    labels : ndarray of shape (n,), object
        None where there is no label.
    labeled : Counter
        Rows of each class.
    weight : ndarray of shape (n,) or None
    images : ImageForm or None
        How images were read, where rows are images.
    """

    names: Any
    name: str
    columns: tuple[Column, ...]
    features: Any
    kinds: dict[str, Kind] | Kind | None
    family: Any
    vectorizer: Any
    labels: NDArray[Any]
    labeled: Counter[Any]
    weight: NDArray[np.float64] | None
    images: ImageForm | None = None

    @property
    def n_unlabeled(self) -> int:
        """Rows without a label."""
        return len(self.labels) - self.labeled.total()

    def family_of(self, column: Column) -> str | None:
        """The family that models a column, None if none does."""
        if not column.use or self.family is None:
            return None
        return str(self.family if isinstance(self.family, str) else self.family[column.name])


def read_rows(task: Task, output: Output) -> Rows:
    """Read the table, say what it holds, and sort its columns out.

    Raises
    ------
    SemigenError
        If the table, its labels or its columns cannot be used.
    """
    families = _families(task)
    asked = {name: _kind(word) for name, word in task.read_as}
    as_written = [name for name, kind in asked.items() if kind == "category"]
    table = read_table(task.source, [*([task.id] if task.id else []), *task.text, *as_written])
    _check_options(task, table)
    labels = labels_of(table, task.target, task.unlabeled)
    columns = _columns(task, table, asked)
    used = [column.name for column in columns if column.use]
    labeled = Counter(label for label in labels if label is not None)
    say_table(output, task.source.name, task.target, table.num_rows, labeled, columns)
    warn_about_labels(task, labels, output)
    if not used:
        raise ColumnError(
            f"{task.source} has no column that a model can use: "
            f"{listing([f'{column.name} ({column.reason})' for column in columns])}."
        )
    weight = None if task.weight is None else _weights(table, task.weight)
    names = table[task.id] if task.id else pa.array(np.arange(table.num_rows))
    named = (names, task.id or "row", columns)
    if task.text:
        words, features = vectorizer(documents(table, task.text), task.text)
        n_without = int((features.getnnz(axis=1) == 0).sum())
        none = f"; {counted(n_without, 'row')} without any" if n_without else ""
        output.say(f"words     {features.shape[1]:,} different ones{none}")
        family = "multinomial" if task.has_families else None
        return Rows(*named, features, None, family, words, labels, labeled, weight)
    kinds = {column.name: column.kind for column in columns if column.use}
    by_column = None
    if task.has_families:
        # Independent counts say too little of pixels and grades; given latents, they are what counts are.
        usual = _FAMILY_OF_KIND_SAID if task.model == "vae" else FAMILY_OF_KIND
        by_column = {name: families.get(name, usual[kind]) for name, kind in kinds.items()}
    return Rows(*named, table.select(used), kinds, by_column, None, labels, labeled, weight)


def _families(task: Task) -> dict[str, str]:
    """The family of each column that the user said how to read."""
    kinds, families = listing(list(_FAMILY_OF_KIND_SAID)), listing(list(FAMILIES))
    said = [(f"{name}={word}", word) for name, word in task.read_as]
    wrong = [pair for pair, word in said if word not in (*_FAMILY_OF_KIND_SAID, *FAMILIES)]
    if wrong:
        raise ParameterError(f"--as {listing(wrong)}: a column is read as one of {kinds}, {families}.")
    able = FAMILIES_OF.get(task.model, ())
    stray = [pair for pair, word in said if word not in (*_FAMILY_OF_KIND_SAID, *able)]
    if stray:
        has = f"has {listing(able)}" if able else "has none"
        raise ParameterError(
            f"--as {listing(stray)}: a family is for a mixture, and the model {task.model!r} {has}. Say how "
            f"the column is read, as one of {kinds}, or add --model mixture."
        )
    return {name: _FAMILY_OF_KIND_SAID.get(word, word) for name, word in task.read_as}


def _kind(word: str) -> Kind:
    """What a column is, from the word for its kind or its family."""
    return FAMILIES[_FAMILY_OF_KIND_SAID.get(word, word)].kind


def _check_options(task: Task, table: pa.Table) -> None:
    require_columns(table, [task.target], task.source, "--target")
    for names, option in (
        ((task.id,), "--id"),
        ((task.weight,), "--weight"),
        (task.drop, "--drop"),
        ([name for name, _ in task.read_as], "--as"),
        (task.text, "--text"),
    ):
        require_columns(table, [name for name in names if name is not None], task.source, option)


def _columns(task: Task, table: pa.Table, asked: dict[str, Kind]) -> tuple[Column, ...]:
    """Describe every column but the target and the weight, and do with them what the user said."""
    columns = []
    for column in describe(table.drop_columns([task.target, *([task.weight] if task.weight else [])])):
        name = column.name
        if name == task.id:
            column = replace(column, use=False, reason="names the rows (--id)")
        elif name in task.drop:
            column = replace(column, use=False, reason="left out (--drop)")
        elif name in task.text:
            column = replace(column, kind="text", use=True, reason="")
        elif task.text:
            column = replace(
                column, use=False, reason="left out, since with --text only words are learned from"
            )
        elif name in asked:
            column = replace(column, kind=asked[name], use=True, reason="")
        elif column.reason.startswith("text with"):  # words, not numbers that are written oddly
            column = replace(
                column, reason=f"{column.reason} (--text learns from words, --as takes it as a category)"
            )
        elif column.kind == "id" and pa.types.is_integer(table.schema.field(name).type):
            column = replace(column, reason=f"{column.reason} (--as {name}=number uses it)")
        columns.append(column)
    return tuple(columns)


def _weights(table: pa.Table, name: str) -> NDArray[np.float64]:
    refused = f"column {name!r} cannot be the weight of the rows:"
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ColumnError(f"{refused} its cells are no numbers but of type {kind}.")
    try:
        return check_weights(learn(table.select([name]), "number")[1][:, 0], table.num_rows)
    except (ColumnError, LabelError) as error:
        raise ColumnError(f"{refused} {error}") from error


def warn_about_labels(task: Task, labels: NDArray[Any], output: Output) -> None:
    """Say where a class looks like a word for 'no label', or a marker does not occur."""
    plain = [label for label in labels if label is not None]
    if len(plain) == len(labels) and task.unlabeled is not None:
        output.warn(f"no cell of {task.target!r} is empty or holds {task.unlabeled!r}: every row is labeled.")
    suspects = [label for label in (-1, "-1", "?", "unknown", "Unknown", "none", "None") if label in plain]
    for label in suspects:
        output.warn(
            f"{label!r} counts as a class ({plain.count(label)} rows). If it means that there is no label, "
            f"add --unlabeled={label}"
        )
