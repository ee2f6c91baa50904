"""Numbers, classes and columns in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import pyarrow as pa
from rich import box
from rich.table import Table

from semigen.columns import Column
from semigen.columns.tables import listing
from semigen.common.text import in_short
from semigen.evaluation.intervals import Estimate

Lines = list[tuple[str, str]]
"""What is shown in two columns: a topic, and what there is to say; the topic is empty where it goes on."""

_MOST_REASONS = 12
_KIND = {"number": "numeric", "flag": "true/false", "category": "categorical"}


def cell_text(value: Any) -> str:
    """Return a value as the tables that are written here show it; whole floats print as integers."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(pa.scalar(value).cast(pa.string())) if isinstance(value, float) else str(value)


def counted(number: int, thing: str) -> str:
    """Return a number of things in words that agree: ``1 row``, ``2 rows``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def interval(estimate: Estimate, form: str) -> str:
    """A number that is not negative, and its interval."""
    return f"{estimate.value:{form}} ({estimate.low:{form}}-{estimate.high:{form}})"


def percent(share: Estimate) -> str:
    """A share between 0 and 1 and its interval, in percent."""
    return interval(Estimate(*(100 * value for value in astuple(share))), ".1f")


def plain_table(columns: Sequence[str], n_left: int = 1) -> Table:
    """An empty table with a line below the names; all columns but the first ``n_left`` are numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < n_left else "right")
    return table


def class_counts(counts: Mapping[Any, int], most: int = 12) -> str:
    """Classes and how many rows each has."""
    return listing([f"{class_text(label)} {count:,}" for label, count in sorted(counts.items())], most)


def class_text(label: Any) -> str:
    """A class in a sentence, in quotes where spaces would not be seen."""
    text = cell_text(label)
    return text if text == text.strip() else repr(text)


def label_lines(unit: str, target: str, labeled: Mapping[Any, int], n_rows: int) -> Lines:
    """How many rows (or images: ``unit``) there are, and how many of each class are labeled."""
    n_labeled = sum(labeled.values())
    return [
        (f"{unit}s", f"{n_rows:,}: {n_labeled:,} labeled, {n_rows - n_labeled:,} unlabeled"),
        ("target", f"{in_short(target)} ({class_counts(labeled, 8) or 'no label'})"),
    ]


def column_lines(columns: Sequence[Column]) -> Lines:
    """Which columns are used, kind by kind, and which are not and why."""
    used: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for column in columns:
        if column.use:
            used.setdefault(column.kind, []).append(_with_counts(column))
        else:
            reasons.setdefault(column.reason, []).append(in_short(column.name))
    lines = [
        f"{counted(len(names), f'{_KIND.get(kind, kind)} column')}: {listing(names)}"
        for kind, names in used.items()
    ]
    not_used = [f"{listing(names)}: {reason}" for reason, names in list(reasons.items())[:_MOST_REASONS]]
    n_more = sum(map(len, list(reasons.values())[_MOST_REASONS:]))
    if n_more:
        not_used.append(f"and {counted(n_more, 'more column')} (all are in summary.json)")
    return [*_topic("used", lines or ["no column"]), *_topic("not used", not_used)]


def _topic(topic: str, said: Sequence[str]) -> Lines:
    return [("" if number else topic, one) for number, one in enumerate(said)]


def _with_counts(column: Column) -> str:
    """A column's name, with what it becomes, and its numbers of levels and missing values."""
    notes = [f"{column.n_distinct:,} values"] if column.kind == "category" else []
    notes += [column.reason] if column.reason else []
    notes += [f"{column.n_missing:,} missing"] if column.n_missing else []
    name = in_short(column.name)
    return f"{name} ({', '.join(notes)})" if notes else name
