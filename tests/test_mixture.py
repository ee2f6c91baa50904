"""Laws of MixtureClassifier."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from semigen import MixtureClassifier, MixtureEnsembleFeatures
from semigen.data.weights import estimated_shares
from semigen.datasets import make_harm
from semigen.exceptions import (
    ColumnError,
    ConvergenceWarning,
    LabelError,
    LabelWarning,
    NotFittedError,
    ParameterError,
    SemigenError,
)
from semigen.families import LowRank
from semigen.mixture import evidence
from semigen.model_selection import SemiSupervisedSplit
from semigen.representation import NeighborGraph
from twins import SHAPES

EXPECTED = {
    "check_classifiers_classes": "uses labels {-1, 1}; -1 is the unlabeled marker, and a class -1 taken "
    "for a missing label in silence would be worse than the error, which names unlabeled=None as the cure"
}


@parametrize_with_checks([MixtureClassifier()], expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)
    marked = np.where(rng.random(len(y)) < 0.2, y, -1)
    return X, marked, y


def plain(family="auto", *, covariance="full", **settings):
    """A mixture of which nothing is left to labels."""
    return MixtureClassifier(
        family, covariance=covariance, **{"unlabeled_weight": 1.0, "calibrate": 1.0, **settings}
    )


def same_model(a, b, X, *, rtol=1e-9, atol=1e-9):
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=rtol, atol=atol)
    np.testing.assert_allclose(a.score_samples(X), b.score_samples(X), rtol=rtol, atol=1e-7)
    np.testing.assert_allclose(a.objective_, b.objective_, rtol=rtol, atol=atol)


def test_all_rows_labeled_is_quadratic_discriminant_analysis(iris):
    X, _, y = iris
    ours = plain(shrinkage=0).fit(X, y)
    peer = QuadraticDiscriminantAnalysis().fit(X, y)
    np.testing.assert_allclose(ours.means_, peer.means_, rtol=1e-12)
    np.testing.assert_allclose(ours.class_prior_, peer.priors_, rtol=1e-12)
    for k, found in enumerate(
        ours.covariances_
    ):  # the peer divides by n or by n - 1: it depends on its version
        np.testing.assert_allclose(found, np.cov(X[y == k].T, bias=True), atol=1e-12)


def test_all_rows_labeled_and_tied_is_linear_discriminant_analysis(iris):
    X, _, y = iris
    ours = plain(covariance="tied", shrinkage=0).fit(X, y)
    peer = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True).fit(X, y)
    np.testing.assert_allclose(ours.covariances_[0], peer.covariance_, atol=1e-12)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-8)


def test_all_rows_labeled_and_diagonal_is_gaussian_naive_bayes(iris):
    X, _, y = iris
    ours = plain(covariance="diag", shrinkage=0).fit(X, y)
    peer = GaussianNB(var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-9)


def test_map_estimate_is_its_formula(iris):
    X, _, y = iris
    s, n, kappa = 7.0, len(X), 0.01
    ours = plain(shrinkage=s).fit(X, y)
    total, origin = X.var(axis=0), X.mean(axis=0)
    within = sum(((X[y == k] - X[y == k].mean(axis=0)) ** 2).sum(axis=0) for k in range(3))
    spread = np.minimum((within + 3 * 0.5 * total) / (n - 3 + 3), total)
    means, scatters = [], []
    for k in range(3):
        rows = X[y == k]
        means.append((rows.sum(axis=0) + kappa * origin) / (len(rows) + kappa))
        away = means[k] - origin
        scatters.append((rows - means[k]).T @ (rows - means[k]) + kappa * np.outer(away, away))
    pooled = (sum(scatters) + s * np.diag(spread)) / (n + s)
    for k in range(3):
        np.testing.assert_allclose(ours.means_[k], means[k], rtol=1e-12)
        wanted = (scatters[k] + s * pooled) / (np.sum(y == k) + s)
        np.testing.assert_allclose(ours.covariances_[k], wanted, atol=1e-12)
    tied = plain(covariance="tied", shrinkage=s).fit(X, y)
    np.testing.assert_allclose(tied.covariances_[0], pooled, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lambda_zero_is_supervised(shape, iris):
    X, marked, _ = iris
    labeled = marked != -1
    without = MixtureClassifier(covariance=shape).fit(X[labeled], marked[labeled])
    ignoring = MixtureClassifier(covariance=shape, unlabeled_weight=0).fit(X, marked)
    same_model(without, ignoring, X)


def test_lambda_is_a_weight_of_the_unlabeled_rows(iris):
    X, marked, _ = iris
    by_lambda = MixtureClassifier(unlabeled_weight=0.3).fit(X, marked)
    weight = np.where(marked == -1, 0.3, 1.0)
    by_weight = MixtureClassifier(unlabeled_weight=1.0).fit(X, marked, sample_weight=weight)
    same_model(by_lambda, by_weight, X)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_weight_of_two_is_a_row_given_twice(shape, iris):
    X, marked, _ = iris
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 3, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weight)
    a = MixtureClassifier(covariance=shape, max_iter=30, tol=0)
    b = clone(a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        a.fit(X, marked, sample_weight=weight)
        b.fit(X[repeated], marked[repeated])
    same_model(a, b, X, rtol=1e-7, atol=1e-7)


def test_the_order_of_rows_columns_and_class_names_does_not_matter(iris):
    X, marked, _ = iris
    base = MixtureClassifier().fit(X, marked)
    order = np.random.default_rng(2).permutation(len(X))
    same_model(base, MixtureClassifier().fit(X[order], marked[order]), X, rtol=1e-7, atol=1e-7)
    columns = [2, 0, 3, 1]
    turned = MixtureClassifier().fit(X[:, columns], marked)
    np.testing.assert_allclose(turned.predict_proba(X[:, columns]), base.predict_proba(X), atol=1e-7)
    names = np.array(["z", "m", "a"], dtype=object)
    renamed = MixtureClassifier().fit(X, np.where(marked == -1, None, names[marked]))
    assert renamed.classes_.tolist() == ["a", "m", "z"]
    np.testing.assert_allclose(renamed.predict_proba(X)[:, ::-1], base.predict_proba(X), atol=1e-7)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("shrinkage", ["auto", 0])
def test_units_and_origin_do_not_matter(shape, shrinkage, iris):
    X, marked, _ = iris
    factor = 1000.0 if shape == "spherical" else np.array([1e-3, 1.0, 50.0, 1e4])
    base = MixtureClassifier(covariance=shape, shrinkage=shrinkage, max_iter=500).fit(X, marked)
    moved = MixtureClassifier(covariance=shape, shrinkage=shrinkage, max_iter=500).fit(
        X * factor - 3.0, marked
    )
    np.testing.assert_allclose(moved.predict_proba(X * factor - 3.0), base.predict_proba(X), atol=1e-5)
    jacobian = np.log(factor) * X.shape[1] if shape == "spherical" else np.log(factor).sum()
    np.testing.assert_allclose(
        moved.score_samples(X * factor - 3.0) + jacobian, base.score_samples(X), atol=1e-4
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_data_far_from_the_origin_give_the_same_predictions(shape, iris):
    X, marked, _ = iris
    base = MixtureClassifier(covariance=shape).fit(X, marked)
    far = MixtureClassifier(covariance=shape).fit(X + 1e8, marked)
    np.testing.assert_array_equal(far.predict(X + 1e8), base.predict(X))
    np.testing.assert_allclose(far.covariances_, base.covariances_, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_label_a_class_is_enough(shape, iris):
    X, _, y = iris
    marked = np.full(len(y), -1)
    marked[[0, 50, 100]] = [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MixtureClassifier(covariance=shape).fit(X, marked)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.predict(X[[0, 50, 100]]).tolist() == [0, 1, 2]


def test_a_class_known_only_by_its_column_takes_unlabeled_rows(rng):
    centers = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])
    truth = np.repeat([0, 1, 2], 80)
    X = centers[truth] + rng.normal(size=(240, 2))
    y = np.ones((240, 3))
    y[:5] = [1, 0, 0]
    y[80:85] = [0, 1, 0]
    model = MixtureClassifier(random_state=0).fit(X, y)
    assert (model.predict(X) == truth).mean() > 0.98


def test_soft_and_candidate_labels(iris):
    X, _, y = iris
    hard = MixtureClassifier().fit(X, y)
    same_model(hard, MixtureClassifier().fit(X, np.eye(3)[y]), X)
    candidates = np.ones((150, 3))
    candidates[::10] = np.eye(3)[y[::10]]
    equal = MixtureClassifier().fit(X, candidates / 3)
    marked = np.where(np.arange(150) % 10 == 0, y, -1)
    same_model(MixtureClassifier().fit(X, marked), equal, X)
    rule_out = np.eye(3)[y]
    rule_out[np.arange(150), np.random.default_rng(0).integers(3, size=150)] = 1.0
    model = MixtureClassifier().fit(X, rule_out)
    assert (model.predict(X) == y).mean() > 0.9


def test_class_prior_forms(rng):
    n = 2000
    truth = (rng.random(n) < 0.9).astype(int)
    X = rng.normal(size=(n, 2)) + 4.0 * truth[:, None]
    y = np.full(n, -1)
    for k in (0, 1):
        y[np.flatnonzero(truth == k)[:50]] = k
    rest = truth[y == -1].mean()
    own = MixtureClassifier(class_prior="unlabeled").fit(X, y)
    assert own.class_prior_[1] == pytest.approx(rest, abs=0.01)
    shared = plain().fit(X, y)
    assert shared.class_prior_[1] == pytest.approx(truth.mean(), abs=0.01)
    uniform = MixtureClassifier(class_prior="uniform").fit(X, y)
    np.testing.assert_array_equal(uniform.class_prior_, [0.5, 0.5])
    given_ = plain(class_prior=[0.1, 0.9]).fit(X, y)
    np.testing.assert_allclose(given_.class_prior_, [0.1, 0.9])
    by_class = plain(class_prior={1: 0.9, 0: 0.1}).fit(X, y)
    np.testing.assert_array_equal(by_class.predict_proba(X), given_.predict_proba(X))
    counted = plain(class_prior=pd.Series([1] * 9 + [0]).value_counts(normalize=True)).fit(X, y)
    np.testing.assert_array_equal(counted.predict_proba(X), given_.predict_proba(X))
    noise = pd.DataFrame([[0.8, 0.2], [0.4, 0.6]], index=[1, 0], columns=[1, 0])
    named, by_place = (plain(label_noise=one).fit(X, y) for one in (noise, [[0.6, 0.4], [0.2, 0.8]]))
    np.testing.assert_array_equal(named.predict_proba(X), by_place.predict_proba(X))
    joint = given_.log_joint(X[:5]) - np.log([0.1, 0.9])
    ratio = np.exp(joint[:, 1] - joint[:, 0]) * 9
    proba = given_.predict_proba(X[:5])
    np.testing.assert_allclose(proba[:, 1] / proba[:, 0], ratio)


def test_class_prior_reaches_predict_proba_with_every_row_labeled(rng):
    X = np.concatenate([rng.normal(size=(300, 1)), rng.normal(size=(100, 1)) + 1])
    y = np.repeat([0, 1], [300, 100])
    shared = plain("gaussian", covariance="tied").fit(X, y)
    uniform = plain("gaussian", covariance="tied", class_prior="uniform").fit(X, y)
    odds = shared.predict_proba(X)[:, 0] / shared.predict_proba(X)[:, 1]
    even = uniform.predict_proba(X)[:, 0] / uniform.predict_proba(X)[:, 1]
    np.testing.assert_allclose(odds / even, 3.0, rtol=1e-9)


def test_several_components_follow_a_class_in_two_clumps(rng):
    centers = np.array([[-6.0, 0.0], [6.0, 0.0], [0.0, 0.0]])
    clump = np.repeat([0, 1, 2], 150)
    X = centers[clump] + rng.normal(size=(450, 2))
    truth = (clump == 2).astype(int)
    y = np.full(450, -1)
    y[[0, 1, 150, 151]] = 0
    y[[300, 301, 302]] = 1
    one = MixtureClassifier().fit(X, y)
    two = MixtureClassifier(components_per_class={0: 2}, random_state=0).fit(X, y)
    assert two.component_class_.tolist() == [0, 0, 1]
    assert (two.predict(X) == truth).mean() > 0.99
    assert (one.predict(X) == truth).mean() < 0.98
    assert two.weights_.sum() == pytest.approx(1)


def test_novel_components_take_rows_of_no_known_class(rng):
    centers = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    kind = np.repeat([0, 1, 2], 100)
    X = centers[kind] + rng.normal(size=(300, 2))
    y = np.full(300, -1)
    y[:5], y[100:105] = 0, 1
    model = MixtureClassifier(n_novel_components=1, random_state=0).fit(X, y)
    novel = model.novel_probability(X)
    assert novel[kind == 2].min() > 0.99
    assert novel[kind < 2].max() < 0.01
    proba = model.predict_proba(X)
    assert proba.shape == (300, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    by_class = np.exp(model.log_joint(X)).sum(axis=1)
    np.testing.assert_allclose(by_class / np.exp(model.score_samples(X)), 1 - novel, atol=1e-9)
    assert (MixtureClassifier().fit(X, y).novel_probability(X) == 0).all()
    assert set(model.sample(500, random_state=0)[1]) == {0, 1}


def test_probabilities_and_densities_belong_together(iris):
    X, marked, _ = iris
    model = MixtureClassifier(components_per_class=2, random_state=0).fit(X, marked)
    joint = np.exp(model.log_joint(X))
    np.testing.assert_allclose(np.exp(model.score_samples(X)), joint.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(model.predict_proba(X), twin(model, X), rtol=1e-9)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), model.classes_[twin(model, X).argmax(axis=1)])
    shares = estimated_shares(np.bincount(marked[marked >= 0]).astype(float))
    np.testing.assert_allclose(model.calibration_.shares, shares)
    own = MixtureClassifier(components_per_class=2, class_prior="unlabeled", random_state=0).fit(X, marked)
    np.testing.assert_allclose(own.calibration_.shares, own.class_prior_)
    raised = MixtureClassifier(components_per_class=2, calibrate=0.7, random_state=0).fit(X, marked)
    powers = np.exp(raised.log_joint(X)) ** 0.7
    np.testing.assert_allclose(raised.predict_proba(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-9)


def twin(model, X):
    """Σ_a P(a) p_a(k | x), p_a(k | x) ∝ π_k p(x | k)^a, where p(x | k) is no denormal number."""
    density = np.exp(model.log_joint(X)) / model.class_prior_
    found = np.zeros(density.shape)
    for power, chance in zip(model.calibration_.powers, model.calibration_.chances, strict=True):
        says = model.calibration_.shares * density**power
        found += chance * says / says.sum(axis=1, keepdims=True)
    return found


def test_the_density_integrates_to_one(rng):
    X = rng.normal(size=(60, 1)) * 2
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    model = MixtureClassifier().fit(X, y)
    grid = np.linspace(-60, 60, 200_001)
    assert np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid) == pytest.approx(1, abs=1e-6)


def test_predictions_never_draw_random_numbers(iris):
    X, marked, _ = iris
    model = MixtureClassifier(components_per_class=2, random_state=np.random.RandomState(3)).fit(X, marked)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the global state is what is tested)
    first = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_seed_gives_the_same_fit_and_restarts_never_give_a_worse_one(iris):
    X, marked, _ = iris
    options = {"components_per_class": 2, "max_iter": 500}
    one, again = (MixtureClassifier(**options, random_state=4).fit(X, marked) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), again.predict_proba(X))
    many = MixtureClassifier(**options, random_state=4, n_init=5).fit(X, marked)
    assert many.objective_ >= one.objective_


def test_restarts_leave_a_bad_start():
    """Four clusters in a line, alternating classes: their spread misleads the first start's k-means."""
    rng = np.random.default_rng(1)
    cluster = np.repeat([0, 1, 2, 3], 150)
    X = np.c_[4.0 * cluster + rng.normal(size=600), rng.normal(size=600)]
    y = np.full(600, -1)
    for c in range(4):
        y[rng.choice(np.flatnonzero(cluster == c), 3, replace=False)] = c % 2
    once, often = (
        plain(components_per_class=2, shrinkage=0, n_init=n, max_iter=500, random_state=1).fit(X, y)
        for n in (1, 10)
    )
    assert (once.predict(X) == cluster % 2).mean() < 0.9, "the first start is good: the test shows nothing"
    assert often.objective_ > once.objective_ + 0.05
    assert (often.predict(X) == cluster % 2).mean() > 0.95


