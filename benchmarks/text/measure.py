"""Accuracy of every model; time and memory of the defaults."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, load_npz, save_npz
from threadpoolctl import threadpool_limits

from benchmarks import environment, memory
from benchmarks.memory import MB
from benchmarks.text.models import DEFAULTS, LABELS, LABELS_ONLY, MODELS
from benchmarks.text.newsgroups import UNLABELED, Documents, Labels

CLIP = 1e-6
ITERATIONS = 20
ROUNDS = 5


def fits(documents: Documents, n_seeds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row for each model, number of labels and seed."""
    stamp = environment.stamp()
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged within the default iterations: part of the result
        for name, (form, make) in MODELS.items():
            for n_labels in LABELS:
                mine = [_fit(documents, name, form, make(), n_labels, seed) for seed in range(n_seeds)]
                rows += [{**row, **stamp} for row in mine]
                accuracy = np.mean([row["accuracy"] for row in mine])
                say(f"  {name}, {n_labels} labels: accuracy {accuracy:.3f}")
    return rows


def _fit(documents: Documents, name: str, form: str, model: Any, n_labels: int, seed: int) -> dict[str, Any]:
    X, X_test = getattr(documents, form)
    y = documents.shown(n_labels, seed)
    if name in LABELS_ONLY:
        X, y = X[y != UNLABELED], y[y != UNLABELED]
    begin = time.perf_counter(), time.process_time()
    model.fit(X, y)
    seconds, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    probs = np.clip(model.predict_proba(X_test), CLIP, None)
    probs /= probs.sum(axis=1, keepdims=True)
    n_iter = getattr(model, "n_iter_", 0)
    return {
        "model": name,
        "labels": n_labels,
        "seed": seed,
        "accuracy": round(float(np.mean(probs.argmax(axis=1) == documents.y_test)), 5),
        "logloss": round(float(-np.log(probs[np.arange(len(probs)), documents.y_test]).mean()), 5),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "n_iter": int(np.max(n_iter)),
    }


def cost(documents: Documents) -> dict[str, float]:
    """Time and memory of the defaults: see the report."""
    X, y = documents.weighted[0], documents.shown(LABELS[0], 0)
    order = np.random.default_rng(0).permutation(X.shape[0])[: X.shape[0] // 2]
    half = np.sort(np.concatenate([order, np.flatnonzero(y != UNLABELED)]))
    half = np.unique(half)
    seconds: dict[str, list[float]] = {"half": [], "whole": []}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            for size, rows in (("half", half), ("whole", slice(None))):
                seconds[size].append(_iterations(X[rows], y[rows]))
    return {
        "documents": float(X.shape[0]),
        "words": float(X.shape[1]),
        "nonzeros": float(X.nnz),
        "data_mb": (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / MB,
        "iteration_ms": 1e3 * min(seconds["whole"]) / ITERATIONS,
        "more_nonzeros": X.nnz / X[half].nnz,
        "more_seconds": min(seconds["whole"]) / min(seconds["half"]),
        "peak_mb": _in_child(X, y),
    }


def _iterations(X: csr_array, y: Labels) -> float:
    model = MODELS[DEFAULTS][1]().set_params(max_iter=ITERATIONS, tol=0.0)
    begin = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - begin


def _in_child(X: csr_array, y: Labels) -> float:
    """Peak MB of a fit and a prediction beside the rows, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        save_npz(Path(folder) / "x.npz", X, compressed=False)
        np.save(Path(folder) / "y.npy", y)
        command = [sys.executable, "-m", "benchmarks.text.measure", folder]
        done = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the process ended with {done.returncode}: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _child(folder: Path) -> float:
    X, y = load_npz(folder / "x.npz"), np.load(folder / "y.npy")
    few = csr_array(np.eye(4))
    MODELS[DEFAULTS][1]().fit(few, [0, 1, 0, 1]).predict_proba(few)  # imports are no memory of the fit
    before = memory.level()
    warnings.simplefilter("ignore")
    MODELS[DEFAULTS][1]().fit(X, y).predict_proba(X)
    return memory.peak() - before


if __name__ == "__main__":
    print(json.dumps(_child(Path(sys.argv[1]))))
