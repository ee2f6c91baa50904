"""Server-sent events: every open page hears that the session has changed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semigen.labeling.session import Session

_HEARTBEAT = 15.0
"""Seconds after which a page hears that the server is still there."""
_PATIENCE = 1.0
"""Seconds for which the watching thread waits for a change before it looks whether it shall end."""


class Feed:
    """The versions of a session, one after the other, for any number of pages and with one thread in all."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._version = -1
        self._closed = False
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def stream(self) -> AsyncIterator[str]:
        """Events that carry a version, until the page leaves or the server stops."""
        self._start()
        seen = -1
        while not self._closed:
            if seen != self._version:
                seen = self._version
                yield f"data: {seen}\n\n"
                continue
            try:
                await asyncio.wait_for(self._changed.wait(), _HEARTBEAT)
            except TimeoutError:
                yield ": still here\n\n"

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._changed.set()

    def _start(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._watch, args=(self._loop,), daemon=True).start()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        version = -1
        while not self._closed:
            found = self._session.wait(version, _PATIENCE)
            if found != version and not loop.is_closed():
                version = found
                loop.call_soon_threadsafe(self._tell, version)

    def _tell(self, version: int) -> None:
        if not self._closed:
            self._version = version
            self._changed.set()
            self._changed = asyncio.Event()
