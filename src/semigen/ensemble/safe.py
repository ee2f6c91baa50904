"""How much weight the unlabeled rows get, decided by held-out labeled rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer
from semigen.common.progress import Progress, Steps
from semigen.common.threads import thread_count
from semigen.comparison import Comparison, cross_validate, judge
from semigen.comparison.one_standard_error import Excess, excess_losses, first_close
from semigen.data.labels import Labels, encode
from semigen.em.pessimistic import Pessimistic
from semigen.estimators.base import TableClassifier, take_attributes
from semigen.evaluation.splits import count_testable
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.mixture.pessimistic import fit_pessimistic

Array = NDArray[np.float64]
LEAST_TESTED_ROWS = 2
MOST_REPEATS = 4
ENOUGH_TESTED_ROWS = 200
"""Fewer labeled rows are dealt into folds again, up to ``MOST_REPEATS`` times."""


@dataclass(frozen=True)
class PathPoint(Excess):
    """One candidate for the weight of the unlabeled rows, and its held-out scores.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    log_loss : float
        Mean over held-out labeled rows, nats.
    accuracy : float
        Fraction of held-out labeled rows predicted right.
    excess : float
        Log-loss minus that of the best candidate, nats per row; 0 for the best.
    standard_error : float
        Of ``excess``, from the paired differences row by row, nats.
    """

    unlabeled_weight: float


class SafeClassifier(TableClassifier, MetaEstimatorMixin, BaseEstimator):
    """A classifier that uses unlabeled rows only as far as the labeled rows show that they help.

    Every candidate weight λ of the unlabeled rows is scored by repeated cross-validation on the labeled
    rows, all on the same folds; held-out rows are left out of the fit altogether. Among the candidates whose
    log-loss is within one standard error of the best one's (of the paired difference) and not above that of
    λ = 0, which is supervised learning, the smallest λ is chosen: the one-standard-error rule (Breiman et al.
    1984, *Classification and Regression Trees*, §3.4.3) toward λ = 0. So where too few labels show nothing,
    it falls back on the supervised fit and says so. Every candidate is fitted from scratch: if each fit
    started from that of the smaller λ, one that leads EM astray would spoil all larger ones.

    With ``pessimistic=True`` nothing is chosen. The fit maximizes what it gains over the supervised one under
    the worst labeling q of the unlabeled rows (Loog 2016, *IEEE TPAMI* 38:462),

    ``max_θ min_q Σ_labeled w [log p(x, y | θ) - log p(x, y | θ_sup)]
    + Σ_unlabeled w Σ_k q_k [log p(x, k | θ) - log p(x, k | θ_sup)] + log prior(θ) - log prior(θ_sup)``,

    so whatever the missing labels are, soft or hard, the penalized likelihood of all rows is at least that of
    the supervised fit, by ``gain_``; with the estimator's ``shrinkage=0`` it is the likelihood itself. The
    guarantee is about neither errors nor other rows. The prior is the supervised fit's, with location and
    scale from the labeled rows. ``estimator`` is a :class:`semigen.MixtureClassifier` with one component per
    class of Gaussian (full, tied, diag, spherical; no missing values), Bernoulli, categorical, multinomial or
    Poisson columns, correct labels and one class prior for all rows; its ``max_iter`` bounds the labelings
    tried. See :doc:`/theory/pessimistic`.

    Parameters
    ----------
    estimator : classifier
        With a parameter ``unlabeled_weight`` in [0, 1] and ``predict_proba``, such as
        :class:`semigen.MixtureClassifier`.
    unlabeled_weights : sequence of float, default=(0, 0.01, 0.03, 0.1, 0.3, 1)
        Candidates λ; 0 is always one.
    n_splits : int, default=5
        Folds; as many as there are labeled rows that can be tested, if these are fewer.
    n_repeats : int or "auto", default="auto"
        How many times rows are dealt into folds. "auto": until 200 rows have been held out, at most 4 times.
    pessimistic : bool, default=False
        Maximum contrastive pessimistic likelihood instead of a choice of λ; only ``estimator`` matters then.
    n_jobs : int or None, default=1
        Fits at a time, in threads; None or -1: one for each processor. Apart from rounding, results do not
        depend on it, unless the estimator draws from a random state that all fits share, as PyTorch's.
    random_state : int or None, default=0
        Seed of the folds.
    verbose : int or None, default=None
        1 prints the steps, 0 is silent; None: on a terminal one line, after two seconds.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows with the chosen weight.
    unlabeled_weight_ : float
        The chosen λ; with ``pessimistic`` 1, or 0 where nothing is gained.
    path_ : tuple of PathPoint
        What cross-validation found for each candidate, by increasing λ; empty where it was impossible, and
        with ``pessimistic``.
    comparison_ : Comparison or None
        The cross-validation: candidates by name (``"0"``, ``"0.1"``, …) on the same held-out rows. None where
        ``path_`` is empty.
    verdict_ : Verdict
        Whether the unlabeled rows helped: the chosen λ, or, where that is 0, the best of the other
        candidates, against λ = 0 by the rule that all of semigen follows. λ is chosen by the stricter
        one-standard-error rule, so it can be above 0 where the verdict is ``"unclear"``; the candidates have
        been compared on the rows that chose among them, which favors the best one a little.
    fallback_ : str or None
        Why λ is 0, in plain words; None if it is not.
    gain_, gap_ : float
        With ``pessimistic``: the least gain over the supervised fit under any labeling, nats per row
        (labeled or not, by weight), for the parameters that are kept; and an upper bound on how much more
        other parameters could guarantee. ``gain_`` is 0 where the supervised fit is kept.
    pessimistic_labels_ : ndarray of shape (n, K)
        With ``pessimistic``: the labeling that proves the bound, ``gain_ + gap_``.
    classes_ : ndarray of shape (K,)
    n_features_in_, feature_names_in_, schema_
        Those of ``estimator_``, where it has them.

    Raises
    ------
    ParameterError
        If ``estimator`` has no ``unlabeled_weight``, a candidate is not in [0, 1], ``n_repeats`` is neither
        "auto" nor 1 or more, ``n_jobs`` is 0, or the estimator is not one for ``pessimistic``.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_misspecified
    >>> data = make_misspecified(40, 300, cluster_distance=8, random_state=0)
    >>> safe = semigen.SafeClassifier(semigen.MixtureClassifier(), n_repeats=1).fit(data.X, data.y)
    >>> safe.unlabeled_weight_
    0.0
    >>> print(safe.fallback_)  # doctest: +ELLIPSIS
    supervised learning (λ = 0) has the lowest log-loss ... the unlabeled rows do not help this model here.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        unlabeled_weights: Sequence[float] = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0),
        n_splits: int = 5,
        n_repeats: int | str = "auto",
        pessimistic: bool = False,
        n_jobs: int | None = 1,
        random_state: Any = 0,
        verbose: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.unlabeled_weights = unlabeled_weights
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.pessimistic = pessimistic
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, progress: Progress | None = None
    ) -> Self:
        """Choose the weight of the unlabeled rows and fit with it.

        Parameters
        ----------
        X : array or data frame of shape (n, D)
        y : array-like of shape (n,) or (n, K), or Labels
            Labels with markers, as the estimator reads them.
        sample_weight : array-like of shape (n,) or None
        progress : callable, optional
            Called as ``progress(fits done, all fits, what was fitted)`` after each fit of the choice.

        Returns
        -------
        self
        """
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        take_attributes(self, None, ("gain_", "gap_", "pessimistic_labels_"))  # those of a fit before
        self.path_: tuple[PathPoint, ...] = ()
        self.comparison_: Comparison | None = None
        if self.pessimistic:
            self._fit_pessimistic(X, y, sample_weight)
        else:
            self._fit_chosen(X, y, weighted, Steps(self.verbose, progress))
        self.classes_ = self.estimator_.classes_
        take_attributes(self, self.estimator_, ("n_features_in_", "feature_names_in_", "schema_"))
        return self

    def _fit_chosen(self, X: Any, y: Any, weighted: dict[str, Any], steps: Steps) -> None:
        candidates = self._candidates()
        settings = [clone(self.estimator).set_params(unlabeled_weight=value) for value in candidates]
        names = [f"{value:g}" for value in candidates]
        model = settings[0].fit(X, y, **weighted)  # input that cannot be read is refused before any folds
        labels = encode(y, self.unlabeled)
        n_testable = count_testable(labels.hard)
        why_not = _why_not(labels, n_testable)
        chosen, n_fits = 0, 1
        if why_not is None:
            n_splits, n_repeats = min(self.n_splits, n_testable), self._repeats(n_testable)
            n_fits = 2 + n_splits * n_repeats * len(candidates)
            steps(1, n_fits, "λ = 0 on all rows")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # raised below, for the fit that is kept
                compared = cross_validate(
                    dict(zip(names, settings, strict=True)),
                    X,
                    y,
                    **weighted,
                    n_splits=n_splits,
                    n_repeats=n_repeats,
                    random_state=self.random_state,
                    unlabeled=self.unlabeled,
                    n_jobs=self.n_jobs,
                    progress=lambda done, _, name: steps(1 + done, n_fits, f"λ = {name}"),
                )
            self.comparison_ = replace(compared, probabilities=None)  # a model file holds scores alone
            found = excess_losses(self.comparison_, names)
            self.path_ = tuple(
                PathPoint(**vars(one), unlabeled_weight=value)
                for one, value in zip(found, candidates, strict=True)
            )
            chosen = first_close(self.path_)
            if chosen > 0:
                model = settings[chosen].fit(X, y, **weighted)
            else:
                why_not = _no_gain(self.path_)
        best = chosen or min(range(1, len(self.path_)), key=lambda i: self.path_[i].log_loss, default=0)
        self.verdict_ = judge(
            self.comparison_ if best else None,
            names[best],
            names[0],
            n_unlabeled=int((~labels.is_labeled).sum()),
        )
        steps(n_fits, n_fits, f"λ = {candidates[chosen]:g} on all rows")
        self.estimator_ = model
        self.unlabeled_weight_ = candidates[chosen]
        self.fallback_ = why_not

    def _fit_pessimistic(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> None:
        model, found = fit_pessimistic(self.estimator, X, y, sample_weight)
        self.gain_ = found.gain
        self.gap_ = found.gap
        self.pessimistic_labels_ = found.labels
        self.estimator_ = model
        self.unlabeled_weight_ = float(model.unlabeled_weight)
        self.fallback_ = _nothing_guaranteed(found) if found.gain == 0 else None
        self.verdict_ = judge(None, "", "", n_unlabeled=found.n_iter)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each row, (n,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.input_tags.allow_nan &= not self.pessimistic  # the guarantee needs complete rows
        return tags

    @property
    def unlabeled(self) -> Any:
        """The estimator's marker of unlabeled rows."""
        return getattr(self.estimator, "unlabeled", -1)

    def _candidates(self) -> list[float]:
        if "unlabeled_weight" not in getattr(self.estimator, "get_params", dict)():
            raise ParameterError(
                f"{type(self.estimator).__name__} has no parameter unlabeled_weight, which SafeClassifier "
                "chooses: use an estimator that has one, such as semigen.MixtureClassifier."
            )
        if self.n_repeats != "auto":
            integer("n_repeats", self.n_repeats, minimum=1, more="'auto' or ")
        thread_count(self.n_jobs)
        for value in self.unlabeled_weights:
            if not isinstance(value, Real) or not 0 <= float(value) <= 1:
                raise ParameterError(f"unlabeled_weights holds {value!r}: give numbers from 0 to 1.")
        return sorted({0.0, *map(float, self.unlabeled_weights)})

    def _repeats(self, n_testable: int) -> int:
        if self.n_repeats == "auto":
            return min(MOST_REPEATS, -(-ENOUGH_TESTED_ROWS // n_testable))
        return int(self.n_repeats)


def _why_not(labels: Labels, n_testable: int) -> str | None:
    """Why λ cannot be chosen, if it cannot."""
    if labels.is_labeled.all():
        return "every row is labeled, so there are no unlabeled rows to weight."
    if n_testable < LEAST_TESTED_ROWS:
        return (
            f"only {n_testable} labeled row(s) can be held out without losing a class, so whether unlabeled "
            "rows help is unknown: label two rows or more of some classes."
        )
    return None


def _no_gain(path: tuple[PathPoint, ...]) -> str:
    supervised, best = path[0], min(path, key=lambda point: point.log_loss)
    if best is supervised:
        return (
            "supervised learning (λ = 0) has the lowest log-loss of all candidates on held-out labeled rows, "
            f"{supervised.log_loss:.3g} nats per row: the unlabeled rows do not help this model here."
        )
    return (
        f"the best candidate, λ = {best.unlabeled_weight:g}, lowers the log-loss on held-out labeled rows by "
        f"{supervised.excess:.2g} nats per row, which is within one standard error "
        f"({supervised.standard_error:.2g}) of supervised learning (λ = 0): too little to rely on."
    )


def _nothing_guaranteed(found: Pessimistic) -> str:
    if not found.n_iter:
        return "every row is labeled, so there is nothing to gain."
    if found.converged:
        return (
            "under some labeling of the unlabeled rows the supervised fit is optimal: no parameters "
            f"guarantee a gain of more than {found.gap:.2g} nats per row."
        )
    return (
        f"after {found.n_iter} labelings no parameters with a guaranteed gain were found, and a gain of up "
        f"to {found.gap:.2g} nats per row is not ruled out: raise the estimator's max_iter."
    )
