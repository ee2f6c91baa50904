"""Cross-validation of few labels among many rows: the right rows hidden, the right numbers out."""

from __future__ import annotations

import json
import warnings
from threading import Barrier

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, learning_curve
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from semigen.comparison import Comparison
from semigen.data.labels import encode
from semigen.evaluation.metrics import CLIP
from semigen.evaluation.splits import held_out_folds
from semigen.exceptions import LabelError, ParameterError
from semigen.metrics import get_scorer, log_loss
from semigen.model_selection import SemiSupervisedSplit, cross_validate


@st.composite
def labelings(draw):
    """y of 2 to 4 classes and unlabeled rows, and a number of folds that its labels allow."""
    counts = draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    testable = sum(n for n in counts if n > 1)
    if testable < 2:
        counts[0], testable = 2, 2
    y = np.repeat(np.arange(-1, len(counts)), [draw(st.integers(0, 60)), *counts])
    y = np.random.default_rng(draw(st.integers(0, 10**6))).permutation(y)
    return y, draw(st.integers(2, min(testable, 6))), draw(st.integers(1, 3)), draw(st.integers(0, 10**6))


@given(labelings())
def test_laws_of_the_split(labeling):
    y, n_splits, n_repeats, seed = labeling
    split = SemiSupervisedSplit(n_splits, n_repeats=n_repeats, random_state=seed)
    folds = list(split.split(None, y))
    assert len(folds) == split.get_n_splits() == n_splits * n_repeats
    counts = np.bincount(y[y >= 0])
    alone = np.isin(y, np.flatnonzero(counts == 1))
    for repeat in range(n_repeats):
        tests = [test for _, test in folds[repeat * n_splits : (repeat + 1) * n_splits]]
        assert_array_equal(np.sort(np.concatenate(tests)), np.flatnonzero((y >= 0) & ~alone))
        by_class = np.array([np.bincount(y[test], minlength=counts.size) for test in tests])
        assert (np.ptp(by_class, axis=0) <= 1).all()
        assert np.ptp(by_class.sum(axis=1)) <= 1
    for train, test in folds:
        assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(y.size))
        assert_array_equal(test, np.sort(test))
        assert (np.bincount(y[train][y[train] >= 0], minlength=counts.size) >= 1).all()


@given(labelings())
def test_every_prefix_of_train_resembles_the_whole(labeling):
    y, n_splits, n_repeats, seed = labeling
    for train, _ in SemiSupervisedSplit(n_splits, n_repeats=n_repeats, random_state=seed).split(None, y):
        labeled = y[train] >= 0
        K = np.unique(y[y >= 0]).size
        assert_array_equal(np.sort(y[train[:K]]), np.arange(K))
        size = np.arange(1, train.size + 1)
        wanted = np.maximum(np.minimum(size, K), size * labeled.mean())
        assert (np.abs(np.cumsum(labeled) - wanted) <= 1).all()
        order = y[train][labeled]
        for k in range(K):
            wanted = np.arange(1, order.size + 1) * (order == k).mean()
            assert (np.abs(np.cumsum(order == k) - wanted) <= K + 1).all()


Y = np.array([0] * 7 + [1] * 5 + [2] + [-1] * 30)


def as_lists(split, y):
    return [(train.tolist(), test.tolist()) for train, test in split.split(None, y)]


def test_the_same_seed_gives_the_same_folds_and_another_gives_others():
    first = as_lists(SemiSupervisedSplit(3, n_repeats=2, random_state=5), Y)
    split = SemiSupervisedSplit(3, n_repeats=2, random_state=5)
    assert as_lists(split, Y) == first
    assert as_lists(split, Y) == first
    assert as_lists(SemiSupervisedSplit(3, n_repeats=2, random_state=6), Y) != first
    assert [test for _, test in first[:3]] != [test for _, test in first[3:]]
    split = SemiSupervisedSplit(3, n_repeats=2, random_state=np.random.default_rng(5))
    assert as_lists(split, Y) == first
    for source in (None, np.random.RandomState(5)):
        unseeded = SemiSupervisedSplit(3, random_state=source)
        assert as_lists(unseeded, Y) != as_lists(unseeded, Y)


