"""Do unlabeled rows hurt where rows are combinations of values? ``python -m benchmarks.judgement.grids``.

Nothing was tuned on these tables: functions that are known from the literature, and random ones. Real grids
are among the cases of :mod:`benchmarks.judgement`. Takes a minute.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from benchmarks.accuracy import mixed
from benchmarks.judgement import bank
from benchmarks.judgement.cases import MOST_TRAIN, TRAIN_SHARE
from benchmarks.judgement.learning import CLEAR
from benchmarks.markdown import table
from semigen import MixtureClassifier
from semigen.em import ThreadEngine
from semigen.evaluation.metrics import align_probabilities, row_log_loss

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

PAGE = bank.RESULTS / "grids.md"
LABELS, SEEDS = (5, 20), (0, 1, 2)
SHAPES = (
    *((5, 5, 5, 5), (4, 4, 4, 3, 3, 3), (3, 3, 3, 3, 3, 3), (2,) * 9, (6, 6, 6, 4), (3, 5, 4, 2, 3, 2)),
    *((2, 2, 3, 3, 4, 4), (10, 8, 6), (4, 4, 4, 4, 4), (2,) * 10),
)
"""Values of each column of the random ones."""
RAREST = 0.04
REAL = "real tables"


def combinations(levels: Sequence[int]) -> Codes:
    """All of them, (n, D), values from 1."""
    return np.array(list(product(*(range(1, n + 1) for n in levels))))


def known() -> Iterator[tuple[str, Codes, Codes]]:
    """Functions of the literature: kind, rows and classes."""
    rng = np.random.default_rng(0)
    x = combinations((5, 5, 5, 5))
    yield "balance scale", x, 1 + np.sign(x[:, 0] * x[:, 1] - x[:, 2] * x[:, 3])
    x = combinations((3, 3, 2, 3, 4, 2))
    yield "monk 1", x, ((x[:, 0] == x[:, 1]) | (x[:, 4] == 1)).astype(int)
    y = ((x[:, 4] == 3) & (x[:, 3] == 1)) | ((x[:, 4] != 4) & (x[:, 1] != 3))
    yield "monk 3", x, (y ^ (rng.random(len(x)) < 0.05)).astype(int)
    x = combinations((2,) * 9)
    on = x == 2
    yield "two of three of nine", x, (on[:, :3].sum(axis=1) >= 2).astype(int)
    yield "xd6", x, (on[:, :3].all(axis=1) | on[:, 3:6].all(axis=1) | on[:, 6:].all(axis=1)).astype(int)
    x = combinations((2,) * 11)
    address = (x[:, 0] - 1) * 4 + (x[:, 1] - 1) * 2 + x[:, 2] - 1
    yield "multiplexer of 11", x, x[np.arange(len(x)), 3 + address] - 1


def drawn() -> Iterator[tuple[str, Codes, Codes]]:
    """Sums of effects that are cut into classes, with and without noise, and trees."""
    rng = np.random.default_rng(0)
    for levels in SHAPES:
        x = combinations(levels)
        for kind in ("sums of effects", "sums of effects, noisy", "trees"):
            y = _tree(x, np.zeros(len(x), dtype=int), np.arange(len(x)), 4, rng)
            if kind != "trees":
                effects = [rng.exponential(1) * rng.permutation(n)[x[:, j] - 1] for j, n in enumerate(levels)]
                total, n_classes = np.sum(effects, axis=0), int(rng.integers(2, 5))
                cuts = np.quantile(total, np.sort(rng.uniform(0.15, 0.85, n_classes - 1)))
                y = np.searchsorted(cuts, total)
                if kind.endswith("noisy"):
                    y = np.where(rng.random(len(y)) < 0.1, rng.integers(0, n_classes, len(y)), y)
            if np.bincount(y).min() >= RAREST * len(y) and y.any():
                yield kind, x, y


def _tree(x: Codes, y: Codes, rows: Codes, depth: int, rng: np.random.Generator) -> Codes:
    j = int(rng.integers(x.shape[1]))
    left = (rng.random(x[:, j].max() + 1) < 0.5)[x[rows, j]]
    if depth == 0 or len(rows) < 8:
        y[rows] = rng.integers(0, 2)
    else:
        for part in (rows[left], rows[~left]):
            _tree(x, y, part, depth - 1, rng)
    return y


def outcome(x: Codes, y: Codes, per_class: int, seed: int) -> tuple[float, float, float]:
    """What λ = 1 changes on test rows: log-loss in standard errors, that of the average, and the error."""
    n_train = min(MOST_TRAIN, int(TRAIN_SHARE * len(y)))
    train, test = train_test_split(np.arange(len(y)), train_size=n_train, stratify=y, random_state=seed)
    labeled = mixed.draw(y[train], per_class, np.random.default_rng((seed, per_class)))
    shown = np.full(len(train), None, dtype=object)
    shown[labeled] = y[train][labeled].tolist()
    frame = pd.DataFrame(x.astype(str), columns=[f"c{j}" for j in range(x.shape[1])])
    probs = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for weight in (0.0, 1.0):
            model = MixtureClassifier(
                unlabeled_weight=weight, max_iter=100, tol=1e-5, engine=ThreadEngine(n_threads=1)
            ).fit(frame.iloc[train].reset_index(drop=True), shown)
            found = model.predict_proba(frame.iloc[test])
            probs.append(align_probabilities(found, model.classes_, np.unique(y)))
    average = np.sqrt(probs[0] * probs[1])
    before = row_log_loss(probs[0], y[test])
    changes = [
        row_log_loss(one, y[test]) - before for one in (probs[1], average / average.sum(axis=1)[:, None])
    ]
    z, of_average = (float(one.mean() / max(one.std() / np.sqrt(len(one)), 1e-9)) for one in changes)
    wrong = [float((one.argmax(axis=1) != y[test]).mean()) for one in probs]
    return z, of_average, wrong[1] - wrong[0]


def real() -> list[tuple[float, float, float]]:
    """The same of the real tables that are grids, from the finished cases."""
    rows = [row for row in bank.read() if row[bank.GRID] == "1"]
    return [
        (
            float(row["log_loss_change"]) / max(float(row["log_loss_error"]), 1e-9),
            float(row["average_log_loss_change"]) / max(float(row["average_log_loss_error"]), 1e-9),
            float(row["error_change"]),
        )
        for row in rows
    ]


def page(found: dict[str, list[tuple[float, float, float]]]) -> str:
    """Shares that are harmed, of the cases that test rows decide, in Markdown."""
    every = [one for group in found.values() for one in group]
    lines = []
    for name, group in (*found.items(), ("all", every)):
        z, of_average, error = np.array(group).T
        cells = [f"{(one > CLEAR).sum()} of {(np.abs(one) > CLEAR).sum()}" for one in (z, of_average)]
        lines.append([name, f"{len(group)}", *cells, f"{100 * error.mean():+.1f}"])
    head = ["rows", "cases", "harmed by λ = 1", "by the average", "error, points"]
    return "\n".join(
        [
            "# Rows that are all combinations of a few values",
            "",
            "`python -m benchmarks.judgement.grids`: cases with 5 and 20 labels per class; harmed are those "
            "whose log-loss on test rows rises, of those where it changes by more than "
            f"{CLEAR:g} standard errors.",
            "",
            table(head, lines),
            "",
        ]
    )


def main() -> None:
    found = defaultdict(list, {REAL: real()})
    for name, x, y in (*known(), *drawn()):
        found[name] += [outcome(x, y, n, seed) for n in LABELS for seed in SEEDS]
    text = page(found)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
