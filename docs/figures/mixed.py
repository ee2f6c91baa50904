"""Draw docs/_static/mixed.svg, results of the benchmark of mixed tables: ``python docs/figures/mixed.py``."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).parents[2]
BASELINES = ["RF", "LogReg", "HistGB", "LDA-shrink"]


def main():
    """A point for every table that all methods have finished."""
    rows = pd.read_csv(ROOT / "benchmarks/accuracy/results/mixed.csv")
    drawn = rows.loc[rows["method"] == "auto", ["data", "L", "seed"]]
    rows = rows.merge(drawn)  # the same draws for all
    mean = rows.groupby(["data", "L", "method"])["logloss"].mean().unstack()[[*BASELINES, "auto"]].dropna()
    best = mean[BASELINES].min(axis=1)
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "mixed", "font.size": 11})
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), sharex=True, sharey=True, layout="constrained")
    end = 1.05 * float(max(best.max(), mean["auto"].max()))
    for axis, labels in zip(axes, (5, 20, 100), strict=True):
        here = mean.index.get_level_values("L") == labels
        axis.plot([0, end], [0, end], color="#9a9a9a", linewidth=1)
        axis.scatter(best[here], mean["auto"][here], s=16, color="#2f6db3")
        axis.set(title=f"{labels} labels per class, {here.sum()} tables", xlim=(0, end), ylim=(0, end))
        axis.set_xlabel("best single baseline, nats")
    axes[0].set_ylabel("AutoClassifier, nats")
    figure.savefig(ROOT / "docs/_static/mixed.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
