"""Our results, the baselines and the targets, as markdown."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from benchmarks.accuracy import everyday, models, targets
from benchmarks.accuracy.outcomes import Cell, Results
from benchmarks.accuracy.splits import Suite
from benchmarks.columns.fits import mean_sd
from benchmarks.columns.fits import targets as target_table
from benchmarks.markdown import table

BASELINES = Path(__file__).resolve().parent / "baselines"
PUBLISHED = {
    "tables": ("bundled_tables.csv", 5),
    "sslbook": ("sslbook.csv", 12),
    "newsgroups": ("newsgroups.csv", 2),
}
"""Files of published means, and of how many seeds or splits they are."""
TITLES = {
    "tables": "bundled tables",
    "sslbook": "SSL book",
    "newsgroups": "20 Newsgroups by date",
    "permuted": "bundled tables with useless unlabeled rows",
    "mixed": "mixed tables, labels drawn at random",
    "packages": "tables of R packages, labels drawn at random",
    "unseen": "tables that nothing was chosen by, labels drawn at random",
    "shuffled": "tables whose classes are shuffled among the rows",
}
Given = dict[tuple[str, int, str], dict[str, str]]


def page(suite: Suite) -> str:
    """All tables of a suite."""
    results = Results.read(suite)
    if suite.name in models.EVERYDAY:
        title = f"# Accuracy: {TITLES[suite.name]}"
        written = "Written by `python -m benchmarks.accuracy`; [what it means](../../README.md)."
        return "\n".join(
            [title, "", written, "", *_targets(results), *everyday.tables(results), *_measured(results)]
        )
    percent = suite.name == "sslbook"
    draws = "splits" if percent else "seeds"
    parts = [
        f"# Accuracy: {TITLES[suite.name]}",
        "",
        "Written by `python -m benchmarks.accuracy`; [what it means](../../README.md).",
        f"Mean ± standard deviation over {suite.seeds} {draws}. Rank: mean over cells, among "
        "methods that a user could pick.",
        "",
        *_targets(results),
        *targets.comparison(results),
        f"## Error{', %' if percent else ''}",
        "",
        _methods(results, "err", unit=100.0 if percent else 1.0, digits=1 if percent else 3),
        "",
        "## Log-loss, nats (probabilities clipped at 1e-6)",
        "",
        _methods(results, "logloss", unit=1.0, digits=3),
        "",
    ]
    if suite.name == "sslbook":
        parts += _book_best(results)
    if suite.name in PUBLISHED:
        parts += _published(results, _given(suite.name))
    if suite.name == "tables":
        parts += _recipe(results, _given(suite.name))
    return "\n".join([*parts, *_measured(results)])


def _targets(results: Results) -> list[str]:
    if models.AUTO not in results.methods:
        return ["## Targets", "", "AutoClassifier has not been run yet.", ""]
    stamps = ", ".join(f"{date} at {commit}" for date, commit in sorted(results.commits[models.AUTO]))
    parts = ["## Targets", "", f"AutoClassifier, measured {stamps}.", ""]
    if mixed := results.mixed():
        parts += [
            f"**Rows of different commits: {', '.join(mixed)}.** Measure again with `--fresh-methods`.",
            "",
        ]
    return [*parts, *target_table(targets.lines(results))]


def _groups(results: Results) -> list[tuple[str, list[Cell]]]:
    """Columns of means: of all cells, and on the book of the dense sets by number of labels."""
    groups = [("mean", results.cells)]
    if results.suite.name == "sslbook":
        groups += [(f"six dense, {n}", [(data, n) for data in targets.DENSE]) for n in results.suite.labels]
    return groups


def _methods(results: Results, measure: str, *, unit: float, digits: int) -> str:
    """A line a method: cells, means, rank and seconds."""
    groups, ranks = _groups(results), results.ranks(measure)
    names = [f"{data} {n}" for data, n in results.cells]
    head = ["method", *names, *(name for name, _ in groups), "rank", "seconds"]
    lines = []
    for method in results.methods:
        each = [mean_sd(unit * results.values(cell, method, measure), digits) for cell in results.cells]
        means = [unit * results.mean_over(cells, method, measure) for _, cells in groups]
        tail = [_number(mean, digits) for mean in means]
        tail += [_number(ranks.get(method, np.nan), 1), _number(results.seconds(method), 2)]
        lines.append([method, *each, *tail])
    return table(head, lines)


def _number(value: float, digits: int) -> str:
    return "—" if np.isnan(value) else f"{value:.{digits}f}"


def _book_best(results: Results) -> list[str]:
    lines = []
    for cell in results.cells:
        best, method = targets.BOOK_BEST[cell]
        ours = [mean_sd(100.0 * results.values(cell, name, "err"), 1) for name in models.OURS]
        lines.append([f"{cell[0]} {cell[1]}", f"{best:.1f}", method, *ours])
    return [
        "## The book's best, error in %",
        "",
        "The lowest error of any of the book's methods, cited from memory and not measured again.",
        "",
        table(["data, labels", "book's best", "its method", *models.OURS], lines),
        "",
    ]


def _given(suite: str) -> Given:
    with (BASELINES / PUBLISHED[suite][0]).open(encoding="utf-8", newline="") as file:
        return {(row["data"], int(row["L"]), row["method"]): row for row in csv.DictReader(file)}


def _published(results: Results, given: Given) -> list[str]:
    """How near our runs of the baselines come to the published means; the published ones not run again."""
    seeds = PUBLISHED[results.suite.name][1]
    keys = [key for key in ("err", "logloss") if key in next(iter(given.values()))]
    unit = {"err": 100.0 if results.suite.name == "sslbook" else 1.0, "logloss": 1.0}
    again, other = [], []
    for name in dict.fromkeys(method for _, _, method in given):
        if name not in models.BASELINES:
            other.append(name)
            continue
        line = [name]
        for key in keys:
            apart = []
            for cell in results.cells:
                text = given.get((*cell, name), {}).get(key, "")
                values = unit[key] * results.values(cell, name, key)[:seeds]
                if text and len(values):
                    digits = len(text.partition(".")[2])
                    apart.append(abs(round(float(values.mean()), digits) - float(text)))
            line += [f"{max(apart):.4f}" if apart else "—", str(len(apart))]
        again.append(line)
    head = ["baseline", *(text for key in keys for text in (f"largest difference of {key}", "cells"))]
    parts = [
        "## The published baselines",
        "",
        f"Largest difference between our mean of the first {seeds} seeds or splits and the published one, "
        "rounded alike.",
        "",
        table(head, again),
        "",
    ]
    if other:
        parts += ["Published means of methods that were not run again: error / log-loss.", ""]
        lines = []
        for cell in results.cells:
            found = [given.get((*cell, name), {}) for name in other]
            texts = [" / ".join(one.get(key) or "—" for key in keys) for one in found]
            lines.append([f"{cell[0]} {cell[1]}", *texts])
        parts += [table(["data, labels", *other], lines), ""]
    return parts


def _recipe(results: Results, given: Given) -> list[str]:
    """The textbook recipe: published means, an independent implementation, and ours on the same splits."""
    parts = [
        "## The textbook recipe is a special case",
        "",
        "`MixtureClassifier(shrinkage=0)` beside the published `seed-EM-full` on the same labeled rows, and",
        "minus an independent implementation: paired mean difference ± standard deviation over seeds.",
        "One implementation adds 1e-6 to the diagonal of each covariance (ridge), as the published one does;",
        "the other raises eigenvalues to 1e-6 (floor), as semigen does. All stop on a gain below tol=1e-6",
        "nats per row. The published run stopped earlier: compare it with the column of tol=1e-5.",
        "",
    ]
    for key, name in (("err", "Error"), ("logloss", "Log-loss")):
        twins = ["minus ridge", "minus floor"]
        head = [name, "published", models.COARSE, models.TEXTBOOK, *twins]
        lines = []
        for cell in results.cells:
            published = given.get((*cell, "seed-EM-full"), {}).get(key, "") or "—"
            ours = [_number(results.mean(cell, m, key), 4) for m in (models.COARSE, models.TEXTBOOK)]
            paired = [
                mean_sd(results.paired(cell, models.TEXTBOOK, twin, key), 4, sign="+")
                for twin in (models.TWIN, models.TWIN_FLOOR)
            ]
            lines.append([f"{cell[0]} {cell[1]}", published, *ours, *paired])
        parts += [table(head, lines), ""]
    return parts


def _measured(results: Results) -> list[str]:
    """When and at which commit; what is not finished."""
    stamps: dict[str, list[str]] = {}
    for method in results.methods:
        when = ", ".join(f"{date} at {commit}" for date, commit in sorted(results.commits[method]))
        stamps.setdefault(when, []).append(method)
    parts = ["## Measured", "", *(f"- {when}: {', '.join(names)}" for when, names in stamps.items()), ""]
    if unfinished := results.unfinished():
        parts += [f"Not all seeds are finished for {', '.join(unfinished)}.", ""]
    return parts
