"""Text, dates and codes as features, words as a block of a mixture, and what a sparse matrix is taken for."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, hstack, issparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

from frames import frame, library
from semigen import AutoClassifier, HybridClassifier, MixtureClassifier, MixtureEnsembleFeatures, load, save
from semigen.cli.sources.columns import about_documents
from semigen.columns import ReadTable, describe, learn, read, restore
from semigen.columns.dates import date_format
from semigen.columns.encoders import learn_date, learn_text
from semigen.columns.sparse import as_words
from semigen.exceptions import ColumnError, ColumnWarning
from semigen.families import Multinomial, Product
from semigen.representation import PlainColumns

__all__ = ["frame", "library"]  # fixtures


def shop(n=240, seed=0, signal=0.85):
    """Notes, codes and dates that carry the class, beside numbers that do not; labels for 40 rows."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    topics = (["refund", "broken", "angry", "damaged"], ["thanks", "lovely", "perfect", "quick"])
    filler = ["order", "store", "parcel", "monday", "price", "box", "came", "bought"]
    notes = [
        " ".join(rng.permutation([*rng.choice(topics[k], 3), *rng.choice(filler, 5)]))
        for k in np.where(rng.random(n) < signal, truth, 1 - truth)
    ]
    days = rng.integers(0, 100, n) * 7 + np.where(truth, 5, 1) + rng.integers(0, 2, n)
    table = {
        "amount": rng.normal(size=n).tolist(),
        "color": rng.choice(["red", "blue"], n).tolist(),
        "note": [None if j % 40 == 39 else note for j, note in enumerate(notes)],
        "zip": [f"{(94, 10)[k]}{rng.integers(1000):03d}" for k in truth],
        "when": [dt.datetime(2021, 1, 4) + dt.timedelta(days=int(day), hours=9) for day in days],
    }
    y = np.where(np.arange(n) < 40, np.array(["bad", "good"], dtype=object)[truth], None)
    return table, y, np.array(["bad", "good"], dtype=object)[truth]


KINDS = {"note": "text", "zip": "text", "when": "date"}


# --- encoders


def test_features_of_text_are_scikit_learns():
    notes = shop()[0]["note"]
    encoder = learn_text("note", notes, words=False, alone=False)
    filled = [note for note in notes if note]
    words = TfidfVectorizer(
        token_pattern=r"(?u)\b[^\W\d_]{2,}\b", stop_words="english", min_df=2, max_df=0.5, sublinear_tf=True
    ).fit_transform(filled)
    wanted = TruncatedSVD(encoder.directions.shape[1], random_state=0).fit_transform(words)
    found = encoder.read("note", notes)
    there = np.array([note is not None for note in notes])
    assert_allclose(found[there], wanted, atol=1e-10)
    assert np.isnan(found[~there]).all()
    assert str(encoder) == f"{wanted.shape[1]} features of its words"


def test_a_few_texts_have_few_features():
    """Of four different texts three directions are left, or four; all others would be rounding errors."""
    grades = ["9", "10", "11", "12 or more"] * 30
    encoder = learn_text("grade", grades, words=False, alone=False)
    features = encoder.read("grade", grades)
    assert 3 <= features.shape[1] <= 4
    assert features.std(axis=0).min() > 0.01


def test_a_single_word_is_a_feature():
    """All others are in more than half of the cells."""
    notes = ["good late early slow", "early good slow", "good early", "slow early good late"]
    encoder = learn_text("note", notes * 5, words=False, alone=False)
    features = encoder.read("note", notes)
    assert encoder.vocabulary == ("late",)
    assert_array_equal(features[:, 0] > 0, [True, False, False, True])


def test_names_and_codes_are_read_by_their_letters():
    encoder = learn_text("zip", shop()[0]["zip"], words=False, alone=False)
    assert encoder.analyzer == "char_wb"
    features = encoder.read("zip", ["94001", "94002", "10001", 94001, 94001.0])
    assert_array_equal(features[3:], features[[0, 0]])  # however a table holds it
    assert features[0] @ features[1] > 2 * features[0] @ features[2]


def test_text_without_any_word_or_letter_is_refused():
    with pytest.raises(ColumnError, match="'note': no word is left"):
        learn_text("note", [None, " ", ""], words=True, alone=True)


