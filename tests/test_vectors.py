"""Columns of lists of numbers in data frames, and texts and vectors that come in no frame."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semigen import MixtureClassifier
from semigen.columns import describe, learn, read
from semigen.exceptions import ColumnError, ColumnWarning

N = 40
RNG = np.random.default_rng(0)
AGE, CODE = RNG.normal(40, 9, N), np.arange(N) % 2
VECTORS = RNG.normal(size=(N, 3)) + 3 * CODE[:, None]
Y = np.where(np.arange(N) < 12, CODE, -1)
WIDE = np.column_stack([AGE, VECTORS])


def frames():
    rows = VECTORS.tolist()
    index = [f"r{j}" for j in range(N)]
    yield "pandas", pd.DataFrame({"age": AGE, "v": list(VECTORS)}, index=index)
    yield "pandas lists", pd.DataFrame({"age": AGE, "v": rows})
    yield "polars list", pl.DataFrame({"age": AGE, "v": rows})
    yield "polars array", pl.DataFrame({"age": AGE, "v": pl.Series(VECTORS, dtype=pl.Array(float, 3))})
    yield "pyarrow", pa.table({"age": AGE, "v": rows})
    yield "pyarrow fixed", pa.table({"age": AGE, "v": pa.array(rows, pa.list_(pa.float64(), 3))})


@pytest.mark.parametrize("frame", [pytest.param(one, id=name) for name, one in frames()])
def test_lists_of_one_length_are_columns(frame):
    schema, matrix = learn(frame)
    assert schema.names == ("age", "v[0]", "v[1]", "v[2]")
    assert_array_equal(matrix, WIDE)
    assert_array_equal(read(schema, frame), WIDE)
    assert [one.name for one in describe(frame)] == list(schema.names)
    model, plain = MixtureClassifier().fit(frame, Y), MixtureClassifier().fit(WIDE, Y)
    assert_allclose(model.predict_proba(frame), plain.predict_proba(WIDE), rtol=1e-12)


def test_missing_lists_and_numbers_are_missing_values():
    cells = [[1.0, None], None, *VECTORS[2:, :2].tolist()]
    frame = pd.DataFrame({"v": cells}, index=[f"r{j}" for j in range(N)])
    matrix = learn(frame)[1]
    assert_array_equal(np.isnan(matrix[:2]), [[False, True], [True, True]])
    filled = MixtureClassifier().fit(frame, Y).impute(frame)
    assert filled.index.tolist() == frame.index.tolist()
    assert filled.columns.tolist() == ["v[0]", "v[1]"]
    assert not filled.isna().any(axis=None)


def test_the_name_of_a_column_of_lists_means_all_of_its_numbers():
    frame = pd.DataFrame({"age": AGE, "v": list(VECTORS), "v[1]x": AGE})
    assert learn(frame, {"v": "id"})[0].names == ("age", "v[1]x")
    assert learn(frame, {"v[1]": "id", "v": "number"})[0].names == ("age", "v[0]", "v[2]", "v[1]x")
    model = MixtureClassifier({"v": "student_t"}).fit(frame.drop(columns="v[1]x"), Y)
    blocks = model.component_parameters_["blocks"]
    assert [(one["family"], list(one["columns"])) for one in blocks] == [
        ("gaussian", [0]),
        ("student_t", [1, 2, 3]),
    ]
    with pytest.raises(ColumnError, match="no column 'w'"):
        learn(frame, {"w": "id"})


@pytest.mark.parametrize("make", [pd.DataFrame, pa.table], ids=["pandas", "pyarrow"])
def test_a_table_without_any_list_has_missing_values(make):
    schema, _ = learn(make({"age": AGE, "v": VECTORS.tolist()}))
    found = read(schema, make({"age": AGE[:2], "v": [None, None]}))
    assert_array_equal(found[:, 0], AGE[:2])
    assert np.isnan(found[:, 1:]).all()
    with pytest.raises(ColumnError, match="'v' has cells that are no lists of 3 numbers"):
        read(schema, make({"age": AGE[:2], "v": [[1.0, 2.0], [3.0]]}))


def test_single_precision_of_lists_is_kept():
    frame = pd.DataFrame({"v": list(VECTORS.astype(np.float32))})
    assert learn(frame)[1].dtype == np.float32


@pytest.mark.parametrize(
    "cells",
    [
        [[1.0, 2.0][: 1 + j % 2] for j in range(N)],
        [[1.0]] * N,
        [[[1.0, 2.0], [3.0, 4.0]]] * N,
    ],
    ids=["uneven", "of one number", "of lists"],
)
def test_other_lists_are_not_used(cells):
    frame = pd.DataFrame({"age": AGE, "v": cells})
    with pytest.warns(ColumnWarning, match="its cells are lists, and not all of numbers and of one length"):
        assert learn(frame)[0].names == ("age",)


TEXTS = ["soil seed flower", "piston valve torque"] * 20


@pytest.mark.parametrize("texts", [TEXTS, np.array(TEXTS), pd.Series(TEXTS), pl.Series(TEXTS)], ids=type)
def test_texts_belong_in_a_frame(texts):
    with pytest.raises(ColumnError, match=r"one column of text .*pandas.DataFrame\({'text': X}\)"):
        MixtureClassifier().fit(texts, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColumnWarning)
        model = MixtureClassifier().fit(pd.DataFrame({"text": TEXTS}), Y)
    with pytest.raises(ColumnError, match="one column of text"):
        model.predict(texts)


def test_vectors_belong_in_a_matrix():
    with pytest.raises(ColumnError, match=r"one column of lists .*numpy.stack\(X\)"):
        MixtureClassifier().fit(pd.Series(list(VECTORS)), Y)
    MixtureClassifier().fit(list(VECTORS), Y)
