"""``semigen predict``: classes and probabilities of the rows of another table, or of other images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.config import Config
from semigen.cli.console import Output, exit_codes
from semigen.cli.options import (
    FILES_HELP,
    Cost,
    CsvSafe,
    Embeddings,
    Keep,
    OverwriteFile,
    SummaryAsJson,
    TableOptions,
    class_and_cost,
    reads_tables,
    refuse_for_images,
    refuse_inside,
)


@reads_tables
def predict(
    model: Annotated[Path, typer.Argument(help="A model that 'semigen fit' wrote.", metavar="MODEL")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .csv, .tsv (plain or .gz), .parquet, .feather, .arrow or .jsonl.",
            metavar="FILE",
        ),
    ],
    table: Annotated[Path | None, typer.Argument(help=FILES_HELP, metavar="TABLE")] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images, for a model that was fitted on images.", metavar="DIR"),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that identifies the rows.", metavar="COL")
    ] = None,
    score: Annotated[
        Path | None,
        typer.Option(
            help="Write the scores of the predictions to this JSON file; needs the target in TABLE.",
            metavar="FILE",
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Write the classes that each row may have, so that this share of the rows has the true one "
            "among them (0.9); for models of --model auto.",
            min=0.01,
            max=0.999,
            metavar="SHARE",
        ),
    ] = None,
    cost: Cost = None,
    *,
    tables: TableOptions,
    keep: Keep = None,
    csv_safe: CsvSafe = False,
    embeddings: Embeddings = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep finished pieces beside FILE, and go on from those of an interrupted run.",
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Let the workers of a Dask cluster predict (extra 'dask').", metavar="TCP://HOST:PORT"
        ),
    ] = None,
    config: Config = None,
    as_json: SummaryAsJson = False,
    force: OverwriteFile = False,
) -> None:
    """Predict every row of TABLE with a saved model.

    Columns are matched by name; their order does not matter, and other columns
    are ignored. Where TABLE has the target, too, the predictions are compared
    with it.
    """
    costs = dict(class_and_cost(word) for word in cost or ())
    if (table is None) == (images is None):
        raise typer.BadParameter("give TABLE, or --images DIR for a model that was fitted on images.")
    if images is not None and id_ is not None:
        raise typer.BadParameter("--id is for the columns of a table; images are identified by their files.")
    if images is not None:
        of_tables = {
            "--score": score,
            "--keep": keep,
            "--missing": tables.missing,
            "--embeddings": embeddings,
        }
        refuse_for_images({**of_tables, "--resume": resume, "--scheduler": scheduler})
    with exit_codes():
        output = Output(as_json)
        with output.progress("loading"):
            from semigen.cli.prediction import predict_file
            from semigen.cli.scoring import say_score
            from semigen.cli.wording import class_counts, counted

        source = images or table
        assert source is not None  # by now, one of them is given
        refuse_inside(source, out, score)
        is_folder = images is not None
        options = tables.reading(
            keep=keep,
            embeddings=embeddings,
        )
        summary, scored = predict_file(
            model,
            source,
            out,
            output,
            images=is_folder,
            id_name=id_,
            force=force,
            options=options,
            csv_safe=csv_safe,
            score_out=score,
            coverage=coverage,
            costs=costs,
            resume=resume,
            scheduler=scheduler,
        )
        counts = class_counts({entry["class"]: entry["rows"] for entry in summary["predicted"]})
        rows = counted(summary["n_rows"], "image" if is_folder else "row")
        output.say(f"{source.name}: {rows}. Predicted: {counts}")
        if costs:
            decided = class_counts({entry["class"]: entry["rows"] for entry in summary["least_cost"]})
            output.say(f"Least cost: {decided}")
        if scored is not None:
            say_score(output, scored, summary["target"])
        output.say(f"Predictions are in {out}", wrap=False)
        output.result(summary)
