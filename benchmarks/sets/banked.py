"""Prediction sets of the default ensemble from finished fits: ``python -m benchmarks.sets --bank FOLDER``.

What the models of :class:`semigen.AutoClassifier` say of held-out and of test rows is in the bank of
`benchmarks.accuracy`, so that all mixed tables take seconds. Default weights are those that were learned
without the table and its relatives.
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.accuracy import bank, splits
from benchmarks.accuracy import learning as default_weights
from benchmarks.accuracy.bank import Entry
from benchmarks.markdown import table
from benchmarks.sets.scores import COVERAGE, GAPS, mean, pooled_ece, read, scores
from semigen.ensemble.auto import RIDGE
from semigen.ensemble.defaults import AXES, for_columns
from semigen.ensemble.settle import settle
from semigen.ensemble.uncertainty import held_out_probabilities
from semigen.evaluation.conformal import set_rule

RESULTS = Path(__file__).resolve().parent / "banked.csv"
LABELS = {"mixed": (5, 20, 100), "unseen": (20, 100)}
"""By suite of `benchmarks.accuracy`."""
CELLS = tuple((suite, L) for suite, labels in LABELS.items() for L in labels)
FIELDS = (
    *("n_held_out", "n_test", "error", "coverage", "size", "class_coverage", "class_size", "ece"),
    *GAPS,
)


def measure() -> list[dict[str, Any]]:
    """One line for each fit of the bank with held-out rows: a draw of labels of each table."""
    found = []
    for suite, L in CELLS:
        for data in splits.SUITES[suite].data:
            if not (bank.folder() / f"{suite}-{data}-{L}-0.npz").exists():
                continue
            one = bank.entry(suite, data, L, 0)
            if one.held_out.weight.any() and AXES not in one.names:
                found.append({"suite": suite, "data": data, "L": L} | _line(one, data))
    return found


def _line(one: Entry, data: str) -> dict[str, float]:
    names = one.names.tolist()
    weights = for_columns(default_weights.learned_without(data), one.n_features)
    harm = default_weights.learned_without(data, default_weights.HARM)
    start = {name: weights[name] for name in names}
    settled = settle(one.held_out, start, RIDGE, one.dependence_shift, one.agreed, one.n_features, harm)
    ensemble = SimpleNamespace(
        classes_=one.classes,
        class_prior_=np.exp(one.log_prior),
        estimators_=dict.fromkeys(names),
        held_out_=one.held_out,
        ridge=RIDGE,
        weights=start,
        weights_=settled.weights,
    )
    held_out = held_out_probabilities(ensemble, shared=True)
    probs = one.probabilities(weights, harm=harm)
    together, by_class = (set_rule(held_out, COVERAGE, by_class=each).sets(probs) for each in (False, True))
    values = scores(probs, one.code, together, by_class)
    values |= {"n_held_out": len(one.held_out.code), "n_test": len(one.code)}
    return {name: round(float(values[name]), 5) for name in FIELDS}


def save(found: list[dict[str, Any]]) -> None:
    """Write the lines."""
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


def page() -> str:
    """Means over the tables by budget, in Markdown."""
    found, lines = read(RESULTS), []
    for suite, L in CELLS:
        rows = [row for row in found if (row["suite"], row["L"]) == (suite, L)]
        lines.append(
            [
                suite,
                f"{L}",
                f"{len(rows)}",
                f"{100 * mean(rows, 'error'):.1f}",
                f"{100 * mean(rows, 'coverage'):.1f}",
                f"{mean(rows, 'size'):.2f}",
                f"{100 * mean(rows, 'class_coverage'):.1f}",
                f"{mean(rows, 'class_size'):.2f}",
                f"{pooled_ece(rows):.3f}",
                f"{mean(rows, 'ece'):.3f}",
            ]
        )
    head = [
        *("tables", "labels per class", "fits", "error, %", "coverage", "size"),
        *("by class: coverage of the mean class", "size", "ECE", "ECE of a fit"),
    ]
    return "\n".join(
        [
            "## All tables",
            "",
            "The default ensemble on all its rows, one draw of labels for each mixed table, and for each of "
            "those that no choice has seen: what its models say is read from the bank of "
            "`benchmarks.accuracy`, and what was learned over tables is that without the table and its "
            "relatives (`--bank`).",
            "",
            table(head, lines),
            "",
        ]
    )
