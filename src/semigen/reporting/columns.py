"""Sections about columns: how much the predictions depend on each, and what the classes look like in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse, vstack

from semigen.columns import ReadTable
from semigen.columns.vectors import wide_frame
from semigen.common.plain import plain
from semigen.evaluation.metrics import row_log_loss
from semigen.evaluation.parting import parting_columns
from semigen.judgement.giveaway import telling_columns
from semigen.reporting.evidence import Array, Evidence, Rows, rounded

MOST_COLUMNS, LEAST_COLUMNS = 60, 10
"""Columns that are shuffled; of more, those that tell the predicted classes apart best."""
MOST_CELLS = 6_000_000
"""That are predicted from for it: of tables of thousands of columns, fewer are shuffled."""
MOST_PREDICTIONS = 9_000
LEAST_ROWS, MOST_ROWS = 60, 300
BATCH = 4_000
N_BINS = 8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_LEVELS = 6
SHOWN_COLUMNS = 6
_SEED = 0
Column: TypeAlias = "tuple[Any, list[int], range]"
"""Name of a column of the table, its columns in the matrix, and its words among those beside the matrix."""


def importance(evidence: Evidence) -> dict[str, Any] | None:
    """How much the predictions change when the values of a column are shuffled among rows.

    ``change`` is the mean share of the probability that moves to other classes (half of the absolute
    differences), from 0 to 1, ``class_changes`` the share of rows whose class changes. ``log_loss`` is the
    increase of the log-loss on the labeled rows among these, nats per row, null without them: the model has
    seen their labels, so take it as relative. Columns that say the same as another one look less important
    than both are.
    """
    inputs = _inputs(evidence)
    if inputs is None:
        return None
    x, words, columns, predict = inputs
    n_all = len(columns)
    most = int(np.clip(MOST_CELLS // (LEAST_ROWS * x.shape[1]), LEAST_COLUMNS, MOST_COLUMNS))
    if n_all > most:
        scores = [
            _separation(_codes(x, places), evidence.probabilities) if places else np.inf
            for _, places, _ in columns
        ]
        best = np.sort(np.argsort(scores, kind="stable")[-most:])
        columns = [columns[j] for j in best]
    n_rows = int(np.clip(MOST_PREDICTIONS // len(columns), LEAST_ROWS, MOST_ROWS))
    rows = _some_rows(evidence.code, n_rows)
    rng = np.random.default_rng(_SEED)
    own, code = evidence.probabilities[rows], evidence.code[rows]
    labeled = code >= 0
    loss = row_log_loss(own[labeled], code[labeled]) if labeled.any() else np.empty(0)
    found = []
    words = None if words is None else words[rows]
    shuffled = _shuffled(x[rows], words, columns, predict, rng)
    for (name, *_), probs in zip(columns, shuffled, strict=True):
        rise = row_log_loss(probs[labeled], code[labeled]) - loss if labeled.any() else None
        found.append(
            {
                "column": plain(name),
                "change": rounded(np.abs(probs - own).sum(axis=1).mean() / 2),
                "class_changes": rounded((probs.argmax(axis=1) != own.argmax(axis=1)).mean()),
                "log_loss": None if rise is None else rounded(rise.mean()),
            }
        )
    found.sort(key=lambda one: -one["change"])
    return {"n_rows": len(rows), "n_labeled": int(labeled.sum()), "n_columns": n_all, "columns": found}


def telling(evidence: Evidence) -> list[Any] | None:
    """The columns of which each alone tells the class of every labeled row; None where there are none."""
    if evidence.table is None or not evidence.cells:
        return None
    return [
        plain(one) for one in telling_columns(evidence.table, evidence.code, evidence.model.classes_)
    ] or None


def parting(evidence: Evidence) -> list[dict[str, Any]] | None:
    """The columns in which unlabeled rows lie outside of the labeled ones; None where there are none."""
    if evidence.table is None or not evidence.cells:
        return None
    found = parting_columns(evidence.table, evidence.code)
    return [{"column": plain(name), "outside": rounded(share)} for name, share in found.items()] or None


def columns_by_class(evidence: Evidence, names: list[Any]) -> list[dict[str, Any]] | None:
    """What some columns look like in each class: in its labeled rows, and in all rows predicted as it.

    Of numbers and counts there are the quantiles at 5, 25, 50, 75 and 95 %, of categories and true/false
    values the shares of the most frequent levels.
    """
    table = evidence.table
    if table is None or issparse(table.matrix) or not evidence.cells:
        return None
    schema = table.schema
    of_name = {str(one.name): one for one in schema.inputs if one.encoded is None}
    found = []
    for name in names:
        one = of_name.get(str(name))
        if one is None:
            continue
        values, levels = table.matrix[:, one.first], schema.levels[one.first]
        describe: Callable[[Array], list[float] | None] = _quantiles
        about: dict[str, Any] = {"column": plain(one.name), "kind": schema.kinds[one.first]}
        if levels is not None or about["kind"] == "flag":
            shown = _frequent(values)
            about["levels"] = [
                plain(levels[int(v)]) if levels and v < len(levels) else plain(v) for v in shown
            ]
            describe = _level_shares(shown)
        about["classes"] = [
            {
                "class": label,
                "labeled": describe(values[evidence.code == k]),
                "predicted": describe(values[evidence.predicted == k]),
            }
            for k, label in enumerate(evidence.classes)
        ]
        found.append(about)
        if len(found) == SHOWN_COLUMNS:
            break
    return found or None


def _inputs(evidence: Evidence) -> tuple[Array, Any, list[Column], Callable[[Any, Any], Array]] | None:
    """Rows as a matrix, the words beside it, the columns of the table, and how rows are predicted."""
    model, table = evidence.model, evidence.table
    if not evidence.cells or isinstance(evidence.features, list) or issparse(evidence.features):
        return None
    if table is None:
        if wide_frame(evidence.features) is not None:
            return None
        x = np.asarray(evidence.features)
        if x.ndim != 2 or not len(x):
            return None
        columns: list[Column] = [(j, [j], range(0)) for j in range(x.shape[1])]
        return x, None, columns, lambda rows, _: model.predict_proba(rows)
    if issparse(table.matrix):
        return None
    columns = [
        (one.name, [one.first] if one.encoded is None else list(one.encoded.columns), range(0))
        for one in table.schema.inputs
    ]
    columns += [(one.name, [], one.columns) for one in table.schema.documents]

    def predict(rows: Any, words: Any) -> Array:
        return np.asarray(model.predict_proba(ReadTable(table.schema, rows, words)))

    return table.matrix, table.words, columns, predict


def _some_rows(code: Rows, most: int) -> Rows:
    """Rows to predict again, half of them labeled if there are so many."""
    rng = np.random.default_rng(_SEED)
    labeled, rest = rng.permutation(np.flatnonzero(code >= 0)), rng.permutation(np.flatnonzero(code < 0))
    first = labeled[: max(most // 2, most - len(rest))]
    return np.sort(np.concatenate([first, rest[: most - len(first)]]))


def _shuffled(
    x: Array, words: Any, columns: list[Column], predict: Callable[[Any, Any], Array], rng: Any
) -> Iterator[Array]:
    """Predictions for the rows with the values of one column shuffled, for each column."""
    n = len(x)
    together = max(1, min(BATCH // n, MOST_CELLS // x.size))
    for begin in range(0, len(columns), together):
        part = columns[begin : begin + together]
        copies, of_words = np.tile(x, (len(part), 1)), []
        for i, (_, places, in_words) in enumerate(part):
            order = rng.permutation(n)
            copies[i * n : (i + 1) * n, places] = x[order][:, places]
            if words is not None:
                first, end = in_words.start, in_words.stop
                of_words.append(hstack([words[:, :first], words[order, first:end], words[:, end:]]))
        probs = predict(copies, csr_array(vstack(of_words)) if of_words else None)
        yield from (probs[i * n : (i + 1) * n] for i in range(len(part)))


def _codes(x: Array, places: list[int]) -> Rows:
    """A column in at most ``N_BINS`` bins of equal size, missing values apart."""
    values = x[:, places[0]].astype(np.float64)
    if np.isnan(values).all():
        return np.full(len(values), N_BINS)
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    return np.where(np.isnan(values), N_BINS, np.searchsorted(edges, values))


def _separation(codes: Rows, probabilities: Array) -> float:
    """How far apart the mean class probabilities of bins are: their variance, summed over classes."""
    count = np.bincount(codes, minlength=N_BINS + 1)
    mean = probabilities.mean(axis=0)
    total = 0.0
    for k, overall in enumerate(mean):
        sums = np.bincount(codes, probabilities[:, k], minlength=N_BINS + 1)
        filled = count > 0
        total += float((count[filled] * (sums[filled] / count[filled] - overall) ** 2).sum())
    return total / len(codes)


def _quantiles(values: Array) -> list[float] | None:
    values = values[np.isfinite(values)]
    return [float(f"{value:.6g}") for value in np.quantile(values, QUANTILES)] if len(values) else None


def _frequent(values: Array) -> NDArray[Any]:
    """The most frequent values, in their order."""
    found, count = np.unique(values[np.isfinite(values)], return_counts=True)
    return np.asarray(found[np.sort(np.argsort(-count, kind="stable")[:MOST_LEVELS])])


def _level_shares(shown: NDArray[Any]) -> Callable[[Array], list[float] | None]:
    def shares(values: Array) -> list[float] | None:
        values = values[np.isfinite(values)]
        return [rounded((values == level).mean()) for level in shown] if len(values) else None

    return shares
