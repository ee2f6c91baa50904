"""Laws of SafeClassifier: it chooses by hidden labelled rows, leans to supervised learning, and says why."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import semigen
from semigen import MixtureClassifier, SafeClassifier
from semigen.datasets import hide_labels, make_gaussian_classes, make_misspecified, make_mixed
from semigen.exceptions import ConvergenceWarning, LabelError, NotFittedError, ParameterError
from semigen.model_selection import cross_validate
from semigen.safe import PathPoint, _smallest_close

EXPECTED = {
    "check_classifiers_classes": "uses labels {-1, 1}, and -1 is the marker of MixtureClassifier: see there"
}


@parametrize_with_checks(
    [SafeClassifier(MixtureClassifier(covariance="tied"), unlabeled_weights=(0, 1), n_repeats=1)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.fixture(scope="module")
def helpful():
    return make_gaussian_classes(20, 600, 8, distance=4.0, random_state=3)


@pytest.fixture(scope="module")
def harmful():
    return make_misspecified(60, 800, cluster_distance=8, random_state=0)


def test_unlabelled_rows_that_help_are_used(helpful):
    safe = SafeClassifier(MixtureClassifier()).fit(helpful.X, helpful.y)
    alone = MixtureClassifier(unlabeled_weight=0).fit(helpful.X, helpful.y)
    assert safe.unlabeled_weight_ > 0
    assert safe.fallback_ is None
    rest = np.array([label is None for label in helpful.y])
    right = [(m.predict(helpful.X) == helpful.y_true)[rest].mean() for m in (safe, alone)]
    assert right[0] > right[1]


def test_unlabelled_rows_that_hurt_are_not(harmful):
    safe = SafeClassifier(MixtureClassifier()).fit(harmful.X, harmful.y)
    assert safe.unlabeled_weight_ == 0
    assert "λ = 0" in safe.fallback_
    alone = MixtureClassifier(unlabeled_weight=0).fit(harmful.X, harmful.y)
    np.testing.assert_array_equal(safe.predict_proba(harmful.X), alone.predict_proba(harmful.X))


def test_the_path_is_paired_cross_validation(helpful):
    weights = (0.1, 1.0)
    safe = SafeClassifier(MixtureClassifier(), unlabeled_weights=weights, n_repeats=2).fit(
        helpful.X, helpful.y
    )
    models = {str(w): MixtureClassifier(unlabeled_weight=w) for w in (0.0, *weights)}
    found = cross_validate(models, helpful.X, helpful.y, n_repeats=2)
    assert [point.unlabeled_weight for point in safe.path_] == [0.0, 0.1, 1.0]
    for point, name in zip(safe.path_, models, strict=True):
        assert point.log_loss == pytest.approx(found.score(name).log_loss.value)
        assert point.accuracy == pytest.approx(found.score(name).accuracy.value)
    best = min(models, key=lambda name: found.score(name).log_loss.value)
    for point, name in zip(safe.path_, models, strict=True):
        difference = found.row_losses[name] - found.row_losses[best]
        assert point.excess == pytest.approx(difference.mean())
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        assert point.standard_error == pytest.approx(error)


def test_the_smallest_weight_within_one_standard_error_is_taken(helpful):
    safe = SafeClassifier(MixtureClassifier(), n_repeats=1).fit(helpful.X, helpful.y)
    supervised = safe.path_[0]
    close = [
        p.unlabeled_weight
        for p in safe.path_
        if p.excess <= p.standard_error and p.log_loss <= supervised.log_loss
    ]
    assert safe.unlabeled_weight_ == min(close)
    again = clone(safe).fit(helpful.X, helpful.y)
    assert again.path_ == safe.path_


def test_a_weight_that_is_worse_than_none_is_never_taken():
    """0.01 is within its large standard error of the best weight, but loses to supervised learning."""
    path = (
        PathPoint(0.0, 0.67, 0.9, 0.23, 0.18),
        PathPoint(0.01, 0.87, 0.9, 0.43, 0.57),
        PathPoint(0.1, 0.44, 0.9, 0.0, 0.0),
    )
    assert _smallest_close(path) is path[2]


def test_it_is_not_quietly_worse_than_supervised_on_a_real_table():
    """Breast cancer with one full Gaussian a class, where the textbook recipe does real harm."""
    X, y = load_breast_cancer(return_X_y=True)
    error = {"safe": [], "supervised": [], "all rows": []}
    for seed in range(5):
        labels = hide_labels(y, 10, seed)
        rest = np.array([label is None for label in labels])
        models = {
            "safe": SafeClassifier(MixtureClassifier(max_iter=500), n_repeats=2),
            "supervised": MixtureClassifier(unlabeled_weight=0),
            "all rows": MixtureClassifier(max_iter=500),
        }
        for name, model in models.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X, labels)
            error[name].append((model.predict(X) != y)[rest].mean())
    safe, supervised, everything = (np.mean(v) for v in error.values())
    assert everything > supervised + 0.05, "no harm to avoid: the test shows nothing"
    assert safe <= supervised + 0.005


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        ([0, 1] + [-1] * 8, "only 0 labelled row"),
        ([0, 1] * 5, "every row is labelled"),
    ],
)
def test_where_nothing_can_be_shown_it_falls_back_and_says_why(y, reason, rng):
    X = rng.normal(size=(10, 2)) + 3.0 * np.abs(np.array(y))[:, None]
    safe = SafeClassifier(MixtureClassifier(covariance="diag")).fit(X, y)
    assert safe.unlabeled_weight_ == 0
    assert reason in safe.fallback_
    assert safe.path_ == ()


def test_few_labels_make_fewer_folds(rng):
    X = rng.normal(size=(30, 2))
    y = np.full(30, -1)
    y[:3] = [0, 0, 1]
    X[2] += 5
    safe = SafeClassifier(MixtureClassifier(covariance="diag", max_iter=500)).fit(X, y)
    assert len(safe.path_) == 6


def test_weights_reach_the_fits_and_the_folds(helpful):
    """Without a prior only the ratios of weights count, in fits and in means."""
    weight = np.ones(len(helpful.X))
    model = MixtureClassifier(covariance="diag", shrinkage=0)
    safe = SafeClassifier(model, unlabeled_weights=(0, 1), n_repeats=1)
    plain = clone(safe).fit(helpful.X, helpful.y)
    weighted = clone(safe).fit(helpful.X, helpful.y, sample_weight=3 * weight)
    losses = [[p.accuracy for p in model.path_] for model in (plain, weighted)]
    assert losses[0] == losses[1]
    with pytest.raises(LabelError, match="negative"):
        clone(safe).fit(helpful.X, helpful.y, sample_weight=-weight)


def test_it_is_saved_and_loaded(tmp_path, helpful):
    safe = SafeClassifier(MixtureClassifier(), n_repeats=1).fit(helpful.X, helpful.y)
    semigen.save(safe, tmp_path / "safe.semigen")
    back = semigen.load(tmp_path / "safe.semigen")
    np.testing.assert_array_equal(back.predict_proba(helpful.X), safe.predict_proba(helpful.X))
    assert back.path_ == safe.path_
    assert back.fallback_ == safe.fallback_


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_rows(form, rng):
    code = np.arange(200) % 2
    X = scipy.sparse.csr_array((rng.random((200, 40)) < np.where(code, 0.05, 0.2)[:, None]).astype(float))
    y = np.where(np.arange(200) < 30, code, -1)
    safe = SafeClassifier(MixtureClassifier("bernoulli"), n_repeats=1, unlabeled_weights=(0, 1))
    safe.fit(X.asformat(form), y)
    assert len(safe.path_) == 2
    assert safe.score(X, code) > 0.9
    np.testing.assert_array_equal(clone(safe).fit(X.toarray(), y).predict(X.toarray()), safe.predict(X))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_mixed_tables_with_holes(library):
    data = make_mixed(200, 10, library=library, random_state=0)
    model = MixtureClassifier(covariance="tied", unlabeled=None)
    safe = SafeClassifier(model, n_repeats=1, unlabeled_weights=(0, 1)).fit(data.frame, data.y)
    assert len(safe.path_) == 2
    assert safe.feature_names_in_.tolist()[:2] == ["length", "width"]
    assert safe.score(data.frame, data.y_true) > 0.8


def test_errors_name_what_is_wrong(helpful):
    with pytest.raises(ParameterError, match=r"LogisticRegression has no parameter unlabeled_weight"):
        SafeClassifier(LogisticRegression()).fit(helpful.X, helpful.y)
    with pytest.raises(ParameterError, match=r"unlabeled_weights holds 1.5"):
        SafeClassifier(MixtureClassifier(), unlabeled_weights=(0, 1.5)).fit(helpful.X, helpful.y)
    with pytest.raises(NotFittedError):
        SafeClassifier(MixtureClassifier()).predict(helpful.X)
    with pytest.raises(LabelError, match="no labelled row"):
        SafeClassifier(MixtureClassifier()).fit(helpful.X, [None] * len(helpful.X))


def test_score_ignores_unlabelled_rows(helpful):
    safe = SafeClassifier(MixtureClassifier(), n_repeats=1).fit(helpful.X, helpful.y)
    known = np.array([label is not None for label in helpful.y])
    right = (safe.predict(helpful.X) == helpful.y_true)[known].mean()
    assert safe.score(helpful.X, helpful.y) == pytest.approx(right)
