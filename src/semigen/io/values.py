"""Values whose type is neither JSON nor NumPy, as text: decimal fractions, dates and times.

They are the classes of some labels. A type is looked up in a fixed table, so a file names none that is built
in any other way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

MOST_CHARACTERS = 1_000
"""Of one value; that of a decimal fraction grows with its digits."""


@dataclass(frozen=True)
class _Type:
    """How values of a type become text and come back; ``zone`` is the name of a time zone, or None."""

    text: Callable[[Any], str]
    value: Callable[[str, str | None], Any]


def _pandas() -> Any:
    import pandas as pd  # not a dependency: whoever has such values has it

    return pd


def _zone(value: Any) -> str | None:
    """The name of the time zone of a value, None where it has none or only an offset."""
    zone = getattr(value, "tzinfo", None)
    return getattr(zone, "key", None) or getattr(zone, "zone", None)


def _moment(text: str, zone: str | None) -> datetime:
    found = datetime.fromisoformat(text)
    return found if zone is None else found.astimezone(ZoneInfo(zone))


def _timestamp(text: str, zone: str | None) -> Any:
    moment, _, unit = text.partition(" ")
    found = _pandas().Timestamp(moment).as_unit(unit)
    return found if zone is None else found.tz_convert(zone)


_TYPES: Mapping[str, _Type] = {
    "datetime.date": _Type(date.isoformat, lambda text, _: date.fromisoformat(text)),
    "datetime.datetime": _Type(datetime.isoformat, _moment),
    "datetime.time": _Type(time.isoformat, lambda text, _: time.fromisoformat(text)),
    "datetime.timedelta": _Type(
        lambda gap: f"{gap.days} {gap.seconds} {gap.microseconds}",
        lambda text, _: timedelta(*map(int, text.split())),
    ),
    "decimal.Decimal": _Type(str, lambda text, _: Decimal(text)),
    "pandas.Timestamp": _Type(lambda moment: f"{moment.isoformat()} {moment.unit}", _timestamp),
    "pandas.Timedelta": _Type(
        lambda gap: f"{gap.asm8.astype(int)} {gap.unit}",
        lambda text, _: _pandas().Timedelta(int(text.split()[0]), text.split()[1]).as_unit(text.split()[1]),
    ),
}


def type_name(value: Any) -> str | None:
    """The name of the type of a value that can be text, None for others."""
    kind = type(value)
    pd = sys.modules.get("pandas")  # which whoever has such a value has imported
    if pd is not None and kind in (pd.Timestamp, pd.Timedelta):
        return f"pandas.{kind.__name__}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if name in _TYPES else None


def as_text(name: str, value: Any) -> tuple[str, str | None]:
    """A value of the type of that name as text, and its time zone."""
    return _TYPES[name].text(value), _zone(value)


def from_text(name: str, text: str, zone: str | None) -> Any:
    """The value of a text.

    Raises
    ------
    ValueError, KeyError
        If there is no such type or value.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a {name} of {len(text):,} characters")
    return _TYPES[name].value(text, zone)
