"""``python -m benchmarks.scale``: seconds, memory and predictions a second by size of the table."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.scale import measure, report
from benchmarks.scale.problems import PROBLEMS, Problem

FILE = Path(__file__).resolve().parent / "results.json"


def main() -> None:
    """Measure, print and save, problem by problem; results of other problems are kept."""
    options = _options()
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for problem in [] if options.report else _chosen(options):
        print(problem.name, flush=True)
        found[problem.name] = {
            "environment": environment.describe(),
            "rounds": _rounds(problem, options.rounds, options.contenders),
        }
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = report.page(found)
    print(page)
    FILE.with_suffix(".md").write_text(page, encoding="utf-8")


def _rounds(problem: Problem, n_rounds: int, names: list[str]) -> list[dict[str, dict[str, float]]]:
    """Contenders take turns, so that a busy moment meets all of them."""
    rounds = []
    for _ in range(n_rounds):
        figures = {}
        for name in names:
            if not measure.runs_on(name, problem):
                print(f"  {name} is left out: more than {measure.MOST_ROWS[name]:,} rows", flush=True)
                continue
            try:
                figures[name] = measure.in_child(name, problem)
            except subprocess.TimeoutExpired:
                print(f"  {name} is left out: more than {measure.TIMEOUT} s", flush=True)
                continue
            shown = ", ".join(f"{key} {value:.3g}" for key, value in figures[name].items())
            print(f"  {name}: {shown}", flush=True)
        rounds.append(figures)
    return rounds


def _chosen(options: argparse.Namespace) -> list[Problem]:
    if options.only:
        return [PROBLEMS[name] for name in options.only]
    return [one for one in PROBLEMS.values() if options.large or not one.large]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--large", action="store_true", help="a million rows, too")
    parser.add_argument("--only", nargs="*", default=[], choices=list(PROBLEMS), help="only these problems")
    known = list(measure.CONTENDERS)
    parser.add_argument("--contenders", nargs="*", default=known, choices=known)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--report", action="store_true", help="run nothing, print saved results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
