"""Labels that look wrong: a tenth of the labels flipped, ranked by advice and by cleanlab."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from benchmarks import records
from benchmarks.accuracy import mixed
from benchmarks.judgement.cases import Case, Rows, draw
from benchmarks.markdown import table
from semigen import MixtureClassifier
from semigen.em import ThreadEngine
from semigen.evaluation.doubt import Doubts
from semigen.judgement.findings.labels import doubtful
from semigen.judgement.study import WEIGHTS, study

LABELS, FLIPPED, SEEDS, N_TABLES = 30, 0.1, 5, 12
OURS = "advise"
LOGISTIC, FOREST = "cleanlab, logistic regression", "cleanlab, random forest"
_COUNTED = ("labels", "flipped", "listed", "listed and flipped", "listed of right labels")
RESULTS = Path(__file__).resolve().parent / "results" / "suspects.csv"


def run(path: Path = RESULTS, seeds: int = SEEDS) -> None:
    """Measure what is not in the file yet."""
    known = {(row["table"], row["seed"]) for row in read(path)}
    done = 0
    for name in mixed.TABLES:
        measured = [one(name, seed) for seed in range(seeds) if (name, str(seed)) not in known]
        there = sum((name, str(seed)) in known for seed in range(seeds))
        rows = [row for row in measured if row is not None]
        if rows:
            records.append(path, rows)
        done += bool(rows or there)
        if done == N_TABLES:
            break


def read(path: Path = RESULTS) -> list[dict[str, str]]:
    """All lines."""
    return records.read(path)


def one(name: str, seed: int) -> dict[str, object] | None:
    """Average precision of each ranking, and how many labels advice lists with a tenth of the labels flipped
    and with none; None where the table has too few rows for so many labels."""
    from cleanlab.rank import get_label_quality_scores

    rows = draw(Case("table", name, False, LABELS, seed))
    if rows is None:
        return None
    rng = np.random.default_rng(seed)
    labeled = np.flatnonzero([label is not None for label in rows.y])
    n_classes = len(set(rows.y[labeled]))
    flipped = np.sort(rng.choice(labeled, round(FLIPPED * len(labeled)), replace=False))
    y = rows.y.copy()
    for row in flipped:
        y[row] = (y[row] + rng.integers(1, n_classes)) % n_classes
    truth = np.isin(labeled, flipped)
    given = y[labeled].astype(int)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, clean = _doubts(rows, y, seed), _doubts(rows, rows.y, seed)
        if found is None or clean is None:
            return None
        tested, doubts = found
        ours = np.zeros(len(labeled))
        ours[np.searchsorted(labeled, tested)] = doubts.wrong
        numbers, _ = mixed.numbers(rows.X, rows.X_test)
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        said = {
            LOGISTIC: LogisticRegression(max_iter=1000),
            FOREST: RandomForestClassifier(200, random_state=seed),
        }
        scores = {OURS: ours}
        for peer, classifier in said.items():
            probs = cross_val_predict(classifier, numbers[labeled], given, cv=folds, method="predict_proba")
            scores[peer] = -get_label_quality_scores(given, probs)
    precision = {peer: float(average_precision_score(truth, score)) for peer, score in scores.items()}
    return {
        "table": name,
        "seed": seed,
        "labels": len(labeled),
        "flipped": len(flipped),
        "listed": len(doubts.listed),
        "listed and flipped": int(np.isin(tested[doubts.listed], flipped).sum()),
        "listed of right labels": len(clean[1].listed),
        **precision,
    }


def _doubts(rows: Rows, y: NDArray[Any], seed: int) -> tuple[NDArray[np.intp], Doubts] | None:
    model = MixtureClassifier(max_iter=100, tol=1e-5, engine=ThreadEngine(n_threads=1))
    found = study(rows.X, y, estimator=model, kinds=rows.kinds, weights=WEIGHTS, random_state=seed)
    return None if found.held_out is None else doubtful(found.held_out, found)


def page(rows: Sequence[dict[str, str]]) -> str:
    """Average precision by table."""
    names = list(dict.fromkeys(row["table"] for row in rows))
    peers = (OURS, LOGISTIC, FOREST)
    mean = {
        name: [np.mean([float(row[peer]) for row in rows if row["table"] == name]) for peer in peers]
        for name in names
    }
    body = [[name, *(f"{value:.3f}" for value in mean[name])] for name in names]
    wins = {peer: sum(one[0] >= one[1 + i] for one in mean.values()) for i, peer in enumerate(peers[1:])}
    total = np.mean(list(mean.values()), axis=0)
    body.append(["mean", *(f"{value:.3f}" for value in total)])
    said = "; ".join(f"at least that of {peer} on {won} of {len(names)}" for peer, won in wins.items())
    count = {name: sum(int(row[name]) for row in rows) for name in _COUNTED}
    listed = (
        f"Of {count['labels']} labels {count['flipped']} are flipped; `{OURS}` lists {count['listed']} as "
        f"more likely wrong than right, {count['listed and flipped']} of them flipped, and "
        f"{count['listed of right labels']} where none is flipped."
    )
    return "\n".join(
        [
            *(table(["table", *peers], body), ""),
            *(f"Average precision of `{OURS}` is {said} tables.", "", listed),
        ]
    )
