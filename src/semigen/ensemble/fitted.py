"""What a fitted AutoClassifier answers beside class probabilities, and what it shows of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.arrays.pieces import evenly
from semigen.columns import ReadTable, Schema
from semigen.columns.tables import listing
from semigen.common.checks import real
from semigen.common.threads import thread_count
from semigen.data.rows import by_blocks
from semigen.data.sources import numbers, over_partitions, probabilities
from semigen.ensemble.defaults import MIXTURE_PER_CLASS
from semigen.ensemble.forms import FormedRows, Forms
from semigen.ensemble.pool import PoolClassifier
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.ensemble.training import read_form
from semigen.ensemble.uncertainty import Ensemble, UncertainEnsemble

Array = NDArray[np.float64]
Facts = list[tuple[str, str]]
"""Topics, and what there is to say."""

MAX_DENSITIES = 10_000
"""Rows of the fit whose densities :meth:`AutoClassifier.novelty` compares with."""


def _has_density(auto: Any) -> bool:
    return not hasattr(auto, "pool_") or MIXTURE_PER_CLASS in auto.pool_.estimators_


def _has_densities(auto: Any) -> bool:
    return _has_density(auto) and getattr(auto, "log_densities_", ()) is not None


class FittedEnsemble(UncertainEnsemble):
    """The part of :class:`AutoClassifier` that only reads the records of a fit."""

    classes_: NDArray[Any]
    forms_: Forms
    pool_: PoolClassifier
    schema_: Schema
    log_densities_: Any
    n_jobs: int | None

    @over_partitions(probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K); a row without any value has the class shares."""

        def probabilities_of(pool: Any, rows: FormedRows) -> Array:
            found: Array = pool.predict_proba(rows)
            if not issparse(rows.table.matrix):
                empty = np.isnan(rows.table.matrix).all(axis=1)
                if rows.table.words is not None:
                    empty &= np.diff(rows.table.words.indptr) == 0
                found[empty] = pool.class_prior_
            return found

        return self._by_blocks(probabilities_of, X)

    @over_partitions(probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Log class probabilities, (n, K)."""
        return np.asarray(np.log(self.predict_proba(X)))

    @available_if(_has_density)  # type: ignore[untyped-decorator]
    @over_partitions(numbers)
    def score_samples(self, X: Any) -> Array:
        """Log p(x) under the mixture per class, nats, (n,); of documents, of their words in their order.

        The words of long texts beside other columns are no part of it.

        Of a table of more than 64 columns (larger than memory: of more than 2,000) it is the density of the
        principal axes and, from 300 rows on, of the logarithm of the distance from them.

        Rows of which fewer values are missing have more values to be unlikely in: compare rows that lack the
        same.

        Where the time budget ended the fit before that mixture, there is no such method.
        """
        return self._densities(self.forms_.of(self.read(X)))

    @available_if(_has_densities)  # type: ignore[untyped-decorator]
    def novelty(self, X: Any) -> Array:
        """How unlike all rows seen, (n,), from 0 to 1: the share of the rows of the fit that are likelier.

        Of rows like those of the fit a tenth is above 0.9 and a hundredth above 0.99; 1 is less likely than
        all. The density is that of :meth:`score_samples`. A row can have a clear class and be novel, and the
        reverse.

        Where the time budget ended the fit before that mixture, or a file of version 0.2 or older holds the
        model, there is no such method.
        """
        return np.asarray(self.novelty_of(self.score_samples(X)))

    @available_if(_has_densities)  # type: ignore[untyped-decorator]
    def novelty_of(self, log_density: Array) -> Array:
        """The :meth:`novelty` of rows by what :meth:`score_samples` says of them, (n,)."""
        n = len(self.log_densities_)
        return np.asarray((n - np.searchsorted(self.log_densities_, log_density, "right")) / n)

    def read(self, X: Any) -> ReadTable:
        """Rows that all methods take and do not read again."""
        check_is_fitted(self)
        return columns.table_like(self, X, sparse=self.forms_.plain.sparse_ or "dense")

    @available_if(_has_densities)  # type: ignore[untyped-decorator]
    def is_novel(self, X: Any, false_alarm: float = 0.01) -> NDArray[np.bool_]:
        """Which rows are unlike anything seen, (n,), by a test of their density.

        Of rows like those of the fit a share of ``false_alarm`` is taken for novel. The p-value of a row is
        ``(1 + rows of the fit that are no likelier) / (1 + rows of the fit)``.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        false_alarm : float, default=0.01
            At least 1 / (1 + rows of the fit), at most 0.5.

        Raises
        ------
        ParameterError
            If ``false_alarm`` is out of bounds.
        """
        n = len(self.log_densities_)
        rate = real("false_alarm", false_alarm, minimum=1 / (n + 1), maximum=0.5)
        no_likelier = np.searchsorted(self.log_densities_, self.score_samples(X), "right")
        return np.asarray((1 + no_likelier) / (n + 1) <= rate)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        text = str(BaseEstimator.__repr__(self, N_CHAR_MAX=N_CHAR_MAX))
        return f"{text}\n{as_text(facts(self))}" if hasattr(self, "models_") else text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What notebooks show: the parameters, and what the fit found."""
        title = str(BaseEstimator.__repr__(self))
        found = facts(self) if hasattr(self, "models_") else [("not fitted", "")]
        return {"text/plain": repr(self), "text/html": as_html(title, found)}

    def _ensemble(self) -> Ensemble:
        return self.pool_

    def _by_blocks(self, answer: Callable[[Any, Any], Array], X: Any) -> Array:
        def block(rows: ReadTable) -> Array:
            return answer(self.pool_, self.forms_.of(rows))

        return by_blocks(block, self.read(X), len(self.classes_), thread_count(self.n_jobs))

    def _densities(self, rows: FormedRows) -> Array:
        """Log p(x) of rows under the mixture per class, (n,)."""
        form = self.pool_.forms_[MIXTURE_PER_CLASS]
        return np.asarray(self.pool_.estimators_[MIXTURE_PER_CLASS].score_samples(read_form(rows, form)))

    def _densities_of_some(self, table: ReadTable) -> Array | None:
        """Sorted log p(x) of rows of the fit, evenly spaced; None without the mixture per class."""
        if MIXTURE_PER_CLASS not in self.pool_.estimators_:
            return None
        rows = evenly(len(table), MAX_DENSITIES)
        return np.sort(self._densities(self.forms_.of(table[rows])))


def facts(auto: Any) -> Facts:
    """What a fit found."""
    classes = auto.classes_.tolist()
    said = [("classes", _classes(classes, auto.class_rows_))]
    if auto.n_unlabeled_ is not None:
        said.append(
            ("unlabeled rows", f"{auto.n_unlabeled_:,}{'' if auto.unlabeled_used_ else ', not used'}")
        )
    said.append(("columns", f"{auto.n_features_in_:,}"))
    said += [("", note) for note in auto.schema_.notes]
    said.append(("models", shares(auto)))
    if auto.validation_ is not None:
        score = auto.validation_.score(ALL_MODELS if auto.unlabeled_used_ else SUPERVISED_MODELS)
        accuracy, log_loss = score.accuracy, score.log_loss.value
        scores = f"accuracy {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
        rows = f"{len(auto.validation_.rows):,} rows"
        said.append(("held-out labels", f"{scores}, log-loss {log_loss:.3f} nats per row, {rows}"))
    return said


def shares(auto: Any) -> str:
    """The models with a weight, and their shares of the weights."""
    total = sum(auto.weights_.values()) or 1.0
    return ", ".join(f"{one.name} {one.weight / total:.0%}" for one in auto.models_ if one.weight > 0)


def as_text(found: Facts) -> str:
    """Facts in lines."""
    width = max(len(topic) for topic, _ in found)
    return "\n".join(f"  {topic:<{width}}  {said}" for topic, said in found)


def as_html(title: str, found: Facts) -> str:
    """Facts as a table of HTML."""
    rows = "".join(f"<tr><th>{escape(topic)}</th><td>{escape(said)}</td></tr>" for topic, said in found)
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def _classes(classes: Sequence[Any], rows: NDArray[np.float64] | None) -> str:
    if rows is None:
        return listing(list(map(str, classes)))
    said = (f"{name} ({count:.6g} labeled)" for name, count in zip(classes, rows.tolist(), strict=True))
    return listing(list(said))
