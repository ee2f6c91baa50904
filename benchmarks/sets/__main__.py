"""Prediction sets of AutoClassifier on mixed tables: ``python -m benchmarks.sets``.

Beside them are those of split conformal prediction with the same labels: the same ensemble fitted on half of
them, thresholds (``p(true class)``, Sadinle, Lei & Wasserman 2019) from the other half. Fits that are in
``results.csv`` are skipped. All mixed tables, without a peer: ``--bank FOLDER``.
"""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from benchmarks import records
from benchmarks.accuracy import bank, mixed
from benchmarks.markdown import table
from benchmarks.sets import banked
from benchmarks.sets.scores import BINS, COVERAGE, GAPS, mean, pooled_ece, read, scores
from semigen import AutoClassifier

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results.csv", HERE / "results.md"
# fmt: off
TABLES = (
    "australian", "banana", "breast", "contraceptive", "german", "heart", "magic", "mammographic",
    "page-blocks0", "phoneme", "ring", "segment",
)
# fmt: on
LABELS = (10, 20, 50)
SEEDS = 3
MOST_ROWS = 1500
MIXTURES = 12
FIELDS = (
    "data", "L", "seed", "n_test", "error", "coverage", "size", "empty", "split_coverage", "split_size",
    "class_coverage", "least_class_coverage", "class_size", "split_class_size", "ece",
    *GAPS,
)  # fmt: skip


def fitted(X: Any, y: Any) -> AutoClassifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoClassifier(n_mixtures=MIXTURES, n_jobs=1).fit(X, y)


def split_conformal(X: Any, y: Any, X_test: Any, seed: int) -> tuple[Any, Any]:
    """Sets for all rows together and by class, from a fit on half of the labels; soft labels are none."""
    labeled = np.flatnonzero(y >= 0)
    _, calibrate = train_test_split(labeled, test_size=0.5, stratify=y[labeled], random_state=seed)
    shown = y.copy()
    shown[calibrate] = mixed.UNLABELED
    kept = np.setdiff1d(np.arange(len(y)), calibrate)  # calibration rows must be new to the fit
    model = fitted(X.iloc[kept].reset_index(drop=True), shown[kept])
    score = model.predict_proba(X.iloc[calibrate].reset_index(drop=True))[
        np.arange(len(calibrate)), np.searchsorted(model.classes_, y[calibrate])
    ]
    probs = model.predict_proba(X_test)

    def least(values: Any) -> float:
        rank = math.floor((1 - COVERAGE) * (len(values) + 1) + 1e-9)
        return float(np.sort(values)[rank - 1]) if rank else 0.0

    by_class = np.array([least(score[y[calibrate] == k]) for k in model.classes_])
    return probs >= least(score), probs >= by_class


def measure(data: str, per_class: int, seed: int) -> dict[str, Any]:
    y, y_test, (X, X_test) = mixed.split(data, per_class, seed, MOST_ROWS)
    model = fitted(X, y)
    code = np.searchsorted(model.classes_, y_test)
    probs = model.predict_proba(X_test)
    together, by_class = (model.predict_set(X_test, COVERAGE, by_class=one) for one in (False, True))
    split, split_by_class = split_conformal(X, y, X_test, seed)
    found = scores(probs, code, together, by_class) | {
        "empty": (~together.any(axis=1)).mean(),
        "split_coverage": split[np.arange(len(code)), code].mean(),
        "split_size": split.sum(axis=1).mean(),
        "split_class_size": split_by_class.sum(axis=1).mean(),
    }
    return {"data": data, "L": per_class, "seed": seed, "n_test": len(code)} | {
        name: round(float(value), 5) for name, value in found.items()
    }


def page(found: list[dict[str, Any]]) -> str:
    """Means over tables and seeds by budget, and by table."""

    def share(rows: list[dict[str, Any]], *names: str) -> list[str]:
        return [f"{100 * mean(rows, name):.1f}" for name in names]

    def size(rows: list[dict[str, Any]], *names: str) -> list[str]:
        return [f"{mean(rows, name):.2f}" for name in names]

    lines = []
    for per_class in LABELS:
        rows = [row for row in found if row["L"] == per_class]
        if rows:
            lines.append(
                [
                    f"{per_class}",
                    f"{len(rows)}",
                    *share(rows, "coverage"),
                    *size(rows, "size"),
                    *share(rows, "empty", "split_coverage"),
                    *size(rows, "split_size"),
                    *share(rows, "class_coverage"),
                    *size(rows, "class_size", "split_class_size"),
                    f"{pooled_ece(rows):.3f}",
                    f"{mean(rows, 'ece'):.3f}",
                ]
            )
    names = sorted({row["data"] for row in found})
    by_table = []
    for name in names:
        rows = [row for row in found if row["data"] == name]
        by_table.append(
            [
                name,
                *share(rows, "error", "coverage"),
                *size(rows, "size", "split_size"),
                *share(rows, "class_coverage"),
                *size(rows, "class_size", "split_class_size"),
                f"{mean(rows, 'ece'):.3f}",
            ]
        )
    return "\n".join(
        [
            "# Prediction sets",
            "",
            f"`python -m benchmarks.sets`: {len(names)} mixed tables cut to {MOST_ROWS:,} rows, "
            f"{SEEDS} draw(s) of labels each, `AutoClassifier(n_mixtures={MIXTURES})`, sets of "
            f"{100 * COVERAGE:.0f} %. Coverage in % of the test rows, sizes in classes. The expected "
            f"calibration error (ECE) has {BINS} bins, over the test rows of all tables, as in "
            "`benchmarks.accuracy`, and as the mean over single fits, whose few test rows raise it.",
            "",
            table(
                [
                    *("labels per class", "fits", "coverage", "size", "empty, %", "split: coverage"),
                    *("split: size", "by class: coverage of the mean class", "size", "split: size"),
                    *("ECE", "ECE of a fit"),
                ],
                lines,
            ),
            "",
            "## By table, all budgets",
            "",
            table(
                [
                    *("table", "error, %", "coverage", "size", "split: size", "by class: coverage", "size"),
                    *("split: size", "ECE of a fit"),
                ],
                by_table,
            ),
            "",
            banked.page(),
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sets", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the tables are")
    parser.add_argument("--data", nargs="*", default=TABLES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--fresh", action="store_true", help="measure again what is in the results")
    parser.add_argument("--bank", type=Path, help="folder of finished fits: all mixed tables, in seconds")
    parser.add_argument("--report", action="store_true", help="only write the page")
    options = parser.parse_args()
    mixed.point_to(options.folder)
    if options.fresh:
        RESULTS.unlink(missing_ok=True)
    done = {(row["data"], row["L"], row["seed"]) for row in read(RESULTS)}
    cells = [(data, L, seed) for seed in range(options.seeds) for L in LABELS for data in options.data]
    if options.bank is not None:
        bank.point_to(options.bank)
        banked.save(banked.measure())
    for cell in [] if options.report or options.bank else cells:
        if cell in done:
            continue
        with threadpool_limits(1):
            row = measure(*cell)
        print(*row.values(), flush=True)
        records.append(RESULTS, [row], FIELDS)
    text = page(read(RESULTS))
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
