"""What the generators share: class proportions and random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from semigen.exceptions import ParameterError

Array = NDArray[np.float64]


def class_proportions(class_prior: ArrayLike | None, n_classes: int) -> Array:
    """The proportions given, or equal ones, (K,).

    Raises
    ------
    ParameterError
        If they are not positive numbers that sum to 1.
    """
    if class_prior is None:
        return np.full(n_classes, 1 / n_classes)
    prior = np.asarray(class_prior, dtype=np.float64)
    if prior.shape != (n_classes,) or not np.all(prior > 0) or not np.isclose(prior.sum(), 1):
        raise ParameterError(
            f"class_prior is {prior.tolist()}: give {n_classes} positive numbers that sum to 1, one a class."
        )
    return np.asarray(prior / prior.sum())


def generator(random_state: Any) -> np.random.Generator:
    """A generator that follows from scikit-learn's kind of ``random_state``."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))
