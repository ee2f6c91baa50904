"""Labels for the unlabeled rows that deep models start from."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

pytest.importorskip("torch")

from semigen.deep import labelers


def moons(n, noise, seed):
    return make_moons(n, noise=noise, random_state=seed)


def with_two_labels(truth, rng):
    y = np.full(len(truth), -1)
    for k in (0, 1):
        y[rng.choice(np.flatnonzero(truth == k), 2, replace=False)] = k
    return y


def test_spread_labels_solve_the_equations_of_label_spreading(rng):
    x = rng.normal(size=(80, 3))
    code = np.where(np.arange(80) < 15, np.arange(80) % 3, -1)
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    np.fill_diagonal(distance, np.inf)
    reach = np.sort(distance, axis=1)[:, 4:5]
    weight = np.where(distance <= reach, np.exp(-((distance / reach) ** 2)), 0.0)
    weight = np.maximum(weight, weight.T)
    root = np.sqrt(weight.sum(axis=1))
    given = (code[:, None] == np.arange(3)).astype(float)
    exact = np.linalg.solve(np.eye(80) - 0.9 * weight / root / root[:, None], given)
    found = labelers.spread_labels(x, code)
    np.testing.assert_array_equal(found[15:], exact.argmax(axis=1)[15:])
    np.testing.assert_array_equal(found[:15], code[:15])


def test_rows_that_no_label_reaches_take_that_of_the_nearest(rng):
    x = np.concatenate([rng.normal(size=(20, 2)) + far for far in (0, 100, 240)])
    code = np.full(60, -1)
    code[[0, 59]] = 0, 1
    np.testing.assert_array_equal(labelers.spread_labels(x, code), np.repeat([0, 0, 1], 20))
    np.testing.assert_array_equal(labelers.spread_labels(x[:1], code[:1]), [0])
    np.testing.assert_array_equal(labelers.spread_labels(x[:20], np.zeros(20, dtype=int)), np.zeros(20))


def test_labels_grow_along_dense_rows(rng):
    for seed in range(3):
        X, truth = moons(500, 0.05, seed)
        y = with_two_labels(truth, rng)
        np.testing.assert_array_equal(labelers.grow_labels(X, y), truth)
    # One island without a label, which no neighbor links to another: it takes the nearest one.
    x = np.concatenate(
        [rng.normal(size=(60, 1)), rng.normal(size=(60, 1)) + 40, rng.normal(size=(60, 1)) + 100]
    )
    y = np.full(180, -1)
    y[3], y[150] = 0, 1
    np.testing.assert_array_equal(labelers.grow_labels(x, y), np.repeat([0, 0, 1], 60))
    np.testing.assert_array_equal(labelers.grow_labels(x[:2], np.array([1, -1])), [1, 1])


def test_of_many_rows_some_are_enough_to_grow_along(rng, monkeypatch):
    X, truth = moons(1500, 0.05, 0)
    y = with_two_labels(truth, rng)
    monkeypatch.setattr(labelers, "MOST_ROWS", 500)
    for labels in (y, truth):
        np.testing.assert_array_equal(labelers.start_labels(X, labels, "density", 0), truth)
    many = np.where(np.arange(1500) < 700, truth, -1)
    assert (labelers.start_labels(X, many, "density", 0) == truth).mean() > 0.98


def test_held_out_labels_choose_how_labels_are_spread(rng):
    X, truth = moons(300, 0.05, 0)
    y = np.where(np.arange(300) < 20, truth, -1)
    assert labelers.choose_start(X, y, 0).start == "density"
    truth = np.arange(300) % 2
    X = rng.normal(size=(300, 12)) * np.where(truth, 1.0, 3.0)[:, None]  # one class within the other
    y = np.where(np.arange(300) < 20, truth, -1)
    assert labelers.choose_start(X, y, 0).start == "mixture"
    found = labelers.start_labels(X, y, "mixture", 0)
    assert (found == truth).mean() > 0.9
    assert (labelers.grow_labels(X, y) == truth).mean() < 0.7
    np.testing.assert_array_equal(found[:20], truth[:20])
    assert labelers.choose_start(X[:2], np.array([1, -1]), 0).start == "density"  # none to hold out
