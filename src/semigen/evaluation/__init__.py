"""Evaluation on partly labeled data: splits, scores, confidence intervals, a test of dependence."""
