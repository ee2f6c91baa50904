"""``semigen report``: the page of a fit, made again from its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


def report(
    folder: Annotated[
        Path, typer.Argument(help="A folder that 'semigen fit' wrote, or its summary.json.", metavar="DIR")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: report.html in DIR.", metavar="FILE")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record as JSON and nothing else.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite an existing file that --out names.")
    ] = False,
) -> None:
    """Make the report of a fit: one HTML file to read, print and send on.

    Everything in it is in summary.json. The report.html in DIR is replaced.
    """
    with exit_codes():
        from semigen.cli.outputs import complete_files
        from semigen.cli.training import REPORT, SUMMARY
        from semigen.reporting.page import html_page
        from semigen.reporting.record import read_record

        output = Output(as_json)
        source = folder / SUMMARY if folder.is_dir() else folder
        place = out or source.parent / REPORT
        with complete_files([place], force=force or out is None, inputs=[source]) as (unfinished,):
            record = read_record(source)
            with output.progress("drawing"):
                unfinished.write_text(html_page(record), encoding="utf-8")
        output.say(record["verdict"]["text"])
        output.say(f"The report is in {place}", wrap=False)
        output.result({**record, "out": str(place)})
