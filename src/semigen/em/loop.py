"""The iteration: E-step, objective, M-step, until the objective stands still."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.common.notices import warn
from semigen.data.blocks import Block, Blocks, Engine
from semigen.em.acceleration import as_acceleration
from semigen.em.kernel import e_step, log_likelihood, log_prior, m_step, stats_by_label
from semigen.em.records import Array, Mixture, Params, Stats, as_vector
from semigen.exceptions import ConvergenceWarning, ObjectiveDecreasedWarning
from semigen.families.protocol import Lighter

SLACK = 1e-9
"""A fall of the objective by this share is rounding."""

Pass = tuple[Callable[[Block], Stats], Blocks]
"""A function of a block, and the rows whose blocks it is for; what it gives for them is merged."""

ROUGH_TOL, ROUGH_RISE = 10.0, 2e-6
"""In float32 the objective must rise by so many times the tolerance, and by this share of itself."""


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


@dataclass(frozen=True)
class Climb:
    """How far a fit has come, from where it can go on.

    Attributes
    ----------
    params : Params
    path : ndarray of shape (steps + 1,)
        The objective so far.
    refused : int
        Steps of an acceleration that were refused.
    single : bool
        Whether it still computes in float32.
    """

    params: Params
    path: Array
    refused: int = 0
    single: bool = False


def warn_unless_converged(found: Fit, tol: float) -> None:
    """Say that a fit ended before the objective stood still."""
    if not found.converged and len(found.path) > 1:  # else the objective fell at once, which was said
        steps = f"{found.n_iter} iteration{'' if found.n_iter == 1 else 's'}"
        warn(
            f"EM stopped after {steps} while the objective still rose by "
            f"{found.path[-1] - found.path[-2]:.2g} nats per row (tol={tol:g}): raise max_iter, raise tol, "
            "or raise shrinkage.",
            ConvergenceWarning,
        )


def fit(
    mixture: Mixture,
    prior: Any,
    data: Blocks,
    params: Params,
    engine: Engine,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
    acceleration: str | None = None,
    on_iteration: Callable[[int, float], None] | None = None,
    resumed: Climb | None = None,
    on_climb: Callable[[Climb], None] | None = None,
) -> Fit:
    """Maximize the objective from a start.

    ``L(θ) = [Σ_labeled w log p(x, y) + λ Σ_unlabeled w log p(x) + log prior(θ)] / total weight``

    (total weight: Σ w over labeled plus λ Σ w over unlabeled rows) never falls; Dempster, Laird & Rubin
    (1977), *JRSS B* 39:1. Statistics of rows whose component is known are computed once. Rows in float32 are
    computed in float32 as long as the objective rises by far more than that rounds, then in float64, so that
    the fit stops where it would with the same rows in float64.

    Parameters
    ----------
    mixture, prior, data, params
        Structure, the family's prior, rows, start.
    engine : Engine
    max_iter : int, default=200
        At most this many M-steps.
    tol : float, default=1e-6
        Stop when the objective rises by less in a step of EM, nats per row.
    acceleration : {"auto", "anderson", "squarem"} or None, default=None
        Extrapolate (:mod:`semigen.em.acceleration`). Steps that are refused count among ``max_iter``.
    on_iteration : callable or None
        Called with the number of M-steps and the objective after each.
    resumed : Climb or None
        Go on from there instead of ``params``: to the same end, but for what an acceleration remembers.
    on_climb : callable or None
        Called after each M-step but the last with how far the fit has come.
    """
    climb = _climb(
        mixture,
        prior,
        data,
        params,
        max_iter=max_iter,
        tol=tol,
        acceleration=acceleration,
        on_iteration=on_iteration,
        resumed=resumed,
        on_climb=on_climb,
    )
    (found,) = _driven([climb], engine)
    return found


def fit_together(
    starts: Sequence[tuple[Mixture, Any, Blocks, Params]], engine: Engine, *, max_iter: int, tol: float
) -> list[Fit]:
    """:func:`fit` of several mixtures, each from its start and on rows of its own, pass by pass side by side.

    Parameters
    ----------
    starts : sequence of (mixture, prior, data, params)
    engine : Engine
        Its ``reduce_each`` computes the next pass of every fit that is not done.
    max_iter, tol
        As :func:`fit` has them.
    """
    return _driven([_climb(*one, max_iter=max_iter, tol=tol) for one in starts], engine)


def _driven(climbs: Sequence[Generator[Pass, list[Stats], Fit]], engine: Engine) -> list[Fit]:
    """Let an engine do the passes that fits ask for, until all are done."""
    found: dict[int, Fit] = {}
    asked = {number: next(climb) for number, climb in enumerate(climbs)}
    while asked:
        functions, sources = zip(*asked.values(), strict=True)
        sums = engine.reduce_each(functions, Stats.merge, sources)
        for number, stats in zip(tuple(asked), sums, strict=True):
            try:
                asked[number] = climbs[number].send(stats)
            except StopIteration as end:
                found[number] = end.value
                del asked[number]
    return [found[number] for number in range(len(climbs))]


def _climb(
    mixture: Mixture,
    prior: Any,
    data: Blocks,
    params: Params,
    *,
    max_iter: int,
    tol: float,
    acceleration: str | None = None,
    on_iteration: Callable[[int, float], None] | None = None,
    resumed: Climb | None = None,
    on_climb: Callable[[Climb], None] | None = None,
) -> Generator[Pass, list[Stats], Fit]:
    """What :func:`fit` computes between passes over the rows: it asks for each, and is sent its sums."""
    settled = _settled(mixture, data)
    free, total_weight = data.where(~settled), data.total_weight
    fixed = (yield _settled_pass(mixture, params, data.where(settled))) if settled.any() else []

    light = mixture.family.lighter(data.missing)
    whole: list[Any] = []  # the sums of the first walk

    def evaluate(current: Params, dtype: Any) -> Generator[Pass, list[Stats], tuple[float, Stats]]:
        known = [replace(one, log_lik=log_likelihood(mixture, current, one)) for one in fixed]
        this = mixture if light is None or not whole else replace(mixture, family=light.family)
        found = yield partial(e_step, this, current, dtype=dtype), free
        if light is not None and found:
            if whole:
                found = [_completed(light, current, found[0], whole[0])]
            else:
                whole.append(found[0].family)
        stats = reduce(Stats.merge, [*known, *found])
        return (stats.log_lik + log_prior(mixture, prior, current)) / total_weight, stats

    single = data.dtype == np.float32 and mixture.family.has_single
    dtype = np.dtype(np.float32 if single else np.float64)
    faster = as_acceleration(acceleration)
    path: list[float] = []
    rise = np.inf
    refused = 0
    if resumed is not None:
        params = resumed.params
        path = resumed.path[:-1].tolist()
        refused = resumed.refused
        dtype = np.dtype(np.float32 if single and resumed.single else np.float64)
    objective, stats = yield from evaluate(params, dtype)
    path.append(objective)
    converged = False
    while len(path) + refused <= max_iter and not converged:
        accepted = False
        trial = None if faster is None or dtype == np.float32 else faster.propose(stats, rise)
        if faster is not None and trial is not None and rise >= tol:  # a step of EM decides where it ends
            with np.errstate(all="ignore"):
                candidate = m_step(mixture, prior, trial, params)
            if not np.isnan(as_vector(candidate)).any():
                objective, found = yield from evaluate(candidate, dtype)
                accepted = objective >= path[-1]
                refused += not accepted
            faster.answer(accepted=accepted)
        if not accepted:
            candidate = m_step(mixture, prior, stats, params)
            objective, found = yield from evaluate(candidate, dtype)
        rise = objective - path[-1]
        if dtype == np.float32 and not rise > max(ROUGH_TOL * tol, ROUGH_RISE * (1.0 + abs(path[-1]))):
            dtype = np.dtype(np.float64)  # from here on digits matter
            path[-1], stats = yield from evaluate(params, dtype)
            continue
        if not rise >= -SLACK * (1.0 + abs(path[-1])):
            warn(
                f"the objective fell from {path[-1]:.10g} to {objective:.10g} nats per row in iteration "
                f"{len(path)}, which EM cannot do: a bug in the family {mixture.family.name!r} or its "
                "covariance shape. The fit keeps the parameters before the fall. Please report it.",
                ObjectiveDecreasedWarning,
            )
            break
        params, stats = candidate, found
        path.append(objective)
        if on_iteration is not None:
            on_iteration(len(path) - 1, objective)
        converged = rise < tol and not accepted
        if on_climb is not None and not converged:
            on_climb(Climb(params, np.asarray(path), refused, single=dtype == np.float32))
    return Fit(params, np.asarray(path), converged)


def _completed(light: Lighter, params: Params, stats: Stats, whole: Any) -> Stats:
    """Statistics of walks that left something out, with that."""
    family, more = light.complete(params.family, stats.family, whole)
    return replace(stats, family=family, log_lik=stats.log_lik + more)


def _settled(mixture: Mixture, data: Blocks) -> NDArray[np.bool_]:
    """Label patterns (P,) that settle the component of their rows for good."""
    if mixture.label_noise is not None or not mixture.family.reusable(data.missing):
        return np.zeros(len(data.labels.log_table), dtype=bool)
    return np.asarray(np.isfinite(_log_label(mixture, data)).sum(axis=1) == 1)


def _log_label(mixture: Mixture, data: Blocks) -> Array:
    return mixture.log_label(data.labels.log_table, data.labels.pattern_labeled)


def _settled_pass(mixture: Mixture, params: Params, data: Blocks) -> Pass:
    """The pass over settled rows."""
    component = np.eye(mixture.n_components)[_log_label(mixture, data).argmax(axis=1)]
    return partial(stats_by_label, mixture, params, component), data
