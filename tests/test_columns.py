"""What a column is: kinds inferred from types and cells, and what is said of columns that are not used."""

from __future__ import annotations

import datetime as dt
import re

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from frames import frame, library
from semigen.columns import Column, describe, infer, learn, read, restore
from semigen.columns.standins import stand_ins
from semigen.exceptions import ColumnError, ColumnWarning

__all__ = ["frame", "library"]  # fixtures


def one(frame_type, name, values) -> Column:
    (column,) = describe(frame_type({name: values}))
    return column


def kind_of(frame_type, values):
    return infer(nw.from_native(frame_type({"x": values})).get_column("x"))


# --- what a column is


def test_numbers_and_flags_are_used(frame):
    assert one(frame, "x", [1.5, 2.5, 2.5]) == Column("x", "number", True, "", 0, 2)
    assert one(frame, "x", [True, False, None]).kind == "flag"
    assert one(frame, "x", [0, 1, 1]) == Column("x", "flag", True, "", 0, 2)
    assert one(frame, "x", [0.0, 1.0, 1.0]).kind == "flag"
    assert one(frame, "x", [1, 2, 2]).kind == "number"


def test_missing_cells_do_not_change_the_kind(frame):
    assert one(frame, "x", [1.5, None, 2.5, 2.5]) == Column("x", "number", True, "", 1, 2)
    assert one(frame, "x", [0, 1, None, 1]).kind == "flag"
    assert one(pl.DataFrame, "x", [1.5, float("nan"), 2.5, None]).n_missing == 2


def test_text(frame):
    town = one(frame, "town", ["a", "b", "a", "c"])
    assert (town.kind, town.use, town.n_distinct) == ("text", True, 3)
    assert town.reason == "text with 3 distinct values becomes features of its letters"
    digits = one(frame, "x", ["1", "25", "103", "1"])
    assert (digits.kind, digits.use) == ("text", True)
    assert "read as numbers" in digits.reason
    nearly = one(frame, "x", ["1", "2", "x", "3"])
    assert nearly.kind == "text"
    assert "'x'" in nearly.reason
    assert one(frame, "who", ["ann lee", "bob", "cid"]).kind == "id"
    assert one(frame, "zip", ["94110", "10001", "60601"]).kind == "text"
    codes = [f"{j:05d}" for j in range(17, 40)]
    assert one(frame, "code", codes).kind == "id"
    assert one(frame, "code", codes[::-1]).kind == "id"
    assert one(frame, "code", [*codes[5:], *codes[:5]]).kind == "id"
    assert one(frame, "code", [*codes[:5], "94110", *codes[3:0:-1], *codes[6:]]).kind == "text"
    note = one(frame, "note", ["it came late", "bob and ann came", "cid was not there"])
    assert (note.kind, note.reason) == ("text", "text with 3 distinct values becomes features of its words")


@pytest.mark.parametrize(
    ("cells", "said", "numbers"),
    [
        (["1", " 2.5", "1e3", "1"], "'1' is 1", [1, 2.5, 1000, 1]),
        (["1,5", "2", "-0,25"], "'1,5' is 1.5", [1.5, 2, -0.25]),
        (["7", "20,412", "5", "6"], "'20,412' is 20,412", [7, 20412, 5, 6]),
        (["$1,250", "$3", "$4"], "'$1,250' is 1,250", [1250, 3, 4]),
        (["51.3%", None, "", "7%"], "'51.3%' is 51.3", [51.3, np.nan, np.nan, 7]),
        (["70 kg", "65.5 kg", "1,200 kg"], "'70 kg' is 70", [70, 65.5, 1200]),
        (["5", "?", "1", "5", "?"], "'?' is missing", [5, np.nan, 1, 5, np.nan]),
        (["1.5", "2", "N/A", "-"], "'N/A' is missing", [1.5, 2, np.nan, np.nan]),
        (["1.5", "\\N", "#DIV/0!", "2"], "'\\\\N' is missing", [1.5, np.nan, np.nan, 2]),
        (["$1,250", "unknown", "$3"], "'$1,250' is 1,250, 'unknown' is missing", [1250, np.nan, 3]),
    ],
)
def test_numbers_as_people_write_them_are_numbers(frame, cells, said, numbers):
    found = one(frame, "x", cells)
    assert (found.kind, found.use, found.reason) == ("number", True, f"becomes numbers ({said})")
    with pytest.warns(ColumnWarning, match=re.escape(said)):
        schema, matrix = learn(frame({"x": cells}))
    assert schema.input_kinds == {"x": "number"}
    np.testing.assert_array_equal(matrix[:, 0], numbers)
    np.testing.assert_array_equal(read(schema, frame({"x": [1.5, 20412.0]}))[:, 0], [1.5, 20412])
    np.testing.assert_array_equal(read(schema, frame({"x": ["2.5", "3"]}))[:, 0], [2.5, 3])
    with pytest.raises(ColumnError, match=r"such as .*1 of its 3 cells are none: .*'lots' in row 1"):
        read(schema, frame({"x": [cells[0], "lots", None]}))
    filled = learn(restore(schema, np.nan_to_num(matrix, nan=9.0), like=frame({"x": cells})))[1]
    np.testing.assert_array_equal(filled[:, 0], np.nan_to_num(np.array(numbers, dtype=float), nan=9.0))


