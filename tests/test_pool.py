"""The ensemble: its weights against a direct search, what is held out, which rows each model gets."""

from dataclasses import replace
from functools import cached_property, partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading

from semigen import MixtureClassifier, PoolClassifier, SafeClassifier
from semigen.comparison import CLASS_SHARES
from semigen.data.labels import encode
from semigen.data.weights import estimated_shares
from semigen.datasets import make_gaussian_classes
from semigen.ensemble.defaults import LOGISTIC, MIXTURES, supervised_weights
from semigen.ensemble.harm import LITTLE, MUCH
from semigen.ensemble.held_out import HeldOut, pool_weights, pooled, shares_of_rows
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS, crossfitted_pair, settle
from semigen.ensemble.training import Training
from semigen.exceptions import LabelError, NotFittedError, ParameterError


@pytest.fixture
def data():
    made = make_gaussian_classes(8, 150, n_classes=3, distance=3.0, random_state=4)
    _, code = np.unique(made.y_true, return_inverse=True)
    labeled = np.array([label is not None for label in made.y])
    return SimpleNamespace(X=made.X, y=np.where(labeled, code, -1), truth=code, X_test=made.X[-50:])


@pytest.fixture
def models():
    return [
        ("mixture", MixtureClassifier(covariance="tied")),
        ("logistic", LogisticRegression()),
        ("spreading", LabelSpreading(kernel="knn")),
    ]


EVEN = np.full(3, -np.log(3))


def held_out_rows(log_probs, code, fold):
    even = np.full((len(code), 3), 1 / 3)
    rows, weight = np.arange(len(code)), np.ones(len(code))
    return HeldOut(rows, code, weight, fold, log_probs, log_probs, even, np.log(even))


@pytest.mark.parametrize(
    ("signal", "shift", "used"),
    [(-1.5, False, False), (1.5, False, True), (1.5, True, True), (0.0, False, True), (0.0, True, False)],
)
def test_models_that_use_unlabeled_rows_are_kept_unless_they_hurt_or_rows_that_carry_nothing_do_not_help(
    signal, shift, used, rng
):
    code = np.arange(90) % 3
    right = np.eye(3)[code]
    noise = rng.normal(size=(2, 90, 3))
    logistic = 0.5 * right + 0.3 * noise[1]
    mixtures = signal * right + noise[0] if signal else logistic + 0.1 * noise[0]
    logits = np.stack([mixtures, logistic])
    held_out = held_out_rows(log_softmax(logits, axis=2), code, np.arange(90) % 5)
    start = {MIXTURES: 0.6, LOGISTIC: 0.5}
    found = settle(replace(held_out, n_unlabeled=100), start, 1e6, shift, None, 5)
    assert found.unlabeled_used == used
    assert found.verdict.outcome == {-1.5: "hurt", 1.5: "helped", 0.0: "unclear"}[signal]
    alone = {MIXTURES: 0.0, **supervised_weights(start)}
    assert found.weights == pytest.approx(start if used else alone, abs=1e-4)


@pytest.mark.parametrize(("agreement", "n_columns"), [(1.0, 50), (-1.0, 1), (0.2, 3), (0.5, 5)])
def test_supervised_models_have_the_share_that_the_probability_of_harm_gives_them(agreement, n_columns, rng):
    log_probs, code = some_log_probs(rng, models=2)
    held_out = replace(held_out_rows(log_probs, code, np.arange(len(code)) % 4), n_unlabeled=100)
    start = {MIXTURES: 0.6, LOGISTIC: 0.5}
    found = settle(held_out, start, 20.0, False, agreement, n_columns)
    harm = found.verdict.harm_probability
    share = min(max((harm - LITTLE) / (MUCH - LITTLE), 0.0), 1.0)
    assert found.supervised_share == pytest.approx(share)
    every = held_out.pool_weights(np.array([0.6, 0.5]), 20.0)
    alone = held_out.only(np.array([False, True])).pool_weights(np.array([1.1]), 20.0)
    wanted = (1 - share) * every + share * np.array([0.0, alone[0]])
    np.testing.assert_allclose(list(found.weights.values()), wanted)
    pair = crossfitted_pair(held_out, start, 20.0, share if share < 1 else 0.0)
    assert found.validation.difference(ALL_MODELS, SUPERVISED_MODELS) == found.verdict.change
    kept = np.array([False, True])
    for fold in range(4):
        rest, mine = held_out.at(held_out.fold != fold), held_out.fold == fold
        here = share if share < 1 else 0.0
        weights = (1 - here) * rest.pool_weights(np.array([0.6, 0.5]), 20.0)
        weights[kept] += here * rest.only(kept).pool_weights(np.array([1.1]), 20.0)
        expected = pooled(held_out.log_prior[mine], held_out.evidence[:, mine], weights)
        np.testing.assert_allclose(pair[ALL_MODELS][mine], expected, atol=1e-12)


