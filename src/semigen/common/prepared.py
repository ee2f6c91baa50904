"""What a fitted object computes with, made once of what it has learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_KNOWN: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()


def prepared(owner: Any, learned: Any, make: Callable[[], T]) -> T:
    """What ``make`` gives, kept for as long as the owner lives and has learned nothing else.

    It is no part of the owner, nor of its copies and its file.

    Parameters
    ----------
    owner : object
    learned : object
        One of its attributes, which a fit replaces.
    make : callable
    """
    known = _KNOWN.get(owner)
    if known is None or known[0] is not learned:
        known = _KNOWN[owner] = learned, make()
    found: T = known[1]
    return found
