"""What missing values cost: time of an EM iteration on complete rows, with few patterns and with many."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import environment
from benchmarks.columns.fits import Fits, Study, paragraph
from benchmarks.markdown import table
from benchmarks.speed.measure import Ratio
from benchmarks.speed.problems import Problem, make
from semigen.data.labels import Labels
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.families import Gaussian

ROWS, FEATURES, COMPONENTS, SHARE, PATTERNS = 50_000, 16, 5, 0.2, 3
ITERATIONS = 3
"""A run; the first warms up and is not timed."""
SHAPES = ("full", "tied", "diag")
COMPLETE, WATCHED, FEW, MANY = (
    "complete",
    "complete, looked for",
    f"{PATTERNS} patterns",
    "20 % of the values",
)


def fits(seeds: int) -> Iterator[dict[str, Any]]:
    problem = make("overlapping", ROWS, FEATURES, COMPONENTS)
    rng = np.random.default_rng(0)
    patterns = rng.random((PATTERNS, FEATURES)) < SHARE
    patterns[0] = False
    gone = {
        COMPLETE: None,
        WATCHED: np.zeros(problem.x.shape, dtype=bool),
        FEW: patterns[rng.integers(PATTERNS, size=ROWS)],
        MANY: rng.random(problem.x.shape) < SHARE,
    }
    tables = {name: problem.x if g is None else np.where(g, np.nan, problem.x) for name, g in gone.items()}
    for covariance in SHAPES:
        for turn in range(seeds):  # tables take turns, so that a busy moment meets all of them
            for name, x in tables.items():
                looked_for = None if name == COMPLETE else np.ones(FEATURES, dtype=bool)
                yield {
                    "covariance": covariance,
                    "table": name,
                    "seed": turn,
                    "seconds": round(_iteration(problem, x, looked_for, covariance), 5),
                    "load": environment.describe()["load"],
                }


def _iteration(
    problem: Problem, x: NDArray[Any], missing: NDArray[np.bool_] | None, covariance: str
) -> float:
    """Seconds of an iteration, the median of those after the first."""
    labels = Labels(np.arange(COMPONENTS), *_one_label_a_class(problem))
    data = Data(x, labels, np.ones(len(x)), missing)
    family = Gaussian(covariance)
    mixture = Mixture(family, np.arange(COMPONENTS), COMPONENTS)
    stamps: list[float] = []
    with ThreadEngine() as engine:
        prior = family.fit_prior(data, None, engine)
        fit(
            mixture,
            prior,
            data,
            start(mixture, prior, data, engine, np.random.default_rng(0)),
            engine,
            max_iter=ITERATIONS,
            tol=0.0,
            on_iteration=lambda iteration, objective: stamps.append(time.perf_counter()),
        )
    return float(np.median(np.diff(stamps)))


def _one_label_a_class(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Label table and the row of it that each row has; 0 is no label."""
    with np.errstate(divide="ignore"):
        known = np.log(np.eye(COMPONENTS))
    pattern = np.zeros(len(problem.x), dtype=np.intp)
    pattern[np.unique(problem.component, return_index=True)[1]] = np.arange(1, COMPONENTS + 1)
    return np.vstack([np.zeros(COMPONENTS), known]), pattern


def page(found: Fits) -> list[str]:
    lines = []
    n_rounds = len(found.distinct("seed"))
    for covariance in found.distinct("covariance"):
        mine = found.where(covariance=covariance)
        base = mine.values("seconds", table=COMPLETE)
        for name in found.distinct("table"):
            seconds = mine.values("seconds", table=name)
            ratio = Ratio.of(seconds.tolist(), base.tolist())
            cells = [f"{1e3 * np.median(seconds):.1f}", f"{ratio.median:.2f}"]
            cells += [f"{ratio.low:.2f}–{ratio.high:.2f}", f"{seconds.min() / base.min():.2f}"]
            lines.append([f"{covariance}, {name}", *cells])
    return [
        paragraph(
            f"""One EM iteration of {ROWS:,} × {FEATURES} rows, {COMPONENTS} components. Ratio: to the
            complete table in the same round, median and range over {n_rounds} rounds, and of the quickest
            rounds. “Looked for”: the complete table, with all columns marked as perhaps having missing
            values. Load {np.median(found.values("load")):.1f}, of which 1 is this benchmark's own."""
        ),
        "",
        table(["covariance, table", "ms", "ratio", "range", "quickest"], lines),
        "",
    ]


STUDY = Study("missing_speed", "Cost of missing values", 7, fits, page)
