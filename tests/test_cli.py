"""``semigen predict`` and ``semigen demo``; help and progress."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import semigen
from command_line import (
    RESULTS,
    error_of,
    here,
    make_table,
    model,
    run,
    small,
)
from semigen.cli import app
from semigen.cli.console import Output
from semigen.cli.report import training_notes

__all__ = ["here", "model", "small"]  # fixtures


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
    assert "accuracy" in result.stdout
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
        (
            (model, "text.csv", "--out", "o.csv"),
            "'u' is numbers in the model, and 60 .* the first is 'x' in row 0",
        ),
        ((model, "new.csv", "--out", "o.csv", "--id", "Y"), "did you mean 'y'"),
        ((model, "new.csv", "--out", "o.xlsx"), "must end in one of"),
        ((model, "new.csv", "--out", "nowhere/o.csv"), "nowhere"),
        ((model, "none.csv", "--out", "o.csv"), "none.csv does not exist"),
        (("none", "new.csv", "--out", "o.csv"), "none: No such file or directory: check the path"),
        ((Path.cwd(), "new.csv", "--out", "o.csv"), "is a folder: give the model file in it"),
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


def test_demo(here, small):
    result = run("demo", "--table", "wine")
    assert "on 30 held-out labeled rows" in result.stdout
    (share,) = re.findall(r"([\d.]+)% are predicted correctly", " ".join(result.stdout.split()))
    assert float(share) > 90
    assert set(os.listdir("semigen-demo")) == {
        "wine.csv", "wine_new.csv", "wine_new_truth.csv", "wine_new_predicted.csv", "results",
    }  # fmt: skip
    assert set(os.listdir("semigen-demo/results")) == RESULTS - {"config.toml"} | {"report.html"}
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


def test_the_default_demo(here, small):
    Path("d").mkdir()
    Path("d/wine.csv").write_text("old")
    result = run("demo", "--out", "d", "--seed", 1, "--force")
    assert "wine" in result.stdout
    assert "30 labeled, 95 unlabeled" in result.stdout
    assert os.listdir() == ["d"]
    assert Path("d/wine.csv").read_text() != "old"


def test_help_names_commands_and_exit_codes():
    assert semigen.__version__ in run("--version").stdout
    text = run("--help").stdout
    for words in ("fit", "predict", "demo", "Exit codes: 0 done; 1", "130 interrupted"):
        assert words in " ".join(text.split())
    for command in ("fit", "predict", "demo"):
        assert "Exit codes" in run(command, "--help").stdout


def test_help_fits_into_80_columns():
    for command in app.registered_commands:  # whose line breaks are kept
        _, *lines = inspect.getdoc(command.callback).splitlines()
        assert max(map(len, lines), default=0) <= 79, command.callback.__name__


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


def test_a_first_prediction_loads_little_and_collects_garbage_rarely(here, model):
    make_table(seed=1)[0].to_csv("new.csv", index=False)
    code = (
        "import gc, sys; from semigen.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'dask', 'matplotlib', 'jinja2', 'sklearn.ensemble', 'sklearn.neighbors'}\n"
        "print(sorted(heavy & set(sys.modules)), gc.get_threshold()[0])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = ["predict", str(model), "new.csv", "--out", "p.csv"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 100000"


def test_progress_names_the_step(monkeypatch):
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=80)
    monkeypatch.setattr("semigen.cli.console._console", lambda **_: terminal)
    with Output(as_json=True).progress("learning") as step:
        step(1, 4, "forest")
    assert "learning: forest" in stream.getvalue()


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"converged": False, "n_iter": 7}, "EM stopped after 7 iterations, before it converged"),
        ({"dependence_shift": True}, "in the labeled rows"),
        ({"stopped_early": True}, "the time budget ended the fit early"),
        ({"outcome": "not finite"}, "the training diverged"),
        ({"outcome": "finished", "features": {"outcome": "not finite"}}, "the training diverged"),
        ({"features": {"collapsed": True}}, "carry no information about the images"),
    ],
)
def test_what_went_wrong_in_a_training_is_noted(about, words):
    (note,) = training_notes(about)
    assert words in note


def test_a_training_that_went_well_has_no_notes():
    about = {"converged": True, "dependence_shift": False, "stopped_early": False, "outcome": "finished"}
    assert list(training_notes({**about, "features": {"outcome": "finished", "collapsed": False}})) == []
