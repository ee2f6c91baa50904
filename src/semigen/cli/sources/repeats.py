"""Columns that are copies of others, and rows that are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pyarrow as pa

from semigen.columns import Column

LEAST_SHARE = 0.1
LEAST_VALUES = 100
"""Different values of a column that cases do not share by chance."""


def without_copies(
    columns: Sequence[Column], table: pa.Table, wanted: Collection[str] = ()
) -> tuple[Column, ...]:
    """The columns; those that have the cells of an earlier one are not used, unless they are wanted."""
    first: dict[tuple[object, ...], list[str]] = {}
    found = []
    for one in columns:
        alike = first.setdefault((one.kind, one.n_distinct, one.n_missing), []) if one.use else []
        cells = table[one.name]
        other = next((name for name in alike if table[name].equals(cells)), None)
        if other is not None and one.name not in wanted:
            found.append(replace(one, use=False, reason=f"the same as {other}"))
            continue
        alike.append(one.name)
        found.append(one)
    return tuple(found)


def about_repeated_rows(table: pa.Table, columns: Sequence[Column]) -> tuple[str, ...]:
    """A note where a tenth of the rows or more repeat another one, and values are such that cases differ."""
    continuous = (one for one in columns if one.use and one.kind in ("number", "text", "date"))
    if max((one.n_distinct for one in continuous), default=0) < LEAST_VALUES:
        return ()
    try:
        n_different = table.group_by(table.column_names).aggregate([([], "count_all")]).num_rows
    except pa.ArrowNotImplementedError:  # lists
        return ()
    n_again = table.num_rows - n_different
    if n_again < LEAST_SHARE * table.num_rows:
        return ()
    return (
        f"{n_again:,} of {table.num_rows:,} rows repeat another one in every column that is used. If they "
        "are the same cases, keep one of each: a held-out row is no test where its copy was learned.",
    )
