"""The command line's contract: kept columns, files of options, patterns, scores, standard input."""

from __future__ import annotations

import csv
import json
import os
import shlex
import tomllib
import warnings
from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import semigen
from command_line import (
    RESULTS,
    error_of,
    fit,
    found_by,
    here,
    make_notes,
    make_table,
    model,
    run,
    shown,
    small,
    table,
)
from semigen.cli import app
from semigen.cli.console import Output
from semigen.cli.scoring import say_score
from semigen.common.text import visible
from semigen.comparison import CLASS_SHARES, Comparison, best_of, explain_standing, stand
from semigen.evaluation.decisions import least_cost
from semigen.evaluation.intervals import Estimate
from semigen.evaluation.metrics import log_loss
from semigen.evaluation.scoring import PredictionScore, ScoreSums, score_predictions
from semigen.exceptions import DatasetShiftWarning, TrainingWarning

COSTS = ("mean_cost", "of_most_probable")

__all__ = ["here", "model", "small", "table"]  # fixtures


def cells(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- kept columns


def test_kept_columns_are_copied_as_they_are_written(here):
    frame, _ = make_table()
    frame["code"] = [f"{j:03d}" for j in range(60)]
    frame["q_one"], frame["q_two"] = "1.50", "NA"
    frame["predicted"] = "before"
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--id", "code", "--keep", "q*", "--keep", "predicted", "--keep", "u")
    for path in ("data-semigen/predictions.csv", "again.csv"):
        if path == "again.csv":
            keep = ("--keep", "q*", "--keep", "predicted", "--keep", "u")
            run("predict", "data-semigen/model.semigen", "data.csv", "--id", "code", "--out", path, *keep)
        rows = cells(path)
        names = list(rows[0])
        assert names[:5] == ["code", "q_one", "q_two", "table.predicted", "u"]
        assert [row["u"] for row in rows] == [row["u"] for row in cells("data.csv")]
        assert {(row["q_one"], row["q_two"], row["table.predicted"]) for row in rows} == {
            ("1.50", "NA", "before")
        }
        assert {row["predicted"] for row in rows} == {"no", "yes"}


def test_all_columns_can_be_kept(table):
    fit("data.csv", "--target", "y", "--keep", "all")
    assert list(cells("data-semigen/predictions.csv")[0])[:6] == ["row", "u", "v", "w", "y", "given"]
    message = error_of(fit("data.csv", "--target", "y", "--keep", "wu", "--force", code=1))
    assert "'wu' (--keep): did you mean" in message


def test_kept_columns_beside_words(here):
    frame, _ = make_notes()
    frame.to_csv("notes.csv", index=False)
    fit("notes.csv", "--target", "topic", "--text", "body", "--keep", "pages")
    run(
        "predict",
        "notes-semigen/model.semigen",
        "notes.csv",
        "--out",
        "p.csv",
        "--keep",
        "pages",
        "--keep",
        "id",
    )
    assert [row["pages"] for row in cells("p.csv")] == frame["pages"].astype(str).tolist()
    assert list(cells("p.csv")[0])[:3] == ["row", "pages", "id"]


@pytest.mark.parametrize("n_novel", [0, 1])
def test_the_probability_of_novel_rows_is_a_column(n_novel):
    from semigen.cli.predictions import predict_table
    from semigen.cli.sources import Rows

    X = np.array([[0.0], [0.1], [5.0], [5.1], [50.0], [50.1]])
    model = semigen.MixtureClassifier(n_novel_components=n_novel, random_state=0)
    model.fit(X, [0, -1, 1, -1, -1, -1])
    found = predict_table(model, Rows(X, np.arange(6), "row"))
    about = ["log_density", "novel_probability"][: 1 + n_novel]
    assert found.column_names == ["row", "predicted", "probability", "p_0", "p_1", *about]
    if n_novel:
        np.testing.assert_array_equal(found["novel_probability"].to_numpy().round(), [0, 0, 0, 0, 1, 1])


# --- scores


def test_predict_scores_itself(here):
    frame, truth = make_table(n=200, labeled=40)
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y")
    new, truth = make_table(n=80, seed=5)
    new["y"] = np.where(np.arange(80) < 50, truth, None)
    new.loc[0, "y"] = "perhaps"
    new.to_csv("new.csv", index=False)
    result = run(
        "predict", "data-semigen/model.semigen", "new.csv", "--out", "p.csv", "--score", "s.json", "--json"
    )
    score = json.loads(result.stdout)["score"]
    assert json.loads(Path("s.json").read_text()) == {
        "model": "data-semigen/model.semigen",
        "table": "new.csv",
        **score,
    }
    written = pd.read_csv("p.csv")
    given = new["y"][:50].to_numpy()
    right = given == written["predicted"][:50]
    assert score["n_rows"] == 50
    assert score["accuracy"]["value"] == pytest.approx(right.mean())
    assert score["accuracy"]["low"] < right.mean() < score["accuracy"]["high"]
    loss = log_loss(given, written[["p_no", "p_yes"]][:50], classes=["no", "yes"])
    assert score["log_loss"]["value"] == pytest.approx(loss, rel=1e-3)
    assert score["unknown"] == {"perhaps": 1}
    known = given != "perhaps"
    table = pd.crosstab(given[known], written["predicted"][:50][known].to_numpy()).to_numpy()
    assert score["confusion"] == table.tolist()
    assert score["recall"][1]["value"] == pytest.approx(table[1, 1] / table[1].sum())
    yes = written["p_yes"][:50][known]
    assert score["ranking"]["auc"]["value"] == pytest.approx(roc_auc_score(given[known] == "yes", yes))
    text = shown(run("predict", "data-semigen/model.semigen", "new.csv", "--out", "q.csv"))
    assert f"% of the rows of these two classes): ROC AUC {score['ranking']['auc']['value']:.3f} (" in text
    assert f"accuracy {100 * right.mean():.1f} (" in text
    assert "'perhaps' (1 row)" in text
    assert f"no {table[0, 0]} {table[0, 1]} " in text


def test_spaces_around_names_of_classes_are_seen_in_scores(capsys):
    half = Estimate(0.5, 0.1, 0.9)
    score = PredictionScore(("no", "no "), 2, half, half, ((1, 0), (1, 0)), (half, half), {})
    say_score(Output(as_json=False), score, "y")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert next(line[:4] for line in lines if line[:2] == ["true", "class"]) == ["true", "class", "no", "'no"]
    assert {line[0] for line in lines if line[-3:-1] == ["0", "50.0"]} == {"no", "'no"}


def test_labels_of_another_type_are_the_same_classes(here):
    frame, truth = make_table(classes=(0, 1))
    frame.to_parquet("typed.parquet", index=False)
    frame.to_csv("written.csv", index=False)
    fit("typed.parquet", "--target", "y")
    fit("written.csv", "--target", "y")
    frame.assign(y=truth.astype(int)).to_csv("whole.csv", index=False)
    frame.assign(y=truth.astype(float)).to_csv("floats.csv", index=False)
    frame.assign(y=truth.astype(float)).to_parquet("floats.parquet", index=False)
    for fitted in ("typed", "written"):
        for new in ("whole.csv", "floats.csv", "floats.parquet"):
            out = run(
                "predict", f"{fitted}-semigen/model.semigen", new, "--out", "p.csv", "--json", "--force"
            ).stdout
            score = json.loads(out)["score"]
            assert (score["n_rows"], score["unknown"]) == (60, {})
            assert score["accuracy"]["value"] > 0.9


def test_the_markers_of_a_fit_hold_for_its_predictions(here):
    frame, _ = make_table(classes=("no", "Yes "))
    frame["y"] = frame["y"].fillna("?")
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--unlabeled", "?", "--strip-labels")
    frame["y"] = frame["y"].replace({"no": " NO"})
    frame.to_csv("new.csv", index=False)
    out = run("predict", "data-semigen/model.semigen", "new.csv", "--out", "p.csv", "--json").stdout
    score = json.loads(out)["score"]
    assert (score["n_rows"], score["classes"], score["unknown"]) == (20, ["Yes", "no"], {})


@pytest.mark.parametrize("more", [(), ("--resume",)], ids=["at once", "in batches"])
def test_what_a_later_table_has_that_the_fit_had_not_is_told(here, more):
    frame, _ = make_table()
    frame = frame.assign(shop=np.tile(["a", "b"], 30), who=[f"r{j}" for j in range(60)], heavy=1.0)
    frame.to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--weight", "heavy", "--id", "who")
    given = ("data-semigen/model.semigen", "--out", "p.csv", "--force", *more)
    said = run("predict", *given, "data.csv").stderr
    assert "fit" not in said
    frame.assign(region="north", size=1, shop=["c", *frame["shop"][1:]]).to_csv("later.csv", index=False)
    said = run("predict", *given, "later.csv", "--keep", "size").stderr
    assert "later.csv has 1 column that the fit had not, and it is not used: 'region'." in said
    assert "no row of the fit had, which" in said
    assert "about the class: 'shop' 1 of 60 (such as 'c')." in said
    assert "outside the range" not in said
    assert "which had some in the fit" not in said
    frame.assign(u=100 * frame["u"], v=None).to_csv("units.csv", index=False)
    said = run("predict", *given, "units.csv").stderr
    assert "most numbers of units.csv are outside the range of the fit: 'u' " in said
    assert f"of 60 (fit: {frame['u'].min():.6g} to {frame['u'].max():.6g})" in said
    assert "units.csv has no value of 'v', which had some in the fit." in said
    frame.head(9).assign(u=1e4, v=None).to_csv("few.csv", index=False)
    assert "fit" not in run("predict", *given, "few.csv").stderr.replace("--resume", "")


@pytest.mark.parametrize("more", [(), ("--resume",)], ids=["at once", "in batches"])
def test_classes_of_least_cost(here, model, more):
    frame, truth = make_table(n=80, seed=3)
    frame.assign(y=truth).to_csv("new.csv", index=False)
    arguments = ("predict", model, "new.csv", "--out", "p.csv", "--cost", "yes=50", *more)
    summary = json.loads(run(*arguments, "--json").stdout)
    written = pd.read_csv("p.csv")
    names = written.columns.tolist()
    assert names[names.index("probability") + 1] == "least_cost"
    decided = least_cost(written[["p_no", "p_yes"]], [1, 50], classes=["no", "yes"])
    assert (written["least_cost"] == decided).all()
    assert (decided != written["predicted"]).any()
    assert {one["class"]: one["rows"] for one in summary["least_cost"]} == dict(Counter(decided.tolist()))
    found, cost = summary["score"]["decided"], np.where(truth == "yes", 50, 1)
    assert found["cost"] == summary["cost"] == [1, 50]
    assert found["mean_cost"]["value"] == pytest.approx(np.mean(cost * (decided != truth)))
    wrong = written["predicted"] != truth
    assert found["of_most_probable"]["value"] == pytest.approx(np.mean(cost * wrong))
    assert found["confusion"] == pd.crosstab(truth, decided).to_numpy().tolist()
    text = shown(run(*arguments, "--force"))
    assert "where missing a row costs 1 of no, 50 of yes" in text
    assert "knows no such class" in error_of(run(*arguments, "--cost", "maybe=2", "--force", code=1))
    for wrong in ("yes", "yes=-1", "yes=many", "=3"):
        assert "CLASS=NUMBER" in run(*arguments, "--cost", wrong, "--force", code=2).stderr


def test_nothing_to_score(table):
    fit("data.csv", "--target", "y")
    for name, new in (("none", table.drop(columns="y")), ("empty", table.assign(y=None))):
        new.to_csv(f"{name}.csv", index=False)
        out = run(
            "predict", "data-semigen/model.semigen", f"{name}.csv", "--out", f"{name}.out.csv", "--json"
        )
        assert json.loads(out.stdout)["score"] is None
        arguments = ("data-semigen/model.semigen", f"{name}.csv", "--out", "p.csv", "--score", "s.json")
        assert "leave out --score" in error_of(run("predict", *arguments, code=1))
        assert not Path("p.csv").exists()


def test_scores_by_hand():
    truth = np.array(["a", None, "b", "b", "z"], dtype=object)
    probs = [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [1.0, 0.0], [0.5, 0.5]]
    found = score_predictions(truth, probs, np.array(["a", "b"]))
    assert (found.n_rows, found.accuracy.value) == (4, 0.5)
    losses = [-np.log(0.9), -np.log(0.8), -np.log(1e-6), -np.log(1e-6)]
    assert found.log_loss.value == pytest.approx(np.mean(losses), abs=1e-6)
    assert found.confusion == ((1, 0), (1, 1))
    assert [one.value for one in found.recall] == [1.0, 0.5]
    assert score_predictions(truth[:1], probs[:1], np.array(["a", "b"])).recall[1] is None


def test_scores_of_batches_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    truth = np.array(["a", "b", "z", None], dtype=object)[rng.integers(4, size=300)]
    probs = rng.dirichlet([0.3, 0.3], size=300)
    classes = np.array(["a", "b"])
    wanted = score_predictions(truth, probs, classes, [1, 5])
    sums = ScoreSums(classes, [1, 5])
    for part in (slice(0, 1), slice(1, 7), slice(7, 7), slice(7, 250), slice(250, 300)):
        sums.add(truth[part], probs[part])
    found = sums.result()
    assert found.log_loss.value == pytest.approx(wanted.log_loss.value, rel=1e-12)
    assert found.log_loss.low == pytest.approx(wanted.log_loss.low, rel=1e-12)
    costs = (found.decided.mean_cost, wanted.decided.mean_cost)
    assert astuple(costs[0]) == pytest.approx(astuple(costs[1]), rel=1e-12)
    decided = replace(found.decided, **{name: getattr(wanted.decided, name) for name in COSTS})
    assert replace(found, log_loss=wanted.log_loss, decided=decided) == wanted
    plain = np.where(truth == "b", 1, 0)
    known = np.isin(truth, classes)
    losses = np.where(known, -np.log(np.clip(probs, 1e-6, None)[np.arange(300), plain]), -np.log(1e-6))
    losses = losses[truth != np.array(None)]
    half = 1.97 * losses.std(ddof=1) / np.sqrt(len(losses))
    assert wanted.log_loss.high - wanted.log_loss.value == pytest.approx(half, rel=0.01)


def test_rows_of_two_classes_are_ranked_of_many_rows_by_evenly_spaced_ones(monkeypatch):
    monkeypatch.setattr("semigen.evaluation.scoring._MOST_RANKED", 64)
    rng = np.random.default_rng(0)
    truth = np.array(["a", "b", "b"], dtype=object)[rng.integers(3, size=300)]
    probs = rng.dirichlet([0.3, 0.3], size=300)
    classes = np.array(["a", "b"])
    sums = ScoreSums(classes)
    for part in (slice(0, 5), slice(5, 201), slice(201, 202), slice(202, 300)):
        sums.add(truth[part], probs[part])
    some = slice(0, 300, 8)
    found = sums.result().ranking
    assert (found.of, found.n_rows) == ("a", (truth[some] == "a").sum())
    assert found.auc.value == pytest.approx(roc_auc_score(truth[some] == "a", probs[some, 0]))
    assert score_predictions(truth[truth == "a"], probs[truth == "a"], classes).ranking is None
    three = score_predictions(truth, np.column_stack([probs, np.zeros(300)]), np.array(["a", "b", "c"]))
    assert three.ranking is None


# --- what a model is beside


def compared(losses):
    losses = {name: np.asarray(values, dtype=float) for name, values in losses.items()}
    one = np.ones(20)
    correct = {name: np.full(20, 0.5) for name in losses}
    return Comparison(tuple(losses)[:-1], 5, 1, np.arange(20), one, correct, losses)


def test_a_model_beside_something_simpler():
    noise = np.random.default_rng(0).normal(size=20)
    found = compared(
        {"m": 1 + noise / 100, "a": np.full(20, 0.5), "b": 1 + noise, CLASS_SHARES: np.full(20, 0.7)}
    )
    worse = stand(found, "m", CLASS_SHARES)
    assert (worse.outcome, worse.n_rows) == ("worse", 20)
    assert "worse than the class shares alone: log-loss +0.298 (+0.29" in explain_standing(worse)
    assert "learned nothing" in explain_standing(worse)
    assert best_of(found, ["m", "a", "b"]) == "a"
    assert "worse than the best of its models (a)" in explain_standing(stand(found, "m", "a"))
    better = stand(found, "a", CLASS_SHARES)
    assert explain_standing(better).startswith(
        "The saved model is better than the class shares alone: log-loss -0.2"
    )
    unclear = stand(found, "b", "m")
    assert unclear.outcome == "unclear"
    assert "cannot be told" in explain_standing(unclear)
    chance = compared({"m": 0.71 + noise - noise.mean(), CLASS_SHARES: np.full(20, 0.7)})
    assert "worse than the class shares alone, which may be chance" in explain_standing(
        stand(chance, "m", CLASS_SHARES)
    )


@pytest.mark.parametrize("model", ["auto", "mixture"])
def test_the_screen_and_the_summary_say_the_same(table, small, model):
    result = run("fit", "data.csv", "--target", "y", "--model", model)
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    beside = [one["beside"] for one in summary["standing"]]
    assert beside[0] == "class shares"
    assert len(beside) == (2 if model == "auto" else 1)
    for one in summary["standing"]:
        assert " ".join(one["text"].split()) in shown(result)
    if model == "auto":
        scores = summary["comparison"]["scores"]
        names = [one["name"] for one in summary["model"]["models"]]
        assert beside[1] == min(names, key=lambda name: scores[name]["log_loss"]["value"])
        saved = "all models" if summary["model"]["trained_on"] == "all rows" else "supervised models"
        change = scores[saved]["log_loss"]["value"] - scores["class shares"]["log_loss"]["value"]
        assert summary["standing"][0]["change"]["log_loss"]["value"] == pytest.approx(change)


# --- options in a file


def test_a_run_can_be_repeated_from_its_config(here):
    frame, _ = make_table()
    frame["code"] = 10 + np.arange(60) % 4
    frame['q"uo\\te\u007f'] = "?"
    frame.to_csv("data.csv", index=False)
    options = (
        "--as",
        "code=category",
        "--drop",
        "w",
        "--drop",
        "q*",
        "--seed",
        3,
        "--missing",
        "?",
        "--keep",
        "all",
    )
    fit("data.csv", "--target", "y", *options, "--covariance", "diag", "--unlabeled=-1", "--csv-safe")
    written = tomllib.loads(Path("data-semigen/config.toml").read_text())
    assert written == {
        "command": "fit",
        "target": "y",
        "table": "data.csv",
        "out": "data-semigen",
        "as": ["code=category"],
        "drop": ["w", "q*"],
        "seed": 3,
        "missing": ["?"],
        "keep": ["all"],
        "covariance": "diag",
        "unlabeled": ["-1"],
        "csv-safe": True,
        "model": "mixture",
        "no-report": True,
    }
    run("fit", "--config", "data-semigen/config.toml", "--out", "again")
    assert found_by("again") == found_by("data-semigen")
    run("fit", "--config", "data-semigen/config.toml", "--out", "other", "--seed", 4)
    assert tomllib.loads(Path("other/config.toml").read_text())["seed"] == 4


def test_other_commands_pass_over_options_of_fit(table, small):
    fit("data.csv", "--target", "y", "--drop", "w", "--csv-safe", "--covariance", "diag")
    said = run("advise", "--config", "data-semigen/config.toml")
    assert said.stdout == run("advise", "data.csv", "--target", "y", "--drop", "w").stdout.replace(
        "fit data.csv --target y --drop w", "fit --config data-semigen/config.toml"
    )
    (command,) = (line for line in said.stdout.splitlines() if line.startswith("Next: semigen "))
    run(*shlex.split(command)[2:])  # it replaces nothing, and needs no --force
    assert len(list(Path().glob("data-semigen*/model.semigen"))) == 2
    for words in ((), ("data-semigen/model.semigen", "data.csv")):
        run("query", *words, "--config", "data-semigen/config.toml", "--out", f"{len(words)}.csv")
    assert len(cells("0.csv")) == len(cells("2.csv")) == 10
    run("predict", "data-semigen/model.semigen", "--config", "data-semigen/config.toml", "--out", "p.csv")
    assert os.path.isdir("data-semigen")
    assert "for a table without MODEL" in " ".join(
        run("query", "data-semigen/model.semigen", "data.csv", "--drop", "w", code=2).stderr.split()
    )


def test_every_command_reads_the_sheet_that_is_named(table):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Exported in May"])
    for line in (list(cells("data.csv")[0]), *(row.values() for row in cells("data.csv"))):
        (book["rows"] if "rows" in book.sheetnames else book.create_sheet("rows")).append(list(line))
    book.save("data.xlsx")
    known = ("data.xlsx", "--target", "y", "--sheet", "rows")
    fit(*known)
    assert "another sheet of the file ('rows')" in error_of(
        run("advise", "data.xlsx", "--target", "y", code=1)
    )
    for words in (
        ("advise", "data.csv", "--target", "y"),
        ("predict", "data-semigen/model.semigen", "data.csv", "--out", "p.csv"),
    ):
        assert "leave out --sheet 'rows'" in error_of(run(*words, "--sheet", "rows", code=1))
    for command in (
        ("advise", *known),
        ("compare", *known, "--models", "logistic"),
        ("predict", "data-semigen/model.semigen", "data.xlsx", "--sheet", "rows", "--out", "p.csv"),
        ("query", "data-semigen/model.semigen", "data.xlsx", "--sheet", "rows"),
        ("label", *known, "--export", "labels.csv"),
    ):
        run(*command)


def test_predict_reads_a_config_too(table):
    fit("data.csv", "--target", "y")
    Path("p.toml").write_text(
        'model = "data-semigen/model.semigen"\ntable = "data.csv"\nout = "p.csv"\nkeep = "u"\n'
    )
    run("predict", "--config", "p.toml")
    assert list(cells("p.csv")[0])[:2] == ["row", "u"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("target = ", "is no TOML"),
        ('taget = "y"', "did you mean target?"),
        ("target = {a = 1}", "give a text, a number, true or false"),
        ('seed = ["1"]', "give a text, a number"),
        ('config = "x"', "there is no option 'config'"),
        ('jobs = "many"', "'--jobs'"),
    ],
)
def test_files_of_options_that_cannot_be_used(table, text, words):
    Path("c.toml").write_text(text)
    result = run("fit", "data.csv", "--target", "y", "--config", "c.toml", code=2)
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert set(os.listdir()) == {"data.csv", "c.toml"}
    assert "No such file" in run("fit", "--config", "none.toml", code=2).stderr


