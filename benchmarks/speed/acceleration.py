"""``python -m benchmarks.speed.acceleration``: passes over the rows that accelerated EM saves."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import semigen.em.loop as loop
from benchmarks.markdown import table
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, start
from semigen.em.acceleration import ACCELERATIONS
from semigen.families import Gaussian

HERE = Path(__file__).resolve().parent
NEAR = 1e-6
"""Nats per row below the end of plain EM."""
END_TOL, END_ITER = 1e-10, 5000
SHAPES = ("full", "tied", "diag")


@dataclass(frozen=True)
class Problem:
    """Classes of one Gaussian each that overlap."""

    n_columns: int
    n_classes: int
    separation: float
    labeled: float
    n_rows: int = 2000


PROBLEMS = (
    Problem(2, 3, 1.0, 0.05),
    Problem(2, 5, 1.5, 0.10),
    Problem(3, 4, 1.2, 0.02),
    Problem(5, 3, 1.5, 0.05),
    Problem(5, 4, 1.0, 0.02),
    Problem(5, 10, 2.0, 0.05),
    Problem(8, 6, 1.5, 0.03),
    Problem(10, 3, 1.0, 0.01),
    Problem(10, 5, 1.5, 0.05),
    Problem(15, 8, 1.8, 0.05),
    Problem(20, 5, 2.0, 0.05),
    Problem(20, 10, 2.0, 0.10),
)


def draw(problem: Problem, seed: int) -> Data:
    """Rows and labels; covariances differ between classes."""
    rng = np.random.default_rng(seed)
    shape = (problem.n_classes, problem.n_columns)
    means = problem.separation / np.sqrt(problem.n_columns) * rng.normal(size=shape)
    y = rng.integers(problem.n_classes, size=problem.n_rows)
    x = np.empty((problem.n_rows, problem.n_columns))
    for k, mean in enumerate(means):
        spread = rng.normal(size=(problem.n_columns, 3 * problem.n_columns + 2))
        root = np.linalg.cholesky(np.cov(spread) + 0.2 * np.eye(problem.n_columns))
        x[y == k] = mean + rng.normal(size=(int((y == k).sum()), problem.n_columns)) @ root.T
    labels = np.where(rng.random(problem.n_rows) < problem.labeled, y, -1)
    labels[[int(np.flatnonzero(y == k)[0]) for k in range(problem.n_classes)]] = range(problem.n_classes)
    return Data(x, encode(labels), np.ones(problem.n_rows))


class _Counter:
    """Counts E-steps of :mod:`semigen.em.loop`, and those until an objective was reached."""

    def __init__(self) -> None:
        self.passes, self.enough, self.reached = 0, np.inf, 0
        self._e_step, loop.e_step = loop.e_step, self

    def __call__(self, *arguments: object, **options: object) -> object:
        self.passes += 1
        return self._e_step(*arguments, **options)

    def start(self, enough: float) -> None:
        self.passes, self.enough, self.reached = 0, enough, 0

    def see(self, _: int, objective: float) -> None:
        if objective >= self.enough and not self.reached:
            self.reached = self.passes


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.acceleration", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES))
    options = parser.parse_args()
    counter, engine, began = _Counter(), ThreadEngine(1), time.perf_counter()
    parts = [
        "# Accelerated EM",
        "",
        "Written by `python -m benchmarks.speed.acceleration`. Passes over the rows until the objective is "
        f"within {NEAR:g} nats per row of where plain EM ends (rise < {END_TOL:g}); their ratio, and how far "
        f"below that end the accelerated fit ends. {len(PROBLEMS)} problems (separation 1 to 2, 3 to 10 "
        f"classes, 2 to 20 columns, 1 to 10 % labeled, 2,000 rows), {len(options.seeds)} draws of each.",
        "",
    ]
    for shape in options.shapes:
        ratios: dict[str, list[float]] = {name: [] for name in ACCELERATIONS}
        lost: dict[str, list[float]] = {name: [] for name in ACCELERATIONS}
        lines = []
        for problem in PROBLEMS:
            for seed in options.seeds:
                data = draw(problem, seed)
                mixture = Mixture(Gaussian(shape), np.arange(problem.n_classes), problem.n_classes)
                prior = mixture.family.fit_prior(data, None, engine)
                first = start(mixture, prior, data, engine, np.random.default_rng(seed))
                end = {"max_iter": END_ITER, "tol": END_TOL}
                counter.start(np.inf)
                plain = loop.fit(mixture, prior, data, first, engine, **end)
                n_plain = int(np.flatnonzero(plain.path >= plain.objective - NEAR)[0]) + 1
                line = [str(problem)[8:-1], str(seed), str(n_plain)]
                for name in ACCELERATIONS:
                    counter.start(plain.objective - NEAR)
                    found = loop.fit(
                        mixture,
                        prior,
                        data,
                        first,
                        engine,
                        acceleration=name,
                        on_iteration=counter.see,
                        **end,
                    )
                    lost[name].append(plain.objective - found.objective)
                    ratios[name].append(n_plain / counter.reached if counter.reached else 0.0)
                    line.append(str(counter.reached or "never"))
                lines.append(line)
                print(shape, *line, flush=True)
        parts += [f"## {shape}", "", table(["problem", "seed", "EM", *ACCELERATIONS], lines), ""]
        summary = [
            [
                name,
                f"{np.median(ratios[name]):.2f}",
                f"{min(ratios[name]):.2f}",
                f"{max(ratios[name]):.2f}",
                f"{max(lost[name]):.2g}",
                str(sum(one > 1e-4 for one in lost[name])),
                str(sum(one < -1e-4 for one in lost[name])),
            ]
            for name in ACCELERATIONS
        ]
        head = [
            "acceleration",
            "median ratio",
            "least",
            "most",
            "most below EM",
            "> 1e-4 below",
            "> 1e-4 above",
        ]
        parts += [table(head, summary), ""]
        print(parts[-2], flush=True)
    parts.append(f"{time.perf_counter() - began:.0f} s.\n")
    (HERE / "acceleration.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
