"""Flags: independent Bernoulli columns, dense or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logit

from semigen.arrays.pieces import Indices
from semigen.columns import Kind
from semigen.families.discrete import FLOOR, check_support, transformed
from semigen.families.linear import Linear, Means
from semigen.families.protocol import Array


class Bernoulli(Linear):
    """``log p(x | c) = Σ_d [x_d logit(p_cd) + log(1 - p_cd)]``, x_d in {0, 1}.

    Prior: Beta, as s pseudo-rows in which each flag is set as often as in all rows (default s = 2).
    ``shrinkage=0`` is maximum likelihood. Probabilities stay in [1e-12, 1 - 1e-12].

    A missing flag drops out of the density. Sparse rows (CSR) have no missing flags and are never made dense.
    """

    name = "bernoulli"
    kind: Kind = "flag"
    bounds = (FLOOR, 1.0 - FLOOR)

    def natural(self, mean: Array) -> Array:
        return np.asarray(logit(mean))

    def log_partition(self, mean: Array) -> Array:
        return np.asarray(-np.log1p(-mean))

    def carrier(self, x: Any) -> float:
        return 0.0

    def check(self, x: Any) -> None:
        check_support(
            x,
            lambda v: (v == 0) | (v == 1),
            "and a flag is 0 or 1: write x > 0 for x, or model these columns as counts or numbers.",
        )

    def spread_out(self, x: Any) -> Any:
        return transformed(np.asarray, x)

    def sample(self, params: Means, components: Indices, rng: np.random.Generator) -> Array:
        chance = params.mean[components]
        return np.asarray(rng.random(chance.shape) < chance, dtype=np.float64)

    def expect_missing(self, params: Means, x: Array, resp: Array) -> Array:
        return np.where(np.isnan(x), resp.T @ params.mean > 0.5, x)

    def draw_missing(self, params: Means, x: Array, components: Indices, rng: np.random.Generator) -> Array:
        return np.where(np.isnan(x), self.sample(params, components, rng), x)
