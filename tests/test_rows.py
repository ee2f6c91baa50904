"""Rows, their weights, and predictions block by block."""

import numpy as np
import pytest

from semigen.data.containers import _equal
from semigen.data.labels import encode
from semigen.data.rows import BLOCK_ROWS, by_blocks
from semigen.data.weights import balanced
from semigen.exceptions import LabelError


def test_blocks_in_threads_are_the_whole_in_the_order_of_the_rows(rng):
    X = rng.normal(size=(2 * BLOCK_ROWS + 7, 2))
    sizes = []

    def function(rows):
        sizes.append(len(rows))
        return rows**2

    np.testing.assert_array_equal(by_blocks(function, X, 2, n_threads=2), X**2)
    assert sum(sizes) == len(X)
    assert max(sizes) == BLOCK_ROWS


def test_a_class_without_weight_is_balanced_with_the_others():
    labels = encode([0, 0, 0, 1, 2, None])
    weight = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    found = balanced(labels, weight, 5.0)
    np.testing.assert_allclose(found[:4].sum(), 4 * (8 + 6) / (8 + 6 + 5))
    np.testing.assert_allclose(found[3] / found[:3].sum(), 6 / 8)
    assert found[4:].tolist() == [0.0, 1.0]


def test_what_cannot_be_compared_with_the_marker_is_not_the_marker():
    assert not _equal(np.array([1, 2]), 1)
    assert _equal(-1, -1.0)


def test_text_that_looks_like_nan_is_named_as_nan():
    with pytest.raises(LabelError, match=r"looks like NaN.*give an array of dtype=object"):
        encode(np.array(["a", "nan", "b"]))
