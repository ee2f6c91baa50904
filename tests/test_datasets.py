"""Data sets: shapes and labels, and that simulated rows follow the density that the docstrings state."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, multivariate_normal, norm, poisson
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from semigen import MixtureClassifier
from semigen.columns import learn
from semigen.datasets import (
    bundled_table,
    hide_labels,
    make_gaussian_classes,
    make_misspecified,
    make_mixed,
)
from semigen.exceptions import ParameterError

SHAPES = {"iris": (150, 4, 3), "wine": (178, 13, 3), "breast_cancer": (569, 30, 2), "digits": (1797, 64, 10)}


def labeled(data):
    return np.array([label is not None for label in data.y])


@pytest.mark.parametrize("name", SHAPES)
def test_bundled_tables(name):
    n, d, k = SHAPES[name]
    data = bundled_table(name, labels_per_class=5, random_state=0)
    assert data.X.shape == (n, d)
    assert data.X.dtype == np.float64
    assert len(data.feature_names) == len(set(data.feature_names)) == d
    classes, counts = np.unique(data.y_true[labeled(data)], return_counts=True)
    assert counts.tolist() == [5] * k
    assert classes.tolist() == np.unique(data.y_true).tolist()
    assert all(a == b for a, b in zip(data.y[labeled(data)], data.y_true[labeled(data)], strict=True))
    assert all(type(label) in (str, int) for label in data.y if label is not None)
    assert data.bayes_error is None


def test_breast_cancer_names_are_not_swapped():
    data = bundled_table("breast_cancer", random_state=0)
    assert (data.y_true == "benign").sum() == 357
    assert (data.y_true == "malignant").sum() == 212
    assert data.target_name == "diagnosis"


def test_seeds():
    a, b, c = (bundled_table("wine", random_state=seed) for seed in (1, 1, 2))
    assert a.y.tolist() == b.y.tolist()
    assert a.y.tolist() != c.y.tolist()


def test_what_cannot_be_given():
    with pytest.raises(ParameterError, match="choose one of iris, wine"):
        bundled_table("boston")
    with pytest.raises(ParameterError, match="'class_2' has only 48 rows"):
        bundled_table("wine", labels_per_class=49)
    with pytest.raises(ParameterError, match="labels_per_class=0"):
        hide_labels(["a", "b"], 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_classes": 1}, "n_classes"),
        ({"n_classes": 4, "n_features": 2}, "n_features"),
        ({"n_labeled": 1}, "n_labeled"),
        ({"n_unlabeled": -1}, "n_unlabeled"),
        ({"distance": -1.0}, "distance"),
        ({"distance": float("nan")}, "distance"),
        ({"class_prior": [0.5, 0.6]}, "class_prior"),
        ({"class_prior": [1.0, 0.0]}, "class_prior"),
        ({"class_prior": [0.2, 0.3, 0.5]}, "class_prior"),
        ({"covariance": np.eye(3)}, "covariance has shape"),
        ({"covariance": -np.eye(2)}, "positive definite"),
    ],
)
def test_gaussian_classes_refuse(arguments, message):
    with pytest.raises(ParameterError, match=message):
        make_gaussian_classes(**{"n_labeled": 10, "n_unlabeled": 10, **arguments})


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_gaussian_classes_have_the_stated_moments(n_classes):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6)) + 2 * np.eye(6)
    sigma = root @ root.T
    data = make_gaussian_classes(
        50, 60_000, 6, distance=3.0, n_classes=n_classes, covariance=sigma, random_state=1
    )
    assert data.X.shape == (60_050, 6)
    assert labeled(data).tolist() == [True] * 50 + [False] * 60_000
    means = np.array([data.X[data.y_true == k].mean(axis=0) for k in range(n_classes)])
    within = np.cov((data.X - means[data.y_true]).T)
    np.testing.assert_allclose(within, sigma, atol=0.03 * np.trace(sigma))
    for j in range(n_classes):
        for k in range(j):
            gap = means[j] - means[k]
            assert np.sqrt(gap @ np.linalg.solve(sigma, gap)) == pytest.approx(3.0, abs=0.1)


def test_bayes_error_in_closed_form():
    for distance in (0.5, 2.0, 4.0):
        data = make_gaussian_classes(4, 0, distance=distance, random_state=0)
        assert data.bayes_error == pytest.approx(norm.cdf(-distance / 2), abs=1e-10)
    p, d = 0.8, 1.5
    data = make_gaussian_classes(40, 0, distance=d, class_prior=[p, 1 - p], random_state=0)
    t = np.log(p / (1 - p)) / d
    assert data.bayes_error == pytest.approx(
        p * norm.cdf(-d / 2 - t) + (1 - p) * norm.cdf(-d / 2 + t), abs=1e-10
    )
    assert make_gaussian_classes(40, 0, distance=0, class_prior=[p, 1 - p]).bayes_error == pytest.approx(
        1 - p
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_classes": 2},
        {"n_classes": 3, "class_prior": [0.6, 0.3, 0.1]},
        {"n_classes": 4, "covariance": [[2, 1, 0], [1, 2, 0], [0, 0, 1]]},
    ],
)
def test_the_right_model_reaches_the_bayes_error(arguments):
    data = make_gaussian_classes(40_000, 100_000, 3, distance=2.0, random_state=0, **arguments)
    model = LinearDiscriminantAnalysis().fit(data.X[:40_000], data.y_true[:40_000])
    error = 1 - model.score(data.X[40_000:], data.y_true[40_000:])
    assert error == pytest.approx(data.bayes_error, abs=0.005)


def test_every_class_is_labeled():
    for seed in range(20):
        data = make_gaussian_classes(3, 5, n_classes=2, class_prior=[0.95, 0.05], random_state=seed)
        assert set(data.y[:3]) == {0, 1}


def test_misspecified_rows_follow_their_density():
    data = make_misspecified(20, 20_000, 4, cluster_distance=6.0, noise=0.5, random_state=0)
    assert data.bayes_error == pytest.approx(np.arctan(0.5) / np.pi)
    cluster = np.where(data.X[:, 0] > 0, 3.0, -3.0)
    assert abs(np.corrcoef(cluster, data.y_true)[0, 1]) < 0.03
    assert kstest(data.X[:, 0] - cluster, "norm").pvalue > 1e-3
    assert all(kstest(data.X[:, j], "norm").pvalue > 1e-3 for j in (1, 2, 3))
    near = np.abs(data.X[:, 1] - 0.5) < 0.05
    assert data.y_true[near].mean() == pytest.approx(norm.cdf(1.0), abs=0.04)
    optimal = (data.X[:, 1] > 0).astype(int)
    assert np.mean(optimal != data.y_true) == pytest.approx(data.bayes_error, abs=0.01)


def test_misspecified_arguments():
    for arguments in ({"n_features": 1}, {"n_labeled": 1}, {"noise": -1}, {"cluster_distance": -1}):
        with pytest.raises(ParameterError):
            make_misspecified(**{"n_labeled": 10, "n_unlabeled": 10, **arguments})


def test_unlabeled_rows_help_the_right_model_and_hurt_the_wrong_one():
    def errors(data):
        rest = ~labeled(data)
        return [
            np.mean(
                MixtureClassifier(covariance="tied", unlabeled_weight=weight)
                .fit(data.X, data.y)
                .predict(data.X[rest])
                != data.y_true[rest]
            )
            for weight in (0.0, 1.0)
        ]

    supervised, semi = np.mean(
        [errors(make_gaussian_classes(8, 1000, 4, distance=3.0, random_state=seed)) for seed in range(8)],
        axis=0,
    )
    assert semi < supervised
    supervised, semi = np.mean(
        [errors(make_misspecified(20, 1000, random_state=seed)) for seed in range(8)], axis=0
    )
    assert semi > supervised + 0.1


# --- mixed tables


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_mixed_tables_have_every_kind_of_column_and_holes(library):
    data = make_mixed(300, 3, library=library, random_state=0)
    schema, matrix = learn(data.frame)
    assert type(data.frame).__module__.split(".")[0] == library
    assert schema.kinds == ("number",) * 3 + ("category",) * 2 + ("count", "flag")
    assert len(matrix) == len(data.y) == len(data.y_true) == len(data.posterior) == 312
    assert labeled(data)[:12].all()
    assert not labeled(data)[12:].any()
    assert data.y_true[:12].tolist() == np.repeat(range(4), 3).tolist() == data.y[:12].tolist()
    assert np.isnan(matrix).mean() == pytest.approx(0.15, abs=0.03)
    np.testing.assert_allclose(data.truth.posterior(data.frame), data.posterior, rtol=1e-12)


def test_mixed_rows_follow_their_density():
    data = make_mixed(60_000, 1, missing=0.0, class_prior=[0.4, 0.3, 0.2, 0.1], random_state=0)
    truth, y = data.truth, data.y_true
    np.testing.assert_allclose(np.bincount(y) / len(y), truth.class_prior, atol=0.01)
    for k in range(4):
        rows = data.frame[y == k]
        numbers = rows[["length", "width", "weight"]].to_numpy()
        scale = np.sqrt(np.diag(truth.covariance))
        np.testing.assert_allclose(numbers.mean(axis=0) / scale, truth.means[k] / scale, atol=0.05)
        found = np.cov(numbers.T) / np.outer(scale, scale)
        np.testing.assert_allclose(found, truth.covariance / np.outer(scale, scale), atol=0.05)
        for name, probabilities in zip(("color", "size"), truth.level_probabilities, strict=True):
            shares = rows[name].value_counts(normalize=True).sort_index()
            np.testing.assert_allclose(shares, probabilities[k], atol=0.02)
        assert rows["visits"].mean() == pytest.approx(truth.rates[k], abs=0.08)
        assert rows["visits"].var() == pytest.approx(truth.rates[k], abs=0.2)
        assert rows["member"].mean() == pytest.approx(truth.flag_probabilities[k], abs=0.02)


def test_the_posterior_of_a_mixed_row_is_bayes_rule_on_the_cells_that_are_there():
    truth = make_mixed(0, random_state=0).truth
    row = pd.DataFrame(
        {
            "length": [10.5, np.nan],
            "width": [np.nan, np.nan],
            "weight": [55.0, np.nan],
            "color": ["orange", None],
            "size": [None, None],
            "visits": [3, np.nan],
            "member": [True, None],
        }
    )
    joint = [
        truth.class_prior[k]
        * multivariate_normal(truth.means[k][[0, 2]], truth.covariance[np.ix_([0, 2], [0, 2])]).pdf(
            [10.5, 55.0]
        )
        * truth.level_probabilities[0][k, 2]
        * poisson(truth.rates[k]).pmf(3)
        * truth.flag_probabilities[k]
        for k in range(4)
    ]
    expected = [np.array(joint) / sum(joint), truth.class_prior]
    np.testing.assert_allclose(truth.posterior(row), expected, rtol=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_the_bayes_error_of_mixed_tables(missing):
    data = make_mixed(20_000, 1, missing=missing, random_state=1)
    rows = ~labeled(data)
    wrong = data.posterior[rows].argmax(axis=1) != data.y_true[rows]
    assert wrong.mean() == pytest.approx(data.bayes_error, abs=4 * np.sqrt(0.25 / rows.sum()))
    if missing:
        assert data.bayes_error > make_mixed(20_000, 1, missing=0.0, random_state=1).bayes_error + 0.05


def test_mixed_tables_of_other_sizes():
    data = make_mixed(50, 2, n_classes=7, missing=0.0, random_state=0)
    assert data.posterior.shape == (64, 7)
    assert not data.frame.isna().any().any()
    assert make_mixed(50, random_state=3).frame.equals(make_mixed(50, random_state=3).frame)
    for options, words in (
        ({"missing": 1.0}, "missing"),
        ({"n_classes": 1}, "n_classes"),
        ({"class_prior": [1.0]}, "class_prior"),
        ({"n_labeled_per_class": 0}, "n_labeled_per_class"),
    ):
        with pytest.raises(ParameterError, match=words):
            make_mixed(10, **options)