def test_a_few_words_among_many_numbers_are_missing(frame):
    cells = [f"{j / 8:g}" for j in range(60)]
    cells[7] = cells[9] = " trace "
    cells[11], cells[59] = "?", "Total"
    found = one(frame, "x", cells)
    said = "'?', 'Total', 'trace' are missing"
    assert (found.kind, found.n_missing, found.n_distinct) == ("number", 4, 56)
    assert found.reason == f"becomes numbers ({said})"
    with pytest.warns(ColumnWarning, match=re.escape(said)):
        schema, matrix = learn(frame({"x": cells}))
    missing = np.isin(np.arange(60), [7, 9, 11, 59])
    np.testing.assert_array_equal(matrix[:, 0], np.where(missing, np.nan, np.arange(60) / 8))
    np.testing.assert_array_equal(read(schema, frame({"x": ["Total", "1e1"]}))[:, 0], [np.nan, 10])
    with pytest.raises(ColumnError, match="'Sum' in row 0"):
        read(schema, frame({"x": ["Sum", "1"]}))


@pytest.mark.parametrize(
    "odd",
    [["7A"] * 3, ["a", "b", "c", "d"], ["trace"] * 9],
    ids=["codes", "many words", "many cells"],
)
def test_other_cells_among_numbers_are_text(frame, odd):
    cells = [*(f"{100 + j}" for j in range(50)), *odd]
    assert one(frame, "x", cells).kind in ("text", "id")
    assert one(frame, "x", [*"123123123", "x"] * 3).kind == "category"


def test_digits_are_codes_unless_they_are_said_to_be_numbers(frame):
    table = frame({"age": [str(18 + j * 7 % 40) for j in range(80)]})
    with pytest.warns(ColumnWarning, match=r"as codes do; if they are numbers: kinds=\{'age': 'number'\}"):
        learn(table)
    matrix = learn(table, {"age": "number"})[1]
    np.testing.assert_array_equal(matrix[:, 0], [18 + j * 7 % 40 for j in range(80)])
    with pytest.raises(ColumnError, match="row 1 is 'x'"):
        learn(frame({"age": ["18", "x", "20"]}), {"age": "number"})


def test_intervals_of_pandas_are_levels():
    ages = pd.Series([18.0, 35, 70, 71, 36, 19])
    schema, matrix = learn(pd.DataFrame({"age": pd.cut(ages, [0, 30, 60, 90])}))
    assert schema.levels == (("(0, 30]", "(30, 60]", "(60, 90]"),)
    assert matrix[:, 0].tolist() == [0, 1, 2, 2, 1, 0]
    assert read(schema, pd.DataFrame({"age": pd.cut(ages[2:3], [60, 90])})).tolist() == [[2]]
    assert read(schema, pd.DataFrame({"age": ["(30, 60]"]})).tolist() == [[1]]


@pytest.mark.parametrize("name", ["id", "Unnamed: 0", "customer_id"])
def test_numbers_of_rows_that_are_called_so_are_no_features(frame, name):
    table = {name: [1000 + 37 * j % 50 for j in range(50)], "age": [18 + 7 * j % 40 for j in range(50)]}
    with pytest.warns(ColumnWarning, match=f"'{name}' is not used: every row has a different number"):
        assert learn(frame(table))[0].input_names == ("age",)
    assert learn(frame(table), {name: "number"})[0].input_names == (name, "age")
    assert learn(frame({name: table[name]}))[0].input_names == (name,)
    assert learn(frame({**table, name: [1, *range(49)]}))[0].input_names == (name, "age")


AGES = [18.0, 25, 31, 47, 52, 60, 66, 71, 83, 90]


