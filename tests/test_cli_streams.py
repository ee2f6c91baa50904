"""Tables predicted batch by batch: as in memory, resumable, and all or nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

import semigen
from command_line import run
from semigen.cli import console, predictions, streams
from semigen.io import writing
from semigen.mixture import checkpoints
from test_sources import damaged

N_ROWS = 900


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model, and a table in several formats."""
    folder = tmp_path_factory.mktemp("streams")
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N_ROWS)
    rows = pa.table(
        {
            "key": [f"{j:05d}" for j in range(N_ROWS)],
            "a": truth * 2 + rng.normal(size=N_ROWS),
            "b": pa.array(rng.normal(size=N_ROWS), mask=rng.random(N_ROWS) < 0.05),
            "color": np.array(["red", "blue"])[(truth + (rng.random(N_ROWS) < 0.3)) % 2],
        }
    )
    y = np.where(rng.random(N_ROWS) < 0.1, np.array(["no", "yes"])[truth], None)
    model = semigen.MixtureClassifier(unlabeled=None).fit(rows.drop_columns(["key"]), y)
    semigen.save(model, folder / "m.semigen")
    parquet.write_table(rows, folder / "t.parquet", row_group_size=200)
    feather.write_feather(rows, str(folder / "t.arrow"))
    csv.write_csv(rows, folder / "t.csv")
    (folder / "parts").mkdir()
    parquet.write_table(rows.slice(0, 500), folder / "parts" / "a.parquet")
    parquet.write_table(rows.slice(500), folder / "parts" / "b.parquet")
    return folder


def read(path):
    table = parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)
    return table.to_pydict()


def predict(home, table, out, *more, model=None, code=0):
    given = [
        "predict",
        model or home / "m.semigen",
        home / table,
        "--out",
        out,
        "--id",
        "key",
        "--keep",
        "color",
        *more,
    ]
    return run(*map(str, given), code=code)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".tsv.gz", ".jsonl", ".feather"])
def test_written_in_batches_as_at_once(home, tmp_path, monkeypatch, ending):
    at_once, streamed = tmp_path / f"one{ending}", tmp_path / f"two{ending}"
    predict(home, "t.parquet", at_once)
    monkeypatch.setattr(streams, "BATCH_ROWS", 128)
    predict(home, "t.parquet", streamed, "--resume")
    if ending in (".csv", ".jsonl"):
        assert streamed.read_text() == at_once.read_text()
    else:
        tables = [semigen.io.tables.read_table(one) for one in (at_once, streamed)]
        assert tables[0].equals(tables[1])
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("table", ["t.csv", "t.arrow", "parts", "parts/*"])
def test_other_formats_and_folders(home, tmp_path, monkeypatch, table):
    wanted, found = tmp_path / "w.parquet", tmp_path / "f.parquet"
    predict(home, "t.parquet", wanted)
    monkeypatch.setattr(streams, "BATCH_ROWS", 128)
    predict(home, table, found, *([] if "parts" in table else ["--resume"]))
    wanted, found = read(wanted), read(found)
    assert wanted["key"] == found["key"]
    assert wanted["color"] == found["color"]
    np.testing.assert_allclose(wanted["p_yes"], found["p_yes"], atol=1e-12)


def test_the_workers_of_a_cluster_predict_the_same(home, tmp_path, monkeypatch, client):
    from semigen.engines import cluster

    wanted, found = tmp_path / "w.csv", tmp_path / "f.csv"
    predict(home, "t.parquet", wanted)
    monkeypatch.setattr(streams, "BATCH_ROWS", 64)
    threads = []

    def predict_table(model, rows, **options):
        threads.append(threading.current_thread())
        return predictions.predict_table(model, rows, **options)

    monkeypatch.setattr(streams, "predict_table", predict_table)
    address = client.scheduler.address
    done = predict(home, "t.parquet", found, "--scheduler", address)
    with pytest.raises(semigen.exceptions.ParameterError, match="0"):  # as if on the spot
        list(cluster.map_in_order(address, _refuse, 0, range(5)))
    begun = 0

    def items():
        nonlocal begun
        while begun < 29:
            begun += 1
            yield begun

    results = cluster.map_in_order(address, max, 0, items())
    assert next(results) == 1
    assert begun == 2 * sum(client.nthreads().values())  # not the whole table
    assert list(results) == list(range(2, 30))
    assert "batch by batch: --scheduler" in done.output
    assert len(threads) >= N_ROWS // 64
    assert threading.main_thread() not in threads
    wanted, found = read(wanted), read(found)
    assert wanted["key"] == found["key"]
    np.testing.assert_allclose(wanted["p_yes"], found["p_yes"], atol=1e-12)
    monkeypatch.setattr(cluster, "CONNECTING", 0.5)
    done = predict(home, "t.parquet", tmp_path / "no.csv", "--scheduler", "tcp://127.0.0.1:9", code=1)
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in " ".join(done.output.split())
    assert not (tmp_path / "no.csv").exists()


