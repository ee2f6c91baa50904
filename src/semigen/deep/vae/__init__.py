"""Variational autoencoders: M1 (features), M2 (a classifier), and M1+M2.

``classifier`` and ``features`` are the estimators, ``model`` has the losses, ``networks`` the layers.
"""

from semigen.deep.vae.classifier import VAEClassifier
from semigen.deep.vae.features import VAEFeatures

__all__ = ["VAEClassifier", "VAEFeatures"]
