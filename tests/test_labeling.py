"""Labeling sessions: what is saved stays saved, what comes next, what a model makes of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from semigen.exceptions import LabelError, ParameterError, SemigenError, TableError
from semigen.labeling import Session
from semigen.labeling.answers import Answers, decided
from semigen.labeling.cells import word_weights
from semigen.labeling.items import read_items
from semigen.labeling.journal import Journal, read
from semigen.labeling.learning import Pool, as_labels, refit
from semigen.labeling.progress import honest, stop


def make_table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.integers(3, size=n)
    X = pd.DataFrame(4 * code[:, None] + rng.normal(size=(n, 2)), columns=["u", "v"])
    X["color"] = np.where(np.arange(n) == 5, "odd", rng.choice(["red", "blue"], n))
    return X, np.array(["low", "mid", "high"])[code]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a.journal"


def opened(source, place, **options):
    given = {"target": "kind", "journal": place, "learn": False, **options}
    return Session.open(source, **given)


def told(session, *people):
    """What a session says, but for how often it changed."""
    return [
        {name: value for name, value in session.state(one).items() if name not in ("version", "next")}
        for one in people
    ]


def act(session, rng, people=("ann", "bob")):
    """One random thing that a person may do."""
    person = people[rng.integers(len(people))]
    names = [one["name"] for one in session.state(person)["classes"]]
    what = rng.random()
    if what < 0.2:
        session.undo(person)
    elif what < 0.25:
        session.add_class(person, f"class {len(names)}")
    elif (item := session.item(person)) is not None:
        key = item["key"] if rng.random() < 0.9 else session._items.keys[rng.integers(len(session))]
        if what < 0.35:
            session.answer(person, key, unsure=True)
        elif what < 0.45:
            session.answer(person, key, skip=True, note="later")
        else:
            size = 1 if what < 0.85 else 2
            session.answer(person, key, classes=list(rng.choice(names, size, replace=False)))


@pytest.mark.parametrize("seed", range(4))
def test_a_session_that_is_resumed_at_any_time_equals_an_unbroken_one(tmp_path, seed):
    X, _ = make_table(20)
    whole = opened(X, tmp_path / "whole.journal", classes=["a", "b"])
    parts = opened(X, tmp_path / "parts.journal", classes=["a", "b"])
    one, other, breaks = (np.random.default_rng(seed) for _ in range(3))
    for _ in range(60):
        act(whole, one)
        act(parts, other)
        if breaks.random() < 0.2:
            parts.close()
            before = (tmp_path / "parts.journal").read_bytes()
            parts = opened(X, tmp_path / "parts.journal")
            assert (tmp_path / "parts.journal").read_bytes() == before, "the same table adds no line"
            shown = {name: item for name in ("ann", "bob") if (item := whole.item(name)) is not None}
            if len(shown) == 2:  # what was on the screen of whom comes back, unless it is the other's turn
                assert {parts.item(name)["key"] for name in shown} <= set(parts._items.keys)
            parts._current = dict(whole._current)
        assert told(parts, "ann", "bob") == told(whole, "ann", "bob")
    assert parts.labels().tolist() == whole.labels().tolist()
    whole.close()
    parts.close()


def test_the_journal_only_grows_and_its_replay_is_the_state(place):
    X, _ = make_table(20)
    rng = np.random.default_rng(1)
    with opened(X, place, classes=["a", "b"]) as session:
        before = b""
        for _ in range(80):
            act(session, rng)
            now = place.read_bytes()
            assert now.startswith(before)
            before = now
        replayed = Answers()
        for event in read(place).events:
            replayed.apply(event)
        assert replayed == session._answers
        assert any(one.unsure for one in replayed.all())


def test_undo_takes_an_answer_back_and_its_item_comes_again(place):
    X, _ = make_table(20)
    with opened(X, place, classes=["a", "b"]) as session:
        assert session.undo("ann") is None
        for classes in (["a"], ["a", "b"]):
            before, item = told(session, "ann"), session.item("ann")
            session.answer("ann", item["key"], classes=classes)
            assert told(session, "ann") != before
            assert session.item("ann")["key"] != item["key"]
            assert session.undo("ann")["key"] == item["key"]
            assert told(session, "ann") == before
            assert session.item("ann") == item
            session.answer("ann", item["key"], classes=["a"])


def test_an_answer_is_on_the_disk_when_it_is_returned(place, monkeypatch):
    X, _ = make_table(20)
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(place.read_bytes()), real(file)))
    with opened(X, place, classes=["a", "b"]) as session:
        event = session.answer("ann", session.item("ann")["key"], classes=["a"], note="näh\u2028\ud800")
        assert json.loads(synced[-1].splitlines()[-1].decode("utf-8", "surrogatepass")) == event
        assert {"person": "ann", "reason": "random", "classes": ["a"]}.items() <= event.items()


def test_whatever_is_cut_off_a_journal_the_whole_lines_are_read_and_it_goes_on(place):
    X, _ = make_table(6)
    with opened(X, place, classes=["a", "b"]) as session:
        for key in session._items.keys[:3]:
            session.answer("ann", key, classes=["b"])
    content = place.read_bytes()
    whole = read(place).events
    for end in range(content.index(b"\n") + 1, len(content), 23):
        place.write_bytes(content[:end])
        found = read(place).events
        n_whole = content[:end].count(b"\n")
        assert found[:n_whole] == whole[:n_whole]
        assert len(found) <= n_whole + 1
        with opened(X, place, classes=["a", "b"]) as session:
            n_before = session.n_labeled
            session.answer("ann", session._items.keys[5], classes=["a"])
            assert session.n_labeled == n_before + 1
        assert read(place).events[-1]["key"] == session._items.keys[5]


def test_a_full_disk_saves_nothing_and_is_told(place, monkeypatch):
    X, _ = make_table(6)
    with opened(X, place, classes=["a", "b"]) as session:
        real = os.write
        monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data)[:9]) and _full())
        with pytest.raises(OSError, match="No space"):
            session.answer("ann", session.item("ann")["key"], classes=["a"])
        assert session.n_labeled == 0
        monkeypatch.setattr(os, "write", real)
        session.answer("ann", session.item("ann")["key"], classes=["a"])
    with opened(X, place) as session:
        assert session.n_labeled == 1
        assert "1 line of the journal cannot be read" in session.notes[0]


def _full():
    raise OSError(28, "No space left on device")


def killed(folder, rounds, seed):
    """Kill a process that saves answers, again and again; how many answers it said were saved."""
    rng, process = random.Random(seed), _start(folder)
    saved, last = 0, 0
    try:
        for number in range(rounds):
            process.stdin.write("go\n")
            process.stdin.flush()
            child = int(process.stdout.readline().split()[1])
            if number % 2:  # a busy machine may not get there in the pause
                last, saved = int(process.stdout.readline().split()[1]), saved + 1
            time.sleep(rng.random() * 0.15)
            os.kill(child, signal.SIGKILL)
            while (line := process.stdout.readline().split())[0] != "ended":
                last, saved = int(line[1]), saved + 1
            assert int(line[1]) == signal.SIGKILL
            found = read(folder / "a.journal") if last or (folder / "a.journal").exists() else None
            numbers = [one["number"] for one in found.events if one["event"] == "answer"] if found else []
            assert numbers == list(range(1, len(numbers) + 1)), f"round {number}"
            assert len(numbers) >= last, f"round {number}: answer {last} was lost"
            last = len(numbers)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()
    return saved


def _start(folder):
    script = Path(__file__).with_name("labeling_kills.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_nothing_saved_is_lost_when_the_process_is_killed(tmp_path):
    assert killed(tmp_path, 10, 0) > 0


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_nothing_saved_is_lost_in_a_thousand_kills(tmp_path):
    assert sum(killed(_folder(tmp_path, seed), 100, seed) for seed in range(10)) > 1000


def _folder(path, seed):
    folder = path / str(seed)
    folder.mkdir()
    return folder


def test_two_sessions_of_one_journal_are_refused_and_reading_is_not(place):
    X, _ = make_table(6)
    with opened(X, place, classes=["a", "b"]):
        with pytest.raises(TableError, match="another session has the journal"):
            opened(X, place)
        assert len(read(place).events) == 4
    again = opened(X, place)
    again.close()
    with pytest.raises(ParameterError, match="is closed"):
        again.answer("ann", again._items.keys[0], classes=["a"])


def test_rows_are_known_by_content_or_id_and_a_changed_table_is_told(place):
    X, _ = make_table(12)
    X.loc[1] = X.loc[0]
    X["id"] = [f"i{j}" for j in range(12)]
    keys = read_items(X.drop(columns="id"), "kind").keys
    assert len(set(keys)) == 12
    assert keys[1] == f"{keys[0]}-2"
    shuffled = X.sample(frac=1, random_state=0)
    assert read_items(shuffled, "kind", id="id").keys == shuffled["id"].tolist()
    moved = read_items(shuffled.drop(columns="id")[["color", "v", "u"]], "kind")
    assert sorted(moved.keys) == sorted(keys)
    swapped = X.drop(columns="id").rename(columns={"u": "v", "v": "u"})
    assert not set(read_items(swapped, "kind").keys) & set(keys)
    assert read_items(pl.from_pandas(X.drop(columns="id")), "kind").keys == keys
    with opened(X, place, id="id", classes=["a", "b"]) as session:
        session.answer("ann", "i3", classes=["a"])
        session.answer("ann", "i4", classes=["b"])
    with opened(shuffled.iloc[:-1], place, id="id") as session:
        row = shuffled["id"].tolist().index("i3")
        assert session.labels().iloc[row] == "a"
        assert session.notes == ("The table has changed since the last session: 1 rows are gone; 0 are new.",)
    other, _ = make_table(9, seed=3)
    with pytest.raises(ParameterError, match="knows no row of this table"):
        opened(other, place)


def test_people_agree_by_vote_and_a_tie_is_a_candidate_set():
    assert decided([("a",), ("a",), ("b",)]) == ("a",)
    assert decided([("a",), ("b",)]) == ("a", "b")
    assert decided([("a", "b"), ("b",)]) == ("b",)
    assert decided([("a", "b"), ("b", "c"), ("a",), ("c",)]) == ("a", "c")
    assert decided([("a", "b"), ("c",)]) == ("c",)
    assert decided([("a", "b"), ()]) == ("a", "b")
    assert decided([(), ()]) == ()


def test_people_see_who_agrees_and_settle_what_they_disagree_on(place):
    X, _ = make_table(30)
    with opened(X, place, classes=["a", "b"], random_share=0) as session:
        keys = session._items.keys
        for key in keys[:20]:
            session.answer("ann", key, classes=["a"])
        session.answer("bob", keys[0], classes=["a"])
        session.answer("bob", keys[1], classes=["b"])
        state = session.state("cid")
        assert state["disagreements"] == [{"row": 1, "key": keys[1], "answers": {"ann": ["a"], "bob": ["b"]}}]
        assert {one["name"]: one["agreement"] for one in state["people"]} == {"ann": 0.5, "bob": 0.5}
        assert len(session.evidence_by_row()[1]) == 2
        session.answer("cid", keys[25], classes=["a"])
        item = session.item("cid")
        assert (item["reason"], item["key"]) == ("check", keys[1])
        assert [one["person"] for one in item["others"]] == ["ann", "bob"]
        session.answer("cid", keys[1], classes=["b"])
        assert session.evidence_by_row()[1] == ("b",)
        assert session.item("ann")["key"] != session.item("bob")["key"]


def test_every_row_is_asked_for_once_a_skipped_one_again_at_the_end(place):
    X, _ = make_table(12)
    X["kind"] = ["a", "b", *[None] * 10]
    with opened(X, place) as session:
        seen = []
        while (item := session.item("ann")) is not None and len(seen) < 30:
            assert item == session.item("ann")
            first = item["row"] not in seen
            seen.append(item["row"])
            said = {"skip": True} if first and len(seen) < 3 else {"classes": "a"}
            session.answer("ann", item["key"], **(said if len(seen) != 5 else {"unsure": True}))
        assert len(seen) == 12
        assert sorted(seen[:10]) == list(range(2, 12))
        assert seen[10:] == seen[:2]
        assert session.state("ann")["stop"] is None
        session.answer("ann", session._items.keys[seen[4]], classes="b")
        assert session.state("ann")["stop"] == "You can stop: every row has a label."


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda one: one.answer("ann", "none", classes=["a"]), "no row with the key 'none'"),
        (lambda one: one.answer("ann", None, classes=["a"]), "no row with the key None"),
        (lambda one: one.answer("ann", one._items.keys[0], classes=["z"]), "no class 'z'"),
        (lambda one: one.answer("ann", one._items.keys[0]), "exactly one of these"),
        (lambda one: one.answer("ann", one._items.keys[0], classes=["a"], skip=True), "exactly one of these"),
        (lambda one: one.answer("ann", one._items.keys[0], unsure=True, note="n" * 2001), "a note is text"),
        (lambda one: one.answer("", one._items.keys[0], classes=["a"]), "person ''"),
        (lambda one: one.item("a\nb"), "printable"),
        (lambda one: one.state(7), "person 7"),
        (lambda one: one.add_class("ann", "a"), "already"),
        (lambda one: one.add_class("ann", "x" * 101), "1 to 100"),
        (lambda one: one.image(one._items.keys[0]), "is no image"),
        (lambda one: one.export("x.csv", form="y"), "form='y'"),
        (lambda one: one.evidence(), "labels of two classes"),
    ],
)
def test_what_cannot_be_done_is_said(place, act, match):
    X, _ = make_table(6)
    with opened(X, place, classes=["a", "b"]) as session:
        size = place.stat().st_size
        with pytest.raises((ParameterError, LabelError), match=match):
            act(session)
        assert place.stat().st_size == size


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"target": " "}, "target ' '"),
        ({"id": "kind"}, "is the target"),
        ({"id": "color"}, "does not identify"),
        ({"text": "colr"}, "did you mean 'color'"),
        ({"drop": ["z*"]}, "to drop"),
        ({"drop": ["*"]}, "all columns are dropped"),
        ({"classes": "ab"}, "give a list"),
        ({"random_share": 2}, "random_share=2"),
        ({"journal": "no/such/folder.journal"}, "cannot be written"),
        ({"journal": "notes.txt"}, "no journal of"),
    ],
)
def test_what_cannot_be_opened_is_said(tmp_path, monkeypatch, options, match):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("hello\n")
    X, y = make_table(6)
    with pytest.raises(SemigenError, match=match):
        opened(X.assign(kind=y), "a.journal", **options)
    assert Path("notes.txt").read_text() == "hello\n"


def test_classes_that_may_be_one_are_noted(place):
    X, _ = make_table(6)
    with opened(X.assign(kind=["Yes", "yes ", "no", None, "NO", "maybe"]), place) as session:
        (note,) = session.notes
    assert note.startswith("Classes of 'kind' differ only by spaces or case: 'NO', 'no'; 'Yes', 'yes'. If")


def test_items_show_what_is_unusual(place):
    X, _ = make_table(200)
    X.loc[7, "u"] = 1e6
    X.loc[7, "v"] = np.nan
    with opened(X, place, classes=["a"]) as session:
        cells = {one["name"]: one for one in session._items.content(7, {})["cells"]}
        assert cells["u"]["percentile"] > 99
        assert cells["u"]["value"] == "1000000"
        assert (cells["v"]["value"], cells["v"]["percentile"]) == ("", None)
        colors = [session._items.content(row, {})["cells"][2] for row in (5, 6)]
        assert [one["rare"] for one in colors] == [True, False]


def test_numbers_in_text_have_their_place_too(place):
    prices = [f"€{j}K" for j in range(40)] + ["€1.2M", "n/a", None]
    codes = [f"{j:05d}" for j in range(43)]
    with opened(pd.DataFrame({"price": prices, "code": codes}), place, classes=["a"]) as session:
        found = [session._items.content(row, {})["cells"] for row in (0, 20, 40, 41, 42)]
    assert [price["percentile"] for price, _ in found] == pytest.approx([1.2, 50, 98.8, None, None], abs=0.1)
    assert [code["percentile"] for _, code in found] == [None] * 5


def test_texts_mark_the_words_that_speak_for_a_class(place):
    texts = ["Good, good tea", "good cake", "bad tea", "bad cake today", "tea\nand good cake"]
    weights = word_weights([(["good", "tea"], "+"), (["good"], "+"), (["bad", "tea"], "-")], ["+", "-"])
    assert weights["good"][0] == "+"
    assert weights["bad"][0] == "-"
    assert "tea" not in weights
    frame = pd.DataFrame({"text": texts, "n": range(5)})
    with opened(frame, place, text="text", classes=["+", "-"]) as session:
        for row, name in ((0, "+"), (1, "+"), (2, "-"), (3, "-")):
            session.answer("ann", session._items.keys[row], classes=[name])
        content = session.item("ann")["content"]
        assert content["text"] == texts[4]
        assert [(one["word"], one["class"]) for one in content["words"]] == [("good", "+")]
        assert [one["name"] for one in content["cells"]] == ["n"]
        session.blind = True
        assert session.item("ann")["content"]["words"] == []


def test_labels_keep_the_type_and_the_library_of_the_table(place):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "kind": [4, 7, None]})
    with opened(frame, place) as session:
        session.answer("ann", session._items.keys[2], classes=["7"])
        labels = session.labels()
        assert isinstance(labels, pl.Series)
        assert labels.to_list() == [4, 7, 7]
        assert session.evidence().classes.tolist() == ["4", "7"]


def test_candidate_sets_are_learned_from():
    X, y = make_table(90)
    names = ["low", "mid", "high"]
    code = np.array([names.index(name) for name in y])
    table = read_pool(X)
    given = [(int(row), [int(code[row])]) for row in range(12)]
    row = next(r for r in range(12, 90) if code[r] == 1)
    _, before = refit(table, given, names, 0, 60, None)
    _, after = refit(table, [*given, (row, [0, 2])], names, 0, 60, None)
    assert before[row, 1] > 0.5
    assert after[row, 1] < before[row, 1]
    labels, known = as_labels([*given, (row, [0, 2])], 90, names)
    assert known == [0, 1, 2]
    assert labels.probabilities[row].tolist() == [0.5, 0, 0.5]
    assert as_labels([(0, [0]), (1, [0, 1])], 3, names) == (None, [0])


def read_pool(X, folder=None):
    from semigen import columns
    from semigen.columns import ReadTable
    from semigen.judgement.information import similarity_features

    table = ReadTable(*columns.learn(X))
    return Pool(table, similarity_features(None, table, 0))


def test_a_wrong_label_is_suspicious_and_predictions_are_made_without_it():
    X, y = make_table(90)
    names = ["low", "mid", "high"]
    code = [names.index(name) for name in y]
    given = [(row, [code[row]]) for row in range(30)]
    given[4] = (4, [(code[4] + 1) % 3])
    far = code.index(0, 30)
    X.loc[[far, 88, 89], ["u", "v"]] = 30.0  # only its own label says that such a row is low
    given.append((far, [0]))
    report, probabilities = refit(read_pool(X), given, names, 0, 60, None, [4, 5, 60, far])
    assert sorted(report["checks"][:2]) == [4, 31]  # the row far away looks like another class, too
    assert dict(report["predicted"]) == {4: names[code[4]], 5: names[code[5]], far: "high"}
    assert probabilities[far][0] > 0.35  # with its label, which nothing else speaks for
    assert len({row for row, _ in report["queue"]} & set(range(30))) == 0


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A session with a model, after 24 answers of which one is wrong."""
    X, y = make_table(80)
    folder = tmp_path_factory.mktemp("learned")
    session = Session.open(
        X, target="kind", classes=["low", "mid", "high"], journal=folder / "a.journal", time_budget=60
    )
    assert session.settle()
    reasons = []
    for number in range(24):
        item = session.item("ann")
        said = y[item["row"]] if number != 3 else {"low": "mid", "mid": "high", "high": "low"}[y[item["row"]]]
        session.answer("ann", item["key"], classes=[said])
        reasons.append(item["reason"])
        if number in (7, 15, 23):
            assert session.settle()
    yield session, y, reasons
    session.close()