def test_every_choice_is_drawn():
    folds = [next(SemiSupervisedSplit(3, random_state=seed).split(None, Y)) for seed in range(80)]
    assert (np.bincount([Y[train[0]] for train, _ in folds], minlength=3) > 15).all()
    first_of_class = {next(row for row in train if Y[row] == 0) for train, _ in folds}
    assert first_of_class == set(np.flatnonzero(Y == 0))
    assert len({next(row for row in train if Y[row] == -1) for train, _ in folds}) > 20
    assert {row for _, test in folds for row in test} == set(range(12))
    assert {int((Y[test] == 1).sum()) for _, test in folds} == {1, 2}


TEXT = np.array(["a", "b", "c", None], dtype=object)[Y]
PROBABILITIES = np.vstack([np.eye(3), [0.2, 0.3, 0.5]])[Y]


@pytest.mark.parametrize(
    "y",
    [
        Y.tolist(),
        np.where(Y < 0, np.nan, Y),
        TEXT,
        TEXT.tolist(),
        pd.Series(TEXT),
        pd.Series(TEXT, dtype="category"),
        pd.Series(Y, dtype="Int64").mask(Y < 0),
        pl.Series(TEXT.tolist()),
        pl.DataFrame({"y": TEXT.tolist()}),
        PROBABILITIES,
        pd.DataFrame(PROBABILITIES, columns=["a", "b", "c"]),
    ],
)
def test_the_same_labels_in_any_form_give_the_same_folds(y):
    split = SemiSupervisedSplit(3, random_state=0)
    assert as_lists(split, y) == as_lists(split, Y)


def test_soft_and_candidate_rows_are_never_tested():
    y = np.array([[1, 0, 0]] * 3 + [[0, 1, 0]] * 3 + [[0.6, 0.4, 0], [0, 1, 1], [1, 1, 1]])
    for train, test in SemiSupervisedSplit(3, random_state=0).split(None, y):
        assert set(test) <= set(range(6))
        assert {6, 7, 8} <= set(train)
        assert {y[row].argmax() for row in train[:2]} == {0, 1}


def test_the_split_shows_its_parameters():
    split = SemiSupervisedSplit(4, n_repeats=2, random_state=1, unlabeled="?")
    assert repr(split) == "SemiSupervisedSplit(n_splits=4, n_repeats=2, random_state=1, unlabeled='?')"
    assert (split.n_splits, split.n_repeats, split.random_state, split.unlabeled) == (4, 2, 1, "?")


def test_bad_splits_are_refused():
    for bad in ({"n_splits": 1}, {"n_splits": 2.0}, {"n_repeats": 0}, {"n_splits": True}):
        with pytest.raises(ParameterError, match=f"{next(iter(bad))}=.* must be an integer of at least"):
            SemiSupervisedSplit(**bad)
    with pytest.raises(
        LabelError, match=r"n_splits=5 .* has 4: of 5 rows .* class \(1\) stay .*lower n_splits"
    ):
        SemiSupervisedSplit(5).split(None, [0, 0, 1, 1, 2, -1, -1])
    with pytest.raises(LabelError, match="X has 3 rows and y 4"):
        SemiSupervisedSplit(2).split(np.zeros((3, 1)), [0, 0, 1, 1])
    with pytest.raises(LabelError, match="no labeled row"):
        SemiSupervisedSplit(2).split(None, [-1, -1])
    with pytest.warns(UserWarning, match="groups is ignored"):
        SemiSupervisedSplit(2).split(None, [0, 0, 1, 1], groups=[0, 0, 1, 1])


# Four easy classes, 6 labels each among 200 rows: a good model is right in nearly every row.
X, TRUTH = make_blobs(200, centers=4, n_features=3, cluster_std=1.0, center_box=(-8, 8), random_state=1)
FEW = np.full(200, -1)
for label in range(4):
    FEW[np.flatnonzero(label == TRUTH)[:6]] = label
