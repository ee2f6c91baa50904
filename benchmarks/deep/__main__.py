"""``python -m benchmarks.deep``: the deep models on MNIST, digits and shapes, and what the trainer costs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.deep import overhead, report, runner
from benchmarks.deep.problems import VARIABLE
from benchmarks.deep.profiles import PROFILES


def main() -> None:
    """Measure, print and save; finished fits are kept."""
    options = _options()
    if options.data is not None:
        os.environ[VARIABLE] = str(options.data)
    for name in [] if options.report else _chosen(options):
        profile = PROFILES[name]
        if options.fresh:
            runner.path(name).unlink(missing_ok=True)
        runner.run(profile, options.methods, options.draws or profile.draws)
    if options.overhead:
        overhead.measure(options.rounds)
    page = report.page()
    print(page)
    (runner.RESULTS / "results.md").write_text(page, encoding="utf-8")


def _chosen(options: argparse.Namespace) -> list[str]:
    if options.small:
        return ["small"]
    if options.profile:
        return list(options.profile)
    return [] if options.overhead else ["small", "digits", "shapes", "cpu"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep", description=__doc__)
    parser.add_argument("--small", action="store_true", help="digits only, less than three minutes")
    parser.add_argument("--profile", nargs="*", choices=list(PROFILES), help="default: all but gpu")
    parser.add_argument("--methods", nargs="*", default=[], help="only these")
    parser.add_argument("--draws", type=int, default=0, help="label draws; default: the profile's")
    parser.add_argument("--data", type=Path, help="mnist.npz, or its folder; default: OpenML's copy")
    parser.add_argument("--overhead", action="store_true", help="the trainer against a bare loop")
    parser.add_argument("--rounds", type=int, default=9, help="of the trainer against a bare loop")
    parser.add_argument("--fresh", action="store_true", help="forget the profile's finished fits")
    parser.add_argument("--report", action="store_true", help="run nothing, print saved results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
