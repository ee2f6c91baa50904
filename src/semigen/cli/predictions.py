"""Predictions as a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources import Rows
from semigen.cli.wording import cell_text


def predict_table(model: Any, rows: Rows, given: NDArray[Any] | None = None) -> pa.Table:
    """Return a table of predictions, one line per row.

    Columns are the ids, the ``given`` labels if they are passed, the ``predicted`` class, its
    ``probability``, the probability of each class (``p_<class>``), and ``log_density`` in nats where the
    model has an exact one.
    """
    probability = model.predict_proba(rows.features)
    classes = model.classes_.tolist()
    best = probability.argmax(axis=1)
    columns: dict[str, Any] = {}
    if given is not None:
        columns["given"] = pa.array(given.tolist())
    columns["predicted"] = pa.array([classes[k] for k in best])
    columns["probability"] = pa.array(probability.max(axis=1))
    columns |= {f"p_{cell_text(label)}": pa.array(probability[:, k]) for k, label in enumerate(classes)}
    is_estimate = hasattr(model, "log_density")  # from many draws per row, which takes minutes
    if hasattr(model, "score_samples") and not is_estimate:
        columns["log_density"] = pa.array(model.score_samples(rows.features))
    return pa.table({"id" if rows.id_name in columns else rows.id_name: rows.ids, **columns})


def count_predictions(predictions: pa.Table) -> list[dict[str, Any]]:
    """Count the rows of each predicted class, in the order of the classes."""
    return class_rows(Counter(predictions["predicted"].to_pylist()))


def class_rows(counts: Counter[Any]) -> list[dict[str, Any]]:
    """Classes and their rows, as summaries have them."""
    return [{"class": label, "rows": count} for label, count in sorted(counts.items())]
