"""What deep classifiers share: λ and how sure they may be are left to held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from semigen import columns
from semigen.columns import ReadTable
from semigen.common import checks
from semigen.common.notices import warn
from semigen.common.progress import Progress, part
from semigen.data.labels import Labels
from semigen.data.rows import count_rows, take_rows
from semigen.data.weights import read_labels
from semigen.deep.data.datasets import as_table, of_source
from semigen.deep.data.labels import Split, class_prior, split_rows
from semigen.deep.data.rows import ROWS_PER_BLOCK
from semigen.deep.data.tables import Inputs, Table, refuse_stacks, wanted_kinds
from semigen.deep.estimator import Array, DeepEstimator
from semigen.deep.labelers import FROM_LABELS, LABELERS, choose_start, to_spread_over
from semigen.deep.selection import Rows, explain_selection, select, to_hold_out, to_show, to_try
from semigen.deep.training.checkpoints import fold_path
from semigen.deep.training.trainer import Training
from semigen.estimators.base import TableClassifier
from semigen.evaluation.calibration import Calibration, calibrate, evidence_of
from semigen.evaluation.uncertainty import Uncertainty, disagreement
from semigen.exceptions import ParameterError, TrainingWarning

STARTS = ("auto", *LABELERS, FROM_LABELS)


class DeepClassifier(DeepEstimator, TableClassifier):
    """A deep classifier that is as sure as held-out labels allow, and uses unlabeled rows where they help."""

    unlabeled_weight: Any
    calibrate: Any
    start: Any
    least_agreement: float | None = 0.5
    """How far guessed classes have to agree with held-out labels (0: as chance does), with ``start="auto"``;
    None: they are used however few are right."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        progress: Progress | None = None,
        tracker: Any = None,
    ) -> Self:
        """Fit to labeled and unlabeled rows.

        With ``unlabeled_weight="auto"`` or ``calibrate="auto"`` up to three folds of labeled rows are held
        out first, each of which takes a fit of half as many steps for every λ that is tried.

        Parameters
        ----------
        X : array or data frame of shape (n, D), PyTorch ``Dataset``, ``DataLoader``, iterator or RowSource
            Of rows, or of pairs of a row and its label; an iterator of batches of these. They are read once
            and kept in a temporary file. A source (:func:`semigen.data.from_files`) is read twice and has its
            labels and weights in columns of its own.
        y : array-like of shape (n,) or (n, K), or None
            Labels, with markers for unlabeled rows, or label probabilities / candidate sets over K classes; a
            row with several possible classes counts as one weighted row for each. None: those of ``X``.
        sample_weight : array-like of shape (n,) or None
            Weights of the rows, ≥ 0.
        progress : callable, optional
            Called as ``progress(steps done, all steps, what is done)`` up to 50 times per fit.
        tracker : object, optional
            Its ``log(values, step=)`` gets what ``history_`` has, up to 50 times; not of folds and features.
            That of ``accelerate.tracking``, such as ``TensorBoardTracker``, or another.

        Returns
        -------
        self

        Raises
        ------
        ColumnError, LabelError, ParameterError
            If columns, labels, weights or parameters cannot be used.
        """
        X, y, sample_weight, shown = of_source(X, y, sample_weight, self.unlabeled, self._kinds)
        if shown is None:
            X, y = as_table(X, y)
            shown = X
        training = self._training(count_rows(X), tracker)
        lam = power = None
        if not _is_auto(self.unlabeled_weight):
            lam = checks.real(
                "unlabeled_weight", self.unlabeled_weight, minimum=0.0, maximum=1.0, more="'auto' or "
            )
        if not _is_auto(self.calibrate):
            power = checks.real("calibrate", self.calibrate, minimum=0.0, more="'auto' or ")
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X)
        if self._sees_columns:
            refuse_stacks(X)
            X = ReadTable(*columns.learn(X, self._kinds))  # once for all fits
        split = split_rows(labels, weight, 1.0)
        shares = class_prior(getattr(self, "class_prior", "labeled"), split)

        tried = to_try(lam, labels, weight)
        folds = to_hold_out(tried, power, labels, weight, training.seed)
        short = -(-training.n_steps // 2)
        of_folds = len(tried) * len(folds) * short
        interrupted = self._learn_first(
            X, labels, weight, training.seed, part(progress, 0, of_folds + training.n_steps)
        )
        if interrupted:
            folds = []
            of_folds = 0
            training = replace(training, n_steps=0)
        done = self._steps_first
        total = done + of_folds + training.n_steps
        saved: list[Path] = []

        def predict(lam: float, held_out: Rows, rows: Rows) -> Array:
            nonlocal done
            told = part(progress, done, total - done - short, f"a fold of labels held out, λ = {lam:g}")
            path = fold_path(self.checkpoint, len(saved))
            saved.extend([] if path is None else [path])
            fold = self._without(held_out, X, labels, weight, lam, short, training.seed, path, told)
            found = np.asarray(fold.predict_proba(take_rows(X, rows)))
            done += short
            return found

        found = select(
            predict, tried, folds, labels, weight, shares, training.seed, power, self._least_in_common
        )
        if found.unlabeled_weight == 0:  # no row is left whose class could be guessed
            self.start_ = FROM_LABELS
        self._learn(X, labels, weight, training, found.unlabeled_weight, part(progress, done, 0))
        self._note_columns(shown)
        if interrupted:
            self.outcome_ = "interrupted"
            warn(
                "Ctrl-C ended the fit while its features were learned: the classifier itself is untrained.",
                TrainingWarning,
            )
        self.unlabeled_weight_, self.comparison_, self.verdict_ = (
            found.unlabeled_weight,
            found.comparison,
            found.verdict,
        )
        self.calibration_ = Calibration.at(1.0 if power is None else power, shares)
        if power is None:
            shown = to_show(weight)
            evidence = evidence_of(np.asarray(self.predict_proba(take_rows(X, shown))), shares)
            self.calibration_ = calibrate(evidence, weight[shown], found.folds, shares)
        if self.outcome_ != "interrupted":  # the fit is whole: its own checkpoint is all that it leaves
            for path in saved:
                path.unlink(missing_ok=True)
        if self.verbose and self.comparison_ is not None:
            print(self.explanation_, flush=True)
        return self

    def _learn(
        self,
        X: Any,
        labels: Labels,
        weight: Array,
        training: Training,
        lam: float,
        progress: Progress | None,
    ) -> None:
        """Train the networks with λ."""
        raise NotImplementedError

    def predict_proba(self, X: Any) -> Array:
        """Calibrated p(class | x), averaged over members, (n, K), in the order of ``classes_``."""
        probs, share = self._member_proba(X)
        return np.asarray(probs.mean(axis=0) if share is None else (share[..., None] * probs).sum(axis=0))

    def predict_uncertainty(self, X: Any) -> Uncertainty:
        """How uncertain the class of each row is, and which part of that more data would reduce, nats.

        From the disagreement of the members: the epistemic part is 0 for a single one.
        """
        return disagreement(*self._member_proba(X))

    @property
    def explanation_(self) -> str:
        """What held-out labels say of the unlabeled rows and of the model, in sentences for a person."""
        check_is_fitted(self)
        return explain_selection(self.comparison_, self.verdict_, self.unlabeled_weight_)

    def _member_proba(self, X: Any) -> tuple[Array, Array | None]:
        """Calibrated p(class | x) of each member, (members, n, K), and how much each counts, (members, n)."""
        raise NotImplementedError

    def _read(self, X: Any) -> tuple[Table, Any]:
        """The columns along which labels are spread, and the rows."""
        raise NotImplementedError

    @property
    def _least_in_common(self) -> float | None:
        """How far fits with unlabeled rows have to agree with those without them (0: as chance does), where
        held-out labels do not tell which are better; None: not at all.
        """
        return None

    @property
    def _kinds(self) -> Any:
        """The kinds that columns are read as, where the parameters say so."""
        return wanted_kinds(getattr(self, "likelihood", "auto"))

    @property
    def _sees_columns(self) -> bool:
        """Whether networks see the columns, and no transformer that wants X as it is."""
        return True

    def _note_columns(self, shown: Any) -> None:
        """Let scikit-learn note the columns of the table as it was given."""
        validate_data(self, shown, skip_check_array=True)

    @property
    def _steps_first(self) -> int:
        """Steps of :meth:`_learn_first`."""
        return 0

    def _learn_first(
        self, X: Any, labels: Labels, weight: Array, seed: int, progress: Progress | None
    ) -> bool:
        """Learn what all fits have in common, at least the start; whether Ctrl-C ended it."""
        self._choose_start(X, labels, weight, seed)
        return False

    def _alone(self) -> Any:
        """The same classifier, not fitted, with what :meth:`_learn_first` learned."""
        return clone(self).set_params(start=self.start_)

    def _choose_start(self, X: Any, labels: Labels, weight: Array, seed: int) -> None:
        """Choose the start by all labels: without a third of them a fit would often choose another one."""
        if self.start not in STARTS:
            raise ParameterError(f"start={self.start!r}: use {' or '.join(map(repr, STARTS))}.")
        split = split_rows(labels, weight, 1.0)
        self.start_ = self.start
        if not len(split.unlabeled) or self.unlabeled_weight == 0:
            self.start_ = FROM_LABELS
        elif self.start == "auto":
            x, code, _ = rows_to_start_from(*self._read(X), split, seed)
            found, least = choose_start(x, code, seed), self.least_agreement
            self.start_ = found.start if least is None or found.agreement >= least else FROM_LABELS

    def _guess(self, read: Callable[[], tuple[Table, Any]], split: Split, seed: int) -> NDArray[np.int64]:
        """The classes that labeled and unlabeled rows start from, in this order; -1: none."""
        guess = np.concatenate([split.code, np.full(len(split.unlabeled), -1)])
        if self.start_ != FROM_LABELS and len(split.unlabeled):
            x, code, kept = rows_to_start_from(*read(), split, seed)
            guess[kept] = LABELERS[self.start_](x, code, None)
        return guess

    def _without(
        self,
        held_out: Rows,
        X: Any,
        labels: Labels,
        weight: Array,
        lam: float,
        n_steps: int,
        seed: int,
        checkpoint: Path | None,
        progress: Progress | None,
    ) -> Any:
        """A fit without these rows, as sure as its networks are."""
        seen = weight.copy()
        seen[held_out] = 0.0
        fold = self._alone().set_params(
            unlabeled_weight=lam,
            calibrate=1.0,
            n_steps=n_steps,
            n_members=1,
            checkpoint=checkpoint,
            random_state=seed,
        )
        if "warmup_steps" in fold.get_params():
            fold.set_params(warmup_steps=fold.warmup_steps // 2)
        fold.fit(X, labels, seen, progress=progress)
        if fold.outcome_ == "interrupted":
            raise KeyboardInterrupt
        return fold


def rows_to_start_from(
    table: Table, matrix: Any, split: Split, seed: int
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Rows (of many, some) as networks see them, their classes (-1: unlabeled), and places in the split."""
    code = np.concatenate([split.code, np.full(len(split.unlabeled), -1)])
    see = Inputs(table).double()
    kept = to_spread_over(code, seed, see.n_outputs)
    rows = np.concatenate([split.labeled, split.unlabeled])[kept]
    x = np.empty((len(rows), see.n_outputs))
    for begin in range(0, len(rows), ROWS_PER_BLOCK):
        block = slice(begin, begin + ROWS_PER_BLOCK)
        x[block] = see(*table.tensors(matrix[rows[block]])).numpy()
    return x, code[kept], kept


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
