"""How many labels a session saves, and whether its estimate is honest: ``python -m benchmarks.labeling``.

A simulated annotator answers the items of :class:`semigen.labeling.Session` with the true class, and in a
tenth of the answers with another one. Compared with it: the same model, fitted to 100 random rows with such
labels. The session is refitted after every few answers; its error on all rows is measured against the true
classes.

The honest interval is compared with rows that have no label yet: of the others the model knows the answer,
and the estimate leaves it out. It is of how often the model says what the annotator would say of a random
row, which is known here: ``.9 accuracy + .1 (1 - accuracy) / (K - 1)``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.accuracy import mixed
from benchmarks.markdown import table
from semigen.datasets import bundled_table
from semigen.labeling import Session, loop
from semigen.labeling.items import Items, TableItems
from semigen.labeling.learner import Message
from semigen.labeling.learning import Pool, refit

HERE = Path(__file__).resolve().parent
PAGE = HERE / "results.md"
BUNDLED = ("iris", "wine", "breast_cancer", "digits")
# fmt: off
TABLES = (
    "australian", "banana", "contraceptive", "german", "heart", "mammographic", "page-blocks0", "phoneme",
    "ring", "segment", "titanic", "penbased",
)
# fmt: on
MOST_ROWS, QUICK_ROWS = 1000, 600
ERRORS = 0.1
N_RANDOM, DRAWS = 100, 3
STEPS = (*range(10, 61, 5), 70, 80, 100)
QUICK_STEPS = (10, 20, 30, 40, 50, 60, 80, 100)


class LearnerHere:
    """The learning process as a call in this one, so that a session costs its refits alone."""

    def __init__(self, items: Items, rows: NDArray[Any], seed: int, time_budget: float, tell: Any) -> None:
        self.rows, self._seed, self._tell = rows, seed, tell
        self.place = {row: place for place, row in enumerate(rows.tolist())}
        with tempfile.TemporaryDirectory() as folder:
            job = {**items.job(rows, Path(folder)), "seed": seed}
            self._pool = Pool.read(job, Path(folder))
        self._last: Any = None

    def begin(self) -> None:
        self._tell(self, Message("ready", {}, self._pool.features))

    def ask(self, given: Any, classes: Any, sample: Any) -> None:
        report, found = refit(self._pool, given, classes, self._seed, 600.0, self._last, sample)
        self._last = None if found is None else found.argmax(axis=1)
        self._tell(self, Message("fit", {"n": len(given), **report}, found))

    def close(self) -> None:
        pass


def load(name: str, seed: int, most: int = MOST_ROWS) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Rows, at most so many drawn at random, and their true classes as text."""
    if name in BUNDLED:
        data = bundled_table(name, 5, random_state=0)
        X = pd.DataFrame(data.X, columns=list(data.feature_names))
        y = np.array(list(map(str, data.y_true)))
    else:
        X, y = mixed.read(name)
        y = np.array(list(map(str, y)))
    rows = np.random.default_rng(seed).permutation(len(X))[:most]
    return X.iloc[rows].reset_index(drop=True), y[rows]


class Annotator:
    """Answers with the true class, or in a tenth of the cases with another one."""

    def __init__(self, truth: NDArray[Any], seed: Sequence[int]) -> None:
        self.truth, self.classes = truth, sorted(set(truth))
        self._rng = np.random.default_rng(seed)

    def says(self, row: int) -> str:
        true = str(self.truth[row])
        if self._rng.random() >= ERRORS:
            return true
        return str(self._rng.choice([name for name in self.classes if name != true]))

    def agreement(self, accuracy: float) -> float:
        """How often it says what a model of such accuracy says."""
        return (1 - ERRORS) * accuracy + ERRORS * (1 - accuracy) / (len(self.classes) - 1)


def random_error(X: pd.DataFrame, annotator: Annotator, seed: int) -> float:
    """Mean error of the model with the labels of ``N_RANDOM`` random rows."""
    with tempfile.TemporaryDirectory() as folder:
        items = TableItems.read(X, "the target", None, None, None, None)
        job = {**items.job(np.arange(len(X)), Path(folder)), "seed": seed}
        pool = Pool.read(job, Path(folder))
    errors = []
    codes = np.searchsorted(annotator.classes, annotator.truth)
    for draw in range(DRAWS):
        rows = np.random.default_rng([seed, draw]).permutation(len(X))[:N_RANDOM]
        given = [(int(row), [annotator.classes.index(annotator.says(int(row)))]) for row in rows]
        _, probabilities = refit(pool, given, annotator.classes, seed, 60.0, None)
        assert probabilities is not None
        errors.append(float((probabilities.argmax(axis=1) != codes).mean()))
    return float(np.mean(errors))


