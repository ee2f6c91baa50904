"""How good predictions are where the truth is known: accuracy, log-loss and confusion."""

from __future__ import annotations

from collections import Counter
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


class ScoreSums:
    """What a score is made of, summed batch by batch.

    Parameters
    ----------
    classes : ndarray of shape (K,)
        The classes of the model, in the order of its probabilities.
    """

    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes = classes
        self.confusion = np.zeros((len(classes), len(classes)), dtype=int)
        self.unknown: Counter[str] = Counter()
        self.n_rows, self.loss, self.spread = 0, 0.0, 0.0
        """Labeled rows, the mean of their losses, and the sum of the squared deviations from it."""

    def add(self, truth: NDArray[Any], probabilities: ArrayLike) -> None:
        """Score class probabilities on the rows whose class is known.

        Parameters
        ----------
        truth : ndarray of shape (n,), object
            True classes; None where unknown.
        probabilities : array-like of shape (n, K)
            Rows sum to 1.
        """
        labeled = np.array([label is not None for label in truth.tolist()], dtype=bool)
        n_rows = int(labeled.sum())
        if not n_rows:
            return
        rows, labels = np.asarray(probabilities, dtype=np.float64)[labeled], truth[labeled]
        code = class_columns(labels, self.classes)
        known = code >= 0
        clipped = np.clip(rows, CLIP, None)
        clipped /= clipped.sum(axis=1, keepdims=True)
        losses = np.where(known, -np.log(clipped[np.arange(n_rows), code]), -np.log(CLIP))
        np.add.at(self.confusion, (code[known], rows.argmax(axis=1)[known]), 1)
        self.unknown.update(map(str, labels[~known]))
        before, self.n_rows = self.n_rows, self.n_rows + n_rows
        mean = float(losses.mean())
        shift = mean - self.loss  # means and spreads merge without sums of squares, which lose digits
        self.loss += shift * n_rows / self.n_rows
        self.spread += float(((losses - mean) ** 2).sum()) + shift**2 * before * n_rows / self.n_rows

    def result(self) -> PredictionScore:
        """The scores of all rows so far, of which one or more have a class."""
        of_class, right = self.confusion.sum(axis=1), self.confusion.diagonal()
        return PredictionScore(
            tuple(self.classes.tolist()),
            self.n_rows,
            intervals.share_of(right.sum() / self.n_rows, self.n_rows),
            intervals.mean_of(self.loss, np.sqrt(self.spread) / self.n_rows, self.n_rows, 0.0, _MAX_LOSS),
            tuple(map(tuple, self.confusion.tolist())),
            tuple(
                intervals.share_of(hits / n, n) if n else None
                for hits, n in zip(right.tolist(), of_class.tolist(), strict=True)
            ),
            dict(sorted(self.unknown.items())),
        )


def score_predictions(
    truth: NDArray[Any], probabilities: ArrayLike, classes: NDArray[Any]
) -> PredictionScore:
    """The scores of rows that are in memory, as :class:`ScoreSums` sums them."""
    sums = ScoreSums(classes)
    sums.add(truth, probabilities)
    return sums.result()
