"""How far confidence is from the share that is right, in bins of the confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def gaps(confidence: Any, right: Any, n_bins: int) -> NDArray[np.float64]:
    """The rows predicted right less the confidence in them, per row, in each bin of the confidence.

    The sum of the absolute values (n_bins,) is the expected calibration error of a fit.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Largest probability of each row.
    right : ndarray of bool, shape (n,)
    n_bins : int
    """
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return np.bincount(place, right - confidence, n_bins) / len(right)