def test_dates_are_days_and_cycles():
    monday = dt.datetime(2021, 1, 4, 6)
    cells = [monday, monday + dt.timedelta(days=1, hours=6), None, dt.datetime(2021, 12, 31, 6)]
    encoder = learn_date("when", cells)
    assert encoder.cycles == ("year", "week", "day")
    features = encoder.read("when", cells)
    assert features.shape == (4, 7)
    assert_allclose(features[[0, 1], 0], [18631.25, 18632.5])
    assert_allclose(features[0, 3:], [np.sin(2 * np.pi / 28), np.cos(2 * np.pi / 28), 1, 0], atol=1e-12)
    assert_allclose(np.hypot(features[:2, 1::2], features[:2, 2::2]), 1)
    assert np.isnan(features[2]).all()
    assert encoder.restore(features) == cells
    assert features[3, 2] > 0.99  # the end of a year is beside its start
    assert (
        learn_date("age", [dt.timedelta(days=3), dt.timedelta(hours=12)]).read("age", [dt.timedelta(2)]) == 2
    )
    evening = learn_date("at", [dt.time(6), dt.time(12)]).read("at", [dt.time(18)])
    assert_allclose(evening, [[0.75, -1, 0]], atol=1e-12)
    assert learn_date("day", [dt.date(2021, 1, 4), dt.date(2021, 1, 11)]).cycles == ()


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2021-01-04", "2021-12-31T23:59:00"], ""),
        (["01/04/2021", "12/31/2021"], "%m/%d/%Y"),
        (["01-04-2021", "12-31-2021"], "%m-%d-%Y"),
        (["04-01-2021", "31-12-2021"], "%d-%m-%Y"),
        (["2021-01-04 08:15 AM", "2021-12-31 11:59 p.m."], "%Y-%m-%d %I:%M %p"),
        (["2021-01-04 08:15:01 AM", "2021-12-31 11:59:59 PM"], "%Y-%m-%d %I:%M:%S %p"),
        (["04/01/2021", "31/12/2021"], "%d/%m/%Y"),
        (["4.1.2021", "31.12.2021"], "%d.%m.%Y"),
        (["04-Jan-2021 08:15", "31-Dec-2021 23:59"], "%d-%b-%Y %H:%M"),
        (["01/04/2021 08:15 AM", "12/31/2021 11:59 pm"], "%m/%d/%Y %I:%M %p"),
        (["Jan 4, 2021", "Dec 31, 2021"], "%b %d, %Y"),
        (["4 January 2021", "31 May 2021"], "%d %B %Y"),
        (["04.01.21", "31.12.99"], "%d.%m.%y"),
        (["01/04/2021", "?", "12/31/2021", " "], "%m/%d/%Y"),
        (["9:05", "23:59", " "], "%H:%M"),
        (["09:05:30", "23:59:00"], "%H:%M:%S"),
        (["9:05 AM", "11:59 pm"], "%I:%M %p"),
        (["2021-01", "2021-12"], "%Y-%m"),
        (["1/2021", "12/2021"], "%m/%Y"),
        (["2021-01-04 20", "20211231T201002", "2021-W02"], ""),
        (["2021.01.04", "2021.12.31"], "%Y.%m.%d"),
        (["2021年1月4日", "2021年12月31日"], "%Y年%m月%d日"),
        (["Mon, 04 Jan 2021", "Friday, 31 Dec 2021"], "%d %b %Y"),
        (["4th January 2021", "31st May 2021"], "%d %B %Y"),
        (["Jan. 4, 2021", "Sept. 3, 2021"], "%b %d, %Y"),
        (["4. Januar 2021", "31. Dezember 2021"], None),
        (["1/4/2021, 8:15:00 AM", "12/31/2021, 11:59:59 p.m."], "%m/%d/%Y %I:%M:%S %p"),
        (["8:15am", "11:59PM"], "%I:%M %p"),
        (["01/04/2021 08:15 UTC", "12/31/2021 11:59 GMT"], "%m/%d/%Y %H:%M"),
        (["04/Jan/2021:20:10:02 +0000", "31/Dec/2021:20:10:02 -0130"], "%d/%b/%Y:%H:%M:%S%z"),
        (["Mon Jan 04 20:10:02 2021", "Fri Dec 31 20:10:02 2021"], "%b %d %H:%M:%S %Y"),
        (["Mon, 04 Jan 2021 20:10:02 +0000", "Fri, 31 Dec 2021 20:10:02 +0000"], "%d %b %Y %H:%M:%S%z"),
        (["2021Q1", "2021 Q4", "Q2 2021", "q2-2021"], "quarter"),
        (["2021Q5", "2021Q1"], None),
        (["Jan-21", "Dec-99"], "%b-%y"),
        (["0021-01", "1234-12"], None),
        (["20210104", "20211231"], None),
        (["9:05", "24:59"], "duration"),
        (["9:05", "24:61"], None),
        (["2021-01-04", "soon"], None),
        (["1.4.21", "12.10.3"], None),
        (["?", ""], None),
        (["2021-01-04", ["2021-01-04"]], None),
        (["1.5", "2.5"], None),
        (["12/31/2021", "31/12/2021"], None),
    ],
)
def test_how_dates_are_written(texts, form):
    assert date_format(texts) == form


