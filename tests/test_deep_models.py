"""Deep models in the ensemble are tried where there is time, and kept where held-out rows show a gain."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from semigen import AutoClassifier, PoolClassifier, load, save
from semigen.ensemble.deep_models import DEEP, GAN, M2, deep_to_try, explain_deep, settle_deep
from semigen.exceptions import ParameterError


class Fixed(ClassifierMixin, BaseEstimator):
    """Knows a column by heart, or knows nothing."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        one = 0.5 if self.column is None else 0.02 + 0.96 * (X[:, self.column] > 0)
        return np.stack([np.ones(len(X)) - one, np.zeros(len(X)) + one], axis=1)


@pytest.mark.parametrize(("column", "kept"), [(0, True), (None, False)])
def test_deep_models_are_kept_where_held_out_rows_show_a_gain(column, kept, rng, tmp_path):
    X = rng.normal(size=(200, 3))
    y = np.where(np.arange(200) < 80, (X[:, 0] > 0).astype(int), -1)
    models = [
        ("stump", DecisionTreeClassifier(max_depth=1, max_features=1, random_state=0)),
        (M2, Fixed(column)),
    ]
    models.append(("logistic", LogisticRegression(C=1e-4)))
    pool = PoolClassifier(models, weights={"stump": 0.3, "logistic": 0.3, M2: 0.0}).fit(X, y)
    standing = settle_deep(pool)
    assert standing.outcome == ("better" if kept else "unclear")
    assert (M2 in pool.estimators_) == kept
    for named in (pool.forms_, pool.priors_, pool.weights_, {one.name for one in pool.models_}):
        assert (M2 in named) == kept
    assert len(pool.held_out_.log_probs) == len(pool.estimators) == len(pool.estimators_) == 2 + kept
    assert pool.predict_proba(X).shape == (200, 2)
    (said,) = explain_deep(standing, 12.3)
    assert ("kept" if kept else "left out") in said
    assert "12 seconds" in said


def test_without_deep_models_there_is_nothing_to_settle(rng):
    pool = PoolClassifier([("logistic", LogisticRegression())])
    assert settle_deep(pool.fit(rng.normal(size=(30, 2)), np.arange(30) % 2)) is None
    assert deep_to_try(False, None, 0, None, None, None) == ([], ())
    assert explain_deep(None, 0.0) == []
    with pytest.raises(ParameterError, match="deep='yes': use True, False or 'auto'"):
        AutoClassifier(deep="yes").fit(np.zeros((4, 1)), [0, 1, 0, 1])


def test_deep_models_are_tried_where_there_is_time(rng, monkeypatch, tmp_path):
    deep = pytest.importorskip("semigen.deep")
    for kind in (deep.VAEClassifier, deep.GANClassifier):
        monkeypatch.setattr(kind, "__init__", small(kind.__init__))
    X = rng.normal(size=(120, 3)) + 3 * (np.arange(120) % 2)[:, None]
    y = np.where(np.arange(120) < 20, np.arange(120) % 2, -1)
    auto = AutoClassifier(n_mixtures=4, deep=True).fit(X, y)
    assert auto.deep_standing_.beside == "without deep models"
    assert "Deep models took" in auto.explanation_
    rows, labels, weight = auto.forms_.of(auto.read(X)), y, np.ones(120)
    for seconds in (None, 1e4):
        found = deep_to_try("auto", seconds, 0, rows, labels, weight)
        assert [name for name, *_ in found.models] == [M2, GAN]
        assert found.left_out == ()
    assert deep_to_try(True, 1e-3, 0, rows, labels, weight) == ([], DEEP)
    assert "not tried" not in auto.explanation_
    hurried = AutoClassifier(n_mixtures=4, deep="auto", time_budget=0.5).fit(X, y)
    assert "M2 and K+1 GAN: not tried, since that would take more" in hurried.explanation_
    save(auto, tmp_path / "m.semigen")
    np.testing.assert_array_equal(load(tmp_path / "m.semigen").predict_proba(X), auto.predict_proba(X))


def small(init):
    """The same defaults, but for a few steps."""

    def made(self, **options):
        init(self, **{**options, "n_steps": options.get("n_steps", 5), "hidden": 8})

    made.__signature__ = inspect.signature(init)
    return made
