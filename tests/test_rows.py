"""Rows, their weights, and predictions block by block."""

import numpy as np
import pytest

from semigen.data.containers import _equal
from semigen.data.labels import encode
from semigen.data.rows import BLOCK_ROWS, by_blocks
from semigen.data.weights import estimated_shares
from semigen.exceptions import LabelError


def test_blocks_in_threads_are_the_whole_in_the_order_of_the_rows(rng):
    X = rng.normal(size=(2 * BLOCK_ROWS + 6, 2))
    sizes = []

    def function(rows):
        sizes.append(len(rows))
        return rows**2

    np.testing.assert_array_equal(by_blocks(function, X, 2, n_threads=2), X**2)
    assert sum(sizes) == len(X)
    assert len(sizes) == 4  # as many for each thread
    assert max(sizes) - min(sizes) <= 1
    sizes.clear()
    by_blocks(function, X[:600], 2, n_threads=4)
    assert sizes == [300, 300]


def test_estimated_shares_weigh_equal_shares_against_any_by_their_evidence():
    count = np.array([3.0, 7.0])
    grid = (np.arange(20_000) + 0.5) / 20_000
    likelihood = grid**3 * (1 - grid) ** 7
    uneven, even = 0.7 * likelihood.mean(), 0.3 * 0.5**10
    mean = 0.7 * (likelihood * grid).mean() / uneven
    wanted = (even * 0.5 + uneven * mean) / (even + uneven)
    np.testing.assert_allclose(estimated_shares(count), [wanted, 1 - wanted], atol=2e-3)


@pytest.mark.parametrize("n", [8, 38])
def test_two_labels_of_a_rare_class_are_an_upper_bound(n):
    grid = (np.arange(20_000) + 0.5) / 20_000
    even = 0.3 * 0.5 ** (n + 2)
    uneven = 0.7 * (grid**2 * (1 - grid) ** n).mean()
    mean = np.mean([(k + 1) / (n + k + 2) for k in range(3)])  # chance gave k of the two, the rest was sought
    wanted = (even * 0.5 + uneven * mean) / (even + uneven)
    np.testing.assert_allclose(estimated_shares(np.array([2.0, n]))[0], wanted, atol=0.005)
    third = estimated_shares(np.array([3.0, 2.0 * n]))[0]
    assert third > 1.25 * estimated_shares(np.array([2.0, 2.0 * n]))[0]


@pytest.mark.parametrize("share", [0.5, 0.2, 0.01])
def test_estimated_shares_are_better_than_counted_ones_and_become_them(share, rng):
    truth = np.array([share, 1 - share])
    few, many = rng.multinomial(10, truth, size=500), rng.multinomial(100_000, truth, size=20)
    found, counted = estimated_shares(few.astype(float)), (few + 0.5) / 11
    losses = [-(np.log(one) @ truth).mean() for one in (found, counted)]
    assert losses[0] < losses[1] + 0.05
    if share == 0.5:
        assert losses[0] < losses[1] - 0.015
    np.testing.assert_allclose(estimated_shares(many.astype(float)), many / 100_000, atol=0.006)
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_what_cannot_be_compared_with_the_marker_is_not_the_marker():
    assert not _equal(np.array([1, 2]), 1)
    assert _equal(-1, -1.0)


def test_text_that_looks_like_nan_is_named_as_nan():
    with pytest.raises(LabelError, match=r"looks like NaN.*give an array of dtype=object"):
        encode(np.array(["a", "nan", "b"]))
