"""A fit and predictions in a process of their own: seconds, processor seconds, peak memory, rows a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.semi_supervised import LabelSpreading

from benchmarks import memory
from benchmarks.environment import ROOT
from benchmarks.scale.problems import PROBLEMS, UNLABELED, Problem, Table
from semigen.ensemble.auto import AutoClassifier

AUTO, FOREST, SPREADING = "auto", "random forest", "label spreading"
CONTENDERS: dict[str, Callable[[], Any]] = {
    AUTO: AutoClassifier,
    FOREST: partial(RandomForestClassifier, 200, n_jobs=-1, random_state=0),
    SPREADING: partial(LabelSpreading, kernel="knn", n_jobs=-1),
}
"""With the settings of `benchmarks.accuracy`, on all processors."""
LABELED_ONLY = (FOREST,)
MOST_ROWS = {SPREADING: 100_000}
"""Above, a contender is left out: neighbors of every row among all others take hours."""
TIMEOUT = 1800
CALLS = 3


def in_child(name: str, problem: Problem) -> dict[str, float]:
    """Figures of one contender on one problem."""
    command = [sys.executable, "-m", "benchmarks.scale.measure", name, problem.name]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT, env=_environment()
    )
    if done.returncode:
        raise RuntimeError(
            f"{name} on {problem.name}: the process ended with {done.returncode}: {done.stderr[-2000:]}"
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def runs_on(name: str, problem: Problem) -> bool:
    """Whether a contender can be expected to finish."""
    return problem.rows <= MOST_ROWS.get(name, problem.rows)


def _environment() -> dict[str, str]:
    """Without limits on threads that this process was given: a fit has all processors."""
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {key: value for key, value in os.environ.items() if key not in limits}


def _child(name: str, problem: Problem) -> dict[str, float]:
    warnings.simplefilter("ignore")
    small = Problem("small", 200, 5, 2, 20).draw()
    _fit(name, small).predict_proba(small.X_test[:100])  # imports and threads are no cost of the fit
    table = problem.draw()
    before = memory.level()
    begin = time.perf_counter(), time.process_time()
    model = _fit(name, table)
    seconds, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    fitted = memory.peak() - before
    times = []
    for _ in range(CALLS):
        begin_call = time.perf_counter()
        probs = model.predict_proba(table.X_test)
        times.append(time.perf_counter() - begin_call)
    right = model.classes_[np.nan_to_num(probs).argmax(axis=1)] == table.y_test
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "fit_mb": fitted,
        "peak_mb": memory.peak() - before,
        "rows_per_second": len(table.X_test) / float(np.median(times)),
        "error": float(1 - right.mean()),
        "data_mb": table.X.nbytes / memory.MB,
    }


def _fit(name: str, table: Table) -> Any:
    rows = table.y != UNLABELED if name in LABELED_ONLY else slice(None)
    return CONTENDERS[name]().fit(table.X[rows], table.y[rows])


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], PROBLEMS[sys.argv[2]])))
