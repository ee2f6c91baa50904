"""What ``fit`` and ``demo`` share: from a table to a model, predictions and a summary.

No formula is here: the model learns, :mod:`semigen.model_selection` judges, this file puts them in order and
words.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.report import result_table, verdict_text
from semigen.cli.rows import Rows, Task, read_rows
from semigen.cli.tables import cell_text, write_table
from semigen.exceptions import ColumnError, ConvergenceWarning
from semigen.labels import encode
from semigen.mixture import MixtureClassifier
from semigen.model_selection import CrossValidation, cross_validate, n_hideable
from semigen.persistence import save

MODEL, PREDICTIONS, SUMMARY = "model.semigen", "predictions.csv", "summary.json"
WITH, WITHOUT = "all rows", "labelled rows only"
Verdict = Literal["helped", "hurt", "mixed", "unknown", "no unlabelled rows"]
_FOLDS = 5


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row of its table, and the summary of both."""

    model: MixtureClassifier | Pipeline
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
    both = MixtureClassifier(rows.family, covariance=task.covariance, unlabeled=None, random_state=task.seed)
    twin = MixtureClassifier(**{**both.get_params(), "unlabeled_weight": 0.0})
    why_not = _why_not_cross_validate(encode(rows.labels, None).hard)
    cv = None
    with output.progress("learning") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, for the model that is kept
        _fit(both, rows, task)  # what is wrong with the table is told before the long part
        if why_not is None:
            cv = cross_validate(
                {WITH: both, WITHOUT: twin} if rows.n_unlabelled else {WITH: both},
                rows.features,
                rows.labels,
                sample_weight=rows.weight,
                n_splits=_FOLDS,
                random_state=task.seed,
                unlabeled=None,
                progress=progress,
            )
        verdict = _verdict(cv, rows.n_unlabelled)
        model = _fit(twin, rows, task) if verdict == "hurt" else both
    text = verdict_text(verdict, cv, rows.n_unlabelled, with_covariance=rows.vectorizer is None)
    output.say()
    output.say(result_table(cv) if cv is not None else str(why_not))
    output.say(text)
    if not model.converged_:
        output.warn(f"EM stopped after {model.n_iter_} iterations before its objective settled.")
    names = rows.table[task.id] if task.id else pa.array(np.arange(len(rows.labels)))
    predictions = predict_table(model, rows.features, task.id, names, rows.labels)
    kept = {"covariance": task.covariance} if rows.vectorizer is None else {"n_words": model.n_features_in_}
    summary = {
        "semigen": __version__,
        "table": str(task.table),
        "target": task.target,
        "text": list(task.text),
        "n_rows": len(rows.labels),
        "labelled": [{"class": label, "rows": count} for label, count in sorted(rows.labelled.items())],
        "n_unlabelled": rows.n_unlabelled,
        "columns": [{**vars(column), "family": rows.family_of(column)} for column in rows.columns],
        "model": {
            "estimator": "MixtureClassifier",
            "learned_from": WITHOUT if model is twin else WITH,
            **kept,
            "seed": task.seed,
            "objective_nats_per_row": model.objective_,
            "n_iter": model.n_iter_,
            "converged": model.converged_,
        },
        "cross_validation": None if cv is None else cv.to_dict(),
        "not_cross_validated": why_not,
        "unlabelled_rows": {"verdict": verdict, "text": text},
        "predicted": count_predictions(predictions),
    }
    whole = (
        model if rows.vectorizer is None else Pipeline([("words", rows.vectorizer), ("classifier", model)])
    )
    return Learned(whole, predictions, summary)


def _fit(model: MixtureClassifier, rows: Rows, task: Task) -> MixtureClassifier:
    try:
        return model.fit(rows.features, rows.labels, sample_weight=rows.weight)
    except ColumnError as error:
        raise ColumnError(f"{task.table}: {error} Here --drop COLUMN leaves a column out.") from error


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


def _why_not_cross_validate(code: NDArray[np.intp]) -> str | None:
    testable = n_hideable(code)
    if testable >= _FOLDS:
        return None
    return (
        f"Not cross-validated: that needs at least {_FOLDS} labelled rows in classes with two or more, and "
        f"there {'is' if testable == 1 else 'are'} {testable}. How good the predictions are is unknown: "
        "label more rows."
    )


def _verdict(cv: CrossValidation | None, n_unlabelled: int) -> Verdict:
    """Say whether the unlabelled rows helped, where a paired 95 % interval says so."""
    if n_unlabelled == 0:
        return "no unlabelled rows"
    if cv is None:
        return "unknown"
    difference = cv.difference(WITH, WITHOUT)
    helped = difference.accuracy.low > 0 or difference.log_loss.high < 0
    hurt = difference.accuracy.high < 0 or difference.log_loss.low > 0
    if helped and hurt:
        return "mixed"
    return "helped" if helped else "hurt" if hurt else "unknown"
