"""What is compared: names of the results, the rows that each reads and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB

from benchmarks.text.textbook import NaiveBayesEM
from semigen.families import Multinomial
from semigen.mixture import MixtureClassifier

DEFAULTS = "defaults"
LABELS = (3, 10, 30)
SEEDS = 5
TARGETS = {3: 0.64, 10: 0.72, 30: 0.755}
AIMS = {3: 0.68, 10: 0.75, 30: 0.78}

_MIXTURE = partial(MixtureClassifier, family="multinomial")
OURS: dict[str, tuple[str, Callable[[], Any]]] = {
    DEFAULTS: ("weighted", _MIXTURE),
    "class_prior='uniform'": ("weighted", partial(_MIXTURE, class_prior="uniform")),
    "counts, not weighted": ("counts", _MIXTURE),
    "counts, length='raw'": ("counts", partial(MixtureClassifier, family=Multinomial("raw"))),
    "unlabeled_weight=0.1": ("weighted", partial(_MIXTURE, unlabeled_weight=0.1)),
    "unlabeled_weight=0": ("weighted", partial(_MIXTURE, unlabeled_weight=0.0)),
    "two components per class": ("weighted", partial(_MIXTURE, components_per_class=2, random_state=0)),
}
PEERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "multinomial naive Bayes": ("counts", MultinomialNB),
    "complement naive Bayes, tf-idf": ("plain", ComplementNB),
    "logistic regression, tf-idf": ("plain", partial(LogisticRegression, max_iter=1000)),
    "EM, raw counts, smoothing 1": ("counts", NaiveBayesEM),
    "EM, tf-idf, smoothing 0.01": ("plain", partial(NaiveBayesEM, smoothing=0.01)),
}
MODELS = {**OURS, **PEERS}
LABELS_ONLY = ("multinomial naive Bayes", "complement naive Bayes, tf-idf", "logistic regression, tf-idf")
"""Peers that read the labeled documents alone."""