def test_months_and_quarters_have_no_day_of_the_week():
    months = [f"{2019 + n // 12}-{n % 12 + 1:02d}" for n in range(30)]
    quarters = [f"{2019 + n // 4}Q{n % 4 + 1}" for n in range(30)]
    typed = np.array([f"{one}-01" for one in months], dtype="datetime64[us]")
    for cells in (months, quarters, typed):
        assert learn_date("when", cells).cycles == ("year",)
    found = learn_date("when", quarters).read("when", ["2020Q3", "2020-07-01", "Q3 2020"])
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("last", ["9999-12-31", "9999-01-01", "0001-01-01"])
def test_dates_that_stand_for_none_are_missing(last):
    cells = ["2021-01-04", last, "2021-03-04"]
    typed = np.array(cells, dtype="datetime64[us]")
    for one in (cells, typed, typed.tolist()):
        found = learn_date("until", one).read("until", one)
        assert np.isnan(found[1]).all()
        assert_allclose(found[2, 0] - found[0, 0], 59)


@pytest.mark.parametrize("first", [1925, 1945, 1968, 1970, 2001])
def test_years_of_two_digits_stay_together(first):
    days = [dt.date(year, 1 + year % 12, 1 + year % 28) for year in range(first, first + 80)]
    written, full = ([f"{day:{form}}" for day in days] for form in ("%d.%m.%y", "%d.%m.%Y"))
    encoder = learn_date("born", written)
    found = encoder.read("born", written)
    assert_allclose(np.diff(found[:, 0]), np.diff(learn_date("born", full).read("born", full)[:, 0]))
    assert found[0, 0] in [
        learn_date("born", full).read("born", full)[0, 0] - shift for shift in (0, 36525, -36525)
    ]
    assert [one.date() for one in encoder.restore(found)][-1].strftime("%d.%m.%y") == written[-1]
    born = [f"01.02.{year:02d}" for year in (45, 68, 69, 99, 10)]
    assert learn_date("born", born).first_year == 1945


def test_dates_with_gaps():
    encoder = learn_date("when", ["12/31/2021", "N/A", None, "1/4/2021"])
    found = encoder.read("when", ["12/31/2021", "?", "1/1/2022"])
    assert_allclose(found[:, 0] - found[0, 0], [0, np.nan, 1])
    assert "week" in encoder.cycles


def test_times_of_the_day_are_its_share_and_midnight_is_beside_itself():
    encoder = learn_date("at", ["6:00", "18:00"])
    assert encoder.feature_names == ("time", "sine of day", "cosine of day")
    features = encoder.read("at", ["00:00", "6:00", "23:59", None])
    assert_allclose(features[:3, 0], [0, 0.25, 1439 / 1440])
    assert np.isnan(features[3]).all()
    assert np.linalg.norm(features[0, 1:] - features[2, 1:]) < 0.01
    assert_allclose(encoder.read("at", [dt.time(6)]), features[[1]])