def test_sampled_then_fitted_recovers_the_model(iris):
    X, _, y = iris
    model = MixtureClassifier().fit(X, y)
    rows, labels = model.sample(20_000, random_state=0)
    again = plain(shrinkage=0).fit(rows, np.where(np.arange(20_000) < 60, labels, -1))
    scale = X.std(axis=0)
    np.testing.assert_allclose(again.means_ / scale, model.means_ / scale, atol=0.05)
    np.testing.assert_allclose(
        again.covariances_ / np.outer(scale, scale), model.covariances_ / np.outer(scale, scale), atol=0.03
    )
    np.testing.assert_allclose(again.class_prior_, model.class_prior_, atol=0.02)
    assert set(model.sample(50, y=2, random_state=1)[1]) == {2}
    with pytest.raises(ParameterError, match=r"y=7.*classes"):
        model.sample(5, y=7)


def test_bic_and_icl_are_their_formulas(iris):
    X, marked, _ = iris
    model = plain(class_prior="unlabeled").fit(X, marked)
    labeled = marked != -1
    joint = model.log_joint(X)
    proportion = np.bincount(marked[labeled]) / labeled.sum()
    own = joint[labeled, marked[labeled]] - np.log(model.class_prior_[marked[labeled]])
    log_lik = model.score_samples(X[~labeled]).sum() + (own + np.log(proportion[marked[labeled]])).sum()
    n_free = 3 * (4 + 10) + 2 * 2
    bic = -2 * log_lik + n_free * np.log(len(X))
    assert model.bic(X, marked) == pytest.approx(bic, rel=1e-10)
    probs = model.predict_proba(X[~labeled])
    entropy = -(probs * np.log(np.maximum(probs, 1e-300))).sum()
    assert model.icl(X, marked) == pytest.approx(bic + 2 * entropy, rel=1e-10)


