"""Independent blocks of columns, each with a family of its own: one model of a mixed table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices
from semigen.data.blocks import Blocks, Engine, Missing, among
from semigen.exceptions import ColumnError, ParameterError
from semigen.families.protocol import Array, Family, Floats, Walk


@dataclass(frozen=True)
class Parts:
    """Priors, parameters or statistics of the blocks, in their order.

    Attributes
    ----------
    parts : tuple of records
    """

    parts: tuple[Any, ...]

    @property
    def strength(self) -> tuple[Any, ...]:
        """Pseudo-rows of each block, of a prior."""
        return tuple(part.strength for part in self.parts)

    def merge(self, other: Parts) -> Parts:
        """The sums over both sets of rows, of statistics."""
        return Parts(tuple(a.merge(b) for a, b in zip(self.parts, other.parts, strict=True)))


class Product(Family):
    """``log p(x | c) = Σ_b log p_b(x_b | c)``: blocks of columns are independent given the component.

    Each block keeps its own prior, smoothing and way with missing values.

    Parameters
    ----------
    blocks : iterable of (columns, Family)
        Column numbers of each block and its family. Every column of the table belongs to one block.

    Raises
    ------
    ParameterError
        If a column is in two blocks or in none, or a block takes no dense rows.
    """

    name = "product"

    def __init__(self, blocks: Iterable[tuple[Iterable[int], Family]]) -> None:
        self.blocks = tuple((tuple(int(j) for j in columns), family) for columns, family in blocks)
        every = sorted(j for columns, _ in self.blocks for j in columns)
        if not every or every != list(range(len(every))):
            raise ParameterError(
                f"the blocks of a product hold the columns {every}: each column of the table, from 0, "
                "belongs to exactly one block."
            )
        self.takes_missing = all(family.takes_missing for _, family in self.blocks)

    @property
    def has_single(self) -> bool:  # type: ignore[override]
        """Whether the walk of a block has."""
        return any(family.has_single for _, family in self.blocks)

    def accepts(self, missing: Missing) -> bool:
        return all(self._each(lambda family, columns: family.accepts(among(missing, columns))))

    def __repr__(self) -> str:
        return f"Product({self.blocks!r})"

    def _columns(self) -> list[slice | list[int]]:
        """Columns of each block; a gapless block is a slice, which copies nothing."""
        return [
            slice(columns[0], columns[-1] + 1)
            if list(columns) == list(range(columns[0], columns[0] + len(columns)))
            else list(columns)
            for columns, _ in self.blocks
        ]

    def _each(self, function: Callable[..., Any], *records: Parts) -> tuple[Any, ...]:
        """``function(family, columns, its part of each record)`` of every block."""
        parts = (
            zip(*(record.parts for record in records), strict=True) if records else [()] * len(self.blocks)
        )
        families = (family for _, family in self.blocks)
        return tuple(
            function(family, columns, *part)
            for family, columns, part in zip(families, self._columns(), parts, strict=True)
        )

    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> Parts:
        return self._priors(lambda family, own: family.fit_prior(own, shrinkage, engine), data)

    def fit_within_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> Parts:
        return self._priors(lambda family, own: family.fit_within_prior(own, shrinkage, engine), data)

    def _priors(self, fitted: Callable[[Family, Blocks], Any], data: Blocks) -> Parts:
        def prior(family: Family, columns: Any) -> Any:
            try:
                return fitted(family, data.columns(columns))
            except ColumnError as error:
                own = np.arange(data.n_columns)[columns]
                where = own[list(error.columns)] if error.columns else own
                raise ColumnError(error.what, columns=where.tolist()) from error

        return Parts(self._each(prior))

    def pooled(self) -> Family:
        blocks = [(columns, family.pooled()) for columns, family in self.blocks]
        same = all(one is two for (_, one), (_, two) in zip(blocks, self.blocks, strict=True))
        return self if same else Product(blocks)

    def prior_around(self, pooled: Parts, params: Parts, shrinkage: float | None) -> Parts:
        return Parts(self._each(lambda family, _, *own: family.prior_around(*own, shrinkage), pooled, params))

    def separate(self, prior: Parts, params: Parts) -> Parts:
        return Parts(self._each(lambda family, _, *own: family.separate(*own), prior, params))

    def reference(self, prior: Parts, n_components: int) -> Parts:
        return Parts(self._each(lambda family, _, own: family.reference(own, n_components), prior))

    def moved(self, prior: Parts, params: Parts) -> Parts:
        return Parts(self._each(lambda family, _, *own: family.moved(*own), prior, params))

    def walk(self, params: Parts, dtype: Any, missing: Missing = None) -> ProductWalk:
        def start(family: Family, columns: Any, own: Any) -> Walk:
            return family.walk(own, dtype, among(missing, columns))

        return ProductWalk(self._columns(), self._each(start, params))

    def m_step(self, prior: Parts, stats: Parts, params: Parts) -> Parts:
        return Parts(self._each(lambda family, _, *own: family.m_step(*own), prior, stats, params))

    def log_prior(self, prior: Parts, params: Parts) -> float:
        return float(sum(self._each(lambda family, _, *own: family.log_prior(*own), prior, params)))

    def reusable(self, missing: Missing = None) -> bool:
        return all(self._each(lambda family, columns: family.reusable(among(missing, columns))))

    def log_likelihood(self, params: Parts, stats: Parts) -> float:
        return float(sum(self._each(lambda family, _, *own: family.log_likelihood(*own), params, stats)))

    def points(self, prior: Parts, x: NDArray[Any]) -> Array:
        return np.hstack(self._each(lambda family, columns, own: family.points(own, x[:, columns]), prior))

    def sample(self, params: Parts, components: Indices, rng: np.random.Generator) -> Array:
        def draw(family: Family, columns: Any, own: Any) -> None:
            rows[:, columns] = family.sample(own, components, rng)

        rows = np.empty((len(components), sum(len(columns) for columns, _ in self.blocks)))
        self._each(draw, params)
        return rows

    def expect_missing(self, params: Parts, x: Array, resp: Array) -> Array:
        def fill(family: Family, columns: Any, own: Any) -> None:
            rows[:, columns] = family.expect_missing(own, x[:, columns], resp)

        rows = np.empty_like(x)
        self._each(fill, params)
        return rows

    def draw_missing(self, params: Parts, x: Array, components: Indices, rng: np.random.Generator) -> Array:
        def fill(family: Family, columns: Any, own: Any) -> None:
            rows[:, columns] = family.draw_missing(own, x[:, columns], components, rng)

        rows = np.empty_like(x)
        self._each(fill, params)
        return rows

    def summary(self, params: Parts) -> dict[str, Any]:
        """``mean`` (C, D), NaN for columns without one, and ``blocks``: the summary of each block."""
        own = self._each(lambda family, _, part: family.summary(part), params)
        blocks = [
            {"family": family.name, "columns": list(columns), **summary}
            for (columns, family), summary in zip(self.blocks, own, strict=True)
        ]
        means = [block["mean"] for block in blocks if "mean" in block]
        if not means:
            return {"blocks": blocks}
        mean = np.full((len(means[0]), sum(len(columns) for columns, _ in self.blocks)), np.nan)
        for block in blocks:
            if "mean" in block:
                mean[:, block["columns"]] = block["mean"]
        return {"mean": mean, "blocks": blocks}

    def n_free(self, params: Parts) -> int:
        return int(sum(self._each(lambda family, _, own: family.n_free(own), params)))


class ProductWalk(Walk):
    """The blocks' walks side by side."""

    def __init__(self, columns: list[slice | list[int]], walks: tuple[Walk, ...]) -> None:
        self._parts = list(zip(columns, walks, strict=True))
        self.chunk_rows = min(walk.chunk_rows for walk in walks)

    def log_prob(self, x: NDArray[Any]) -> Floats:
        first, *others = self._parts
        total = first[1].log_prob(x[:, first[0]])
        for columns, walk in others:
            total = total + walk.log_prob(x[:, columns])
        return total

    def add(self, resp: Floats) -> None:
        for _, walk in self._parts:
            walk.add(resp)

    def stats(self) -> Parts:
        return Parts(tuple(walk.stats() for _, walk in self._parts))
