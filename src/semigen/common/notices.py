"""Warnings that point at the line that called semigen, however deep in it they are found."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBER = re.compile(r"\d[\d,.]*")
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

    Of those that differ only in their numbers the first is given.
    """
    with warnings.catch_warnings(record=True) as caught:
        yield
    said = {(one.category, _NUMBER.sub("", str(one.message))): one for one in reversed(caught)}
    for one in reversed(said.values()):
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
