"""Dates, times and durations as days."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
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
_REAL = tuple((dt.datetime(year, 1, 1) - _EPOCH) / _DAY for year in (2, 9999))
"""Days of real dates: 0001-01-01 and 9999-12-31 are no date and no end."""
_DATE_TYPES = (dt.date, dt.timedelta, dt.time)
_DAYS = (
    "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %Y", "%b-%Y",
    "%Y.%m.%d", "%d-%B-%Y", "%d. %b %Y", "%d. %B %Y", "%d %b, %Y", "%d %B, %Y", "%b %d %Y", "%B %d %Y",
    "%Y年%m月%d日",
)  # fmt: skip
_OTHERS = (
    "%Y-%m", "%m/%Y", "%Y/%m", "%m-%Y", "%B %Y", "%b-%y",
    "%b %d %H:%M:%S %Y", "%b %d %H:%M:%S%z %Y", "%d %b %Y %H:%M:%S%z", "%d/%b/%Y:%H:%M:%S%z",
    "%d/%b/%Y:%H:%M:%S", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p",
)  # fmt: skip
_ENOUGH, _FEW = 100, 10
"""Cells that show whether a column is words, and texts that show whether it is codes."""
_LONGEST = 100  # characters
_MOST_FORMS, _SOME = 6, 300
"""Ways in which the dates of one column are written, and texts that tell the next one."""
DURATION = "duration"
"""Beside those of ``strptime``: 3m 28s, 2 days, 1 yr 3 mos, 0 days 01:15:00, 36:00."""
QUARTER = "quarter"
"""Beside those of ``strptime``: 2024Q4, Q4 2024."""
_IN_TEXT: Mapping[Measure, str] = {"time": "%H:%M:%S|%H:%M|%H:%M:%S.%f", "duration": DURATION}
"""How times and durations of a type become text, as in CSV."""
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    *(clock.strip() for clock in _CLOCKS if clock),
    *_OTHERS,
    QUARTER,
)
_EVERY = ("", *_FORMS, DURATION)
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
_NAMES = """
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
_MORE_WORDS = "sept tues thur thurs and am pm a p m utc gmt z t w q st nd rd th 年 月 日"
_WORDS = {*_UNITS, *_NAMES.split(), *(name[:3] for name in _NAMES.split()), *_MORE_WORDS.split()}
_LETTERS = re.compile(r"[^\W\d_]+")
_TIDY = tuple(
    (re.compile(pattern, re.IGNORECASE), new)
    for pattern, new in (
        (r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+(?=.*\d{4}|.*\d[/.-])", ""),
        (r"(?<=\d)(?:st|nd|rd|th)\b", ""),
        (r"(?<=\d)\s*([ap])\.?m\b\.?", r" \1m"),
        (r"(?<=\d)\s?(?:utc|gmt|z)$", ""),
        (r"\s+(?=[+-]\d\d:?\d\d\b)", ""),
        (r",\s*(?=\d{1,2}:\d\d)", " "),
        (r"\bsept\b", "Sep"),
        (r"(?<=[a-z]{3})\.(?=[\s,-])", ""),
    )
)
"""What dates of one form may have besides: days of the week, 24th, 8:10pm, UTC, a comma before the clock."""
_QUARTER = re.compile(r"(\d{4})[ /-]?Q([1-4])|Q([1-4])[ /-]?(\d{4})", re.IGNORECASE)
_HALF_A_YEAR = 183
_CENTURY, _LEAST_GAP = 69, 10  # the two digits that are 1969, and years without a date
_YEARS = range(1800, 2200)  # of dates without a day: codes are written alike


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
        alike = list(filter(_looks_like_date, count))
        if not alike or len(count) - len(alike) > MOST_WORDS:
            return None
        if all(_moment(one, form) is None for one in alike[:_FEW] for form in _EVERY):
            return None  # codes, as soon as that
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
            for form in _EVERY
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
    order = {form[:5].replace("-", "/"), other[:5].replace("-", "/")} == {"%m/%d", "%d/%m"}
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
        return _real(np.where(np.isnat(cells), np.nan, steps))
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
    return _real(days)


def _real(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Days, NaN for those that stand for no date."""
    return np.where((days >= _REAL[0]) & (days < _REAL[1]), days, np.nan)


def first_year(days: NDArray[np.float64], form: str | None) -> int | None:
    """The first of the hundred years of dates whose years have two digits; None if they are told apart.

    69 is 1969 and 68 is 2068, unless that parts what belongs together: of people born in 45 to 99 and in
    00 to 10 the first year is 1945. Ten years without a date at least are between them.
    """
    if form is None or "%y" not in form or "|" in form:
        return None
    years = np.unique(days.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970)
    ends = np.unique(years % 100)
    gaps = (ends - np.roll(ends, 1)) % 100
    start = int(ends[np.argmax(gaps)]) if len(ends) else 0
    is_parted = len(ends) > 1 and gaps.max() > _LEAST_GAP and start < _CENTURY <= ends.max()
    return 1900 + start if is_parted else None


def within_century(days: NDArray[np.float64], first: int | None) -> NDArray[np.float64]:
    """Days of dates in the hundred years from the first one: later ones are of a hundred years before."""
    if first is None:
        return days
    dates = np.where(np.isnan(days), 0, np.floor(days)).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    before = (months - 1200).astype("datetime64[D]") + (dates - months)
    is_late = months >= np.datetime64(f"{first + 100}-01")
    return np.where(is_late, days + (before - dates).astype(np.float64), days)


def cycles_of(days: NDArray[np.float64], measure: Measure) -> tuple[str, ...]:
    """Those of "year", "week" and "day" in which days differ; the first of months have no day of the week."""
    found = ["year"] if measure == "date" and len(days) and np.ptp(days) > _HALF_A_YEAR else []
    whole = days.astype("datetime64[D]")
    are_months = (whole == whole.astype("datetime64[M]")).all()
    if measure == "date" and not are_months and len(np.unique(np.floor(days) % 7)) > 1:
        found.append("week")
    if measure != "duration" and len(np.unique(days % 1)) > 1:
        found.append("day")
    return tuple(found)


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


def as_written(form: str | None, measure: Measure) -> str | None:
    """The form of text among cells that are measured so; None is that of a fit whose cells were no text."""
    return _IN_TEXT.get(measure) if form is None else form


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
    found = cell
    if isinstance(cell, str):
        found = _moment(cell, form or "")
        found = _moment(cell, "") if found is None else found
    if isinstance(found, dt.timedelta):
        return found / _DAY
    if isinstance(found, dt.time):
        return dt.timedelta(hours=found.hour, minutes=found.minute, seconds=found.second) / _DAY
    if isinstance(found, dt.datetime):
        return (found.replace(tzinfo=None) - _EPOCH) / _DAY  # on the clocks of its place
    if isinstance(found, dt.date):
        return float((found - _EPOCH.date()).days)
    raise ColumnError(
        f"column {name!r} is read as dates such as {examples(form or '')}, and its cell in row {row} is "
        f"{quoted(cell)}.",
        "Write it that way, or as None if the date is missing.",
    )


def examples(form: str) -> str:
    """A date in each of the ways in which those of a column are written."""
    day = dt.datetime(2024, 12, 31, 23, 59)
    special = {DURATION: "3h 20min", QUARTER: "2024Q4", "": "2024-12-31"}
    found = [special[one] if one in special else day.strftime(one) for one in form.split("|")]
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


def _looks_like_date(text: str) -> bool:
    """Whether it has digits and more, and no word that dates, times and durations have not."""
    if len(text) > _LONGEST or text.isdecimal() or not any(map(str.isdecimal, text)):
        return False
    return all(word in _WORDS for word in _LETTERS.findall(text.lower()))


def _moment(text: str, form: str) -> dt.datetime | dt.time | dt.timedelta | None:
    """What a text says that is written in a form; None if it is not."""
    if "|" in form:
        return next((found for one in form.split("|") if (found := _moment(text, one)) is not None), None)
    text = text.strip()
    found = _parsed(text, form)
    if found is None and form != DURATION and (tidy := _tidied(text)) != text:
        found = _parsed(tidy, form)
    return found


def _parsed(text: str, form: str) -> dt.datetime | dt.time | dt.timedelta | None:
    try:
        if form == DURATION:
            return _duration(text)
        if form == QUARTER:
            return _quarter(text)
        if not form:
            return dt.datetime.fromisoformat(text)
        found = dt.datetime.strptime(text, form)
    except (ValueError, OverflowError):
        return None
    if _is_time(form):
        return found.time()
    return found if "%d" in form or found.year in _YEARS else None


@lru_cache(2**12)
def _tidied(text: str) -> str:
    """A date without what those of one form may have besides."""
    for pattern, new in _TIDY:
        text = pattern.sub(new, text)
    return text


def _quarter(text: str) -> dt.datetime | None:
    """The first day of a quarter such as 2024Q4."""
    found = _QUARTER.fullmatch(text)
    if found is None:
        return None
    year, quarter = found[1] or found[4], found[2] or found[3]
    return dt.datetime(int(year), 3 * int(quarter) - 2, 1) if int(year) in _YEARS else None
