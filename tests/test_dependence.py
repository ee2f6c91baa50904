"""Laws of the test whether columns are correlated in the labeled rows but not in the unlabeled ones."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, make_circles

from semigen.evaluation.dependence import dependence_differs

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
