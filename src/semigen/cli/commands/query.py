"""``semigen query`` and ``semigen next``: which rows of a table to label next."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.config import Config, typed
from semigen.cli.console import Output, exit_codes
from semigen.cli.options import (
    TABLE_HELP,
    CsvSafe,
    OverwriteFile,
    Seed,
    StripLabels,
    SummaryAsJson,
    TableOptions,
    column_and_kind,
    is_stdin,
    reads_tables,
    table_name,
)


class Strategy(StrEnum):
    """How rows are chosen."""

    auto = "auto"
    cover = "cover"
    margin = "margin"


@reads_tables
def query(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A model that 'semigen fit' wrote; or TABLE, with --target, where there is none.",
            metavar="MODEL|TABLE",
        ),
    ] = None,
    table: Annotated[Path | None, typer.Argument(help=TABLE_HELP, metavar="TABLE")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Column with the classes, which may not be there yet; default: that of MODEL.",
            metavar="COL",
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", "-n", help="Rows to choose.", min=1, metavar="N")] = 10,
    strategy: Annotated[
        Strategy,
        typer.Option(
            help="auto: rows that tell most about all uncertain ones; cover: rows that are like many others, "
            "whatever is predicted; margin: rows whose two most probable classes are closest."
        ),
    ] = Strategy.auto,
    check: Annotated[
        int,
        typer.Option(help="How many of the rows may be labeled ones that look wrong.", min=0, metavar="N"),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .csv, .tsv (plain or .gz), .xlsx, .parquet, .feather, .arrow or .jsonl; "
            "default: <table>-next.csv in the current folder; with --filled -next-2.csv, -next-3.csv …",
            metavar="FILE",
        ),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that identifies the rows.", metavar="COL")
    ] = None,
    filled: Annotated[
        Path | None,
        typer.Option(
            "--filled",
            help="A file that this command wrote, with classes filled in: they are saved in the journal "
            "first.",
            metavar="FILE",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Journal of 'semigen label' whose labels count, too; default with --filled: <table>.journal "
            "beside the table.",
            metavar="FILE",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            help="Without MODEL: column to leave out, or a pattern such as 'q*'; repeatable.", metavar="COL"
        ),
    ] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="Without MODEL: how to read a column, as for 'semigen fit'; repeatable.",
            metavar="COL=KIND",
        ),
    ] = None,
    unlabeled: Annotated[
        list[str] | None,
        typer.Option(
            help="Without MODEL: a cell of the target that means 'no label', besides empty ones; repeatable.",
            metavar="TEXT",
        ),
    ] = None,
    strip_labels: StripLabels = False,
    seed: Seed = 0,
    *,
    tables: TableOptions,
    csv_safe: CsvSafe = False,
    config: Config = None,
    as_json: SummaryAsJson = False,
    force: OverwriteFile = False,
) -> None:
    """Choose the rows of TABLE to label next, and write them to a file to fill in.

    With MODEL, the rows that it would learn most from; labels that TABLE has are
    used. Without MODEL, give TABLE and --target: where fewer than two classes have
    a label, the rows cover the clusters of the table; otherwise the default model
    is fitted first.

    The file has the rows in the order of asking, with an empty column for their
    classes, the reason (explore, uncertain, check label), the predicted class, its
    probability, and all columns of TABLE. Once it is filled in, --filled reads it
    back, saves the classes in a journal and chooses the next rows.
    """
    if model and table and not typed(context, "table") and _is_table(model):
        table = None  # that of --config is another one
    source = table or model
    if source is None or (target is None and not (model and table)):
        raise typer.BadParameter("give MODEL and TABLE, or TABLE alone with --target COL.")
    if model and table and typed(context, "drop", "as_", "unlabeled", "strip_labels"):
        raise typer.BadParameter(
            "--drop, --as, --unlabeled and --strip-labels are for a table without MODEL, which knows them."
        )
    kinds = dict(map(column_and_kind, as_ or ()))
    with exit_codes():
        output = Output(as_json)
        with output.progress("loading"):
            options = tables.reading(
                keep=["all"],
                unlabeled=unlabeled,
                strip_labels=strip_labels,
            )
            from semigen.cli.querying import Wanted, ask_model, ask_table, query_file, with_journal
            from semigen.cli.wording import counted, plain_table

        place = out or _free(f"{table_name(source)}-next", again=filled is not None)
        with output.progress("reading"):
            if model and table:
                asking = ask_model(model, table, target, id_, options)
            else:
                assert target is not None  # by now, it is given
                asking = ask_table(source, target, id_, options, drop=drop or (), read_as=kinds, seed=seed)
            if filled is not None or journal is not None:
                asking, n_saved, saved_in = with_journal(asking, source, id_, journal, filled)
                if filled is not None:
                    said = f"{counted(n_saved, 'label')} of {filled} saved in {saved_in}"
                    output.say(f"{said}; 'semigen fit' takes it as --labels.", wrap=False)
        inputs = [one for one in (model, table, config, filled, journal) if one is not None]
        wanted = Wanted(rows, strategy.value, check, seed)
        summary = query_file(asking, place, wanted, output, inputs=inputs, force=force, csv_safe=csv_safe)
        shown = plain_table([asking.rows.id_name, "reason", "predicted", "probability"], 3)
        for line in summary["rows"]:
            probability = "" if line["probability"] is None else f"{line['probability']:.0%}"
            shown.add_row(line["id"], line["reason"], str(line["predicted"] or ""), probability)
        output.say(shown)
        chosen = counted(len(summary["rows"]), "row")
        output.say(
            f"{chosen} to label are in {place}: fill in the column {asking.target!r} there. Then the same "
            "command with --filled and that file saves the labels and asks for the next rows."
        )
        output.result(summary)


def _is_table(path: Path) -> bool:
    from semigen.io.tables import READ

    return is_stdin(path) or path.name.lower().endswith(READ)


def _free(stem: str, *, again: bool) -> Path:
    """The file to write; where rows are asked for again, one that is not there yet."""
    place, n = Path(f"{stem}.csv"), 1
    while again and place.exists():
        n += 1
        place = Path(f"{stem}-{n}.csv")
    return place
