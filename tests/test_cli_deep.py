"""``semigen fit``: deep models of tables."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import semigen
from command_line import (
    error_of,
    here,
    make_notes,
    make_table,
    outcome_of,
    run,
    said_verdict,
    shown,
)
from semigen.cli.recipes import Options, learn_model, recipe_of
from semigen.cli.sources import TableSource

__all__ = ["here"]  # fixtures

DEEP = ("vae", "gan", "flow")
FEW = ("--steps", 4)


@pytest.mark.parametrize("model", DEEP)
def test_deep_models_are_judged_against_their_supervised_twin(here, model):
    make_table()[0].to_csv("data.csv", index=False)
    result = run("fit", "data.csv", "--target", "y", "--model", model, *FEW, "--json")
    summary = json.loads(result.stdout)
    about = summary["model"]
    assert about["name"] == model
    assert about["outcome"] == "finished"
    assert "4 steps (--steps), and half as many for each fold" in " ".join(result.stderr.split())
    assert said_verdict(summary) == outcome_of(summary)
    clf = semigen.load("data-semigen/model.semigen")
    assert about["estimator"] == type(clf).__name__
    assert about["n_steps"] == clf.n_steps_
    assert clf.n_steps_ == 4 or model == "flow"  # which keeps its best step
    assert clf.unlabeled_weight_ == (0.0 if summary["verdict"]["outcome"] == "hurt" else 1.0)
    assert about["unlabeled_weight"] == clf.unlabeled_weight_
    assert about["power"] == clf.calibration_.power
    assert summary["comparison"]["n_splits"] == 3
    assert about["last_report"] == {
        name: values[-1] for name, values in clf.history_.items() if name != "step"
    }
    first = pd.read_csv("data-semigen/predictions.csv")
    assert ("log_density" in first) == (model == "flow")  # exact; a VAE's is an estimate
    make_table()[0][["w", "y", "v", "u"]].to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    pd.testing.assert_frame_equal(pd.read_csv("out.csv"), first.drop(columns="given"), rtol=1e-9)


def test_without_unlabeled_rows_or_labels_to_hold_out_there_are_fewer_fits(here):
    make_table(labeled=60)[0].to_csv("full.csv", index=False)
    make_table(labeled=2)[0].to_csv("two.csv", index=False)
    text = shown(run("fit", "full.csv", "--target", "y", "--model", "vae", *FEW))
    assert "no unlabeled rows to learn from" in text
    assert semigen.load("full-semigen/model.semigen").comparison_.names == ("all rows",)
    text = shown(run("fit", "two.csv", "--target", "y", "--model", "vae", "--steps", 1))
    assert "No labeled row can be held out" in text
    assert semigen.load("two-semigen/model.semigen").comparison_ is None


def test_progress_counts_the_steps_of_every_fit(here):
    make_table()[0].to_csv("data.csv", index=False)
    source = TableSource.read(Path("data.csv"), "y")
    said = []
    options = Options(model="flow", steps=2)
    learn_model(recipe_of("flow"), source, options, lambda *step: said.append(step))
    dones = [done for done, total, _ in said if total == 8]
    assert list(dict.fromkeys(dones)) == [*range(1, 9)]


def test_jobs_are_threads_of_training(here):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    source = TableSource.read(Path("data.csv"), "y")
    for name in DEEP:
        assert recipe_of(name).make(source, Options(model=name, jobs=3)).n_jobs == 3
        assert recipe_of(name).make(source, Options(model=name)).n_jobs is None


def test_steps_are_the_models_own_by_default(here):
    from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier

    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    source = TableSource.read(Path("data.csv"), "y")
    classes = {"vae": VAEClassifier, "gan": GANClassifier, "flow": FlowMixtureClassifier}
    for name, made in classes.items():
        recipe, options = recipe_of(name), Options(model=name)
        assert recipe.make(source, options).n_steps == made().n_steps
        steps = {"flow": 600}.get(name, 400)
        assert recipe.announce(source, options).startswith(f"{steps} steps (--steps), and half as many")


def test_the_warm_up_of_a_flow_stays_a_third(here):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "y", "--model", "flow", "--steps", 6)
    clf = semigen.load("data-semigen/model.semigen")
    assert (clf.n_steps, clf.warmup_steps) == (6, 2)


def test_the_same_seed_gives_the_same_deep_model(here):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, "--seed", seed, "--out", out)
    a, b, c = (Path(out, "predictions.csv").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def kinds_table():
    frame, _ = make_table(labeled=2)
    frame["zip"] = [f"{j % 3:05d}" for j in range(60)]
    frame["grade"] = np.arange(60) % 4
    frame["visits"] = np.random.default_rng(0).poisson(2.0, 60)
    frame["member"] = np.arange(60) % 5 < 2
    frame["number"] = np.arange(1000, 1060)
    frame.loc[3, "u"] = None
    frame.to_csv("data.csv", index=False)
    return frame


def test_a_vae_models_columns_as_the_user_says(here):
    frame = kinds_table()
    said = ["zip=category", "grade=category", "visits=poisson", "member=flag", "number=number"]
    words = [word for one in said for word in ("--as", one)]
    run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, *words)
    table = semigen.load("data-semigen/model.semigen").networks_.architecture.table
    expected = {
        "u": "gaussian", "v": "gaussian", "w": "gaussian", "zip": "categorical", "grade": "categorical",
        "visits": "poisson", "member": "bernoulli", "number": "gaussian",
    }  # fmt: skip
    assert dict(zip(table.schema.names, table.likelihoods, strict=True)) == expected
    assert table.schema.levels[3] == ("00000", "00001", "00002")
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert {one["name"]: one["family"] for one in summary["columns"]} == expected
    frame.drop(columns="y").to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    first = pd.read_csv("data-semigen/predictions.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_no"], first["p_no"], rtol=1e-9)
    run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, "--as", "visits=count", "--out", "plain")
    table = semigen.load("plain/model.semigen").networks_.architecture.table
    likelihoods = dict(zip(table.schema.names, table.likelihoods, strict=True))
    assert likelihoods["visits"] == "negative_binomial"
    message = error_of(
        run("fit", "data.csv", "--target", "y", "--model", "vae", "--as", "u=student_t", "--out", "o", code=1)
    )
    assert "--as u=student_t" in message
    assert "--model vae has only the families gaussian, categorical" in message


def test_a_gan_knows_categories_and_says_what_it_cannot_be_told(here):
    kinds_table()
    options = ["--target", "y", "--model", "gan", "--drop", "visits", "--drop", "number", *FEW]
    run("fit", "data.csv", *options, "--as", "zip=category", "--as", "grade=category")
    schema = semigen.load("data-semigen/model.semigen").schema_
    assert schema.names == ("u", "v", "w", "zip", "grade", "member")
    assert schema.kinds == ("number",) * 3 + ("category",) * 2 + ("flag",)
    message = error_of(run("fit", "data.csv", *options, "--as", "member=number", "--out", "o", code=1))
    assert "--as member=number: --model gan always reads this column as flag" in message
    assert "--drop member" in message


@pytest.mark.parametrize("model", DEEP)
def test_every_deep_model_knows_counts_from_numbers(here, model):
    make_table()[0].to_csv("data.csv", index=False)
    message = error_of(run("fit", "data.csv", "--target", "y", "--model", model, "--as", "u=count", code=1))
    assert "'u' is read as counts" in message
    assert "--drop COLUMN" in message


def test_a_flow_refuses_categories_and_missing_values(here):
    kinds_table()
    options = ("--target", "y", "--model", "flow")
    for said, name, words in (
        (("--as", "grade=category", "--drop", "u"), "grade", "are categories"),
        (("--drop", "zip"), "u", "a flow needs every"),
    ):
        message = error_of(run("fit", "data.csv", *options, *said, code=1))
        assert repr(name) in message
        assert words in message
        assert ". With semigen fit: --as" in message
        assert "--drop COLUMN" in message
    assert os.listdir() == ["data.csv"]


def test_options_of_other_models(here):
    make_notes()[0].to_csv("notes.csv", index=False)
    for model in DEEP:
        for arguments, words in (
            (("--covariance", "full"), "--covariance is for"),
            (("--steps", "0"), "--steps"),
        ):
            result = run("fit", "notes.csv", "--target", "topic", "--model", model, *arguments, code=2)
            assert words in " ".join(result.stderr.replace("│", " ").split())
    for model in ("auto", "mixture", "safe", "hybrid"):
        result = run("fit", "notes.csv", "--target", "topic", "--model", model, "--steps", "5", code=2)
        said = " ".join(result.stderr.replace("│", " ").split())
        assert "--steps is for --model vae or --model gan or --model flow" in said
    assert os.listdir() == ["notes.csv"]


def test_what_is_not_installed_is_said_before_work_and_not_missed_by_others(here, monkeypatch):
    make_table()[0].to_csv("data.csv", index=False)
    for name in ("zuko", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("semigen.deep", "semigen.cli.recipes.deep"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", code=1)
    assert 'needs zuko, which the extra "deep" installs: pip install "semigen[deep]"' in error_of(result)
    assert result.stdout == ""  # nothing was read
    run("fit", "data.csv", "--target", "y", "--model", "mixture")


def test_ctrl_c_in_training_ends_the_command(here, monkeypatch):
    make_table()[0].to_csv("data.csv", index=False)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("semigen.deep.training.trainer._Loop._round", interrupt)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", code=130)
    assert "interrupted; nothing was written" in result.stderr
    assert os.listdir() == ["data.csv"]


def test_a_training_that_breaks_down_is_noted(here, monkeypatch):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    monkeypatch.setattr("semigen.deep.training.trainer._Loop._is_finite", lambda *_: False)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW)
    assert "not finite" in result.stderr
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["model"]["outcome"] == "not finite"
    assert summary["model"]["n_steps"] == 0
