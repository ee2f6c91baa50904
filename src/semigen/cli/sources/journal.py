"""Labels from a journal of ``semigen label``, over those that a table has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from semigen.cli.sources.records import Labels, ReadOptions, Source
from semigen.cli.wording import cell_text, counted
from semigen.exceptions import TableError
from semigen.labeling.items import read_items
from semigen.labeling.journal import ENDING, read
from semigen.labeling.learning import as_labels
from semigen.labeling.saved import labels_in

AnySource = TypeVar("AnySource", bound=Source)


def is_journal(path: Path) -> bool:
    """Whether a file is a journal, by its name."""
    return path.name.endswith(ENDING)


def with_journal(
    source: AnySource, journal: Path, target: str, id_name: str | None, options: ReadOptions
) -> AnySource:
    """A table whose rows have the labels and candidate sets of a journal, too.

    Raises
    ------
    SemigenError
        If the journal is of another table or target, or there are labels of fewer than two classes.
    """
    values, sets = journal_labels(source.path, journal, target, id_name, options, source.labels.values)
    classes = sorted({one for one in values if one is not None})
    number = {cell_text(one): i for i, one in enumerate(classes)}
    known = [(row, [number[cell_text(one)]]) for row, one in enumerate(values) if one is not None]
    known += [(row, [number[name] for name in names if name in number]) for row, names in sets.items()]
    evidence, _ = as_labels(known, len(values), classes)
    given, notes = source.labels, source.labels.notes
    if sets:
        notes += (
            f"{counted(len(sets), 'row')} of {journal.name} with several possible classes: learned from.",
        )
    labels = Labels(target, values, given.weight, notes, evidence if sets else None)
    return replace(source, labels=labels)


def journal_labels(
    path: Path,
    journal: Path,
    target: str,
    id_name: str | None,
    options: ReadOptions,
    given: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], dict[int, tuple[str, ...]]]:
    """The label of each row of a table or image of a folder, None where there is none; candidate sets by row.

    Raises
    ------
    SemigenError
        If the journal is of other rows or another target, or there are labels of fewer than two classes.
    """
    start = read(journal).events[:1]
    if not start or start[0].get("target") != target:
        seen = repr(start[0].get("target")) if start else "nothing"
        raise TableError(f"{journal} is a journal of {seen}, not of the target {target!r}.")
    items = read_items(path, target, id=id_name or start[0].get("id"), reading=options.reading)
    said = labels_in(journal, items)
    values = np.full(len(items), None, dtype=object) if given is None else given.copy()
    own = {cell_text(one): one for one in values if one is not None}
    for row, classes in said.items():
        values[row] = own.get(classes[0], classes[0]) if len(classes) == 1 else None
    if len({type(one) for one in values if one is not None}) > 1:
        values[:] = [None if one is None else cell_text(one) for one in values]
    found = {one for one in values if one is not None}
    if len(found) < 2:
        raise TableError(f"{journal} has labels of {len(found)} classes: label rows of two or more.")
    return values, {row: classes for row, classes in said.items() if len(classes) > 1}
