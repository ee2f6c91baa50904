"""Every table of the corpus through ``fit`` and ``predict``: classes as written, numbers as meant."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command_line import error_of, fit, here, run, small
from hostile.corpus import LABELS, N_LABELED, N_ROWS, NUMBERS, as_csv, features, true_labels
from hostile.files import FILES

__all__ = ["here", "small"]  # fixtures

MODELS = ("mixture", "auto", "safe", "hybrid")
DEEP = ("vae", "gan", "flow")
CATEGORICAL = ("categories of text.parquet", "mixed.csv")
"""What a flow cannot take."""


def with_models(names):
    """Every name with one model in turn, and in the long tests with all of them."""
    names = sorted(names)
    turn = [(name, MODELS[number % len(MODELS)]) for number, name in enumerate(names)]
    rest = [(name, model) for name in names for model in MODELS + DEEP if (name, model) not in turn]
    return [*turn, *(pytest.param(*pair, marks=pytest.mark.long) for pair in rest)]


def fit_with(model, *arguments, code=0):
    if model in DEEP:
        pytest.importorskip("torch")
        arguments = (*arguments, "--steps", 5)
    return run("fit", *arguments, "--model", model, code=code)


def read_rows(path):
    """Cells of a CSV file as text, exactly."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_labels(column, name="data.csv"):
    truth = true_labels(column.labels)
    x = features(len(column.labels))
    rows = [
        [f"{u:.2f}", f"{v:.2f}", label if number < N_LABELED else column.empty]
        for number, ((u, v), label) in enumerate(zip(x, truth, strict=True))
    ]
    Path(name).write_bytes(as_csv(["u", "v", "y"], rows))
    return truth


@pytest.mark.parametrize(("name", "model"), with_models(LABELS))
def test_classes_are_what_was_written(here, small, name, model):
    column = LABELS[name]
    write_labels(column)
    result = fit_with(model, "data.csv", "--target", "y", *column.options)
    assert column.note in result.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.stdout + result.stderr)
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert {one["class"] for one in summary["labeled"]} == column.expected
    assert sum(one["rows"] for one in summary["labeled"]) + summary["n_unlabeled"] == N_ROWS
    for written in (read_rows("data-semigen/predictions.csv"), predicted_again("data.csv")):
        assert len(written) == N_ROWS
        for row in written:
            assert row["p_" + row["predicted"]] == row["probability"]
            total = sum(float(value) for name, value in row.items() if name.startswith("p_"))
            assert total == pytest.approx(1, abs=1e-9)
    given = {row["given"] for row in read_rows("data-semigen/predictions.csv")}
    assert given == {"", *column.expected}


def predicted_again(table):
    result = run("predict", "data-semigen/model.semigen", table, "--out", "again.csv", "--json")
    summary = json.loads(result.stdout)
    labeled = json.loads(Path("data-semigen/summary.json").read_text())["labeled"]
    assert summary["score"]["n_rows"] == sum(one["rows"] for one in labeled)
    assert summary["score"]["unknown"] == {}
    return read_rows("again.csv")


OF_PLAIN = {}
"""What is predicted for the same numbers as a program writes them, by their digits and missing cells."""


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_numbers_are_read_as_they_are_meant(here, name):
    how = NUMBERS[name]
    x = features(2).round(how.digits)
    labels = true_labels(("a", "b"))

    def write(path, text, separator, extra):
        rows = [
            [extra.get(number, text(float(u))), text(float(v)), label if number < N_LABELED else ""]
            for number, ((u, v), label) in enumerate(zip(x, labels, strict=True))
        ]
        Path(path).write_bytes(as_csv(["u", "v", "y"], rows, separator))

    write("data.csv", how.text, how.separator, how.extra)
    summary = json.loads(fit("data.csv", "--target", "y", "--json", *how.options).stdout)
    assert [(one["name"], one["kind"]) for one in summary["columns"]] == [("u", "number"), ("v", "number")]
    assert summary["columns"][0]["n_missing"] == len(how.extra)
    columns = ["p_a", "p_b", "log_density"]
    plain = how.digits, *how.extra
    if plain not in OF_PLAIN:
        write("plain.csv", repr, ",", dict.fromkeys(how.extra, ""))
        fit("plain.csv", "--target", "y")
        OF_PLAIN[plain] = pd.read_csv("plain-semigen/predictions.csv")[columns]
    read = pd.read_csv("data-semigen/predictions.csv")[columns]
    np.testing.assert_allclose(read, OF_PLAIN[plain], rtol=1e-9)
    options = how.options if "--missing" not in how.options else ()  # the model knows its markers
    run("predict", "data-semigen/model.semigen", "data.csv", "--out", "again.csv", *options)
    np.testing.assert_allclose(pd.read_csv("again.csv")[columns], read, rtol=1e-9)


