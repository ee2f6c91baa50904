"""Whether the table is the one that the journal knows."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np

from semigen.data.spelling import spelled_alike
from semigen.exceptions import ParameterError
from semigen.labeling.answers import Answers
from semigen.labeling.items import Items
from semigen.labeling.journal import TABLE, Read
from semigen.labeling.keys import Words, fingerprints


def snapshot(found: Read, items: Items) -> dict[str, Any] | None:
    """What the journal keeps of the rows of a table; None if it has that already."""
    now = fingerprints(items.keys)
    before = _last(found)
    if before is not None and np.array_equal(before, now):
        return None
    return {"n_rows": len(now), "rows": base64.b64encode(now.astype("<u8").tobytes()).decode()}


def compared(found: Read, items: Items, answers: Answers) -> tuple[str, ...]:
    """What to tell about the journal, and the table it was written for.

    Raises
    ------
    ParameterError
        If not one row of the table is known to it.
    """
    notes = []
    if found.damaged:
        n = len(found.damaged)
        notes.append(
            f"{n} line{'' if n == 1 else 's'} of the journal cannot be read (number {found.damaged[0]}): a "
            "crash cut it off before it was saved."
        )
    before = _last(found)
    if before is None:
        return tuple(notes)
    now = fingerprints(items.keys)
    n_known = len(np.intersect1d(before, now))
    if not n_known:
        raise ParameterError(
            "the journal knows no row of this table: it is another one, or its columns have changed. Name "
            "another journal (--journal), or the column that identifies the rows (--id)."
        )
    gone, new = len(before) - n_known, len(now) - n_known
    lost = sum(key not in items.row_of for key in answers.labels())
    if gone or new:
        kept = f", {lost} of them labeled; their labels stay in the journal" if lost else ""
        notes.append(
            f"The table has changed since the last session: {gone:,} rows are gone{kept}; {new:,} are new."
        )
    return tuple(notes)


def spelled(target: str, classes: Iterable[str]) -> tuple[str, ...]:
    """What to tell about classes that may be one."""
    alike = "; ".join(", ".join(map(repr, names)) for names in spelled_alike(classes))
    cure = "If they are one class, give them one spelling in the table first"
    return (f"Classes of {target!r} differ only by spaces or case: {alike}. {cure}.",) if alike else ()


def _last(found: Read) -> Words | None:
    for event in reversed(found.events):
        if event["event"] == TABLE:
            return np.frombuffer(base64.b64decode(event["rows"]), dtype="<u8").astype(np.uint64)
    return None
