"""What comes in at the door: labels of every type, weights, rows that say nothing, rows beyond numbers."""

from __future__ import annotations

import datetime as dt
import warnings
from contextlib import nullcontext
from decimal import Decimal
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading

from semigen import (
    AutoClassifier,
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    SafeClassifier,
)
from semigen.arrays.special import log_posterior
from semigen.data.labels import encode
from semigen.data.weights import read_labels
from semigen.datasets import make_gaussian_classes
from semigen.exceptions import ClassNameWarning, ColumnWarning, LabelWarning
from semigen.io.migrations import finish, parts_of
from semigen.representation import PlainColumns


def rows():
    data = make_gaussian_classes(6, 40, n_classes=3, n_features=3, distance=4, random_state=0)
    code = [None if label is None or label == -1 else int(label) for label in data.y]
    return np.asarray(data.X), code


def named(code, names):
    y = np.empty(len(code), dtype=object)
    y[:] = [None if k is None else names[k] for k in code]
    return y


LABELS = {
    "grades": [1.5, 2.5, 3.5],
    "decimals": [Decimal("1.5"), Decimal("2.5"), Decimal(10)],
    "times": list(pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"])),
    "days": [dt.date(2020, 1, j) for j in (1, 2, 3)],
    "bytes": [b"a", b"b", b"c"],
    "text that differs by spaces and case": ["NO", "no", "no "],
}
MODELS = {
    "auto": AutoClassifier(n_mixtures=4, unlabeled=None),
    "hybrid": HybridClassifier(MixtureEnsembleFeatures(4), unlabeled=None),
    "hybrid of a mixture": HybridClassifier(
        MixtureClassifier(unlabeled=None), LogisticRegression(), unlabeled=None
    ),
    "hybrid with label spreading": HybridClassifier(None, LabelSpreading(), unlabeled=None),
    "mixture": MixtureClassifier(unlabeled=None),
    "pool": PoolClassifier(
        [
            ("mixture", MixtureClassifier(unlabeled=None, unlabeled_weight=1.0, calibrate=1.0)),
            ("logistic", LogisticRegression()),
        ],
        unlabeled=None,
    ),
    "safe": SafeClassifier(
        MixtureClassifier(unlabeled=None), unlabeled_weights=(0, 1), n_splits=2, n_repeats=1
    ),
}


@cache
def with_numbers(name):
    """Probabilities where the classes are numbers."""
    X, code = rows()
    return clone(MODELS[name]).fit(X, named(code, [0, 1, 2])).predict_proba(X)


def with_models():
    """Every kind of labels with a mixture and with one other model in turn; with all in the long tests."""
    others = [name for name in MODELS if name != "mixture"]
    found = []
    for number, label in enumerate(LABELS):
        for name in MODELS:
            often = name in ("mixture", others[number % len(others)])
            marks = [] if often else [pytest.mark.long]
            found.append(pytest.param(LABELS[label], name, id=f"{label}-{name}", marks=marks))
    return found


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::semigen.exceptions.ClassNameWarning")
@pytest.mark.parametrize(("names", "name"), with_models())
def test_labels_of_every_type_give_what_their_numbers_give(names, name):
    X, code = rows()
    y = named(code, names)
    wanted = with_numbers(name)
    model = clone(MODELS[name]).fit(X, pd.Series(y))
    assert model.classes_.tolist() == names
    assert_array_equal(model.predict_proba(X), wanted)
    assert {type(one) for one in model.predict(X).tolist()} == {type(names[0])}
    assert model.score(X, y) > 0.8


def with_scores_by_column(model):
    """The model with normal scores as files of format 2 have them: one record for each column."""
    for one in parts_of(model):
        if isinstance(one, PlainColumns) and one.scores_ is not None:
            scores = one.scores_
            one.scores_ = [
                SimpleNamespace(
                    values=scores.values[begin:end],
                    at=scores.at[begin:end],
                    between=scores.between[begin + j : end + j + 1],
                )
                for j, (begin, end) in enumerate(pairwise(scores.start.tolist()))
            ]
    return model


def test_models_inside_a_file_of_format_2_knew_the_classes_by_name():
    X, code = rows()
    y = named(code, ["a", "b", "c"])
    for model, inner in ((MODELS["pool"], "logistic"), (MODELS["hybrid"], None)):
        wanted = model.fit(X, y).predict(X)
        one = model.classifier_ if inner is None else model.estimators_[inner]
        assert_array_equal(one.classes_, [0, 1, 2])
        one.classes_ = np.array(["a", "b", "c"])
        found = finish(with_scores_by_column(model), 2).predict(X)
        assert_array_equal(one.classes_, [0, 1, 2])
        assert (found == wanted).mean() > 0.95  # ensembles of that format left class priors where they were


def test_many_numbers_from_0_to_1_look_like_probabilities():
    rng = np.random.default_rng(0)
    with pytest.warns(LabelWarning, match="8 distinct numbers from 0 to 1.*matrix"):
        encode(rng.choice(np.linspace(0.1, 0.8, 8), 300), None)
    encode([0.25, 0.5, 0.75, 0.25], None)  # grades
    encode(np.tile([1.5, 2.5, 3.5, 4.5, 5.5, 6.5], 9), None)


@pytest.mark.parametrize("model", [MODELS["auto"], MODELS["hybrid"], MODELS["mixture"]], ids=type)
def test_weights_that_sum_to_1_are_warned_of(model):
    X, code = rows()
    y = named(code, ["a", "b", "c"])
    with pytest.warns(LabelWarning, match="weigh 0.0.* in all.*multiply them by the number of rows"):
        model.fit(X, y, sample_weight=np.full(len(X), 1 / len(X)))
    model.fit(X, y, sample_weight=np.where([one is None for one in y], 0.01, 1.0))


def test_rows_without_any_value_carry_nothing():
    X, code = rows()
    X[7, 0] = np.nan
    y = named(code, ["a", "b", "c"])
    model = MixtureClassifier(unlabeled=None)
    wanted = model.fit(X, y).predict_proba(X)
    objective = model.objective_
    model.fit(np.vstack([X, np.full((50, 3), np.nan)]), np.append(y, [None] * 50))
    assert_allclose(model.predict_proba(X), wanted, rtol=1e-12)
    assert model.objective_ == pytest.approx(objective, rel=1e-12)


def test_probabilities_of_huge_differences_and_of_none():
    log_joint = np.array(
        [[-1e40, -1e40, -1e40], [-1e16, -1e16 - 4, -np.inf], [-np.inf] * 3, [np.nan, 0.0, 0.0]]
    )
    prior = np.log([0.5, 0.3, 0.2])
    found = np.exp(log_posterior(log_joint, prior))
    assert_allclose(found[1], [1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4)), 0])
    assert_allclose(found[[0, 2, 3]], np.exp([prior] * 3))


