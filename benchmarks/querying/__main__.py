"""``python -m benchmarks.querying``: how many labels a strategy needs, against labels drawn at random.

Learning curves up to 100 labels on bundled and development tables, with the same classifier for every
strategy (but CatBoost). Each draw splits a table into a pool to ask from and rows to judge on, which nobody
can ask for. Finished curves are kept in a CSV file, seed by seed, and never run again.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks import environment
from benchmarks.accuracy import mixed
from benchmarks.accuracy.splits import TABLES as BUNDLED
from benchmarks.querying import learner, report
from benchmarks.querying.strategies import CATBOOST, CONTENDERS, COVER, installed

RESULTS = Path(__file__).resolve().parent / "results"
CURVES = RESULTS / "curves.csv"
TABLES = (
    *BUNDLED,
    *(
        "australian",
        "contraceptive",
        "german",
        "mammographic",
        "optdigits",
        "phoneme",
        "segment",
        "tic-tac-toe",
    ),
    *("twonorm", "yeast3", "attrition", "cells", "wachurn"),
)
"""Of the mixed tables with 600 rows or more every second one, if its smallest class has 5 % of the rows. The
strategy was chosen on the others."""
STEPS = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
SEEDS = 5
COLUMNS = ["table", "seed", "strategy", "labels", "error", "log_loss", "seconds"]
CLIP = 1e-6
USUAL = [name for name in CONTENDERS if name not in (COVER, CATBOOST)]


def curve(pool: learner.Pool, name: str, seed: int) -> list[list[float]]:
    """Labels, error and log-loss on the rows to judge on, and seconds for asking, step by step."""
    ask, fit, _ = CONTENDERS[name]
    rng = np.random.default_rng(seed)
    labeled = np.empty(0, dtype=np.intp)
    probs = np.empty((len(pool.y), pool.n_classes))
    found = []
    for step in STEPS:
        if step > len(pool.y):
            break
        since = time.perf_counter()
        rows = ask(pool, labeled, probs, step - len(labeled), rng)
        seconds = time.perf_counter() - since
        labeled = np.concatenate([labeled, rows])
        if len(np.unique(labeled)) < step:
            raise RuntimeError(f"{name} asked for a row twice.")
        probs, of_test = fit(pool, labeled, seed)
        error = float((of_test.argmax(axis=1) != pool.y_test).mean())
        true = np.maximum(of_test[np.arange(len(pool.y_test)), pool.y_test], CLIP)
        found.append([step, error, float(-np.log(true).mean()), seconds])
    return found


def run(names: list[str], tables: list[str], seeds: int) -> None:
    """Run what is not finished, all tables of a seed before the next one."""
    RESULTS.mkdir(exist_ok=True)
    done = set()
    if CURVES.exists():
        done = set(zip(*(pd.read_csv(CURVES)[name] for name in COLUMNS[:3]), strict=True))
    with CURVES.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow(COLUMNS)
        for seed in range(seeds):
            for table in tables:
                open_ = [name for name in names if (table, seed, name) not in done]
                if not open_:
                    continue
                since, pool = time.process_time(), learner.pool(table, seed)
                for name in open_:
                    for step in curve(pool, name, seed):
                        writer.writerow([table, seed, name, *(f"{value:.6g}" for value in step)])
                    file.flush()
                print(f"seed {seed}, {table}: {time.process_time() - since:.0f} s of CPU", flush=True)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.querying", description=__doc__)
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    parser.add_argument("--tables", nargs="*", default=TABLES, metavar="NAME", help="only these tables")
    parser.add_argument(
        "--strategies", nargs="*", default=USUAL, choices=list(CONTENDERS), metavar="NAME", help="only these"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--report", action="store_true", help="run nothing, print finished results")
    options = parser.parse_args()
    mixed.point_to(options.folder)
    if not options.report:
        names, missing = installed(options.strategies)
        for name in missing:
            print(f"skipped: {name} needs {CONTENDERS[name][2]}, which is not installed", flush=True)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            run(names, list(options.tables), options.seeds)
    stamp = f"{environment.today()}, commit {environment.commit()}"
    text = report.page(pd.read_csv(CURVES), stamp)
    print(text)
    (RESULTS / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
