"""Finished fits as numbers: by cell (data set and number of labels), method and seed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.accuracy import models, runner
from benchmarks.accuracy.splits import Suite

Cell = tuple[str, int]


@dataclass(frozen=True)
class Results:
    """The fits of a suite.

    Attributes
    ----------
    suite : Suite
    found : dict {(data, labels, method): {seed: {measure: value}}}
        Of mixed tables, the seeds that AutoClassifier has finished.
    commits : dict {method: commits and dates of its rows}
    """

    suite: Suite
    found: dict[tuple[str, int, str], dict[int, dict[str, float]]]
    commits: dict[str, set[tuple[str, str]]]

    @classmethod
    def read(cls, suite: Suite) -> Results:
        found: dict[tuple[str, int, str], dict[int, dict[str, float]]] = defaultdict(dict)
        commits: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for row in runner.read(suite.name):
            key = row["data"], int(row["L"]), row["method"]
            found[key][int(row["seed"])] = {measure: float(row[measure]) for measure in suite.measures}
            commits[row["method"]].add((row["date"], row["commit"]))
        paired = {
            key: {seed: one for seed, one in fits.items() if seed in found.get((*key[:2], models.AUTO), fits)}
            for key, fits in found.items()
        }
        return cls(suite, paired if suite.name in models.EVERYDAY else dict(found), dict(commits))

    @property
    def cells(self) -> list[Cell]:
        return [(data, n) for data in self.suite.data for n in self.suite.labels]

    @property
    def methods(self) -> list[str]:
        return [name for name in models.METHODS if name in self.commits]

    def values(self, cell: Cell, method: str, measure: str) -> NDArray[np.float64]:
        """One value a seed; empty where the method did not run."""
        fits = self.found.get((*cell, method), {})
        return np.array([fits[seed][measure] for seed in sorted(fits)])

    def mean(self, cell: Cell, method: str, measure: str) -> float:
        values = self.values(cell, method, measure)
        return float(values.mean()) if len(values) else np.nan

    def mean_over(self, cells: list[Cell], method: str, measure: str) -> float:
        """Mean of the cells' means; NaN if the method did not run in all."""
        return float(np.mean([self.mean(cell, method, measure) for cell in cells])) if cells else np.nan

    def paired(self, cell: Cell, method: str, other: str, measure: str) -> NDArray[np.float64]:
        """The method less the other, seed by seed."""
        ours, theirs = (self.found.get((*cell, name), {}) for name in (method, other))
        return np.array([ours[s][measure] - theirs[s][measure] for s in sorted(ours.keys() & theirs.keys())])

    def best(self, cell: Cell, methods: tuple[str, ...], measure: str) -> str | None:
        """The method with the lowest mean, of those that ran."""
        means = {name: self.mean(cell, name, measure) for name in methods}
        ran = {name: mean for name, mean in means.items() if not np.isnan(mean)}
        return min(ran, key=ran.__getitem__) if ran else None

    def ranks(self, measure: str) -> dict[str, float]:
        """Mean rank over cells; a method that did not run in a cell shares the last ranks there."""
        names = [name for name in self.methods if name in models.RANKED]
        if not names:
            return {}
        means = np.array([[self.mean(cell, name, measure) for name in names] for cell in self.cells])
        ranks = rankdata(np.where(np.isnan(means), np.inf, means), axis=1).mean(axis=0)
        return dict(zip(names, ranks.tolist(), strict=True))

    def seconds(self, method: str) -> float:
        """Mean of fit and prediction over the cells in which it ran."""
        means = [self.mean(cell, method, "seconds") for cell in self.cells]
        return float(np.nanmean(means))

    def unfinished(self) -> list[str]:
        """Methods with fewer seeds than the suite has, in some cell in which they ran."""
        counts = {key: len(fits) for key, fits in self.found.items() if key[2] in models.METHODS}
        return sorted({key[2] for key, count in counts.items() if count < self.suite.seeds})

    def mixed(self) -> list[str]:
        """Variants of AutoClassifier, if rows of theirs are of different commits."""
        names = [name for name in self.methods if models.of_auto(name)]
        commits = {commit for name in names for _, commit in self.commits[name]}
        return names if len(commits) > 1 else []
