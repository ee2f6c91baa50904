"""Tables of every kind on their principal axes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from semigen.data.labels import Labels
from semigen.em import Data, Engine, Mixture, ThreadEngine, as_engine, fit, impute, start
from semigen.families import Gaussian
from semigen.representation.plain import PlainColumns

Array = NDArray[np.float64]

MOST_COLUMNS_TO_FILL = 200
"""With more columns, missing values are filled with the mean instead of the conditional mean."""
FLAT = 1e-8
"""Axes with a smaller share of the largest variance are left out."""


class PrincipalAxes(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Columns as numbers (:class:`PlainColumns`), rotated to their leading principal axes.

    Missing values are filled with their conditional means under one Gaussian of all rows. Sparse rows are
    projected on the leading singular vectors of their weighted words and scaled to unit length (latent
    semantic analysis: Deerwester et al. 1990, *JASIS* 41:391).

    Parameters
    ----------
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where it is not as they look.
    gaussian : float in [0, 1], default=0.5
        Share of the normal scores in every number.
    n_axes : int, default=30
        Number of axes, at most.
    engine : Engine or None, default=None
        Where the Gaussian that fills missing values is fitted. None: the calling thread.
    shared_scale : bool, default=False
        As in :class:`PlainColumns`.

    Attributes
    ----------
    plain_ : PlainColumns
    mean_ : ndarray of shape (P,), axes_ : ndarray of shape (P, q)
        Of dense rows.
    svd_ : TruncatedSVD or None
        Of sparse rows.
    """

    def __init__(
        self,
        kinds: Any = None,
        *,
        gaussian: float = 0.5,
        n_axes: int = 30,
        engine: Engine | None = None,
        shared_scale: bool = False,
    ) -> None:
        self.kinds = kinds
        self.gaussian = gaussian
        self.n_axes = n_axes
        self.engine = engine
        self.shared_scale = shared_scale

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn scales, ranks, levels and axes from all rows; y is not used."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **options: Any) -> Array:
        """Learn from all rows as :meth:`fit`, and return them on the axes, (n, q)."""
        self.plain_ = PlainColumns(
            self.kinds, gaussian=self.gaussian, mark_missing=False, shared_scale=self.shared_scale
        ).fit(X)
        table: Any = self.plain_.transform(X)
        self.svd_, self.filler_ = None, None
        if issparse(table):
            with np.errstate(invalid="ignore"):  # 0 / 0, a share that nobody reads, where all rows are alike
                self.svd_ = sklearn.decomposition.TruncatedSVD(self._most_axes(table), random_state=0).fit(
                    table
                )
            return np.asarray(sklearn.preprocessing.normalize(self.svd_.transform(table)))
        missing = self.plain_.missing_after(X)
        if missing.any() and table.shape[1] <= MOST_COLUMNS_TO_FILL:
            engine = as_engine(self.engine, ThreadEngine(n_threads=1))
            empty = np.asarray(missing.any(axis=0))
            self.filler_ = _one_gaussian(np.where(missing, np.nan, table), empty, engine)
            table = self._filled(table, missing)
        self.mean_, self.axes_ = _axes(table, self.n_axes)
        return np.asarray((table - self.mean_) @ self.axes_)

    def transform(self, X: Any) -> Array:
        """Return rows on the axes, (n, q)."""
        return self.with_scores(X, None)

    def with_scores(self, X: Any, scores: Array | None) -> Array:
        """What :meth:`transform` gives; ``scores`` as :meth:`PlainColumns.with_scores` takes them."""
        table = self._table(X, scores)
        if self.svd_ is not None:
            return np.asarray(sklearn.preprocessing.normalize(self.svd_.transform(table)))
        return np.asarray((table - self.mean_) @ self.axes_)

    def distance(self, X: Any, found: Array) -> Array:
        """Squared distance of dense rows from their places (n, q) on the axes, mean over columns, (n,)."""
        centered = self._table(X, None) - self.mean_
        apart = np.einsum("ij,ij->i", centered, centered) - np.einsum("ij,ij->i", found, found)
        return np.asarray(np.maximum(apart, 0.0) / centered.shape[1])

    def _table(self, X: Any, scores: Array | None) -> Any:
        """Rows as numbers, (n, P), without missing values; sparse if the rows are."""
        check_is_fitted(self)
        table: Any = self.plain_.with_scores(X, scores)
        return table if self.filler_ is None else self._filled(table, self.plain_.missing_after(X))

    def _most_axes(self, table: Any) -> int:
        return int(max(1, min(self.n_axes, min(table.shape) - 1)))

    def _filled(self, table: Array, missing: NDArray[np.bool_]) -> Array:
        if self.filler_ is None or not missing.any():
            return table
        mixture, params = self.filler_
        x = np.where(missing, np.nan, table)
        return impute(mixture, params, Data.unlabeled(x, np.asarray(missing.any(axis=0))))


def _axes(table: Array, n_axes: int) -> tuple[Array, Array]:
    """Mean (D,) and leading principal axes (D, q), their signs fixed."""
    mean = table.mean(axis=0)
    wide = table.shape[0] < table.shape[1]
    if wide:  # as many axes as rows at most: those of the rows' products, in far less time
        centered = table - mean
        values, vectors = np.linalg.eigh(centered @ centered.T / len(table))
    else:
        values, vectors = np.linalg.eigh(np.cov(table.T, ddof=0).reshape(table.shape[1], -1))
    order = np.argsort(-values, kind="stable")[:n_axes]
    order = order[values[order] > FLAT * max(values.max(), FLAT)]
    axes = vectors[:, order if len(order) else [-1]]
    if wide:
        axes = centered.T @ axes if len(order) else np.eye(len(mean), 1, 1 - len(mean))
        axes /= np.linalg.norm(axes, axis=0)
    largest = np.abs(axes).argmax(axis=0)
    return mean, axes * np.sign(axes[largest, np.arange(axes.shape[1])])


def _one_gaussian(x: Array, missing: NDArray[np.bool_], engine: Engine) -> tuple[Mixture, Any]:
    """Fit one Gaussian, a mixture of one component, to rows with missing values."""
    labels = Labels(np.zeros(1, dtype=np.intp), np.zeros((2, 1)), np.ones(len(x), dtype=np.intp))
    data = Data(x, labels, np.ones(len(x)), missing)
    mixture = Mixture(Gaussian("full"), np.zeros(1, dtype=np.intp), 1)
    prior = mixture.family.fit_prior(data, None, engine)
    params = start(mixture, prior, data, engine, np.random.default_rng(0))
    return mixture, fit(mixture, prior, data, params, engine, max_iter=30, tol=1e-4).params
