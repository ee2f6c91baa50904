"""``python -m benchmarks.accuracy``: semigen and what a user would pick instead, on the same rows."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy import bank, learning, mixed, models, report, runner
from benchmarks.accuracy.splits import SUITES, point_to_texts


def main() -> None:
    """Run what is not finished, print the tables and save them beside the results."""
    options = _options()
    point_to_texts(options.texts)
    mixed.point_to(options.folder)
    bank.point_to(options.bank)
    if options.learn_weights:
        print(learning.page(options.data))
        return
    chosen = [name for name in SUITES if getattr(options, name)] or list(SUITES)
    methods = {*options.methods, *(name for group in options.groups for name in models.GROUPS[group])}
    for name in chosen:
        if options.fresh:
            runner.path(name).unlink(missing_ok=True)
        if options.fresh_methods:
            runner.forget(name, options.fresh_methods)
        if not options.report:
            runner.run(
                SUITES[name], data=options.data, methods=methods, quick=options.quick, jobs=options.jobs
            )
        if runner.read(name):
            page = report.page(SUITES[name])
            print(page)
            runner.path(name).with_suffix(".md").write_text(page, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--tables", action="store_true", help="only the bundled tables")
    parser.add_argument("--sslbook", action="store_true", help="only the sets of the SSL book")
    parser.add_argument("--newsgroups", action="store_true", help="only 20 Newsgroups")
    parser.add_argument(
        "--permuted", action="store_true", help="only tables whose unlabeled rows are permuted"
    )
    parser.add_argument("--mixed", action="store_true", help="only mixed tables with labels drawn at random")
    parser.add_argument(
        "--packages", action="store_true", help="only tables of R packages, labels drawn at random"
    )
    parser.add_argument(
        "--unseen", action="store_true", help="only tables that nothing was chosen by, labels drawn at random"
    )
    parser.add_argument(
        "--shuffled", action="store_true", help="only tables whose classes are shuffled among the rows"
    )
    parser.add_argument("--folder", type=Path, help="of the mixed tables; or the variable SEMIGEN_TABLES")
    parser.add_argument(
        "--learn-weights",
        action="store_true",
        help="learn AutoClassifier's default weights",
    )
    parser.add_argument("--bank", type=Path, help="folder of AutoClassifier's fits; or SEMIGEN_BANK")
    parser.add_argument("--quick", action="store_true", help="two seeds instead of all")
    parser.add_argument("--jobs", type=int, default=1, help="processes; seconds are fair only with 1")
    parser.add_argument("--data", nargs="*", default=[], help="only these data sets")
    parser.add_argument(
        "--texts", type=Path, help="20 Newsgroups: parquet file or its folder, as for benchmarks.text"
    )
    known = list(models.METHODS)
    parser.add_argument(
        "--methods", nargs="*", default=[], choices=known, metavar="NAME", help="only these methods"
    )
    groups = list(models.GROUPS)
    parser.add_argument(
        "--groups", nargs="*", default=[], choices=groups, help="only these groups of methods"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, print finished results")
    parser.add_argument("--fresh", action="store_true", help="forget finished results first")
    parser.add_argument(
        "--fresh-methods",
        nargs="*",
        default=[],
        choices=known,
        metavar="NAME",
        help="forget these methods' results first",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
