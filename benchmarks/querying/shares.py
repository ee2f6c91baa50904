"""``python -m benchmarks.querying.shares``: do uneven labels that were asked for need other class shares?

The curves of random labels and of ``semigen.query``, where predictions assume the class shares that the
labels suggest, as everywhere else in this benchmark, or others. Rows are asked for by the former, so that all
are scored on the same labels. A line of the file has means over the curve; finished ones are never run again.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks import markdown, records
from benchmarks.accuracy import mixed
from benchmarks.querying import learner
from benchmarks.querying.__main__ import CLIP, RESULTS, STEPS
from benchmarks.querying.strategies import CONTENDERS, OURS, RANDOM
from semigen.data.weights import estimated_shares

LINES = RESULTS / "shares.csv"
TABLES = (
    *("attrition", "wachurn", "yeast3", "page-blocks0", "credit", "phoneme", "german", "hpc", "haberman"),
    *("twonorm", "australian"),
)
SEEDS = 4
SCORES = ("error", "log_loss", "error_by_class", "auc")
SUGGESTED = "suggested by the labels"


def _nearest(one: learner.Pool, labeled: np.ndarray, found: learner.Learned) -> np.ndarray:
    known = one.features[labeled]
    distance = (known**2).sum(axis=1) - 2 * one.features @ known.T  # but for a constant of each row
    weight = np.bincount(distance.argmin(axis=1), minlength=len(labeled)).astype(float)
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    return estimated_shares(np.bincount(found.code, weight) / weight.sum() * n_effective)


def _true(one: learner.Pool, labeled: np.ndarray, found: learner.Learned) -> np.ndarray:
    count = np.bincount(one.y, minlength=one.n_classes)[found.classes]
    return count / count.sum()


def _mean(one: learner.Pool, labeled: np.ndarray, found: learner.Learned) -> np.ndarray:
    of_pool, _ = found.probabilities(found.count / found.count.sum())
    return of_pool[:, found.classes].mean(axis=0)


def _counts(one: learner.Pool, labeled: np.ndarray, found: learner.Learned) -> np.ndarray:
    return (found.count + 0.5) / (found.count + 0.5).sum()


SHARES: dict[str, Callable[[learner.Pool, np.ndarray, learner.Learned], np.ndarray]] = {
    SUGGESTED: lambda one, labeled, found: estimated_shares(found.count),
    "of the labels": _counts,
    "of labels weighted by the rows nearest to them": _nearest,
    "mean prediction for all rows": _mean,
    "true": _true,
}


def measured(one: learner.Pool, name: str, seed: int) -> dict[str, np.ndarray]:
    """Mean scores over the curve of a strategy, by the shares that are assumed."""
    rng = np.random.default_rng(seed)
    labeled = np.empty(0, dtype=np.intp)
    probs = np.empty((len(one.y), one.n_classes))
    scores: dict[str, list[list[float]]] = {shares: [] for shares in SHARES}
    for step in STEPS:
        if step > len(one.y):
            break
        rows = CONTENDERS[name][0](one, labeled, probs, step - len(labeled), rng)
        labeled = np.concatenate([labeled, rows])
        found = learner.learn(one, labeled, seed)
        for shares, assume in SHARES.items():
            of_pool, of_test = found.probabilities(assume(one, labeled, found))
            scores[shares].append(_scores(of_test, one.y_test))
            if shares == SUGGESTED:
                probs = of_pool
    return {shares: np.mean(each, axis=0) for shares, each in scores.items()}


def _scores(probs: np.ndarray, code: np.ndarray) -> list[float]:
    said = probs.argmax(axis=1)
    true = np.maximum(probs[np.arange(len(code)), code], CLIP)
    auc = np.mean([roc_auc_score(code == k, probs[:, k]) for k in np.unique(code)])
    return [
        float((said != code).mean()),
        float(-np.log(true).mean()),
        1 - float(balanced_accuracy_score(code, said)),
        float(auc),
    ]


def run(tables: list[str], seeds: int, path: Path = LINES) -> None:
    """What is not finished."""
    done = {(row["table"], row["seed"], row["strategy"]) for row in records.read(path)}
    for seed in range(seeds):
        for table in tables:
            names = [name for name in (RANDOM, OURS) if (table, str(seed), name) not in done]
            one = learner.pool(table, seed) if names else None
            for name in names:
                found = measured(one, name, seed)
                key = {"table": table, "seed": seed, "strategy": name}
                records.append(
                    path,
                    [
                        {**key, "shares": shares, **dict(zip(SCORES, values.round(5).tolist(), strict=True))}
                        for shares, values in found.items()
                    ],
                )


def page(rows: pd.DataFrame) -> str:
    """Means over tables, and each table under the shares that the labels suggest."""
    mean = rows.groupby(["strategy", "shares", "table"])[list(SCORES)].mean()
    lines = [
        [name, shares, *_cells(mean.loc[name, shares].mean())] for name in (RANDOM, OURS) for shares in SHARES
    ]
    both = [
        [table, *(cell for name in (RANDOM, OURS) for cell in _cells(mean.loc[name, SUGGESTED, table]))]
        for table in dict.fromkeys(rows["table"])
    ]
    titles = ["error, %", "log-loss", "mean error per class, %", "AUC, %"]
    head = [f"{RANDOM}: {title}" for title in titles] + [f"{OURS}: {title}" for title in titles]
    draws = rows.groupby("table")["seed"].nunique()
    about = ", ".join(f"{table} {n}" for table, n in draws.items())
    summary = markdown.table(["labels", "shares", *titles], lines)
    return f"Draws: {about}.\n\n{summary}\n\n{markdown.table(['table', *head], both)}\n"


def _cells(scores: pd.Series) -> list[str]:
    error, loss, by_class, auc = (scores[name] for name in SCORES)
    return [f"{100 * error:.1f}", f"{loss:.3f}", f"{100 * by_class:.1f}", f"{100 * auc:.1f}"]


def main() -> None:
    """Measure what is not finished, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.querying.shares", description=__doc__)
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    parser.add_argument("--tables", nargs="*", default=TABLES, metavar="NAME", help="only these tables")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    mixed.point_to(options.folder)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        run(list(options.tables), options.seeds)
    print(page(pd.read_csv(LINES)))


if __name__ == "__main__":
    main()