SPLIT = SemiSupervisedSplit(3, random_state=0)


def pipeline(C=1.0):
    return make_pipeline(StandardScaler(), SelfTrainingClassifier(LogisticRegression(C=C)))


def by_hand(model, train, test):
    """Accuracy over the labeled test rows, with no machinery."""
    predicted = clone(model).fit(X[train], FEW[train]).predict(X[test])
    hits = [guess == label for guess, label in zip(predicted, FEW[test], strict=True) if label != -1]
    return sum(hits) / len(hits)


def test_cross_val_score_equals_a_loop_by_hand():
    expected = [by_hand(pipeline(), train, test) for train, test in SPLIT.split(X, FEW)]
    assert_allclose(cross_val_score(pipeline(), X, FEW, cv=SPLIT, scoring=get_scorer("accuracy")), expected)
    assert np.mean(expected) > 0.9


def test_grid_search_equals_a_loop_by_hand():
    grid = [1e-4, 1e-2, 1.0]
    name = "selftrainingclassifier__estimator__C"
    search = GridSearchCV(
        pipeline(), {name: grid}, cv=SPLIT, scoring=get_scorer("accuracy"), return_train_score=True
    ).fit(X, FEW)
    for C, mean, train_mean in zip(
        grid, search.cv_results_["mean_test_score"], search.cv_results_["mean_train_score"], strict=True
    ):
        folds = list(SPLIT.split(X, FEW))
        assert_allclose(mean, np.mean([by_hand(pipeline(C), train, test) for train, test in folds]))
        assert_allclose(train_mean, np.mean([by_hand(pipeline(C), train, train) for train, _ in folds]))
    assert search.best_score_ > 0.9


def test_learning_curve_equals_a_loop_by_hand():
    sizes, _, scores = learning_curve(
        pipeline(), X, FEW, cv=SPLIT, scoring=get_scorer("accuracy"), train_sizes=[8, 60, 190]
    )
    expected = [[by_hand(pipeline(), tr[:n], te) for tr, te in SPLIT.split(X, FEW)] for n in sizes]
    assert_allclose(scores, expected)
    assert_array_equal(sizes, [8, 60, 190])


def test_scikit_learns_own_split_and_scorer_report_a_good_model_as_bad():
    model = pipeline().fit(X, FEW)
    assert np.mean(model.predict(X) == TRUTH) > 0.95
    theirs = cross_val_score(pipeline(), X, FEW, cv=StratifiedKFold(3), scoring="accuracy")
    assert theirs.mean() < 0.15  # about the labeled share, 0.12
    ours = cross_val_score(pipeline(), X, FEW, cv=SPLIT, scoring=get_scorer("accuracy")).mean()
    assert ours > 0.95


@pytest.mark.parametrize("n_jobs", [1, 3, -1])
def test_cross_validation_equals_a_loop_by_hand(n_jobs):
    models = {"self": pipeline(), "bayes": SelfTrainingClassifier(GaussianNB())}
    result = cross_validate(models, X, FEW, n_splits=3, n_repeats=2, random_state=4, n_jobs=n_jobs)
    folds = list(SemiSupervisedSplit(3, n_repeats=2, random_state=4).split(X, FEW))
    assert_array_equal(result.rows, np.flatnonzero(FEW >= 0))
    mean = {}
    for name, model in models.items():
        hits = {row: [] for row in result.rows}
        losses = {row: [] for row in result.rows}
        for train, test in folds:
            fitted = clone(model).fit(X[train], FEW[train])
            for row, p in zip(test, fitted.predict_proba(X[test]), strict=True):
                hits[row].append(p.argmax() == FEW[row])
                losses[row].append(log_loss(FEW[[row]], p[None], classes=fitted.classes_))
        assert {len(values) for values in hits.values()} == {2}
        assert_allclose(result.correct[name], [np.mean(hits[row]) for row in result.rows])
        assert_allclose(result.row_losses[name], [np.mean(losses[row]) for row in result.rows], atol=1e-12)
        mean[name] = np.mean(list(losses.values()))
        assert_allclose(result.score(name).log_loss.value, mean[name])
    assert_allclose(result.difference("self", "bayes").log_loss.value, mean["self"] - mean["bayes"])


