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
OF_WORDS = {
    MIXTURES: "mixture features of words",
    MIXTURE_PER_CLASS: "mixture per class of words",
    LOGISTIC: "logistic regression on words",
    AXES: "principal components of words",
}
"""The models of documents where these are columns of a table that has others."""
SUPERVISED = (LOGISTIC, EXTRA_TREES, BOOSTING, SUPERVISED_MIXTURE, OF_WORDS[LOGISTIC])
"""Models that use labeled rows only."""
DEFAULT_WEIGHTS = {
    MIXTURES: 0.34,
    SPREADING: 0.01,
    MIXTURE_PER_CLASS: 0.25,
    LOGISTIC: 0.0,
    GRAPH: 0.07,
    EXTRA_TREES: 0.03,
    BOOSTING: 0.06,
    SUPERVISED_MIXTURE: 0.0,
}
"""Weights without any evidence; with few labels the ensemble stays near them. Learned over tables of the
benchmarks (``python -m benchmarks.accuracy --learn-weights``)."""
SUPERVISED_WEIGHTS = {LOGISTIC: 0.3, EXTRA_TREES: 0.35, BOOSTING: 0.05, SUPERVISED_MIXTURE: 0.3}
"""The same where there are only supervised models; their proportions count."""
MOST_BOOSTED = 50
"""Classes of which boosted trees are grown: more get fewer than ten rounds, which say little."""
MOST_COLUMNS, MOST_STREAMED = 64, 2_000
"""Columns up to which the mixtures per class read the table itself, and those of a table larger than memory:
the time grows with their cube. Of more they read its principal axes and the distance from these."""
FEW_ROWS = 300
"""With fewer the distance is not read: rows of the fit are nearer to their axes than new rows are."""
WIDE = 16
"""Columns from which models that learn classes from the columns themselves count less, in inverse proportion:
the more there are, the less a handful of labels say which of them matter."""
GROWTH = 0.15
"""Power of the number of columns over ``WIDE`` with which the others count more: clusters stand out."""
TWO_CLASSES = {MIXTURES: 0.4, MIXTURE_PER_CLASS: 0.4, LOGISTIC: 0.2, AXES: 0.5}
MANY_CLASSES = {MIXTURES: 0.1, MIXTURE_PER_CLASS: 1.0, LOGISTIC: 0.2, AXES: 0.5}
"""The same for documents of two classes, and of ``MANY`` or more: of many classes each is one subject, which
a component describes; of two, each may be several. Between them they are interpolated. Chosen on the training
documents of 20 Newsgroups."""
MANY = 20
BESIDE = 0.6
"""Times the default weights of the models of columns, and of those of words, where a table has long texts
beside other columns. Chosen on draws of training posts of 20 Newsgroups beside columns of development tables
that ``python -m benchmarks.text --beside`` does not judge."""


def models(
    forms: Forms,
    n_rows: int,
    n_features: int,
    seed: int,
    *,
    sparse: bool,
    streamed: bool = False,
    all_labeled: bool = False,
    engine: Engine | None = None,
) -> list[tuple[str, str, Any]]:
    """Name, form of the rows (:class:`semigen.ensemble.forms.FormedRows`) and classifier of each model.

    Parameters
    ----------
    forms : Forms
    n_rows, n_features : int
        Rows to learn from, and columns of the table.
    seed : int
    sparse : bool
        Whether the rows are documents.
    streamed : bool
        Whether the rows are a sample, and the mixture per class goes on to all rows of a source.
    all_labeled : bool, default=False
        Whether both mixtures per class are the same, which is then fitted once.
    engine : Engine or None
        Of the mixtures per class.
    """
    as_given = n_features <= (MOST_STREAMED if streamed else MOST_COLUMNS)
    density = "table" if as_given else "principal_axes" if n_rows < FEW_ROWS else "axes_and_distance"
    mixture = partial(
        MixtureClassifier,
        covariance="tied" if as_given and n_features > MOST_COLUMNS else "auto",
        max_iter=50,
        tol=1e-4,
        unlabeled=None,
        random_state=seed,
        engine=engine,
        verbose=0,
    )
    if sparse:
        return [
            (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
            (MIXTURE_PER_CLASS, "words", mixture(class_prior="uniform", unlabeled_weight=0.3)),
            (LOGISTIC, "plain", RidgeLogistic(1.0)),
            (AXES, "principal_axes", RidgeLogistic(10.0)),
        ]
    supervised = mixture(unlabeled_weight=0.0)
    return [
        (MIXTURES, "responsibilities", RidgeLogistic(25.0)),
        (SPREADING, "neighbors", GraphSpreading(FrozenEstimator(forms.graph))),
        (MIXTURE_PER_CLASS, density, supervised if all_labeled else mixture(unlabeled_weight=0.1)),
        (LOGISTIC, "plain", RidgeLogistic(0.5)),
        (GRAPH, "graph_features", RidgeLogistic(10.0)),
        (EXTRA_TREES, "plain", ExtraTrees(random_state=seed)),
        (BOOSTING, "plain", BoostedTrees(random_state=seed)),
        (SUPERVISED_MIXTURE, density, supervised),
    ]


def models_of_words(
    forms: Forms, n_rows: int, seed: int, engine: Engine | None
) -> list[tuple[str, str, Any]]:
    """The same for the words of long texts that stand beside other columns."""
    plain = models(forms, n_rows, 0, seed, sparse=True, engine=engine)
    return [(OF_WORDS[name], f"documents.{form}", model) for name, form, model in plain]


def default_weights(
    *, sparse: bool, n_features: int, n_classes: int, documents: bool = False
) -> dict[str, float]:
    """Weights without any evidence, of the models that a table gets."""
    if documents:
        table, words = (
            default_weights(sparse=of_words, n_features=n_features, n_classes=n_classes)
            for of_words in (False, True)
        )
        both = {**table, **{OF_WORDS[name]: weight for name, weight in words.items()}}
        return {name: BESIDE * weight for name, weight in both.items()}
    if sparse:
        many = min(1.0, (n_classes - 2) / (MANY - 2))
        return {name: (1 - many) * TWO_CLASSES[name] + many * MANY_CLASSES[name] for name in TWO_CLASSES}
    found = for_columns(DEFAULT_WEIGHTS, n_features)
    return found if n_classes <= MOST_BOOSTED else {name: found[name] for name in found if name != BOOSTING}


def for_columns(weights: Mapping[str, float], n_features: int) -> dict[str, float]:
    """Default weights for a table of so many columns; see ``WIDE``."""
    times = max(1.0, n_features / WIDE)
    wide = (MIXTURE_PER_CLASS, *SUPERVISED)
    return {name: weight * (1 / times if name in wide else times**GROWTH) for name, weight in weights.items()}


def supervised_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Default weights of the supervised models alone: their sum is that of all; empty if there are none.

    Models of words and models of the other columns keep their shares.
    """
    found: dict[str, float] = {}
    for of_words in (False, True):
        mine = {name: one for name, one in weights.items() if (name in OF_WORDS.values()) == of_words}
        kept = {name: SUPERVISED_WEIGHTS.get(name, 1.0) for name in mine if name in SUPERVISED}
        found |= {name: one * sum(mine.values()) / sum(kept.values()) for name, one in kept.items()}
    return found
