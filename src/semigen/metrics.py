"""Scores that leave unlabeled rows out: accuracy, log-loss, Brier score, scorers; and least cost."""

from semigen.evaluation.decisions import least_cost
from semigen.evaluation.metrics import (
    CLIP,
    LabeledScorer,
    accuracy_score,
    brier_score,
    get_scorer,
    log_loss,
)

__all__ = ["CLIP", "LabeledScorer", "accuracy_score", "brier_score", "get_scorer", "least_cost", "log_loss"]
