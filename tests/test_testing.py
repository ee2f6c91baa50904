"""The laws of ``semigen.testing`` hold for what semigen has, and break for what is broken."""

import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from laws import CASES
from semigen import (
    AutoClassifier,
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    SafeClassifier,
)
from semigen.em import ThreadEngine
from semigen.families import Diag, Gaussian
from semigen.testing import (
    CLASSIFIER_LAWS,
    COVARIANCE_LAWS,
    ENGINE_LAWS,
    FAMILY_LAWS,
    check_classifier,
    check_covariance,
    check_engine,
    check_family,
)
from semigen.testing.covariances import gaussian_rows
from twins import SHAPES

CLASSIFIERS = {
    "mixture": MixtureClassifier(),
    "several components": MixtureClassifier("student_t", components_per_class=2, random_state=0),
    "safe": SafeClassifier(MixtureClassifier(), unlabeled_weights=(0, 1), n_splits=2, n_repeats=1),
    "hybrid": HybridClassifier(MixtureEnsembleFeatures(4)),
    "pool": PoolClassifier([("mixture", MixtureClassifier()), ("logistic", LogisticRegression())]),
    "auto": AutoClassifier(n_mixtures=4),
}


@pytest.mark.parametrize("law", CLASSIFIER_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_obeys(law, name):
    law(CLASSIFIERS[name])


@pytest.mark.parametrize("law", COVARIANCE_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_covariance_shape_obeys(law, shape, rng):
    law(Gaussian(shape).covariance, rng)


def test_the_checks_pass_what_is_right():
    check_family(CASES[-1].family, CASES[-1].draw)
    check_covariance(Diag())
    check_engine(ThreadEngine(2, 30))
    check_classifier(MixtureClassifier())


class Lowering(Gaussian):
    """An M-step that moves means too far."""

    def m_step(self, prior, stats, params):
        found = super().m_step(prior, stats, params)
        return type(found)(found.center, 1.5 * found.mean, found.shape)


class Halved(Diag):
    """A log determinant of half the columns."""

    def log_det(self, shape):
        return 0.5 * super().log_det(shape)


class Reversing(ThreadEngine):
    """Results in the wrong order."""

    def map_blocks(self, function, source, *states):
        return super().map_blocks(function, source, *states)[::-1]


class Marker(ClassifierMixin, BaseEstimator):
    """Takes the marker of unlabeled rows for a class."""

    def fit(self, X, y):
        self.inner_ = HistGradientBoostingClassifier().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return self.inner_.predict(X)


@pytest.mark.parametrize(
    ("check", "laws"),
    [
        (lambda: check_family(Lowering(), gaussian_rows), FAMILY_LAWS),
        (lambda: check_covariance(Halved()), COVARIANCE_LAWS),
        (lambda: check_engine(Reversing(1, 30)), ENGINE_LAWS),
        (lambda: check_classifier(Marker()), CLASSIFIER_LAWS),
    ],
    ids=["family", "covariance", "engine", "classifier"],
)
def test_the_checks_refuse_what_is_broken_and_say_which_law(check, laws):
    with pytest.raises(AssertionError) as caught:
        check()
    law, _, why = str(caught.value).partition(": ")
    assert law in {one.__name__.replace("_", " ") for one in laws}
    assert why
    assert caught.value.__cause__ is not None