# --- kinds of many columns at once


def test_kinds_by_pattern_and_by_type(here):
    frame, _ = make_table()
    for j in range(3):
        frame[f"q{j}"] = (np.arange(60) + j) % 4
    frame["grade"], frame["visits"] = 1 + np.arange(60) % 5, np.arange(60) % 3
    frame.to_csv("data.csv", index=False)
    options = ("--as", "q*=category", "--as", "q2=number", "--as", "integer=count", "--as", "grade=category")
    summary = json.loads(fit("data.csv", "--target", "y", "--json", *options).stdout)
    assert {one["name"]: one["kind"] for one in summary["columns"]} == {
        "u": "number", "v": "number", "w": "number", "q0": "category", "q1": "category", "q2": "number",
        "grade": "category", "visits": "count",
    }  # fmt: skip
    run("predict", "data-semigen/model.semigen", "data.csv", "--out", "p.csv")
    message = error_of(fit("data.csv", "--target", "y", "--as", "z*=category", "--force", code=1))
    assert "no column 'z*' (--as)" in message
    fit("data.csv", "--target", "y", "--drop", "[qv]*", "--out", "less")
    assert semigen.load("less/model.semigen").feature_names_in_.tolist() == ["u", "w", "grade"]


# --- standard input, other separators and encodings