def test_a_session_learns_asks_and_estimates(learned):
    session, y, reasons = learned
    assert not session.state("ann")["trouble"]
    assert reasons.count("random") == 4, "15 % and the first"
    assert reasons[0] == "random"
    assert reasons.index("random", 1) == 6
    assert {"explore", "check"} <= set(reasons)
    state = session.state("ann")
    assert state["fit"]["n"] == state["n_labeled"]
    assert [one["n"] for one in state["curve"]] == [
        one["n"] for one in session._answers.fits if one["honest"]
    ]
    assert state["honest"]["low"] <= state["honest"]["accuracy"] <= state["honest"]["high"]
    rows, names, probabilities = session._loop.all_probabilities()
    assert np.mean(np.array(names)[probabilities.argmax(axis=1)] == y[rows]) > 0.9
    item = session.item("ann")
    assert sum(item["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert set(item["probabilities"]) == {"low", "mid", "high"}
    assert len(item["neighbors"]) == 3
    assert {one["class"] for one in item["neighbors"]} <= {"low", "mid", "high"}
    assert state["forecast"].startswith("20 more labels")
    assert "unlabeled rows" in state["verdict"]


def test_a_session_tells_those_who_wait(learned):
    session, _, _ = learned
    version = session.state("ann")["version"]
    assert session.wait(version, 0.01) == version
    session.add_class("ann", "new")
    assert session.wait(version, 5) > version
    assert session.item("ann")["probabilities"]["new"] == 0
    assert session.state("ann")["classes"][-1] == {"name": "new", "n": 0, "key": "4"}


def test_blind_hides_what_the_model_and_others_think(learned):
    session, _, _ = learned
    session.blind = True
    try:
        item = session.item("ann")
        assert item["probabilities"] is None
        assert item["others"] == []
    finally:
        session.blind = False


def test_the_estimate_counts_first_answers_of_the_random_sample(place):
    X, _ = make_table(20)
    with opened(X, place, classes=["a", "b"]) as session:
        rows = np.arange(6)
        for row, name in zip(rows, "aabbab", strict=True):
            session.answer("ann", session._items.keys[row], classes=[name])
        session.answer("ann", session._items.keys[2], classes=["a"])  # a check: not the first answer
        session.answer("bob", session._items.keys[7], unsure=True)
        session.answer("ann", session._items.keys[8], classes=["a", "b"])
        predicted = dict.fromkeys([0, 1, 2, 3, 8], "a") | {4: "b"}
        found = honest([0, 1, 2, 3, 4, 5, 7, 8], predicted, session._answers, session._items)
        assert found["n"] == 5, "row 5 has no prediction, rows 7 and 8 have no class"
        assert found["accuracy"] == 2 / 5
        assert honest(range(2), predicted, session._answers, session._items) is None


def test_stopping_needs_settled_predictions_and_no_gain():
    def fits(changed=0.005, gain=0.004, step=5):
        return [{"n": 20 + step * j, "changed": changed, "gain": (gain, 0, 0)} for j in range(5)]

    assert stop(fits(), 40, 1000).startswith("You can stop: in the last 3 refits (15 labels)")
    assert stop(fits(changed=0.02), 40, 1000) is None
    assert stop(fits(gain=0.02), 40, 1000) is None
    assert stop(fits(step=2), 40, 1000) is None
    assert stop(fits(), 29, 1000) is None


def test_labels_move_between_programs(place, tmp_path):
    X, _ = make_table(12)
    X = X.assign(id=[f"i{j}" for j in range(12)])
    with opened(X, place, id="id", classes=["a", "b|c"]) as session:
        session.answer("ann", "i1", classes=["a"])
        session.answer("ann", "i2", classes=["b|c"], note="sure")
        session.answer("bob", "i3", classes=["a", "b|c"])
        files = session.export(tmp_path / "all.csv")
        session.export(tmp_path / "all.parquet")
        session.export(tmp_path / "studio.json")
        session.export(tmp_path / "pairs.csv", form="pairs")
        with pytest.raises(FileExistsError):
            session.export(tmp_path / "all.csv")
        labels = session.evidence_by_row()
    table = pd.read_csv(files[0])
    assert table.columns.tolist() == ["u", "v", "color", "id", "kind", "p_a", "p_b|c"]
    assert table["kind"].tolist()[:4] == [np.nan, "a", "b|c", np.nan] or table["kind"].isna()[[0, 3]].all()
    assert table["p_a"].tolist()[1:4] == [1, 0, 0.5]
    assert table["p_a"].isna().sum() == 9
    assert pd.read_parquet(tmp_path / "all.parquet")["u"].tolist() == X["u"].tolist()
    told = pd.read_csv(files[1])
    assert told[["person", "key", "classes"]].to_numpy().tolist()[0] == ["ann", "i1", "a"]
    for name in ("studio.json",):
        with opened(X, tmp_path / f"{name}.journal", id="id") as other:
            assert other.import_labels(tmp_path / name, "me") == 3
            assert other.evidence_by_row() == labels
    assert pd.read_csv(tmp_path / "pairs.csv").columns.tolist() == ["id", "kind"]


def test_labels_come_from_files_that_others_made(place, tmp_path):
    X, _ = make_table(6)
    cells = [{name: str(value) for name, value in row.items()} for row in X.to_dict("records")]
    choices = [{"type": "choices", "value": {"choices": ["b"]}}]
    tasks = [
        {"id": 1, "data": cells[4], "annotations": [{"result": choices}]},
        {"id": 2, "data": cells[5], "annotations": [{"result": choices, "was_cancelled": True}]},
    ]
    (tmp_path / "t.json").write_text(json.dumps(tasks))
    (tmp_path / "n.csv").write_text(f"row,u,kind\n0,{X['u'][0]},a\n1,{X['u'][1]},a|b\n2,{X['u'][2]},\n")
    (tmp_path / "moved.csv").write_text(f"row,u,kind\n0,{X['u'][0] * 1.0001},a\n")
    (tmp_path / "no.csv").write_text("key,kind\nx,a\n")
    with opened(X, place, classes=["a"]) as session:
        assert session.import_labels(tmp_path / "t.json", "me") == 1
        assert session.import_labels(tmp_path / "n.csv", "me") == 2
        assert session.evidence_by_row() == {4: ("b",), 0: ("a",), 1: ("a", "b")}
        size = place.stat().st_size
        for name, match in (("moved.csv", "the rows have moved"), ("no.csv", "does not have")):
            with pytest.raises(TableError, match=match):
                session.import_labels(tmp_path / name, "me")
        assert place.stat().st_size == size


def test_images_are_items_with_their_bytes(tmp_path):
    pytest.importorskip("PIL")
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.bmp"):
        Image.fromarray(np.full((4, 4), 200, dtype=np.uint8)).save(folder / name)
    with opened(folder, None, classes=["x"]) as session:
        assert session.journal == tmp_path / "pictures.journal"
        item = session.item("ann")
        assert item["content"]["kind"] == "image"
        assert {session.image(key)[1] for key in session._items.keys} == {"image/png"}
        assert session.image("a.png")[0] == (folder / "a.png").read_bytes()
        with pytest.raises(ParameterError):
            session.image("../a.png")


def test_the_journal_is_closed_where_a_session_cannot_begin(place):
    X, _ = make_table(6)
    opened(X, place, classes=["a"]).close()
    with pytest.raises(ParameterError, match="of the target 'kind', not 'other'"):
        opened(X, place, target="other")
    Journal.open(place, {}).close()


def test_a_session_goes_on_without_its_learning_process(place):
    X, _ = make_table(12)
    with opened(X, place, classes=["a", "b"], learn=True) as session:
        version = session.state("ann")["version"]
        session._loop._learner._process.kill()
        session.wait(version, 30)
        assert session.state("ann")["trouble"].startswith("The model is not refitted any more: the learning")
        assert not session.state("ann")["fitting"]
        session.answer("ann", session.item("ann")["key"], classes=["a"])
        assert session.item("ann")["reason"] == "random"
        assert session.settle(1)


def test_labels_of_the_table_are_classes_without_spaces_and_markers_are_none(tmp_path):
    X, _ = make_table(6)
    path = tmp_path / "t.csv"
    X.assign(kind=["yes ", "?", "yes", "no", "", " "]).to_csv(path, index=False)
    with opened(path, None, unlabeled=["?"]) as session:
        assert session.evidence_by_row() == {0: ("yes",), 2: ("yes",), 3: ("no",)}
        assert [one["name"] for one in session.state("ann")["classes"]] == ["no", "yes"]
    with pytest.raises(ParameterError, match="unlabeled='\\?': give a list"):
        opened(path, None, unlabeled="?")
