"""The probability that unlabeled rows hurt, from signs; learned over tables with known outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

Array = NDArray[np.float64]

CLIP = 0.01
LINE, FAR = 0.3, 3.0
"""What the line counts beside the trees, and the spreads from its center by which a sign counts at most."""
LOG_LABELS = "log labels"
"""The sign that says how many labels per class there are."""


@dataclass(frozen=True)
class Harm:
    """Small trees and a line over signs, whose mean is calibrated.

    ``logit p = slope · logit(mean) + intercept``. The line, a logistic regression, counts for ``LINE`` of the
    mean. The slope rises with the labels per class: what signs say is surer where labels were held out.

    Attributes
    ----------
    names : sequence of str
        Signs, by name.
    roots : sequence of int
        First node of each tree.
    sign : sequence of int
        Of each node, the sign that it splits on; -1 for a leaf.
    value : sequence of float
        Where it splits; of a leaf the share of harm among its cases.
    beyond : sequence of int
        The next node for signs beyond the value; for the others it is the one that follows.
    center, spread, weights : sequence of float
        Of each sign: where the line is as without it, how far is far, and what it counts.
    level : float
        The log odds of the line where every sign is at its center.
    slope, intercept : float
        For 10 labels per class.
    slope_by_labels : float
        What the slope gains where labels are e times as many.
    average_slope, average_intercept, average_slope_by_labels : float
        The same for the average of the models with and without unlabeled rows.
    """

    names: Sequence[str]
    roots: Sequence[int]
    sign: Sequence[int]
    value: Sequence[float]
    beyond: Sequence[int]
    center: Sequence[float]
    spread: Sequence[float]
    weights: Sequence[float]
    level: float
    slope: float = 1.0
    intercept: float = 0.0
    slope_by_labels: float = 0.0
    average_slope: float = 1.0
    average_intercept: float = 0.0
    average_slope_by_labels: float = 0.0

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`."""
        return cls(**{one.name: plain[one.name] for one in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return asdict(self)

    def mean(self, x: Sequence[float]) -> float:
        """Mean share over the trees and the line, for signs in the order of ``names``."""
        found = 0.0
        for node in self.roots:
            while self.sign[node] >= 0:
                node = node + 1 if x[self.sign[node]] <= self.value[node] else self.beyond[node]
            found += self.value[node]
        log_odds = self.level + float(apart(np.array(x), self.center, self.spread) @ np.array(self.weights))
        return (1 - LINE) * found / len(self.roots) + LINE * float(expit(log_odds))

    def probabilities(self, signs: Mapping[str, float]) -> tuple[float, float]:
        """Probabilities of harm of full weight and of the average, from signs by name."""
        mean = np.array(self.mean([signs[name] for name in self.names]))
        labels = np.array(signs[LOG_LABELS])
        own = (self.slope, self.intercept, self.slope_by_labels)
        of_average = (self.average_slope, self.average_intercept, self.average_slope_by_labels)
        return float(calibrated(mean, labels, *own)), float(calibrated(mean, labels, *of_average))


def apart(x: Array, center: ArrayLike, spread: ArrayLike) -> Array:
    """Signs in spreads from their centers, at most ``FAR``: one strange sign must not decide alone."""
    return np.asarray(np.clip((x - np.asarray(center)) / np.asarray(spread), -FAR, FAR))


def evidence(mean: Array, log_labels: Array) -> Array:
    """Log odds of the means of trees, and the same times the log of labels per class over 10, (n, 2)."""
    log_odds = logit(np.clip(mean, CLIP, 1 - CLIP))
    return np.stack([log_odds, log_odds * (log_labels - np.log(10))], axis=-1)


def calibrated(
    mean: Array, log_labels: Array, slope: float, intercept: float, slope_by_labels: float
) -> Array:
    """Probabilities with other log odds."""
    return np.asarray(expit(evidence(mean, log_labels) @ np.array([slope, slope_by_labels]) + intercept))


@cache
def learned() -> dict[str, Harm]:
    """What was learned, with held-out labels (``"held out"``) and without (``"blind"``).

    The file is written by ``python -m benchmarks.judgement --learn``.
    """
    text = (files("semigen.judgement") / "learned.json").read_text(encoding="utf-8")
    return {name: Harm.from_dict(one) for name, one in json.loads(text).items()}


def harm_probabilities(signs: Mapping[str, float], *, held_out: bool) -> tuple[float, float]:
    """How likely the log-loss rises with unlabeled rows of full weight, and by averaging both models."""
    return learned()["held out" if held_out else "blind"].probabilities(signs)
