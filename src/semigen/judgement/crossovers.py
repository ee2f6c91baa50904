"""Which model is ahead with more labels: by the learning curves of a table, and on other tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.evaluation.intervals import TAIL, Estimate, share_of

Array = NDArray[np.float64]

FAR = 10.0
"""Times as many labels: as far as a crossover is looked for."""
ENSEMBLE = "AutoClassifier"


@dataclass(frozen=True)
class Crossover:
    """When another model would be better than the one that is the best now.

    Attributes
    ----------
    name, beside : str
        The other model, and the best one now.
    probability : float
        That it happens with at most ten times as many labels; of 20 to 140 labels no better than a coin.
    more_labels : float or None
        How many more labels it takes (median); None: probably more than that, or it never happens.
    low, high : float or None
        The 95 % interval; None: more than nine times the labels there are, or never.
    """

    name: str
    beside: str
    probability: float
    more_labels: float | None
    low: float | None
    high: float | None

    @property
    def says_nothing(self) -> bool:
        """Whether the interval reaches from now to never, as that of few labels does."""
        return self.low == 0 and self.high is None


def crossover(name: str, beside: str, draws: Array, n_labeled: int) -> Crossover:
    """From draws (n, 2 models, 2) of log error now and exponent, the other model's first."""
    behind = draws[:, 0, 0] - draws[:, 1, 0]
    gains = draws[:, 0, 1] - draws[:, 1, 1]
    reached = np.divide(behind, gains, out=np.full(len(behind), np.inf), where=gains > 0)
    log_times = np.where(behind <= 0, 0.0, reached)
    within = log_times <= np.log(FAR)
    more = np.where(within, n_labeled * np.expm1(np.where(within, log_times, 0.0)), np.inf)
    value, low, high = (float(np.quantile(more, q, method="higher")) for q in (0.5, 1 - TAIL, TAIL))
    probability = float(np.isfinite(more).mean())
    median, least, most = (one if np.isfinite(one) else None for one in (value, low, high))
    return Crossover(name, beside, probability, median, least, most)


@dataclass(frozen=True)
class Elsewhere:
    """How often a supervised model was better than ``AutoClassifier`` on tables whose labels are all known.

    Attributes
    ----------
    name, beside : str
        The other model, and ``AutoClassifier``.
    per_class : float
        Labels per class.
    ahead : Estimate
        Share of the tables on which its error was lower by more than one point, with its 95 % interval.
    alike : float
        Share of the tables on which the errors were within one point.
    n_tables : int
        Tables; those of one source count as one.
    """

    name: str
    beside: str
    per_class: float
    ahead: Estimate
    alike: float
    n_tables: int


def elsewhere(per_class: float) -> tuple[Elsewhere, ...]:
    """How often each model was better than ``AutoClassifier``, the most frequent one first.

    Between the budgets that were measured shares are interpolated by the logarithm of the labels per class;
    beyond them the nearest one holds.
    """
    found = [_between(name, by_budget, per_class) for name, by_budget in learned().items()]
    return tuple(sorted(found, key=lambda one: -one.ahead.value))


def with_more_labels(per_class: float) -> tuple[Elsewhere, ...]:
    """With so many labels per class, and with the most that were measured if these are more."""
    most = max(float(one) for by_budget in learned().values() for one in by_budget)
    return tuple(one for at in sorted({min(per_class, most), most}) for one in elsewhere(at))


def in_words(found: Sequence[Elsewhere]) -> list[str]:
    """A sentence on the model that was most often better with many labels, or none."""
    if not found:
        return []
    name = max(found, key=lambda one: (one.per_class, one.ahead.value)).name
    now, *later = (one for one in found if one.name == name)
    return [
        f"On {now.n_tables} other tables with {now.per_class:.0f} labels per class {name} was better than "
        f"{now.beside}, by more than a point of error, on {_percent(now.ahead, '95 % interval: ')}"
        + "".join(f"; with {one.per_class:.0f} on {_percent(one.ahead)}" for one in later)
        + "."
    ]


def _percent(share: Estimate, of: str = "") -> str:
    return f"{share.value:.0%} ({of}{share.low:.0%} to {share.high:.0%})"


@cache
def learned() -> dict[str, Any]:
    """By model and labels per class the shares ``ahead`` and ``alike``, and how many ``tables``.

    The file is written by ``python -m benchmarks.forecast.elsewhere``.
    """
    text = (files("semigen.judgement") / "elsewhere.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _between(name: str, by_budget: dict[str, dict[str, float]], per_class: float) -> Elsewhere:
    measured = list(by_budget.values())
    shares = [share_of(one["ahead"], one["tables"]) for one in measured]
    measured_at = [float(one) for one in by_budget]
    within = min(max(per_class, measured_at[0]), measured_at[-1])

    def there(values: list[float]) -> float:
        return float(np.interp(np.log(within), np.log(measured_at), values))

    ahead = Estimate(*(there([getattr(one, end) for one in shares]) for end in ("value", "low", "high")))
    alike = there([one["alike"] for one in measured])
    return Elsewhere(name, ENSEMBLE, within, ahead, alike, int(measured[0]["tables"]))
