"""Gross outliers among the training rows: the Gaussian beside its robust twin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.columns.fits import HEADLINE, Fits, Study, mean_sd, paragraph, percent, targets
from benchmarks.markdown import table
from semigen.datasets import make_gaussian_classes
from semigen.mixture import MixtureClassifier

CLASSES, FEATURES, DISTANCE = 3, 5, 3.0
LABELED, UNLABELED, TESTED = 10 * CLASSES, 1000, 5000
SHARE, SIZE = 0.05, 10.0
FAMILIES = ("gaussian", "student_t")
SHAPES = ("tied", "full")
ROWS = ("clean", "with outliers")


def fits(seeds: int) -> Iterator[dict[str, Any]]:
    for seed in range(seeds):
        data = make_gaussian_classes(
            LABELED,
            UNLABELED + TESTED,
            FEATURES,
            distance=DISTANCE,
            n_classes=CLASSES,
            random_state=seed,
        )
        n = LABELED + UNLABELED
        X, X_test, y, y_test = data.X[:n], data.X[n:], data.y[:n], data.y_true[n:]
        rng = np.random.default_rng([seed, 1])
        wild = rng.random(n) < SHARE
        noise = SIZE * rng.standard_normal(X.shape)
        for rows, x in zip(ROWS, (X, np.where(wild[:, None], X + noise, X)), strict=True):
            for family in FAMILIES:
                for covariance in SHAPES:
                    begin = time.perf_counter()
                    model = MixtureClassifier(family, covariance=covariance).fit(x, y)
                    yield {
                        "family": family,
                        "covariance": covariance,
                        "rows": rows,
                        "seed": seed,
                        "err": percent(np.mean(model.predict(X_test) != y_test)),
                        "bayes": percent(float(data.bayes_error or 0.0)),
                        "seconds": round(time.perf_counter() - begin, 3),
                        "n_iter": model.n_iter_,
                    }


def page(found: Fits) -> list[str]:
    lines = []
    losses = {}
    for covariance in found.distinct("covariance"):
        for family in found.distinct("family"):
            mine = found.where(family=family, covariance=covariance)
            clean, dirty = (mine.values("err", rows=rows) for rows in ROWS)
            losses[family, covariance] = dirty - clean
            times = [f"{mine.values('seconds', rows=rows).mean():.2f}" for rows in ROWS]
            cells = [mean_sd(clean), mean_sd(dirty), mean_sd(dirty - clean, sign="+")]
            lines.append([f"{family} {covariance}", *cells, *times])
    gaussian, student = (losses[family, HEADLINE] for family in FAMILIES)
    head = ["model", *ROWS, "loss", "s clean", "s with outliers"]
    return [
        paragraph(
            f"""{CLASSES} Gaussian classes at Mahalanobis distance {DISTANCE:g} in {FEATURES} columns,
            {LABELED // CLASSES} labels per class on average, {UNLABELED:,} unlabeled rows. Noise of {SIZE:g}
            standard deviations is added to {100 * SHARE:.0f} % of the training rows, labeled ones too. Test
            rows are clean; the Bayes error is {found.values("bayes")[0]:.2f} %."""
        ),
        "",
        *targets(
            [
                (
                    f"Gaussian loses ≥ 5 points ({HEADLINE})",
                    mean_sd(gaussian, sign="+"),
                    gaussian.mean() >= 5,
                ),
                (f"Student t loses ≤ 1 point ({HEADLINE})", mean_sd(student, sign="+"), student.mean() <= 1),
            ]
        ),
        table(head, lines),
        "",
    ]


STUDY = Study("outliers", "Gross outliers", 10, fits, page)
