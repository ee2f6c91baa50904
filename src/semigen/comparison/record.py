"""How good named fits are on the same held-out rows, paired row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from numbers import Integral
from textwrap import fill
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from semigen.common.text import Printed, in_columns, shortened
from semigen.evaluation import intervals
from semigen.evaluation.intervals import Estimate
from semigen.evaluation.metrics import CLIP
from semigen.evaluation.ranking import Ranking, ranking
from semigen.exceptions import ParameterError

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]
_WIDTH, _LONGEST = 100, 24
"""Characters of a line of text below a table, and of a name in it."""
_MAX_LOSS = -float(np.log(CLIP)) + 1e-3  # renormalizing after the clip adds at most K · CLIP

CLASS_SHARES = "class shares"
"""The zero line of every comparison: for each row it predicts the class shares of the training labels."""


def stated_seed(random_state: Any) -> int | None:
    """The seed as a comparison states it: None where the folds cannot be drawn again from a number."""
    return int(random_state) if isinstance(random_state, Integral) else None


@dataclass(frozen=True)
class Score:
    """Accuracy and log-loss in nats per row, of one estimator or of one minus another.

    A row counts as right if its true class has the highest probability.
    """

    accuracy: Estimate
    log_loss: Estimate


@dataclass(frozen=True, eq=False)
class Comparison(Printed):
    """Out-of-fold results of several estimators on the same folds.

    ``score`` and ``difference`` also take the name ``"class shares"``, the zero line: it predicts for every
    row the shares of the classes among the labeled training rows, without looking at X. An estimator that
    does not beat it has learned nothing from the columns. It is not among ``names``.

    All intervals are 95 % and treat the tested rows as independent; folds share training rows, so they are
    somewhat too narrow. Weights count by their ratios only: m rows of weights w count as
    (Σ w)² / Σ w² rows.

    Attributes
    ----------
    names : tuple of str
        The estimators, in the caller's order.
    n_splits, n_repeats : int
        Folds, and how many times the rows were dealt into folds.
    rows : ndarray of shape (m,)
        Row numbers of the held-out rows in the table of the fit, in increasing order.
    weight : ndarray of shape (m,)
        Their weights.
    correct : dict of ndarray of shape (m,)
        For each estimator and the class shares, the fraction of repeats in which each row was classified
        right.
    row_losses : dict of ndarray of shape (m,)
        For each estimator and the class shares, the mean log-loss of each row over repeats, in nats.
    n_labeled, n_unlabeled : int or None
        Labeled and unlabeled rows of positive weight that were there to learn from; None where unknown.
    random_state : int or None
        Seed of the folds; None where they cannot be drawn again.
    probabilities : dict of ndarray of shape (m, K) or None
        For each estimator, the mean class probabilities of each row over repeats; None where they are not
        kept.
    row_briers : dict of ndarray of shape (m,) or None
        For each estimator and the class shares, the mean Brier score of each row over repeats; None where
        they are not kept.
    code : ndarray of shape (m,) or None
        Index of the class of each row; None where it is not kept.
    classes : tuple or None
        The classes.
    """

    names: tuple[str, ...]
    n_splits: int
    n_repeats: int
    rows: _Rows = field(repr=False)
    weight: _Floats = field(repr=False)
    correct: Mapping[str, _Floats] = field(repr=False)
    row_losses: Mapping[str, _Floats] = field(repr=False)
    n_labeled: int | None = None
    n_unlabeled: int | None = None
    random_state: int | None = None
    probabilities: Mapping[str, _Floats] | None = field(default=None, repr=False)
    row_briers: Mapping[str, _Floats] | None = field(default=None, repr=False)
    code: _Rows | None = field(default=None, repr=False)
    classes: tuple[Any, ...] | None = field(default=None, repr=False)

    def score(self, name: str) -> Score:
        """Accuracy with a Wilson interval and log-loss with a Student t interval over rows.

        Raises
        ------
        ParameterError
            If no estimator has that name.

        References
        ----------
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
        """
        correct, row_losses = self._rows_of(name)
        return Score(
            intervals.of_share(correct, self.weight),
            intervals.of_mean(row_losses, self.weight, 0.0, _MAX_LOSS),
        )

    def difference(self, name_a: str, name_b: str, n_intervals: int = 1) -> Score:
        """Score of ``name_a`` minus that of ``name_b``, paired by row.

        Below 0 the log-loss of ``name_a`` is better, above 0 its accuracy is. The log-loss has a Student t
        interval over rows. The accuracy has the interval of Agresti and Min (half a row added to each of the
        four outcomes), which stays honest when both are right or wrong together in every row.
        Where ``name_b`` is chosen among ``n_intervals`` by these rows, intervals are so wide that those for
        all of them would hold together (Bonferroni's inequality).

        Raises
        ------
        ParameterError
            If no estimator has that name.

        References
        ----------
        Agresti and Min (2005), Simple improved confidence intervals for comparing matched proportions.
        """
        correct_a, losses_a = self._rows_of(name_a)
        correct_b, losses_b = self._rows_of(name_b)
        return Score(
            intervals.of_paired_shares(correct_a - correct_b, self.weight, n_intervals),
            intervals.of_mean(losses_a - losses_b, self.weight, -_MAX_LOSS, _MAX_LOSS, n_intervals),
        )

    def brier(self, name: str, beside: str | None = None) -> Estimate | None:
        """Brier score, from 0 to 2; or that of ``name`` minus that of ``beside``, paired by row.

        Lower is better. With a Student t interval over rows. None where the comparison has no Brier scores.

        Raises
        ------
        ParameterError
            If no estimator has that name.
        """
        if self.row_briers is None:
            return None
        self._rows_of(name)
        if beside is None:
            return intervals.of_mean(self.row_briers[name], self.weight, 0.0, 2.0)
        self._rows_of(beside)
        return intervals.of_mean(self.row_briers[name] - self.row_briers[beside], self.weight, -2.0, 2.0)

    def ranking(self, name: str) -> Ranking | None:
        """How well probabilities of the rarer of two classes rank the rows.

        None with other numbers of classes, for the class shares, and where probabilities are not kept.

        Raises
        ------
        ParameterError
            If no estimator has that name.
        """
        self._rows_of(name)
        if self.probabilities is None or name not in self.probabilities or self.code is None:
            return None
        return ranking(self.probabilities[name], self.code, self.weight, self.classes or ())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single rows, as plain Python values that JSON can hold.

        ``"scores"`` ends with the class shares; ``"differences"`` are those of the estimators. With two
        classes ``"ranked_class"`` is the class whose ``auc`` and ``average_precision`` scores have.
        """
        ranked = {name: found for name in self.names if (found := self.ranking(name))}
        of = next(iter(ranked.values()), None)

        def scores(name: str) -> dict[str, Any]:
            found = self._as_dict(self.score(name), self.brier(name))
            if name in ranked:
                both = {key: asdict(getattr(ranked[name], key)) for key in ("auc", "average_precision")}
                return found | both
            return found

        with_zero = (*self.names, *(name for name in self.correct if name not in self.names))
        return {
            "n_splits": self.n_splits,
            "n_repeats": self.n_repeats,
            "random_state": self.random_state,
            "n_rows": int(self.rows.shape[0]),
            "n_labeled": self.n_labeled,
            "n_unlabeled": self.n_unlabeled,
            "confidence": intervals.CONFIDENCE,
            **({} if of is None else {"ranked_class": of.of, "ranked_share": of.share}),
            "scores": {name: scores(name) for name in with_zero},
            "differences": [
                {"a": a, "b": b, **self._as_dict(self.difference(a, b), self.brier(a, b))}
                for a, b in combinations(self.names, 2)
            ],
        }

    def to_frame(self, library: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """Scores with their intervals as a data frame, one row for each estimator and the class shares.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default="pandas"
            What makes the frame; it must be installed.
        """
        rows = [
            {
                "name": name,
                **{
                    f"{measure}{'' if part == 'value' else f'_{part}'}": number
                    for measure, estimate in score.items()
                    for part, number in estimate.items()
                },
            }
            for name, score in self.to_dict()["scores"].items()
        ]
        columns = {key: [row.get(key) for row in rows] for key in rows[0]}
        return nw.from_dict(columns, backend=library).to_native()

    def __str__(self) -> str:
        """The scores as a table, the lowest log-loss first, each beside the best one."""
        return scores_as_text(self)

    @staticmethod
    def _as_dict(score: Score, brier: Estimate | None) -> dict[str, Any]:
        return asdict(score) | ({} if brier is None else {"brier": asdict(brier)})

    def _rows_of(self, name: str) -> tuple[_Floats, _Floats]:
        if name not in self.correct:
            raise ParameterError(f"there is no estimator {name!r}: use one of {', '.join(self.correct)}.")
        return self.correct[name], self.row_losses[name]


def scores_as_text(comparison: Comparison) -> str:
    """The scores of a comparison as lines of a table: the lowest log-loss first, the class shares last.

    Brier scores and average precision are left to :meth:`Comparison.to_frame`, so that lines fit a terminal.
    """
    loss = {name: comparison.score(name).log_loss.value for name in comparison.names}
    order = sorted(loss, key=loss.__getitem__)
    zero = [name for name in comparison.correct if name not in comparison.names]
    behind = {name: comparison.difference(name, order[0]).log_loss for name in [*order[1:], *zero]}
    ranked = {name: comparison.ranking(name) for name in [*order, *zero]}
    lines = [["name", "accuracy, %", "log-loss", "behind the best", "ROC AUC"]]
    for name, rank in ranked.items():
        score = comparison.score(name)
        lines.append(
            [
                shortened(name, _LONGEST),
                _interval(score.accuracy, 100, ".1f"),
                _interval(score.log_loss, 1, ".3f"),
                _signed(behind[name]) if name in behind else "best",
                "" if rank is None else _interval(rank.auc, 1, ".3f"),
            ]
        )
    if not any(ranked.values()):
        lines = [line[:-1] for line in lines]
    repeats = "" if comparison.n_repeats == 1 else f", {comparison.n_repeats} repeats"
    tested = f"{len(comparison.rows):,} held-out labeled rows, {comparison.n_splits} folds{repeats}"
    return "\n".join([f"{tested}; 95 % intervals", *in_columns(lines), *_in_words(comparison, order, behind)])


def _in_words(comparison: Comparison, order: list[str], behind: Mapping[str, Estimate]) -> list[str]:
    """What the table says, in sentences: which are worse than the best, and what the columns are."""
    said = ["The lower the log-loss the better are the probabilities."]
    others = order[1:]
    if others:
        worse = [name for name in others if behind[name].low > 0]
        alike = [name for name in others if name not in worse]
        said.append(f"Lowest: {order[0]}.")
        if alike:
            said.append(f"These labels cannot tell whether it is better than {', '.join(alike)}.")
        if worse:
            said.append(f"Worse by more than chance: {', '.join(worse)}.")
    rank = next(filter(None, map(comparison.ranking, comparison.names)), None)
    if rank is not None:
        said.append(f"ROC AUC is of {rank.of!r}, {100 * rank.share:.0f} % of these rows.")
    return fill(" ".join(said), _WIDTH).splitlines()


def _interval(estimate: Estimate, scale: float, form: str, to: str = "-") -> str:
    value, low, high = (f"{scale * one:{form}}" for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low}{to}{high})"


def _signed(estimate: Estimate) -> str:
    return _interval(estimate, 1, "+.3f", " to ")
