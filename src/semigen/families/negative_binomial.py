"""Counts that spread more than Poisson's: independent negative binomial columns with mean and size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, polygamma, psi

from semigen.arrays.pieces import Indices, chunks
from semigen.columns import Kind
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.families.cells import CellCounts, CellWalk, column_sums, of_one_row, starts_of
from semigen.families.discrete import (
    CHUNK_ROWS,
    FLOOR,
    Discrete,
    PseudoRows,
    Standard,
    check_counts,
    looked_at,
    measured_standard,
    transformed,
)
from semigen.families.protocol import Array, Floats, Walk

SIZE_RANGE = (1e-2, 1e5)
"""At the largest size the variance is that of Poisson's distribution, plus (mean / 316)²."""

EXACT = 1024
"""Smaller counts are taken as they are, larger ones with 10 significant bits."""

OCTAVE = EXACT // 2
NEWTON_STEPS = 100
ENOUGH = 1e-14
"""The search for a size stops where its next step would gain less, nats per row."""

HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
SERIES_FROM = 32.0
"""From here on four terms of the series of Γ, ψ and ψ' have full precision."""


@dataclass(frozen=True)
class CountValues:
    """The values that each column has had, one column after the other.

    A value has a code: itself below 1024; above, the codes go on with 512 for each doubling.

    Attributes
    ----------
    value : ndarray of shape (W,)
        Rising within a column.
    sizes : ndarray of shape (D,), intp
        Values of each column.
    entry : ndarray of int32
        Which value a code is, -1 for one that did not occur; columns one after the other.
    n_codes : ndarray of shape (D,), intp
        Codes of each column in ``entry``.
    """

    value: Array
    sizes: NDArray[np.intp]
    entry: NDArray[np.int32]
    n_codes: NDArray[np.intp]

    @property
    def column(self) -> NDArray[np.intp]:
        """Column of each value, (W,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


@dataclass(frozen=True)
class MeansSizes:
    """Parameters.

    Attributes
    ----------
    mean : ndarray of shape (C, D)
        E[x | c] = μ.
    size : ndarray of shape (C, D)
        r; Var[x | c] = μ + μ² / r.
    values : CountValues
    """

    mean: Array
    size: Array
    values: CountValues

    @cached_property
    def log_prob(self) -> Array:
        """Log p(value | c) of the values that occurred, (C, W)."""
        column = self.values.column
        return log_pmf(self.values.value, self.mean[:, column], self.size[:, column])


class NegativeBinomial(Discrete):
    """``log p(x | c) = Σ_d log [Γ(x_d + r) / (Γ(r) x_d!) · (r / (r + μ))^r · (μ / (r + μ))^x_d]``.

    Mean μ and size r of each component and column; the variance is μ + μ² / r, so a large size is Poisson's
    distribution. Sizes stay in [0.01, 10⁵] and means ≥ 1e-12.

    Prior: s pseudo-rows in which each column has the distribution of counts of all rows (default s = 2).
    ``shrinkage=0`` is maximum likelihood. The maximum in μ is the mean, whatever the size (Anscombe 1950,
    *Biometrika* 37:358), and the likelihood of the size then has a single maximum (Levin & Reeds
    1977, *Annals of Statistics* 5:79).

    The sufficient statistics are the weights of the distinct counts. Counts from 1024 on are rounded to 10
    significant bits, by at most 0.1 % where no distribution here spreads by less than 0.3 %, so a column has
    at most 1024 values and 512 for each doubling above, however many rows there are.

    A missing count drops out of the density.
    """

    name = "negative_binomial"
    kind: Kind = "count"

    def neutral(self, data: Blocks, engine: Engine, *, smooth: bool) -> MeansSizes:
        one = np.ones((1, data.n_columns))
        return MeansSizes(one, one, _count_values(data, engine))

    def average(self, total: CellCounts, params: MeansSizes) -> CellCounts:
        return of_one_row(total.count, params.values.sizes)

    def standard(self, data: Blocks, engine: Engine, row: CellCounts, params: MeansSizes) -> Standard:
        return measured_standard(data, engine, partial(transformed, np.log1p))

    def points(self, prior: PseudoRows, x: NDArray[Any]) -> Array:
        return prior.standard.points(np.log1p(np.asarray(x, dtype=np.float64)))

    def walk(self, params: MeansSizes, dtype: Any, missing: Missing = None) -> Walk:
        return CountWalk(params, looked_at(missing))

    def maximize(self, stats: CellCounts, params: MeansSizes) -> MeansSizes:
        values = params.values
        rows = column_sums(stats.count, values.sizes)
        there = rows > 0
        mean = column_sums(stats.count * values.value, values.sizes) / np.where(there, rows, 1.0)
        mean = np.maximum(np.where(there, mean, params.mean), FLOOR)
        size = np.broadcast_to(params.size, mean.shape)
        return MeansSizes(mean, _best_size(stats.count, rows, mean, size, values), values)

    def log_likelihood(self, params: MeansSizes, stats: CellCounts) -> float:
        return float((stats.count * params.log_prob).sum())

    def sample(self, params: MeansSizes, components: Indices, rng: np.random.Generator) -> Array:
        mean, size = params.mean[components], params.size[components]
        return rng.negative_binomial(size, size / (size + mean)).astype(np.float64)

    def expect_missing(self, params: MeansSizes, x: Array, resp: Array) -> Array:
        return np.where(np.isnan(x), resp.T @ params.mean, x)

    def draw_missing(
        self, params: MeansSizes, x: Array, components: Indices, rng: np.random.Generator
    ) -> Array:
        return np.where(np.isnan(x), self.sample(params, components, rng), x)

    def summary(self, params: MeansSizes) -> dict[str, Any]:
        """``mean`` μ and ``size`` r, (C, D)."""
        return {"mean": params.mean, "size": params.size}

    def n_free(self, params: MeansSizes) -> int:
        return params.mean.size + params.size.size


class CountWalk(CellWalk):
    """Counts that training had are looked up; others, which only rows to predict have, are computed."""

    def __init__(self, params: MeansSizes, missing: NDArray[np.bool_] | None) -> None:
        super().__init__(params.log_prob, len(params.values.sizes))
        self._params = params
        self._start = starts_of(params.values.n_codes)
        self._missing = missing is not None

    def entries(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """Number of each count's value, W where the value is missing or its count is new."""
        check_counts(x)
        values = self._params.values
        code = count_code(x)
        inside = code < values.n_codes
        entry = values.entry.take(np.where(inside, code, 0) + self._start)
        self._new = (entry < 0) | ~inside
        if self._missing:
            absent = np.isnan(x)
            self._new &= ~absent
            entry[absent] = self.n_entries
        entry[self._new] = self.n_entries
        return entry

    def log_prob(self, x: NDArray[Any]) -> Floats:
        log_prob = super().log_prob(x)
        if self._new.any():
            row, column = np.nonzero(self._new)
            count = code_value(count_code(x[row, column]))
            params = self._params
            added = log_pmf(count, params.mean[:, column], params.size[:, column])
            np.add.at(log_prob.T, row, added.T)
        return log_prob