def learned(start, ridge):
    return partial(HeldOut.pool_weights, start=start, ridge=ridge)


def some_log_probs(rng, m=40, models=3, classes=3):
    probs = rng.dirichlet(np.ones(classes), size=(models, m))
    code = np.array([rng.choice(classes, p=row) for row in probs[0]])
    return np.log(probs), code


def test_weights_are_the_minimum_of_the_stated_objective(rng):
    log_probs, code = some_log_probs(rng)
    weight = rng.uniform(0.5, 2.0, size=len(code))
    start = np.array([0.5, 0.3, 0.2])
    log_prior = np.log(rng.dirichlet(np.full(3, 9.0), size=len(code)))

    def objective(w):
        log_pool = log_softmax(log_prior + np.tensordot(w, log_probs, 1), axis=1)
        return -weight @ log_pool[np.arange(len(code)), code] + 2.0 * ((w - start) ** 2).sum()

    found = pool_weights(log_prior, log_probs, code, weight, start, 2.0)
    direct = minimize(objective, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert (direct.x > 0).all(), "an interior minimum is wanted for this comparison"
    np.testing.assert_allclose(found, direct.x, atol=1e-4)


def test_a_model_that_knows_nothing_loses_its_weight_and_one_that_knows_keeps_it(rng):
    log_probs, code = some_log_probs(rng, m=3000, models=2)
    log_probs[1] = np.log(rng.dirichlet(np.ones(3), size=len(code)))
    weights = pool_weights(EVEN, log_probs, code, np.ones(len(code)), np.array([0.5, 0.5]), 3.0)
    np.testing.assert_allclose(weights, [1.0, 0.0], atol=0.08)


def test_negligible_weights_are_zero_and_the_others_stay_as_they_are(rng):
    log_probs, code = some_log_probs(rng)
    start = np.array([0.7, 0.022, 0.02])
    kept = np.array([0.7, 0.022, 0.0])
    none = pool_weights(EVEN, log_probs[:, :0], code[:0], np.ones(0), start, 3.0)
    np.testing.assert_array_equal(none, kept)
    found = pool_weights(EVEN, log_probs, code, np.ones(40), start, 1e9)
    np.testing.assert_allclose(found, kept, atol=1e-6)
    assert found[2] == 0.0
    many = np.full(200, 1 / 200)
    np.testing.assert_array_equal(
        pool_weights(EVEN, np.zeros((200, 0, 3)), code[:0], np.ones(0), many, 3.0), many
    )


def test_without_held_out_rows_and_with_a_stiff_ridge_weights_are_the_defaults(rng):
    log_probs, code = some_log_probs(rng)
    start = np.array([0.7, 0.1, 0.2])
    np.testing.assert_array_equal(
        pool_weights(EVEN, log_probs[:, :0], code[:0], np.ones(0), start, 3.0), start
    )
    np.testing.assert_allclose(pool_weights(EVEN, log_probs, code, np.ones(40), start, 1e9), start, atol=1e-6)


def test_the_ensemble_adds_the_weighted_evidence_of_its_models_to_the_class_shares(data, models):
    y = data.y.copy()
    more = np.flatnonzero((y < 0) & (data.truth == 0))[:9]
    y[more] = 0
    pool = PoolClassifier(models).fit(data.X, y)
    count = np.bincount(y[y >= 0])
    assert np.ptp(count) > 3, "even labels: the test shows little"
    np.testing.assert_allclose(pool.class_prior_, estimated_shares(count.astype(float)))
    total = np.log(pool.class_prior_)
    for name, model in pool.estimators_.items():
        prior = count / count.sum()
        if name == "mixture":
            prior = model.calibration_.shares
        log_probs = np.log(0.999 * model.predict_proba(data.X_test) + 0.001 / 3)
        total = total + pool.weights_[name] * (log_probs - np.log(prior))
    wanted = np.exp(total) / np.exp(total).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(pool.predict_proba(data.X_test), wanted, atol=1e-12)
    assert {one.name for one in pool.models_} == set(pool.weights_)
    weights = [one.weight for one in pool.models_]
    assert weights == sorted(weights, reverse=True)


def test_without_weight_the_ensemble_predicts_the_class_shares(data):
    pool = PoolClassifier([("bayes", GaussianNB())], class_prior=[0.2, 0.3, 0.5]).fit(data.X, data.y)
    pool.reweight({"bayes": 0.0})
    np.testing.assert_allclose(pool.predict_proba(data.X_test), np.tile([0.2, 0.3, 0.5], (50, 1)))


def test_class_priors_change_nothing_but_the_class_shares(data, models):
    shared = PoolClassifier(models).fit(data.X, data.y)
    for value, prior in (("uniform", np.full(3, 1 / 3)), ([0.1, 0.1, 0.8], np.array([0.1, 0.1, 0.8]))):
        found = PoolClassifier(models, class_prior=value).fit(data.X, data.y)
        assert found.weights_ == shared.weights_
        joint = shared.predict_proba(data.X_test) / shared.class_prior_ * prior
        wanted = joint / joint.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.predict_proba(data.X_test), wanted, atol=1e-12)


