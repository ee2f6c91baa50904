"""Results of all profiles beside their targets, as markdown."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from benchmarks.columns.fits import mean_sd
from benchmarks.columns.fits import targets as target_table
from benchmarks.deep import overhead, runner
from benchmarks.deep.profiles import ANY, DEEP, PROFILES, Profile, Target
from benchmarks.markdown import table

Rows = list[dict[str, str]]
Errors = dict[tuple[str, str], NDArray[np.float64]]


def page() -> str:
    """All tables."""
    parts = [
        "# Deep models",
        "",
        "Written by `python -m benchmarks.deep`; [what it means](../../README.md).",
        "Mean ± standard deviation over draws.",
        "",
    ]
    for profile in PROFILES.values():
        parts += _profile(profile)
    return "\n".join([*parts, *_overhead()])


def _profile(profile: Profile) -> list[str]:
    rows = runner.read(profile.name)
    lines = [f"## {profile.name}: {profile.about}", ""]
    if not rows:
        return [*lines, f"Not measured yet: `python -m benchmarks.deep --profile {profile.name}`.", ""]
    errors = {
        (problem, method): np.array(
            [100 * float(row["err"]) for row in rows if (row["problem"], row["method"]) == (problem, method)]
        )
        for problem, method in dict.fromkeys((row["problem"], row["method"]) for row in rows)
    }
    if profile.targets:
        lines += target_table([_outcome(one, errors) for one in profile.targets])
    cells = [
        [
            f"{problem.name}: {name}",
            mean_sd(errors[problem.name, name]),
            str(len(errors[problem.name, name])),
            f"{_mean(rows, problem.name, name, 'logloss'):.3f}",
            f"{_mean(rows, problem.name, name, 'seconds'):.0f}",
        ]
        for problem in profile.problems
        for name in profile.recipes
        if (problem.name, name) in errors
    ]
    lines += [table(["problem: method", "error, %", "draws", "log-loss", "seconds a fit"], cells), ""]
    return [*lines, f"Measured {_measured(rows)}.", ""]


def _outcome(target: Target, errors: Errors) -> tuple[str, str, bool]:
    found = {
        method: values.mean()
        for (problem, method), values in errors.items()
        if problem == target.problem
        and (method == target.method or (target.method == ANY and method in DEEP))
    }
    limit = target.error
    what = f"{target.problem}, {target.method}: at most {limit:g} %"
    if target.published:
        what += f" ({target.published})"
    if not found:
        return what, "not measured", False
    best = min(found, key=lambda name: found[name])
    return what, f"{found[best]:.2f} % ({best})", bool(found[best] <= limit)


def _mean(rows: Rows, problem: str, method: str, what: str) -> float:
    values = [float(row[what]) for row in rows if (row["problem"], row["method"]) == (problem, method)]
    return float(np.mean(values))


def _measured(rows: Rows) -> str:
    stamps = dict.fromkeys(
        f"{row['date']} at {row['commit']} on {row['device']} with {row['threads']} thread(s)" for row in rows
    )
    return "; ".join(stamps)


def _overhead() -> list[str]:
    lines = ["## Trainer against a bare PyTorch loop of the same model", ""]
    if not overhead.FILE.exists():
        return [*lines, "Not measured yet: `python -m benchmarks.deep --overhead`.", ""]
    found = json.loads(overhead.FILE.read_text(encoding="utf-8"))
    cells = [
        [name, f"{np.median(ratios):.3f}", f"{min(ratios):.3f}–{max(ratios):.3f}", str(len(ratios))]
        for name, ratios in found["ratios"].items()
    ]
    medians = [float(np.median(ratios)) for ratios in found["ratios"].values()]
    lines += target_table(
        [
            (
                "time of the trainer over that of a bare loop: at most 1.10",
                f"{max(medians):.3f}",
                max(medians) <= 1.10,
            )
        ]
    )
    lines += [table(["model", "ratio, median", "range", "rounds"], cells), ""]
    made = found["environment"]
    return [
        *lines,
        f"Processor seconds of one thread; {made['date']} at {made['commit']}, load {made['load']}.",
        "",
    ]