def test_a_table_from_standard_input(table):
    content = Path("data.csv").read_bytes()
    arguments = ["fit", "-", "--target", "y", "--model", "mixture", "--no-report"]
    invoked = CliRunner().invoke(app, arguments, input=content)
    assert invoked.exit_code == 0, invoked.output
    assert set(os.listdir("stdin-semigen")) == RESULTS
    fit("data.csv", "--target", "y")
    assert cells("data-semigen/predictions.csv") == cells("stdin-semigen/predictions.csv")
    arguments = ["predict", "stdin-semigen/model.semigen", "-", "--out", "p.csv"]
    assert CliRunner().invoke(app, arguments, input=content).exit_code == 0
    assert len(cells("p.csv")) == 60


def test_separator_encoding_and_decimal_mark_are_asked_for(here):
    frame, _ = make_table(classes=("größer", "kleiner"))
    frame.to_csv("plain.csv", index=False)
    fit("plain.csv", "--target", "y")
    frame.to_csv("odd.csv", index=False, sep="^", decimal=",", encoding="latin-1")
    options = ("--separator", "^", "--decimal", ",", "--encoding", "latin-1")
    fit("odd.csv", "--target", "y", *options)
    assert cells("odd-semigen/predictions.csv") == cells("plain-semigen/predictions.csv")
    run("predict", "plain-semigen/model.semigen", "odd.csv", "--out", "p.csv", *options)
    assert [row["p_größer"] for row in cells("p.csv")] == [
        row["p_größer"] for row in cells("plain-semigen/predictions.csv")
    ]
    for wrong in (
        ("--separator", "ab"),
        ("--separator", '"'),
        ("--decimal", ";"),
        ("--separator", ",", *options[2:]),
    ):
        assert "Traceback" not in fit("odd.csv", "--target", "y", *wrong, code=2).output


