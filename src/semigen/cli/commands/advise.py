"""``semigen advise``: whether the unlabeled rows of a table help, and which kind of model to use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.config import Config, fit_command
from semigen.cli.console import Output, exit_codes
from semigen.cli.options import (
    TABLE_HELP,
    Drop,
    Id,
    Markers,
    ReadAs,
    Seed,
    StripLabels,
    TableOptions,
    Target,
    Weight,
    column_and_kind,
    reads_tables,
    results_folder,
    table_name,
)


@reads_tables
def advise(
    context: typer.Context,
    table: Annotated[Path, typer.Argument(help=TABLE_HELP, metavar="TABLE")],
    target: Target,
    id_: Id = None,
    weight: Weight = None,
    drop: Drop = None,
    as_: ReadAs = None,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Densities are wanted: how usual is a row, what would fill its missing values?",
        ),
    ] = False,
    seed: Seed = 0,
    unlabeled: Markers = None,
    strip_labels: StripLabels = False,
    *,
    tables: TableOptions,
    config: Config = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the advice as JSON and nothing else.")
    ] = False,
) -> None:
    """Say whether the unlabeled rows of TABLE help to classify, and which kind of model to use.

    Fits mixtures with several weights of the unlabeled rows and compares them on
    held-out labels; what these cannot tell is judged by what helped on other
    tables. Writes nothing.
    """
    pairs = dict(map(column_and_kind, as_ or ()))
    with exit_codes():
        output = Output(as_json)
        with output.progress("loading"):
            reading = tables.reading(
                unlabeled=unlabeled,
                strip_labels=strip_labels,
            )
            from semigen.cli.reading import read_table
            from semigen.exceptions import ColumnWarning
            from semigen.judgement.advice import advise as advise_on

        source = read_table(
            table,
            target,
            output,
            id_name=id_,
            weight=weight,
            drop=drop or (),
            read_as=pairs,
            options=reading,
        )
        with output.warnings_as_notes(ColumnWarning), output.progress("comparing") as progress:
            advice = advise_on(
                source.rows.features,
                source.labels.values,
                kinds=source.kinds,
                sample_weight=source.labels.weight,
                unlabeled=None,
                uncertainty=uncertainty,
                random_state=seed,
                progress=progress,
            )
        output.say()
        output.say(advice.sentence, style="bold")
        output.say(advice.recommendation.sentence)
        output.say()
        output.say_lines(
            "Findings", [(f"{one.severity}: {one.name}", one.sentence) for one in advice.findings]
        )
        output.say()
        model = "mixture" if advice.recommendation.kind == "generative" else "auto"
        command = fit_command(context, model, results_folder(table_name(table)))
        output.say(f"Next: {command}", wrap=False)
        output.result({**source.about(), "target": target, **advice.to_dict()})
