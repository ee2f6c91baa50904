"""Columns that give the label away are named, and good ones are not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import semigen
from command_line import fit, found_by
from semigen import columns
from semigen.columns import ReadTable
from semigen.datasets import bundled_table
from semigen.evaluation.parting import (
    _at_other_levels,
    _outside_of_range,
    most_apart,
    parting_columns,
    parting_sentence,
)
from semigen.judgement.findings.columns import telling
from semigen.judgement.giveaway import (
    LEAST_MISREAD,
    LEAST_NAMED,
    MOST_MISREAD,
    least_told,
    sentence,
    telling_columns,
)
from semigen.judgement.study import study
from semigen.reporting import columns as sections
from semigen.reporting.evidence import Evidence
from semigen.reporting.view import view

pytestmark = pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")  # a date becomes time
N = 160


@pytest.fixture
def table():
    """Two classes in random order, and columns that know them, nearly know them, or do not."""
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat([0, 1], N // 2))
    wrong = code.copy()
    wrong[rng.choice(N, 3, replace=False)] ^= 1
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=N),
            "good": wrong + rng.uniform(0, 0.9, N),
            "status": np.where(code == 0, "open", rng.choice(["paid", "late"], N)),
            "amount": np.where(code == 0, rng.uniform(0, 10, N), rng.uniform(20, 30, N)),
            "closed": np.where(code == 0, np.nan, rng.normal(size=N)),
            "day": pd.to_datetime(np.where(code == 0, "NaT", "2024-01-03")),
            "near": np.where(wrong == 0, "a", "b"),
        }
    )
    return frame, code


def read(frame, code):
    return telling_columns(ReadTable(*columns.learn(frame)), code)


def test_columns_that_know_every_label_are_named_and_others_are_not(table):
    frame, code = table
    assert read(frame, code) == ["status", "amount", "closed", "day"]


def test_rows_without_a_label_do_not_matter(table):
    frame, code = table
    more = pd.concat([frame, frame.sample(frac=1, random_state=0)], ignore_index=True)
    assert read(more, np.concatenate([code, np.full(N, -1)])) == read(frame, code)


def test_few_labels_outside_of_the_largest_class_say_nothing(table):
    frame, code = table
    minor = np.flatnonzero(code == 1)
    least = least_told(LEAST_MISREAD)  # the other columns tell the classes, too
    for n, found in ((least, False), (least + 2, True)):  # each level is learned from a row
        rows = np.concatenate([np.flatnonzero(code == 0), minor[:n]])
        assert ("status" in read(frame.iloc[rows], code[rows])) == found


def test_a_column_that_alone_knows_the_labels_is_named_with_fewer(table):
    frame, code = table
    assert (least_told(MOST_MISREAD), least_told(LEAST_MISREAD)) == (17, 44)
    rng = np.random.default_rng(3)
    few = np.concatenate([np.flatnonzero(code == 0), np.flatnonzero(code == 1)[:18]])
    fewer = few[:-1]
    frame = frame.assign(
        reason=np.where(code == 1, rng.choice(["moved", "price", "service", "other"], N), None),
        code=np.where(code == 1, "x", "y"),
        also=np.where(code == 1, "1st", "2nd"),
    )
    for names, known in (
        (["noise", "status"], []),  # a row of each of its two levels is not told
        (["noise", "amount"], ["amount"]),
        (["noise", "closed", "day", "reason"], ["closed", "day", "reason"]),  # filled in the same rows
        (["noise", "code", "also"], ["code", "also"]),
        (["amount", "closed"], []),  # each is as good as the other
        (["good", "amount"], []),
        (["amount"], ["amount"]),
    ):
        assert read(frame[names].iloc[few], code[few]) == known, names
        assert read(frame[names].iloc[fewer], code[fewer]) == [], names


def test_a_copy_of_the_labels_is_named_with_fewer(table):
    _, code = table
    classes = np.array(["open", "paid"])
    rows = np.concatenate([np.flatnonzero(code == 0)[:20], np.flatnonzero(code == 1)[:LEAST_NAMED]])
    own = code[rows]
    wrong = np.where(np.arange(len(rows)) == 3, 1 - own, own)
    frame = pd.DataFrame(
        {
            "copy": np.array(["Open ", "PAID"])[own],
            "turned": classes[1 - own],
            "other": np.array(["a", "b"])[own],
            "almost": classes[wrong],
            "gaps": np.where(own == 1, "paid", None),
        }
    )
    read_table = ReadTable(*columns.learn(frame, "category"))
    assert telling_columns(read_table, own, classes) == ["copy"]
    assert telling_columns(read_table, own) == []
    own = np.where(np.arange(len(rows)) == len(rows) - 1, -1, own)
    assert telling_columns(read_table, own, classes) == []


def test_codes_of_single_rows_tell_nothing(table):
    _, code = table
    ids = np.random.default_rng(1).permutation(N)
    frame = pd.DataFrame({"id": [f"k{i}" for i in ids], "number": ids + 0.5})
    schema, matrix = columns.learn(frame, {"id": "category", "number": "number"})
    assert telling_columns(ReadTable(schema, matrix), code) == []


def test_the_best_column_of_iris_is_merely_good():
    X, y = load_iris(return_X_y=True)
    schema, matrix = columns.learn(X)
    rng = np.random.default_rng(0)
    for n in (20, 30, 60, 90, 150) * 10:
        rows = rng.permutation(150)[:n]
        assert telling_columns(ReadTable(schema, matrix[rows]), y[rows]) == []


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "digits"])
def test_tables_without_such_a_column_are_left_alone(name):
    made = bundled_table(name, 45, 0)
    labels = semigen.data.labels.encode(made.y)
    assert telling_columns(ReadTable(*columns.learn(made.X)), labels.hard) == []


def test_advice_asks_about_such_a_column(table):
    frame, code = table
    shown = np.where(np.arange(N) < 130, code, -1)
    found = telling(study(frame[["noise", "amount"]], shown, weights=(0.0, 1.0), with_forest=False))
    assert found.severity == "caution"
    assert found.evidence == {"columns": ["amount"]}
    assert found.sentence == (
        "Column 'amount' alone tells the class of every labeled row: is it known when predictions are made?"
    )
    assert telling(study(frame[["noise", "good"]], shown, weights=(0.0, 1.0), with_forest=False)) is None


def test_the_report_asks_first_of_all(table):
    frame, code = table
    model = semigen.MixtureClassifier().fit(frame[["noise", "amount"]], code)
    known = Evidence(model, frame[["noise", "amount"]], code, np.full((N, 2), 0.5), range(N), "row")
    assert sections.telling(known) == ["amount"]
    report = semigen.report(model, frame[["noise", "amount"]], code, target="paid")
    assert view(report.record)["todo"][0][0] == sentence(["amount"])
    assert "Column amount alone tells the class" in report.to_html()


def test_the_command_line_asks_too(table, tmp_path, monkeypatch):
    frame, code = table
    monkeypatch.chdir(tmp_path)
    frame[["noise", "amount"]].assign(paid=code).to_csv("bills.csv", index=False)
    assert sentence(["amount"]) in fit("bills.csv", "--target", "paid").stderr
    frame[["noise", "near"]].assign(paid=code).to_csv("bills.csv", index=False)
    assert "alone tells" not in fit("bills.csv", "--target", "paid", "--force").stderr


def test_several_columns_are_one_sentence():
    assert sentence(["a", "b"]) == (
        "Column a alone tells the class of every labeled row, and so does b: are they known when predictions "
        "are made?"
    )
    assert "and so do b, c: are" in sentence(["a", "b", "c"])


# --- columns that tell which rows have a label


@pytest.fixture
def history():
    """Days in order, of which the first are labeled, and columns that go with them or do not."""
    rng = np.random.default_rng(1)
    n, n_labeled = 400, 60
    late = np.arange(n) >= n_labeled
    slips = late.copy()
    slips[[3, 200]] ^= True
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "trend": np.arange(n) + rng.normal(0, 60, n),
            "day": pd.date_range("2024-01-01", periods=n),
            "falling": -np.arange(n) / 7,
            "site": np.where(late, rng.choice(["B", "C"], n), "A"),
            "nearly": np.where(slips, "new", "old"),
            "result": np.where(late, np.nan, rng.normal(size=n)),
            "note": np.where(rng.random(n) < 0.3, None, [f"case number {j} of many" for j in range(n)]),
        }
    )
    return frame, np.where(late, -1, rng.integers(0, 2, n))


def test_columns_in_which_labeled_rows_lie_apart_are_named_and_others_are_not(history):
    frame, code = history
    table = ReadTable(*columns.learn(frame))
    found = parting_columns(table, code)
    assert found.pop("trend") == pytest.approx(0.63, abs=0.01)
    assert found == {"day": 1.0, "falling": 1.0, "site": 1.0, "result": 1.0}
    for seed in range(20):
        assert parting_columns(table, np.random.default_rng(seed).permutation(code)) == {}


def test_labels_from_a_part_of_the_time_or_places_part_though_unlabeled_rows_are_there_too(history):
    frame, _ = history
    rng, n = np.random.default_rng(2), len(frame)
    frame = frame.assign(shop=rng.choice([f"s{j}" for j in range(40)], n))
    table = ReadTable(*columns.learn(frame[["noise", "day", "shop"]]))
    of_shop = frame["shop"].isin([f"s{j}" for j in range(20)]).to_numpy()
    day = np.arange(n)
    for where, name, share in (
        (day < n / 3, "day", 2 / 3),
        (abs(day - 150) < 60, "day", 0.7),
        (of_shop, "shop", 0.5),
    ):
        labeled = rng.permutation(np.flatnonzero(where))[:80]
        code = np.full(n, -1)
        code[labeled] = 0
        ((found, outside),) = parting_columns(table, code).items()
        assert found == name
        assert outside == pytest.approx(share * n / (n - 80), abs=0.1)


def test_chance_is_that_of_labels_drawn_at_random():
    rng = np.random.default_rng(0)
    n, m = 12, 40
    values, level = rng.normal(size=n + m), rng.integers(0, 9, n + m)
    ordered, leveled = [], []
    for _ in range(4_000):
        known = np.arange(n + m)[rng.permutation(n + m)] < n
        ordered.append(_outside_of_range(values, known))
        leveled.append(_at_other_levels(level, known))
    for of, exact in ((np.array(ordered), True), (np.array(leveled), False)):
        for share in (0.2, 0.3, 0.4):
            happened = (of[:, 0] >= share).mean()
            stated = of[of[:, 0] >= share, 1].max()
            assert happened <= stated + 4 * np.sqrt(stated / len(of))
            assert not exact or happened == pytest.approx(stated, abs=4 * np.sqrt(stated / len(of)))


def test_a_level_that_half_of_the_rows_have_is_missed_as_often_as_is_said():
    level, known = np.repeat([0, 1], 500), np.arange(1000) < 20
    share, chance = _at_other_levels(level, known)
    assert share == pytest.approx(500 / 980)
    exact = np.prod((500 - np.arange(20)) / (1000 - np.arange(20)))
    assert exact <= chance < 10 * exact
    assert _at_other_levels(np.arange(1000), known)[1] == pytest.approx(1.0)  # no two rows share one


def test_levels_that_hardly_any_two_rows_share_say_nothing(history):
    frame, code = history
    rng = np.random.default_rng(1)
    names = pd.DataFrame({"name": [f"n{j}" for j in range(len(frame))], "noise": frame["noise"]})
    names["pair"] = [f"p{j // 2}" for j in rng.permutation(len(frame))]
    names["team"] = [f"t{j % 20}" for j in rng.permutation(len(frame))]
    names["squad"] = np.where(code < 0, names["team"], "u" + names["team"])
    table = ReadTable(*columns.learn(names, dict.fromkeys(("name", "pair", "team", "squad"), "category")))
    assert parting_columns(table, code) == {"squad": 1.0}


def test_each_number_and_each_choice_of_a_cell_is_looked_at(history):
    _, code = history
    rng, known = np.random.default_rng(1), code >= 0
    low, high = rng.integers(10, 99, len(code)), rng.integers(0, 9, len(code))
    rest = [";".join(np.array(["a", "b", "c"])[row]) for row in rng.random((len(code), 3)) < 0.6]
    said = [
        f"{one};{'here' if there else 'there'}".strip(";") for one, there in zip(rest, known, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "first": [f"{a}/{b}" for a, b in zip(np.where(known, 200, 100) + high, low, strict=True)],
            "second": [f"{b}/{a}" for a, b in zip(np.where(known, 200, 100) + high, low, strict=True)],
            "neither": [f"{b}/{a}" for a, b in zip(100 + high, low, strict=True)],
            "choices": said,
            "rest": rest,
        }
    )
    table = ReadTable(*columns.learn(frame))
    assert table.schema.kinds[:2] == ("number", "number")
    assert list(parting_columns(table, code)) == ["first", "second", "choices"]


def test_the_column_that_differs_most_is_named_and_none_by_chance(history):
    frame, code = history
    days, drawn = np.arange(len(code)), np.random.default_rng(0).permutation(len(code))
    early = drawn < np.where(days < len(days) / 2, 0.4, 0.1) * len(days)  # most of them are early
    table = ReadTable(*columns.learn(frame[["noise", "day", "site", "note"]]))
    labeled, rest = np.flatnonzero(early), np.flatnonzero(~early)
    assert parting_columns(table, early - 1) == {}
    assert most_apart(table, labeled, rest) == "day"
    assert most_apart(table, drawn[:60], np.sort(drawn[60:])) is None
    assert most_apart(table, labeled[:0], rest) is None
    advice = semigen.advise(frame[["noise", "day"]], np.where(early, frame["noise"] > 0, -1))
    found = {one.name: one for one in advice.findings}["labeled and unlabeled rows"]
    assert "They differ most in 'day'." in found.sentence


def test_a_handful_of_labels_does_not_lie_apart(history):
    frame, code = history
    table = ReadTable(*columns.learn(frame))
    few = np.where(np.arange(len(code)) < 3, code, -1)
    assert parting_columns(table, few) == {}
    assert parting_columns(table, np.zeros(len(code), dtype=int)) == {}


def test_fit_report_and_advice_name_columns_in_which_labeled_rows_lie_apart(history, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame, code = history
    y = np.where(code < 0, None, np.where(code, "a", "b"))
    frame[["noise", "day", "trend"]].assign(y=y).to_csv("days.csv", index=False)
    said = parting_sentence({"day": 1.0, "trend": 0.63})
    assert said in fit("days.csv", "--target", "y").stderr
    summary = found_by("days-semigen")[2]
    assert summary["parting_columns"][0] == {"column": "day", "outside": 1.0}
    assert said in [one for one, *_ in view(summary)["todo"]]
    advice = semigen.advise(frame[["noise", "day", "trend"]], y)
    (finding,) = (one for one in advice.findings if one.name == "labeled and unlabeled rows")
    assert "outside of the labeled ones: 100 % in 'day', 63 % in 'trend'." in finding.sentence
