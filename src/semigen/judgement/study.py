"""Everything that advice is read from, computed once: fits by λ and held-out predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import softmax
from sklearn.base import clone

from semigen import columns
from semigen.columns import ReadTable
from semigen.common.progress import Steps
from semigen.data.labels import Labels, encode
from semigen.estimators.classifiers import RidgeLogistic, TreeEnsemble
from semigen.evaluation.grids import Grid, grid
from semigen.exceptions import ColumnWarning, ConvergenceWarning, LabelError, ParameterError
from semigen.judgement import diagnostics
from semigen.judgement.diagnostics import ColumnFit, Gain, Half, Told
from semigen.judgement.efficiency import efficiency
from semigen.judgement.held_out import N_SPLITS, OutOfFold, count_repeats, cross_validated
from semigen.mixture import MixtureClassifier
from semigen.representation import PlainColumns

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

WEIGHTS = (0.0, 0.01, 0.1, 1.0)
"""λ that are compared: how much an unlabeled row counts."""
LOGISTIC, FOREST = "logistic regression", "random forest"
WIDE = 100
"""Columns from which on covariances are left out if there are fewer rows a class than columns: fits would
take minutes and say little."""
MOST_UNLABELED, MOST_LABELED = 3000, 3000
"""Of more rows as many are drawn at random."""


def name_of(unlabeled_weight: float) -> str:
    """What the mixture with this λ is called in comparisons."""
    return f"λ = {unlabeled_weight:g}"


@dataclass(frozen=True, eq=False)
class Study:
    """A partly labeled table, the mixture fitted to it with each λ, and what is predicted for held-out rows.

    Attributes
    ----------
    table : ReadTable
        Labeled and unlabeled rows, (n, D).
    labels : Labels
    rows : ndarray of shape (n,), intp
        Their numbers in the table that was given.
    to_plain : PlainColumns
        How columns become plain numbers.
    estimator : MixtureClassifier
        What advice is asked about.
    fits : dict {λ: MixtureClassifier}
    held_out : OutOfFold or None
        Of the mixture with each λ and of the discriminative models; None where no row could be held out.
    random_state : int
    notes : tuple of str
        On how the columns were read.
    grid : Grid or None
        All combinations of the values in the columns, if that is what the rows are.
    """

    table: ReadTable
    labels: Labels
    rows: Rows
    to_plain: PlainColumns
    estimator: MixtureClassifier
    fits: Mapping[float, MixtureClassifier]
    held_out: OutOfFold | None
    random_state: int
    notes: tuple[str, ...] = field(default=())
    grid: Grid | None = None

    @property
    def weights(self) -> tuple[float, ...]:
        """The λ that are compared, 0 first."""
        return tuple(self.fits)

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.labels.classes)

    @cached_property
    def labeled(self) -> Rows:
        """Rows with one certain class."""
        return np.flatnonzero(self.labels.hard >= 0)

    @cached_property
    def unlabeled(self) -> Rows:
        """Rows without a label."""
        return np.flatnonzero(~self.labels.is_labeled)

    @cached_property
    def code(self) -> Rows:
        """Classes of ``labeled``."""
        return self.labels.hard[self.labeled]

    @cached_property
    def count(self) -> Array:
        """Labeled rows of each class, (K,)."""
        return np.bincount(self.code, minlength=self.n_classes).astype(np.float64)

    @property
    def labels_per_class(self) -> float:
        """On average."""
        return float(self.count.mean())

    @cached_property
    def plain(self) -> Any:
        """The columns as plain numbers, (n, P); sparse if the rows are."""
        return self.to_plain.transform(self.table)

    @cached_property
    def joint(self) -> dict[float, Array]:
        """Log p(x, class) of all rows under each fit, nats, (n, K)."""
        return {one: fit.log_joint(self.table) for one, fit in self.fits.items()}

    @cached_property
    def posterior(self) -> dict[float, Array]:
        """p(class | x) of all rows as the model itself has it, not calibrated, (n, K)."""
        return {one: softmax(joint, axis=1) for one, joint in self.joint.items()}

    @cached_property
    def probs(self) -> dict[float, Array]:
        """p(class | x) of all rows, calibrated, (n, K)."""
        return {
            one: fit.calibration_.of_evidence(self.joint[one] - np.log(fit.class_prior_))
            for one, fit in self.fits.items()
        }

    @cached_property
    def logistic(self) -> Array:
        """Probabilities of logistic regression on the labeled rows, of all rows, (n, K)."""
        model = RidgeLogistic(1.0).fit(self.plain[self.labeled], self.code)
        found = np.zeros((len(self.labels), self.n_classes))
        found[:, model.classes_] = model.predict_proba(self.plain)
        return found

    @cached_property
    def simulated(self) -> dict[float, tuple[float, float]]:
        """For each fit, how probable the labeled rows are beside rows drawn from it: :func:`simulated`."""
        rows, rng = self.table.matrix[self.labeled], np.random.default_rng
        return {
            one: diagnostics.simulated(
                fit, rows, self.joint[one][self.labeled], self.code, rng(self.random_state)
            )
            for one, fit in self.fits.items()
        }

    @cached_property
    def half(self) -> Half | None:
        """The mixture with λ = 1 without every other unlabeled row."""
        return Half.of(self.fits[1.0], self.table, self.labels, self.random_state)

    @cached_property
    def freer(self) -> dict[str, Gain]:
        """How much better freer mixtures describe the unlabeled rows."""
        return {} if self.half is None else diagnostics.freer_densities(self.half)

    @cached_property
    def shift(self) -> tuple[float, float]:
        """The largest shift of a column's mean and spread between labeled and unlabeled rows."""
        return diagnostics.column_shift(self.plain, self.labeled, self.unlabeled)

    @cached_property
    def worst_columns(self) -> list[ColumnFit]:
        """The columns that the fit with λ = 1 describes worst, the worst first; none of sparse rows."""
        rng = np.random.default_rng(self.random_state)
        return diagnostics.worst_columns(self.fits[1.0], self.table[self.unlabeled], rng)

    @cached_property
    def labels_each(self) -> float:
        """Labels that one unlabeled row is worth if the model is right; 0 for sparse rows."""
        if issparse(self.plain):
            return 0.0
        return efficiency(np.asarray(self.plain), self.posterior[1.0])

    @cached_property
    def told(self) -> Told:
        """Whether labeled rows can be told from unlabeled ones."""
        rng = np.random.default_rng(self.random_state)
        return diagnostics.tell_apart(self.plain, self.labeled, self.unlabeled, rng)


