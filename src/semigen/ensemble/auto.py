"""The default classifier: generative and discriminative members, pooled by what hidden labels show."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from semigen import columns
from semigen.common.checks import integer
from semigen.common.progress import Clock, Progress
from semigen.common.threads import thread_count
from semigen.comparison import Comparison
from semigen.data.labels import Labels, encode
from semigen.data.rows import by_blocks
from semigen.data.weights import check_weights, class_rows
from semigen.ensemble.forms import Form, Forms
from semigen.ensemble.pool import PoolClassifier
from semigen.estimators.adapters import given_labels
from semigen.estimators.base import TableClassifier
from semigen.estimators.classifiers import RidgeLogistic, TreeEnsemble
from semigen.evaluation.dependence import DEPENDENCE_SHIFT, dependence_differs
from semigen.exceptions import DatasetShiftWarning
from semigen.families import Family, as_modeled, choose
from semigen.mixture import MixtureClassifier
from semigen.representation import (
    GraphSpreading,
    HybridClassifier,
    MixtureEnsembleFeatures,
    NeighborGraph,
    PlainColumns,
)

Array = NDArray[np.float64]

MIXTURES, GRAPH, SPREADING = "mixture features", "graph features", "label spreading"
MIXTURE_PER_CLASS, LOGISTIC, TREES = "mixture per class", "logistic regression", "extra trees"
AXES = "logistic regression on principal components"
DEFAULT_WEIGHTS = {
    MIXTURES: 0.6,
    GRAPH: 0.45,
    SPREADING: 0.15,
    MIXTURE_PER_CLASS: 0.2,
    LOGISTIC: 0.05,
    TREES: 0.2,
}
"""Weights without any evidence; with few labels the pool stays near them. Chosen on development data: the
bundled tables and half of the splits of the SSL book's sets."""
SURE_COLUMNS = 16
"""Densities of more columns overstate how sure they are: their default weight falls with the root of D."""
DOCUMENT_WEIGHTS = {MIXTURES: 0.4, MIXTURE_PER_CLASS: 0.8, LOGISTIC: 0.05, AXES: 0.1}
"""The same for sparse rows, where class densities are the strong member. Chosen on the training documents of
20 Newsgroups and half of the splits of the SSL book's Text."""
RIDGE = 1.0
BALANCE = 30.0
"""Rows by which each class counts as larger than its labeled rows."""
SUPERVISED = (LOGISTIC, TREES)
"""Members that use labeled rows only."""
ALL_MODELS, SUPERVISED_MODELS = "all models", "supervised models"
"""Names of the two pools in ``validation_``."""
SHARE_OF_MIXTURES = 0.4
"""Of a time budget."""
N_TREES = 100
MAX_ROWS = 100_000
"""Rows that class densities are fitted on."""
MAX_LABELED = 20_000
"""Labeled rows that members are fitted on."""


