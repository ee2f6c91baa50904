"""Predictions block by block."""

import numpy as np

from semigen.data.rows import BLOCK_ROWS, by_blocks


def test_blocks_in_threads_are_the_whole_in_the_order_of_the_rows(rng):
    X = rng.normal(size=(2 * BLOCK_ROWS + 7, 2))
    sizes = []

    def function(rows):
        sizes.append(len(rows))
        return rows**2

    np.testing.assert_array_equal(by_blocks(function, X, 2, n_threads=2), X**2)
    assert sum(sizes) == len(X)
    assert max(sizes) == BLOCK_ROWS
