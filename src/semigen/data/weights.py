"""Row weights, and how much of each class is labeled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.data.labels import Labels, refuse_rows
from semigen.exceptions import LabelError

Array = NDArray[np.float64]


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64]:
    """Row weights as a float vector; ones if None.

    Raises
    ------
    LabelError
        If the weights have another length, are negative, not finite or all zero.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LabelError(f"sample_weight is no vector of numbers ({error}): give one a row.") from error
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.shape != (n_rows,):
        raise LabelError(f"sample_weight has shape {weight.shape}, but X has {n_rows} rows: give one a row.")
    refuse_rows("sample_weight", ~np.isfinite(weight), "NaN or infinite", "use 0 for a row not to count")
    refuse_rows("sample_weight", weight < 0, "negative", "weights must be 0 or more")
    if not weight.any():
        raise LabelError("sample_weight is zero for every row: at least one row must count.")
    return weight


def class_rows(labels: Labels, weight: Array) -> Array:
    """Weight of the labeled rows of each class, (K,); soft labels in parts."""
    return np.asarray((weight * labels.is_labeled) @ labels.probabilities)


def balanced(labels: Labels, weight: Array, pseudo_rows: float) -> Array:
    """Row weights by which labeled rows count as if each class had ``pseudo_rows`` more of them, (n,).

    The sum over labeled rows stays what it is.
    """
    count = class_rows(labels, weight)
    if not pseudo_rows or not np.ptp(count):
        return weight
    wanted = (count + pseudo_rows) / (count + pseudo_rows).sum() * count.sum()
    factor = wanted / np.where(count > 0, count, 1.0)
    return np.where(labels.is_labeled, weight * (labels.probabilities @ factor), weight)
