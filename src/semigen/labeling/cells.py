"""Cells and texts: how they are written, and which words speak for a class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np


def cell_text(cell: Any) -> str:
    """A cell, or a class, as it is shown: whole floats as integers."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if isinstance(cell, float | np.floating):
        number = float(cell)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return str(cell)


WORD = re.compile(r"[^\W\d_]{2,}")


def word_weights(
    documents: Sequence[tuple[list[str], str]], classes: Sequence[str]
) -> dict[str, tuple[str, float]]:
    """The class that each word speaks for, and how much: its log odds against the other classes, in nats.

    A word counts once for each text, with half a text added to each class (Bernoulli naive Bayes). Words with
    less than one nat are left out.
    """
    n = Counter(label for _, label in documents)
    some = [name for name in classes if n[name]]
    if len(some) < 2:
        return {}
    found: dict[str, dict[str, int]] = {}
    for words, label in documents:
        for word in words:
            of_word = found.setdefault(word, {})
            of_word[label] = of_word.get(label, 0) + 1
    total = sum(n.values())
    weights = {}
    for word, of_word in found.items():
        every = sum(of_word.values())
        odds = {
            name: float(
                np.log((count + 0.5) / (n[name] + 1)) - np.log((every - count + 0.5) / (total - n[name] + 1))
            )
            for name, count in of_word.items()
        }
        best = max(odds, key=odds.__getitem__)
        if odds[best] >= 1:
            weights[word] = (best, round(odds[best], 2))
    return weights


def native_series(name: str, cells: list[Any], library: str) -> Any:
    """A series of pandas, polars or pyarrow."""
    return nw.from_dict({name: cells}, backend=_LIBRARIES[library])[name].to_native()


_LIBRARIES: dict[str, Literal["pandas", "polars", "pyarrow"]] = {
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "pyarrow",
}
