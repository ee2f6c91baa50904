"""Laws of maximum contrastive pessimistic likelihood: no labeling of the unlabeled rows undoes its gain."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import multivariate_normal, poisson
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import semigen
from semigen import MixtureClassifier, SafeClassifier
from semigen.datasets import hide_labels, make_gaussian_classes, make_misspecified, make_mixed
from semigen.em import ThreadEngine
from semigen.em.kernel import given_stats, log_likelihood, m_step
from semigen.em.kernel import log_prior as kernel_log_prior
from semigen.em.pessimistic import EVEN, SHARE_OF_GAIN, _Contrast
from semigen.exceptions import ConvergenceWarning, LabelError, ParameterError


def misspecified():
    data = make_misspecified(12, 300, cluster_distance=8, random_state=0)
    return data.X, data.y


def gaussians():
    data = make_gaussian_classes(30, 300, 4, n_classes=3, distance=3.0, random_state=1)
    return data.X, data.y


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:300, :10], hide_labels(y[:300], 15, 0)


def counts():
    rng = np.random.default_rng(0)
    code = np.arange(300) % 3
    rate = rng.gamma(2.0, 2.0, (3, 5))[code] * rng.gamma(3.0, 1 / 3, (300, 1))  # spread wider than Poisson
    return rng.poisson(rate).astype(float), np.where(np.arange(300) < 24, code, -1)


def flags():
    X, y = counts()
    return (X > 2).astype(float), y


def documents():
    X, y = counts()
    return csr_array(X[X.any(axis=1)]), y[X.any(axis=1)]


def mixed():
    data = make_mixed(300, 8, n_classes=3, missing=0.0, library="pandas", random_state=0)
    return data.frame, data.y


TABLES = {
    "full": (MixtureClassifier(), gaussians),
    "full, misspecified": (MixtureClassifier(), misspecified),
    "full, real": (MixtureClassifier(), cancer),
    "full, likelihood": (MixtureClassifier(shrinkage=0), gaussians),
    "tied": (MixtureClassifier(covariance="tied"), cancer),
    "tied, likelihood": (MixtureClassifier(covariance="tied", shrinkage=0), misspecified),
    "diag": (MixtureClassifier(covariance="diag"), cancer),
    "diag, likelihood": (MixtureClassifier(covariance="diag", shrinkage=0), misspecified),
    "spherical": (MixtureClassifier(covariance="spherical"), misspecified),
    "uniform classes": (MixtureClassifier(class_prior="uniform"), misspecified),
    "poisson": (MixtureClassifier("poisson"), counts),
    "poisson, likelihood": (MixtureClassifier("poisson", shrinkage=0), counts),
    "bernoulli": (MixtureClassifier("bernoulli"), flags),
    "categorical": (MixtureClassifier("categorical"), flags),
    "multinomial": (MixtureClassifier("multinomial"), documents),
    "mixed": (MixtureClassifier(covariance="tied", unlabeled=None), mixed),
}


def fitted(model, X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gain is certain without
        return SafeClassifier(model, pessimistic=True).fit(X, y, **options)


def unlabeled(y):
    return np.array([label is None or label == -1 for label in y])


def prior_of(alone, X, y):
    """The supervised fit's prior."""
    return clone(alone)._fit(X, y, None).prior


