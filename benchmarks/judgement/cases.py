"""Cases with a known outcome: tables of the harm bench, and real tables with few labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks.accuracy import keel, mixed, packages, splits
from semigen.datasets import HARM_DESIGNS, make_harm

DESIGN_LABELS = (3, 5, 10, 20, 50)
TABLE_LABELS = (5, 20)
BOOK = ("Digit1", "USPS", "BCI", "g241c", "g241d")
"""Sets of the SSL book; COIL has six classes and 241 columns, so that a case takes many minutes."""
DESIGN_SEEDS, TABLE_SEEDS, PACKAGE_SEEDS, BOOK_SEEDS = range(30), range(4), range(2), range(1)
FRESH_SEEDS = range(8, 30)
"""Designs of these seeds were drawn when all was chosen and learned, and are only judged."""
MOST_TRAIN, MOST_TEST, TRAIN_SHARE = 1000, 3000, 0.6
LEAST_TRAIN_PER_LABEL = 2
"""Tables with fewer rows to fit for each label are left out at that budget: there is nothing unlabeled."""


@dataclass(frozen=True)
class Case:
    """One table with labels: a design, a real one, one of an R package, or a set of the SSL book (labels: of
    all classes)."""

    kind: str
    name: str
    well_specified: bool
    labels_per_class: int
    seed: int

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """As in the file of results."""
        numbers = (str(int(self.well_specified)), str(self.labels_per_class), str(self.seed))
        return (self.kind, self.name, *numbers)


@dataclass(frozen=True)
class Rows:
    """Rows to fit, their labels (None: unlabeled), rows to judge on, covariance and kinds of the mixture."""

    X: Any
    y: NDArray[Any]
    X_test: Any
    y_test: NDArray[Any]
    covariance: str
    kinds: Mapping[str, str] | None = None


def designs(seeds: Iterable[int] = DESIGN_SEEDS) -> Iterator[Case]:
    """Every design and its twin at every budget, seed by seed; shuffled, so that a part is a fair sample."""
    every = list(product(HARM_DESIGNS, (False, True), DESIGN_LABELS))
    for seed in seeds:
        for i in np.random.default_rng(seed).permutation(len(every)).tolist():
            name, well_specified, n = every[i]
            yield Case("design", name, well_specified, n, seed)


def tables(seeds: Iterable[int] = TABLE_SEEDS) -> Iterator[Case]:
    """Every real table that is there."""
    there = [name for name in mixed.TABLES if (mixed.folder() / f"{name}.csv.gz").exists()]
    for seed in seeds:
        for name in there:
            for n in TABLE_LABELS:
                yield Case("table", name, False, n, seed)


def more_tables(seeds: Iterable[int] = PACKAGE_SEEDS) -> Iterator[Case]:
    """More of KEEL's tables."""
    for seed, name, n in product(seeds, keel.TABLES, TABLE_LABELS):
        yield Case("keel", name, False, n, seed)


def from_packages(seeds: Iterable[int] = PACKAGE_SEEDS) -> Iterator[Case]:
    """Tables of R packages: those that may be learned from first, then those that are only judged."""
    for names in (packages.LEARNED_FROM, packages.UNSEEN, packages.JUDGED_ONLY, packages.FRESH):
        for seed, name, n in product(seeds, names, TABLE_LABELS):
            yield Case("package", name, False, n, seed)


def book(seeds: Iterable[int] = BOOK_SEEDS) -> Iterator[Case]:
    """Sets of the SSL book with its own splits; the unlabeled rows are those to judge on."""
    for seed in seeds:
        for name in BOOK:
            for n in splits.BOOK_LABELS:
                yield Case("book", name, False, n, seed)


def draw(case: Case) -> Rows | None:
    """The rows of a case; None where a table is too small for so many labels."""
    if case.kind == "design":
        made = make_harm(
            case.name,
            case.labels_per_class,
            well_specified=case.well_specified,
            random_state=case.seed * 1000 + case.labels_per_class,
        )
        return Rows(made.X, made.y, made.X_test, made.y_test, made.covariance)
    if case.kind == "book":
        split = splits.book(case.name, case.labels_per_class, case.seed)
        X, X_test = split.rows(splits.GIVEN)
        shown = np.array([None if label < 0 else label for label in split.y.tolist()], dtype=object)
        return Rows(X, shown, X_test, split.y_test, "auto")
    return _table(case)


def _table(case: Case) -> Rows | None:
    X, y = mixed.read(case.name)
    n_train = min(MOST_TRAIN, int(TRAIN_SHARE * len(y)))
    n_test = min(MOST_TEST, len(y) - n_train)
    if n_train < LEAST_TRAIN_PER_LABEL * case.labels_per_class * len(np.unique(y)):
        return None
    train, rest = train_test_split(np.arange(len(y)), train_size=n_train, stratify=y, random_state=case.seed)
    test = rest
    if len(rest) > n_test:
        test, _ = train_test_split(rest, train_size=n_test, stratify=y[rest], random_state=case.seed)
    labeled = mixed.draw(
        y[train], case.labels_per_class, np.random.default_rng((case.seed, case.labels_per_class))
    )
    shown = np.full(len(train), None, dtype=object)
    shown[labeled] = y[train][labeled].tolist()
    X_train, X_test = (X.iloc[part].reset_index(drop=True) for part in (train, test))
    numbers = X.select_dtypes("number")
    kinds = {name: "number" for name in numbers if not numbers[name].dropna().isin((0, 1)).all()}
    return Rows(X_train, shown, X_test, y[test], "auto", kinds)  # a column may look like flags in a few rows
