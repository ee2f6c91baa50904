"""Tables that Dask's workers read, files and partitions: surveyed and fitted there, and what can go wrong."""

import os
import signal
import threading
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, dataset, parquet

import semigen
import semigen.data
from semigen.columns.survey import learn_source
from semigen.exceptions import LabelError, TableError
from test_sources import N_ROWS, damaged, leaves, table, written

distributed = pytest.importorskip("distributed")
import dask.array  # noqa: E402
import dask.dataframe  # noqa: E402
from dask.delayed import delayed  # noqa: E402

from semigen.engines import DaskEngine, TorchEngine, from_dask  # noqa: E402
from semigen.engines.collections import DaskSource  # noqa: E402

BRIEF = {"covariance": "full", "calibrate": 1.0, "unlabeled_weight": 1.0, "max_iter": 3, "tol": 1.0}
"""A fit of few passes: each is a few tasks."""


def model(**options):
    return semigen.MixtureClassifier(unlabeled=None, random_state=0, **{**BRIEF, **options})


def source(folder, rows, **options):
    return semigen.data.from_parquet(written(folder, rows), "y", batch_rows=150, **options)


@pytest.mark.parametrize("kind", [{}, {"missing": True}, {"weighted": True}], ids=str)
def test_a_fit_to_files_that_workers_read_is_that_of_threads(tmp_path, client, kind):
    files = source(tmp_path, table(**kind), weight="w" if kind.get("weighted") else None)
    wanted = model().fit(files)
    found = model(engine=DaskEngine(client, 400)).fit(files)
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.objective_path_, wanted.objective_path_, rtol=1e-12)


def test_a_fit_on_a_device_reads_files_too(tmp_path):
    pytest.importorskip("torch")
    files = source(tmp_path, table())
    wanted = model().fit(files)
    for keep in (True, False):
        found = model(engine=TorchEngine("cpu", 200, keep)).fit(files)
        np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-10, atol=1e-10)


def test_a_task_gets_a_path_and_row_groups(tmp_path, client):
    files = source(tmp_path, table(), drop=["c3"])
    pieces = files.split(400)
    assert [[group for group, _ in one.parts[0].groups] for one in pieces] == [[0, 1], [2, 3], [0, 1], [2, 3]]
    assert [os.path.basename(one.parts[0].path) for one in pieces] == ["a.parquet"] * 2 + ["b.parquet"] * 2
    assert [len(next(one.tables()).column_names) for one in pieces] == [3] * 4
    assert len(files.split(1)) == 8
    assert [len(b.code) for one in pieces for b in one.batches()] == [len(b.code) for b in files.batches()]
    placed = DaskEngine(client, 400).placed(files)
    assert isinstance(placed, DaskSource)
    assert placed.n_pieces == 4
    assert placed.fingerprint == files.fingerprint


def test_paths_are_whole_and_other_formats_are_read_file_by_file(tmp_path, monkeypatch, client):
    rows = table(mixed=True)
    csv.write_csv(rows, tmp_path / "t.csv")
    monkeypatch.chdir(tmp_path)
    (piece,) = semigen.data.from_files("t.csv", "y").split(10)
    assert piece.parts[0].path == str(tmp_path / "t.csv")
    found, wanted = (model(engine=one).fit(piece) for one in (DaskEngine(client, 400), None))
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-10, atol=1e-10)


def test_rows_of_a_filtered_dataset_are_sent_to_the_workers(tmp_path, client):
    written(tmp_path, table())
    filtered = dataset.dataset(tmp_path).filter(dataset.field("c0") > 0)
    files = semigen.data.from_files(filtered, "y")
    assert files.split(100) == []
    found, wanted = (model(engine=one).fit(files) for one in (DaskEngine(client, 400), None))
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-10, atol=1e-10)


def assert_same_survey(found, wanted):
    assert found.schema == wanted.schema
    rows, others = found.rows, wanted.rows
    np.testing.assert_array_equal(rows.labels.classes, others.labels.classes)
    np.testing.assert_array_equal(rows.of_label, others.of_label)
    np.testing.assert_allclose(rows.total, others.total, rtol=1e-14)
    np.testing.assert_array_equal(rows.missing, others.missing)
    np.testing.assert_array_equal(rows.sample.x, others.sample.x)
    np.testing.assert_array_equal(rows.sample.labels.pattern, others.sample.labels.pattern)
    np.testing.assert_array_equal(rows.sample.weight, others.sample.weight)
    some = np.arange(0, rows.n_rows, 7)[::-1]
    np.testing.assert_array_equal(rows.take(some).x, others.take(some).x)


