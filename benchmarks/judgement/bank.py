"""What advice sees of each case, and what the test rows say, in a file: learning then takes seconds."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import records
from benchmarks.judgement.cases import Case, draw
from semigen import MixtureClassifier
from semigen.em import ThreadEngine
from semigen.evaluation.metrics import align_probabilities, row_log_loss
from semigen.exceptions import LabelError
from semigen.judgement.signs import signs
from semigen.judgement.study import study

RESULTS = Path(__file__).resolve().parent / "results"
BANK = RESULTS / "cases.csv"
WEIGHTS = (0.0, 1.0)
GRID = "grid"
"""The column that says whether rows are combinations of a few values (:mod:`semigen.evaluation.grids`)."""
KEY = ("kind", "name", "well_specified", "labels_per_class", "seed")
DIGITS, CLIP = 5, 1e-9


def fill(cases: Iterable[Case], path: Path = BANK) -> None:
    """Add the cases that are not there yet."""
    known = {tuple(row[one] for one in KEY) for row in read(path)}
    for case in cases:
        if case.key not in known:
            line = measured(case)
            if line is not None:
                records.append(path, [line])


def read(path: Path = BANK) -> list[dict[str, str]]:
    """All lines."""
    return records.read(path)


def measured(case: Case) -> dict[str, object] | None:
    """Its line in the file; None where the table is too small."""
    rows = draw(case)
    if rows is None:
        return None
    model = MixtureClassifier(
        covariance=rows.covariance, max_iter=100, tol=1e-5, engine=ThreadEngine(n_threads=1)
    )
    since = time.process_time()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = study(
                rows.X,
                rows.y,
                estimator=model,
                kinds=rows.kinds,
                weights=WEIGHTS,
                with_forest=False,
                random_state=case.seed,
            )
        except LabelError:
            return None
        if found.held_out is None:
            return None
        classes, code = np.unique(rows.y_test, return_inverse=True)
        without, with_rows = (
            align_probabilities(fit.predict_proba(rows.X_test), fit.classes_, classes)
            for fit in found.fits.values()
        )
        average = np.sqrt(np.maximum(without, CLIP) * np.maximum(with_rows, CLIP))
        seen = signs(found)
    seconds = time.process_time() - since
    before = row_log_loss(without, code)
    wrong = without.argmax(axis=1) != code
    outcome: dict[str, float] = {"log_loss_before": before.mean(), "error_before": wrong.mean()}
    for name, probs in (("", with_rows), ("average_", average / average.sum(axis=1, keepdims=True))):
        change = row_log_loss(probs, code) - before
        outcome |= {
            f"{name}log_loss_change": change.mean(),
            f"{name}log_loss_error": change.std() / np.sqrt(len(change)),
            f"{name}error_change": (probs.argmax(axis=1) != code).mean() - wrong.mean(),
        }
    told = {**outcome, GRID: found.grid is not None, "seconds": seconds, **seen}
    return dict(zip(KEY, case.key, strict=True)) | {
        name: round(float(value), DIGITS) for name, value in told.items()
    }