def floats(columns):
    return {name: np.asarray(value, dtype=float) for name, value in columns.items()}


def results(correct, losses, weight=None):
    m = len(losses["a"])
    weight = np.ones(m) if weight is None else np.asarray(weight, dtype=float)
    return Comparison(tuple(correct), 5, 1, np.arange(m), weight, floats(correct), floats(losses))


RANDOM = np.random.default_rng(3)
HITS = {"a": RANDOM.random(40) < 0.7, "b": RANDOM.random(40) < 0.5}
LOSSES = {"a": RANDOM.gamma(2.0, 0.2, 40), "b": RANDOM.gamma(2.0, 0.3, 40)}


def test_intervals_are_those_of_scipy():
    result = results(HITS, LOSSES)
    wilson = scipy.stats.binomtest(int(HITS["a"].sum()), 40).proportion_ci(method="wilson")
    accuracy = result.score("a").accuracy
    assert_allclose([accuracy.value, accuracy.low, accuracy.high], [HITS["a"].mean(), *wilson])
    loss = result.score("a").log_loss
    t = scipy.stats.ttest_1samp(LOSSES["a"], 0.0).confidence_interval()
    assert_allclose([loss.value, loss.low, loss.high], [LOSSES["a"].mean(), *t])
    paired = scipy.stats.ttest_rel(LOSSES["a"], LOSSES["b"]).confidence_interval()
    loss = result.difference("a", "b").log_loss
    assert_allclose([loss.low, loss.high], paired)


def test_paired_accuracy_interval_is_that_of_agresti_and_min():
    counts = {(1, 1): 20, (1, 0): 9, (0, 1): 3, (0, 0): 8}
    a, b = np.repeat(list(counts), list(counts.values()), axis=0).T
    accuracy = results({"a": a, "b": b}, LOSSES).difference("a", "b").accuracy
    n, better, worse = 42, 9.5, 3.5  # half a row more in each of the four cells
    half = 1.959963984540054 * np.sqrt(better + worse - (better - worse) ** 2 / n) / n
    expected = [6 / 40, (better - worse) / n - half, (better - worse) / n + half]
    assert_allclose([accuracy.value, accuracy.low, accuracy.high], expected)
    same = results({"a": a, "b": a}, LOSSES).difference("a", "b").accuracy
    assert same.low < -0.04 < 0.04 < same.high


@given(st.integers(2, 30), st.integers(0, 10**6))
def test_intervals_hold_the_value_and_reflect(n, seed):
    random = np.random.default_rng(seed)
    hits = {name: random.integers(0, 3, n) / 2 for name in "ab"}
    losses = {name: random.gamma(1.0, 1.0, n) for name in "ab"}
    result = results(hits, losses, random.random(n) + 0.01)
    forward, back = result.difference("a", "b"), result.difference("b", "a")
    for part in ("accuracy", "log_loss"):
        one, other = getattr(forward, part), getattr(back, part)
        assert one.low <= one.value <= one.high
        assert_allclose([one.value, one.low, one.high], [-other.value, -other.high, -other.low])
    for score in (result.score("a"), result.score("b")):
        assert 0 <= score.accuracy.low <= score.accuracy.value <= score.accuracy.high <= 1
        assert 0 <= score.log_loss.low <= score.log_loss.value <= score.log_loss.high


def test_weights_count_by_their_ratios_and_zero_drops_a_row():
    plain = results(HITS, LOSSES)
    assert_allclose(flat(results(HITS, LOSSES, np.full(40, 1e200))), flat(plain))
    hits, losses = ({name: [*each[name], 9] for name in "ab"} for each in (HITS, LOSSES))
    assert_allclose(flat(results(hits, losses, [1.0] * 40 + [0])), flat(plain))
    weight = np.random.default_rng(0).integers(1, 5, 40)
    weighted = results(HITS, LOSSES, weight).score("b")
    assert_allclose(weighted.log_loss.value, np.average(LOSSES["b"], weights=weight))
    assert_allclose(weighted.accuracy.value, np.average(HITS["b"], weights=weight))


