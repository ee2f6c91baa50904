"""The record of a fit: everything that a report shows, as plain values that JSON can hold.

A section is a function from :class:`Evidence` to plain values, or None where it has nothing to say: then the
record does not have it, and the page leaves its part out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from semigen._version import __version__
from semigen.common.progress import Progress
from semigen.comparison import Comparison, Standing, Verdict
from semigen.exceptions import TableError
from semigen.reporting.columns import columns_by_class, importance, parting, telling
from semigen.reporting.evidence import Evidence
from semigen.reporting.facts import about_standings, class_shares, model_card
from semigen.reporting.held_out import (
    held_out,
    prediction_sets,
    reliability,
    suspicious_labels,
    thresholds,
)
from semigen.reporting.rows import changed_rows, label_next, least_certain, map_of_rows, novel_rows

FORMAT = 1
"""Of the record; it changes when a key goes or changes its meaning, not when one is added."""

Section = Callable[[Evidence], Any]

SECTIONS: dict[str, Section] = {
    "held_out": held_out,
    "reliability": reliability,
    "prediction_sets": prediction_sets,
    "thresholds": thresholds,
    "telling_columns": telling,
    "parting_columns": parting,
    "suspicious_labels": suspicious_labels,
    "class_shares": class_shares,
    "changed_rows": changed_rows,
    "map": map_of_rows,
    "importance": importance,
}
"""By the keys of the record."""

SECTIONS_BY_COLUMN: dict[str, Callable[[Evidence, list[Any]], Any]] = {
    "columns_by_class": columns_by_class,
    "label_next": label_next,
    "least_certain": least_certain,
    "novel_rows": novel_rows,
}
"""Sections that show the values of columns: the most important ones first."""


def sections(evidence: Evidence, progress: Progress | None = None) -> dict[str, Any]:
    """The sections of a record that have something to say, and the model card.

    Parameters
    ----------
    evidence : Evidence
    progress : callable, optional
        Called as ``progress(sections done, all sections, name)``.
    """
    total = len(SECTIONS) + len(SECTIONS_BY_COLUMN)
    found: dict[str, Any] = {}

    def add(done: int, name: str, made: Any) -> None:
        if made is not None:
            found[name] = made
        if progress is not None:
            progress(done, total, name.replace("_", " "))

    for done, (name, section) in enumerate(SECTIONS.items(), start=1):
        add(done, name, section(evidence))
    names = _by_importance(evidence, found.get("importance"))
    for done, (name, by_column) in enumerate(SECTIONS_BY_COLUMN.items(), start=1 + len(SECTIONS)):
        add(done, name, by_column(evidence, names))
    return {**found, "model_card": model_card(evidence)}


def facts(
    about: Mapping[str, Any],
    *,
    target: str,
    n_rows: int,
    n_unlabeled: int,
    labeled: Sequence[Mapping[str, Any]],
    columns: Sequence[Any],
    model: Mapping[str, Any],
    comparison: Comparison | None,
    why_not_compared: str | None,
    verdict: Verdict,
    text: str,
    standing: Sequence[Standing],
    predicted: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The part of a record that is about the fit as a whole; the other parts are :func:`sections`.

    Parameters
    ----------
    about : mapping
        The table, and how its cells were read.
    target : str
        What the classes are called.
    n_rows, n_unlabeled : int
    labeled, predicted : sequence of mapping
        Rows of each class (:func:`semigen.reporting.facts.class_rows`).
    columns : sequence
        What each column is.
    model : mapping
        What the model is, and what it was trained on.
    comparison : Comparison or None
    why_not_compared : str or None
    verdict : Verdict
    text : str
        The verdict in words.
    standing : sequence of Standing
    """
    return {
        "format": FORMAT,
        "semigen": __version__,
        **about,
        "target": target,
        "n_rows": n_rows,
        "n_unlabeled": n_unlabeled,
        "labeled": labeled,
        "columns": columns,
        "model": model,
        "comparison": None if comparison is None else comparison.to_dict(),
        "why_not_compared": why_not_compared,
        "verdict": {**verdict.to_dict(), "text": text},
        "standing": about_standings(standing),
        "predicted": predicted,
    }


def read_record(path: Path) -> dict[str, Any]:
    """Read a record from a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TableError
        If it holds no record, or one of another format.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise TableError(f"{path} is no summary of a fit: it is not JSON ({error}).") from error
    seen = found.get("format") if isinstance(found, dict) else None
    if seen != FORMAT or not _NEEDED.issubset(found):
        raise TableError(
            f"{path} is no summary of this version of semigen (its format is {seen!r}, not {FORMAT}): fit "
            "again."
        )
    return dict(found)


_NEEDED = {"target", "n_rows", "n_unlabeled", "labeled", "columns", "model", "comparison", "verdict"} | {
    "standing", "class_shares", "least_certain", "model_card"
}  # fmt: skip


def _by_importance(evidence: Evidence, found: Mapping[str, Any] | None) -> list[Any]:
    """The columns, those first on which the predictions depend most; in their order where that is unknown."""
    if found is not None:
        return [one["column"] for one in found["columns"]]
    if evidence.table is None or not evidence.cells:
        return []
    return list(evidence.table.schema.input_kinds)[:10]
