"""What advice would have said of each case, by a prior that was learned without its table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.judgement import learning
from benchmarks.judgement.bank import GRID, RESULTS
from benchmarks.judgement.learning import CLEAR
from semigen.judgement.advice import decide, told_by_grid
from semigen.judgement.prior import harm_probabilities
from semigen.judgement.signs import SHIFT

JUDGED = RESULTS / "judged.csv"


@dataclass(frozen=True)
class Judged:
    """One case.

    Attributes
    ----------
    kind, name : str
    well_specified : bool
    labels_per_class, seed : int
    harm, harm_of_average : float
        Probabilities of harm of λ = 1, and of the average of both models.
    shift : float
        The largest shift of a column's mean between labeled and unlabeled rows.
    verdict : str
    unlabeled_weight : float
        The weight of the model with the unlabeled rows: 1, 0.5 or 0, also where it is not told.
    t : float
        Of the paired difference of held-out log-loss, λ = 1 minus λ = 0: the peer is its sign.
    change, z : float
        Of the log-loss on test rows, λ = 1 minus λ = 0, nats per row and in standard errors.
    average_change, average_z : float
        The same of the geometric mean of both.
    error_change, average_error_change : float
        Of the error on test rows.
    """

    kind: str
    name: str
    well_specified: bool
    labels_per_class: int
    seed: int
    harm: float
    harm_of_average: float
    shift: float
    verdict: str
    unlabeled_weight: float
    t: float
    change: float
    z: float
    average_change: float
    average_z: float
    error_change: float
    average_error_change: float

    @property
    def is_clear(self) -> bool:
        """Whether the test rows say if λ = 1 helps or hurts."""
        return abs(self.z) > CLEAR

    @property
    def decided(self) -> bool:
        """Whether advice says something."""
        return self.verdict != "not enough labels to tell"

    @property
    def can_judge(self) -> bool:
        """Whether it does and the test rows know if it is right."""
        return self.decided and abs(self.average_z if self.unlabeled_weight == 0.5 else self.z) > CLEAR

    @property
    def right(self) -> bool:
        """Whether the verdict is right."""
        if self.verdict == "do not use":
            return self.change > 0
        return (self.change if self.unlabeled_weight == 1 else self.average_change) < 0

    def by_odds(self, safe: float, average: float, harmful: float) -> Judged:
        """The same case, judged with other odds."""
        odds = {"safe": 1 / (1 + safe), "safe_average": 1 / (1 + average), "harmful": harmful / (1 + harmful)}
        verdict, weight = decide(self.harm, self.harm_of_average, self.shift, **odds)
        return replace(self, verdict=verdict, unlabeled_weight=weight or 0.0)

    @property
    def followed(self) -> float:
        """Change of the test error for those who follow the advice; none where it says nothing."""
        return {1.0: self.error_change, 0.5: self.average_error_change}.get(self.unlabeled_weight, 0.0)


def judge(rows: Sequence[dict[str, str]], group: str = "name") -> list[Judged]:
    """All cases.

    Parameters
    ----------
    rows : sequence of dict
    group : str
        The column whose value is left out when the prior of a case is learned: ``"name"`` is its table or
        design, ``"seed"`` its draw, so that other draws of the same design are known.
    """
    return _judged(rows, zip(*learning.left_out(learning.lines(rows, group)), strict=True))


def judge_as_it_is(rows: Sequence[dict[str, str]]) -> list[Judged]:
    """Cases of tables that nothing was learned from, by the prior of the package."""
    names = learning.lines(rows).names
    signs = [{name: float(row[name]) for name in names} for row in rows]
    return _judged(rows, [harm_probabilities(one, held_out=True) for one in signs])


def _judged(rows: Sequence[dict[str, str]], learned: Iterable[tuple[float, float]]) -> list[Judged]:
    judged = []
    outcomes = (learning.outcomes(rows, of)[1].tolist() for of in ("", "average_"))
    for row, harms, z, average_z in zip(rows, learned, *outcomes, strict=True):
        harm, harm_of_average = told_by_grid((float(harms[0]), float(harms[1])), float(row[GRID]) == 1)
        verdict, weight = decide(harm, harm_of_average, float(row[SHIFT]))
        judged.append(
            Judged(
                row["kind"],
                row["name"],
                row["well_specified"] == "1",
                int(row["labels_per_class"]),
                int(row["seed"]),
                round(harm, 4),
                round(harm_of_average, 4),
                float(row[SHIFT]),
                verdict,
                weight or 0.0,
                float(row["t"]),
                float(row["log_loss_change"]),
                round(z, 2),
                float(row["average_log_loss_change"]),
                round(average_z, 2),
                float(row["error_change"]),
                float(row["average_error_change"]),
            )
        )
    return judged


def save(cases: Sequence[Judged], path: Path = JUDGED) -> None:
    """Write them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(list(Judged.__annotations__))
        for one in cases:
            values = [getattr(one, name) for name in Judged.__annotations__]
            writer.writerow([int(value) if isinstance(value, bool) else value for value in values])