def test_rows_beyond_all_numbers_get_the_class_shares_and_a_warning():
    X, code = rows()
    model = MixtureClassifier(unlabeled=None).fit(X, named(code, ["a", "b", "c"]))
    with pytest.warns(ColumnWarning, match="class shares"):
        found = model.predict_proba(np.vstack([X[:1], np.full((1, 3), 1e200)]))
    assert_allclose(found[1], model.calibration_.shares)
    assert_allclose(found[:1], model.predict_proba(X[:1]), rtol=1e-12)
    with pytest.warns(ColumnWarning):
        assert model.predict(np.full((1, 3), 1e200)) == model.classes_[model.calibration_.shares.argmax()]


@pytest.mark.filterwarnings("error::semigen.exceptions.LabelWarning")
@pytest.mark.parametrize("name", MODELS)
def test_labels_in_another_order_than_the_rows_are_told(name):
    X, code = rows()
    table, y = pd.DataFrame(X).add_prefix("x"), pd.Series(named(code, ["a", "b", "c"]))
    with pytest.raises(LabelWarning, match=r"another order \(row 0 is 0 in X and \d+ in y\).*X.index"):
        clone(MODELS[name]).fit(table, y.iloc[::-1])


def test_weights_in_another_order_than_the_rows_are_told():
    X, code = rows()
    table, y = pd.DataFrame(X).add_prefix("x"), pd.Series(named(code, ["a", "b", "c"]))
    weight = pd.Series(np.linspace(1, 2, len(y)))
    with pytest.warns(
        LabelWarning, match=r"sample_weight has the index of X in another order.*sample_weight.loc"
    ):
        read_labels(y, None, weight.iloc[::-1], table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_labels(y, None, weight, table)
        read_labels(y, None, weight.iloc[::-1].to_numpy(), table)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "auto"])
