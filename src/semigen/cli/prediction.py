"""What ``predict`` and ``demo`` share: from a saved model and new rows to a file of predictions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.outputs import complete_files
from semigen.cli.predictions import costs_of, count_predictions, predict_table, probabilities_of
from semigen.cli.sources import ImageSource, ReadOptions, Rows, TableSource
from semigen.cli.sources.columns import as_noted
from semigen.cli.sources.images import noted_form
from semigen.cli.sources.labels import as_classes
from semigen.cli.sources.text import read_texts
from semigen.cli.streams import RULE, Predicting, is_large, is_streamable, pieces_folder
from semigen.common import interrupts
from semigen.common.progress import Progress
from semigen.evaluation.scoring import PredictionScore, score_predictions
from semigen.exceptions import ColumnError, ModelFileError, SemigenError, TableError
from semigen.io.files import first_line
from semigen.io.models import load, read_notes
from semigen.io.paths import parts_of
from semigen.io.tables import spreadsheet_safe, table_format
from semigen.io.writing import write_table
from semigen.reporting.facts import class_rows


def predict_file(
    model_path: Path,
    source: Path,
    out: Path,
    output: Output,
    *,
    images: bool,
    id_name: str | None,
    force: bool,
    options: ReadOptions | None = None,
    csv_safe: bool = False,
    score_out: Path | None = None,
    coverage: float | None = None,
    costs: Mapping[str, float] | None = None,
    resume: bool = False,
    scheduler: str | None = None,
) -> tuple[dict[str, Any], PredictionScore | None]:
    """Predict the rows of a table, or with ``images`` those of a folder; write a file and return a summary.

    Where the table has the target that the model was fitted on, the score of the predictions comes with it.
    Large tables are read and written batch by batch; so are those with ``resume``, which goes on from what an
    interrupted run has finished, and with ``scheduler``, where a Dask cluster predicts.

    Raises
    ------
    SemigenError
        If the model or the rows cannot be used.
    OSError
        If the file exists and may not be overwritten, or cannot be written.
    """
    ending = table_format(out)
    beside = options is not None and options.reading.embeddings is not None
    asked = "--resume" if resume else "--scheduler" if scheduler is not None else None
    if beside and asked:
        raise TableError(f"{source} has embeddings beside it and is read at once: leave out {asked}.")
    if not images and not beside and (asked or is_large(source)):
        return _predict_stream(
            model_path,
            source,
            out,
            output,
            id_name=id_name,
            force=force,
            options=options,
            csv_safe=csv_safe,
            score_out=score_out,
            coverage=coverage,
            costs=costs or {},
            resume=resume,
            scheduler=scheduler,
            why=asked or RULE,
        )
    inputs = [model_path, source]
    targets = [out] if score_out is None else [out, score_out]
    with complete_files(targets, force=force, inputs=inputs) as (unfinished, *of_score):
        with output.progress("loading"):
            model = load(model_path)
        with output.progress("reading") as progress:
            notes = read_notes(model_path)
            options = as_noted(options or ReadOptions(), notes)
            rows = _read(model, model_path, source, images, id_name, notes, options, progress)
        for note in rows.notes:
            output.note(note)
        with output.warnings_as_notes(), output.progress("predicting"), _parts_fit(model_path, source):
            cost = costs_of(model.classes_, costs or {})
            predictions = predict_table(model, rows, coverage=coverage, cost=cost)
        if coverage is not None and (caution := model.set_rule(coverage).caution):
            output.note(caution)
        score = _score(model, rows, predictions, options, cost)
        write_table(spreadsheet_safe(predictions) if csv_safe else predictions, unfinished, ending)
        _write_score(score, of_score, model_path, source, notes)
    return {
        **_about(model_path, source, out, notes, images=images),
        "n_rows": predictions.num_rows,
        "predicted": count_predictions(predictions),
        "cost": cost,
        "least_cost": None if cost is None else count_predictions(predictions, "least_cost"),
        "coverage": coverage,
        "score": None if score is None else score.to_dict(),
    }, score


def _write_score(
    score: PredictionScore | None, places: list[Path], model_path: Path, source: Path, notes: dict[str, Any]
) -> None:
    """Write the scores where they were asked for.

    Raises
    ------
    TableError
        If there are none.
    """
    for place in places:
        if score is None:
            raise _nothing_to_score(source, notes)
        about = {"model": str(model_path), "table": str(source), **score.to_dict()}
        text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
        place.write_text(text + "\n", encoding="utf-8")


def _about(
    model_path: Path, source: Path, out: Path, notes: dict[str, Any], *, images: bool = False
) -> dict[str, Any]:
    """What a summary says of any predictions."""
    return {
        "semigen": __version__,
        "model": str(model_path),
        "folder" if images else "table": str(source),
        "target": notes.get("target"),
        "out": str(out),
    }


def _predict_stream(
    model_path: Path,
    source: Path,
    out: Path,
    output: Output,
    *,
    id_name: str | None,
    force: bool,
    options: ReadOptions | None,
    csv_safe: bool,
    score_out: Path | None,
    coverage: float | None,
    costs: Mapping[str, float],
    resume: bool,
    scheduler: str | None,
    why: str,
) -> tuple[dict[str, Any], PredictionScore | None]:
    """Predict a table batch by batch."""
    inputs = [model_path] if source.is_dir() else [model_path, source]
    targets = [out] if score_out is None else [out, score_out]
    with complete_files(targets, force=force, inputs=inputs) as (unfinished, *of_score):
        with output.progress("loading"):
            model, notes = load(model_path), read_notes(model_path)
        if not is_streamable(source) or notes.get("text") or noted_form(notes, model_path) is not None:
            raise TableError(f"{source} cannot be predicted batch by batch ({why}).")
        output.note(f"{source.name} is predicted batch by batch: {why}.")
        noted = as_noted(options or ReadOptions(), notes)
        cost = costs_of(model.classes_, costs)
        stream = Predicting(
            model,
            model_path,
            source,
            parts_of(source, noted.reading),
            id_name,
            notes,
            noted,
            coverage,
            cost,
            csv_safe,
            scheduler,
            scored=True,
        )
        if of_score and not stream.target:
            raise _nothing_to_score(source, notes)
        for note in stream.added():
            output.note(note)
        with (
            output.warnings_as_notes(),
            output.progress("predicting") as progress,
            _parts_fit(model_path, source),
        ):
            kept = pieces_folder(out) if resume else None
            interrupts.keep_in(kept)
            done = stream.write(unfinished, table_format(out), kept, progress)
        for note in done.notes:
            output.note(note)
        _write_score(done.score, of_score, model_path, source, notes)
    return {
        **_about(model_path, source, out, notes),
        "n_rows": done.n_rows,
        "predicted": class_rows(done.count),
        "cost": cost,
        "least_cost": None if cost is None else class_rows(done.decided),
        "coverage": coverage,
        "score": None if done.score is None else done.score.to_dict(),
    }, done.score


def _nothing_to_score(source: Path, notes: dict[str, Any]) -> TableError:
    return TableError(
        f"{source} has no labels in the column {str(notes.get('target'))!r}, so there is nothing to score: "
        "leave out --score."
    )


@contextmanager
def _parts_fit(model_path: Path, source: Path) -> Iterator[None]:
    """Say of which table an error is, and of one in a stranger's model that its parts do not fit together."""
    try:
        yield
    except ColumnError as error:
        cure = " Correct it, or leave it empty." if error.seen != str(error) else ""
        raise ColumnError(f"{source}: {error.seen}{cure}") from error
    except SemigenError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{model_path} cannot predict these rows ({type(error).__name__}: {first_line(error)}): its "
            "parts do not fit together. If 'semigen fit' wrote it, that is a bug: please report it."
        ) from error


def _read(
    model: Any,
    model_path: Path,
    source: Path,
    images: bool,
    id_name: str | None,
    notes: dict[str, Any],
    options: ReadOptions,
    progress: Progress,
) -> Rows:
    """Read rows as those were that the model was fitted on."""
    form = noted_form(notes, model_path)
    if images:
        if form is None:
            raise ModelFileError(f"{model_path} was not fitted on images: give it a table.")
        return ImageSource.read_new(source, form, progress)
    if form is not None:
        raise ModelFileError(f"{model_path} was fitted on images: give --images DIR instead of a table.")
    if notes.get("text"):
        return read_texts(source, id_name, notes, options)
    return TableSource.read_new(source, model, model_path, id_name, notes, options)


def _score(
    model: Any, rows: Rows, predictions: pa.Table, options: ReadOptions, cost: list[float] | None
) -> PredictionScore | None:
    """The scores of predictions; None where no true class is known."""
    if rows.truth is None or not any(label is not None for label in rows.truth.tolist()):
        return None
    classes = model.classes_
    truth = as_classes(rows.truth, classes.tolist(), options)
    return score_predictions(truth, probabilities_of(predictions, classes), classes, cost)
