"""How the error of several models falls with more labels, and when another one would be the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from semigen.common.checks import integer, real
from semigen.common.progress import Progress
from semigen.common.text import Printed
from semigen.common.threads import map_threads
from semigen.comparison.record import stated_seed
from semigen.data.labels import UNLABELED_PATTERN, Labels, encode
from semigen.data.rows import take_rows
from semigen.ensemble.auto import AutoClassifier
from semigen.estimators.adapters import class_proba, fit_classifier
from semigen.evaluation.intervals import CONFIDENCE, Estimate, of_share
from semigen.evaluation.splits import count_testable, stratified_folds
from semigen.exceptions import LabelError, ParameterError
from semigen.judgement.comparing import as_classifier
from semigen.judgement.crossovers import Crossover, Elsewhere, crossover, in_words, with_more_labels
from semigen.judgement.curves import Posterior, measure, power_laws, zero_line
from semigen.mixture import MixtureClassifier
from semigen.representation import HybridClassifier, MixtureEnsembleFeatures, PlainColumns

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

GENERATIVE, DISCRIMINATIVE, HYBRID = "mixture", "logistic regression", "mixture features"
FRACTIONS = (0.25, 0.5, 1.0)
"""Of the labels of a training part."""
LEAST_TESTED = 10
MOST_UNLABELED = 1000
ALIKE = 0.1
"""Of the labels: models that change places within so many more are about as good as each other."""
N_DRAWS = 4000


@dataclass(frozen=True)
class Curve:
    """The learning curve of one model.

    Attributes
    ----------
    name : str
    n_labels : tuple of int
        Labeled rows that the model was fitted on.
    error : tuple of Estimate
        Share of the held-out rows predicted wrong after so many labels, with its 95 % interval.
    exponent : Estimate
        c of the power law ``error ∝ n^(-c)``, with its 95 % interval.
    """

    name: str
    n_labels: tuple[int, ...]
    error: tuple[Estimate, ...]
    exponent: Estimate


@dataclass(frozen=True, eq=False)
class Forecast(Printed):
    """Learning curves over labels, and where they lead.

    Attributes
    ----------
    n_labeled, n_unlabeled : int
        Rows of the table.
    n_tested : int
        Labeled rows that were held out in turn.
    curves : tuple of Curve
    best : str
        The model with the least expected error at the labels there are.
    crossovers : tuple of Crossover
        For each other model.
    elsewhere : tuple of Elsewhere
        How often supervised models were better than ``AutoClassifier`` on other tables, with as many labels
        per class as there are and with 100; empty where models were given and it is none of them.
    random_state : int or None
    """

    n_labeled: int
    n_unlabeled: int
    n_tested: int
    curves: tuple[Curve, ...]
    best: str
    crossovers: tuple[Crossover, ...]
    elsewhere: tuple[Elsewhere, ...]
    random_state: int | None
    posterior: Posterior = field(repr=False)

    def gain(self, name: str, times: float = 2.0) -> Estimate:
        """How much lower the error of a model is expected to be with ``times`` as many labels.

        As a share of its error now, with its **80 %** interval; below 0: higher. How hard the table is does
        not matter here, so it is better known than the errors themselves.

        Raises
        ------
        ParameterError
            If there is no such model, or ``times`` is below 1.
        """
        place = self._place(name)
        return self.posterior.gain(place, np.log(real("times", times, minimum=1)))

    def at(self, name: str, n_labels: float) -> Estimate:
        """The expected error of a model with so many labels, and its 95 % interval.

        Raises
        ------
        ParameterError
            If there is no such model, or ``n_labels`` is below 1.
        """
        place = self._place(name)
        return self.posterior.error(place, np.log(real("n_labels", n_labels, minimum=1) / self.n_labeled))

    def _place(self, name: str) -> int:
        names = [one.name for one in self.curves]
        if name not in names:
            raise ParameterError(f"there is no model {name!r}: use one of {', '.join(names)}.")
        return names.index(name)

    @property
    def sentence(self) -> str:
        """The forecast in words."""
        now, gain = self.at(self.best, self.n_labeled), self.gain(self.best)
        said = [
            f"With {self.n_labeled} labels the {self.best} model is expected to be the best: error "
            f"{_percent(now)}. With twice as many labels it should be {_lower(gain.value)} (80 % interval: "
            f"{_lower(gain.high)} to {_lower(gain.low)})."
        ]
        for one in sorted(self.crossovers, key=lambda one: -one.probability):
            if one.more_labels is not None and one.more_labels < ALIKE * self.n_labeled:
                said.append(f"The {one.name} model is about as good.")
            elif one.name not in self.told:
                said.append("Whether another model would overtake it cannot be told from these labels.")
            elif one.more_labels is None or one.low is None:
                said.append(
                    f"That the {one.name} model would overtake it within ten times as many labels is "
                    f"{one.probability:.0%} probable."
                )
            else:
                high = "never" if one.high is None else f"{one.high:.0f}"
                said.append(
                    f"With about {one.more_labels:.0f} more labels the {one.name} model would overtake it "
                    f"(95 % interval: {one.low:.0f} to {high})."
                )
        return " ".join([*dict.fromkeys(said), *in_words(self.elsewhere)])

    @property
    def told(self) -> frozenset[str]:
        """The best model and those of which these labels can tell whether they would overtake it."""
        return frozenset({self.best, *(one.name for one in self.crossovers if not one.says_nothing)})

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold.

        ``"told"`` names models whose future can be told; ``"forecast"`` of a curve has the errors with 1, 2,
        4 and 8 times as many labels.
        """
        return {
            "n_labeled": self.n_labeled,
            "n_unlabeled": self.n_unlabeled,
            "n_tested": self.n_tested,
            "random_state": self.random_state,
            "confidence": CONFIDENCE,
            "best": self.best,
            "told": sorted(self.told),
            "gain": {**asdict(self.gain(self.best)), "times": 2, "confidence": 0.8},
            "curves": [
                {
                    "name": one.name,
                    "n_labels": list(one.n_labels),
                    "error": [asdict(error) for error in one.error],
                    "exponent": asdict(one.exponent),
                    "forecast": [
                        {
                            "n_labels": times * self.n_labeled,
                            **asdict(self.at(one.name, times * self.n_labeled)),
                        }
                        for times in (1, 2, 4, 8)
                    ],
                }
                for one in self.curves
            ],
            "crossovers": [asdict(one) for one in self.crossovers],
            "elsewhere": [asdict(one) for one in self.elsewhere],
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        return self.sentence


def forecast(
    X: Any,
    y: Any,
    *,
    estimators: Mapping[str, Any] | None = None,
    n_splits: int = 5,
    n_repeats: int = 1,
    unlabeled: Any = -1,
    random_state: Any = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Forecast:
    """What would more labels bring, and to which model?

    Each model is fitted with a quarter, half and all of the labels of each training part of a
    cross-validation, always with the unlabeled rows, and judged on the rows left out. Through these errors go
    power laws, ``error = e (n / N)^(-c)`` with N the labels there are. The exponents have a prior, learned
    from tables whose labels are all known (``benchmarks/forecast``), because a few labels say little about
    where a curve leads; what the errors say is weighed by their bootstrap over the held-out rows, the same
    for all models, so that differences between models are paired.

    Parameters
    ----------
    X : array, sparse matrix or data frame of shape (n, D)
    y : array-like of shape (n,)
        Labels with markers. Rows with soft or candidate labels are not used.
    estimators : mapping of str to classifier, optional
        With ``predict_proba``, or names as :func:`semigen.compare` knows them. None: a
        mixture (generative), a logistic regression on the labeled rows (discriminative), and one on mixture
        features of all rows (hybrid).
    n_splits, n_repeats : int
        Folds, and how many times rows are dealt into them.
    unlabeled : scalar or None, default=-1
        The marker in y.
    random_state : int or None, default=0
    n_jobs : int or None, default=1
        Fits at a time, in threads.
    progress : callable, optional
        Called as ``progress(fits done, all fits, name)`` after each fit.

    Returns
    -------
    Forecast

    Raises
    ------
    LabelError
        If fewer than 10 labeled rows can be held out, or all certain labels are of one class.
    ParameterError
        If ``estimators`` is no mapping of names to classifiers with probabilities, or ``n_splits``
        is below 2.

    Notes
    -----
    Of more than 1,000 unlabeled rows as many, drawn at random, are used. The features of the hybrid model are
    learned once from all rows, whose labels they do not know.

    References
    ----------
    Mukherjee et al. (2003), *Journal of Computational Biology* 10:119, on inverse power laws for the error of
    classifiers. Figueroa et al. (2012), *BMC Medical Informatics and Decision Making* 12:8.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(30, 200, distance=2, random_state=0)
    >>> print(semigen.forecast(data.X, data.y))  # doctest: +ELLIPSIS
    With 30 labels the ... model is expected to be the best: error ...
    """
    integer("n_repeats", n_repeats, minimum=1)
    integer("n_splits", n_splits, minimum=2)
    if estimators is not None:
        if not isinstance(estimators, Mapping) or not estimators:
            raise ParameterError("estimators is no dict from names to classifiers: give one, or None.")
        estimators = {name: as_classifier(name, one, unlabeled=None) for name, one in estimators.items()}
    labels = encode(y, unlabeled)
    certain = np.unique(labels.hard[labels.hard >= 0])
    if len(certain) == 1:
        raise LabelError(
            f"only rows of {labels.classes.tolist()[certain[0]]!r} have one certain label: label rows of "
            "another class, too."
        )
    n_tested = count_testable(labels.hard)
    if n_tested < LEAST_TESTED:
        raise LabelError(
            f"{n_tested} labeled rows can be held out without losing a class, and a forecast needs "
            f"{LEAST_TESTED}: label more rows."
        )
    rows, n_unlabeled = used_rows(labels, random_state)
    X, labels = take_rows(X, rows), labels.take(rows)
    by_default = estimators is None
    estimators = default_models(X) if estimators is None else estimators
    has_ensemble = by_default or any(isinstance(one, AutoClassifier) for one in estimators.values())
    names, sizes, errors = measured_curves(
        X, labels, estimators, min(n_splits, n_tested), n_repeats, random_state, n_jobs, progress
    )
    n_labeled = len(rows) - int((~labels.is_labeled).sum())
    seed = stated_seed(random_state)
    measured = measure(errors, np.log(np.array(sizes) / n_labeled), seed or 0, *zero_line(labels.hard))
    posterior = power_laws(measured)
    curves = tuple(
        Curve(
            name,
            tuple(sizes),
            tuple(of_share(one, np.ones(len(one))) for one in errors[i]),
            posterior.exponent(i),
        )
        for i, name in enumerate(names)
    )
    best, draws = int(posterior.log_error.argmin()), posterior.draws(N_DRAWS, seed or 0)
    crossovers = tuple(
        crossover(name, names[best], draws[:, [i, best]], n_labeled)
        for i, name in enumerate(names)
        if i != best
    )
    others = with_more_labels(n_labeled / len(labels.classes)) if has_ensemble else ()
    about = n_labeled, n_unlabeled, errors.shape[2]
    return Forecast(*about, curves, names[best], crossovers, others, seed, posterior)


def measured_curves(
    X: Any,
    labels: Labels,
    models: Mapping[str, Any],
    n_splits: int,
    n_repeats: int,
    random_state: Any,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> tuple[list[str], list[int], Array]:
    """Names of the models, numbers of labels, and how often each tested row is predicted wrong, (M, S, m).

    Parameters
    ----------
    X, labels
        Rows with one certain class, and unlabeled ones.
    models
        By name.
    n_splits, n_repeats, random_state, n_jobs, progress
        As in :func:`forecast`.
    """
    code = labels.hard
    folds = list(stratified_folds(code, n_splits, n_repeats, random_state))
    n_train = min(int((code[train] >= 0).sum()) for train, _ in folds)
    sizes = sorted({max(round(one * n_train), len(labels.classes)) for one in FRACTIONS})
    tasks = [(fold, size, name) for fold in range(len(folds)) for size in sizes for name in models]

    def wrong(fold: int, size: int, name: str) -> NDArray[np.bool_]:
        train, test = folds[fold]
        hidden = np.cumsum(code[train] >= 0) > size  # every prefix of the labeled rows is like the whole
        shown = Labels(
            labels.classes, labels.log_table, np.where(hidden, UNLABELED_PATTERN, labels.pattern[train])
        )
        model = fit_classifier(clone(models[name]), take_rows(X, train), shown, np.ones(len(train)))
        probabilities = class_proba(model, take_rows(X, test), labels.classes)
        return np.asarray(probabilities.argmax(axis=1) != code[test])

    tested = np.unique(np.concatenate([test for _, test in folds]))
    errors = np.zeros((len(models), len(sizes), len(tested)))
    place = {name: i for i, name in enumerate(models)}
    found = map_threads(wrong, *zip(*tasks, strict=True), n_jobs=n_jobs)
    for done, ((fold, size, name), is_wrong) in enumerate(zip(tasks, found, strict=True), start=1):
        where = np.searchsorted(tested, folds[fold][1])
        errors[place[name], sizes.index(size), where] += is_wrong / n_repeats
        if progress is not None:
            progress(done, len(tasks), name)
    return list(models), sizes, errors


def default_models(X: Any) -> dict[str, Any]:
    """A generative, a discriminative and a hybrid model."""
    features = MixtureEnsembleFeatures(16, random_state=0).fit(X)
    return {
        GENERATIVE: MixtureClassifier(unlabeled=None, verbose=0),
        DISCRIMINATIVE: HybridClassifier(PlainColumns(), LogisticRegression(max_iter=1000), unlabeled=None),
        HYBRID: HybridClassifier(FrozenEstimator(features), unlabeled=None),
    }


def used_rows(labels: Labels, random_state: Any) -> tuple[Rows, int]:
    """Rows with one certain class and (some of many) unlabeled ones, and how many of these there were."""
    rest = np.flatnonzero(~labels.is_labeled)
    kept = rest
    if len(rest) > MOST_UNLABELED:
        kept = np.random.default_rng(random_state).choice(rest, MOST_UNLABELED, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(labels.hard >= 0), kept])), len(rest)


def _lower(share: float) -> str:
    return f"{abs(share):.0%} {'lower' if share >= 0 else 'higher'}"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"