@pytest.mark.parametrize("name", TABLES)
def test_no_labeling_undoes_the_gain(name):
    """Row by row from the two models' log p(x, y): hard, soft and adversarial labelings."""
    model, make = TABLES[name]
    X, y = make()
    rng = np.random.default_rng(0)
    safe = fitted(model, X, y)
    alone = clone(model).set_params(unlabeled_weight=0).fit(X, y)
    assert safe.gain_ > 0
    assert safe.fallback_ is None
    assert safe.unlabeled_weight_ == 1
    assert safe.path_ == ()
    after, before = safe.estimator_.log_joint(X), alone.log_joint(X)
    family, of = alone.mixture_.family, prior_of(alone, X, y)
    prior = family.log_prior(of, safe.estimator_.params_.family)
    prior -= family.log_prior(of, alone.params_.family)
    hidden = unlabeled(y)
    n_classes = after.shape[1]
    code = np.array([0 if h else list(alone.classes_).index(k) for k, h in zip(y, hidden, strict=True)])

    def gain(labels):
        q = np.where(hidden[:, None], labels, np.eye(n_classes)[code])
        return (float((q * (after - before)).sum()) + prior) / len(after)

    slack = 1e-9 * np.abs(after).mean()
    hard = [np.eye(n_classes)[rng.integers(n_classes, size=len(after))] for _ in range(50)]
    one_class = [np.tile(row, (len(after), 1)) for row in np.eye(n_classes)]
    soft = [rng.dirichlet(np.full(n_classes, spread), len(after)) for spread in (0.1, 1, 10) for _ in "ab"]
    believed = [
        np.eye(n_classes)[one.argmax(axis=1)] for one in (before, after, -before, -after, before - after)
    ]
    for labels in (*hard, *one_class, *soft, *believed, safe.pessimistic_labels_):
        assert gain(labels) >= safe.gain_ - slack
    worst = np.eye(n_classes)[(after - before).argmin(axis=1)]
    assert gain(worst) == pytest.approx(safe.gain_, abs=slack)


@pytest.mark.parametrize("name", TABLES)
def test_no_parameters_guarantee_more_than_the_bound(name):
    """The returned labeling proves it: parameters fitted to it gain ``gain_ + gap_``, and none gain more."""
    model, make = TABLES[name]
    X, y = make()
    safe = fitted(model, X, y)
    alone = clone(model).set_params(unlabeled_weight=0).fit(X, y)
    prior, mixture = prior_of(alone, X, y), alone.mixture_
    data = alone._with_labels(X, alone._matrix(X), y, None, alone.classes_)
    labels = safe.pessimistic_labels_
    np.testing.assert_allclose(labels.sum(axis=1), 1)
    stats = given_stats(mixture, alone.params_, replace(data, weight=np.ones(len(labels))), labels)
    stats = replace(stats, weight=np.vstack([np.zeros(labels.shape[1]), stats.weight.sum(axis=0)]))

    def value(params):
        return (log_likelihood(mixture, params, stats) + kernel_log_prior(mixture, prior, params)) / len(
            labels
        )

    answer = m_step(mixture, prior, stats, alone.params_)
    bound = safe.gain_ + safe.gap_
    slack = 1e-9 * abs(value(alone.params_))
    assert value(answer) - value(alone.params_) == pytest.approx(bound, abs=slack)
    assert value(safe.estimator_.params_) <= value(answer) + slack
    assert safe.gap_ >= 0
    assert safe.gap_ <= 2 * SHARE_OF_GAIN * safe.gain_


def test_the_first_labeling_is_the_supervised_fits_a_little_undecided():
    X, y = gaussians()
    alone = MixtureClassifier(unlabeled_weight=0, calibrate=1.0).fit(X, y)
    data = alone._with_labels(X, alone._matrix(X), y, None, alone.classes_)
    data = replace(data, weight=np.ones(len(X)))
    contrast = _Contrast(alone.mixture_, prior_of(alone, X, y), data, alone.params_, ThreadEngine(1))
    wanted = (1 - EVEN) * alone.predict_proba(X[unlabeled(y)]) + EVEN / 3
    np.testing.assert_allclose(contrast.first_labels(), wanted, atol=1e-12)