@pytest.mark.parametrize(
    ("cells", "value", "n_rows"),
    [
        ([*AGES, -999, -999], -999, 2),
        ([*AGES, 999, np.nan, 999, 999], 999, 3),
        ([*AGES, -9, -9], -9, 2),  # the only ones below 0
        ([*AGES, -3, -9, -9], None, 0),  # near the others
        ([1, 2, 2, -9, -9], -9, 2),
        ([*AGES, -999], None, 0),  # once
        ([*AGES, 1e6, 1e6], None, 0),  # no nines
        ([18, 25, 999, 999], None, 0),  # codes
        ([np.nan, np.nan], None, 0),
    ],
)
def test_numbers_that_may_stand_for_missing_values(cells, value, n_rows):
    found = stand_ins(np.array([cells], dtype=float).T).get(0)
    assert (value, n_rows) == ((None, 0) if found is None else (found.value, found.n_rows))
    if found is not None:
        rest = sorted(cell for cell in cells if cell not in (value, np.nan))
        assert (found.lowest, found.highest) == (min(rest), np.nanmax(rest))
        for X, kinds in ((pd.DataFrame({"age": cells}), {"age": "number"}), (np.array([cells]).T, "number")):
            with pytest.warns(
                ColumnWarning, match=rf"{value} in {n_rows} rows is (far|below 0).*{rest[0]:g} to .*NaN"
            ):
                learn(X)
            learn(X, kinds)
        assert describe(pd.DataFrame({"age": cells}))[0].reason.startswith(f"{value} in {n_rows} rows")


def test_constant_and_empty(frame):
    assert one(frame, "x", [3, 3, 3]).kind == "constant"
    assert "3" in one(frame, "x", [3, 3, 3]).reason
    assert one(frame, "x", ["a", "a", None]).kind == "constant"
    assert "filled cell" in one(frame, "x", ["a", "a", None]).reason
    assert one(frame, "x", [None, None]).kind == "empty"
    assert one(frame, "x", np.array([np.nan, np.nan])).kind in ("empty",)
    assert one(frame, "x", np.array([], dtype=float)).kind == "empty"


def test_dates_and_categories():
    days = [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]
    times = [dt.datetime(2020, 1, 1, 1), dt.datetime(2020, 1, 1, 2)]
    spans = [dt.timedelta(1), dt.timedelta(2)]
    for values in (days, times, spans):
        for frame_type in (pl.DataFrame, pa.table):
            assert one(frame_type, "when", values).kind == "date"
    assert one(pd.DataFrame, "when", pd.to_datetime(times)).kind == "date"
    assert one(pd.DataFrame, "when", pd.Series(days, dtype=object)).kind == "date"
    for texts in (["2020-01-01", "2020-01-02 23:59"], ["12/31/2020", "1/2/2021"], ["31/12/2020", "1/2/2021"]):
        assert one(pd.DataFrame, "when", texts).kind == "date"
    assert one(pd.DataFrame, "at", ["9:30", "23:59"]).reason == "becomes its time and its place in the day"
    assert one(pd.DataFrame, "on", ["1/2/2020", "3/1/2021"]).reason == (
        "becomes its time and its place in the year and the week"
    )
    times = ["2020-01-01 9:30", "2020-09-03 23:59"]
    assert one(pd.DataFrame, "on", pd.to_datetime(times)).reason == (
        "becomes its time and its place in the year, the week and the day"
    )
    assert one(pl.DataFrame, "for", spans).reason == "becomes its time"
    for texts in (
        ["2020-01-01", "never"],
        ["20200101", "20200102"],
        ["1.5", "2.5"],
        ["31/31/2020", "1/2/2021"],
    ):
        assert one(pd.DataFrame, "when", texts).kind != "date"
    assert one(pd.DataFrame, "c", pd.Categorical(["a", "b"])).kind == "category"


@pytest.mark.parametrize(
    "name",
    ["id", "ID", "patient_id", "customerId", "PatientID", "id_patient", "Unnamed: 0"],
)
def test_distinct_integers_with_the_name_of_an_id(name, frame):
    assert one(frame, name, [17, 3, 99, 45]).kind == "id"
    assert one(frame, name, [17.0, 3.0, 99.0, 45.0]).kind == "id"
    assert one(frame, name, [17, 3, 99, 17]).kind == "number"


