"""The laws that semigen's own families, covariance shapes, engines and classifiers obey, for yours.

Each law is a function that raises an AssertionError, so any test runner can run it.
"""

from semigen.testing.classifiers import CLASSIFIER_LAWS, check_classifier
from semigen.testing.covariances import COVARIANCE_LAWS, check_covariance
from semigen.testing.engines import ENGINE_LAWS, check_engine
from semigen.testing.families import FAMILY_LAWS, check_family
from semigen.testing.trials import Case

__all__ = [
    "CLASSIFIER_LAWS",
    "COVARIANCE_LAWS",
    "ENGINE_LAWS",
    "FAMILY_LAWS",
    "Case",
    "check_classifier",
    "check_covariance",
    "check_engine",
    "check_family",
]
