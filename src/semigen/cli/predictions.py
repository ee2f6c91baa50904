"""Predictions as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources import Rows
from semigen.cli.wording import cell_text
from semigen.exceptions import ParameterError
from semigen.reporting.facts import about_rows, class_rows

SET_OF_NONE, BETWEEN = "none", " | "


def predict_table(
    model: Any, rows: Rows, given: NDArray[Any] | None = None, coverage: float | None = None
) -> pa.Table:
    """Return a table of predictions, one line per row.

    Columns are the ids, the columns to keep, the ``given`` labels if they are passed, the ``predicted``
    class, its ``probability``, the classes of its prediction set (``set``) if a ``coverage`` is passed, the
    probability of each class (``p_<class>``), and what the model says about rows themselves: ``log_density``
    in nats where it has an exact one, and ``novelty`` or ``novel_probability``.

    Raises
    ------
    ParameterError
        If a coverage is passed, and the model has no prediction sets.
    """
    features = model.read(rows.features) if hasattr(model, "read") else rows.features
    probability = model.predict_proba(features)
    classes = model.classes_.tolist()
    columns: dict[str, Any] = {}
    if given is not None:
        columns["given"] = pa.array(given.tolist())
    columns["predicted"] = pa.array([classes[k] for k in probability.argmax(axis=1)])
    columns["probability"] = pa.array(probability.max(axis=1))
    if coverage is not None:
        columns["set"] = pa.array(_sets(model, probability, coverage))
    columns |= {f"p_{cell_text(label)}": pa.array(probability[:, k]) for k, label in enumerate(classes)}
    columns |= {name: pa.array(answer) for name, answer in about_rows(model, features).items()}
    id_name = "id" if rows.id_name in columns else rows.id_name
    taken = {id_name, *columns}
    kept: dict[str, Any] = {}
    for name in rows.kept.column_names:
        kept[free_name(name, taken)] = rows.kept[name]
        taken |= set(kept)
    return pa.table({id_name: rows.ids, **kept, **columns})


def _sets(model: Any, probability: NDArray[Any], coverage: float) -> list[str]:
    """The classes of each set in one text, the most probable first."""
    if not hasattr(model, "set_rule"):
        raise ParameterError(
            f"--coverage: a {type(model).__name__} has no prediction sets; those of --model auto have."
        )
    names = [cell_text(label) for label in model.classes_.tolist()]
    members = model.set_rule(coverage).sets(probability)
    order = np.argsort(-probability, axis=1, kind="stable")
    return [
        BETWEEN.join(names[k] for k in row if has[k]) or SET_OF_NONE
        for row, has in zip(order.tolist(), members.tolist(), strict=True)
    ]


def count_predictions(predictions: pa.Table) -> list[dict[str, Any]]:
    """Count the rows of each predicted class, in the order of the classes."""
    return class_rows(Counter(predictions["predicted"].to_pylist()))


def probabilities_of(predictions: pa.Table, classes: NDArray[Any]) -> NDArray[np.float64]:
    """The class probabilities in a table of predictions, (n, K), in the order of the classes."""
    return np.column_stack([predictions[f"p_{cell_text(label)}"].to_numpy() for label in classes.tolist()])


def free_name(name: str, taken: Container[str]) -> str:
    """The name of a column, with ``table.`` before it where results have such a column."""
    while name in taken:
        name = f"table.{name}"
    return name
