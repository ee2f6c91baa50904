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
LOG_LABELS, REPEATED = "log labels", "repeated"
"""The signs that say how many labels per class there are, and which share of cells repeats another."""
MEASURED = 0.05
"""The share from which on a table is one of categories or measured, rounded numbers."""
PLAIN = (0.0, 1.0, 0.0, 0.0, 0.0)
"""A calibration that changes nothing."""


@dataclass(frozen=True)
class Harm:
    """Small trees and a line over signs, whose mean is calibrated.

    ``logit p = intercept + slope · logit(mean)``. The line, a logistic regression, counts for ``LINE`` of the
    mean. The slope rises with the labels per class: what signs say is surer where labels were held out. Slope
    and intercept are others where cells repeat: tables as people have them tell less than simulated ones.

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
    calibration : sequence of 5 floats
        Intercept, slope for 10 labels per class, what the slope gains where labels are e times as many, and
        what slope and intercept gain where cells repeat.
    of_average : sequence of 5 floats
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
    calibration: Sequence[float] = PLAIN
    of_average: Sequence[float] = PLAIN

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
        seen = evidence(mean, np.array(signs[LOG_LABELS]), np.array(signs[REPEATED]))
        return float(calibrated(seen, self.calibration)), float(calibrated(seen, self.of_average))


def apart(x: Array, center: ArrayLike, spread: ArrayLike) -> Array:
    """Signs in spreads from their centers, at most ``FAR``: one strange sign must not decide alone."""
    return np.asarray(np.clip((x - np.asarray(center)) / np.asarray(spread), -FAR, FAR))


def evidence(mean: Array, log_labels: Array, repeated: Array) -> Array:
    """What is calibrated, (n, 4): log odds of the means, these by labels and by repeats, and the repeats."""
    log_odds, measured = logit(np.clip(mean, CLIP, 1 - CLIP)), np.where(repeated > MEASURED, 1.0, 0.0)
    by_labels = log_odds * (log_labels - np.log(10))
    return np.stack([log_odds, by_labels, log_odds * measured, measured], axis=-1)


def calibrated(evidence: Array, calibration: Sequence[float]) -> Array:
    """Probabilities of harm."""
    return np.asarray(expit(calibration[0] + evidence @ np.array(calibration[1:])))


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
