"""Counts whose variance is their mean: independent Poisson columns, dense or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from semigen.arrays.pieces import Indices, chunks
from semigen.columns import Kind
from semigen.data.blocks import Block, Blocks, Engine
from semigen.families.discrete import (
    CHUNK_ROWS,
    FLOOR,
    LARGEST_COUNT,
    check_counts,
    check_support,
    is_sparse,
    log_factorial,
    transformed,
)
from semigen.families.linear import Linear, Means
from semigen.families.protocol import Array

LARGEST_TO_FIT = 1e6
"""Above it x log μ - μ - log x!, a small difference of large terms, has lost too many digits."""


class Poisson(Linear):
    """``log p(x | c) = Σ_d [x_d log μ_cd - μ_cd - log x_d!]``, x_d in {0, 1, 2, …}.

    Prior: Gamma, as s pseudo-rows with the mean of all rows (default s = 2). ``shrinkage=0`` is maximum
    likelihood. Means stay ≥ 1e-12. The variance of a component equals its mean; counts that spread more
    make it too sure of itself, and :class:`NegativeBinomial` has a parameter for that.

    A missing count drops out of the density. Sparse rows (CSR) have no missing counts and are never made
    dense. Counts above a million are refused by a fit.
    """

    name = "poisson"
    kind: Kind = "count"
    bounds = (FLOOR, LARGEST_COUNT)

    def neutral(self, data: Blocks, engine: Engine, *, smooth: bool) -> Means:
        engine.map_blocks(_refuse_large, data)
        return super().neutral(data, engine, smooth=smooth)

    def natural(self, mean: Array) -> Array:
        return np.log(mean)

    def log_partition(self, mean: Array) -> Array:
        return mean

    def carrier(self, x: Any) -> Array:
        if is_sparse(x):
            cells = csr_array((log_factorial(x.data), x.indices, x.indptr), shape=x.shape)
            return np.asarray(-cells.sum(axis=1))
        return np.asarray(-log_factorial(x).sum(axis=1))

    def check(self, x: Any) -> None:
        check_counts(x)

    def spread_out(self, x: Any) -> Any:
        return transformed(np.sqrt, x)

    def sample(self, params: Means, components: Indices, rng: np.random.Generator) -> Array:
        return rng.poisson(params.mean[components]).astype(np.float64)

    def expect_missing(self, params: Means, x: Array, resp: Array) -> Array:
        return np.where(np.isnan(x), resp.T @ params.mean, x)

    def draw_missing(self, params: Means, x: Array, components: Indices, rng: np.random.Generator) -> Array:
        return np.where(np.isnan(x), self.sample(params, components, rng), x)


def _refuse_large(block: Block) -> None:
    for piece in chunks(block.rows, CHUNK_ROWS):
        check_support(
            block.x[piece],
            lambda v: v <= LARGEST_TO_FIT,
            "and Poisson counts around a mean above a million spread by less than 0.1 %: use the "
            "family 'negative_binomial', or logarithms as numbers.",
        )
