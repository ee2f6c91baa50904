"""Will unlabeled rows help here? The advice, from one study of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from numpy.typing import ArrayLike

from semigen._version import __version__
from semigen.common.checks import integer
from semigen.common.progress import Progress, Steps
from semigen.comparison import Comparison, is_negligible
from semigen.comparison.rule import ROWS_THAT_TELL
from semigen.data.weights import read_labels
from semigen.exceptions import LabelError
from semigen.judgement.findings import LOOKS, SEVERITIES, Finding
from semigen.judgement.prior import harm_probabilities
from semigen.judgement.rules import Recommendation, recommend
from semigen.judgement.signs import FULL, SHIFT, signs
from semigen.judgement.study import Study, name_of, study
from semigen.mixture import MixtureClassifier

Said = Literal["use", "use with weight λ", "do not use", "not enough labels to tell"]
HALF = 0.5
"""λ of an ensemble of the models with and without the unlabeled rows."""
SAFE, HARMFUL, SAFE_AVERAGE = 1 / 5, 4 / 5, 1 / 4
"""Probabilities of harm up to which rows are advised and from which they are advised against, at odds of
4 : 1, and up to which the average is advised, at 3 : 1 (``benchmarks/judgement``)."""
SHIFTED = 1.0
"""Standard errors beyond chance by which a column's mean differs between labeled and unlabeled rows where no
average is advised: what new rows will be like is then not in the table."""
OF_GRIDS = 0.82, 0.64
"""How often unlabeled rows hurt, at full weight and by the average, where the rows are all combinations of a
few values (``benchmarks/judgement/grids.py``): such rows have no clusters but those that a mixture makes."""
SURE = 0.91
"""What is at least as probable as the 95 % interval of many held-out labels says."""


@dataclass(frozen=True)
class Advice:
    """Whether unlabeled rows help on a table, what to use there, and what was found.

    The question is about a :class:`semigen.MixtureClassifier` with the unlabeled rows and the same model
    without them (λ = 0): does the log-loss on new rows fall? ``harm_probability`` joins what held-out labels
    say with what the rows themselves say (:mod:`semigen.judgement.prior`); 100 held-out labels or more decide
    by themselves where their 95 % interval leaves out 0. It decides where the odds are 4 : 1 or more that
    they help or that they hurt. Where it does not, an ensemble of both models is advised if the odds are
    3 : 1 that their average helps and labeled and unlabeled rows have the same column means.

    Attributes
    ----------
    verdict : {"use", "use with weight λ", "do not use", "not enough labels to tell"}
    unlabeled_weight : float or None
        λ, the weight of the model with the unlabeled rows, the rest being that of the model without them: 1,
        0.5 (an ensemble of both), or 0 (``"do not use"``); None where it cannot be told.
    harm_probability : float
        That unlabeled rows of full weight (λ = 1) raise the log-loss on new rows, from 0 to 1.
    average_harm_probability : float
        The same for the average of the models with and without them.
    recommendation : Recommendation
        Generative, discriminative or hybrid, the estimator, and the rules that speak for it.
    findings : tuple of Finding
        The gravest first.
    comparison : Comparison or None
        Held-out predictions of the mixture by λ, of logistic regression and of a random forest; None where
        fewer than five labels could be held out.
    n_labeled, n_unlabeled : int
    labeled : dict {class: int}
        Labeled rows of each class, by its name as text.
    """

    verdict: Said
    unlabeled_weight: float | None
    harm_probability: float
    average_harm_probability: float
    recommendation: Recommendation
    findings: tuple[Finding, ...]
    comparison: Comparison | None = field(repr=False)
    n_labeled: int
    n_unlabeled: int
    labeled: Mapping[str, int]

    @property
    def negligible(self) -> bool:
        """Whether on held-out labels it makes next to no difference (at least 100 of them, the 95 % interval
        of the log-loss within 0.01 nats).
        """
        if self.comparison is None:
            return False
        change = self.comparison.difference(name_of(FULL), name_of(0.0))
        return is_negligible(change, self.comparison.rows.size)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, or two."""
        size = " On held-out labels they make next to no difference." if self.negligible else ""
        return self._said + size

    @property
    def _said(self) -> str:
        rows = f"the {self.n_unlabeled:,} unlabeled row{'' if self.n_unlabeled == 1 else 's'}"
        harm = f"probability of harm at full weight {100 * self.harm_probability:.0f} %"
        return {
            "use": f"Use {rows} ({harm}).",
            "use with weight λ": (
                f"Use {rows} with weight λ = {HALF}: average models with and without them ({harm})."
            ),
            "do not use": f"Do not use {rows}: train on the labeled rows alone ({harm}).",
            "not enough labels to tell": (
                f"{self.n_labeled:,} labels are not enough to tell whether {rows} help ({harm}): label more "
                "rows."
            ),
        }[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold: every attribute by name, and the verdict as a sentence."""
        return {
            "semigen": __version__,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "unlabeled_weight": self.unlabeled_weight,
            "harm_probability": self.harm_probability,
            "average_harm_probability": self.average_harm_probability,
            "negligible": self.negligible,
            "recommendation": self.recommendation.to_dict(),
            "findings": [one.to_dict() for one in self.findings],
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
            "n_labeled": self.n_labeled,
            "n_unlabeled": self.n_unlabeled,
            "labeled": dict(self.labeled),
        }

    def __str__(self) -> str:
        lines = [
            self.sentence,
            self.recommendation.sentence,
            "",
            *(f"{_MARKS[one.severity]} {one.name}: {one.sentence}" for one in self.findings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{_MARKS[one.severity]} {escape(one.severity)}</td><td>{escape(one.name)}</td>"
            f"<td style='text-align:left'>{escape(one.sentence)}</td></tr>"
            for one in self.findings
        )
        return (
            f"<p><strong>{escape(self.sentence)}</strong></p><p>{escape(self.recommendation.sentence)}</p>"
            f"<table>{rows}</table>"
        )


_MARKS = {"warning": "‼", "caution": "!", "note": "·", "good": "✓"}


def advise(
    X: Any,
    y: Any,
    *,
    estimator: MixtureClassifier | None = None,
    uncertainty: bool = False,
    kinds: Any = None,
    sample_weight: ArrayLike | None = None,
    unlabeled: Any = -1,
    random_state: int = 0,
    verbose: int | None = None,
    progress: Progress | None = None,
) -> Advice:
    """Say whether the unlabeled rows of a table help to classify, and which kind of model to use.

    A mixture per class is fitted with several weights λ of the unlabeled rows and compared on held-out
    labels, paired row by row. Because ten labels can tell little, the comparison is joined with signs that
    need no held-out label: whether the clusters of the rows are the classes, how far the parameters move,
    how well the densities fit. What these signs are worth was learned over simulated designs and real tables
    whose outcome is known.

    Parameters
    ----------
    X : array, sparse matrix or data frame of shape (n, D)
        All rows. Of more than 3,000 unlabeled or labeled rows as many are drawn at random.
    y : array-like of shape (n,) or (n, K), or Labels
        Their labels, as :func:`semigen.data.labels.encode` reads them.
    estimator : MixtureClassifier or None, default=None
        The model in question; None: one Gaussian per class, flags and categories as they are. Its
        ``unlabeled_weight`` is not used.
    uncertainty : bool, default=False
        Whether densities are wanted: to say how usual a row is, to draw rows, to fill in missing values.
    kinds : str, dict {column: kind} or None, default=None
        How columns are read, where it is not as they look; see :func:`semigen.columns.learn`.
    sample_weight : array-like of shape (n,), optional
        Row weights; a weight of 1 is one row. They count in the fits and in the held-out scores; what
        findings count are rows. Rows of weight 0 are left out.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled.
    random_state : int, default=0
        Seed of folds, draws and the forest.
    verbose : int or None, default=None
        1 prints the steps, 0 is silent; None: on a terminal one line, after two seconds.
    progress : callable, optional
        Called as ``progress(fits done, all fits, what was fitted)`` after each fit.

    Returns
    -------
    Advice

    Raises
    ------
    LabelError
        If the labels cannot be used, there are fewer than two classes, or no row is unlabeled.
    ParameterError
        If ``estimator`` is no MixtureClassifier, or one whose unlabeled rows cannot be left out.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(20, 400, distance=3, random_state=0)
    >>> advice = semigen.advise(data.X, data.y)
    >>> advice.verdict
    'use'
    """
    seed = integer("random_state", random_state, minimum=0)
    labels, weight = read_labels(y, unlabeled, sample_weight, X)
    rest = ~labels.is_labeled & (weight > 0)
    if len(labels.classes) < 2:
        raise LabelError(
            f"y has only one class, {labels.classes.tolist()[0]!r}: label rows of at least two classes."
        )
    if not rest.any():
        raise LabelError(
            "every row is labeled, so there are no unlabeled rows to advise on: mark rows without a "
            "label by None, or "
            "compare classifiers with semigen.model_selection.cross_validate."
        )
    found = study(
        X,
        labels,
        estimator=estimator,
        kinds=kinds,
        weight=weight,
        random_state=seed,
        steps=Steps(verbose, progress),
    )
    n_labeled = int((labels.is_labeled & (weight > 0)).sum())
    return advice_on(found, uncertainty=uncertainty, n_labeled=n_labeled, n_unlabeled=int(rest.sum()))


def advice_on(found: Study, *, uncertainty: bool, n_labeled: int, n_unlabeled: int) -> Advice:
    """The advice that a study gives."""
    seen = signs(found)
    harm = harm_probabilities(seen, held_out=found.held_out is not None)
    harm = told_by_labels(told_by_grid(harm, found.grid is not None), found)
    verdict, weight = decide(*harm, shift=seen[SHIFT])
    looked = [one for one in (look(found) for look in LOOKS) if one is not None]
    findings = tuple(sorted(looked, key=lambda one: SEVERITIES.index(one.severity)))
    names = map(str, found.labels.classes.tolist())
    return Advice(
        verdict,
        weight,
        *harm,
        recommend(found, findings, uncertainty, weight),
        findings,
        None if found.held_out is None else found.held_out.comparison,
        n_labeled,
        n_unlabeled,
        dict(zip(names, map(int, found.count), strict=True)),
    )


def told_by_grid(harm: tuple[float, float], is_grid: bool) -> tuple[float, float]:
    """The probabilities of harm, at least those of grids where the rows are one."""
    return (max(harm[0], OF_GRIDS[0]), max(harm[1], OF_GRIDS[1])) if is_grid else harm


def told_by_labels(harm: tuple[float, float], found: Study) -> tuple[float, float]:
    """The probabilities of harm where many held-out labels say more than other tables do.

    Of 34 draws of the benchmark with ``ROWS_THAT_TELL`` labels or more whose interval leaves out 0, 91 % had
    the same sign on test rows.
    """
    if found.held_out is None or found.held_out.comparison.rows.size < ROWS_THAT_TELL:
        return harm
    change = found.held_out.comparison.difference(name_of(FULL), name_of(0.0)).log_loss
    if change.low > 0:
        return max(harm[0], SURE), harm[1]
    if change.high < 0:
        return min(harm[0], 1 - SURE), min(harm[1], 1 - SURE)
    return harm


def decide(
    harm: float,
    harm_of_average: float,
    shift: float = 0.0,
    *,
    safe: float = SAFE,
    safe_average: float = SAFE_AVERAGE,
    harmful: float = HARMFUL,
) -> tuple[Said, float | None]:
    """The verdict, and the weight of the model with the unlabeled rows.

    From the probabilities of harm and the largest shift of a column's mean.
    """
    if harm <= safe:
        return "use", 1.0
    if harm >= harmful:
        return "do not use", 0.0
    if harm_of_average <= safe_average and shift <= SHIFTED:
        return "use with weight λ", HALF
    return "not enough labels to tell", None
