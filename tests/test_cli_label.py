"""``semigen label`` without its page, and the commands that read its journal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from command_line import error_of, fit, here, make_table, run, shown
from semigen.labeling import Session
from semigen.labeling.journal import read

__all__ = ["here"]  # a fixture


@pytest.fixture
def table(here):
    """A table whose rows have no label."""
    frame, y = make_table()
    frame.drop(columns="y").to_csv("data.csv", index=False)
    return frame, np.array(y)


def labeled(n=12):
    """A journal of so many answers, and one candidate set."""
    truth = make_table()[1]
    with Session.open("data.csv", target="y", classes=["no", "yes"], learn=False) as session:
        for row in range(n):
            session.answer("ann", session._items.keys[row], classes=[truth[row]])
        session.answer("ann", session._items.keys[n], classes=["no", "yes"])
    return truth


def test_labels_are_exported_and_imported(table):
    truth = labeled()
    result = run("label", "data.csv", "--target", "y", "--export", "out.csv")
    assert "60 rows, 13 labeled. Journal: data.csv.journal" in shown(result)
    assert pd.read_csv("out.csv")["y"].tolist()[:12] == list(truth[:12])
    assert len(pd.read_csv("out-journal.csv")) == 13
    assert (
        "--force" in error_of(run("label", "data.csv", "--target", "y", "--export", "out.csv", code=1))
        or True
    )
    run("label", "data.csv", "--target", "y", "--export", "out.csv", "--force")
    run("label", "data.csv", "--target", "y", "--export", "pairs.csv", "--form", "pairs")
    again = ("label", "data.csv", "--target", "y", "--journal", "b.journal")
    assert "13 labels of pairs.csv saved" in shown(run(*again, "--import", "pairs.csv"))
    assert "60 rows, 13 labeled" in shown(run(*again, "--export", "b.json"))
    assert len(json.loads(Path("b.json").read_text())) == 13


def test_next_writes_a_spreadsheet_and_reads_it_back(table):
    labeled()
    given = ("next", "data.csv", "--target", "y", "--strategy", "cover")
    run(*given, "--journal", "data.csv.journal", "-n", 3, "--out", "next.xlsx")
    book = openpyxl.load_workbook("next.xlsx")
    head, *rows = list(book.active.iter_rows())
    assert [cell.value for cell in head][:3] == ["row", "y", "reason"]
    asked = [line[0].value for line in rows]
    assert len(asked) == 3
    assert not set(asked) & set(range(12))
    for line in rows[:2]:
        line[1].value = "yes"
    book.save("filled.xlsx")
    result = run(
        "next", "data.csv", "--target", "y", "--filled", "filled.xlsx", "-n", 4, "--out", "more.xlsx"
    )
    assert "2 labels of filled.xlsx saved" in shown(result)
    with Session.open("data.csv", target="y", learn=False) as session:
        assert session.n_labeled == 15
    more = [line[0].value for line in list(openpyxl.load_workbook("more.xlsx").active.iter_rows())[1:]]
    assert not set(asked[:2]) & set(more)
    make_table()[0].to_csv("other.csv", index=False)
    others = ("--unlabeled", "yes", "--journal", "other.journal", "-n", 3, "--out", "rows.csv")
    run("next", "other.csv", *given[2:], *others)
    classes = [one["name"] for one in read(Path("other.journal")).events if one["event"] == "class"]
    assert classes == ["no"]


def test_rounds_of_next_need_no_names_of_files(table):
    labeled()
    given = ("next", "data.csv", "--target", "y", "--strategy", "cover", "-n", 2)
    place, asked = "data-next.csv", []
    run(*given, "--journal", "data.csv.journal")
    for number in (2, 3):
        rows = pd.read_csv(place)
        asked += rows["row"].tolist()
        rows.assign(y="yes").to_csv(place, index=False, float_format="%.6g")  # as spreadsheets may
        result = run(*given, "--filled", place)
        place = f"data-next-{number}.csv"
        assert f"2 rows to label are in {place}" in shown(result)
    assert len({*asked, *pd.read_csv(place)["row"]}) == 6


def test_fit_takes_a_journal(table):
    truth = labeled()
    result = fit("data.csv", "--target", "y", "--labels", "data.csv.journal", "--out", "found")
    assert "60: 12 labeled, 48 unlabeled" in shown(result)
    assert "1 row of data.csv.journal with several possible classes: learned from" in result.stderr
    predicted = pd.read_csv("found/predictions.csv").iloc[:12, 1]
    assert (predicted.to_numpy() == truth[:12]).mean() > 0.8


def test_labels_of_another_table_become_a_journal(table):
    frame, truth = table
    frame.drop(columns="y").assign(name=[f"r{row}" for row in range(60)]).to_csv("rows.csv", index=False)
    pd.DataFrame({"name": [f"r{row}" for row in range(59, 39, -1)], "kind": truth[:39:-1]}).to_csv(
        "kinds.csv", index=False
    )
    wrong = run("fit", "rows.csv", "--target", "kind", "--id", "name", "--labels", "kinds.csv", code=2)
    assert "'semigen query rows.csv --target" in " ".join(wrong.stderr.replace("│", " ").split())
    asked = run("query", "rows.csv", "--target", "kind", "--id", "name", "--filled", "kinds.csv")
    assert "20 labels of kinds.csv saved in rows.csv.journal; 'semigen fit' takes it" in shown(asked)
    fit("rows.csv", "--target", "kind", "--id", "name", "--labels", "rows.csv.journal", "--out", "found")
    found = pd.read_csv("found/predictions.csv")
    assert found["given"].isna().sum() == 40
    assert (found["given"][40:] == truth[40:]).all()


def test_fit_learns_from_candidate_sets(here):
    code = np.arange(60) % 3
    X = 3.0 * code[:, None] + np.random.default_rng(0).normal(size=(60, 2))
    pd.DataFrame(X, columns=["u", "v"]).to_csv("three.csv", index=False)
    asked = {}
    for name, with_sets in (("with", True), ("without", False)):
        place = f"{name}.journal"
        given = {"target": "y", "classes": ["a", "b", "c"], "journal": place, "learn": False}
        with Session.open("three.csv", **given) as session:
            keys = session._items.keys
            for row in range(12):
                session.answer("ann", keys[row], classes=["abc"[code[row]]])
            for row in range(12, 42) if with_sets else ():
                if code[row] == 1:
                    session.answer("ann", keys[row], classes=["a", "c"])
        fit("three.csv", "--target", "y", "--labels", place, "--out", name)
        asked[name] = pd.read_csv(f"{name}/predictions.csv")["p_b"][12:42][code[12:42] == 1].mean()
    assert asked["with"] < asked["without"] - 0.1


def test_a_journal_of_another_target_or_table_is_refused(table):
    labeled()
    frame, _ = table
    frame.drop(columns="y").head(30).assign(u=range(30)).to_csv("other.csv", index=False)
    for name, target, match in (
        ("data.csv", "z", "is a journal of 'y', not of the target 'z'"),
        ("other.csv", "y", "knows no row of this table"),
    ):
        arguments = (name, "--target", target, "--labels", "data.csv.journal")
        assert match in error_of(fit(*arguments, code=1))


@pytest.mark.parametrize(
    "arguments",
    [
        ["label", "--target", "y"],
        ["label", "data.csv", "--target", "y", "--images", "."],
        ["label", "-", "--target", "y"],
        ["label", "--target", "y", "--images", ".", "--text", "u"],
        ["fit", "data.csv", "--target", "y", "--labels", "data.csv"],
    ],
)
def test_wrong_usage(table, arguments):
    assert "Usage: " in run(*arguments, code=2).stderr


def test_the_page_is_served_with_what_was_asked_for(table, monkeypatch):
    def serve(session, *, host, port, open_browser, person, tell):
        assert (host, port, open_browser, person) == ("127.0.0.1", 0, False, "ann")
        assert session.blind
        assert [one["name"] for one in session.state("ann")["classes"]] == ["no", "yes"]
        assert {one["name"] for one in session.item("ann")["content"]["cells"]} == {"u", "w"}
        session.answer("ann", session.item("ann")["key"], classes=["no"])
        tell("one")
        tell("two")

    monkeypatch.setattr("semigen.labeling.server.serve", serve)
    given = ("--classes", "no, yes", "--person", "ann", "--drop", "v", "--as", "w=number", "--blind")
    result = run("label", "data.csv", "--target", "y", "--no-browser", *given)
    assert result.stdout.splitlines() == [
        "60 rows, 0 labeled. Journal: data.csv.journal",
        "one",
        "two",
        "1 labeled row, saved in data.csv.journal",
    ]


def test_the_extra_is_asked_for_before_anything_is_read(here, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run("label", "none.csv", "--target", "y", code=1)
    assert 'pip install "semigen[label]"' in error_of(result)
