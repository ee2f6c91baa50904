"""``semigen compare``: several models on the same held-out labels of a table."""

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

_DEFAULT = "auto,mixture,logistic,forest,boosting,self-training"
_RECIPES = ("auto", "mixture", "safe")
"""Made as ``fit`` makes them, for the columns of the table. That of hybrid has seen all rows."""


@reads_tables
def compare(
    context: typer.Context,
    table: Annotated[Path, typer.Argument(help=TABLE_HELP, metavar="TABLE")],
    target: Target,
    models: Annotated[
        str,
        typer.Option(
            help="Of auto, mixture, supervised mixture, safe, hybrid, logistic, forest, boosting, "
            "self-training, label spreading: separated by commas.",
            metavar="NAME,NAME",
        ),
    ] = _DEFAULT,
    splits: Annotated[int, typer.Option(help="Folds of the labeled rows.", min=2, metavar="N")] = 5,
    repeats: Annotated[
        int, typer.Option(help="How many times rows are dealt into folds.", min=1, metavar="N")
    ] = 1,
    id_: Id = None,
    weight: Weight = None,
    drop: Drop = None,
    as_: ReadAs = None,
    seed: Seed = 0,
    unlabeled: Markers = None,
    strip_labels: StripLabels = False,
    *,
    tables: TableOptions,
    config: Config = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")
    ] = False,
) -> None:
    """Compare models on the labeled rows of TABLE, each held out in turn.

    All models get the same labels; those that can also get the unlabeled rows.
    Writes nothing.
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
            from semigen.cli.recipes import Options, recipe_of
            from semigen.comparison import best_of
            from semigen.exceptions import ColumnWarning
            from semigen.judgement.comparing import compare as compare_on
            from semigen.judgement.comparing import named_model

        names = [name.strip() for name in models.split(",") if name.strip()]
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
            compared = compare_on(
                {
                    name: recipe_of(name).make(source, Options(name, seed=seed))
                    if name in _RECIPES
                    else named_model(name, kinds=source.kinds, unlabeled=None)
                    for name in names
                },
                source.rows.features,
                source.labels.values,
                n_splits=splits,
                n_repeats=repeats,
                sample_weight=source.labels.weight,
                random_state=seed,
                unlabeled=None,
                progress=progress,
            )
        output.say()
        for line in str(compared).splitlines():
            output.say(line, wrap=False)
        best = best_of(compared, compared.names)
        output.say()
        if best in (*_RECIPES, "hybrid"):
            command = fit_command(context, best, results_folder(table_name(table)))
            output.say(f"Next: {command}", wrap=False)
        output.result({**source.about(), "target": target, **compared.to_dict()})
