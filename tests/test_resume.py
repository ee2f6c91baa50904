"""Fits that are interrupted and go on."""

from __future__ import annotations

import errno

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.base import clone

import semigen
import semigen.data
from semigen import load
from semigen.columns import survey
from semigen.em.records import as_vector
from semigen.ensemble.defaults import SUPERVISED
from semigen.exceptions import CheckpointWarning, ParameterError, TableError
from semigen.families import Gaussian, Product
from semigen.mixture import checkpoints


def rows(n=1200, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n)
    means = np.array([[0, 0, 0], [2, 0, 1], [0, 2, -1.0]])
    x = means[truth] + rng.normal(size=(n, 3))
    return x, np.where(rng.random(n) < 0.05, truth, -1), truth


class StoppedError(Exception):
    """The process is killed here."""


def interrupt(monkeypatch, after):
    """Let a fit end after so many M-steps, and write checkpoints after each."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    original, steps = checkpoints.Checkpoint._climbed, 0

    def climbed(self, climb):
        nonlocal steps
        original(self, climb)
        steps += 1
        if steps == after:
            raise StoppedError

    monkeypatch.setattr(checkpoints.Checkpoint, "_climbed", climbed)


def same(one, other):
    """Arrays from a file can lie otherwise in memory, and then products are rounded otherwise."""
    np.testing.assert_allclose(as_vector(one.params_), as_vector(other.params_), rtol=1e-11, atol=1e-12)


MODEL = {"components_per_class": 2, "random_state": 0, "max_iter": 12, "tol": 1e-3}


@pytest.mark.parametrize("after", [1, 4, 10])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_interrupted_fit_ends_at_the_same_parameters(tmp_path, monkeypatch, after, dtype):
    x, y, _ = rows()
    x = x.astype(dtype)
    whole = semigen.MixtureClassifier(**MODEL).fit(x, y)
    again = semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path / "new" / "folder")
    with monkeypatch.context() as patched:
        interrupt(patched, after)
        with pytest.raises(StoppedError):
            again.fit(x, y)
    again = clone(again)
    steps = []
    monkeypatch.setattr(checkpoints.Checkpoint, "_climbed", lambda self, climb: steps.append(climb))
    again.fit(x, y)
    same(again, whole)
    np.testing.assert_allclose(again.objective_path_, whole.objective_path_, rtol=1e-13)
    assert not (tmp_path / "new" / "folder").exists()
    monkeypatch.undo()
    every = []
    monkeypatch.setattr(checkpoints.Checkpoint, "_climbed", lambda self, climb: every.append(climb))
    semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path / "other").fit(x, y)
    assert len(steps) == len(every) - after  # nothing is done twice


def test_a_checkpoint_of_another_fit_is_refused(tmp_path, monkeypatch):
    x, y, _ = rows()
    with monkeypatch.context() as patched:
        interrupt(patched, 3)
        with pytest.raises(StoppedError):
            semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path).fit(x, y)
    for other in ({"tol": 1e-4}, {"covariance": "diag"}, {"random_state": 1}):
        with pytest.raises(ParameterError, match="other rows or parameters"):
            semigen.MixtureClassifier(**{**MODEL, **other}, checkpoint=tmp_path).fit(x, y)
    moved = x.copy()
    moved[-1, -1] += 1e-9
    with pytest.raises(ParameterError, match="other rows or parameters"):
        semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path).fit(moved, y)
    semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path, verbose=0).fit(x, y)


def test_a_fit_goes_on_where_its_checkpoint_cannot_be_written(tmp_path, monkeypatch):
    x, y, _ = rows()

    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "SECONDS", 0.0)
        patched.setattr(checkpoints, "save", full)
        with pytest.warns(CheckpointWarning, match=r"fit\.semigen cannot be written: No space left.*goes on"):
            found = semigen.MixtureClassifier(**MODEL, checkpoint=tmp_path / "kept").fit(x, y)
    same(found, semigen.MixtureClassifier(**MODEL).fit(x, y))


def test_a_checkpoint_is_a_folder(tmp_path):
    x, y, _ = rows(300)
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match="is a file: name a folder"):
        semigen.MixtureClassifier(checkpoint=tmp_path / "file").fit(x, y)


def test_a_family_is_known_again(tmp_path, monkeypatch):
    """Also one that was made anew, or holds others."""
    x, y, _ = rows(300)

    def model():
        family = Product([((0, 1), Gaussian("diag")), ((2,), Gaussian("full"))])
        return semigen.MixtureClassifier(family, tol=1e-3, checkpoint=tmp_path)

    with monkeypatch.context() as patched:
        interrupt(patched, 2)
        with pytest.raises(StoppedError):
            model().fit(x, y)
    model().fit(x, y)


def test_a_fit_to_files_keeps_what_it_has_when_a_file_breaks(tmp_path, monkeypatch):
    x, y, _ = rows()
    cells = pa.array([None if one < 0 else int(one) for one in y])
    table = pa.table({**{f"c{j}": x[:, j] for j in range(3)}, "y": cells})
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    model = {**MODEL, "unlabeled": None, "checkpoint": tmp_path / "kept"}
    original, steps = checkpoints.Checkpoint._climbed, 0

    def climbed(self, climb):
        nonlocal steps
        original(self, climb)
        steps += 1
        if steps == 3:
            path.rename(tmp_path / "away")

    source = semigen.data.from_parquet(path, "y")
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoint, "_climbed", climbed)
        with pytest.raises(TableError, match="has disappeared"):
            semigen.MixtureClassifier(**model).fit(source)
    assert (tmp_path / "kept" / checkpoints.Checkpoint.name).exists()
    (tmp_path / "away").rename(path)
    found = semigen.MixtureClassifier(**model).fit(semigen.data.from_parquet(path, "y"))
    whole = semigen.MixtureClassifier(**{**model, "checkpoint": None}).fit(
        semigen.data.from_parquet(path, "y")
    )
    same(found, whole)


def stop_in(monkeypatch, call):
    """Write a checkpoint after each run of an ensemble, and end the fit in the call of this number."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    original, calls = checkpoints.Kept.run, []

    def run(self, make):
        def made():
            calls.append(self.path.name)
            if len(calls) == call:
                raise StoppedError
            return make()

        return original(self, made)

    monkeypatch.setattr(checkpoints.Kept, "run", run)
    return calls


