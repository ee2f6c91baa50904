"""Laws of SafeClassifier: it chooses by held-out labeled rows, prefers supervised learning, and says why."""

import warnings
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import semigen
from semigen import MixtureClassifier, SafeClassifier
from semigen.comparison import Verdict, judge
from semigen.datasets import hide_labels, make_gaussian_classes, make_misspecified, make_mixed
from semigen.exceptions import ConvergenceWarning, LabelError, NotFittedError, ParameterError
from semigen.model_selection import cross_validate

EXPECTED = {
    "check_classifiers_classes": "uses labels {-1, 1}, and -1 is the marker of MixtureClassifier: see there"
}


@pytest.mark.long
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


@pytest.fixture(scope="module")
def helped(helpful):
    return SafeClassifier(MixtureClassifier(), n_repeats=1).fit(helpful.X, helpful.y)


@pytest.fixture(scope="module")
def harmed(harmful):
    return SafeClassifier(MixtureClassifier(), n_repeats=1).fit(harmful.X, harmful.y)


def test_unlabeled_rows_that_help_are_used(helpful, helped):
    alone = MixtureClassifier(unlabeled_weight=0).fit(helpful.X, helpful.y)
    assert helped.unlabeled_weight_ > 0
    assert helped.fallback_ is None
    rest = np.array([label is None for label in helpful.y])
    right = [(m.predict(helpful.X) == helpful.y_true)[rest].mean() for m in (helped, alone)]
    assert right[0] > right[1]


def test_unlabeled_rows_that_hurt_are_not(harmful, harmed):
    assert harmed.unlabeled_weight_ == 0
    assert "λ = 0" in harmed.fallback_
    alone = MixtureClassifier(unlabeled_weight=0).fit(harmful.X, harmful.y)
    np.testing.assert_array_equal(harmed.predict_proba(harmful.X), alone.predict_proba(harmful.X))


def test_fits_are_told_in_order_and_to_the_end(helpful, capsys):
    steps = []
    safe = SafeClassifier(MixtureClassifier(), unlabeled_weights=(0.1, 1), n_repeats=1, verbose=1)
    safe.fit(helpful.X, helpful.y, progress=lambda *step: steps.append(step))
    n_fits = 1 + 5 * 3 + 1
    assert [step[:2] for step in steps] == [(i, n_fits) for i in range(1, n_fits + 1)]
    fitted = [f"λ = {value}" for value in (0, 0.1, 1)]
    assert [step[2] for step in steps[1:-1]] == 5 * fitted
    assert steps[-1][2] == f"λ = {safe.unlabeled_weight_:g} on all rows"
    lines = capsys.readouterr().out.splitlines()
    assert 10 < len(lines) <= 16
    assert lines[-1].endswith(f"{n_fits}/{n_fits}  {steps[-1][2]}")


def test_threads_change_nothing(helpful, helped):
    one, many = helped, clone(helped).set_params(n_jobs=3).fit(helpful.X, helpful.y)
    assert one.unlabeled_weight_ == many.unlabeled_weight_
    for a, b in zip(one.path_, many.path_, strict=True):
        assert vars(a) == pytest.approx(vars(b), abs=1e-9)


@pytest.mark.parametrize("n_repeats", [0, 1.5, True, "often", None])
def test_a_number_of_repeats_that_is_none_is_refused(n_repeats, helpful):
    with pytest.raises(ParameterError, match="n_repeats="):
        SafeClassifier(MixtureClassifier(), n_repeats=n_repeats).fit(helpful.X, helpful.y)


def test_the_path_is_paired_cross_validation(helpful):
    weights, model = (0.1, 1.0), MixtureClassifier(covariance="full", calibrate=1.0)
    safe = SafeClassifier(model, unlabeled_weights=weights, n_repeats=2).fit(helpful.X, helpful.y)
    models = {str(w): clone(model).set_params(unlabeled_weight=w) for w in (0.0, *weights)}
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


