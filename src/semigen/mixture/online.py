"""Rows that arrive in batches: online EM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semigen import columns
from semigen.arrays.pieces import evenly
from semigen.arrays.special import log_sum_exp
from semigen.columns.tables import listing
from semigen.common import checks
from semigen.data.labels import encode
from semigen.data.rows import count_rows
from semigen.em import Data, Engine, Mixture, Params, Stats, as_engine, e_step, log_joint, m_step
from semigen.em.records import LABELED, UNLABELED
from semigen.exceptions import ColumnError, LabelError, ParameterError
from semigen.mixture.waiting import WaitingRows, read_keys

Array = NDArray[np.float64]

SPREAD_ROWS = 2000
"""Rows of a batch whose log p(x) says how much it varies from row to row."""


@dataclass(frozen=True)
class BatchReport:
    """What a batch of unlabeled rows looked like to the model before it learned from it.

    Attributes
    ----------
    n_rows, n_labeled : int
    step : float
        γ, the weight of the batch's unlabeled rows against all earlier ones; 1 for the first batch.
    log_density : float
        Mean log p(x) of the unlabeled rows, nats; NaN without any.
    density_change : float
        That less the mean of the earlier batches, nats per row; negative where the rows look stranger.
    z : float
        The change in standard errors: beyond ±4 hardly ever by chance.
    class_shares : ndarray of shape (K,)
        Of the unlabeled rows, by their posteriors.
    share_change : float
        Total variation distance (0 to 1) from the mean shares of the earlier batches.
    """

    n_rows: int
    n_labeled: int
    step: float
    log_density: float
    density_change: float
    z: float
    class_shares: Array
    share_change: float


@dataclass(frozen=True)
class Stream:
    """What is kept of the rows that were seen.

    Attributes
    ----------
    prior : record
        The family's, of the first batch.
    labeled : Stats
        Sums over the labeled rows.
    unlabeled : Stats
        Running mean of the unlabeled rows' statistics, per unit of weight.
    unlabeled_weight : float
        Weight of the unlabeled rows, times λ.
    reports : tuple of BatchReport
    waiting : WaitingRows or None
        Unlabeled rows by key, for :meth:`~semigen.MixtureClassifier.add_labels`.
    """

    prior: Any
    labeled: Stats
    unlabeled: Stats
    unlabeled_weight: float
    reports: tuple[BatchReport, ...]
    waiting: WaitingRows | None = None

    @property
    def n_batches(self) -> int:
        """Batches that had unlabeled rows."""
        return sum(one.n_rows > one.n_labeled for one in self.reports)


class OnlineMixture:
    """The part of :class:`MixtureClassifier` that learns from a stream."""

    mixture_: Mixture
    params_: Params
    classes_: NDArray[Any]
    engine: Engine | str | None
    unlabeled: Any
    unlabeled_weight_: float
    stream_: Stream

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        classes: Any = None,
        kappa: float = 0.6,
        n0: float = 1.0,
        forget: float = 0.0,
        seen: bool = False,
        keys: Any = None,
        remember: int = 100_000,
    ) -> Self:
        """Learn from one more batch of rows by a step of online EM.

        The first batch is fitted as :meth:`fit` does; it decides the columns and their levels, the prior, λ
        and the covariance, so it should look like the rows to come (some thousands of them, labels of
        each class). With each further batch the mean statistics of unlabeled rows move, ``s ← (1 - γ) s +
        γ s_batch`` with ``γ = (n + n0)^-κ`` after n batches; those of labeled rows are summed exactly; then
        one M-step follows. Cappé & Moulines (2009), *JRSS B* 71:593.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K), or None
            None: all rows are unlabeled.
        sample_weight : array-like of shape (n,) or None
        classes : array-like of shape (K,) or None
            All classes, in the first call, if its rows do not have labels of each.
        kappa : float, default=0.6
            κ, above 0.5 and at most 1, which weighs all batches alike.
        n0 : float, default=1.0
            At least 0: how much the first batch counts.
        forget : float, default=0.0
            Share of what is known that each batch replaces, at least: γ is no smaller, and the sums of
            labeled rows fade with it. For streams that drift.
        seen : bool, default=False
            Whether the labeled rows were unlabeled rows of earlier batches, and their labels have come since:
            the weight that they had there is taken back.
        keys : array-like of shape (n,) or None
            Names of the rows, whole numbers or text, each of one row. Unlabeled rows are kept under them,
            so that their labels can come later by :meth:`add_labels`.
        remember : int, default=100_000
            At most so many rows are kept, D numbers each; of more the oldest are forgotten. They are saved
            with the model; 0 forgets all of them.

        Returns
        -------
        self
            ``stream_.reports`` says of each batch how its p(x) and its class shares differed from before.

        Raises
        ------
        ParameterError
            If κ, n0 or ``forget`` is out of bounds, or a key is repeated or of a row that is kept already.
        LabelError, ColumnError
            If labels or columns cannot be used, or are others than those of the first batch.
        """
        checks.real("kappa", kappa, minimum=np.nextafter(0.5, 1), maximum=1.0)
        checks.real("n0", n0, minimum=0.0)
        checks.real("forget", forget, minimum=0.0, maximum=0.999)
        checks.integer("remember", remember, minimum=0)
        y = [None] * count_rows(X) if y is None else y
        kept = self.stream_.waiting if hasattr(self, "stream_") else None
        if keys is not None:
            keys = read_keys(keys, count_rows(X), kept)
            if kept is not None:
                kept.refuse_known(keys)
        if not hasattr(self, "stream_"):
            rows = self._first_batch(X, y, sample_weight, classes)
        else:
            rows = self._with_labels(X, self._matrix(X), y, sample_weight, self.classes_)  # type: ignore[attr-defined]
            self._next_batch(rows, kappa=kappa, n0=n0, forget=forget, seen=seen)
        self._keep(rows, keys, remember)
        return self

    def add_labels(self, keys: Any, y: Any) -> Self:
        """Learn labels of rows that came without one, by their keys.

        Each row moves from the unlabeled to the labeled rows, as by ``partial_fit(rows, y, seen=True)``,
        and is no longer kept.

        Parameters
        ----------
        keys : array-like of shape (n,)
            As they were given to :meth:`partial_fit`.
        y : array-like of shape (n,) or (n, K)
            Rows that are still without a label stay as they are.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            If no row is kept under a key, or a key is repeated.
        LabelError
            If labels cannot be used.
        """
        kept = self.stream_.waiting if hasattr(self, "stream_") else None
        if kept is None:
            raise ParameterError(
                "add_labels: no row is kept. Name rows when they come: partial_fit(X, keys=keys)."
            )
        labels = encode(y, self.unlabeled, classes=self.classes_)
        position = kept.find(read_keys(keys, len(labels), kept))
        said = labels.is_labeled
        if not said.any():
            return self
        late = kept.take(position[said])
        x = late.x
        rows = Data(x, labels.take(np.flatnonzero(said)), late.weight, columns.missing_columns(x))
        self._next_batch(rows, seen=True)
        rest = np.ones(len(kept), dtype=bool)
        rest[position[said]] = False
        self.stream_ = replace(self.stream_, waiting=kept.take(rest))
        return self

    def _keep(self, rows: Data, keys: Any, most: int) -> None:
        """Keep unlabeled rows under their keys, and no more than ``most`` of all."""
        kept = self.stream_.waiting
        if keys is not None:
            new = np.flatnonzero(~rows.labels.is_labeled)
            late = WaitingRows.of(keys[new], rows.x[new], rows.weight[new]).last(most)
            kept = (late if kept is None else kept.followed_by(late)).last(most)
        self.stream_ = replace(self.stream_, waiting=kept if most else None)

    def _next_batch(
        self, rows: Data, *, kappa: float = 1.0, n0: float = 1.0, forget: float = 0.0, seen: bool = False
    ) -> None:
        data = rows.weighted(self.unlabeled_weight_)
        stream = self.stream_
        n = stream.n_batches
        gamma = min(max(float(n + n0) ** -kappa, forget), 1.0) if n else 1.0
        labeled, unlabeled, weight = self._sums(data)
        report = self._report(data, unlabeled, weight, gamma)
        keep = 1.0 - forget
        mean = stream.unlabeled
        if weight > 0 and unlabeled is not None:
            own = unlabeled.scaled(gamma / weight)
            mean = own if gamma == 1 else mean.scaled(1.0 - gamma).merge(own)
        known = stream.labeled.scaled(keep)
        if labeled is not None:
            known = known.merge(labeled)
        total = keep * stream.unlabeled_weight + weight
        if seen:
            again = data.where(data.labels.pattern_labeled).total_weight
            total = max(total - self.unlabeled_weight_ * again, 0.0)
        self.params_ = m_step(self.mixture_, stream.prior, known.merge(mean.scaled(total)), self.params_)
        reports = (*stream.reports, report)
        self.stream_ = replace(stream, labeled=known, unlabeled=mean, unlabeled_weight=total, reports=reports)
        by_group = np.bincount(self.mixture_.group, known.weight[LABELED], self.mixture_.n_groups)
        self._assume(count=by_group[: self.mixture_.n_classes])  # type: ignore[attr-defined]

    def _first_batch(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Data:
        if classes is not None:
            every = np.ones(count_rows(X), dtype=bool)
            y = encode(y, self.unlabeled, counted=every, classes=np.unique(np.asarray(classes)))
            if not y.is_labeled.any():
                raise LabelError(
                    "no row of the first batch has a label, and prior and start come from labeled rows: "
                    "begin with a batch that has some, of as many classes as there are."
                )
        try:
            level = self._fit(X, y, sample_weight)  # type: ignore[attr-defined]
        except LabelError as error:
            if classes is None:
                error.add_note("Classes that the first batch lacks: partial_fit(X, y, classes=[...]).")
            raise
        self._refuse_silence()
        rows: Data = self._with_labels(X, self._matrix(X), y, sample_weight, self.classes_)  # type: ignore[attr-defined]
        data = rows.weighted(self.unlabeled_weight_)
        labeled, unlabeled, weight = self._sums(data)
        nothing = next(one for one in (labeled, unlabeled) if one is not None).scaled(0.0)
        mean = nothing if unlabeled is None else unlabeled.scaled(1.0 / weight)
        report = self._report(data, unlabeled, weight, 1.0)
        self.stream_ = Stream(level.prior, labeled or nothing, mean, weight, (report,))
        return rows

    def _refuse_silence(self) -> None:
        """What a column is like comes from the first batch, so each must have a value there."""
        schema, silent = self.schema_, self.silent_columns_.tolist()  # type: ignore[attr-defined]
        if silent:
            names = listing([repr(schema.name(j)) for j in silent])
            raise ColumnError(
                f"column {names} has no value in the rows of the first batch that count, from which a stream "
                "takes scales and prior: begin with a batch that has some, or leave the column out."
            )

    def _sums(self, data: Data) -> tuple[Stats | None, Stats | None, float]:
        """Statistics of the labeled and of the unlabeled rows, and the weight of the latter."""
        is_label = data.labels.pattern_labeled
        rest = data.where(~is_label)
        function = partial(e_step, self.mixture_, self.params_)
        with as_engine(self.engine).open() as engine:
            found = [engine.map_blocks(function, one) for one in (data.where(is_label), rest)]
        sums = [reduce(Stats.merge, parts) if parts else None for parts in found]
        return sums[0], sums[1], rest.total_weight

    def _report(self, data: Data, unlabeled: Stats | None, weight: float, step: float) -> BatchReport:
        earlier = self.stream_.reports if hasattr(self, "stream_") else ()
        n_classes = self.mixture_.n_classes
        rest = data.where(~data.labels.pattern_labeled)
        n_labeled = data.n_rows - rest.n_rows
        if unlabeled is None or weight == 0:
            nan = float("nan")
            return BatchReport(data.n_rows, n_labeled, step, nan, nan, nan, np.full(n_classes, nan), nan)
        density = unlabeled.log_lik / weight
        by_group = np.bincount(self.mixture_.group, unlabeled.weight[UNLABELED], self.mixture_.n_groups)
        shares = by_group[:n_classes] / by_group[:n_classes].sum()
        some = rest.take(evenly(rest.n_rows, SPREAD_ROWS))
        spread = float(log_sum_exp(log_joint(self.mixture_, self.params_, some).T).std())
        before = [one for one in earlier if not np.isnan(one.log_density)]
        change = density - float(np.mean([one.log_density for one in before])) if before else 0.0
        n_before = sum(one.n_rows - one.n_labeled for one in before)
        error = spread * np.sqrt(1.0 / rest.n_rows + 1.0 / max(n_before, 1))
        moved = shares - np.mean([one.class_shares for one in before], axis=0) if before else 0.0 * shares
        return BatchReport(
            data.n_rows,
            n_labeled,
            step,
            density,
            change,
            change / error if error > 0 else 0.0,
            shares,
            float(0.5 * np.abs(moved).sum()),
        )