# --- what is printed and written


def test_control_characters_are_shown_and_not_sent(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    bad = "a\x1b]0;x\x07\x9b1m\u202eb\nc\u2028d\ud800\U000e0041é👩\u200d💻"
    shown = r"a\u001b]0;x\u0007\u009b1m\u202eb\u000ac\u2028d\ud800\udb40\udc41é👩" + "\u200d💻"
    assert visible(bad) == shown
    output = Output(as_json=False)
    output.say(bad)
    output.say_lines(bad, [(bad, bad)])
    output.note(bad)
    captured = capsys.readouterr()
    assert captured.out.count(shown) == 4
    assert captured.err.count(shown) == 1
    Output(as_json=True).result({"name": bad.replace("\ud800", "")})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": bad.replace("\ud800", "")}
    assert "\x9b" not in printed
    assert "\u202e" not in printed


def test_errors_do_not_command_the_terminal(here):
    Path("\x1b[2J.csv").write_text("u,y\n1,a\n")
    assert r"\u001b[2J.csv: column 'y' has only one class" in error_of(
        fit("\x1b[2J.csv", "--target", "y", code=1)
    )


def test_formulas_are_quoted_where_it_is_asked_for(here):
    make_table(classes=("=1+1", "-x"))[0].to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y")
    assert {row["predicted"] for row in cells("data-semigen/predictions.csv")} == {"=1+1", "-x"}
    run("predict", "data-semigen/model.semigen", "data.csv", "--out", "p.csv", "--csv-safe")
    assert {row["predicted"] for row in cells("p.csv")} == {"'=1+1", "'-x"}
    assert {"p_=1+1", "p_-x"} < set(cells("p.csv")[0])


def test_warnings_of_other_libraries_do_not_leak(capsys, recwarn):
    with Output(as_json=False).warnings_as_notes(DatasetShiftWarning):
        warnings.warn("about my own code", RuntimeWarning, stacklevel=1)
        warnings.warn("said otherwise", DatasetShiftWarning, stacklevel=1)
        for _ in range(2):
            warnings.warn("about your rows", TrainingWarning, stacklevel=1)
    assert capsys.readouterr().err == "note: about your rows\n"
    assert not recwarn.list
