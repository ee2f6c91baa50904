"""``python -m benchmarks.deep.tables``: deep models as they are by default, on the development tables.

Ten labels per class. Finished fits are kept in ``results/tables.csv``. Each model is compared with the same
model without unlabeled rows (λ = 0), with a forest of the labeled rows and with the class shares.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy import mixed
from benchmarks.calibration import gaps
from benchmarks.deep.problems import UNLABELED, show
from benchmarks.deep.runner import RESULTS
from benchmarks.markdown import table as markdown
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures
from semigen.ensemble.auto import AutoClassifier
from semigen.evaluation.metrics import row_log_loss
from semigen.exceptions import SemigenError

PATH = RESULTS / "tables.csv"
PAGE = RESULTS / "tables.md"
# fmt: off
TABLES = (
    "bupa", "heart", "ring", "segment", "cells", "bands", "magic", "tae", "australian", "contraceptive",
    "mammographic", "penbased", "phoneme", "texture", "twonorm", "banana", "haberman", "movement_libras",
    "german", "chess",
)
# fmt: on
"""The prior of the calibration's power, α of M2 and how flows start and stop were chosen on draws 1 and 2;
others are reported."""
PER_CLASS = 10
MOST_TEST = 1000
BINS = 10
COLUMNS = ["table", "seed", "method", "rows", "err", "logloss", "seconds", "lam", "power", "verdict"]
GAPS = [f"gap{i}" for i in range(BINS)]

Make = Callable[[int], Any]


def _twin(make: Make) -> Make:
    return lambda seed: make(seed).set_params(unlabeled_weight=0.0)


def _m2(seed: int) -> Any:
    return VAEClassifier(random_state=seed)


def _m1_m2(seed: int) -> Any:
    return VAEClassifier(VAEFeatures(), random_state=seed)


def _gan(seed: int) -> Any:
    return GANClassifier(random_state=seed)


def _flow(seed: int) -> Any:
    return FlowMixtureClassifier(random_state=seed)


DEEP: dict[str, Make] = {"M2": _m2, "M1+M2": _m1_m2, "GAN": _gan, "flow": _flow}
METHODS: dict[str, Make] = {
    **DEEP,
    **{f"{name}, labeled rows only": _twin(make) for name, make in DEEP.items()},
    "auto": lambda seed: AutoClassifier(n_jobs=1, random_state=seed),
    "auto, deep": lambda seed: AutoClassifier(n_jobs=1, random_state=seed, deep=True),
}


def draw(name: str, seed: int, most_rows: int) -> tuple[Any, Any, Any, Any]:
    """Rows to fit with their labels, and rows to judge on with their classes."""
    X, y = mixed.read(name)
    order = np.random.default_rng((seed, PER_CLASS)).permutation(len(y))
    n_test = min(MOST_TEST, 3 * len(y) // 10)
    test, train = order[:n_test], order[n_test : n_test + most_rows]
    shown = show(y[train], PER_CLASS, np.random.default_rng(seed))
    if all(kind.kind in "ifub" for kind in X.dtypes):
        X = pd.DataFrame(SimpleImputer().set_output(transform="default").fit(X.iloc[train]).transform(X))
        return X.to_numpy()[train], shown, X.to_numpy()[test], y[test]
    return X.iloc[train].reset_index(drop=True), shown, X.iloc[test].reset_index(drop=True), y[test]


def measure(name: str, seed: int, most_rows: int, method: str) -> dict[str, Any] | None:
    """One row of results; None if the model cannot take the table."""
    X, y, X_test, y_test = draw(name, seed, most_rows)
    n_classes = int(y_test.max()) + 1
    begin = time.process_time()
    known = y != UNLABELED
    found: dict[str, Any] = {"lam": "", "power": "", "verdict": ""}
    if method == "class shares":
        shares = np.bincount(y[known], minlength=n_classes) / known.sum()
        probs = np.tile(shares, (len(y_test), 1))
    elif method == "forest":
        given, asked = (X, X_test) if isinstance(X, np.ndarray) else mixed.numbers(X, X_test)
        forest = make_pipeline(SimpleImputer(), RandomForestClassifier(200, random_state=seed))
        probs = forest.fit(given[known], y[known]).predict_proba(asked)
    else:
        model = METHODS[method](seed)
        try:
            model.fit(X, y)
        except SemigenError:  # a flow and categories
            return None
        probs = model.predict_proba(X_test)
        if hasattr(model, "calibration_"):
            found["lam"], found["power"] = model.unlabeled_weight_, round(model.calibration_.power, 4)
        found["verdict"] = model.verdict_.outcome
        if getattr(model, "deep_standing_", None) is not None:
            found["verdict"] = f"deep {model.deep_standing_.outcome}"
    seconds = time.process_time() - begin
    hit = probs.argmax(axis=1) == y_test
    of_bins = gaps(probs.max(axis=1), hit, BINS)
    found |= {"table": name, "seed": seed, "method": method, "rows": len(y)}
    found |= {"err": round(1 - hit.mean(), 5), "logloss": round(float(row_log_loss(probs, y_test).mean()), 5)}
    found |= {"seconds": round(seconds, 2), **dict(zip(GAPS, of_bins.round(6).tolist(), strict=True))}
    return found


def read() -> pd.DataFrame:
    """Finished fits."""
    return pd.read_csv(PATH) if PATH.exists() else pd.DataFrame(columns=[*COLUMNS, *GAPS])


def calibration_error(rows: pd.DataFrame) -> float:
    """Expected calibration error in bins of the confidence, pooled over tables of equal weight."""
    return float(rows[GAPS].mean().abs().sum())


def page() -> str:
    """What was found, as a page."""
    found = read()
    cells = found.set_index(["table", "seed", "method"])
    lines = []
    for method in found["method"].drop_duplicates():
        mine = found[found["method"] == method]
        keys = list(zip(mine["table"], mine["seed"], strict=True))
        there = [key for key in keys if all((*key, one) in cells.index for one in ("forest", "class shares"))]

        def mean(measure: str, name: str, keys: list[Any] = there) -> float:
            return float(np.mean([cells.loc[(*key, name), measure] for key in keys]))

        twin, both = f"{method}, labeled rows only", []
        if method in DEEP:
            both = [key for key in there if (*key, twin) in cells.index]
        own = mean("logloss", method)
        beside = ["", ""]
        if both:
            beside = [
                f"{100 * (mean('err', method, both) - mean('err', twin, both)):+.1f} ({len(both)})",
                f"{mean('logloss', method, both) - mean('logloss', twin, both):+.3f}",
            ]
        above = [
            cells.loc[(*k, method), "logloss"] - cells.loc[(*k, "class shares"), "logloss"] for k in there
        ]
        lines.append(
            [
                method,
                str(len(there)),
                f"{100 * mean('err', method):.1f}",
                f"{own:.3f}",
                f"{own / mean('logloss', 'forest'):.2f}",
                f"{own / mean('logloss', 'class shares'):.2f}",
                str(sum(one > 0 for one in above)),
                f"{max(above):+.3f}",
                f"{calibration_error(mine):.3f}",
                *beside,
                f"{mine['seconds'].mean():.1f}",
            ]
        )
    head = ["method", "fits", "error, %", "log-loss", "/ forest", "/ class shares"]
    head += ["worse than shares", "most above shares"]
    head += ["calibration error", "error - λ = 0 twin (fits)", "log-loss - twin", "CPU seconds"]
    return "\n".join(
        [
            "# Deep models by default on the development tables",
            "",
            "Written by `python -m benchmarks.deep.tables`. Ten labels per class; the column `rows` of",
            f"`tables.csv` is the number of rows to fit, at most {MOST_TEST:,} are judged. Ratios are of",
            "means over the tables and draws that a method has run on (flows take numbers). The class shares",
            "are those of the labels, which every model is told, too: equal ones here. The calibration error",
            "is pooled over fits.",
            "",
            markdown(head, lines),
            "",
        ]
    )


def main() -> None:
    """Measure what is not finished, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep.tables", description=__doc__)
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    parser.add_argument("--methods", nargs="*", default=["M2", "GAN", "flow"], choices=list(METHODS))
    parser.add_argument("--draws", type=int, nargs="*", default=[0])
    parser.add_argument("--rows", type=int, default=600, help="rows to fit, at most")
    parser.add_argument("--data", type=Path, help="the folder of the tables")
    parser.add_argument("--report", action="store_true", help="run nothing, print saved results")
    options = parser.parse_args()
    mixed.point_to(options.data)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    done = {tuple(one) for one in read()[["table", "seed", "method"]].itertuples(index=False)}
    fresh = not PATH.exists()
    with PATH.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *GAPS], lineterminator="\n")
        if fresh:
            writer.writeheader()
        for method in [] if options.report else ["class shares", "forest", *options.methods]:
            for name in options.tables:
                for seed in options.draws:
                    if (name, seed, method) in done:
                        continue
                    row = measure(name, seed, options.rows, method)
                    if row is not None:
                        writer.writerow(row)
                        file.flush()
    text = page()
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
