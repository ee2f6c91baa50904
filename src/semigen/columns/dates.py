"""Dates, times and durations as days."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns.tables import is_missing
from semigen.data.spelling import means_nothing
from semigen.exceptions import ColumnError

EPOCH_DAY = dt.datetime(1970, 1, 1)
_DAY = dt.timedelta(days=1)
_DATE_TYPES = (dt.date, dt.timedelta, dt.time)
_DAYS = (
    "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d-%b-%Y",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %Y", "%b-%Y",
)  # fmt: skip
_ENOUGH = 100
"""Cells that show whether a column is words."""
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    *(clock.strip() for clock in _CLOCKS if clock),
)
_LOOKS_LIKE_DATE = re.compile(
    r"""\s*(
      \d{4}[-/.]\d{1,2}[-/.]\d{1,2} | \d{1,2}[-/.](\d{1,2}|[A-Za-z]{3})[-/.]\d{4}
      | \d{2}[/.]\d{2}[/.]\d{2} | \d{1,2}-[A-Za-z]{3}-\d{2}
      | [A-Za-z]{3,9}[ ]\d{1,2},[ ]\d{4} | \d{1,2}[ ][A-Za-z]{3,9}[ ]\d{4} | [A-Za-z]{3}[ -]\d{4}
      | \d{1,2}:\d{2}(:\d{2})?([ ][AaPp][Mm])?
    )([ T]\d{1,2}:\d{2}.*)?\s*""",
    re.VERBOSE,
)


def is_date(cell: Any) -> bool:
    """Whether a cell is a date, a time or a duration."""
    return isinstance(cell, _DATE_TYPES)


def date_format(texts: Sequence[Any]) -> str | None:
    """How dates are written in all texts, as for ``strptime``; "" for ISO 8601, None if they are no dates.

    Of 03/04/2020 the first number is the month, unless another text has one above 12 there. Words such as ?
    are missing dates.
    """
    distinct: set[Any] = set()
    for some in (texts[:_ENOUGH], texts):  # other words show soon
        if not all(isinstance(text, str) for text in some):
            return None
        distinct = {text for text in set(some) if not _is_gap(text)}
        if not all(map(_LOOKS_LIKE_DATE.fullmatch, distinct)):
            return None
    if not distinct:
        return None
    return next(
        (form for form in ("", *_FORMS) if all(_moment(text, form) is not None for text in distinct)), None
    )


def as_days(name: Any, cells: Sequence[Any], form: str | None) -> NDArray[np.float64]:
    """Days since 1970-01-01 of dates, days of durations, share of the day of times; NaN where missing, (n,).

    Parameters
    ----------
    name : object
        Of the column.
    cells : sequence
    form : str or None
        How dates are written where they are text; ISO 8601 is understood, too.

    Raises
    ------
    ColumnError
        If a cell is no date.
    """
    return np.array(
        [
            np.nan if is_missing(cell) or _is_gap(cell) else _days(name, row, cell, form)
            for row, cell in enumerate(cells)
        ],
        dtype=np.float64,
    )


def _is_gap(cell: Any) -> bool:
    return isinstance(cell, str) and (not cell.strip() or means_nothing(cell))


def _days(name: Any, row: int, cell: Any, form: str | None) -> float:
    moment = _moment(cell, form or "") or _moment(cell, "") if isinstance(cell, str) else cell
    if isinstance(moment, dt.timedelta):
        return moment / _DAY
    if isinstance(moment, dt.time):
        return dt.timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second) / _DAY
    if isinstance(moment, dt.datetime):
        return (moment.replace(tzinfo=None) - EPOCH_DAY) / _DAY  # a day is one on the clocks of its place
    if isinstance(moment, dt.date):
        return float((moment - EPOCH_DAY.date()).days)
    example = dt.datetime(2024, 12, 31, 23, 59).strftime(form or "%Y-%m-%d")
    raise ColumnError(
        f"column {name!r} is read as dates such as {example}, and its cell in row {row} is {cell!r}.",
        "Write it that way, or as None if the date is missing.",
    )


def _moment(text: str, form: str) -> dt.datetime | dt.time | None:
    try:
        text = text.strip()
        if not form:
            return dt.datetime.fromisoformat(text)
        found = dt.datetime.strptime(text, form)
        return found if "%d" in form or "%Y" in form else found.time()
    except ValueError:
        return None
