"""Checks of numeric parameters."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from semigen.exceptions import ParameterError


def integer(name: str, value: Any, *, minimum: int, more: str = "") -> int:
    """Return ``value``, an integer of at least ``minimum``, or raise a ParameterError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ParameterError(f"{name}={value!r}: it must be {more}an integer of at least {minimum}.")
    return int(value)


def real(
    name: str,
    value: Any,
    *,
    minimum: float,
    maximum: float = np.inf,
    below: bool = False,
    more: str = "",
) -> float:
    """Return ``value``, a finite number within bounds (``below``: less than the maximum), or raise a
    ParameterError.
    """
    number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not number or not minimum <= float(value) <= maximum or (below and float(value) == maximum):
        bounds = f"of at least {minimum:g}"
        if np.isfinite(maximum):
            bounds = f"{bounds} and below {maximum:g}" if below else f"from {minimum:g} to {maximum:g}"
        raise ParameterError(f"{name}={value!r}: it must be {more}a number {bounds}.")
    return float(value)


def flag_or_auto(name: str, value: Any) -> None:
    """Refuse what is neither "auto" nor a flag with a ParameterError."""
    if not isinstance(value, bool | np.bool_) and not (isinstance(value, str) and value == "auto"):
        raise ParameterError(f"{name}={value!r}: use True, False or 'auto'.")
