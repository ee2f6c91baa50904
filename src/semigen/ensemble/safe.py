"""How much to trust the unlabeled rows, decided by the labeled ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from semigen.common.checks import integer
from semigen.common.progress import Progress, Steps
from semigen.common.threads import thread_count
from semigen.comparison import Comparison, cross_validate
from semigen.data.labels import Labels, encode
from semigen.em.pessimistic import Pessimistic
from semigen.evaluation.metrics import accuracy_score
from semigen.evaluation.splits import count_testable
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.mixture.pessimistic import fit_pessimistic

Array = NDArray[np.float64]
LEAST_TESTED_ROWS = 2
MOST_REPEATS = 4
ENOUGH_TESTED_ROWS = 200
"""With fewer labeled rows than so many, they are dealt into folds anew, up to ``MOST_REPEATS`` times."""


@dataclass(frozen=True)
class PathPoint:
    """One candidate for the weight of the unlabeled rows.

    Attributes
    ----------
    unlabeled_weight : float
        λ.
    log_loss : float
        Mean over hidden labeled rows, nats.
    accuracy : float
        Share of hidden labeled rows predicted right.
    excess : float
        Log-loss less that of the best candidate, nats; 0 for the best.
    standard_error : float
        Of ``excess``, from the paired differences row by row, nats.
    """

    unlabeled_weight: float
    log_loss: float
    accuracy: float
    excess: float
    standard_error: float


class SafeClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that uses unlabeled rows only as far as the labeled rows show that they help.

    Every candidate weight λ of the unlabeled rows is judged by repeated cross-validation on the labeled
    rows, all on the same folds; hidden rows are left out of the fit altogether. Of the candidates whose
    log-loss is within one standard error of the best one's (of the paired difference) and not above that of
    λ = 0, which is supervised learning, the smallest λ is taken: the one-standard-error rule (Breiman et al.
    1984, *Classification and Regression Trees*, §3.4.3) toward λ = 0. So where few labels can show nothing,
    it falls back on the supervised fit and says so. Every candidate is fitted anew: gone on from the fit of a
    smaller λ, one that leads EM astray would take all larger ones along.

    With ``pessimistic=True`` nothing is chosen. The fit maximizes what it gains over the supervised one under
    the worst labeling q of the unlabeled rows (Loog 2016, *IEEE TPAMI* 38:462),

    ``max_θ min_q Σ_labeled w [log p(x, y | θ) - log p(x, y | θ_sup)]
    + Σ_unlabeled w Σ_k q_k [log p(x, k | θ) - log p(x, k | θ_sup)] + log prior(θ) - log prior(θ_sup)``,

    so whatever the missing labels are, soft or hard, the penalized likelihood of all rows is at least that of
    the supervised fit, by ``gain_``; with the estimator's ``shrinkage=0`` it is the likelihood itself. It
    says nothing of errors, nor of other rows. The prior is the supervised fit's, with location and scale
    from the labeled rows. ``estimator`` is a :class:`semigen.MixtureClassifier` with one component a class
    of Gaussian (full, tied, diag, spherical; no missing cells), Bernoulli, categorical, multinomial or
    Poisson columns, right labels and one class prior for all rows; its ``max_iter`` bounds the labelings
    tried. See :doc:`/theory/pessimistic`.

    Parameters
    ----------
    estimator : classifier
        With a parameter ``unlabeled_weight`` in [0, 1] and ``predict_proba``, such as
        :class:`semigen.MixtureClassifier`.
    unlabeled_weights : sequence of float, default=(0, 0.01, 0.03, 0.1, 0.3, 1)
        Candidates λ; 0 is always one.
    n_splits : int, default=5
        Folds; as many as labeled rows that can be tested where there are fewer.
    n_repeats : int or "auto", default="auto"
        How often rows are dealt into folds. "auto": until 200 rows have been hidden, at most 4 times.
    pessimistic : bool, default=False
        Maximum contrastive pessimistic likelihood instead of a choice; of the other parameters only
        ``estimator`` counts then.
    n_jobs : int or None, default=1
        Fits at a time, in threads; None or -1: one for each processor. Results do not depend on it, but for
        rounding, unless the estimator draws from a random state that all share, as PyTorch's.
    random_state : int or None, default=0
        Of the folds.
    verbose : int, default=0
        1 prints the steps.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows with the chosen weight.
    unlabeled_weight_ : float
        The chosen λ; with ``pessimistic`` 1, or 0 where nothing is gained.
    path_ : tuple of PathPoint
        What cross-validation found for each candidate, in rising order; empty where it was impossible, and
        with ``pessimistic``.
    fallback_ : str or None
        Why λ is 0, in plain words; None if it is not.
    gain_, gap_ : float
        With ``pessimistic``: the least gain over the supervised fit under any labeling, nats per row
        (labeled or not, by weight), computed for the parameters that are kept; and how much more any
        parameters could guarantee at most. ``gain_`` is 0 where the supervised fit is kept.
    pessimistic_labels_ : ndarray of shape (n, K)
        With ``pessimistic``: the labeling that proves the bound, ``gain_ + gap_``.
    classes_ : ndarray of shape (K,)

    Raises
    ------
    ParameterError
        If ``estimator`` has no ``unlabeled_weight``, a candidate is not in [0, 1], ``n_repeats`` is neither
        "auto" nor 1 or more, ``n_jobs`` is 0, or the estimator is not one for ``pessimistic``.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_misspecified
    >>> data = make_misspecified(40, 1000, cluster_distance=8, random_state=0)
    >>> safe = semigen.SafeClassifier(semigen.MixtureClassifier()).fit(data.X, data.y)
    >>> safe.unlabeled_weight_
    0.0
    >>> print(safe.fallback_)  # doctest: +ELLIPSIS
    supervised learning (λ = 0) has the lowest log-loss ... unlabeled rows do not help this model here.
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
        verbose: int = 0,
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
        y : array-like of shape (n,) or (n, K)
            Labels with markers, as the estimator reads them.
        sample_weight : array-like of shape (n,) or None
        progress : callable, optional
            Called as ``progress(fits done, fits in all, what was fitted)`` after each fit of the choice.

        Returns
        -------
        self
        """
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.path_: tuple[PathPoint, ...] = ()
        if self.pessimistic:
            self._fit_pessimistic(X, y, sample_weight)
        else:
            self._fit_chosen(X, y, weighted, Steps(self.verbose, progress))
        self.classes_ = self.estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_", "schema_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _fit_chosen(self, X: Any, y: Any, weighted: dict[str, Any], steps: Steps) -> None:
        candidates = self._candidates()
        settings = [clone(self.estimator).set_params(unlabeled_weight=value) for value in candidates]
        model = settings[0].fit(X, y, **weighted)  # what cannot be read is told before any folds
        labels = encode(y, self.unlabeled)
        n_testable = count_testable(labels.hard)
        why_not = _why_not(labels, n_testable)
        chosen, n_fits = 0, 1
        if why_not is None:
            n_splits, n_repeats = min(self.n_splits, n_testable), self._repeats(n_testable)
            n_fits = 2 + n_splits * n_repeats * len(candidates)
            steps(1, n_fits, "λ = 0 on all rows")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # told below, for the fit that is kept
                found = cross_validate(
                    {f"{value:g}": one for value, one in zip(candidates, settings, strict=True)},
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
            self.path_ = _path(found, candidates)
            chosen = self.path_.index(_smallest_close(self.path_))
            if chosen > 0:
                model = settings[chosen].fit(X, y, **weighted)
            else:
                why_not = _no_gain(self.path_)
        steps(n_fits, n_fits, f"λ = {candidates[chosen]:g} on all rows")
        self.estimator_, self.unlabeled_weight_, self.fallback_ = model, candidates[chosen], why_not

    def _fit_pessimistic(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> None:
        model, found = fit_pessimistic(self.estimator, X, y, sample_weight)
        self.gain_, self.gap_, self.pessimistic_labels_ = found.gain, found.gap, found.labels
        self.estimator_, self.unlabeled_weight_ = model, float(model.unlabeled_weight)
        self.fallback_ = _nothing_guaranteed(found) if found.gain == 0 else None

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each row, (n,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy on the labeled rows of (X, y)."""
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight, unlabeled=self.unlabeled)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.input_tags.allow_nan &= not self.pessimistic  # rows of Gaussians with holes are not complete
        return tags

    @property
    def unlabeled(self) -> Any:
        """The estimator's marker of unlabeled rows."""
        return getattr(self.estimator, "unlabeled", -1)

    def _candidates(self) -> list[float]:
        if "unlabeled_weight" not in self.estimator.get_params():
            raise ParameterError(
                f"{type(self.estimator).__name__} has no parameter unlabeled_weight: SafeClassifier chooses "
                "that of an estimator which has one, such as semigen.MixtureClassifier."
            )
        if self.n_repeats != "auto":
            integer("n_repeats", self.n_repeats, minimum=1, more="'auto' or ")
        thread_count(self.n_jobs)
        for value in self.unlabeled_weights:
            if not isinstance(value, Real) or not 0 <= float(value) <= 1:
                raise ParameterError(f"unlabeled_weights holds {value!r}: numbers from 0 to 1 are wanted.")
        return sorted({0.0, *map(float, self.unlabeled_weights)})

    def _repeats(self, n_testable: int) -> int:
        if self.n_repeats == "auto":
            return min(MOST_REPEATS, -(-ENOUGH_TESTED_ROWS // n_testable))
        return int(self.n_repeats)


def _why_not(labels: Labels, n_testable: int) -> str | None:
    """Why there is nothing to choose or to choose by, if so."""
    if labels.is_labeled.all():
        return "every row is labeled, so there is nothing to weigh."
    if n_testable < LEAST_TESTED_ROWS:
        return (
            f"only {n_testable} labeled row(s) can be hidden without losing a class, so nothing can be "
            "shown: label two rows or more of some classes."
        )
    return None


def _path(found: Comparison, candidates: list[float]) -> tuple[PathPoint, ...]:
    share = found.weight / found.weight.sum()
    losses = np.array([found.row_losses[f"{value:g}"] for value in candidates])
    mean = losses @ share
    best = int(mean.argmin())
    difference = losses - losses[best]
    excess = difference @ share
    effective = 1.0 / (share**2).sum()
    spread = np.sqrt((difference - excess[:, None]) ** 2 @ share)
    error = spread / np.sqrt(max(effective - 1.0, 1.0))
    accuracy = [float(found.correct[f"{value:g}"] @ share) for value in candidates]
    return tuple(
        PathPoint(value, float(mean[i]), accuracy[i], float(excess[i]), float(error[i]))
        for i, value in enumerate(candidates)
    )


def _smallest_close(path: tuple[PathPoint, ...]) -> PathPoint:
    """The smallest weight within one standard error of the best and no worse than supervised learning."""
    close = (p for p in path if p.excess <= p.standard_error and p.log_loss <= path[0].log_loss)
    return next(close)


def _no_gain(path: tuple[PathPoint, ...]) -> str:
    supervised, best = path[0], min(path, key=lambda point: point.log_loss)
    if best is supervised:
        return (
            f"supervised learning (λ = 0) has the lowest log-loss of all candidates on hidden labeled rows, "
            f"{supervised.log_loss:.3g} nats: unlabeled rows do not help this model here."
        )
    return (
        f"the best candidate, λ = {best.unlabeled_weight:g}, lowers the log-loss on hidden labeled rows by "
        f"{supervised.excess:.2g} nats, which is within one standard error ({supervised.standard_error:.2g}) "
        "of supervised learning (λ = 0): too little to rely on."
    )


def _nothing_guaranteed(found: Pessimistic) -> str:
    if not found.n_iter:
        return "every row is labeled, so there is nothing to gain."
    if found.converged:
        return (
            "under some labeling of the unlabeled rows the supervised fit is the best there is: no "
            f"parameters guarantee a gain of more than {found.gap:.2g} nats a row."
        )
    return (
        f"after {found.n_iter} labelings no parameters with a guaranteed gain were found, and a gain of up "
        f"to {found.gap:.2g} nats a row is not ruled out: raise the estimator's max_iter."
    )
