"""``semigen predict``: classes and probabilities of the rows of another table, or of other images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


def predict(
    model: Annotated[Path, typer.Argument(help="A model that 'semigen fit' wrote.", metavar="MODEL")],
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .csv.gz, .tsv or .parquet.", metavar="FILE")
    ],
    table: Annotated[
        Path | None, typer.Argument(help="CSV or TSV (plain or .gz) or Parquet.", metavar="TABLE")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images, for a model that learned from images.", metavar="DIR"),
    ] = None,
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
    if (table is None) == (images is None):
        raise typer.BadParameter("give TABLE, or --images DIR for a model that learned from images.")
    if images is not None and id_ is not None:
        raise typer.BadParameter("--id is for the columns of TABLE; images are named by their files.")
    with exit_codes():
        from semigen.cli.prediction import predict_file, predict_images
        from semigen.cli.tables import counted
        from semigen.columns.tables import listing

        output = Output(as_json)
        if images is not None:
            source, thing = images, "image"
            summary = predict_images(model, images, out, output, force=force)
        elif table is not None:
            source, thing = table, "row"
            summary = predict_file(model, table, out, id_, output, force=force)
        counts = listing([f"{entry['class']} {entry['rows']:,}" for entry in summary["predicted"]], most=12)
        output.say(f"{source.name}: {counted(summary['n_rows'], thing)}. Predicted: {counts}")
        output.say(f"Predictions are in {out}", wrap=False)
        output.result(summary)
