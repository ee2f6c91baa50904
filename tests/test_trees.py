"""Trees as arrays: leaves from tables, leaves by walking, and scikit-learn's."""

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.tree

from semigen.estimators import binned, boosting, classifiers, leaves
from semigen.estimators.classifiers import BoostedTrees, ExtraTrees, TreeEnsemble
from semigen.estimators.leaves import LeafTables, Walks


def grown(n, n_classes, kind, rng):
    x = np.round(rng.normal(size=(n, 6)), 1).astype(np.float32)  # values equal to each other
    y = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)]
    return kind(20, random_state=0).fit(x, y), x


def hostile(model, rng, n=500):
    """Rows on thresholds, far away and missing."""
    x = rng.normal(size=(n, 6)).astype(np.float32)
    x[::3] = rng.choice(model.threshold_[model.feature_ >= 0], size=x[::3].shape)
    x[::7, 2] = np.nan
    x[::11] = np.inf
    return x


def nodes_of(model):
    return model.feature_, model.threshold_, model.child_, model.root_


def walked(model, x):
    """The leaves (n, trees), row by row and node by node."""
    found = np.tile(model.root_, (len(x), 1))
    for (row, tree), node in np.ndenumerate(found):
        while model.feature_[node] >= 0:
            node = model.child_[2 * node + (x[row, model.feature_[node]] <= model.threshold_[node])]
        found[row, tree] = node
    return found


@pytest.mark.parametrize(("n", "bits"), [(9, 8), (25, 16), (50, 32), (110, 64)])
@pytest.mark.parametrize("kind", [TreeEnsemble, BoostedTrees])
def test_tables_and_walks_find_the_leaves(kind, n, bits, rng):
    model, _ = grown(n, 3, kind, rng)
    x = hostile(model, rng)
    tables = LeafTables.of(*nodes_of(model))
    assert kind is BoostedTrees or [first.itemsize * 8 for first, *_ in tables.left] == [bits]
    np.testing.assert_array_equal(tables.node[tables.find(x)], walked(model, x)[:, tables.tree])
    np.testing.assert_array_equal(Walks.of(*nodes_of(model)).find(x), walked(model, x))


def test_trees_of_several_sizes_have_tables_of_their_own(rng, monkeypatch):
    monkeypatch.setattr(leaves, "FEW_TREES", 3)
    model, _ = grown(60, 3, BoostedTrees, rng)
    x = hostile(model, rng)
    tables = LeafTables.of(*nodes_of(model))
    assert [first.itemsize for first, *_ in tables.left] == [1, 2]
    assert (np.diff(tables.tree) < 0).any()
    np.testing.assert_array_equal(tables.node[tables.find(x)], walked(model, x)[:, tables.tree])
    np.testing.assert_allclose(model._sum(x), model.value_[walked(model, x)].sum(axis=1), atol=1e-12)


def test_trees_of_many_leaves_are_walked_down_as_scikit_learn_does(rng):
    model, x = grown(400, 30, TreeEnsemble, rng)
    assert LeafTables.of(*nodes_of(model)) is None
    y = np.r_[np.arange(30), np.zeros(370, dtype=int)]
    model, peer = (
        TreeEnsemble(20, random_state=0),
        sklearn.ensemble.RandomForestClassifier(20, random_state=0),
    )
    y = rng.permutation(np.arange(400) % 30)
    found = model.fit(x, y).predict_proba(x[:50])
    np.testing.assert_allclose(found, peer.fit(x, y).predict_proba(x[:50]), atol=1e-12)


@pytest.mark.parametrize("kind", [TreeEnsemble, ExtraTrees])
def test_sums_of_few_values_skip_the_others(kind, rng):
    """Leaves of one class each of thirty; extra trees add shares of all: the same sums as over all values."""
    model, _ = grown(120, 30, kind, rng)
    x = hostile(model, rng)
    _, add = model._prepared()
    assert not isinstance(add.args[0], np.ndarray)
    wanted = model.value_[walked(model, x)].mean(axis=1)
    np.testing.assert_allclose(model.predict_proba(x), wanted, atol=1e-12)


