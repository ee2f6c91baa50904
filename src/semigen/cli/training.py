"""What ``fit`` and ``demo`` share: from a table to a model, predictions and a summary.

No formula is here: :mod:`semigen.cli.models` learns and judges, this file puts things in order and words.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.models import about_model, learn_model
from semigen.cli.report import say_result, verdict_text
from semigen.cli.rows import Task, read_rows
from semigen.cli.tables import cell_text, write_table
from semigen.exceptions import ConvergenceWarning
from semigen.persistence import save

MODEL, PREDICTIONS, SUMMARY = "model.semigen", "predictions.csv", "summary.json"


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row of its table, and the summary of both."""

    model: Any
    predictions: pa.Table
    summary: dict[str, Any]


def learn(task: Task, output: Output) -> Learned:
    """Read the table, say what is in it, learn from it, and say what came out.

    Raises
    ------
    SemigenError
        If the table, its labels or its columns cannot be used.
    """
    rows = read_rows(task, output)
    with output.progress("learning") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, for the model that is kept
        judged = learn_model(rows, task, progress)
    about = about_model(judged, rows, task)
    text = verdict_text(judged, rows.n_unlabelled, with_covariance="covariance" in about)
    say_result(output, judged, about, text, with_twin=rows.n_unlabelled > 0)
    if about.get("converged") is False:
        output.warn(f"EM stopped after {about['n_iter']} iterations before its objective settled.")
    if about.get("stopped_early"):
        output.warn("The time budget ended the fit: mixtures, folds or members may be missing.")
    names = rows.table[task.id] if task.id else pa.array(np.arange(len(rows.labels)))
    predictions = predict_table(judged.model, rows.features, task.id, names, rows.labels)
    summary = {
        "semigen": __version__,
        "table": str(task.table),
        "target": task.target,
        "text": list(task.text),
        "n_rows": len(rows.labels),
        "labelled": [{"class": label, "rows": count} for label, count in sorted(rows.labelled.items())],
        "n_unlabelled": rows.n_unlabelled,
        "columns": [{**vars(column), "family": rows.family_of(column)} for column in rows.columns],
        "model": about,
        "cross_validation": None if judged.validation is None else judged.validation.to_dict(),
        "not_cross_validated": judged.why_not,
        "unlabelled_rows": {"verdict": judged.verdict, "text": text},
        "predicted": count_predictions(predictions),
    }
    whole = judged.model
    if rows.vectorizer is not None:
        whole = Pipeline([("words", rows.vectorizer), ("classifier", judged.model)])
    return Learned(whole, predictions, summary)


def write(learned: Learned, folder: Path) -> None:
    """Write model, predictions and summary into a folder."""
    save(learned.model, folder / MODEL, notes=learned.summary)
    write_table(learned.predictions, folder / PREDICTIONS, ".csv")
    text = json.dumps(learned.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")


def predict_table(
    model: Any, features: Any, id_name: str | None, names: Any, labels: NDArray[Any] | None = None
) -> pa.Table:
    """Return a table of predictions: one row each, with the name or the number of the row first.

    Columns are the id (or ``row``, from 0), the ``given`` label if labels are passed, the ``predicted``
    class, its ``probability``, the probability of each class (``p_<class>``), and ``log_density`` in nats.
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
    if hasattr(model, "score_samples"):
        columns["log_density"] = pa.array(model.score_samples(features))
    first = id_name or "row"
    return pa.table({"id" if first in columns else first: names, **columns})


def count_predictions(predictions: pa.Table) -> list[dict[str, Any]]:
    """Count the rows of each predicted class, in the order of the classes."""
    counts = Counter(predictions["predicted"].to_pylist())
    return [{"class": label, "rows": count} for label, count in sorted(counts.items())]
