"""What a report is made from: a fitted classifier, its rows, and what it predicts for them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen import columns
from semigen.columns import ReadTable
from semigen.columns.vectors import wide_frame
from semigen.common.plain import plain
from semigen.common.text import shortened
from semigen.comparison import Comparison
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.defaults import supervised_weights
from semigen.ensemble.settle import crossfitted_pair

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_LONGEST_CELL = 200


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """What models that were fitted without some labeled rows predict for these rows.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp
        Row numbers, in increasing order.
    weight : ndarray of shape (m,)
        Row weights.
    probabilities : ndarray of shape (m, K)
        Of the model that is reported.
    other : ndarray of shape (m, K) or None
        Of its twin: without the unlabeled rows if the model uses them, else with them.
    """

    rows: Rows
    weight: Array
    probabilities: Array
    other: Array | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """A fitted classifier and the rows that it was fitted on.

    Attributes
    ----------
    model : classifier
    features : table, list of str, CSR matrix or array of shape (n, D)
        As the model takes it.
    code : ndarray of shape (n,), intp
        The class of each labeled row by its place in ``classes_`` of the model, -1 for the others.
    probabilities : ndarray of shape (n, K)
        Class probabilities of all rows.
    ids : sequence of length n
        What rows are called.
    id_name : str
    held_out : HeldOutRows or None
    log_density : ndarray of shape (n,) or None
        Log p(x) in nats, of a model that says by it how novel a row is.
    uses_unlabeled : bool
        Whether the model is trained on the unlabeled rows, too.
    cells : bool
        Whether columns mean something of themselves, unlike the pixels of an image.
    """

    model: Any
    features: Any
    code: Rows
    probabilities: Array
    ids: Sequence[Any]
    id_name: str
    held_out: HeldOutRows | None = None
    log_density: Array | None = None
    uses_unlabeled: bool = True
    cells: bool = field(default=True)

    @cached_property
    def classes(self) -> list[Any]:
        """The classes, as JSON can hold them, in the order of the probabilities."""
        return [plain(label) for label in self.model.classes_.tolist()]

    @cached_property
    def predicted(self) -> Rows:
        """The most probable class of each row by its number, (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def table(self) -> ReadTable | None:
        """The rows as the model's schema reads them; None for a model without one."""
        schema = getattr(self.model, "schema_", None)
        if schema is None:
            return None
        if isinstance(self.model, AutoClassifier):
            return self.model.read(self.features)
        return columns.table_like(self.model, self.features)

    @cached_property
    def uncertain(self) -> Rows:
        """Unlabeled rows, those first whose two best classes are nearest to one another."""
        rest = np.flatnonzero(self.code < 0)
        best = np.sort(self.probabilities[rest], axis=1)
        return np.asarray(rest[np.argsort(best[:, -1] - best[:, -2], kind="stable")])

    def row(self, number: int) -> dict[str, Any]:
        """The number and the id of a row."""
        return {"row": int(number), "id": plain(self.ids[number])}

    def prediction(self, number: int) -> dict[str, Any]:
        """A row's most probable class and the next one, with their probabilities."""
        order = np.argsort(-self.probabilities[number], kind="stable")[:2]
        first, second = order[0], order[-1]
        return {
            **self.row(number),
            "predicted": self.classes[first],
            "probability": rounded(self.probabilities[number, first]),
            "second": self.classes[second],
            "second_probability": rounded(self.probabilities[number, second]),
        }

    def values(self, number: int, names: Sequence[Any]) -> dict[str, Any]:
        """The values of some columns in a row, as they are in the table."""
        if not self.cells:
            return {}
        frame = wide_frame(self.features)
        if frame is not None:
            found = {str(name): plain(frame.get_column(name)[int(number)]) for name in names}
        elif isinstance(self.features, list):
            found = {"text": self.features[number]}
        elif issparse(self.features):
            return {}
        else:
            matrix = np.asarray(self.features)
            found = {str(name): plain(matrix[number, int(name)]) for name in names}
        return {
            name: shortened(value, _LONGEST_CELL) if isinstance(value, str) else value
            for name, value in found.items()
        }


def rounded(value: Any, digits: int = 6) -> float:
    """A number with as many digits as a reader can use."""
    return round(float(value), digits)


def held_out_of(model: Any, comparison: Comparison | None, pair: Sequence[str]) -> HeldOutRows | None:
    """What is known of the held-out rows of a fit; None if no row was held out.

    Parameters
    ----------
    model : classifier
    comparison : Comparison or None
    pair : sequence of str
        Names in ``comparison`` of the model that is reported and of its twin.
    """
    if comparison is None:
        return None
    if isinstance(model, AutoClassifier):
        found: Mapping[str, Array] = _ensembles(model)
    elif comparison.probabilities is not None:
        found = comparison.probabilities
    else:
        return None
    own, other = pair
    return HeldOutRows(comparison.rows, comparison.weight, found[own], found.get(other))


def other_predictions(auto: AutoClassifier, table: ReadTable) -> Array | None:
    """What the ensemble's twin predicts, (n, K): without the unlabeled rows if they are used, else with them.

    None if the twin would be the ensemble itself.
    """
    pool = copy.copy(auto.pool_)
    start = dict(pool.weights or {})
    names = list(pool.estimators_)
    every = {name: start[name] for name in names}
    alone = supervised_weights(every)
    if not alone or len(alone) == len(every) or auto.n_unlabeled_ == 0:
        return None
    pool.restrict(alone if auto.unlabeled_used_ else every)
    return pool.predict_proba(auto.forms_.of(table))


def _ensembles(auto: AutoClassifier) -> dict[str, Array]:
    """Held-out probabilities of an ensemble and of its supervised models, whose weights are cross-fitted."""
    pool, held_out = auto.pool_, auto.pool_.held_out_
    order = np.argsort(held_out.rows)
    start = {name: dict(pool.weights or {})[name] for name in pool.estimators_}
    share = auto.supervised_share_ if auto.unlabeled_used_ else 0.0
    found = crossfitted_pair(held_out, start, pool.ridge, share)
    return {name: np.exp(log_probs[order]) for name, log_probs in found.items()}
