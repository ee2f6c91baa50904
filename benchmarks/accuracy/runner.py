"""Runs cells, appends each finished one to a CSV file and never runs a finished one again."""

from __future__ import annotations

import csv
import time
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks import environment, records
from benchmarks.accuracy import models
from benchmarks.accuracy.splits import BINS, GAPS, SUITES, Cell, Suite
from benchmarks.calibration import gaps

RESULTS = Path(__file__).resolve().parent / "results"
CLIP = 1e-6


def path(suite: str) -> Path:
    """Where a suite's results are."""
    return RESULTS / f"{suite}.csv"


def read(suite: str) -> list[dict[str, str]]:
    """Finished cells."""
    return records.read(path(suite))


def forget(suite: str, methods: Collection[str]) -> None:
    """Drop the finished cells of some methods, so that they run again."""
    rows = read(suite)
    if not rows:
        return
    part = path(suite).with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = _writer(file, SUITES[suite])
        writer.writeheader()
        writer.writerows(row for row in rows if row["method"] not in methods)
    part.replace(path(suite))


def run(suite: Suite, *, data: list[str], methods: Iterable[str], quick: bool, jobs: int) -> None:
    """Run what is not finished; ``data`` and ``methods`` limit it (empty: all)."""
    done = {(row["data"], int(row["L"]), row["method"], int(row["seed"])) for row in read(suite.name)}
    cells = [
        cell
        for cell in suite.cells(models.for_suite(suite.name), quick)
        if (cell.data, cell.L, cell.method, cell.seed) not in done
        and (not data or cell.data in data)
        and (not methods or cell.method in methods)
    ]
    cells = _readable(suite, _installed(cells))
    print(f"{suite.name}: {len(done)} cells finished, {len(cells)} to run", flush=True)
    if not cells:
        return
    stamp = environment.stamp()
    fresh = not path(suite.name).exists()
    RESULTS.mkdir(exist_ok=True)
    with path(suite.name).open("a", encoding="utf-8", newline="") as file:
        writer = _writer(file, suite)
        if fresh:
            writer.writeheader()
        for row in _rows(suite.name, cells, jobs):
            writer.writerow({**row, **stamp})
            file.flush()


def _writer(file: Any, suite: Suite) -> csv.DictWriter[str]:
    columns = ["data", "L", "method", "seed", *suite.measures, "n_iter", "date", "commit"]
    return csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")


def _installed(cells: list[Cell]) -> list[Cell]:
    problems = {name: models.METHODS[name].problem for name in dict.fromkeys(cell.method for cell in cells)}
    for name, problem in problems.items():
        if problem:
            print(f"{name} is left out: {problem}", flush=True)
    return [cell for cell in cells if not problems[cell.method]]


def _readable(suite: Suite, cells: list[Cell]) -> list[Cell]:
    good = []
    for name in dict.fromkeys(cell.data for cell in cells):
        if reason := suite.problem(name):
            print(f"{name} is left out: {reason}", flush=True)
        else:
            good += [cell for cell in cells if cell.data == name]
    return good


def _rows(suite: str, cells: list[Cell], jobs: int) -> Iterator[dict[str, Any]]:
    groups = list(_sharing_a_fit(cells))
    if jobs == 1:
        yield from chain.from_iterable(map(partial(score, suite), groups))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from chain.from_iterable(pool.map(partial(score, suite), groups))


def _sharing_a_fit(cells: list[Cell]) -> Iterable[list[Cell]]:
    groups: dict[Any, list[Cell]] = defaultdict(list)
    for cell in cells:
        method = models.METHODS[cell.method]
        fit = cell.method if method.change is None else method.make
        groups[cell.data, cell.L, cell.seed, fit].append(cell)
    return groups.values()


def score(suite: str, cells: list[Cell]) -> list[dict[str, Any]]:
    """Error and log-loss of cells that share a fit; nothing where the method cannot run on the data."""
    split = SUITES[suite].split(cells[0].data, cells[0].L, cells[0].seed)
    method = models.METHODS[cells[0].method]
    if method.kept is not None:
        return [_row(cell, split.y_test, *method.kept(suite, cell)) for cell in cells]
    rows = method.rows(split)
    if rows is None:
        return []
    X, X_test = rows
    found = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged within the default iterations: part of the result
        begin = time.perf_counter()
        model = method.fit(X, split.y)
        fitted = time.perf_counter() - begin
        for cell in cells:
            begin = time.perf_counter()
            change = models.METHODS[cell.method].change
            if change is not None:
                change(model)
            probs = model.predict_proba(X_test)
            seconds = fitted + time.perf_counter() - begin
            n_iter = int(np.max(getattr(model, "n_iter_", 0)))
            found.append(_row(cell, split.y_test, model.classes_, probs, seconds, n_iter))
    return found


def _row(
    cell: Cell, y_test: Any, classes: Any, probs: Any, seconds: float, n_iter: int = 0
) -> dict[str, Any]:
    """One line of the results."""
    # label spreading has 0 / 0 where no labeled row can be reached: equal probabilities, clipped
    probs = np.clip(np.nan_to_num(probs), CLIP, None)
    return {
        "data": cell.data,
        "L": cell.L,
        "method": cell.method,
        "seed": cell.seed,
        **_losses(classes, probs, y_test),
        "seconds": round(seconds, 3),
        "n_iter": n_iter,
    }


def _losses(classes: Any, probs: Any, y_test: Any) -> dict[str, float]:
    probs = probs / probs.sum(axis=1, keepdims=True)
    truth = np.searchsorted(classes, y_test)
    # a class without a labeled row cannot be predicted: its rows count as wrong
    known = np.isin(y_test, classes)
    likelihood = np.where(known, probs[np.arange(len(truth)), np.minimum(truth, probs.shape[1] - 1)], CLIP)
    right = known & (probs.argmax(axis=1) == truth)
    found = {
        "err": float(1 - right.mean()),
        "logloss": float(-np.log(likelihood).mean()),
        "balanced": float(1 - np.mean([right[y_test == k].mean() for k in np.unique(y_test)])),
        "auc": _auc(classes, probs, y_test),
        **dict(zip(GAPS, gaps(probs.max(axis=1), right, BINS).tolist(), strict=True)),
    }
    return {name: round(value, 5) for name, value in found.items()}


def _auc(classes: Any, probs: Any, y_test: Any) -> float:
    """Mean over the classes of the area under the ROC curve of each against the others."""
    areas = [
        roc_auc_score(y_test == k, probs[:, classes == k].sum(axis=1))
        for k in np.unique(y_test)
        if not (y_test == k).all()
    ]
    return float(np.mean(areas)) if areas else 1.0
