"""Predictions as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen.cli.sources import Rows
from semigen.cli.wording import cell_text
from semigen.columns.tables import listing
from semigen.evaluation.decisions import least_cost
from semigen.exceptions import ParameterError
from semigen.reporting.facts import about_rows, class_rows

SET_OF_NONE, BETWEEN = "none", " | "


def predict_table(
    model: Any,
    rows: Rows,
    given: NDArray[Any] | None = None,
    coverage: float | None = None,
    cost: Sequence[float] | None = None,
) -> pa.Table:
    """Return a table of predictions, one line per row.

    Columns are the ids, the columns to keep, the ``given`` labels if they are passed, the ``predicted``
    class, its ``probability``, the class of ``least_cost`` if a ``cost`` of missing each is passed, the
    classes of its prediction set (``set``) if a ``coverage`` is passed, the probability of each class
    (``p_<class>``), and what the model says about rows themselves: ``log_density`` in nats where it has an
    exact one, and ``novelty`` or ``novel_probability``.

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
    if cost is not None:
        columns["least_cost"] = pa.array(least_cost(probability, cost, classes=model.classes_).tolist())
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


def costs_of(classes: NDArray[Any], given: Mapping[str, float]) -> list[float] | None:
    """What it costs to miss each class, 1 where nothing is given; None if nothing is.

    Raises
    ------
    ParameterError
        If a name is no class.
    """
    if not given:
        return None
    names = [cell_text(label) for label in classes.tolist()]
    for name in given:
        if name not in names:
            raise ParameterError(
                f"--cost {name}: the model knows no such class, but {listing([repr(one) for one in names])}."
            )
    return [given.get(name, 1.0) for name in names]


def count_predictions(predictions: pa.Table, name: str = "predicted") -> list[dict[str, Any]]:
    """Count the rows of each class in a column of classes, in the order of the classes."""
    return class_rows(Counter(predictions[name].to_pylist()))


def probabilities_of(predictions: pa.Table, classes: NDArray[Any]) -> NDArray[np.float64]:
    """The class probabilities in a table of predictions, (n, K), in the order of the classes."""
    return np.column_stack([predictions[f"p_{cell_text(label)}"].to_numpy() for label in classes.tolist()])


def free_name(name: str, taken: Container[str]) -> str:
    """The name of a column, with ``table.`` before it where results have such a column."""
    while name in taken:
        name = f"table.{name}"
    return name


def readable(cell: Any) -> Any:
    """A number in four digits, for files that people fill in; anything else as it is."""
    return float(f"{cell:.4g}") if isinstance(cell, float) else cell
