"""Fits, one after the other; each finished one is appended to a CSV file and never run again."""

from __future__ import annotations

import csv
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks import environment, records
from benchmarks.deep.problems import Draw, NoImagesError
from benchmarks.deep.profiles import Profile
from benchmarks.deep.recipes import M1, Recipe
from semigen.deep import VAEFeatures
from semigen.estimators.adapters import class_proba

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS = [
    "problem",
    "method",
    "draw",
    "err",
    "logloss",
    "seconds",
    "device",
    "threads",
    "load",
    "date",
    "commit",
]
CLIP = 1e-6


def path(profile: str) -> Path:
    """Where a profile's results are."""
    return RESULTS / f"{profile}.csv"


def read(profile: str) -> list[dict[str, str]]:
    """Finished fits."""
    return records.read(path(profile))


def run(profile: Profile, methods: list[str], n_draws: int) -> None:
    """Run what is not finished; ``methods`` limits it (empty: all)."""
    done = {(row["problem"], row["method"], int(row["draw"])) for row in read(profile.name)}
    RESULTS.mkdir(exist_ok=True)
    fresh = not path(profile.name).exists()
    with path(profile.name).open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        for row in _rows(profile, methods, n_draws, done):
            writer.writerow(row)
            file.flush()


def _rows(
    profile: Profile, methods: list[str], n_draws: int, done: set[tuple[str, str, int]]
) -> Iterator[dict[str, Any]]:
    for problem in profile.problems:
        below = Features()
        for seed in range(n_draws):
            wanted = {
                name: recipe
                for name, recipe in profile.recipes.items()
                if (problem.name, name, seed) not in done and (not methods or name in methods)
            }
            if not wanted:
                continue
            try:
                draw = problem.draw(seed)
            except NoImagesError as error:
                print(f"{problem.name} is skipped: {error}", flush=True)
                break
            for name, recipe in wanted.items():
                figures = measure(recipe, draw, seed, below)
                print(
                    f"{problem.name}, draw {seed}, {name}: error {100 * figures['err']:.2f} %, "
                    f"{figures['seconds']:.0f} s",
                    flush=True,
                )
                yield {
                    "problem": problem.name,
                    "method": name,
                    "draw": seed,
                    **{key: f"{value:.5g}" for key, value in figures.items()},
                    **_machine(),
                }


class Features:
    """M1 of some rows, fitted once for all recipes and draws that stand on it: it sees no labels."""

    def __init__(self) -> None:
        self.rows: Any = None
        self.fitted: dict[str, tuple[Any, float]] = {}

    def of(self, m1: M1, rows: Any, seed: int) -> tuple[Any, float]:
        """The features, and the seconds of their fit."""
        if rows is not self.rows:
            self.rows, self.fitted = rows, {}
        key = repr(m1)
        if key not in self.fitted:
            begin = time.process_time()
            features: Any = VAEFeatures(**m1.options, random_state=seed)
            if m1.view is not None:
                features = make_pipeline(FunctionTransformer(m1.view), features)
            self.fitted[key] = features.fit(rows), time.process_time() - begin
        return self.fitted[key]


def measure(recipe: Recipe, draw: Draw, seed: int, below: Features) -> dict[str, float]:
    """Error and log-loss of one fit on the rows to judge on, and its CPU seconds with those of its M1."""
    beneath = [below.of(m1, draw.X, seed) for m1 in recipe.beneath]
    seconds = sum(took for _, took in beneath)
    begin = time.process_time()
    with recipe.without(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn about rows that they cannot reach
        model = recipe.make(seed, [fitted for fitted, _ in beneath]).fit(draw.X, draw.y)
        seconds += time.process_time() - begin
        classes = np.unique(draw.y_test)
        probs = np.clip(class_proba(model, draw.X_test, classes), CLIP, None)
    probs /= probs.sum(axis=1, keepdims=True)
    return {
        "err": float(np.mean(classes[probs.argmax(axis=1)] != draw.y_test)),
        "logloss": float(log_loss(draw.y_test, probs, labels=classes)),
        "seconds": seconds,
    }


def _machine() -> dict[str, str]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    found = environment.describe()
    return {
        "device": device,
        "threads": str(torch.get_num_threads()),
        "load": found["load"],
        "date": found["date"],
        "commit": found["commit"],
    }
