"""How good predictions are where the truth is known: accuracy, log-loss and confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen.data.labels import class_columns
from semigen.evaluation import intervals
from semigen.evaluation.decisions import cost_matrix
from semigen.evaluation.intervals import Estimate
from semigen.evaluation.metrics import CLIP
from semigen.evaluation.ranking import Ranking, ranking

_MAX_LOSS = -float(np.log(CLIP)) + 1e-3  # renormalizing after the clip adds at most K · CLIP
_MOST_RANKED = 1_000_000
"""Rows from which every second one is enough to say how rows are ranked."""


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
    ranking : Ranking or None
        How well the rarer of two classes is ranked, in at most a million evenly spaced rows of these classes;
        None with other numbers of classes, or without a row of each.
    decided : DecisionScore or None
        How good the classes of least expected cost are, if there are costs.
    """

    classes: tuple[Any, ...]
    n_rows: int
    accuracy: Estimate
    log_loss: Estimate
    confusion: tuple[tuple[int, ...], ...]
    recall: tuple[Estimate | None, ...]
    unknown: dict[str, int]
    ranking: Ranking | None = None
    decided: DecisionScore | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return {**asdict(self), "confidence": intervals.CONFIDENCE}


@dataclass(frozen=True)
class DecisionScore:
    """Scores of the classes of least expected cost, on the labeled rows that have a class of the model.

    Attributes
    ----------
    cost : tuple of float
        What it costs to miss each class.
    mean_cost : Estimate
        Per row, with Student's t interval.
    of_most_probable : Estimate
        What the most probable classes cost instead.
    confusion, recall : tuple
        As in :class:`PredictionScore`, of these classes.
    """

    cost: tuple[float, ...]
    mean_cost: Estimate
    of_most_probable: Estimate
    confusion: tuple[tuple[int, ...], ...]
    recall: tuple[Estimate | None, ...]


class _Mean:
    """The mean of numbers that come in batches, and the sum of the squared deviations from it."""

    def __init__(self) -> None:
        self.n, self.value, self.spread = 0, 0.0, 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        if not len(values):
            return
        before, self.n = self.n, self.n + len(values)
        mean = float(values.mean())
        shift = mean - self.value  # means and spreads merge without sums of squares, which lose digits
        self.value += shift * len(values) / self.n
        self.spread += float(((values - mean) ** 2).sum()) + shift**2 * before * len(values) / self.n

    def estimate(self, low: float, high: float) -> Estimate:
        n = max(self.n, 1)
        return intervals.mean_of(self.value, np.sqrt(self.spread) / n, n, low, high)


class _EverySecond:
    """Evenly spaced rows of those that come in batches: every one, every second, every fourth …"""

    def __init__(self, most: int) -> None:
        self.most, self.step, self.n = most, 1, 0
        self.kept: list[tuple[NDArray[Any], ...]] = []

    def add(self, *columns: NDArray[Any]) -> None:
        begin = -self.n % self.step
        self.kept.append(tuple(column[begin :: self.step] for column in columns))
        self.n += len(columns[0])
        while (self.n - 1) // self.step >= self.most:
            self.kept = [tuple(column[::2] for column in self.rows())]
            self.step *= 2

    def rows(self) -> tuple[NDArray[Any], ...]:
        return tuple(map(np.concatenate, zip(*self.kept, strict=True)))


class ScoreSums:
    """What a score is made of, summed batch by batch.

    Parameters
    ----------
    classes : ndarray of shape (K,)
        The classes of the model, in the order of its probabilities.
    cost : sequence of float, K, or None
        What it costs to miss each class; None: decisions of least cost are not scored.
    """

    def __init__(self, classes: NDArray[Any], cost: Sequence[float] | None = None) -> None:
        self.classes, self.cost = classes, cost
        self.confusion, self.decided = np.zeros((2, len(classes), len(classes)), dtype=int)
        self.unknown: Counter[str] = Counter()
        self.loss, self.costs = _Mean(), (_Mean(), _Mean())
        """Means of the losses, and of what decisions and the most probable classes cost."""
        self.ranked = _EverySecond(_MOST_RANKED)

    @property
    def n_rows(self) -> int:
        """Labeled rows so far."""
        return self.loss.n

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
        self.loss.add(losses)
        likeliest = rows.argmax(axis=1)[known]
        np.add.at(self.confusion, (code[known], likeliest), 1)
        self.unknown.update(map(str, labels[~known]))
        if len(self.classes) == 2 and known.any():
            self.ranked.add(rows[known], code[known])
        if self.cost is not None:
            matrix = cost_matrix(self.cost, self.classes)
            decided = (rows @ matrix).argmin(axis=1)[known]
            np.add.at(self.decided, (code[known], decided), 1)
            for mean, chosen in zip(self.costs, (decided, likeliest), strict=True):
                mean.add(matrix[code[known], chosen])

    def result(self) -> PredictionScore:
        """The scores of all rows so far, of which one or more have a class."""
        return PredictionScore(
            tuple(self.classes.tolist()),
            self.n_rows,
            intervals.share_of(self.confusion.trace() / self.n_rows, self.n_rows),
            self.loss.estimate(0.0, _MAX_LOSS),
            tuple(map(tuple, self.confusion.tolist())),
            _recall(self.confusion),
            dict(sorted(self.unknown.items())),
            self._ranking(),
            None if self.cost is None else self._of_decisions(list(map(float, self.cost))),
        )

    def _ranking(self) -> Ranking | None:
        if not self.ranked.kept:
            return None
        probabilities, code = self.ranked.rows()
        return ranking(probabilities, code, np.ones(len(code)), tuple(self.classes.tolist()))

    def _of_decisions(self, cost: list[float]) -> DecisionScore:
        decided, likeliest = (mean.estimate(0.0, max(cost)) for mean in self.costs)
        counts = tuple(map(tuple, self.decided.tolist()))
        return DecisionScore(tuple(cost), decided, likeliest, counts, _recall(self.decided))


def _recall(confusion: NDArray[Any]) -> tuple[Estimate | None, ...]:
    """Of each class the share of its rows that are predicted as it."""
    counts = zip(confusion.diagonal().tolist(), confusion.sum(axis=1).tolist(), strict=True)
    return tuple(intervals.share_of(hits / n, n) if n else None for hits, n in counts)


def score_predictions(
    truth: NDArray[Any],
    probabilities: ArrayLike,
    classes: NDArray[Any],
    cost: Sequence[float] | None = None,
) -> PredictionScore:
    """The scores of rows that are in memory, as :class:`ScoreSums` sums them."""
    sums = ScoreSums(classes, cost)
    sums.add(truth, probabilities)
    return sums.result()
