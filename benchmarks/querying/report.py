"""Learning curves in tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.querying.strategies import CATBOOST, RANDOM

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


def shares(error: pd.DataFrame, budget: int) -> pd.DataFrame:
    """Share of ``budget`` labels that each strategy needs for what random ones reach with it; by table."""
    found = {
        name: {
            table: min(
                needed(error.loc[(name, table)].dropna(), error.loc[(RANDOM, table), budget]) / budget, NEVER
            )
            for table in error.loc[name].index
        }
        for name in error.index.unique("strategy")
    }
    return pd.DataFrame(found)


def page(rows: pd.DataFrame, stamp: str) -> str:
    """Summary over tables, then every table."""
    cells = rows.groupby(["strategy", "table", "labels"])[["error", "log_loss"]].mean()
    error = cells["error"].unstack("labels")
    names = [name for name in rows["strategy"].unique() if name != CATBOOST]
    by_budget = {budget: shares(error, budget) for budget in BUDGETS}
    mean = error.mean(axis=1).unstack("strategy")
    last = error[BUDGETS[-1]].unstack("strategy")
    loss = cells["log_loss"].groupby(["strategy", "table"]).mean().unstack("strategy")
    lines = [
        [
            name,
            *(f"{100 * by_budget[budget][name].median():.0f} %" for budget in BUDGETS),
            f"{100 * mean[name].mean():.2f}",
            f"{100 * last[name].mean():.2f}",
            f"{loss[name].mean():.3f}",
            f"{100 * (mean[name] - mean[RANDOM]).max():+.2f}",
            f"{100 * (last[name] - last[RANDOM]).max():+.2f}",
            f"{int((mean[name] < mean[RANDOM]).sum())} of {mean[name].notna().sum()}",
        ]
        for name in [*names, *([CATBOOST] if CATBOOST in mean else [])]
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
    each = [
        [
            table,
            *(f"{100 * by_budget[BUDGETS[-1]].loc[table, name]:.0f} %" for name in names if name != RANDOM),
            *(f"{100 * mean.loc[table, name]:.1f} / {100 * last.loc[table, name]:.1f}" for name in names),
        ]
        for table in mean.index
    ]
    columns = [
        "table",
        *(f"{name}: labels" for name in names if name != RANDOM),
        *(f"{name}: error" for name in names),
    ]
    seeds = rows.groupby("strategy")["seed"].nunique()
    drawn = ", ".join(f"{name} {count}" for name, count in seeds.items())
    about = (
        f"{rows['table'].nunique()} tables; draws: {drawn}. {stamp}. Labels needed: share of the budget at "
        "which the mean curve reaches the mean error of random labels at the budget, median over tables. "
        "Errors in %, over the curve from 5 to 100 labels (mean) and at its end; worst: the table where a "
        "strategy is farthest behind random labels, in points."
    )
    below = (
        "Each table: share of 100 labels that is needed for the error of 100 random ones "
        f"({100 * NEVER:.0f} %: not reached), and mean error / error at the end."
    )
    summary, details = markdown.table(head, lines), markdown.table(columns, each)
    return f"# Labels that were asked for\n\n{about}\n\n{summary}\n\n{below}\n\n{details}\n"
