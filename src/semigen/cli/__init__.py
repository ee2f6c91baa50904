"""The command line: one command for each question; ``semigen --help`` lists them.

What a command prints is for people, on stdout; with ``--json`` stdout has one JSON document and nothing else.
Heavy modules load when a command runs, so that ``--help`` and usage errors answer at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from semigen._version import __version__
from semigen.cli.commands.advise import advise
from semigen.cli.commands.compare import compare
from semigen.cli.commands.demo import demo
from semigen.cli.commands.fit import fit
from semigen.cli.commands.label import label
from semigen.cli.commands.predict import predict
from semigen.cli.commands.query import query
from semigen.cli.commands.report import report
from semigen.cli.console import say_interrupted
from semigen.common import interrupts

__all__ = ["app", "main"]

_EXIT_CODES = (
    "Exit codes: 0 done; 1 the input cannot be used (table, labels, columns, model, existing files); "
    "2 wrong usage; 130 interrupted (143 by SIGTERM, 129 by SIGHUP)."
)

app = typer.Typer(
    name="semigen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"semigen {__version__}")
        raise typer.Exit


@app.callback()
def _semigen(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Classify tables with few labeled and many unlabeled rows."""


for _command in (fit, predict, report, advise, query, label, compare, demo):
    app.command(epilog=_EXIT_CODES)(_command)
app.command("next", help="The same as query.", epilog=_EXIT_CODES)(query)


def main() -> None:
    """Run the command line; exits with the codes above."""
    interrupts.listen()
    try:
        app(prog_name="semigen")
    except SystemExit:
        if interrupts.received():  # outside of a command, click makes an exit of its own of it
            say_interrupted()
            sys.exit(interrupts.exit_code())
        raise
