"""A prior in two levels: what components share is learned first, and each component is shrunk toward it.

The upper level is the mixture of ``family.pooled()``, whose components have one dispersion. Its prior knows
how far columns spread within labeled classes (``fit_within_prior``). The lower level is the mixture that is
asked for; the pseudo-rows of its prior have the dispersion that the upper level found, and EM starts from
there (``separate``). Each level is a maximum a posteriori fit: empirical Bayes (Efron 2010, *Large-Scale
Inference*, ch. 1; for discriminant analysis Friedman 1989, *JASA* 84:165).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from semigen.arrays.pieces import Indices, evenly
from semigen.data.blocks import Blocks, Data, Engine
from semigen.em.initialize import alive, restart, start
from semigen.em.kernel import evidence_of
from semigen.em.loop import Fit, fit
from semigen.em.records import Array, Mixture, Params

FEW_STEPS = 3
"""EM iterations of a fit that is only to be judged: five serve no better on the development tables."""

MOST_UNLABELED = 2000

UPPER_TOL, UPPER_ITER = 1e-4, 200
"""Nats per row, and EM iterations, whatever is asked of the lower level: the upper one is only where that
starts from and what it is shrunk toward, which must not depend on how far EM gets in one fit."""


MANY, SAMPLE = 1_000_000, 100_000
"""Of more unlabeled rows than ``MANY``, EM first climbs on ``SAMPLE`` of them, beside all labeled rows: it
then needs fewer passes over all rows (``benchmarks/speed/NOTES.md``)."""


@dataclass(frozen=True)
class Level:
    """A fit with its structure and its prior."""

    mixture: Mixture
    prior: Any
    fit: Fit


def fit_levels(
    mixture: Mixture,
    data: Blocks,
    engine: Engine,
    rng: np.random.Generator,
    *,
    shrinkage: float | None = None,
    n_init: int = 1,
    before: Params | None = None,
    max_iter: int = 200,
    tol: float = 1e-6,
    acceleration: str | None = None,
    on_iteration: Callable[[int, float], None] | None = None,
    run: Callable[..., Fit] = fit,
) -> tuple[Level, ...]:
    """Fit a mixture, after the level above it where there is one.

    Of more than ``MANY`` unlabeled rows the fit starts where one to a sample of them ended.

    Parameters
    ----------
    mixture, data, engine
    rng : Generator
        For starts (:func:`semigen.em.start`).
    shrinkage : float or None
        Pseudo-rows of each level, None: the family's own choice; 0: maximum likelihood, which has no levels.
    n_init : int, default=1
        Starts; each leads through both levels, under the prior from the best fit of the upper one.
    before : Params or None
        Where another fit of the mixture ended, to go on from instead of the starts
        (:func:`semigen.em.restart`).
    max_iter, tol, acceleration, on_iteration
        As :func:`semigen.em.fit` has them, for the fit of each start at the mixture's own level.
    run : callable
        What fits from one start: :func:`semigen.em.fit`, or what remembers fits around it.

    Returns
    -------
    tuple of Level
        The upper level, where there is one, and the mixture's own.
    """
    pooled = mixture.family.pooled()
    alone = shrinkage == 0 or pooled is mixture.family
    upper = mixture if alone else replace(mixture, family=pooled)
    prior = upper.family.fit_within_prior(data, shrinkage, engine)
    begun: tuple[Level, ...] = ()
    if before is None and data.where(~data.labels.pattern_labeled).n_rows > MANY:
        begun = fit_levels(
            mixture,
            _thinned(data.in_memory(SAMPLE), SAMPLE),
            engine,
            rng,
            shrinkage=shrinkage,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            acceleration=acceleration,
        )
    if begun and all(alive(level.mixture, level.fit.params) for level in begun):
        starts = [restart(upper, prior, begun[0].fit.params)]
        before = begun[-1].fit.params
    else:
        starts = [start(upper, prior, data, engine, rng, perturb=attempt > 0) for attempt in range(n_init)]
    levels: tuple[Level, ...] = ()
    if not alone:
        above = [
            run(upper, prior, data, one, engine, max_iter=UPPER_ITER, tol=max(tol, UPPER_TOL))
            for one in starts
        ]
        levels = (Level(upper, prior, _best(above)),)
        prior = mixture.family.prior_around(prior, levels[0].fit.params.family, shrinkage)
        starts = [
            replace(one.params, family=mixture.family.separate(prior, one.params.family)) for one in above
        ]
    if before is not None:
        starts = [restart(mixture, prior, before)]
    fits = [
        run(
            mixture,
            prior,
            data,
            one,
            engine,
            max_iter=max_iter,
            tol=tol,
            acceleration=acceleration,
            on_iteration=on_iteration,
        )
        for one in starts
    ]
    return *levels, Level(mixture, prior, _best(fits))


def refined(
    level: Level, data: Blocks, engine: Engine, *, run: Callable[..., Fit] = fit, **stopping: Any
) -> Level:
    """An upper level as a fit of its own: EM goes on from where it stopped."""
    found = run(level.mixture, level.prior, data, level.fit.params, engine, **stopping)
    path = np.concatenate([level.fit.path, found.path[1:]])
    return replace(level, fit=Fit(found.params, path, found.converged))


def _best(fits: Sequence[Fit]) -> Fit:
    return max(fits, key=lambda one: one.objective)


def evidence_left_out(
    levels: Sequence[Level],
    shrinkage: float | None,
    data: Data,
    folds: Sequence[Indices],
    engine: Engine,
    on_fold: Callable[[int, int], None] | None = None,
) -> list[Array]:
    """Evidence for each class of labeled rows, by short fits that did not see them.

    Each level starts anew without a fold and climbs for ``FEW_STEPS`` iterations under the prior of the whole
    fit, with at most ``MOST_UNLABELED`` unlabeled rows, weighted as if they were all. It would be cheaper to
    leave rows out of the sums of the whole fit, but with λ = 1 and few labels unlabeled rows remember them.

    Parameters
    ----------
    levels, shrinkage
        As :func:`fit_levels` has them.
    data : Data
    folds : sequence of ndarray
        Numbers of the rows to leave out together.
    on_fold : callable or None, default=None
        Called as ``on_fold(folds done, all folds)``.

    Returns
    -------
    list of ndarray of shape (rows, K)
        For each level, the rows of all folds one after the other, nats.
    """
    found: list[list[Array]] = [[] for _ in levels]
    for number, fold in enumerate(folds, start=1):
        weight = data.weight.copy()
        weight[fold] = 0.0
        kept = _thinned(replace(data, weight=weight), MOST_UNLABELED)
        out = data.at(fold)
        prior, params = levels[0].prior, None
        for level, rows in zip(levels, found, strict=True):
            if params is None:
                begin = start(level.mixture, prior, kept, engine, np.random.default_rng(0))
            else:
                prior = level.mixture.family.prior_around(prior, params.family, shrinkage)
                begin = replace(params, family=level.mixture.family.separate(prior, params.family))
            params = fit(level.mixture, prior, kept, begin, engine, max_iter=FEW_STEPS).params
            rows.append(evidence_of(level.mixture, params, out))
        if on_fold is not None:
            on_fold(number, len(folds))
    return [np.vstack(rows) for rows in found]


def _thinned(data: Data, most: int) -> Data:
    """The same rows, of more unlabeled ones than ``most`` an even share with larger weights."""
    unlabeled = np.flatnonzero(~data.labels.is_labeled & (data.weight > 0))
    if len(unlabeled) <= most:
        return data
    some = unlabeled[evenly(len(unlabeled), most)]
    weight = data.weight.copy()
    weight[some] *= weight[unlabeled].sum() / weight[some].sum()
    rows = np.sort(np.concatenate([np.flatnonzero(data.labels.is_labeled), some]))
    return replace(data, weight=weight).at(rows)
