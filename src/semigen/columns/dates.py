"""Dates, times and durations as days."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.columns.numerals import FEW_LEVELS, MOST_WORDS, SHARE_OF_WORDS
from semigen.columns.tables import Series, is_missing
from semigen.common.text import quoted
from semigen.data.spelling import means_nothing
from semigen.exceptions import ColumnError

Measure = Literal["date", "time", "duration"]
"""What cells say: a date, a time of the day, or how long something takes."""
_EPOCH = dt.datetime(1970, 1, 1)
_DAY = dt.timedelta(days=1)
_DATE_TYPES = (dt.date, dt.timedelta, dt.time)
_DAYS = (
    "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d-%b-%Y",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %Y", "%b-%Y",
)  # fmt: skip
_ENOUGH = 100
"""Cells that show whether a column is words."""
_LONGEST = 100  # characters
_MOST_FORMS, _SOME = 6, 300
"""Ways in which the dates of one column are written, and texts that tell the next one."""
DURATION = "duration"
"""Beside those of ``strptime``: 3m 28s, 2 days, 1 yr 3 mos, 0 days 01:15:00, 36:00."""
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    *(clock.strip() for clock in _CLOCKS if clock),
)
_UNITS = {
    unit: days
    for units, days in (
        ("y yr yrs year years", 365.25),
        ("mo mos mon mth mths month months", 365.25 / 12),
        ("w wk wks week weeks", 7),
        ("d day days", 1),
        ("h hr hrs hour hours", 1 / 24),
        ("m min mins minute minutes", 1 / 1440),
        ("s sec secs second seconds", 1 / 86400),
        ("ms", 1 / 86400_000),
    )
    for unit in units.split()
}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_PART = re.compile(rf"([+-]?\d+(?:[.,]\d+)?)\s?({_UNIT})(?![^\W\d_])\.?")
_CLOCK = re.compile(r"([+-]?)(\d+):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
_LOOKS_LIKE_DATE = re.compile(
    r"""\s*(
      \d{4}[-/.]\d{1,2}[-/.]\d{1,2} | \d{1,2}[-/.](\d{1,2}|[A-Za-z]{3})[-/.]\d{4}
      | \d{2}[/.]\d{2}[/.]\d{2} | \d{1,2}/\d{1,2}/\d{2} | \d{1,2}-[A-Za-z]{3}-\d{2}
      | [A-Za-z]{3,9}[ ]\d{1,2},[ ]\d{4} | \d{1,2}[ ][A-Za-z]{3,9}[ ]\d{4} | [A-Za-z]{3}[ -]\d{4}
      | \d{1,2}:\d{2}(:\d{2})?([ ][AaPp][Mm])? | \d+:\d{2}(:\d{2}(\.\d+)?)?
      | [+-]?\d+([.,]\d+)?\s?[A-Za-z]{1,7}\b.*
    )([ T]\d{1,2}:\d{2}.*)?\s*""",
    re.VERBOSE,
)


def is_date(cell: Any) -> bool:
    """Whether a cell is a date, a time or a duration."""
    return isinstance(cell, _DATE_TYPES)


def date_format(texts: Sequence[Any]) -> str | None:
    """How dates are written in all texts, as for ``strptime``; "" for ISO 8601, None if they are no dates.

    Several ways are joined by ``|``, and "duration" is one of them. Of 03/04/2020 the first number is the
    month, unless another text has one above 12 there. Words such as ? are missing dates.
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
        alike = {text for text in count if len(text) <= _LONGEST and _LOOKS_LIKE_DATE.fullmatch(text)}
        if not alike or len(count) - len(alike) > MOST_WORDS:
            return None
    best: tuple[str, tuple[str, ...]] | None = None
    for form in ("", *_FORMS):
        odd = _odd(count, form, SHARE_OF_WORDS * count.total() if best is None else _rows(count, best[1]) - 1)
        if odd is not None and (not odd or len(count) - len(odd) > FEW_LEVELS):
            best = form, odd
        if odd == ():
            return best
    return _in_several_forms(count, best) or best


