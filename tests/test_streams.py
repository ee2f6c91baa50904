"""Rows that arrive in batches, and labels that come later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

import semigen
from hostile.model_files import with_array
from semigen.data.weights import estimated_shares
from semigen.em import Data
from semigen.em.records import as_vector
from semigen.exceptions import ColumnError, ColumnWarning, LabelError, ModelFileError, ParameterError


def rows(n=1200, seed=0, shift=0.0, share=None):
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=share)
    means = np.array([[0, 0, 0], [2, 0, 1], [0, 2, -1.0]])
    x = means[truth] + shift + rng.normal(size=(n, 3))
    return x, np.where(rng.random(n) < 0.05, truth, -1), truth


STREAM = {"covariance": "full", "unlabeled_weight": 1.0, "random_state": 0}


def objective(model, x, y):
    """Nats per row of all rows under the prior-free model."""
    from semigen.em import e_step

    data = model._scored(x, y, None)
    return e_step(model.mixture_, model.params_, data).log_lik / len(x)


def test_batches_come_near_the_fit_to_all_rows():
    x, y, truth = rows(16_000, seed=1)
    whole = semigen.MixtureClassifier(**STREAM).fit(x, y)
    stream = semigen.MixtureClassifier(**STREAM)
    for part in np.array_split(np.arange(16_000), 16):
        stream.partial_fit(x[part], y[part])
    assert abs(objective(stream, x, y) - objective(whole, x, y)) < 0.01
    assert abs((stream.predict(x) != truth).mean() - (whole.predict(x) != truth).mean()) < 0.005
    first = semigen.MixtureClassifier(**STREAM).fit(x[:1000], y[:1000])
    assert objective(stream, x, y) > objective(first, x, y) + 0.003
    assert sum(one.n_labeled for one in stream.stream_.reports) == (y >= 0).sum()
    known = stream.stream_.labeled.weight.sum()
    assert known == pytest.approx((y >= 0).sum())  # exactly, whatever the steps


def test_the_order_of_batches_barely_matters():
    x, y, _ = rows(8000)
    parts = np.array_split(np.arange(8000), 8)

    def fitted(order):
        model = semigen.MixtureClassifier(**STREAM)
        for number in (0, *order):
            model.partial_fit(x[parts[number]], y[parts[number]])
        return objective(model, x, y)

    assert abs(fitted(range(1, 8)) - fitted(range(7, 0, -1))) < 0.003


def test_all_batches_weigh_alike_with_kappa_1():
    x, y, _ = rows(3000)
    model = semigen.MixtureClassifier(**STREAM)
    for part in np.array_split(np.arange(3000), 3):
        model.partial_fit(x[part], y[part], kappa=1.0)
    assert [one.step for one in model.stream_.reports] == [1.0, pytest.approx(1 / 2), pytest.approx(1 / 3)]


def test_drift_is_reported_and_followed():
    model = semigen.MixtureClassifier(**STREAM)
    for seed in range(4):
        model.partial_fit(*rows(1000, seed)[:2])
    assert abs(model.stream_.reports[-1].z) < 4
    assert model.stream_.reports[-1].share_change < 0.06
    x, y, _ = rows(1000, 9, shift=1.5)
    model.partial_fit(x, None)
    assert model.stream_.reports[-1].z < -10
    x, y, _ = rows(1000, 10, share=[0.8, 0.1, 0.1])
    model.partial_fit(x, np.full(1000, -1))
    assert model.stream_.reports[-1].share_change > 0.2
    before = model.means_.copy()
    for seed in range(20, 40):
        x, y, _ = rows(1000, seed, shift=1.5)
        model.partial_fit(x, y, forget=0.3)
    assert model.stream_.labeled.weight.sum() < 300  # the labels of about three batches
    assert np.abs(model.means_ - before).mean() > 0.8


def test_a_first_batch_without_a_label_is_told():
    x = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(LabelError, match="no row of the first batch has a label"):
        semigen.MixtureClassifier(**STREAM).partial_fit(x, None, classes=[0, 1])
    with pytest.raises(LabelError, match="only one class") as refused:
        semigen.MixtureClassifier(**STREAM).partial_fit(x, np.zeros(len(x), dtype=int))
    assert "partial_fit(X, y, classes=[...])" in refused.value.__notes__[0]


def test_a_column_without_a_value_in_the_first_batch_is_told():
    x, y, _ = rows(300, 0)
    x[:100, 1] = np.nan
    model = semigen.MixtureClassifier(**STREAM)
    with (
        pytest.warns(ColumnWarning, match="says nothing"),
        pytest.raises(ColumnError, match="column 1 has no value in the rows of the first batch"),
    ):
        model.partial_fit(x[:100], y[:100], classes=[0, 1, 2])
    model.partial_fit(x, y)
    assert model.stream_.n_batches == 1


def test_predictions_of_a_stream_know_the_shares_and_the_power_of_all_its_labels():
    x, y, _ = rows(3000, 0)
    for calibrate in ("auto", 1.0):
        model = semigen.MixtureClassifier(**{**STREAM, "calibrate": calibrate})
        for part in (slice(0, 1000), slice(1000, 3000)):
            model.partial_fit(x[part], y[part])
        count = np.bincount(np.asarray(y[y >= 0], dtype=int)).astype(float)
        wanted = estimated_shares(count) if calibrate == "auto" else model.class_prior_
        np.testing.assert_allclose(model.calibration_.shares, wanted, rtol=1e-9)


def test_classes_can_be_named_before_they_are_seen_and_labels_left_out():
    x, y, truth = rows(2000)
    first = np.where(y[:1000] == 2, -1, y[:1000])
    model = semigen.MixtureClassifier(**STREAM).partial_fit(x[:1000], first, classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    for _ in range(3):
        model.partial_fit(x[1000:], y[1000:])
    assert (model.predict(x) == truth).mean() > 0.7


def test_a_stream_goes_on_from_a_file(tmp_path):
    x, y, _ = rows(2000)
    model = semigen.MixtureClassifier(**STREAM).partial_fit(x[:1000], y[:1000])
    semigen.save(model, tmp_path / "m.semigen")
    other = semigen.load(tmp_path / "m.semigen")
    for one in (model, other):
        one.partial_fit(x[1000:], y[1000:])
    np.testing.assert_array_equal(as_vector(model.params_), as_vector(other.params_))


def test_labels_that_come_later_are_folded_in():
    x, y, truth = rows(3000)
    model = semigen.MixtureClassifier(**STREAM)
    for part in np.array_split(np.arange(3000), 3):
        model.partial_fit(x[part], y[part])
    known, waiting = model.stream_.labeled.weight.sum(), model.stream_.unlabeled_weight
    late = np.flatnonzero(y < 0)[:200]
    model.partial_fit(x[late], truth[late], seen=True)
    assert model.stream_.labeled.weight.sum() == pytest.approx(known + 200)
    assert model.stream_.unlabeled_weight == pytest.approx(waiting - 200)
    total = np.exp(model.params_.log_group[0])
    assert total.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", [{"kappa": 0.5}, {"kappa": 1.1}, {"n0": -1}, {"forget": 1.0}])
def test_steps_out_of_bounds_are_refused(wrong):
    x, y, _ = rows(300)
    with pytest.raises(ParameterError):
        semigen.MixtureClassifier(**STREAM).partial_fit(x, y, **wrong)


def test_a_fit_ends_the_stream():
    x, y, _ = rows(600)
    model = semigen.MixtureClassifier(**STREAM).partial_fit(x, y).fit(x, y)
    assert isinstance(model._scored(x, y, None), Data)
    model.partial_fit(x, y)
    assert len(model.stream_.reports) == 1


def batches(model, x, y, names, n=3, **options):
    for part in np.array_split(np.arange(len(y)), n):
        model.partial_fit(x[part], y[part], keys=names[part], **options)
    return model


def words(n=900):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, n)
    rate = np.where(np.arange(12) < 6, 2.0, 0.5)
    x = rng.poisson(np.where(truth[:, None], rate, rate[::-1])).astype(float)
    return csr_array(x), np.where(rng.random(n) < 0.05, truth, -1), truth


KEPT = {
    "numbers": (STREAM, lambda: rows(900)),
    "single precision": (STREAM, lambda: (rows(900)[0].astype(np.float32), *rows(900)[1:])),
    "documents": ({"unlabeled_weight": 0.5, "family": "multinomial"}, words),
}


@pytest.mark.parametrize("name", KEPT)
def test_labels_by_key_are_those_of_rows_that_the_caller_kept(tmp_path, name):
    settings, made = KEPT[name]
    x, y, truth = made()
    weight, names = np.where(np.arange(900) % 2, 1.0, 3.0), np.arange(900) * 7
    by_key, by_row = semigen.MixtureClassifier(**settings), semigen.MixtureClassifier(**settings)
    for part in np.array_split(np.arange(900), 3):
        by_key.partial_fit(x[part], y[part], weight[part], keys=names[part])
        by_row.partial_fit(x[part], y[part], weight[part])
    rest = np.flatnonzero(y < 0)
    semigen.save(by_key, tmp_path / "m.semigen")
    by_key = semigen.load(tmp_path / "m.semigen")
    assert by_key.stream_.waiting.x.dtype == x.dtype
    for late in (rest[100:9:-1], rest[:10]):
        by_key.add_labels(pd.Series(names[late]), truth[late])
        by_row.partial_fit(x[late], truth[late], weight[late], seen=True)
    one, other = by_key.stream_, by_row.stream_
    for record in ("labeled", "unlabeled"):
        mine, theirs = (as_vector(getattr(of, record)) for of in (one, other))
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10)
    assert one.unlabeled_weight == pytest.approx(other.unlabeled_weight, rel=1e-12)
    np.testing.assert_allclose(*(as_vector(one.params_) for one in (by_key, by_row)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(by_key.predict_proba(x), by_row.predict_proba(x), atol=1e-6)
    assert by_key.stream_.waiting.keys.tolist() == names[rest[101:]].tolist()


def test_the_oldest_rows_are_forgotten():
    x, y, _ = rows(900)
    names = np.array([f"n{i}" for i in range(900)])
    model = batches(semigen.MixtureClassifier(**STREAM), x, y, names, remember=250)
    rest = np.flatnonzero(y < 0)
    assert model.stream_.waiting.keys.tolist() == names[rest[-250:]].tolist()
    np.testing.assert_array_equal(model.stream_.waiting.x, x[rest[-250:]])
    before = model.stream_
    with pytest.raises(ParameterError, match=r"kept under 1 of 2 keys, the first is 'n0'.*seen=True"):
        model.add_labels(["n0", names[rest[-1]]], [0, 1])
    assert model.stream_ is before
    model.partial_fit(x[:50], None, keys=[f"m{i}" for i in range(50)], remember=100)
    assert model.stream_.waiting.keys.tolist() == [*names[rest[-50:]], *(f"m{i}" for i in range(50))]
    model.partial_fit(x[:50], None, remember=0)
    assert model.stream_.waiting is None


def test_rows_without_a_label_yet_go_on_waiting():
    x, y, truth = rows(300)
    model = semigen.MixtureClassifier(**STREAM).partial_fit(x, y, keys=range(300))
    some = np.flatnonzero(y < 0)[:4]
    waiting = len(model.stream_.waiting)
    model.add_labels(some, [None] * 4)
    assert (len(model.stream_.waiting), len(model.stream_.reports)) == (waiting, 1)
    model.add_labels(some, [truth[some[0]], None, -1, truth[some[3]]])
    assert len(model.stream_.waiting) == waiting - 2
    with pytest.raises(ParameterError, match="already"):
        model.add_labels(some[:1], truth[some[:1]])


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (range(7), r"shape \(7,\), but there are 600 rows"),
        ([[i] for i in range(600)], r"shape \(600, 1\)"),
        ([0, *range(599)], "0 is the key of 2 rows"),
        (np.linspace(0, 1, 600), "whole numbers or all be text, not 0.0"),
        (["a", *range(599)], "not 'a'"),
        ([2**70, *range(599)], "64 bits"),
        (range(500, 1100), "100 of 600 rows came before, the first is 500"),
        ([str(i) for i in range(600)], "'0' is of another type than"),
    ],
)
def test_keys_that_name_no_row_or_several_are_refused(keys, says):
    x, _, _ = rows(600)
    y = np.where(np.arange(600) < 6, np.arange(600) % 3, -1)
    model = semigen.MixtureClassifier(**STREAM).partial_fit(x, y, keys=range(600))
    before = model.stream_
    with pytest.raises(ParameterError, match=says):
        model.partial_fit(x, y, keys=keys)
    assert model.stream_ is before


def test_labels_of_a_stream_without_keys_are_refused():
    x, y, _ = rows(300)
    for model in (semigen.MixtureClassifier(**STREAM), semigen.MixtureClassifier(**STREAM).partial_fit(x, y)):
        with pytest.raises(ParameterError, match="Name rows when they come"):
            model.add_labels([1], [0])


@pytest.mark.parametrize("batch", [0, 1])
def test_a_batch_of_labeled_rows_moves_no_mean_of_unlabeled_ones(batch):
    x, _, truth = rows(900)
    parts = np.array_split(np.arange(900), 3)
    model = semigen.MixtureClassifier(**STREAM)
    for number, part in enumerate(parts):
        y = truth if number == batch else np.where(np.arange(900) % 25, -1, truth)
        model.partial_fit(x[part], y[part], kappa=1.0, n0=3)
    steps = [one.step for one in model.stream_.reports]
    assert [one for number, one in enumerate(steps) if number != batch] == [1.0, pytest.approx(1 / 4)]
    assert model.stream_.unlabeled.weight.sum() == pytest.approx(1.0)  # a mean


@pytest.mark.parametrize(
    ("made", "attribute", "function"),
    [
        (rows, "weight", lambda weight: weight[1:]),
        (rows, "keys", lambda keys: keys.astype(float)),
        (rows, "cells", lambda cells: cells[1:]),
        (words, "columns", lambda columns: columns + 10**6),
        (words, "ends", lambda ends: ends[::-1]),
    ],
)
def test_waiting_rows_of_a_stranger_are_checked(tmp_path, made, attribute, function):
    x, y, _ = made(300)
    model = semigen.MixtureClassifier(family="auto" if made is rows else "multinomial")
    semigen.save(model.partial_fit(x, y, keys=range(300)), tmp_path / "m")
    semigen.load(with_array(tmp_path / "same", tmp_path / "m", "WaitingRows", attribute, lambda array: array))
    path = with_array(tmp_path / "n", tmp_path / "m", "WaitingRows", attribute, function)
    with pytest.raises(ModelFileError, match="cannot be rebuilt"):
        semigen.load(path)
