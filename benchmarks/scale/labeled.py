"""``python -m benchmarks.scale.labeled``: everyday tables of which all rows to fit are labeled, or many.

AutoClassifier, histogram boosting and a forest of 300 trees on the mixed tables of a thousand rows or more
(``benchmarks.accuracy --mixed``): error, log-loss, and processor seconds of a fit in one thread. With
``--labels N`` there are N labels per class, drawn at random; supervised methods see labeled rows only. A line
per fit in ``labeled.csv``; finished ones are skipped, and tables are judged by the mean of their draws.
``--as NAME`` names the AutoClassifier that is on the path.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from threadpoolctl import threadpool_limits

from benchmarks import environment, records
from benchmarks.accuracy import mixed
from benchmarks.accuracy.models import HEAVY, Method
from benchmarks.accuracy.splits import Split, everyday
from benchmarks.markdown import table
from semigen.ensemble.auto import AutoClassifier

FILE = Path(__file__).resolve().parent / "labeled.csv"
COLUMNS = ("table", "labels", "seed", "method", "error", "logloss", "seconds", "date", "commit")
BOOSTING, FOREST = "HistGB", "forest of 300"
PEERS = {
    BOOSTING: HEAVY["HistGB"],
    FOREST: Method(partial(RandomForestClassifier, 300, random_state=0), form="numbers", labeled_only=True),
}
LEAST_ROWS = 1000
ALL = "all"
CLIP = 1e-6


def main() -> None:
    """Run what is not finished, and print means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.labeled", description=__doc__)
    parser.add_argument("tables", nargs="*", help="only these")
    parser.add_argument("--draws", type=int, default=3, help="of test rows")
    parser.add_argument("--as", dest="name", default="auto", help="name of AutoClassifier in the results")
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    parser.add_argument("--labels", type=int, help="per class; by default all rows to fit are labeled")
    options = parser.parse_args()
    mixed.point_to(options.folder)
    labels = str(options.labels or ALL)
    methods = {**PEERS, options.name: Method(partial(AutoClassifier, n_jobs=1))}
    done = {tuple(row[key] for key in COLUMNS[:4]) for row in records.read(FILE)}
    stamp = environment.stamp()
    tables = [name for name in options.tables or mixed.TABLES if len(mixed.read(name)[1]) >= LEAST_ROWS]
    for seed, name in product(range(options.draws), tables):
        split = everyday(name, options.labels or mixed.MOST_ROWS, seed)  # more labels than rows: all of them
        for one in methods:
            if (name, labels, str(seed), one) not in done:
                found = _fitted(methods[one], split)
                print(name, seed, one, *found.values(), flush=True)
                line = {"table": name, "labels": labels, "seed": seed, "method": one, **found, **stamp}
                records.append(FILE, [line], COLUMNS)
    print(page([row for row in records.read(FILE) if row["labels"] == labels]))


def _fitted(how: Method, split: Split) -> dict[str, Any]:
    (rows, new), code = split.rows(how.form), split.y_test
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the columns became is no news here
        begin = time.process_time()
        model = how.fit(rows, split.y)
        seconds = time.process_time() - begin
        probs = model.predict_proba(new)
    likelihood = np.maximum(probs[np.arange(len(code)), code], CLIP)
    return {
        "error": round(float((probs.argmax(axis=1) != code).mean()), 5),
        "logloss": round(float(-np.log(likelihood).mean()), 5),
        "seconds": round(seconds, 2),
    }


def page(rows: list[dict[str, str]]) -> str:
    """Means over the tables on which all methods have run, and where boosting is well ahead."""
    drawn: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in rows:
        drawn.setdefault((row["table"], row["seed"]), {})[row["method"]] = row
    methods = list(dict.fromkeys(row["method"] for row in rows))
    complete = {case: of for case, of in drawn.items() if len(of) == len(methods)}
    names = list(dict.fromkeys(name for name, _ in complete))
    means = {
        (method, key): np.array(
            [
                np.mean([float(of[method][key]) for (one, _), of in complete.items() if one == name])
                for name in names
            ]
        )
        for method, key in product(methods, ("error", "logloss", "seconds"))
    }
    lines = []
    for method in methods:
        error, loss = means[method, "error"], means[method, "logloss"]
        times = means[method, "seconds"] / means[FOREST, "seconds"]
        wrong = [n for n, gap in zip(names, error - means[BOOSTING, "error"], strict=True) if gap > 0.003]
        far = [n for n, gap in zip(names, loss - means[BOOSTING, "logloss"], strict=True) if gap > 0.005]
        lines.append(
            [
                method,
                f"{error.mean():.4f}",
                f"{loss.mean():.4f}",
                ", ".join(wrong) or "none",
                ", ".join(far) or "none",
                f"{np.median(times):.1f} ({times.max():.1f})",
            ]
        )
    head = ["method", "error", "log-loss", "more errors", "more log-loss", "times the forest"]
    return f"{len(names)} tables, {len(complete)} draws\n\n{table(head, lines)}"


if __name__ == "__main__":
    main()