def test_aic_charges_two_nats_per_parameter(iris):
    X, marked, _ = iris
    model = plain().fit(X, marked)
    n_free = 3 * (4 + 10) + 2
    log_lik = (model.bic(X, marked) - n_free * np.log(len(X))) / -2
    assert model.aic(X, marked) == pytest.approx(-2 * log_lik + 2 * n_free, rel=1e-10)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "low_rank"])
def test_precisions_are_the_inverse_covariances(iris, covariance):
    X, marked, _ = iris
    model = MixtureClassifier(covariance=covariance).fit(X, marked)
    products = model.precisions_ @ model.covariances_
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(X.shape[1]), products.shape), atol=1e-8)


@pytest.mark.parametrize("noise", [None, "estimate"])
def test_labels_at_predict_time_are_evidence(iris, noise):
    X, marked, y = iris
    model = plain(label_noise=noise).fit(X, marked)
    joint = np.exp(model.log_joint(X))
    soft = np.random.default_rng(0).dirichlet(np.ones(3), len(X))
    seen = soft if noise is None else soft @ model.label_noise_.T
    expected = joint * seen
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X, labels=soft), expected, rtol=1e-8, atol=1e-12)
    nothing = model.predict_proba(X, labels=np.full(len(X), -1))
    np.testing.assert_allclose(nothing, model.predict_proba(X), rtol=1e-12)
    if noise is None:
        np.testing.assert_array_equal(model.predict_proba(X, labels=y), np.eye(3)[y])
    with pytest.raises(LabelError):
        model.predict_proba(X, labels=np.full(len(X), 9))
    with pytest.raises(LabelError, match="inconsistent numbers of samples"):
        model.predict_proba(X, labels=y[:-1])


