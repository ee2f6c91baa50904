"""What advice sees of each case, and what the test rows say, in a file: learning then takes seconds."""

from __future__ import annotations

import csv
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.judgement.cases import Case, draw
from semigen import MixtureClassifier
from semigen.em import ThreadEngine
from semigen.evaluation.metrics import align_probabilities, row_log_loss
from semigen.exceptions import LabelError
from semigen.judgement.signs import signs
from semigen.judgement.study import study

RESULTS = Path(__file__).resolve().parent / "results"
BANK = RESULTS / "cases.csv"
WEIGHTS = (0.0, 0.1, 1.0)
KEY = ("kind", "name", "well_specified", "labels_per_class", "seed")
DIGITS = 5


def fill(cases: Iterable[Case], path: Path = BANK) -> None:
    """Add the cases that are not there yet."""
    known = {tuple(row[one] for one in KEY) for row in read(path)}
    for case in cases:
        if case.key not in known:
            lines = measured(case)
            new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                for line in lines:
                    writer = csv.DictWriter(file, list(line))
                    if new:
                        writer.writeheader()
                        new = False
                    writer.writerow(line)


def read(path: Path = BANK) -> list[dict[str, str]]:
    """All lines."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured(case: Case) -> list[dict[str, object]]:
    """One line for each λ > 0; none where the table is too small."""
    rows = draw(case)
    if rows is None:
        return []
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
            return []
        if found.held_out is None:
            return []
        judged = {}
        for weight, fit in found.fits.items():
            probs = align_probabilities(fit.predict_proba(rows.X_test), fit.classes_, np.unique(rows.y_test))
            code = np.searchsorted(np.unique(rows.y_test), rows.y_test)
            judged[weight] = row_log_loss(probs, code), probs.argmax(axis=1) != code
        seen = {weight: signs(found, weight) for weight in WEIGHTS[1:]}
    seconds = time.process_time() - since
    lines = []
    for weight in WEIGHTS[1:]:
        change = judged[weight][0] - judged[0.0][0]
        lines.append(
            {
                **dict(zip(KEY, case.key, strict=True)),
                "unlabeled_weight": weight,
                "log_loss_before": round(float(judged[0.0][0].mean()), DIGITS),
                "log_loss_change": round(float(change.mean()), DIGITS),
                "log_loss_error": round(float(change.std() / np.sqrt(len(change))), DIGITS),
                "error_before": round(float(judged[0.0][1].mean()), DIGITS),
                "error_change": round(float(judged[weight][1].mean() - judged[0.0][1].mean()), DIGITS),
                "seconds": round(seconds, 2),
                **{name: round(float(value), DIGITS) for name, value in seen[weight].items()},
            }
        )
    return lines
