"""AutoClassifier with one part taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from semigen.auto import CLASSES, MIXTURES, NEIGHBOURS, SMOOTH, AutoClassifier

UNINFORMED = DummyClassifier(strategy="uniform")
"""Equal probabilities leave a log-linear pool as it is without the member, whatever its weight."""


class Without(AutoClassifier):
    """Some members know nothing."""

    uninformed: tuple[str, ...] = ()

    def _members(self, *args: Any, **kwargs: Any) -> list[tuple[str, Any]]:
        members = super()._members(*args, **kwargs)
        return [(name, UNINFORMED if name in self.uninformed else one) for name, one in members]


class WithoutMixtures(Without):
    """Without the member that stands on the label-free mixtures."""

    uninformed = (MIXTURES,)


class WithoutGraph(Without):
    """Without the members that stand on the graph of nearest neighbours."""

    uninformed = (SMOOTH, NEIGHBOURS)


class FullWeight(AutoClassifier):
    """Class densities trust an unlabelled row as much as a labelled one: λ = 1."""

    def _members(self, *args: Any, **kwargs: Any) -> list[tuple[str, Any]]:
        members = super()._members(*args, **kwargs)
        return [
            (name, clone(one).set_params(classifier__unlabeled_weight=1.0) if name == CLASSES else one)
            for name, one in members
        ]


class WithoutPool(AutoClassifier):
    """Default weights scaled to a sum of 1 (temperature 1): nothing is learned from hidden rows."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Self:
        super().fit(X, y, sample_weight, **options)
        given = self.pool_.weights or {}
        start = {name: given[name] for name in self.pool_.estimators_}
        total = sum(start.values())
        self.pool_.reweigh({name: weight / total for name, weight in start.items()})
        return self


METHODS: dict[str, Callable[[], Any]] = {
    "auto without mixtures": WithoutMixtures,
    "auto without graph": WithoutGraph,
    "auto without pool": WithoutPool,
    "auto λ=1": FullWeight,
}
