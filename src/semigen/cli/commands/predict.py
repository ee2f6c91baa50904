"""``semigen predict``: classes and probabilities of the rows of another table, or of other images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


def predict(
    model: Annotated[Path, typer.Argument(help="A model that 'semigen fit' wrote.", metavar="MODEL")],
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .csv.gz, .tsv, .tsv.gz or .parquet.", metavar="FILE")
    ],
    table: Annotated[
        Path | None, typer.Argument(help="CSV or TSV (plain or .gz) or Parquet.", metavar="TABLE")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images, for a model that was fitted on images.", metavar="DIR"),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that identifies the rows.", metavar="COL")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Predict every row of TABLE with a saved model.

    Columns are matched by name; their order does not matter, and further columns are ignored.
    """
    if (table is None) == (images is None):
        raise typer.BadParameter("give TABLE, or --images DIR for a model that was fitted on images.")
    if images is not None and id_ is not None:
        raise typer.BadParameter("--id is for the columns of a table; images are identified by their files.")
    with exit_codes():
        from semigen.cli.prediction import predict_file
        from semigen.cli.wording import class_counts, counted

        output = Output(as_json)
        source = images or table
        assert source is not None  # by now, one of them is given
        is_folder = images is not None
        summary = predict_file(model, source, out, output, images=is_folder, id_name=id_, force=force)
        counts = class_counts({entry["class"]: entry["rows"] for entry in summary["predicted"]})
        rows = counted(summary["n_rows"], "image" if is_folder else "row")
        output.say(f"{source.name}: {rows}. Predicted: {counts}")
        output.say(f"Predictions are in {out}", wrap=False)
        output.result(summary)
