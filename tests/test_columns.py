"""Columns: what estimators accept, what they refuse and in which words, and what a table's columns are."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from semigen.columns import Column, describe, to_matrix
from semigen.exceptions import ColumnError

FRAMES = {
    "pandas": pd.DataFrame,
    "polars": lambda data: pl.DataFrame(data, strict=False),
    "pyarrow": pa.table,
}


@pytest.fixture(params=sorted(FRAMES))
def frame(request):
    return FRAMES[request.param]


def one(frame_type, name, values) -> Column:
    (column,) = describe(frame_type({name: values}))
    return column


# --- arrays


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_float_arrays_are_passed_on_without_a_copy(dtype, order):
    X = np.asarray(np.arange(6.0).reshape(3, 2), dtype=dtype, order=order)
    assert to_matrix(X) is X


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], dtype=np.int8),
        np.array([[1, 2], [3, 4]], dtype=np.float16),
        np.array([[1, 2], [3, 4]], dtype=object),
    ],
)
def test_other_numbers_become_float64(X):
    result = to_matrix(X)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, [[1.0, 2.0], [3.0, 4.0]])


def test_booleans_become_zero_and_one():
    np.testing.assert_array_equal(to_matrix(np.array([[True, False]])), [[1.0, 0.0]])


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.arange(3.0), ValueError, "Expected 2D array"),
        (np.ones((2, 2, 2)), ValueError, "dim 3"),
        (np.ones((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.ones((2, 0)), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum of 1 is required"),
        (np.ones((2, 2)) * 1j, ValueError, "Complex data not supported"),
        (scipy.sparse.csr_array(np.eye(2)), TypeError, "[Ss]parse"),
        (np.array([[{"foo": "bar"}]], dtype=object), TypeError, "argument must be .* string.* number"),
        (pl.Series([1.0, 2.0]), ValueError, "Expected 2D array"),
    ],
)
def test_scikit_learns_messages_are_kept(X, error, words):
    with pytest.raises(error, match=words):
        to_matrix(X)


def test_arrays_of_text_and_dates_are_refused():
    for X in (np.array([["a", "1"]]), [[1, "a"]]):
        with pytest.raises(ColumnError, match=r"text in 2 column.*of 2.*[Ee]ncode"):
            to_matrix(X)
    with pytest.raises(ColumnError, match=r"text in 1 column.*column number 1"):
        to_matrix(np.array([[1.0, "2"], [3.0, "4"]], dtype=object))
    with pytest.raises(ColumnError, match="dates or durations"):
        to_matrix(np.array([["2020-01-01"]], dtype="M8[D]"))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_missing_and_infinite_cells_of_arrays_are_counted(dtype):
    X = np.zeros((5, 3), dtype=dtype)
    X[:2, 1] = np.nan
    X[3, 2] = np.nan
    with pytest.raises(ColumnError, match=r"NaN: 3 missing.*column number: 1 \(2\), 2 \(1\).*SimpleImputer"):
        to_matrix(X)
    X = np.zeros((5, 3), dtype=dtype)
    X[4, 0] = -np.inf
    with pytest.raises(ColumnError, match=r"infinity: 1 infinite cell.*column number: 0 \(1\)"):
        to_matrix(X)


def test_numbers_whose_sum_overflows_are_fine():
    X = np.full((4, 2), 3e38, dtype=np.float32)
    assert to_matrix(X) is X


# --- data frames


def test_numbers_and_flags_of_a_frame(frame):
    X = frame({"a": [1, 2], "b": [0.5, 1.5], "c": [True, False]})
    result = to_matrix(X)
    np.testing.assert_array_equal(result, [[1.0, 0.5, 1.0], [2.0, 1.5, 0.0]])
    assert result.dtype == np.float64
    assert result.flags.c_contiguous


def test_float32_frames_stay_float32(frame):
    X = frame({"a": np.array([1, 2], dtype=np.float32), "b": np.array([True, False])})
    assert to_matrix(X).dtype == np.float32


def test_frames_and_arrays_give_the_same_matrix(frame):
    values = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(to_matrix(frame({n: values[:, j] for j, n in enumerate("abc")})), values)


@pytest.mark.parametrize("columns", [[0, 1], [("a", 1), ("a", 2)], ["a", 1]])
def test_pandas_names_need_not_be_text(columns):
    np.testing.assert_array_equal(to_matrix(pd.DataFrame(np.eye(2), columns=columns)), np.eye(2))


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, 2], dtype="Int64"),
        pd.array([1.0, 2.0], dtype="Float64"),
        pd.array([1, 2], dtype="int64[pyarrow]"),
        np.array([1, 2.0], dtype=object),
        np.array([decimal.Decimal(1), 2], dtype=object)[1:].repeat(2) * np.array([0.5, 1.0]),
    ],
)
def test_pandas_extension_types(values):
    np.testing.assert_array_equal(to_matrix(pd.DataFrame({"a": values}))[:, 0], [1.0, 2.0])


def test_decimals():
    X = pa.table({"a": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.25")])})
    np.testing.assert_array_equal(to_matrix(X)[:, 0], [1.5, 2.25])


def test_columns_that_are_not_numbers_are_named_with_kind_and_cure(frame):
    X = frame({"height": [1.0, 2.0], "town": ["x", "y"], "born": [dt.date(2020, 1, 1), dt.date(2021, 1, 1)]})
    with pytest.raises(ColumnError) as caught:
        to_matrix(X)
    message = str(caught.value)
    assert "'town' (text)" in message
    assert "2 column(s) of 3" in message
    assert "'born'" in message
    assert "height" not in message
    assert "encode" in message


def test_categories_are_refused():
    for X in (
        pd.DataFrame({"c": pd.Categorical(["a", "b"])}),
        pl.DataFrame({"c": ["a", "b"]}, schema={"c": pl.Enum(["a", "b"])}),
        pa.table({"c": pa.array(["a", "b"]).dictionary_encode()}),
    ):
        with pytest.raises(ColumnError, match=r"'c' \(category\)"):
            to_matrix(X)


def test_missing_cells_of_frames_are_counted_by_name(frame):
    X = frame({"a": [1.0, None, None], "b": [1, 2, None], "c": [1, 2, 3]})
    with pytest.raises(ColumnError, match=r"NaN: 3 missing cell.*column: 'a' \(2\), 'b' \(1\)\."):
        to_matrix(X)


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None], dtype="Int64"),
        pd.array([True, None], dtype="boolean"),
        np.array([1, None], dtype=object),
        np.array([True, None], dtype=object),
        np.array([None, None], dtype=object),
        pd.array([1, None], dtype="int64[pyarrow]"),
    ],
)
def test_every_kind_of_missing_cell_in_pandas_is_seen(values):
    with pytest.raises(ColumnError, match="NaN"):
        to_matrix(pd.DataFrame({"a": values}))


def test_nan_and_null_and_infinity_in_polars():
    with pytest.raises(ColumnError, match=r"NaN: 2 missing"):
        to_matrix(pl.DataFrame({"a": [float("nan"), None, 1.0]}))
    with pytest.raises(ColumnError, match="infinity"):
        to_matrix(pl.DataFrame({"a": [float("inf"), 1.0]}))


def test_many_bad_columns_are_shortened():
    X = pd.DataFrame({f"c{j}": ["x"] for j in range(50)})
    with pytest.raises(ColumnError, match="and 42 more"):
        to_matrix(X)


def test_repeated_names_and_lazy_tables_are_refused():
    for call in (to_matrix, describe):
        with pytest.raises(ColumnError, match="more than one column named a"):
            call(pd.DataFrame(np.eye(2), columns=["a", "a"]))
        with pytest.raises(ColumnError, match="more than one column named a"):
            call(pa.table([[1], [2]], names=["a", "a"]))
        with pytest.raises(ColumnError, match="collect"):
            call(pl.DataFrame({"a": [1]}).lazy())


def test_frames_without_rows_or_columns(frame):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        to_matrix(frame({"a": np.array([], dtype=float)}))
    with pytest.raises(ValueError, match=r"0 (sample|feature)\(s\)"):
        to_matrix(frame({}))


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
    assert (town.kind, town.use, town.n_distinct) == ("text", False, 3)
    assert "encode" in town.reason
    numbers = one(frame, "x", ["1", " 2.5", "1e3", "1"])
    assert (numbers.kind, numbers.use) == ("text", False)
    assert "read as numbers" in numbers.reason
    nearly = one(frame, "x", ["1", "2", "?", "3"])
    assert nearly.kind == "text"
    assert "'?'" in nearly.reason
    assert "decimal comma" in one(frame, "x", ["1,5", "2", "-0,25"]).reason
    assert one(frame, "who", ["ann", "bob", "cid"]).kind == "id"


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
    assert one(pd.DataFrame, "c", pd.Categorical(["a", "b"])).kind == "category"


@pytest.mark.parametrize(
    "name", ["id", "ID", "patient_id", "customerId", "PatientID", "id_patient", "Unnamed: 0"]
)
def test_distinct_integers_with_the_name_of_an_id(name, frame):
    assert one(frame, name, [17, 3, 99, 45]).kind == "id"
    assert one(frame, name, [17.0, 3.0, 99.0, 45.0]).kind == "id"
    assert one(frame, name, [17, 3, 99, 17]).kind == "number"


@pytest.mark.parametrize("name", ["width", "grid", "acid", "humid", "bid", "paid", "Arid"])
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
    assert one(pd.DataFrame, "x", [{"a": 1}, {"a": 2}]).kind == "other"
    with pytest.raises(ColumnError, match="other, List"):
        to_matrix(pl.DataFrame({"x": [[1], [2, 3]]}))


def test_describe_keeps_the_order_and_wants_a_table(frame):
    assert [c.name for c in describe(frame({"b": [1, 2], "a": ["x", "y"]}))] == ["b", "a"]
    with pytest.raises(ColumnError, match="data frame"):
        describe(np.eye(2))


def test_every_used_column_is_accepted_as_a_matrix(frame):
    table = frame({"a": [1.5, 2.0, 1.0], "b": [True, False, True], "c": [0, 1, 0], "t": ["u", "v", "u"]})
    used = [column.name for column in describe(table) if column.use]
    assert used == ["a", "b", "c"]
    picked = table.select(used) if not isinstance(table, pd.DataFrame) else table[used]
    assert to_matrix(picked).shape == (3, 3)