def test_shares_of_the_unlabeled_rows_are_found_where_labeled_ones_were_chosen(rng):
    n, truth = 600, np.array([0.85, 0.15])
    code = np.concatenate([np.repeat([0, 1], 15), rng.choice(2, size=n, p=truth)])
    X = rng.normal(size=(len(code), 2)) + 2.5 * code[:, None]
    y = np.where(np.arange(len(code)) < 30, code, -1)
    shared, unlabeled = (
        PoolClassifier([("logistic", LogisticRegression())], class_prior=prior).fit(X, y)
        for prior in ("shared", "unlabeled")
    )
    seen = np.bincount(code[30:]) / n
    np.testing.assert_allclose(shared.class_prior_, 0.5)
    np.testing.assert_allclose(unlabeled.class_prior_, seen, atol=0.05)
    everything = PoolClassifier([("logistic", LogisticRegression())], class_prior="unlabeled").fit(X, code)
    np.testing.assert_allclose(everything.class_prior_, estimated_shares(np.bincount(code).astype(float)))


def test_shares_of_rows_are_a_fixed_point_of_their_objective(rng):
    prior, weight = np.array([0.5, 0.3, 0.2]), rng.uniform(0.5, 2, size=80)
    probs = rng.dirichlet(np.ones(3), size=80)
    found = shares_of_rows(probs, weight, prior)

    def objective(logits):
        shares = np.exp(log_softmax(np.append(logits, 0.0)))
        value = weight @ np.log(probs @ (shares / prior))
        return -value - 0.1 * weight.sum() * (prior @ np.log(shares))

    direct = minimize(objective, np.log(prior[:2] / prior[2]), method="Nelder-Mead", options={"xatol": 1e-8})
    np.testing.assert_allclose(found, np.exp(log_softmax(np.append(direct.x, 0.0))), atol=1e-4)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.01])
def test_columns_that_carry_nothing_cost_little_beyond_the_class_shares(share):
    """Mean over draws of the log-loss of the ensemble, less that of the shares that it assumes."""
    models = [
        ("logistic", LogisticRegression()),
        ("bayes", GaussianNB()),
        ("nearest", KNeighborsClassifier(5)),
    ]
    excess = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        code = (rng.random(700) < share).astype(int)
        code[:4] = [0, 0, 1, 1]
        X, y = rng.normal(size=(700, 4)), np.where(np.arange(700) < 60, code, -1)
        pool = PoolClassifier(models, weights=dict.fromkeys(["logistic", "bayes", "nearest"], 0.3)).fit(X, y)
        rows = np.arange(640), code[60:]
        found = pool.predict_proba(X[60:])[rows]
        excess.append(-np.log(found).mean() + np.log(pool.class_prior_)[code[60:]].mean())
    assert np.mean(excess) < 0.03


