"""The command line: what it writes, what it says, what it refuses and with which exit code."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

import semigen
from semigen.cli import app
from semigen.cli.console import Output
from semigen.io.models import read_notes

RESULTS = {"model.semigen", "predictions.csv", "summary.json"}


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def fit(*arguments, code=0):
    """Fit a mixture, which takes no time: for laws that do not depend on the model."""
    return run("fit", *arguments, "--model", "mixture", code=code)


def error_of(result):
    """The one line on stderr of a command that failed."""
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    return line


def make_table(n=60, labeled=20, seed=0, classes=("no", "yes")):
    rng = np.random.default_rng(seed)
    code = np.arange(n) % 2
    frame = pd.DataFrame(rng.normal(size=(n, 3)) + 2.5 * code[:, None], columns=["u", "v", "w"])
    truth = np.asarray(classes, dtype=object)[code]
    frame["y"] = np.where(np.arange(n) < labeled, truth, None)
    return frame, truth


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def table(here):
    frame, _ = make_table()
    frame.to_csv("data.csv", index=False)
    return frame


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    make_table()[0].to_csv(folder / "data.csv", index=False)
    fit(folder / "data.csv", "--target", "y", "--out", folder / "out")
    return folder / "out" / "model.semigen"


# --- fit


def test_fit_writes_model_predictions_and_summary(table):
    result = fit("data.csv", "--target", "y")
    assert set(os.listdir("data-semigen")) == RESULTS
    assert set(os.listdir()) == {"data.csv", "data-semigen"}
    predictions = pd.read_csv("data-semigen/predictions.csv")
    assert predictions.columns.tolist() == [
        "row", "given", "predicted", "probability", "p_no", "p_yes", "log_density",
    ]  # fmt: skip
    assert predictions["row"].tolist() == list(range(60))
    assert predictions["given"].isna().sum() == 40
    clf = semigen.load("data-semigen/model.semigen")
    features = table[["u", "v", "w"]]
    np.testing.assert_array_equal(predictions["predicted"], clf.predict(features))
    np.testing.assert_allclose(
        predictions[["p_no", "p_yes"]], clf.predict_proba(features), rtol=1e-9, atol=1e-15
    )
    np.testing.assert_allclose(predictions["log_density"], clf.score_samples(features), rtol=1e-9)
    assert clf.feature_names_in_.tolist() == ["u", "v", "w"]
    for words in (
        "20 labeled, 40 unlabeled",
        "no 10, yes 10",
        "3 columns of numbers: u, v, w",
        "all rows",
        "labeled rows only",
    ):
        assert words in result.stdout
    assert "semigen predict data-semigen/model.semigen NEW_TABLE --out FILE" in result.stdout


def test_summary_and_json_are_the_same_and_stdout_has_nothing_else(table):
    result = fit("data.csv", "--target", "y", "--json")
    printed = json.loads(result.stdout)
    written = json.loads(Path("data-semigen/summary.json").read_text())
    assert printed == {**written, "out": "data-semigen"}
    assert "20 labeled" in result.stderr
    assert written["n_rows"] == 60
    assert written["n_unlabeled"] == 40
    assert written["labeled"] == [{"class": "no", "rows": 10}, {"class": "yes", "rows": 10}]
    assert set(written["cross_validation"]["scores"]) == {"all rows", "labeled rows only", "class shares"}
    assert written["not_cross_validated"] is None
    assert written["unlabeled_rows"]["verdict"] in ("helped", "hurt", "mixed", "unknown")
    assert sum(entry["rows"] for entry in written["predicted"]) == 60
    notes = read_notes("data-semigen/model.semigen")
    assert notes == written


def test_the_same_seed_gives_the_same_files(table):
    for out in ("a", "b"):
        fit("data.csv", "--target", "y", "--seed", 3, "--out", out)
    for name in ("predictions.csv", "summary.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_columns_that_are_not_used_are_named_with_reasons(here):
    frame, _ = make_table()
    frame["town"] = [f"x{j % 30}" for j in range(60)]
    frame["note"] = [f"a longer text {j}" for j in range(60)]
    frame["born"] = pd.date_range("2020-01-01", periods=60).astype(str)
    frame["same"] = 7
    frame["nothing"] = None
    frame["number"] = np.arange(1000, 1060)
    frame["patient"] = [f"P{j}" for j in range(60)]
    frame["old"] = np.arange(60.0) % 7
    frame.to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y", "--id", "patient", "--drop", "old")
    text = " ".join(result.stdout.split())
    for words in (
        "town: text with 30 distinct values (--text learns from words, --as takes it as a category)",
        "note: text with 60 distinct values",
        "born: dates or times",
        "same: every row has the value 7",
        "nothing: no cell is filled",
        "number: every row has its own number, as an identifier has (--as number=number uses it)",
        "patient: names the rows (--id)",
        "old: left out (--drop)",
        "3 columns of numbers: u, v, w",
    ):
        assert words in text
    predictions = pd.read_csv("data-semigen/predictions.csv")
    assert predictions.columns[0] == "patient"
    assert predictions["patient"].tolist() == frame["patient"].tolist()
    result = fit("data.csv", "--target", "y", "--as", "number=number", "--force")
    assert "4 columns of numbers: u, v, w, number" in result.stdout


def test_columns_without_a_use_for_the_same_reason_share_a_line(here):
    frame, _ = make_table()
    for j in range(20):
        frame[f"day{j}"] = "2020-01-01"
        frame[f"c{j}"] = [j] * 60
    frame.loc[0, [f"day{j}" for j in range(20)]] = "2021-01-01"
    frame.to_csv("data.csv", index=False)
    text = " ".join(fit("data.csv", "--target", "y").stdout.split())
    assert "day0, day1, day2, day3, day4, day5, day6, day7 and 12 more: dates or times" in text
    assert "c11: every row has the value 11" not in text
    assert "and 9 more columns (all are in summary.json)" in text


def test_ids_keep_their_leading_zeros_and_may_have_any_name(here):
    frame, _ = make_table()
    frame["predicted"] = [f"{j:04d}" for j in range(60)]
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--id", "predicted")
    written = pd.read_csv("data-semigen/predictions.csv", dtype=str)
    assert written["id"].tolist() == frame["predicted"].tolist()


@pytest.mark.parametrize(
    ("classes", "kind"),
    [((0, 1), int), ((3, 7), int), ((True, False), bool), (("no", "yes"), str), ((1.5, 2.5), float)],
)
def test_classes_keep_their_type(here, classes, kind):
    make_table(classes=classes)[0].to_parquet("data.parquet", index=False)
    make_table(classes=classes)[0].to_csv("data.csv", index=False)
    for name in ("data.parquet", "data.csv"):
        fit(name, "--target", "y", "--out", name + ".out")
        clf = semigen.load(f"{name}.out/model.semigen")
        assert clf.classes_.tolist() == sorted(classes)
        assert type(clf.classes_.tolist()[0]) is kind
        written = pa.csv.read_csv(f"{name}.out/predictions.csv")
        assert {type(cell) for cell in written["predicted"].to_pylist()} == {kind}
        assert {None if cell == "" else cell for cell in written["given"].to_pylist()} == {None, *classes}


@pytest.mark.parametrize(
    ("marker", "classes"), [("-1", (0, 1)), ("?", ("a", "b")), ("-1", (0.5, 1.5)), ("?", (True, False))]
)
def test_markers_of_unlabeled_rows(here, marker, classes):
    frame, _ = make_table(classes=[str(c) for c in classes])
    frame["y"] = frame["y"].fillna(marker)
    frame.to_csv("data.csv", index=False)
    if not isinstance(classes[0], bool):
        result = fit("data.csv", "--target", "y", "--out", "naive")
        assert f"--unlabeled={marker}" in result.stderr
    summary = json.loads(fit("data.csv", "--target", "y", "--unlabeled", marker, "--json").stdout)
    assert summary["n_unlabeled"] == 40
    assert len(summary["labeled"]) == 2


def test_a_marker_that_does_not_occur_is_noted(here):
    make_table(labeled=60)[0].to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y", "--unlabeled", "?")
    assert "every row is labeled" in result.stderr
    assert "no unlabeled rows" in result.stdout
    assert "labeled rows only" not in result.stdout


def test_labels_that_come_after_a_megabyte_of_empty_cells(here):
    frame, _ = make_table(n=30_000, labeled=30_000)
    frame.loc[:29_960, "y"] = None
    frame.to_csv("data.csv", index=False, float_format="%.17g")
    assert Path("data.csv").stat().st_size > 2**20
    assert "39 labeled" in fit("data.csv", "--target", "y").stdout


def test_too_few_labels_to_cross_validate(here):
    make_table(labeled=3)[0].to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y")
    assert "Not cross-validated" in result.stdout
    assert "there are 2" in " ".join(result.stdout.split())
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["cross_validation"] is None
    assert summary["unlabeled_rows"]["verdict"] == "unknown"


def test_verdicts_come_from_the_paired_interval(here):
    data = semigen.datasets.make_gaussian_classes(60, 1000, 20, distance=4.0, random_state=1)
    pd.DataFrame(data.X).assign(y=data.y).to_csv("good.csv", index=False)
    data = semigen.datasets.make_misspecified(20, 1000, cluster_distance=8, random_state=1)
    pd.DataFrame(data.X).assign(y=data.y).to_csv("bad.csv", index=False)
    found = {}
    for name in ("good", "bad"):
        result = fit(f"{name}.csv", "--target", "y", "--covariance", "full", "--json")
        found[name] = json.loads(result.stdout)
    for summary in found.values():
        (difference,) = summary["cross_validation"]["differences"]
        accuracy, loss = difference["accuracy"], difference["log_loss"]
        helped, hurt = accuracy["low"] > 0 or loss["high"] < 0, accuracy["high"] < 0 or loss["low"] > 0
        expected = {(1, 0): "helped", (0, 1): "hurt", (1, 1): "mixed", (0, 0): "unknown"}[helped, hurt]
        assert summary["unlabeled_rows"]["verdict"] == expected
        only = summary["model"]["learned_from"] == "labeled rows only"
        assert only == (expected == "hurt")
    assert found["good"]["unlabeled_rows"]["verdict"] == "helped"
    assert found["bad"]["unlabeled_rows"]["verdict"] == "hurt"
    assert semigen.load("bad-semigen/model.semigen").unlabeled_weight == 0
    assert "hurt" in found["bad"]["unlabeled_rows"]["text"]


def test_weights(here):
    frame, _ = make_table()
    frame["weight"] = np.where(np.arange(60) < 40, 1, 0)
    frame.to_csv("all.csv", index=False)
    frame[:40].drop(columns="weight").to_csv("some.csv", index=False)
    fit("all.csv", "--target", "y", "--weight", "weight")
    fit("some.csv", "--target", "y")
    a, b = (pd.read_csv(f"{name}-semigen/predictions.csv")[:40] for name in ("all", "some"))
    np.testing.assert_allclose(a["p_yes"], b["p_yes"], atol=1e-6)
    for values, words in (([-1.0] * 60, "negative"), ([np.nan] + [1.0] * 59, "NaN"), (["a"] * 60, "string")):
        frame["weight"] = values
        frame.to_csv("all.csv", index=False)
        message = error_of(fit("all.csv", "--target", "y", "--weight", "weight", "--force", code=1))
        assert "'weight'" in message
        assert words in message


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical", "low_rank"])
def test_covariances(table, covariance):
    fit("data.csv", "--target", "y", "--covariance", covariance)
    assert semigen.load("data-semigen/model.semigen").covariance == covariance


# --- models

MODELS = ("auto", "mixture", "safe", "hybrid")


def shown(result):
    """What a command printed, on one line."""
    return " ".join(result.stdout.split())


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """The folder of a default fit, and what it printed in 80 columns."""
    folder = tmp_path_factory.mktemp("pooled")
    make_table()[0].to_csv(folder / "data.csv", index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", "80")
        return folder, run("fit", folder / "data.csv", "--target", "y", "--out", folder / "out")


def test_the_default_is_a_pool_whose_members_are_shown(pooled):
    folder, result = pooled
    clf = semigen.load(folder / "out/model.semigen")
    assert isinstance(clf, semigen.AutoClassifier)
    summary = json.loads((folder / "out/summary.json").read_text())
    assert summary["model"]["name"] == "auto"
    assert {one["name"]: one["weight"] for one in summary["model"]["members"]} == clf.weights_
    assert summary["model"]["explanation"] == clf.explanation_
    assert summary["cross_validation"] == clf.validation_.to_dict()
    assert {*clf.weights_, "all models", "supervised models"} == set(clf.validation_.names)
    total = sum(clf.weights_.values())
    lines = result.stdout.splitlines()
    for one in clf.models_:
        (line,) = [line for line in lines if line.startswith(one.name)]
        rows = "all" if one.uses_unlabeled else "labeled"
        assert line.removeprefix(one.name).split()[:2] == [rows, f"{one.weight / total:.0%}"]
        assert f"{clf.validation_.score(one.name).log_loss.value:.3f} (" in line
    for name in ("all models", "supervised models"):
        assert f"{clf.validation_.score(name).log_loss.value:.3f} (" in next(
            line for line in lines if line.startswith(name)
        )
    assert summary["unlabeled_rows"]["text"] in shown(result)
    files = [line for line in lines if line.startswith(("Results are in", "Next: "))]
    assert max(len(line) for line in lines if line not in files) <= 80


def test_predictions_of_the_pool(pooled, here):
    folder, _ = pooled
    written = pd.read_csv(folder / "out/predictions.csv")
    assert written.columns.tolist() == ["row", "given", "predicted", "probability", "p_no", "p_yes"]
    clf, features = semigen.load(folder / "out/model.semigen"), make_table()[0][["u", "v", "w"]]
    np.testing.assert_allclose(written[["p_no", "p_yes"]], clf.predict_proba(features), rtol=1e-9, atol=1e-15)
    make_table()[0][["w", "y", "v", "u"]].to_csv("new.csv", index=False)
    run("predict", folder / "out/model.semigen", "new.csv", "--out", "again.csv")
    pd.testing.assert_frame_equal(pd.read_csv("again.csv"), written.drop(columns="given"), rtol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_judged_against_a_supervised_twin(table, model, small):
    shape = ["--covariance", "full"] if model == "safe" else []
    result = run("fit", "data.csv", "--target", "y", "--model", model, "--json", *shape)
    summary = json.loads(result.stdout)
    assert summary["model"]["name"] == model
    pair = {"auto": ("all models", "supervised models")}.get(model, ("all rows", "labeled rows only"))
    found = summary["cross_validation"]
    (difference,) = [one for one in found["differences"] if (one["a"], one["b"]) == pair]
    accuracy, loss = difference["accuracy"], difference["log_loss"]
    helped, hurt = accuracy["low"] > 0 or loss["high"] < 0, accuracy["high"] < 0 or loss["low"] > 0
    expected = {(1, 0): "helped", (0, 1): "hurt", (1, 1): "mixed", (0, 0): "unknown"}[helped, hurt]
    assert summary["unlabeled_rows"]["verdict"] == expected
    for name in pair:
        assert name in result.stderr
    clf = semigen.load("data-semigen/model.semigen")
    assert summary["model"]["estimator"] == type(clf).__name__
    if model != "auto":
        assert summary["model"]["learned_from"] == pair[expected == "hurt"]
    if model == "safe":
        assert clf.estimator.covariance == "full"
        assert summary["model"]["unlabeled_weight"] == clf.unlabeled_weight_
        why = f": {clf.fallback_}" if clf.fallback_ else "."
        said = f"an unlabeled row counts {clf.unlabeled_weight_:g} of a labeled one{why}"
        assert said in " ".join(result.stderr.split())
    table.drop(columns="y").iloc[::-1].to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    first = pd.read_csv("data-semigen/predictions.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_no"][::-1], first["p_no"], rtol=1e-9)


@pytest.fixture
def small(monkeypatch):
    """Fewer mixtures than users get, which is enough to see that everything comes through."""
    for name in ("AutoClassifier", "MixtureEnsembleFeatures"):
        fewer = functools.partial(getattr(semigen, name), n_mixtures=6)
        monkeypatch.setattr(f"semigen.cli.models.{name}", fewer)


def test_results_depend_on_the_seed_and_not_on_the_threads(table, small):
    budget = ("--time-budget", 600)
    for out, options in {"a": ("--jobs", 1), "b": ("--jobs", 2, *budget), "c": ("--seed", 1)}.items():
        run("fit", "data.csv", "--target", "y", "--out", out, *options)
    for name in ("predictions.csv", "summary.json"):
        a, b, c = (Path(out, name).read_bytes() for out in "abc")
        assert a == b
        assert a != c
    given = semigen.load("b/model.semigen").get_params()
    assert {name: given[name] for name in ("time_budget", "n_jobs", "random_state")} == {
        "time_budget": 600.0, "n_jobs": 2, "random_state": 0,
    }  # fmt: skip


def test_options_of_one_model_are_refused_for_others(table):
    for option, value, able in (
        ("--covariance", "full", ("mixture", "safe")),
        ("--time-budget", "5", ("auto",)),
        ("--jobs", "1", ("auto", "safe", "hybrid")),
    ):
        for model in set(MODELS) - set(able):
            result = run("fit", "data.csv", "--target", "y", "--model", model, option, value, code=2)
            said = " ".join(result.stderr.replace("│", " ").split())
            assert f"{option} is for --model {' or --model '.join(able)}" in said
            assert repr(model) in said
    for model in ("auto", "hybrid"):
        message = error_of(
            run("fit", "data.csv", "--target", "y", "--model", model, "--as", "u=poisson", code=1)
        )
        assert "--as u=poisson: a family is for a mixture" in message
        assert "--model mixture" in message
    assert os.listdir() == ["data.csv"]


@pytest.mark.parametrize("model", ["auto", "mixture", "hybrid"])
def test_every_model_reads_columns_as_the_user_says(here, model, small):
    frame, _ = make_table()
    frame["zip"] = [f"{j % 3:05d}" for j in range(60)]
    frame["grade"] = np.arange(60) % 4
    frame["number"] = np.arange(1000, 1060)
    frame.to_csv("data.csv", index=False)
    said = ["--as", "zip=category", "--as", "grade=category", "--as", "number=number"]
    result = run("fit", "data.csv", "--target", "y", "--model", model, *said)
    assert "2 columns of categories: zip (3 values), grade (4 values)" in result.stdout
    schema = semigen.load("data-semigen/model.semigen").schema_
    assert schema.names == ("u", "v", "w", "zip", "grade", "number")
    assert schema.kinds == ("number",) * 3 + ("category",) * 2 + ("number",)
    assert schema.levels[3] == ("00000", "00001", "00002")
    assert len(schema.levels[4]) == 4
    frame.drop(columns="y").to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    first = pd.read_csv("data-semigen/predictions.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_no"], first["p_no"], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_knows_counts_from_numbers(here, model):
    make_table()[0].to_csv("data.csv", index=False)
    message = error_of(run("fit", "data.csv", "--target", "y", "--model", model, "--as", "u=count", code=1))
    assert "'u' is read as counts" in message
    assert "--drop COLUMN" in message


@pytest.mark.parametrize("model", ["auto", "hybrid"])
def test_mixed_tables_with_holes_and_new_levels(here, model, small):
    frame, data = mixed("data.csv", n=150)
    run("fit", "data.csv", "--target", "kind", "--id", "who", "--model", model)
    predictions = pd.read_csv("data-semigen/predictions.csv")
    hidden = predictions["given"].isna()
    assert (predictions["predicted"] != data.y_true)[hidden].mean() < data.bayes_error + 0.2
    new = frame.head(4).astype(object).drop(columns="kind")
    new.loc[0, "color"] = "violet"
    new.loc[1, ["length", "color", "member"]] = None
    new.to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv", "--id", "who")
    written = pd.read_csv("out.csv").filter(like="p_")
    assert written.notna().all().all()
    np.testing.assert_allclose(written[2:], predictions.filter(like="p_")[2:4], rtol=1e-9)


@pytest.mark.parametrize("model", ["auto", "hybrid"])
def test_words_in_every_model(here, model, small):
    frame, truth = make_notes()
    frame.to_csv("notes.csv", index=False)
    run("fit", "notes.csv", "--target", "topic", "--text", "body", "--model", model)
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    assert json.loads(Path("notes-semigen/summary.json").read_text())["model"]["n_words"] == 22
    pipeline = semigen.load("notes-semigen/model.semigen")
    assert pipeline.predict(["soil and compost"]).tolist() == ["garden"]
    run("predict", "notes-semigen/model.semigen", "notes.csv", "--out", "out.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_engine"], predictions["p_engine"], rtol=1e-9)


def test_one_label_a_class_leaves_the_default_weights(here, small):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    text = shown(run("fit", "data.csv", "--target", "y"))
    assert "No labeled rows can be hidden" in text
    assert "cannot be told" in text
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["cross_validation"] is None
    assert summary["unlabeled_rows"]["verdict"] == "unknown"
    for one in summary["model"]["members"]:
        assert one["log_loss"] is None
        assert one["name"] in text


def test_a_pool_without_unlabeled_rows(here, small):
    make_table(labeled=60)[0].to_csv("data.csv", index=False)
    text = shown(run("fit", "data.csv", "--target", "y"))
    assert "60 hidden labeled rows" in text
    assert "no unlabeled rows to learn from" in text
    assert "supervised models" not in text


def test_interrupting_the_pool_leaves_nothing(table, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("semigen.cli.models.AutoClassifier.fit", interrupt)
    run("fit", "data.csv", "--target", "y", code=130)
    assert os.listdir() == ["data.csv"]


def test_progress_names_the_step(monkeypatch):
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=80)
    monkeypatch.setattr("semigen.cli.console._console", lambda **_: terminal)
    with Output(as_json=True).progress("learning") as step:
        step(1, 4, "forest")
    assert "learning: forest" in stream.getvalue()


# --- columns of every kind


def mixed(path, n=400, **options):
    """Write a mixed table with holes; return it with the truth."""
    data = semigen.datasets.make_mixed(n, 10, random_state=0, **options)
    frame = data.frame.assign(who=[f"w{j}" for j in range(len(data.y))], kind=data.y)
    frame.to_parquet(path, index=False) if path.endswith("parquet") else frame.to_csv(path, index=False)
    return frame, data


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_mixed_tables_with_holes(here, name):
    frame, data = mixed(name)
    result = fit(name, "--target", "kind", "--id", "who")
    holes = frame.isna().sum()
    text = " ".join(result.stdout.split())
    for words in (
        f"3 columns of numbers: length ({holes['length']} missing), width ({holes['width']} missing), weight",
        f"2 columns of categories: color (4 values, {holes['color']} missing), size (3 values,",
        f"1 column of counts: visits ({holes['visits']} missing)",
        f"1 column of true/false: member ({holes['member']} missing)",
    ):
        assert words in text
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert [column["kind"] for column in summary["columns"] if column["use"]] == [
        "number", "number", "number", "category", "category", "count", "flag",
    ]  # fmt: skip
    predictions = pd.read_csv("data-semigen/predictions.csv")
    assert predictions.notna().all().drop("given").all()
    hidden = predictions["given"].isna()
    assert (predictions["predicted"] != data.y_true)[hidden].mean() < data.bayes_error + 0.08


def test_new_rows_with_holes_unknown_categories_and_other_columns(here):
    frame, _ = mixed("data.csv", missing=0.0)
    fit("data.csv", "--target", "kind", "--id", "who")
    new = (
        frame[["size", "member", "who", "visits", "length", "color", "width", "weight"]]
        .head(6)
        .astype(object)
    )
    new["note"] = "something"
    new.loc[0, "color"] = "violet"
    new.loc[1, ["length", "color", "member"]] = None
    new.loc[2, new.columns != "who"] = None
    new.to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv", "--id", "who")
    written = pd.read_csv("out.csv")
    assert written["who"].tolist() == new["who"].tolist()
    assert written.notna().all().all()
    clf = semigen.load("data-semigen/model.semigen")
    np.testing.assert_allclose(written.filter(like="p_").loc[2], clf.class_prior_, rtol=1e-6)
    known = frame.head(6)
    np.testing.assert_allclose(written.filter(like="p_")[3:], clf.predict_proba(known)[3:], rtol=1e-6)
    with_color = clf.predict_proba(known.head(1))[0]
    assert np.abs(np.log(written.filter(like="p_").loc[0] / with_color)).max() > 0.1


def test_a_column_is_read_as_the_user_says(here):
    frame, _ = make_table()
    frame["zip"] = [f"{j % 3:05d}" for j in range(60)]
    frame["visits"] = np.arange(60) % 5 + 1
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--out", "plain")
    assert semigen.load("plain/model.semigen").schema_.kinds == ("number",) * 5
    result = fit("data.csv", "--target", "y", "--as", "zip=category", "--as", "visits=poisson")
    assert "1 column of categories: zip (3 values)" in result.stdout
    assert "1 column of counts: visits" in result.stdout
    schema = semigen.load("data-semigen/model.semigen").schema_
    assert schema.levels[3] == ("00000", "00001", "00002")
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert {column["name"]: column["family"] for column in summary["columns"]} == {
        "u": "gaussian", "v": "gaussian", "w": "gaussian", "zip": "categorical", "visits": "poisson",
    }  # fmt: skip
    frame.assign(zip=[f"{j % 2 + 1:05d}" for j in range(60)]).to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    assert semigen.load("data-semigen/model.semigen").predict(
        pd.read_csv("new.csv", dtype={"zip": str})
    ).tolist() == (pd.read_csv("out.csv")["predicted"].tolist())
    for word, words in (
        ("zip=color", "--as zip=color: a column is read as one of number, count, flag, category"),
        ("u=count", r"'u' is read as counts.*data.csv|data.csv: .*'u' is read as counts"),
        ("u=flag", r"'u' is read as flags"),
    ):
        message = error_of(fit("data.csv", "--target", "y", "--as", word, "--out", "o", code=1))
        assert re.search(words, message), message


# --- words

TOPICS = {
    "garden": [
        "soil",
        "seed",
        "flower",
        "root",
        "leaf",
        "compost",
        "spade",
        "bloom",
        "hedge",
        "prune",
        "sow",
    ],
    "engine": [
        "piston",
        "valve",
        "torque",
        "clutch",
        "gear",
        "oil",
        "brake",
        "fuel",
        "spark",
        "motor",
        "wheel",
    ],
}


def make_notes(n=200, labeled=20, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.array(sorted(TOPICS), dtype=object)[np.arange(n) % 2]
    every = [word for words in TOPICS.values() for word in words]
    words = [
        " ".join([*rng.choice(TOPICS[topic], size=6), *rng.choice(every, size=2), "the"]) for topic in truth
    ]
    frame = pd.DataFrame(
        {"id": [f"{j:03d}" for j in range(n)], "body": words, "pages": rng.integers(1, 99, n)}
    )
    frame["topic"] = np.where(np.arange(n) < labeled, truth, None)
    return frame, truth


@pytest.mark.parametrize("name", ["notes.csv", "notes.parquet"])
def test_words_of_a_text_column(here, name):
    frame, truth = make_notes()
    frame.loc[[5, 150], "body"] = None
    frame.to_parquet(name, index=False) if name.endswith("parquet") else frame.to_csv(name, index=False)
    result = fit(name, "--target", "topic", "--text", "body", "--id", "id")
    text = " ".join(result.stdout.split())
    assert "1 column of text: body (2 missing)" in text
    assert "pages: left out, since with --text only words are learned from" in text
    assert "20 labeled rows" in text
    assert "words 22 different ones; 2 rows without any" in text
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    assert predictions.drop(columns="given").notna().all().all()
    summary = json.loads(Path("notes-semigen/summary.json").read_text())
    assert summary["text"] == ["body"]
    families = {column["name"]: column["family"] for column in summary["columns"]}
    assert families == {"id": None, "body": "multinomial", "pages": None}
    assert summary["model"]["n_words"] == 22
    pipeline = semigen.load("notes-semigen/model.semigen")
    assert pipeline.predict(["soil and compost"]).tolist() == ["garden"]
    frame[["pages", "body"]].assign(other=1).iloc[::-1].to_csv("new.csv", index=False)
    run("predict", "notes-semigen/model.semigen", "new.csv", "--out", "out.csv")
    again = pd.read_csv("out.csv").iloc[::-1]
    np.testing.assert_allclose(again["p_engine"], predictions["p_engine"], rtol=1e-9)
    assert again["predicted"].tolist() == predictions["predicted"].tolist()


def test_several_text_columns_are_joined(here):
    frame, truth = make_notes()
    frame["title"] = [words.split()[0] for words in frame["body"]]
    frame["body"] = [" ".join(words.split()[1:]) for words in frame["body"]]
    frame.to_csv("notes.csv", index=False)
    fit("notes.csv", "--target", "topic", "--text", "title", "--text", "body")
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    frame.drop(columns="title").to_csv("new.csv", index=False)
    message = error_of(run("predict", "notes-semigen/model.semigen", "new.csv", "--out", "o.csv", code=1))
    assert "no column 'title' (the model was fitted on it)" in message


def test_text_columns_that_cannot_be_used(here):
    frame, _ = make_notes()
    frame.assign(body="the and of").to_csv("stop.csv", index=False)
    frame.assign(body=None).to_csv("empty.csv", index=False)
    frame.to_parquet("notes.parquet", index=False)
    for name, column, words in (
        ("stop.csv", "body", "'body': no word is left"),
        ("empty.csv", "body", "'body': no word is left"),
        ("notes.parquet", "pages", "'pages' holds int64, not text"),
    ):
        message = error_of(fit(name, "--target", "topic", "--text", column, code=1))
        assert words in message
    assert set(os.listdir()) == {"stop.csv", "empty.csv", "notes.parquet"}


# --- input that cannot be used


def bytes_of(text, encoding="utf-8"):
    return text.encode(encoding)


RANDOM = np.random.default_rng(0).bytes(5000)
CONTINUOUS = "u,y\n" + "\n".join(f"{u},{y}" for u, y in np.random.default_rng(0).normal(size=(60, 2)))
GOOD = "u,v,y\n" + "\n".join(
    f"{j * 0.37 % 1:.3f},{j * 0.71 % 1:.3f},{'ab'[j % 2] if j < 20 else ''}" for j in range(40)
)
BROKEN = {
    "empty": ("t.csv", b"", "empty"),
    "blank": ("t.csv", b"\n \n", "empty"),
    "header only": ("t.csv", b"u,v,y\n", "no rows"),
    "repeated names": ("t.csv", b"u,u,y\n1,2,a\n", "more than one column named 'u'"),
    "ragged": ("t.csv", b"u,v,y\n1,2,a\n3,4\n", "Expected 3 columns, got 2"),
    "binary": ("t.csv", RANDOM, "not a text table in UTF-8"),
    "png": ("t.csv", b"\x89PNG\r\n\x1a\n" + RANDOM, "not a text table in UTF-8"),
    "latin-1 cells": ("t.csv", bytes_of("u,v,y\n1,2,é\n2,3,b\n", "latin-1"), "in column 'y'"),
    "latin-1 names": ("t.csv", bytes_of("é,v,y\n1,2,a\n2,3,b\n", "latin-1"), "not a text table in UTF-8"),
    "utf-16": ("t.csv", bytes_of(GOOD, "utf-16"), "not a text table in UTF-8"),
    "no gzip": ("t.csv.gz", GOOD.encode(), "not gzip"),
    "cut gzip": ("t.csv.gz", gzip.compress(GOOD.encode())[:-20], "cut off"),
    "no parquet": ("t.parquet", GOOD.encode(), "cannot be read as Parquet"),
    "empty parquet": ("t.parquet", b"", "cannot be read as Parquet"),
    "excel": ("t.xlsx", b"PK\x03\x04", "must end in one of .csv"),
    "no ending": ("t", GOOD.encode(), "must end in one of .csv"),
    "infinite": ("t.csv", b"u,v,y\n1.5,inf,a\n2.5,1,b\n", "infinity"),
    "no labels": ("t.csv", b"u,v,y\n1.5,2,\n2.5,1,\n", "empty in every row"),
    "one class": ("t.csv", b"u,v,y\n1.5,2,a\n2.5,1,\n1,1,a\n", "only one class, 'a'"),
    "dates as classes": ("t.csv", b"u,y\n1.5,2020-01-01\n2.5,2020-01-02\n", "date32.*write them as text"),
    "regression": ("t.csv", CONTINUOUS.encode(), "continuous"),
    "only text": ("t.csv", b"u,y\nx y z,a\nz,b\nx,a\n", "no column that a model can use: u"),
    "only a target": ("t.csv", b"y\na\nb\n", "no column"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_tables_that_cannot_be_used(here, what):
    name, content, words = BROKEN[what]
    Path(name).write_bytes(content)
    result = fit(name, "--target", "y", code=1)
    message = error_of(result)
    assert re.search(words, message), message
    assert os.listdir() == [name]


def test_missing_files_and_folders(here):
    Path("folder.csv").mkdir()
    assert "no such file" in error_of(fit("none.csv", "--target", "y", code=1))
    assert "folder" in error_of(fit("folder.csv", "--target", "y", code=1))
    assert os.listdir() == ["folder.csv"]


def test_unknown_columns_get_close_names(table):
    for option, name in (("--id", "U"), ("--weight", "uu"), ("--drop", " u"), ("--text", "u ")):
        message = error_of(fit("data.csv", "--target", "y", option, name, code=1))
        assert f"{name!r} ({option})" in message
        assert "did you mean" in message
        assert "'u'" in message
    assert "'Y' (--target): did you mean 'y'?" in error_of(fit("data.csv", "--target", "Y", code=1))
    assert "it has 'u', 'v', 'w', 'y'" in error_of(fit("data.csv", "--target", "species", code=1))


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit"],
        ["fit", "data.csv"],
        ["fit", "data.csv", "--target", "y", "--id", "y"],
        ["fit", "data.csv", "--target", "y", "--weight", "y"],
        ["fit", "data.csv", "--target", "y", "--id", "u", "--weight", "u"],
        ["fit", "data.csv", "--target", "y", "--drop", "y"],
        ["fit", "data.csv", "--target", "y", "--drop", "u", "--as", "u=number"],
        ["fit", "data.csv", "--target", "y", "--as", "y=category"],
        ["fit", "data.csv", "--target", "y", "--as", "u=count", "--as", "u=number"],
        ["fit", "data.csv", "--target", "y", "--as", "u"],
        ["fit", "data.csv", "--target", "y", "--as", "=count"],
        ["fit", "data.csv", "--target", "y", "--text", "y"],
        ["fit", "data.csv", "--target", "y", "--text", "u", "--text", "u"],
        ["fit", "data.csv", "--target", "y", "--model", "mixture", "--text", "u", "--covariance", "full"],
        ["fit", "data.csv", "--target", "y", "--model", "mixture", "--covariance", "round"],
        ["fit", "data.csv", "--target", "y", "--model", "round"],
        ["fit", "data.csv", "--target", "y", "--jobs", "0"],
        ["fit", "data.csv", "--target", "y", "--time-budget", "-1"],
        ["fit", "data.csv", "--target", "y", "--time-budget", "soon"],
        ["fit", "data.csv", "--target", "y", "--seed", "-1"],
        ["fit", "data.csv", "--target", "y", "--nonsense"],
        ["predict", "model"],
        ["predict", "model", "data.csv"],
        ["nonsense"],
    ],
)
def test_wrong_usage(table, arguments):
    result = run(*arguments, code=2)
    assert "Traceback" not in result.output
    assert os.listdir() == ["data.csv"]


def test_names_with_markup_and_other_scripts(here):
    frame, _ = make_table()
    frame.columns = ["[bold]u[/bold]", "größe :smile:", "長さ", "y"]
    frame["y"] = frame["y"].replace({"no": "[red]", "yes": "[/red]"})
    frame.to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y")
    assert "[bold]u[/bold], größe :smile:, 長さ" in result.stdout
    assert "[/red] 10" in result.stdout


@pytest.mark.parametrize(
    "name",
    [
        "data.csv.gz",
        "data.tsv",
        "data.tsv.gz",
        "data.parquet",
        "DATA.CSV",
        "semicolon.csv",
        "bom.csv",
        "crlf.csv",
    ],
)
def test_formats(here, name):
    frame, _ = make_table()
    if name == "data.parquet":
        frame.to_parquet(name, index=False)
    elif name == "semicolon.csv":
        frame.to_csv(name, index=False, sep=";")
    elif name == "bom.csv":
        frame.to_csv(name, index=False, encoding="utf-8-sig")
    elif name == "crlf.csv":
        frame.to_csv(name, index=False, lineterminator="\r\n")
    else:
        frame.to_csv(name, index=False, sep="\t" if "tsv" in name else ",")
    fit(name, "--target", "y", "--out", "out")
    frame.to_csv("plain.csv", index=False)
    fit("plain.csv", "--target", "y", "--out", "plain")
    assert Path("out/predictions.csv").read_bytes() == Path("plain/predictions.csv").read_bytes()


def test_the_index_column_that_pandas_writes_is_no_feature(here):
    make_table()[0].to_csv("data.csv")
    assert "unnamed: 0: every row has its own number" in fit("data.csv", "--target", "y").stdout


def test_the_default_folder_has_the_name_of_the_table(table):
    table.to_csv("more.data.csv.gz", index=False)
    fit("more.data.csv.gz", "--target", "y")
    assert Path("more.data-semigen").is_dir()


# --- nothing is overwritten, nothing is half-written


def test_existing_results_are_kept_and_found_before_any_work(table, monkeypatch):
    fit("data.csv", "--target", "y")
    before = {name: Path("data-semigen", name).read_bytes() for name in RESULTS}
    monkeypatch.setattr("semigen.cli.training.learn", lambda *_: pytest.fail("worked"))
    message = error_of(fit("data.csv", "--target", "y", "--seed", 1, code=1))
    assert "--force" in message
    assert {name: Path("data-semigen", name).read_bytes() for name in RESULTS} == before


def test_force_replaces_the_results_and_nothing_else(table):
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    Path("out/summary.json").write_text("old")
    error_of(fit("data.csv", "--target", "y", "--out", "out", code=1))
    assert Path("out/summary.json").read_text() == "old"
    fit("data.csv", "--target", "y", "--out", "out", "--force")
    assert Path("out/mine.txt").read_text() == "mine"
    assert set(os.listdir("out")) == RESULTS | {"mine.txt"}
    assert json.loads(Path("out/summary.json").read_text())["n_rows"] == 60
    assert set(os.listdir()) == {"data.csv", "out"}


def test_folders_and_files_in_the_way(table):
    Path("file").write_text("mine")
    assert "is a file" in error_of(fit("data.csv", "--target", "y", "--out", "file", "--force", code=1))
    Path("out/summary.json").mkdir(parents=True)
    assert "is a folder" in error_of(fit("data.csv", "--target", "y", "--out", "out", "--force", code=1))
    assert Path("file").read_text() == "mine"


def test_new_folders_in_new_folders_and_the_current_one(table):
    fit("data.csv", "--target", "y", "--out", "a/b/c")
    assert set(os.listdir("a/b/c")) == RESULTS
    fit("data.csv", "--target", "y", "--out", ".")
    assert set(os.listdir()) == RESULTS | {"data.csv", "a"}


@pytest.mark.parametrize("where", ["models.cross_validate", "training.save", "training.write_table"])
@pytest.mark.parametrize("there", [False, True])
def test_interrupting_fit_leaves_nothing(table, monkeypatch, where, there):
    if there:
        Path("data-semigen").mkdir()
        Path("data-semigen/summary.json").write_text("old")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"semigen.cli.{where}", interrupt)
    result = fit("data.csv", "--target", "y", "--out", "data-semigen", "--force", code=130)
    assert "interrupted" in result.stderr
    assert set(os.listdir()) == ({"data.csv", "data-semigen"} if there else {"data.csv"})
    if there:
        assert os.listdir("data-semigen") == ["summary.json"]
        assert Path("data-semigen/summary.json").read_text() == "old"


def test_a_full_disk_is_one_line_and_leaves_nothing(table, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("semigen.cli.training.write_table", full)
    assert error_of(fit("data.csv", "--target", "y", code=1)) == "error: somewhere: No space left on device."
    assert os.listdir() == ["data.csv"]


def test_bugs_are_not_hidden(table, monkeypatch):
    def bug(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("semigen.cli.models.cross_validate", bug)
    with pytest.raises(ZeroDivisionError):
        fit("data.csv", "--target", "y")
    assert os.listdir() == ["data.csv"]


def test_ctrl_c_in_a_real_process(here):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", "from semigen.cli import main; main()", "demo", "--table", "digits"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(here.glob(".*.unfinished/digits.csv")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().strip() == "error: interrupted; nothing was written."
    assert os.listdir(here) == []


# --- predict


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.tsv", "out.parquet"])
def test_predict_finds_columns_by_name(here, model, name):
    frame, _ = make_table(seed=1)
    shuffled = frame[["w", "y", "u", "v"]].assign(other="text", who=[f"r{j}" for j in range(60)])
    shuffled.to_csv("new.csv", index=False)
    result = run("predict", model, "new.csv", "--out", name, "--id", "who")
    assert "60 rows" in result.stdout
    written = {
        "out.csv": pd.read_csv,
        "out.csv.gz": pd.read_csv,
        "out.tsv": lambda path: pd.read_csv(path, sep="\t"),
        "out.parquet": lambda path: pq.read_table(path).to_pandas(),
    }[name](name)
    assert written.columns.tolist() == ["who", "predicted", "probability", "p_no", "p_yes", "log_density"]
    assert written["who"].tolist() == shuffled["who"].tolist()
    clf = semigen.load(model)
    assert written["predicted"].tolist() == clf.predict(frame[["u", "v", "w"]]).tolist()
    np.testing.assert_allclose(written["p_yes"], clf.predict_proba(frame[["u", "v", "w"]])[:, 1], rtol=1e-9)
    assert set(os.listdir()) == {"new.csv", name}


def test_predict_gives_the_predictions_of_fit(here, model):
    run("predict", model, model.parent.parent / "data.csv", "--out", "again.csv")
    first = pd.read_csv(model.parent / "predictions.csv").drop(columns="given")
    pd.testing.assert_frame_equal(pd.read_csv("again.csv"), first, rtol=1e-12)


def test_predict_as_json(here, model):
    make_table()[0].to_csv("new.csv", index=False)
    result = run("predict", model, "new.csv", "--out", "out.csv", "--json")
    summary = json.loads(result.stdout)
    assert summary["n_rows"] == 60
    assert summary["out"] == "out.csv"
    assert {entry["class"] for entry in summary["predicted"]} == {"no", "yes"}


def test_predict_refuses(here, model):
    frame, _ = make_table()
    frame.to_csv("new.csv", index=False)
    frame.drop(columns=["u", "w"]).rename(columns={"v": "V"}).to_csv("less.csv", index=False)
    frame.assign(u="x").to_csv("text.csv", index=False)
    Path("bad.semigen").write_bytes(model.read_bytes()[:500])
    files = set(os.listdir())
    for arguments, words in (
        ((model, "less.csv", "--out", "o.csv"), "no column 'u', 'v', 'w'"),
        ((model, "text.csv", "--out", "o.csv"), r"'u' \(text\)"),
        ((model, "new.csv", "--out", "o.csv", "--id", "Y"), "did you mean 'y'"),
        ((model, "new.csv", "--out", "o.xlsx"), "must end in one of"),
        ((model, "new.csv", "--out", "nowhere/o.csv"), "nowhere"),
        ((model, "none.csv", "--out", "o.csv"), "no such file"),
        (("none", "new.csv", "--out", "o.csv"), "none: No such file"),
        (("bad.semigen", "new.csv", "--out", "o.csv"), "not a semigen model"),
        (("new.csv", "new.csv", "--out", "o.csv"), "not a semigen model"),
    ):
        message = error_of(run("predict", *arguments, code=1))
        assert re.search(words, message), message
        assert set(os.listdir()) == files


def test_models_without_column_names(here):
    clf = semigen.MixtureClassifier().fit(np.random.default_rng(0).normal(size=(20, 2)), [0, 1] * 10)
    semigen.save(clf, "m.semigen")
    make_table()[0].to_csv("new.csv", index=False)
    assert "without column names" in error_of(
        run("predict", "m.semigen", "new.csv", "--out", "o.csv", code=1)
    )


def test_predict_overwrites_nothing_unasked_and_leaves_nothing_half_written(here, model, monkeypatch):
    make_table()[0].to_csv("new.csv", index=False)
    Path("o.csv").write_text("mine")
    assert "--force" in error_of(run("predict", model, "new.csv", "--out", "o.csv", code=1))
    assert Path("o.csv").read_text() == "mine"

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("semigen.cli.prediction.write_table", interrupt)
        run("predict", model, "new.csv", "--out", "o.csv", "--force", code=130)
    assert Path("o.csv").read_text() == "mine"
    assert set(os.listdir()) == {"new.csv", "o.csv"}
    run("predict", model, "new.csv", "--out", "o.csv", "--force")
    assert len(pd.read_csv("o.csv")) == 60


# --- demo, help, imports


def test_demo(here):
    result = run("demo", "--table", "wine")
    assert "on 30 hidden labeled rows" in result.stdout
    (share,) = re.findall(r"never saw, ([\d.]+)%", " ".join(result.stdout.split()))
    assert float(share) > 90
    assert set(os.listdir("semigen-demo")) == {
        "wine.csv", "wine_new.csv", "wine_new_truth.csv", "wine_new_predicted.csv", "results",
    }  # fmt: skip
    assert set(os.listdir("semigen-demo/results")) == RESULTS
    known, new, truth = (pd.read_csv(f"semigen-demo/wine{part}.csv") for part in ("", "_new", "_new_truth"))
    assert known["cultivar"].notna().sum() == 30
    assert "cultivar" not in new
    assert len(known) + len(new) == 178
    assert truth["sample"].tolist() == new["sample"].tolist()
    summary = json.loads(Path("semigen-demo/results/summary.json").read_text())
    assert summary["table"] == "semigen-demo/wine.csv"

    before = {p: p.read_bytes() for p in Path("semigen-demo").rglob("*.csv")}
    assert "--force" in error_of(run("demo", "--table", "wine", code=1))
    commands = re.findall(r"^  semigen (.*)$", result.stdout, flags=re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["fit", "predict"]
    for command in commands:
        run(*command.split())
    assert {p: p.read_bytes() for p in Path("semigen-demo").rglob("*.csv")} == before


def test_the_default_demo(here):
    result = run("demo", "--out", "d", "--seed", 1)
    assert "wine" in result.stdout
    assert "30 labeled, 95 unlabeled" in result.stdout
    run("demo", "--out", "d", "--force")
    assert os.listdir() == ["d"]


def test_help_names_commands_and_exit_codes():
    assert semigen.__version__ in run("--version").stdout
    text = run("--help").stdout
    for words in ("fit", "predict", "demo", "Exit codes: 0 done; 1", "130 interrupted"):
        assert words in " ".join(text.split())
    for command in ("fit", "predict", "demo"):
        assert "Exit codes" in run(command, "--help").stdout


def test_help_and_import_are_light():
    code = (
        "import sys, semigen; first = set(sys.modules); import semigen.cli; "
        "heavy = {'torch', 'dask', 'pandas', 'matplotlib', 'jinja2', 'sklearn', 'pyarrow', 'skops'}; "
        "print(sorted(heavy & set(sys.modules)), sorted({'typer', 'rich'} & first))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] []"
