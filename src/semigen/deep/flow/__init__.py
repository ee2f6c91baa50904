"""A normalizing flow onto a Gaussian mixture per class.

``classifier`` is the estimator, ``model`` the flow and its loss, ``start`` where both start.
"""

from semigen.deep.flow.classifier import FlowMixtureClassifier

__all__ = ["FlowMixtureClassifier"]
