"""Tables of many sizes, drawn with scikit-learn's ``make_classification``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification

UNLABELED = -1
JUDGED_ROWS = 20_000


@dataclass(frozen=True)
class Problem:
    """A table and how many of its rows are labeled.

    Attributes
    ----------
    name : str
    rows, features, classes : int
    labeled : int
        As many of each class, but for the remainder.
    seconds : float or None
        The most that a fit may take on two cores.
    large : bool
        Whether it runs only on demand.
    """

    name: str
    rows: int
    features: int
    classes: int
    labeled: int
    seconds: float | None = None
    large: bool = False

    def draw(self) -> Table:
        """The rows to fit and as many to judge on as :data:`JUDGED_ROWS`, two clusters per class."""
        informative = min(self.features, 12)
        X, y = make_classification(
            self.rows + JUDGED_ROWS,
            self.features,
            n_informative=informative,
            n_redundant=min(self.features - informative, 4),
            n_classes=self.classes,
            n_clusters_per_class=2,
            class_sep=1.5,
            flip_y=0.01,
            random_state=0,
        )
        shown = np.full(self.rows, UNLABELED)
        order = np.random.default_rng(0).permutation(self.rows)
        rank = np.empty(self.rows, dtype=np.intp)
        for k in range(self.classes):
            mine = order[y[order] == k]
            rank[mine] = np.arange(len(mine))
        chosen = order[np.argsort(rank[order], kind="stable")][: self.labeled]
        shown[chosen] = y[chosen]
        return Table(X[: self.rows], shown, X[self.rows :], y[self.rows :])


@dataclass(frozen=True)
class Table:
    """Rows to fit with their labels (-1: unlabeled), rows to judge on with their classes."""

    X: NDArray[np.float64]
    y: NDArray[np.intp]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.intp]


PROBLEMS = {
    one.name: one
    for one in (
        Problem("5,000 × 30, 5 classes", 5_000, 30, 5, 106, seconds=6.0),
        Problem("20,000 × 16, 26 classes", 20_000, 16, 26, 260, seconds=15.0),
        Problem("100,000 × 20, 5 classes", 100_000, 20, 5, 100),
        Problem("1,000,000 × 20, 5 classes", 1_000_000, 20, 5, 100, large=True),
        Problem("10,000 × 20, 2 classes", 10_000, 20, 2, 40),
        Problem("10,000 × 20, 100 classes", 10_000, 20, 100, 1_000),
        Problem("5,000 × 30, 1 label per class", 5_000, 30, 5, 5),
        Problem("5,000 × 30, all labeled", 5_000, 30, 5, 5_000),
    )
}
