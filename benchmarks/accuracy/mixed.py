"""Tables as people have them: mixed columns, gaps, uneven classes; labels are drawn at random."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.accuracy import keel, packages

VARIABLE = "SEMIGEN_TABLES"
"""The environment variable that names the folder of the tables."""
DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables"
NATIVE = "native"
SHUFFLED = "shuffled "
"""Before the name of a table: its classes are shuffled among the rows, so that the columns carry nothing."""
SHUFFLE_SEED = 7
SHUFFLED_TO_LEARN = tuple(
    SHUFFLED + name for name in ("australian", "german", "segment", "titanic", "tae", "page-blocks0")
)
"""Default weights are learned from these, too."""
LABELS = (5, 20, 100)
"""Labeled rows per class, on average."""
SEEDS = 3
MOST_ROWS = 3000
LEAST_OF_CLASS = 2
TEST_SHARE = 0.3
UNLABELED = -1
MOST_LEVELS = 250
"""Of a category; histogram boosting takes 255."""
# fmt: off
TABLES = (
    "australian", "bands", "breast", "bupa", "chess", "contraceptive", "crx", "german", "hayes-roth",
    "heart", "led7digit", "magic", "mammographic", "monk-2", "movement_libras", "mushroom", "optdigits",
    "penbased", "phoneme", "ring", "saheart", "segment", "tae", "texture", "tic-tac-toe", "titanic",
    "twonorm", "banana", "abalone19", "abalone9-18", "car-good", "car-vgood", "dermatology-6", "ecoli3",
    "flare-F", "haberman", "new-thyroid1", "page-blocks0", "yeast3", "yeast6", "winequality-red-4",
    "cleveland-0_vs_4", "kr-vs-k-three_vs_eleven", "attrition", "credit", "cells", "hpc", "wachurn",
)
# fmt: on
"""KEEL's tables, uneven two-class problems among them, and five of R's modeldata."""
SHUFFLED_TO_JUDGE = tuple(SHUFFLED + name for name in TABLES if SHUFFLED + name not in SHUFFLED_TO_LEARN)[::3]
"""A third of the others."""

Labels = NDArray[np.intp]


def folder() -> Path:
    """Where the tables are."""
    return Path(os.environ.get(VARIABLE, DEFAULT))


@cache
def read(name: str) -> tuple[pd.DataFrame, Labels]:
    """Columns and classes 0 … K-1 of a table."""
    if name in packages.ALL:
        frame = packages.read(name).copy()
    elif name in keel.TABLES:
        frame = keel.read(name).copy()
    else:
        frame = pd.read_csv(folder() / f"{name}.csv.gz")
    _, y = np.unique(frame.pop("target").astype(str), return_inverse=True)
    return frame, y.astype(np.intp)


def draw(y: Labels, per_class: int, rng: np.random.Generator) -> Labels:
    """Rows to label: ``per_class`` · K drawn at random, and more where a class would have fewer than two."""
    classes = np.unique(y)
    order = rng.permutation(len(y))
    drawn, rest = order[: per_class * len(classes)], order[per_class * len(classes) :]
    added = [rest[y[rest] == k][: max(0, LEAST_OF_CLASS - int((y[drawn] == k).sum()))] for k in classes]
    return np.concatenate([drawn, *added])


def split(
    name: str, per_class: int, seed: int, most_rows: int = MOST_ROWS
) -> tuple[Labels, Labels, tuple[Any, Any]]:
    """Labels of the rows to fit (-1: unlabeled), classes of the rows to judge on, and both tables."""
    X, y = read(name.removeprefix(SHUFFLED))
    if name.startswith(SHUFFLED):
        y = np.random.default_rng(SHUFFLE_SEED + seed + per_class).permutation(y)
    rng = np.random.default_rng((seed, per_class))
    rows = np.arange(len(y))
    if len(rows) > most_rows:
        rows, _ = train_test_split(rows, train_size=most_rows, stratify=y, random_state=seed)
    train, test = train_test_split(rows, test_size=TEST_SHARE, stratify=y[rows], random_state=seed)
    shown = np.full(len(train), UNLABELED)
    labeled = draw(y[train], per_class, rng)
    shown[labeled] = y[train][labeled]
    X_train, X_test = (X.iloc[part].reset_index(drop=True) for part in (train, test))
    return shown, y[test], (X_train, X_test)


def one_hot() -> Any:
    """Standardized numbers and one-hot categories, gaps filled with the mean and the most frequent level."""
    category = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (category, make_column_selector(dtype_exclude="number")),
    )


def numbers(X: pd.DataFrame, X_test: pd.DataFrame) -> tuple[Any, Any]:
    """The tables by :func:`one_hot`, learned from the rows to fit."""
    encode = one_hot()
    return encode.fit_transform(X), encode.transform(X_test)


def native(X: pd.DataFrame, X_test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables with categories of pandas, those of the rows to fit; of many levels the most frequent."""
    kinds = {
        name: pd.CategoricalDtype(
            X[name].dropna().unique()
            if X[name].nunique() <= MOST_LEVELS
            else X[name].value_counts().index[:MOST_LEVELS]
        )
        for name in X.select_dtypes(exclude="number")
    }
    return X.astype(kinds), X_test.astype(kinds)


def point_to(path: Path | None) -> None:
    """Where the tables are, for this process and those that it starts."""
    if path is not None:
        os.environ[VARIABLE] = str(path)
