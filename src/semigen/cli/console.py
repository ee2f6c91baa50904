"""What people see: messages, progress, and errors as one red line with an exit code."""

from __future__ import annotations

import errno
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from semigen.common import interrupts
from semigen.common.text import visible

INPUT_ERROR = 1
_CURES = {
    errno.EACCES: ": ask its owner for access, or choose another file",
    errno.ENOENT: ": check the path",
    errno.ENOSPC: ": free some space, or choose another --out",
}


class Output:
    """Where a command writes to.

    Parameters
    ----------
    as_json : bool
        Whether stdout is kept for one JSON document; messages for people then go to stderr.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._messages = _console(stderr=as_json)

    def say(self, message: RenderableType = "", *, style: str | None = None, wrap: bool = True) -> None:
        """Print a message; ``wrap=False`` keeps commands and paths in one piece."""
        self._messages.print(message, style=style, soft_wrap=not wrap)

    def say_lines(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """Print lines of a topic and what there is to say about it, under a title."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column()
        for line in lines:
            grid.add_row(*line)
        self.say(title, style="bold")
        self.say(grid)

    def note(self, message: str) -> None:
        """Print a yellow line to stderr."""
        _console(stderr=True).print(f"note: {message}", style="yellow", soft_wrap=True)

    def result(self, summary: dict[str, Any]) -> None:
        """Print the summary as JSON if that is wanted."""
        if self.as_json:
            text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
            print("\n".join(map(visible, text.split("\n"))))  # JSON has no other line ends, and such escapes

    @contextmanager
    def warnings_as_notes(self, *said: type[Warning]) -> Iterator[None]:
        """Print what semigen warns of as notes, once each, when the block ends; leave out all other warnings.

        Those of other libraries are about their own code; ``said`` are kinds of which something else is said,
        as it is of names of classes where a target is read.
        """
        from semigen.exceptions import ClassNameWarning  # loads scikit-learn

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ClassNameWarning)
            for category in said:
                warnings.simplefilter("ignore", category)
            yield
        ours = (str(one.message) for one in caught if one.category.__module__.startswith("semigen"))
        for message in dict.fromkeys(ours):
            self.note(message)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[..., None]]:
        """Show a bar on stderr while the block runs, if stderr is a terminal.

        The block is given a function to call with the steps done, the steps in all, and the name of the step.
        """
        console = _console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(title, total=None)

            def step(done: int, total: int, name: str = "") -> None:
                interrupts.check()
                said = f"{title}: {name}" if name else title
                bar.update(task, completed=done, total=total, description=said)

            yield step


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors about the input into one red line and exit code 1, a signal into 128 plus its number."""
    interrupts.begin()
    try:
        yield
        interrupts.check()
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyboardInterrupt) or interrupts.received():  # whatever became of it on its way
            say_interrupted()
            raise typer.Exit(interrupts.exit_code()) from None
        from semigen.exceptions import SemigenError  # loads scikit-learn

        if isinstance(error, SemigenError):
            _fail(str(error))
        elif isinstance(error, OSError):
            _fail(_about_file(error) + interrupts.goes_on())
        else:
            raise
        raise typer.Exit(INPUT_ERROR) from None


def say_interrupted() -> None:
    """Say what an interrupted command has written, if nobody has said it yet."""
    said = interrupts.message()
    if said is not None:
        _fail(said)


def _about_file(error: OSError) -> str:
    """What happened to which file, and what can be done."""
    if not error.strerror:
        return str(error)
    said = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return f"{said}{_CURES.get(error.errno or 0, '')}."


def _fail(message: str) -> None:
    with suppress(OSError):  # the terminal may be gone, which is what SIGHUP says
        _console(stderr=True).print(f"error: {' '.join(message.split())}", style="bold red", soft_wrap=True)


class _VisibleConsole(Console):
    """A console on which whatever a file brings along is only text."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Text as it is to be printed; this is where all text comes by, that in tables included."""
        return super().render_str(visible(text), **options)


def _console(*, stderr: bool) -> Console:
    # Names of columns and classes are the user's: nothing in them is markup.
    return _VisibleConsole(stderr=stderr, markup=False, highlight=False, emoji=False)
