"""``semigen query`` and ``semigen next``: the file to fill in, with a model and without."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import semigen
from command_line import error_of, fit, here, make_table, run, shown

__all__ = ["here"]  # a fixture

MODEL = "data-semigen/model.semigen"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folder of a table with ids, 20 of whose 60 rows are labeled, and of a mixture fitted to it."""
    folder = tmp_path_factory.mktemp("fitted")
    frame, _ = make_table()
    frame.assign(who=[f"w{j}" for j in range(60)]).to_csv(folder / "data.csv", index=False)
    fit(folder / "data.csv", "--target", "y", "--id", "who", "--out", folder / "data-semigen")
    return folder


@pytest.fixture
def model(here, fitted):
    shutil.copytree(fitted, here, dirs_exist_ok=True)
    return pd.read_csv("data.csv")


def read(name="data-next.csv"):
    return pd.read_csv(name, keep_default_na=False, dtype=str)


def test_query_writes_the_rows_that_python_chooses_with_a_column_to_fill_in(model):
    result = run("query", MODEL, "data.csv", "--id", "who", "-n", 5)
    found = read()
    assert found.columns.tolist() == [
        "who",
        "y",
        "reason",
        "predicted",
        "probability",
        "score",
        "u",
        "v",
        "w",
    ]
    assert (found["y"] == "").all()
    clf = semigen.load(MODEL)
    y = model["y"].where(model["y"].notna(), None)
    asked = semigen.query(clf, model[["u", "v", "w"]], y, 5)
    assert found["who"].tolist() == [f"w{row}" for row in asked.rows]
    assert found["predicted"].tolist() == asked.predicted.tolist()
    assert found["reason"].tolist() == list(asked.reasons)
    again = pd.read_csv("data-next.csv")
    assert again["probability"].tolist() == [float(f"{one:.4g}") for one in asked.probabilities]
    assert again["u"].tolist() == pytest.approx(model["u"][asked.rows].tolist())
    assert "5 rows to label are in data-next.csv" in shown(result)
    assert found["who"][4] in shown(result)


def test_next_is_query_and_json_says_what_was_written(model):
    run("query", MODEL, "data.csv", "--out", "one.csv")
    result = run("next", MODEL, "data.csv", "--out", "two.csv", "--json")
    assert read("one.csv").equals(read("two.csv"))
    summary = json.loads(result.stdout)
    assert [line["id"] for line in summary["rows"]] == read("two.csv")["row"].tolist()
    assert (summary["target"], summary["strategy"], summary["n_labeled"], summary["out"]) == (
        "y", "auto", 20, "two.csv",
    )  # fmt: skip


def test_other_rows_than_those_of_the_model_are_asked_for_without_labels(model):
    frame, _ = make_table(40, 0, seed=5)
    frame.drop(columns="y").to_csv("new.csv", index=False)
    run("query", MODEL, "new.csv", "-n", 4, "--strategy", "margin")
    found = read("new-next.csv")
    assert found.columns.tolist()[:3] == ["row", "y", "reason"]
    assert len(found) == 4
    assert (found["predicted"] != "").all()


def test_a_table_without_any_label_needs_the_name_of_the_column_only(here):
    frame, _ = make_table(80, 0)
    frame.drop(columns="y").to_csv("cold.csv", index=False)
    run("next", "cold.csv", "--target", "kind", "-n", 3)
    found = read("cold-next.csv")
    assert found.columns.tolist() == [
        "row",
        "kind",
        "reason",
        "predicted",
        "probability",
        "score",
        "u",
        "v",
        "w",
    ]
    assert set(found["reason"]) == {"explore"}
    assert (found[["kind", "predicted", "probability"]] == "").all(axis=None)
    frame["y"] = None
    frame.loc[0, "y"] = "yes"
    frame.to_csv("one.csv", index=False)
    run("next", "one.csv", "--target", "y", "-n", 3)
    assert "0" not in read("one-next.csv")["row"].tolist()


