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
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from benchmarks.accuracy import mixed
from benchmarks.forecast import crossovers, gains
from benchmarks.markdown import table
from semigen.data.labels import encode
from semigen.estimators.adapters import class_proba, fit_classifier
from semigen.evaluation.intervals import Estimate
from semigen.judgement.curves import CurvePrior, Measured, measure, power_laws, zero_line
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
SMALL = ("hayes-roth", "led7digit", "movement_libras", "tae")
"""Tables with too few rows for four times the labels."""
CASES = {10: tuple(name for name in mixed.TABLES if name not in SMALL), 20: TABLES}
"""Tables by labels per class."""
TIMES = (1, 2, 4)
DRAWS = 2
MOST_ROWS = 1000
ERROR_MISSED, GAIN_MISSED, LEAST_GAIN = 0.05, 0.2, -1.5
"""What the intervals of errors and of gains may miss; a gain below counts as that."""
GRID = {
    "log_error": (-1.1, -0.9, -0.7),
    "log_error_sd": (0.8, 1.0),
    "exponent": (0.15, 0.2),
    "exponent_sd": (0.1, 0.15, 0.2),
    "roughness": (0.15, 0.2),
    "apart": (0.6, 0.8, 1.0, 1.2),
}
ENOUGH_COVERED = (0.92, 0.8)
"""Of the 95 % intervals of errors, and of the 80 % intervals of gains."""


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
        measure(found["errors"], found["log_times"], 0, *found["zero_line"].tolist()),
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
        "zero_line": np.array(zero_line(labels.hard)),
        "truth": truth,
    }


def grid() -> list[CurvePrior]:
    """The priors that are tried."""
    return [CurvePrior(**dict(zip(GRID, values, strict=True))) for values in product(*GRID.values())]


def scores(cases: Sequence[Case], priors: Sequence[CurvePrior]) -> tuple[Array, Array]:
    """Interval scores, (priors, cases), low is good; and shares of errors and gains within, (…, 2)."""

    def score(one: Case, prior: CurvePrior) -> list[tuple[float, float]]:
        found = power_laws(one.measured, prior)
        errors = [
            (found.error(m, np.log(times)), one.truth[m, t])
            for t, times in enumerate(TIMES)
            for m in range(len(one.names))
        ]
        gained = [(each.said, each.true) for each in gains.of(found, one.truth, TIMES)]
        return [
            (
                np.mean([interval_score(said, max(true, LEAST_GAIN), missed) for said, true in each]),
                np.mean([said.low <= true <= said.high for said, true in each]),
            )
            for each, missed in ((errors, ERROR_MISSED), (gained, GAIN_MISSED))
        ]

    found = np.array([[score(one, prior) for one in cases] for prior in priors])
    score_of, within = found[..., 0], found[..., 1]
    return (score_of / score_of.mean(axis=(0, 1))).sum(axis=2), within


def best(score: Array, within: Array, cases: NDArray[np.bool_]) -> int:
    """The prior with the lowest score on these cases of those whose intervals hold often enough."""
    holds = (within[:, cases].mean(axis=1) >= ENOUGH_COVERED).all(axis=1)
    return int(np.where(holds | ~holds.any(), score[:, cases].sum(axis=1), np.inf).argmin())


def interval_score(said: Estimate, true: float, missed: float) -> float:
    """Width, and what is missed times 2 over the share that may be (Winkler 1972, *JASA* 67:187)."""
    return said.high - said.low + 2 / missed * (max(said.low - true, 0.0) + max(true - said.high, 0.0))


def page(cases: Sequence[Case]) -> str:
    lines, errors, covered, apart, crossings, gained = [], [], [], [], [], []
    priors = grid()
    score, within = scores(cases, priors)
    learned = priors[best(score, within, np.ones(len(cases), dtype=bool))]
    for one in cases:
        others = np.array([other.data != one.data for other in cases])
        prior = priors[best(score, within, others)]
        posterior = power_laws(one.measured, prior)
        crossings += crossovers.pairs(one.measured, posterior, one.truth, TIMES, one.n_labeled)
        gained += gains.of(posterior, one.truth, TIMES)
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
            f"{MOST_ROWS:,} rows ({len(TABLES)} with 20 labels per class), labels per class as "
            "given, the three default models of `semigen.forecast`; "
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
            gains.page(gained),
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
    options = parser.parse_args()
    mixed.point_to(options.folder)
    text = page([case(data, L, options.bank) for L, names in CASES.items() for data in names])
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
