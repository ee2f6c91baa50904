"""What ``predict`` and ``demo`` share: from a saved model and new rows to a file of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.outputs import refuse_existing
from semigen.cli.predictions import count_predictions, predict_table
from semigen.cli.sources import ImageSource, Rows, TableSource
from semigen.cli.sources.images import noted_form
from semigen.cli.sources.text import read_texts
from semigen.common.progress import Progress
from semigen.exceptions import ModelFileError
from semigen.io.files import written_at_once
from semigen.io.models import load, read_notes
from semigen.io.tables import table_format, write_table


def predict_file(
    model_path: Path,
    source: Path,
    out: Path,
    output: Output,
    *,
    images: bool,
    id_name: str | None,
    force: bool,
) -> dict[str, Any]:
    """Predict the rows of a table, or with ``images`` those of a folder; write a file and return a summary.

    Raises
    ------
    SemigenError
        If the model or the rows cannot be used.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """
    ending = table_format(out)
    refuse_existing([out], force=force)
    with written_at_once(out, overwrite=force) as unfinished:
        with output.progress("loading"):
            model = load(model_path)
        with output.progress("reading") as progress:
            rows = _read(model, model_path, source, images, id_name, progress)
        for note in rows.notes:
            output.note(note)
        with output.progress("predicting"):
            predictions = predict_table(model, rows)
        write_table(predictions, unfinished, ending)
    return {
        "semigen": __version__,
        "model": str(model_path),
        "folder" if images else "table": str(source),
        "n_rows": predictions.num_rows,
        "predicted": count_predictions(predictions),
        "out": str(out),
    }


def _read(
    model: Any, model_path: Path, source: Path, images: bool, id_name: str | None, progress: Progress
) -> Rows:
    """Read rows as those were that the model was fitted on."""
    notes = read_notes(model_path)
    form = noted_form(notes, model_path)
    if images:
        if form is None:
            raise ModelFileError(f"{model_path} was not fitted on images: give it a table.")
        return ImageSource.read_new(source, form, progress)
    if form is not None:
        raise ModelFileError(f"{model_path} was fitted on images: give --images DIR instead of a table.")
    if notes.get("text"):
        return read_texts(source, notes["text"], id_name)
    return TableSource.read_new(source, model, model_path, id_name)