CLOCK = [dt.time(hour, 7 * hour % 60, hour) for hour in range(24)]
TYPED = {
    "times": (CLOCK, [f"{one:%H:%M:%S}" for one in CLOCK]),
    "durations": ([dt.timedelta(hours=5 * n - 3) for n in range(24)], [f"{5 * n - 3} h" for n in range(24)]),
    "dates": ([dt.datetime(2024, 1 + n % 12, 2 + n, n) for n in range(24)], None),
}
TYPED["durations"][1][0] = "-3 h 0 min"
TYPED["dates"] = (TYPED["dates"][0], [f"{one:%d.%m.%Y %H:%M}" for one in TYPED["dates"][0]])


@pytest.mark.parametrize("cells", TYPED.values(), ids=TYPED)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_what_was_a_time_or_a_duration_is_one_again_typed_or_written(cells, make):
    typed, written = cells
    schema, matrix = learn(make({"x": typed}), {"x": "date"})
    again, same = learn(make({"x": written}), {"x": "date"})
    assert again.names == schema.names
    assert_allclose(same, matrix, atol=1e-12)
    for one in (schema, again):
        found = restore(one, np.vstack([matrix, np.full_like(matrix[:1], np.nan)]))["x"].to_list()
        assert list(found[:-1]) == typed
        assert pd.isna(found[-1])


def test_dates_in_iso_8601_are_read_whatever_the_fit_had():
    encoder = learn_date("when", ["31/12/2021", "1/4/2021"])
    assert_allclose(encoder.read("when", ["2021-12-31"]), encoder.read("when", ["31/12/2021"]))


def test_codes_that_have_lost_their_zeros_are_told():
    cells = ["01067", "20095", "01069"] * 9
    encoder = learn_text("zip", cells, words=False, alone=False)
    with pytest.warns(
        ColumnWarning, match="'zip' has text such as 01067 in the fit, and here numbers such as 20095"
    ):
        encoder.read("zip", [None, 20095, 1067])
    encoder.read("zip", ["20095", "1067"])
    learn_text("zip", ["94110", "20095"] * 9, words=False, alone=False).read("zip", [94110])


def test_a_cell_that_is_no_date_is_named():
    encoder = learn_date("when", ["12/31/2021", "1/4/2021"])
    with pytest.raises(ColumnError, match="dates such as 12/31/2024, and its cell in row 1 is 'soon'"):
        encoder.read("when", ["1/4/2021", "soon"])


# --- tables


def test_every_library_gives_the_same_features(frame):
    table, _, _ = shop()
    schema, matrix = learn(frame(table), KINDS)
    wanted = learn(pd.DataFrame(table), KINDS)[1]
    assert_allclose(matrix, wanted, atol=1e-9)
    assert_allclose(read(schema, frame({name: table[name] for name in reversed(table)})), matrix, atol=1e-12)
    assert [one.name for one in schema.inputs] == list(table)
    assert schema.input_kinds == {"amount": "number", "color": "category", **KINDS}
    assert [one.kind for one in describe(frame(table))] == list(schema.input_kinds.values())
    back = restore(schema, matrix)
    when = back["when"].to_pylist() if isinstance(back, pa.Table) else list(back["when"])
    assert pd.to_datetime(pd.Series(when)).tolist() == table["when"]


def test_what_became_of_columns_is_said_once_unless_the_user_said_it():
    table = pd.DataFrame(shop()[0])
    with pytest.warns(ColumnWarning) as caught:
        schema, _ = learn(table.assign(who=[f"u{j * 7919 % 240}" for j in range(240)]))
    assert len(caught) == 1
    said = str(caught[0].message)
    for words in (
        "'note' (text) became 12 features of its words",
        "'zip' (text) became 10 features of its letters",
        "'when' (date) became time, year (sine, cosine), week (sine, cosine)",
        "'who' is not used: every row has a different text, like an identifier",
        "kinds={'COLUMN': 'category'} (in a MixtureClassifier family={'COLUMN': 'categorical'}, in a "
        "VAEClassifier likelihood=)",
    ):
        assert words in said
    assert len(schema.notes) == 4
    assert learn(table, KINDS)[0].notes == schema.notes[:3]  # and no warning, which would be an error here
    assert "'when' is not used, as asked" in learn(table, KINDS | {"when": "id"})[0].notes


