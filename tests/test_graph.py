"""The nearest-neighbor graph: graph features, label spreading, and the forms of rows that models share."""

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import kneighbors_graph

from semigen.columns import ReadTable, learn
from semigen.ensemble.forms import Forms
from semigen.estimators.classifiers import RidgeLogistic
from semigen.exceptions import ParameterError
from semigen.representation import (
    GraphSpreading,
    MixtureEnsembleFeatures,
    NeighborGraph,
    PlainColumns,
    neighbors,
)


@pytest.fixture
def moons():
    X, y = make_moons(1000, noise=0.06, random_state=0)
    return X, y


def spreading(graph, **options):
    return GraphSpreading(FrozenEstimator(graph), **options)


def brute_similarity(X, n_neighbors):
    distance = kneighbors_graph(X, n_neighbors, mode="distance").toarray()
    last = distance.max(axis=1, keepdims=True)
    weight = np.where(distance > 0, np.exp(-((distance / last) ** 2)), 0.0)
    weight = np.maximum(weight, weight.T)
    degree = weight.sum(axis=1)
    return weight / np.sqrt(np.outer(degree, degree)), degree


@pytest.mark.parametrize("n_rows", [40, 200])  # all eigenvectors, and the largest of many
def test_features_are_the_kernel_of_the_stated_operator(n_rows, rng):
    X = rng.normal(size=(n_rows, 3))
    similar, degree = brute_similarity(X, 6)
    graph = NeighborGraph(6, n_components=n_rows if n_rows == 40 else 30, smoothness=0.2).fit(X)
    np.testing.assert_allclose(graph.similarity(6)[0].toarray(), similar, atol=1e-12)
    value, vector = np.linalg.eigh(similar)
    kept = np.argsort(-value)[: graph.features_.shape[1]]
    shrunk = vector[:, kept] / (1 + np.maximum(1 - value[kept], 0) / 0.2)
    wanted = degree.sum() * (shrunk @ shrunk.T) / np.sqrt(np.outer(degree, degree))
    np.testing.assert_allclose(graph.features_ @ graph.features_.T, wanted, rtol=1e-5, atol=1e-5)
    if n_rows == 40:
        operator = np.eye(40) + (np.eye(40) - similar) / 0.2
        inverse = np.linalg.inv(operator @ operator) * degree.sum() / np.sqrt(np.outer(degree, degree))
        np.testing.assert_allclose(wanted, inverse, atol=1e-8)


def test_spread_labels_solve_the_stated_equation(rng):
    X = rng.normal(size=(60, 2))
    graph = NeighborGraph(8).fit(X)
    labeled, y = np.array([3, 17, 40]), np.array(["a", "b", "a"])
    found = spreading(graph, n_neighbors=4, alpha=0.8, max_iter=500).fit(graph.nearest(X[labeled]), y)
    similar, _ = brute_similarity(X, 4)
    given = np.zeros((60, 2))
    given[labeled, [0, 1, 0]] = 1
    wanted = 0.2 * np.linalg.solve(np.eye(60) - 0.8 * similar, given)
    np.testing.assert_allclose(found.spread_, wanted, atol=1e-5)


def test_two_moons_from_a_few_labels(moons):
    X, y = moons
    fresh, truth = make_moons(200, noise=0.06, random_state=1)
    labeled = np.concatenate([np.flatnonzero(y == k)[:6] for k in (0, 1)])
    graph = NeighborGraph().fit(X)
    spread = spreading(graph).fit(graph.nearest(X[labeled]), y[labeled])
    probability = spread.predict_proba(graph.nearest(fresh))
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (probability.argmax(axis=1) == truth).mean() > 0.95
    smooth = RidgeLogistic(10.0).fit(graph.transform(X[labeled]), y[labeled])
    assert (smooth.predict(graph.transform(fresh)) == truth).mean() > 0.95


