"""Columns without a value in the rows that count, as in a fit without unlabeled rows: they say nothing."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

import semigen
from laws import fit_prior
from semigen.exceptions import ColumnWarning
from semigen.families import COVARIANCES, FAMILIES

WITH_SHAPE = [(name, shape) for name in ("gaussian", "student_t") for shape in COVARIANCES]
OF_COLUMNS = ["bernoulli", "categorical", "negative_binomial", "poisson"]
LABELED = np.arange(60) < 16
CODE = np.arange(60) % 2


def rows(rng, family):
    """Rows whose second column has a value in unlabeled rows only."""
    x = rng.normal(size=(60, 3)) + CODE[:, None]
    if family in OF_COLUMNS:
        x = (x > 0.5) * 1.0
    x[LABELED, 1] = np.nan
    return x


def supervised(family, shape, shrinkage, x):
    model = semigen.MixtureClassifier(
        family, covariance=shape, shrinkage=shrinkage, unlabeled_weight=0, max_iter=30, tol=1e-3
    )
    return model.fit(x, np.where(LABELED, CODE, -1))


@pytest.mark.parametrize("shrinkage", ["auto", 0])
@pytest.mark.parametrize(("family", "shape"), [*WITH_SHAPE, *((one, "auto") for one in OF_COLUMNS)])
def test_values_of_a_silent_column_change_no_answer(family, shape, shrinkage, rng):
    x = rows(rng, family)
    model = supervised(family, shape, shrinkage, x)
    assert model.silent_columns_.tolist() == [1]
    other = x.copy()
    other[:, 1] = rng.integers(0, 2 if family in ("bernoulli", "categorical") else 10**6, 60)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(x))
    np.testing.assert_array_equal(model.score_samples(other), model.score_samples(x))
    drawn, _ = model.sample(20, random_state=0)
    np.testing.assert_array_equal(np.isnan(drawn), np.tile([False, True, False], (20, 1)))
    other[::2, :2] = np.nan
    np.testing.assert_array_equal(np.isnan(model.impute(other)), np.isnan(other) & [False, True, False])
    np.testing.assert_array_equal(model.impute(other)[:, 1], other[:, 1])


@pytest.mark.parametrize(
    ("family", "shape", "shrinkage"),
    [("gaussian", shape, "auto") for shape in ("diag", "full", "tied", "low_rank")]
    + [("gaussian", "full", 0), ("student_t", "tied", 0), ("student_t", "full", "auto")]
    + [(one, "auto", "auto") for one in OF_COLUMNS],
)
def test_a_silent_column_is_as_good_as_absent(family, shape, shrinkage, rng):
    x = rows(rng, family)
    model, alone = (supervised(family, shape, shrinkage, part) for part in (x, x[:, [0, 2]]))
    near = 1e-6 if shape == "low_rank" else 1e-9  # whose M-step is a climb of its own
    np.testing.assert_allclose(model.score_samples(x), alone.score_samples(x[:, [0, 2]]), atol=near)
    np.testing.assert_allclose(model.predict_proba(x), alone.predict_proba(x[:, [0, 2]]), atol=near)


@pytest.mark.parametrize("name", [name for name, made in FAMILIES.items() if made().takes_missing])
@pytest.mark.parametrize("shrinkage", [None, 0.0])
def test_the_prior_gives_a_column_without_values_one_density_in_all_components(name, shrinkage, rng):
    family = FAMILIES[name]()
    x = rows(rng, name)
    prior = fit_prior(family, x, LABELED * 1.0, shrinkage)
    params = family.reference(prior, 3)
    log_prob = family.walk(params, np.dtype(float)).log_prob(np.ones((4, 3)))
    assert np.isfinite(log_prob).all()
    np.testing.assert_array_equal(log_prob, log_prob[[0, 0, 0]])


def test_values_join_when_unlabeled_rows_count(rng):
    x = rows(rng, "gaussian")
    y = np.where(LABELED, CODE, -1)
    model = semigen.MixtureClassifier(unlabeled_weight=1.0).fit(x, y)
    assert model.silent_columns_.size == 0
    assert np.abs(model.predict_proba(x + np.array([0, 1, 0])) - model.predict_proba(x)).max() > 0
    quick = semigen.MixtureClassifier(covariance="diag", tol=1e-3, max_iter=20)
    assert semigen.advise(x, y, estimator=quick).sentence
    semigen.SafeClassifier(quick, unlabeled_weights=(0.0, 1.0), n_splits=2, n_repeats=1).fit(x, y)


def test_a_column_without_a_value_in_any_row_is_said_to_say_nothing(rng, tmp_path):
    x = rows(rng, "gaussian")
    x[:, 1] = np.nan
    with pytest.warns(ColumnWarning, match="column number 1: no cell is filled, so it says nothing"):
        model = semigen.MixtureClassifier(unlabeled_weight=1.0).fit(x, np.where(LABELED, CODE, -1))
    semigen.save(model, tmp_path / "model.semigen")
    again = semigen.load(tmp_path / "model.semigen")
    x[:, 1] = rng.normal(size=60) * 1e9
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


@pytest.mark.parametrize("shape", ["full", "tied", "diag", "low_rank"])
def test_a_column_with_one_value_is_as_good_as_absent(shape, rng):
    x = rng.normal(size=(60, 3)) + CODE[:, None]
    wide = np.column_stack([x, np.full(60, 7.0)])
    y = np.where(LABELED, CODE, -1)
    alone, model = (semigen.MixtureClassifier(covariance=shape).fit(part, y) for part in (x, wide))
    np.testing.assert_allclose(model.predict_proba(wide), alone.predict_proba(x), atol=1e-9)


def test_numbers_too_small_for_their_type_are_told_of(rng):
    """In float32 squares of 1e-20 are 0: columns of such numbers cannot tell the classes."""
    truth = np.arange(80) % 2
    X = (rng.normal(size=(80, 3)) + 4.0 * truth[:, None]).astype(np.float32)
    y = np.where(np.arange(80) < 20, truth, -1)
    model = semigen.MixtureClassifier(covariance="diag", unlabeled_weight=1.0, calibrate=1.0)
    wanted = clone(model).fit(X, y).predict(X)
    small = X * np.array([1, 1e-20, 1], dtype=np.float32)
    with pytest.warns(ColumnWarning, match=r"1 column.s. .counted from 0: 1. vary.*float32.*float64"):
        clone(model).fit(small, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            clone(model).fit(small.astype(np.float64), y).predict(small.astype(np.float64)) == wanted
        ).all()
        constant = np.column_stack([X, np.zeros(80), np.full(80, 1e-20), np.full(80, 5.0)]).astype(np.float32)
        clone(model).fit(constant, y)
