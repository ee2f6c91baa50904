"""Is the error as much lower with more labels as was said?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import table
from semigen.evaluation.intervals import Estimate
from semigen.judgement.curves import Posterior

Array = NDArray[np.float64]
LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Gained:
    """What was said of a model with ``times`` as many labels, and by which share its true error fell."""

    times: float
    said: Estimate
    true: float


def of(posterior: Posterior, truth: Array, times: Sequence[float]) -> list[Gained]:
    """All models of a table; ``truth`` (M, T), with the labels there are first."""
    errors = np.maximum(truth, LEAST_ERROR)
    return [
        Gained(more, posterior.gain(m, np.log(more)), float(1 - errors[m, t] / errors[m, 0]))
        for t, more in enumerate(times)
        if t
        for m in range(len(errors))
    ]


def page(found: Sequence[Gained]) -> str:
    """What was said beside what came, in Markdown."""
    lines = []
    for times in sorted({one.times for one in found}):
        mine = [one for one in found if one.times == times]
        said = np.array([[one.said.low, one.said.value, one.said.high] for one in mine])
        true = np.array([one.true for one in mine])
        within = (said[:, 0] <= true) & (true <= said[:, 2])
        low, middle, high = np.median(said, axis=0)
        lines.append(
            [
                f"{times:g} times",
                str(len(mine)),
                f"{100 * middle:.0f} % ({100 * low:.0f} to {100 * high:.0f})",
                f"{100 * within.mean():.0f} %",
                ", ".join(f"{100 * one:.0f}" for one in np.quantile(true, [0.1, 0.25, 0.5, 0.75, 0.9])),
            ]
        )
    head = ["labels", "curves", "error is said to fall by (80 % interval), median", "true fall within it"]
    head.append("true fall, %: deciles 1, 2.5, 5, 7.5, 9")
    return "\n".join(
        [
            "## How much lower is the error?",
            "",
            table(head, lines),
        ]
    )
