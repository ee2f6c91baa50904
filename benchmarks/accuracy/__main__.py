"""``python -m benchmarks.accuracy``: the baselines' protocol for semigen's models."""

from __future__ import annotations

import argparse

from benchmarks.accuracy import models, report, runner
from benchmarks.accuracy.splits import SUITES


def main() -> None:
    """Run what is not finished, print the tables and save them beside the results."""
    options = _options()
    chosen = [name for name in SUITES if getattr(options, name)] or list(SUITES)
    for name in chosen:
        if options.fresh:
            runner.path(name).unlink(missing_ok=True)
        if not options.report:
            runner.run(
                SUITES[name],
                data=options.data,
                methods=options.methods,
                quick=options.quick,
                jobs=options.jobs,
            )
        if runner.read(name):
            page = report.page(SUITES[name])
            print(page)
            runner.path(name).with_suffix(".md").write_text(page, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--tables", action="store_true", help="only the bundled tables")
    parser.add_argument("--sslbook", action="store_true", help="only the sets of the SSL book")
    parser.add_argument("--quick", action="store_true", help="two seeds instead of all")
    parser.add_argument("--jobs", type=int, default=1, help="processes; seconds are fair only with 1")
    parser.add_argument("--data", nargs="*", default=[], help="only these data sets")
    known = list({**models.METHODS, **models.RECIPE})
    parser.add_argument("--methods", nargs="*", default=[], choices=known, help="only these methods")
    parser.add_argument("--report", action="store_true", help="run nothing, print finished results")
    parser.add_argument("--fresh", action="store_true", help="forget finished results first")
    return parser.parse_args()


if __name__ == "__main__":
    main()
