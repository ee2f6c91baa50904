"""What the models of AutoClassifier say, from one fit a file: other weights then take no other fits."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.accuracy.splits import GIVEN, SUITES, Split
from semigen import columns
from semigen.columns import ReadTable
from semigen.ensemble.auto import RIDGE, AutoClassifier
from semigen.ensemble.harm import COEFFICIENTS
from semigen.ensemble.held_out import HeldOut, log_evidence, pooled
from semigen.ensemble.settle import settle
from semigen.estimators.adapters import class_log_proba

Array = NDArray[np.float64]

VARIABLE = "SEMIGEN_BANK"
"""The environment variable that names the folder of finished fits."""
DEFAULT = Path(__file__).resolve().parent / "bank"


@dataclass(frozen=True)
class Entry:
    """One fit: what M models say about n test rows and about the held-out rows.

    Attributes
    ----------
    names : ndarray of shape (M,)
        The models.
    classes : ndarray of shape (K,)
    log_prior : ndarray of shape (K,)
        Log of the class shares that are assumed.
    evidence : ndarray of shape (M, n, K)
    code : ndarray of shape (n,)
        Classes of the test rows.
    held_out : HeldOut
    dependence_shift : bool
    agreement : float
        Of two generative models on the unlabeled rows (:func:`semigen.ensemble.harm.agreement`), or NaN.
    n_features : int
        Columns of the table.
    seconds : float
        Of the fit and of the predictions.
    """

    names: NDArray[np.str_]
    classes: NDArray[np.intp]
    log_prior: Array
    evidence: Array
    code: NDArray[np.intp]
    held_out: HeldOut
    dependence_shift: bool
    agreement: float
    n_features: int
    seconds: float

    @property
    def agreed(self) -> float | None:
        """``agreement``, None where there is none."""
        return None if np.isnan(self.agreement) else self.agreement

    def probabilities(
        self, weights: Mapping[str, float], ridge: float = RIDGE, harm: Sequence[float] = COEFFICIENTS
    ) -> Array:
        """Class probabilities of the test rows, (n, K), by AutoClassifier with these default weights.

        ``harm``: coefficients of the probability that unlabeled rows hurt.
        """
        start = {name: weights[name] for name in self.names.tolist()}
        about = self.dependence_shift, self.agreed, self.n_features
        found = settle(self.held_out, start, ridge, *about, harm).weights
        return np.exp(pooled(self.log_prior, self.evidence, np.array(list(found.values()))))

    def losses(self, probs: Array) -> tuple[float, float]:
        """Log-loss and error of class probabilities (n, K) of the test rows."""
        likelihood = probs[np.arange(len(self.code)), self.code]
        wrong = probs.argmax(axis=1) != self.code
        return -float(np.log(np.maximum(likelihood, 1e-6)).mean()), float(wrong.mean())


def entry(suite: str, data: str, n_labeled: int, seed: int) -> Entry:
    """One fit, from the bank if it is there."""
    path = folder() / f"{suite}-{data}-{n_labeled}-{seed}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        keep(path, _fitted(SUITES[suite].split(data, n_labeled, seed)))
    found = np.load(path)
    held_out = HeldOut(
        *(found[f"held_{one.name}"] for one in fields(HeldOut) if one.name not in _COUNTS),
        **{name: int(found[f"held_{name}"]) for name in _COUNTS},
    )
    simple = {name: found[name] for name in ("names", "classes", "log_prior", "evidence", "code")}
    return Entry(
        **simple,
        held_out=held_out,
        dependence_shift=bool(found["dependence_shift"]),
        agreement=float(found["agreement"]),
        n_features=int(found["n_features"]),
        seconds=float(found["seconds"]),
    )


_COUNTS = ("n_labeled", "n_unlabeled", "random_state")


def keep(path: Path, one: Entry) -> None:
    """Write an entry; what models say in single precision."""
    flat: dict[str, Any] = {field.name: getattr(one, field.name) for field in fields(Entry)}
    held_out = flat.pop("held_out")
    flat |= {f"held_{field.name}": getattr(held_out, field.name) for field in fields(HeldOut)}
    for name in ("evidence", "held_evidence", "held_log_probs"):
        flat[name] = flat[name].astype(np.float32)
    np.savez_compressed(path, **flat)


def _fitted(split: Split) -> Entry:
    X, X_test = split.rows(GIVEN)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the columns became is no news here
        begin = time.perf_counter()
        auto = AutoClassifier(n_jobs=1).fit(X, split.y)
        pool, rows = auto.pool_, auto.forms_.of(ReadTable(auto.schema_, columns.read_like(auto, X_test)))
        evidence = [
            log_evidence(
                class_log_proba(model, getattr(rows, pool.forms_[name]), auto.classes_), pool.priors_[name]
            )
            for name, model in pool.estimators_.items()
        ]
        seconds = time.perf_counter() - begin
    return Entry(
        np.array(list(pool.estimators_)),
        auto.classes_,
        np.log(pool.class_prior_),
        np.stack(evidence),
        np.searchsorted(auto.classes_, split.y_test),
        pool.held_out_,
        auto.dependence_shift_,
        np.nan if auto.agreement_ is None else auto.agreement_,
        auto.schema_.n_features,
        seconds,
    )


def folder() -> Path:
    """Where finished fits are."""
    return Path(os.environ.get(VARIABLE, DEFAULT))


def point_to(path: Path | None) -> None:
    """Where finished fits are, for this process and those that it starts."""
    if path is not None:
        os.environ[VARIABLE] = str(path)