def test_trees_of_a_single_leaf(rng):
    leaf = np.full(3, -2)
    tables = LeafTables.of(leaf, np.zeros(3), np.zeros(6, dtype=np.intp), np.arange(3))
    np.testing.assert_array_equal(
        tables.find(np.ones((4, 2), dtype=np.float32)), np.tile(np.arange(3), (4, 1))
    )


def test_a_refitted_model_predicts_with_its_new_trees(rng):
    model, x = grown(50, 3, TreeEnsemble, rng)
    before = model.predict_proba(x)
    model.fit(x, rng.integers(3, size=50))
    wanted = model.value_[walked(model, x)].mean(axis=1)
    np.testing.assert_allclose(model.predict_proba(x), wanted, atol=1e-12)
    assert np.abs(before - wanted).max() > 0.1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sums_of_boosted_trees_are_those_of_their_classes(n_classes, rng):
    model, _ = grown(60, n_classes, BoostedTrees, rng)
    x = hostile(model, rng)
    np.testing.assert_allclose(model._sum(x), model.value_[walked(model, x)].sum(axis=1), atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("n_seen", [200, 25])  # of few rows nodes become leaves at all levels
def test_trees_grown_from_bins_are_those_of_sorted_rows(weighted, gaps, n_seen, rng, monkeypatch):
    """Each node sees all columns here, so nothing is drawn: scikit-learn's tree of the same rows."""
    monkeypatch.setattr(boosting, "SEEN_COLUMNS", 1.0)
    bins = rng.integers(12, size=(300, 5)) * (3 if gaps else 1)
    bins[:, 3] = 7
    target, weight = rng.normal(size=300) + bins[:, 0] % 5, rng.uniform(0.5, 2, size=300)
    if not weighted:
        weight[:] = 1.0
    seen = np.sort(rng.permutation(300)[:n_seen])
    tree, leaf = binned._Bins.of(bins, weight).grow(target, weight, seen, np.random.RandomState(0))
    peer = sklearn.tree.DecisionTreeRegressor(max_depth=4, min_samples_leaf=3)
    peer.fit(bins[seen], target[seen], sample_weight=weight[seen])
    mean = np.bincount(leaf[seen], (weight * target)[seen]) / np.bincount(leaf[seen], weight[seen]).clip(1e-9)
    rows = seen if n_seen < 100 else slice(None)  # of few rows two columns may part all alike
    np.testing.assert_allclose(mean[leaf][rows], peer.predict(bins)[rows], atol=1e-12)
    assert tree.node_count == peer.tree_.node_count
    inner = tree.feature >= 0
    np.testing.assert_array_equal(tree.children_left[inner], np.flatnonzero(inner) + 1)
    same = inner & (tree.feature == peer.tree_.feature)
    assert same[inner].mean() > 0.5
    np.testing.assert_array_equal(tree.threshold[same], np.floor(peer.tree_.threshold[same]))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_trees_of_many_rows_predict_what_their_scores_were(n_classes, rng, monkeypatch):
    """Thresholds between bins part the values as the bins did."""
    monkeypatch.setattr(classifiers, "MANY_ROWS", 100)
    x = np.round(rng.normal(size=(400, 4)), 1).astype(np.float32)
    y = (x[:, 0] > 0) + (n_classes > 2) * 2 * (x[:, 1] > 0.3)
    model = BoostedTrees(30, random_state=0).fit(x, y)
    assert (model.predict_proba(x).argmax(axis=1) == y).mean() > 0.97
    again = BoostedTrees(30, random_state=0).fit(x, y, sample_weight=np.full(400, 3.0))
    np.testing.assert_allclose(model.predict_proba(x), again.predict_proba(x), atol=1e-9)
    x[:, 2] = 1.0
    flat = BoostedTrees(5).fit(x[:, 2:3], y).predict_proba(x[:, 2:3])
    np.testing.assert_allclose(flat, np.tile(flat[0], (400, 1)), atol=1e-12)
