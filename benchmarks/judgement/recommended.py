"""``python -m benchmarks.judgement.recommended``: is the ensemble better than a single model?

The single model that ``advise`` names, and the mixture without and with unlabeled rows, on the splits of
``benchmarks.accuracy --mixed``, whose results have the scores of ``AutoClassifier`` and of the baselines.
Finished cases are never run again.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn.ensemble
import sklearn.linear_model
from threadpoolctl import threadpool_limits

import semigen
import semigen.representation
from benchmarks import markdown, records
from benchmarks.accuracy import mixed, runner
from benchmarks.environment import stamp
from benchmarks.judgement.bank import RESULTS
from semigen.exceptions import LabelError

LINES, PAGE = RESULTS / "recommended.csv", RESULTS / "recommended.md"
LABELS = (5, 20)
SEEDS = 2
CLIP = 1e-15
HELPS, COSTS = 0.03, 0.005
"""Shares of rows by which unlabeled rows truly help, and by which advice must not cost."""
CLEAR = 0.01
"""Nats by which one has to be ahead of the other to count."""
NAMES = {"semigen": semigen, "sklearn": sklearn}


def run(names: list[str], seeds: int, path: Path = LINES) -> None:
    """What is not finished; tables without an unlabeled row are left out."""
    done = {(row["table"], row["labels"], row["seed"]) for row in records.read(path)}
    cases = [(name, n, seed) for seed in range(seeds) for name in names for n in LABELS]
    for name, n, seed in cases:
        if (name, str(n), str(seed)) in done:
            continue
        y, y_test, (X, X_test) = mixed.split(name, n, seed)
        try:
            advice = semigen.advise(X, y)
        except LabelError:
            continue
        what = advice.recommendation
        models = {f"_{weight}": f"semigen.MixtureClassifier(unlabeled_weight={weight})" for weight in (0, 1)}
        scores = {"error": float("nan"), "log_loss": float("nan")}
        for which, model in {"": what.single, **models}.items():
            if "AutoClassifier" in model:
                continue
            fitted = eval(model, {**NAMES, **vars(semigen)}).fit(X, y)
            probs = fitted.predict_proba(X_test)
            true = probs[np.arange(len(y_test)), np.searchsorted(fitted.classes_, y_test)]
            scores[f"error{which}"] = float((fitted.classes_[probs.argmax(axis=1)] != y_test).mean())
            scores[f"log_loss{which}"] = float(-np.log(np.maximum(true, CLIP)).mean())
        line = {"table": name, "labels": n, "seed": seed, "verdict": advice.verdict, "kind": what.kind}
        line["ensemble"] = int(what.estimator != what.single or "AutoClassifier" in what.single)
        line |= {one: round(value, 4) for one, value in scores.items()}
        records.append(path, [{**line, **stamp()}])


def followed(rows: pd.DataFrame, others: pd.DataFrame) -> str:
    """What all of the advice is worth: the estimator that is recommended beside the supervised mixture."""
    auto = others[others["method"] == "auto"].set_index(["table", "labels", "seed"])["error"].rename("auto")
    rows = rows.join(auto, on=auto.index.names).dropna(subset=["auto"])
    change = np.where(rows["ensemble"] == 1, rows["auto"], rows["error"]) - rows["error_0"]
    both = pd.DataFrame({"table": rows["table"], "advice": change, "all": rows["error_1"] - rows["error_0"]})
    mean = both.groupby("table").mean()
    helped = mean[mean["all"] <= -HELPS].sort_values("all")
    lines = [
        [name, f"{100 * one['all']:+.1f}", f"{100 * one['advice']:+.1f}"] for name, one in helped.iterrows()
    ]
    return "\n".join(
        [
            f"The estimator that is recommended changes the error by {100 * mean['advice'].mean():+.2f} "
            f"points against the mixture without unlabeled rows, over {len(mean)} tables; it costs more than "
            f"{100 * COSTS:g} points on {(mean['advice'] > COSTS).sum()} (at most "
            f"{100 * mean['advice'].max():+.1f}). Of the {len(helped)} tables on which λ = 1 lowers the "
            f"error by {100 * HELPS:g} points it gains on {(helped['advice'] < 0).sum()}:",
            "",
            markdown.table(["table", "λ = 1", "what is recommended"], lines),
        ]
    )


def page(rows: pd.DataFrame, others: pd.DataFrame) -> str:
    """Means over cases, by the kind of the single model and by the verdict."""
    key = ["table", "labels", "seed"]
    wide = others.pivot(index=key, columns="method", values=["error", "log_loss"])
    wide.columns = pd.Index([f"{score} of {name}" for score, name in wide.columns])
    rows = rows.join(wide, on=key).dropna(subset=["error", "error of auto"])
    lines = []
    for (labels, kind, verdict), part in rows.groupby(["labels", "kind", "verdict"]):
        cells = [
            f"{100 * part['error' + of].mean():.1f} / {part['log_loss' + of].mean():.3f}"
            for of in ("", " of auto", " of RF", " of LogReg")
        ]
        change = part["log_loss of auto"] - part["log_loss"]
        counts = f"{(change < -CLEAR).sum()} : {(change > CLEAR).sum()}"
        lines.append([f"{labels}, {kind}, {verdict}", str(len(part)), *cells, counts])
    head = ["labels per class, single model, verdict", "cases", "single model", "AutoClassifier", "forest"]
    return markdown.table([*head, "logistic regression", "ensemble ahead : behind"], lines)


def main() -> None:
    """Judge what is not finished, and say it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judgement.recommended", description=__doc__)
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    mixed.point_to(options.folder)
    if not options.report:
        names = [name for name in mixed.TABLES if (mixed.folder() / f"{name}.csv.gz").exists()]
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            run(names, options.seeds)
    names = {"data": "table", "L": "labels", "err": "error", "logloss": "log_loss"}
    others = pd.DataFrame(runner.read("mixed")).rename(columns=names)
    others = others.astype({"labels": int, "seed": int, "error": float, "log_loss": float})
    rows = pd.read_csv(LINES)
    text = "\n\n".join(["# What is recommended", page(rows, others), followed(rows, others)]) + "\n"
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