def test_a_table_with_two_classes_gets_the_default_model(here, monkeypatch):
    frame, _ = make_table()
    frame.to_csv("data.csv", index=False)
    made = []

    def small(**options):
        made.append(options)
        return semigen.AutoClassifier(n_mixtures=4, **options)

    monkeypatch.setattr("semigen.cli.querying.AutoClassifier", small)
    run("query", "data.csv", "--target", "y", "--as", "u=number", "--drop", "w", "--seed", 3)
    kinds = {"u": "number", "v": "number"}
    assert made == [{"kinds": kinds, "unlabeled": None, "random_state": 3, "verbose": 0}]
    found = read()
    assert set(found["predicted"]) <= {"no", "yes"}
    assert found["row"].astype(int).min() >= 20


def test_labels_to_check_come_with_what_was_given(model):
    wrong = model.copy()
    wrong.loc[[4, 11], "y"] = ["yes", "no"]
    wrong.to_csv("wrong.csv", index=False)
    run("query", MODEL, "wrong.csv", "--check", 2, "-n", 4)
    found = read("wrong-next.csv")
    assert set(found["row"][:2]) == {"4", "11"}
    assert found.columns.tolist()[:4] == ["row", "y", "given", "reason"]
    assert dict(zip(found["row"], found["given"], strict=True)) | {"4": "yes", "11": "no"} == dict(
        zip(found["row"], found["given"], strict=True)
    )
    assert found["reason"].tolist()[:2] == ["check label"] * 2
    assert (found["y"] == "").all()


def test_nothing_is_overwritten_without_force(model):
    Path("data-next.csv").write_text("mine")
    before = set(os.listdir())
    assert "exists and is not overwritten" in error_of(run("query", MODEL, "data.csv", code=1))
    assert Path("data-next.csv").read_text() == "mine"
    assert set(os.listdir()) == before
    run("query", MODEL, "data.csv", "--force")
    assert len(read()) == 10
    assert "is an input" in error_of(run("query", MODEL, "data.csv", "--out", "data.csv", "--force", code=1))


def test_columns_of_the_same_name_do_not_hide_each_other(here):
    frame, _ = make_table(60, 0)
    frame.drop(columns="y").rename(columns={"u": "reason"}).to_csv("d.csv", index=False)
    run("next", "d.csv", "--target", "y", "-n", 2)
    found = read("d-next.csv")
    assert set(found["reason"]) == {"explore"}
    assert found["table.reason"].str.contains(".", regex=False).all()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("data.csv",), 2, "give MODEL and TABLE, or TABLE alone with --target"),
        ((MODEL, "data.csv", "--drop", "u"), 2, "are for a table without MODEL"),
        ((MODEL, "data.csv", "-n", 0), 2, "Invalid value for '--rows'"),
        ((MODEL, "data.csv", "--strategy", "best"), 2, "'best' is not one of"),
        (("data.csv", "--target", "y", "--as", "u"), 2, "write COLUMN=KIND"),
        ((MODEL, "other.csv"), 1, "other.csv does not exist"),
        ((MODEL, "data.csv", "--id", "nobody"), 1, "has no column 'nobody' (--id)"),
        ((MODEL, "data.csv", "--out", "x.pdf"), 1, "has no known table format"),
    ],
)
def test_what_cannot_be_asked_is_said(model, arguments, code, message):
    result = run("query", *arguments, code=code)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert set(os.listdir()) == {"data.csv", "data-semigen"}


def test_the_table_on_the_command_line_comes_before_that_of_a_config(model):
    """Beside a model, and where there is none."""
    model[:30].assign(who=[f"x{j}" for j in range(30)]).to_csv("new.csv", index=False)
    config = ("--config", "data-semigen/config.toml", "-n", 3, "--out", "asked.csv", "--force")
    for given, first in (([MODEL, "new.csv"], "x"), (["new.csv"], "x"), ([MODEL], "w"), ([], "w")):
        run("query", *given, *config)
        found = read("asked.csv")
        assert len(found) == 3
        assert found["who"].str.startswith(first).all()
