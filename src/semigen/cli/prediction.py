"""What ``predict`` and ``demo`` share: from a saved model and a table or images to a table of predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.images import FILE, ImageForm, read_new_images
from semigen.cli.outputs import refuse_existing
from semigen.cli.tables import read_table, require_columns, table_format, write_table
from semigen.cli.training import count_predictions, predict_table
from semigen.cli.words import documents
from semigen.exceptions import ModelFileError
from semigen.io.models import load, read_notes, written_at_once


def predict_file(
    model_path: Path, table_path: Path, out: Path, id_name: str | None, output: Output, *, force: bool
) -> dict[str, Any]:
    """Predict the rows of a table, write them to a file, and return a summary.

    Raises
    ------
    SemigenError
        If the model or the table cannot be used.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """

    def read(model: Any, notes: dict[str, Any]) -> tuple[Any, str, Any]:
        if ImageForm.of_notes(notes, model_path) is not None:
            raise ModelFileError(f"{model_path} was fitted on images: give --images DIR in place of a table.")
        texts = notes.get("text") or []
        names = texts or _column_names(model)
        if not names:
            raise ModelFileError(
                f"{model_path} was fitted without column names, so its columns cannot be found in a table: "
                "fit it on a data frame, or with 'semigen fit'."
            )
        as_written = [*([id_name] if id_name else []), *texts, *_text_levels(model)]
        table = read_table(table_path, as_written)
        require_columns(table, names, table_path, "the model was fitted on it")
        if id_name is not None:
            require_columns(table, [id_name], table_path, "--id")
        rows = table[id_name] if id_name else pa.array(np.arange(table.num_rows))
        return documents(table, texts) if texts else table.select(names), id_name or "row", rows

    return {"table": str(table_path), **_predict(model_path, out, read, output, force=force)}


def predict_images(
    model_path: Path, folder: Path, out: Path, output: Output, *, force: bool
) -> dict[str, Any]:
    """Predict the images in a folder, write them to a file, and return a summary.

    Raises
    ------
    SemigenError
        If the model or the images cannot be used.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """

    def read(_: Any, notes: dict[str, Any]) -> tuple[Any, str, Any]:
        form = ImageForm.of_notes(notes, model_path)
        if form is None:
            raise ModelFileError(f"{model_path} was not fitted on images: give it a table.")
        files, features = read_new_images(folder, form, output)
        return features, FILE, pa.array(files)

    return {"folder": str(folder), **_predict(model_path, out, read, output, force=force)}


def _predict(
    model_path: Path,
    out: Path,
    read: Callable[[Any, dict[str, Any]], tuple[Any, str, Any]],
    output: Output,
    *,
    force: bool,
) -> dict[str, Any]:
    """Predict rows and write them: ``read`` gives features, what names of rows are called, and the names."""
    ending = table_format(out)
    refuse_existing([out], force=force)
    with written_at_once(out, overwrite=force) as unfinished:
        with output.progress("loading"):
            model = load(model_path)
        rows = read(model, read_notes(model_path))
        with output.progress("predicting"):
            predictions = predict_table(model, *rows)
        write_table(predictions, unfinished, ending)
    return {
        "semigen": __version__,
        "model": str(model_path),
        "n_rows": predictions.num_rows,
        "predicted": count_predictions(predictions),
        "out": str(out),
    }


def _column_names(model: Any) -> list[str]:
    """The columns that a model was fitted on, none if it does not know their names."""
    schema = getattr(model, "schema_", None)
    names = getattr(model, "feature_names_in_", ()) if schema is None else schema.names or ()
    return list(map(str, names))


def _text_levels(model: Any) -> list[str]:
    """Names of the columns that the model knows as categories of text, which may look like numbers here."""
    schema = getattr(model, "schema_", None)
    if schema is None or schema.names is None:
        return []
    return [
        str(name)
        for name, levels in zip(schema.names, schema.levels, strict=True)
        if levels is not None and any(isinstance(level, str) for level in levels)
    ]
