"""Sections about rows: the least certain, the least like the others, and a map of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import issparse

from semigen.columns.vectors import wide_frame
from semigen.data.rows import take_rows
from semigen.ensemble.auto import AutoClassifier
from semigen.judgement.query import query
from semigen.reporting.evidence import Array, Evidence, Rows, other_predictions, rounded
from semigen.representation import PrincipalAxes

MOST_ROWS = 20
MOST_NOVEL = 15
N_ASKED, MOST_ASKED = 20, 5_000
MOST_ON_MAP = 1_500
MOST_LABELED_ON_MAP = 500
SHOWN_COLUMNS = 4
_SEED = 0


def least_certain(evidence: Evidence, columns: list[Any]) -> list[dict[str, Any]]:
    """The unlabeled rows whose two best classes are nearest to one another; ``values`` has some columns."""
    return [
        {**evidence.prediction(row), "values": evidence.values(row, columns[:SHOWN_COLUMNS])}
        for row in evidence.uncertain[:MOST_ROWS]
    ]


def label_next(evidence: Evidence, columns: list[Any]) -> dict[str, Any] | None:
    """The rows that :func:`semigen.query` asks for, of at most ``MOST_ASKED`` drawn at random.

    Only for :class:`semigen.AutoClassifier`, whose fit knows which rows are alike.
    """
    rest = np.flatnonzero(evidence.code < 0)
    if not isinstance(evidence.model, AutoClassifier) or not len(rest):
        return None
    rng = np.random.default_rng(_SEED)
    labeled = rng.permutation(np.flatnonzero(evidence.code >= 0))[: MOST_ASKED // 2]
    rows = np.sort(np.concatenate([labeled, rng.permutation(rest)[: MOST_ASKED - len(labeled)]]))
    known = np.full(len(rows), None, dtype=object)
    given = evidence.code[rows]
    known[given >= 0] = evidence.model.classes_[given[given >= 0]]
    asked = query(evidence.model, take_rows(evidence.features, rows), known, N_ASKED, unlabeled=None)
    found = asked.to_dict()
    shown = columns[:SHOWN_COLUMNS]
    found["rows"] = [
        {**one, **evidence.row(row), "values": evidence.values(row, shown)}
        for one, row in zip(found["rows"], rows[asked.rows].tolist(), strict=True)
    ]
    return {**found, "n_rows": len(rows)}


def novel_rows(evidence: Evidence, columns: list[Any]) -> list[dict[str, Any]] | None:
    """The rows of least density, the least likely first.

    ``deviation`` says how far below the median the log density lies, in multiples of the distance from the
    median to the lower quartile: about 4 is rare in a bell curve, 10 and more is another kind of row.
    """
    density = evidence.log_density
    if density is None:
        return None
    quartile, median = np.quantile(density, [0.25, 0.5])
    scale = max(float(median - quartile), 1e-9)
    return [
        {
            **evidence.prediction(row),
            "log_density": rounded(density[row]),
            "deviation": rounded((median - density[row]) / scale, 2),
            "values": evidence.values(row, columns[:SHOWN_COLUMNS]),
        }
        for row in np.argsort(density, kind="stable")[:MOST_NOVEL]
    ]


def changed_rows(evidence: Evidence) -> dict[str, Any] | None:
    """How many unlabeled rows get another class without the unlabeled rows (or with them, if left out).

    Of at most 1,500 rows drawn at random. None for models whose twin is not known.
    """
    rest = np.flatnonzero(evidence.code < 0)
    if not len(rest):
        return None
    rng = np.random.default_rng(_SEED)
    rows = np.sort(rng.choice(rest, min(len(rest), MOST_ON_MAP), replace=False))
    other = _other(evidence, rows)
    if other is None:
        return None
    mine, twin = evidence.predicted[rows], other.argmax(axis=1)
    moves = [
        {
            "with_unlabeled": evidence.classes[(mine if evidence.uses_unlabeled else twin)[i]],
            "labeled_only": evidence.classes[(twin if evidence.uses_unlabeled else mine)[i]],
            **evidence.row(int(rows[i])),
        }
        for i in np.flatnonzero(mine != twin)
    ]
    return {"n_rows": len(rows), "n_changed": len(moves), "rows": moves[:MOST_ROWS]}


def map_of_rows(evidence: Evidence) -> dict[str, Any] | None:
    """All rows, or some of many, in two dimensions of the model's own representation.

    The axes are those directions in which the predicted classes lie furthest apart, for their spread.
    ``class`` and ``given`` are numbers in ``classes``, -1 for no label, ``twin`` the class without the
    unlabeled rows (or with them, if the model leaves them out), null where that is not known.
    """
    rows = _on_map(evidence)
    found = _axes(evidence, rows)
    if found is None:
        return None
    axes = _apart(found, evidence.probabilities[rows])
    other = _other(evidence, rows)
    uncertain = set(evidence.uncertain[:MOST_ROWS].tolist())
    return {
        "row": rows.tolist(),
        "id": [evidence.row(row)["id"] for row in rows],
        "x": [rounded(value, 3) for value in axes[:, 0]],
        "y": [rounded(value, 3) for value in axes[:, 1]],
        "class": evidence.predicted[rows].tolist(),
        "given": evidence.code[rows].tolist(),
        "probability": [rounded(value, 3) for value in evidence.probabilities[rows].max(axis=1)],
        "uncertain": [row in uncertain for row in rows.tolist()],
        "twin": None if other is None else other.argmax(axis=1).tolist(),
        "n_rows": len(evidence.code),
    }


def _on_map(evidence: Evidence) -> Rows:
    """The labeled rows, the least certain and others at random."""
    rng = np.random.default_rng(_SEED)
    labeled = np.flatnonzero(evidence.code >= 0)
    if len(labeled) > MOST_LABELED_ON_MAP:
        labeled = rng.choice(labeled, MOST_LABELED_ON_MAP, replace=False)
    rest = evidence.uncertain
    more = rng.permutation(rest[MOST_ROWS:])
    return np.sort(np.concatenate([labeled, rest[:MOST_ROWS], more])[:MOST_ON_MAP])


def _axes(evidence: Evidence, rows: Rows) -> NDArray[np.float64] | None:
    """Some rows on principal axes, (m, q): those of the model, or else of its columns."""
    table = evidence.table
    if isinstance(evidence.model, AutoClassifier) and table is not None:
        parts = evidence.model.forms_.of(table[rows]).parts
        return np.hstack([one.principal_axes for one in parts])
    if table is not None:
        return _projected(table[rows])
    if isinstance(evidence.features, list) or wide_frame(evidence.features) is not None:
        return None
    some = take_rows(evidence.features, rows)
    return _projected(some if issparse(some) else np.asarray(some, dtype=np.float64))


def _projected(some: Any) -> Array:
    return np.asarray(PrincipalAxes(n_axes=20).fit_transform(some))


def _apart(x: Array, probabilities: Array) -> Array:
    """Rows (m, q) in two directions in which their classes lie furthest apart, (m, 2).

    Fisher's discriminant directions, with class probabilities as weights. Directions that the classes do not
    determine (there are one less than classes) are the leading ones of ``x``.
    """
    x = x - x.mean(axis=0)
    means = probabilities.T @ x / np.maximum(probabilities.sum(axis=0), 1e-9)[:, None]
    between = (means.T * probabilities.sum(axis=0)) @ means / len(x)
    within = x.T @ x / len(x) - between
    scale = max(float(np.trace(within)) / len(within), 1e-12)
    _, directions = eigh(between, within + 0.05 * scale * np.eye(len(within)))
    first = directions[:, ::-1][:, : min(2, probabilities.shape[1] - 1)]
    base, _ = np.linalg.qr(np.column_stack([first, np.eye(len(x.T))]))
    found = np.zeros((len(x), 2))
    found[:, : min(2, x.shape[1])] = (x @ base)[:, :2]
    return found


def _other(evidence: Evidence, rows: Rows) -> Array | None:
    """What the model's twin predicts for some rows, where it is known."""
    if not isinstance(evidence.model, AutoClassifier) or evidence.table is None:
        return None
    return other_predictions(evidence.model, evidence.table[rows])