def count_code(x: NDArray[Any]) -> NDArray[np.intp]:
    """Code of each count; that of a missing value is 0."""
    count = np.asarray(np.fmax(x, 0.0), dtype=np.float64)
    if count.max(initial=0.0) < EXACT:
        return count.astype(np.intp)
    mantissa, exponent = np.frexp(count)
    large = EXACT - OCTAVE + (exponent - 11) * OCTAVE + np.rint(mantissa * EXACT)
    return np.where(count < EXACT, count, large).astype(np.intp)


def code_value(code: NDArray[np.intp]) -> Array:
    """The count that a code stands for."""
    octave, step = np.divmod(np.maximum(code - EXACT, 0), OCTAVE)
    return np.where(code < EXACT, code, np.ldexp(1.0 * (OCTAVE + step), octave + 1))


def _largest_codes(block: Block) -> Indices:
    """The largest code in each column of a block, (D,)."""
    result = np.zeros(block.x.shape[1], dtype=np.intp)
    for piece in chunks(block.rows, CHUNK_ROWS):
        check_counts(block.x[piece])
        result = np.maximum(result, count_code(block.x[piece]).max(axis=0))
    return result


def _codes_present(start: Indices, n_codes: int, block: Block) -> NDArray[np.bool_]:
    """Which codes occur in a block, columns one after the other."""
    result = np.zeros(n_codes, dtype=bool)
    for piece in chunks(block.rows, CHUNK_ROWS):
        values = block.x[piece]
        result[(count_code(values) + start)[~np.isnan(values)]] = True
    return result


def _count_values(data: Blocks, engine: Engine) -> CountValues:
    """The values that occur in each column."""
    n_codes = np.max(engine.map_blocks(_largest_codes, data), axis=0) + 1
    start = starts_of(n_codes)
    present = partial(_codes_present, start, int(n_codes.sum()))
    occurs = np.any(engine.map_blocks(present, data), axis=0)
    occurs[start] = True  # no column is without an entry
    entry = np.where(occurs, np.cumsum(occurs) - 1, -1).astype(np.int32)
    code = np.flatnonzero(occurs) - np.repeat(start, np.add.reduceat(occurs.astype(np.intp), start))
    sizes = np.add.reduceat(occurs.astype(np.intp), start)
    return CountValues(code_value(code), sizes, entry, n_codes)