def test_numbers_can_be_read_as_text_and_dates_as_numbers():
    table = pd.DataFrame(
        {"zip": [94110, 94112, 10001, 10002], "when": pd.date_range("2021-01-01", periods=4)}
    )
    schema, _ = learn(table, {"zip": "text", "when": "number"})
    assert schema.input_kinds == {"zip": "text", "when": "date"}
    with pytest.raises(ColumnError, match="array cannot be read as text"):
        learn(np.eye(3), {1: "text"})
    with pytest.raises(ColumnError, match=r"with columns of text or dates \('zip', 'when'\)"):
        read(schema, np.eye(schema.n_features))


def test_a_table_with_text_that_is_read_already_stays_as_it_is():
    schema, matrix = learn(pd.DataFrame(shop()[0]), KINDS, words=True)
    again, same = learn(ReadTable(schema, matrix), {"note": "word", "zip": "number"}, words=True)
    assert again is schema
    assert same is matrix
    _, y, truth = shop()
    model = MODELS["mixture"].fit(ReadTable(schema, matrix), y)
    assert np.mean(model.predict(ReadTable(schema, matrix))[40:] == truth[40:]) > 0.85


def test_types_that_libraries_do_not_compute_with_are_cast_once():
    text = ["a", "b", None, "a", "b", "a"]
    table = pa.table(
        {
            "view": pa.array(text).cast(pa.string_view()),
            "long": pa.array([1, 2, None, 4, 5, 6]).cast(pa.decimal128(38, 2)).cast(pa.decimal256(40, 2)),
            "bytes": pa.array([b"a"] * 6).cast(pa.binary_view()),
        }
    )
    with pytest.warns(ColumnWarning, match="'bytes' is not used: its cells are of type"):
        schema, matrix = learn(table)
    assert schema.kinds == ("category", "number")
    assert_array_equal(matrix, [[0, 1], [1, 2], [np.nan, np.nan], [0, 4], [1, 5], [0, 6]])
    sparse = pd.DataFrame(
        {"x": pd.arrays.SparseArray([0.0, 0.0, 1.5]), "y": pd.arrays.SparseArray([0, 2, 0])}
    )
    assert_array_equal(learn(sparse)[1], [[0, 0], [0, 2], [1.5, 0]])


NAMES = ["Ann", "Bo", "Cyd", "Dee", "Eve", "Fay", "Gus"]


@pytest.mark.parametrize(
    ("cells", "n_features"), [(NAMES, 4), ([f"A-{j * 7919 % 1000}" for j in range(90)], 10)]
)
def test_names_and_codes_have_few_features_that_weigh_as_one_column(cells, n_features):
    table = pd.DataFrame({"number": np.arange(len(cells)) ** 2.0, "who": cells})
    schema, matrix = learn(table, {"who": "text"})
    plain = PlainColumns().fit(ReadTable(schema, matrix))
    variance = plain.transform(ReadTable(schema, matrix)).var(axis=0)
    assert len(variance) == 1 + n_features
    assert_allclose(variance[1:].sum(), variance[0], rtol=0.05)


def test_a_text_weighs_as_the_root_of_its_features_and_is_marked_missing_once():
    table = pd.DataFrame(shop()[0])
    schema, matrix = learn(table, KINDS)
    plain = PlainColumns().fit(ReadTable(schema, matrix))
    rows = plain.transform(ReadTable(schema, matrix))
    of_text = np.isin(plain.numbers_, schema.encoded[0].columns)
    variance = np.nanvar(rows[:, : len(of_text)], axis=0)
    there = ~np.isnan(matrix[:, schema.encoded[0].first])
    assert_allclose(variance[of_text].sum(), np.sqrt(of_text.sum()) * there.mean(), rtol=0.02)
    assert_allclose(variance[0], 1, rtol=0.05)
    assert len(plain.marked_) == 1


# --- classifiers


