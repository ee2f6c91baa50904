"""Dask's arrays and data frames as X and y: the model of the same rows in memory."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from semigen import AutoClassifier, HybridClassifier, MixtureClassifier
from semigen.em.records import as_vector
from semigen.exceptions import ColumnError, LabelError, TableError
from semigen.families import Gaussian

distributed = pytest.importorskip("distributed")
import dask.array  # noqa: E402
import dask.bag  # noqa: E402
import dask.dataframe  # noqa: E402

from semigen.engines import DaskEngine, from_dask  # noqa: E402


def rows(n=600):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    x = rng.normal(size=(n, 3)) + 1.5 * y[:, None]
    x[::50, 1] = np.nan
    return x, np.where(rng.random(n) < 0.1, y, -1)


def frame():
    x, y = rows()
    table = pd.DataFrame(x, columns=list("abc"))
    table["color"] = pd.array(np.array(["red", "green", "blue"])[np.arange(len(x)) % 3], dtype="str")
    table.loc[599, "color"] = "violet"  # a level of the last partition
    table["kind"] = np.where(y >= 0, y.astype(str).astype(object), None)
    return table


def assert_same_fit(found, wanted):
    np.testing.assert_allclose(found.objective_path_, wanted.objective_path_, rtol=1e-10)
    np.testing.assert_array_equal(found.classes_, wanted.classes_)
    assert found.unlabeled_weight_ == pytest.approx(wanted.unlabeled_weight_, rel=1e-12)
    np.testing.assert_allclose(as_vector(found.params_), as_vector(wanted.params_), rtol=1e-9, atol=1e-9)


BRIEF = {"calibrate": 1.0, "unlabeled_weight": 1.0, "max_iter": 3, "tol": 1.0}
"""A fit of few passes: each is a few tasks."""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_array_is_fitted_as_in_memory(dtype, client):
    x, y = rows()
    x = x.astype(dtype)
    found = MixtureClassifier(Gaussian("full"), **BRIEF, engine="dask").fit(
        dask.array.from_array(x, chunks=(130, 2)), dask.array.from_array(y, chunks=130)
    )
    wanted = MixtureClassifier(Gaussian("full"), **BRIEF).fit(x, y)
    assert_same_fit(found, wanted)
    assert not hasattr(found, "feature_names_in_")
    np.testing.assert_allclose(found.predict_proba(x), wanted.predict_proba(x), atol=1e-6)  # no warning


def test_partitions_may_be_empty(client):
    """As a filter leaves them."""
    table = frame()
    parts = [table[:0], table[:300], table[:0], table[300:]]
    empty = dask.dataframe.from_map(lambda number: parts[number], range(4), meta=table[:0])
    model = MixtureClassifier(covariance="full", **BRIEF)
    found = clone(model).set_params(engine=DaskEngine(client)).fit(empty, "kind")
    assert_same_fit(found, clone(model).fit(table.drop(columns="kind"), table["kind"]))
    np.testing.assert_allclose(found.predict_proba(empty).compute(), found.predict_proba(table), atol=1e-12)
    np.testing.assert_array_equal(found.predict(empty).compute(), found.predict(table))


def test_a_data_frame_is_fitted_as_in_memory_and_predicted_where_it_is(client):
    table = frame()
    parts = dask.dataframe.from_pandas(table, npartitions=4)
    model = MixtureClassifier(covariance="full", **BRIEF, engine=DaskEngine(client))
    found = model.fit(parts, "kind")
    wanted = MixtureClassifier(covariance="full", **BRIEF).fit(table.drop(columns="kind"), table["kind"])
    fitted, in_memory = (one.predict_proba(table) for one in (found, wanted))
    np.testing.assert_allclose(fitted, in_memory, atol=1e-8)
    lazy = found.predict_proba(parts)
    assert isinstance(lazy, dask.array.Array)
    np.testing.assert_allclose(lazy.compute(), fitted, atol=1e-12)
    np.testing.assert_array_equal(found.predict(parts).compute(), found.predict(table))
    np.testing.assert_allclose(found.score_samples(parts).compute(), found.score_samples(table))
    np.testing.assert_allclose(found.predict_log_proba(parts).compute(), found.predict_log_proba(table))
    assert found.score(parts, parts["kind"]) == found.score(table, table["kind"])


def test_weights_and_labels_beside_the_rows(client):
    table = frame()
    weight = np.where(np.arange(len(table)) % 5, 1.0, 0.0)
    weight[:200] = 0.0  # of the first partition no row counts
    parts = dask.dataframe.from_pandas(table.drop(columns="kind").assign(w=weight), npartitions=3)
    y = dask.dataframe.from_pandas(table["kind"], npartitions=3)
    found = MixtureClassifier(covariance="diag", **BRIEF, engine="dask").fit(parts, y, "w")
    wanted = MixtureClassifier(covariance="diag", **BRIEF).fit(
        table.drop(columns="kind"), table["kind"], weight
    )
    np.testing.assert_allclose(found.predict_proba(table), wanted.predict_proba(table), atol=1e-8)


def test_a_column_of_the_same_files_may_be_the_labels(client, tmp_path):
    """Dask would read such a column in fewer partitions than the rows."""
    table = frame()
    for number in range(6):
        table[number::6].to_parquet(tmp_path / f"{number}.parquet", row_group_size=20)
    parts = dask.dataframe.read_parquet(tmp_path)
    assert len(parts["kind"].to_delayed()) < parts.npartitions == 6
    rest = parts.drop(columns="kind")
    found = MixtureClassifier(covariance="diag", **BRIEF, engine="dask").fit(rest, parts["kind"])
    wanted = MixtureClassifier(covariance="diag", **BRIEF, engine="dask").fit(parts, "kind")
    np.testing.assert_array_equal(as_vector(found.params_), as_vector(wanted.params_))


@pytest.mark.parametrize("of_frame", [False, True])
def test_labels_may_be_probabilities_of_classes(client, of_frame):
    x, y = rows(300)
    soft = np.where(y[:, None] < 0, np.nan, np.eye(3)[y])
    soft[np.flatnonzero(y >= 0)[::3], 1] = 0.5
    a, b = dask.array.from_array(x, chunks=(80, 3)), dask.array.from_array(soft, chunks=(80, 2))
    if of_frame:
        a, b = (
            dask.dataframe.from_dask_array(a, columns=list("abc")),
            dask.dataframe.from_dask_array(b, columns=["red", "green", "blue"]),
        )
    found = MixtureClassifier(Gaussian("full"), **BRIEF, engine="dask").fit(a, b)
    wanted = MixtureClassifier(Gaussian("full"), **BRIEF).fit(x, soft)
    np.testing.assert_allclose(as_vector(found.params_), as_vector(wanted.params_), rtol=1e-9, atol=1e-9)
    assert found.classes_.tolist() == (["red", "green", "blue"] if of_frame else [0, 1, 2])


def test_nothing_is_persisted_that_was_not_asked_for(client):
    x, y = rows(200)
    a, b = dask.array.from_array(x, chunks=(50, 3)), dask.array.from_array(y, chunks=50)
    MixtureClassifier(Gaussian("diag"), **BRIEF, engine="dask").fit(a, b)
    client.run_on_scheduler(lambda: None)
    assert not [key for keys in client.has_what().values() for key in keys if "array" in str(key)]


@pytest.mark.long
def test_the_default_fit_is_that_in_memory(client):
    """Which λ, covariance and power labels left out speak for, too."""
    table = frame()
    found = MixtureClassifier(engine="dask").fit(dask.dataframe.from_pandas(table, npartitions=4), "kind")
    wanted = MixtureClassifier().fit(table.drop(columns="kind"), table["kind"])
    assert_same_fit(found, wanted)
    assert found.posterior_power_ == pytest.approx(wanted.posterior_power_, rel=1e-6)


@pytest.mark.long
def test_rows_and_models_travel_to_other_processes(processes):
    table = frame()
    parts = dask.dataframe.from_pandas(table, npartitions=4)
    found = MixtureClassifier(covariance="full", **BRIEF, engine=DaskEngine(processes)).fit(parts, "kind")
    wanted = MixtureClassifier(covariance="full", **BRIEF).fit(table.drop(columns="kind"), table["kind"])
    lazy = found.predict_proba(parts)
    np.testing.assert_allclose(lazy.compute(), wanted.predict_proba(table), atol=1e-8)


def test_the_default_model_predicts_over_partitions(client):
    x, y = rows(300)
    model = AutoClassifier(n_mixtures=2, n_jobs=1).fit(x, y)
    parts = dask.array.from_array(x, chunks=(70, 2))
    for method in (model.predict_log_proba, model.score_samples):
        np.testing.assert_allclose(method(parts).compute(), method(x), atol=1e-12)
    lazy = model.predict_proba(parts)
    assert lazy.chunks[0] == (70, 70, 70, 70, 20)
    np.testing.assert_allclose(lazy.compute(), model.predict_proba(x), atol=1e-12)
    np.testing.assert_array_equal(
        model.predict(dask.array.from_array(x, chunks=(70, 3))).compute(), model.predict(x)
    )


def test_what_does_not_match_is_refused(client):
    x, y = rows(100)
    a = dask.array.from_array(x, chunks=(50, 3))
    with pytest.raises(LabelError, match="y must be an array or a series of Dask"):
        from_dask(a, y)
    with pytest.raises(LabelError, match=r"sample_weight must be an array .*ndarray"):
        from_dask(a, dask.array.from_array(y, chunks=50), np.ones(100))
    for fit in (partial(HybridClassifier().fit, y=y), MixtureClassifier().partial_fit):
        with pytest.raises(ColumnError, match=r"X is a collection of Dask .*: pass X.compute\(\)"):
            fit(a)
    with pytest.raises(TableError, match="y has 4 partitions and X 2"):
        from_dask(a, dask.array.from_array(y, chunks=25))
    with pytest.raises(TableError, match="partition 0: y has 40 rows and X 50"):
        next(from_dask(a, dask.array.from_array(y, chunks=((40, 60),))).batches())
    with pytest.raises(TableError, match="X has no column 'clazz'"):
        from_dask(dask.dataframe.from_pandas(frame(), npartitions=2), "clazz")


@pytest.mark.parametrize(
    "made",
    [
        lambda x: dask.bag.from_sequence([{"a": 1.0}, {"a": 2.0}]),
        dask.delayed,
        lambda x: dask.array.from_array(x)[:, 0],
        lambda x: dask.array.from_array(x).sum(),
        lambda x: dask.dataframe.from_pandas(frame(), npartitions=2)["a"],
    ],
    ids=["bag", "delayed", "column", "number", "series"],
)
def test_what_dask_computes_and_is_no_table_is_refused_with_the_cure(made):
    x, y = rows()
    model = MixtureClassifier(**BRIEF).fit(x, y)
    labels = dask.array.from_array(y)
    for call in (
        lambda X: MixtureClassifier().fit(X, labels),
        lambda X: HybridClassifier().fit(X, y),
        model.predict_proba,
        model.score_samples,
    ):
        with pytest.raises(ColumnError, match=r"of Dask and no table.*two dimensions: pass a data frame"):
            call(made(x))


@pytest.mark.parametrize("wrong", [dask.delayed, lambda y: dask.bag.from_sequence(y.tolist())])
def test_labels_that_are_no_array_of_dask_are_refused(wrong):
    x, y = rows()
    with pytest.raises(LabelError, match="y must be an array or a series of Dask"):
        MixtureClassifier().fit(dask.array.from_array(x), wrong(y))
