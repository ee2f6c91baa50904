"""How tables, results and verdicts are worded in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from semigen.cli.console import Output
from semigen.cli.tables import cell_text, counted
from semigen.columns import Column
from semigen.columns.tables import listing
from semigen.comparison import Comparison
from semigen.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from semigen.cli.models import Judged

WITH, WITHOUT = "all rows", "labeled rows only"
"""What a model has learned from."""

_MOST_LINES = 12
_PLURAL = {
    "number": "numbers",
    "count": "counts",
    "flag": "true/false",
    "category": "categories",
    "text": "text",
}


def say_table(
    output: Output, name: str, target: str, n_rows: int, labeled: Counter[Any], columns: Sequence[Column]
) -> None:
    """Say what is in a table: rows, labels, and which columns are used, which are not and why."""
    grid = _labels("rows", target, n_rows, labeled)
    used = Counter(column.kind for column in columns if column.use)
    for number, (kind, count) in enumerate(used.items()):
        which = listing([_with_holes(column) for column in columns if column.use and column.kind == kind])
        grid.add_row("" if number else "used", f"{counted(count, 'column')} of {_PLURAL[kind]}: {which}")
    if not used:
        grid.add_row("used", "no column")
    reasons: dict[str, list[str]] = {}
    for column in columns:
        if not column.use:
            reasons.setdefault(column.reason, []).append(column.name)
    for number, (reason, names) in enumerate(list(reasons.items())[:_MOST_LINES]):
        grid.add_row("" if number else "not used", f"{listing(names)}: {reason}")
    if len(reasons) > _MOST_LINES:
        n_more = sum(map(len, list(reasons.values())[_MOST_LINES:]))
        grid.add_row("", f"and {counted(n_more, 'more column')} (all are in summary.json)")
    output.say(name, style="bold")
    output.say(grid)


def say_images(
    output: Output, name: str, target: str, n_images: int, labeled: Counter[Any], form: str
) -> None:
    """Say what is in a folder of images: images, labels, and their size."""
    grid = _labels("images", target, n_images, labeled)
    grid.add_row("size", form)
    output.say(name, style="bold")
    output.say(grid)


def say_result(
    output: Output, judged: Judged, about: dict[str, Any], verdict: str, *, with_twin: bool
) -> None:
    """Say how good a model is on hidden labeled rows, what it consists of, and the verdict.

    Parameters
    ----------
    output : Output
    judged : Judged
    about : dict
        What the summary says about the model.
    verdict : str
        In words.
    with_twin : bool
        Whether there are unlabeled rows, without which a pool and its supervised twin are one.
    """
    output.say()
    if "members" in about:
        _say_members(output, judged, about["members"], with_twin)
    elif judged.validation is not None:
        _say_twins(output, judged.validation)
    if judged.why_not is not None:
        output.say(judged.why_not)
    output.say(verdict)
    if "unlabeled_weight" in about:
        chosen = f"Chosen: an unlabeled row counts {about['unlabeled_weight']:g} of a labeled one"
        output.say(f"{chosen}: {about['fallback']}" if about["fallback"] else f"{chosen}.")


def verdict_text(judged: Judged, n_unlabeled: int, *, with_covariance: bool) -> str:
    """Say in plain words whether the unlabeled rows helped."""
    verdict, cv = judged.verdict, judged.validation
    if verdict == "no unlabeled rows":
        return "Every row is labeled, so there are no unlabeled rows to learn from."
    rows = f"the {counted(n_unlabeled, 'unlabeled row')}"
    if cv is None:
        return f"Whether {rows} helped cannot be told without labeled rows to hide."
    difference = cv.difference(*judged.pair)
    tested = counted(cv.rows.size, "labeled row")
    change = (
        f"with them accuracy changes by {_points(difference.accuracy)} points and log-loss by "
        f"{_signed(difference.log_loss)} nats a row (95% intervals)"
    )
    said = {
        "helped": f"Here {rows} helped: {change}.",
        "hurt": f"Here {rows} hurt, as they do where the classes are not as the model takes them: {change}.",
        "mixed": f"Here {rows} helped by one measure and hurt by the other: {change}.",
        "unknown": f"Whether {rows} helped cannot be told from {tested}: {change}.",
    }[verdict]
    if not judged.uses_unlabeled:
        so = "So" if verdict == "hurt" else "To be safe,"
        said += f" {so} the saved model has learned from the labeled rows only."
    elif verdict == "hurt":
        said += " The saved model uses them all the same, since its log-loss does not show it."
    if verdict == "hurt" and with_covariance:
        said += " Another --covariance may fit better."
    return said


def _labels(what: str, target: str, n_rows: int, labeled: Counter[Any]) -> Table:
    """Lines that say how many rows there are, and how many of each class are labeled."""
    n_labeled = sum(labeled.values())
    classes = listing([f"{cell_text(label)} {count}" for label, count in sorted(labeled.items())])
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(what, f"{n_rows:,}: {n_labeled:,} labeled, {n_rows - n_labeled:,} unlabeled")
    grid.add_row("target", f"{target} ({classes or 'no label'})")
    return grid


def _say_twins(output: Output, cv: Comparison) -> None:
    """A model and its supervised twin."""
    table = _table(["learned from"], with_scores=True)
    for name in cv.names:
        table.add_row(name, *_scores(cv, name))
    rows = counted(cv.rows.size, "labeled row")
    output.say(f"{cv.n_splits}-fold cross-validation on {rows} (95% intervals)", style="bold")
    output.say(table)
    output.say()


def _say_members(output: Output, judged: Judged, members: Sequence[dict[str, Any]], with_twin: bool) -> None:
    """Members of a pool with their weights, and below them the pool and its supervised twin."""
    cv = judged.validation
    hidden = "" if cv is None else f" on {counted(cv.rows.size, 'hidden labeled row')} (95% intervals)"
    table = _table(["member", "rows", "weight"], with_scores=cv is not None)
    total = sum(one["weight"] for one in members) or 1.0
    for number, one in enumerate(members, start=1):
        rows = "all" if one["learned_from"] == WITH else "labeled"
        scores = () if cv is None else _scores(cv, one["name"])
        share = f"{one['weight'] / total:.0%}"
        table.add_row(one["name"], rows, share, *scores, end_section=number == len(members))
    if cv is not None:
        for name, rows in list(zip(judged.pair, ("all", "labeled"), strict=True))[: 1 + with_twin]:
            table.add_row(name, rows, "", *_scores(cv, name))
    output.say(f"Members of the pool{hidden}", style="bold")
    output.say(table)
    output.say()


def _table(columns: Sequence[str], *, with_scores: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number > 1 else "left")
    for name in ("accuracy, %", "log-loss, nats") if with_scores else ():
        table.add_column(name, justify="right")
    return table


def _scores(cv: Comparison, name: str) -> tuple[str, str]:
    score = cv.score(name)
    percent = Estimate(*(100 * value for value in astuple(score.accuracy)))
    return _interval(percent, ".1f"), _interval(score.log_loss, ".3f")


def _interval(estimate: Estimate, form: str) -> str:
    """A number that is not negative, and its interval."""
    return f"{estimate.value:{form}} ({estimate.low:{form}}-{estimate.high:{form}})"


def _with_holes(column: Column) -> str:
    notes = [f"{column.n_distinct:,} values"] if column.kind == "category" else []
    notes += [f"{column.n_missing:,} missing"] if column.n_missing else []
    return f"{column.name} ({', '.join(notes)})" if notes else column.name


def _points(estimate: Estimate) -> str:
    return " ".join(
        (f"{100 * estimate.value:+.1f}", f"({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})")
    )


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