def one_session(
    X: pd.DataFrame, annotator: Annotator, seed: int, steps: Sequence[int]
) -> list[dict[str, Any]]:
    """What is known after each of some numbers of answers."""
    codes = np.searchsorted(annotator.classes, annotator.truth)
    found = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Session.open(
            X,
            target="the target",
            classes=annotator.classes,
            journal=Path(folder) / "a.journal",
            seed=seed,
            time_budget=60.0,
        ) as session,
    ):
        if isinstance(session._loop._learner, LearnerHere):
            session._loop._learner.begin()
        session.settle(120)
        n = 0
        for step in steps:
            while n < step and (item := session.item("a")) is not None:
                session.answer("a", item["key"], classes=[annotator.says(item["row"])])
                n += 1
            if not session.settle(300):
                raise RuntimeError(session.state("a")["trouble"])
            state, known = session.state("a"), session._loop.all_probabilities()
            error = error_of_rest = 1.0
            if known is not None:
                rows, classes, probabilities = known
                order = [annotator.classes.index(name) for name in classes]
                wrong = np.array(order)[probabilities.argmax(axis=1)] != codes[rows]
                rest = ~np.isin(rows, list(session._labels()))
                error, error_of_rest = float(wrong.mean()), float(wrong[rest].mean())
            found.append(
                {
                    "n": n,
                    "error": error,
                    "agreement": annotator.agreement(1 - error_of_rest),
                    "honest": state["honest"],
                    "stop": state["stop"] is not None,
                    "seconds": state["fit"] and state["fit"]["seconds"],
                }
            )
    return found


def measure(names: list[str], seeds: range, out: Path, steps: Sequence[int]) -> None:
    """Append one line for each table and seed to a file; those that are there are left out."""
    done = {(one["table"], one["seed"]) for one in lines(out)}
    for seed in seeds:
        for name in names:
            if (name, seed) in done:
                continue
            X, truth = load(name, seed, QUICK_ROWS if steps is QUICK_STEPS else MOST_ROWS)
            began = time.perf_counter()
            own = [zlib.crc32(name.encode()), seed]  # no two tables share the errors of the annotator
            base = random_error(X, Annotator(truth, [*own, 1]), seed)
            curve = one_session(X, Annotator(truth, own), seed, steps)
            line = {"table": name, "seed": seed, "random": base, "steps": curve}
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            errors = " ".join(f"{one['error']:.3f}" for one in curve)
            seconds = time.perf_counter() - began
            print(f"{name} {seed}: random {base:.3f}, {errors} ({seconds:.0f} s)", flush=True)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def page(out: Path) -> str:
    """The tables of the page of results."""
    found = lines(out)
    names = list(dict.fromkeys(one["table"] for one in found))
    rows, needed = [], []
    for name in names:
        mine = [one for one in found if one["table"] == name]
        base = float(np.mean([one["random"] for one in mine]))
        every = [{step["n"]: step["error"] for step in one["steps"]} for one in mine]
        steps = sorted(set.intersection(*map(set, every)))
        curve = {n: float(np.mean([one[n] for one in every])) for n in steps}
        needed.append(next((n for n in steps if curve[n] <= base), np.inf))
        at = [curve[n] for n in (20, 40, 60, 100)]
        label = "> 100" if needed[-1] == np.inf else str(needed[-1])
        rows.append([name, str(len(mine)), f"{base:.1%}", *(f"{error:.1%}" for error in at), label])
    rows.append(["**median**", "", "", "", "", "", "", f"{np.median(needed):.0f}"])
    head = ["table", "sessions", "100 random labels", "20 asked", "40", "60", "100", "labels to reach it"]
    text = table(head, rows)
    covered = []
    for n in (20, 40, 60, 80, 100):
        some = [step for one in found for step in one["steps"] if step["n"] == n and step["honest"]]
        inside = [one["honest"]["low"] <= one["agreement"] <= one["honest"]["high"] for one in some]
        bias = [one["honest"]["accuracy"] - one["agreement"] for one in some]
        width = [one["honest"]["high"] - one["honest"]["low"] for one in some]
        if some:
            cells = (f"{np.mean(inside):.1%}", f"{np.mean(bias):+.3f}", f"{np.mean(width):.2f}")
            covered.append([str(n), str(len(some)), *cells])
    head = ["answers", "sessions", "covered", "mean of estimate less truth", "mean width"]
    return f"{text}\n\n{table(head, covered)}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=[*BUNDLED, *TABLES])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "sessions.jsonl")
    parser.add_argument(
        "--quick", action="store_true", help="refits in this process, after every ten answers, no other ones"
    )
    parser.add_argument("--page", action="store_true", help="only print the tables of what was measured")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.quick:
        loop.Learner, loop.REFIT_AFTER = LearnerHere, np.inf  # type: ignore[misc,assignment]
    if not options.page:
        seeds = range(options.first, options.first + options.seeds)
        measure(options.tables, seeds, options.out, QUICK_STEPS if options.quick else STEPS)
    print(page(options.out))


if __name__ == "__main__":
    main()
