"""``python -m benchmarks.scale.labeled``: everyday tables of which all rows to fit are labeled.

AutoClassifier, histogram boosting and a forest of 300 trees on the mixed tables of a thousand rows or more
(``benchmarks.accuracy --mixed``): error, log-loss, and processor seconds of a fit in one thread. A line per
fit in ``labeled.csv``; finished ones are skipped. ``--as NAME`` names the AutoClassifier that is on the path.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
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
COLUMNS = ("table", "method", "error", "logloss", "seconds", "date", "commit")
BOOSTING, FOREST = "HistGB", "forest of 300"
PEERS = {
    BOOSTING: HEAVY["HistGB"],
    FOREST: Method(partial(RandomForestClassifier, 300, random_state=0), form="numbers"),
}
LEAST_ROWS = 1000
CLIP = 1e-6


def main() -> None:
    """Run what is not finished, and print means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.labeled", description=__doc__)
    parser.add_argument("tables", nargs="*", help="only these")
    parser.add_argument("--as", dest="name", default="auto", help="name of AutoClassifier in the results")
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    options = parser.parse_args()
    mixed.point_to(options.folder)
    methods = {**PEERS, options.name: Method(partial(AutoClassifier, n_jobs=1))}
    done = {(row["table"], row["method"]) for row in records.read(FILE)}
    for name in options.tables or mixed.TABLES:
        if len(mixed.read(name)[1]) >= LEAST_ROWS:
            split = everyday(name, mixed.MOST_ROWS, 0)  # more labels than rows: all of them
            for one in methods:
                if (name, one) not in done:
                    records.append(FILE, [_fitted(name, one, methods[one], split)], COLUMNS)
    print(page(records.read(FILE)))


def _fitted(name: str, method: str, how: Method, split: Split) -> dict[str, Any]:
    (rows, new), code = split.rows(how.form), split.y_test
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the columns became is no news here
        begin = time.process_time()
        model = how.make().fit(rows, split.y)
        seconds = time.process_time() - begin
        probs = model.predict_proba(new)
    likelihood = np.maximum(probs[np.arange(len(code)), code], CLIP)
    found = {
        "error": round(float((probs.argmax(axis=1) != code).mean()), 5),
        "logloss": round(float(-np.log(likelihood).mean()), 5),
        "seconds": round(seconds, 2),
    }
    print(name, method, *found.values(), flush=True)
    return {
        "table": name,
        "method": method,
        **found,
        "date": environment.today(),
        "commit": environment.commit(),
    }


def page(rows: list[dict[str, str]]) -> str:
    """Means over the tables on which all methods have run, and where boosting is well ahead."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row["method"], {})[row["table"]] = row
    names = [name for name in mixed.TABLES if all(name in of for of in found.values())]
    lines = []
    for method, of in found.items():
        error, loss, seconds = (
            np.array([float(of[name][key]) for name in names]) for key in ("error", "logloss", "seconds")
        )
        best = {key: np.array([float(found[BOOSTING][name][key]) for name in names]) for key in COLUMNS[2:4]}
        wrong = [n for n, gap in zip(names, error - best["error"], strict=True) if gap > 0.003]
        far = [n for n, gap in zip(names, loss - best["logloss"], strict=True) if gap > 0.005]
        forest = np.array([float(found[FOREST][name]["seconds"]) for name in names])
        lines.append(
            [
                method,
                f"{error.mean():.4f}",
                f"{loss.mean():.4f}",
                ", ".join(wrong) or "none",
                ", ".join(far) or "none",
                f"{np.median(seconds / forest):.1f} ({(seconds / forest).max():.1f})",
            ]
        )
    head = ["method", "error", "log-loss", "more errors", "more log-loss", "times the forest"]
    return f"{len(names)} tables\n\n{table(head, lines)}"


if __name__ == "__main__":
    main()
