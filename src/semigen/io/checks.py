"""What must hold of the parts of a loaded model, so that using it neither crashes nor hangs the process.

NumPy checks the shapes and indices that it is given. The code behind sparse matrices does not, and a walk
down a tree ends only if the tree does: what they rely on is checked here, once, when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from semigen.io.migrations import parts_of

WORDS = (r"(?u)\b\w\w+\b", r"(?u)\b[^\W\d_]{2,}\b")
"""Patterns of a word, scikit-learn's and the command line's; a stranger's could take years to match."""


def check_model(model: Any, trusted: Container[str] = ()) -> None:
    """Check the parts of a model, but for those whose type is trusted.

    Raises
    ------
    ValueError, AttributeError
        If a part is not as semigen makes it.
    """
    for one in parts_of(model):
        kind = type(one)
        check = CHECKS.get(kind.__name__)
        if check is None or f"{kind.__module__}.{kind.__qualname__}" in trusted:
            continue
        if isinstance(one, BaseEstimator) and not any(name.endswith("_") for name in vars(one)):
            continue  # not fitted
        check(one)


def _ask(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _within(numbers: NDArray[Any], least: int, end: int) -> bool:
    """Whether all are whole numbers in [least, end)."""
    return numbers.dtype.kind == "i" and bool(((numbers >= least) & (numbers < end)).all())


def _trees(one: Any) -> None:
    n_nodes = len(one.feature_)
    _ask(
        one.feature_.shape == one.threshold_.shape == (n_nodes,)
        and one.child_.shape == (2 * n_nodes,)
        and one.value_.shape == (n_nodes, len(one.classes_))
        and one.root_.ndim == 1
        and len(one.root_)
        and _within(one.feature_, -2, 2**31)
        and _within(one.root_, 0, n_nodes),
        "the nodes of trees have another number of features, children or values",
    )
    inner = np.flatnonzero(one.feature_ >= 0)
    child = one.child_.reshape(-1, 2)[inner]
    _ask(
        _within(child, 0, n_nodes) and (child > inner[:, None]).all(),
        "a child in a tree is not behind its parent",
    )


def _neighbors(one: Any) -> None:
    _ask(
        one.row.ndim == 2 and one.row.shape == one.distance.shape and _within(one.row, 0, 2**62),
        "the Neighbors are no table of row numbers and distances",
    )


def _graph(one: Any) -> None:
    n_rows = len(one.rows_)
    _ask(
        one.rows_.ndim == 2
        and one.features_.ndim == 2
        and len(one.features_) == len(one.neighbors_.row) == n_rows
        and _within(one.neighbors_.row, 0, n_rows),
        "a NeighborGraph has neighbors or features of other rows",
    )


def _spreading(one: Any) -> None:
    graph = getattr(one.graph, "estimator", one.graph)
    _ask(
        one.spread_.shape == (len(graph.rows_), len(one.classes_)),
        "GraphSpreading has labels of other rows than its graph",
    )


def _ensemble(one: Any) -> None:
    """Label spreading gets the neighbors in the graph of the ensemble."""
    n_rows = len(getattr(one.forms_.graph, "rows_", ()))
    for part in parts_of(one.pool_):
        if type(part).__name__ == "GraphSpreading" and hasattr(part, "spread_"):
            _ask(
                len(part.spread_) == n_rows,
                "GraphSpreading has labels of other rows than the ensemble's graph",
            )


def _categories(one: Any) -> None:
    n_entries, n_levels = one.log_prob.shape[1], one.n_levels
    _ask(
        _within(n_levels, 1, 2**31) and n_entries in (n_levels.sum(), n_levels.sum() + len(n_levels)),
        "the Levels of categories have another number of probabilities",
    )


def _counts(one: Any) -> None:
    _ask(
        _within(one.sizes, 0, 2**31)
        and len(one.sizes) == len(one.n_codes)
        and one.sizes.sum() == len(one.value)
        and _within(one.n_codes, 1, 2**31)
        and one.n_codes.sum() == len(one.entry)
        and _within(one.entry, -1, len(one.value)),
        "the CountValues have another number of values or codes",
    )


def _words(one: Any) -> None:
    _ask(one.input == "content", f"a vectorizer reads files: input={one.input!r}")
    _ask(one.token_pattern in WORDS, f"token_pattern={one.token_pattern!r} is not one that semigen uses")
    numbers = np.array(list(one.vocabulary_.values()))
    _ask(
        all(type(word) is str for word in one.vocabulary_)
        and numbers.dtype.kind == "i"
        and np.array_equal(np.sort(numbers), np.arange(len(numbers))),
        "the words of a vectorizer are not numbered from 0",
    )


def _waiting(one: Any) -> None:
    n_rows = len(one.keys)
    _ask(
        one.keys.shape == one.weight.shape == (n_rows,)
        and one.keys.dtype.kind in "iU"
        and one.cells.dtype.kind == "f"
        and (one.columns is not None or one.cells.shape == (n_rows, one.n_columns)),
        "the rows of a stream that wait for labels are not one for each key",
    )
    if one.columns is not None:
        one.x.check_format(full_check=True)


CHECKS: Mapping[str, Callable[[Any], None]] = {
    "AutoClassifier": _ensemble,
    "CountValues": _counts,
    "CountVectorizer": _words,
    "GraphSpreading": _spreading,
    "Levels": _categories,
    "NeighborGraph": _graph,
    "Neighbors": _neighbors,
    "TfidfVectorizer": _words,
    "BoostedTrees": _trees,
    "ExtraTrees": _trees,
    "TreeEnsemble": _trees,
    "WaitingRows": _waiting,
}
"""By the name of a class."""