def _in_several_forms(
    count: Mapping[str, int], best: tuple[str, tuple[str, ...]] | None
) -> tuple[str, tuple[str, ...]] | None:
    """As :func:`dates_of_column`, of dates that are written in several ways, or are durations.

    The next way is the one in which most cells are that no other explains. 03/04/2020 has one meaning in a
    column, and times of the day are no dates.
    """
    forms, rest = ([], list(count)) if best is None else ([best[0]], list(best[1]))
    while rest and len(forms) < _MOST_FORMS:
        some = rest[:: len(rest) // _SOME + 1]
        read = {
            form: sum(count[text] for text in some if _moment(text, form) is not None)
            for form in ("", *_FORMS, DURATION)
            if all(_go_together(form, other) for other in forms)
        }
        following = max(read, key=read.__getitem__)
        if not read[following]:
            break
        forms.append(following)
        rest = [text for text in rest if _moment(text, following) is None]
    few = len(rest) <= MOST_WORDS and _rows(count, rest) <= SHARE_OF_WORDS * sum(count.values())
    if not forms or not few or (forms == [DURATION] and _are_of_one_unit(count)):
        return None
    if (len(forms) > 1 or rest) and len(count) - len(rest) <= FEW_LEVELS:
        return None
    return "|".join(forms), tuple(sorted(rest))


def _go_together(form: str, other: str) -> bool:
    """Whether texts of a column may be written in both ways."""
    order = {form[:5], other[:5]} == {"%m/%d", "%d/%m"}
    return form != other and _is_time(form) == _is_time(other) and not order


def _are_of_one_unit(texts: Iterable[str]) -> bool:
    """Whether all are numbers of one unit as 12 min, which need not be known."""
    units = {tuple(found[2] for found in _PART.finditer(text)) for text in texts if ":" not in text}
    return all(":" not in text for text in texts) and len(units) == 1 and len(*units) == 1


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


def measured(cells: Sequence[Any] | NDArray[Any], form: str | None) -> Measure:
    """What the cells of a column of dates say, those of text by their form."""
    if isinstance(cells, np.ndarray):
        return "duration" if cells.dtype.kind == "m" else "date"
    first = next(iter(cells), None)
    if DURATION in (form or "") or isinstance(first, dt.timedelta):
        return "duration"
    return "time" if isinstance(first, dt.time) or _is_time(form or "") else "date"


def moment(since: dt.timedelta, measure: Measure) -> dt.datetime | dt.time | dt.timedelta:
    """What so many days mean, as :func:`as_days` has them."""
    if measure == "duration":
        return since
    return (_EPOCH + since).time() if measure == "time" else _EPOCH + since


def _is_time(form: str) -> bool:
    return form == DURATION or form.startswith(("%H", "%I"))


def _is_gap(text: str) -> bool:
    return not text.strip() or means_nothing(text)


def _days(name: Any, row: int, cell: Any, form: str | None) -> float:
    moment = cell
    if isinstance(cell, str):
        moment = _moment(cell, form or "")
        moment = _moment(cell, "") if moment is None else moment
    if isinstance(moment, dt.timedelta):
        return moment / _DAY
    if isinstance(moment, dt.time):
        return dt.timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second) / _DAY
    if isinstance(moment, dt.datetime):
        return (moment.replace(tzinfo=None) - _EPOCH) / _DAY  # on the clocks of its place
    if isinstance(moment, dt.date):
        return float((moment - _EPOCH.date()).days)
    raise ColumnError(
        f"column {name!r} is read as dates such as {examples(form or '')}, and its cell in row {row} is "
        f"{quoted(cell)}.",
        "Write it that way, or as None if the date is missing.",
    )


def examples(form: str) -> str:
    """A date in each of the ways in which those of a column are written."""
    day = dt.datetime(2024, 12, 31, 23, 59)
    found = ["3h 20min" if one == DURATION else day.strftime(one or "%Y-%m-%d") for one in form.split("|")]
    return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))


def _duration(text: str) -> dt.timedelta | None:
    """The time that a text such as 3m 28s or 1 day 02:30 says."""
    days, rest = 0.0, text.replace(" and ", " ")
    units: list[str] = []
    while (found := _PART.match(rest)) and found[2] not in units:
        days += float(found[1].replace(",", ".")) * _UNITS[found[2]]
        units.append(found[2])
        rest = rest[found.end() :].lstrip(" ,")
    if clock := _CLOCK.fullmatch(rest):
        seconds = int(clock[2]) * 3600 + int(clock[3]) * 60 + float(clock[4] or 0)
        days += (-1 if clock[1] == "-" else 1) * seconds / 86400
        rest = ""
    months = "m" in units and any(_UNITS[unit] > 300 for unit in units)  # 1y 6m
    if rest or not (units or clock) or months:
        return None
    return dt.timedelta(days)


def _moment(text: str, form: str) -> dt.datetime | dt.time | dt.timedelta | None:
    if "|" in form:
        return next((found for one in form.split("|") if (found := _moment(text, one)) is not None), None)
    try:
        text = text.strip()
        if form == DURATION:
            return _duration(text)
        if not form:
            return dt.datetime.fromisoformat(text)
        found = dt.datetime.strptime(text, form)
        return found if "%d" in form or "%Y" in form else found.time()
    except (ValueError, OverflowError):
        return None
