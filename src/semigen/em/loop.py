"""The iteration: E-step, objective, M-step, until the objective stands still."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from semigen.em.engines import Engine
from semigen.em.kernel import e_step, given_stats, log_likelihood, log_prior, m_step
from semigen.em.records import Array, Data, Mixture, Params, Rows, Stats
from semigen.exceptions import ObjectiveDecreasedWarning


@dataclass(frozen=True)
class Fit:
    """What a fit gave.

    Attributes
    ----------
    params : Params
        Those of the last value of ``path``.
    path : ndarray of shape (n_iter + 1,)
        The objective, nats per row, of the start and after each M-step.
    converged : bool
    """

    params: Params
    path: Array
    converged: bool

    @property
    def n_iter(self) -> int:
        """M-steps taken."""
        return len(self.path) - 1

    @property
    def objective(self) -> float:
        """The last value of the objective, nats per row."""
        return float(self.path[-1])


def fit(
    mixture: Mixture,
    prior: Any,
    data: Data,
    params: Params,
    engine: Engine,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
    on_iteration: Callable[[int, float], None] | None = None,
) -> Fit:
    """Maximize the objective from a start.

    ``L(θ) = [Σ_labeled w log p(x, y) + λ Σ_unlabeled w log p(x) + log prior(θ)] / total weight``

    (total weight: Σ w over labeled plus λ Σ w over unlabeled rows) never falls; Dempster, Laird & Rubin
    (1977), *JRSS B* 39:1. Statistics of rows whose component is known are computed once.

    Parameters
    ----------
    mixture, prior, data, params
        Structure, the family's prior, rows, start.
    engine : Engine
    max_iter : int, default=200
        At most this many M-steps.
    tol : float, default=1e-6
        Stop when the objective rises by less, nats per row.
    on_iteration : callable or None
        Called with the number of M-steps and the objective after each.
    """
    free, settled = _split_rows(mixture, data)
    total_weight = float(data.weight.sum())
    fixed = None
    if len(settled):
        fixed = _settled_stats(mixture, params, data, settled, engine)

    def evaluate(current: Params) -> tuple[float, Stats]:
        parts = engine.map_rows(lambda rows: e_step(mixture, current, data, rows), free) if len(free) else []
        if fixed is not None:
            known = Stats(fixed.weight, log_likelihood(mixture, current, fixed), fixed.family)
            parts = [known, *parts]
        stats = reduce(Stats.merge, parts)
        return (stats.log_lik + log_prior(mixture, prior, current)) / total_weight, stats

    slack = 1e-9 if data.x.dtype == np.float64 else 1e-5
    objective, stats = evaluate(params)
    path = [objective]
    converged = False
    while len(path) <= max_iter:
        candidate = m_step(mixture, prior, stats, params)
        objective, stats = evaluate(candidate)
        if not objective >= path[-1] - slack * (1.0 + abs(path[-1])):
            warnings.warn(
                f"the objective fell from {path[-1]:.10g} to {objective:.10g} nats per row in iteration "
                f"{len(path)}, which EM cannot do: a bug in the family {mixture.family.name!r} or its "
                "covariance shape. The fit keeps the parameters before the fall. Please report it.",
                ObjectiveDecreasedWarning,
                stacklevel=2,
            )
            break
        params = candidate
        rise = objective - path[-1]
        path.append(objective)
        if on_iteration is not None:
            on_iteration(len(path) - 1, objective)
        if rise < tol:
            converged = True
            break
    return Fit(params, np.asarray(path), converged)


def _split_rows(mixture: Mixture, data: Data) -> tuple[Rows, Rows]:
    """Rows that need the E-step, and rows whose component their label settles for good."""
    used = data.used
    if mixture.label_noise is not None or not mixture.family.reusable(data.missing):
        return used, used[:0]
    settled_pattern = np.isfinite(_log_label(mixture, data)).sum(axis=1) == 1
    settled = settled_pattern[data.labels.pattern[used]]
    return used[~settled], used[settled]


def _log_label(mixture: Mixture, data: Data) -> Array:
    return mixture.log_label(data.labels.log_table, data.labels.pattern_labeled)


def _settled_stats(mixture: Mixture, params: Params, data: Data, rows: Rows, engine: Engine) -> Stats:
    component = _log_label(mixture, data).argmax(axis=1)

    def block(mine: Rows) -> Stats:
        resp = np.zeros((len(mine), mixture.n_components))
        resp[np.arange(len(mine)), component[data.labels.pattern[mine]]] = 1.0
        return given_stats(mixture, params, data, mine, resp)

    parts: list[Stats] = engine.map_rows(block, rows)
    return reduce(Stats.merge, parts)
