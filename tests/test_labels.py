"""Labels: every way a table can say "this class", "one of these" and "unknown"."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning

from semigen import (
    AutoClassifier,
    HybridClassifier,
    MixtureClassifier,
    MixtureEnsembleFeatures,
    PoolClassifier,
    SafeClassifier,
)
from semigen.columns import ReadTable, learn
from semigen.data.labels import Labels, encode, in_class_order, is_unlabeled, labeled_values
from semigen.data.rows import take_rows
from semigen.data.weights import check_weights
from semigen.exceptions import LabelError, LabelWarning, ParameterError


def objects(*items):
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return values


TEXT = (["a", "b"], [0, 1, -1, 0])
WHOLE = ([0, 1], [0, 1, -1, 0])
REAL = ([0.0, 1.5], [0, 1, -1, 0])
TRUTH = ([False, True], [0, 1, -1, 0])
NAN = float("nan")

# name: (y, marker, dtype kind of the classes, (classes, code of each row))
VECTORS = {
    "int list": ([0, 1, -1, 0], -1, "i", WHOLE),
    "int array": (np.array([0, 1, -1, 0]), -1, "i", WHOLE),
    "int8 array": (np.array([0, 1, -1, 0], dtype=np.int8), -1, "i", WHOLE),
    "uint8 array, other marker": (np.array([0, 1, 255, 0], dtype=np.uint8), 255, "u", WHOLE),
    "int list with NaN": ([0, 1, NAN, 0], -1, "i", WHOLE),
    "int tuple with None": ((0, 1, None, 0), -1, "i", WHOLE),
    "int object array": (objects(0, 1, pd.NA, np.int64(0)), -1, "i", WHOLE),
    "int array, NumPy marker": (np.array([0, 1, -1, 0]), np.int64(-1), "i", WHOLE),
    "float array": (np.array([0, 1.5, -1, 0]), -1, "f", REAL),
    "float array with NaN": (np.array([0, 1.5, NAN, 0]), -1, "f", REAL),
    "float32 array, NaN marker": (np.array([0, 1.5, NAN, 0], dtype=np.float32), NAN, "f", REAL),
    "float and int objects": (objects(0, 1.5, None, 0), -1, "f", REAL),
    "text list with None": (["a", "b", None, "a"], -1, "U", TEXT),
    "text list with NaN": (["a", "b", NAN, "a"], -1, "U", TEXT),
    "text list with -1": (["a", "b", -1, "a"], -1, "U", TEXT),
    "text array, text marker": (np.array(["a", "b", "?", "a"]), "?", "U", TEXT),
    "text array, marker '-1'": (np.array(["a", "b", "-1", "a"]), "-1", "U", TEXT),
    "text array, marker 'nan'": (np.array(["a", "b", NAN, "a"]), "nan", "U", TEXT),
    "text objects with None": (objects("a", "b", None, "a"), -1, "U", TEXT),
    "text objects with NaN": (objects("a", "b", NAN, "a"), -1, "U", TEXT),
    "text objects with pd.NA": (objects("a", "b", pd.NA, "a"), -1, "U", TEXT),
    "text objects with NaT": (objects("a", "b", pd.NaT, "a"), -1, "U", TEXT),
    "text objects with -1": (objects("a", "b", -1, "a"), -1, "U", TEXT),
    "NumPy text objects": (objects(np.str_("a"), "b", None, "a"), -1, "U", TEXT),
    "StringDType": (
        np.array(["a", "b", None, "a"], dtype=np.dtypes.StringDType(na_object=None)),
        -1,
        "U",
        TEXT,
    ),
    "bool list with -1": ([False, True, -1, False], -1, "b", TRUTH),
    "bool list with None": ([False, True, None, False], -1, "b", TRUTH),
    "bool objects, marker 1": (objects(False, True, 1, np.False_), 1, "b", TRUTH),
    "masked ints": (np.ma.masked_array([0, 1, 5, 0], mask=[0, 0, 1, 0]), -1, "i", WHOLE),
    "dates": (
        np.array(["2020-01-01", "2021-01-01", "NaT", "2020-01-01"], dtype="M8[D]"),
        None,
        "M",
        (np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]").tolist(), [0, 1, -1, 0]),
    ),
    "huge ints": (objects(2**70, 2**80, None, 2**70), -1, "O", ([2**70, 2**80], [0, 1, -1, 0])),
    "pandas str": (pd.Series(["a", "b", None, "a"]), -1, "U", TEXT),
    "pandas string": (pd.Series(["a", "b", None, "a"], dtype="string"), -1, "U", TEXT),
    "pandas object": (pd.Series(["a", "b", pd.NA, "a"], dtype=object), -1, "U", TEXT),
    "pandas category": (pd.Series(["a", "b", None, "a"], dtype="category"), -1, "U", TEXT),
    "pandas Categorical": (pd.Categorical(["a", "b", None, "a"]), -1, "U", TEXT),
    "pandas int category": (pd.Series([0, 1, None, 0]).astype("Int64").astype("category"), -1, "i", WHOLE),
    "pandas Int64 with NA": (pd.Series([0, 1, pd.NA, 0], dtype="Int64"), -1, "i", WHOLE),
    "pandas Int64 with -1": (pd.Series([0, 1, -1, 0], dtype="Int64"), -1, "i", WHOLE),
    "pandas Int64, marker NA": (pd.Series([0, 1, pd.NA, 0], dtype="Int64"), pd.NA, "i", WHOLE),
    "pandas Float64": (pd.Series([0, 1.5, pd.NA, 0], dtype="Float64"), -1, "f", REAL),
    "pandas float": (pd.Series([0, 1.5, None, 0]), -1, "f", REAL),
    "pandas boolean": (pd.Series([False, True, pd.NA, False], dtype="boolean"), -1, "b", TRUTH),
    "pandas, other index": (pd.Series(["a", "b", None, "a"], index=[7, 7, 3, 0]), -1, "U", TEXT),
    "pandas frame of one column": (pd.DataFrame({"y": ["a", "b", None, "a"]}), -1, "U", TEXT),
    "polars text": (pl.Series(["a", "b", None, "a"]), -1, "U", TEXT),
    "polars category": (pl.Series(["a", "b", None, "a"], dtype=pl.Categorical), -1, "U", TEXT),
    "polars enum": (pl.Series(["a", "b", None, "a"], dtype=pl.Enum(["b", "a"])), -1, "U", TEXT),
    "polars int": (pl.Series([0, 1, None, 0]), -1, "i", WHOLE),
    "polars int with -1": (pl.Series([0, 1, -1, 0]), -1, "i", WHOLE),
    "polars float": (pl.Series([0.0, 1.5, None, 0.0]), -1, "f", REAL),
    "polars float with NaN": (pl.Series([0.0, 1.5, NAN, 0.0]), -1, "f", REAL),
    "polars bool": (pl.Series([False, True, None, False]), -1, "b", TRUTH),
    "polars frame of one column": (pl.DataFrame({"y": ["a", "b", None, "a"]}), -1, "U", TEXT),
    "arrow": (pa.chunked_array([["a", "b"], [None, "a"]]), -1, "U", TEXT),
}


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_of_labels_reads_alike(name):
    y, marker, kind, (classes, code) = VECTORS[name]
    labels = encode(y, marker)
    assert labels.classes.dtype.kind == kind
    assert labels.classes.tolist() == classes
    assert_array_equal(labels.hard, code)
    assert_array_equal(labels.is_labeled, np.array(code) >= 0)
    assert_array_equal(is_unlabeled(y, marker), np.array(code) < 0)
    values, rows = labeled_values(y, marker)
    assert_array_equal(rows, np.flatnonzero(np.array(code) >= 0))
    assert values.dtype.kind == kind
    assert values.tolist() == [classes[k] for k in code if k >= 0]


@pytest.mark.filterwarnings("ignore::semigen.exceptions.ClassNameWarning")
@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([-1, 1, -1]), [-1, 1]),
        (np.array([-1.0, 1, NAN]), [-1.0, 1.0]),
        (np.array(["-1", "1"]), ["-1", "1"]),
        (objects("-1", "1", None), ["-1", "1"]),
        (objects("nan", "a", None), ["a", "nan"]),
        (np.array([True, False]), [False, True]),
    ],
)
def test_without_a_marker_every_value_is_a_class(y, classes):
    assert encode(y, None).classes.tolist() == classes


def test_a_number_is_no_marker_for_bools_nor_a_bool_for_numbers():
    assert not is_unlabeled(np.array([True, False]), 1).any()
    assert not is_unlabeled(objects(True, False), 1).any()
    assert not is_unlabeled(np.array([0, 1]), True).any()
    assert_array_equal(is_unlabeled(np.array([True, False]), True), [True, False])
    assert_array_equal(is_unlabeled(np.array([True, False]), np.True_), [True, False])


def test_hard_labels_make_this_table():
    labels = encode(["b", "a", None])
    assert_array_equal(labels.log_table, [[0, 0], [0, -np.inf], [-np.inf, 0]])
    assert_array_equal(labels.pattern, [2, 1, 0])
    assert_array_equal(labels.probabilities, [[0, 1], [1, 0], [0.5, 0.5]])
    taken = labels.take(np.array([2, 0, 0]))
    assert_array_equal(taken.hard, [-1, 1, 1])
    assert_array_equal(taken.classes, labels.classes)


MATRIX = [[1, 0, 0], [0, 2, 2], [1, 1, 1], [0.2, 0.3, 0.5], [NAN, NAN, NAN], [0.2, 0.3, 0.5], [0, 0, 7]]
FRAME = {name: [float(row[k]) for row in MATRIX] for k, name in enumerate("abc")}
NULLS = {name: [None if np.isnan(cell) else cell for cell in column] for name, column in FRAME.items()}


def masked_matrix():
    values = np.array(MATRIX)
    return np.ma.masked_array(np.nan_to_num(values, nan=9.0), mask=np.isnan(values))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (MATRIX, [0, 1, 2]),
        (np.array(MATRIX, dtype=np.float32), [0, 1, 2]),
        (np.array(MATRIX, dtype=object), [0, 1, 2]),
        (masked_matrix(), [0, 1, 2]),
        (pd.DataFrame(FRAME), ["a", "b", "c"]),
        (pd.DataFrame(FRAME).astype("Float64"), ["a", "b", "c"]),
        (pd.DataFrame(FRAME).set_axis([3, 1, 2], axis=1), [3, 1, 2]),
        (pl.DataFrame(FRAME), ["a", "b", "c"]),
        (pl.DataFrame(NULLS), ["a", "b", "c"]),
        (pa.table(FRAME), ["a", "b", "c"]),
    ],
    ids=[
        "list",
        "float32",
        "object",
        "masked",
        "pandas",
        "Float64",
        "int columns",
        "polars",
        "null",
        "arrow",
    ],
)
def test_every_matrix_of_labels_reads_alike(y, classes):
    labels = encode(y)
    assert labels.classes.tolist() == classes
    assert_array_equal(labels.hard, [0, -1, -1, -1, -1, -1, 2])
    assert_array_equal(labels.is_labeled, [True, True, False, True, False, True, True])
    assert_array_equal(is_unlabeled(y), ~labels.is_labeled)
    third = [1 / 3] * 3
    soft = [0.2, 0.3, 0.5]
    expected = [[1, 0, 0], [0, 0.5, 0.5], third, soft, third, soft, [0, 0, 1]]
    assert_allclose(labels.probabilities, expected, rtol=1e-6)
    assert labels.pattern[3] == labels.pattern[5]
    assert labels.log_table.shape == (5, 3)
    values, rows = labeled_values(y)
    assert values.tolist() == [classes[0], classes[2]]
    assert_array_equal(rows, [0, 6])


def test_bools_are_candidate_sets():
    labels = encode([[True, False, True], [False, True, False], [True, True, True]])
    assert_array_equal(labels.log_table[labels.pattern[0]], [0, -np.inf, 0])
    assert_array_equal(labels.hard, [-1, 1, -1])
    assert_array_equal(labels.is_labeled, [True, True, False])


def test_rounding_does_not_make_a_label():
    assert_array_equal(is_unlabeled([[1 / 3, 1 / 3, 1 - 2 / 3], [0.3, 0.3, 0.3001]]), [True, False])


def test_a_tiny_probability_is_still_possible():
    assert_array_equal(encode([[1e-320, 1e300], [0, 1]]).hard, [-1, 1])


def test_rows_that_do_not_count_are_read_as_unlabeled():
    counted = np.array([True, True, False, True])
    labels = encode(["a", "b", "c", None], counted=counted)
    assert labels.classes.tolist() == ["a", "b"]
    assert_array_equal(labels.hard, [0, 1, -1, -1])
    labels = encode([[1, 0], [0, 1], [0, 1], [1, 1]], counted=counted)
    assert_array_equal(labels.hard, [0, 1, -1, -1])
    for y in ([0, 1, 1], [[1, 0], [0, 1], [0, 1]]):
        with pytest.raises(LabelError, match="X has 4 rows and y has 3"):
            encode(y, counted=counted)
    with pytest.raises(LabelError, match="only one class, 'a'"):
        encode(["a", "a", "b", None], counted=counted)


CLASSES = np.array(["a", "b", "c"])


def test_labels_are_read_as_the_classes_of_a_fit():
    labels = encode(["c", None, "a", "c"], classes=CLASSES)
    assert_array_equal(labels.classes, CLASSES)
    assert_array_equal(labels.hard, [2, -1, 0, 2])
    assert_array_equal(encode([None, -1], classes=CLASSES).hard, [-1, -1])
    assert_array_equal(encode([[1, 0, 0], [1, 1, 1]], classes=CLASSES).hard, [0, -1])
    assert_array_equal(encode([[NAN] * 3], classes=CLASSES).log_table, [[0, 0, 0]])
    with pytest.raises(LabelError, match=r"labels .'x'., which are not among the classes"):
        encode(["a", "x"], classes=CLASSES)
    with pytest.raises(LabelError, match="2 columns for the 3 classes"):
        encode([[1, 0]], classes=CLASSES)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_of_a_frame_go_by_their_name(frame):
    y = frame({"c": [1, 0, 0], "a": [0, 1, 0], "b": [0, 0, 1]})
    assert_array_equal(encode(y, classes=CLASSES).hard, [2, 0, 1])
    with pytest.raises(LabelError, match=r"labels .'x'., which are not among the classes"):
        encode(frame({"a": [1], "b": [0], "x": [0]}), classes=CLASSES)


def test_one_class_is_enough_to_be_labeled_but_not_to_learn():
    assert not is_unlabeled([1, 1]).any()
    assert labeled_values([1, -1])[0].tolist() == [1]
    assert labeled_values([None, -1])[0].size == 0


BAD = {
    "nothing": (None, "requires y to be passed"),
    "no label": ([-1, None, NAN], "no labeled row: all 3 rows are unlabeled \\(-1, None, NaN or NA\\)"),
    "no rows": ([], "no labeled row: all 0 rows"),
    "no label in a matrix": ([[1, 1], [NAN, NAN]], "no labeled row: all 2 rows of the label matrix"),
    "one class": ([1, 1, 1], "only one class, 1, among its labeled rows, and at least two are needed.$"),
    "one class of text": (
        ["a", None],
        "only one class, 'a', among its labeled rows, and at least two are needed.$",
    ),
    "classes -1 and +1": ([-1, 1, -1], "only one class, 1.* 2 row.s. are unlabeled .*unlabeled=None"),
    "text -1": (np.array(["a", "b", "-1"]), "text '-1' in 1 row.s., the first in row 2.*unlabeled='-1'"),
    "text -1.0": (np.array(["a", -1.0, "b"]), "text '-1.0' in 1 row.s., the first in row 1"),
    "text -1 in objects": (objects("a", "b", "-1", "-1"), "text '-1' in 2 row.s., the first in row 2"),
    "text -1 in pandas": (pd.Series(["a", "-1", "b"]), "text '-1' in 1 row.s., the first in row 1"),
    "text -1 in a category": (pd.Series(["-1", "b"], dtype="category"), "text '-1' .* row 0"),
    "text -1 in polars": (pl.Series(["a", "-1", "b"]), "text '-1' in 1 row.s., the first in row 1"),
    "text nan": (np.array(["a", "b", NAN]), "text 'nan' in 1 row.s., the first in row 2.*dtype=object"),
    "types mixed": (objects("a", 1, None), "mixes labels of different types \\(int, str\\)"),
    "bools and ints": ([True, 1, False], "mixes labels of different types \\(bool, int\\)"),
    "sets": (objects({1}, {1, 2}), "holds a set as a label.*matrix"),
    "lists": (objects([1], [1, 2]), "holds a list as a label.*matrix"),
    "no order": (objects(object(), object()), "labels of type object, which have no order"),
    "complex": (np.array([1, 2j]), "Complex data not supported"),
    "complex matrix": (np.array([[1, 2j], [1, 0]]), "Complex data not supported"),
    "infinite": ([0.0, 1.0, np.inf], "infinity"),
    "regression": (
        np.linspace(0, 1, 50) + 0.001,
        "Unknown label type: continuous.*50 distinct.* 50 labeled",
    ),
    "a number": (3, "single value \\(type int\\)"),
    "text": ("abc", "single value \\(type str\\)"),
    "a dict": ({"a": 1}, "single value \\(type dict\\)"),
    "a lazy frame": (pl.LazyFrame({"y": [1, 2]}), "single value \\(type LazyFrame\\)"),
    "sparse": (sp.csr_array(np.eye(2)), "toarray"),
    "ragged": ([[1, 2], [3]], "neither a vector nor a matrix"),
    "three dimensions": (np.zeros((2, 2, 2)), "shape \\(2, 2, 2\\)"),
    "no columns": (np.zeros((3, 0)), "shape \\(3, 0\\)"),
    "frame without columns": (pd.DataFrame(index=[1, 2]), "without columns"),
    "equal column names": (
        pd.DataFrame([[1, 0], [0, 1]], columns=["a", "a"]),
        "several columns .* of one name",
    ),
    "column names mixed": (pd.DataFrame([[1, 0], [0, 1]], columns=["a", 1]), "mixes labels .*int, str"),
    "matrix of text": ([["a", "b"], ["c", "d"]], "2 columns that are not all numbers"),
    "row of zeros": ([[1, 0], [0, 0], [0, 0]], "0 for every class in 2 row.s., the first is row 1"),
    "negative": ([[1, 0], [0, 1], [-1, 2]], "negative in 1 row.s., the first is row 2"),
    "infinite matrix": ([[1, np.inf], [0, 1]], "infinite in 1 row.s., the first is row 0"),
    "NaN in part": ([[1, 0], [0, 1], [1, 0], [NAN, 1]], "NaN beside numbers in 1 row.s., the first is row 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label_is_refused_with_its_place_and_cure(name):
    y, message = BAD[name]
    with pytest.raises(LabelError, match=message):
        encode(y)


@pytest.mark.parametrize("y", [np.array([0, 1, -1]), [0, 1, -1], pd.Series([0.0, 1, -1])])
def test_a_marker_of_text_for_numbers_is_refused(y):
    with pytest.raises(LabelError, match=r"number -1.* in 1 row.s., the first in row 2.*unlabeled=-1"):
        encode(y, "-1")


def test_a_marker_is_one_value():
    with pytest.raises(LabelError, match="not one value"):
        encode([0, 1, 2], [1, 2])


def test_a_column_vector_is_read_with_a_warning():
    with pytest.warns(DataConversionWarning):
        labels = encode(np.array([[0], [1], [-1]]))
    assert_array_equal(labels.hard, [0, 1, -1])


@given(st.lists(st.sampled_from(["x", "y", "zz", None]), min_size=2, max_size=30))
def test_every_container_agrees(y):
    known = sorted({label for label in y if label is not None})
    if len(known) < 2:
        with pytest.raises(LabelError):
            encode(y)
        return
    code = [known.index(label) if label in known else -1 for label in y]
    number = [None if k < 0 else k for k in code]
    for same in (y, objects(*y), pd.Series(y), pd.Series(y, dtype="category"), pl.Series(y)):
        assert_array_equal(encode(same).hard, code)
        assert encode(same).classes.tolist() == known
    for same in (code, np.array(code), np.array(number, dtype=float), pd.Series(number, dtype="Int64")):
        assert_array_equal(encode(same).hard, code)
    whole = encode(pd.array(number, dtype="Int64"))
    assert_array_equal(whole.hard, code)
    assert whole.classes.dtype == np.int64


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 8), st.integers(2, 4)),
        elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
    )
)
def test_a_matrix_gives_its_own_rows_back(weight):
    total = weight.sum(axis=1, keepdims=True)
    if (total == 0).any():
        with pytest.raises(LabelError):
            encode(weight)
        return
    if is_unlabeled(weight).all():
        return
    labels = encode(weight)
    assert isinstance(labels, Labels)
    assert_allclose(labels.probabilities, weight / total, rtol=1e-8)
    assert_array_equal(labels.log_table.max(axis=1), 0)
    assert_array_equal(labels.log_table[0], 0)


def test_weights_are_read_or_made():
    assert_array_equal(check_weights(None, 3), np.ones(3))
    assert_array_equal(check_weights([1, 0, 2], 3), [1.0, 0.0, 2.0])
    assert_array_equal(check_weights(pd.Series([1, 2], index=[5, 5]), 2), [1.0, 2.0])
    assert_array_equal(check_weights(2.0, 2), [2.0, 2.0])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2], "shape \\(2,\\), but X has 3 rows"),
        ([[1], [2], [3]], "shape \\(3, 1\\)"),
        ([1, NAN, np.inf], "NaN or infinite in 2 row.s., the first is row 1"),
        ([1, 1, -1], "negative in 1 row.s., the first is row 2"),
        ([0, 0, 0], "zero for every row"),
        (["a", "b", "c"], "no vector of numbers"),
    ],
)
def test_bad_weights_are_refused(weight, message):
    with pytest.raises(LabelError, match=message):
        check_weights(weight, 3)


HARD = np.array(["b", None, "a", "b", None], dtype=object)
SOFT = np.array([[0.9, 0.1, 0.0], [np.nan] * 3, [0, 1, 1], [0, 0, 1], [1, 1, 1]])


@pytest.mark.parametrize("y", [HARD, SOFT])
def test_labels_that_are_read_already_stay_as_they_are(y):
    labels = encode(y, None)
    assert encode(labels) is labels
    assert encode(labels, classes=labels.classes) is labels
    assert encode(labels, counted=np.ones(5, dtype=bool)) is labels
    assert len(labels) == 5
    counted = np.arange(5) != 0
    assert encode(labels, counted=counted).is_labeled.tolist() == (labels.is_labeled & counted).tolist()
    taken = take_rows(labels, np.array([3, 0]))
    np.testing.assert_array_equal(taken.probabilities, labels.probabilities[[3, 0]])
    with pytest.raises(LabelError, match="X has 4 rows and y has 5"):
        encode(labels, counted=np.ones(4, dtype=bool))
    with pytest.raises(LabelError, match=r"y has the classes .*, not \['x', 'y'\]"):
        encode(labels, classes=np.array(["x", "y"]))


@pytest.mark.parametrize("y", [HARD, SOFT])
def test_labels_as_an_array_are_read_as_these_labels(y):
    labels = encode(y, None)
    again = encode(labels.to_array(), None)
    np.testing.assert_array_equal(again.classes, labels.classes)
    np.testing.assert_allclose(again.probabilities, labels.probabilities, atol=1e-15)
    np.testing.assert_array_equal(again.is_labeled, labels.is_labeled)


@pytest.mark.parametrize(
    "model",
    [
        MixtureClassifier(covariance="tied"),
        SafeClassifier(
            MixtureClassifier(covariance="tied"), unlabeled_weights=(0, 1), n_splits=2, n_repeats=1
        ),
        HybridClassifier(MixtureEnsembleFeatures(3)),
        PoolClassifier([("mixture", MixtureClassifier(covariance="tied"))]),
        AutoClassifier(n_mixtures=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators_take_labels_and_tables_that_are_read_already(model, rng):
    frame = pd.DataFrame(
        {"a": rng.normal(size=80), "b": rng.normal(size=80), "c": rng.choice(["x", "y"], 80)}
    )
    y = np.where(np.arange(80) < 24, np.where(frame["a"] > 0, "up", "down"), None)
    if isinstance(model, PoolClassifier | SafeClassifier | MixtureClassifier):
        frame = frame[["a", "b"]]
    wanted = clone(model).fit(frame, y).predict_proba(frame)
    table, labels = ReadTable(*learn(frame)), encode(y, None)
    read = clone(model).fit(table, labels)
    assert read.classes_.tolist() == ["down", "up"]
    np.testing.assert_allclose(read.predict_proba(table), wanted, atol=1e-10)
    np.testing.assert_allclose(read.predict_proba(frame), wanted, atol=1e-10)


def test_labels_of_the_labeled_rows_only_are_refused_with_the_cure():
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 4.0]}, index=list("abcde"))
    y = pd.Series(["low", "high"], index=["b", "e"])
    with pytest.raises(LabelError, match=r"X has 5 rows and y has 2.*y\.reindex\(X\.index\)"):
        MixtureClassifier().fit(X, y)
    assert MixtureClassifier().fit(X, y.reindex(X.index)).predict(X)[[1, 4]].tolist() == ["low", "high"]


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_text_is_no_label(blank):
    for y in (["a", "b", blank], np.array(["a", "b", blank]), pd.Series(["a", "b", blank], dtype="string")):
        labels = encode(y)
        assert labels.classes.tolist() == ["a", "b"]
        assert labels.is_labeled.tolist() == [True, True, False]


def test_what_names_the_classes_goes_by_their_names():
    """A series of ``value_counts`` is sorted by frequency, not as the classes are."""
    classes, cost = np.array(["a", "b", "c"]), np.arange(9.0).reshape(3, 3)
    shares = pd.Series({"c": 0.5, "a": 0.3, "b": 0.2})
    for one in (shares, shares.to_dict()):
        assert in_class_order("class_prior", one, classes).tolist() == [0.3, 0.2, 0.5]
    frame = pd.DataFrame(cost, index=classes, columns=classes)
    for one in (
        frame,
        frame.iloc[::-1],
        frame[["c", "a", "b"]],
        frame.loc[["b", "a", "c"], ["c", "b", "a"]],
    ):
        assert_array_equal(in_class_order("cost", one, classes), cost)
    for one in (
        [1, 2, 3],
        pd.Series([1, 2, 3]),
        pl.Series([1, 2, 3]),
        pd.DataFrame(cost),
        "balanced",
        None,
    ):
        assert in_class_order("cost", one, classes) is one
    backward = pd.Series([0.1, 0.9], index=[1, 0])
    assert in_class_order("class_prior", backward, np.array([0, 1])).tolist() == [0.9, 0.1]


@pytest.mark.parametrize(
    "one",
    [
        {"a": 1},
        {"a": 1, "b": 1, "c": 1, "d": 1},
        pd.Series([1, 1, 1], index=["a", "b", "x"]),
        pd.Series([1, 1, 1, 1], index=["a", "b", "c", "c"]),
        pd.DataFrame(np.eye(3), columns=["c", "b", "a"]),
    ],
)
def test_what_names_other_classes_is_refused(one):
    with pytest.raises(ParameterError, match=r"cost is a \w+ that names .* each of the classes .*'a', 'b'"):
        in_class_order("cost", one, np.array(["a", "b", "c"]))


def test_integers_of_pyarrow_beside_nulls_stay_integers():
    large = 2**60 + 1
    for y in (pa.array([large, None, large + 1]), pa.chunked_array([[large, None], [large + 1]])):
        labels = encode(y)
        assert labels.classes.tolist() == [large, large + 1]
        assert labels.classes.dtype.kind == "i"
        assert labels.is_labeled.tolist() == [True, False, True]


@pytest.mark.filterwarnings("error::semigen.exceptions.LabelWarning")
def test_a_scale_below_the_marker_is_told():
    for y in ([-2, -1, 0, 1, 2], [-2.0, float("nan"), 1.0], pd.Series([-2, None, 2, -1], dtype="Int64")):
        with pytest.raises(LabelWarning, match=r"has the class -2.*unlabeled=None"):
            encode(y)
    encode([-2, -1, 0, 1, 2], None)
    encode([-2, 0, 1, 2])
    encode([-1, 0, 1])
    encode([0, -2, -9], -9)
