"""Parameters that are numbers, checked in one place."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from semigen.exceptions import ParameterError


def integer(name: str, value: Any, *, minimum: int, more: str = "") -> int:
    """An integer of at least ``minimum``."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ParameterError(f"{name}={value!r}: it must be {more}an integer of at least {minimum}.")
    return int(value)


def real(name: str, value: Any, *, minimum: float, maximum: float = np.inf, more: str = "") -> float:
    """A finite number between two bounds."""
    number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not number or not minimum <= float(value) <= maximum:
        bounds = f"from {minimum:g} to {maximum:g}" if np.isfinite(maximum) else f"of at least {minimum:g}"
        raise ParameterError(f"{name}={value!r}: it must be {more}a number {bounds}.")
    return float(value)
