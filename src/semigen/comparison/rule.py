"""Did the unlabeled rows help? One rule, read by estimators, the command line and reports alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from semigen.comparison.record import Comparison, Score
from semigen.evaluation.intervals import Estimate

Decided = Literal["helped", "hurt", "unclear"]
Outcome = Literal["helped", "hurt", "unclear", "not compared", "no unlabeled rows"]
SAFE, HARMFUL = 0.2, 0.75
"""Probabilities of harm from which it is called unlikely or likely: odds of 4 : 1 and 3 : 1. Help has to be
surer than harm, because where unlabeled rows hurt they cost about twice as much as they gain elsewhere."""
NEGLIGIBLE_NATS, NEGLIGIBLE_SHARE = 0.01, 0.002
"""A change of the log-loss, and of the accuracy, that nobody notices."""
ROWS_THAT_TELL = 100
"""Fewer held-out rows may all be alike by chance."""


@dataclass(frozen=True)
class Verdict:
    """Whether a model is better with the unlabeled rows than the same model without them.

    The rule: the log-loss on held-out labeled rows of the model with the unlabeled rows, minus that of the
    model without them, paired row by row. ``"hurt"`` if the 95 % interval of the mean difference lies above
    0, ``"helped"`` if it lies below, ``"unclear"`` if it contains 0. Unlabeled rows are left out where they
    hurt; where it is unclear, the model that was asked for is kept. Accuracy is reported and does not decide:
    a model may be right as often and far too confident. A difference can be beyond chance and too small to
    matter, or too small to matter whatever its sign: that is ``negligible``, whatever the outcome.

    Attributes
    ----------
    outcome : str
        Or ``"not compared"``, where no labeled row could be held out, and ``"no unlabeled rows"``.
    n_rows : int
        Held-out labeled rows.
    change : Score or None
        With minus without: log-loss in nats per row (below 0 is better), accuracy (above 0 is better).
    harm_probability : float or None
        How likely it is that the log-loss on new rows is higher with the unlabeled rows, from 0 to 1, by the
        held-out labels and by what was learned over tables whose outcome is known; None where that is not
        known for the model. It says which way ``"unclear"`` leans (:func:`lean`) and decides nothing.
    """

    outcome: Outcome
    n_rows: int = 0
    change: Score | None = None
    harm_probability: float | None = None

    @property
    def helped(self) -> bool:
        """Whether the unlabeled rows made the model better beyond chance."""
        return self.outcome == "helped"

    @property
    def hurt(self) -> bool:
        """Whether the unlabeled rows made the model worse beyond chance."""
        return self.outcome == "hurt"

    @property
    def negligible(self) -> bool:
        """Whether the unlabeled rows make next to no difference; see :func:`is_negligible`."""
        return self.change is not None and is_negligible(self.change, self.n_rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        change = None if self.change is None else asdict(self.change)
        return {
            "outcome": self.outcome,
            "negligible": self.negligible,
            "n_rows": self.n_rows,
            "change": change,
            "harm_probability": self.harm_probability,
        }


def decide(change: Score) -> Decided:
    """The rule itself, for the score of a fit minus that of another: with the unlabeled rows and without."""
    loss = change.log_loss
    return "hurt" if loss.low > 0 else "helped" if loss.high < 0 else "unclear"


def is_negligible(change: Score, n_rows: int) -> bool:
    """Whether two fits surely predict about equally well.

    On at least 100 rows the 95 % interval of the log-loss lies within 0.01 nats of 0, and that of the
    accuracy reaches to within 0.2 points of it.
    """
    loss, accuracy = change.log_loss, change.accuracy
    return (
        n_rows >= ROWS_THAT_TELL
        and loss.low >= -NEGLIGIBLE_NATS
        and loss.high <= NEGLIGIBLE_NATS
        and accuracy.low <= NEGLIGIBLE_SHARE
        and accuracy.high >= -NEGLIGIBLE_SHARE
    )


def lean(harm_probability: float | None) -> Decided:
    """Which way a probability of harm leans: to help at odds of 4 : 1 or more, to harm at 3 : 1 or more."""
    if harm_probability is None or SAFE < harm_probability < HARMFUL:
        return "unclear"
    return "helped" if harm_probability <= SAFE else "hurt"


def judge(
    comparison: Comparison | None,
    with_unlabeled: str,
    without: str,
    *,
    n_unlabeled: int,
    harm_probability: float | None = None,
) -> Verdict:
    """The verdict on two fits of one comparison.

    Parameters
    ----------
    comparison : Comparison or None
        None where no labeled row could be held out.
    with_unlabeled, without : str
        Names in ``comparison`` of the model with the unlabeled rows and without them.
    n_unlabeled : int
        Unlabeled rows of positive weight.
    harm_probability : float or None
        As the verdict has it.
    """
    if n_unlabeled == 0:
        return Verdict("no unlabeled rows")
    if comparison is None:
        return Verdict("not compared")
    change = comparison.difference(with_unlabeled, without)
    return Verdict(decide(change), comparison.rows.size, change, harm_probability)


def explain(verdict: Verdict, n_unlabeled: int) -> str:
    """The verdict in one or two sentences for a person."""
    rows = f"the {n_unlabeled:,} unlabeled row{'' if n_unlabeled == 1 else 's'}"
    harm = verdict.harm_probability
    if verdict.outcome == "no unlabeled rows":
        return "Every row is labeled: there are no unlabeled rows to learn from."
    if verdict.change is None:
        return f"Whether {rows} helped cannot be told: no labeled row could be held out."
    tested = f"{verdict.n_rows:,} held-out labeled row{'' if verdict.n_rows == 1 else 's'}"
    change = (
        f"on {tested} they changed the log-loss by {signed_interval(verdict.change.log_loss, 1, '.3f')} nats "
        f"per row and the accuracy by {signed_interval(verdict.change.accuracy, 100, '.1f')} points (95 % "
        "intervals)"
    )
    if verdict.negligible:
        return f"Unlabeled rows make next to no difference: {change}."
    likely = "" if harm is None else f" (probability of harm {100 * harm:.0f} %)"
    unclear = {
        "helped": f"Unlabeled rows probably helped{likely}, though these labels alone do not show it",
        "hurt": f"Unlabeled rows probably hurt{likely}, though these labels alone do not show it",
        "unclear": f"Whether {rows} helped cannot be told from these labels{likely}",
    }[lean(harm)]
    return {
        "helped": f"Unlabeled rows helped: {rows} made predictions better{likely}; {change}.",
        "hurt": (
            f"Unlabeled rows hurt: {rows} made predictions worse{likely}, so the model's assumptions do not "
            f"fit these classes; {change}."
        ),
        "unclear": f"{unclear}; {change}.",
    }[verdict.outcome]


def signed_interval(estimate: Estimate, scale: float, form: str) -> str:
    """A difference and its interval, times a scale, with their signs."""
    value, low, high = (f"{scale * one:+{form}}" for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"
