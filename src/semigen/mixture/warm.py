"""Where a warm start goes on from: the last fit, which must have been about the same things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns import Schema
from semigen.common.text import shortened
from semigen.em import Mixture, Params, alive
from semigen.exceptions import ParameterError

_SHOWN = 80
"""Characters of what differs."""


@dataclass(frozen=True)
class LastFit:
    """The last fit of an estimator.

    Attributes
    ----------
    mixture, params
    schema : Schema
        As the family modeled the columns.
    classes : ndarray of shape (K,)
    unlabeled_weight : float
        λ.
    """

    mixture: Mixture
    params: Params
    schema: Schema
    classes: NDArray[Any]
    unlabeled_weight: float

    @property
    def is_upper(self) -> bool:
        """Whether it has one dispersion for all components."""
        return self.mixture.family.pooled() is self.mixture.family

    @property
    def alive(self) -> bool:
        """Whether EM can go on from it: it never gives weight to a component without."""
        return alive(self.mixture, self.params)

    def refuse_others(self, mixture: Mixture, schema: Schema, classes: NDArray[Any]) -> None:
        """Raise a ParameterError unless a fit of this mixture is about the same things."""
        ours, theirs, prior = self.schema, schema, mixture.class_prior
        seen = {
            "classes": (self.classes.tolist(), classes.tolist()),
            "numbers of columns": (ours.n_features, theirs.n_features),
            "columns": (ours.names, theirs.names),
            "kinds of columns": (ours.kinds, theirs.kinds),
            "levels of categories": (ours.levels, theirs.levels),
            "components": (self.mixture.group.tolist(), mixture.group.tolist()),
            "class priors": (self.mixture.class_prior.kind, prior.kind),
            "class probabilities": (_list(self.mixture.class_prior.values), _list(prior.values)),
        }
        for what, (then, now) in seen.items():
            if then != now:
                raise ParameterError(
                    f"warm_start=True goes on from the last fit, which had other {what}: "
                    f"{shortened(repr(then), _SHOWN)}, not {shortened(repr(now), _SHOWN)}. Start afresh "
                    "(warm_start=False, or a new estimator)."
                )


def _list(values: NDArray[np.float64] | None) -> list[float] | None:
    return None if values is None else values.tolist()
