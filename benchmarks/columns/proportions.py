"""Labeled rows drawn by class, unlabeled rows by nature: whose class proportions predict?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.columns.fits import HEADLINE, Fits, Study, mean_sd, paragraph, percent, targets
from benchmarks.markdown import table
from semigen.mixture import MixtureClassifier

FEATURES, DISTANCES, LABELS = 5, (3.0, 2.0), (10, 50, 200)
JUDGED = 50
"""Labels a class that the targets are judged on."""
UNLABELED, TESTED, RARE = 2000, 20_000, 0.1
SHAPES = ("tied", "full")
PRIORS = ("shared", "unlabeled")


def fits(seeds: int) -> Iterator[dict[str, Any]]:
    for distance in DISTANCES:
        for n_labeled in LABELS:
            for seed in range(seeds):
                yield from _fits(distance, n_labeled, seed)


def _fits(distance: float, n_labeled: int, seed: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    y_labeled = np.repeat([0, 1], n_labeled)
    y_unlabeled, y_test = ((rng.random(n) < RARE).astype(np.intp) for n in (UNLABELED, TESTED))
    X = np.vstack([_rows(y_labeled, distance, rng), _rows(y_unlabeled, distance, rng)])
    y = np.concatenate([y_labeled, np.full(UNLABELED, -1)])
    X_test = _rows(y_test, distance, rng)
    for covariance in SHAPES:
        for prior in PRIORS:
            model = MixtureClassifier(covariance=covariance, class_prior=prior).fit(X, y)
            found = model.class_proportions_
            yield {
                "distance": f"{distance:g}",
                "labels": n_labeled,
                "covariance": covariance,
                "prior": prior,
                "seed": seed,
                "err": percent(np.mean(model.predict(X_test) != y_test)),
                "estimate": percent(model.class_prior_[1]),
                "low": np.nan if found is None else percent(found.low[1]),
                "high": np.nan if found is None else percent(found.high[1]),
            }


def _rows(y: NDArray[np.intp], distance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    X = rng.standard_normal((len(y), FEATURES))
    X[:, 0] += distance * y
    return X


def _bayes_error(distance: float) -> float:
    threshold = np.log((1 - RARE) / RARE) / distance
    wrong = norm.sf(threshold + distance / 2), norm.cdf(threshold - distance / 2)
    return float(100 * ((1 - RARE) * wrong[0] + RARE * wrong[1]))


def page(found: Fits) -> list[str]:
    lines = []
    for distance in found.distinct("distance"):
        for n_labeled in found.distinct("labels"):
            for covariance in found.distinct("covariance"):
                mine = found.where(distance=distance, labels=n_labeled, covariance=covariance)
                cells = [f"{_bayes_error(float(distance)):.2f}"]
                cells += [mean_sd(mine.values("err", prior=prior)) for prior in PRIORS]
                cells += [mean_sd(mine.values("estimate", prior=prior)) for prior in PRIORS]
                off = np.abs(mine.values("estimate", prior="unlabeled") - 100 * RARE)
                cells += [f"{off.mean():.2f}", f"{100 * _covered(mine).mean():.0f}"]
                lines.append([f"Δ={distance}, {n_labeled}, {covariance}", *cells])
    judged = []
    for distance in found.distinct("distance"):
        mine = found.where(distance=distance, labels=JUDGED, covariance=HEADLINE)
        name = f"{HEADLINE}, {JUDGED} labels per class, Δ={distance}"
        off = np.abs(mine.values("estimate", prior="unlabeled") - 100 * RARE).mean()
        judged.append((f"estimate within 2 points ({name})", f"{off:.2f} off", bool(off <= 2)))
        gain = mine.values("err", prior="unlabeled") - mine.values("err", prior="shared")
        judged.append((f"error below the shared prior's ({name})", mean_sd(gain, sign="+"), gain.mean() < 0))
    head = [
        "classes, labels per class, model",
        "Bayes",
        "error, shared",
        "error, unlabeled",
        "estimate, shared",
        "estimate, unlabeled",
        "off by",
        "covered",
    ]
    return [
        paragraph(
            f"""Two Gaussian classes in {FEATURES} columns at distance Δ; labeled rows are balanced,
            {UNLABELED:,} unlabeled and {TESTED:,} test rows are {100 * (1 - RARE):.0f} : {100 * RARE:.0f}.
            Estimate: of the rare class's share, %; off by: its mean distance from the truth, points;
            covered: how many of 100 intervals (95 %) of `class_proportions_` contain it."""
        ),
        "",
        *targets(judged),
        table(head, lines),
        "",
        f"Of all {_covered(found).size} intervals {100 * _covered(found).mean():.0f} % contain the truth.",
        "",
    ]


def _covered(found: Fits) -> NDArray[np.bool_]:
    low, high = (found.values(end, prior="unlabeled") for end in ("low", "high"))
    return np.asarray((low <= 100 * RARE) & (high >= 100 * RARE))


STUDY = Study("proportions", "Class proportions of the unlabeled rows", 30, fits, page)
