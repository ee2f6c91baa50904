"""The models that ``fit`` can learn: how each is made, and how it is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.frozen import FrozenEstimator

from semigen.cli.report import WITH, WITHOUT
from semigen.cli.rows import Rows, Task
from semigen.common.progress import Progress
from semigen.comparison import Comparison, cross_validate
from semigen.data.labels import encode
from semigen.ensemble.auto import ALL_MODELS, SUPERVISED_MODELS, AutoClassifier
from semigen.ensemble.safe import SafeClassifier
from semigen.estimators.classifiers import RidgeLogistic
from semigen.evaluation.splits import count_testable
from semigen.exceptions import ColumnError
from semigen.mixture import MixtureClassifier
from semigen.representation import HybridClassifier, MixtureEnsembleFeatures, PlainColumns

Verdict = Literal["helped", "hurt", "mixed", "unknown", "no unlabeled rows"]
_FOLDS = 5


@dataclass(frozen=True)
class Judged:
    """A fitted model, and what hidden labeled rows say about it.

    Attributes
    ----------
    model : classifier
        To be saved.
    uses_unlabeled : bool
        Whether it has learned from the unlabeled rows too.
    validation : Comparison or None
    pair : tuple of str
        Names in ``validation`` of learning with the unlabeled rows and without.
    why_not : str or None
        Why there is no validation.
    verdict : str
        Whether the unlabeled rows helped.
    """

    model: Any
    uses_unlabeled: bool
    validation: Comparison | None
    pair: tuple[str, str]
    why_not: str | None
    verdict: Verdict


@dataclass(frozen=True)
class Recipe:
    """A kind of model.

    Attributes
    ----------
    make : callable
        From rows and task to the estimator.
    judge : callable
        From that estimator, rows, task and progress to the fitted and judged one.
    about : callable
        What the summary says about the fitted estimator.
    """

    make: Callable[[Rows, Task], Any]
    judge: Callable[[Any, Rows, Task, Progress], Judged]
    about: Callable[[Any], dict[str, Any]]


def recipe_of(name: str) -> Recipe:
    """The recipe of a model, by the name that ``--model`` takes.

    Raises
    ------
    MissingExtraError
        If it is a deep model and PyTorch is not installed.
    """
    if name in RECIPES:
        return RECIPES[name]
    from semigen.cli.deep_models import DEEP_RECIPES  # PyTorch: loads for seconds

    return DEEP_RECIPES[name]


def learn_model(rows: Rows, task: Task, progress: Progress) -> Judged:
    """Fit the model that the task names, and judge it.

    Raises
    ------
    SemigenError
        If the labels or the columns cannot be used.
    """
    recipe = recipe_of(task.model)
    return recipe.judge(recipe.make(rows, task), rows, task, progress)


def about_model(judged: Judged, rows: Rows, task: Task) -> dict[str, Any]:
    """What the summary says about the model that is saved."""
    return {
        "name": task.model,
        "estimator": type(judged.model).__name__,
        "learned_from": WITH if judged.uses_unlabeled else WITHOUT,
        "seed": task.seed,
        **({} if rows.vectorizer is None else {"n_words": rows.features.shape[1]}),
        **recipe_of(task.model).about(judged.model),
    }


# --- how models are made


def _auto(rows: Rows, task: Task) -> Any:
    return AutoClassifier(
        kinds=rows.kinds,
        time_budget=task.time_budget,
        unlabeled=None,
        n_jobs=task.jobs,
        random_state=task.seed,
    )


def _mixture(rows: Rows, task: Task) -> Any:
    return MixtureClassifier(rows.family, covariance=task.covariance, unlabeled=None, random_state=task.seed)


def _safe(rows: Rows, task: Task) -> Any:
    """With folds dealt once, since cross-validation chooses anew in every fold of its own."""
    return SafeClassifier(_mixture(rows, task), n_repeats=1, n_jobs=task.jobs, random_state=task.seed)


def _hybrid(rows: Rows, task: Task) -> Any:
    """On features of all rows, learned once: no label is in them, so nothing leaks to hidden rows."""
    features = MixtureEnsembleFeatures(kinds=rows.kinds, n_jobs=task.jobs, random_state=task.seed)
    with cure(task):
        return HybridClassifier(FrozenEstimator(features.fit(rows.features)), unlabeled=None)


# --- how they are judged


def _by_itself(model: Any, rows: Rows, task: Task, progress: Progress) -> Judged:
    """For a model that hides labeled rows while it is fitted."""
    _fit(model, rows, task, progress=progress)
    cv, pair = model.validation_, (ALL_MODELS, SUPERVISED_MODELS)
    why_not = None if cv is not None else _why_nothing_hidden(rows)
    return Judged(model, model.unlabeled_used_, cv, pair, why_not, _verdict(cv, pair, rows.n_unlabeled))


def against(
    make_twin: Callable[[Rows, Task], Any],
) -> Callable[[Any, Rows, Task, Progress], Judged]:
    """For a model with a twin that learns from the labeled rows only, which is kept where it is better."""

    def judge(model: Any, rows: Rows, task: Task, progress: Progress) -> Judged:
        twin, pair = make_twin(rows, task), (WITH, WITHOUT)
        judged = {WITH: model, WITHOUT: twin} if rows.n_unlabeled else {WITH: model}
        why_not = _why_not_cross_validate(rows)
        total = n_fits(rows)

        def said(done: int) -> None:
            progress(done, total, f"fit {min(done + 1, total)} of {total}")

        said(0)
        _fit(model, rows, task)  # what is wrong with the table is told before the long part
        cv = None
        if why_not is None:
            said(1)
            cv = cross_validate(
                judged,
                rows.features,
                rows.labels,
                sample_weight=rows.weight,
                n_splits=_FOLDS,
                random_state=task.seed,
                unlabeled=None,
                progress=lambda done, *_: said(1 + done),
            )
        verdict = _verdict(cv, pair, rows.n_unlabeled)
        hurt = verdict == "hurt"
        return Judged(_fit(twin, rows, task) if hurt else model, not hurt, cv, pair, why_not, verdict)

    return judge


def n_fits(rows: Rows) -> int:
    """Fits that it takes to judge a model against its twin."""
    return 1 if _why_not_cross_validate(rows) else 1 + _FOLDS * (1 + (rows.n_unlabeled > 0))


def _supervised_mixture(rows: Rows, task: Task) -> Any:
    return _mixture(rows, task).set_params(unlabeled_weight=0.0)


def _supervised_hybrid(rows: Rows, task: Task) -> Any:
    """The same classifier on the columns themselves, whose scales are those of all rows."""
    return HybridClassifier(PlainColumns(rows.kinds), RidgeLogistic(10.0), unlabeled=None)


def _fit(model: Any, rows: Rows, task: Task, **options: Any) -> Any:
    with cure(task):
        return model.fit(rows.features, rows.labels, sample_weight=rows.weight, **options)


@contextmanager
def cure(task: Task) -> Iterator[None]:
    """Add to an error about columns what the command line can do about it."""
    try:
        yield
    except ColumnError as error:
        cure = "" if task.labels else " Here --drop COLUMN leaves a column out."
        raise ColumnError(f"{task.source}: {error}{cure}") from error


def _why_nothing_hidden(rows: Rows) -> str:
    if _n_testable(rows) > 1:
        why, cure = "No labeled row was hidden in time", "give it a longer --time-budget"
    else:
        why = "No labeled rows can be hidden without losing a class"
        cure = "label two rows or more of each class"
    return f"{why}, so how good the predictions are is unknown, and the weights are the defaults: {cure}."


def _n_testable(rows: Rows) -> int:
    counted = True if rows.weight is None else rows.weight > 0
    return count_testable(np.where(counted, encode(rows.labels, None).hard, -1))


def _why_not_cross_validate(rows: Rows) -> str | None:
    testable = _n_testable(rows)
    if testable >= _FOLDS:
        return None
    return (
        f"Not cross-validated: that needs at least {_FOLDS} labeled rows in classes with two or more, and "
        f"there {'is' if testable == 1 else 'are'} {testable}. How good the predictions are is unknown: "
        "label more rows."
    )


def _verdict(cv: Comparison | None, pair: tuple[str, str], n_unlabeled: int) -> Verdict:
    """Say whether the unlabeled rows helped, where a paired 95 % interval says so."""
    if n_unlabeled == 0:
        return "no unlabeled rows"
    if cv is None:
        return "unknown"
    difference = cv.difference(*pair)
    helped = difference.accuracy.low > 0 or difference.log_loss.high < 0
    hurt = difference.accuracy.high < 0 or difference.log_loss.low > 0
    if helped and hurt:
        return "mixed"
    return "helped" if helped else "hurt" if hurt else "unknown"


# --- what the summary says about them


def _about_pool(model: Any) -> dict[str, Any]:
    members = [
        {
            "name": one.name,
            "weight": one.weight,
            "learned_from": WITH if one.uses_unlabeled else WITHOUT,
            "accuracy": finite(one.accuracy),
            "log_loss": finite(one.log_loss),
        }
        for one in model.models_
    ]
    return {
        "members": members,
        "stopped_early": model.stopped_early_,
        "dependence_shift": model.dependence_shift_,
        "explanation": model.explanation_,
    }


def _about_mixture(model: Any) -> dict[str, Any]:
    shape = {} if model.family == "multinomial" else {"covariance": model.covariance}
    return {
        **shape,
        "objective_nats_per_row": model.objective_,
        "n_iter": model.n_iter_,
        "converged": model.converged_,
    }


def _about_safe(model: Any) -> dict[str, Any]:
    """Of the supervised twin, which has no choice to tell of, what is said of any mixture."""
    if not isinstance(model, SafeClassifier):
        return _about_mixture(model)
    chosen = {"unlabeled_weight": model.unlabeled_weight_, "fallback": model.fallback_}
    return {**_about_mixture(model.estimator_), **chosen}


def _about_hybrid(model: Any) -> dict[str, Any]:
    """Of the classifier on clusters, or of its twin on the columns themselves."""
    frozen = isinstance(model.representation_, FrozenEstimator)
    return {"representation": "clusters of all rows" if frozen else "columns"}


def finite(value: float) -> float | None:
    """A number as JSON can hold it."""
    return value if math.isfinite(value) else None


RECIPES: dict[str, Recipe] = {
    "auto": Recipe(_auto, _by_itself, _about_pool),
    "mixture": Recipe(_mixture, against(_supervised_mixture), _about_mixture),
    "safe": Recipe(_safe, against(_supervised_mixture), _about_safe),
    "hybrid": Recipe(_hybrid, against(_supervised_hybrid), _about_hybrid),
}
"""By the names that ``--model`` takes; those of deep models are in :mod:`semigen.cli.deep_models`."""
