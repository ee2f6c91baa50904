"""Peak memory beside the data, each contender in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np

from benchmarks import memory
from benchmarks.environment import ROOT
from benchmarks.memory import MB
from benchmarks.speed import contenders
from benchmarks.speed.problems import make
from semigen.mixture import MixtureClassifier

ITERATIONS = 3
PREDICTED_ROWS = 1_000_000
CALLS = 3


def beside_data(name: str, kind: str, rows: int, features: int, components: int) -> float:
    """Peak MB of a few iterations beside the rows (and, for the classifier, y)."""
    return float(_in_child({"task": "fit", "name": name}, kind, rows, features, components)["peak"])


def prediction(kind: str, rows: int, features: int, components: int) -> dict[str, float]:
    """predict_proba: peak MB beside rows and result, MB of both, rows a second."""
    return _in_child({"task": "predict"}, kind, rows, features, components)


def _in_child(task: dict[str, Any], kind: str, rows: int, features: int, components: int) -> dict[str, float]:
    order = {**task, "kind": kind, "rows": rows, "features": features, "components": components}
    command = [sys.executable, "-m", "benchmarks.speed.memory", json.dumps(order)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{order}: the process ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _fit(order: dict[str, Any]) -> dict[str, float]:
    contenders.load(order["name"])
    problem = make(order["kind"], order["rows"], order["features"], order["components"])
    before = memory.level()
    contenders.MEASURED[order["name"]](problem, ITERATIONS)
    return {"peak": memory.peak() - before}


def _predict(order: dict[str, Any]) -> dict[str, float]:
    problem = make(order["kind"], order["rows"], order["features"], order["components"])
    some = problem.head(20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixtureClassifier(max_iter=3).fit(some.x, some.component)
    before = memory.level()
    result = model.predict_proba(problem.x)
    peak = memory.peak() - before - result.nbytes / MB
    seconds = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        model.predict_proba(problem.x)
        seconds.append(time.perf_counter() - begin)
    return {
        "peak": peak,
        "data": problem.x.nbytes / MB,
        "result": result.nbytes / MB,
        "rows_per_second": order["rows"] / float(np.median(seconds)),
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(_fit(given) if given["task"] == "fit" else _predict(given)))
