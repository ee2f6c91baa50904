"""Which rows are labeled, how much each counts, and p(y)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.data.labels import Labels, in_class_order, labeled_examples
from semigen.data.weights import estimated_shares
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Split:
    """The labeled and the unlabeled rows of a training set.

    Attributes
    ----------
    classes : ndarray of shape (K,)
    labeled : ndarray of int, shape (L,)
        Labeled rows; a row with several possible classes is repeated, once per class.
    code : ndarray of int, shape (L,)
        Their classes.
    weight : ndarray of shape (L,)
        Their weights.
    unlabeled : ndarray of int, shape (U,)
        Unlabeled rows of positive weight; none if λ = 0.
    unlabeled_weight : ndarray of shape (U,)
        Their weights, without λ.
    labeled_share : float
        The labeled rows' share of the total weight, in which unlabeled rows count λ.
    """

    classes: NDArray[Any]
    labeled: NDArray[np.int64]
    code: NDArray[np.int64]
    weight: Array
    unlabeled: NDArray[np.int64]
    unlabeled_weight: Array
    labeled_share: float


def split_rows(labels: Labels, weight: Array, lam: float) -> Split:
    """The labeled and the unlabeled rows; ``lam`` is λ."""
    rows, code, row_weight = labeled_examples(labels, weight)
    others = np.flatnonzero(~labels.is_labeled & (weight * lam > 0))
    labeled_share = row_weight.sum() / (row_weight.sum() + lam * weight[others].sum())
    return Split(labels.classes, rows, code, row_weight, others, weight[others], float(labeled_share))


def class_prior(value: Any, split: Split) -> Array:
    """p(y), (K,), from the parameter ``class_prior``.

    Raises
    ------
    ParameterError
        If it is none of what is allowed.
    """
    n_classes = len(split.classes)
    if isinstance(value, str) and value == "labeled":
        counts = np.bincount(split.code, weights=split.weight, minlength=n_classes)
        return estimated_shares(counts.astype(np.float64))
    if isinstance(value, str) and value == "uniform":
        return np.full(n_classes, 1.0 / n_classes)
    given = np.empty(0) if isinstance(value, str) else in_class_order("class_prior", value, split.classes)
    prior = np.asarray(given, dtype=np.float64)
    if prior.shape != (n_classes,) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-6:
        raise ParameterError(
            f"class_prior={value!r}: use 'labeled', 'uniform', or {n_classes} positive probabilities with "
            f"sum 1, as a dict by class or as an array in the order {split.classes.tolist()!r}."
        )
    return prior
