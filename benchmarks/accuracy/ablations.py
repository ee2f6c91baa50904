"""AutoClassifier with one part taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from semigen.ensemble.auto import AutoClassifier
from semigen.ensemble.defaults import GRAPH, MIXTURE_PER_CLASS, MIXTURES, SPREADING, supervised_weights
from semigen.ensemble.pool import PoolClassifier


def start(auto: AutoClassifier) -> dict[str, float]:
    """Default weights of the models that were fitted."""
    return {name: auto.pool_.weights[name] for name in auto.pool_.estimators_}


def without(*left_out: str) -> Callable[[AutoClassifier], None]:
    """An ensemble of the other models, with weights learned anew on the same held-out rows."""

    def change(auto: AutoClassifier) -> None:
        given = start(auto)
        auto.pool_.restrict({name: given[name] for name in given if name not in left_out})

    return change


def supervised(auto: AutoClassifier) -> None:
    """Only models that use labeled rows alone."""
    auto.pool_.restrict(supervised_weights(start(auto)))


def with_default_weights(auto: AutoClassifier) -> None:
    """Default weights scaled to a sum of 1 (temperature 1): nothing is learned from held-out rows."""
    given = start(auto)
    auto.pool_.reweight({name: weight / sum(given.values()) for name, weight in given.items()})


class FullWeight(AutoClassifier):
    """In the mixture per class an unlabeled row counts as much as a labeled one: λ = 1."""

    def _pool(self, *args: Any) -> PoolClassifier:
        pool = super()._pool(*args)
        for name, _, classifier in pool.estimators:
            if name == MIXTURE_PER_CLASS:
                classifier.set_params(unlabeled_weight=1.0)
        return pool


CHANGES: dict[str, Callable[[AutoClassifier], None]] = {
    "auto without mixtures": without(MIXTURES),
    "auto without graph": without(GRAPH, SPREADING),
    "auto without pool": with_default_weights,
    "auto supervised": supervised,
}
"""Other ensembles of the same fitted models."""
