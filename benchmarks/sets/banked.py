"""Prediction sets of the default ensemble from finished fits: ``python -m benchmarks.sets --bank FOLDER``.

What the models of :class:`semigen.AutoClassifier` say of held-out and of test rows is in the bank of
`benchmarks.accuracy`, so that all mixed tables take seconds. Default weights are those that were learned
without the table and its relatives.
"""

from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.accuracy import bank, mixed
from benchmarks.accuracy import learning as default_weights
from benchmarks.accuracy.bank import Entry
from benchmarks.markdown import table
from benchmarks.sets.scores import COVERAGE, GAPS, mean, pooled_ece, read, scores
from semigen.ensemble.auto import RIDGE
from semigen.ensemble.defaults import DEFAULT_WEIGHTS, for_columns
from semigen.ensemble.settle import settle
from semigen.ensemble.uncertainty import held_out_probabilities
from semigen.evaluation.conformal import set_rule

RESULTS = Path(__file__).resolve().parent / "banked.csv"
LABELS = (5, 20)
SUITE = "mixed"
FIELDS = (
    *("n_held_out", "n_test", "error", "coverage", "size", "class_coverage", "class_size", "ece"),
    *GAPS,
)


def measure(names: tuple[str, ...] = mixed.TABLES) -> list[dict[str, Any]]:
    """One line for each fit of the bank with held-out rows."""
    learned = json.loads(default_weights.FILE.read_text(encoding="utf-8"))["without group"]
    found = []
    for L, data in product(LABELS, names):
        if (bank.folder() / f"{SUITE}-{data}-{L}-0.npz").exists():
            one = bank.entry(SUITE, data, L, 0)
            known = DEFAULT_WEIGHTS | learned[default_weights.group(data)]
            if one.held_out.weight.any():
                found.append({"data": data, "L": L} | _line(one, for_columns(known, one.n_features)))
    return found


def _line(one: Entry, weights: dict[str, float]) -> dict[str, float]:
    names = one.names.tolist()
    start = {name: weights[name] for name in names}
    settled = settle(one.held_out, start, RIDGE, one.dependence_shift)
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
    probs = one.probabilities(weights)
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
    for L in sorted({row["L"] for row in found}):
        rows = [row for row in found if row["L"] == L]
        lines.append(
            [
                f"{L:g}",
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
        *("labels per class", "fits", "error, %", "coverage", "size"),
        *("by class: coverage of the mean class", "size", "ECE", "ECE of a fit"),
    ]
    return "\n".join(
        [
            "## All mixed tables",
            "",
            "The default ensemble on all its rows, one draw of labels for each table: what its models say is "
            "read from the bank of `benchmarks.accuracy`, and default weights are those that were learned "
            "without the table and its relatives (`--bank`).",
            "",
            table(head, lines),
            "",
        ]
    )
