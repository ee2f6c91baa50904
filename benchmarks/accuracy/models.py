"""What is compared: method names of the results and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.accuracy.textbook import TextbookEM
from semigen.auto import AutoClassifier
from semigen.mixture import MixtureClassifier

SHAPES = ("full", "tied", "diag", "low_rank")
WEIGHTS = (0.0, 0.1, 1.0)
TEXTBOOK = "shrinkage=0"
COARSE = "shrinkage=0, tol=1e-5"
TWIN = "textbook-numpy"
TWIN_FLOOR = "textbook-numpy-floor"

METHODS: dict[str, Callable[[], Any]] = {
    f"{shape} λ={weight:g}": partial(MixtureClassifier, covariance=shape, unlabeled_weight=weight)
    for shape in SHAPES
    for weight in WEIGHTS
}
METHODS["auto"] = AutoClassifier
RECIPE: dict[str, Callable[[], Any]] = {
    TEXTBOOK: partial(MixtureClassifier, shrinkage=0, covariance="full"),
    COARSE: partial(MixtureClassifier, shrinkage=0, covariance="full", tol=1e-5),
    TWIN: TextbookEM,
    TWIN_FLOOR: partial(TextbookEM, floor=True),
}
FEW_COLUMNS = 1000
WIDE_SHAPES = ("diag",)
"""Above ``FEW_COLUMNS`` columns only these shapes run: the others hold matrices of columns × columns."""


def for_suite(suite: str) -> dict[str, Callable[[], Any]]:
    """The recipe is compared where its published numbers are: on the bundled tables."""
    return {**METHODS, **RECIPE} if suite == "tables" else {**METHODS, TEXTBOOK: RECIPE[TEXTBOOK]}


def affordable(method: str, n_columns: int) -> bool:
    """Whether a method can run on as many columns."""
    return n_columns <= FEW_COLUMNS or method.split()[0] in WIDE_SHAPES or method == "auto"
