"""``python -m benchmarks.columns``: holes, mixed columns, outliers, class proportions, cost of holes."""

from __future__ import annotations

import argparse
import warnings

from threadpoolctl import threadpool_limits

from benchmarks.columns import holes, missing_speed, mixed, outliers, proportions
from benchmarks.columns.fits import RESULTS, Fits, Study, read, run, write

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (holes.STUDY, mixed.STUDY, outliers.STUDY, proportions.STUDY, missing_speed.STUDY)
}


def main() -> None:
    """Run the studies, save a row a fit, and write one page of all."""
    options = _options()
    chosen = [name for name in STUDIES if getattr(options, name)] or list(STUDIES)
    for name in [] if options.report else chosen:
        fits = _run(STUDIES[name], options.quick)
        if options.quick:
            print("\n".join(STUDIES[name].page(fits)))
        else:
            write(name, fits)
    if not options.quick:
        page = _page()
        print(page)
        (RESULTS / "results.md").write_text(page, encoding="utf-8")


def _run(study: Study, quick: bool) -> Fits:
    print(f"{study.name}: running", flush=True)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged within the default iterations: part of the result
        return run(study, 2 if quick else study.seeds)


def _page() -> str:
    parts = [
        "# Every kind of column",
        "",
        "Written by `python -m benchmarks.columns`; [what it means](../../README.md).",
        "Mean ± standard deviation over seeds; errors in %, their differences in points.",
        "",
    ]
    for study in STUDIES.values():
        if fits := read(study.name):
            stamps = sorted({(row["date"], row["commit"]) for row in fits.rows})
            when = ", ".join(f"{date} at {commit}" for date, commit in stamps)
            parts += [f"## {study.title}", "", f"Measured {when}.", "", *study.page(fits)]
    return "\n".join(parts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.columns", description=__doc__)
    for study in STUDIES.values():
        parser.add_argument(f"--{study.name.replace('_', '-')}", action="store_true", help=study.title)
    parser.add_argument("--quick", action="store_true", help="two seeds, printed and not saved")
    parser.add_argument("--report", action="store_true", help="run nothing, print saved results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