@pytest.mark.parametrize("warm_start", [False, True])
def test_the_fit_that_is_kept_knows_nothing_of_the_other_candidates(warm_start, helpful):
    """From the fit of one weight that leads EM astray, all larger ones would go astray, too."""
    model = MixtureClassifier(covariance="tied", components_per_class=2, calibrate=1.0, random_state=0)
    safe = SafeClassifier(
        model.set_params(warm_start=warm_start), unlabeled_weights=(0.01, 0.1, 1), n_repeats=1
    )
    safe.fit(helpful.X, helpful.y)
    assert safe.unlabeled_weight_ > 0
    alone = clone(model).set_params(unlabeled_weight=safe.unlabeled_weight_).fit(helpful.X, helpful.y)
    np.testing.assert_array_equal(safe.predict_proba(helpful.X), alone.predict_proba(helpful.X))
    assert safe.estimator_.unlabeled_weight == safe.unlabeled_weight_


def test_the_smallest_weight_within_one_standard_error_is_taken(helpful, helped):
    supervised = helped.path_[0]
    close = [
        p.unlabeled_weight
        for p in helped.path_
        if p.excess <= p.standard_error and p.log_loss <= supervised.log_loss
    ]
    assert helped.unlabeled_weight_ == min(close)
    again = clone(helped).fit(helpful.X, helpful.y)
    assert again.path_ == helped.path_


class Known(ClassifierMixin, BaseEstimator):
    """Log-losses that are known: for each weight 1, a shift, and a spread times a column of X."""

    shift: ClassVar = {0.0: 0.10, 0.1: 0.02, 1.0: 0.0}
    spread: ClassVar = {0.0: 0.0, 0.1: 0.3, 1.0: 0.0}

    def __init__(self, unlabeled_weight=1.0):
        self.unlabeled_weight = unlabeled_weight

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        code, noise = X.T
        weight = self.unlabeled_weight
        right = np.exp(-1 - self.shift[weight] - self.spread[weight] * noise)
        return np.where(np.arange(2) == code[:, None], right[:, None], 1 - right[:, None])


@pytest.mark.parametrize(("n_labeled", "n_repeats"), [(10, 4), (80, 3), (240, 1)])
def test_by_default_rows_are_dealt_until_200_were_held_out_or_four_times(n_labeled, n_repeats):
    code = np.arange(n_labeled + 50) % 2
    y = np.where(np.arange(len(code)) < n_labeled, code, -1)
    safe = SafeClassifier(Known(), unlabeled_weights=(0, 1)).fit(np.column_stack([code, 0 * code]), y)
    assert safe.comparison_.n_repeats == n_repeats


@pytest.mark.parametrize(("spread", "chosen"), [(0.3, 0.1), (0.03, 1.0)])
def test_of_candidates_close_to_the_best_the_smallest_is_taken(spread, chosen, monkeypatch):
    """0.1 loses 0.02 nats per row to the best, 1: less or more than its standard error of spread / √39."""
    monkeypatch.setitem(Known.spread, 0.1, spread)
    noise = norm.ppf((np.arange(40) + 0.5) / 40)
    code = np.arange(60) % 2
    X = np.column_stack([code, np.concatenate([noise, np.zeros(20)])])
    y = np.where(np.arange(60) < 40, code, -1)
    safe = SafeClassifier(Known(), unlabeled_weights=(0.1, 1.0), n_repeats=1).fit(X, y)
    assert [point.excess for point in safe.path_] == pytest.approx([0.1, 0.02, 0.0])
    assert safe.path_[1].standard_error == pytest.approx(spread * noise.std() / np.sqrt(39))
    assert safe.unlabeled_weight_ == chosen
    assert safe.verdict_ == judge(safe.comparison_, f"{chosen:g}", "0", n_unlabeled=20)
    assert safe.verdict_.helped == (chosen == 1.0)


def test_the_verdict_is_that_of_the_common_rule(helped, harmed):
    """Of the chosen weight, or where that is 0 of the best other candidate, against λ = 0."""
    assert helped.unlabeled_weight_ > 0
    assert helped.verdict_ == judge(helped.comparison_, f"{helped.unlabeled_weight_:g}", "0", n_unlabeled=600)
    assert helped.verdict_.change.log_loss.value < 0
    assert helped.comparison_.names == tuple(f"{point.unlabeled_weight:g}" for point in helped.path_)
    assert harmed.unlabeled_weight_ == 0
    losses = {f"{point.unlabeled_weight:g}": point.log_loss for point in harmed.path_[1:]}
    assert harmed.verdict_ == judge(harmed.comparison_, min(losses, key=losses.get), "0", n_unlabeled=800)
    assert not harmed.verdict_.helped