def test_uneven_labels_of_even_classes_do_not_lean_the_ensemble(rng):
    """Two of one class and ten of the other: with the shares as counted the ensemble errs to one side."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        code = np.concatenate([[0] * 3, [1] * 9, rng.integers(2, size=400)])
        X = rng.normal(size=(len(code), 2)) + 2 * code[:, None]
        y = np.where(np.arange(len(code)) < 12, code, -1)
        pool = PoolClassifier([("logistic", LogisticRegression())], weights={"logistic": 1.0}).fit(X, y)
        own = pool.estimators_["logistic"].predict(X[12:])
        errors.append([(pool.predict(X[12:]) != code[12:]).mean(), (own != code[12:]).mean()])
    ours, counted = np.mean(errors, axis=0)
    assert ours < counted - 0.01


def test_held_out_rows_are_scored_by_models_that_did_not_see_their_label(data):
    """A 1-nearest-neighbor model is perfect on rows it has seen; on held-out rows it is not."""
    y = data.y.copy()
    labeled = np.flatnonzero(y >= 0)
    y[labeled] = np.random.default_rng(0).permutation(y[labeled])  # labels that nothing can predict
    pool = PoolClassifier([("nearest", KNeighborsClassifier(1))]).fit(data.X, y)
    assert pool.models_[0].accuracy < 0.7
    held_out = pool.held_out_
    assert sorted(held_out.rows.tolist()) == labeled.tolist()
    np.testing.assert_array_equal(held_out.code, y[held_out.rows])
    assert held_out.log_probs.shape == (1, len(labeled), 3)
    assert pool.validation_.rows.tolist() == labeled.tolist()


class Overconfident(ClassifierMixin, BaseEstimator):
    """More confident about rows that it was fitted on, with or without a label."""

    def __init__(self, unlabeled=-1):
        self.unlabeled = unlabeled

    def fit(self, X, y):
        self.classes_, self.rows_ = np.arange(3), {*map(tuple, X)}
        return self

    def predict_proba(self, X):
        return np.array([[0.8, 0.1, 0.1] if tuple(row) in self.rows_ else [1 / 3] * 3 for row in X])


def test_held_out_rows_are_new_to_models_that_learn_from_unlabeled_rows(data):
    pool = PoolClassifier([("overconfident", Overconfident())]).fit(data.X, data.y)
    np.testing.assert_allclose(np.exp(pool.held_out_.log_probs), 1 / 3)
    assert (pool.estimators_["overconfident"].predict_proba(data.X)[:, 0] == 0.8).all()


def test_a_fold_is_scored_with_weights_of_the_other_folds(rng):
    """Changing what is known about a fold's labels changes the weights of others, never its own."""
    log_probs, code = some_log_probs(rng)
    fold = np.arange(len(code)) % 4
    held_out = held_out_rows(log_probs, code, fold)
    start = np.array([0.5, 0.3, 0.2])
    found = held_out.crossfitted(learned(start, 3.0))
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-12)
    mine = fold == 2
    weights = pool_weights(EVEN, log_probs[:, ~mine], code[~mine], np.ones((~mine).sum()), start, 3.0)
    wanted = pooled(EVEN, log_probs[:, mine], weights)
    np.testing.assert_allclose(found[mine], wanted, atol=1e-12)
    changed = replace(held_out, code=np.where(mine, (code + 1) % 3, code))
    np.testing.assert_array_equal(changed.crossfitted(learned(start, 3.0))[mine], found[mine])
    assert not np.allclose(changed.crossfitted(learned(start, 3.0))[~mine], found[~mine])


