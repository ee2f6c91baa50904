"""``semigen fit``: from a table with some labels to a model and a prediction for every row."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


class CovarianceShape(StrEnum):
    """Covariance of the Gaussian of each class."""

    full = "full"
    tied = "tied"
    diag = "diag"
    spherical = "spherical"
    low_rank = "low_rank"


def fit(
    table: Annotated[Path, typer.Argument(help="CSV or TSV (plain or .gz) or Parquet.", metavar="TABLE")],
    target: Annotated[
        str, typer.Option(help="Column with the classes; empty cells are unlabelled.", metavar="COL")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default: <table>-semigen here.", metavar="DIR"),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Column that names the rows; kept, not learned from.", metavar="COL"),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; repeatable.", metavar="COL")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of numbers to use although it looks like an id; repeatable.", metavar="COL"
        ),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column with row weights, 0 or more.", metavar="COL")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0, max=2**31 - 1)] = 0,
    unlabeled: Annotated[
        str | None, typer.Option(help="A cell that means 'no label', such as -1 or '?'.", metavar="TEXT")
    ] = None,
    covariance: Annotated[
        CovarianceShape,
        typer.Option(help="Covariance of the classes: tied is one for all, the safest with few labels."),
    ] = CovarianceShape.tied,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing results.")] = False,
) -> None:
    """Learn from the labelled and the unlabelled rows of TABLE and predict every row.

    Writes model.semigen, predictions.csv (class, probabilities and log density of every row) and
    summary.json.

    Columns of text, dates, ids and constants are not used; you are told which and why.

    If cross-validation shows that the unlabelled rows hurt, the saved model learns from the labelled
    rows only.
    """
    special = {"--target": target, "--id": id_, "--weight": weight}
    chosen = [name for name in special.values() if name is not None]
    for option, names in (("--drop", drop or []), ("--keep", keep or [])):
        for name in names:
            if name in chosen or (option == "--keep" and name in (drop or [])):
                raise typer.BadParameter(f"column {name!r} cannot be in {option} and another option.")
    if len(set(chosen)) < len(chosen):
        raise typer.BadParameter("--target, --id and --weight must be different columns.")
    with exit_codes():
        from semigen.cli.outputs import complete_folder
        from semigen.cli.tables import table_format
        from semigen.cli.training import MODEL, PREDICTIONS, SUMMARY, Task, learn, write

        output = Output(as_json)
        ending = table_format(table)
        folder = out or Path(f"{table.name[: -len(ending)]}-semigen")
        task = Task(
            table,
            target,
            id_,
            tuple(drop or ()),
            tuple(keep or ()),
            weight,
            unlabeled,
            covariance.value,
            seed,
        )
        with complete_folder(folder, [MODEL, PREDICTIONS, SUMMARY], force=force) as unfinished:
            learned = learn(task, output)
            write(learned, unfinished)
        output.say()
        output.say(f"Results are in {folder}: {PREDICTIONS}, {MODEL}, {SUMMARY}", wrap=False)
        command = shlex.join(["semigen", "predict", str(folder / MODEL)])
        output.say(f"Next: {command} NEW_TABLE --out FILE", wrap=False)
        output.result({**learned.summary, "out": str(folder)})