def test_a_fit_forgets_the_columns_of_the_one_before(name):
    X, code = rows()
    y = named(code, ["a", "b", "c"])
    model = clone(MODELS[name]).fit(pd.DataFrame(X).add_prefix("x"), y)
    fresh = clone(model).fit(X, y)
    assert sorted(vars(model.fit(X, y))) == sorted(vars(fresh))
    if name == "safe":
        model.estimator.set_params(covariance="diag")
        model.set_params(pessimistic=True).fit(X, y)
        assert model.gain_ >= 0
        assert sorted(vars(model.set_params(pessimistic=False).fit(X, y))) == sorted(vars(fresh))


@pytest.mark.filterwarnings("error::semigen.exceptions.LabelWarning")
@pytest.mark.parametrize("index", ["the same", "none", "others", "twice the same"])
def test_labels_without_the_rows_index_go_by_position(index):
    X, code = rows()
    table, y = pd.DataFrame(X).add_prefix("x"), pd.Series(named(code, ["a", "b", "c"]))
    if index == "none":
        y = y.to_numpy()
    elif index == "others":
        y.index += 1
    elif index == "twice the same":
        table.index = y.index = [0] * len(y)
    read_labels(y, None, None, table)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name != "pool"]
)  # whose logistic regression reads numbers only
def test_warnings_point_at_the_line_that_fits(name):
    X, code = rows()
    table, y = pd.DataFrame(X).add_prefix("x"), pd.Series(named(code, ["a", "b", "c"]))
    table["day"] = [f"2024-01-{1 + j % 28:02d}" for j in range(len(table))]
    for model in (clone(MODELS[name]), make_pipeline(clone(MODELS[name]))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(table, y.iloc[::-1])
        assert {ColumnWarning, LabelWarning} <= {one.category for one in caught}
        assert {one.filename for one in caught} == {__file__}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nan", "class 'nan' .40 rows.*unlabeled='nan'"),
        ("?", "class '?' .40 rows"),
        ("N/A ", "class 'N/A ' .40 rows"),
        ("Yes ", "'Yes ' .40 rows., 'yes' .10 rows.*one spelling"),
        ("nano", None),
    ],
)
def test_names_of_classes_that_may_mean_something_else(name, said):
    y = pd.Series(["yes"] * 10 + ["no"] * 10 + [name] * 40, dtype=object)
    told = nullcontext() if said is None else pytest.warns(ClassNameWarning, match=said.replace("?'", "[?]'"))
    with told:
        assert encode(y).classes.tolist() == sorted({"yes", "no", name})


@pytest.mark.parametrize("library", [pd, pl])
def test_a_target_among_the_columns_is_told(library):
    X, code = rows()
    y = named(code, ["a", "b", "c"]).tolist()
    table = library.DataFrame({"u": X[:, 0], "kind": y})
    with pytest.warns(LabelWarning, match="X has a column 'kind', as y is called.*leave it out"):
        MixtureClassifier(unlabeled=None).fit(table, table["kind"])
    MixtureClassifier(unlabeled=None).fit(table, library.Series(y))
    MixtureClassifier(unlabeled=None).fit(table[["u"]], table["kind"])
