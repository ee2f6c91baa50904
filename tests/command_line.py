"""What the tests of the command line share: how it is run, what it is run on, and what it should say."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import semigen
from semigen.cli import app

RESULTS = {"model.semigen", "predictions.csv", "summary.json", "label_next.csv", "config.toml"}
"""What a fit writes, but the report, whose drawing takes seconds."""


_WORDS = {
    "garden": "soil seed flower root leaf compost spade bloom hedge prune sow",
    "engine": "piston valve torque clutch gear oil brake fuel spark motor wheel",
}
TOPICS = {topic: words.split() for topic, words in _WORDS.items()}


def run(*arguments, code=0, report=False):
    more = ["--no-report"] if arguments[0] == "fit" and not report else []
    result = CliRunner().invoke(app, [*(str(a) for a in arguments), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def fit(*arguments, code=0):
    """Fit a mixture, which takes no time: for laws that do not depend on the model."""
    return run("fit", *arguments, "--model", "mixture", code=code)


def found_by(folder):
    """What a fit wrote of its results: all but the model card, which has its time and its command."""
    summary = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
    del summary["model_card"]
    return Path(folder, "predictions.csv").read_bytes(), Path(folder, "label_next.csv").read_bytes(), summary


def error_of(result):
    """The one line on stderr of a command that failed."""
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    return line


def shown(result):
    """What a command printed, on one line."""
    return " ".join(result.stdout.split())


def outcome_of(summary, pair=("all rows", "labeled rows only")):
    """The verdict that the rule of :class:`semigen.comparison.Verdict` gives on what a summary says."""
    found = summary["comparison"]
    (change,) = [one for one in found["differences"] if (one["a"], one["b"]) == pair]
    loss = change["log_loss"]
    outcome = "hurt" if loss["low"] > 0 else "helped" if loss["high"] < 0 else "unclear"
    n_rows, change = found["n_rows"], {name: change[name] for name in ("accuracy", "log_loss")}
    return {"outcome": outcome, "n_rows": n_rows, "change": change}


def said_verdict(summary):
    """What a summary says of the verdict by that rule."""
    return {name: summary["verdict"][name] for name in ("outcome", "n_rows", "change")}


def compared_by(model, monkeypatch):
    """The estimators that a fit compares by cross-validation."""
    found = {}

    def interrupt(estimators, *_, **__):
        found.update(estimators)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("semigen.cli.recipes.judging.cross_validate", interrupt)
        steps = ("--steps", 1) if model in ("vae", "gan", "flow") else ()
        run("fit", "data.csv", "--target", "y", "--model", model, *steps, code=130)
    return found["all rows"], found["labeled rows only"]


def make_table(n=60, labeled=20, seed=0, classes=("no", "yes")):
    rng = np.random.default_rng(seed)
    code = np.arange(n) % 2
    frame = pd.DataFrame(rng.normal(size=(n, 3)) + 2.5 * code[:, None], columns=["u", "v", "w"])
    truth = np.asarray(classes, dtype=object)[code]
    frame["y"] = np.where(np.arange(n) < labeled, truth, None)
    return frame, truth


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


def mixed(path, n=400, **options):
    """Write a mixed table with missing values; return it with the truth."""
    data = semigen.datasets.make_mixed(n, 10, random_state=0, **options)
    frame = data.frame.assign(who=[f"w{j}" for j in range(len(data.y))], kind=data.y)
    frame.to_parquet(path, index=False) if path.endswith("parquet") else frame.to_csv(path, index=False)
    return frame, data


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The file of a mixture, fitted on such a table."""
    folder = tmp_path_factory.mktemp("model")
    make_table()[0].to_csv(folder / "data.csv", index=False)
    fit(folder / "data.csv", "--target", "y", "--out", folder / "out")
    return folder / "out" / "model.semigen"


@pytest.fixture
def table(here):
    frame, _ = make_table()
    frame.to_csv("data.csv", index=False)
    return frame


@pytest.fixture
def small(monkeypatch):
    """Fewer mixtures, and weights of unlabeled rows to choose from: enough to see that all comes through."""
    defaults = semigen.SafeClassifier.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "unlabeled_weights", (0.0, 1.0))
    monkeypatch.setitem(defaults, "n_splits", 2)
    monkeypatch.setitem(defaults, "n_repeats", 1)
    for name in ("AutoClassifier", "MixtureEnsembleFeatures"):
        fewer = functools.partial(getattr(semigen, name), n_mixtures=6)
        monkeypatch.setattr(f"semigen.cli.recipes.standard.{name}", fewer)
