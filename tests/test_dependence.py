"""Laws of the test whether columns are correlated in the labeled rows but not in the unlabeled ones."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, make_circles

from semigen.columns import ReadTable, learn
from semigen.evaluation.dependence import dependence_differs, separate_numbers
from semigen.representation.plain import PlainColumns

N_TRIALS = 60


def same(rows):
    return rows


def rate(draw, n_labeled):
    """How often dependence is said to differ, where the first rows are the labeled ones."""
    found = []
    for seed in range(N_TRIALS):
        X = draw(np.random.default_rng(seed))
        found.append(dependence_differs(X, np.arange(len(X)) < n_labeled, same, seed))
    return np.mean(found)


def correlated(rng, n, d=5):
    return rng.standard_normal((n, 1)) + 0.5 * rng.standard_normal((n, d))


def some(load):
    X = load().data
    return lambda rng: X[rng.permutation(len(X))]


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("n_labeled", [6, 30])
def test_shuffled_columns_are_found(load, n_labeled):
    def draw(rng):
        X = some(load)(rng)
        return np.vstack([X[:n_labeled], rng.permuted(X[n_labeled:], axis=0)])

    assert rate(draw, n_labeled) > 0.8


@pytest.mark.parametrize(
    "draw",
    [
        some(load_iris),
        lambda rng: correlated(rng, 200),
        lambda rng: rng.standard_normal((200, 5)),
        lambda rng: rng.choice([-2.0, 2.0], (200, 2)) + rng.standard_normal((200, 2)),
        lambda rng: make_circles(200, noise=0.05, factor=0.4, random_state=int(rng.integers(99)))[0],
        lambda rng: np.ones((200, 3)),
    ],
    ids=["iris", "correlated", "independent", "independent clusters", "circles", "constant"],
)
def test_rows_of_one_kind_are_seldom_apart(draw):
    assert rate(draw, 20) <= 0.15


def test_labeled_rows_that_are_chosen_are_not_apart():
    """Only the largest of correlated rows, and only rows of one of two far clusters."""
    assert rate(lambda rng: (X := correlated(rng, 300))[np.argsort(-X[:, 0])], 20) <= 0.15
    assert rate(lambda rng: np.vstack([correlated(rng, 20) + 9, correlated(rng, 200) - 9]), 20) <= 0.15


def test_labeled_rows_whose_columns_are_uncorrelated_are_not_apart():
    draw = lambda rng: np.vstack([rng.standard_normal((20, 5)), correlated(rng, 200)])  # noqa: E731
    assert rate(draw, 20) <= 0.15


@pytest.mark.parametrize(("n_labeled", "n"), [(4, 200), (20, 49), (40, 100), (0, 100), (100, 100)])
def test_too_few_rows_show_nothing(n_labeled, n):
    rng = np.random.default_rng(0)
    X = correlated(rng, n)
    X[n_labeled:] = rng.permuted(X[n_labeled:], axis=0)
    assert not dependence_differs(X, np.arange(n) < n_labeled, same, 0)


def of_frames(frame, seed, n_labeled):
    """Whether dependence is said to differ in a data frame with dates, where the first rows are labeled."""
    schema, matrix = learn(frame, {"when": "date"})
    plain = PlainColumns().fit(ReadTable(schema, matrix))
    numbers = separate_numbers(plain, schema)
    return dependence_differs(matrix, np.arange(len(frame)) < n_labeled, numbers, seed)


def dated(rng, columns):
    days = np.sort(rng.integers(0, 900, len(columns)))
    frame = pd.DataFrame(columns, columns=[f"x{j}" for j in range(columns.shape[1])])
    return frame.assign(when=pd.Timestamp("2021-01-01") + pd.to_timedelta(days, "D"))


@pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")
def test_features_of_one_date_say_nothing_of_columns():
    """Labels of the first ninth: there the sine of the year is almost a line in time, and later it is not."""
    rngs = list(map(np.random.default_rng, range(20)))
    found = [of_frames(dated(rng, rng.standard_normal((450, 3))), 0, 50) for rng in rngs]
    assert np.mean(found) <= 0.15


@pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")
def test_shuffled_columns_are_found_beside_a_date():
    def draw(rng):
        X = correlated(rng, 450)
        return dated(rng, np.vstack([X[:50], rng.permuted(X[50:], axis=0)]))

    assert np.mean([of_frames(draw(np.random.default_rng(seed)), seed, 50) for seed in range(20)]) > 0.8