def test_an_ensemble_of_some_models_is_that_of_a_fit_without_the_others(data, models):
    start = {name: 0.2 + 0.1 * i for i, (name, _) in enumerate(models)}
    pool = PoolClassifier(models, weights=start).fit(data.X, data.y)
    (left_out, _), *others = models
    kept = {name: start[name] for name, _ in others}
    pool.restrict(kept)
    twin = PoolClassifier(others, weights=kept).fit(data.X, data.y)
    assert pool.weights_ == pytest.approx({left_out: 0.0, **twin.weights_}, abs=1e-6)
    assert {one.name: one.weight for one in pool.models_} == pool.weights_
    np.testing.assert_allclose(pool.predict_proba(data.X), twin.predict_proba(data.X), atol=1e-6)


def test_no_time_leaves_the_first_model_with_its_default_weight(data, models):
    steps = []
    pool = PoolClassifier(models, time_budget=0).fit(
        data.X, data.y, progress=lambda *step: steps.append(step)
    )
    assert list(pool.weights_.items()) == [("mixture", 1 / 3)]
    assert steps == [(1, 18, "mixture")]
    assert pool.validation_ is None
    whole = PoolClassifier(models, time_budget=1e6).fit(data.X, data.y)
    np.testing.assert_array_equal(
        whole.predict_proba(data.X), PoolClassifier(models).fit(data.X, data.y).predict_proba(data.X)
    )


