"""Categories: independent columns with a probability for each level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices, chunks
from semigen.columns import Kind
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.exceptions import ParameterError
from semigen.families.cells import CellCounts, CellWalk, column_sums, of_one_row, one_hot, starts_of
from semigen.families.discrete import (
    CHUNK_ROWS,
    FLOOR,
    Discrete,
    PseudoRows,
    Standard,
    check_support,
    looked_at,
)
from semigen.families.protocol import Array

Sizes = NDArray[np.intp]

MAX_LEVELS = 2**16
UNSEEN_ROWS = 1.0
"""Rows, spread evenly over the levels and the entry of unknown ones, that smooth the prior's frequencies."""


@dataclass(frozen=True)
class Levels:
    """Parameters.

    Attributes
    ----------
    log_prob : ndarray of shape (C, W)
        Log p(level | c), the columns one after the other. With smoothing each column ends with an entry for
        levels that training did not know; without, such a level counts as missing.
    n_levels : ndarray of shape (D,)
        Known levels of each column, L_d.
    """

    log_prob: Array
    n_levels: Sizes

    @property
    def smooth(self) -> bool:
        """Whether unknown levels have an entry."""
        return bool(self.log_prob.shape[1] > self.n_levels.sum())

    @property
    def sizes(self) -> Sizes:
        """Entries of each column."""
        return self.n_levels + self.smooth

    @property
    def known(self) -> NDArray[np.intp]:
        """Entries of known levels, (ΣL,)."""
        every = np.arange(int(self.sizes.sum()))
        return np.delete(every, starts_of(self.sizes) + self.n_levels) if self.smooth else every


