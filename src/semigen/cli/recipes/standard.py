"""The models that need nothing but scikit-learn: the ensemble, and one mixture or classifier alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.frozen import FrozenEstimator

from semigen.cli.recipes.judging import against, cure, judged_by_itself
from semigen.cli.recipes.records import Families, Options, Recipe
from semigen.cli.sources import Source
from semigen.cli.wording import cell_text
from semigen.columns.tables import listing
from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.safe import SafeClassifier
from semigen.estimators.classifiers import RidgeLogistic
from semigen.exceptions import ParameterError
from semigen.families.registry import FAMILIES, FAMILY_OF_KIND
from semigen.mixture import MixtureClassifier
from semigen.reporting.facts import about_ensemble
from semigen.representation import HybridClassifier, MixtureEnsembleFeatures, PlainColumns

_MIXTURES = Families(tuple(FAMILIES), FAMILY_OF_KIND)


def _class_prior(source: Source, options: Options) -> Any:
    """The class shares that predictions assume, by class.

    Raises
    ------
    ParameterError
        If some classes have no share, or what has one is no class.
    """
    if not isinstance(options.class_prior, Mapping):
        return options.class_prior or "shared"
    of_name = {cell_text(label): label for label in source.labeled}
    if of_name.keys() != options.class_prior.keys():
        raise ParameterError(
            f"--class-prior gives shares of {listing([*map(repr, options.class_prior)])}, and the classes "
            f"are {listing([*map(repr, of_name)])}: give the share of each."
        )
    return {of_name[name]: share for name, share in options.class_prior.items()}


def _auto(source: Source, options: Options) -> Any:
    return AutoClassifier(
        kinds=source.kinds,
        class_prior=_class_prior(source, options),
        time_budget=options.seconds_left,
        unlabeled=None,
        n_jobs=options.jobs,
        random_state=options.seed,
        checkpoint=options.checkpoint,
        verbose=0,
    )


def _mixture(source: Source, options: Options) -> Any:
    family = source.family(_MIXTURES.of_kind)
    return MixtureClassifier(
        family,
        covariance=options.covariance,
        class_prior=_class_prior(source, options),
        unlabeled=None,
        random_state=options.seed,
        checkpoint=options.checkpoint,
        verbose=0,
    )


def _safe(source: Source, options: Options) -> Any:
    """With folds dealt once, since cross-validation chooses anew in every fold of its own."""
    mixture = _mixture(source, options)
    return SafeClassifier(mixture, n_repeats=1, n_jobs=options.jobs, random_state=options.seed, verbose=0)


def _hybrid(source: Source, options: Options) -> Any:
    """On features of all rows, learned once: no label is in them, so nothing leaks to held-out rows."""
    features = MixtureEnsembleFeatures(kinds=source.kinds, n_jobs=options.jobs, random_state=options.seed)
    with cure(source):
        return HybridClassifier(FrozenEstimator(features.fit(source.rows.features)), unlabeled=None)


def _supervised_mixture(source: Source, options: Options) -> Any:
    return _mixture(source, options).set_params(unlabeled_weight=0.0)


def _supervised_hybrid(source: Source, _: Options) -> Any:
    """The same classifier on the columns themselves, whose scales are those of all rows."""
    return HybridClassifier(PlainColumns(source.kinds), RidgeLogistic(10.0), unlabeled=None)


def _about_mixture(model: Any) -> dict[str, Any]:
    shape = {} if model.family == "multinomial" else {"covariance": model.covariance}
    return {
        **shape,
        "objective_nats_per_row": model.objective_,
        "n_iter": model.n_iter_,
        "converged": model.converged_,
    }


def _about_safe(model: Any) -> dict[str, Any]:
    """Of the supervised twin, which chooses no weight, what is said of any mixture."""
    if not isinstance(model, SafeClassifier):
        return _about_mixture(model)
    chosen = {"unlabeled_weight": model.unlabeled_weight_, "fallback": model.fallback_}
    return {**_about_mixture(model.estimator_), **chosen}


def _about_hybrid(model: Any) -> dict[str, Any]:
    """Of the classifier on mixture features, or of its twin on the columns themselves."""
    frozen = isinstance(model.representation_, FrozenEstimator)
    return {"representation": "mixture features of all rows" if frozen else "columns"}


RECIPES: dict[str, Recipe] = {
    "auto": Recipe(_auto, judged_by_itself, about_ensemble),
    "mixture": Recipe(_mixture, against(_supervised_mixture), _about_mixture, _MIXTURES),
    "safe": Recipe(_safe, against(_supervised_mixture), _about_safe, _MIXTURES),
    "hybrid": Recipe(_hybrid, against(_supervised_hybrid), _about_hybrid),
}
"""By the names that ``--model`` takes."""
