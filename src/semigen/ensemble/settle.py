"""Which models an ensemble keeps, and with which weights, by what held-out rows show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.comparison import Comparison, Verdict, decide, judge
from semigen.ensemble.defaults import supervised_weights
from semigen.ensemble.harm import harm_probability
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
    verdict : Verdict
        Whether the unlabeled rows helped.
    unlabeled_used : bool
        Whether models that use unlabeled rows have been kept.
    """

    weights: dict[str, float]
    validation: Comparison | None
    verdict: Verdict
    unlabeled_used: bool


def settle(held_out: HeldOut, start: Mapping[str, float], ridge: float, dependence_shift: bool) -> Settled:
    """Compare the ensemble with its supervised models; keep only these where that is better or safer.

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
    """
    given, alone = np.array(list(start.values())), supervised_weights(start)
    weights = held_out.pool_weights(given, ridge)
    validation, decided, used, harm = None, None, True, None
    if alone:  # else the time budget left none
        each = dict(zip(start, held_out.log_probs, strict=True))
        pair = crossfitted_pair(held_out, start, ridge)
        validation = held_out.validation({**pair, **each})
        harm = harm_probability(held_out, list(start), *pair.values())
        if validation is not None:
            decided = decide(validation.difference(ALL_MODELS, SUPERVISED_MODELS))
        if decided == "hurt" or (dependence_shift and decided != "helped"):
            kept = np.array([name in alone for name in start])
            used, weights = False, np.zeros(len(given))
            weights[kept] = held_out.only(kept).pool_weights(np.array(list(alone.values())), ridge)
    verdict = judge(
        validation,
        ALL_MODELS,
        SUPERVISED_MODELS,
        n_unlabeled=held_out.n_unlabeled or 0,
        harm_probability=harm,
    )
    return Settled(dict(zip(start, weights.tolist(), strict=True)), validation, verdict, used)


def crossfitted_pair(held_out: HeldOut, start: Mapping[str, float], ridge: float) -> dict[str, Array]:
    """Log probabilities (m, K) of the ensemble and of its supervised models, with cross-fitted weights."""
    alone = supervised_weights(start)
    without = held_out.only(np.array([name in alone for name in start]))
    return {
        ALL_MODELS: held_out.crossfitted(np.array(list(start.values())), ridge),
        SUPERVISED_MODELS: without.crossfitted(np.array(list(alone.values())), ridge),
    }