def test_bic_reads_the_labels_with_the_classes_of_the_fit(iris):
    X, marked, y = iris
    model = MixtureClassifier().fit(X, marked)
    part = y < 2
    assert np.isfinite(model.bic(X[part], y[part]))
    assert np.isfinite(model.bic(X, np.full(len(X), -1)))
    with pytest.raises(LabelError, match="inconsistent numbers of samples"):
        model.bic(X, marked[:-1])
    with pytest.raises(LabelError, match=r"\[9\].*not among the classes"):
        model.bic(X, np.full(len(X), 9))


def test_score_ignores_unlabeled_rows(iris):
    X, marked, y = iris
    model = MixtureClassifier().fit(X, marked)
    labeled = marked != -1
    assert model.score(X, marked) == pytest.approx((model.predict(X[labeled]) == y[labeled]).mean())


def test_grid_search_in_a_pipeline_scores_labeled_rows(iris):
    X, marked, _ = iris
    pipe = make_pipeline(StandardScaler(), MixtureClassifier(max_iter=30, tol=1e-4))
    grid = {"mixtureclassifier__covariance": ["tied", "diag"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3, random_state=0)).fit(X, marked)
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_and_label_series(frame, iris):
    X, marked, _y = iris
    names = ["a", "b", "c", "d"]
    series = pd.Series if frame is pd.DataFrame else pl.Series
    labels = series([None if m == -1 else f"kind {m}" for m in marked])
    model = MixtureClassifier().fit(frame(dict(zip(names, X.T, strict=True))), labels)
    assert model.feature_names_in_.tolist() == names
    assert model.feature_kinds_ == ["number"] * 4
    assert model.classes_.tolist() == ["kind 0", "kind 1", "kind 2"]
    plain = MixtureClassifier().fit(X, marked)
    np.testing.assert_allclose(
        model.predict_proba(frame(dict(zip(names, X.T, strict=True)))), plain.predict_proba(X)
    )


