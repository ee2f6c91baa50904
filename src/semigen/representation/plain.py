"""Columns of every kind as plain numbers of comparable size, for classifiers that know only numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.arrays.pieces import evenly
from semigen.arrays.special import NormalScores
from semigen.columns import Schema
from semigen.common.checks import flag_or_auto
from semigen.em import Data, ThreadEngine
from semigen.estimators.base import TableInput
from semigen.families.elliptical import refuse_overflow

Array = NDArray[np.float64]

CLIP = 4.0
"""Standardized numbers are clipped here, so that an outlier has limited influence."""
ROUNDING = 1e-12
"""Standard deviation of a column over its mean up to which it is constant, whatever its unit."""
RARE = 0.01
"""A column with a larger share of missing values gets an indicator column that says where they are."""
FEWEST_PIXELS = 16
FEWEST_GRAYS, GRAY_VALUES = 8, 257
"""Different values of pixels: more than answers have; at most 256 and one for what is missing in between."""
LOOKED_AT = 2_000
"""Rows that are enough to see whether columns are pixels."""


def look_like_pixels(matrix: Any) -> bool:
    """Whether the columns of (n, D) numbers are pixels: the same few gray values, and some hardly ever vary.

    At least three quarters of the columns are black somewhere, half are nearly white somewhere, and one in
    twenty, as at the border of an image, has less than a quarter of the common standard deviation. Scaled
    column by column, what little there is in these would count as much as the strokes in the middle.
    """
    if issparse(matrix) or matrix.shape[1] < FEWEST_PIXELS:
        return False
    some = np.asarray(matrix[evenly(len(matrix), LOOKED_AT)], dtype=np.float64)
    values = np.unique(some)
    if not FEWEST_GRAYS <= len(values) <= GRAY_VALUES or not np.isfinite(values).all():
        return False
    black, white = values[0], values[-1]
    spread = some.std(axis=0)
    spread = spread[spread > 0]
    return bool(
        (some.min(axis=0) == black).mean() >= 0.75
        and (some.max(axis=0) >= white - 0.1 * (white - black)).mean() >= 0.5
        and (spread < 0.25 * np.sqrt(np.mean(spread**2))).mean() >= 0.05
    )


def one_scale(asked: Any, schema: Schema, matrix: Any) -> bool:
    """Whether numbers keep the ratios of their scales: as asked for, with "auto" where they look like pixels.

    Raises
    ------
    ParameterError
        If ``asked`` is neither a flag nor "auto".
    """
    flag_or_auto("shared_scale", asked)
    return look_like_pixels(matrix) and "category" not in schema.kinds if asked == "auto" else bool(asked)


class PlainColumns(TableInput, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Numbers standardized, levels as indicator columns, missing values filled with the mean and indicated.

    Indicators are 0 or 1 less their mean, so that a rare level or a rare gap weighs little; a number has
    variance 1. Sparse counts are weighted by ``log(1 + count)`` times the inverse document frequency, other
    sparse rows not at all; both are scaled to unit length and stay sparse.

    Parameters
    ----------
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where it is not as they look; see :func:`semigen.columns.learn`.
    gaussian : float in [0, 1], default=0
        Weight of the normal scores of a number, Φ⁻¹(rank / n), averaged with the standardized number: 1
        makes every column of numbers normal, whatever its distribution.
    mark_missing : bool, default=True
        Whether indicator columns say where values are missing.
    shared_scale : bool, default=False
        Whether numbers are coordinates of one space, such as latents or embeddings, in which distances mean
        something: they keep the ratios of their scales, and their mean variance becomes 1.
    equal_columns : bool, default=False
        Whether the levels of a column have a total variance of 1, and so does each indicator of missing
        values, however rare they are: so was it up to version 0.2, and logistic regression and distances were
        the worse for it.

    Attributes
    ----------
    schema_ : Schema
    n_features_in_ : int
    """

    def __init__(
        self,
        kinds: Any = None,
        *,
        gaussian: float = 0.0,
        mark_missing: bool = True,
        shared_scale: bool = False,
        equal_columns: bool = False,
    ) -> None:
        self.kinds = kinds
        self.gaussian = gaussian
        self.mark_missing = mark_missing
        self.shared_scale = shared_scale
        self.equal_columns = equal_columns

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn scales, ranks and levels from all rows; y is not used."""
        self.schema_, matrix = columns.learn(X, self.kinds, sparse="words")
        self.n_features_in_ = self.schema_.n_features
        self.sparse_ = issparse(matrix)
        if self.sparse_:
            self._fit_sparse(matrix)
            return self
        numbers = [j for j, kind in enumerate(self.schema_.kinds) if kind != "category"]
        self.numbers_ = np.array(numbers, dtype=np.intp)
        values = matrix[:, numbers].astype(np.float64)
        missing = np.isnan(values)
        filled = np.maximum((~missing).sum(axis=0), 1)
        self.center_ = np.where(missing, 0.0, values).sum(axis=0) / filled
        deviation = np.where(missing, 0.0, values - self.center_)
        with np.errstate(over="ignore"):
            spread = np.sqrt((deviation**2).sum(axis=0) / filled)
        wild = np.zeros(matrix.shape[1], dtype=bool)
        wild[numbers] = ~np.isfinite(spread)
        if wild.any():
            with self.schema_.naming():
                refuse_overflow(Data.unlabeled(matrix.astype(np.float64)), ThreadEngine(n_threads=1), wild)
        spread = np.where(spread > ROUNDING * np.abs(self.center_), spread, 1.0)
        self.scale_ = self._shared(spread)
        self.scores_ = NormalScores.of(values) if self.gaussian else None
        self.frequencies_ = tuple(
            None if levels is None else _frequencies(matrix[:, j], len(levels))
            for j, levels in enumerate(self.schema_.levels)
        )
        share = np.isnan(matrix).mean(axis=0)
        marked = self.mark_missing & (share > RARE) & (share < 1 - RARE)
        again = [j for one in self.schema_.encoded for j in one.columns[1:]]  # missing where the first is
        self.marked_ = np.setdiff1d(np.flatnonzero(marked), again)
        self.missing_share_ = share[self.marked_]
        return self

    def scores_of(self, X: Any) -> Array | None:
        """Normal scores of the numbers among the rows of the fit; None where ``gaussian`` is 0."""
        check_is_fitted(self)
        if self.sparse_ or self.scores_ is None:
            return None
        matrix = columns.read(self.schema_, X, sparse="dense")
        return self.scores_(matrix[:, self.numbers_].astype(np.float64))

    def transform(self, X: Any) -> Any:
        """Rows as numbers, (n, P), without missing values; sparse if the rows are."""
        return self.with_scores(X, None)

    def with_scores(self, X: Any, scores: Array | None) -> Any:
        """What :meth:`transform` gives; ``scores`` are those of :meth:`scores_of` where they are known."""
        check_is_fitted(self)
        matrix = columns.read(self.schema_, X, sparse=self.sparse_ or "dense")
        if self.sparse_:
            return self._transform_sparse(matrix)
        values = matrix[:, self.numbers_].astype(np.float64)
        most = CLIP * self.share_ if self.shared_scale else CLIP
        plain = np.clip((values - self.center_) / self.scale_, -most, most)
        if self.scores_ is not None:
            ranked = self.scores_(values) if scores is None else scores
            plain = self.gaussian * ranked * self.share_ + (1 - self.gaussian) * plain
        parts = [np.nan_to_num(plain, nan=0.0)]
        for j, frequencies in enumerate(self.frequencies_):
            if frequencies is not None:
                indicators = _indicators(matrix[:, j], frequencies)
                parts.append(self._scaled(indicators, (frequencies * (1 - frequencies)).sum()))
        if len(self.marked_):
            share = self.missing_share_
            parts.append(self._scaled(np.isnan(matrix[:, self.marked_]) - share, share * (1 - share)))
        return np.hstack(parts)

    def missing_after(self, X: Any) -> NDArray[np.bool_]:
        """Which transformed values stand for missing ones, (n, P); indicators of missing values never do."""
        check_is_fitted(self)
        missing = np.isnan(columns.read(self.schema_, X, sparse="dense"))
        parts = [missing[:, self.numbers_]]
        for j, frequencies in enumerate(self.frequencies_):
            if frequencies is not None:
                parts.append(np.repeat(missing[:, [j]], len(frequencies), axis=1))
        parts.append(np.zeros((len(missing), len(self.marked_)), dtype=bool))
        return np.hstack(parts)

    def _scaled(self, indicators: Array, variance: Array) -> Array:
        spread = np.sqrt(np.where(variance > 0, variance, 1.0))
        return np.asarray(indicators / spread) if self.equal_columns else indicators

    def _shared(self, spread: Array) -> Array:
        """Scales (numbers,): those of a text are one."""
        scale = spread.copy()
        for one in self.schema_.encoded:
            mine = np.isin(self.numbers_, one.columns)
            if one.kind == "text":
                scale[mine] = np.sqrt((spread[mine] ** 2).sum() / one.encoder.n_columns)
        if self.shared_scale and len(scale):
            scale[:] = np.sqrt(np.mean(spread**2))
        self.share_ = spread / scale
        return scale

    def _fit_sparse(self, matrix: csr_array) -> None:
        cells = matrix.data
        self.counts_ = bool(len(cells)) and bool((cells >= 0).all() and (cells == np.floor(cells)).all())
        if self.counts_:
            in_documents = np.bincount(matrix.indices[cells > 0], minlength=matrix.shape[1])
            self.idf_ = np.log((1 + matrix.shape[0]) / (1 + in_documents)) + 1.0

    def _transform_sparse(self, matrix: csr_array) -> csr_array:
        if not self.counts_:
            return csr_array(sklearn.preprocessing.normalize(matrix))
        cells = np.log1p(np.maximum(matrix.data, 0.0)) * self.idf_[matrix.indices]
        return csr_array(
            sklearn.preprocessing.normalize(
                csr_array((cells, matrix.indices, matrix.indptr), shape=matrix.shape)
            )
        )


def _frequencies(codes: Array, n_levels: int) -> Array:
    known = codes[codes < n_levels].astype(np.intp)  # NaN is not below anything
    counts = np.bincount(known, minlength=n_levels)
    return np.asarray(counts / max(counts.sum(), 1))


def _indicators(codes: Array, frequencies: Array) -> Array:
    """Indicators of the levels less their frequencies; 0 for a missing value."""
    found = (codes[:, None] == np.arange(len(frequencies))) - frequencies
    return np.where(np.isnan(codes)[:, None], 0.0, found)
