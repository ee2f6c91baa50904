"""Predictions of the default model: microseconds a row, beside those of another tree of the sources.

``python -m benchmarks.speed.predicting [OTHER/src]``: both predict the same rows with the models that were
fitted here, in turns, so that what else the machine does hits both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import semigen

TABLES = {
    "5,000 x 30, 5 classes, 50 labels": (5_000, 30, 5, 50, 8_192),
    "10,000 x 20, 100 classes, 2,000 labels": (10_000, 20, 100, 2_000, 4_000),
}
"""Rows, columns, classes and labels of a fit, and rows to predict."""


def table(n_rows: int, n_columns: int, n_classes: int, n_labels: int) -> tuple[Any, Any]:
    """Rows of classes of two clusters each, in correlated columns, and their labels; -1: none."""
    rng = np.random.default_rng(0)
    mixed = np.eye(n_columns) + 0.5 * rng.normal(size=(n_columns, n_columns)) / np.sqrt(n_columns)
    center = rng.normal(size=(n_classes, 2, n_columns))
    truth, cluster = rng.integers(n_classes, size=n_rows), rng.integers(2, size=n_rows)
    x = (center[truth, cluster] + 0.8 * rng.normal(size=(n_rows, n_columns))) @ mixed
    labels = np.full(n_rows, -1)
    shown = rng.permutation(n_rows)[:n_labels]
    shown[:n_classes] = [np.flatnonzero(truth == k)[0] for k in range(n_classes)]
    labels[shown] = truth[shown]
    return x, labels


def serve(path: Path, rows: Path) -> None:
    """Predict whenever a number of threads is read, and say wall and processor time, microseconds a row."""
    model, x = semigen.load(path), np.load(rows)
    model.predict_proba(x[:500])
    for line in sys.stdin:
        model.n_jobs = int(line)
        wall, own = time.perf_counter(), time.process_time()
        model.predict_proba(x)
        spent = time.perf_counter() - wall, time.process_time() - own
        print(*(1e6 * one / len(x) for one in spent), flush=True)


def compared(path: Path, rows: Path, trees: dict[str, str], n_rounds: int) -> None:
    """Let trees take turns."""
    command = [sys.executable, __file__, "--serve", str(path), str(rows)]
    children = {
        name: subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": tree},
        )
        for name, tree in trees.items()
    }
    for n_jobs in (1, 2):
        found: dict[str, list[list[float]]] = {name: [] for name in trees}
        for _ in range(n_rounds):
            for name, child in children.items():
                assert child.stdin is not None
                assert child.stdout is not None
                print(n_jobs, file=child.stdin, flush=True)
                found[name].append([float(one) for one in child.stdout.readline().split()])
        spent = {name: np.array(rounds) for name, rounds in found.items()}
        said = [
            f"{name} {one[:, 0].min():.1f} wall, {one[:, 1].min():.1f} cpu" for name, one in spent.items()
        ]
        if len(spent) > 1:
            here, there = spent.values()
            said.append("median ratio {:.2f} wall, {:.2f} cpu".format(*np.median(there / here, axis=0)))
        print(f"  {n_jobs} thread{'s' if n_jobs > 1 else ''}: {'; '.join(said)}", flush=True)
    for child in children.values():
        child.communicate()


def main() -> None:
    """Fit, save and predict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", nargs="?", help="the folder src of another tree")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    trees = {"here": str(Path(semigen.__file__).parents[1])}
    if options.other:
        trees["there"] = options.other
    with tempfile.TemporaryDirectory() as folder:
        for name, (*size, n_predicted) in TABLES.items():
            path, rows = Path(folder) / "model.semigen", Path(folder) / "rows.npy"
            x, y = table(*size)
            semigen.save(semigen.AutoClassifier().fit(x, y), path, overwrite=True)
            new = np.random.default_rng(1).permutation(np.vstack([x, x]))[:n_predicted]
            np.save(rows, new + 0.01 * np.random.default_rng(2).normal(size=new.shape))
            print(f"{name}, {n_predicted:,} new rows", flush=True)
            compared(path, rows, trees, options.rounds)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
