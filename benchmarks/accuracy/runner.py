"""Runs cells, appends each finished one to a CSV file and never runs a finished one again."""

from __future__ import annotations

import csv
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import environment
from benchmarks.accuracy import models
from benchmarks.accuracy.splits import SUITES, Cell, Suite, book_problem

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS = ["data", "L", "method", "seed", "err", "logloss", "seconds", "n_iter", "date", "commit"]
CLIP = 1e-6


def path(suite: str) -> Path:
    """Where a suite's results are."""
    return RESULTS / f"{suite}.csv"


def read(suite: str) -> list[dict[str, str]]:
    """Finished cells."""
    if not path(suite).exists():
        return []
    with path(suite).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(suite: Suite, *, data: list[str], methods: list[str], quick: bool, jobs: int) -> None:
    """Run what is not finished; ``data`` and ``methods`` limit it (empty: all)."""
    done = {(row["data"], int(row["L"]), row["method"], int(row["seed"])) for row in read(suite.name)}
    cells = [
        cell
        for cell in suite.cells(models.for_suite(suite.name), quick)
        if (cell.data, cell.L, cell.method, cell.seed) not in done
        and (not data or cell.data in data)
        and (not methods or cell.method in methods)
    ]
    if suite.name == "sslbook":
        cells = _readable(cells)
    print(f"{suite.name}: {len(done)} cells finished, {len(cells)} to run", flush=True)
    stamp = {"date": environment.today(), "commit": environment.commit()}
    fresh = not path(suite.name).exists()
    RESULTS.mkdir(exist_ok=True)
    with path(suite.name).open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        for row in _rows(suite.name, cells, jobs):
            if row is not None:
                writer.writerow({**row, **stamp})
                file.flush()


def _readable(cells: list[Cell]) -> list[Cell]:
    good = []
    for name in dict.fromkeys(cell.data for cell in cells):
        if reason := book_problem(name):
            print(f"{name} is left out: {reason}", flush=True)
        else:
            good += [cell for cell in cells if cell.data == name]
    return good


def _rows(suite: str, cells: list[Cell], jobs: int) -> Iterator[dict[str, Any] | None]:
    if jobs == 1:
        yield from map(partial(score, suite), cells)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(partial(score, suite), cells)


def score(suite: str, cell: Cell) -> dict[str, Any] | None:
    """Error and log-loss of one cell; None where the data are too wide for the method."""
    split = SUITES[suite].split(cell.data, cell.L, cell.seed)
    if not models.affordable(cell.method, split.X.shape[1]):
        return None
    model = models.for_suite(suite)[cell.method]()
    begin = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged within the default iterations: part of the result
        model.fit(split.X, split.y)
        probs = np.clip(model.predict_proba(split.X_test), CLIP, None)
    seconds = time.perf_counter() - begin
    probs /= probs.sum(axis=1, keepdims=True)
    truth = np.searchsorted(model.classes_, split.y_test)
    # a class without a labelled row cannot be predicted: its rows count as wrong
    known = np.isin(split.y_test, model.classes_)
    likelihood = np.where(known, probs[np.arange(len(truth)), np.minimum(truth, probs.shape[1] - 1)], CLIP)
    right = known & (probs.argmax(axis=1) == truth)
    return {
        "data": cell.data,
        "L": cell.L,
        "method": cell.method,
        "seed": cell.seed,
        "err": round(float(1 - right.mean()), 5),
        "logloss": round(float(-np.log(likelihood).mean()), 5),
        "seconds": round(seconds, 3),
        "n_iter": getattr(model, "n_iter_", 0),
    }