class Categorical(Discrete):
    """``log p(x | c) = Σ_d log p_cd(x_d)``, x_d in {0, 1, …, L_d - 1} the number of a level.

    Prior: Dirichlet, as s pseudo-rows with the level frequencies of all rows (default s = 2), which are
    themselves smoothed by one row spread evenly over the levels and an entry for unknown ones. A level
    unknown to training (any other number) has that entry's probability; with maximum likelihood
    (``shrinkage=0``) it has none and drops out of the density, as a missing value does. Probabilities stay
    ≥ 1e-12.

    Parameters
    ----------
    n_levels : sequence of int or None, default=None
        Levels of each column, L_d. None: one more than the largest number in the rows given to
        :meth:`fit_prior`.
    """

    name = "categorical"
    kind: Kind = "category"

    def __init__(self, n_levels: Sequence[int] | None = None) -> None:
        self.n_levels = None if n_levels is None else tuple(int(n) for n in n_levels)
        if self.n_levels is not None and not all(1 <= n <= MAX_LEVELS for n in self.n_levels):
            raise ParameterError(f"n_levels={self.n_levels}: every column has from 1 to {MAX_LEVELS} levels.")

    def __repr__(self) -> str:
        return f"Categorical(n_levels={self.n_levels!r})"

    def neutral(self, data: Blocks, engine: Engine, *, smooth: bool) -> Levels:
        n_levels = self._count_levels(data, engine)
        return Levels(np.zeros((1, int((n_levels + smooth).sum()))), n_levels)

    def _count_levels(self, data: Blocks, engine: Engine) -> Sizes:
        if self.n_levels is not None and len(self.n_levels) != data.n_columns:
            raise ParameterError(
                f"n_levels has {len(self.n_levels)} numbers and the rows {data.n_columns} columns: give one "
                "for each column."
            )
        found = np.max(engine.map_blocks(_largest_levels, data), axis=0).astype(np.intp) + 1
        return found if self.n_levels is None else np.asarray(self.n_levels, dtype=np.intp)

    def average(self, total: CellCounts, params: Levels) -> CellCounts:
        sizes = params.sizes
        extra = np.repeat(UNSEEN_ROWS / sizes, sizes) if params.smooth else 0.0
        return of_one_row(total.count + extra, sizes)

    def standard(self, data: Blocks, engine: Engine, row: CellCounts, params: Levels) -> Standard:
        # one-hot, and the variances of a column's levels sum to 1
        share = row.count[0]
        spread = 1.0 - column_sums(share**2, params.sizes)
        chosen = Standard.of(share, share * (1.0 - share))
        scale = np.repeat(np.sqrt(np.where(spread > 0, spread, 1.0)), params.sizes)
        return Standard(chosen.columns, chosen.center, scale[chosen.columns])

    def points(self, prior: PseudoRows, x: NDArray[Any]) -> Array:
        walk = self.walk(prior.neutral, x.dtype, np.isnan(x).any(axis=0))
        rows = one_hot(walk.entries(x), walk.n_entries + 1)[:, prior.standard.columns].toarray()
        column = np.repeat(np.arange(x.shape[1]), prior.neutral.sizes)[prior.standard.columns]
        rows[np.isnan(x)[:, column]] = np.nan
        chosen = Standard(np.arange(rows.shape[1]), prior.standard.center, prior.standard.scale)
        return chosen.points(rows)

    def walk(self, params: Levels, dtype: Any, missing: Missing = None) -> LevelWalk:
        return LevelWalk(params, looked_at(missing))

    def maximize(self, stats: CellCounts, params: Levels) -> Levels:
        sizes = params.sizes
        total = column_sums(stats.count, sizes)
        share = stats.count / np.repeat(np.where(total > 0, total, 1.0), sizes, axis=1)
        # the exact maximum above the floor: what the floor adds to some, all others give up
        low = share < FLOOR
        rest = (1.0 - FLOOR * column_sums(low.astype(np.float64), sizes)) / np.maximum(
            column_sums(np.where(low, 0.0, share), sizes), FLOOR
        )
        log_prob = np.log(np.where(low, FLOOR, share * np.repeat(rest, sizes, axis=1)))
        log_prob = np.where(np.repeat(total > 0, sizes, axis=1), log_prob, params.log_prob)
        return Levels(log_prob, params.n_levels)

    def log_likelihood(self, params: Levels, stats: CellCounts) -> float:
        return float((stats.count * params.log_prob).sum())

    def _probabilities(self, params: Levels) -> list[Array]:
        """p(level | c, known level) of each column, (C, L_d)."""
        known = np.exp(params.log_prob[:, params.known])
        columns = np.split(known, np.cumsum(params.n_levels)[:-1], axis=1)
        return [column / column.sum(axis=1, keepdims=True) for column in columns]

    def sample(self, params: Levels, components: Indices, rng: np.random.Generator) -> Array:
        rows = np.empty((len(components), len(params.n_levels)))
        for d, probability in enumerate(self._probabilities(params)):
            n_components, n_levels = probability.shape
            # the components' distribution functions one above the other: a single search for all rows
            steps = np.minimum(probability.cumsum(axis=1), 1.0) + np.arange(n_components)[:, None]
            steps[:, -1] = np.arange(n_components) + 1.0
            found = np.searchsorted(steps.ravel(), components + rng.random(len(components)), side="right")
            rows[:, d] = np.clip(found - components * n_levels, 0, n_levels - 1)
        return rows

    def expect_missing(self, params: Levels, x: Array, resp: Array) -> Array:
        result = np.array(x, dtype=np.float64)
        for d, probability in enumerate(self._probabilities(params)):
            absent = np.isnan(result[:, d])
            if absent.any():
                result[absent, d] = (resp[:, absent].T @ probability).argmax(axis=1)
        return result

    def draw_missing(self, params: Levels, x: Array, components: Indices, rng: np.random.Generator) -> Array:
        return np.where(np.isnan(x), self.sample(params, components, rng), x)

    def summary(self, params: Levels) -> dict[str, Any]:
        """``probability``: p(level | c) of each column, (C, L_d); they sum to 1 less p(unknown level | c)."""
        known = np.exp(params.log_prob[:, params.known])
        return {"probability": np.split(known, np.cumsum(params.n_levels)[:-1], axis=1)}

    def n_free(self, params: Levels) -> int:
        return len(params.log_prob) * int((params.n_levels - 1).sum())


class LevelWalk(CellWalk):
    """The entry of a level is its number, counted from where its column's entries begin."""

    def __init__(self, params: Levels, missing: NDArray[np.bool_] | None) -> None:
        super().__init__(params.log_prob, len(params.n_levels))
        self._n_levels = params.n_levels.astype(np.int32)
        start = starts_of(params.sizes).astype(np.int32)
        self._start = start
        self._unknown = start + self._n_levels if params.smooth else np.full_like(start, self.n_entries)
        self._missing = missing is not None

    def entries(self, x: NDArray[Any]) -> NDArray[np.int32]:
        level = np.fmin(np.fmax(x, 0), self._n_levels).astype(np.int32)
        entry = np.asarray(level + self._start)
        odd = (level != x) | (level == self._n_levels)
        if odd.any():
            np.copyto(entry, self._unknown, where=odd)
        if self._missing:
            entry[np.isnan(x)] = self.n_entries
        return entry


def _largest_levels(block: Block) -> Array:
    """The largest number of a level in each column of a block, (D,)."""
    result = np.zeros(block.x.shape[1])
    for piece in chunks(block.rows, CHUNK_ROWS):
        check_support(
            block.x[piece],
            lambda v: (v >= 0) & (v < MAX_LEVELS) & (v == np.floor(v)),
            f"and levels are numbered 0, 1, 2, … up to {MAX_LEVELS - 1}: number them (for example "
            "with sklearn.preprocessing.OrdinalEncoder). More levels than that name rows: drop it.",
        )
        result = np.fmax(result, np.fmax.reduce(block.x[piece], axis=0))
    return result
