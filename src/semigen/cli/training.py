"""What ``fit`` and ``demo`` share: from a source to a model, predictions and a summary, and to files of them.

No formula is here: recipes learn and judge, this file puts things in order.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.predictions import class_rows, count_predictions, predict_table
from semigen.cli.recipes import DEEP, Judged, Options, Recipe, learn_model
from semigen.cli.report import say_result, standings, training_notes, verdict_text
from semigen.cli.sources import ImageSource, Source
from semigen.common.progress import Progress
from semigen.comparison import explain_standing
from semigen.exceptions import ColumnWarning, ConvergenceWarning, DatasetShiftWarning, TrainingWarning
from semigen.io.models import save
from semigen.io.tables import spreadsheet_safe, write_table

MODEL, PREDICTIONS, SUMMARY, SAMPLES = "model.semigen", "predictions.csv", "summary.json", "samples.png"
CONFIG = "config.toml"


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row, the summary of both, and a grid of images from the model."""

    model: Any
    predictions: pa.Table
    summary: dict[str, Any]
    samples: NDArray[Any] | None


def result_names(model: str, *, images: bool) -> list[str]:
    """The files that a fit writes."""
    return [MODEL, PREDICTIONS, SUMMARY, CONFIG, *([SAMPLES] if images and model in DEEP else [])]


def learn(recipe: Recipe, options: Options, read: Callable[[Progress], Source], output: Output) -> Learned:
    """Read rows, say what is in them, learn from them, and say what came out.

    Parameters
    ----------
    recipe : Recipe
    options : Options
    read : callable
        Reads the source; it is given the progress to report to.
    output : Output

    Raises
    ------
    SemigenError
        If the rows, their labels or their columns cannot be used.
    """
    with output.progress("reading") as progress:
        source = read(progress)
    work = [] if recipe.announce is None else [("training", recipe.announce(source, options))]
    output.say_lines(source.path.name, [*source.describe(), *work])
    for note in source.notes:
        output.note(note)
    with (
        output.warnings_as_notes(ColumnWarning, ConvergenceWarning, TrainingWarning, DatasetShiftWarning),
        output.progress("learning") as progress,
        _ctrl_c_ends_everything(),
    ):
        judged = learn_model(recipe, source, options, progress)
    about = _about_model(recipe, judged, source, options)
    text = verdict_text(judged, source.n_learned_unlabeled, with_covariance="covariance" in about)
    standing = standings(judged, about)
    say_result(output, judged, about, text, standing)
    for note in training_notes(about):
        output.note(note)
    with output.warnings_as_notes(), output.progress("predicting"):
        predictions = predict_table(judged.model, source.rows, source.labels.values)
    family = None if recipe.families is None else source.family(recipe.families.of_kind)
    summary = {
        "semigen": __version__,
        **source.about(),
        "target": source.labels.target,
        "n_rows": source.n_rows,
        "n_unlabeled": source.n_unlabeled,
        "labeled": class_rows(source.labeled),
        "columns": source.about_columns(family),
        "model": about,
        "comparison": None if judged.comparison is None else judged.comparison.to_dict(),
        "why_not_compared": judged.why_not,
        "verdict": {**judged.verdict.to_dict(), "text": text},
        "standing": [{**one.to_dict(), "text": explain_standing(one)} for one in standing],
        "predicted": count_predictions(predictions),
    }
    samples = _draw(recipe, judged.model, source, options, output)
    return Learned(judged.model, predictions, summary, samples)


def write(learned: Learned, folder: Path, *, csv_safe: bool = False) -> None:
    """Write model, predictions, summary and samples into a folder."""
    save(learned.model, folder / MODEL, notes=learned.summary)
    predictions = spreadsheet_safe(learned.predictions) if csv_safe else learned.predictions
    write_table(predictions, folder / PREDICTIONS, ".csv")
    text = json.dumps(learned.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    if learned.samples is not None:
        from semigen.deep import save_image

        save_image(learned.samples, folder / SAMPLES)


def _about_model(recipe: Recipe, judged: Judged, source: Source, options: Options) -> dict[str, Any]:
    """What the summary says about the model that is saved."""
    return {
        "name": options.model,
        "estimator": type(judged.model).__name__,
        "trained_on": judged.trained_on,
        "seed": options.seed,
        **recipe.about(judged.model),
    }


@contextmanager
def _ctrl_c_ends_everything() -> Iterator[None]:
    """Let Ctrl-C end everything, where networks would be kept."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "stopped by Ctrl-C", TrainingWarning)
        try:
            yield
        except TrainingWarning:
            raise KeyboardInterrupt from None


def _draw(
    recipe: Recipe, model: Any, source: Source, options: Options, output: Output
) -> NDArray[Any] | None:
    """Images that the model makes, where it makes some."""
    if recipe.draw is None or not isinstance(source, ImageSource):
        return None
    with output.progress("drawing samples"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrainingWarning)
        grid = recipe.draw(model, source.form, options.seed)
    for one in caught:
        output.note(f"{SAMPLES}: {one.message}")
    return grid
