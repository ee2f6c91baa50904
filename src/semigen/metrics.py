"""Scores that leave unlabeled rows out: accuracy, log-loss, Brier score, and scorers for scikit-learn."""

from semigen.evaluation.metrics import (
    CLIP,
    LabeledScorer,
    accuracy_score,
    brier_score,
    get_scorer,
    log_loss,
)

__all__ = ["CLIP", "LabeledScorer", "accuracy_score", "brier_score", "get_scorer", "log_loss"]