@pytest.mark.parametrize("family", ["gaussian", "student_t"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
def test_float32_rows_stop_where_the_same_rows_in_float64_do(family, shape, shrinkage, rng):
    """In as many steps, at the same probabilities, to what an offset leaves of float32's digits."""
    label = rng.integers(3, size=600)
    X = rng.normal(size=(600, 12)) @ rng.normal(size=(12, 12)) + 2.0 * rng.normal(size=(3, 12))[label]
    X = (X + 100).astype(np.float32)
    marked = np.where(np.arange(600) < 120, label, -1)
    model = plain(family, covariance=shape, shrinkage=shrinkage, max_iter=500)
    single, double = clone(model).fit(X, marked), clone(model).fit(X.astype(float), marked)
    assert single.n_iter_ == double.n_iter_ >= 3
    assert single.objective_ == pytest.approx(double.objective_, abs=5e-7)
    flat = 1e-3 if shrinkage == 0 else 1e-5  # by maximum likelihood the objective is nearly flat somewhere
    np.testing.assert_allclose(single.log_joint(X), double.log_joint(X.astype(float)), rtol=flat)
    near = 3e-4 if shrinkage == 0 else 1e-4
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X.astype(float)), atol=near)


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_a_row_between_two_labeled_ones_is_in_doubt(n_columns, unit):
    """By maximum likelihood EM gives the row in the middle to one side as soon as it is a little off."""
    X = unit * np.array([[0.0], [1.0], [0.5]]) * np.ones(n_columns)
    y = np.array([0, 1, -1])
    for shape in ("auto", "full", "tied", "diag", "spherical", "low_rank"):
        proba = MixtureClassifier(covariance=shape).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(proba[2], 0.5, atol=1e-6)
        assert proba[0, 0] == pytest.approx(proba[1, 1], abs=1e-6)
        assert proba[0, 0] > 0.7
    X[2] *= 1.02
    assert 0.5 < MixtureClassifier().fit(X, y).predict_proba(X)[2, 1] < 0.8