def study(
    X: Any,
    y: Any,
    *,
    estimator: MixtureClassifier | None = None,
    kinds: Any = None,
    weight: Array | None = None,
    unlabeled: Any = -1,
    weights: Sequence[float] = WEIGHTS,
    with_forest: bool = True,
    random_state: int = 0,
    steps: Steps | None = None,
) -> Study:
    """Fit what advice needs.

    Parameters
    ----------
    X, y, estimator, kinds, unlabeled, random_state
        As :func:`semigen.advise` takes them.
    weight : ndarray of shape (n,), optional
        Of the rows.
    weights : sequence of float
        λ that are compared; 0 and 1 are among them.
    with_forest : bool
        Whether a random forest is among the models that are held against the mixture.
    steps : Steps or None
        Is told of each fit.
    """
    schema, matrix = columns.learn(X, kinds, sparse=True, words=True)
    labels = encode(y, unlabeled)
    if len(labels) != matrix.shape[0]:
        raise LabelError(
            f"X has {matrix.shape[0]} rows and y {len(labels)}: give one label or marker per row."
        )
    weight = np.ones(len(labels)) if weight is None else weight
    combinations = grid(matrix[weight > 0])
    rows = _drawn(labels, weight, random_state)
    table, labels, weight = ReadTable(schema, matrix[rows]), labels.take(rows), weight[rows]
    if len(np.unique(labels.hard[labels.hard >= 0])) < len(labels.classes):
        raise LabelError(
            "some classes have no row with one certain label, only candidates or soft labels: label a row of "
            "each class."
        )
    model = _model(estimator, table, len(labels.classes))
    every = {one: clone(model).set_params(unlabeled_weight=one, unlabeled=None) for one in weights}
    with_forest = with_forest and not issparse(table.matrix)
    report = _Report(steps or Steps(0, None), len(every), len(every) + 1 + with_forest, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", ColumnWarning)
        fits: dict[float, MixtureClassifier] = {}
        for one, each in every.items():
            fits[one] = each.fit(table, labels, None if (weight == 1).all() else weight)
            report(name_of(one))
        table = ReadTable(fits[0.0].schema_, table.matrix)  # columns as the densities know them
        to_plain = PlainColumns().fit(table)
        models: dict[str, tuple[str, Any]] = {name_of(one): ("table", each) for one, each in every.items()}
        models[LOGISTIC] = ("plain", RidgeLogistic(1.0))
        if with_forest:
            models[FOREST] = ("plain", TreeEnsemble(100, random_state=random_state))
        forms = {"table": table, "plain": to_plain.transform(table)}
        held_out = cross_validated(models, forms, labels, weight, random_state, report)
    asked = MixtureClassifier(covariance=model.covariance) if estimator is None else estimator
    notes = tuple(schema.notes)
    return Study(table, labels, rows, to_plain, asked, fits, held_out, random_state, notes, combinations)


class _Report:
    """Counts fits."""

    def __init__(self, steps: Steps, n_fits: int, n_models: int, labels: Labels) -> None:
        self._steps, self._done = steps, 0
        self._total = n_fits + n_models * N_SPLITS * count_repeats(labels.hard)

    def __call__(self, name: str) -> None:
        self._done += 1
        self._steps(self._done, self._total, name)


def _model(estimator: MixtureClassifier | None, table: ReadTable, n_classes: int) -> MixtureClassifier:
    if estimator is None:
        n_rows, n_columns = table.shape
        wide = n_columns >= WIDE and n_rows < n_classes * n_columns
        return MixtureClassifier(covariance="diag" if wide else "auto", max_iter=100, tol=1e-5, verbose=0)
    if not isinstance(estimator, MixtureClassifier):
        raise ParameterError(
            f"estimator is a {type(estimator).__name__}: advice is about how much unlabeled rows should "
            "count in a semigen.MixtureClassifier; to compare other classifiers use semigen.compare."
        )
    if estimator.n_novel_components or estimator.label_mechanism is not None:
        raise ParameterError(
            "estimator has novel components or a label mechanism, which only unlabeled rows tell of, so "
            "they cannot be left out: ask for advice about a MixtureClassifier without them."
        )
    return estimator


def _drawn(labels: Labels, weight: Array, seed: int) -> Rows:
    """Rows that are looked at: all of positive weight, or of very many as many drawn at random."""
    rng = np.random.default_rng(seed)
    parts = (
        (np.flatnonzero(labels.is_labeled & (weight > 0)), MOST_LABELED),
        (np.flatnonzero(~labels.is_labeled & (weight > 0)), MOST_UNLABELED),
    )
    kept = [rows if len(rows) <= most else rng.choice(rows, most, replace=False) for rows, most in parts]
    return np.sort(np.concatenate(kept))