MODELS = {
    "auto": AutoClassifier(n_mixtures=8, kinds=KINDS, unlabeled=None),
    "hybrid": HybridClassifier(MixtureEnsembleFeatures(8, kinds=KINDS), unlabeled=None),
    "mixture": MixtureClassifier(
        {"note": "multinomial", "zip": "multinomial", "when": "gaussian"}, covariance="tied", unlabeled=None
    ),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_signal_of_text_dates_and_codes_is_found_and_saved(model, tmp_path):
    table, y, truth = shop()
    X = pd.DataFrame(table)
    model.fit(X, y)
    assert np.mean(model.predict(X)[40:] == truth[40:]) > 0.85
    save(model, tmp_path / "m.semigen")
    assert_array_equal(load(tmp_path / "m.semigen").predict_proba(X), model.predict_proba(X))
    assert_allclose(model.predict_proba(X.iloc[:1].assign(note=None, zip=None, when=pd.NaT)).sum(), 1)


def test_a_text_column_is_a_multinomial_block_of_its_own():
    table, y, _ = shop()
    X = pd.DataFrame(table)
    with pytest.warns(ColumnWarning, match="'note' .text. became 13 words"):
        model = MixtureClassifier(covariance="tied", unlabeled=None).fit(X, y)
    family = model.mixture_.family
    assert isinstance(family, Product)
    names = [[model.schema_.source(j) for j in columns] for columns, _ in family.blocks]
    assert [set(one) for one in names] == [{"amount", "when"}, {"color"}, {"note"}, {"zip"}]
    assert [isinstance(one, Multinomial) for _, one in family.blocks] == [False, False, True, True]
    assert model.feature_kinds_ == ["number", "category", "text", "text", "date"]
    rows, _ = model.sample(5, random_state=0)
    assert list(rows.columns) == list(X.columns)
    assert set(" ".join(rows["note"]).split()) <= set(" ".join(filter(None, table["note"])).split())
    filled = model.impute(X)
    assert filled["note"].isna().sum() == X["note"].isna().sum()  # no text is made up


def test_a_data_frame_of_text_only_has_documents():
    table, y, truth = shop(signal=1)
    X = pd.DataFrame({"note": table["note"]})
    schema, matrix = learn(X, "text", sparse=True)
    assert issparse(matrix)
    assert schema.is_sparse
    model = AutoClassifier(n_mixtures=4, kinds="text", unlabeled=None).fit(X, y)
    assert model.forms_.plain.sparse_
    assert np.mean((model.predict(X) == truth)[~X["note"].isna()]) == 1
    dense, _ = learn(X, "text")
    assert not dense.is_sparse


# --- sparse matrices


def test_sparse_indicators_and_numbers_are_columns_and_words_are_words():
    rng = np.random.default_rng(0)
    one_hot = csr_array(OneHotEncoder().fit_transform(rng.integers(0, 5, (60, 4))))
    notes = [note or "parcel" for note in shop()[0]["note"]]
    counts = csr_array(CountVectorizer().fit_transform(notes)).astype(float)
    numbers = csr_array(rng.poisson(0.3, (60, 9)) * rng.random((60, 9)))
    genes = csr_array(rng.poisson([60.0] + 59 * [1.5], (60, 60)))  # few are active in every cell
    wide = csr_array((rng.random((60, 1200)) < 0.01).astype(float))
    for matrix, words, said in (
        (one_hot, False, "20 columns of indicators, since all cells are 0 or 1"),
        (numbers, False, "9 columns of numbers"),
        (hstack([one_hot, csr_array(rng.normal(size=(60, 2)))]), False, "numbers, since some are negative"),
        (hstack([one_hot, csr_array(rng.integers(20, 80, (60, 1)))]), False, "some are large in most rows"),
        (
            hstack([csr_array(wide.toarray()[:, :60] + 0.0), genes[:, :1]]),
            False,
            "some are large in most rows",
        ),
        (genes, True, "counts of words"),
        (genes[:, :10], False, "some are large in most rows"),
        (counts, True, "counts of words"),
        (csr_array(TfidfVectorizer().fit_transform(notes)), True, "weighted words"),
        (wide, True, "words that occur or not"),
        (csr_array(np.repeat(np.eye(1200), 2, axis=0)), False, "1,200 columns of indicators"),
    ):
        assert as_words(csr_array(matrix)) == (words, as_words(csr_array(matrix))[1])
        assert said in as_words(csr_array(matrix))[1]


@pytest.mark.parametrize(
    "model", [AutoClassifier(n_mixtures=4), HybridClassifier(MixtureEnsembleFeatures(4))]
)
def test_sparse_indicators_give_what_the_dense_table_gives(model):
    rng = np.random.default_rng(0)
    truth = np.arange(120) % 2
    levels = np.where(rng.random((120, 5)) < 0.7, truth[:, None], rng.integers(0, 3, (120, 5)))
    sparse = csr_array(OneHotEncoder().fit_transform(levels))
    y = np.where(np.arange(120) < 20, truth, -1)
    wanted = model.fit(sparse.toarray(), y).predict_proba(sparse.toarray())
    assert_array_equal(model.fit(sparse, y).predict_proba(sparse), wanted)
    if isinstance(model, AutoClassifier):
        assert "indicators, since all cells are 0 or 1" in model.explanation_


def test_kinds_say_what_a_sparse_matrix_is():
    counts = csr_array(np.random.default_rng(0).poisson(1.0, (60, 9)).astype(float))
    y = np.arange(60) % 2
    model = AutoClassifier(n_mixtures=4, kinds="number", time_budget=1e-9).fit(counts, y)
    assert not model.forms_.plain.sparse_
    indicators = csr_array((counts.toarray() > 0).astype(float))
    model.set_params(kinds="word").fit(indicators, y)
    assert model.forms_.plain.sparse_


# --- what a fitted ensemble says of itself


@pytest.fixture(scope="module")
def fitted():
    table, y, _ = shop()
    X = pd.DataFrame(table)
    return AutoClassifier(n_mixtures=8, kinds=KINDS, unlabeled=None).fit(X, y), X


def test_densities_and_novelty(fitted):
    model, X = fitted
    assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    density = model.score_samples(X)
    novelty = model.novelty(X)
    assert_array_equal(np.argsort(-density, kind="stable"), np.argsort(novelty, kind="stable"))
    assert_array_equal(np.sort(novelty), np.arange(240) / 240)  # no 0.035000000000000003
    strange = X.iloc[:3].assign(amount=1e3)
    assert (model.novelty(strange) == 1).all()
    early = AutoClassifier(n_mixtures=4, time_budget=1e-9).fit(X[["amount"]], np.arange(240) % 2)
    assert not hasattr(early, "score_samples")
    assert not hasattr(early, "novelty")
    assert hasattr(AutoClassifier(), "novelty")


def test_the_repr_and_the_html_show_the_fit(fitted):
    model, _ = fitted
    score = model.validation_.score("all models")
    for said in (repr(model), model._repr_mimebundle_()["text/html"]):
        for words in (
            "bad (20 labeled), good (20 labeled)",
            "200",
            f"accuracy {score.accuracy.value:.1%}",
            "of its letters",
        ):
            assert words in said
    assert repr(model).startswith("AutoClassifier(")
    assert repr(AutoClassifier()) == "AutoClassifier()"
    unsafe = AutoClassifier(kinds={"<b>": "text"})._repr_mimebundle_()["text/html"]
    assert "<b>" not in unsafe


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_scores_as_a_frame(fitted, library):
    model, _ = fitted
    table = model.validation_.to_frame(library)
    columns = {
        name: list(table[name].to_pylist() if library == "pyarrow" else table[name])
        for name in ("name", "accuracy", "log_loss", "log_loss_high")
    }
    scores = model.validation_.to_dict()["scores"]
    assert columns["name"] == list(scores)
    assert columns["log_loss_high"] == [one["log_loss"]["high"] for one in scores.values()]


def test_it_is_said_that_long_texts_are_learned_word_by_word_without_other_columns():
    rng = np.random.default_rng(0)
    words = [f"word{j}" for j in range(90)]
    frame = pd.DataFrame(
        {
            "long": [" ".join(rng.choice(words, 25)) for _ in range(60)],
            "short": [" ".join(rng.choice(words, 6)) for _ in range(60)],
            "side": rng.choice(["left side", "right side"], 60),
        }
    )
    said = "without other columns the words themselves are learned"
    for names, words_only, warned in (
        (["long", "side"], False, True),
        (["short", "side"], False, False),
        (["long"], False, False),
        (["long", "side"], True, False),
    ):
        with pytest.warns(ColumnWarning) as caught:
            learn(frame[names], sparse=True, words=words_only)
        assert (said in str(caught[0].message)) == warned
    table = pa.Table.from_pandas(frame)
    (note,) = about_documents(table, describe(table))
    assert note.startswith("long: beside other columns the words of long texts are learned by auto")
    assert note.endswith("other models learn from a few features of them")
    assert about_documents(table, describe(table.select(["long"]))) == ()
    assert about_documents(table, describe(table.select(["short", "side"]))) == ()
