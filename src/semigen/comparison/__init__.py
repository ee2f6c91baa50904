"""One record of how fits compare on held-out rows, and one rule that says what it means."""

from semigen.comparison.cross_validation import cross_validate
from semigen.comparison.record import Comparison, Score
from semigen.comparison.rule import Verdict, explain, judge

__all__ = ["Comparison", "Score", "Verdict", "cross_validate", "explain", "judge"]
