"""``semigen fit``: every model, every kind of column, words."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import semigen
from command_line import (
    compared_by,
    error_of,
    fit,
    found_by,
    here,
    make_notes,
    make_table,
    mixed,
    outcome_of,
    run,
    said_verdict,
    shown,
    small,
    table,
)
from semigen.comparison import judge
from semigen.representation import PlainColumns

__all__ = ["here", "small", "table"]  # fixtures


MODELS = ("auto", "mixture", "safe", "hybrid")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """The folder of a default fit, and what it printed in 80 columns."""
    folder = tmp_path_factory.mktemp("pooled")
    make_table()[0].to_csv(folder / "data.csv", index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", "80")
        return folder, run("fit", folder / "data.csv", "--target", "y", "--out", folder / "out")


def test_the_default_is_an_ensemble_whose_models_are_shown(pooled):
    folder, result = pooled
    clf = semigen.load(folder / "out/model.semigen")
    assert isinstance(clf, semigen.AutoClassifier)
    summary = json.loads((folder / "out/summary.json").read_text())
    assert summary["model"]["name"] == "auto"
    assert {one["name"]: one["weight"] for one in summary["model"]["models"]} == clf.weights_
    assert summary["model"]["explanation"] == clf.explanation_
    assert summary["comparison"] == clf.validation_.to_dict()
    verdict = judge(clf.validation_, "all models", "supervised models", n_unlabeled=40)
    assert said_verdict(summary) == {
        name: value
        for name, value in verdict.to_dict().items()
        if name not in ("harm_probability", "negligible")
    }
    assert summary["verdict"]["harm_probability"] == clf.verdict_.harm_probability is not None
    expected = {*clf.weights_, "all models", "supervised models"}
    assert expected == set(clf.validation_.names)
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
    assert summary["verdict"]["text"] in shown(result)
    files = [line for line in lines if line.startswith(("Results are in", "Next: ", "Label next: "))]
    assert max(len(line) for line in lines if line not in files) <= 80


def test_predictions_of_the_ensemble(pooled, here):
    folder, _ = pooled
    written = pd.read_csv(folder / "out/predictions.csv")
    names = ["row", "given", "predicted", "probability", "p_no", "p_yes", "log_density", "novelty"]
    assert written.columns.tolist() == names
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
    assert said_verdict(summary) == outcome_of(summary, pair)
    for name in pair:
        assert name in result.stderr
    clf = semigen.load("data-semigen/model.semigen")
    assert summary["model"]["estimator"] == type(clf).__name__
    if model != "auto":
        assert summary["model"]["trained_on"] == pair[summary["verdict"]["outcome"] == "hurt"]
    if model == "safe":
        assert clf.estimator.covariance == "full"
        assert summary["model"]["unlabeled_weight"] == clf.unlabeled_weight_
        why = f"; {clf.fallback_}" if clf.fallback_ else "."
        said = f"Weight of an unlabeled row (a labeled row has 1): {clf.unlabeled_weight_:g}{why}"
        assert said in " ".join(result.stderr.split())
    table.drop(columns="y").iloc[::-1].to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    first = pd.read_csv("data-semigen/predictions.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_no"][::-1], first["p_no"], rtol=1e-9)


def test_twins_of_standard_models(table, monkeypatch, small):
    mixture, without = compared_by("mixture", monkeypatch)
    assert (mixture.unlabeled_weight, without.unlabeled_weight) == ("auto", 0.0)
    safe, without = compared_by("safe", monkeypatch)
    assert without.get_params() == {**safe.estimator.get_params(), "unlabeled_weight": 0.0}
    hybrid, without = compared_by("hybrid", monkeypatch)
    assert isinstance(hybrid.representation, FrozenEstimator)
    assert isinstance(without.representation, PlainColumns)


def test_results_depend_on_the_seed_and_not_on_the_threads(table, small):
    budget = ("--time-budget", 600)
    for out, options in {"a": ("--jobs", 1), "b": ("--jobs", 2, *budget), "c": ("--seed", 1)}.items():
        run("fit", "data.csv", "--target", "y", "--out", out, *options)
    a, b, c = map(found_by, "abc")
    assert a == b
    assert all(one != other for one, other in zip(a, c, strict=True))
    given = semigen.load("b/model.semigen").get_params()
    assert (given["n_jobs"], given["random_state"]) == (2, 0)
    assert 500 < given["time_budget"] < 600  # what is left when the table is read


@pytest.mark.parametrize("model", ["auto", "mixture"])
def test_class_shares_are_those_that_are_given(here, model):
    frame, _ = make_table(classes=(0, 1))
    frame.to_parquet("data.parquet", index=False)

    def shares(*words):
        given = [part for word in words for part in ("--class-prior", word)]
        fit("data.parquet", "--target", "y", "--model", model, "--no-report", "--force", *given)
        summary = json.loads(Path("data-semigen/summary.json").read_text())
        return [one["assumed"] for one in summary["class_shares"]]

    assert shares("1=0.1", "0=0.9") == pytest.approx([0.9, 0.1])
    assert shares("uniform") == pytest.approx([0.5, 0.5])
    assert 'class-prior = ["uniform"]' in Path("data-semigen/config.toml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["no=0.5"],
            1,
            "--class-prior gives shares of 'no', and the classes are 'no', 'yes': give",
        ),
        (["no=0.5", "maybe=0.5"], 1, "shares of 'no', 'maybe'"),
        (["no=0.5", "yes=0.4"], 1, "with sum 1"),
        (["balanced"], 2, "--class-prior balanced: write shared, unlabeled or uniform"),
        (["no=0.5", "no=0.5"], 2, "--class-prior no=0.5: write"),
        (["shared", "no=0.5"], 2, "--class-prior shared: write"),
        (["no=1.5"], 2, "--class-prior no=1.5: write"),
    ],
)
def test_class_shares_that_are_none_are_refused(table, words, code, said):
    given = [part for word in words for part in ("--class-prior", word)]
    result = fit("data.csv", "--target", "y", "--model", "mixture", *given, code=code)
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_options_of_one_model_are_refused_for_others(table):
    for option, value, able in (
        ("--covariance", "full", ("mixture", "safe")),
        ("--time-budget", "5", ("auto",)),
        ("--jobs", "1", ("auto", "safe", "hybrid", "vae", "gan", "flow")),
    ):
        for model in set(MODELS) - set(able):
            result = run("fit", "data.csv", "--target", "y", "--model", model, option, value, code=2)
            said = " ".join(result.stderr.replace("│", " ").split())
            assert f"{option} is for --model {' or --model '.join(able)}, not for --model {model}" in said
    for model in ("auto", "hybrid"):
        message = error_of(
            run("fit", "data.csv", "--target", "y", "--model", model, "--as", "u=poisson", code=1)
        )
        assert f"--as u=poisson: --model {model} has no families" in message
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
    assert "2 categorical columns: zip (3 values), grade (4 values)" in result.stdout
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
def test_mixed_tables_with_missing_values_and_new_levels(here, model, small):
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


@pytest.mark.parametrize("model", MODELS)
def test_words_in_every_model(here, model, small):
    frame, truth = make_notes()
    frame.to_csv("notes.csv", index=False)
    run("fit", "notes.csv", "--target", "topic", "--text", "body", "--drop", "pages", "--model", model)
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    loaded = semigen.load("notes-semigen/model.semigen")
    assert loaded.predict(pd.DataFrame({"body": ["soil and compost"]})).tolist() == ["garden"]
    run("predict", "notes-semigen/model.semigen", "notes.csv", "--out", "out.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_engine"], predictions["p_engine"], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_words_beside_other_columns_dates_and_codes(here, model, small):
    frame, truth = make_notes()
    engine = truth == "engine"
    rng = np.random.default_rng(0)
    frame["size"] = engine + rng.normal(size=len(frame))
    frame["zip"] = [f"{(10 if one else 94)}{rng.integers(500):03d}" for one in engine]
    days = pd.date_range("2020-01-01", periods=len(frame), freq="17h").astype(str)
    frame["when"] = rng.permutation(days).astype(object)
    frame.loc[3:7, ["body", "zip", "when", "size"]] = None
    frame.to_csv("notes.csv", index=False)
    result = run(
        "fit", "notes.csv", "--target", "topic", "--text", "body", "--as", "zip=text", "--model", model
    )
    text = shown(result)
    for words in ("text columns: body (5 missing), zip (5 missing)", "1 date column: when (becomes its time"):
        assert words in text
    assert "size" in text
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).drop(range(3, 8)).mean() > 0.95
    columns = semigen.load("notes-semigen/model.semigen")
    columns = getattr(columns, "schema_", None) or columns.estimator_.schema_
    assert {"body": "text", "zip": "text", "when": "date"}.items() <= columns.input_kinds.items()
    run("predict", "notes-semigen/model.semigen", "notes.csv", "--out", "out.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_engine"], predictions["p_engine"], rtol=1e-9)
    frame.assign(when="soon").to_csv("soon.csv", index=False)
    given = ("predict", "notes-semigen/model.semigen", "soon.csv", "--out", "soon-out.csv")
    said = "row 0 is 'soon'. Correct it, or leave it empty."
    assert error_of(run(*given, code=1)).startswith("error: soon.csv: column 'when' is read as dates")
    assert said in error_of(run(*given, code=1))


def test_a_pipeline_of_version_0_2_still_predicts_texts(here):
    frame, truth = make_notes()
    y = frame["topic"].astype(object).where(frame["topic"].notna(), None)
    model = make_pipeline(TfidfVectorizer(), semigen.AutoClassifier(n_mixtures=4)).fit(frame["body"], y)
    semigen.save(model, "old.semigen", notes={"text": ["body"], "target": "topic"})
    frame.to_csv("notes.csv", index=False)
    run("predict", "old.semigen", "notes.csv", "--out", "out.csv")
    assert (pd.read_csv("out.csv")["predicted"] == truth).mean() > 0.95


def test_one_label_per_class_leaves_the_default_weights(here, small):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    text = shown(run("fit", "data.csv", "--target", "y"))
    assert "No labeled row can be held out" in text
    assert "cannot be told" in text
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["comparison"] is None
    assert summary["verdict"]["outcome"] == "not compared"
    for one in summary["model"]["models"]:
        assert one["log_loss"] is None
        assert one["name"] in text


def test_an_ensemble_without_unlabeled_rows(here, small):
    make_table(labeled=60)[0].to_csv("data.csv", index=False)
    text = shown(run("fit", "data.csv", "--target", "y"))
    assert "60 held-out labeled rows" in text
    assert "no unlabeled rows to learn from" in text
    assert "supervised models" not in text
    assert (
        "Class shares assumed (labeled rows are taken for a random sample): 50.0% for each of the 2 classes."
        in text
    )


def test_interrupting_the_ensemble_leaves_nothing(table, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("semigen.ensemble.auto.AutoClassifier.fit", interrupt)
    run("fit", "data.csv", "--target", "y", code=130)
    assert os.listdir() == ["data.csv"]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_mixed_tables_with_missing_values(here, name):
    frame, data = mixed(name)
    result = fit(name, "--target", "kind", "--id", "who")
    missing = {name: f"{count} missing" for name, count in frame.isna().sum().items()}
    text = " ".join(result.stdout.split())
    for words in (
        f"3 numeric columns: length ({missing['length']}), width ({missing['width']}), weight",
        f"2 categorical columns: color (4 values, {missing['color']}), size (3 values,",
        f"1 count column: visits ({missing['visits']})",
        f"1 true/false column: member ({missing['member']})",
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


def test_new_rows_with_missing_values_unknown_categories_and_other_columns(here):
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
    np.testing.assert_allclose(written.filter(like="p_").loc[2], clf.calibration_.shares, rtol=1e-6)
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
    plain = semigen.load("plain/model.semigen").schema_
    numbers = [name for name, kind in zip(plain.names, plain.kinds, strict=True) if kind == "number"]
    assert numbers == ["u", "v", "w", "visits"]
    assert set(plain.kinds) == {"number", "category"}  # zeros in front are no part of a number
    result = fit("data.csv", "--target", "y", "--as", "zip=category", "--as", "visits=poisson")
    assert "1 categorical column: zip (3 values)" in result.stdout
    assert "1 count column: visits" in result.stdout
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
        (
            "zip=color",
            "--as zip=color: unknown kind. A column is read as one of number, count, flag, category",
        ),
        ("u=count", r"'u' is read as counts.*data.csv|data.csv: .*'u' is read as counts"),
        ("u=flag", r"'u' is read as flags"),
    ):
        message = error_of(fit("data.csv", "--target", "y", "--as", word, "--out", "o", code=1))
        assert re.search(words, message), message


@pytest.mark.parametrize("name", ["notes.csv", "notes.parquet"])
def test_words_of_a_text_column(here, name):
    frame, truth = make_notes()
    frame.loc[[5, 150], "body"] = None
    frame.to_parquet(name, index=False) if name.endswith("parquet") else frame.to_csv(name, index=False)
    result = fit(name, "--target", "topic", "--text", "body", "--id", "id", "--drop", "pages")
    text = shown(result)
    assert "1 text column: body (2 missing)" in text
    assert "pages: left out (--drop)" in text
    assert "20 labeled rows" in text
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    assert predictions.drop(columns="given").notna().all().all()
    summary = json.loads(Path("notes-semigen/summary.json").read_text())
    families = {column["name"]: column["family"] for column in summary["columns"]}
    assert families == {"id": None, "body": "multinomial", "pages": None}
    model = semigen.load("notes-semigen/model.semigen")
    assert model.predict(pd.DataFrame({"body": ["soil and compost"]})).tolist() == ["garden"]
    frame[["pages", "body"]].assign(other=1).iloc[::-1].to_csv("new.csv", index=False)
    run("predict", "notes-semigen/model.semigen", "new.csv", "--out", "out.csv")
    again = pd.read_csv("out.csv").iloc[::-1]
    np.testing.assert_allclose(again["p_engine"], predictions["p_engine"], rtol=1e-9)
    assert again["predicted"].tolist() == predictions["predicted"].tolist()


def test_several_text_columns(here):
    frame, truth = make_notes()
    frame["title"] = [words.split()[0] for words in frame["body"]]
    frame["body"] = [" ".join(words.split()[1:]) for words in frame["body"]]
    frame.to_csv("notes.csv", index=False)
    fit("notes.csv", "--target", "topic", "--text", "title", "--text", "body")
    predictions = pd.read_csv("notes-semigen/predictions.csv")
    assert (predictions["predicted"] == truth).mean() > 0.95
    frame.drop(columns="title").to_csv("new.csv", index=False)
    message = error_of(run("predict", "notes-semigen/model.semigen", "new.csv", "--out", "o.csv", code=1))
    assert "no column 'title' (needed by the model)" in message


def test_text_columns_that_cannot_be_used(here):
    frame, _ = make_notes()
    frame.assign(body="  ").to_csv("blank.csv", index=False)
    frame.assign(body=None).to_csv("empty.csv", index=False)
    frame.to_parquet("notes.parquet", index=False)
    for name, words in (("blank.csv", "'body': no word is left"), ("empty.csv", "'body': no word is left")):
        message = error_of(fit(name, "--target", "topic", "--text", "body", code=1))
        assert words in message
    result = fit("notes.parquet", "--target", "topic", "--text", "pages", "--out", "o")
    assert re.search(r"2 text columns: .* its words\), pages", shown(result))
    assert set(os.listdir()) == {"blank.csv", "empty.csv", "notes.parquet", "o"}
