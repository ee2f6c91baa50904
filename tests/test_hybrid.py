"""Representations from all rows: views, mixture ensembles, and classifiers on them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.special import logsumexp, softmax
from scipy.stats import norm, rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading

from semigen import (
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    load,
    save,
)
from semigen.arrays.special import NormalScores
from semigen.columns import ReadTable, learn
from semigen.em import Data
from semigen.em.kernel import start_walk
from semigen.estimators import boosting, classifiers
from semigen.estimators.classifiers import MOST_TREES, BoostedTrees, ExtraTrees, RidgeLogistic, TreeEnsemble
from semigen.exceptions import LabelError, NotFittedError, ParameterError
from semigen.judgement.clustering import form
from semigen.representation import PlainColumns, mixtures


@pytest.fixture
def mixed(rng):
    n = 200
    frame = pd.DataFrame(
        {
            "a": rng.normal(5, 2, n),
            "b": rng.exponential(size=n),
            "color": rng.choice(["red", "blue", "green"], n),
            "flag": rng.random(n) < 0.3,
        }
    )
    frame.loc[:20, "a"] = np.nan
    frame.loc[30:60, "color"] = None
    return frame


def small(**options):
    return MixtureEnsembleFeatures(6, max_components=8, n_iter=5, **options)


def test_normal_scores_are_those_of_ranks(rng):
    x = rng.exponential(size=101).round(1)
    others = rng.normal(size=(101, 2))
    others[::3, 1] = np.nan
    score = NormalScores.of(np.column_stack([others[:, 0], x, others[:, 1], np.full(101, np.nan)]))

    def scores(cells):
        return score(np.column_stack([cells] * 4))[:, 1]

    wanted = norm.ppf(np.clip((rankdata(x) - 0.5) / 101, 0.5 / 101, 1 - 0.5 / 101))
    np.testing.assert_allclose(scores(x), wanted, atol=1e-12)
    new = rng.exponential(size=50)
    rank = np.array([(x < value).sum() + 0.5 * (x == value).sum() for value in new])
    np.testing.assert_allclose(
        scores(new), norm.ppf(np.clip(rank / 101, 0.5 / 101, 1 - 0.5 / 101)), atol=1e-12
    )
    assert np.isnan(scores(np.array([np.nan]))).all()
    assert scores(np.array([-9.0]))[0] == pytest.approx(norm.ppf(0.5 / 101))
    np.testing.assert_array_equal(score(np.column_stack([new] * 4))[:, 3], 0)
    known = others[~np.isnan(others[:, 1]), 1]
    alone = norm.ppf((rankdata(known) - 0.5) / len(known))
    found = score(np.column_stack([others[:, 1]] * 4))[~np.isnan(others[:, 1]), 2]
    np.testing.assert_allclose(found, alone, atol=1e-12)


def test_plain_columns_have_mean_0_numbers_variance_1_and_indicators_are_counted_as_they_are(mixed):
    table = PlainColumns().fit(mixed).transform(mixed)
    assert np.isfinite(table).all()
    np.testing.assert_allclose(np.delete(table, 1, axis=1).mean(axis=0), 0, atol=1e-9)  # b is cut off
    a, color = table[20:, 0], table[:, 3:6]
    assert a.std() == pytest.approx(1, abs=0.1)
    filled = mixed["color"].notna().to_numpy()
    seen = (mixed["color"].to_numpy()[:, None] == np.array(sorted(mixed["color"].dropna().unique())))[filled]
    np.testing.assert_allclose(color[filled], seen - seen.mean(axis=0), atol=1e-12)
    assert (color[~filled] == 0).all()
    marks = table[:, 6:]
    assert marks.shape[1] == 2
    np.testing.assert_allclose(np.ptp(marks, axis=0), 1)
    equal = PlainColumns(equal_columns=True).fit(mixed).transform(mixed)
    assert equal[filled, 3:6].var(axis=0).sum() == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(equal[:, 6:].std(axis=0), 1)
    np.testing.assert_array_equal(equal[:, :3], table[:, :3])
    assert PlainColumns(mark_missing=False).fit(mixed).transform(mixed).shape[1] == 6


def test_coordinates_of_one_space_keep_the_ratios_of_their_scales(rng):
    X = rng.normal(size=(500, 3)) * [4.0, 2.0, 0.1] + 7
    table = PlainColumns(shared_scale=True).fit(X).transform(X)
    spread = X.std(axis=0)
    np.testing.assert_allclose(table.std(axis=0), spread / np.sqrt(np.mean(spread**2)), rtol=0.01)
    features = MixtureEnsembleFeatures(4, shared_scale=True).fit(X)
    for view in features.views_:
        axes = view.transform(X)
        assert axes[:, 0].std() > 30 * axes[:, 2].std()
    table[0] = PlainColumns(shared_scale=True).fit(X).transform([[1e9, 7.0, 1e9]])[0]
    np.testing.assert_allclose(table[0, [0, 2]], 4 * table[1:].std(axis=0)[[0, 2]], rtol=0.05)


def test_sparse_rows_stay_sparse_and_have_unit_length(rng):
    X = csr_array(rng.poisson(0.3, size=(50, 40)).astype(float))
    rows = PlainColumns().fit(X).transform(X)
    lengths = np.sqrt((rows.multiply(rows)).sum(axis=1))
    np.testing.assert_allclose(lengths[X.sum(axis=1) > 0], 1, atol=1e-12)


def test_responsibilities_are_those_of_walks(rng):
    """Without what all components share, and in chunks, they are the same."""
    X = rng.normal(size=(3000, 7)) ** 3
    features = MixtureEnsembleFeatures(8, random_state=1).fit(X)
    views = features.axes(ReadTable(features.schema_, np.vstack([X, 50 * X[:500]])))
    begin = 0
    features.mixtures_[0].params.log_within[0] = -np.inf  # a component without rows
    found = features.transform(np.vstack([X, 50 * X[:500]]))
    for one in features.mixtures_:
        rows = Data.unlabeled(np.ascontiguousarray(views[one.view][:, one.columns]))
        log_joint = start_walk(one.mixture, one.params, rows).log_prob(rows.x)
        log_joint = log_joint + one.params.log_within[:, None]
        wanted = np.sqrt(one.share) * softmax(log_joint, axis=0)
        end = begin + one.mixture.n_components
        np.testing.assert_allclose(found[:, begin:end].T, wanted, atol=1e-12)
        begin = end
    assert {one.mixture.family.covariance.name for one in features.mixtures_} == {"tied", "diag"}


def test_responsibilities_sum_to_one_in_each_mixture(rng):
    X = rng.normal(size=(120, 5))
    features = small().fit(X)
    table = features.transform(X)
    assert table.shape == (120, features.n_features_out_) == (120, len(features.get_feature_names_out()))
    shares = np.array([one.share for one in features.mixtures_])
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(table.sum(axis=1), np.sqrt(shares).sum(), atol=1e-9)
    assert (table >= 0).all()
    assert ((table @ table.T) <= 1 + 1e-9).all()


def test_evidence_is_half_the_difference_of_the_information_criteria(rng):
    X = rng.normal(size=(200, 3)) + np.repeat([[0.0], [5.0]], 100, axis=0)
    features = small(random_state=1).fit(X)
    checked = 0
    for one in features.mixtures_:
        x = features.views_[one.view].transform(X)[:, one.columns]
        if one.mixture.family.covariance.name != "diag":
            continue
        checked += 1
        found = one.mixture.family.summary(one.params.family)
        variance = np.array([np.diagonal(matrix) for matrix in found["covariance"]])
        log_density = norm.logpdf(x[:, None], found["mean"], np.sqrt(variance)).sum(axis=2)
        log_lik = logsumexp(log_density + one.params.log_within, axis=1).sum()
        n_free = one.mixture.n_components * (2 * x.shape[1] + 1) - 1
        single = norm.logpdf(x, 0, x.std(axis=0)).sum()  # axes have mean 0
        price = (n_free - 2 * x.shape[1]) * np.log(len(x)) / 2
        assert one.evidence == pytest.approx((log_lik - single - price) / len(x), abs=0.02)  # MAP, not ML
    assert checked


def test_clusters_that_are_not_there_count_less(rng):
    noise = MixtureEnsembleFeatures(24).fit(rng.normal(size=(300, 5))).mixtures_
    few = sum(one.share for one in noise if one.mixture.n_components <= 4)
    drawn = sum(one.mixture.n_components <= 4 for one in noise) / 24
    assert few > 1.5 * drawn
    clusters = rng.normal(size=(300, 5)) + 20 * rng.normal(size=(12, 5))[np.arange(300) % 12]
    real = MixtureEnsembleFeatures(24).fit(clusters).mixtures_
    for one in real:
        if one.evidence > 0:
            assert one.share == max(other.share for other in real)


def test_rows_of_one_cluster_are_alike_and_rows_of_two_are_not(rng):
    X = rng.normal(size=(200, 6)) + np.repeat([[0.0], [8.0]], 100, axis=0)
    table = MixtureEnsembleFeatures(24).fit(X).transform(X)
    likeness = table @ table.T
    assert likeness[:100, :100].mean() > 5 * likeness[:100, 100:].mean()


def test_features_do_not_depend_on_threads_or_row_blocks_and_repeat(rng):
    X = rng.normal(size=(150, 7))
    one = small(n_jobs=1, random_state=3).fit(X)
    wanted = one.transform(X)
    np.testing.assert_array_equal(small(n_jobs=3, random_state=3).fit(X).transform(X), wanted)
    np.testing.assert_allclose(
        np.vstack([one.transform(X[:31]), one.transform(X[31:])]), wanted, rtol=1e-9, atol=1e-12
    )
    assert not np.array_equal(small(random_state=4).fit(X).transform(X)[:, :2], wanted[:, :2])


def test_products_are_those_of_the_features_whatever_the_blocks(mixed, rng, monkeypatch):
    """With categories and missing values, too, whose mixtures come piece by piece."""
    monkeypatch.setattr(mixtures, "BLOCK_ROWS", 90)
    found = small().fit(mixed)
    schema, matrix = learn(mixed)
    views = found.axes(ReadTable(schema, matrix))
    coef = rng.normal(size=(found.n_features_out_, 3))
    wanted = found.transform(mixed)
    np.testing.assert_allclose(found.product(matrix, views, coef), wanted @ coef, atol=1e-12)
    monkeypatch.undo()
    np.testing.assert_allclose(found.transform(mixed), wanted, rtol=1e-9, atol=1e-12)


def test_every_kind_of_table_is_represented(mixed, rng):
    table = small().fit(mixed).transform(mixed)
    assert np.isfinite(table).all()
    np.testing.assert_allclose(table.sum(axis=1), table.sum(axis=1)[0], atol=1e-9)
    new = mixed.head(5).assign(extra=1.0)
    new.loc[new.index[0], "color"] = "violet"
    assert np.isfinite(small().fit(mixed).transform(new)).all()
    words = csr_array(rng.poisson(0.5, size=(80, 60)).astype(float))
    documents = small().fit(words)
    assert np.isfinite(documents.transform(words)).all()
    np.testing.assert_allclose([one.share for one in documents.mixtures_], 1 / 6)
    mixtures = small().fit(mixed).mixtures_
    assert {"product", "gaussian"} & {one.mixture.family.name for one in mixtures}


def test_large_tables_are_sampled(rng):
    X = rng.normal(size=(500, 3))
    features = small(max_rows=60).fit(X)
    assert max(one.mixture.n_components for one in features.mixtures_) <= 60 // 8 + 1
    assert features.transform(X).shape[0] == 500


def test_no_time_leaves_four_mixtures(rng):
    X = rng.normal(size=(100, 3)) + 9 * np.eye(3)[np.arange(100) % 3]
    done = []
    features = small(time_budget=0, n_jobs=1).fit(X, progress=lambda *step: done.append(step))
    assert done == [(1, 6), (2, 6), (3, 6), (4, 6)]
    assert len(features.mixtures_) <= 4


def test_the_classifier_is_that_of_the_labeled_rows_features(rng):
    X = rng.normal(size=(100, 4))
    y = np.where(np.arange(100) < 30, (X[:, 0] > 0).astype(int), -1)
    hybrid = HybridClassifier(PCA(2), KNeighborsClassifier(3)).fit(X, y)
    space = PCA(2).fit(X)
    nearest = KNeighborsClassifier(3).fit(space.transform(X[:30]), y[:30])
    np.testing.assert_allclose(hybrid.predict_proba(X), nearest.predict_proba(space.transform(X)))


def test_a_frozen_representation_is_not_refitted(rng):
    X = rng.normal(size=(60, 4))
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    space = PCA(2).fit(X)
    hybrid = HybridClassifier(FrozenEstimator(space), KNeighborsClassifier(1))
    assert clone(hybrid).fit(X[:40], y[:40]).representation_.estimator is space


def test_soft_labels_are_weighted_rows(rng):
    X = rng.normal(size=(60, 3))
    soft = np.full((60, 2), np.nan)
    soft[:20] = np.eye(2)[(X[:20, 0] > 0).astype(int)]
    soft[20:25] = [0.5, 0.25]
    hybrid = HybridClassifier(PCA(2), RandomForestClassifier(20, random_state=0)).fit(X, soft)
    assert hybrid.predict_proba(X).shape == (60, 2)
    with pytest.raises(ParameterError, match=r"KNeighborsClassifier\.fit takes no sample_weight"):
        HybridClassifier(PCA(2), KNeighborsClassifier(1)).fit(X, soft)


def test_rows_and_labels_must_match(rng):
    with pytest.raises(LabelError, match="X has 5 rows and y has 4"):
        HybridClassifier().fit(rng.normal(size=(5, 2)), [0, 1, -1, -1])


def test_a_saved_hybrid_predicts_the_same(mixed, tmp_path):
    y = np.where(np.arange(200) < 20, np.arange(200) % 2, -1)
    hybrid = HybridClassifier(small()).fit(mixed, y)
    save(hybrid, tmp_path / "h.semigen")
    again = load(tmp_path / "h.semigen")
    np.testing.assert_array_equal(again.predict_proba(mixed), hybrid.predict_proba(mixed))


def test_features_that_are_not_fitted_say_so():
    with pytest.raises(NotFittedError):
        MixtureEnsembleFeatures().transform(np.eye(3))


@pytest.mark.parametrize(
    "options", [{"n_mixtures": 0}, {"max_components": 1}, {"n_iter": "many"}, {"time_budget": -1}]
)
def test_bad_parameters_are_named(options, rng):
    with pytest.raises(ParameterError, match=next(iter(options))):
        MixtureEnsembleFeatures(**options).fit(rng.normal(size=(20, 2)))


class Memory(ClassifierMixin, BaseEstimator):
    """Knows the labels of the rows that it saw, and nothing of others."""

    def __init__(self, unlabeled=None):
        self.unlabeled = unlabeled

    def fit(self, X, y):
        self.known_ = {tuple(row): label for row, label in zip(X, y, strict=True) if label is not None}
        self.classes_ = np.unique(list(self.known_.values()))
        return self

    def predict_proba(self, X):
        known = [self.known_.get(tuple(row)) for row in X]
        same = np.array([[label is None or label == one for one in self.classes_] for label in known])
        return same / same.sum(axis=1, keepdims=True)


class Surer(Memory):
    """Surer of rows that it saw, with or without a label."""

    def fit(self, X, y):
        self.rows_ = {*map(tuple, X)}
        return super().fit(X, y)

    def predict_proba(self, X):
        return np.array([[0.9, 0.1] if tuple(row) in self.rows_ else [0.5, 0.5] for row in X])


@pytest.mark.parametrize("classifier", [KNeighborsClassifier(3), LabelSpreading("knn", n_neighbors=3)])
@pytest.mark.parametrize("representation", [Memory(), Surer()])
def test_rows_that_the_representation_has_seen_are_new_to_the_classifier(rng, representation, classifier):
    X, y = rng.normal(size=(60, 2)), rng.integers(2, size=60).astype(object)
    y[40:] = None
    seen = HybridClassifier(representation, Recorder(classifier)).fit(X, y).classifier_.seen_
    np.testing.assert_array_equal(seen[:40], np.log(0.5))  # of what it saw it is sure


def test_a_classs_only_label_stays_with_the_representation(rng):
    X = rng.normal(size=(20, 2))
    y = np.full(20, None)
    y[:5] = ["a", "b", "b", "b", "b"]
    seen = HybridClassifier(Memory(), Recorder(KNeighborsClassifier(1))).fit(X, y).classifier_.seen_
    assert seen[0].argmax() == 0
    assert seen[0].max() > np.log(0.99)
    np.testing.assert_array_equal(seen[1:], np.log(0.5))


class Recorder(ClassifierMixin, BaseEstimator):
    """Another classifier, and the features that it was fitted on."""

    def __init__(self, other):
        self.other = other

    def __getattr__(self, name):
        if name == "unlabeled" and isinstance(self.other, LabelSpreading):
            return None
        raise AttributeError(name)

    def fit(self, X, y):
        self.seen_ = X
        self.classes_ = np.unique([one for one in y if one is not None])
        return self


def test_a_classifier_on_the_log_probabilities_of_a_mixture_is_less_sure_where_that_is_wrong(rng):
    # Two copies of one column: a diagonal Gaussian counts its evidence several times, and is too sure.
    y = rng.integers(2, size=3000)
    one = rng.normal(size=(3000, 1)) + y[:, None]
    X = one + 0.1 * rng.normal(size=(3000, 8))
    shown = np.where(np.arange(3000) < 100, y, -1)
    alone = MixtureClassifier(covariance="diag", calibrate=1.0).fit(X, shown)
    hybrid = HybridClassifier(MixtureClassifier(covariance="diag", calibrate=1.0)).fit(X, shown)
    losses = [log_loss(y[100:], model.predict_proba(X[100:])) for model in (alone, hybrid)]
    assert losses[1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("FlowMixtureClassifier", {"components_per_class": 1, "n_transforms": 1, "n_steps": 3}),
        ("VAEFeatures", {"n_latent": 2, "n_steps": 40, "learning_rate": 0.02}),
    ],
)
def test_deep_representations(name, options, rng):
    deep = pytest.importorskip("semigen.deep")
    X = rng.normal(size=(100, 2)) + np.repeat([[0.0], [5.0]], 50, axis=0)
    y = np.full(100, -1)
    y[[0, 1, 50, 51]] = [0, 0, 1, 1]
    hybrid = HybridClassifier(getattr(deep, name)(hidden=10, random_state=0, **options)).fit(X, y)
    assert hybrid.score(X, np.repeat([0, 1], 50)) > 0.95


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("shape", [(30, 80), (90, 5)])  # more columns than rows, and fewer
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_ridge_logistic_regression_is_scikit_learns(n_classes, shape, kind, rng):
    X, y = rng.normal(size=shape), np.arange(shape[0]) % n_classes
    fresh, weight = rng.normal(size=(20, shape[1])), rng.random(shape[0]) + 0.5
    found = RidgeLogistic(0.5).fit(kind(X), y, sample_weight=weight)
    twin = LogisticRegression(C=0.5, tol=1e-8, max_iter=5000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(found.predict_proba(kind(fresh)), twin.predict_proba(fresh), atol=5e-3)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_forests_as_arrays_are_scikit_learns(n_classes, rng):
    X = rng.integers(4, size=(80, 3)).astype(float)  # rows that are alike and have different classes
    y, fresh = rng.integers(n_classes, size=80), rng.normal(2, 2, size=(50, 3))
    found = TreeEnsemble(20, random_state=3).fit(X, y)
    twin = RandomForestClassifier(20, random_state=3).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(fresh), twin.predict_proba(fresh), rtol=1e-12)
    assert len(found.root_) == 20
    np.testing.assert_array_equal(found.predict(fresh), twin.predict(fresh))


def test_extra_trees_are_scikit_learns_with_a_row_more_in_each_leaf(rng):
    X, fresh = rng.integers(4, size=(80, 3)).astype(float), rng.normal(2, 2, size=(50, 3))
    y, weight = rng.integers(3, size=80), rng.uniform(0.5, 2.0, size=80)
    found = ExtraTrees(20, random_state=3).fit(X, y, sample_weight=weight)
    twin = ExtraTreesClassifier(20, random_state=3).fit(X, y, sample_weight=weight)
    shares = np.array([weight[y == k].sum() for k in range(3)]) / weight.sum()
    wanted = np.zeros((50, 3))
    for leaves, of_rows in zip(twin.apply(fresh).T, twin.apply(X).T, strict=True):
        for row, leaf in enumerate(leaves):
            mine = of_rows == leaf
            count = np.array([weight[mine & (y == k)].sum() for k in range(3)])
            wanted[row] += (count + shares) / (count.sum() + 1) / 20
    np.testing.assert_allclose(found.predict_proba(fresh), wanted, rtol=1e-10)


def test_axes_of_fewer_rows_than_columns_are_those_of_the_covariance(rng):
    from semigen.representation.axes import PrincipalAxes

    X = rng.normal(size=(12, 30)) * np.linspace(1, 3, 30)
    axes = PrincipalAxes(gaussian=0.0).fit(X)
    table = axes.plain_.transform(X)
    values, vectors = np.linalg.eigh(np.cov(table.T, ddof=0))
    order = np.argsort(-values)[:11]
    assert axes.axes_.shape == (30, 11)
    np.testing.assert_allclose(np.abs(axes.axes_), np.abs(vectors[:, order]), atol=1e-10)
    constant = PrincipalAxes().fit(np.ones((3, 5)))
    assert np.isfinite(constant.axes_).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_classes", "n_columns", "n_seen"), [(2, 3, 0.5), (5, 3, 0.5), (2, 8, 1)])
def test_boosted_trees_as_arrays_are_scikit_learns(n_classes, weighted, n_columns, n_seen, rng, monkeypatch):
    """A node looks at half of the columns, or of many at the most that it may: here at one each."""
    monkeypatch.setattr(boosting, "MOST_SEEN", 1)
    X = rng.integers(4, size=(120, n_columns)).astype(float)  # many splits are as good: the last bit decides
    y, fresh = rng.integers(n_classes, size=120), rng.normal(2, 2, size=(50, n_columns))
    weight = rng.uniform(0.2, 3, size=120) if weighted else None
    found = BoostedTrees(20, random_state=3).fit(X, y, weight)
    twin = GradientBoostingClassifier(
        n_estimators=20,
        init="zero",
        max_depth=4,
        subsample=0.7,
        max_features=n_seen,
        min_samples_leaf=3,
        random_state=3,
    ).fit(X, y, weight)
    trees = [one.tree_ for one in twin.estimators_.ravel()]
    np.testing.assert_array_equal(found.feature_, np.concatenate([one.feature for one in trees]))
    np.testing.assert_array_equal(found.threshold_, np.concatenate([one.threshold for one in trees]))
    np.testing.assert_allclose(found.predict_proba(fresh), twin.predict_proba(fresh), rtol=1e-9)
    assert len(found.root_) == 20 * (1 if n_classes == 2 else n_classes)


def test_of_many_rows_boosted_trees_see_bins(rng, monkeypatch):
    X = rng.integers(9, size=(400, 3)) + np.array([0.0, 10.0, 0.5])  # nine values: a bin each
    X = np.column_stack([X, rng.normal(size=400)])
    y = ((X[:, 0] > 4) ^ (X[:, 3] > 0.3)).astype(int)
    whole = BoostedTrees(30).fit(X, y)
    monkeypatch.setattr(classifiers, "MANY_ROWS", 399)
    monkeypatch.setattr(boosting, "BINS", 20)
    found = BoostedTrees(30).fit(X, y)
    right = [np.mean(one.predict_proba(X).argmax(axis=1) == y) for one in (found, whole)]
    assert right[0] > right[1] - 0.03
    ends = found.threshold_[found.feature_ == 3]
    assert len(np.unique(ends)) < 20 < len(np.unique(whole.threshold_[whole.feature_ == 3]))
    assert ends.min() > X[:, 3].min()
    assert ends.max() < X[:, 3].max()
    middle = np.unique(found.threshold_[found.feature_ == 1])
    assert set(middle) <= set(np.arange(10.5, 18))


def test_a_rare_value_has_a_bin():
    X = np.repeat([0.0, 1.0, 2.0], [1020, 12, 968])[:, None]  # between two quantiles
    found = BoostedTrees(30).fit(X, (X[:, 0] == 1).astype(int))
    assert (found.predict_proba([[0.0], [1.0], [2.0]]).argmax(axis=1) == [0, 1, 0]).all()


def test_boosted_trees_of_many_classes_are_as_many_in_all(rng):
    X, y = rng.normal(size=(90, 2)), np.arange(90) % 30
    assert len(BoostedTrees(200).fit(X, y).root_) == 30 * (MOST_TREES // 30)


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**-40, 2.0**50])
def test_units_of_numbers_do_not_matter(rng, unit):
    """Farads or joules are as small as 1e-12 or 1e-19, and are no constants."""
    X = np.column_stack([rng.normal(size=(60, 2)), rng.normal(3, 1, size=60), np.full(60, 5.0)])
    for plain in (PlainColumns(), PlainColumns(gaussian=0.5)):
        wanted = clone(plain).fit(X).transform(X)
        assert_allclose(clone(plain).fit(X * unit).transform(X * unit), wanted, rtol=1e-12, atol=1e-15)
    X[:, 3] = 0.1  # whose mean is another number
    tables = (learn(pd.DataFrame(x, columns=list("abcd"))) for x in (X, X * unit))
    kinds = [form(ReadTable(schema, matrix)) for schema, matrix in tables]
    assert kinds[0] == pytest.approx(kinds[1])


@pytest.mark.parametrize("name", ["transformer", "mixture", "label spreading"])
def test_rows_of_weight_0_are_left_out_altogether(rng, name):
    X = rng.normal(size=(90, 3)) + 3.0 * (np.arange(90) % 2)[:, None]
    y = np.where(np.arange(90) < 40, np.arange(90) % 2, -1)
    X[60:] += 20.0
    weight = np.where(np.arange(90) % 3 == 0, 0.0, 1.0)
    kept = weight > 0
    model = {
        "transformer": HybridClassifier(MixtureEnsembleFeatures(3, n_jobs=1)),
        "mixture": HybridClassifier(
            MixtureClassifier(covariance="diag", unlabeled_weight=1.0, calibrate=1.0)
        ),
        "label spreading": PoolClassifier([("spreading", LabelSpreading(kernel="knn", n_neighbors=5))]),
    }[name]
    wanted = clone(model).fit(X[kept], y[kept]).predict_proba(X)
    found = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
