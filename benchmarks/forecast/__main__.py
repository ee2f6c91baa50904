"""Forecasts beside the errors that were found with more labels: ``python -m benchmarks.forecast``.

Of each table ``L`` labels per class (on average) are shown to :func:`semigen.forecast`; the truth is the mean
error on test rows of the same models with as many labels, 2 and 4 times as many, over draws of the further
labels. The measured learning curves are kept in a bank of files (not in git), so that priors are compared in
seconds. No table is judged with a prior that was learned on it.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from benchmarks.accuracy import mixed
from benchmarks.forecast import crossovers
from benchmarks.markdown import table
from semigen.data.labels import encode
from semigen.estimators.adapters import class_proba, fit_classifier
from semigen.judgement.curves import CurvePrior, Measured, measure, power_laws
from semigen.judgement.forecast import default_models, measured_curves, used_rows

Array = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
BANK, PAGE = HERE / "bank", HERE / "results.md"
# fmt: off
TABLES = (
    "australian", "banana", "contraceptive", "german", "heart", "magic", "mammographic", "page-blocks0",
    "phoneme", "ring", "segment", "wachurn",
)
# fmt: on
LABELS = (10, 20)
TIMES = (1, 2, 4)
DRAWS = 2
MOST_ROWS = 1000
LEAST_ERROR = 1e-3
GRID = {
    "log_error": (-1.8, -1.4),
    "exponent": (0.05, 0.1, 0.15),
    "exponent_sd": (0.1, 0.2),
    "roughness": (0.2, 0.3, 0.4),
    "alike": (0.0, 0.3, 0.5, 0.7),
}


@dataclass(frozen=True)
class Case:
    """One table with so many labels: measured errors of M models, true errors (M, times)."""

    data: str
    L: int
    n_labeled: int
    names: tuple[str, ...]
    measured: Measured
    truth: Array


def case(data: str, per_class: int, folder: Path) -> Case:
    path = folder / f"{data}-{per_class}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **_measured(data, per_class))
        print(data, per_class, flush=True)
    found = np.load(path)
    return Case(
        data,
        per_class,
        int(found["n_labeled"]),
        tuple(found["names"].tolist()),
        measure(found["errors"], found["log_times"], 0),
        found["truth"],
    )


def _measured(data: str, per_class: int) -> dict[str, Any]:
    shown, y_test, (X, X_test) = mixed.split(data, per_class, 0, MOST_ROWS)
    truth_of, _, _ = mixed.split(data, MOST_ROWS, 0, MOST_ROWS)  # the same rows, all labeled
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = encode(shown, mixed.UNLABELED)
        rows, _ = used_rows(labels, 0)
        kept = X.iloc[rows].reset_index(drop=True)
        models = default_models(kept)
        names, sizes, errors = measured_curves(kept, labels.take(rows), models, 5, 1, 0)
        n_labeled = int((shown >= 0).sum())
        truth = np.zeros((len(models), len(TIMES)))
        for i, times in enumerate(TIMES):
            draws = DRAWS if times > 1 else 1
            for draw in range(draws):
                more = shown[rows].copy()
                rest = np.random.default_rng(draw).permutation(np.flatnonzero(more < 0))
                added = rest[: (times - 1) * n_labeled]
                more[added] = truth_of[rows][added]
                known = encode(more, mixed.UNLABELED)
                for k, model in enumerate(models.values()):
                    fitted = fit_classifier(clone(model), kept, known, np.ones(len(more)))
                    probs = class_proba(fitted, X_test, known.classes)
                    truth[k, i] += (known.classes[probs.argmax(axis=1)] != y_test).mean() / draws
    return {
        "n_labeled": n_labeled,
        "names": np.array(names),
        "errors": errors,
        "log_times": np.log(np.array(sizes) / n_labeled),
        "truth": truth,
    }


def grid() -> list[CurvePrior]:
    """The priors that are tried."""
    return [CurvePrior(**dict(zip(GRID, values, strict=True))) for values in product(*GRID.values())]


def densities(cases: Sequence[Case], priors: Sequence[CurvePrior]) -> Array:
    """Log densities of the true log errors of all models together, mean over times, (priors, cases)."""

    def density(one: Case, prior: CurvePrior) -> float:
        found = power_laws(one.measured, prior)
        truth = np.log(np.maximum(one.truth, LEAST_ERROR))
        return float(
            np.mean(
                [
                    multivariate_normal.logpdf(truth[:, t], *found.log_errors(np.log(times)))
                    for t, times in enumerate(TIMES)
                ]
            )
        )

    return np.array([[density(one, prior) for one in cases] for prior in priors])


def page(cases: Sequence[Case]) -> str:
    lines, errors, covered, apart, crossings = [], [], [], [], []
    priors = grid()
    density = densities(cases, priors)
    learned = priors[density.sum(axis=1).argmax()]
    for one in cases:
        others = np.array([other.data != one.data for other in cases])
        prior = priors[density[:, others].sum(axis=1).argmax()]
        posterior = power_laws(one.measured, prior)
        crossings += crossovers.pairs(one.measured, posterior, one.truth, TIMES, one.n_labeled)
        for m, name in enumerate(one.names):
            cells = [one.data, f"{one.L}", name]
            for t, times in enumerate(TIMES):
                said = posterior.error(m, np.log(times))
                inside = said.low <= one.truth[m, t] <= said.high
                cells.append(f"{100 * said.value:.1f} ({100 * said.low:.0f} to {100 * said.high:.0f})")
                cells.append(f"{100 * one.truth[m, t]:.1f}{'' if inside else ' !'}")
                covered.append((t, inside))
                errors.append((t, abs(said.value - one.truth[m, t])))
                apart.append((t, abs(np.exp(one.measured.log_error[m, -1]) - one.truth[m, t])))
            lines.append(cells)

    def mean_of(values: list[Any], t: int) -> str:
        return f"{100 * np.mean([value for which, value in values if which == t]):.1f}"

    summary = [
        [f"{times} times", *(mean_of(values, t) for values in (errors, apart, covered))]
        for t, times in enumerate(TIMES)
    ]
    return "\n".join(
        [
            "# Forecasts of learning curves",
            "",
            f"`python -m benchmarks.forecast`: {len({one.data for one in cases})} mixed tables cut to "
            f"{MOST_ROWS:,} rows, labels per class as given, the three default models of `semigen.forecast`; "
            f"the true error is that of test rows, a mean over {DRAWS} draws of the further labels. No table "
            f"is judged with a prior that was learned on it; over all tables the prior is `{learned}`.",
            "",
            table(
                [
                    *("labels", "mean absolute error of the forecast, points"),
                    *("of the error on held-out rows, points", "true error within the 95 % interval, %"),
                ],
                summary,
            ),
            "",
            crossovers.page(crossings),
            "",
            "## Every table",
            "",
            "Errors in %; `!`: outside of the interval.",
            "",
            table(
                [
                    *("table", "labels per class", "model"),
                    *(cell for times in TIMES for cell in (f"forecast, {times} times", "true")),
                ],
                lines,
            ),
            "",
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the tables are")
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--data", nargs="*", default=TABLES)
    options = parser.parse_args()
    mixed.point_to(options.folder)
    text = page([case(data, L, options.bank) for L in LABELS for data in options.data])
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
