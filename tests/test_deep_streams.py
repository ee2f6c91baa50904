"""Rows that become tensors batch by batch: the same fit, to the last digit, and little memory beside them."""

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")

from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.data import rows as of_rows  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.deep.data.rows import (  # noqa: E402
    PartOfRows,
    TableRows,
    TensorRows,
    spread_out,
    table_rows,
    training_rows,
)

FEW = {"hidden": 8, "n_steps": 6, "batch_size": 16, "random_state": 0, "device": "cpu"}
MODELS = {
    "M2": VAEClassifier(**FEW),
    "two M2": VAEClassifier(n_members=2, patience=3, **FEW),
    "M1+M2": VAEClassifier(features=VAEFeatures(**FEW), **FEW),
    "GAN": GANClassifier(balanced_batches=True, **FEW),
    "flow": FlowMixtureClassifier(components_per_class=2, n_transforms=1, bins=3, **FEW),
}


@pytest.fixture
def numbers(rng):
    X = (rng.normal(size=(90, 4)) + np.repeat([[0.0], [3.0]], 45, axis=0)).astype(np.float32)
    return X, np.where(np.arange(90) % 3 == 0, np.arange(90) // 45, -1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_a_streamed_fit_is_the_fit_in_memory(name, numbers, rng, tmp_path, monkeypatch):
    """From a memory map, too."""
    X, y = numbers
    if name != "flow":
        X[rng.random(X.shape) < 0.1] = np.nan
    wanted = clone(MODELS[name]).fit(X, y)
    np.save(tmp_path / "X.npy", X)
    monkeypatch.setattr(of_rows, "IN_MEMORY", 0)
    monkeypatch.setattr(of_rows, "ROWS_PER_BLOCK", 32)
    found = clone(MODELS[name]).fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    # the calibration looks at predictions block by block, which round differently
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X), rtol=1e-12)
    for part, values in wanted.history_.items():
        np.testing.assert_array_equal(found.history_[part], values)


def test_large_tables_stay_where_they_are(numbers, monkeypatch):
    X, _ = numbers
    table, matrix = tables.learn(X)
    index = np.arange(10, 90)
    assert np.shares_memory(matrix, X)
    assert isinstance(training_rows(table, matrix, index), TensorRows)
    monkeypatch.setattr(of_rows, "IN_MEMORY", len(index) * 4 - 1)
    streamed = training_rows(table, matrix, index)
    assert isinstance(streamed, TableRows)
    assert streamed.matrix is matrix
    some = PartOfRows(streamed, torch.tensor([0, 1, 5]))
    assert some.rows is streamed
    assert some.n_rows == 3
    assert torch.equal(some.take(torch.tensor([[2], [0]])).x, streamed.take(torch.tensor([[5], [0]])).x)
    assert torch.equal(some.y, streamed.y[[0, 1, 5]])
    assert table_rows(table, matrix).matrix is matrix


def test_rows_are_made_block_by_block(mixed, monkeypatch):
    """All at once, in blocks, and one batch for several members are the same values."""
    table, matrix = tables.learn(mixed[0])
    rows = table_rows(table, matrix)
    whole = rows.take(slice(None))
    monkeypatch.setattr(of_rows, "ROWS_PER_BLOCK", 50)
    for one, other in zip(rows.held(), whole, strict=True):
        assert torch.equal(one, other)
    index = torch.tensor([[3, 1, 200], [5, 5, 0]])
    for one, other in zip(rows.take(index), whole, strict=True):
        assert torch.equal(one, other[index])
    np.testing.assert_array_equal(spread_out(rows, 3).x, whole.x[[0, 119, 239]])
    assert spread_out(rows, 1000).n_rows == 240


def test_moments_of_blocks_are_those_of_all_rows(rng, monkeypatch):
    X = rng.normal(3.0, 2.0, size=(500, 3))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 2] = 7.0
    monkeypatch.setattr(tables, "_ROWS_PER_BLOCK", 64)
    mean, sd = tables._moments(X)
    np.testing.assert_allclose(mean, np.nanmean(X, axis=0))
    np.testing.assert_allclose(sd, [*np.nanstd(X, axis=0)[:2], 1.0])


def test_held_out_rows_are_not_too_many(monkeypatch):
    monkeypatch.setattr(of_rows, "MOST_HELD_OUT", 4)
    x = torch.zeros(90, 2)
    rows = of_rows.rows_to_predict(x, torch.ones(90, 1))
    kept, held = of_rows.hold_out(rows.take(slice(0)), rows, seed=0)
    assert (kept.n_rows, held.unlabeled.n_rows) == (86, 4)


def test_layers_of_a_gan_start_at_some_rows(numbers, monkeypatch):
    from semigen.deep.gan import classifier

    seen = []
    monkeypatch.setattr(classifier, "START_ROWS", 20)
    start = classifier.GAN.start
    monkeypatch.setattr(
        classifier.GAN, "start", lambda self, x, mask: (seen.append(len(x)), start(self, x, mask))
    )
    clone(MODELS["GAN"]).set_params(unlabeled_weight=1.0, calibrate=1.0).fit(*numbers)
    assert seen == [20]
