"""Metrics: unlabeled rows never count, and what counts agrees with scikit-learn and with a pencil."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from semigen import MixtureClassifier
from semigen.data.rows import take_rows
from semigen.evaluation.doubt import label_doubts
from semigen.evaluation.metrics import CLIP, align_probabilities, row_log_loss
from semigen.exceptions import LabelError, ParameterError
from semigen.metrics import accuracy_score, brier_score, get_scorer, least_cost, log_loss
from semigen.model_selection import SemiSupervisedSplit


class Fixed(ClassifierMixin, BaseEstimator):
    """Predicts what column 0 of X says, with the probabilities in the columns behind it."""

    def __init__(self, classes=(0, 1)):
        self.classes = classes

    def fit(self, X, y):
        self.classes_ = np.asarray(self.classes)
        return self

    def predict(self, X):
        return self.classes_[np.asarray(X)[:, 0].astype(int)]

    def predict_proba(self, X):
        return np.asarray(X)[:, 1:]


@st.composite
def problems(draw):
    n, k = draw(st.integers(2, 12)), draw(st.integers(2, 4))
    seed = draw(st.integers(0, 10**6))
    random = np.random.default_rng(seed)
    y = random.integers(-1, k, n)
    y[0] = 0
    return y, random.dirichlet(np.ones(k), n), random.integers(1, 4, n)


METRICS = {
    "accuracy": lambda y, p, **more: accuracy_score(y, p.argmax(axis=1), **more),
    "log-loss": lambda y, p, **more: log_loss(y, p, classes=np.arange(p.shape[1]), **more),
    "brier": lambda y, p, **more: brier_score(y, p, classes=np.arange(p.shape[1]), **more),
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
@given(problems())
def test_laws_of_every_metric(metric, problem):
    y, probabilities, weight = problem
    value = metric(y, probabilities)
    keep = y >= 0
    assert_allclose(metric(y[keep], probabilities[keep]), value)
    order = np.random.default_rng(0).permutation(y.size)
    assert_allclose(metric(y[order], probabilities[order]), value)
    weighted = metric(y, probabilities, sample_weight=weight)
    assert_allclose(metric(y, probabilities, sample_weight=weight * 7.5), weighted)
    assert_allclose(metric(np.repeat(y, weight), np.repeat(probabilities, weight, axis=0)), weighted)
    masked = probabilities.copy()
    masked[~keep] = 1 / probabilities.shape[1]
    assert_allclose(metric(y, masked), value)


@given(problems())
def test_scikit_learn_agrees_on_labeled_rows(problem):
    y, probabilities, weight = problem
    keep = y >= 0
    if np.unique(y[keep]).size < 2:
        return
    labels = np.arange(probabilities.shape[1])
    p, t, w = np.maximum(probabilities[keep], CLIP), y[keep], weight[keep]
    p /= p.sum(axis=1, keepdims=True)
    expected = sklearn.metrics.log_loss(t, p, labels=labels, sample_weight=w)
    assert_allclose(log_loss(y, probabilities, classes=labels, sample_weight=weight), expected)
    expected = sklearn.metrics.brier_score_loss(
        t, probabilities[keep], labels=labels, sample_weight=w, scale_by_half=False
    )
    assert_allclose(brier_score(y, probabilities, classes=labels, sample_weight=weight), expected)
    predicted = probabilities.argmax(axis=1)
    expected = sklearn.metrics.accuracy_score(t, predicted[keep], sample_weight=w)
    assert_allclose(accuracy_score(y, predicted, sample_weight=weight), expected)


def test_values_by_pencil():
    y, p = ["a", "b", None, "b"], [[0.5, 0.5], [0.2, 0.8], [1, 0], [0.75, 0.25]]
    assert_allclose(log_loss(y, p, classes=["a", "b"]), (np.log(2) - np.log(0.8) + np.log(4)) / 3)
    assert_allclose(brier_score(y, p, classes=["a", "b"]), (0.5 + 0.08 + 1.125) / 3)
    assert accuracy_score(y, ["a", "b", "a", "a"]) == 2 / 3
    assert accuracy_score(y, ["a", "b", "a", "a"], sample_weight=[1, 1, 9, 2]) == 0.5


def test_a_sure_and_wrong_row_costs_the_clip_and_no_more():
    assert CLIP == 1e-6
    assert_allclose(log_loss([0, 1], [[0, 1], [1, 0]], classes=[0, 1]), -np.log(CLIP / (1 + CLIP)))
    assert_allclose(row_log_loss(np.eye(3), np.array([0, 1, 2])), np.log1p(2 * CLIP))
    assert brier_score([0, 1], [[0, 1], [1, 0]], classes=[0, 1]) == 2


def test_a_class_the_columns_lack_has_probability_zero():
    p = [[0.7, 0.3], [0.7, 0.3]]
    assert_allclose(
        log_loss(["c", "a"], p, classes=["a", "b"]), -(np.log(CLIP) + np.log(0.7)) / 2 + np.log1p(CLIP)
    )
    assert_allclose(brier_score(["c", "c"], p, classes=["a", "b"]), 0.49 + 0.09 + 1)


def test_columns_go_by_their_class_not_by_their_place():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    for metric in (log_loss, brier_score):
        value = metric(["a", "c"], p, classes=["a", "b", "c"])
        assert_allclose(metric(["a", "c"], p[:, [2, 0, 1]], classes=["c", "a", "b"]), value)
    assert_array_equal(align_probabilities(p, ["a", "b", "c"], np.array(["c", "x"]))[0], [0.1, 0, 0.7, 0.2])


def test_a_matrix_of_labels_counts_its_certain_rows():
    y = [[1, 0], [0, 1], [0.5, 0.5], [0.9, 0.1]]
    assert accuracy_score(y, [0, 0, 1, 1]) == 0.5
    frame = pd.DataFrame(y, columns=["a", "b"])
    assert accuracy_score(frame, ["a", "b", "b", "b"]) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: accuracy_score([-1, None], [0, 0]), LabelError, "no labeled row to score: all 2 rows"),
        (lambda: log_loss([-1], [[1, 0]], classes=[0, 1]), LabelError, "no labeled row to score"),
        (lambda: accuracy_score([0, 1], [0]), LabelError, "y has 2 rows and y_pred 1"),
        (lambda: accuracy_score([0, 1], [0, None]), LabelError, "y_pred has 1 missing .* row 1"),
        (lambda: accuracy_score([0, 1], ["0", "1"]), LabelError, "y holds int64 and y_pred <U1"),
        (lambda: log_loss(["0"], [[1, 0]], classes=[0, 1]), LabelError, "y holds <U1 and classes int64"),
        (lambda: log_loss([0, 1], [[1, 0]], classes=[0, 1]), LabelError, "2 rows and probabilities 1"),
        (lambda: log_loss([0], [[1, 0]], classes=[0, 1, 2]), ParameterError, "one column per class"),
        (lambda: brier_score([0], [0.5], classes=[0]), ParameterError, "one column per class"),
        (
            lambda: log_loss([0, 1], [[1, 0], [-0.1, -2]], classes=[0, 1]),
            ParameterError,
            "in 1 row.s., the first is row 1: .-0.1, -2.0",
        ),
        (lambda: log_loss([0], [[np.nan, 1]], classes=[0, 1]), ParameterError, "not probabilities"),
        (lambda: brier_score([0], [[2.0, 3.0]], classes=[0, 1]), ParameterError, "normalize"),
        (
            lambda: accuracy_score([0, -1], [0, 0], sample_weight=[0, 1]),
            LabelError,
            "0 for every labeled row",
        ),
        (lambda: accuracy_score([0, 1], [0, 0], sample_weight=[1]), LabelError, "sample_weight has shape"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


ROWS = np.array([2, 0])
TABLE = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        sp.csr_matrix(TABLE),
        sp.coo_array(TABLE),
        pd.DataFrame(TABLE, columns=["a", "b"], index=[5, 5, 1]),
        pl.DataFrame(TABLE, schema=["a", "b"]),
        TABLE.tolist(),
        pd.Series([0, 2, 4], index=[5, 5, 1]),
        pl.Series([0, 2, 4]),
    ],
    ids=["array", "csr", "coo", "pandas", "polars", "list", "pandas series", "polars series"],
)
def test_rows_are_taken_by_position_in_the_callers_type(data):
    taken = take_rows(data, ROWS)
    if sp.issparse(data):
        taken = taken.toarray()
    else:
        assert type(taken) is type(data)
    assert_array_equal(np.asarray(taken), TABLE[ROWS] if np.ndim(taken) == 2 else [4, 0])


X = np.array([[0, 0.9, 0.1], [1, 0.4, 0.6], [1, 0.2, 0.8], [0, 0.7, 0.3], [1, 0.5, 0.5]])
FITTED = Fixed().fit(X, None)


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0, -1, -1],
        np.array([0, 1, 0, -1, -1]),
        np.array([0, 1, 0, np.nan, -1]),
        pd.Series([0, 1, 0, pd.NA, -1], dtype="Int64"),
        pl.Series([0, 1, 0, None, None]),
        np.array([0, 1, 0, None, None], dtype=object),
        np.array([[1, 0], [0, 1], [1, 0], [1, 1], [0.9, 0.1]]),
    ],
)
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, lambda x: pl.DataFrame(x)])
def test_scorers_drop_unlabeled_rows_of_any_table(y, container):
    rows = container(X)
    assert get_scorer("accuracy")(FITTED, rows, y) == 2 / 3
    assert_allclose(get_scorer("neg_log_loss")(FITTED, rows, y), np.log(0.9 * 0.6 * 0.2) / 3, rtol=1e-5)
    assert_allclose(get_scorer("neg_brier_score")(FITTED, rows, y), -(0.02 + 0.32 + 1.28) / 3)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "recall"])
def test_scorers_of_scikit_learn_see_only_labeled_rows(name):
    y, weight = np.array([0, 1, 0, -1, -1]), np.array([1.0, 2, 3, 4, 5])
    theirs = sklearn.metrics.get_scorer(name)
    assert get_scorer(name)(FITTED, X, y) == theirs(FITTED, X[:3], y[:3])
    assert get_scorer(name)(FITTED, X, y, sample_weight=weight) == theirs(
        FITTED, X[:3], y[:3], sample_weight=weight[:3]
    )


def test_our_log_loss_works_where_a_fold_lacks_a_class():
    three = Fixed(("a", "b", "c")).fit(X, None)
    p = np.array([[0, 0.5, 0.25, 0.25], [0, 0.25, 0.5, 0.25]])
    assert_allclose(get_scorer("neg_log_loss")(three, p, ["a", "b"]), -np.log(2), rtol=1e-5)
    two = Fixed(("a", "b")).fit(X, None)
    assert_allclose(get_scorer("neg_log_loss")(two, p[:, [0, 1, 1]], ["c", None]), np.log(CLIP), rtol=1e-5)


def test_weights_of_a_scorer():
    y, weight = ["0", None, "1"], [3, 100, 1]
    model = Fixed(("0", "1")).fit(X, None)
    assert get_scorer("accuracy")(model, X[[0, 1, 3]], y, sample_weight=weight) == 0.75
    expected = (3 * np.log(0.9) + np.log(0.3)) / 4
    assert_allclose(
        get_scorer("neg_log_loss")(model, X[[0, 1, 3]], y, sample_weight=weight), expected, rtol=1e-5
    )


def test_other_markers():
    assert get_scorer("accuracy", "?")(Fixed(("a", "b")).fit(X, None), X[:3], ["a", "?", "a"]) == 0.5
    model = Fixed((-1, 1)).fit(X, None)
    assert get_scorer("accuracy", None)(model, X[:2], [-1, -1]) == 0.5
    assert_allclose(get_scorer("neg_log_loss", None)(model, X[:2], [-1, -1]), np.log(0.36) / 2, rtol=1e-5)


def test_row_weights_are_routed_to_a_scorer_that_asks_for_them():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2))
    y = np.where(np.arange(60) < 30, (rows[:, 0] + rng.normal(size=60) > 0).astype(int), -1)
    weight = rng.uniform(0.1, 9.0, 60)
    model, cv = MixtureClassifier(), SemiSupervisedSplit(n_splits=2, random_state=0)
    with pytest.raises(ParameterError, match="enable_metadata_routing=True"):
        get_scorer("accuracy").set_score_request(sample_weight=True)
    expected = []
    for train, test in cv.split(rows, y):
        fitted = clone(model).fit(rows[train], y[train])
        expected.append(get_scorer("neg_log_loss")(fitted, rows[test], y[test], sample_weight=weight[test]))
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight="w")
        assert scorer == get_scorer("neg_log_loss")
        model.set_fit_request(sample_weight=False)
        found = cross_validate(model, rows, y, cv=cv, scoring=scorer, params={"w": weight})
        assert_allclose(found["test_score"], expected)
        found = cross_validate(model, rows, y, cv=cv, scoring=get_scorer("neg_log_loss"))
        assert not np.allclose(found["test_score"], expected)


def test_a_scorer_can_be_copied_saved_and_read():
    scorer = get_scorer("f1_macro", unlabeled="?")
    assert repr(scorer) == "LabeledScorer(name='f1_macro', unlabeled='?')"
    assert pickle.loads(pickle.dumps(scorer)) == scorer
    assert clone(scorer, safe=False) == scorer
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring=scorer)
    assert clone(search).scoring == scorer
    assert hash(scorer) == hash(get_scorer("f1_macro", unlabeled="?"))


def test_scorers_refuse_what_they_cannot_score():
    with pytest.raises(ParameterError, match="no scorer 'acuracy': use one such as 'accuracy'"):
        get_scorer("acuracy")
    with pytest.raises(ParameterError, match="use one such as 'accuracy', 'neg_log_loss'"):
        get_scorer("§§§")
    with pytest.raises(LabelError, match="no labeled row to score: all 5 rows"):
        get_scorer("accuracy")(FITTED, X, [-1] * 5)
    with pytest.raises(LabelError, match="y has 2 rows and X 5"):
        get_scorer("accuracy")(FITTED, X, [0, 1])


def test_a_negative_probability_is_refused_though_the_sum_is_1():
    with pytest.raises(ParameterError, match="not probabilities in 1 row"):
        log_loss(["a", "b"], [[0.5, 0.5], [1.5, -0.5]], classes=["a", "b"])


def test_the_class_of_least_cost_is_that_of_a_search_over_all(rng):
    probs, cost = rng.dirichlet(np.ones(3), size=40), rng.random((3, 3))
    names = np.array(["a", "b", "c"])
    wanted = [min(range(3), key=lambda j: sum(row[k] * cost[k, j] for k in range(3))) for row in probs]
    assert least_cost(probs, cost, classes=names).tolist() == names[wanted].tolist()
    frame = pd.DataFrame(cost, index=names, columns=names).loc[["b", "c", "a"], ["c", "a", "b"]]
    assert least_cost(probs, frame, classes=names).tolist() == names[wanted].tolist()
    missed = least_cost(probs, [1, 5, 2], classes=names).tolist()
    for by_name in ({"c": 2, "b": 5, "a": 1}, pd.Series({"b": 5, "a": 1, "c": 2})):
        assert least_cost(probs, by_name, classes=names).tolist() == missed
    even = least_cost(probs, np.ones(3), classes=names)
    assert even.tolist() == names[probs.argmax(axis=1)].tolist()
    threshold = least_cost(np.column_stack([1 - probs[:, 0], probs[:, 0]]), [1.0, 4.0], classes=[0, 1])
    assert_array_equal(threshold == 1, probs[:, 0] > 1 / 5)


def test_balanced_costs_find_the_rare_class_that_predict_never_says(rng):
    truth = rng.permutation(np.repeat([0, 1], [970, 30]))
    x = rng.normal(size=1000) + 1.5 * truth
    odds = 0.03 / 0.97 * np.exp(1.5 * x - 1.5**2 / 2)  # the truth
    probs = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    assert (probs.argmax(axis=1)[truth == 1] == 1).mean() < 0.2
    found = least_cost(probs, classes=[0, 1])
    assert (found[truth == 1] == 1).mean() > 0.6
    assert (found[truth == 0] == 0).mean() > 0.6


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ("even", "cost='even'"),
        ([1, 2, 3], r"shape \(3,\)"),
        ([1, np.nan], "a finite number"),
        ([1j, 1], "no array"),
    ],
)
def test_costs_that_cannot_be_are_named(cost, message):
    with pytest.raises(ParameterError, match=message):
        least_cost([[0.5, 0.5]], cost, classes=[0, 1])


def test_labels_of_a_rare_class_are_not_in_doubt_because_it_is_rare():
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.03).astype(int)
    x = rng.normal(size=4000) + 1.5 * truth
    positive = 1 / (1 + np.exp(-1.5 * x + 1.5**2 / 2) * 0.97 / 0.03)  # as probable as it is
    found = label_doubts(np.column_stack([1 - positive, positive]), truth)
    assert (positive[truth == 1] < 0.05).mean() > 0.3, "many positives look like negatives"
    assert (found.wrong[truth == 1] > 0.5).mean() < 0.1, "and yet their labels are right"
    truth[x < -2] = 1  # but far from all others
    found = label_doubts(np.column_stack([1 - positive, positive]), truth)
    assert set(np.flatnonzero(x < -2)) <= set(found.listed)