def test_twin_with_one_poisson_column():
    """Two classes, one column, maximum likelihood: the game solved over its three parameters."""
    X, y = counts()
    X, y = X[y != 2][:, :1], y[y != 2]
    y[30:] = -1
    safe = fitted(MixtureClassifier("poisson", shrinkage=0, max_iter=2000), X, y)
    alone = MixtureClassifier("poisson", shrinkage=0, unlabeled_weight=0).fit(X, y)
    before = alone.log_joint(X)
    hidden = unlabeled(y)

    def guaranteed(value):
        share = 1 / (1 + np.exp(-value[0]))
        log_joint = poisson.logpmf(X, np.exp(value[1:])) + np.log([share, 1 - share])
        change = log_joint - before
        known = change[~hidden][np.arange((~hidden).sum()), y[~hidden]]
        return (known.sum() + change[hidden].min(axis=1).sum()) / len(X)

    start = np.r_[0.0, np.log(alone.means_[:, 0])]
    best = max(
        -minimize(
            lambda v: -guaranteed(v), start + shift, method="Nelder-Mead", options={"maxiter": 4000}
        ).fun
        for shift in ([0, 0, 0], [0.2, 0.1, 0.1], [-0.2, 0.1, 0])
    )
    assert best <= safe.gain_ + safe.gap_ + 1e-9
    assert safe.gain_ == pytest.approx(best, rel=2 * SHARE_OF_GAIN)


def test_gaussian_likelihood_by_hand():
    """With ``shrinkage=0`` the gain is that of Σ log N(x; μ, Σ) p(y) itself."""
    X, y = gaussians()
    safe = fitted(MixtureClassifier(shrinkage=0), X, y)
    alone = MixtureClassifier(shrinkage=0, unlabeled_weight=0).fit(X, y)

    def log_joint(model):
        return np.column_stack([
            multivariate_normal.logpdf(X, mean, covariance) + np.log(share)
            for mean, covariance, share in zip(
                model.means_, model.covariances_, model.class_prior_, strict=True
            )
        ])  # fmt: skip

    change = log_joint(safe.estimator_) - log_joint(alone)
    hidden = unlabeled(y)
    code = np.searchsorted(alone.classes_, np.where(hidden, alone.classes_[0], y))
    known = change[~hidden, code[~hidden]].sum()
    assert (known + change[hidden].min(axis=1).sum()) / len(X) == pytest.approx(safe.gain_, rel=1e-6)


def test_the_supervised_fit_is_kept_where_nothing_can_be_gained():
    """Unlabeled rows like the labeled ones: labeled like them, they want the same parameters."""
    X, y = counts()
    X, y = X[:24], y[:24]
    safe = SafeClassifier(MixtureClassifier("poisson", shrinkage=0), pessimistic=True)
    safe.fit(np.vstack([X, X]), np.r_[y, np.full(24, -1)])
    alone = MixtureClassifier("poisson", shrinkage=0, unlabeled_weight=0).fit(X, y)
    assert safe.gain_ == 0
    assert 0 <= safe.gap_ <= 1e-6
    np.testing.assert_array_equal(safe.predict_proba(X), alone.predict_proba(X))
    assert "no parameters guarantee" in safe.fallback_
    assert safe.unlabeled_weight_ == 0
    assert safe.estimator_.unlabeled_weight == 0


def test_a_solver_that_is_cut_short_says_so():
    X, y = counts()
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        safe = SafeClassifier(MixtureClassifier("poisson", max_iter=1), pessimistic=True).fit(X, y)
    assert safe.gap_ > SHARE_OF_GAIN * safe.gain_
    if safe.gain_ == 0:
        assert "raise the estimator's max_iter" in safe.fallback_
        alone = MixtureClassifier("poisson", unlabeled_weight=0).fit(X, y)
        np.testing.assert_array_equal(safe.predict_proba(X), alone.predict_proba(X))


def test_more_labelings_never_lower_the_gain():
    X, y = counts()
    gains = [fitted(MixtureClassifier("poisson", max_iter=n), X, y).gain_ for n in (1, 3, 10, 30, 100)]
    assert gains == sorted(gains)


def test_every_row_labeled_is_supervised_learning():
    X, y = counts()
    safe = SafeClassifier(MixtureClassifier("poisson"), pessimistic=True).fit(X[:24], y[:24])
    assert (safe.gain_, safe.gap_, safe.unlabeled_weight_) == (0, 0, 0)
    assert "every row is labeled" in safe.fallback_


