"""Sections about held-out rows: scores class by class, calibration, thresholds, labels that look wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.evaluation import intervals
from semigen.evaluation.doubt import LOOK_WRONG, label_doubts
from semigen.evaluation.metrics import row_log_loss
from semigen.evaluation.ranking import ranking
from semigen.reporting.evidence import Evidence, HeldOutRows, rounded

Array = NDArray[np.float64]

LEAST_ROWS_PER_BIN, MOST_BINS = 8, 10
N_THRESHOLDS = 101
MOST_SUSPICIOUS = 30
BY_MODEL, BY_ADVICE = "saved model", "advice"
COVERAGE = 0.9
MOST_CLASSES_OF_CONFUSION = 30
_MAX_LOSS = 14.0


def held_out(evidence: Evidence) -> dict[str, Any] | None:
    """Scores on held-out rows: of all, of each class, and which classes are taken for which.

    ``precision`` and ``recall`` have Wilson's 95 % intervals and are null where there is no such row.
    ``confusion`` has for each true class its rows by predicted class; ``shares`` the same as shares of the
    rows of the true class. ``ranking`` (:class:`~semigen.evaluation.ranking.Ranking`) is null unless there
    are two classes.
    """
    if evidence.held_out is None:
        return None
    rows = evidence.held_out
    code, predicted = evidence.code[rows.rows], rows.probabilities.argmax(axis=1)
    confusion = np.zeros((len(evidence.classes),) * 2, dtype=int)
    np.add.at(confusion, (code, predicted), 1)
    classes = []
    for k, label in enumerate(evidence.classes):
        called, true = confusion[:, k].sum(), confusion[k].sum()
        classes.append(
            {
                "class": label,
                "n_rows": int(true),
                "n_predicted": int(called),
                "precision": _share(confusion[k, k], called),
                "recall": _share(confusion[k, k], true),
            }
        )
    ranked = ranking(rows.probabilities, code, rows.weight, tuple(evidence.classes))
    few = len(classes) <= MOST_CLASSES_OF_CONFUSION
    return {
        "n_rows": len(code),
        "accuracy": asdict(intervals.of_share((predicted == code).astype(float), rows.weight)),
        "log_loss": asdict(
            intervals.of_mean(row_log_loss(rows.probabilities, code), rows.weight, 0.0, _MAX_LOSS)
        ),
        "ranking": None if ranked is None else ranked.to_dict(),
        "classes": classes,
        "confusion": confusion.tolist() if few else None,
        "shares": [[_share(n, row.sum()) for n in row] for row in confusion] if few else None,
        "twin": None if rows.other is None else _twin(evidence, rows),
    }


def reliability(evidence: Evidence) -> dict[str, Any] | None:
    """Whether rows that get a probability of 80 % are right in 80 % of the cases.

    Held-out rows are sorted by the probability of their predicted class and cut into bins of equal size.
    ``expected_calibration_error`` is the mean difference between the two, weighted by rows.
    """
    if evidence.held_out is None or len(evidence.held_out.rows) < 2 * LEAST_ROWS_PER_BIN:
        return None
    rows = evidence.held_out
    confidence = rows.probabilities.max(axis=1)
    right = (rows.probabilities.argmax(axis=1) == evidence.code[rows.rows]).astype(float)
    n_bins = min(MOST_BINS, len(confidence) // LEAST_ROWS_PER_BIN)
    bins: list[dict[str, Any]] = []
    for mine in np.array_split(np.argsort(confidence, kind="stable"), n_bins):
        share = intervals.of_share(right[mine], np.ones(len(mine)))
        mean = rounded(confidence[mine].mean())
        bins.append({"n_rows": len(mine), "probability": mean, "right": asdict(share)})
    gaps = [one["n_rows"] * abs(one["probability"] - one["right"]["value"]) for one in bins]
    return {"bins": bins, "expected_calibration_error": rounded(sum(gaps) / len(confidence))}


def thresholds(evidence: Evidence) -> dict[str, Any] | None:
    """What calling every row above a probability a class would get right and wrong, for each class.

    ``threshold`` has the thresholds; for each class and threshold there are the held-out rows of the class
    that reach it (``hits``) and of other classes (``false_alarms``), the held-out rows of the class in all
    (``n_rows``), and the unlabeled rows that reach it (``unlabeled``).
    """
    if evidence.held_out is None:
        return None
    grid = np.linspace(0, 1, N_THRESHOLDS)
    rows = evidence.held_out
    code, rest = evidence.code[rows.rows], evidence.code < 0
    return {
        "threshold": [round(float(value), 2) for value in grid],
        "n_rows": len(code),
        "n_unlabeled": int(rest.sum()),
        "classes": [
            {
                "class": label,
                "n_rows": int((code == k).sum()),
                "hits": _reaching(rows.probabilities[code == k, k], grid),
                "false_alarms": _reaching(rows.probabilities[code != k, k], grid),
                "unlabeled": _reaching(evidence.probabilities[rest, k], grid),
            }
            for k, label in enumerate(evidence.classes)
        ],
    }


def suspicious_labels(evidence: Evidence) -> list[dict[str, Any]] | None:
    """Labels that are more likely wrong than right by models that did not see them, the surest first."""
    if evidence.held_out is None:
        return None
    rows = evidence.held_out
    doubts = label_doubts(rows.probabilities, evidence.code[rows.rows])
    return [_suspect(evidence, i, [BY_MODEL]) for i in doubts.listed[:MOST_SUSPICIOUS]]


def with_advice(found: dict[str, Any], evidence: Evidence) -> dict[str, Any]:
    """Sections with advice among them, whose models may doubt other labels than the saved model: these follow
    on those that it doubts.
    """
    suspects, advice = found.get("suspicious_labels"), found.get("advice")
    if suspects is None or advice is None or evidence.held_out is None:
        return found
    about = (one["evidence"]["rows"] for one in advice["findings"] if one["name"] == LOOK_WRONG)
    doubted = [one["row"] for one in next(about, [])]
    both = [BY_MODEL, BY_ADVICE]
    known = [one | {"doubted_by": both} if one["row"] in doubted else one for one in suspects]
    others = [row for row in doubted if row not in {one["row"] for one in suspects}]
    place = {row: i for i, row in enumerate(evidence.held_out.rows.tolist())}
    more = [_suspect(evidence, place[row], [BY_ADVICE]) for row in others if row in place]
    return found | {"suspicious_labels": known + more}


def _suspect(evidence: Evidence, i: int, by: list[str]) -> dict[str, Any]:
    """The label of a held-out row beside what the model says that did not see it."""
    assert evidence.held_out is not None
    row, probs = int(evidence.held_out.rows[i]), evidence.held_out.probabilities[i]
    given, best = evidence.code[row], probs.argmax()
    return {
        **evidence.row(row),
        "given": evidence.classes[given],
        "probability_of_given": rounded(probs[given]),
        "predicted": evidence.classes[best],
        "probability": rounded(probs[best]),
        "doubted_by": by,
    }


def prediction_sets(evidence: Evidence) -> dict[str, Any] | None:
    """How many classes the prediction sets of the unlabeled rows have (of all rows, if all are labeled).

    None for models without prediction sets, and where no row was held out.
    """
    if evidence.held_out is None or not hasattr(evidence.model, "set_rule"):
        return None
    rest = evidence.code < 0
    rows = np.flatnonzero(rest) if rest.any() else np.arange(len(rest))
    sizes = evidence.model.set_rule(COVERAGE).sets(evidence.probabilities[rows]).sum(axis=1)
    return {
        "coverage": COVERAGE,
        "of": "unlabeled" if rest.any() else "labeled",
        "n_rows": len(rows),
        "sizes": [
            {"n_classes": int(size), "n_rows": int(count)}
            for size, count in zip(*np.unique(sizes, return_counts=True), strict=True)
        ],
    }


def _twin(evidence: Evidence, rows: HeldOutRows) -> list[dict[str, Any]]:
    """Of each class, the share of its held-out rows that the twin has right."""
    assert rows.other is not None
    code = evidence.code[rows.rows]
    right = rows.other.argmax(axis=1) == code
    return [
        {"class": label, "recall": _share(right[code == k].sum(), (code == k).sum())}
        for k, label in enumerate(evidence.classes)
    ]


def _share(some: Any, every: Any) -> dict[str, float] | None:
    """A share of rows with its 95 % interval; None of none."""
    if not every:
        return None
    low, high = intervals.wilson(float(some) / float(every), float(every))
    return {"value": rounded(some / every), "low": rounded(low), "high": rounded(high)}


def _reaching(probabilities: Array, grid: Array) -> list[int]:
    """How many probabilities are at least as large as each threshold."""
    ordered = np.sort(probabilities)
    return [len(ordered) - int(n) for n in np.searchsorted(ordered, grid - 1e-12)]