class QuickClassifier(semigen.AutoClassifier):
    """Without what takes long."""

    _left_out = SUPERVISED[1:]


def test_an_interrupted_ensemble_goes_on_with_what_is_left(tmp_path, monkeypatch):
    x, y, _ = rows(300)
    auto = QuickClassifier(n_mixtures=4, n_jobs=1)
    whole = clone(auto).fit(x, y)
    auto.set_params(checkpoint=tmp_path / "kept")
    with monkeypatch.context() as patched:
        every = stop_in(patched, 5)
        with pytest.raises(StoppedError):
            auto.fit(x, y)
    with pytest.raises(ParameterError, match="other rows or parameters"):
        clone(auto).set_params(n_mixtures=5).fit(x, y)
    with pytest.raises(ParameterError, match="other rows or parameters"):
        clone(auto).fit(x, np.where(y == 0, -1, y))
    with monkeypatch.context() as patched:
        rest = stop_in(patched, 0)
        again = clone(auto).set_params(n_jobs=2).fit(x, y)
    assert len(every) == 5  # after mixtures, graph, all rows and a fold
    assert len(rest) == 4
    np.testing.assert_allclose(again.predict_proba(x), whole.predict_proba(x), atol=1e-12)
    assert {one.seconds > 0 for one in again.models_} == {True}
    assert not (tmp_path / "kept").exists()


