"""What advice would have said of each case, by a prior that was learned without its table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.judgement import learning
from benchmarks.judgement.bank import KEY, RESULTS
from benchmarks.judgement.learning import CLEAR
from semigen.judgement.advice import decide

JUDGED = RESULTS / "judged.csv"


@dataclass(frozen=True)
class Judged:
    """One case.

    Attributes
    ----------
    kind, name : str
    well_specified : bool
    labels_per_class, seed : int
    harm, harm_small : float
        Probability of harm of λ = 1 and of the smaller λ.
    verdict : str
    unlabeled_weight : float
        The λ to use; 0 where it is not told.
    t : float
        Of the paired difference of held-out log-loss, λ = 1 minus λ = 0: the peer is its sign.
    change, z : float
        Of the log-loss on test rows, λ = 1 minus λ = 0, nats per row and in standard errors.
    change_small, z_small : float
        The same of the smaller λ.
    error_change, error_change_small : float
        Of the error on test rows.
    """

    kind: str
    name: str
    well_specified: bool
    labels_per_class: int
    seed: int
    harm: float
    harm_small: float
    verdict: str
    unlabeled_weight: float
    t: float
    change: float
    z: float
    change_small: float
    z_small: float
    error_change: float
    error_change_small: float

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
        return self.decided and abs(self.z_small if self.unlabeled_weight == 0.1 else self.z) > CLEAR

    @property
    def right(self) -> bool:
        """Whether the verdict is right."""
        if self.verdict == "do not use":
            return self.change > 0
        return (self.change if self.unlabeled_weight == 1 else self.change_small) < 0

    @property
    def followed(self) -> float:
        """Change of the test error for those who follow the advice; none where it says nothing."""
        return {1.0: self.error_change, 0.1: self.error_change_small}.get(self.unlabeled_weight, 0.0)


def judge(rows: Sequence[dict[str, str]], group: str = "name") -> list[Judged]:
    """All cases that have both λ.

    Parameters
    ----------
    rows : sequence of dict
    group : str
        The column whose value is left out when the prior of a case is learned: ``"name"`` is its table or
        design, ``"seed"`` its draw, so that other draws of the same design are known.
    """
    (full, harm), (small, harm_small) = ((one.data, one.harm) for one in learning.both(rows, group=group))
    place = {tuple(row[one] for one in KEY): i for i, row in enumerate(small.rows)}
    found = []
    for i, row in enumerate(full.rows):
        j = place[tuple(row[one] for one in KEY)]
        other = small.rows[j]
        verdict, weight = decide({1.0: float(harm[i]), 0.1: float(harm_small[j])})
        found.append(
            Judged(
                row["kind"],
                row["name"],
                row["well_specified"] == "1",
                int(row["labels_per_class"]),
                int(row["seed"]),
                round(float(harm[i]), 4),
                round(float(harm_small[j]), 4),
                verdict,
                weight or 0.0,
                float(row["t"]),
                float(row["log_loss_change"]),
                round(float(full.z[i]), 2),
                float(other["log_loss_change"]),
                round(float(small.z[j]), 2),
                float(row["error_change"]),
                float(other["error_change"]),
            )
        )
    return found


def save(cases: Sequence[Judged], path: Path = JUDGED) -> None:
    """Write them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(list(Judged.__annotations__))
        for one in cases:
            values = [getattr(one, name) for name in Judged.__annotations__]
            writer.writerow([int(value) if isinstance(value, bool) else value for value in values])
