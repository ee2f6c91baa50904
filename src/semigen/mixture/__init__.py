"""Mixture classifiers: EM over labelled and unlabelled rows."""

from semigen.mixture.classifier import MixtureClassifier

__all__ = ["MixtureClassifier"]
