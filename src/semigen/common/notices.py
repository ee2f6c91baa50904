"""Warnings that point at the line that called semigen, however deep in it they are found."""

from __future__ import annotations

import inspect
import warnings

_PASSED_ON = ("semigen", "sklearn", "joblib", "contextlib", "concurrent", "threading")


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the nearest caller outside semigen and of what calls it for others, such as a pipeline."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_ON:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
