"""What ``fit`` and ``demo`` share: from a table or images to a model, predictions and a summary.

No formula is here: :mod:`semigen.cli.models` learns and judges, this file puts things in order and words.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.images import read_image_rows
from semigen.cli.models import about_model, learn_model, n_fits, recipe_of
from semigen.cli.report import say_result, verdict_text
from semigen.cli.rows import Rows, Task, read_rows
from semigen.cli.tables import cell_text, counted, write_table
from semigen.evaluation.dependence import DEPENDENCE_SHIFT
from semigen.exceptions import ConvergenceWarning, DatasetShiftWarning, TrainingWarning
from semigen.io.models import save

MODEL, PREDICTIONS, SUMMARY, SAMPLES = "model.semigen", "predictions.csv", "summary.json", "samples.png"


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row, the summary of both, and a grid of images from the model."""

    model: Any
    predictions: pa.Table
    summary: dict[str, Any]
    samples: NDArray[Any] | None = None


def results_of(task: Task) -> list[str]:
    """The files that a task's results are."""
    return [MODEL, PREDICTIONS, SUMMARY, *([SAMPLES] if task.labels and task.is_deep else [])]


def learn(task: Task, output: Output) -> Learned:
    """Read the table or the images, say what is in it, learn from it, and say what came out.

    Raises
    ------
    SemigenError
        If the table, its labels or its columns cannot be used.
    """
    with output.progress("loading"):
        recipe_of(task.model)  # what is not installed is told before anything is read
    rows = (read_image_rows if task.labels else read_rows)(task, output)
    if task.is_deep:
        _say_work(rows, task, output)
    with output.progress("learning") as progress, _training_warnings():
        judged = learn_model(rows, task, progress)
    about = about_model(judged, rows, task)
    text = verdict_text(judged, rows.n_unlabeled, with_covariance="covariance" in about)
    say_result(output, judged, about, text, with_twin=rows.n_unlabeled > 0)
    _warn_about_training(about, output)
    with output.progress("predicting"):
        predictions = predict_table(judged.model, rows.features, rows.name, rows.names, rows.labels)
    samples = None if rows.images is None or not task.is_deep else _draw(judged.model, rows, task, output)
    summary = {
        "semigen": __version__,
        **_about_source(rows, task),
        "target": task.target,
        "n_rows": len(rows.labels),
        "labeled": [{"class": label, "rows": count} for label, count in sorted(rows.labeled.items())],
        "n_unlabeled": rows.n_unlabeled,
        "columns": [{**vars(column), "family": rows.family_of(column)} for column in rows.columns],
        "model": about,
        "cross_validation": None if judged.validation is None else judged.validation.to_dict(),
        "not_cross_validated": judged.why_not,
        "unlabeled_rows": {"verdict": judged.verdict, "text": text},
        "predicted": count_predictions(predictions),
    }
    whole = judged.model
    if rows.vectorizer is not None:
        whole = Pipeline([("words", rows.vectorizer), ("classifier", judged.model)])
    return Learned(whole, predictions, summary, samples)


def write(learned: Learned, folder: Path) -> None:
    """Write model, predictions, summary and samples into a folder."""
    save(learned.model, folder / MODEL, notes=learned.summary)
    write_table(learned.predictions, folder / PREDICTIONS, ".csv")
    text = json.dumps(learned.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    if learned.samples is not None:
        from semigen.deep import save_image

        save_image(learned.samples, folder / SAMPLES)


def predict_table(
    model: Any, features: Any, name: str, names: Any, labels: NDArray[Any] | None = None
) -> pa.Table:
    """Return a table of predictions: one row each, with the name or the number of the row first.

    Columns are the names (called ``name``), the ``given`` label if labels are passed, the ``predicted``
    class, its ``probability``, the probability of each class (``p_<class>``), and ``log_density`` in nats
    where the model has an exact one.
    """
    probability = model.predict_proba(features)
    classes = model.classes_.tolist()
    best = probability.argmax(axis=1)
    columns: dict[str, Any] = {}
    if labels is not None:
        columns["given"] = pa.array(labels.tolist())
    columns["predicted"] = pa.array([classes[k] for k in best])
    columns["probability"] = pa.array(probability.max(axis=1))
    columns |= {f"p_{cell_text(label)}": pa.array(probability[:, k]) for k, label in enumerate(classes)}
    is_estimate = hasattr(model, "log_density")  # from many draws a row, which takes minutes
    if hasattr(model, "score_samples") and not is_estimate:
        columns["log_density"] = pa.array(model.score_samples(features))
    return pa.table({"id" if name in columns else name: names, **columns})


def count_predictions(predictions: pa.Table) -> list[dict[str, Any]]:
    """Count the rows of each predicted class, in the order of the classes."""
    counts = Counter(predictions["predicted"].to_pylist())
    return [{"class": label, "rows": count} for label, count in sorted(counts.items())]


@contextmanager
def _training_warnings() -> Iterator[None]:
    """Keep what warnings say for later, and let Ctrl-C end everything, where networks would be kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said for the model that is kept
        warnings.simplefilter("ignore", TrainingWarning)
        warnings.simplefilter("ignore", DatasetShiftWarning)
        warnings.filterwarnings("error", "stopped by Ctrl-C", TrainingWarning)
        try:
            yield
        except TrainingWarning:
            raise KeyboardInterrupt from None


def _about_source(rows: Rows, task: Task) -> dict[str, Any]:
    if rows.images is None:
        return {"table": str(task.source), "text": list(task.text)}
    return {"folder": str(task.source), "labels": str(task.labels), "images": vars(rows.images)}


def _say_work(rows: Rows, task: Task, output: Output) -> None:
    from semigen.cli.deep_models import default_steps, has_features

    steps = task.steps or default_steps(task.model)
    first = "features of all images, then " if task.model == "vae" and has_features(rows) else ""
    fits = f"{counted(n_fits(rows), 'fit')} of {counted(steps, 'step')} each (--steps)"
    output.say(f"training  {first}{fits}")


def _warn_about_training(about: dict[str, Any], output: Output) -> None:
    if about.get("converged") is False:
        output.warn(f"EM stopped after {about['n_iter']} iterations before its objective settled.")
    if about.get("dependence_shift"):
        output.warn(DEPENDENCE_SHIFT)
    if about.get("stopped_early"):
        output.warn("The time budget ended the fit: mixtures, folds or members may be missing.")
    if "not finite" in (about.get("outcome"), about.get("features", {}).get("outcome")):
        output.warn(
            "The training broke down: its loss was not finite. The last good weights are kept; look for "
            "extreme cells."
        )
    if about.get("features", {}).get("collapsed"):
        output.warn("The features say nothing about the images: give the training more --steps.")


def _draw(model: Any, rows: Rows, task: Task, output: Output) -> NDArray[Any]:
    from semigen.cli.deep_models import samples

    assert rows.images is not None
    with output.progress("drawing samples"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrainingWarning)
        grid = samples(model, rows.images, task.seed)
    for one in caught:
        output.warn(f"{SAMPLES}: {one.message}")
    return grid
