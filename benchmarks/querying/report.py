"""Learning curves in tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.querying.strategies import CONTENDERS, RANDOM

BUDGETS = (60, 100)
NEVER = 1.5
"""Share that counts for a strategy that does not reach the error of random labels within the curve."""


def needed(curve: pd.Series, target: float) -> float:
    """Labels at which an error curve first reaches a target, linear between steps; infinite if never."""
    labels, error = curve.index.to_numpy(dtype=float), curve.to_numpy()
    reached = np.flatnonzero(error <= target + 1e-12)
    if not len(reached):
        return float("inf")
    at = int(reached[0])
    if at == 0 or error[at - 1] == error[at]:
        return float(labels[at])
    part = (error[at - 1] - target) / (error[at - 1] - error[at])
    return float(labels[at - 1] + part * (labels[at] - labels[at - 1]))


def paired(rows: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean error of a strategy and of random labels on the same draws: tables × labels."""
    mine = rows[rows["strategy"] == name]
    drawn = pd.MultiIndex.from_frame(mine[["table", "seed"]])
    theirs = rows[rows["strategy"] == RANDOM]
    theirs = theirs[pd.MultiIndex.from_frame(theirs[["table", "seed"]]).isin(drawn)]
    first, second = (one.groupby(["table", "labels"])["error"].mean().unstack() for one in (mine, theirs))
    return first, second


def share(error: pd.DataFrame, at_random: pd.DataFrame, budget: int) -> pd.Series:
    """Share of ``budget`` labels that is needed for what as many random ones reach, by table."""
    found = {
        table: min(needed(error.loc[table].dropna(), at_random.loc[table, budget]) / budget, NEVER)
        for table in error.index
    }
    return pd.Series(found)


def page(rows: pd.DataFrame, stamp: str) -> str:
    """Summary over tables, then every table."""
    names = [name for name in CONTENDERS if name in set(rows["strategy"])]
    errors = {name: paired(rows, name) for name in names}
    mean = {name: (error.mean(axis=1), other.mean(axis=1)) for name, (error, other) in errors.items()}
    last = {name: (error[BUDGETS[-1]], other[BUDGETS[-1]]) for name, (error, other) in errors.items()}
    part = {name: {budget: share(*errors[name], budget) for budget in BUDGETS} for name in names}
    loss = rows.groupby(["strategy", "table"])["log_loss"].mean().groupby("strategy").mean()
    lines = [
        [
            name,
            *(f"{100 * part[name][budget].median():.0f} %" for budget in BUDGETS),
            *(
                f"{100 * value[name][0].mean():.2f} ({100 * value[name][1].mean():.2f})"
                for value in (mean, last)
            ),
            f"{loss[name]:.3f}",
            *(f"{100 * (value[name][0] - value[name][1]).max():+.2f}" for value in (mean, last)),
            f"{(mean[name][0] < mean[name][1]).sum()} of {len(mean[name][0])}",
        ]
        for name in names
    ]
    head = [
        "strategy",
        *(f"labels for random's error at {budget}" for budget in BUDGETS),
        "mean error",
        f"error at {BUDGETS[-1]}",
        "mean log-loss",
        "worst mean",
        f"worst at {BUDGETS[-1]}",
        "better than random",
    ]
    others = [name for name in names if name != RANDOM]
    each = [
        [
            table,
            *(f"{100 * part[name][BUDGETS[-1]][table]:.0f} %" for name in others),
            *(f"{100 * mean[name][0][table]:.1f} / {100 * last[name][0][table]:.1f}" for name in names),
        ]
        for table in mean[RANDOM][0].index
    ]
    columns = ["table", *(f"{name}: labels" for name in others), *(f"{name}: error" for name in names)]
    seeds = rows.groupby("strategy")["seed"].nunique()
    drawn = ", ".join(f"{name} {count}" for name, count in seeds.items())
    about = (
        f"{rows['table'].nunique()} tables; draws: {drawn}. {stamp}. Labels needed: share of the budget at "
        "which the mean curve reaches the mean error of random labels at the budget, median over tables. "
        "Errors in %, over the curve from 5 to 100 labels (mean) and at its end, in brackets those of random "
        "labels on the same draws; worst: the table where a strategy is farthest behind them, in points."
    )
    below = (
        "Each table: share of 100 labels that is needed for the error of 100 random ones "
        f"({100 * NEVER:.0f} %: not reached), and mean error / error at the end."
    )
    summary, details = markdown.table(head, lines), markdown.table(columns, each)
    return f"# Labels that were asked for\n\n{about}\n\n{summary}\n\n{below}\n\n{details}\n"