def test_models_get_the_rows_they_can_use(data):
    seen = {}

    class Spy(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            seen.setdefault("rows", len(X))
            return super().fit(X, y, sample_weight)

    class Greedy(MixtureClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.setdefault("all", len(X))
            return super().fit(X, y, sample_weight)

    PoolClassifier([("spy", Spy()), ("greedy", Greedy(covariance="diag"))]).fit(data.X, data.y)
    assert seen == {"rows": int((data.y >= 0).sum()), "all": len(data.X)}


def test_text_labels_none_and_soft_labels_give_the_same_ensemble(data, models):
    names = np.array(["ant", "bee", "cow"])
    text = np.where(data.y >= 0, names[np.maximum(data.y, 0)], None).astype(object)
    soft = np.where(data.y[:, None] >= 0, np.eye(3)[np.maximum(data.y, 0)], np.nan)
    wanted = PoolClassifier(models).fit(data.X, data.y)
    found = PoolClassifier(models).fit(data.X, text)
    assert found.classes_.tolist() == names.tolist()
    np.testing.assert_allclose(found.predict_proba(data.X), wanted.predict_proba(data.X), atol=1e-10)
    again = PoolClassifier(models[:2]).fit(data.X, soft)
    assert again.predict_proba(data.X).shape == (len(data.X), 3)


def test_one_label_a_class_leaves_the_defaults(data):
    y = np.full(len(data.y), -1)
    for k in range(3):
        y[np.flatnonzero(data.y == k)[0]] = k
    pool = PoolClassifier(
        [("a", MixtureClassifier(covariance="tied")), ("b", GaussianNB())], weights={"a": 0.9, "b": 0.3}
    ).fit(data.X, y)
    assert pool.weights_ == {"a": 0.9, "b": 0.3}
    assert pool.validation_ is None
    assert np.isnan(pool.models_[0].log_loss)


def test_a_safe_classifier_can_be_a_model_of_the_ensemble(data):
    safe = SafeClassifier(MixtureClassifier(covariance="tied"), n_repeats=1)
    assert PoolClassifier([("safe", safe), ("dummy", DummyClassifier())]).fit(data.X, data.y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": []}, "at least one"),
        ({"estimators": [("a", GaussianNB()), ("a", GaussianNB())]}, "name of its own"),
        ({"estimators": [GaussianNB()]}, r"holds GaussianNB\(\): give pairs"),
        ({"estimators": [("pool", GaussianNB())]}, "'pool' is reserved"),
        ({"estimators": [("class shares", GaussianNB())]}, "'class shares' is reserved"),
        ({"weights": {"zebra": 1.0}}, "zebra"),
        ({"weights": {"nb": -1.0}}, "number of at least 0"),
        ({"ridge": -1}, "ridge=-1"),
        ({"class_prior": "even"}, "class_prior='even'"),
        ({"class_prior": [0.5, 0.5]}, "one positive probability for each"),
        ({"class_prior": {"a": 0.5, "b": 0.5}}, "a dict needs what it says of each of the classes"),
        ({"n_splits": 1}, "n_splits=1"),
        ({"time_budget": -1}, "time_budget=-1"),
    ],
)
def test_bad_parameters_are_named(options, message, data):
    with pytest.raises(ParameterError, match=message):
        PoolClassifier(**{"estimators": [("nb", GaussianNB())], **options}).fit(data.X, data.y)
    with pytest.raises(LabelError):
        PoolClassifier([("nb", GaussianNB())]).fit(data.X, np.full(len(data.X), -1))


def test_the_held_out_scores_of_the_ensemble_do_not_leak_the_labels_of_the_fold():
    """Models that only guess: learned on all folds, weights find the model that guessed well by luck."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), size=(40, 60))
    code = rng.integers(3, size=60)
    held_out = held_out_rows(np.log(probs), code, np.arange(60) % 5)
    start = np.full(40, 1 / 40)
    leaky = log_softmax(np.tensordot(held_out.pool_weights(start, 0.1), held_out.log_probs, 1), axis=1)
    honest = held_out.validation({"pool": held_out.crossfitted(learned(start, 0.1)), "leaky": leaky})
    assert honest.score("pool").log_loss.value > np.log(3) > honest.score("leaky").log_loss.value + 0.1
    assert honest.difference("pool", "leaky").log_loss.low > 0


def test_few_labels_hold_the_weights_near_their_defaults(rng):
    """The same evidence per row, from ten times as many rows: the weights move further."""
    log_probs, code = some_log_probs(rng, m=30)
    start = np.full(3, 1 / 3)
    few = pool_weights(EVEN, log_probs, code, np.ones(30), start, 3.0)
    many = pool_weights(EVEN, np.tile(log_probs, (1, 10, 1)), np.tile(code, 10), np.ones(300), start, 3.0)
    assert np.abs(many - start).max() > 1.5 * np.abs(few - start).max()


def test_the_class_shares_are_the_zero_line(data, models):
    y = data.y.copy()
    y[np.flatnonzero(y == 0)[3:]] = -1
    pool = PoolClassifier(models).fit(data.X, y)
    zero = pool.validation_.score(CLASS_SHARES)
    assert CLASS_SHARES not in pool.validation_.names
    assert zero.log_loss.value > pool.validation_.score("pool").log_loss.value
    labeled = np.flatnonzero(y >= 0)
    assert (pool.validation_.n_labeled, pool.validation_.n_unlabeled) == (len(labeled), (y < 0).sum())
    assert pool.validation_.random_state == 0
    for fold in np.unique(pool.held_out_.fold):
        mine = pool.held_out_.rows[pool.held_out_.fold == fold]
        rest = y[np.setdiff1d(labeled, mine)]
        wanted = -np.log(np.bincount(rest)[y[mine]] / len(rest))
        found = pool.validation_.row_losses[CLASS_SHARES][np.searchsorted(pool.validation_.rows, mine)]
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


class Table:
    """Rows in two forms, which count how often each is computed."""

    computed: list = []  # noqa: RUF012  shared by the parts on purpose

    def __init__(self, x):
        self.x, self.shape = x, x.shape

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        return Table(self.x[rows])

    @cached_property
    def squared(self):
        self.computed.append(len(self.x))
        return self.x**2

    @cached_property
    def plain(self):
        return self.x


def test_models_read_their_form_of_the_rows_and_labeled_rows_are_formed_once(data):
    Table.computed.clear()
    entries = [
        ("squares", "squared", LogisticRegression()),
        ("trees", "squared", GaussianNB()),
        ("mixture", "plain", MixtureClassifier(covariance="tied")),
    ]
    pool = PoolClassifier(entries).fit(Table(data.X), data.y)
    assert Table.computed == [(data.y >= 0).sum()]
    labeled = data.y >= 0
    twin = PoolClassifier([("squares", LogisticRegression()), ("trees", GaussianNB())]).fit(data.X**2, data.y)
    for name, one in twin.estimators_.items():
        np.testing.assert_array_equal(
            pool.estimators_[name].predict_proba(data.X**2), one.predict_proba(data.X**2)
        )
    np.testing.assert_allclose(pool.held_out_.log_probs[:2], twin.held_out_.log_probs, atol=1e-12)
    assert pool.forms_ == {"squares": "squared", "trees": "squared", "mixture": "plain"}
    assert pool.predict(Table(data.X))[labeled].shape == (labeled.sum(),)


def test_a_model_that_stands_in_a_pool_twice_is_fitted_once(data, monkeypatch):
    fits, given = [], MixtureClassifier.fit

    def fit(self, *args, **options):
        fits.append(self)
        return given(self, *args, **options)

    monkeypatch.setattr(MixtureClassifier, "fit", fit)
    one, other = MixtureClassifier(covariance="tied"), MixtureClassifier(covariance="tied")
    pools, counts = [], []
    for second in (one, other):
        fits.clear()
        pools.append(PoolClassifier([("first", one), ("second", second)]).fit(data.X, data.y))
        counts.append(len(fits))
    assert counts[1] == 2 * counts[0]
    np.testing.assert_array_equal(*(pool.held_out_.log_probs for pool in pools))
    np.testing.assert_array_equal(*(pool.predict_proba(data.X) for pool in pools))


def test_with_many_labels_a_thousand_held_out_rows_are_enough(rng):
    X, y = rng.normal(size=(4000, 2)), rng.integers(2, size=4000)
    pool = PoolClassifier([("bayes", GaussianNB())]).fit(X, y)
    assert len(pool.held_out_.rows) == 1600  # two folds of five, so that one has the weights of the other
    few = PoolClassifier([("bayes", GaussianNB())]).fit(X[:900], y[:900])
    assert len(few.held_out_.rows) == 900


def test_with_more_labels_one_fit_judges_both_halves_of_a_fold(rng):
    X, y = rng.normal(size=(5000, 2)), rng.integers(2, size=5000)
    steps = []
    pool = PoolClassifier([("bayes", GaussianNB())])
    pool.fit(X, y, progress=lambda *step: steps.append(step))
    assert [step[:2] for step in steps] == [(1, 2), (2, 2)]
    held_out = pool.held_out_
    assert np.bincount(held_out.fold).tolist() == [500, 500]
    assert len(np.unique(held_out.rows)) == 1000
    rest = np.delete(np.arange(5000), held_out.rows)
    twin = GaussianNB().fit(X[rest], y[rest])
    expected = np.log(0.999 * twin.predict_proba(X[held_out.rows]) + 0.0005)
    np.testing.assert_allclose(held_out.log_probs[0], expected, atol=1e-12)


def test_a_class_of_rows_without_weight_does_not_exist(data, models):
    weight = np.where(data.y == 2, 0.0, 1.0)
    pool = PoolClassifier([("mixture", MixtureClassifier(covariance="tied"))]).fit(data.X, data.y, weight)
    assert pool.classes_.tolist() == [0, 1]
    assert pool.predict_proba(data.X).shape == (len(data.X), 2)


def test_an_ensemble_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        PoolClassifier([("bayes", GaussianNB())]).predict_proba(np.zeros((2, 2)))


@pytest.mark.parametrize("most", [None, 20])
def test_folds_have_an_even_share_of_many_unlabeled_rows_with_their_weight(most, rng):
    X, y = np.arange(130.0)[:, None], np.full(130, -1)
    y[::13] = np.arange(10) % 2
    weight = rng.uniform(0.5, 2, size=130)
    weight[[5, 60]] = 0.0
    labels = encode(y)
    train = Training(X, labels, weight, most)
    assert len(train.without(np.empty(0, dtype=np.intp)).rows) == 130
    part = train.without(np.array([13, 39]))
    labeled = np.setdiff1d(np.flatnonzero(y >= 0), [13, 39])
    np.testing.assert_array_equal(part.rows[part.labels.is_labeled], labeled)
    np.testing.assert_array_equal(part.weight[part.labels.is_labeled], weight[labeled])
    rest = part.rows[~part.labels.is_labeled]
    assert len(rest) == (120 if most is None else most)
    assert part.weight[~part.labels.is_labeled].sum() == pytest.approx(weight[y < 0].sum())
    shares = part.weight[~part.labels.is_labeled][weight[rest] > 0] / weight[rest][weight[rest] > 0]
    np.testing.assert_allclose(shares, shares[0])
    assert (shares[0] > 1) == (most is not None)
    if most is not None:
        assert np.diff(rest).max() <= 9