def test_a_fit_cut_short_says_so(iris):
    X, marked, _ = iris
    with pytest.warns(ConvergenceWarning, match=r"2 iterations.*raise max_iter"):
        model = MixtureClassifier(max_iter=2, tol=0).fit(X, marked)
    assert model.n_iter_ == 2
    assert not model.converged_
    assert len(model.objective_path_) == 3


def test_verbose_reports_the_objective(iris, capsys):
    X, marked, _ = iris
    MixtureClassifier(verbose=1).fit(X, marked)
    assert "iteration 1  objective" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "poison"}, "family='poison'"),
        ({"covariance": "fool"}, "covariance='fool'"),
        ({"shrinkage": -1}, "shrinkage=-1.*'auto' or a number of at least 0"),
        ({"shrinkage": "much"}, "shrinkage='much'"),
        ({"components_per_class": {1: 0}}, "components_per_class of class 1=0: it must be an integer"),
        ({"components_per_class": 0}, "components_per_class=0: it must be an integer of at least 1"),
        ({"components_per_class": {0: 2, "x": 3}}, r"names \['x'\].*classes \[0, 1, 2\]"),
        ({"components_per_class": 60}, "asks for 60 components of class 0"),
        ({"n_novel_components": -1}, "n_novel_components=-1"),
        ({"class_prior": "flat"}, "class_prior='flat'.*'uniform'"),
        ({"class_prior": [0.5, 0.5]}, "each of the classes"),
        ({"class_prior": [0.5, 0.5, 0.5]}, "sum 1"),
        ({"class_prior": {0: 0.5, 1: 0.5}}, r"each of the classes \[0, 1, 2\]"),
        ({"class_prior": {0: 0.5, 1: 0.5, 2: 0}}, "one positive probability"),
        ({"unlabeled_weight": 1.5}, "unlabeled_weight=1.5.*from 0 to 1"),
        ({"n_init": 0}, "n_init=0"),
        ({"max_iter": 2.5}, "max_iter=2.5"),
        ({"tol": float("nan")}, "tol=nan"),
    ],
)
def test_a_bad_parameter_is_named(options, message, iris):
    X, marked, _ = iris
    with pytest.raises(ParameterError, match=message):
        MixtureClassifier(**options).fit(X, marked)


