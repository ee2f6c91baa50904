"""Information criteria and the parameter count they rest on."""

from __future__ import annotations

from functools import partial

import numpy as np

from semigen.em import Blocks, Engine, Mixture, Params, Stats, e_step
from semigen.em.kernel import entropy


def n_free(mixture: Mixture, params: Params) -> int:
    """Free parameters: of the components, p(component | class), p(class), the novel share and label noise."""
    within = mixture.n_components - mixture.n_groups
    class_prior = {"shared": 1, "unlabeled": 2, "fixed": 0}[mixture.class_prior.kind] * (
        mixture.n_classes - 1
    )
    novel = mixture.n_groups - mixture.n_classes
    noise = mixture.label_noise is not None and mixture.label_noise.estimated
    label_noise = mixture.n_classes * (mixture.n_classes - 1) if noise else 0
    return mixture.family.n_free(params.family) + within + class_prior + novel + label_noise


def _penalized(mixture: Mixture, params: Params, data: Blocks, engine: Engine, price: float) -> float:
    (stats,) = engine.reduce_blocks(partial(e_step, mixture, params), Stats.merge, data)
    return float(-2 * stats.log_lik + n_free(mixture, params) * price)


def aic(mixture: Mixture, params: Params, data: Blocks, engine: Engine) -> float:
    """``-2 log L + 2 n_free``, nats."""
    return _penalized(mixture, params, data, engine, 2.0)


def bic(mixture: Mixture, params: Params, data: Blocks, engine: Engine) -> float:
    """``-2 log L + n_free log n``, nats."""
    return _penalized(mixture, params, data, engine, float(np.log(data.total_weight)))


def icl(mixture: Mixture, params: Params, data: Blocks, engine: Engine) -> float:
    """``BIC + 2 Σ w H(p(component | row, label))``, nats."""
    parts = engine.map_blocks(partial(entropy, mixture, params), data)
    return bic(mixture, params, data, engine) + 2 * float(sum(parts))
