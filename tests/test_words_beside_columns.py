"""Long texts beside other columns: AutoClassifier models their words, and the other columns, apart."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import semigen
from semigen.columns import learn_table, read_table
from semigen.ensemble.defaults import OF_WORDS, SUPERVISED, default_weights, supervised_weights
from semigen.ensemble.training import read_form
from semigen.exceptions import ColumnError, ColumnWarning
from semigen.judgement.information import similarity_features

N, LABELED = 160, 24
TEXTS = ["story", "reply"]


@cache
def table() -> tuple[pd.DataFrame, np.ndarray]:
    """Two columns of long texts, of which the first tells the class, and two others that do not."""
    rng = np.random.default_rng(0)
    y = rng.permutation(N) % 2
    shared = [f"common{'abcdefghij'[j]}" for j in range(10)]
    own = [[f"{name}{letter}" for letter in "abcdefghij"] for name in ("first", "second")]
    story = [" ".join([*rng.choice(shared, 22), *rng.choice(own[k], 3)]) for k in y]
    reply = [" ".join(rng.choice(shared, 25)) for _ in y]
    side = rng.choice(["left", "right"], N)
    return pd.DataFrame({"story": story, "x": rng.normal(size=N), "reply": reply, "side": side}), y


def shown() -> np.ndarray:
    _, y = table()
    return np.where(np.arange(N) < LABELED, y, -1)


@cache
def fitted(*columns: str) -> semigen.AutoClassifier:
    X, _ = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return semigen.AutoClassifier(n_mixtures=6).fit(X[list(columns)], shown())


def evidence(auto: semigen.AutoClassifier, name: str, X: pd.DataFrame) -> np.ndarray:
    rows = auto.forms_.of(auto.read(X))
    return auto.pool_.estimators_[name].predict_proba(read_form(rows, auto.pool_.forms_[name]))


def test_the_models_of_words_are_those_of_the_texts_alone_and_the_others_those_without_them():
    X, _ = table()
    both, words, others = fitted("story", "x", "side"), fitted("story"), fitted("x", "side")
    assert set(both.pool_.estimators_) == {*others.pool_.estimators_, *OF_WORDS.values()}
    for name, of_words in OF_WORDS.items():
        np.testing.assert_allclose(
            evidence(both, of_words, X), evidence(words, name, X[["story"]]), atol=1e-12
        )
    for name in others.pool_.estimators_:
        np.testing.assert_allclose(
            evidence(both, name, X), evidence(others, name, X[["x", "side"]]), atol=1e-12
        )


def test_columns_that_say_nothing_do_not_hide_what_the_words_say():
    X, y = table()
    rest = slice(LABELED, None)
    error = {
        names: np.mean(fitted(*names).predict(X[list(names)])[rest] != y[rest])
        for names in (("story", "x", "side"), ("story",), ("x", "side"))
    }
    assert error["story", "x", "side"] <= error["story",] + 0.02
    assert error["x", "side"] > 0.35


def test_both_parts_keep_their_share_of_the_default_weights():
    parts = {
        of_words: default_weights(sparse=of_words, n_features=4, n_classes=2) for of_words in (False, True)
    }
    both = default_weights(sparse=False, n_features=4, n_classes=2, documents=True)
    alone = supervised_weights(both)
    names = set(OF_WORDS.values())
    for of_words, part in parts.items():
        mine = {name: weight for name, weight in both.items() if (name in names) == of_words}
        of = {name if not of_words else OF_WORDS[name]: weight for name, weight in part.items()}
        ratio = [mine[name] / weight for name, weight in of.items() if weight]
        np.testing.assert_allclose(ratio, ratio[0])
        kept = sum(weight for name, weight in alone.items() if (name in names) == of_words)
        assert kept == pytest.approx(sum(mine.values()))
    assert set(alone) <= set(SUPERVISED)


def test_rows_are_read_by_name_in_any_order_block_by_block_and_from_a_file(tmp_path):
    X, _ = table()
    auto = fitted("story", "x", "reply", "side")
    wanted = auto.predict_proba(X)
    mixed_up = X[["reply", "side", "story", "x"]].assign(more=1)
    np.testing.assert_array_equal(auto.predict_proba(mixed_up), wanted)
    np.testing.assert_allclose(
        np.vstack([auto.predict_proba(X[j : j + 50]) for j in range(0, N, 50)]), wanted
    )
    semigen.save(auto, tmp_path / "model.semigen")
    again = semigen.load(tmp_path / "model.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), wanted)
    assert again.schema_.documents[1].name == "reply"
    np.testing.assert_array_equal(auto.predict_proba(auto.read(X)), wanted)
    with pytest.raises(ColumnError, match="'story'"):
        auto.predict(X.drop(columns="story"))
    with pytest.warns(UserWarning, match="feature names"), pytest.raises(ColumnError, match="story"):
        auto.predict(X.to_numpy())


def test_a_text_that_is_missing_says_nothing():
    X, _ = table()
    auto = fitted("story", "x", "side")
    for name in OF_WORDS.values():
        probs = evidence(auto, name, X.assign(story=None)[:40])
        np.testing.assert_allclose(probs, np.broadcast_to(probs[0], probs.shape), atol=1e-12)
    assert np.isfinite(auto.predict_proba(X.assign(story=None))).all()
    nothing = auto.predict_proba(X.assign(story=None, x=np.nan, side=None))
    np.testing.assert_array_equal(nothing, np.broadcast_to(auto.class_prior_, nothing.shape))


def test_words_are_enough_where_all_other_values_are_missing():
    X, y = table()
    auto = fitted("story", "x", "side")
    assert np.mean(auto.predict(X.assign(x=np.nan, side=None)) == y) > 0.9


def test_words_stand_beside_the_matrix_only_where_that_is_asked_for():
    X, _ = table()
    with pytest.warns(ColumnWarning, match="'story' .text. became [0-9,]+ words"):
        read = learn_table(X, documents=True)
    assert read.schema.input_names == ("x", "side", "story", "reply")
    assert read.matrix.shape == (N, 2)
    assert read.words.shape[0] == N
    first, second = read.schema.documents
    assert read.words.shape[1] == len(second.columns) + second.columns.start == second.columns.stop
    assert first.columns.start == 0
    alone = read_table(read.schema, X[::-1])
    np.testing.assert_array_equal(alone.words.toarray(), read.words.toarray()[::-1])
    np.testing.assert_array_equal(read[5:9].words.toarray(), read.words.toarray()[5:9])
    with pytest.warns(ColumnWarning, match="features of its words"):
        assert learn_table(X).words is None
    with pytest.warns(ColumnWarning):
        only = learn_table(X[TEXTS], sparse=True, documents=True)
    assert only.words is None
    assert only.schema.is_sparse
    with pytest.warns(ColumnWarning, match="'row_id' is not used"):
        rest = learn_table(X[["story"]].assign(row_id=np.arange(N) + 10**6), sparse=True, documents=True)
    assert rest.schema.input_names == ("story",)
    assert rest.schema.is_sparse


def test_as_many_words_are_learned_as_of_texts_alone():
    texts = [
        " ".join(f"{a}{b}{c}" for c in "bcdfghjklmnpqrstvwxz") for a in "bcdfghjk" for b in "aeiouyxz"
    ] * 3
    frame = pd.DataFrame({"long": texts, "x": np.arange(len(texts)) % 7 / 2})
    with pytest.warns(ColumnWarning, match=r"1,2\d\d words"):
        assert learn_table(frame, documents=True).words.shape[1] > 1200  # but for stop words


def test_another_kind_takes_a_text_out_of_the_words():
    X, _ = table()
    read = learn_table(X, {"story": "id", "reply": "text"}, documents=True)
    assert [one.name for one in read.schema.documents] == ["reply"]
    assert "story" not in read.schema.input_names


def test_a_report_shuffles_the_texts_too():
    X, _y = table()
    report = semigen.report(fitted("story", "x", "reply", "side"), X, shown())
    found = {one["column"]: one["change"] for one in report.record["importance"]["columns"]}
    assert set(found) == {"story", "x", "reply", "side"}
    reason = {one["name"]: one["reason"] for one in report.record["columns"]}
    assert reason["story"].startswith("became ")
    assert reason["story"].endswith(" words")
    assert found["story"] > 2 * max(found["x"], found["reply"], found["side"])


def test_the_map_of_a_report_shows_what_the_words_tell():
    X, y = table()
    found = semigen.report(fitted("story", "x", "side"), X, shown()).record["map"]
    place, truth = np.array(found["x"]), y[found["row"]]
    apart = abs(place[truth == 0].mean() - place[truth == 1].mean())
    assert apart > 3 * max(place[truth == k].std() for k in (0, 1))


def test_rows_to_label_next_differ_in_their_words():
    X, y = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = learn_table(X[["story", "x", "side"]], sparse="words", documents=True)
    spaces = [similarity_features(fitted("story", "x", "side"), X, 0), similarity_features(None, read, 0)]
    without = similarity_features(fitted("x", "side"), X, 0)
    same = y[:, None] == y
    for space in spaces:
        alike = space @ space.T
        assert alike[same].mean() > alike[~same].mean() + 0.05
    assert abs((without @ without.T)[same].mean() - (without @ without.T)[~same].mean()) < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(semigen.query(fitted("story", "x", "side"), X, shown(), 5).rows) == 5