def test_a_score_tells_of_classes_that_the_fit_has_not_seen(iris):
    X, _, y = iris  # sorted by class, as folds without shuffling find it
    model = MixtureClassifier().fit(X[:100], y[:100])
    assert model.score(X[:100], y[:100]) > 0.9
    with pytest.warns(LabelWarning, match=r"50 of 150 labeled rows .* \(such as 2\).*SemiSupervisedSplit"):
        assert model.score(X, y) < 0.7


def test_bad_rows_and_labels_are_named(iris):
    X, _marked, y = iris
    with pytest.raises(LabelError, match="no labeled row"):
        MixtureClassifier().fit(X, np.full(150, -1))
    with pytest.raises(LabelError, match="unlabeled=None"):
        MixtureClassifier().fit(X, np.where(y == 0, 1, -1))
    MixtureClassifier(unlabeled=None).fit(X, np.where(y == 0, 1, -1))
    with pytest.raises(LabelError, match="inconsistent numbers of samples"):
        MixtureClassifier().fit(X, y[:-1])
    with pytest.raises(LabelError, match=r"sample_weight.*NaN"):
        MixtureClassifier().fit(X, y, sample_weight=np.full(150, np.nan))
    wild = X.copy()
    wild[3, 1] = np.inf
    with pytest.raises(ColumnError, match="infinity"):
        MixtureClassifier().fit(wild, y)
    with pytest.raises(NotFittedError):
        MixtureClassifier().predict(X)
    with pytest.raises(AttributeError):
        _ = MixtureClassifier().means_


def test_wine_with_few_labels_gains_from_unlabeled_rows():
    """A sanity check of the whole on real rows, not a benchmark: paired over ten draws of labels."""
    X, y = load_wine(return_X_y=True)
    gains = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        marked = np.full(len(y), -1)
        for k in range(3):
            marked[rng.choice(np.flatnonzero(y == k), 4, replace=False)] = k
        rest = marked == -1
        both = MixtureClassifier(covariance="tied").fit(X, marked)
        alone = MixtureClassifier(covariance="tied", unlabeled_weight=0).fit(X, marked)
        gains.append((both.predict(X) == y)[rest].mean() - (alone.predict(X) == y)[rest].mean())
    assert np.mean(gains) > 0.01


VALUES = st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, -1e150, 1e-12, 3.0, 1e8, 7.25])


@given(
    cells=st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=25),
    labels=st.lists(st.sampled_from([-1, -1, 0, 1, 2]), min_size=25, max_size=25),
    shape=st.sampled_from(["full", "tied", "diag", "spherical", LowRank(rank=1)]),
    shrinkage=st.sampled_from(["auto", 0.0, 1e-8, 1e6]),
    novel=st.integers(0, 1),
    single=st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_rows_give_a_fit_or_a_clear_error(cells, labels, shape, shrinkage, novel, single):
    X = np.array(cells)
    if single:
        X = np.clip(X, -1e30, 1e30).astype(np.float32)
    y = np.array(labels[: len(X)])
    model = MixtureClassifier(
        covariance=shape, shrinkage=shrinkage, n_novel_components=novel, max_iter=20, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y)
        except SemigenError:
            return
    proba = model.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert not np.isnan(model.score_samples(X)).any()


def test_a_fit_stops_where_its_rise_falls_below_a_millionth_of_a_nat(rng):
    """Two classes that overlap: EM is slow, so rises near the end differ by little."""
    label = rng.integers(2, size=600)
    X = rng.normal(size=(600, 2)) + 1.2 * label[:, None]
    model = plain(shrinkage=0, max_iter=2000).fit(X, np.where(np.arange(600) < 20, label, -1))
    rises = np.diff(model.objective_path_)
    assert model.converged_
    assert 0.6e-6 < rises[-1] < 1e-6 <= rises[-2]


@pytest.mark.parametrize(
    ("family", "covariance", "wanted"),
    [
        *(("gaussian", shape, 4 * 3) for shape in ("full", "low_rank")),
        *(("gaussian", shape, 8) for shape in ("diag", "spherical")),
        *((family, "tied", 3 + 2) for family in ("gaussian", "student_t")),
        ("student_t", "full", 4 * 3),
        *((name, "full", 2) for name in ("poisson", "negative_binomial", "bernoulli", "categorical")),
        ("von_mises_fisher", "full", 5),
        ("multinomial", "full", np.sqrt(20)),
    ],
)
def test_the_default_shrinkage_is_what_the_documentation_says(family, covariance, wanted, rng):
    X = rng.integers(2, size=(20, 3)).astype(float)
    X[:2] = [[1, 1, 0], [0, 1, 1]]
    model = MixtureClassifier(family, covariance=covariance).fit(X, np.arange(20) % 2)
    assert model.shrinkage_ == pytest.approx(wanted)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical", "low_rank"])