@pytest.mark.long
def test_a_worker_that_is_killed_changes_no_prediction(home, tmp_path, monkeypatch, processes):
    wanted, found = tmp_path / "w.csv", tmp_path / "f.csv"
    predict(home, "t.parquet", wanted)
    monkeypatch.setattr(streams, "BATCH_ROWS", 8)
    pids = processes.run(os.getpid).values()
    written = 0
    original = writing.TableWriter.write

    def write(self, table):
        nonlocal written
        written += 1
        if written == 3:
            os.kill(next(iter(pids)), signal.SIGKILL)
        original(self, table)

    monkeypatch.setattr(writing.TableWriter, "write", write)
    predict(home, "t.parquet", found, "--scheduler", processes.scheduler.address)
    assert written > 100
    wanted, found = read(wanted), read(found)
    assert wanted["key"] == found["key"]
    np.testing.assert_allclose(wanted["p_yes"], found["p_yes"], atol=1e-12)


def _refuse(shared, item):
    raise semigen.exceptions.ParameterError(f"{shared}")


def test_large_tables_are_streamed_and_it_is_said(home, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LARGE_CELLS", 1000)
    monkeypatch.setattr(streams, "LARGE_BYTES", 1000)
    for table in ("t.parquet", "t.csv"):
        done = predict(home, table, tmp_path / f"{table}.csv")
        assert "predicted batch by batch" in done.output
    stop(monkeypatch, 0)  # before anything is predicted
    refused = predict(home, "t.parquet", tmp_path / "o.csv", "--score", str(tmp_path / "s.json"), code=1)
    assert "leave out --score" in refused.output
    assert not (tmp_path / "o.csv").exists()


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """A model of the command line's, and tables with true classes, some unknown to it and some missing."""
    folder = tmp_path_factory.mktemp("labeled")
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, N_ROWS)
    y = np.where(rng.random(N_ROWS) < 0.4, np.array(["1", "2", "odd"])[truth], None)
    rows = pa.table({"key": np.arange(N_ROWS), "a": truth + rng.normal(size=N_ROWS), "y": pa.array(y)})
    parquet.write_table(rows, folder / "train.parquet")
    given = ["--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full", "--no-report"]
    run("fit", folder / "train.parquet", *given, "--out", folder / "out")
    new = rows.set_column(2, "y", pa.array(np.where(np.arange(N_ROWS) % 97 == 0, "strange", y)))
    parquet.write_table(new, folder / "t.parquet", row_group_size=200)
    csv.write_csv(new, folder / "t.csv")
    return folder


@pytest.mark.parametrize("table", ["t.parquet", "t.csv"])
def test_what_is_streamed_is_scored_as_in_memory(labeled, tmp_path, monkeypatch, table):
    given = ["predict", labeled / "out" / "model.semigen", labeled / table, "--id", "key", "--json"]
    results = []
    for name, more in (("one", []), ("two", ["--resume"])):
        files = ["--out", tmp_path / f"{name}.csv", "--score", tmp_path / f"{name}.json", *more]
        results.append(json.loads(run(*given, *files).stdout)["score"])
        assert json.loads((tmp_path / f"{name}.json").read_text())["log_loss"] == results[-1]["log_loss"]
        monkeypatch.setattr(streams, "BATCH_ROWS", 130)
    wanted, found = results
    assert wanted["unknown"] == {"strange": 10}
    assert found["n_rows"] == wanted["n_rows"] > 300
    assert (found["confusion"], found["unknown"]) == (wanted["confusion"], wanted["unknown"])
    for name in ("accuracy", "log_loss"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-9)


def test_pieces_that_were_finished_before_are_scored_too(labeled, tmp_path, monkeypatch):
    given = ["predict", labeled / "out" / "model.semigen", labeled / "t.parquet", "--id", "key", "--json"]
    given += ["--resume", "--out", tmp_path / "o.csv"]
    with monkeypatch.context() as patched:
        stop(patched, 3)
        run(*given, code=1)
    monkeypatch.setattr(streams, "BATCH_ROWS", 128)
    score = json.loads(run(*given).stdout)["score"]
    assert score["n_rows"] == parquet.read_table(labeled / "t.parquet")["y"].drop_null().length()
    assert sum(map(sum, score["confusion"])) == score["n_rows"] - 10


