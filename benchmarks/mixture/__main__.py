"""``python -m benchmarks.mixture``: the default mixture, other settings, and what a user would take instead.

The bundled tables and the first twenty numeric tables of a folder (``--tables``), at most 1,500 rows each,
30 % of them to judge on; 3, 10 and 30 labels per class. The priors of semigen 0.2 are fitted beside them, in
the same process, so that seconds compare.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks import environment, markdown
from semigen.columns import learn
from semigen.data.blocks import Data
from semigen.data.labels import encode
from semigen.datasets import bundled_table
from semigen.em import Mixture, ThreadEngine, fit, log_joint, start
from semigen.families import choose
from semigen.mixture import MixtureClassifier

RESULTS = Path(__file__).resolve().parent / "results"
DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"
BUNDLED = ("iris", "wine", "breast_cancer", "digits")
N_TABLES, MOST_ROWS, TEST_SHARE = 20, 1500, 0.3
BUDGETS, SEEDS = (3, 10, 30), 5
CLIP = 1e-6
COLUMNS = ["table", "labels", "seed", "method", "error", "log_loss", "seconds"]

Answer = tuple[np.ndarray, np.ndarray]


def flat(covariance: str, X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """The default of semigen 0.2: one level of prior, spread half as wide as all rows, λ = 1."""
    schema, x = learn(X)
    data = Data(x, encode(y), np.ones(len(x)))
    mixture = Mixture(choose("auto", covariance, schema), np.arange(y.max() + 1), y.max() + 1)
    with ThreadEngine(1).open() as engine:
        prior = mixture.family.fit_prior(data, None, engine)
        begin = start(mixture, prior, data, engine, np.random.default_rng(0))
        found = fit(mixture, prior, data, begin, engine)
    return log_softmax(log_joint(mixture, found.params, Data.unlabeled(X_test)), axis=1)


def ours(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, **settings: Any) -> np.ndarray:
    """A mixture of today, on one thread."""
    return MixtureClassifier(engine=ThreadEngine(1), **settings).fit(X, y).predict_log_proba(X_test)


def labeled_only(model: Any, X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Anything of scikit-learn's, on the labeled rows."""
    return np.asarray(model.fit(X[y >= 0], y[y >= 0]).predict_log_proba(X_test))


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "default": ours,
    "full": partial(ours, covariance="full"),
    "diag": partial(ours, covariance="diag"),
    "full, λ balanced, power 1": lambda X, y, X_test: ours(
        X,
        y,
        X_test,
        covariance="full",
        unlabeled_weight=min(1.0, (y >= 0).sum() / max(1, (y < 0).sum())),
        calibrate=1.0,
    ),
    "full, 0.2": partial(flat, "full"),
    "tied, 0.2": partial(flat, "tied"),
    "diag, 0.2": partial(flat, "diag"),
    "shrinkage=0": partial(ours, covariance="full", shrinkage=0, unlabeled_weight=1.0, calibrate=1.0),
    "LDA, shrinkage": partial(labeled_only, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
    "logistic regression": partial(
        labeled_only, make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    ),
}


def tables(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, columns and classes of each table."""
    for name in BUNDLED:
        one = bundled_table(name, labels_per_class=1, random_state=0)
        yield name, one.X, np.unique(one.y_true, return_inverse=True)[1]
    if not (folder / "index.csv").exists():
        print(f"skipped: there are no tables in {folder} (--tables)")
        return
    index = pd.read_csv(folder / "index.csv")
    for name in index.loc[index["text_columns"] == 0, "table"][:N_TABLES]:
        frame = pd.read_csv(folder / f"{name}.csv.gz")
        y = np.unique(frame.pop("target").astype(str), return_inverse=True)[1]
        yield name, frame.to_numpy(dtype=float), y


def splits(X: np.ndarray, y: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, Answer]]:
    """Budget, seed, rows to fit with their labels (-1: none), and rows to judge on with their classes."""
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS]
        n_test = int(TEST_SHARE * len(order))
        test, train = order[:n_test], order[n_test:]
        for budget in BUDGETS:
            shown = np.full(len(train), -1)
            for k in range(y.max() + 1):
                shown[np.flatnonzero(y[train] == k)[:budget]] = k
            if np.bincount(shown[shown >= 0], minlength=y.max() + 1).min() >= 2:
                yield budget, seed, X[train], shown, (X[test], y[test])


def measure(folder: Path, only: list[str]) -> list[dict[str, Any]]:
    """Every method on every split."""
    rows: list[dict[str, Any]] = []
    for name, X, y in tables(folder):
        if only and name not in only:
            continue
        since = time.perf_counter()
        for budget, seed, x, shown, (x_test, truth) in splits(X, y):
            for method, run in METHODS.items():
                begin = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    log_prob = run(x, shown, x_test)
                seconds = time.perf_counter() - begin
                loss = -np.maximum(log_prob[np.arange(len(truth)), truth], np.log(CLIP)).mean()
                error = (log_prob.argmax(axis=1) != truth).mean()
                rows.append(
                    dict(zip(COLUMNS, (name, budget, seed, method, error, loss, seconds), strict=True))
                )
        print(f"{name}: {time.perf_counter() - since:.0f} s", flush=True)
    return rows


def page(rows: pd.DataFrame) -> str:
    """Means over tables, by budget; and the tables where the default is worst beside another."""
    by_table = rows.groupby(["method", "labels", "table"])[["error", "log_loss", "seconds"]].mean()
    means = by_table.groupby(["method", "labels"]).mean().unstack("labels")
    lines = []
    for method in METHODS:
        cells = [
            "{:.1f} / {:.2f}".format(
                100 * means.loc[method, ("error", budget)], means.loc[method, ("log_loss", budget)]
            )
            for budget in BUDGETS
        ]
        seconds = by_table.loc[method, "seconds"] / by_table.loc["full, 0.2", "seconds"]
        lines.append([method, *cells, f"{seconds.median():.2f}"])
    table = markdown.table(["method", *(f"{b} labels per class" for b in BUDGETS), "seconds (ratio)"], lines)
    mean = by_table.groupby(["method", "table"])["error"].mean()
    worse = (mean["default"] - mean["tied, 0.2"]).sort_values(ascending=False)
    far = ", ".join(f"{name} {100 * value:+.1f}" for name, value in worse.head(5).items())
    head = (
        f"{rows['table'].nunique()} tables, {SEEDS} draws: mean error % / log-loss; seconds are the median "
        f"over tables of the ratio to the prior of 0.2. {environment.today()}, commit {environment.commit()}."
    )
    return f"{head}\n\n{table}\n\nFarthest behind tied, 0.2, in points of mean error: {far}.\n"


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture", description=__doc__)
    parser.add_argument("--tables", type=Path, default=DEFAULT, help="folder with index.csv and the tables")
    parser.add_argument("--only", nargs="*", default=[], help="names of tables; nothing is saved")
    options = parser.parse_args()
    with threadpool_limits(1):
        rows = measure(options.tables, options.only)
    text = page(pd.DataFrame(rows))
    print(text)
    if not options.only:
        RESULTS.mkdir(exist_ok=True)
        with (RESULTS / "cells.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        (RESULTS / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
