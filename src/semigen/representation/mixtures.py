"""Many mixtures fitted without labels: two rows are alike if many of them put both in the same cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from semigen import columns
from semigen.columns import Schema
from semigen.common.checks import integer, real
from semigen.common.prepared import prepared
from semigen.common.threads import map_threads, thread_count
from semigen.data.blocks import Missing, among
from semigen.data.rows import BLOCK_ROWS
from semigen.em import Data, Engine, Mixture, Params, ThreadEngine, as_engine, fit_together
from semigen.em.kernel import responsibilities
from semigen.estimators.base import KeepsPrecision, TableInput
from semigen.families import Family, Gaussian, as_family, as_modeled, choose
from semigen.representation.axes import PrincipalAxes
from semigen.representation.plain import one_scale
from semigen.representation.softmax import Powers, Softmax
from semigen.representation.starts import Start

Array = NDArray[np.float64]

LEAST_DIMENSIONS, MOST_DIMENSIONS = 2, 30
LEAST_COLUMNS = 4
GAUSSIAN_SHARES = (1.0, 0.5)
"""The two views: normal scores; and their mean with clipped standardized numbers, which keep distances."""
ROWS_A_COMPONENT = 8
LEAST_MIXTURES = 4
DOCUMENTS = 4000
"""Documents that a mixture of words is fitted on; of more, each mixture draws its own."""
DOUBT = 0.05
"""A mixture that is worse than one component by this much, nats per row, counts e times less."""
NEGLIGIBLE = 1e-3
"""Mixtures that count less than this fraction of the best one are dropped."""


@dataclass(frozen=True)
class FeatureMixture:
    """One mixture of the ensemble.

    Attributes
    ----------
    view : int
        The view of the columns that it is fitted on; -1: the columns as they are.
    columns : ndarray of shape (D,), intp
        The columns of that view that it uses.
    mixture : Mixture
    params : Params
    evidence : float
        Half of the difference of the Bayesian information criteria (Schwarz 1978) of a single component and
        this mixture, nats per row: above 0, the clusters are worth their parameters.
    share : float
        Its weight in the similarity; the weights sum to 1.
    """

    view: int
    columns: NDArray[np.intp]
    mixture: Mixture
    params: Params
    evidence: float
    share: float = 1.0


class MixtureEnsembleFeatures(TableInput, KeepsPrecision, TransformerMixin, BaseEstimator):
    """Responsibilities of many mixtures, fitted without labels, as features.

    Feature (m, c) of a row is ``√s_m p_m(component c | row)`` for mixtures m = 1 … M with weights s_m that
    sum to 1, so the inner product of two rows is the mean probability that a mixture puts both in the same
    component, a similarity learned from all rows. Each mixture is fitted on a random view of the columns
    (normal scores, or their mean with clipped standardized numbers, rotated to principal axes, of which it
    uses the first few; where there are categories, flags or missing values, every other mixture is fitted on
    some of the columns as they are, each kind with its own family). It has a random number of components and
    a diagonal or tied covariance with the conjugate prior of :class:`semigen.families.Gaussian`. All mixtures
    have the same weight unless the rows contradict their clusters: one whose evidence e_m is below that of a
    single component counts ``exp(e_m / 0.05)`` times as much. Of sparse rows, every fourth mixture is fitted
    on the counts (multinomial), the others on the principal axes of the weighted words; all have the same
    weight.

    Parameters
    ----------
    n_mixtures : int, default=48
        M.
    min_components, max_components : int, default=2 and 60
        The number of components is drawn log-uniformly between them; at most one for eight rows.
    n_iter : int, default=20
        EM iterations of each mixture: the clusters need not have converged to tell rows apart.
    max_rows : int, default=10000
        The most rows to fit on; of a larger table, this many are drawn.
    time_budget : float or None, default=None
        Seconds after which no further mixture is started, once there are four. None: no limit.
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where the inferred kind is wrong; see :func:`semigen.columns.learn`.
    n_jobs : int or None, default=None
        Number of threads of :meth:`transform`; None or -1: one for each processor. In a fit they would take
        longer. Results do not depend on it.
    random_state : int, RandomState or None, default=0
    engine : Engine or None, default=None
        Where the rows of mixtures are computed: by ``"torch"`` those of one type of covariance in one batch,
        else one mixture after the other, as with None.
    shared_scale : bool or "auto", default="auto"
        As in :class:`PlainColumns`. "auto": where columns look like pixels, of which some hardly vary
        (``shared_scale_``).

    Attributes
    ----------
    stopped_early_ : bool
        Whether the time budget ended the fit before all mixtures were there.
    mixtures_ : tuple of FeatureMixture
        Those that count, at most M.
    views_ : tuple of PrincipalAxes
    shared_scale_ : bool
        Whether columns keep the ratios of their scales.
    schema_ : Schema
    n_features_in_ : int

    References
    ----------
    The similarity is that of evidence accumulation (Fred & Jain 2005, *IEEE PAMI* 27:835) with soft clusters.
    """

    def __init__(
        self,
        n_mixtures: int = 48,
        *,
        min_components: int = 2,
        max_components: int = 60,
        n_iter: int = 20,
        max_rows: int = 10000,
        time_budget: float | None = None,
        kinds: Any = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
        engine: Engine | None = None,
        shared_scale: Any = "auto",
    ) -> None:
        self.n_mixtures = n_mixtures
        self.min_components = min_components
        self.max_components = max_components
        self.n_iter = n_iter
        self.max_rows = max_rows
        self.time_budget = time_budget
        self.kinds = kinds
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.engine = engine
        self.shared_scale = shared_scale

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        on_views: Callable[[tuple[PrincipalAxes, ...]], None] | None = None,
    ) -> Self:
        """Fit the mixtures on all rows; y is not used.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
            NaN, None and NA are missing values.
        y : None
        progress : callable, optional
            Called as ``progress(mixtures done, all mixtures)`` after each.
        on_views : callable, optional
            Called with ``views_`` before the mixtures are fitted.

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        for name, least in (("n_mixtures", 1), ("min_components", 1), ("max_components", 2), ("n_iter", 1)):
            integer(name, getattr(self, name), minimum=least)
        integer("max_rows", self.max_rows, minimum=2)
        thread_count(self.n_jobs)
        as_engine(self.engine)
        budget = np.inf if self.time_budget is None else real("time_budget", self.time_budget, minimum=0)
        schema, matrix = columns.learn(X, self.kinds, sparse="words")
        self.schema_ = as_modeled(choose("auto", "full", schema, sparse=issparse(matrix)), schema)
        validate_data(self, X, skip_check_array=True)
        self.shared_scale_ = one_scale(self.shared_scale, schema, matrix)
        seed = check_random_state(self.random_state).randint(2**31)
        if matrix.shape[0] > self.max_rows:
            chosen = np.random.default_rng(seed).choice(matrix.shape[0], self.max_rows, replace=False)
            matrix = matrix[np.sort(chosen)]
        self.views_ = tuple(
            PrincipalAxes(
                gaussian=share,
                n_axes=MOST_DIMENSIONS,
                engine=self.engine,
                shared_scale=self.shared_scale_,
            )
            for share in (GAUSSIAN_SHARES[:1] if issparse(matrix) else GAUSSIAN_SHARES)
        )
        axes = [view.fit_transform(columns.ReadTable(self.schema_, matrix)) for view in self.views_]
        if on_views is not None:
            on_views(self.views_)
        missing = columns.missing_columns(matrix)
        raw = issparse(matrix) or missing is not None or {*self.schema_.kinds} != {"number"}

        n_done = count(1)

        def begun(m: int) -> Start:
            rng = np.random.default_rng([seed, m])
            own = raw and m % (4 if issparse(matrix) else 2) == 1
            return self._as_they_are(matrix, missing, rng) if own else self._rotated(axes, rng)

        def learn(numbers: range) -> list[FeatureMixture]:
            if numbers.start >= LEAST_MIXTURES and time.perf_counter() - begin > budget:
                return []
            starts = list(map_threads(begun, numbers, n_jobs=self.n_jobs if len(numbers) > 1 else 1))
            with as_engine(self.engine, ThreadEngine(1, block_rows=matrix.shape[0])).open() as engine:
                found = _fitted(starts, engine, self.n_iter)
            for _ in found:
                if progress is not None:
                    progress(next(n_done), self.n_mixtures)
            return found

        together = 1 if self.engine is None else self.n_mixtures if budget == np.inf else LEAST_MIXTURES
        numbers = range(self.n_mixtures)
        groups = [numbers[first : first + together] for first in numbers[::together]]
        # not in threads: steps of so few rows take less time than passing on the interpreter lock
        mixtures = [one for group in groups for one in learn(group)]
        self.stopped_early_ = len(mixtures) < self.n_mixtures
        self.mixtures_ = _weighted(mixtures, alike=issparse(matrix))
        return self

    def transform(self, X: Any) -> Array:
        """Responsibilities of rows, those of each mixture times the root of its weight, (n, features)."""
        check_is_fitted(self)
        matrix = columns.read_like(self, X, sparse=self.views_[0].plain_.sparse_ or "dense")
        table = columns.ReadTable(self.schema_, matrix)
        found = self.responsibilities(matrix, self.axes(table))
        return columns.in_precision_of(X, found)

    def axes(self, table: columns.ReadTable) -> list[Array]:
        """Rows in each of ``views_``, (n, q); normal scores, which all views share, are found once."""
        scores = self.views_[0].plain_.scores_of(table)
        return [view.with_scores(table, scores) for view in self.views_]

    def responsibilities(self, matrix: Any, axes: list[Array]) -> Array:
        """Return what :meth:`transform` does, for rows whose views are computed already.

        Parameters
        ----------
        matrix : array or sparse matrix of shape (n, D)
            The rows as :func:`semigen.columns.read` returns them.
        axes : list of ndarray of shape (n, q)
            The rows in each of ``views_``.
        """
        result = np.empty((self.n_features_out_, matrix.shape[0]))
        parts = self._parts(result)

        def write(m: int, rows: Any, values: Array) -> None:
            parts[m][:, rows] = values * (np.sqrt(self.mixtures_[m].share) / values.sum(axis=0))

        self._visit(matrix, axes, write)
        return result.T

    def product(self, matrix: Any, axes: list[Array], coef: Array) -> Array:
        """:meth:`responsibilities` times coefficients (features, K), (n, K), with few of them at a time."""
        result = np.zeros((coef.shape[1], matrix.shape[0]))
        weights = [
            np.vstack([np.ones(len(part)), np.sqrt(one.share) * part.T])
            for one, part in zip(self.mixtures_, self._parts(coef), strict=True)
        ]

        def add(m: int, rows: Any, values: Array) -> None:
            total, *_ = sums = weights[m] @ values
            sums *= 1.0 / total
            result[:, rows] += sums[1:]

        self._visit(matrix, axes, add)
        return result.T

    def _parts(self, features: Array) -> list[Array]:
        """The rows of an array (features, ...) that belong to each mixture."""
        return np.split(features, np.cumsum([one.mixture.n_components for one in self.mixtures_])[:-1])

    def _visit(self, matrix: Any, axes: list[Array], function: Callable[[int, Any, Array], None]) -> None:
        """Call ``function(m, rows, values)`` with some rows of each mixture.

        Values (C, rows) are its responsibilities, times a number for each row. Rows are a slice or numbers.
        """
        missing = columns.missing_columns(matrix)
        softmaxes = prepared(self, self.mixtures_, self._softmaxes)
        most = max(one.mixture.n_components for one in self.mixtures_)

        def block(begin: int) -> None:
            numbers = np.arange(begin, min(begin + BLOCK_ROWS, matrix.shape[0]))
            rows = slice(begin, begin + len(numbers))
            for m, softmax in enumerate(softmaxes):
                if softmax is None:
                    for piece, resp in _own(self.mixtures_[m], matrix[rows], missing):
                        function(m, numbers[piece], resp)
            memory = np.empty(most * len(numbers))
            powers = [Powers.of(view[rows]) for view in axes]
            for m, softmax in enumerate(softmaxes):
                if softmax is not None:
                    view = self.mixtures_[m].view
                    function(m, rows, softmax.exponentials(powers[view], memory))

        blocks = range(0, matrix.shape[0], BLOCK_ROWS)
        list(map_threads(block, blocks, n_jobs=1 if len(blocks) == 1 else self._n_threads))

    def _softmaxes(self) -> list[Softmax | None]:
        """Of the mixtures of rotated columns."""
        return [None if one.view < 0 else Softmax.of(one.mixture, one.params) for one in self.mixtures_]

    @property
    def n_features_out_(self) -> int:
        """Number of features: components of all mixtures."""
        check_is_fitted(self)
        return sum(one.mixture.n_components for one in self.mixtures_)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """``mixture<m>_<c>`` for every component."""
        check_is_fitted(self)
        names = [
            f"mixture{m}_{c}" for m, one in enumerate(self.mixtures_) for c in range(one.mixture.n_components)
        ]
        return np.array(names, dtype=object)

    @property
    def _n_threads(self) -> int | None:
        return self.n_jobs if self.engine is None else 1

    def _components(self, n_rows: int, rng: np.random.Generator) -> int:
        low = max(2, self.min_components)
        high = max(low + 1, min(self.max_components, n_rows // ROWS_A_COMPONENT))
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))

    def _rotated(self, axes: list[Array], rng: np.random.Generator) -> Start:
        view = int(rng.integers(len(axes)))
        x = axes[view]
        least = min(LEAST_DIMENSIONS, x.shape[1])
        n_dims = round(float(np.exp(rng.uniform(np.log(least), np.log(x.shape[1])))))
        family = Gaussian("tied" if rng.random() < 0.5 else "diag")
        return self._start(view, np.arange(n_dims), np.ascontiguousarray(x[:, :n_dims]), None, family, rng)

    def _as_they_are(self, matrix: Any, missing: Any, rng: np.random.Generator) -> Start:
        n_columns = matrix.shape[1]
        if issparse(matrix):
            some: Any = matrix
            some = some[np.sort(rng.permutation(some.shape[0])[:DOCUMENTS])]
            return self._start(-1, np.arange(n_columns), some, None, as_family("multinomial"), rng)
        size = int(rng.integers(min(n_columns, max(LEAST_COLUMNS, n_columns // 2)), n_columns + 1))
        chosen = np.sort(rng.choice(n_columns, size, replace=False))
        kinds = tuple(self.schema_.kinds[j] for j in chosen)
        schema = Schema(None, kinds, tuple(self.schema_.levels[j] for j in chosen), None)
        family = choose("auto", "tied" if rng.random() < 0.5 else "diag", schema)
        return self._start(-1, chosen, matrix[:, chosen], among(missing, chosen), family, rng)

    def _start(
        self,
        view: int,
        chosen: NDArray[np.intp],
        x: Any,
        missing: Missing,
        family: Family,
        rng: np.random.Generator,
    ) -> Start:
        return Start.of(view, chosen, x, missing, family, self._components(x.shape[0], rng), rng)


def _fitted(starts: Sequence[Start], engine: Engine, n_iter: int) -> list[FeatureMixture]:
    """Mixtures after so many iterations, or fewer that do."""
    begun = [(one.mixture, one.prior, one.data, one.params) for one in starts]
    found = fit_together(begun, engine, max_iter=n_iter, tol=1e-4)
    return [
        FeatureMixture(one.view, one.columns, one.mixture, this.params, one.evidence(this))
        for one, this in zip(starts, found, strict=True)
    ]


def _weighted(mixtures: list[FeatureMixture], *, alike: bool) -> tuple[FeatureMixture, ...]:
    """The mixtures that count, with their weights.

    Evidence is compared among mixtures of rotated columns, and among those of columns as they are.
    """
    rotated = np.array([one.view >= 0 for one in mixtures])
    against = np.minimum([0.0 if alike else one.evidence for one in mixtures], 0.0)
    share = np.zeros(len(mixtures))
    for group in (rotated, ~rotated):
        if group.any():
            relative = np.exp((against[group] - against[group].max()) / DOUBT)
            share[group] = np.where(relative > NEGLIGIBLE, relative, 0.0) / relative.sum() * group.mean()
    share /= share.sum()
    return tuple(replace(one, share=float(s)) for one, s in zip(mixtures, share, strict=True) if s > 0)


def _own(one: FeatureMixture, matrix: Any, missing: Missing) -> Iterator[tuple[Any, Array]]:
    """Piece by piece, row numbers and responsibilities (C, rows) of a mixture of the columns as they are."""
    x, empty = _take(matrix, one.columns), among(missing, one.columns)
    walk = one.mixture.family.walk(one.params.family, x.dtype, empty)
    for piece, resp, _ in responsibilities(one.mixture, one.params, Data.unlabeled(x, empty), walk):
        yield piece, np.asarray(resp, dtype=np.float64)


def _take(x: Any, chosen: NDArray[np.intp]) -> Any:
    return x if len(chosen) == x.shape[1] else np.ascontiguousarray(x[:, chosen])