@pytest.mark.parametrize("name", ["customer no.", "Policy Number", "konto_nr"])
def test_long_distinct_integers_that_are_called_numbers(name, frame):
    assert one(frame, name, [91_734_051, 20_000_417, 55_018_332]).kind == "id"
    assert one(frame, name, [91_734_051, 20_000_417, 91_734_051]).kind == "number"
    assert one(frame, name, [91_734_051, 17, 55_018_332]).kind == "number"
    assert one(frame, name, [91_734_051.5, 20_000_417, 55_018_332]).kind == "number"


@pytest.mark.parametrize(
    "name", ["width", "grid", "acid", "humid", "bid", "paid", "Arid", "piano", "atomic number"]
)
def test_names_that_only_end_like_an_id(name):
    assert one(pd.DataFrame, name, [17, 3, 99, 45]).kind == "number"


def test_counting_rows(frame):
    assert one(frame, "x", [0, 1, 2]).kind == "id"
    assert one(frame, "x", list(range(100, 120))).kind == "id"
    assert one(frame, "x", list(range(40, 0, -2))).kind == "id"
    assert one(frame, "x", list(np.random.default_rng(0).permutation(30))).kind == "id"
    assert one(frame, "x", [2, 5, 9]).kind == "number"
    assert one(frame, "x", [5, 1, 4, 3, 2]).kind == "number"
    assert one(frame, "x", [0.5 * j for j in range(30)]).kind == "number"


def test_large_integers_keep_their_digits(frame):
    close = [2**60 + j for j in (5, 1, 3, 0, 9, 11, 13, 2, 17, 40)]
    assert one(frame, "x", close).n_distinct == 10


def test_other_cells():
    column = one(pl.DataFrame, "x", [[1], [2, 3]])
    assert (column.kind, column.use, column.n_distinct) == ("other", False, 2)
    for cells, kind in (([{"a": 1}, {"a": 2}], "dict"), ([1j, 2j], "complex"), ([b"x", b"y"], "bytes")):
        column = one(pd.DataFrame, "x", cells)
        assert (column.kind, column.reason) == ("other", f"its cells are of type {kind}")
    with pytest.raises(ColumnError, match="'x' is not used: its cells are lists, and not all"):
        learn(pl.DataFrame({"x": [[1], [2, 3]]}))


def test_describe_keeps_the_order_and_wants_a_table(frame):
    assert [c.name for c in describe(frame({"b": [1, 2], "a": ["x", "y"]}))] == ["b", "a"]
    with pytest.raises(ColumnError, match="data frame"):
        describe(np.eye(2))


def test_every_used_column_can_be_learned_from(frame):
    table = frame({"a": [1.5, 2.0, 1.0], "b": [True, False, True], "c": [0, 1, 0], "t": ["u", "v", "u"]})
    columns = describe(table)
    assert [column.name for column in columns if column.use] == ["a", "b", "c", "t"]
    assert learn(table)[0].kinds == tuple(column.kind for column in columns)


# --- the rules: text and categories


def texts(n_distinct, n_rows):
    return [f"v{j % n_distinct}" for j in range(n_rows)]


def test_short_text_that_repeats_is_a_category(frame):
    assert one(frame, "x", ["red", "blue", "red", None]) == Column("x", "category", True, "", 1, 2)
    for n_distinct, n_rows, kind in (
        (2, 3, "category"),
        (3, 4, "text"),  # fewer than a third of the cells repeat another
        (20, 30, "category"),
        (20, 29, "text"),
        (21, 104, "text"),  # more than 20 values, and fewer than five rows for each
        (21, 105, "category"),
        (250, 1250, "category"),
        (251, 5019, "text"),  # more than 250 values, and fewer than 20 rows for each
        (251, 5020, "category"),
    ):
        assert kind_of(frame, texts(n_distinct, n_rows)) == kind, (n_distinct, n_rows)
        assert kind_of(frame, [*texts(n_distinct, n_rows), None, None]) == kind


def test_long_text_is_text_however_often_it_repeats(frame):
    assert kind_of(frame, ["a" * 60, "b"] * 5) == "category"
    assert kind_of(frame, ["a" * 61, "b"] * 5) == "text"


