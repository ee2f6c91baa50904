"""The models of AutoClassifier: their names, settings and default weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from semigen.em import Engine
from semigen.ensemble.forms import Forms
from semigen.estimators.classifiers import BoostedTrees, ExtraTrees, RidgeLogistic
from semigen.mixture import MixtureClassifier
from semigen.representation import GraphSpreading

Array = NDArray[np.float64]

MIXTURES, GRAPH, SPREADING = "mixture features", "graph features", "label spreading"
MIXTURE_PER_CLASS, LOGISTIC = "mixture per class", "logistic regression"
EXTRA_TREES, BOOSTING, SUPERVISED_MIXTURE = "extra trees", "boosted trees", "supervised mixture"
AXES = "logistic regression on principal components"
SUPERVISED = (LOGISTIC, EXTRA_TREES, BOOSTING, SUPERVISED_MIXTURE)
"""Models that use labeled rows only."""
DEFAULT_WEIGHTS = {
    MIXTURES: 0.37,
    SPREADING: 0.0,
    MIXTURE_PER_CLASS: 0.23,
    LOGISTIC: 0.0,
    GRAPH: 0.085,
    EXTRA_TREES: 0.0,
    BOOSTING: 0.065,
    SUPERVISED_MIXTURE: 0.0,
}
"""Weights without any evidence; with few labels the ensemble stays near them. Learned over tables of the
benchmarks (``python -m benchmarks.accuracy --learn-weights``)."""
SUPERVISED_WEIGHTS = {LOGISTIC: 0.3, EXTRA_TREES: 0.35, BOOSTING: 0.05, SUPERVISED_MIXTURE: 0.3}
"""The same where there are only supervised models; their proportions count."""
MOST_BOOSTED = 50
"""Classes of which boosted trees are grown: more get fewer than ten rounds, which say little."""
MOST_SHAPES, MOST_CORRELATED = 64, 2_000
"""Columns of which labels left out choose the covariance of a mixture per class, full or tied, and columns of
which its correlations are known at all: the time grows with their cube."""
WIDE = 16
"""Columns from which models that learn classes from the columns themselves count less, in inverse proportion:
the more there are, the less a handful of labels say which of them matter."""
DOCUMENT_WEIGHTS = {MIXTURES: 0.4, MIXTURE_PER_CLASS: 0.8, LOGISTIC: 0.05, AXES: 0.1}
"""The same for sparse rows, where the mixture per class is the strong model. Chosen on the training documents
of 20 Newsgroups and half of the splits of the SSL book's Text."""


def covariance_of(n_features: int) -> str:
    """The covariance of the mixtures per class for so many columns."""
    if n_features > MOST_CORRELATED:
        return "diag"
    return "auto" if n_features <= MOST_SHAPES else "tied"


def models(
    forms: Forms,
    n_features: int,
    seed: int,
    *,
    sparse: bool,
    all_labeled: bool = False,
    engine: Engine | None = None,
) -> list[tuple[str, str, Any]]:
    """Name, form of the rows (:class:`semigen.ensemble.forms.FormedRows`) and classifier of each model.

    Parameters
    ----------
    forms : Forms
    n_features : int
        Columns of the table.
    seed : int
    sparse : bool
        Whether the rows are documents.
    all_labeled : bool, default=False
        Whether both mixtures per class are the same, which is then fitted once.
    engine : Engine or None
        Of the mixtures per class.
    """
    mixture = partial(
        MixtureClassifier,
        covariance=covariance_of(n_features),
        max_iter=50,
        tol=1e-4,
        unlabeled=None,
        random_state=seed,
        engine=engine,
    )
    if sparse:
        return [
            (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
            (
                MIXTURE_PER_CLASS,
                "words",
                mixture(class_prior="uniform", unlabeled_weight=0.3, calibrate=1.0),
            ),
            (LOGISTIC, "plain", RidgeLogistic(1.0)),
            (AXES, "principal_axes", RidgeLogistic(10.0)),
        ]
    supervised = mixture(unlabeled_weight=0.0)
    return [
        (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
        (SPREADING, "neighbors", GraphSpreading(FrozenEstimator(forms.graph))),
        (MIXTURE_PER_CLASS, "table", supervised if all_labeled else mixture(unlabeled_weight=0.1)),
        (LOGISTIC, "plain", RidgeLogistic(1.0)),
        (GRAPH, "graph_features", RidgeLogistic(10.0)),
        (EXTRA_TREES, "plain", ExtraTrees(random_state=seed)),
        (BOOSTING, "plain", BoostedTrees(random_state=seed)),
        (SUPERVISED_MIXTURE, "table", supervised),
    ]


def default_weights(*, sparse: bool, n_features: int, n_classes: int) -> dict[str, float]:
    """Weights without any evidence, of the models that a table gets."""
    if sparse:
        return DOCUMENT_WEIGHTS
    found = for_columns(DEFAULT_WEIGHTS, n_features)
    return found if n_classes <= MOST_BOOSTED else {name: found[name] for name in found if name != BOOSTING}


def for_columns(weights: Mapping[str, float], n_features: int) -> dict[str, float]:
    """Default weights for a table of so many columns; see ``WIDE``."""
    share = min(1.0, WIDE / n_features)
    wide = (MIXTURE_PER_CLASS, *SUPERVISED)
    return {name: weight * (share if name in wide else 1.0) for name, weight in weights.items()}


def supervised_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Default weights of the supervised models alone: their sum is that of all; empty if there are none."""
    kept = {name: SUPERVISED_WEIGHTS[name] for name in weights if name in SUPERVISED}
    return {name: weight * sum(weights.values()) / sum(kept.values()) for name, weight in kept.items()}
