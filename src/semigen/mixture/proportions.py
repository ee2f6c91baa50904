"""Class proportions of the unlabeled rows, with intervals from the profile likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from semigen.em import Blocks, ClassPrior, Engine, Fit, Mixture, Params, fit
from semigen.em.kernel import hold
from semigen.em.records import UNLABELED, Array
from semigen.evaluation.intervals import QUANTILE, wilson

MAX_FITS = 8
"""EM runs for one end of an interval; three are usual."""
MAX_ITER = 100
"""EM iterations of each of them."""
RISE = 1e-3
"""They stop when the log likelihood rises by less, nats; an end is where it has fallen by 1.92."""
NEAR_ROOT = 0.02
FARTHEST = 20.0
"""Log-odds of a proportion that counts as 0 (or 1): 2e-9."""


@dataclass(frozen=True)
class ClassProportions:
    """Class proportions of the unlabeled rows.

    Attributes
    ----------
    classes : ndarray of shape (K,)
    estimate : ndarray of shape (K,)
        The proportions, sum 1. Rows of novel components are left out.
    low, high : ndarray of shape (K,)
        Ends of the 95 % interval of each.
    """

    classes: NDArray[Any]
    estimate: Array
    low: Array
    high: Array

    def __str__(self) -> str:
        names = [str(name) for name in self.classes.tolist()]
        width = max(len("class"), *map(len, names))
        lines = [f"{'class':<{width}}  proportion  95 % interval"]
        for name, estimate, low, high in zip(names, self.estimate, self.low, self.high, strict=True):
            lines.append(f"{name:<{width}}  {estimate:10.4f}  {low:.4f} … {high:.4f}")
        return "\n".join(lines)


def class_proportions(
    mixture: Mixture, prior: Any, data: Blocks, params: Params, engine: Engine
) -> ClassProportions | None:
    """Proportions of the classes among unlabeled rows, and their profile likelihood intervals.

    The interval of class k is ``{π : 2 [L(θ̂) - max L(θ | π_k = π)] ≤ χ²₁ quantile}`` (Venzon & Moolgavkar
    1988, *Applied Statistics* 37:87), with L the log posterior that the fit maximizes. Everything else, the
    mixture of each class included, is fitted anew for each π, so the interval includes that uncertainty. It
    assumes that the model is right. Where unlabeled rows count λ < 1, it is wider than necessary.

    An end takes about three short EM runs from the fit, at most 8 of 100 iterations each; two classes have
    two ends, K > 2 classes 2 K.

    Parameters
    ----------
    mixture, prior, data
        With the class prior "unlabeled".
    params : Params
        The fit.
    engine : Engine

    Returns
    -------
    ClassProportions or None
        None where no unlabeled row counts.
    """
    n_unlabeled = data.where(~data.labels.pattern_labeled).total_weight
    if n_unlabeled == 0:
        return None
    profile = _Profile(mixture, prior, data, params, engine)
    estimate = profile.known(params)
    two_classes = len(estimate) == 2
    ends = [profile.interval(k, n_unlabeled) for k in range(1 if two_classes else len(estimate))]
    if two_classes:
        ends.append((1.0 - ends[0][1], 1.0 - ends[0][0]))
    low, high = np.array(ends).T
    # a fit that was stopped early can lie outside
    return ClassProportions(
        data.labels.classes, estimate, np.minimum(low, estimate), np.maximum(high, estimate)
    )


class _Profile:
    """The log posterior as a function of one class's proportion."""

    def __init__(self, mixture: Mixture, prior: Any, data: Blocks, params: Params, engine: Engine) -> None:
        self.mixture, self.prior, self.data, self.engine = mixture, prior, data, engine
        self.best = self._fit(mixture, params)

    def known(self, params: Params) -> Array:
        """p(class | known class) of the unlabeled rows, (K,)."""
        probs = np.exp(params.log_group[UNLABELED, : self.mixture.n_classes])
        return np.asarray(probs / probs.sum())

    def interval(self, k: int, n_unlabeled: float) -> tuple[float, float]:
        """Both ends for class k."""
        estimate = float(self.known(self.best.params)[k])
        low, high = wilson(estimate, n_unlabeled)
        return self._end(k, estimate, low, -1.0), self._end(k, estimate, high, 1.0)

    def _end(self, k: int, estimate: float, guess: float, side: float) -> float:
        """Where the root of twice the fall reaches its quantile, by secants on the outward log-odds."""
        origin = inner = (float(np.clip(side * logit(estimate), -FARTHEST, FARTHEST)), -QUANTILE)
        outer: tuple[float, float] | None = None
        point = float(np.clip(side * logit(guess), -FARTHEST, FARTHEST))
        params = self.best.params
        for _ in range(MAX_FITS):
            held = self._fit_held(k, float(expit(side * point)), params)
            params = held.params
            fall = (self.best.objective - held.objective) * self.data.total_weight
            root = float(np.sqrt(2.0 * max(fall, 0.0))) - QUANTILE
            if abs(root) < NEAR_ROOT:
                break
            if root > 0:
                outer = anchor = (point, root)
            elif point >= FARTHEST:
                return 0.5 + 0.5 * side
            else:
                inner, anchor = (point, root), outer or inner
            rise = (anchor[1] - inner[1]) / (anchor[0] - inner[0])
            step = -inner[1] / rise if rise > 0 else np.inf
            width = 2.0 * (inner[0] - origin[0]) if outer is None else outer[0] - inner[0]
            point = min(inner[0] + float(np.clip(step, 0.1 * width, 0.9 * width)), FARTHEST)
        return float(expit(side * point))

    def _fit_held(self, k: int, value: float, params: Params) -> Fit:
        """Everything else fitted, with class k's share of the unlabeled rows held."""
        n_classes = self.mixture.n_classes
        log_group = params.log_group.copy()
        share = np.exp(log_group[UNLABELED, :n_classes]).sum()
        with np.errstate(divide="ignore"):
            log_group[UNLABELED, :n_classes] = np.log(share * hold(self.known(params), k, value))
        held = replace(self.mixture, class_prior=ClassPrior("unlabeled", held=(k, value)))
        return self._fit(held, replace(params, log_group=log_group))

    def _fit(self, mixture: Mixture, params: Params) -> Fit:
        tol = RISE / self.data.total_weight
        return fit(mixture, self.prior, self.data, params, self.engine, max_iter=MAX_ITER, tol=tol)