def test_rows_that_no_label_reaches_have_the_shares_of_the_labels(rng):
    X = np.vstack([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 100])
    graph = NeighborGraph(5).fit(X)
    found = spreading(graph).fit(graph.nearest(X[[0, 1, 2]]), [0, 0, 1])
    np.testing.assert_allclose(found.predict_proba(graph.nearest(X[30:])), [[2 / 3, 1 / 3]] * 30)


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_tiny_and_repeated_rows(n_rows, rng):
    X = np.repeat(rng.normal(size=(1, 3)), n_rows, axis=0)
    graph = NeighborGraph().fit(X)
    assert np.isfinite(graph.transform(X)).all()
    found = spreading(graph).fit(graph.nearest(X[:1]), [1])
    np.testing.assert_allclose(found.predict_proba(graph.nearest(X)), 1)


def test_large_tables_are_sampled_and_repeat(rng):
    X = rng.normal(size=(150, 3))
    graph = NeighborGraph(max_rows=70, n_components=10).fit(X)
    assert graph.rows_.shape == (70, 3)
    assert graph.transform(X).shape == (150, 10)
    again = NeighborGraph(max_rows=70, n_components=10).fit(X)
    np.testing.assert_array_equal(again.transform(X), graph.transform(X))


def brute_nearest(there, x, k):
    distance = np.sqrt(((x[:, None] - there) ** 2).sum(axis=2))
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distance, order, axis=1), order


@pytest.mark.parametrize(
    ("make", "searched"),
    [
        (lambda rng, n: rng.normal(size=(n, 20)), False),
        (lambda rng, n: rng.normal(size=(n, 2)) * 1e-4 + 1e3, False),
        # what float32 cannot tell apart is searched again in float64
        (lambda rng, n: rng.normal(size=(n, 3)) * 1e-6 + rng.integers(2, size=(n, 1)) * 1e3, True),
        (lambda rng, n: rng.normal(size=(n, 3)) * 1e30, True),
        (lambda rng, n: rng.integers(3, size=(n, 3)).astype(float), True),
    ],
)
def test_the_nearest_rows_are_those_of_all_distances(make, searched, rng, monkeypatch):
    there = make(rng, 1003)
    x = np.vstack([there[:30], there[rng.integers(1003, size=300)] * (1 + 1e-9)])
    calls, original = [], neighbors._searched
    monkeypatch.setattr(neighbors, "_searched", lambda *given: calls.append(1) or original(*given))
    distance, row = neighbors.Search.among(there).nearest(x, 5)
    wanted, order = brute_nearest(there, x, 5)
    np.testing.assert_allclose(distance, wanted, rtol=1e-6, atol=1e-7 * np.abs(there).max())
    assert bool(calls) == searched
    if not searched:
        np.testing.assert_array_equal(row, order)


@pytest.mark.parametrize("options", [{"n_neighbors": 0}, {"n_components": 0}, {"smoothness": 0}])
def test_bad_parameters_are_named(options, rng):
    with pytest.raises(ParameterError, match=next(iter(options))):
        NeighborGraph(**options).fit(rng.normal(size=(20, 2)))


def test_forms_are_those_of_the_representations_and_computed_once(rng):
    X = rng.normal(size=(90, 4))
    mixtures = MixtureEnsembleFeatures(4, n_iter=3).fit(X)
    axes = mixtures.views_[-1].transform(X)
    forms = Forms(PlainColumns().fit(X), mixtures, NeighborGraph().fit(axes))
    rows = forms.of(ReadTable(*learn(X)))
    assert rows.table.matrix is X
    np.testing.assert_array_equal(rows.plain, forms.plain.transform(X))
    np.testing.assert_array_equal(rows.principal_axes, axes)
    np.testing.assert_array_equal(rows.responsibilities, mixtures.transform(X))
    coef = rng.normal(size=(mixtures.n_features_out_, 2))
    np.testing.assert_allclose(rows.responsibilities @ coef, mixtures.transform(X) @ coef, atol=1e-12)
    np.testing.assert_array_equal(rows.responsibilities[[3, 4]], mixtures.transform(X)[[3, 4]])
    np.testing.assert_array_equal(rows.graph_features, forms.graph.transform(axes))
    assert rows.graph_features is rows.graph_features
    some = rows[np.array([5, 7, 80])]
    assert len(some) == 3
    np.testing.assert_allclose(some.graph_features, rows.graph_features[[5, 7, 80]], atol=1e-9)
