"""The models of AutoClassifier: their names, settings and default weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from semigen.em import Engine
from semigen.ensemble.forms import Forms
from semigen.estimators.classifiers import BoostedTrees, RidgeLogistic, TreeEnsemble
from semigen.families import Family
from semigen.mixture import MixtureClassifier
from semigen.representation import GraphSpreading

Array = NDArray[np.float64]

MIXTURES, GRAPH, SPREADING = "mixture features", "graph features", "label spreading"
MIXTURE_PER_CLASS, LOGISTIC = "mixture per class", "logistic regression"
FOREST, BOOSTING = "random forest", "boosted trees"
AXES = "logistic regression on principal components"
SUPERVISED = (LOGISTIC, FOREST, BOOSTING)
"""Models that use labeled rows only."""
DEFAULT_WEIGHTS = {
    MIXTURES: 0.35,
    GRAPH: 0.08,
    SPREADING: 0.02,
    MIXTURE_PER_CLASS: 0.05,
    LOGISTIC: 0.08,
    FOREST: 0.27,
}
"""Weights without any evidence; with few labels the ensemble stays near them. Learned over the mixed tables
of the benchmarks (``python -m benchmarks.accuracy --learn-weights``), with 5 and 20 labels per class."""
MANY_LABELS = 50
"""Labels per class from which there are boosted trees, too."""
WEIGHTS_OF_MANY = {
    MIXTURES: 0.35,
    GRAPH: 0.1,
    SPREADING: 0.03,
    MIXTURE_PER_CLASS: 0.03,
    LOGISTIC: 0.12,
    FOREST: 0.15,
    BOOSTING: 0.25,
}
"""The same with 100 labels per class, rounded."""
DOCUMENT_WEIGHTS = {MIXTURES: 0.4, MIXTURE_PER_CLASS: 0.8, LOGISTIC: 0.05, AXES: 0.1}
"""The same for sparse rows, where the mixture per class is the strong model. Chosen on the training documents
of 20 Newsgroups and half of the splits of the SSL book's Text."""
N_TREES = 200


def models(
    forms: Forms, family: Family, seed: int, *, sparse: bool, many: bool = False, engine: Engine | None = None
) -> list[tuple[str, str, Any]]:
    """Name, form of the rows (:class:`semigen.ensemble.forms.FormedRows`) and classifier of each model.

    Parameters
    ----------
    forms : Forms
    family : Family
        Of the mixture per class.
    seed : int
    sparse : bool
        Whether the rows are documents.
    many : bool
        Whether there are ``MANY_LABELS`` per class or more.
    engine : Engine or None
        Of the mixture per class.
    """
    mixture = MixtureClassifier(
        family,
        class_prior="uniform" if sparse else "shared",
        unlabeled_weight=0.3 if sparse else 0.1,
        calibrate=1.0 if sparse else "auto",
        max_iter=50,
        tol=1e-4,
        unlabeled=None,
        random_state=seed,
        engine=engine,
    )
    if sparse:
        return [
            (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
            (MIXTURE_PER_CLASS, "words", mixture),
            (LOGISTIC, "plain", RidgeLogistic(1.0)),
            (AXES, "principal_axes", RidgeLogistic(10.0)),
        ]
    chosen = [
        (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
        (SPREADING, "neighbors", GraphSpreading(FrozenEstimator(forms.graph))),
        (MIXTURE_PER_CLASS, "table", mixture),
        (LOGISTIC, "plain", RidgeLogistic(1.0)),
        (GRAPH, "graph_features", RidgeLogistic(10.0)),
        (FOREST, "plain", TreeEnsemble(N_TREES, random_state=seed)),
    ]
    return [*chosen, (BOOSTING, "plain", BoostedTrees(random_state=seed))] if many else chosen


def default_weights(*, sparse: bool, many: bool = False) -> dict[str, float]:
    """Weights without any evidence."""
    if sparse:
        return DOCUMENT_WEIGHTS
    return WEIGHTS_OF_MANY if many else DEFAULT_WEIGHTS


def supervised_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Default weights of the supervised models alone: their sum is that of all; empty if there are none."""
    kept = {name: weight for name, weight in weights.items() if name in SUPERVISED}
    return {name: weight * sum(weights.values()) / sum(kept.values()) for name, weight in kept.items()}