def test_codes_of_few_levels_are_a_category_and_numbers_in_text_numbers(frame):
    assert kind_of(frame, [*["1", "2"] * 9, "x", "x"]) == "category"
    assert kind_of(frame, ["9", "10", "11", "12"] * 9) == "category"
    assert kind_of(frame, [f"{j:05d}" for j in range(20)] * 9) == "category"
    assert kind_of(frame, [f"{j:05d}" for j in range(21)] * 30) == "text"
    assert kind_of(frame, [*["1", "2"] * 9, "x", "x", "x"]) == "category"
    assert kind_of(frame, [*["01", "02"] * 9, "?", "?", "?"]) == "category"
    assert kind_of(frame, ["?", "N/A", "?"] * 9) == "category"
    assert kind_of(frame, ["2", "4", "more"] * 9) == "category"
    assert kind_of(frame, ["1,5", "2,5", "3,0"] * 9) == "number"
    assert kind_of(frame, ["1", "low", "high"] * 9) == "category"


def test_declared_categories_are_categories_however_many():
    values = [f"v{j}" for j in range(50)]
    for series in (pd.Series(values, dtype="category"), pl.Series(values, dtype=pl.Enum(values))):
        assert infer(nw.from_native(series, series_only=True)) == "category"
    table = pa.table({"x": pa.array(values).dictionary_encode()})
    assert infer(nw.from_native(table).get_column("x")) == "category"


def test_objects_of_several_types():
    assert kind_of(pd.DataFrame, ["a", 1, "a", "a", 1, None]) == "category"
    assert kind_of(pd.DataFrame, [True, None, False]) == "flag"
    assert kind_of(pd.DataFrame, [dt.date(2020, 1, 1), "a", "a"]) == "category"
    with pytest.raises(ColumnError, match="type date"):
        learn(pd.DataFrame({"x": [dt.date(2020, 1, 1), "a", "a"]}))


# --- the rules: flags and counts


def test_counts_start_at_zero_are_small_and_dispersed(frame):
    counts = [0, 1, 0, 3, 1, 0, 2, 5]
    assert one(frame, "x", counts) == Column("x", "count", True, "", 0, 5)
    assert kind_of(frame, [*counts, None]) == "count"
    for what, values in {
        "no zero": [v + 1 for v in counts],
        "negative": [-1, *counts],
        "a fraction": [*counts, 0.5],
        "large": [20 * v for v in counts],
        "hardly dispersed": [0, *[4, 5, 6] * 10],
        "two values": [0, 3] * 5,
        "infinite": [*map(float, counts), np.inf],
    }.items():
        assert kind_of(frame, values) == "number", what


@pytest.mark.parametrize("mean", [0.5, 1.0, 3.0])
def test_poisson_counts_are_found(mean, rng):
    found = [kind_of(pl.DataFrame, rng.poisson(mean, 300).tolist()) for _ in range(50)]
    assert found.count("count") >= 45


def test_measurements_are_not_taken_for_counts(rng):
    rounded = np.round(rng.normal(6.0, 1.0, size=300))
    assert kind_of(pl.DataFrame, rounded.tolist()) == "number"
    assert kind_of(pl.DataFrame, rng.integers(18, 90, size=300).tolist()) == "number"


def test_flags_are_zeros_and_ones_both_present(frame):
    assert kind_of(frame, [0, 1, 1]) == "flag"
    assert kind_of(frame, [1.0, 0.0, None]) == "flag"
    assert kind_of(frame, [True, True, None]) == "flag"
    for values in ([1, 1], [0, 0], [1, 2], [0, 0.5], [0, -1]):
        assert kind_of(frame, values) == "number"


def test_levels_that_may_be_one_are_named(frame):
    answers = {"a": ["Yes", "yes ", "no", "maybe"] * 9, "b": ["x", "X", "y", "Y"] * 9, "c": ["x", "y"] * 18}
    reasons = [one.reason for one in describe(frame(answers))]
    assert reasons == [
        "'Yes', 'yes ' differ only by spaces or case",
        "'X', 'x' differ only by spaces or case, and so do others",
        "",
    ]


def test_texts_called_id_may_come_twice_now_and_then():
    number = np.random.default_rng(0).permutation(10_000)[:200]
    number[-4:] = number[:4]
    names = [f"C-{j}" for j in number]
    table = pd.DataFrame({"customer_id": names, "town": names, "OrderId": number})
    found = {one.name: one for one in describe(table)}
    assert [found[name].kind for name in table] == ["id", "text", "number"]
    assert found["customer_id"].reason == "nearly every row has a different text, like an identifier"
    with pytest.warns(ColumnWarning, match="'customer_id' is not used: nearly every row has a different"):
        schema, _ = learn(table)
    assert [one.name for one in schema.inputs] == ["town", "OrderId"]
    often = pd.concat([table, table.head(10)], ignore_index=True)
    assert [one.kind for one in describe(often)] == ["text", "text", "number"]
