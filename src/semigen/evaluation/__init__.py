"""Splits, scores and intervals that are right where some rows are unlabeled."""