def test_an_interrupted_ensemble_goes_on_with_the_pass_over_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 300)
    x, y, _ = rows(4000)
    cells = pa.array([None if one < 0 else int(one) for one in y])
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({**{f"c{j}": x[:, j] for j in range(3)}, "y": cells}), path)
    auto = QuickClassifier(n_mixtures=4, n_jobs=1, unlabeled=None)
    whole = clone(auto).fit(semigen.data.from_parquet(path, "y"))
    auto.set_params(checkpoint=tmp_path / "kept")
    with monkeypatch.context() as patched:
        interrupt(patched, 1)
        with pytest.raises(StoppedError):
            auto.fit(semigen.data.from_parquet(path, "y"))
    assert len(load(tmp_path / "kept" / checkpoints.Checkpoint.name).climb_.path) == 2
    calls = stop_in(monkeypatch, 0)
    again = clone(auto).fit(semigen.data.from_parquet(path, "y"))
    assert {*calls} == {checkpoints.Checkpoint.name, checkpoints.Kept.name}
    assert calls.count(checkpoints.Kept.name) == 1  # of the ensemble, only the mixture
    new = {f"c{j}": x[:, j] for j in range(3)}
    np.testing.assert_allclose(*(one.predict_proba(pa.table(new)) for one in (again, whole)), atol=1e-10)
    mixtures = [one.pool_.estimators_["mixture per class"] for one in (again, whole)]
    np.testing.assert_allclose(*(one.objective_path_ for one in mixtures), rtol=1e-12)
    assert mixtures[0].checkpoint is None
    assert not (tmp_path / "kept").exists()


def collection(client, x, y):
    """Rows in partitions that Dask names anew each time, as it does in another process."""
    delayed, frames = pytest.importorskip("dask").delayed, pytest.importorskip("dask.dataframe")
    table = pd.DataFrame(x, columns=list("abc")).assign(y=np.where(y < 0, None, y.astype(str)))
    parts = [delayed(table.iloc[rows : rows + 250], pure=False) for rows in range(0, len(table), 250)]
    return frames.from_delayed(parts, meta=table.iloc[:0], verify_meta=False)


def test_an_interrupted_fit_on_a_cluster_goes_on(tmp_path, monkeypatch, client):
    x, y, _ = rows(600)
    model = {
        "family": Gaussian("full"),
        "calibrate": 1.0,
        "unlabeled_weight": 1.0,
        "max_iter": 9,
        "tol": 3.5e-4,
    }
    labels = np.where(y < 0, None, y.astype(str))
    whole = semigen.MixtureClassifier(**model).fit(pd.DataFrame(x, columns=list("abc")), labels)
    model |= {"engine": "dask", "checkpoint": tmp_path / "kept"}
    with monkeypatch.context() as patched:
        interrupt(patched, 2)
        with pytest.raises(StoppedError):
            semigen.MixtureClassifier(**model).fit(collection(client, x, y), "y")
    moved = x.copy()
    moved[-1, -1] += 1e-9
    with pytest.raises(ParameterError, match="other rows or parameters"):
        semigen.MixtureClassifier(**model).fit(collection(client, moved, y), "y")
    steps = []
    monkeypatch.setattr(checkpoints.Checkpoint, "_climbed", lambda self, climb: steps.append(climb))
    found = semigen.MixtureClassifier(**model).fit(collection(client, x, y), "y")
    np.testing.assert_allclose(as_vector(found.params_), as_vector(whole.params_), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.objective_path_, whole.objective_path_, rtol=1e-11)
    assert len(steps[0].path) == 4  # the first two steps are not taken again
    assert not (tmp_path / "kept").exists()


@pytest.mark.long
def test_an_interrupted_ensemble_on_a_cluster_goes_on(tmp_path, monkeypatch, client):
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 200)
    x, y, _ = rows(900)
    auto = QuickClassifier(n_mixtures=4, n_jobs=1, unlabeled=None, engine="dask")
    whole = clone(auto).fit(collection(client, x, y), "y")
    auto.set_params(checkpoint=tmp_path / "kept")
    with monkeypatch.context() as patched:
        interrupt(patched, 1)
        with pytest.raises(StoppedError):
            auto.fit(collection(client, x, y), "y")
    calls = stop_in(monkeypatch, 0)
    again = clone(auto).fit(collection(client, x, y), "y")
    assert calls.count(checkpoints.Kept.name) == 1  # only the mixture over all rows was left
    mixtures = [one.pool_.estimators_["mixture per class"] for one in (again, whole)]
    np.testing.assert_allclose(*(one.objective_path_ for one in mixtures), rtol=1e-12)
    new = pd.DataFrame(x, columns=list("abc"))
    np.testing.assert_allclose(*(one.predict_proba(new) for one in (again, whole)), atol=1e-10)
    assert not (tmp_path / "kept").exists()
