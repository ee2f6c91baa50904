"""The journal of a labeling session: JSON Lines that only grow, each line on the disk before it counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from semigen.exceptions import ParameterError, TableError

FORMAT = 1
ENDING = ".journal"
START, TABLE, ANSWER, UNDO, CLASS, FIT = "start", "table", "answer", "undo", "class", "fit"
"""Kinds of events; the first line of a journal is ``start``."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """What a journal holds.

    Attributes
    ----------
    events : tuple of dict
        In the order in which they were written.
    damaged : tuple of int
        Numbers, from 1, of lines that cannot be read: what a kill or a full disk cut off. No event that was
        told to be saved is among them.
    torn : bool
        Whether the last line has no end.
    """

    events: tuple[Event, ...]
    damaged: tuple[int, ...]
    torn: bool


def read(path: Path) -> Read:
    """Read a journal, also one that is being written.

    Raises
    ------
    TableError
        If there is no such file, or it is no journal, or one of a newer version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    return _parsed(path, content)


class Journal:
    """An open journal, locked for this process.

    An event is one line. It is written by one ``write`` and forced to the disk (``fsync``) before
    :meth:`append` returns, and nothing that was written is ever changed, so a kill at any moment can only cut
    off a line that nobody was told of; reading skips it, and the next event begins a new line.

    Attributes
    ----------
    path : Path
    found : Read
        What it held when it was opened.
    """

    def __init__(self, path: Path, descriptor: int, found: Read) -> None:
        self.path = path
        self.found = found
        self._descriptor = descriptor
        self._torn = found.torn

    @classmethod
    def open(cls, path: Path, about: Event) -> Self:
        """Open a journal, or begin one with the event ``about``.

        Raises
        ------
        TableError
            If it cannot be written, is no journal, or another process has it open.
        """
        new = not path.exists()
        try:
            descriptor = os.open(
                path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644
            )
        except OSError as error:
            raise TableError(
                f"the journal {path} cannot be written ({error.strerror}): name another one (--journal)."
            ) from error
        try:
            _lock(descriptor, path)
            content = _content(descriptor)
            journal = cls(path, descriptor, _parsed(path, content) if content.strip() else _EMPTY)
            if not journal.found.events:
                start = journal.append({"event": START, "format": FORMAT, **about})
                journal.found = replace(journal.found, events=(start,))
                if new:
                    _keep_name(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def append(self, event: Event, *, wait: bool = True) -> Event:
        """Write an event with the time, and return it once it is on the disk.

        Parameters
        ----------
        event : dict
        wait : bool
            Whether to force it to the disk; without, a power cut may lose it, a kill may not.

        Raises
        ------
        OSError
            If the disk is full or gone; nothing is saved then.
        """
        if self._descriptor < 0:
            raise ParameterError(f"the journal {self.path} is closed: open the session again.")
        event = {**event, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        line = text.encode("utf-8", "surrogatepass") + b"\n"
        left = memoryview(b"\n" + line if self._torn else line)
        self._torn = True
        while left:
            left = left[os.write(self._descriptor, left) :]
        if wait:
            os.fsync(self._descriptor)
        self._torn = False
        return event

    def close(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_EMPTY = Read((), (), False)


def _parsed(path: Path, content: bytes) -> Read:
    *lines, last = content.split(b"\n")
    events: list[Event] = []
    damaged = []
    for number, line in _filled([*lines, last]):
        try:
            event = json.loads(line.decode("utf-8", "surrogatepass"))
            if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                raise ValueError("no event")
            events.append(event)
        except (ValueError, RecursionError):
            damaged.append(number)
    if not events and not damaged:
        return _EMPTY
    if not events or events[0]["event"] != START:
        raise TableError(f"{path} is no journal of 'semigen label': name another file (--journal).")
    if events[0].get("format") != FORMAT:
        raise TableError(f"{path} is the journal of a newer version of semigen: update it.")
    return Read(tuple(events), tuple(damaged), bool(last))


def _filled(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _content(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _lock(descriptor: int, path: Path) -> None:
    """Keep other processes out; the system gives the lock back however this one ends."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        import msvcrt

        place = 2**62  # beyond the content, which others may read
        os.lseek(descriptor, place, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError as error:
            raise _in_use(path) from error
    except OSError as error:
        raise _in_use(path) from error


def _in_use(path: Path) -> TableError:
    return TableError(
        f"another session has the journal {path} open: close it, open its page as another person, or name "
        "another journal (--journal)."
    )


def _keep_name(folder: Path) -> None:
    """Force the name of a new file to the disk, where folders can be."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
