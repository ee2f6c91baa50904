"""One record of how fits compare on held-out rows, and one rule for whether unlabeled rows helped."""

from semigen.comparison.cross_validation import cross_validate
from semigen.comparison.record import CLASS_SHARES, Comparison, Score
from semigen.comparison.rule import Verdict, decide, explain, is_negligible, judge, lean
from semigen.comparison.standing import Standing, best_of, explain_standing, stand
from semigen.comparison.tally import Tally

__all__ = [
    "CLASS_SHARES",
    "Comparison",
    "Score",
    "Standing",
    "Tally",
    "Verdict",
    "best_of",
    "cross_validate",
    "decide",
    "explain",
    "explain_standing",
    "is_negligible",
    "judge",
    "lean",
    "stand",
]
