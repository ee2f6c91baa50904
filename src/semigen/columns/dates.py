"""Dates, times and durations as days."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.numerals import FEW_LEVELS, MOST_WORDS, SHARE_OF_WORDS
from semigen.columns.tables import Series, is_missing
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
    found = dates_of_column(texts)
    return found[0] if found is not None and not found[1] else None


def dates_of_column(texts: Sequence[Any]) -> tuple[str, tuple[str, ...]] | None:
    """As :func:`date_format`, of all cells of a column, and those that are missing; None if it has no dates.

    Besides words such as ?, these are up to three others in a tenth of the cells of a column of more than
    twenty different dates, such as 0000-00-00.
    """
    count: Counter[str] = Counter()
    for some in (texts[:_ENOUGH], texts):  # other words show soon
        if not all(isinstance(text, str) for text in some):
            return None
        count = Counter(text.strip() for text in some if not _is_gap(text))
        alike = {text for text in count if _LOOKS_LIKE_DATE.fullmatch(text)}
        if not alike or len(count) - len(alike) > MOST_WORDS:
            return None
    best: tuple[str, tuple[str, ...]] | None = None
    for form in ("", *_FORMS):
        odd = _odd(count, form, SHARE_OF_WORDS * count.total() if best is None else _rows(count, best[1]) - 1)
        if odd is not None and (not odd or len(count) - len(odd) > FEW_LEVELS):
            best = form, odd
        if odd == ():
            break
    return best


def _odd(count: Mapping[str, int], form: str, most: float) -> tuple[str, ...] | None:
    """The texts that are no dates of a form, None if they are too many or in more than ``most`` cells."""
    odd: list[str] = []
    for text in count:
        if _moment(text, form) is None:
            odd.append(text)
            if len(odd) > MOST_WORDS or _rows(count, odd) > most:
                return None
    return tuple(sorted(odd))


def _rows(count: Mapping[str, int], texts: Iterable[str]) -> int:
    return sum(count[text] for text in texts)


def as_days(
    name: Any, cells: Sequence[Any] | NDArray[Any], form: str | None, words: Sequence[str] = ()
) -> NDArray[np.float64]:
    """Days since 1970-01-01 of dates, days of durations, share of the day of times; NaN where missing, (n,).

    Parameters
    ----------
    name : object
        Of the column.
    cells : sequence, or ndarray of datetime64 or timedelta64
    form : str or None
        How dates are written where they are text; ISO 8601 is understood, too.
    words : sequence of str
        Cells that are missing, besides words such as ?.

    Raises
    ------
    ColumnError
        If a cell is no date.
    """
    if isinstance(cells, np.ndarray):
        steps = cells.view(np.int64) / (_DAY / dt.timedelta(microseconds=1))
        return np.where(np.isnat(cells), np.nan, steps)
    days = np.full(len(cells), np.nan)
    known: dict[str, float] = {}  # of texts, which may repeat
    for row, cell in enumerate(cells):
        if isinstance(cell, str):
            if cell not in known:
                is_there = not _is_gap(cell) and cell.strip() not in words
                known[cell] = _days(name, row, cell, form) if is_there else np.nan
            days[row] = known[cell]
        elif not is_missing(cell):
            days[row] = _days(name, row, cell, form)
    return days


def date_cells(series: Series) -> list[Any] | NDArray[Any]:
    """The cells of a column of dates: datetime64 or timedelta64 in microseconds where its type has one."""
    if series.dtype == nw.Datetime:
        series = series.dt.replace_time_zone(None)  # a day is one on the clocks of its place
    found = series.to_numpy() if series.dtype in (nw.Datetime, nw.Date, nw.Duration) else None
    if found is None or found.dtype.kind not in "mM":
        return series.to_list()
    return found.astype(f"{found.dtype.kind}8[us]")


def _is_gap(text: str) -> bool:
    return not text.strip() or means_nothing(text)


def _days(name: Any, row: int, cell: Any, form: str | None) -> float:
    moment = _moment(cell, form or "") or _moment(cell, "") if isinstance(cell, str) else cell
    if isinstance(moment, dt.timedelta):
        return moment / _DAY
    if isinstance(moment, dt.time):
        return dt.timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second) / _DAY
    if isinstance(moment, dt.datetime):
        return (moment.replace(tzinfo=None) - EPOCH_DAY) / _DAY  # on the clocks of its place
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
