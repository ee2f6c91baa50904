"""Signals that end a program: noticed once, never lost, and never in the middle of a step that must be whole.

Python raises ``KeyboardInterrupt`` wherever it happens to be, and forgets it where that is a destructor or a
callback of a library, and writes so. A program that calls :func:`listen` also remembers the signal, for
:func:`check` to raise it again, and nothing is written.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SIGNALS = [  # Windows has no SIGHUP
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end."""


@dataclass
class _State:
    """Of this process: the first signal, steps going on that must be whole, and what is written and said."""

    number: int | None = None
    held: int = 0
    written: list[Path] = field(default_factory=list)
    told: bool = False
    kept: Path | None = None
    """Where a command keeps what is done."""
    hook: Callable[[Any], object] = sys.__unraisablehook__
    """Says what Python ignores."""


_STATE = _State()


def listen() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise :class:`Interrupted`, but for those that the process ignores."""
    if threading.current_thread() is not threading.main_thread():
        return  # which Python does not let handle signals
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _notice)
    if sys.unraisablehook is not _of_others:
        _STATE.hook, sys.unraisablehook = sys.unraisablehook, _of_others


def received() -> int | None:
    """The signal that came, if one did."""
    return _STATE.number


def note(written: Iterable[Path]) -> None:
    """Remember files that are complete and in their places."""
    _STATE.written.extend(written)


def keep_in(folder: Path | None) -> None:
    """Remember where the command keeps what is done, for the same command to go on from."""
    _STATE.kept = folder


def goes_on() -> str:
    """A sentence on that where there is something, for the end of a message."""
    there = _STATE.kept is not None and _STATE.kept.exists()
    return f" The same command goes on from {_STATE.kept}." if there else ""


def begin() -> None:
    """Forget the files of the last command."""
    _STATE.written.clear()
    _STATE.told, _STATE.kept = False, None


def message() -> str | None:
    """What there is to say of an interrupt, once: what is written, and what is not."""
    if _STATE.told:
        return None
    _STATE.told = True
    done = ", ".join(map(str, _STATE.written))
    return f"interrupted; {f'{done} is complete' if done else 'nothing was written'}.{goes_on()}"


def exit_code() -> int:
    """What an interrupted program exits with: 128 and the signal."""
    return 128 + (_STATE.number or signal.SIGINT)


def ignore() -> None:
    """Take no more notice of signals: the program has done what it will do, and ends."""
    for number in _SIGNALS:
        if signal.getsignal(number) is _notice:
            signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """Raise :class:`Interrupted` if a signal has come, even if what it raised was swallowed."""
    if _STATE.number is not None:
        raise Interrupted


@contextmanager
def held() -> Iterator[None]:
    """A step that must be whole: a signal that comes meanwhile is raised after it."""
    before = _STATE.number
    _STATE.held += 1
    try:
        yield
    finally:
        _STATE.held -= 1
    if _STATE.number != before and not _STATE.held:
        raise Interrupted


def _notice(number: int, frame: Any) -> None:
    _STATE.number = _STATE.number or number
    if not _STATE.held:
        raise Interrupted


def _of_others(ignored: Any) -> None:
    """Say what Python ignores, but for an interrupt, which is remembered."""
    if not isinstance(ignored.exc_value, Interrupted):
        _STATE.hook(ignored)
