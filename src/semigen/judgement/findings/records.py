"""What one look at a study found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from semigen.judgement.study import Study

Severity = Literal["good", "note", "caution", "warning"]
SEVERITIES: tuple[Severity, ...] = ("warning", "caution", "note", "good")
"""The gravest first."""


@dataclass(frozen=True)
class Finding:
    """One finding: how grave it is, its numbers, and what they mean in a sentence.

    Attributes
    ----------
    name : str
        What was looked at.
    severity : {"good", "note", "caution", "warning"}
        "good": speaks for the model or the unlabeled rows; "note": good to know; "caution": check it;
        "warning": predictions are probably worse for it.
    evidence : dict
        Numbers by name, as plain Python values.
    sentence : str
        What was seen and what to do about it.
    """

    name: str
    severity: Severity
    evidence: Mapping[str, Any]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return asdict(self)


Look = Callable[[Study], Finding | None]
"""A function that looks at a study; None where there is nothing to look at."""


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f} %"


def counted(n: float, noun: str, plural: str = "") -> str:
    """A number with its noun."""
    return f"{n:,.0f} {noun if round(n) == 1 else plural or noun + 's'}"
