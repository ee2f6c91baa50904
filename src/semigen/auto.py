"""The default classifier: generative and discriminative members, pooled by what hidden labels show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from semigen import columns
from semigen.base import TableClassifier
from semigen.checks import integer
from semigen.families import Family, as_modelled, choose
from semigen.hybrid import HybridClassifier, MixtureEnsembleFeatures, PlainColumns
from semigen.hybrid.classifiers import NeighbourSpreading, RidgeLogistic, TreeEnsemble
from semigen.labels import Labels, check_weights, encode
from semigen.members import given_labels
from semigen.mixture import MixtureClassifier
from semigen.pool import PoolClassifier, pool_losses, pool_weights

Array = NDArray[np.float64]

MIXTURES, NEIGHBOURS, CLASSES = "mixtures", "neighbours", "class densities"
LOGISTIC, TREES = "logistic regression", "extra trees"
DEFAULT_WEIGHTS = {MIXTURES: 1.2, NEIGHBOURS: 0.3, CLASSES: 0.2, LOGISTIC: 0.1, TREES: 0.2}
"""Weights without any evidence; with few labels the pool stays near them. Chosen on development data: the
bundled tables and the SSL book's sets."""
DOCUMENT_WEIGHTS = {MIXTURES: 0.4, NEIGHBOURS: 0.2, CLASSES: 0.8, LOGISTIC: 0.2}
"""The same for sparse rows, where class densities are the strong member; not tuned."""
SUPERVISED = (LOGISTIC, TREES)
N_TREES = 100
MAX_ROWS = 100_000
"""Rows that class densities are fitted on."""
MAX_LABELED = 20_000
"""Labelled rows that members are fitted on."""


@dataclass(frozen=True)
class Gain:
    """What members that learn from unlabelled rows changed, on the same hidden labelled rows.

    Attributes
    ----------
    log_loss, accuracy : float
        Of the pool with all members.
    supervised_log_loss, supervised_accuracy : float
        Of the best pool of the members that use labelled rows only.
    standard_error : float
        Of the difference of the log-losses, paired by row, nats.
    n_rows : int
        Hidden rows.
    """

    log_loss: float
    accuracy: float
    supervised_log_loss: float
    supervised_accuracy: float
    standard_error: float
    n_rows: int