def log_pmf(count: Array, mean: Array, size: Array) -> Array:
    """Log probability of counts (m,) under means and sizes (C, m).

    As a binomial probability in Loader's form (2000, *Fast and Accurate Computation of Binomial
    Probabilities*): deviances, which are small where the probability is not, in place of log gamma functions,
    whose differences have lost their digits at counts of a billion.
    """
    some = np.maximum(count, 1.0)
    total = some + size
    apart = size * (some - mean) / (size + mean)  # the count less what is expected of total, μ / (r + μ)
    log_prob = (
        np.log(size / total)
        + _stirling_rest(total)
        - _stirling_rest(size)
        - _stirling_rest(some)
        - _deviance(some, total * (mean / (size + mean)), apart)
        - _deviance(size, total * (size / (size + mean)), -apart)
        + 0.5 * np.log(total / (2.0 * np.pi * size * some))
    )
    return np.where(count > 0, log_prob, -size * np.log1p(mean / size))


def _stirling_rest(z: Array) -> Array:
    """``log Γ(z + 1) - [(z + ½) log z - z + ½ log 2π]``, z > 0 (Abramowitz & Stegun 1964, 6.1.41)."""
    large = np.maximum(z, SERIES_FROM)
    inverse = 1.0 / (large * large)
    rest = np.asarray((1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / large)
    small = z < SERIES_FROM
    few = z[small]
    rest[small] = gammaln(few + 1.0) - (few + 0.5) * np.log(few) + few - HALF_LOG_2PI
    return rest


def _deviance(x: Array, expected: Array, difference: Array) -> Array:
    """``x log(x / m) - (x - m)`` of positive x and m, given x - m too; by a series where it is small."""
    v = difference / (x + expected)
    square = np.minimum(v * v, 0.01)
    series = np.zeros_like(v)
    for k in range(19, 1, -2):
        series = (series + 1.0 / k) * square
    near = v * (difference + 2.0 * x * series)
    return np.where(np.abs(v) < 0.1, near, x * np.log(x / expected) - difference)


def _psi_rest(z: Array) -> Array:
    """``log z - ψ(z)``, z > 0 (Abramowitz & Stegun 1964, 6.3.18)."""
    large = np.maximum(z, SERIES_FROM)
    inverse = 1.0 / (large * large)
    series = 1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240))
    rest = np.asarray(0.5 / large + inverse * series)
    small = z < SERIES_FROM
    rest[small] = np.log(z[small]) - psi(z[small])
    return rest


def _trigamma(z: Array) -> Array:
    """``ψ'(z)``, z > 0 (Abramowitz & Stegun 1964, 6.4.12)."""
    inverse = 1.0 / np.maximum(z, SERIES_FROM)
    square = inverse * inverse
    series = 1 / 6 - square * (1 / 30 - square * (1 / 42 - square / 30))
    value = np.asarray(inverse + square * (0.5 + inverse * series))
    small = z < SERIES_FROM
    value[small] = polygamma(1, z[small])
    return value


def _best_size(count: Array, rows: Array, mean: Array, start: Array, values: CountValues) -> Array:
    """The size of each component and column with the highest likelihood, given the mean.

    Newton's method on the derivative by log r, inside a bracket that only shrinks; the likelihood has one
    maximum in r (Levin & Reeds 1977), so where the derivative has the same sign throughout the range, its
    end is the maximum.
    """
    column = values.column

    def slope(log_size: Array) -> tuple[Array, Array]:
        """First and second derivative of the log likelihood by log r."""
        size = np.exp(log_size)
        wide = size[:, column]
        total = wide + values.value
        # ψ(r + x) - ψ(r) in terms that stay exact where r is large
        rising = np.log1p(values.value / wide) - _psi_rest(total) + _psi_rest(size)[:, column]
        first = column_sums(count * rising, values.sizes)
        second = column_sums(count * (_trigamma(total) - _trigamma(size)[:, column]), values.sizes)
        first = size * (first - rows * np.log1p(mean / size))
        return first, first + size**2 * second + rows * mean * size / (size + mean)

    low, high = np.log(SIZE_RANGE)
    lower, upper = np.full_like(mean, low - 1.0), np.full_like(mean, high + 1.0)
    log_size = np.clip(np.log(start), low, high)
    undecided = (rows <= 0) | (mean <= FLOOR)  # no count above 0: every size explains the rows as well
    for _ in range(NEWTON_STEPS):
        first, second = slope(log_size)
        lower = np.where(first > 0, log_size, lower)
        upper = np.where(first < 0, log_size, upper)
        newton = np.clip(log_size - first / np.where(second < 0, second, -1.0), low, high)
        inside = (second < 0) & (newton > lower) & (newton < upper)
        step = np.where(inside, newton, np.clip(0.5 * (lower + upper), low, high)) - log_size
        settled = undecided | (np.abs(first * step) <= ENOUGH * rows)
        step[undecided | (settled & ~inside)] = 0.0
        log_size = log_size + step
        if settled.all():
            break
    return np.asarray(np.exp(log_size))