@pytest.mark.parametrize(
    "kind", [{"mixed": True, "missing": True}, {"missing": True}, {"weighted": True}], ids=str
)
def test_the_survey_of_pieces_is_that_of_the_whole(tmp_path, client, monkeypatch, kind):
    """Levels, missing values, weights, silent rows, and which rows are drawn."""
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 90)
    files = source(tmp_path, table(**kind), weight="w" if kind.get("weighted") else None)
    wanted = learn_source(files, None, None)
    assert (~wanted.rows.sample.labels.is_labeled).sum() >= 80  # drawn; some may have no value
    for most_rows in (1, 400):
        found = learn_source(DaskEngine(client, most_rows).placed(files), None, None)
        assert_same_survey(found, wanted)
        assert found.rows.count.shape[0] == len(files.split(most_rows))


def test_partitions_are_surveyed_where_they_are(client, monkeypatch):
    """Only labeled rows, a sample and starts come here: never a partition."""
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 120)
    monkeypatch.setattr(DaskSource, "batches", None)
    rows = table(mixed=True).to_pandas()
    parts = dask.dataframe.from_pandas(rows, npartitions=12)
    come = []
    gather = client.gather
    monkeypatch.setattr(client, "gather", lambda futures: come.append(gather(futures)) or come[-1])
    found = model(engine=DaskEngine(client), components_per_class=2).fit(parts, "y")
    surveys = [one for results in come for one in results if type(one).__name__ == "_Survey"]
    assert [len(one.facts) for one in surveys[0].reservoirs] == [120, rows["y"].notna().sum()]
    assert len(surveys) == 1
    wanted = model(components_per_class=2).fit(rows.drop(columns="y"), rows["y"])
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-8, atol=1e-8)


def test_labels_judge_in_this_process(tmp_path, client, monkeypatch):
    """Fits without some labeled rows are of few rows, which are not sent to the workers."""
    files = source(tmp_path, table())
    sent = []
    scatter = client.scatter
    monkeypatch.setattr(
        client, "scatter", lambda blocks, **how: sent.append(blocks) or scatter(blocks, **how)
    )
    found, wanted = (
        model(engine=one, calibrate="auto").fit(files) for one in (DaskEngine(client, 400), None)
    )
    assert found.posterior_power_ == pytest.approx(wanted.posterior_power_, rel=1e-6)
    n_labeled = N_ROWS - table()["y"].null_count
    assert {len(one.weight) for blocks in sent for one in blocks} == {n_labeled}


def test_levels_of_categoricals_may_differ_between_partitions(client):
    rows = table(mixed=True).to_pandas()
    half = [rows.iloc[:700].assign(color="red"), rows.iloc[700:]]
    parts = dask.dataframe.from_delayed(
        [delayed(one.assign(color=one["color"].astype("category"))) for one in half],
        meta=rows.iloc[:0].assign(color=pd.Categorical([])),
        verify_meta=False,
    )
    whole = pd.concat(half)
    found = learn_source(from_dask(parts, "y"), None, None)
    assert found.schema.levels[found.schema.names.index("color")] == ("blue", "green", "red")
    fitted = model(covariance="diag", engine=DaskEngine(client)).fit(parts, "y")
    wanted = model(covariance="diag").fit(whole.drop(columns="y"), whole["y"])
    np.testing.assert_allclose(leaves(fitted.params_), leaves(wanted.params_), rtol=1e-9, atol=1e-9)


# What can go wrong


def count(block):
    return len(block.rows)


def test_an_unreadable_row_group_is_named_with_its_worker(tmp_path, client):
    files = source(tmp_path, table())
    damaged(tmp_path / "b.parquet", 2)
    with pytest.raises(TableError, match=r"b\.parquet, row group 2 cannot be read.* on the worker "):
        model(engine=DaskEngine(client, 200)).fit(files)


@pytest.mark.parametrize("how", ["gone", "other"])
def test_a_file_that_changes_between_passes_is_named_with_its_worker(tmp_path, client, how):
    engine = DaskEngine(client, 200)
    rows = learn_source(engine.placed(source(tmp_path, table())), None, None).rows
    if how == "gone":
        (tmp_path / "b.parquet").unlink()
    else:
        parquet.write_table(table(seed=1).slice(0, 100), tmp_path / "b.parquet")
    what = r"b\.parquet has (disappeared|changed) since .*each must see them under these paths"
    with pytest.raises(TableError, match=what):
        engine.map_blocks(count, rows)
    with pytest.raises(TableError, match=what):
        rows.take(np.array([N_ROWS - 1]))