def stop(monkeypatch, after):
    """Let predictions end after so many batches."""
    monkeypatch.setattr(streams, "BATCH_ROWS", 128)
    original, number = streams.predict_table, 0

    def predict_table(*given, **named):
        nonlocal number
        number += 1
        if number > after:
            raise OSError("the machine is switched off")
        return original(*given, **named)

    monkeypatch.setattr(streams, "predict_table", predict_table)
    return lambda: number


def test_an_interrupted_prediction_goes_on(home, tmp_path, monkeypatch):
    wanted, out = tmp_path / "w.csv", tmp_path / "o.csv"
    predict(home, "t.parquet", wanted)
    with monkeypatch.context() as patched:
        stop(patched, 3)
        done = predict(home, "t.parquet", out, "--resume", code=1)
    kept = streams.pieces_folder(out)
    assert done.output.split()[-6:] == f"same command goes on from {kept}.".split()
    assert not out.exists()
    assert len(list(kept.glob("*.arrow"))) == 3
    other = predict(home, "t.parquet", out, "--resume", "--missing", "red", code=1)
    assert "part of other predictions" in other.output
    assert "goes on from" not in other.output
    with monkeypatch.context() as patched:
        count = stop(patched, 100)
        predict(home, "t.parquet", out, "--resume")
    assert count() == 9 - 3  # row groups of 200 rows in batches of 128 and 72
    assert out.read_text() == wanted.read_text()
    assert not kept.exists()


