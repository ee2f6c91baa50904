"""Default weights of AutoClassifier's models, learned over the mixed tables.

Each table is fitted once; what its models say about the test rows is kept in a bank, so that weights are
learned in seconds. For fixed models the mean log-loss of the test rows over log K is convex in the weights.
No table is judged with weights that were learned on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from benchmarks.accuracy import mixed
from benchmarks.markdown import table
from semigen import columns
from semigen.columns import ReadTable
from semigen.ensemble.auto import RIDGE, AutoClassifier
from semigen.ensemble.defaults import MANY_LABELS
from semigen.ensemble.held_out import pool_weights, pooled
from semigen.estimators.adapters import class_log_proba

Array = NDArray[np.float64]

BANK = Path(__file__).resolve().parent / "bank"
MOST_ROWS = 2000
SEEDS = 2
LEARNED_FROM = 300
"""Test rows of a table that weights are learned from."""


@dataclass(frozen=True)
class Entry:
    """What the models of one fit say: M models, n test rows, m held-out rows.

    Attributes
    ----------
    data : str
    names : tuple of str
        The models.
    log_prior : ndarray of shape (K,)
    evidence : ndarray of shape (M, n, K)
    code : ndarray of shape (n,)
    held_prior : ndarray of shape (m, K)
    held_evidence : ndarray of shape (M, m, K)
    held_code : ndarray of shape (m,)
    """

    data: str
    names: tuple[str, ...]
    log_prior: Array
    evidence: Array
    code: NDArray[np.intp]
    held_prior: Array
    held_evidence: Array
    held_code: NDArray[np.intp]

    def adapted(self, weights: Array, ridge: float) -> Array:
        """Weights after the held-out rows have been seen."""
        seen = np.ones(len(self.held_code))
        return pool_weights(self.held_prior, self.held_evidence, self.held_code, seen, weights, ridge)

    def losses(self, weights: Array) -> tuple[float, float]:
        """Log-loss and error on the test rows."""
        log_probs = pooled(self.log_prior, self.evidence, weights)
        wrong = log_probs.argmax(axis=1) != self.code
        return -float(log_probs[np.arange(len(self.code)), self.code].mean()), float(wrong.mean())


def entry(data: str, per_class: int, seed: int, folder: Path) -> Entry:
    """One fit, from the bank if it is there."""
    path = folder / f"{data}-{per_class}-{seed}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **_fitted(data, per_class, seed))
    found = np.load(path)
    return Entry(
        data, tuple(found["names"].tolist()), *(found[name] for name in list(Entry.__annotations__)[2:])
    )


def _fitted(data: str, per_class: int, seed: int) -> dict[str, NDArray[np.generic]]:
    shown, y_test, (X, X_test) = mixed.split(data, per_class, seed, MOST_ROWS)
    with threadpool_limits(1):
        auto = AutoClassifier(n_jobs=1).fit(X, shown)
    pool, rows = auto.pool_, auto.forms_.of(ReadTable(auto.schema_, columns.read_like(auto, X_test)))
    evidence = [
        class_log_proba(model, getattr(rows, pool.forms_[name]), auto.classes_) - np.log(pool.priors_[name])
        for name, model in pool.estimators_.items()
    ]
    held_out = pool.held_out_
    return {
        "names": np.array(list(pool.estimators_)),
        "log_prior": np.log(pool.class_prior_),
        "evidence": np.stack(evidence).astype(np.float32),
        "code": np.searchsorted(auto.classes_, y_test),
        "held_prior": held_out.log_prior,
        "held_evidence": held_out.evidence.astype(np.float32),
        "held_code": held_out.code,
    }


def learn(entries: Sequence[Entry]) -> Array:
    """Weights ≥ 0 that minimize the mean over the fits of the test log-loss over log K, (M,)."""

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = 0.0, np.zeros(len(weights))
        for one in entries:
            evidence, code = one.evidence[:, :LEARNED_FROM], one.code[:LEARNED_FROM]
            rows = np.arange(len(code))
            log_probs = pooled(one.log_prior, evidence, weights)
            expected = (np.exp(log_probs) * evidence).sum(axis=2)
            scale = 1 / (len(code) * np.log(len(one.log_prior)) * len(entries))
            total -= scale * log_probs[rows, code].sum()
            gradient += scale * (expected - evidence[:, rows, code]).sum(axis=1)
        return total, gradient

    n_models = len(entries[0].names)
    start = np.full(n_models, 1 / n_models)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * n_models).x)


def page(tables: Sequence[str], folder: Path, seeds: int = SEEDS) -> str:
    """Learned weights, and what they are worth on tables that they were not learned on."""
    readable = [data for data in tables if (mixed.folder() / f"{data}.csv.gz").exists()]
    if not readable:
        return f"No table of the suite is in {mixed.VARIABLE} or beside the project: nothing to learn from."
    few, many = mixed.LABELS[:2], mixed.LABELS[2:]
    parts = []
    for title, budgets in ((f"below {MANY_LABELS} labels per class", few), ("from there on", many)):
        entries = [
            entry(data, n, seed, folder) for data in readable for n in budgets for seed in range(seeds)
        ]
        complete = max({one.names for one in entries}, key=len)
        entries = [one for one in entries if one.names == complete]
        weights = learn(entries)
        parts += [
            f"## Weights {title}",
            "",
            table(["model", "weight"], [[n, f"{w:.2f}"] for n, w in zip(complete, weights, strict=True)]),
            "",
            table(["ridge", "log-loss", "error"], [_judged(entries, ridge) for ridge in (0.3, 1.0, 3.0)]),
            "",
            f"The class shares alone: {_alone(entries):.4f}.",
            "",
        ]
    return "\n".join(parts)


def _alone(entries: Sequence[Entry]) -> float:
    """Mean log-loss of the class shares."""
    nothing = np.zeros(len(entries[0].names))
    tables = dict.fromkeys(one.data for one in entries)
    each = [np.mean([one.losses(nothing)[0] for one in entries if one.data == data]) for data in tables]
    return float(np.mean(each))


def _judged(entries: Sequence[Entry], factor: float) -> list[str]:
    """Mean log-loss and error where no table is judged with weights that were learned on it."""
    losses = []
    for data in dict.fromkeys(one.data for one in entries):
        weights = learn([one for one in entries if one.data != data])
        mine = [one for one in entries if one.data == data]
        losses.append(np.mean([one.losses(one.adapted(weights, factor * RIDGE)) for one in mine], axis=0))
    log_loss, error = np.mean(losses, axis=0)
    return [f"{factor * RIDGE:g}", f"{log_loss:.4f}", f"{error:.4f}"]
