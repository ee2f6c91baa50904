"""The command line: what it refuses, and that nothing is overwritten or left half-written."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import feather
from pyarrow import parquet as pq

from command_line import (
    RESULTS,
    error_of,
    fit,
    here,
    make_table,
    model,
    run,
    table,
)
from semigen.cli.sources.labels import labels_of
from semigen.cli.sources.records import ReadOptions
from semigen.exceptions import TableError

__all__ = ["here", "model", "table"]  # fixtures


def bytes_of(text, encoding="utf-8"):
    return text.encode(encoding)


RANDOM = np.random.default_rng(0).bytes(5000)


CONTINUOUS = "u,y\n" + "\n".join(f"{u},{y}" for u, y in np.random.default_rng(0).normal(size=(60, 2)))


GOOD = "u,v,y\n" + "\n".join(
    f"{j * 0.37 % 1:.3f},{j * 0.71 % 1:.3f},{'ab'[j % 2] if j < 20 else ''}" for j in range(40)
)


IDS = "u,y\n" + "".join(f"{j},r{j}\n" for j in range(60))


BROKEN = {
    "empty": ("t.csv", b"", "empty"),
    "blank": ("t.csv", b"\n \n", "empty"),
    "header only": ("t.csv", b"u,v,y\n", "no rows"),
    "repeated names": ("t.csv", b"u,u,y\n1,2,a\n", "more than one column named 'u'"),
    "ragged": ("t.csv", b"u,v,y\n1,2,a\n3,4\n", "row 3: Expected 3 columns, got 2"),
    "binary": ("t.csv", RANDOM, "not a text table in UTF-8"),
    "png": ("t.csv", b"\x89PNG\r\n\x1a\n" + RANDOM, "not a text table in UTF-8"),
    "utf-16 without a mark": ("t.csv", bytes_of(GOOD, "utf-16-le"), "not a text table in UTF-8.*--encoding"),
    "no gzip": ("t.csv.gz", GOOD.encode(), "not gzip"),
    "cut gzip": ("t.csv.gz", gzip.compress(GOOD.encode())[:-20], "cut off"),
    "no parquet": ("t.parquet", GOOD.encode(), "cannot be read as Parquet"),
    "empty parquet": ("t.parquet", b"", "cannot be read as Parquet"),
    "excel": ("t.xlsx", b"PK\x03\x04", "spreadsheet"),
    "no arrow": ("t.feather", GOOD.encode(), "cannot be read as an Arrow file"),
    "no json": ("t.jsonl", b'{"u": 1, "y": "a"}\n{"u": 1,\n', "line 2.*one JSON object"),
    "json of lists": ("t.jsonl", b"[1, 2]\n", "line 1 is no JSON object"),
    "json of several types": ("t.jsonl", b'{"u": 1, "y": "a"}\n{"u": "x", "y": "b"}\n', "column 'u'"),
    "no ending": ("t", GOOD.encode(), "must end in one of .csv"),
    "infinite": ("t.csv", b"u,v,y\n1.5,inf,a\n2.5,1,b\n", "infinity"),
    "no labels": ("t.csv", b"u,v,y\n1.5,2,\n2.5,1,\n", "column 'y' has no label in 2 rows: label"),
    "one class": ("t.csv", b"u,v,y\n1.5,2,a\n2.5,1,\n1,1,a\n", "t.csv: column 'y' has only one class, 'a'"),
    "regression": ("t.csv", CONTINUOUS.encode(), "t.csv: column 'y' has 60 different values.*measurements"),
    "ids as target": ("t.csv", IDS.encode(), "names of rows"),
    "only ids": ("t.csv", b"u,y\nx,a\nz,b\nq,a\n", "no column that a model can use: u"),
    "titles": ("t.csv", b"Sales\n\nu,v,y\n1,2,a\n", "'y' .*: the names of the columns are in row 3: delete"),
    "no names": ("t.csv", b"1;2,5;01.02.2024;a\n", "no column 'y' .* The first row is taken for the names"),
    "no names but a date": ("t.csv", b"Eva;01.02.2024;a\n", "The first row is taken for the names"),
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


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t.feather"])
def test_names_that_repeat_in_files_with_types(here, name):
    if name == "t.xlsx":  # two rows of names
        book = openpyxl.Workbook()
        for row in (["id", "gene", "gene", "y"], ["cell", "g1", "g2", "kind"], ["c1", 3, 0, "a"]):
            book.active.append(row)
        book.save(name)
    else:
        rows = pa.table([[1.5, 2.5], [1, 2], ["a", "b"]], names=["gene", "gene", "y"])
        (pq.write_table if name == "t.parquet" else feather.write_feather)(rows, name)
    message = error_of(fit(name, "--target", "y", code=1))
    assert (
        "more than one column named 'gene': give each its own name, or remove the row above the names"
        in message
    )


def test_classes_with_one_label_each_are_not_names_of_rows():
    def labels(n_classes):
        cells = [f"kind {j}" if j < n_classes else None for j in range(90)]
        return labels_of(pa.table({"y": cells}), "y", Path("t.csv"), ReadOptions())[0]

    assert len({*labels(30).tolist()} - {None}) == 30
    with pytest.raises(TableError, match="names of rows"):
        labels(60)


def test_missing_files_and_folders(here):
    Path("folder.csv").mkdir()
    assert "does not exist" in error_of(fit("none.csv", "--target", "y", code=1))
    assert "folder" in error_of(fit("folder.csv", "--target", "y", code=1))
    assert os.listdir() == ["folder.csv"]


def test_unknown_columns_get_close_names(table):
    for option, name in (("--id", "U"), ("--weight", "uu"), ("--drop", " u")):
        message = error_of(fit("data.csv", "--target", "y", option, name, code=1))
        assert f"{name!r} ({option})" in message
        assert "did you mean" in message
        assert "'u'" in message
    assert "'u ' (--as): did you mean 'u'" in error_of(
        fit("data.csv", "--target", "y", "--text", "u ", code=1)
    )
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
        ["fit", "data.csv", "--target", "y", "--text", "u", "--as", "u=number"],
        ["fit", "data.csv", "--target", "y", "--text", "u", "--text", "u"],
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
def test_formats(here, model, name):
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
    of_plain_csv = model.with_name("predictions.csv")
    assert Path("out/predictions.csv").read_bytes() == of_plain_csv.read_bytes()


def test_the_index_column_that_pandas_writes_is_no_feature(here):
    make_table()[0].to_csv("data.csv")
    assert "unnamed: 0: every row has a different number" in fit("data.csv", "--target", "y").stdout


def test_the_default_folder_has_the_name_of_the_table(table):
    table.to_csv("more.data.csv.gz", index=False)
    fit("more.data.csv.gz", "--target", "y")
    assert Path("more.data-semigen").is_dir()


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


@pytest.mark.parametrize("where", ["recipes.judging.cross_validate", "training.save", "training.write_table"])
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
    assert error_of(fit("data.csv", "--target", "y", code=1)) == (
        "error: data-semigen cannot be written: No space left on device. What is there is as it was: free "
        "some space, or choose another --out."
    )
    assert os.listdir() == ["data.csv"]


def test_a_disk_that_is_full_already_is_told_before_anything_is_learned(table, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr("semigen.cli.training.learn", None)
    assert "No space left on device" in error_of(fit("data.csv", "--target", "y", code=1))
    assert os.listdir() == ["data.csv"]


def test_bugs_are_not_hidden(table, monkeypatch):
    def bug(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("semigen.cli.recipes.judging.cross_validate", bug)
    with pytest.raises(ZeroDivisionError):
        fit("data.csv", "--target", "y")
    assert os.listdir() == ["data.csv"]


def test_ctrl_c_in_a_real_process(here):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # A shell that runs the tests in the background has their processes ignore the signal.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from semigen.cli import main; main()"
    command = [sys.executable, "-c", code, "demo", "--table", "digits"]
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


def test_a_signal_in_a_callback_is_raised_at_the_next_step_and_nothing_else_is_said(here):
    code = """
        import signal, weakref
        from semigen.common import interrupts

        class Thing:
            pass

        interrupts.listen()
        interrupts.listen()
        for ends in (lambda _: 1 / 0, lambda _: signal.raise_signal(signal.SIGTERM)):
            thing = Thing()
            watch = weakref.ref(thing, ends)
            del thing
        try:
            interrupts.check()
        except KeyboardInterrupt:
            print(interrupts.exit_code())
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["143"]
    assert done.stderr.count("Exception ignored") == 1
    assert "ZeroDivisionError" in done.stderr
    assert "Interrupted" not in done.stderr
