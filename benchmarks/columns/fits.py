"""A row a fit in a CSV file, and what tables need of them."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import environment, records
from benchmarks.markdown import table

RESULTS = Path(__file__).resolve().parent / "results"
HEADLINE = "tied"
"""The covariance that the targets are judged on, chosen before the runs: the command line's default."""


@dataclass(frozen=True)
class Fits:
    """Rows of a CSV file, as text."""

    rows: list[dict[str, str]]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def where(self, **wanted: Any) -> Fits:
        """The rows with these entries."""
        text = {key: str(value) for key, value in wanted.items()}
        return Fits([row for row in self.rows if text.items() <= row.items()])

    def values(self, measure: str, **wanted: Any) -> NDArray[np.float64]:
        """A measure of the rows with these entries, in the order of the seeds."""
        rows = sorted(self.where(**wanted).rows, key=lambda row: int(row["seed"]))
        return np.array([float(row[measure]) for row in rows])

    def distinct(self, key: str) -> list[str]:
        """What a column holds, in the order of appearance."""
        return list(dict.fromkeys(row[key] for row in self.rows))


@dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes
    ----------
    name : str
        Of its CSV file and its option.
    title : str
    seeds : int
    fits : callable
        Runs as many seeds; a dict a fit.
    page : callable
        Its part of the page.
    """

    name: str
    title: str
    seeds: int
    fits: Callable[[int], Iterator[dict[str, Any]]]
    page: Callable[[Fits], list[str]]


def run(study: Study, seeds: int) -> Fits:
    """Run a study; its rows say when and at which commit."""
    stamp = environment.stamp()
    rows = []
    for row in study.fits(seeds):
        rows.append({key: str(value) for key, value in {**row, **stamp}.items()})
        if not len(rows) % 50:
            print(f"  {len(rows)} fits", flush=True)
    return Fits(rows)


def write(name: str, fits: Fits) -> None:
    """Save the rows of a study in place of earlier ones."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(fits.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(fits.rows)


def read(name: str) -> Fits:
    """Saved rows; none if the study was never run."""
    return Fits(records.read(RESULTS / f"{name}.csv"))


def mean_sd(values: NDArray[np.float64], digits: int = 2, sign: str = "") -> str:
    """Mean ± standard deviation; a single value by itself, a dash for none."""
    if not len(values):
        return "—"
    mean = f"{values.mean():{sign}.{digits}f}"
    return f"{mean} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else mean


def percent(error: float) -> float:
    """An error rate in %, as it is saved."""
    return round(100.0 * error, 3)


def paragraph(text: str) -> str:
    """Text in lines."""
    return textwrap.fill(" ".join(text.split()), 110, break_long_words=False, break_on_hyphens=False)


def targets(lines: list[tuple[str, str, bool]]) -> list[str]:
    """Targets, what was seen, and whether that reaches them."""
    cells = [[what, seen, "yes" if reached else "**no**"] for what, seen, reached in lines]
    return [table(["target", "seen", "reached"], cells), ""]
