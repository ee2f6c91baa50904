"""Cross-validation of partly labeled data: splits, and paired comparisons."""

from semigen.comparison.cross_validation import cross_validate
from semigen.comparison.record import Comparison, Score
from semigen.evaluation.intervals import Estimate
from semigen.evaluation.splits import SemiSupervisedSplit

__all__ = ["Comparison", "Estimate", "Score", "SemiSupervisedSplit", "cross_validate"]
