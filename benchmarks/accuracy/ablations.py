"""AutoClassifier with one part taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from semigen.ensemble.auto import (
    GRAPH,
    MIXTURE_PER_CLASS,
    MIXTURES,
    SPREADING,
    AutoClassifier,
    default_weights,
    supervised_weights,
)


def without(*left_out: str) -> Callable[[AutoClassifier], None]:
    """The other members pooled, with weights found anew on the same hidden rows."""

    def change(auto: AutoClassifier) -> None:
        start = default_weights(auto.pool_)
        auto.pool_.restrict({name: start[name] for name in start if name not in left_out})

    return change


def supervised(auto: AutoClassifier) -> None:
    """Only members that use labeled rows alone."""
    auto.pool_.restrict(supervised_weights(auto.pool_))


def without_hidden_rows(auto: AutoClassifier) -> None:
    """Default weights scaled to a sum of 1 (temperature 1): nothing is learned from hidden rows."""
    start = default_weights(auto.pool_)
    auto.pool_.reweigh({name: weight / sum(start.values()) for name, weight in start.items()})


class FullWeight(AutoClassifier):
    """Class densities trust an unlabeled row as much as a labeled one: λ = 1."""

    def _members(self, *args: Any, **kwargs: Any) -> list[tuple[str, Any]]:
        members = super()._members(*args, **kwargs)
        return [
            (
                name,
                clone(one).set_params(classifier__unlabeled_weight=1.0) if name == MIXTURE_PER_CLASS else one,
            )
            for name, one in members
        ]


CHANGES: dict[str, Callable[[AutoClassifier], None]] = {
    "auto without mixtures": without(MIXTURES),
    "auto without graph": without(GRAPH, SPREADING),
    "auto without pool": without_hidden_rows,
    "auto supervised": supervised,
}
"""Other pools of the members that one fit has."""
