"""``semigen fit``: from a table with some labels to a model and a prediction for every row."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


class Model(StrEnum):
    """What learns."""

    auto = "auto"
    mixture = "mixture"
    safe = "safe"
    hybrid = "hybrid"


class CovarianceShape(StrEnum):
    """Covariance of the Gaussian of each class."""

    full = "full"
    tied = "tied"
    diag = "diag"
    spherical = "spherical"
    low_rank = "low_rank"


_MODELS_WITH = {
    "--covariance": (Model.mixture, Model.safe),
    "--time-budget": (Model.auto,),
    "--jobs": (Model.auto, Model.hybrid),
}


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
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="How to read a column: number, count, flag, category, or for a mixture a family "
            "(poisson …); repeatable.",
            metavar="COL=KIND",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of text to learn from its words, and from nothing else; repeatable.", metavar="COL"
        ),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column with row weights, 0 or more.", metavar="COL")
    ] = None,
    model: Annotated[
        Model,
        typer.Option(
            help="auto: a pool of models, weighed by hidden labels; mixture: a density of each class by EM; "
            "safe: a mixture that uses unlabelled rows as far as hidden labels show that they help; "
            "hybrid: regression on clusters of all rows."
        ),
    ] = Model.auto,
    time_budget: Annotated[
        float | None,
        typer.Option(help="Seconds that the models of auto may take.", min=0, metavar="SECONDS"),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Threads; default: one for each processor.", min=1, metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0, max=2**31 - 1)] = 0,
    unlabeled: Annotated[
        str | None, typer.Option(help="A cell that means 'no label', such as -1 or '?'.", metavar="TEXT")
    ] = None,
    covariance: Annotated[
        CovarianceShape | None,
        typer.Option(
            help="Of a mixture's numbers; default: tied, one for all classes, the safest with few labels."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing results.")] = False,
) -> None:
    """Learn from the labelled and the unlabelled rows of TABLE, predict every row.

    Writes model.semigen, predictions.csv (class and probabilities of every row)
    and summary.json.

    Numbers, true/false and categories are used, with their missing cells. Text
    (without --text), dates, ids and constants are not; you are told what each
    column was read as, or why it is not used.

    If labelled rows that are hidden in turn show that the unlabelled rows hurt,
    the saved model learns from the labelled rows only.
    """
    read_as = tuple(_pair(word) for word in as_ or ())
    _refuse_repeated(
        {
            "--target": [target],
            "--id": [id_] if id_ else [],
            "--weight": [weight] if weight else [],
            "--drop": drop or [],
            "--as": [name for name, _ in read_as],
            "--text": text or [],
        }
    )
    _refuse_for_another(model, {"--covariance": covariance, "--time-budget": time_budget, "--jobs": jobs})
    if text and covariance:
        raise typer.BadParameter("with --text only words are learned from, and --covariance is for numbers.")
    with exit_codes():
        from semigen.cli.outputs import complete_folder
        from semigen.cli.rows import Task
        from semigen.cli.tables import table_format
        from semigen.cli.training import MODEL, PREDICTIONS, SUMMARY, learn, write

        output = Output(as_json)
        ending = table_format(table)
        folder = out or Path(f"{table.name[: -len(ending)]}-semigen")
        task = Task(
            table,
            target,
            id=id_,
            drop=tuple(drop or ()),
            read_as=read_as,
            text=tuple(text or ()),
            weight=weight,
            unlabeled=unlabeled,
            model=model.value,
            covariance=(covariance or CovarianceShape.tied).value,
            time_budget=time_budget,
            jobs=jobs,
            seed=seed,
        )
        with complete_folder(folder, [MODEL, PREDICTIONS, SUMMARY], force=force) as unfinished:
            learned = learn(task, output)
            write(learned, unfinished)
        output.say()
        output.say(f"Results are in {folder}: {PREDICTIONS}, {MODEL}, {SUMMARY}", wrap=False)
        command = shlex.join(["semigen", "predict", str(folder / MODEL)])
        output.say(f"Next: {command} NEW_TABLE --out FILE", wrap=False)
        output.result({**learned.summary, "out": str(folder)})


def _pair(word: str) -> tuple[str, str]:
    """Column and kind of ``column=kind``; the column's name may contain ``=``."""
    name, separator, kind = word.rpartition("=")
    if not (separator and name and kind):
        raise typer.BadParameter(f"--as {word}: write COLUMN=KIND, such as --as zip=category.")
    return name, kind


def _refuse_repeated(columns: dict[str, list[str]]) -> None:
    """Refuse a column that several options, or one option twice, say something about."""
    said: dict[str, str] = {}
    for option, names in columns.items():
        for name in names:
            if name in said:
                raise typer.BadParameter(f"column {name!r} cannot be in {said[name]} and in {option}.")
            said[name] = option


def _refuse_for_another(model: Model, given: dict[str, object]) -> None:
    """Refuse an option that only other models have."""
    for option, value in given.items():
        if value is not None and model not in _MODELS_WITH[option]:
            able = " or ".join(f"--model {one.value}" for one in _MODELS_WITH[option])
            raise typer.BadParameter(
                f"{option} is for {able}, and the model is {model.value!r}: add that, or leave {option} out."
            )
