"""What ``fit`` and ``demo`` share: from a table to a model, predictions and a summary.

No formula is here: the model learns, :mod:`semigen.model_selection` judges, this file puts them in order and
words.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen._version import __version__
from semigen.cli.console import Output
from semigen.cli.report import result_table, say_table, verdict_text
from semigen.cli.tables import cell_text, labels_of, listing, read_table, require_columns, write_table
from semigen.columns import Column, describe, to_matrix
from semigen.exceptions import ColumnError, ConvergenceWarning, LabelError
from semigen.labels import check_weights, encode
from semigen.mixture import MixtureClassifier
from semigen.model_selection import CrossValidation, cross_validate
from semigen.persistence import save

MODEL, PREDICTIONS, SUMMARY = "model.semigen", "predictions.csv", "summary.json"
WITH, WITHOUT = "all rows", "labelled rows only"
Verdict = Literal["helped", "hurt", "mixed", "unknown", "no unlabelled rows"]
_FOLDS = 5


@dataclass(frozen=True)
class Task:
    """What the user asked ``fit`` for."""

    table: Path
    target: str
    id: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    weight: str | None = None
    unlabeled: str | None = None
    covariance: str = "tied"
    seed: int = 0


@dataclass(frozen=True)
class Rows:
    """What a table gives to learn from: features (n, D), labels with None where there is none, weights."""

    table: pa.Table
    columns: tuple[Column, ...]
    features: pa.Table
    labels: NDArray[Any]
    labelled: Counter[Any]
    weight: NDArray[np.float64] | None

    @property
    def n_unlabelled(self) -> int:
        """Rows without a label."""
        return len(self.labels) - self.labelled.total()


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row of its table, and the summary of both."""

    model: MixtureClassifier
    predictions: pa.Table
    summary: dict[str, Any]


def learn(task: Task, output: Output) -> Learned:
    """Read the table, say what is in it, learn from it, and say what came out.

    Raises
    ------
    SemigenError
        If the table, its labels or its columns cannot be used.
    """
    rows = _read(task, output)
    try:
        matrix = to_matrix(rows.features)
    except ColumnError as error:
        raise ColumnError(f"{task.table}: {error} Here --drop COLUMN leaves a column out.") from error
    both = MixtureClassifier(covariance=task.covariance, unlabeled=None, random_state=task.seed)
    twin = MixtureClassifier(**{**both.get_params(), "unlabeled_weight": 0.0})
    why_not = _why_not_cross_validate(encode(rows.labels, None).hard)
    cv = None
    with output.progress("learning") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, for the model that is kept
        if why_not is None:
            cv = cross_validate(
                {WITH: both, WITHOUT: twin} if rows.n_unlabelled else {WITH: both},
                matrix,
                rows.labels,
                sample_weight=rows.weight,
                n_splits=_FOLDS,
                random_state=task.seed,
                unlabeled=None,
                progress=lambda done, total: progress(done, total + 1),
            )
        verdict = _verdict(cv, rows.n_unlabelled)
        model = twin if verdict == "hurt" else both
        model.fit(rows.features, rows.labels, sample_weight=rows.weight)
    text = verdict_text(verdict, cv, rows.n_unlabelled)
    output.say()
    output.say(result_table(cv) if cv is not None else str(why_not))
    output.say(text)
    if not model.converged_:
        output.warn(f"EM stopped after {model.n_iter_} iterations before its objective settled.")
    names = rows.table[task.id] if task.id else pa.array(np.arange(len(matrix)))
    predictions = predict_table(model, rows.features, task.id, names, rows.labels)
    summary = {
        "semigen": __version__,
        "table": str(task.table),
        "target": task.target,
        "n_rows": len(matrix),
        "labelled": [{"class": label, "rows": count} for label, count in sorted(rows.labelled.items())],
        "n_unlabelled": rows.n_unlabelled,
        "columns": [vars(column) for column in rows.columns],
        "model": {
            "estimator": "MixtureClassifier",
            "learned_from": WITHOUT if model is twin else WITH,
            "covariance": task.covariance,
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
    return Learned(model, predictions, summary)


def write(learned: Learned, folder: Path) -> None:
    """Write model, predictions and summary into a folder."""
    save(learned.model, folder / MODEL, notes=learned.summary)
    write_table(learned.predictions, folder / PREDICTIONS, ".csv")
    text = json.dumps(learned.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")


def predict_table(
    model: Any, features: pa.Table, id_name: str | None, names: Any, labels: NDArray[Any] | None = None
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


def _read(task: Task, output: Output) -> Rows:
    """Read the table, say what it holds, and sort its columns out."""
    table = read_table(task.table, [task.id] if task.id else [])
    _check_options(task, table)
    labels = labels_of(table, task.target, task.unlabeled)
    columns = _columns(task, table)
    used = [column.name for column in columns if column.use]
    labelled = Counter(label for label in labels if label is not None)
    say_table(output, task.table.name, task.target, table.num_rows, labelled, columns)
    _warn_about_labels(task, labels, output)
    if not used:
        raise ColumnError(
            f"{task.table} has no column that a model of numbers can use: "
            f"{listing([f'{column.name} ({column.reason})' for column in columns])}."
        )
    weight = None if task.weight is None else _weights(table, task.weight)
    return Rows(table, columns, table.select(used), labels, labelled, weight)


def _check_options(task: Task, table: pa.Table) -> None:
    require_columns(table, [task.target], task.table, "--target")
    for names, option in (
        ((task.id,), "--id"),
        ((task.weight,), "--weight"),
        (task.drop, "--drop"),
        (task.keep, "--keep"),
    ):
        require_columns(table, [name for name in names if name is not None], task.table, option)


def _columns(task: Task, table: pa.Table) -> tuple[Column, ...]:
    """Describe every column but the target and the weight; set aside those that the user named."""
    columns = []
    for column in describe(table.drop_columns([task.target, *([task.weight] if task.weight else [])])):
        if column.name == task.id:
            column = replace(column, use=False, reason="names the rows (--id)")
        elif column.name in task.drop:
            column = replace(column, use=False, reason="left out (--drop)")
        elif column.name in task.keep:
            column = replace(column, use=True, reason="")
        elif column.kind == "id" and pa.types.is_integer(table.schema.field(column.name).type):
            column = replace(column, reason=f"{column.reason} (--keep uses it)")
        columns.append(column)
    return tuple(columns)


def _weights(table: pa.Table, name: str) -> NDArray[np.float64]:
    try:
        return check_weights(to_matrix(table.select([name]))[:, 0], table.num_rows)
    except (ColumnError, LabelError) as error:
        raise ColumnError(f"column {name!r} cannot be the weight of the rows: {error}") from error


def _warn_about_labels(task: Task, labels: NDArray[Any], output: Output) -> None:
    plain = [label for label in labels if label is not None]
    if len(plain) == len(labels) and task.unlabeled is not None:
        output.warn(
            f"no cell of {task.target!r} is empty or holds {task.unlabeled!r}: every row is labelled."
        )
    suspects = [label for label in (-1, "-1", "?", "unknown", "Unknown", "none", "None") if label in plain]
    for label in suspects:
        output.warn(
            f"{label!r} counts as a class ({plain.count(label)} rows). If it means that there is no label, "
            f"add --unlabeled={label}"
        )


def _why_not_cross_validate(code: NDArray[np.intp]) -> str | None:
    counts = np.bincount(code[code >= 0])
    testable = int(counts[counts > 1].sum())
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
