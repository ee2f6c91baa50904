"""Mixture classifiers: EM over labeled and unlabeled rows."""

from semigen.mixture.classifier import MixtureClassifier

__all__ = ["MixtureClassifier"]
