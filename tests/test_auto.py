"""The default classifier: every kind of table, few labels and many, and what it says about them."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

from semigen import (
    AutoClassifier,
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    load,
    save,
)
from semigen.columns import ReadTable, learning, reading
from semigen.common.progress import Clock
from semigen.comparison import CLASS_SHARES, Verdict, explain
from semigen.data import labels as labels_module
from semigen.em import Engine
from semigen.ensemble import auto as auto_module
from semigen.ensemble import defaults, training
from semigen.ensemble.defaults import BOOSTING, EXTRA_TREES, LOGISTIC, SUPERVISED
from semigen.ensemble.forms import seconds_to_predict
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.estimators.classifiers import BoostedTrees, ExtraTrees, RidgeLogistic
from semigen.exceptions import ColumnWarning, DatasetShiftWarning, LabelError, ParameterError
from semigen.judgement.information import N_MIXTURES, similarity, similarity_features
from semigen.representation import PlainColumns, PrincipalAxes
from semigen.representation.plain import look_like_pixels

REDRAWN = "a row given twice is another draw of the random representation than a row of weight 2"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": REDRAWN,
    "check_sample_weight_equivalence_on_sparse_data": REDRAWN,
    "check_classifiers_classes": (
        "uses labels {-1, 1}; -1 is the unlabeled marker, and a class -1 taken for a missing label in "
        "silence would be worse than the error, which names unlabeled=None as the cure"
    ),
}


def small(**options):
    return AutoClassifier(n_mixtures=6, **options)


@parametrize_with_checks(
    # A budget that is over at once leaves out the folds, which cost ten times the rest; they have tests.
    [
        small(time_budget=1e-9),
        MixtureEnsembleFeatures(4, n_iter=5),
    ],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.long
@parametrize_with_checks(
    [HybridClassifier(MixtureEnsembleFeatures(4, n_iter=5))],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks_of_a_hybrid(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def wine():
    X, truth = load_wine(return_X_y=True)
    names = np.array(["barolo", "grignolino", "barbera"])
    y = np.full(len(truth), None, dtype=object)
    for k in range(3):
        y[np.flatnonzero(truth == k)[:8]] = names[k]
    return X, y, names[truth]


@pytest.fixture(scope="module")
def fitted(wine):
    """A fit for all tests that only look at it."""
    return small(n_jobs=1).fit(*wine[:2])


def test_wine_from_eight_labels_a_class(wine, all_trees):
    X, y, truth = wine
    auto = AutoClassifier(n_mixtures=24).fit(X, y)
    rest = np.array([label is None for label in y])
    assert auto.score(X[rest], truth[rest]) > 0.93
    probability = auto.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    assert auto.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    loss = -np.log(probability[rest, np.searchsorted(auto.classes_, truth[rest])]).mean()
    assert loss < 0.25
    pool = auto.pool_
    assert (pool.ridge, pool.n_splits) == (20.0, 5)
    assert {pool.estimators_[name].n_trees for name in (EXTRA_TREES, BOOSTING)} == {100}
    assert pool.estimators_[defaults.MIXTURE_PER_CLASS].unlabeled_weight == 0.1
    assert pool.weights == defaults.DEFAULT_WEIGHTS


def test_it_says_which_models_the_predictions_rest_on_and_what_unlabeled_rows_changed(wine, fitted):
    _, y, _ = wine
    auto = fitted
    assert set(auto.weights_) == {one.name for one in auto.models_}
    assert auto.models_[0].weight == max(auto.weights_.values())
    assert auto.models_[0].name in auto.explanation_
    judged = auto.validation_
    assert judged.names == (ALL_MODELS, SUPERVISED_MODELS, *auto.pool_.estimators_)
    assert f"{len(judged.rows)} held-out labeled rows" in auto.explanation_
    assert explain(auto.verdict_, 154) in auto.explanation_
    assert auto.verdict_.change == judged.difference(ALL_MODELS, SUPERVISED_MODELS)
    assert (judged.n_labeled, judged.n_unlabeled) == (24, 154)
    assert judged.score(CLASS_SHARES).log_loss.value == pytest.approx(np.log(3), abs=0.05)
    np.testing.assert_array_equal(judged.rows, np.flatnonzero([label is not None for label in y]))
    for one in auto.models_:
        assert one.log_loss == pytest.approx(judged.score(one.name).log_loss.value)
        assert one.uses_unlabeled == (one.name not in SUPERVISED)


def test_unlabeled_rows_with_shuffled_columns_are_told_of_and_not_used():
    X, y = load_breast_cancer(return_X_y=True)
    y = np.where(np.arange(len(y)) < 40, y, -1)
    X[y == -1] = np.random.default_rng(1).permuted(X[y == -1], axis=0)
    with pytest.warns(DatasetShiftWarning, match="check where the unlabeled rows come from"):
        auto = small().fit(X, y)
    assert auto.dependence_shift_
    assert not auto.unlabeled_used_
    assert all(one.name in SUPERVISED for one in auto.models_ if one.weight > 0)
    assert not auto.verdict_.helped
    assert "Models that use unlabeled rows are left out." in auto.explanation_
    alone = defaults.supervised_weights(auto.pool_.weights)
    mine = np.array([name in alone for name in auto.pool_.estimators_])
    start = np.array([alone[name] for name in np.array([*auto.pool_.estimators_])[mine]])
    found = auto.pool_.held_out_.only(mine).pool_weights(start, 20.0)
    assert [auto.weights_[name] for name in np.array([*auto.pool_.estimators_])[mine]] == pytest.approx(found)


def test_columns_in_which_labeled_and_unlabeled_rows_do_not_overlap_are_named(rng):
    truth = np.arange(120) % 2
    frame = pd.DataFrame({"x": rng.normal(3.0 * truth), "day": np.arange(120.0)})
    early = np.where(np.arange(120) < 20, truth, -1)
    with pytest.warns(
        DatasetShiftWarning, match="outside of the labeled ones: 100 % in column 'day'. Held-out"
    ):
        auto = small().fit(frame, early)
    assert "100 % in column 'day'" in auto.explanation_
    with pytest.warns(DatasetShiftWarning, match="100 % in column 1. "):
        small().fit(frame.to_numpy(), early)
    anywhere = np.where(rng.permutation(120) < 20, truth, -1)
    assert "outside" not in small().fit(frame, anywhere).explanation_  # warnings are errors


def test_the_columns_of_a_grid_are_not_called_shuffled(rng):
    """All combinations of a few values: labeled rows are correlated, though all rows together are not."""
    X = np.stack(np.meshgrid(*(np.arange(6.0) for _ in range(3))), axis=-1).reshape(-1, 3)
    alike = np.flatnonzero(np.ptp(X, axis=1) <= 1)[::2][:12]
    y = np.full(len(X), -1)
    y[alike] = X[alike].sum(axis=1) > 4
    assert not small().fit(X, y).dependence_shift_  # warnings are errors
    with pytest.warns(DatasetShiftWarning, match="as if each column"):
        assert small().fit(np.vstack([X, X[-1:]]), [*y, -1]).dependence_shift_


class Counting(Engine):
    """Blocks in the calling thread, few rows each; it knows how many there were."""

    def __init__(self):
        self.n_blocks = 0

    def map_blocks(self, function, source, *states):
        found = [function(block, *items) for block, *items in zip(source.blocks(40), *states, strict=True)]
        self.n_blocks += len(found)
        return found


def test_an_engine_computes_every_mixture_and_changes_nothing(wine):
    X, y, _ = wine
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.05, np.nan, X)
    engines = [Counting() for _ in range(3)]
    auto = small(engine=engines[0]).fit(X, y)
    np.testing.assert_allclose(auto.predict_proba(X), small().fit(X, y).predict_proba(X), atol=1e-7)
    features = MixtureEnsembleFeatures(4, engine=engines[1])
    expected = MixtureEnsembleFeatures(4).fit_transform(X)
    np.testing.assert_allclose(features.fit_transform(X), expected, atol=1e-9)
    PrincipalAxes(engine=engines[2]).fit(X)
    assert engines[0].n_blocks > engines[1].n_blocks > engines[2].n_blocks > 5  # each within the one before
    for model in (AutoClassifier, MixtureEnsembleFeatures, PrincipalAxes):
        with pytest.raises(ParameterError, match="is no engine"):
            model(engine="threads").fit(X, y)


def test_rows_as_they_are_are_alike(fitted):
    """Otherwise the fit would have warned, which is an error."""
    assert not fitted.dependence_shift_


def test_a_shared_scale_is_that_of_all_forms(wine, fitted):
    model = small(shared_scale=True).fit(*wine[:2])
    for one, wanted in ((model, True), (fitted, False)):
        plains = [one.forms_.plain, *(view.plain_ for view in one.forms_.mixtures.views_)]
        assert [np.ptp(plain.scale_) == 0 for plain in plains] == [wanted] * 3
    assert not np.allclose(model.predict_proba(wine[0]), fitted.predict_proba(wine[0]))


def test_steps_are_told_in_order_and_to_the_end(wine):
    X, y, _ = wine
    steps = []
    small(n_jobs=1).fit(X, y, progress=lambda *step: steps.append(step))
    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1][1]
    assert len({step[1] for step in steps}) == 1


def test_a_time_budget_keeps_time_for_predictions(wine, monkeypatch):
    X, y, _ = wine
    asked, estimates = [], iter((4000.0, 1e9))

    def seconds(forms, table, n_rows):
        asked.append(seconds_to_predict(forms, table, n_rows))
        return next(estimates)

    monkeypatch.setattr("semigen.ensemble.auto.seconds_to_predict", seconds)
    for kept in (6000.0, 5000.0):
        auto = small(time_budget=1e4).fit(X, y)
        assert kept - 500 < auto.pool_.time_budget <= kept
        assert not auto.stopped_early_
    assert all(0 < one < 100 for one in asked)
    small().fit(X, y)
    assert len(asked) == 2


def test_seconds_that_are_reserved_are_as_good_as_spent(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    clock = Clock(10.0, 0, None)
    clock.reserve(3.0)
    assert (clock.left(), clock.left(0.5)) == (7.0, 3.5)
    now = 106.5
    assert clock.left() == 0.5
    assert Clock(None, 0, None).left() is None


@pytest.mark.parametrize("what", ["a mixture", "a fold", "a model"])
def test_whatever_a_budget_leaves_out_is_said(wine, monkeypatch, what):
    X, y, _ = wine
    if what == "a mixture":
        monkeypatch.setattr(auto_module, "SHARE_OF_MIXTURES", 0.0)
        assert small(time_budget=1e4).fit(X, y).stopped_early_
        return
    fit = PoolClassifier.fit_in_runs

    def in_no_time(self, X, y, sample_weight=None, **given):
        left = {"a model": 0.0, "a fold": 1e-3}[what]  # one round of fits takes longer
        return fit(self.set_params(time_budget=left), X, y, sample_weight, **given)

    monkeypatch.setattr(PoolClassifier, "fit_in_runs", in_no_time)
    auto = small(time_budget=1e4).fit(X, y)
    assert auto.stopped_early_
    assert "No labeled row was held out in time" in auto.explanation_


def test_a_time_budget_ends_a_fit_and_says_so(wine, fitted):
    X, y, truth = wine
    auto = small(time_budget=1e-6).fit(X, y)
    assert len(auto.models_) == 1
    assert "time budget" in auto.explanation_
    assert auto.stopped_early_
    assert not fitted.stopped_early_
    assert auto.validation_ is None
    assert auto.score(X, truth) > 0.5


def misleading(seed=0, n_clusters=30, n_unlabeled=300):
    """Classes by bands of one column, and clusters in four others, each with a labeled row of both classes.

    Whatever the unlabeled rows say of the clusters is wrong about the classes: the only other label in the
    cluster of a held-out row is that of the other class. Trees see the bands.
    """
    rng = np.random.default_rng(seed)
    center = 4 * rng.normal(size=(n_clusters, 4))
    y = np.tile([0, 1], n_clusters)

    def bands(k):
        inner = np.where(k == 0, rng.choice([-1.5, 1.5], size=len(k)), 0.0)
        return inner + 0.1 * rng.normal(size=len(k))

    def rows(column, cluster):
        return np.column_stack([column, center[cluster] + 0.3 * rng.normal(size=(len(cluster), 4))])

    labeled = rows(bands(y), np.repeat(np.arange(n_clusters), 2))
    anywhere = rng.integers(n_clusters, size=n_unlabeled)
    unlabeled = rows(rng.normal(size=n_unlabeled), anywhere)
    truth = rng.integers(2, size=400)
    fresh = rows(bands(truth), rng.integers(n_clusters, size=400))
    return np.vstack([labeled, unlabeled]), np.concatenate([y, np.full(n_unlabeled, -1)]), fresh, truth


def test_unlabeled_rows_that_hurt_are_left_out(all_trees):
    X, y, fresh, truth = misleading()
    auto = small().fit(X, y)
    harm = auto.validation_.difference(ALL_MODELS, SUPERVISED_MODELS).log_loss
    assert harm.low > 0.001, "no harm to avoid: the test shows nothing"
    assert auto.verdict_.outcome == "hurt"
    assert not auto.unlabeled_used_
    assert not auto.dependence_shift_
    assert {one.name for one in auto.models_ if one.weight > 0} <= {*SUPERVISED}
    assert "Unlabeled rows hurt" in auto.explanation_
    assert "Models that use unlabeled rows are left out." in auto.explanation_
    kept = auto.validation_.score(SUPERVISED_MODELS)
    assert f"accuracy {kept.accuracy.value:.1%} (" in repr(auto), "the figures of models that are left out"
    assert f"log-loss {kept.log_loss.value:.3f} nats" in repr(auto)
    assert auto.score(fresh, truth) > 0.9
    supervised = supervised_ensemble(auto, X, y)
    plain = PlainColumns().fit(X)
    np.testing.assert_allclose(
        auto.predict_proba(fresh), supervised.predict_proba(plain.transform(fresh)), atol=1e-5
    )


def supervised_ensemble(auto, X, y):
    """The supervised models of the documented default, pooled by themselves."""
    models = [
        (LOGISTIC, RidgeLogistic(0.5)),
        (EXTRA_TREES, ExtraTrees(random_state=auto.pool_.random_state)),
        (BOOSTING, BoostedTrees(random_state=auto.pool_.random_state)),
        (defaults.SUPERVISED_MIXTURE, MixtureClassifier(unlabeled_weight=0, max_iter=50, tol=1e-4)),
    ]
    weights = defaults.supervised_weights(defaults.DEFAULT_WEIGHTS)
    pool = PoolClassifier(models, weights=weights, ridge=20.0, random_state=auto.pool_.random_state)
    return pool.fit(PlainColumns().fit(X).transform(X), y)


def test_unlabeled_rows_that_help_are_used(fitted):
    assert fitted.verdict_.change.log_loss.value < 0
    assert fitted.unlabeled_used_
    of = fitted.pool_.estimators_
    assert of[defaults.MIXTURE_PER_CLASS] is not of[defaults.SUPERVISED_MIXTURE]
    assert sum(one.weight for one in fitted.models_ if one.uses_unlabeled) > 0.5
    assert "left out" not in fitted.explanation_


def test_where_every_row_is_labeled_there_is_no_verdict_on_unlabeled_rows(wine):
    X, _, truth = wine
    auto = small().fit(X, truth)
    assert auto.verdict_ == Verdict("no unlabeled rows")
    assert "Every row is labeled" in auto.explanation_
    of = auto.pool_.estimators_
    assert of[defaults.MIXTURE_PER_CLASS] is of[defaults.SUPERVISED_MIXTURE]
    own = MixtureClassifier(max_iter=50, tol=1e-4, unlabeled_weight=0.1, random_state=auto.pool_.random_state)
    mixture = of[defaults.MIXTURE_PER_CLASS]
    np.testing.assert_array_equal(own.fit(X, truth).predict_proba(X), mixture.predict_proba(X))


def test_labels_and_rows_are_read_once(wine, monkeypatch):
    """All further readers are handed records: Labels and ReadTable."""
    X, y, _ = wine
    count = {}

    def counted(module, name):
        given = getattr(module, name)

        def call(*args, **options):
            count[name] = count.get(name, 0) + 1
            return given(*args, **options)

        monkeypatch.setattr(module, name, call)

    counted(labels_module, "as_vector")
    counted(learning, "as_table")
    counted(reading, "as_table")
    auto = small().fit(X, y)
    assert count == {"as_vector": 1, "as_table": 1}
    auto.predict_proba(X[:5])
    assert count == {"as_vector": 1, "as_table": 2}


def test_supervised_models_have_weights_that_add_up_to_those_of_all():
    alone = defaults.supervised_weights(defaults.DEFAULT_WEIGHTS)
    assert alone.keys() == {LOGISTIC, EXTRA_TREES, BOOSTING, defaults.SUPERVISED_MIXTURE}
    assert sum(alone.values()) == pytest.approx(sum(defaults.DEFAULT_WEIGHTS.values()))
    assert alone[LOGISTIC] / alone[EXTRA_TREES] == pytest.approx(
        defaults.SUPERVISED_WEIGHTS[LOGISTIC] / defaults.SUPERVISED_WEIGHTS[EXTRA_TREES]
    )
    assert defaults.supervised_weights({defaults.MIXTURES: 1.0}) == {}


def test_models_of_the_columns_themselves_count_less_the_more_columns_there_are():
    default = defaults.DEFAULT_WEIGHTS
    assert defaults.default_weights(sparse=False, n_features=2, n_classes=50) == default
    wide = defaults.default_weights(sparse=False, n_features=160, n_classes=2)
    for name in (defaults.MIXTURES, defaults.GRAPH):
        assert wide[name] == pytest.approx(default[name] * 10**0.15)
        assert default[name] > 0
    for name in default.keys() & {defaults.MIXTURE_PER_CLASS, *SUPERVISED}:
        assert wide[name] == pytest.approx(default[name] / 10)
    many = {name: weight for name, weight in default.items() if name != defaults.BOOSTING}
    assert defaults.default_weights(sparse=False, n_features=2, n_classes=51) == many != default


@pytest.mark.parametrize(("n_classes", "many"), [(2, 0.0), (11, 0.5), (20, 1.0), (99, 1.0)])
def test_weights_for_documents_go_from_those_of_two_classes_to_those_of_many(n_classes, many):
    found = defaults.default_weights(sparse=True, n_features=9999, n_classes=n_classes)
    for name, weight in found.items():
        ends = defaults.TWO_CLASSES[name], defaults.MANY_CLASSES[name]
        assert weight == pytest.approx((1 - many) * ends[0] + many * ends[1])
    assert found.keys() == defaults.TWO_CLASSES.keys() == defaults.MANY_CLASSES.keys()


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_columns_that_carry_nothing_leave_the_class_shares(share, all_trees):
    excess = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        truth = (rng.random(500) < share).astype(int)
        truth[:4] = [0, 0, 1, 1]
        X, y = rng.normal(size=(500, 6)), np.where(np.arange(500) < 60, truth, -1)
        auto = small().fit(X, y)
        found = auto.predict_proba(X[60:])[np.arange(440), truth[60:]]
        excess.append(np.log(auto.class_prior_)[truth[60:]].mean() - np.log(found).mean())
    assert np.mean(excess) < 0.04


@pytest.mark.parametrize(
    ("prior", "why"),
    [
        ("shared", "labeled rows are taken for a random sample"),
        ("unlabeled", "learned from the unlabeled rows"),
        ("uniform", "given"),
        ([0.7, 0.3], "given"),
        ({1: 0.3, 0: 0.7}, "given"),
    ],
)
def test_it_says_which_class_shares_it_assumes(prior, why, rng):
    truth = rng.permutation(np.repeat([0, 1], [260, 40]))
    X = rng.normal(size=(300, 2)) + 3 * truth[:, None]
    y = np.full(300, -1)
    for k in (0, 1):
        y[np.flatnonzero(truth == k)[:10]] = k
    auto = small(class_prior=prior).fit(X, y)
    first = auto.class_prior_[0]
    wanted = {"unlabeled": 260 / 300, "shared": 0.5, "uniform": 0.5}.get(str(prior), 0.7)
    assert first == pytest.approx(wanted, abs=0.05)
    each = "50.0% for each of the 2 classes" if wanted == 0.5 else f"0 {first:.1%}, 1 {1 - first:.1%}"
    assert f"Class shares assumed ({why}): {each}." in auto.explanation_
    X[7] = np.nan
    np.testing.assert_allclose(auto.predict_proba(X[7:9])[0], auto.class_prior_)
    assert not np.allclose(auto.predict_proba(X[8:9]), auto.class_prior_)


def test_an_accuracy_is_said_beside_the_share_of_the_largest_class(rng):
    truth = np.repeat([0, 1], [50, 10])
    X = rng.normal(size=(60, 2)) + 3 * truth[:, None]
    assert "% (83.3% of the labeled rows are 0)" in small().fit(X, truth).explanation_
    assert "of the labeled rows are" not in small().fit(X[40:], truth[40:]).explanation_


def test_held_out_rows_are_numbered_as_in_the_table(wine):
    X, y, _ = wine
    weight = np.ones(len(y))
    weight[np.flatnonzero([label is None for label in y])[:60]] = 0.0
    auto = small().fit(X, y, weight)
    np.testing.assert_array_equal(auto.validation_.rows, np.flatnonzero([label is not None for label in y]))
    assert auto.validation_.n_unlabeled == 94


@pytest.mark.parametrize("per_class", [1, 2, 5])
def test_few_labels(per_class, wine):
    X, _, truth = wine
    y = np.full(len(truth), None, dtype=object)
    for name in np.unique(truth):
        y[np.flatnonzero(truth == name)[:per_class]] = name
    auto = small().fit(X, y)
    assert auto.score(X, truth) > 0.55
    assert (auto.validation_ is None) == (per_class == 1)
    assert ("No labeled row could be held out" in auto.explanation_) == (per_class == 1)
    assert (auto.verdict_.outcome == "not compared") == (per_class == 1)


def test_all_rows_labeled_and_many_classes(rng, wine):
    X, _, truth = wine
    assert small().fit(X, truth).score(X, truth) > 0.95
    center = rng.normal(size=(40, 4)) * 6
    code = np.repeat(np.arange(40), 12)
    rows = center[code] + rng.normal(size=(480, 4))
    y = np.where(np.arange(480) % 12 < 3, code, -1)
    assert small().fit(rows, y).score(rows, code) > 0.6


def test_mixed_tables_with_missing_values_and_new_rows(rng):
    n = 240
    truth = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "size": rng.normal(2.0 * truth),
            "color": np.where(rng.random(n) < 0.8, np.array(["red", "blue"])[truth], "green"),
            "visits": rng.poisson(1 + 3 * truth),
            "member": rng.random(n) < 0.3 + 0.4 * truth,
        }
    )
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    frame.loc[rng.random(n) < 0.1, "color"] = None
    y = np.where(np.arange(n) < 30, truth, -1)
    auto = small().fit(frame, y)
    assert auto.score(frame, truth) > 0.8
    moved = frame[frame.columns[::-1]].assign(extra="x", color="violet")
    with pytest.warns(ColumnWarning, match="most values of column 'color', such as 'violet'"):
        assert np.isfinite(auto.predict_proba(moved)).all()
    np.testing.assert_allclose(auto.predict_proba(frame.head(7)), auto.predict_proba(frame)[:7], atol=1e-9)


def test_a_column_without_a_value_in_any_labeled_row_is_no_obstacle(rng):
    x = rng.normal(size=(80, 3)) + np.repeat([0, 3], 40)[:, None]
    y = np.where(np.arange(80) % 8 == 0, np.repeat(["a", "b"], 40), None)
    x[np.arange(80) % 8 == 0, 2] = np.nan
    with pytest.warns(DatasetShiftWarning, match="100 % in column 2"):
        auto = small().fit(x, y)
    mixture = auto.pool_.estimators_[defaults.SUPERVISED_MIXTURE]
    assert mixture.unlabeled_weight == 0
    assert mixture.silent_columns_.tolist() == [2]
    assert (auto.predict(x) == np.repeat(["a", "b"], 40)).mean() > 0.9


def test_documents(rng):
    truth = rng.integers(3, size=200)
    words = rng.dirichlet(np.full(80, 0.2), size=3)
    X = csr_array(np.array([rng.multinomial(40, words[k]) for k in truth]).astype(float))
    y = np.where(np.arange(200) < 20, truth, -1)
    auto = small().fit(X, y)
    assert auto.score(X, truth) > 0.9
    assert set(auto.weights_) == {defaults.MIXTURES, defaults.MIXTURE_PER_CLASS, LOGISTIC, defaults.AXES}
    mixture = auto.pool_.estimators_[defaults.MIXTURE_PER_CLASS]
    assert mixture.unlabeled_weight == 0.3
    np.testing.assert_allclose(mixture.class_prior_, 1 / 3)
    np.testing.assert_allclose(
        auto.forms_.of(ReadTable(auto.schema_, X)).words.matrix.toarray(), np.log1p(X.toarray())
    )
    weighted = csr_array(X / 40)  # not counts: as they are given
    auto.fit(weighted, y)
    np.testing.assert_array_equal(
        auto.forms_.of(ReadTable(auto.schema_, weighted)).words.matrix.toarray(), weighted.toarray()
    )


def test_a_fit_repeats_and_does_not_depend_on_threads(wine, fitted):
    X, y, _ = wine
    again = small(n_jobs=2).fit(X, y)
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), atol=1e-12)


def test_soft_labels_and_weights(wine):
    X, y, truth = wine
    classes = np.unique(truth)
    soft = np.full((len(y), 3), np.nan)
    labeled = np.array([label is not None for label in y])
    soft[labeled] = np.where(truth[labeled, None] == classes, 0.9, 0.05)
    assert (classes[small().fit(X, soft).predict(X)] == truth).mean() > 0.85
    weight = np.where(truth == "barolo", 0.0, 1.0)
    assert small().fit(X, y, weight).classes_.tolist() == ["barbera", "grignolino"]


def test_a_saved_model_predicts_the_same(wine, fitted, tmp_path):
    save(fitted, tmp_path / "a.semigen")
    loaded = load(tmp_path / "a.semigen")
    np.testing.assert_array_equal(loaded.predict_proba(wine[0]), fitted.predict_proba(wine[0]))


def test_bad_input_is_named(wine):
    X, y, _ = wine
    with pytest.raises(ParameterError, match="n_mixtures=0"):
        AutoClassifier(n_mixtures=0).fit(X, y)
    with pytest.raises(LabelError, match="no labeled row"):
        AutoClassifier().fit(X, np.full(len(X), None))


def test_of_too_many_labeled_rows_each_class_keeps_its_share(monkeypatch):
    monkeypatch.setattr(training, "MAX_LABELED", 12)
    monkeypatch.setattr(training, "MAX_ROWS", 5)
    y = np.repeat([0, 1, 2, -1], [30, 10, 20, 20])
    rows = training.rows_to_learn_from(labels_module.encode(y), np.ones(80), 0)
    assert np.bincount(y[rows] + 1).tolist() == [5, 6, 2, 4]


def renamed(names, seed=0):
    """Probabilities of all rows by the class that each name stands for, (n, 3)."""
    X, truth = load_wine(return_X_y=True)
    y = np.full(len(truth), None, dtype=object)
    rows = np.random.default_rng(0).permutation(len(truth))[:30]
    y[rows] = np.asarray(names, dtype=object)[truth[rows]]
    model = small(random_state=seed).fit(X, y)
    order = [model.classes_.tolist().index(name) for name in names]
    return model.predict_proba(X)[:, order]


def test_classes_with_other_names_in_the_same_order_have_the_same_probabilities():
    np.testing.assert_array_equal(renamed(["x1", "x2", "x3"]), renamed([1.5, 2.5, 7.0]))


def test_a_fit_takes_one_thread_of_the_linear_algebra_library(rng):
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 3 - 1
    seen = []

    def count(*step):
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")

    with threadpool_limits(2, user_api="blas"):
        AutoClassifier(n_mixtures=2).fit(X, y, progress=count)
    assert set(seen) == {1}


@pytest.mark.long
def test_classes_whose_names_sort_differently_are_another_draw_of_folds_and_trees_and_no_more():
    asked, turned, reseeded = (
        renamed(["a", "b", "c"]),
        renamed(["c", "a", "b"]),
        renamed(["a", "b", "c"], seed=1),
    )
    assert np.abs(turned - asked).mean() < max(2 * np.abs(reseeded - asked).mean(), 0.02)
    assert (turned.argmax(axis=1) == asked.argmax(axis=1)).mean() > 0.95


def test_one_label_of_each_of_many_classes_is_no_regression(rng):
    truth = np.arange(120) % 40
    X = np.column_stack([truth // 7, truth % 7]) + rng.normal(scale=0.1, size=(120, 2))
    y = np.where(np.arange(120) < 40, truth, -1)
    for model in (small(), HybridClassifier(MixtureEnsembleFeatures(4, n_iter=5))):  # warnings are errors
        assert np.mean(model.fit(X, y).predict(X) == truth) > 0.4


def test_pixels_have_one_scale():
    """Gray values of which some hardly vary; not columns of their own units, nor those that all vary."""
    rng = np.random.default_rng(0)
    strokes = rng.binomial(16, 0.4, (300, 20)).astype(float)
    strokes[rng.integers(300, size=20), np.arange(20)] = 16
    strokes[rng.integers(300, size=20), np.arange(20)] = 0
    border = (rng.random((300, 4)) < 0.01).astype(float)
    pixels = np.hstack([strokes, border])
    amounts = rng.random((300, 24))
    amounts[:, :4] **= 1000
    ranged = (amounts - amounts.min(axis=0)) / np.ptp(amounts, axis=0)  # each by its own least and most
    flags = (rng.random((300, 24)) < np.where(np.arange(24) < 4, 0.01, 0.5)).astype(float)
    answers = rng.integers(1, 6, (300, 24)).astype(float)
    genes = rng.binomial(2, np.where(np.arange(24) < 4, 0.001, 0.4), (300, 24)).astype(float)
    genes[np.arange(24), np.arange(24)] = 2
    for rows, wanted in (
        (pixels, True),
        (pixels / 16, True),
        (np.where(pixels == 3, np.nan, pixels), False),
        (np.where(pixels == 3, -np.inf, pixels), False),
        (pixels[:, -15:], False),
        (strokes, False),
        (np.maximum(pixels, np.where(np.arange(24) < 12, 2, 0)), False),
        (ranged, False),
        (flags, False),
        (answers, False),
        (genes, False),
        (csr_array(pixels), False),
        (pixels * np.where(np.arange(24) < 12, 1, 50), False),
    ):
        assert look_like_pixels(rows) is wanted
    y = np.full(300, -1)
    y[:20] = np.arange(20) % 2
    auto, one, own = (small(shared_scale=shared).fit(pixels, y) for shared in ("auto", True, False))
    assert auto.shared_scale_
    assert "look like pixels" in auto.explanation_
    assert "pixels" not in one.explanation_ + own.explanation_
    np.testing.assert_array_equal(auto.predict_proba(pixels), one.predict_proba(pixels))
    assert not np.allclose(auto.predict_proba(pixels), own.predict_proba(pixels))
    for model in (small(shared_scale="pixels"), MixtureEnsembleFeatures(4, shared_scale="pixels")):
        with pytest.raises(ParameterError, match="shared_scale='pixels': use True, False or 'auto'"):
            model.fit(pixels, y)


def test_features_and_rows_to_label_see_pixels_by_the_same_rule():
    rows = load_digits().data[:300]
    auto, one, own = (MixtureEnsembleFeatures(4, shared_scale=how).fit(rows) for how in ("auto", True, False))
    assert auto.shared_scale_
    np.testing.assert_array_equal(auto.transform(rows), one.transform(rows))
    assert not np.allclose(auto.transform(rows), own.transform(rows))
    assert not MixtureEnsembleFeatures(4).fit(rows + np.arange(64)).shared_scale_
    spread = HybridClassifier(MixtureEnsembleFeatures(4)).fit(rows, [0, 1, *[-1] * 298]).representation_
    assert spread.shared_scale_
    axes = similarity_features(None, rows, 0)
    features = MixtureEnsembleFeatures(N_MIXTURES, random_state=0, shared_scale=True).fit(rows)
    wanted = similarity(features.transform(rows), features.views_[-1].transform(rows))
    np.testing.assert_allclose(axes @ axes.T, wanted @ wanted.T, atol=1e-9)
