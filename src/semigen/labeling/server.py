"""The labeling page as a server of this computer: started, opened in the browser, stopped by Ctrl-C."""

from __future__ import annotations

import asyncio
import getpass
import importlib.util
import os
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from semigen.exceptions import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from semigen.labeling.session import Session

_NEEDED = ("jinja2", "starlette", "uvicorn")
_SECONDS_TO_START = 20.0
_SECONDS_TO_STOP = 3
"""How long requests that are going on may take when the server stops."""


class Page:
    """A labeling page on a port of this computer.

    Parameters
    ----------
    session : Session
        What is labeled. Stopping the page closes it.
    host : str
        The address to listen on; other computers reach any but ``127.0.0.1``, ``::1`` and ``localhost``.
    port : int
        0 for a free one.
    person : str or None
        Who labels, where the address does not say it; None for the name of the user of this computer.
    framed : bool
        Whether another page, a notebook, shows it in a frame.

    Attributes
    ----------
    url : str
        The address to open. It holds a secret: who knows it may label.
    port : int
        The port that is listened on.

    Raises
    ------
    MissingExtraError
        If a library of the extra ``label`` is not installed.
    ParameterError
        If the host is unknown or the port is taken.
    """

    def __init__(
        self,
        session: Session,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        person: str | None = None,
        framed: bool = False,
    ) -> None:
        check_extra()
        import uvicorn

        from semigen.labeling.feed import Feed
        from semigen.labeling.routes import application
        from semigen.labeling.security import Gate, Guard

        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        gate = Gate(host=host, port=self.port, framed=framed)
        self.url = gate.url(person)
        feed = Feed(session)
        guarded = Guard(application(session, feed, person or _user()), gate)

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                self.force_exit = self.should_exit  # asked for twice
                self.should_exit = True  # and that is all: Ctrl-C is how a page ends, and interrupts nothing

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                feed.close()  # else the server would wait for the pages that listen
                await super().shutdown(sockets)
                await asyncio.to_thread(session.close)

        self._server = Server(
            uvicorn.Config(
                guarded,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_SECONDS_TO_STOP,
            )
        )
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until Ctrl-C or ``stop``."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Serve from a thread of its own, which ends with the program."""
        self._thread = threading.Thread(target=self.run, name="semigen label", daemon=True)
        self._thread.start()
        end = time.monotonic() + _SECONDS_TO_START
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.005)

    def stop(self) -> None:
        """Answer what is asked, close the session, and end."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


def serve(
    session: Session,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    person: str | None = None,
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the labeling page until Ctrl-C, then close the session. Every answer is saved when it is given.

    Parameters
    ----------
    session : Session
        What is labeled.
    host : str
        The address to listen on. Any but that of this computer is warned of: the connection is not encrypted.
    port : int
        0 for a free one.
    open_browser : bool
        Whether to open the page in the browser.
    person : str or None
        Who labels; None for the name of the user of this computer.
    tell : callable
        Takes each line for the person at the terminal.

    Raises
    ------
    MissingExtraError
        If a library of the extra ``label`` is not installed.
    ParameterError
        If the host is unknown or the port is taken.
    """
    page = Page(session, host=host, port=port, person=person)
    from semigen.labeling.security import is_loopback
    from semigen.labeling.words import WORDS

    if not is_loopback(host):
        tell(WORDS["host_warning"].format(host=host))
    tell(WORDS["open_here"].format(url=page.url))
    tell(WORDS["open_how"])
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(page.url,), daemon=True).start()
    page.run()
    tell(WORDS["stopped"])


def check_extra() -> None:
    """Raise MissingExtraError unless the libraries of the page are installed."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingExtraError(
            f'the labeling page needs {" and ".join(absent)}, which the extra "label" installs: '
            'pip install "semigen[label]".'
        )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise ParameterError(
            f"host={host!r}, port={port!r} is no address of this computer ({error}). The default "
            'host="127.0.0.1" is this computer itself.'
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let another program take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ParameterError(
            f"cannot listen on {host}, port {port} ({error.strerror}). port=0 takes a free one."
        ) from None
    return listener


def _user() -> str:
    try:
        return getpass.getuser()[:60]
    except (OSError, KeyError, ImportError):  # no name for the user's number
        return "me"
