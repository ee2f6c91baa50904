"""How tables, results and verdicts are worded in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table

from semigen.cli.console import Output
from semigen.cli.tables import cell_text, counted
from semigen.columns import Column
from semigen.columns.tables import listing
from semigen.model_selection import CrossValidation, Estimate

_MOST_LINES = 12
_PLURAL = {
    "number": "numbers",
    "count": "counts",
    "flag": "true/false",
    "category": "categories",
    "text": "text",
}


def say_table(
    output: Output, name: str, target: str, n_rows: int, labelled: Counter[Any], columns: Sequence[Column]
) -> None:
    """Say what is in a table: rows, labels, and which columns are used, which are not and why."""
    n_labelled = sum(labelled.values())
    classes = listing([f"{cell_text(label)} {count}" for label, count in sorted(labelled.items())])
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row("rows", f"{n_rows:,}: {n_labelled:,} labelled, {n_rows - n_labelled:,} unlabelled")
    grid.add_row("target", f"{target} ({classes or 'no label'})")
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


def result_table(cv: CrossValidation) -> Table:
    """Return a table of accuracy and log-loss of every model, with 95% intervals."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{cv.n_splits}-fold cross-validation on {cv.rows.size:,} labelled rows (95% intervals)",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("learned from")
    table.add_column("accuracy", justify="right")
    table.add_column("log-loss, nats a row", justify="right")
    for name in cv.names:
        score = cv.score(name)
        table.add_row(name, _percent(score.accuracy), _nats(score.log_loss))
    return table


def verdict_text(
    verdict: str, cv: CrossValidation | None, n_unlabelled: int, *, with_covariance: bool
) -> str:
    """Say in plain words whether the unlabelled rows helped."""
    if verdict == "no unlabelled rows":
        return "Every row is labelled, so there are no unlabelled rows to learn from."
    rows = f"the {counted(n_unlabelled, 'unlabelled row')}"
    if cv is None:
        return f"Whether {rows} helped cannot be told without cross-validation."
    difference = cv.difference(*cv.names)
    tested = counted(cv.rows.size, "labelled row")
    change = (
        f"with them accuracy changes by {_points(difference.accuracy)} points and log-loss by "
        f"{_signed(difference.log_loss)} nats a row (95% intervals)"
    )
    return {
        "helped": f"Here {rows} helped: {change}.",
        "hurt": f"Here {rows} hurt, as they do where the classes are not as the model takes them: {change}. "
        "So the saved model has learned from the labelled rows only."
        + (" Another --covariance may fit better." if with_covariance else ""),
        "mixed": f"Here {rows} helped by one measure and hurt by the other: {change}.",
        "unknown": f"Whether {rows} helped cannot be told from {tested}: {change}.",
    }[verdict]


def _with_holes(column: Column) -> str:
    notes = [f"{column.n_distinct:,} values"] if column.kind == "category" else []
    notes += [f"{column.n_missing:,} missing"] if column.n_missing else []
    return f"{column.name} ({', '.join(notes)})" if notes else column.name


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def _nats(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _points(estimate: Estimate) -> str:
    return " ".join(
        (f"{100 * estimate.value:+.1f}", f"({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})")
    )


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
