"""Which weights the models of an ensemble get, by what held-out labels and unlabeled rows show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.comparison import Comparison, Verdict, decide, judge
from semigen.ensemble.defaults import supervised_weights
from semigen.ensemble.harm import COEFFICIENTS, harm_probability, harm_signs, supervised_share
from semigen.ensemble.held_out import HeldOut

Array = NDArray[np.float64]

ALL_MODELS, SUPERVISED_MODELS = "all models", "supervised models"
"""Names in ``validation_`` of the ensemble, and of the same ensemble trained on the labeled rows alone."""


@dataclass(frozen=True)
class Settled:
    """An ensemble after the held-out rows have been seen.

    Attributes
    ----------
    weights : dict {name: float}
    validation : Comparison or None
        Of the ensemble, the same ensemble of supervised models, and each model; None without held-out rows.
        Where models that use unlabeled rows are left out, the first is what it would be with them in full.
    verdict : Verdict
        Whether the unlabeled rows helped.
    supervised_share : float
        Share of the weights that the ensemble of supervised models has, from 0 to 1: all of them where models
        that use unlabeled rows are left out.
    """

    weights: dict[str, float]
    validation: Comparison | None
    verdict: Verdict
    supervised_share: float

    @property
    def unlabeled_used(self) -> bool:
        """Whether models that use unlabeled rows have been kept."""
        return self.supervised_share < 1


def settle(
    held_out: HeldOut,
    start: Mapping[str, float],
    ridge: float,
    dependence_shift: bool,
    agreement: float | None,
    n_columns: int,
    coefficients: Sequence[float] = COEFFICIENTS,
) -> Settled:
    """Compare the ensemble with its supervised models, and give these the share that is likely to be best.

    Parameters
    ----------
    held_out : HeldOut
        Predictions of the models, in the order of ``start``.
    start : dict {name: float}
        Default weights of the models.
    ridge : float
        As :func:`semigen.ensemble.held_out.pool_weights` takes it.
    dependence_shift : bool
        Whether the unlabeled rows seem to carry nothing: then they must be shown to help.
    agreement : float or None
        Of two generative models on the unlabeled rows (:func:`semigen.ensemble.harm.agreement`).
    n_columns : int
        Columns of the table.
    coefficients : sequence of float
        Of :func:`semigen.ensemble.harm.harm_probability`.
    """
    validation, harm, share = None, None, 0.0
    if supervised_weights(start):  # else the time budget left none
        pair, decided = crossfitted_pair(held_out, start, ridge), None
        if agreement is not None:
            log_probs = pair[ALL_MODELS], pair[SUPERVISED_MODELS]
            harm = harm_probability(harm_signs(held_out, *log_probs, agreement, n_columns), coefficients)
            share = supervised_share(harm)
        in_full = held_out.validation(pair)
        if in_full is not None:
            decided = decide(in_full.difference(ALL_MODELS, SUPERVISED_MODELS))
        if decided == "hurt" or (dependence_shift and decided != "helped"):
            share = 1.0
        if 0 < share < 1:
            pair[ALL_MODELS] = held_out.crossfitted(shared_weights(start, ridge, share))
        each = dict(zip(start, held_out.log_probs, strict=True))
        validation = held_out.validation({**pair, **each})
    weights = shared_weights(start, ridge, share)(held_out)
    verdict = judge(
        validation,
        ALL_MODELS,
        SUPERVISED_MODELS,
        n_unlabeled=held_out.n_unlabeled or 0,
        harm_probability=harm,
    )
    return Settled(dict(zip(start, weights.tolist(), strict=True)), validation, verdict, share)


def shared_weights(start: Mapping[str, float], ridge: float, share: float) -> Callable[[HeldOut], Array]:
    """How weights (M,) are learned from held-out rows, if supervised models have a share of their own.

    ``(1 - share) w + share w'`` with the weights w of all models and the weights w' of the supervised ones,
    each learned as if there were no others.
    """
    given, alone = np.array(list(start.values())), supervised_weights(start)
    kept = np.array([name in alone for name in start])

    def learn(held_out: HeldOut) -> Array:
        weights = np.zeros(len(given))
        if share < 1:
            weights = (1 - share) * held_out.pool_weights(given, ridge)
        if share > 0:
            supervised = held_out.only(kept).pool_weights(np.array(list(alone.values())), ridge)
            weights[kept] += share * supervised
        return weights

    return learn


def crossfitted_pair(
    held_out: HeldOut, start: Mapping[str, float], ridge: float, share: float = 0.0
) -> dict[str, Array]:
    """Log probabilities (m, K) of the ensemble and of its supervised models, with cross-fitted weights."""
    return {
        ALL_MODELS: held_out.crossfitted(shared_weights(start, ridge, share)),
        SUPERVISED_MODELS: held_out.crossfitted(shared_weights(start, ridge, 1.0)),
    }
