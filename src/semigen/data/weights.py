"""Row weights, the weight of the labeled rows of each class, and the class shares that it suggests."""

from __future__ import annotations

from typing import Any

import numpy as np
from narwhals.dependencies import is_pandas_dataframe, is_pandas_series
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln, logit

from semigen.common.notices import warn
from semigen.data.labels import Labels, encode, refuse_rows
from semigen.data.rows import count_rows
from semigen.exceptions import LabelError, LabelWarning

Array = NDArray[np.float64]

EVEN = 0.3
"""Prior probability that all classes are equally frequent."""

SOUGHT = 2.0
"""So many labels of a rare class, or fewer, may be there because somebody looked for them."""


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
        raise LabelError(f"sample_weight is no vector of numbers ({error}): give one per row.") from error
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.shape != (n_rows,):
        raise LabelError(
            f"sample_weight has shape {weight.shape}, but X has {n_rows} rows: give one per row."
        )
    refuse_rows("sample_weight", ~np.isfinite(weight), "NaN or infinite", "use 0 for a row not to count")
    refuse_rows("sample_weight", weight < 0, "negative", "weights must be 0 or more")
    if not weight.any():
        raise LabelError("sample_weight is zero for every row: at least one row must count.")
    return weight


def read_labels(
    y: Any,
    unlabeled: Any,
    sample_weight: ArrayLike | None,
    X: Any,
    classes: NDArray[Any] | None = None,
) -> tuple[Labels, Array]:
    """Labels and weights of the rows of X; a weight of 1 is one row, and rows of weight 0 have no label.

    Parameters
    ----------
    y, unlabeled, classes
        As :func:`semigen.data.labels.encode` takes them.
    sample_weight : array-like of shape (n,) or None
    X : array, sparse matrix or data frame of shape (n, D)
        Only counted, and its index compared with that of y.

    Raises
    ------
    LabelError
        If labels or weights cannot be used.

    Warns
    -----
    LabelWarning
        If a class that has a labeled row or more weighs less than one row, y or the weights have the index of
        X in another order, or X has a column of the name of y.
    """
    _warn_of_target(X, y)
    _warn_of_order(X, y, "y", "labels")
    _warn_of_order(X, sample_weight, "sample_weight", "weights")
    weight = check_weights(sample_weight, count_rows(X))
    labels = encode(y, unlabeled, counted=weight > 0, classes=classes)
    if sample_weight is not None and not isinstance(y, Labels):
        _warn_light(labels, weight)
    return labels, weight


def _warn_of_target(X: Any, y: Any) -> None:
    """Warn if the column that y is taken from seems to be in X, which gives the labels away."""
    name, names = getattr(y, "name", None), getattr(X, "columns", ())
    if isinstance(name, str) and name in [one for one in names if isinstance(one, str)]:
        warn(
            f"X has a column {name!r}, as y is called: if it holds the labels, leave it out, such as by "
            f"X.drop(columns={name!r}), since new rows have none.",
            LabelWarning,
        )


def _warn_of_order(X: Any, given: Any, name: str, what: str) -> None:
    """Warn if what is given for each row of X has its index in another order: it is taken by position."""
    if not is_pandas_dataframe(X) or not (is_pandas_series(given) or is_pandas_dataframe(given)):
        return
    ours, theirs = X.index, given.index
    if len(ours) != len(theirs) or ours.equals(theirs) or not ours.is_unique or not theirs.isin(ours).all():
        return
    row = int((ours != theirs).argmax())
    warn(
        f"{name} has the index of X in another order (row {row} is {ours[row]!s:.40} in X and "
        f"{theirs[row]!s:.40} in {name}), and {what} are taken by position. Pass {name}.loc[X.index] if the "
        f"index says which belong together, and {name}.to_numpy() if it does not.",
        LabelWarning,
    )


def _warn_light(labels: Labels, weight: Array) -> None:
    count, total = class_rows(labels, np.ones(len(weight))), class_rows(labels, weight)
    light = np.flatnonzero((count >= 1) & (total < 1))
    if light.size:
        first = light[total[light].argmin()]
        warn(
            f"the {count[first]:,.0f} labeled row(s) of class {labels.classes.tolist()[first]!r} weigh "
            f"{total[first]:.3g} in all, and a weight of 1 is one row: the class counts as less than one. "
            "Weights that sum to 1 (of a survey) are meant as shares: multiply them by the number of rows.",
            LabelWarning,
        )


def class_rows(labels: Labels, weight: Array) -> Array:
    """Weight of the labeled rows of each class, (K,); a soft label counts in proportion."""
    labeled = np.flatnonzero(labels.is_labeled)  # of millions of rows a matrix (n, K) would be large
    return np.asarray(weight[labeled] @ labels.take(labeled).probabilities)


def class_shares(labels: Labels, weight: Array) -> Array:
    """Share of each class among the labeled rows, (K,), sum 1; equal where no labeled row has weight."""
    count = class_rows(labels, weight)
    return np.asarray(count / count.sum() if count.any() else np.full(len(count), 1 / len(count)))


def estimated_shares(count: Array) -> Array:
    """Class shares that the labels of each class suggest, (K,), positive, sum 1.

    The posterior mean of the shares under two hypotheses: all classes are equally frequent (prior probability
    ``EVEN``); or all shares are equally likely, a Dirichlet distribution with parameters 1 (Kass & Raftery
    1995, *JASA* 90:773, on weighing hypotheses by their evidence). So a few uneven labels are no reason to
    believe in very uneven classes, and many are.

    Nobody learns a class without a label or two of it, so these are sought where chance gave none: the count
    of a class that has at most ``SOUGHT`` labels, and at most half of an equal share, is an upper bound.
    Its pseudo-count is the mean over all counts up to it, c / 2 + 1 instead of c + 1.

    Parameters
    ----------
    count : ndarray of shape (..., K)
        Labeled rows of each class, or their weights.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.data.weights import estimated_shares
    >>> estimated_shares(np.array([3.0, 5.0])).round(2)
    array([0.45, 0.55])
    >>> estimated_shares(np.array([30.0, 50.0])).round(2)
    array([0.4, 0.6])
    """
    n, n_classes = count.sum(axis=-1, keepdims=True), count.shape[-1]
    even = -n[..., 0] * np.log(n_classes)
    total = float(n_classes)
    uneven = gammaln(total) - gammaln(n[..., 0] + total) + gammaln(count + 1.0).sum(axis=-1)
    belief = expit(logit(EVEN) + even - uneven)[..., None]
    sought = (count <= SOUGHT) & (2.0 * n_classes * count <= n)
    pseudo = np.where(sought, 0.5 * count, count) + 1.0
    return np.asarray(belief / n_classes + (1 - belief) * pseudo / pseudo.sum(axis=-1, keepdims=True))
