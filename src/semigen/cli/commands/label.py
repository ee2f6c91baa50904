"""``semigen label``: a page to label rows on, and the labels as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.config import Config
from semigen.cli.console import Output, exit_codes
from semigen.cli.options import (
    TABLE_HELP,
    Drop,
    Id,
    Markers,
    ReadAs,
    Seed,
    TableOptions,
    column_and_kind,
    is_stdin,
    reads_tables,
    refuse_for_images,
)


class Form(StrEnum):
    """What an export holds."""

    auto = "auto"
    table = "table"
    pairs = "pairs"
    label_studio = "label-studio"


@reads_tables
def label(
    target: Annotated[
        str, typer.Option(help="What is labeled; the column may be there already.", metavar="COL")
    ],
    table: Annotated[Path | None, typer.Argument(help=TABLE_HELP, metavar="TABLE")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Label the images in this folder instead of a table.", metavar="DIR")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Column whose cells are texts to read.", metavar="COL")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes to choose from, separated by commas, in the order of the keys; more may be added.",
            metavar="A,B,C",
        ),
    ] = None,
    id_: Id = None,
    drop: Drop = None,
    as_: ReadAs = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Hide what the model and other people think, so as not to prompt an answer."
        ),
    ] = False,
    person: Annotated[
        str | None, typer.Option(help="Who labels; default: the name of the user.", metavar="NAME")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(help="File of all answers; default: <table>.journal beside the table.", metavar="FILE"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address of this computer to listen on.", metavar="ADDRESS")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535, metavar="N")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address of the page and do not open it.")
    ] = False,
    time_budget: Annotated[
        float, typer.Option(help="Seconds of a refit, roughly.", min=1, metavar="SECONDS")
    ] = 10.0,
    random_share: Annotated[
        float,
        typer.Option(
            help="Share of rows that are drawn at random, for the estimate of accuracy.", min=0, max=1
        ),
    ] = 0.15,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="Save the labels of a file, and open no page: a table or spreadsheet with rows and "
            "classes, or JSON of Label Studio.",
            metavar="FILE",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the labels to a file, and open no page: .csv, .tsv, .parquet, .feather, .arrow or "
            ".jsonl (the table with labels and, beside it, all answers), or .json (Label Studio).",
            metavar="FILE",
        ),
    ] = None,
    form: Annotated[
        Form, typer.Option("--form", help="Of --export; pairs: two columns, the row and its class.")
    ] = Form.auto,
    seed: Seed = 0,
    unlabeled: Markers = None,
    *,
    tables: TableOptions,
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Let --export overwrite files.")] = False,
) -> None:
    """Label rows on a page that asks for the label that teaches most, and shows the model learn.

    Every answer is in the journal on the disk before the page goes on; the table
    is never written. The same command goes on where it was. Ctrl-C ends it.
    """
    if (table is None) == (images is None):
        raise typer.BadParameter("give TABLE, or --images DIR: one of them.")
    if is_stdin(table):
        raise typer.BadParameter("a table from standard input has no place for its journal: give a file.")
    if images is not None:
        columns = {"--text": text, "--id": id_, "--drop": drop, "--as": as_, "--missing": tables.missing}
        columns |= {"--unlabeled": unlabeled}
        refuse_for_images(columns)
    kinds = dict(map(column_and_kind, as_ or ()))
    names = None if classes is None else [name.strip() for name in classes.split(",") if name.strip()]
    with exit_codes():
        output = Output(as_json=False)
        with output.progress("loading"):
            options = tables.reading(
                unlabeled=unlabeled,
            )
            page = import_ is None and export is None
            if page:
                from semigen.labeling.server import check_extra

                check_extra()  # what is not installed is told before anything is read
            from semigen.cli.sources.columns import named_kinds
            from semigen.cli.wording import counted
            from semigen.labeling import Session

        source = images or table
        with output.progress("reading"):
            session = Session.open(
                source,
                target=target,
                id=id_,
                classes=names,
                text=text,
                journal=journal,
                blind=blind,
                time_budget=time_budget,
                random_share=random_share,
                seed=seed,
                kinds=named_kinds(kinds),
                drop=drop or (),
                reading=options.reading,
                unlabeled=options.unlabeled,
                learn=page,
            )
        with session:
            for note in session.notes:
                output.note(note)
            done, place = session.n_labeled, session.journal
            output.say(f"{counted(len(session), 'row')}, {done:,} labeled. Journal: {place}", wrap=False)
            if import_ is not None:
                n = session.import_labels(import_, person or import_.name)
                output.say(f"{counted(n, 'label')} of {import_} saved.", wrap=False)
            if export is not None:
                files = session.export(export, form=form.value, overwrite=force)
                output.say(f"Labels are in {', '.join(map(str, files))}", wrap=False)
            if page:
                from semigen.labeling.server import serve

                serve(
                    session,
                    host=host,
                    port=port,
                    open_browser=not no_browser,
                    person=person,
                    tell=lambda line: output.say(line, wrap=False),
                )
                output.say(f"{counted(session.n_labeled, 'labeled row')}, saved in {place}", wrap=False)
