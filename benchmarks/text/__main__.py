"""``python -m benchmarks.text``: documents with few labels, beside what a user would pick instead."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.columns.fits import Fits
from benchmarks.text import beside, measure, newsgroups, report
from benchmarks.text.models import SEEDS

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Measure, print and save."""
    options = _options()
    if options.beside:
        _beside(options)
        return
    if not options.report:
        try:
            documents = newsgroups.read(newsgroups.find(options.data))
        except newsgroups.NoTextsError as reason:
            print(f"20 Newsgroups is skipped: {reason}")
            return
        rows = measure.fits(documents, 1 if options.quick else SEEDS, _say)
        cost = {"environment": environment.describe(), **measure.cost(documents)}
        if options.quick:
            print(report.page(Fits([{k: str(v) for k, v in row.items()} for row in rows]), cost))
            return
        _write(rows, cost)
    page = report.page(
        _saved("newsgroups.csv"), json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))
    )
    print(page)
    (RESULTS / "results.md").write_text(page, encoding="utf-8")


def _beside(options: argparse.Namespace) -> None:
    if not options.report:
        try:
            rows = beside.fits(newsgroups.find(options.data), tuple(options.draws), _say)
        except newsgroups.NoTextsError as reason:
            print(f"20 Newsgroups is skipped: {reason}")
            return
        _write_rows("beside.csv", rows)
    page = beside.page(_saved("beside.csv"))
    print(page)
    (RESULTS / "beside.md").write_text(page, encoding="utf-8")


def _saved(name: str) -> Fits:
    return Fits(list(csv.DictReader((RESULTS / name).read_text(encoding="utf-8").splitlines())))


def _write_rows(name: str, rows: list[dict[str, Any]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write(rows: list[dict[str, Any]], cost: dict[str, Any]) -> None:
    _write_rows("newsgroups.csv", rows)
    (RESULTS / "cost.json").write_text(json.dumps(cost, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        help=f"parquet file with columns split, group, text, or its folder; else ${newsgroups.VARIABLE}, "
        "else scikit-learn's copy",
    )
    parser.add_argument("--quick", action="store_true", help="one seed, printed and not saved")
    parser.add_argument("--beside", action="store_true", help="long texts beside other columns instead")
    parser.add_argument(
        "--draws", type=int, nargs="+", default=beside.SEEDS, help="random draws (only with --beside)"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, print saved results")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