class AutoClassifier(TableClassifier, BaseEstimator):
    """Classes from a table of any kind, with few labels or many: the default of semigen.

    A pool (:class:`semigen.PoolClassifier`) of classifiers that fail in different ways: ridge regression on
    the responsibilities of many mixtures fitted without labels (:class:`semigen.MixtureEnsembleFeatures`) and
    on features of the graph of nearest neighbors (:class:`semigen.representation.NeighborGraph`); label
    spreading over that graph (:class:`semigen.representation.GraphSpreading`); a mixture per class by EM on
    labeled and (a tenth as much) unlabeled rows; logistic regression and extra trees of the labeled rows.
    Documents
    (sparse rows) have the mixtures, class densities, in which an unlabeled row counts three tenths, and
    logistic regression, on the words and on their principal axes. All learn as if each class had thirty
    labeled rows more than it has, so a few uneven labels are not taken for the shares of the classes. How
    much each counts, and how sure the pool is, is decided by labeled rows that are hidden in turn. If they
    show that members with unlabeled rows make it worse (by a 95 % interval of the difference of the
    log-losses), those members are left out, and ``explanation_`` says so.

    Parameters
    ----------
    n_mixtures : int, default=48
        Mixtures of the representation.
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where it is not as they look; see :func:`semigen.columns.learn`.
    time_budget : float or None, default=None
        Seconds for a fit, roughly: mixtures, folds and members that cannot be finished in time are left out,
        and ``explanation_`` says so. Results then depend on the machine's speed. None: as long as it takes.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled.
    n_jobs : int or None, default=None
        Threads; None or -1: one for each processor. Results do not depend on it.
    random_state : int, RandomState or None, default=0
    verbose : int, default=0
        1 prints the steps.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    models_ : tuple of PoolModel
        Weights, losses on hidden rows, seconds; by weight, the largest first.
    weights_ : dict {name: float}
    validation_ : Comparison or None
        Accuracy and log-loss on labeled rows hidden in turn, of ``"all models"`` pooled, of the
        ``"supervised models"`` pooled (those that use labeled rows only) and of each member. Weights of a
        pool come from the other folds. None where no row could be hidden.
    unlabeled_used_ : bool
        False where members that use unlabeled rows made it worse and are left out, or with
        ``dependence_shift_`` could not be shown to help.
    dependence_shift_ : bool
        Whether columns go together in the labeled rows, but not in the unlabeled ones, by tests at the
        level of 5 %, which a warning says, too: as if each column had been shuffled by itself. Not tested for
        sparse rows, and with fewer than 5 labeled or 30 unlabeled rows.
    stopped_early_ : bool
        Whether the time budget may have ended the fit before all mixtures, folds and members were there.
    explanation_ : str
        What carried the predictions and what the unlabeled rows changed, in words.
    pool_ : PoolClassifier
    schema_ : Schema
        Names, kinds and levels of the columns.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    Notes
    -----
    Of more than 10,000 rows the mixtures see as many drawn at random, of more than 8,000 the graph, of more
    than 100,000 the class densities; of more than 20,000 labeled rows members learn from as many, drawn
    class by class.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(5, 300, distance=3, random_state=0)
    >>> auto = semigen.AutoClassifier(n_mixtures=12).fit(data.X, data.y)
    >>> print(auto.explanation_)  # doctest: +ELLIPSIS
    Weights in the pool: ...
    On 5 hidden labeled rows: ...
    Unlabeled rows helped: ...
    """

    def __init__(
        self,
        *,
        n_mixtures: int = 48,
        kinds: Any = None,
        time_budget: float | None = None,
        unlabeled: Any = -1,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.n_mixtures = n_mixtures
        self.kinds = kinds
        self.time_budget = time_budget
        self.unlabeled = unlabeled
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from labeled and unlabeled rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
            NaN, None and NA are missing cells.
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities / candidate sets over K classes.
        sample_weight : array-like of shape (n,) or None
            Row weights.
        progress : callable, optional
            Called as ``progress(steps done, steps in all, what was done)`` after each step.

        Returns
        -------
        self
        """
        integer("n_mixtures", self.n_mixtures, minimum=1)
        thread_count(self.n_jobs)
        clock = Clock(self.time_budget, self.verbose, progress)
        schema, matrix = columns.learn(X, self.kinds, sparse=True)
        family = choose("auto", "tied", schema, sparse=issparse(matrix))
        self.schema_ = as_modeled(family, schema)
        validate_data(self, X, skip_check_array=True)
        weight = check_weights(sample_weight, matrix.shape[0])
        labels = encode(y, self.unlabeled, counted=weight > 0)
        seed = check_random_state(self.random_state).randint(2**31)
        representation = MixtureEnsembleFeatures(
            self.n_mixtures,
            min_components=len(labels.classes),
            time_budget=clock.left(SHARE_OF_MIXTURES),
            kinds=self.schema_.special_kinds,
            n_jobs=self.n_jobs,
            random_state=seed,
        ).fit(matrix[weight > 0], progress=clock.first(self.n_mixtures))
        matrix, labels, weight = _subset(matrix, labels, weight, seed)
        self.forms_ = _forms(matrix, representation, seed)
        counts = class_rows(labels, weight) + BALANCE
        self.pool_ = PoolClassifier(
            self._members(family, issparse(matrix), counts / counts.sum(), seed),
            weights=_default_weights(matrix),
            ridge=RIDGE,
            balance=BALANCE,
            time_budget=clock.left(),
            unlabeled=None,
            random_state=seed,
        ).fit(
            self.forms_.of(matrix),
            given_labels(labels),
            None if (weight == 1).all() else weight,
            progress=clock.after(self.n_mixtures),
        )
        self.classes_ = labels.classes
        self.dependence_shift_ = not issparse(matrix) and dependence_differs(
            matrix, labels.is_labeled, representation.views_[0].plain_.transform, seed
        )
        if self.dependence_shift_:
            warnings.warn(DEPENDENCE_SHIFT, DatasetShiftWarning, stacklevel=2)
        self._judge()
        self.weights_ = self.pool_.weights_
        self.models_ = tuple(
            replace(one, uses_unlabeled=one.name not in SUPERVISED) for one in self.pool_.models_
        )
        self.stopped_early_ = clock.over
        self.explanation_ = _explain(self)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        matrix = columns.read_like(self, X)

        def block(rows: Any) -> Array:
            return self.pool_.predict_proba(self.forms_.of(rows))

        return by_blocks(block, matrix, len(self.classes_), thread_count(self.n_jobs))

    def _members(self, family: Family, sparse: bool, shares: Array, seed: int) -> list[tuple[str, Any]]:
        """Classifiers of :class:`semigen.ensemble.forms.Rows`, by name."""
        density = MixtureClassifier(
            family,
            class_prior=shares if sparse else "shared",
            unlabeled_weight=0.3 if sparse else 0.1,
            max_iter=50,
            tol=1e-4,
            unlabeled=None,
            random_state=seed,
        )
        members: list[tuple[str, str, Any]]
        if sparse:
            members = [
                (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
                (MIXTURE_PER_CLASS, "words", density),
                (LOGISTIC, "plain", RidgeLogistic(1.0)),
                (AXES, "view", RidgeLogistic(10.0)),
            ]
        else:
            members = [
                (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
                (SPREADING, "near", GraphSpreading(FrozenEstimator(self.forms_.graph))),
                (MIXTURE_PER_CLASS, "given", density),
                (LOGISTIC, "plain", RidgeLogistic(1.0)),
                (GRAPH, "smooth", RidgeLogistic(10.0)),
                (TREES, "plain", TreeEnsemble(N_TREES, random_state=seed)),
            ]
        return [(name, HybridClassifier(Form(form), one, unlabeled=None)) for name, form, one in members]

    def _judge(self) -> None:
        """Compare the pool with that of the supervised members; keep to these if that is better or safer."""
        pool, names = self.pool_, list(self.pool_.estimators_)
        self.validation_: Comparison | None = None
        self.unlabeled_used_ = True
        given, start = default_weights(pool), supervised_weights(pool)
        if not start:
            return
        without = pool.held_out_.only(np.array([name in start for name in names]))
        validation = pool.held_out_.validation(
            {
                ALL_MODELS: pool.held_out_.crossfitted(np.array(list(given.values())), pool.ridge),
                SUPERVISED_MODELS: without.crossfitted(np.array(list(start.values())), pool.ridge),
                **dict(zip(names, pool.held_out_.log_probs, strict=True)),
            }
        )
        self.validation_ = validation
        leave_out = self.dependence_shift_
        if validation is not None:
            harm = validation.difference(ALL_MODELS, SUPERVISED_MODELS).log_loss
            leave_out = harm.low > 0 or (self.dependence_shift_ and harm.high >= 0)
        if leave_out:
            pool.restrict(start)
            self.unlabeled_used_ = False


def default_weights(pool: PoolClassifier) -> dict[str, float]:
    """Default weights of the members that were fitted."""
    return {name: (pool.weights or {})[name] for name in pool.estimators_}


def supervised_weights(pool: PoolClassifier) -> dict[str, float]:
    """Default weights of the supervised members alone: they share those of all."""
    given = default_weights(pool)
    kept = {name: weight for name, weight in given.items() if name in SUPERVISED}
    return {name: weight * sum(given.values()) / sum(kept.values()) for name, weight in kept.items()}


def _forms(matrix: Any, mixtures: MixtureEnsembleFeatures, seed: int) -> Forms:
    """Representations of all rows, on which the members stand."""
    plain = PlainColumns(mixtures.kinds).fit(matrix)
    graph = NeighborGraph(random_state=seed)
    if not issparse(matrix):
        graph.fit(mixtures.views_[-1].transform(matrix))
    return Forms(plain, mixtures, graph)


def _default_weights(matrix: Any) -> dict[str, float]:
    if issparse(matrix):
        return DOCUMENT_WEIGHTS
    sure = min(1.0, float(np.sqrt(SURE_COLUMNS / matrix.shape[1])))
    return {**DEFAULT_WEIGHTS, MIXTURE_PER_CLASS: DEFAULT_WEIGHTS[MIXTURE_PER_CLASS] * sure}


def _subset(matrix: Any, labels: Labels, weight: Array, seed: int) -> tuple[Any, Labels, Array]:
    """Rows that members are fitted on: those of positive weight, drawn where there are very many."""
    rng = np.random.default_rng(seed)
    counted = weight > 0
    labeled = np.flatnonzero(labels.is_labeled & counted)
    rest = np.flatnonzero(~labels.is_labeled & counted)
    if len(labeled) > MAX_LABELED:
        order = rng.permutation(labeled)
        rank = np.empty(len(order))
        hard = labels.take(order).probabilities.argmax(axis=1)
        for k in np.unique(hard):
            mine = np.flatnonzero(hard == k)
            rank[mine] = np.arange(len(mine)) / len(mine)
        labeled = np.sort(order[np.argsort(rank, kind="stable")][:MAX_LABELED])
    if len(rest) > MAX_ROWS:
        rest = rng.choice(rest, MAX_ROWS, replace=False)
    rows = np.sort(np.concatenate([labeled, rest]))
    if len(rows) == len(weight):
        return matrix, labels, weight
    return matrix[rows], labels.take(rows), weight[rows]


def _explain(auto: AutoClassifier) -> str:
    weights = {name: weight for name, weight in auto.weights_.items() if weight > 0}
    total = sum(weights.values()) or 1.0
    shares = ", ".join(
        f"{name} {weight / total:.0%}" for name, weight in sorted(weights.items(), key=lambda one: -one[1])
    )
    lines = [f"Weights in the pool: {shares}."]
    if auto.dependence_shift_:
        lines.append(DEPENDENCE_SHIFT)
        if not auto.unlabeled_used_:
            lines.append("Members that use unlabeled rows are left out.")
    if auto.stopped_early_:
        lines.append("The time budget ended the fit: mixtures, folds or members may be missing.")
    if auto.validation_ is None and auto.stopped_early_:
        lines.append(
            "No label was hidden in time, so the weights are the defaults and nothing is known about "
            "how good the predictions are: give it more time."
        )
        return "\n".join(lines)
    if auto.validation_ is None:
        lines.append(
            "No labeled row could be hidden, so the weights are the defaults and nothing is known about how "
            "good the predictions are: label two rows or more of each class."
        )
        return "\n".join(lines)
    pool, twin = (auto.validation_.score(name) for name in (ALL_MODELS, SUPERVISED_MODELS))
    lines.append(
        f"On {len(auto.validation_.rows)} hidden labeled rows: log-loss {pool.log_loss.value:.3f} nats, "
        f"accuracy {pool.accuracy.value:.3f}; with labeled rows only {twin.log_loss.value:.3f} and "
        f"{twin.accuracy.value:.3f}."
    )
    change = auto.validation_.difference(SUPERVISED_MODELS, ALL_MODELS).log_loss
    nats = f"{change.value:+.3f} nats a row (95 %: {change.low:+.3f} to {change.high:+.3f})"
    if not auto.unlabeled_used_ and change.high >= 0:
        lines.append(f"On hidden rows they would have helped by {nats}.")
    elif not auto.unlabeled_used_:
        lines.append(f"Unlabeled rows made it worse, so members that use them are left out: {nats}.")
    elif change.low > 0:
        lines.append(f"Unlabeled rows helped: {nats}.")
    else:
        lines.append(f"Whether unlabeled rows helped cannot be told from these labels: {nats}.")
    return "\n".join(lines)
