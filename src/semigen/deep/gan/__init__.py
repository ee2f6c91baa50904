"""The K+1 GAN with feature matching.

``classifier`` is the estimator, ``model`` both networks in training, ``losses`` and ``layers`` their parts.
"""

from semigen.deep.gan.classifier import GANClassifier

__all__ = ["GANClassifier"]
