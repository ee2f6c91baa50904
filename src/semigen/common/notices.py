"""Warnings that point at the line that called semigen, however deep in it they are found."""

from __future__ import annotations

import inspect
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBER = re.compile(r"\d[\d,.]*")
_QUOTED = re.compile(r"""'[^'\n]*'|"[^"\n]*\"""")
_PASSED_ON = ("semigen", "sklearn", "joblib", "contextlib", "concurrent", "threading")


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the nearest caller outside semigen and of what calls it for others, such as a pipeline."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_ON:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def once_each() -> Iterator[None]:
    """Give each warning once when the block ends, however many fits to parts of the rows give it.

    Of those of one category that name the same things in quotes, such as columns, the one that names most is
    given; of those that name nothing and differ only in their numbers, the first.
    """
    with warnings.catch_warnings(record=True) as caught:
        yield
    told: defaultdict[type[Warning], set[str]] = defaultdict(set)
    kept = []
    for number, one in sorted(enumerate(caught), key=lambda item: -len(_topics(item[1]))):
        topics = _topics(one)
        if not topics <= told[one.category]:
            told[one.category] |= topics
            kept.append(number)
    for number in sorted(kept):
        one = caught[number]
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _topics(warning: warnings.WarningMessage) -> set[str]:
    """What a warning names, or its text without numbers."""
    text = str(warning.message)
    return set(_QUOTED.findall(text)) or {_NUMBER.sub("", text)}
