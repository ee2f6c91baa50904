"""How models are judged: on held-out labeled rows, against the same model without the unlabeled rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from semigen.cli.recipes.records import Judged, Options, Recipe
from semigen.cli.sources import Source
from semigen.common.progress import Progress
from semigen.comparison import cross_validate, judge
from semigen.data.labels import encode
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.evaluation.splits import count_testable
from semigen.exceptions import ColumnError, LabelError
from semigen.reporting.facts import WITH, WITHOUT

N_FOLDS = 5


def learn_model(recipe: Recipe, source: Source, options: Options, progress: Progress) -> Judged:
    """Make the model of a recipe, fit it, and judge it.

    Raises
    ------
    SemigenError
        If the labels or the columns cannot be used.
    """
    return recipe.judge(recipe.make(source, options), source, options, progress)


def judged_by_itself(model: Any, source: Source, _: Options, progress: Progress) -> Judged:
    """For a model that holds out labeled rows while it is fitted."""
    _fit(model, source, progress=progress)
    model.set_params(checkpoint=None)  # that was of this fit
    comparison, pair = model.validation_, (ALL_MODELS, SUPERVISED_MODELS)
    why_not = None if comparison is not None else _why_nothing_held_out(source)
    return Judged(model, model.unlabeled_used_, comparison, pair, why_not, model.verdict_)


def against(
    make_twin: Callable[[Source, Options], Any],
    prepare: Callable[[Source, Options], Source] = lambda source, _: source,
) -> Callable[[Any, Source, Options, Progress], Judged]:
    """For a model with a twin that is trained on the labeled rows alone, and is kept if unlabeled rows hurt.

    ``prepare`` makes of the source what both are fitted on.
    """

    def judged(model: Any, source: Source, options: Options, progress: Progress) -> Judged:
        source = prepare(source, options)
        twin, pair = make_twin(source, options), (WITH, WITHOUT)
        why_not = _why_not_cross_validate(source)
        total = n_fits(source)

        def done(number: int) -> None:
            progress(number, total, f"fit {min(number + 1, total)} of {total}")

        done(0)
        _fit(model, source)  # what is wrong with the table is told before the long part
        if getattr(model, "checkpoint", None) is not None:
            model.set_params(checkpoint=None)  # that was of this fit, and not of folds
        comparison = None
        if why_not is None:
            done(1)
            comparison = cross_validate(
                {WITH: model, WITHOUT: twin} if source.n_learned_unlabeled else {WITH: model},
                source.rows.features,
                source.labels.values,
                sample_weight=source.labels.weight,
                n_splits=N_FOLDS,
                random_state=options.seed,
                unlabeled=None,
                progress=lambda number, *_: done(1 + number),
            )
        verdict = judge(comparison, *pair, n_unlabeled=source.n_learned_unlabeled)
        kept = _fit_in_memory(twin, source) if verdict.hurt else model
        return Judged(kept, not verdict.hurt, comparison, pair, why_not, verdict)

    return judged


def judged_by_folds(
    pair: tuple[str, str], prepare: Callable[[Source, Options], Source]
) -> Callable[[Any, Source, Options, Progress], Judged]:
    """For a model that holds out folds of labels to choose the weight of unlabeled rows.

    ``pair`` are the names in its comparison of the fit with unlabeled rows and without; ``prepare`` makes of
    the source what it is fitted on.
    """

    def judged(model: Any, source: Source, options: Options, progress: Progress) -> Judged:
        progress(0, 1, "reading columns")
        _fit(model, prepare(source, options), progress=progress)
        why_not = None
        if model.comparison_ is None:
            why_not = (
                "No labeled row can be held out without losing a class, so the accuracy of the predictions "
                "is unknown: label two rows or more of each class."
            )
        return Judged(model, model.unlabeled_weight_ > 0, model.comparison_, pair, why_not, model.verdict_)

    return judged


def n_fits(source: Source) -> int:
    """Fits that it takes to judge a model against its twin."""
    return 1 if _why_not_cross_validate(source) else 1 + N_FOLDS * (1 + (source.n_learned_unlabeled > 0))


@contextmanager
def cure(source: Source) -> Iterator[None]:
    """Say of an error where it is, and add to one about columns what the command line can do about it."""
    try:
        yield
    except LabelError as error:
        raise LabelError(f"{source.path}: column {source.labels.target!r}: {error}") from error
    except ColumnError as error:
        seen = error.seen if source.cure else str(error)
        raise ColumnError(f"{source.path}: {seen.removesuffix('.')}.{source.cure}") from error


def _fit(model: Any, source: Source, **options: Any) -> Any:
    if source.stream is None:
        return _fit_in_memory(model, source, **options)
    with cure(source):
        return model.fit(source.stream, **options)


def _fit_in_memory(model: Any, source: Source, **options: Any) -> Any:
    """Of a stream the sample, which has the labeled rows."""
    with cure(source):
        return model.fit(
            source.rows.features, source.labels.given, sample_weight=source.labels.weight, **options
        )


def _why_nothing_held_out(source: Source) -> str:
    if _n_testable(source) > 1:
        why, remedy = "No labeled row was held out in time", "give it a longer --time-budget"
    else:
        why = "No labeled row can be held out without losing a class"
        remedy = "label two rows or more of each class"
    return (
        f"{why}, so the accuracy of the predictions is unknown and the models have their default weights: "
        f"{remedy}."
    )


def _why_not_cross_validate(source: Source) -> str | None:
    testable = _n_testable(source)
    if testable >= N_FOLDS:
        return None
    return (
        f"Not cross-validated: this needs at least {N_FOLDS} labeled rows in classes that have two or more, "
        f"and there {'is' if testable == 1 else 'are'} {testable}. The accuracy of the predictions is "
        "unknown: label more rows."
    )


def _n_testable(source: Source) -> int:
    weight = source.labels.weight
    used = True if weight is None else weight > 0
    return count_testable(np.where(used, encode(source.labels.values, None).hard, -1))