def test_one_weighted_row_says_nothing_of_the_spread():
    result = results(HITS, LOSSES, [1.0] + [0.0] * 39)
    loss = result.score("a").log_loss
    assert (loss.low, loss.value) == (0.0, LOSSES["a"][0])
    assert_allclose(loss.high, -np.log(CLIP), atol=0.01)


def flat(result):
    parts = [result.score("a"), result.score("b"), result.difference("a", "b")]
    estimates = [estimate for part in parts for estimate in (part.accuracy, part.log_loss)]
    return [number for each in estimates for number in (each.value, each.low, each.high)]


class Recorder(ClassifierMixin, BaseEstimator):
    """Says equal probabilities for the classes it was told of, and keeps what it was given."""

    seen: list = []  # noqa: RUF012  clones share it on purpose

    def __init__(self, classes=(0, 1)):
        self.classes = classes

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.asarray(self.classes)
        self.seen.append((X, y, sample_weight))
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], len(self.classes)), 1 / len(self.classes))


@pytest.mark.parametrize(
    "make",
    [np.asarray, sp.csr_array, pd.DataFrame, pl.DataFrame],
    ids=["array", "sparse", "pandas", "polars"],
)
def test_every_container_reaches_the_estimator_as_it_is(make):
    Recorder.seen.clear()
    y = pd.Series(["a", "b"] * 4 + [None] * 12, index=range(20, 0, -1))
    table = make(np.arange(40.0).reshape(20, 2))
    calls = []
    result = cross_validate(
        {"r": Recorder(("a", "b"))}, table, y, n_splits=4, progress=lambda *at: calls.append(at)
    )
    assert calls == [(1, 4, "r"), (2, 4, "r"), (3, 4, "r"), (4, 4, "r")]
    assert_allclose(result.score("r").log_loss.value, np.log(2))
    for given_table, given_y, weight in Recorder.seen:
        assert type(given_table) is type(table)
        assert isinstance(given_y, pd.Series)
        assert weight is None
        rows = given_table.toarray() if sp.issparse(given_table) else np.asarray(given_table)
        position = (rows[:, 0] / 2).astype(int)
        assert_array_equal(given_y.isna(), y.isna().to_numpy()[position])
        assert_array_equal(given_y.dropna(), y.iloc[position].dropna())


def test_weights_reach_the_fit_and_the_means():
    Recorder.seen.clear()
    y, weight = np.array([0, 0, 0, 1, 1, 1, -1, -1]), np.arange(1.0, 9.0)
    table = np.arange(8.0)[:, None]
    result = cross_validate({"r": Recorder()}, table, y, sample_weight=weight, n_splits=3)
    assert_allclose(result.score("r").accuracy.value, 6 / 21)
    for rows, _, given_weight in Recorder.seen:
        assert_array_equal(rows[:, 0] + 1, given_weight)
    with pytest.raises(LabelError, match="0 for every row that can be tested"):
        cross_validate({"r": Recorder()}, table, y, sample_weight=[0] * 6 + [1, 1], n_splits=3)


def test_a_class_the_estimator_does_not_know_costs_the_clip():
    y = np.array([0, 0, 1, 1])
    result = cross_validate({"r": Recorder((0, 7))}, np.zeros((4, 1)), y, n_splits=2)
    assert_allclose(result.row_losses["r"], np.repeat([np.log(2), -np.log(CLIP)], 2), atol=1e-5)
    assert_array_equal(result.correct["r"], [1, 1, 0, 0])


def test_the_record_is_json():
    result = cross_validate({"a": GaussianNB(), "b": Recorder(tuple(range(4)))}, X, TRUTH, n_splits=3)
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["n_rows"] == 200
    assert list(record["scores"]) == ["a", "b", "class shares"]
    assert [(each["a"], each["b"]) for each in record["differences"]] == [("a", "b")]
    assert_allclose(record["scores"]["a"]["accuracy"]["low"], result.score("a").accuracy.low)
    assert record["differences"][0]["log_loss"]["high"] < 0


