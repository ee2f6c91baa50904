"""Times of an iteration: contenders take turns, so that a busy moment meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.speed import contenders
from benchmarks.speed.contenders import OURS, PEER, TIMED, Run
from benchmarks.speed.problems import KINDS, Problem, make

ITERATIONS = 3
"""A run; the first warms up and is not timed."""
SHAPES = ("full", "tied", "diag", "spherical", "low_rank")
PEER_SHAPES = ("full", "tied", "diag", "spherical")


Calls = dict[str, Callable[[], Run]]


@dataclass(frozen=True)
class Ratio:
    """Median and range over rounds of a ratio of two times taken in the same round."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        rounds = np.asarray(above) / np.asarray(below)
        return cls(float(np.median(rounds)), float(rounds.min()), float(rounds.max()))


@dataclass(frozen=True)
class Timing:
    """One contender on one problem."""

    seconds: list[float]
    """Median iteration of each round."""
    difference: float
    """Largest difference of any parameter from scikit-learn's after as many iterations."""

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))


def peak(size: int = 1500, repeats: int = 5) -> float:
    """Floating-point operations a second in a large product of float64, with all threads."""
    a = np.random.default_rng(0).normal(size=(size, size))
    seconds = []
    for _ in range(repeats):
        since = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - since)
    return 2 * size**3 / min(seconds)


def products(rows: int, features: int, components: int) -> int:
    """Operations of an iteration's matrix products, full covariance: what triangles and symmetry leave."""
    half = (features + 1) // 2
    rest = features - half
    distances = half * (half + 1) + rest * (features + 1)
    moments = half * features + rest * rest
    return 2 * rows * components * (distances + moments)


def rounds(
    calls: Calls, n_rounds: int, say: Callable[[str], None]
) -> tuple[dict[str, list[float]], dict[str, Run]]:
    """Seconds of an iteration by contender and round, and the last run of each."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    last: dict[str, Run] = {}
    for turn in range(n_rounds):
        for name, call in calls.items():
            last[name] = call()
            seconds[name].append(float(np.median(last[name].seconds)))
        say(f"  round {turn + 1}: " + ", ".join(f"{name} {s[-1]:.3f} s" for name, s in seconds.items()))
    return seconds, last


def contest(problem: Problem, n_rounds: int, say: Callable[[str], None]) -> dict[str, Timing]:
    """Every installed contender on the same rows from the same start."""
    calls: Calls = {}
    for name, run in TIMED.items():
        if packages := contenders.missing(name):
            say(f"  {name} is left out: not installed: {', '.join(packages)}")
        else:
            calls[name] = partial(run, problem, ITERATIONS)
    seconds, last = rounds(calls, n_rounds, say)
    return {name: Timing(seconds[name], last[name].difference(last[PEER])) for name in calls}


def shares(problem: Problem) -> float:
    """Components that have a share in a row, mean over rows, after a run."""
    run = contenders.semigen(problem, ITERATIONS)
    some = problem.x[:: max(1, len(problem.x) // 20_000)]
    log_joint = []
    for weight, mean, covariance in zip(run.weights, run.means, run.covariances, strict=True):
        factor = np.linalg.cholesky(covariance)
        white = np.linalg.solve(factor, (some - mean).T)
        log_joint.append(np.log(weight) - np.log(np.diag(factor)).sum() - 0.5 * (white**2).sum(axis=0))
    stacked = np.stack(log_joint)
    return float((stacked > stacked.max(axis=0) - 44.0).sum(axis=0).mean())


def shapes(problem: Problem, n_rounds: int, say: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    """Seconds of an iteration by covariance shape, ours and scikit-learn's."""
    found = {}
    for shape in SHAPES:
        calls: Calls = {OURS: partial(contenders.semigen, problem, ITERATIONS, covariance=shape)}
        if shape in PEER_SHAPES:
            calls[PEER] = partial(contenders.scikit_learn, problem, ITERATIONS, covariance=shape)
        say(f"  {shape}")
        found[shape], _ = rounds(calls, n_rounds, say)
    return found


def scaling(
    rows: int, features: int, components: int, n_rounds: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """How an iteration's time grows when rows or components double; the quickest of all rounds."""
    found = {}
    for kind in KINDS:
        whole = make(kind, rows, features, components)
        more = make(kind, rows // 2, features, 2 * components)
        calls: Calls = {
            "half": partial(contenders.semigen, whole.head(rows // 2), ITERATIONS),
            "rows": partial(contenders.semigen, whole, ITERATIONS),
            "components": partial(contenders.semigen, more, ITERATIONS),
        }
        say(f"  {kind}")
        seconds, _ = rounds(calls, n_rounds, say)
        best = {name: min(values) for name, values in seconds.items()}
        found[kind] = {
            "rows": best["rows"] / best["half"],
            "components": best["components"] / best["half"],
        }
    return found