def test_without_resume_nothing_is_left(home, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "LARGE_CELLS", 1000)
    stop(monkeypatch, 3)
    predict(home, "t.parquet", tmp_path / "o.csv", code=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("on_a_cluster", [False, True])
def test_a_full_disk_leaves_nothing_half_written(home, tmp_path, monkeypatch, client, on_a_cluster):
    monkeypatch.setattr(streams, "LARGE_CELLS", 1000)
    more = ["--scheduler", client.scheduler.address] if on_a_cluster else []
    (tmp_path / "o.csv").write_text("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        done = predict(home, "t.parquet", tmp_path / "o.csv", "--force", *more, code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in done.output
    assert [one.name for one in tmp_path.iterdir()] == ["o.csv"]
    assert (tmp_path / "o.csv").read_text() == "before"


def test_an_unreadable_row_group_is_named_and_nothing_written(home, tmp_path):
    rows = parquet.read_table(home / "t.parquet")
    parquet.write_table(rows, tmp_path / "bad.parquet", row_group_size=200)
    damaged(tmp_path / "bad.parquet", 3, column=1)
    done = predict(home, tmp_path / "bad.parquet", tmp_path / "o.csv", "--resume", code=1)
    assert "row group 3" in done.output
    assert not (tmp_path / "o.csv").exists()


def test_pieces_have_the_columns_of_the_first(tmp_path):
    with writing.TableWriter(tmp_path / "t.parquet", ".parquet") as writer:
        writer.write(pa.table({"a": [1.5]}))
        writer.write(pa.table({"a": pa.array([2], pa.float32())}))
    assert read(tmp_path / "t.parquet") == {"a": [1.5, 2.0]}


@pytest.fixture
def partly(home, tmp_path):
    """A table with labels, a key and a constant in two files."""
    rows = parquet.read_table(home / "t.parquet")
    rng = np.random.default_rng(1)
    label = np.where(rng.random(N_ROWS) < 0.1, np.where(rows["a"].to_numpy() > 1, "yes", "no"), None)
    rows = rows.append_column("y", pa.array(label, pa.string())).append_column("one", pa.array([1] * N_ROWS))
    (tmp_path / "parts").mkdir()
    parquet.write_table(rows.slice(0, 500), tmp_path / "parts" / "a.parquet")
    parquet.write_table(rows.slice(500), tmp_path / "parts" / "b.parquet")
    parquet.write_table(rows, tmp_path / "whole.parquet")
    return tmp_path


def test_a_fit_to_a_folder_reads_all_of_it(partly, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 300)
    given = ["--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full"]
    said = run("fit", partly / "parts", *given, "--out", partly / "out")
    assert "read batch by batch" in " ".join(said.output.split())
    rows = parquet.read_table(partly / "whole.parquet")
    model = semigen.load(partly / "out" / "model.semigen")
    assert model.feature_names_in_.tolist() == ["a", "b", "color"]
    found = csv.read_csv(partly / "out" / "predictions.csv").to_pydict()
    assert found["key"] == list(range(N_ROWS))  # all rows, in their order
    np.testing.assert_allclose(found["p_yes"], model.predict_proba(rows)[:, 1], atol=1e-12)
    twin = semigen.MixtureClassifier(**model.get_params()).fit(
        rows.select(["a", "b", "color"]), rows["y"].to_pylist()
    )
    np.testing.assert_allclose(twin.params_.log_group, model.params_.log_group, atol=1e-9)
    summary = json.loads((partly / "out" / "summary.json").read_text())
    n_labeled = N_ROWS - rows["y"].null_count
    assert (summary["n_rows"], summary["n_unlabeled"]) == (N_ROWS, N_ROWS - n_labeled)
    assert sum(one["rows"] for one in summary["labeled"]) == n_labeled
    assert summary["n_sample"] == 300 + n_labeled
    assert {one["name"] for one in summary["columns"] if not one["use"]} == {"key", "one"}


def test_a_fit_to_a_pattern_is_named_after_its_folder(partly, monkeypatch):
    monkeypatch.chdir(partly)
    run("fit", "parts/?.par*", "--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full")
    assert json.loads((partly / "parts-semigen" / "summary.json").read_text())["n_rows"] == N_ROWS
    said = run("fit", "parts/c*", "--target", "y", "--out", "new", code=1)
    assert "parts/c* does not exist" in said.output


def test_results_are_not_written_where_the_next_run_reads(home, partly):
    said = run("fit", partly / "parts", "--target", "y", "--out", partly / "parts" / "out", code=2)
    assert "whose files the next run reads" in " ".join(said.output.replace("│", " ").split())
    predict(home, partly / "parts", partly / "parts" / "p.parquet", code=2)
    predict(home, partly / "parts", partly / "p.parquet", "--score", partly / "parts" / "s.json", code=2)
    assert sorted(one.name for one in (partly / "parts").iterdir()) == ["a.parquet", "b.parquet"]


@pytest.mark.long
@pytest.mark.parametrize("model", ["mixture", "auto"])
def test_a_fit_goes_on_after_an_interruption(partly, monkeypatch, model):
    given = ["fit", partly / "parts", "--target", "y", "--id", "key", "--model", model, "--resume"]
    run(*given, "--out", partly / "whole")
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    climbed, run_once = checkpoints.Checkpoint._climbed, checkpoints.Kept.run

    def stopped_climb(self, climb):
        climbed(self, climb)
        if len(climb.path) == 3:
            raise OSError("the machine is switched off")

    def stopped_run(self, make):
        found = run_once(self, make)
        if self.path.name == checkpoints.Kept.name and self.done == 4:
            raise OSError("the machine is switched off")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoint, "_climbed", stopped_climb)
        patched.setattr(checkpoints.Kept, "run", stopped_run)
        done = run(*given, "--out", partly / "out", code=1)
    assert "The same command goes on from" in " ".join(done.output.split())
    assert not (partly / "out").exists()
    assert any(streams.checkpoint_folder(partly / "out").iterdir())
    run(*given, "--out", partly / "out")
    files = [(partly / one / "predictions.csv").read_text() for one in ("whole", "out")]
    assert files[0] == files[1]
    assert semigen.load(partly / "out" / "model.semigen").checkpoint is None
    assert not streams.checkpoint_folder(partly / "out").exists()


def test_a_file_that_disappears_before_the_predictions_is_named(partly, monkeypatch):
    from semigen.cli import training

    saved = training.save

    def save(*given, **named):
        (partly / "parts" / "b.parquet").unlink()
        saved(*given, **named)

    monkeypatch.setattr(training, "save", save)
    given = ["--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full", "--no-report"]
    done = run("fit", partly / "parts", *given, "--out", partly / "out", code=1)
    assert "b.parquet has disappeared since it was first read" in " ".join(done.output.split())
    assert not (partly / "out").exists()


def test_passes_and_predictions_say_how_far_they_are(partly, monkeypatch):
    steps = []

    @contextmanager
    def progress(self, title):
        yield lambda done, total, name="": steps.append((title, done, total, name))

    monkeypatch.setattr(console.Output, "progress", progress)
    monkeypatch.setattr(streams, "BATCH_ROWS", 200)
    given = ["--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full", "--no-report"]
    run("fit", partly / "parts", *given, "--out", partly / "out")
    predict(partly, "parts", partly / "new.csv", model=partly / "out" / "model.semigen")
    learning = [one for one in steps if one[0] == "learning" and "pass" in one[3]]
    assert (learning[1][1], learning[1][3]) == (0, "pass 1, 900 of 900 rows")
    assert learning[-1][3].startswith(f"pass {len(learning) // 2}, 900")
    for title in ("writing", "predicting"):
        assert [one[1:] for one in steps if one[0] == title and "rows" in one[3]] == [
            (n, 900, f"{n} of 900 rows") for n in (200, 400, 500, 700, 900)
        ]


def test_models_that_need_all_rows_say_so(partly):
    done = run("fit", partly / "parts", "--target", "y", "--model", "hybrid", "--out", partly / "o", code=1)
    assert "needs all rows in memory" in done.output
