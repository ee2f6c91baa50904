"""Reading by a schema: what arrays, sparse matrices and frames become, what is refused, and the way back."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from frames import FRAMES, frame, library
from semigen import MixtureClassifier
from semigen.columns import ReadTable, Schema, describe, learn, missing_columns, read, refuse_missing, restore
from semigen.exceptions import ColumnError, ColumnWarning, ParameterError

__all__ = ["frame", "library"]  # fixtures
NAN = np.nan


def matrix_of(X, kinds=None, **options):
    schema, matrix = learn(X, kinds, **options)
    again = read(schema, X, **options)  # what was learned from reads as it was learned
    if not scipy.sparse.issparse(matrix):
        assert_array_equal(again, matrix)
    return matrix


def lists(table):
    """Columns as lists, missing cells as None."""
    data = table.to_dict("list") if isinstance(table, pd.DataFrame) else pa.table(table).to_pydict()
    return {
        name: [None if cell is None or cell is pd.NA or cell != cell else cell for cell in cells]
        for name, cells in data.items()
    }


# --- arrays


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_float_arrays_are_passed_on_without_a_copy(dtype, order):
    X = np.asarray([[0.5, NAN], [1.0, 2.0]], dtype=dtype, order=order)
    schema, matrix = learn(X)
    assert matrix is X
    assert read(schema, X) is X
    assert restore(schema, X) is X
    assert schema == Schema(None, ("number", "number"), (None, None), None)
    assert schema.n_features == 2


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
    result = matrix_of(X)
    assert result.dtype == np.float64
    assert_array_equal(result, [[1.0, 2.0], [3.0, 4.0]])


def test_booleans_become_zero_and_one():
    assert_array_equal(matrix_of(np.array([[True, False]])), [[1.0, 0.0]])


def test_columns_of_arrays_are_numbers_unless_told_otherwise():
    X = np.array([[0, 1, 5], [1, 0, 9], [1, 3, 5]])
    assert learn(X)[0].kinds == ("number",) * 3
    schema, matrix = learn(X, {0: "flag", 1: "count", 2: "category"})
    assert schema == Schema(None, ("flag", "count", "category"), (None, None, (5, 9)), None)
    assert_array_equal(matrix, [[0, 1, 0], [1, 0, 1], [1, 3, 0]])
    assert_array_equal(restore(schema, matrix), X)
    assert_array_equal(read(schema, [[0, 2, 7], [1, 2, 9]]), [[0, 2, 2], [1, 2, 1]])
    assert learn(X, "category")[0].levels == ((0, 1), (0, 1, 3), (5, 9))


def test_arrays_of_objects_may_have_text_in_categories():
    X = np.array([["a", 1.5, None], ["b", None, 2], [None, 2.5, 3]], dtype=object)
    schema, matrix = learn(X, {0: "category"})
    assert_array_equal(matrix, [[0, 1.5, NAN], [1, NAN, 2], [NAN, 2.5, 3]])
    assert restore(schema, matrix)[:2, 0].tolist() == ["a", "b"]
    filled = np.where(np.isnan(matrix), 1.0, matrix)
    assert restore(schema, filled, like=X).tolist() == [["a", 1.5, 1.0], ["b", 1.0, 2.0], ["b", 2.5, 3.0]]
    new = np.array([["c", 1.0, 1.0], ["a", 1.0, 1.0]], dtype=object)
    assert read(schema, new)[:, 0].tolist() == [2, 0]
    assert restore(schema, read(schema, new), like=new)[0, 0] == "c"


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1.0, 2.0], [NAN, 4.0]]),
        [[1, 2], [None, 4]],
        np.array([[1, 2], [None, 4]], dtype=object),
        np.array([[1, 2], [pd.NA, 4]], dtype=object),
        np.ma.masked_equal(np.array([[1, 2], [3, 4]]), 3),
        np.ma.masked_equal(np.array([[1, 2], [3, 4]], dtype=np.float32), 3),
        np.ma.masked_equal(np.array([[1, 2], [3, 4]], dtype=object), 3),
    ],
)
def test_every_missing_cell_of_an_array_is_nan(X):
    matrix = matrix_of(X)
    assert_array_equal(matrix, [[1.0, 2.0], [NAN, 4.0]])
    assert_array_equal(missing_columns(matrix), [True, False])


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.arange(3.0), ValueError, "Expected 2D array"),
        (np.ones((2, 2, 2)), ValueError, "dim 3"),
        (np.ones((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.ones((2, 0)), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum of 1 is required"),
        (np.ones((2, 2)) * 1j, ValueError, "Complex data not supported"),
        (np.array([[{"foo": "bar"}]], dtype=object), TypeError, "argument must be .* string.* number"),
        (pl.Series([1.0, 2.0]), ValueError, "Expected 2D array"),
    ],
)
def test_scikit_learns_messages_are_kept(X, error, words):
    with pytest.raises(error, match=words):
        learn(X)


def test_arrays_of_text_and_dates_are_refused():
    for X in (np.array([["a", "1"]]), [[1, "a"]], np.array([["a", "1"]], dtype=np.dtypes.StringDType())):
        with pytest.raises(ColumnError, match=r"text in 2 column.*of 2.*data frame.*encode"):
            learn(X)
    with pytest.raises(ColumnError, match=r"text in 1 column.*column number 1"):
        learn(np.array([[1.0, "2"], [3.0, "4"]], dtype=object))
    with pytest.raises(ColumnError, match="dates or durations"):
        learn(np.array([["2020-01-01"]], dtype="M8[D]"))


def test_infinity_is_refused_where_it_is(frame):
    X = np.zeros((5, 3))
    X[4, 0] = -np.inf
    X[3, 2] = NAN
    with pytest.raises(ColumnError, match=r"infinity: 1 infinite value.*in 5 rows.*column number: 0 \(1\)"):
        learn(X)
    with pytest.raises(ColumnError, match=r"column: 'a' \(1\)"):
        learn(frame({"a": X[:, 0], "b": X[:, 2]}))


def test_numbers_whose_sum_overflows_are_fine():
    X = np.full((4, 2), 3e38, dtype=np.float32)
    X[2:] *= -1
    assert matrix_of(X) is X
    assert missing_columns(X) is None


def test_another_number_of_columns_is_refused(frame):
    schema, _ = learn(np.eye(3))
    for X in (np.eye(2), scipy.sparse.eye_array(2), frame({"a": [1.0], "b": [2.0]})):
        with pytest.raises(ColumnError, match=r"X has 2 features, but .* is expecting 3 features as input"):
            read(schema, X, sparse=True)


# --- sparse rows


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_every_sparse_format_becomes_sorted_csr(form, make, rng):
    dense = rng.poisson(0.5, size=(20, 7))
    X = make(dense).asformat(form)
    schema, matrix = learn(X, sparse=True)
    assert isinstance(matrix, scipy.sparse.csr_array)
    assert matrix.dtype == np.float64
    assert matrix.has_canonical_format
    assert_array_equal(matrix.toarray(), dense)
    assert_array_equal(read(schema, X, sparse=True).toarray(), dense)
    assert_array_equal(read(schema, dense, sparse=True), dense)
    assert missing_columns(matrix) is None
    with pytest.raises(ColumnError, match=r"sparse.*toarray.*AutoClassifier"):
        learn(X)


def test_the_callers_sparse_matrix_stays_as_it_is():
    data, indices, indptr = np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), np.array([0, 3])
    X = scipy.sparse.csr_array((data, indices, indptr), shape=(1, 3))
    _, matrix = learn(X, sparse=True)
    assert_array_equal(matrix.toarray(), [[2, 0, 4]])
    assert_array_equal(X.indices, [2, 0, 2])
    good = scipy.sparse.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(learn(good, sparse=True)[1].data, good.data)


def test_cells_of_sparse_rows_are_checked():
    for value, words in ((NAN, "NaN in column number 2"), (np.inf, "infinity in column number 2")):
        X = scipy.sparse.coo_array(([value, 1.0], ([0, 1], [2, 0])), shape=(2, 3))
        with pytest.raises(ColumnError, match=words):
            learn(X, sparse=True)
    X = scipy.sparse.csr_array([[0, 1.0, 2], [-1, 0, 2]])
    with pytest.raises(ColumnError, match="0 or more in column number 0"):
        learn(X, "count", sparse=True)
    assert learn(X, {1: "count"}, sparse=True)[0].kinds == ("number", "count", "number")
    with pytest.raises(ColumnError, match="0 or 1 in column number 0, 2"):
        learn(X, "flag", sparse=True)
    with pytest.raises(ColumnError, match="cannot be a category"):
        learn(X, "category", sparse=True)


# --- data frames


def test_every_kind_of_column_of_a_frame(frame, library):
    X = frame(
        {
            "height": [1.5, None, 2.5, 2.0, 1.0, 0.5],
            "visits": [0, 3, 1, None, 0, 5],
            "member": [True, False, None, True, True, False],
            "town": ["b", "a", None, "b", "a", "b"],
        }
    )
    schema, matrix = learn(X)
    assert schema.names == ("height", "visits", "member", "town")
    assert schema.kinds == ("number", "count", "flag", "category")
    assert schema.levels == (None, None, None, ("a", "b"))
    assert schema.library == library
    assert_array_equal(
        matrix,
        [
            [1.5, 0, 1, 1],
            [NAN, 3, 0, 0],
            [2.5, 1, NAN, NAN],
            [2.0, NAN, 1, 1],
            [1.0, 0, 1, 0],
            [0.5, 5, 0, 1],
        ],
    )
    assert matrix.flags.c_contiguous
    assert schema.kinds == tuple(column.kind for column in describe(X))
    back = restore(schema, matrix)
    assert type(back) is type(X)
    assert lists(back) == lists(X)


def test_numbers_of_a_frame(frame):
    X = frame({"a": [1, 2], "b": [0.5, 1.5]})
    result = matrix_of(X)
    assert_array_equal(result, [[1.0, 0.5], [2.0, 1.5]])
    assert result.dtype == np.float64


def test_float32_frames_stay_float32_without_categories(frame):
    numbers = {"a": np.array([1, 2, 3], dtype=np.float32), "b": np.array([True, False, True])}
    assert matrix_of(frame(numbers)).dtype == np.float32
    assert matrix_of(frame({**numbers, "c": ["x", "y", "x"]})).dtype == np.float64
    assert matrix_of(frame({"a": numbers["a"], "c": [1.5, 2.5, 0.5]})).dtype == np.float64


def test_frames_and_arrays_give_the_same_matrix(frame):
    values = np.random.default_rng(0).normal(size=(20, 3))
    assert_array_equal(matrix_of(frame({n: values[:, j] for j, n in enumerate("abc")})), values)


@pytest.mark.parametrize("columns", [[0, 1], [("a", 1), ("a", 2)], ["a", 1]])
def test_pandas_names_need_not_be_text(columns):
    X = pd.DataFrame(np.eye(2), columns=columns)
    assert_array_equal(matrix_of(X, "number"), np.eye(2))
    schema, matrix = learn(X, "number")
    assert schema.names == tuple(columns)
    assert restore(schema, matrix).columns.tolist() == columns
    assert_array_equal(read(schema, X[X.columns[::-1]]), np.eye(2))


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, 2], dtype="Int64"),
        pd.array([1.0, 2.0], dtype="Float64"),
        pd.array([1, 2], dtype="int64[pyarrow]"),
        pd.array([decimal.Decimal("1.0"), decimal.Decimal("2.0")]),
        np.array([1, 2.0], dtype=object),
        np.array([1, 2], dtype=np.uint8),
    ],
)
def test_pandas_extension_types(values):
    assert_array_equal(matrix_of(pd.DataFrame({"a": values}))[:, 0], [1.0, 2.0])


def test_decimals_and_large_integers(frame):
    X = pa.table({"a": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.25"), None])})
    assert_array_equal(matrix_of(X)[:, 0], [1.5, 2.25, NAN])
    large = [2**60 + 1, 7, None] if frame is pa.table else [2**60 + 1, 7, 8]
    assert_array_equal(matrix_of(frame({"a": large}))[:2, 0], [2.0**60, 7.0])


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, 0, None], dtype="Int64"),
        pd.array([True, False, None], dtype="boolean"),
        np.array([1, 0, None], dtype=object),
        np.array([True, False, None], dtype=object),
        np.array([1.0, 0.0, pd.NA], dtype=object),
        pd.array([1, 0, None], dtype="int64[pyarrow]"),
        pd.array([True, False, None], dtype="bool[pyarrow]"),
        [1.0, 0.0, NAN],
    ],
)
def test_every_missing_cell_of_pandas_is_nan(values):
    schema, matrix = learn(pd.DataFrame({"a": values}))
    assert_array_equal(matrix[:, 0], [1.0, 0.0, NAN])
    assert lists(restore(schema, matrix))["a"] == [True, False, None]


def test_nan_and_null_of_polars():
    assert_array_equal(matrix_of(pl.DataFrame({"a": [NAN, None, 1.0]}))[:, 0], [NAN, NAN, 1.0])


def test_empty_columns_are_left_out_with_a_warning(frame):
    for empty in ([None, None], np.array([NAN, NAN])):
        X = frame({"a": [1.0, 2.0], "b": empty})
        with pytest.warns(ColumnWarning, match="'b' is not used: no cell is filled"):
            schema, matrix = learn(X)
        assert schema.names == ("a",)
        assert_array_equal(matrix, [[1.0], [2.0]])
        assert_array_equal(read(schema, X), matrix)
        assert learn(X, {"b": "number"})[0].names == ("a", "b")
        with pytest.raises(ColumnError, match="a model can use: 'b' is not used"):
            learn(frame({"b": empty}))


@pytest.mark.parametrize("freq", ["D", "M", "h"])
def test_periods_are_their_first_moments(freq):
    X = pd.DataFrame({"when": pd.period_range("2020-01-30", periods=40, freq=freq)})
    with pytest.warns(ColumnWarning, match="'when' .date. became time"):
        schema, matrix = learn(X)
    assert_array_equal(read(schema, X.assign(when=X["when"].dt.to_timestamp())), matrix)


@pytest.mark.parametrize(
    ("X", "what"),
    [
        ({"a": [1.0, 2.0]}, "a dict of named values"),
        ([{"a": 1.0}, {"a": 2.0}], "a list of named values"),
        (np.array([(1.0,), (2.0,)], dtype=[("a", float)]), "a structured array"),
    ],
)
def test_named_values_belong_in_a_frame(X, what):
    schema, _ = learn(pd.DataFrame(X))
    for call in (learn, lambda X: read(schema, X)):
        with pytest.raises(ColumnError, match=f"X is {what}: make a data frame"):
            call(X)


def test_columns_that_no_model_reads_are_left_out_with_a_warning(frame):
    X = frame({"height": [1.0, 2.0, 3.0], "who": ["ann", "bob", "cid"]})
    with pytest.warns(ColumnWarning, match="^'who' is not used: every row has a different text.*kinds="):
        schema, matrix = learn(X)
    assert schema.names == ("height",)
    assert_array_equal(matrix, [[1.0], [2.0], [3.0]])
    assert_array_equal(read(schema, X), matrix)
    schema, matrix = learn(X, {"who": "category"})
    assert_array_equal(matrix, [[1.0, 0], [2.0, 1], [3.0, 2]])
    schema, _ = learn(X, {"who": "id"})  # said, and so not warned of
    assert schema.names == ("height",)
    nothing = frame({"who": ["ann", "bob", "cid"], "it": [[1], [2], [3]]})
    with pytest.raises(ColumnError, match=r"a model can use: 'who' is not used.*'it' is not used"):
        learn(nothing)
    many = pd.DataFrame({f"c{j}": ["x", "y"] for j in range(50)})
    with pytest.raises(ColumnError, match="and 42 more"):
        learn(many)


def test_repeated_names_and_lazy_tables_are_refused():
    schema = learn(np.eye(2))[0]
    for call in (learn, describe, lambda X: read(schema, X)):
        with pytest.raises(ColumnError, match="more than one column named a"):
            call(pd.DataFrame(np.eye(2), columns=["a", "a"]))
        with pytest.raises(ColumnError, match="more than one column named a"):
            call(pa.table([[1], [2]], names=["a", "a"]))
        with pytest.raises(ColumnError, match="collect"):
            call(pl.DataFrame({"a": [1]}).lazy())


def test_frames_without_rows_or_columns(frame):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        learn(frame({"a": np.array([], dtype=float)}))
    with pytest.raises(ValueError, match=r"0 (sample|feature)\(s\)"):
        learn(frame({}))


# --- kinds that the caller asks for


def test_kinds_asked_for_override_what_is_found(frame):
    X = frame({"zip": [10, 20, 10], "n": [2, 3, 4], "b": [True, False, True], "w": ["x y z", "u", "v"]})
    schema, matrix = learn(X, {"zip": "category", "n": "count", "b": "number", "w": "category"})
    assert schema.kinds == ("category", "count", "number", "category")
    assert schema.levels == ((10, 20), None, None, ("u", "v", "x y z"))
    assert_array_equal(matrix, [[0, 2, 1, 2], [1, 3, 0, 0], [0, 4, 1, 1]])
    assert lists(restore(schema, matrix))["zip"] == [10, 20, 10]
    schema, _ = learn(frame({"a": [0, 1], "b": [True, False]}), "category")
    assert schema.levels == ((0, 1), (False, True))


def test_kinds_that_do_not_fit_are_refused_with_the_cell(frame):
    X = frame({"a": [0.0, 2.5, -1.0], "b": ["x", "y", "x"]})
    with pytest.raises(ColumnError, match=r"'a' is read as counts, and 2 of its values .* row 1, is 2.5"):
        learn(X, {"a": "count"})
    with pytest.raises(ColumnError, match=r"'a' is read as flags, and 2 of its values are not 0 or 1"):
        learn(X, {"a": "flag"})
    with pytest.raises(
        ColumnError, match=r"'b' \(text\) cannot be read as numbers.*'x'.* kinds={'b': 'category'} \(in"
    ):
        learn(X, {"b": "number"})
    with pytest.raises(ColumnError, match=r"column 1 is read as counts.*row 2"):
        learn(np.array([[0, 1.0], [0, NAN], [0, 0.5]]), "count")


def test_kinds_of_columns_that_are_not_there(frame):
    X = frame({"age": [1.0, 2.0], "town": [3.0, 4.0]})
    with pytest.raises(ColumnError, match=r"no column 'Age'.*did you mean 'age'"):
        learn(X, {"Age": "count"})
    with pytest.raises(ColumnError, match=r"no column 'zzz'.*it has 'age', 'town'"):
        learn(X, {"zzz": "count"})
    with pytest.raises(ColumnError, match=r"no column 2: its columns are 0 to 1"):
        learn(np.eye(2), {2: "count"})
    for kinds in ("empty", {"age": "nonsense"}):
        with pytest.raises(ParameterError, match="none of 'number', 'count', 'flag', 'category'"):
            learn(X, kinds)


# --- categories


def test_declared_levels_come_first_and_in_their_order():
    declared = ["high", "low", "never"]
    for X in (
        pd.DataFrame({"c": pd.Categorical(["low", "high", None], categories=declared)}),
        pd.DataFrame({"c": pd.Categorical(["low", "high", None], categories=declared, ordered=True)}),
        pl.DataFrame({"c": ["low", "high", None]}, schema={"c": pl.Enum(declared)}),
    ):
        schema, matrix = learn(X)
        assert schema.levels == (tuple(declared),)
        assert_array_equal(matrix[:, 0], [1, 0, NAN])


def test_levels_that_nothing_declares_are_sorted():
    for X in (
        pl.DataFrame({"c": ["b", "a", None]}, schema={"c": pl.Categorical}),
        pa.table(
            {
                "c": pa.chunked_array(
                    [pa.array([x], pa.string()).dictionary_encode() for x in ("b", "a", None)]
                )
            }
        ),
    ):
        assert learn(X)[0].levels == (("a", "b"),)
    mixed = pd.DataFrame({"c": pd.Series(["b", 2, "a", 1], dtype=object)})
    assert learn(mixed, "category")[0].levels == ((1, 2, "a", "b"),)
    whole = pd.DataFrame({"c": pd.Categorical([3, 1, None])})
    assert learn(whole)[0].levels == ((1, 3),)
    assert {type(level) for level in learn(whole)[0].levels[0]} == {int}


def test_levels_that_the_fit_did_not_know_are_one_past_the_last(frame):
    schema, _ = learn(frame({"c": ["a", "b", "a"]}))
    assert_array_equal(read(schema, frame({"c": ["b", "z", None]}))[:, 0], [1, 2, NAN])
    new = frame({"c": ["b", "z", None, "y"]})
    with pytest.warns(
        ColumnWarning, match=r"most values of column 'c', such as 'z', are none of the 2 .*'a'"
    ):
        found = read(schema, new)
    assert_array_equal(found[:, 0], [1, 2, NAN, 2])
    assert lists(restore(schema, found))["c"] == ["b", None, None, None]
    assert lists(restore(schema, np.array([[1.0], [2.0], [0.0], [2.0]]), like=new))["c"] == [
        "b",
        "z",
        "a",
        "y",
    ]


def test_cells_of_another_type_than_all_levels_are_refused(frame):
    schema, _ = learn(frame({"zip": ["01", "x", "y"] * 3}))
    with pytest.raises(ColumnError, match=r"'zip' holds cells such as [12], and .*'01'.*convert it to str"):
        read(schema, frame({"zip": [1, 2]}))
    schema, _ = learn(frame({"zip": [1, 2]}), "category")
    with pytest.raises(ColumnError, match="convert it to int"):
        read(schema, frame({"zip": ["1", "2"]}))
    assert_array_equal(read(schema, frame({"zip": [None, 2.0]}))[:, 0], [NAN, 1])


def test_cells_that_cannot_be_levels():
    for values in ([[1], [1]], [dt.date(2020, 1, 1)] * 2, [{"a": 1}, {"a": 1}]):
        with pytest.raises(ColumnError, match="'x' has cells"):
            learn(pd.DataFrame({"x": values}), "category")
    schema, _ = learn(pd.DataFrame({"x": ["a", "a"]}))
    with pytest.raises(ColumnError, match="'x' has cells"):
        read(schema, pd.DataFrame({"x": [[1], [2]]}))


# --- reading by name


def test_frames_are_read_by_name(frame):
    data = {"a": [1.5, 2.5, 0.5], "c": ["u", "v", "u"], "f": [True, False, True]}
    schema, matrix = learn(frame(data))
    other = {"extra": ["x", "y", "z"], **dict(reversed(data.items()))}
    for make in FRAMES.values():
        assert_array_equal(read(schema, make(other)), matrix)


def test_absent_columns_are_named_with_the_closest(frame):
    schema, _ = learn(frame({"height": [1.5, 2.5], "weight": [1.5, 2.5], "x": [2.5, 3.5]}))
    with pytest.raises(ColumnError, match=r"lacks 'height', 'x' \(2 of the 3.*did you mean 'heigth'"):
        read(schema, frame({"heigth": [1.5], "weight": [1.5]}))
    with pytest.raises(ColumnError, match=r"its columns the model does not know 'cm', 'kg'\.$"):
        read(schema, frame({"x": [1.5], "cm": [1.5], "kg": [1.5]}))
    with pytest.raises(ColumnError, match=r"it has 'x'\.$"):
        read(schema, frame({"x": [1.5]}))


def test_a_frame_without_names_in_the_fit_and_an_array_after_a_frame(frame):
    values = np.array([[1.0, 5.0], [2.0, 6.0]])
    table = frame({"a": values[:, 0], "b": values[:, 1]})
    assert_array_equal(read(learn(values)[0], table), values)
    assert_array_equal(read(learn(table)[0], values), values)


def test_numbers_of_a_table_that_was_read_as_text_are_those_of_the_fit(frame):
    schema, matrix = learn(
        frame({"a": [1.5, -2e-5, NAN], "n": [3, 0, 4], "f": [True, False, True]}), {"n": "count"}
    )
    as_text = frame({"a": ["1.5", " -2e-05", "NaN"], "n": ["3", "0.0", "4"], "f": ["True", "false", "1"]})
    assert_array_equal(read(schema, as_text), matrix)
    with pytest.raises(
        ColumnError, match=r"'n' \(text\) cannot be read as counts: its cell in row 1 is 'True'"
    ):
        read(schema, frame({"a": [1.0, 1.0], "n": ["3", "True"], "f": ["True", "True"]}))


def test_columns_that_changed_their_type_are_refused(frame):
    schema, _ = learn(frame({"a": [1.5, 2.5], "n": [3, 4]}), {"n": "count"})
    with pytest.raises(
        ColumnError, match=r"'a' \(text\) cannot be read as numbers: its cell in row 1 is 'x'"
    ):
        read(schema, frame({"a": [None, "x"], "n": [1, 2]}))
    with pytest.raises(ColumnError, match=r"its cell in row 2 is '2,000'"):
        read(schema, frame({"a": ["1.5", "?", "2,000"], "n": [3, 4, 5]}))
    assert np.isnan(read(schema, frame({"a": [None, None], "n": [1, 2]}))[:, 0]).all()


def test_whole_numbers_that_a_gaussian_models_need_not_stay_whole(rng):
    X = pd.DataFrame({"x": rng.normal(size=90), "n": np.tile([0, 1, 0, 3, 1, 0, 2, 5, 1], 10)})
    y = np.where(np.arange(90) < 20, np.arange(90) % 2, -1)
    assert learn(X)[0].kinds == ("number", "count")
    new = pd.DataFrame({"x": [0.0], "n": [2.5]})
    assert MixtureClassifier().fit(X, y).predict(new).shape == (1,)
    with pytest.warns(ColumnWarning, match=r"'n', counts in the fit: 1 of 1 rows \(such as 2.5 in row 0\)"):
        MixtureClassifier({"count": "poisson"}).fit(X, y).predict(new)


def test_new_values_of_flags_and_counts_become_the_nearest_with_a_warning(frame):
    schema, _ = learn(frame({"f": [0, 1, 0], "n": [0, 4, 2], "x": [0.5, 1, 2]}), {"n": "count"})
    assert schema.kinds == ("flag", "count", "number")
    X = frame({"f": [2.0, None, 0.0, -1.0], "n": [1.0, 2.7, None, -3.0], "x": [2.7, -3, 2, 0]})
    with pytest.warns(
        ColumnWarning, match="'n', counts in .* 'f', flags in the fit: 2 of 4 rows .such as 2 in row 0"
    ):
        matrix = read(schema, X)
    assert_array_equal(matrix, [[1, 1, 2.7], [np.nan, 3, -3], [0, np.nan, 2], [0, 0, 0]])


def test_new_values_of_arrays_and_sparse_rows_become_the_nearest(rng):
    schema, _ = learn(np.array([[0, 1.0], [1, 0.5]]), {0: "flag"})
    table = np.array([[3, 0.2], [0, 7.5]])
    with pytest.warns(ColumnWarning, match="0, flags in the fit: 1 of 2 rows"):
        assert_array_equal(read(schema, table), [[1, 0.2], [0, 7.5]])
    assert table[0, 0] == 3  # the caller's rows stay as they are
    rows = scipy.sparse.csr_array(table)
    with pytest.warns(ColumnWarning, match="1 values in column number 0, flags"):
        assert_array_equal(read(schema, rows, sparse=True).toarray(), [[1, 0.2], [0, 7.5]])
    assert rows[0, 0] == 3


# --- the way back


CELLS = {
    "number": st.none() | st.floats(-1e6, 1e6).map(lambda value: value + 0.5),
    "count": st.none() | st.integers(0, 10**6),
    "flag": st.none() | st.booleans(),
    "category": st.none() | st.sampled_from(["red", "blue", "a b", "é", ""]),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    n_rows = draw(st.integers(1, 8))
    rows = {
        f"c{j}": draw(st.lists(CELLS[kind], min_size=n_rows, max_size=n_rows)) for j, kind in enumerate(kinds)
    }
    return {f"c{j}": kind for j, kind in enumerate(kinds)}, rows


@settings(max_examples=60, deadline=None)
@given(tables(), st.sampled_from(sorted(FRAMES)))
def test_restoring_gives_the_table_back(table, library):
    kinds, rows = table
    X = FRAMES[library](rows)
    schema, matrix = learn(X, kinds)
    assert matrix.shape == (len(next(iter(rows.values()))), len(kinds))
    back = restore(schema, matrix)
    assert lists(back) == rows
    assert_array_equal(read(schema, back), matrix)
    assert_array_equal(read(schema, restore(schema, matrix, like=X)), matrix)
    shuffled = FRAMES[library](dict(reversed(rows.items())))
    assert_array_equal(read(schema, shuffled), matrix)
    holes = missing_columns(matrix)
    assert_array_equal(np.zeros(len(kinds), bool) if holes is None else holes, np.isnan(matrix).any(axis=0))


@pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(
            st.none()
            | st.booleans()
            | st.integers(-(2**70), 2**70)
            | st.floats()
            | st.text(max_size=4)
            | st.just(pd.NA)
            | st.dates()
            | st.binary(max_size=2)
            | st.lists(st.integers(), max_size=1),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([None, "number", "count", "flag", "category", "text", "date"]),
    st.booleans(),
)
def test_hostile_cells_give_numbers_or_a_clear_error(columns, kinds, as_array):
    n_rows = min(map(len, columns))
    if as_array:
        X = np.empty((n_rows, len(columns)), dtype=object)
        for j, cells in enumerate(columns):
            for i in range(n_rows):
                X[i, j] = cells[i]
    else:
        X = pd.DataFrame({f"c{j}": pd.Series(c[:n_rows], dtype=object) for j, c in enumerate(columns)})
    try:
        schema, matrix = learn(X, kinds)
    except ColumnError:
        return
    except (ValueError, TypeError):
        assert as_array  # NumPy's and scikit-learn's own words
        return
    assert matrix.shape == (n_rows, len(schema.kinds))
    assert len(schema.inputs) == len(columns) or (kinds is None and not as_array)
    assert not np.isinf(matrix).any()
    for j, levels in enumerate(schema.levels):
        if levels is not None:
            assert all(type(level) in (str, int, float, bool) for level in levels)
            assert not (matrix[:, j] >= len(levels)).any()


def test_filling_keeps_everything_else(frame, library):
    X = frame(
        {
            "id": [2**60 + 1, 2**60 + 3, 5],
            "age": [30, None, 41],
            "rate": [0.5, None, 1.5],
            "member": [None, True, False],
            "town": ["a", None, "zzz"],
        }
    )
    schema = Schema(
        ("id", "age", "rate", "member", "town"),
        ("number", "number", "number", "flag", "category"),
        (None, None, None, None, ("a", "b")),
        library,
    )
    filled = read(schema, X)
    filled[1, 1], filled[1, 2], filled[0, 3], filled[1, 4] = 35.0, 1.0, 0.0, 1.0
    back = restore(schema, filled, like=X)
    assert lists(back) == {
        "id": [2**60 + 1, 2**60 + 3, 5],
        "age": [30, 35, 41],
        "rate": [0.5, 1.0, 1.5],
        "member": [False, True, False],
        "town": ["a", "b", "zzz"],
    }
    filled[1, 1] = 35.5
    assert lists(restore(schema, filled, like=X))["age"] == [30, 35.5, 41]


def test_filling_keeps_index_types_and_library():
    X = pd.DataFrame(
        {
            "c": pd.Categorical(["a", None, "b"], categories=["b", "a"], ordered=True),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "x": np.array([0.5, NAN, 1.5], dtype=np.float32),
        },
        index=["r1", "r2", "r3"],
    )
    schema, matrix = learn(X, {"n": "count"})
    matrix[1] = [0, 2, 1.25]
    back = restore(schema, matrix, like=X)
    assert back.index.tolist() == ["r1", "r2", "r3"]
    assert back["c"].tolist() == ["a", "b", "b"]
    assert isinstance(back["c"].dtype, pd.CategoricalDtype)
    assert back["n"].tolist() == [1, 2, 3]
    assert pd.api.types.is_integer_dtype(back["n"])
    assert back["x"].dtype == np.float32
    enum = pl.DataFrame({"c": ["a", None], "n": [1, None]}, schema={"c": pl.Enum(["b", "a"]), "n": pl.Int16})
    schema, matrix = learn(enum, {"n": "count"})
    matrix[1] = [0, 7]
    back = restore(schema, matrix, like=enum)
    assert back.schema == enum.schema
    assert back.rows() == [("a", 1), ("b", 7)]
    assert isinstance(restore(schema, matrix, like=pd.DataFrame(enum.to_dict(as_series=False))), pd.DataFrame)


def test_refusing_missing_cells_counts_them(frame):
    schema, matrix = learn(frame({"a": [1.0, None, None], "b": [1, 2, None], "c": [1.0, 2.0, 3.0]}), "number")
    with pytest.raises(ColumnError, match=r"NaN: 3 missing value.*column: 'a' \(2\), 'b' \(1\)\. Do so\."):
        refuse_missing(schema, matrix, "Do so.")
    refuse_missing(*learn(np.eye(2)), "Do so.")


@pytest.mark.parametrize("n_rows", [1, 7, 400_000])
def test_missing_columns_are_found_in_every_block(n_rows):
    X = np.zeros((n_rows, 4))
    X[n_rows - 1, 2] = NAN
    assert_array_equal(missing_columns(X), [False, False, True, False])
    assert_array_equal(missing_columns(np.asfortranarray(X)), [False, False, True, False])


def test_schemas_survive_copies(frame):
    X = frame({"a": [1.5, None, 2.0], "c": ["u", "v", "u"], "f": [True, False, True]})
    schema, _ = learn(X)
    for other in (copy.deepcopy(schema), pickle.loads(pickle.dumps(schema))):
        assert other == schema
        assert other.kinds == schema.kinds


def test_a_table_that_is_read_already_stays_as_it_is():
    schema, matrix = learn(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), {"b": "category"})
    table = ReadTable(schema, matrix)
    assert learn(table)[0] is schema
    assert learn(table)[1] is matrix
    assert learn(table, {"a": "number"})[1] is matrix
    assert read(schema, table) is matrix
    assert table.shape == (2, 2)
    assert len(table[np.array([1])]) == 1


def test_a_table_that_was_read_otherwise_is_read_again():
    """Levels that are numbers of the levels of the table, as models of version 0.1 have them."""
    schema, matrix = learn(pd.DataFrame({"a": ["x", "y", "z"]}), "category")
    table = ReadTable(schema, matrix)
    inner = Schema(None, ("category",), ((0.0, 2.0),), None)
    np.testing.assert_array_equal(read(inner, table).ravel(), [0, 2, 1])  # "y" is unknown, "z" the second
    counts = ReadTable(*learn(np.array([[0.0], [3.0]])))
    assert learn(counts, "count")[0].kinds == ("count",)
    sparse = ReadTable(*learn(scipy.sparse.csr_array(np.eye(3)), sparse=True))
    for refused in (lambda: learn(sparse), lambda: read(sparse.schema, sparse)):
        with pytest.raises(ColumnError, match="X is sparse"):
            refused()
