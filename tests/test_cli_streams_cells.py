"""What cells mean is the same where a table is read batch by batch: classes, codes, markers, numbers."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import semigen
from command_line import run

N_ROWS = 600


def rows():
    """Ids and classes that look like missing values, codes, money, thousands, a marker of 9999."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N_ROWS)
    spelled = np.array([["NA", "NA ", "na"], ["yes", "Yes", "yes"]])[truth, rng.integers(0, 3, N_ROWS)]
    label = np.where(
        rng.random(N_ROWS) < 0.3, spelled, np.array(["", "tbd", "?"])[rng.integers(0, 3, N_ROWS)]
    )
    return pa.table(
        {
            "key": ["NA", "null", *(f"{j:04d}" for j in range(2, N_ROWS))],
            "a": np.where(rng.random(N_ROWS) < 0.2, 9999.0, rng.normal(size=N_ROWS) + truth),
            "price": ["free" if j % 60 == 5 else f"${1000 + 500 * k + j:,}" for j, k in enumerate(truth)],
            "zip": np.array(["01234", "10115"])[(truth + (rng.random(N_ROWS) < 0.2)) % 2],
            "rank": rng.integers(1, 4, N_ROWS),
            "size": np.where(rng.random(N_ROWS) < 0.1, "?", np.array(["1.5", "2.5"])[truth]),
            "color": np.array(["red", "NA", "blue"])[(truth + rng.integers(0, 2, N_ROWS)) % 3],
            "y": pa.array(label, mask=label == ""),
            "people": [f"{k + 1 + j % 7}.{j:03d}" if j % 3 else f"{j + 100}" for j, k in enumerate(truth)],
        }
    )


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_cells_mean_what_they_mean_in_memory(tmp_path, ending):
    table = rows()
    write = csv.write_csv if ending == ".csv" else parquet.write_table
    (tmp_path / "parts").mkdir()
    write(table.slice(0, 400), tmp_path / "parts" / f"a{ending}")
    write(table.slice(400), tmp_path / "parts" / f"b{ending}")
    write(table, tmp_path / f"whole{ending}")
    given = ["--target", "y", "--id", "key", "--model", "mixture", "--covariance", "full", "--no-report"]
    given += ["--missing", "9999", "--missing", "?", "--as", "rank=category"]
    given += ["--unlabeled", "?", "--unlabeled", "tbd", "--strip-labels"]
    found = []
    for source in (f"whole{ending}", "parts"):
        out = tmp_path / f"out-{source}"
        run("fit", tmp_path / source, *given, "--out", out)
        files = ["--out", out / "new.csv", "--id", "key", "--keep", "color"]
        run("predict", out / "model.semigen", tmp_path / source, *files)
        summary = json.loads((out / "summary.json").read_text())
        found.append((semigen.load(out / "model.semigen"), summary, read(out)))
    (here, known, wanted), (there, told, got) = found
    assert here.classes_.tolist() == there.classes_.tolist() == ["NA", "yes"]
    for name in ("names", "kinds", "levels", "input_names"):
        assert getattr(there.schema_, name) == getattr(here.schema_, name)
    assert there.schema_.kinds[1] == "number"  # the price
    assert told["labeled"] == known["labeled"]
    assert told["reading"] == known["reading"]
    assert told["reading"]["numerals"]["price"]["words"] == ["free"]
    assert told["reading"]["ranges"]["people"][1] > 1000
    for one, other in zip(wanted, got, strict=True):
        assert one["key"] == other["key"]
        np.testing.assert_allclose(one["p_yes"], other["p_yes"], atol=1e-9)
    assert got[0]["key"][:2] == ["NA", "null"]
    assert got[1]["color"] == wanted[1]["color"] == table["color"].to_pylist()


def read(out):
    options = csv.ConvertOptions(strings_can_be_null=False, column_types={"key": pa.string()})
    return [
        csv.read_csv(out / name, convert_options=options).to_pydict()
        for name in ("predictions.csv", "new.csv")
    ]


def test_labels_of_numbers_are_integers(tmp_path):
    """As pandas writes them where some are missing."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N_ROWS).astype(float)
    y = pa.array(truth, mask=rng.random(N_ROWS) < 0.7)
    (tmp_path / "parts").mkdir()
    parquet.write_table(
        pa.table({"u": truth + rng.normal(size=N_ROWS), "y": y}), tmp_path / "parts" / "a.parquet"
    )
    given = ["--target", "y", "--model", "mixture", "--covariance", "full", "--no-report"]
    run("fit", tmp_path / "parts", *given, "--unlabeled", "0", "--out", tmp_path / "none", code=1)
    run("fit", tmp_path / "parts", *given, "--out", tmp_path / "out")
    assert semigen.load(tmp_path / "out" / "model.semigen").classes_.tolist() == [0, 1]
    assert "p_0" in csv.read_csv(tmp_path / "out" / "predictions.csv").column_names


def test_a_cell_that_is_no_number_after_all_is_placed(tmp_path, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 100)
    table = rows()
    price = [*table["price"].to_pylist()[:-1], "dear"]
    y = [None] * 500 + ["no", "yes"] * 49 + [None, None]
    (tmp_path / "parts").mkdir()
    out = table.set_column(2, "price", pa.array(price)).set_column(7, "y", pa.array(y))
    parquet.write_table(out, tmp_path / "parts" / "a.parquet")
    given = ["--target", "y", "--model", "mixture", "--covariance", "full", "--id", "key"]
    done = run("fit", tmp_path / "parts", *given, "--out", tmp_path / "out", code=1)
    said = " ".join(done.output.split())
    assert "a.parquet, row group 0: column 'price' is numbers, and the cell 'dear' is none" in said


def test_options_are_called_by_their_names(tmp_path):
    (tmp_path / "parts").mkdir()
    parquet.write_table(rows(), tmp_path / "parts" / "a.parquet")
    for given, said in (
        (["--target", "yy"], "has no column 'yy' (--target): did you mean 'y'?"),
        (["--target", "y", "--id", "keys"], "has no column 'keys' (--id): did you mean 'key'?"),
        (["--target", "y", "--weight", "w"], "has no column 'w' (--weight)"),
    ):
        done = run("fit", tmp_path / "parts", *given, "--model", "mixture", "--out", tmp_path / "out", code=1)
        assert said in " ".join(done.output.split())