class Meeting(ClassifierMixin, BaseEstimator):
    """Fits only where two are being fitted at once, with one thread of linear algebra each."""

    together = Barrier(2, timeout=60)

    def fit(self, X, y):
        self.together.wait()
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        threads = {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.together.wait()
        return np.full((len(X), 2), 0.5 if threads <= {1} else np.nan)


def test_fits_at_a_time_leave_threads_and_filters_as_they_were():
    def state():
        return [info["num_threads"] for info in threadpool_info()], list(warnings.filters)

    with threadpool_limits(2):
        before = state()
        calls = []
        models = {"a": Meeting(), "b": Meeting()}
        cross_validate(models, X, FEW, n_splits=3, n_jobs=2, progress=lambda *at: calls.append(at))
        assert state() == before
    assert calls == [(i, 6, "ba"[i % 2]) for i in range(1, 7)]


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, "all", True])
def test_a_number_of_threads_that_is_none_is_refused(n_jobs):
    Recorder.seen.clear()
    with pytest.raises(ParameterError, match="n_jobs="):
        cross_validate({"r": Recorder()}, X, FEW, n_jobs=n_jobs)
    assert not Recorder.seen


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_fit_that_fails_ends_cross_validation(n_jobs):
    rows = np.where(np.arange(len(X)) == 7, np.nan, X.T).T
    with pytest.raises(ValueError, match="Input X contains NaN"):
        cross_validate({"bayes": GaussianNB()}, rows, FEW, n_splits=3, n_jobs=n_jobs)


def test_a_comparison_prints_without_its_rows():
    assert repr(results(HITS, LOSSES)) == (
        "Comparison(names=('a', 'b'), n_splits=5, n_repeats=1, n_labeled=None, n_unlabeled=None, "
        "random_state=None)"
    )


def test_errors_of_cross_validation():
    with pytest.raises(ParameterError, match="estimators is empty"):
        cross_validate({}, X, FEW)
    with pytest.raises(ParameterError, match="estimators is of type GaussianNB: give a dict"):
        cross_validate(GaussianNB(), X, FEW)
    with pytest.raises(ParameterError, match="no estimator 'c': use one of a, b"):
        results(HITS, LOSSES).difference("a", "c")
    with pytest.raises(ValueError, match="Input X contains NaN"):
        cross_validate({"bayes": GaussianNB()}, np.full((8, 1), np.nan), [0, 1] * 4, n_splits=2)


def test_every_prefix_of_uneven_labels_has_their_shares():
    y = np.repeat([0, 1], [60, 20])
    for train, _ in SemiSupervisedSplit(4, random_state=0, unlabeled=None).split(None, y):
        labeled = y[train[2:]]
        common = np.cumsum(labeled == 0)
        np.testing.assert_allclose(common, 0.75 * np.arange(1, len(labeled) + 1), atol=1.5)


def test_rows_of_no_weight_are_not_held_out():
    labels = encode([0, 0, 1, 1, None])
    assert not held_out_folds(labels, np.array([1.0, 0.0, 1.0, 0.0, 1.0]), 2, 0)
    folds = held_out_folds(labels, np.array([1.0, 1.0, 1.0, 0.0, 1.0]), 5, 0)
    assert sorted(np.concatenate(folds)) == [0, 1]  # two rows are enough
    assert len(folds) == 2


def test_cross_validate_knows_the_marker_of_unlabeled_rows(rng):
    X = rng.normal(size=(40, 2))
    y = np.where(np.arange(40) < 20, np.arange(40) % 2, 7)
    X[:, 0] += 3 * (np.arange(40) % 2)
    assert_array_equal(cross_validate({"bayes": Known()}, X, y, unlabeled=7).rows, np.arange(20))


class Known(ClassifierMixin, BaseEstimator):
    """Naive Bayes on the rows below 7."""

    def fit(self, X, y):
        self.model_ = GaussianNB().fit(X[y < 7], y[y < 7])
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)
