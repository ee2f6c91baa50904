"""``semigen fit``: what it writes and what it says of a table."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import semigen
from command_line import (
    RESULTS,
    error_of,
    fit,
    found_by,
    here,
    make_table,
    outcome_of,
    said_verdict,
    shown,
    table,
)
from semigen.cli.recipes import judging
from semigen.comparison import cross_validate
from semigen.io.models import read_notes

__all__ = ["here", "table"]  # fixtures


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
        "3 numeric columns: u, v, w",
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
    assert {"all rows", "labeled rows only"} <= set(written["comparison"]["scores"])
    assert written["why_not_compared"] is None
    assert sum(entry["rows"] for entry in written["predicted"]) == 60
    notes = read_notes("data-semigen/model.semigen")
    assert notes == {name: written[name] for name in notes}
    assert set(written) - set(notes) >= {"map", "held_out", "model_card"}
    assert {"verdict", "columns", "model", "reading"} <= set(notes)


def test_the_same_seed_gives_the_same_files(table):
    for out in ("a", "b"):
        fit("data.csv", "--target", "y", "--seed", 3, "--out", out)
    assert found_by("a") == found_by("b")


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
        "2 text columns: town (text with 30 distinct values becomes features of its letters), note (text",
        "1 date column: born (becomes its time",
        "same: every row has the value 7",
        "nothing: no cell is filled",
        "number: every row has a different number, like an identifier (--as number=number uses it)",
        "patient: identifies the rows (--id)",
        "old: left out (--drop)",
        "3 numeric columns: u, v, w",
    ):
        assert words in text
    predictions = pd.read_csv("data-semigen/predictions.csv")
    assert predictions.columns[0] == "patient"
    assert predictions["patient"].tolist() == frame["patient"].tolist()
    result = fit("data.csv", "--target", "y", "--as", "number=number", "--force")
    assert "4 numeric columns: u, v, w, number" in result.stdout


def test_columns_without_a_use_for_the_same_reason_share_a_line(here):
    frame, _ = make_table()
    for j in range(20):
        frame[f"id{j}"] = [f"x{i}" for i in range(60)]
        frame[f"c{j}"] = [j] * 60
    frame.to_csv("data.csv", index=False)
    text = " ".join(fit("data.csv", "--target", "y").stdout.split())
    assert (
        "id0, id1, id2, id3, id4, id5, id6, id7 and 12 more: every row has a different text, like an " in text
    )
    assert "identifier (--id COLUMN names rows by it)" in text
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
def test_classes_keep_their_type_where_the_file_has_types(here, classes, kind):
    make_table(classes=classes)[0].to_parquet("data.parquet", index=False)
    fit("data.parquet", "--target", "y")
    clf = semigen.load("data-semigen/model.semigen")
    assert clf.classes_.tolist() == sorted(classes)
    assert type(clf.classes_.tolist()[0]) is kind
    written = pa.csv.read_csv("data-semigen/predictions.csv")
    assert {type(cell) for cell in written["predicted"].to_pylist()} == {kind}
    assert {None if cell == "" else cell for cell in written["given"].to_pylist()} == {None, *classes}


@pytest.mark.parametrize(
    ("marker", "classes"), [("-1", (0, 1)), ("?", ("a", "b")), ("-1", (0.5, 1.5)), ("?", (True, False))]
)
def test_markers_of_unlabeled_rows(here, marker, classes):
    frame, _ = make_table(classes=[str(c) for c in classes])
    frame["y"] = frame["y"].fillna(marker)
    frame.to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y", "--out", "naive")
    assert "(40 rows) is taken as a class" in result.stderr
    assert f"--unlabeled={shlex.quote(marker)}" in result.stderr
    summary = json.loads(fit("data.csv", "--target", "y", "--unlabeled", marker, "--json").stdout)
    assert summary["n_unlabeled"] == 40
    assert [one["class"] for one in summary["labeled"]] == sorted(map(str, classes))


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


def test_too_few_labels_to_cross_validate(here, monkeypatch):
    monkeypatch.setattr(judging, "N_FOLDS", 5)
    make_table(labeled=3)[0].to_csv("data.csv", index=False)
    result = fit("data.csv", "--target", "y")
    assert "Not cross-validated" in result.stdout
    assert "there are 2" in " ".join(result.stdout.split())
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["comparison"] is None
    assert summary["why_not_compared"] in shown(result)
    assert summary["verdict"]["outcome"] == "not compared"


def test_the_twin_is_kept_where_unlabeled_rows_hurt(here, monkeypatch):
    """At full weight; the balanced one hardly hurts."""
    monkeypatch.setattr("semigen.mixture.evidence.candidate_weights", lambda rows: [1.0])
    data = semigen.datasets.make_gaussian_classes(60, 1000, 20, distance=3.0, random_state=1)
    pd.DataFrame(data.X).assign(y=data.y).to_csv("good.csv", index=False)
    data = semigen.datasets.make_misspecified(20, 1000, cluster_distance=8, random_state=1)
    pd.DataFrame(data.X).assign(y=data.y).to_csv("bad.csv", index=False)
    for name, outcome, weight in (("good", "helped", "auto"), ("bad", "hurt", 0)):
        result = fit(f"{name}.csv", "--target", "y", "--covariance", "full", "--json")
        summary = json.loads(result.stdout)
        assert said_verdict(summary) == outcome_of(summary)
        assert summary["verdict"]["outcome"] == outcome
        assert summary["model"]["trained_on"] == ("all rows" if weight else "labeled rows only")
        assert semigen.load(f"{name}-semigen/model.semigen").unlabeled_weight == weight
        text = " ".join(result.stderr.split())
        assert summary["verdict"]["text"] in text
        assert f"Unlabeled rows {outcome}" in text
        assert ("The saved model is trained on the labeled rows alone." in text) == (weight == 0)
        assert ("Another --covariance may fit better." in text) == (weight == 0)


@pytest.mark.parametrize(("change", "outcome"), [(0.5, "hurt"), (0.0, "unclear"), (-0.5, "helped")])
def test_the_log_loss_decides_and_not_the_accuracy(table, monkeypatch, change, outcome):
    """Whatever the log-loss says, the accuracy here says the contrary."""

    def compared(*arguments, **options):
        found = cross_validate(*arguments, **options)
        one = np.ones(len(found.rows))
        losses = {"all rows": np.linspace(0.9, 1.1, len(one)) + change, "labeled rows only": one}
        correct = {"all rows": float(change > 0) * one, "labeled rows only": float(change <= 0) * one}
        losses["class shares"], correct["class shares"] = 2.0 * one, 0.0 * one
        return dataclasses.replace(found, correct=correct, row_losses=losses)

    monkeypatch.setattr("semigen.cli.recipes.judging.cross_validate", compared)
    result = fit("data.csv", "--target", "y")
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert said_verdict(summary) == outcome_of(summary)
    assert summary["verdict"]["outcome"] == outcome
    kept = semigen.load("data-semigen/model.semigen").unlabeled_weight
    assert kept == (0 if outcome == "hurt" else "auto")
    lines = result.stdout.splitlines()
    shares = [number for number, line in enumerate(lines) if line.startswith("class shares")]
    assert [lines[shares[0] + 1], len(shares)] == ["", 1]  # the last line of the table
    assert lines[shares[0]].startswith("class shares alone")
    assert "2.000 (2.000-2.000)" in lines[shares[0]]


def test_weights_of_zero_leave_no_unlabeled_rows_to_judge(here):
    frame, _ = make_table()
    frame.assign(weight=frame["y"].notna().astype(int)).to_csv("data.csv", index=False)
    text = shown(fit("data.csv", "--target", "y", "--weight", "weight"))
    assert "60: 20 labeled, 40 unlabeled" in text
    assert "no unlabeled rows to learn from" in text
    assert "labeled rows only" not in text


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


def test_choices_are_flags_in_mixtures_too(here):
    """As the summary says, and alike in text and in a type."""
    rng, frame = np.random.default_rng(0), make_table()[0]
    tags = [[one for one in ("red", "a, b", "green") if rng.random() < 0.5] for _ in range(len(frame))]
    frame.assign(tags=tags).to_csv("data.csv", index=False)
    frame.assign(tags=tags).to_parquet("data.parquet")
    for name in ("data.csv", "data.parquet"):
        result = fit(name, "--target", "y", "--out", "out", "--force")
        assert "tags (becomes a flag for each of its 3 options" in shown(result)
        clf = semigen.load("out/model.semigen")
        assert clf.schema_.kinds[3:] == ("flag",) * 3
        assert {"tags: red", "tags: a, b", "tags: green"} < set(clf.schema_.names)
    fit("data.csv", "--target", "y", "--out", "out", "--force", "--as", "tags=text")
    assert "word" in semigen.load("out/model.semigen").schema_.kinds
