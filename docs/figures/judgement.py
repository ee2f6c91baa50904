"""Draw docs/_static/harm_bench.svg and harm_reliability.svg, results of ``benchmarks.judgement``."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
BLUE, ORANGE, GREEN, GRAY = "#2f6db3", "#c2621b", "#2c8a57", "#9a9a9a"
BINS = np.array([0, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1.0001])
FEWEST = 5  # cases of a point


def main():
    """Two pictures."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "judgement", "font.size": 11})
    cases = pd.read_csv(ROOT / "benchmarks/judgement/results/judged.csv")
    bench(cases[cases["kind"] == "design"])
    reliability(cases)


def bench(cases):
    """What unlabeled rows change on each design, and on its twin."""
    designs = cases.groupby(["name", "well_specified"])["error_change"].mean().unstack().sort_values(0)
    figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
    place = np.arange(len(designs))
    axis.axvline(0, color=GRAY, linewidth=1)
    axis.scatter(100 * designs[1], place, color=BLUE, label="the model is right (twin)")
    axis.scatter(100 * designs[0], place, color=ORANGE, marker="s", label="the model is wrong (design)")
    axis.set_yticks(place, designs.index)
    axis.set_xlabel("change of the error by the unlabeled rows, points")
    axis.legend(frameon=False, loc="lower right")
    figure.savefig(ROOT / "docs/_static/harm_bench.svg", metadata={"Date": None})
    plt.close(figure)


def reliability(cases):
    """How often unlabeled rows hurt, by the probability that was stated."""
    figure, axis = plt.subplots(figsize=(5, 4.5), layout="constrained")
    axis.plot([0, 100], [0, 100], color=GRAY, linewidth=1)
    for kinds, color, marker, name in (
        (["design"], ORANGE, "s", "designs"),
        (["table", "keel"], BLUE, "o", "real tables"),
        (["package"], GREEN, "^", "tables of R packages"),
    ):
        mine = cases[cases["kind"].isin(kinds)]
        if mine.empty:
            continue
        of_bin = pd.cut(mine["harm"], BINS, right=False)
        said = 100 * mine.groupby(of_bin, observed=True)["harm"].mean()
        seen = 100 * (mine["change"] > 0).groupby(of_bin, observed=True).mean()
        n = (mine["change"] > 0).groupby(of_bin, observed=True).size()
        said, seen, n = (one[n >= FEWEST] for one in (said, seen, n))
        error = 196 * np.sqrt(np.maximum(seen / 100 * (1 - seen / 100), 0.01) / n)
        axis.errorbar(said, seen, yerr=error, color=color, marker=marker, capsize=3, label=name)
    axis.set(xlabel="stated probability of harm, %", ylabel="cases in which unlabeled rows hurt, %")
    axis.set(xlim=(0, 100), ylim=(0, 100))
    axis.legend(frameon=False, loc="lower right")
    figure.savefig(ROOT / "docs/_static/harm_reliability.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