def test_a_partition_with_other_columns_is_named(client):
    rows = table(mixed=True).to_pandas()
    parts = dask.dataframe.from_delayed(
        [delayed(rows), delayed(rows.drop(columns="c1"))], meta=rows.iloc[:0], verify_meta=False
    )
    with pytest.raises(TableError, match="partition 1 has no column 'c1'"):
        model(engine=DaskEngine(client)).fit(parts, "y")
    text = dask.dataframe.from_delayed(
        [delayed(rows), delayed(rows.assign(c1="high"))], meta=rows.iloc[:0], verify_meta=False
    )
    with pytest.raises(
        TableError, match="partition 1: column 'c1' has text, and in partition 0 it has numbers"
    ):
        model(engine=DaskEngine(client)).fit(text, "y")


def changing(*states):
    """A partition that is another table in the next pass."""
    left = list(states)

    class Part:
        def __dask_tokenize__(self):
            return uuid.uuid4().hex

        def __call__(self):
            return left.pop(0) if len(left) > 1 else left[0]

    one = delayed(Part(), pure=False)()
    return dask.dataframe.from_delayed([one], meta=states[0].iloc[:0], verify_meta=False)


def test_a_partition_that_changes_between_passes_is_named(client):
    rows = table().to_pandas()
    shorter, other = rows.iloc[:300], rows.assign(y="z")
    streamed = learn_source(from_dask(changing(rows, shorter), "y"), None, None).rows
    with pytest.raises(TableError, match="partition 0 has fewer rows than in the first pass"):
        streamed.take(np.array([N_ROWS - 1]))
    with pytest.raises(TableError, match="partition 0: the target has the cell 'z'"):
        model(engine=DaskEngine(client)).fit(changing(rows, other), "y")
    rows = table(mixed=True).to_pandas()
    other = rows.assign(color=rows["color"].where(np.arange(N_ROWS) != 1200, "ultraviolet"))
    with pytest.raises(
        TableError, match="partition 0: column 'color' has a level that the first pass did not"
    ):
        model(covariance="diag", engine=DaskEngine(client)).fit(changing(rows, other), "y")


def test_a_target_of_many_values_is_refused_where_pieces_meet(tmp_path, client, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.MOST_CLASSES", 300)
    rows = table().set_column(4, "y", pa.array([str(j // 2) for j in range(N_ROWS)]))
    with pytest.raises(LabelError, match="'y' has more than 300 different values"):
        learn_source(DaskEngine(client, 200).placed(source(tmp_path, rows)), None, None)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:EM stopped after")
def test_workers_in_processes_read_the_files_and_one_is_killed(tmp_path, processes):
    files = source(tmp_path, table())
    wanted = model(max_iter=8, tol=0.0).fit(files)
    pids = list(processes.run(os.getpid).values())
    engine = DaskEngine(processes, 200)
    read = learn_source(engine.placed(files), None, None)
    assert_same_survey(read, learn_source(files, None, None))
    threading.Timer(0.3, os.kill, (pids[0], signal.SIGKILL)).start()
    found = model(max_iter=8, tol=0.0, engine=engine).fit(files)
    assert pids[0] not in processes.run(os.getpid).values()
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-10, atol=1e-10)


@pytest.mark.long
def test_an_ensemble_learns_the_same_from_files_that_workers_read(tmp_path, client, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 300)
    rows = table(mixed=True)
    files = source(tmp_path, rows)
    sent = []
    scatter = client.scatter
    monkeypatch.setattr(
        client, "scatter", lambda blocks, **how: sent.append(blocks) or scatter(blocks, **how)
    )
    found, wanted = (
        semigen.AutoClassifier(n_mixtures=1, unlabeled=None, engine=one).fit(files)
        for one in (DaskEngine(client, 400), None)
    )
    assert "the mixture per class from all rows" in found.explanation_
    n_labeled = N_ROWS - rows["y"].null_count
    assert {len(one.weight) for blocks in sent for one in blocks} == {n_labeled}
    features = rows.drop_columns(["y"])
    np.testing.assert_allclose(found.predict_proba(features), wanted.predict_proba(features), atol=1e-6)
