"""How many components and which covariance: candidates compared by a criterion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.exceptions import ParameterError

CRITERIA = ("bic", "icl", "cv")
MAX_COMPONENTS = 8
"""Components per class at most; more are asked for by number."""


@dataclass(frozen=True)
class Candidate:
    """A model that was compared.

    Attributes
    ----------
    covariance : str
        Shape of the covariances; empty for a family without.
    components_per_class : dict {class: int}
    value : float
        The criterion, lower is better; infinite where the components have too few rows to start from.
        BIC and ICL are in nats, "cv" in nats per labeled row.
    n_free : int
        Free parameters; 0 where they were not counted.
    """

    covariance: str
    components_per_class: dict[Any, int]
    value: float
    n_free: int


Evaluate = Callable[[str, dict[Any, int]], Candidate]


def criterion(components_per_class: Any, covariance: Any) -> str | None:
    """The criterion that the two settings ask for; None if both are given.

    Raises
    ------
    ParameterError
        If they ask for different ones.
    """
    wanted = {value for value in (components_per_class, covariance) if isinstance(value, str)} & {*CRITERIA}
    if len(wanted) > 1:
        raise ParameterError(
            f"components_per_class={components_per_class!r} and covariance={covariance!r} ask for "
            "two criteria: use the same one for both."
        )
    return wanted.pop() if wanted else None


def search(
    evaluate: Evaluate, classes: NDArray[Any], shapes: Sequence[str], components: Mapping[Any, int] | None
) -> tuple[Candidate, ...]:
    """Compare models, the best one first.

    Every shape is tried with 1, 2, … components in each class until one more is no better twice in a row;
    then the best model's classes are grown or shrunk one by one while that is better, the most gainful move
    first, and the other shapes are tried with the numbers found.

    Parameters
    ----------
    evaluate : callable
        Fits a shape with some components per class and gives the candidate.
    classes : ndarray of shape (K,)
    shapes : sequence of str
    components : mapping {class: int} or None
        Fixed numbers of components; None: they are to be found.
    """
    labels = classes.tolist()
    seen: list[Candidate] = []

    def try_one(shape: str, counts: dict[Any, int]) -> Candidate:
        for one in seen:
            if (one.covariance, one.components_per_class) == (shape, counts):
                return one
        seen.append(evaluate(shape, counts))
        return seen[-1]

    for shape in shapes:
        if components is not None:
            try_one(shape, dict(components))
            continue
        best, worse = np.inf, 0
        for number in range(1, MAX_COMPONENTS + 1):
            value = try_one(shape, dict.fromkeys(labels, number)).value
            best, worse = (value, 0) if value < best else (best, worse + 1)
            if worse == 2:
                break
    best_one = min(seen, key=lambda one: one.value)
    if components is None:

        def moved(one: Candidate, label: Any, by: int) -> Candidate:
            number = one.components_per_class[label] + by
            if not 1 <= number <= MAX_COMPONENTS:
                return one
            return try_one(one.covariance, {**one.components_per_class, label: number})

        moves = [(label, by) for label in labels for by in (1, -1)]
        values = [moved(best_one, label, by).value for label, by in moves]
        for m in np.argsort(values, kind="stable"):  # the move that gains most first, each as far as it gains
            while (next_one := moved(best_one, *moves[m])).value < best_one.value:
                best_one = next_one
        for shape in shapes:
            try_one(shape, best_one.components_per_class)
    return tuple(sorted(seen, key=lambda one: one.value))
