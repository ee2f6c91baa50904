"""The models of AutoClassifier: their names, settings and default weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from semigen.em import Engine
from semigen.ensemble.forms import Forms
from semigen.estimators.classifiers import RidgeLogistic, TreeEnsemble
from semigen.families import Family
from semigen.mixture import MixtureClassifier
from semigen.representation import GraphSpreading

Array = NDArray[np.float64]

MIXTURES, GRAPH, SPREADING = "mixture features", "graph features", "label spreading"
MIXTURE_PER_CLASS, LOGISTIC, TREES = "mixture per class", "logistic regression", "extra trees"
AXES = "logistic regression on principal components"
SUPERVISED = (LOGISTIC, TREES)
"""Models that use labeled rows only."""
DEFAULT_WEIGHTS = {
    MIXTURES: 0.6,
    GRAPH: 0.45,
    SPREADING: 0.15,
    MIXTURE_PER_CLASS: 0.2,
    LOGISTIC: 0.05,
    TREES: 0.2,
}
"""Weights without any evidence; with few labels the ensemble stays near them. Chosen on development data: the
bundled tables and half of the splits of the SSL book's sets."""
CALIBRATED_COLUMNS = 16
"""Densities of more columns are overconfident: their default weight falls with the square root of D."""
DOCUMENT_WEIGHTS = {MIXTURES: 0.4, MIXTURE_PER_CLASS: 0.8, LOGISTIC: 0.05, AXES: 0.1}
"""The same for sparse rows, where the mixture per class is the strong model. Chosen on the training documents
of 20 Newsgroups and half of the splits of the SSL book's Text."""
N_TREES = 100


def models(
    forms: Forms, family: Family, shares: Array, seed: int, *, sparse: bool, engine: Engine | None = None
) -> list[tuple[str, str, Any]]:
    """Name, form of the rows (:class:`semigen.ensemble.forms.FormedRows`) and classifier of each model.

    Parameters
    ----------
    forms : Forms
    family : Family
        Of the mixture per class.
    shares : ndarray of shape (K,)
        Class prior of documents.
    seed : int
    sparse : bool
        Whether the rows are documents.
    engine : Engine or None
        Of the mixture per class.
    """
    mixture = MixtureClassifier(
        family,
        class_prior=shares if sparse else "shared",
        unlabeled_weight=0.3 if sparse else 0.1,
        calibrate=1.0,
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
    return [
        (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
        (SPREADING, "neighbors", GraphSpreading(FrozenEstimator(forms.graph))),
        (MIXTURE_PER_CLASS, "table", mixture),
        (LOGISTIC, "plain", RidgeLogistic(1.0)),
        (GRAPH, "graph_features", RidgeLogistic(10.0)),
        (TREES, "plain", TreeEnsemble(N_TREES, random_state=seed)),
    ]


def default_weights(*, sparse: bool, n_columns: int) -> dict[str, float]:
    """Weights without any evidence."""
    if sparse:
        return DOCUMENT_WEIGHTS
    confidence = min(1.0, float(np.sqrt(CALIBRATED_COLUMNS / n_columns)))
    return {**DEFAULT_WEIGHTS, MIXTURE_PER_CLASS: DEFAULT_WEIGHTS[MIXTURE_PER_CLASS] * confidence}


def supervised_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Default weights of the supervised models alone: their sum is that of all; empty if there are none."""
    kept = {name: weight for name, weight in weights.items() if name in SUPERVISED}
    return {name: weight * sum(weights.values()) / sum(kept.values()) for name, weight in kept.items()}