def test_a_weight_of_two_is_a_repeated_row():
    X, y = gaussians()
    weight = 1.0 + (np.arange(len(X)) % 3 == 0)
    weighted = fitted(MixtureClassifier(covariance="tied"), X, y, sample_weight=weight)
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    repeated = fitted(MixtureClassifier(covariance="tied"), X[rows], np.asarray(y, dtype=object)[rows])
    assert weighted.gain_ == pytest.approx(repeated.gain_, rel=1e-6)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


def test_the_weights_of_the_path_do_not_count():
    X, y = counts()
    one = fitted(MixtureClassifier("poisson"), X, y)
    model = MixtureClassifier("poisson", unlabeled_weight=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        other = SafeClassifier(model, unlabeled_weights=(0, 0.5), n_repeats=1, pessimistic=True).fit(X, y)
    assert one.gain_ == other.gain_
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_the_fitted_estimator_tells_its_own_objective():
    """That of ``unlabeled_weight=1`` at these parameters."""
    X, y = gaussians()
    model = fitted(MixtureClassifier(shrinkage=0), X, y).estimator_
    assert model.unlabeled_weight == 1
    rows = model.score_samples(X)
    for i in np.flatnonzero(~unlabeled(y)):
        rows[i] = model.log_joint(X[i : i + 1])[0, list(model.classes_).index(y[i])]
    assert model.objective_ == pytest.approx(rows.mean())


def test_it_is_saved_and_loaded(tmp_path):
    X, y = gaussians()
    safe = fitted(MixtureClassifier(), X, y)
    semigen.save(safe, tmp_path / "safe.semigen")
    back = semigen.load(tmp_path / "safe.semigen")
    np.testing.assert_array_equal(back.predict_proba(X), safe.predict_proba(X))
    assert (back.gain_, back.gap_, back.fallback_) == (safe.gain_, safe.gap_, safe.fallback_)
    known = ~unlabeled(y)
    assert safe.score(X, y) == (safe.predict(X) == np.asarray(y))[known].mean()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "is a LogisticRegression, and pessimistic=True needs a semigen.Mixture"),
        (MixtureClassifier("student_t"), "cannot have the family 'student_t'"),
        (MixtureClassifier("negative_binomial"), "cannot have the family 'negative_binomial'"),
        (MixtureClassifier({0: "negative_binomial"}), "'negative_binomial'"),
        (MixtureClassifier(covariance="low_rank"), "Gaussians of covariance 'low_rank'"),
        (MixtureClassifier(components_per_class=2, random_state=0), "6 components for 3 classes"),
        (MixtureClassifier(n_novel_components=1), "n_novel_components=1"),
        (MixtureClassifier(label_noise="estimate"), "label_noise='estimate'"),
        (MixtureClassifier(label_mechanism="entropy"), "label_mechanism='entropy'"),
        (MixtureClassifier(class_prior="unlabeled"), "class_prior='unlabeled'"),
    ],
)
def test_estimators_without_the_guarantee_are_refused(model, message):
    X, y = counts()
    with pytest.raises(ParameterError, match=message):
        SafeClassifier(model, pessimistic=True).fit(X, y)


def test_rows_without_the_guarantee_are_refused():
    X, y = counts()
    safe = SafeClassifier(MixtureClassifier("gaussian"), pessimistic=True)
    holes = X.copy()
    holes[5, 2] = np.nan
    with pytest.raises(ParameterError, match=r"missing values \(NaN\) in Gaussian columns"):
        safe.fit(holes, y)
    labels = np.eye(3)[y % 3]
    labels[24:] = 1 / 3
    labels[3] = [0.5, 0.5, 0]
    with pytest.raises(LabelError, match=r"1 row\(s\) have soft or candidate labels, the first is row 3"):
        safe.fit(X, labels)
    labels[3] = labels[4]
    labels[:24] = np.eye(3)[y[:24] % 2]
    with pytest.raises(LabelError, match="class 2 has no labeled row"):
        safe.fit(X, labels)


def test_missing_cells_of_independent_columns_are_left_out():
    X, y = counts()
    X[np.arange(60, 120), np.arange(60) % 5] = np.nan
    assert fitted(MixtureClassifier("poisson"), X, y).gain_ > 0
