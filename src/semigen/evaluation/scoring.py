"""How good predictions are where the truth is known: accuracy, log-loss and confusion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.data.labels import class_columns
from semigen.evaluation import intervals
from semigen.evaluation.intervals import Estimate
from semigen.evaluation.metrics import CLIP

_MAX_LOSS = -float(np.log(CLIP)) + 1e-3  # renormalizing after the clip adds at most K · CLIP


@dataclass(frozen=True)
class PredictionScore:
    """Scores of predictions on labeled rows.

    Attributes
    ----------
    classes : tuple
        The classes of the model, in the order of its probabilities.
    n_rows : int
        Labeled rows.
    accuracy : Estimate
        Share of rows whose true class has the highest probability, with Wilson's interval.
    log_loss : Estimate
        Nats per row, with Student's t interval; probabilities are clipped at 1e-6.
    confusion : tuple of tuple of int
        Rows of each true class (first index) that are predicted as each class (second index).
    recall : tuple of Estimate or None
        Of each class the share of its rows that are predicted as it; None for a class without rows.
    unknown : dict
        Labels that are no class of the model, with their rows, which count as wrong and have probability 0.
    """

    classes: tuple[Any, ...]
    n_rows: int
    accuracy: Estimate
    log_loss: Estimate
    confusion: tuple[tuple[int, ...], ...]
    recall: tuple[Estimate | None, ...]
    unknown: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return {**asdict(self), "confidence": intervals.CONFIDENCE}


def score_predictions(
    truth: NDArray[Any], probabilities: ArrayLike, classes: NDArray[Any]
) -> PredictionScore:
    """Score class probabilities on the rows whose class is known.

    Parameters
    ----------
    truth : ndarray of shape (n,), object
        True classes; None where unknown. At least one is known.
    probabilities : array-like of shape (n, K)
        Rows sum to 1.
    classes : ndarray of shape (K,)

    Returns
    -------
    PredictionScore
    """
    labeled = np.array([label is not None for label in truth.tolist()], dtype=bool)
    rows, labels = np.asarray(probabilities, dtype=np.float64)[labeled], truth[labeled]
    code = class_columns(labels, classes)
    known = code >= 0
    predicted = rows.argmax(axis=1)
    clipped = np.clip(rows, CLIP, None)
    clipped /= clipped.sum(axis=1, keepdims=True)
    losses = np.where(known, -np.log(clipped[np.arange(len(code)), code]), -np.log(CLIP))
    one = np.ones(len(code))
    correct = (predicted == code).astype(float)
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (code[known], predicted[known]), 1)
    names, counts = np.unique(list(map(str, labels[~known])), return_counts=True)
    return PredictionScore(
        tuple(classes.tolist()),
        len(code),
        intervals.of_share(correct, one),
        intervals.of_mean(losses, one, 0.0, _MAX_LOSS),
        tuple(map(tuple, confusion.tolist())),
        tuple(
            intervals.of_share(correct[code == k], one[code == k]) if (code == k).any() else None
            for k in range(len(classes))
        ),
        dict(zip(names.tolist(), counts.tolist(), strict=True)),
    )