def test_a_cell_that_is_no_number_is_named_with_its_row(here):
    x = features(2).round(2)
    labels = true_labels(("a", "b"))
    rows = [[f"{u:.2f}", f"{v:.2f}", label] for (u, v), label in zip(x, labels, strict=True)]
    Path("data.csv").write_bytes(as_csv(["u", "v", "y"], rows))
    fit("data.csv", "--target", "y")
    rows[7][1] = "x"
    Path("new.csv").write_bytes(as_csv(["u", "v", "y"], rows))
    message = error_of(run("predict", "data-semigen/model.semigen", "new.csv", "--out", "o.csv", code=1))
    assert "'v' is numbers in the model, and 1 of its 36 cells is not: the first is 'x' in row 7" in message
    assert "--missing=x" in message
    assert "family" not in message
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "o.csv", "--missing", "x")
    rows[7][1] = "1e300"
    Path("data.csv").write_bytes(as_csv(["u", "v", "y"], rows))
    message = error_of(fit("data.csv", "--target", "y", "--force", code=1))
    assert "'v' has 1 cell beyond 1e+150; the first, in row 7 (from 0), is 1e+300" in message


@pytest.mark.parametrize("model", MODELS)
def test_values_and_levels_that_the_fit_did_not_have_are_predicted_with_a_note(here, small, model):
    labels = true_labels(("a", "b"))
    rows = [
        [f"{u:.2f}", int(v > 0), "red" if u > 0 else "blue", label if j < N_LABELED else ""]
        for j, ((u, v), label) in enumerate(zip(features(2), labels, strict=True))
    ]
    Path("data.csv").write_bytes(as_csv(["u", "f", "c", "y"], rows))
    fit("data.csv", "--target", "y", "--model", model)
    rows[3][1], rows[5][1], rows[7][2] = 2, 9, "green"
    Path("new.csv").write_bytes(as_csv(["u", "f", "c", "y"], rows))
    result = run("predict", "data-semigen/model.semigen", "new.csv", "--out", "o.csv")
    assert result.stderr.count("'f', flags in the fit: 2 of 36 rows (such as 2 in row 3)") == 1
    assert len(read_rows("o.csv")) == N_ROWS


TYPED = [
    ((0, 1), ["0", "1"]),
    ((0.0, 1.0), ["0", "1"]),
    ((1.5, 2.5), ["1.5", "2.5"]),
    ((True, False), ["false", "true"]),
    (("01", "1"), ["01", "1"]),
    (("NA", "nan"), ["NA", "nan"]),
    ((1e-7, 0.5), ["1e-7", "0.5"]),
]


@pytest.mark.parametrize(
    ("kind", "labels", "classes"),
    [
        *((kind, *typed) for kind in ("parquet", "jsonl", "xlsx") for typed in TYPED),
        *((kind, *TYPED[-1]) for kind in ("feather", "arrow")),  # read as Parquet is
    ],
)
def test_files_with_types_keep_them(here, kind, labels, classes):
    if kind == "xlsx":
        pytest.importorskip("python_calamine")
        pytest.importorskip("openpyxl")
    truth = np.array(labels, dtype=object)[np.arange(N_ROWS) % 2]
    frame = pd.DataFrame(features(2).round(2), columns=["u", "v"]).assign(
        id=[f"{j:03d}" for j in range(N_ROWS)]
    )
    frame["y"] = pd.Series([label if j < N_LABELED else None for j, label in enumerate(truth)], dtype=object)
    name = f"data.{kind}"
    {
        "parquet": lambda: frame.to_parquet(name),
        "feather": lambda: frame.to_feather(name),
        "arrow": lambda: frame.to_feather(name),
        "jsonl": lambda: frame.to_json(name, orient="records", lines=True, double_precision=15),
        "xlsx": lambda: frame.to_excel(name, index=False),
    }[kind]()
    fit(name, "--target", "y", "--id", "id")
    written = read_rows("data-semigen/predictions.csv")
    assert sorted({row["given"] for row in written} - {""}) == sorted(classes)
    assert [row["id"] for row in written] == frame["id"].tolist()
    for row in written:
        assert row["p_" + row["predicted"]] == row["probability"]
    summary = run("predict", "data-semigen/model.semigen", name, "--out", "p.parquet", "--json").stdout
    assert json.loads(summary)["score"]["accuracy"]["value"] == 1
    assert pd.read_parquet("p.parquet")["predicted"].nunique() == 2


@pytest.mark.parametrize(("name", "model"), with_models(FILES))
def test_every_file_is_read_or_refused_in_one_line(here, small, name, model):
    content, words = FILES[name]
    Path(name).write_bytes(content)
    asked = ("--keep", "all", "--missing", "?", "--csv-safe", "--as", "decimal=number")
    for learner, options in ((model, ()), ("mixture", asked)):
        out = f"{learner}{len(options)}"
        if learner == "flow" and name in CATEGORICAL:
            refused = r"are categories, and a flow takes numbers only\. With semigen fit"
        else:
            refused = words
        result = fit_with(learner, name, "--target", "y", "--out", out, *options, code=int(bool(refused)))
        if refused:
            assert re.search(refused, error_of(result)), error_of(result)
            assert len(error_of(result)) < 500
            continue
        run("predict", f"{out}/model.semigen", name, "--out", f"{out}.csv", "--keep", "all", "--csv-safe")
        rows = read_rows(f"{out}.csv")
        assert len(rows) == N_ROWS
        assert all(row["p_" + row["predicted"]] == row["probability"] for row in rows)