def test_it_is_not_quietly_worse_than_supervised_on_a_real_table():
    """Digits with independent pixels, where unlabeled rows do real harm."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:900], y[:900]
    error = {"safe": [], "supervised": [], "all rows": []}
    for seed in range(2):
        labels = hide_labels(y, 10, seed)
        rest = np.array([label is None for label in labels])
        model = MixtureClassifier(covariance="diag", max_iter=500)
        models = {
            "safe": SafeClassifier(model, unlabeled_weights=(0, 0.1, 1), n_repeats=1),
            "supervised": clone(model).set_params(unlabeled_weight=0),
            "all rows": clone(model).set_params(unlabeled_weight=1),
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
        ([0, 1] + [-1] * 8, "only 0 labeled row"),
        ([0, 1] * 5, "every row is labeled"),
    ],
)
def test_where_nothing_can_be_shown_it_falls_back_and_says_why(y, reason, rng):
    X = rng.normal(size=(10, 2)) + 3.0 * np.abs(np.array(y))[:, None]
    safe = SafeClassifier(MixtureClassifier(covariance="diag")).fit(X, y)
    assert safe.unlabeled_weight_ == 0
    assert reason in safe.fallback_
    assert safe.path_ == ()
    assert safe.comparison_ is None
    assert safe.verdict_ == Verdict("not compared" if -1 in y else "no unlabeled rows")


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


def test_it_is_saved_and_loaded(tmp_path, helpful, helped):
    semigen.save(helped, tmp_path / "safe.semigen")
    back = semigen.load(tmp_path / "safe.semigen")
    np.testing.assert_array_equal(back.predict_proba(helpful.X), helped.predict_proba(helpful.X))
    assert back.path_ == helped.path_
    assert back.fallback_ == helped.fallback_


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
def test_mixed_tables_with_missing_values(library):
    data = make_mixed(200, 10, library=library, random_state=0)
    model = MixtureClassifier(covariance="tied", calibrate=1.0, unlabeled=None)
    safe = SafeClassifier(model, n_repeats=1, unlabeled_weights=(0, 1)).fit(data.frame, data.y)
    assert len(safe.path_) == 2
    assert safe.feature_names_in_.tolist()[:2] == ["length", "width"]
    assert safe.score(data.frame, data.y_true) > 0.8


def test_errors_name_what_is_wrong(helpful):
    with pytest.raises(ParameterError, match=r"LogisticRegression has no parameter unlabeled_weight"):
        SafeClassifier(LogisticRegression()).fit(helpful.X, helpful.y)
    with pytest.raises(ParameterError, match=r"str has no parameter unlabeled_weight"):
        SafeClassifier("mixture").fit(helpful.X, helpful.y)
    with pytest.raises(ParameterError, match=r"unlabeled_weights holds 1.5"):
        SafeClassifier(MixtureClassifier(), unlabeled_weights=(0, 1.5)).fit(helpful.X, helpful.y)
    with pytest.raises(NotFittedError):
        SafeClassifier(MixtureClassifier()).predict(helpful.X)
    with pytest.raises(LabelError, match="no labeled row"):
        SafeClassifier(MixtureClassifier()).fit(helpful.X, [None] * len(helpful.X))


def test_score_ignores_unlabeled_rows(helpful, helped):
    known = np.array([label is not None for label in helpful.y])
    right = (helped.predict(helpful.X) == helpful.y_true)[known].mean()
    assert helped.score(helpful.X, helpful.y) == pytest.approx(right)


def test_steps_of_the_choice_are_counted_to_the_end(rng):
    X = rng.normal(size=(40, 2))
    y = np.where(np.arange(40) < 12, np.arange(40) % 2, -1)
    X[:, 0] += 4 * (np.arange(40) % 2)
    steps = []
    safe = SafeClassifier(MixtureClassifier(), unlabeled_weights=[0, 1], n_splits=3, n_repeats=2)
    safe.fit(X, y, progress=lambda *step: steps.append(step))
    assert [done for done, _, _ in steps] == list(range(1, 15))  # the first, 3 x 2 x 2 of folds, the last
    assert {total for _, total, _ in steps} == {14}
