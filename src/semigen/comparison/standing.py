"""Is a model better than something simpler on the same held-out rows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from semigen.comparison.record import CLASS_SHARES, Comparison, Score
from semigen.comparison.rule import Decided, decide, is_negligible, signed_interval

Outcome = Literal["better", "worse", "unclear"]

_OUTCOMES: dict[Decided, Outcome] = {"helped": "better", "hurt": "worse", "unclear": "unclear"}


@dataclass(frozen=True)
class Standing:
    """A model beside a simpler one.

    The rule is that of :class:`Verdict`: the log-loss of the model minus that of the other, paired row by
    row; ``"better"`` if the 95 % interval of the mean lies below 0, ``"worse"`` if it lies above,
    ``"unclear"`` if it contains 0. Where the other is the best of several on these rows, the interval is that
    of the largest of so many differences.

    Attributes
    ----------
    beside : str
        The name of the other in the comparison.
    outcome : str
    n_rows : int
        Held-out labeled rows.
    change : Score
        Log-loss in nats per row (below 0 is better) and accuracy (above 0 is better) of the model minus those
        of the other.
    n_candidates : int
        Of how many the other is the best on these rows.
    """

    beside: str
    outcome: Outcome
    n_rows: int
    change: Score
    n_candidates: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return asdict(self)


def stand(comparison: Comparison, name: str, beside: str, n_candidates: int = 1) -> Standing:
    """How one fit of a comparison stands beside another, the best of so many, or beside the class shares.

    Raises
    ------
    ParameterError
        If a name is none of the comparison.
    """
    change = comparison.difference(name, beside, n_candidates)
    return Standing(beside, _OUTCOMES[decide(change)], comparison.rows.size, change, n_candidates)


def best_of(comparison: Comparison, names: Sequence[str]) -> str:
    """The name with the lowest log-loss on the held-out rows, which flatters it."""
    return min(names, key=lambda name: comparison.score(name).log_loss.value)


def explain_standing(standing: Standing) -> str:
    """A standing in a sentence for a person."""
    zero = standing.beside == CLASS_SHARES
    other = "the class shares alone" if zero else f"the best of its models ({standing.beside})"
    of_several = f" for the best of {standing.n_candidates}" if standing.n_candidates > 1 else ""
    found = signed_interval(standing.change.log_loss, 1, ".3f")
    change = f"log-loss {found} nats per row (95 % interval{of_several})"
    if not zero and is_negligible(standing.change, standing.n_rows):
        return f"The saved model is about as good as {other}: {change}."
    if standing.outcome == "unclear" and zero and standing.change.log_loss.value > 0:
        return f"On the held-out rows the saved model is worse than {other}, which may be chance: {change}."
    if standing.outcome == "unclear":
        return f"Whether the saved model is better than {other} cannot be told from these labels: {change}."
    said = f"The saved model is {standing.outcome} than {other}: {change}."
    if zero and standing.outcome == "worse":
        said += " It has learned nothing from the columns that holds elsewhere: do not use it."
    return said
