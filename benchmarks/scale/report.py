"""The measurements as one markdown page."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.columns.fits import targets
from benchmarks.markdown import table
from benchmarks.scale.measure import AUTO, CONTENDERS
from benchmarks.scale.problems import PROBLEMS

MOST_MB = 1000.0
LEAST_ROWS_PER_SECOND = 20_000.0
Found = dict[str, Any]


def page(found: Found) -> str:
    """Targets, and figures of every contender on every problem."""
    shown = {name: found[name]["rounds"] for name in PROBLEMS if name in found}
    parts = [
        "# What AutoClassifier costs",
        "",
        "Written by `python -m benchmarks.scale`; [how to read it](../README.md).",
        "",
        *targets(_targets(shown)),
        "## By size of the table, medians over rounds",
        "",
        "Ratio: seconds of the fit over those of auto in the same round, median (range); below 1 the peer is",
        "faster. MB: peak of fit and prediction beside the data.",
        "",
        table(
            ["table, contender", "seconds", "processor s", "ratio", "MB", "predicted rows/s", "error"],
            [
                [f"{problem}: {name}", *_figures(rounds, name)]
                for problem, rounds in shown.items()
                for name in CONTENDERS
                if all(name in one for one in rounds)
            ],
        ),
        "",
        "## Measured",
        "",
        *(f"- {problem}: {_environment(found[problem]['environment'])}" for problem in shown),
        "",
    ]
    return "\n".join(parts)


def _targets(shown: dict[str, list[Found]]) -> list[tuple[str, str, bool]]:
    ran = {name: rounds for name, rounds in shown.items() if all(AUTO in one for one in rounds)}
    lines = []
    for name, rounds in ran.items():
        most = PROBLEMS[name].seconds
        if most is not None:
            seconds = _median(rounds, AUTO, "seconds")
            lines.append((f"{name}: fit in at most {most:g} s", f"{seconds:.1f} s", seconds <= most))
    for name, rounds in ran.items():
        peak = max(one[AUTO]["peak_mb"] for one in rounds)
        what = f"{name}: at most {MOST_MB:,.0f} MB beside the data"
        lines.append((what, f"{peak:,.0f} MB", peak <= MOST_MB))
    for name, rounds in ran.items():
        speed = _median(rounds, AUTO, "rows_per_second")
        what = f"{name}: at least {LEAST_ROWS_PER_SECOND:,.0f} predicted rows/s"
        lines.append((what, f"{speed:,.0f}", speed >= LEAST_ROWS_PER_SECOND))
    return lines


def _figures(rounds: list[Found], name: str) -> list[str]:
    peak = max(one[name]["peak_mb"] for one in rounds)
    return [
        f"{_median(rounds, name, 'seconds'):.2f}",
        f"{_median(rounds, name, 'cpu_seconds'):.2f}",
        _ratio(rounds, name),
        f"{peak:,.0f}",
        f"{_median(rounds, name, 'rows_per_second'):,.0f}",
        f"{_median(rounds, name, 'error'):.3f}",
    ]


def _ratio(rounds: list[Found], name: str) -> str:
    ratios = [one[name]["seconds"] / one[AUTO]["seconds"] for one in rounds if AUTO in one]
    if name == AUTO or not ratios:
        return "—"
    return f"{np.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def _median(rounds: list[Found], name: str, figure: str) -> float:
    return float(np.median([one[name][figure] for one in rounds]))


def _environment(given: dict[str, str]) -> str:
    machine = f"{given['threads']} × {given['processor']}, load {given['load']}"
    return f"{given['date']} at {given['commit']}, {machine}"
