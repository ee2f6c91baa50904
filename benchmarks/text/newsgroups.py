"""20 Newsgroups: texts by split, their weighted words, and which labels are shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.datasets import fetch_20newsgroups
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

UNLABELED = -1
VARIABLE = "SEMIGEN_DATA"
FILE = "20newsgroups.parquet"
WORDS: dict[str, Any] = {
    "token_pattern": r"\b[a-zA-Z]{2,}\b",
    "min_df": 3,
    "max_df": 0.5,
    "stop_words": "english",
}
"""Words of two letters or more in at least 3 and at most half of the training documents, no stop words."""

Labels = NDArray[np.intp]


class NoTextsError(Exception):
    """The texts are not on this machine."""


@dataclass(frozen=True)
class Documents:
    """Rows of the training and the test split, as counts and weighted in two ways.

    Attributes
    ----------
    counts : (training, test) rows
    weighted : (training, test) rows
        Sublinear tf-idf.
    plain : (training, test) rows
        tf-idf of unit length, as scikit-learn has it by default.
    y, y_test : group numbers 0 … 19
    """

    counts: tuple[csr_array, csr_array]
    weighted: tuple[csr_array, csr_array]
    plain: tuple[csr_array, csr_array]
    y: Labels
    y_test: Labels

    def shown(self, n_labels: int, seed: int) -> Labels:
        """Training labels with ``n_labels`` shown of each group."""
        rng = np.random.default_rng(seed)
        y = np.full(len(self.y), UNLABELED)
        for k in np.unique(self.y):
            y[rng.permutation(np.flatnonzero(self.y == k))[:n_labels]] = k
        return y


def read(path: Path | None) -> Documents:
    """Documents without their header lines.

    Raises
    ------
    NoTextsError
        Where to put them.
    """
    every, groups, training = texts(path)
    _, y = np.unique(groups, return_inverse=True)
    bodies = np.array([text.partition("\n\n")[2] for text in every], dtype=object)
    words = CountVectorizer(**WORDS)
    counts = words.fit_transform(bodies[training]), words.transform(bodies[~training])
    sublinear = TfidfTransformer(sublinear_tf=True).fit(counts[0])
    plain = TfidfTransformer().fit(counts[0])
    return Documents(
        *(
            (csr_array(change(counts[0])), csr_array(change(counts[1])))
            for change in (lambda x: x.astype(np.float64), sublinear.transform, plain.transform)
        ),
        y[training],
        y[~training],
    )


def texts(path: Path | None) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Texts with their header lines, their groups, and which are training documents.

    Raises
    ------
    NoTextsError
        Where to put them.
    """
    return _parquet(path) if path is not None else _scikit_learn()


def find(given: Path | None) -> Path | None:
    """The parquet file that was named, by option or by environment variable; None: scikit-learn's copy."""
    named = given or (Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None)
    return named / FILE if named is not None and named.is_dir() else named


def _parquet(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    from pyarrow import parquet

    if not path.exists():
        raise NoTextsError(f"there is no file {path.name} where the option or {VARIABLE} points.")
    columns = parquet.read_table(path, columns=["split", "group", "text"]).to_pydict()
    training = np.array(columns["split"]) == "train"
    return np.array(columns["text"], dtype=object), np.array(columns["group"]), training


def _scikit_learn() -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    try:
        parts = [fetch_20newsgroups(subset=split, download_if_missing=False) for split in ("train", "test")]
    except OSError as error:
        raise NoTextsError(
            f"name the parquet file (columns split, group, text) by option or by {VARIABLE}, or let "
            "sklearn.datasets.fetch_20newsgroups() download the texts once."
        ) from error
    texts = np.array([text for part in parts for text in part.data], dtype=object)
    groups = np.concatenate([np.array(part.target_names)[part.target] for part in parts])
    return texts, groups, np.arange(len(texts)) < len(parts[0].data)
