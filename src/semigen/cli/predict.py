"""``semigen predict``: classes and probabilities of the rows of another table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


def predict(
    model: Annotated[Path, typer.Argument(help="A model that 'semigen fit' wrote.", metavar="MODEL")],
    table: Annotated[Path, typer.Argument(help="CSV or TSV (plain or .gz) or Parquet.", metavar="TABLE")],
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .csv.gz, .tsv or .parquet.", metavar="FILE")
    ],
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that names the rows.", metavar="COL")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Predict every row of TABLE with a saved model.

    Columns are found by name: their order and further columns do not matter.
    """
    with exit_codes():
        from semigen.cli.prediction import predict_file
        from semigen.columns.tables import listing

        output = Output(as_json)
        summary = predict_file(model, table, out, id_, force=force)
        counts = listing([f"{entry['class']} {entry['rows']:,}" for entry in summary["predicted"]], most=12)
        output.say(f"{table.name}: {summary['n_rows']:,} rows. Predicted: {counts}")
        output.say(f"Predictions are in {out}", wrap=False)
        output.result(summary)