class AutoClassifier(TableClassifier, BaseEstimator):
    """Classes from a table of any kind, with few labels or many: the default of semigen.

    A pool (:class:`semigen.PoolClassifier`) of classifiers that fail in different ways: ridge regression on
    the responsibilities of many mixtures fitted without labels (:class:`semigen.MixtureEnsembleFeatures`);
    label spreading over nearest neighbours of all rows; class densities by EM on labelled and (a tenth as
    much) unlabelled rows; logistic regression and extra trees of the labelled rows. How much each counts,
    and how sure the pool is, is decided by labelled rows that are hidden in turn. Where they show that
    members with unlabelled rows make it worse by more than one standard error, those members are left out,
    and ``explanation_`` says so.

    Parameters
    ----------
    n_mixtures : int, default=48
        Mixtures of the representation.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabelled.
    n_jobs : int or None, default=None
        Threads; None: one for each processor. Results do not depend on it.
    random_state : int, RandomState or None, default=0
    verbose : int, default=0
        1 prints the steps.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    members_ : tuple of PoolMember
        Weights, losses on hidden rows, seconds; by weight, the largest first.
    weights_ : dict {name: float}
    gain_ : Gain or None
        The pool with and without the members that use unlabelled rows; None where no row could be hidden.
    explanation_ : str
        What carried the predictions and what the unlabelled rows changed, in words.
    pool_ : PoolClassifier
    schema_ : Schema
        Names, kinds and levels of the columns.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    Notes
    -----
    Of more than 20,000 rows the mixtures see as many drawn at random, of more than 100,000 the class
    densities; of more than 20,000 labelled rows members learn from as many, drawn class by class.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(5, 300, distance=3, random_state=0)
    >>> auto = semigen.AutoClassifier(n_mixtures=12).fit(data.X, data.y)
    >>> print(auto.explanation_)  # doctest: +ELLIPSIS
    Weights in the pool: ...
    On 5 hidden labelled rows: ...
    Unlabelled rows helped: ...
    """

    def __init__(
        self,
        *,
        n_mixtures: int = 48,
        unlabeled: Any = -1,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.n_mixtures = n_mixtures
        self.unlabeled = unlabeled
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from labelled and unlabelled rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
            NaN, None and NA are missing cells.
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities / candidate sets over K classes.
        sample_weight : array-like of shape (n,) or None
            Row weights.

        Returns
        -------
        self
        """
        integer("n_mixtures", self.n_mixtures, minimum=1)
        begin = time.perf_counter()
        schema, matrix = columns.learn(X, sparse=True)
        family = choose("auto", "tied", schema, sparse=issparse(matrix))
        self.schema_ = as_modelled(family, schema)
        validate_data(self, X, skip_check_array=True)
        weight = check_weights(sample_weight, matrix.shape[0])
        labels = encode(y, self.unlabeled, counted=weight > 0)
        seed = check_random_state(self.random_state).randint(2**31)
        representation = MixtureEnsembleFeatures(
            self.n_mixtures,
            min_components=len(labels.classes),
            kinds=self.schema_.special_kinds,
            n_jobs=self.n_jobs,
            random_state=seed,
        ).fit(matrix[weight > 0])
        self._say(f"{self.n_mixtures} mixtures fitted", begin)
        matrix, labels, weight = _subset(matrix, labels, weight, seed)
        self.pool_ = PoolClassifier(
            self._members(matrix, family, representation, seed),
            weights=DOCUMENT_WEIGHTS if issparse(matrix) else DEFAULT_WEIGHTS,
            unlabeled=None,
            random_state=seed,
        ).fit(matrix, given_labels(labels), None if (weight == 1).all() else weight)
        self._say("members fitted", begin)
        self.classes_ = labels.classes
        self.gain_, kept = _gain(self.pool_)
        if kept is not None:
            self.pool_.reweigh(kept)
        self.weights_, self.members_ = self.pool_.weights_, self.pool_.members_
        self.explanation_ = _explain(self.pool_, self.gain_, kept is not None)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        matrix = columns.read_like(self, X)
        return self.pool_.predict_proba(matrix)

    def _members(
        self, matrix: Any, family: Family, representation: MixtureEnsembleFeatures, seed: int
    ) -> list[tuple[str, Any]]:
        plain = FrozenEstimator(PlainColumns(representation.kinds).fit(matrix))
        density = MixtureClassifier(
            family,
            unlabeled_weight=1.0 if issparse(matrix) else 0.1,
            max_iter=50,
            tol=1e-4,
            unlabeled=None,
            random_state=seed,
        )
        near = FrozenEstimator(representation.views_[-1])
        spreading = NeighbourSpreading(unlabeled=None, random_state=seed)
        members = [
            (
                MIXTURES,
                HybridClassifier(FrozenEstimator(representation), RidgeLogistic(9.0), unlabeled=None),
            ),
            (NEIGHBOURS, HybridClassifier(near, spreading, unlabeled=None)),
            (CLASSES, density),
            (LOGISTIC, HybridClassifier(plain, RidgeLogistic(1.0), unlabeled=None)),
        ]
        if not issparse(matrix):
            trees = TreeEnsemble(N_TREES, random_state=seed)
            members.append((TREES, HybridClassifier(plain, trees, unlabeled=None)))
        return members

    def _say(self, what: str, begin: float) -> None:
        if self.verbose:
            print(f"{time.perf_counter() - begin:6.1f} s  {what}")


def _subset(matrix: Any, labels: Labels, weight: Array, seed: int) -> tuple[Any, Labels, Array]:
    """Rows that members are fitted on: those of positive weight, drawn where there are very many."""
    rng = np.random.default_rng(seed)
    counted = weight > 0
    labelled = np.flatnonzero(labels.is_labeled & counted)
    rest = np.flatnonzero(~labels.is_labeled & counted)
    if len(labelled) > MAX_LABELED:
        order = rng.permutation(labelled)
        rank = np.empty(len(order))
        hard = labels.take(order).probabilities.argmax(axis=1)
        for k in np.unique(hard):
            mine = np.flatnonzero(hard == k)
            rank[mine] = np.arange(len(mine)) / len(mine)
        labelled = np.sort(order[np.argsort(rank, kind="stable")][:MAX_LABELED])
    if len(rest) > MAX_ROWS:
        rest = rng.choice(rest, MAX_ROWS, replace=False)
    rows = np.sort(np.concatenate([labelled, rest]))
    if len(rows) == len(weight):
        return matrix, labels, weight
    return matrix[rows], labels.take(rows), weight[rows]


def _gain(pool: PoolClassifier) -> tuple[Gain | None, dict[str, float] | None]:
    """The pool with and without members that use unlabelled rows; its weights without, where better."""
    rows, code, log_probs = pool.hidden_
    names = list(pool.weights_)
    supervised = np.array([name in SUPERVISED for name in names])
    if not len(rows):
        return None, None
    given = pool.weights or {}
    start = np.array([given[name] for name in names])
    own = start[supervised] * start.sum() / start[supervised].sum()
    ones = np.ones(len(code))
    found = pool_weights(log_probs[supervised], code, ones, own, pool.ridge)
    losses, right = pool_losses(log_probs, code, np.array(list(pool.weights_.values())))
    losses_without, right_without = pool_losses(log_probs[supervised], code, found)
    difference = losses - losses_without
    error = float(difference.std() / np.sqrt(max(len(code) - 1, 1)))
    gain = Gain(
        float(losses.mean()),
        float(right.mean()),
        float(losses_without.mean()),
        float(right_without.mean()),
        error,
        len(code),
    )
    if difference.mean() <= error or len(code) < 2:
        return gain, None
    kept = dict.fromkeys(names, 0.0)
    kept.update(zip(np.array(names)[supervised].tolist(), found.tolist(), strict=True))
    return gain, kept


def _explain(pool: PoolClassifier, gain: Gain | None, without: bool) -> str:
    weights = {name: weight for name, weight in pool.weights_.items() if weight > 0}
    total = sum(weights.values()) or 1.0
    shares = ", ".join(
        f"{name} {weight / total:.0%}" for name, weight in sorted(weights.items(), key=lambda one: -one[1])
    )
    lines = [f"Weights in the pool: {shares}."]
    if gain is None:
        lines.append(
            "No labelled row could be hidden, so the weights are the defaults and nothing is known about how "
            "good the predictions are: label two rows or more of each class."
        )
        return "\n".join(lines)
    lines.append(
        f"On {gain.n_rows} hidden labelled rows: log-loss {gain.log_loss:.3f} nats, accuracy "
        f"{gain.accuracy:.3f}; with labelled rows only {gain.supervised_log_loss:.3f} and "
        f"{gain.supervised_accuracy:.3f}."
    )
    change = gain.supervised_log_loss - gain.log_loss
    if without:
        lines.append(
            f"Unlabelled rows made it worse by {-change:.3f} ± {gain.standard_error:.3f} nats, so members "
            "that use them are left out."
        )
    elif change > gain.standard_error:
        lines.append(f"Unlabelled rows helped: {change:.3f} ± {gain.standard_error:.3f} nats a row.")
    else:
        lines.append(
            f"Whether unlabelled rows helped cannot be told from these labels: {change:+.3f} ± "
            f"{gain.standard_error:.3f} nats a row."
        )
    return "\n".join(lines)