def test_maximum_likelihood_keeps_eigenvalues_above_the_floor_and_no_others(covariance, dtype):
    """Classes that are lines along the first column, at two places of the second."""
    label = np.repeat([0, 1], 50)
    along = 0.0 if covariance == "spherical" else np.tile(np.linspace(-1.0, 1.0, 50), 2)
    X = np.column_stack([along + 0.1 * label, 2.0 * label - 1.0]).astype(dtype)
    model = MixtureClassifier(covariance=covariance, shrinkage=0).fit(X, label)
    scale = X.std(axis=0)
    least = np.linalg.eigvalsh(model.covariances_ / np.outer(scale, scale)).min(axis=1)
    np.testing.assert_allclose(least, 1e-6, rtol=1e-2)


ANSWERS = ("predict_proba", "predict_log_proba", "log_joint", "score_samples", "novel_probability")


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_about_an_array_in_float32_are_float32_and_only_rounded(answer, rng):
    X = rng.normal(size=(60, 3)).astype(np.float32)
    X[0] = 3e18, -3e18, 0  # log densities below what float32 has
    y = np.where(np.arange(60) % 3 > 0, np.arange(60) % 2, -1)
    model = plain(n_novel_components=1, shrinkage=1).fit(X[1:], y[1:])
    ask = getattr(model, answer)
    assert ask(X).dtype == np.float32
    assert ask(X.astype(float)).dtype == ask(pd.DataFrame(X)).dtype == np.float64
    np.testing.assert_allclose(
        ask(X), np.clip(ask(X.astype(float)), -3.4028235e38, None), rtol=1e-6, atol=1e-30
    )
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    assert model.predict_proba(X, labels=y).dtype == np.float32


@pytest.mark.parametrize("features", [MixtureEnsembleFeatures(4), NeighborGraph()], ids=repr)
def test_features_of_an_array_in_float32_are_float32(features, rng):
    X = rng.normal(size=(60, 3)).astype(np.float32)
    features.fit(X)
    assert features.transform(X).dtype == np.float32
    assert features.transform(X.astype(float)).dtype == np.float64
    np.testing.assert_allclose(
        features.transform(X), features.transform(X.astype(float)), rtol=1e-6, atol=1e-30
    )
    assert get_tags(features).transformer_tags.preserves_dtype == ["float64", "float32"]


@pytest.mark.parametrize("seed", range(2))
def test_unlabeled_rows_that_hurt_a_wrong_model_are_let_go_and_those_of_its_twin_are_not(seed):
    """Correlated columns under a diagonal covariance."""
    wrong, right = (
        make_harm("correlated columns", 20, well_specified=twin, random_state=seed) for twin in (False, True)
    )
    model = MixtureClassifier(covariance=wrong.covariance, unlabeled=None).fit(wrong.X, wrong.y)
    balanced = clone(model).set_params(unlabeled_weight=0.08).fit(wrong.X, wrong.y)
    assert model.unlabeled_weight_ == 0
    assert model.score(wrong.X_test, wrong.y_test) > balanced.score(wrong.X_test, wrong.y_test) + 0.05
    assert clone(model).fit(right.X, right.y).unlabeled_weight_ > 0


def test_a_weight_that_cannot_be_judged_leaves_the_others_their_evidence(rng, monkeypatch):
    """Two labels of each class: without one of them labeled rows alone are fewer than two components."""
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 2)) + np.column_stack([5 * y, 6 * rng.integers(2, size=200)])
    labels = np.full(200, -1)
    for k in range(2):
        labels[np.flatnonzero(y == k)[:2]] = k
    model = MixtureClassifier(components_per_class=2).fit(X, labels)
    candidates = evidence.candidate_weights
    monkeypatch.setattr(evidence, "candidate_weights", lambda rows: [one for one in candidates(rows) if one])
    without = clone(model).fit(X, labels)
    assert model.posterior_power_ == without.posterior_power_
    assert model.unlabeled_weight_ == without.unlabeled_weight_
