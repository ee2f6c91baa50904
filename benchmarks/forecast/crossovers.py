"""Does the model that is said to overtake the best one do so?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import table
from semigen.judgement.curves import Measured, Posterior
from semigen.judgement.forecast import N_DRAWS, crossover

Array = NDArray[np.float64]
CLEAR = 0.02
"""Difference of true errors from which it is called one."""
BINS = (0.0, 0.1, 0.3, 0.5, 1.0)


class Pair:
    """The best model by forecast and another: what was said of them, and their true errors.

    Parameters
    ----------
    posterior : Posterior
    best, other : int
        Models.
    truth : ndarray of shape (M, T)
        Errors with ``times`` as many labels.
    times : sequence of float
        Times the labels there are, the first is 1.
    n_labeled : int
    """

    def __init__(
        self,
        posterior: Posterior,
        best: int,
        other: int,
        truth: Array,
        times: Sequence[float],
        n_labeled: int,
    ) -> None:
        draws = posterior.draws(N_DRAWS, 0)[:, [other, best]]
        said = crossover("", "", draws, n_labeled)
        self.low = 1 + (np.inf if said.low is None else said.low) / n_labeled
        self.high = 1 + (np.inf if said.high is None else said.high) / n_labeled
        behind = (draws[:, 0, 0] - draws[:, 1, 0])[:, None]
        gains = (draws[:, 0, 1] - draws[:, 1, 1])[:, None] * np.log(times)
        self.ahead = (behind <= gains).mean(axis=0)
        """Probability that the other one is ahead with ``times`` as many labels, (T,)."""
        self.difference = truth[other] - truth[best]
        self.times = np.array([*times, np.inf])

    @property
    def within(self) -> bool:
        """Whether the interval reaches into the span of labels in which the other one did overtake."""
        reached = np.append(self.difference <= 0, True)
        at = int(reached.argmax())
        return bool(self.low <= self.times[at] and (at == 0 or self.high > self.times[at - 1]))


def pairs(
    measured: Measured, posterior: Posterior, truth: Array, times: Sequence[float], n_labeled: int
) -> list[Pair]:
    """The best model beside each other one."""
    best = int(posterior.log_error.argmin())
    others = [i for i in range(len(measured.log_error)) if i != best]
    return [Pair(posterior, best, other, truth, times, n_labeled) for other in others]


def page(found: Sequence[Pair]) -> str:
    """What was said beside what came, in Markdown."""
    times = found[0].times[:-1]
    lines = []
    for low, high in pairwise(BINS):
        cells = [f"{100 * low:.0f}–{100 * high:.0f} %"]
        for t in range(len(times)):
            mine = [one for one in found if low <= one.ahead[t] < high or one.ahead[t] == high == 1]
            clear = [one for one in mine if abs(one.difference[t]) > CLEAR]
            cells += [
                str(len(mine)),
                _percent([one.ahead[t] for one in mine]),
                _percent([one.difference[t] <= 0 for one in mine]),
                f"{_percent([one.difference[t] < 0 for one in clear])} of {len(clear)}",
            ]
        lines.append(cells)
    each = [("pairs", "said", "was", f"was, beyond {100 * CLEAR:.0f} points") for _ in times]
    head = [f"{what}, {t:g} times" for t, four in zip(times, each, strict=True) for what in four]
    return "\n".join(
        [
            "## Does the other model overtake?",
            "",
            f"{len(found)} pairs of the best model by forecast and another one: the probability that the "
            "other one is ahead with 1, 2 and 4 times the labels, beside the share in which it was, in all "
            "pairs and in those whose true errors differ. The 95 % interval of the crossover reaches into "
            f"the span of labels in which it came in {_percent([one.within for one in found])} of the pairs; "
            f"in {_percent([one.low > 1 for one in found])} it rules out that the other one is ahead now, in "
            f"{_percent([np.isfinite(one.high) for one in found])} that it never will be.",
            "",
            table(["said", *head], lines),
        ]
    )


def _percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.0f} %" if len(values) else "–"
