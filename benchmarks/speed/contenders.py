"""EM from a given start, one time stamp an iteration, by semigen and its peers.

An iteration is one E-step and one M-step over all rows. Peers that are not installed are left out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.speed.problems import Array, Problem
from semigen.data.labels import Labels
from semigen.em import Data, Engine, Mixture, Params, Stats, ThreadEngine, e_step, fit, m_step
from semigen.families import Gaussian
from semigen.families.covariance.base import Moments
from semigen.mixture import MixtureClassifier


@dataclass(frozen=True)
class Run:
    """Seconds of each iteration after the first, and the parameters after the last."""

    seconds: list[float]
    weights: Array
    means: Array
    covariances: Array

    @classmethod
    def of(cls, stamps: list[float], weights: Any, means: Any, covariances: Any) -> Run:
        if len(stamps) < 2:
            raise RuntimeError(f"{len(stamps)} iterations were seen, at least 2 are needed.")
        return cls(np.diff(stamps).tolist(), *(np.asarray(a) for a in (weights, means, covariances)))

    def difference(self, other: Run) -> float:
        """Largest absolute difference of any parameter."""
        pairs = [
            (self.weights, other.weights),
            (self.means, other.means),
            (self.covariances, other.covariances),
        ]
        return max(float(np.abs(a - b).max()) for a, b in pairs)


def semigen(
    problem: Problem,
    n_iter: int,
    *,
    dtype: Any = np.float64,
    threads: int | None = None,
    covariance: str = "full",
    engine: Engine | None = None,
) -> Run:
    """semigen's EM, without labels and without a prior; ``engine`` None: threads."""
    x = problem.rows(dtype)
    n_components = problem.n_components
    labels = Labels(np.arange(n_components), np.zeros((1, n_components)), np.zeros(len(x), dtype=np.intp))
    data = Data(x, labels, np.ones(len(x)))
    family = Gaussian(covariance)
    mixture = Mixture(family, np.arange(n_components), n_components)
    stamps: list[float] = []
    with (engine or ThreadEngine(threads)).open() as running:
        prior = family.fit_prior(data, 0.0, running)
        params = _start(mixture, prior, problem.means, unit=covariance == "full")
        if x.dtype == np.float32:  # a fit goes on in float64 once the objective hardly rises
            for _ in range(n_iter):
                step = partial(e_step, mixture, params, dtype=x.dtype)
                (stats,) = running.reduce_blocks(step, Stats.merge, data)
                params = m_step(mixture, prior, stats, params)
                stamps.append(time.perf_counter())
        else:
            params = fit(
                mixture,
                prior,
                data,
                params,
                running,
                max_iter=n_iter,
                tol=0.0,
                on_iteration=lambda iteration, objective: stamps.append(time.perf_counter()),
            ).params
    weights = np.exp(params.log_group[0] + params.log_within)
    summary = family.summary(params.family)
    return Run.of(stamps, weights, summary["mean"], summary["covariance"])


def _start(mixture: Mixture, prior: Any, means: Array, *, unit: bool) -> Params:
    """Equal weights, these means, and unit covariances or covariances like the prior's."""
    n_components, n_features = means.shape
    reference = replace(mixture.family.reference(prior, n_components), mean=means - prior.center)
    equal = Params(np.full((2, n_components), -np.log(n_components)), np.zeros(n_components), reference)
    if not unit:
        return equal
    # the M-step of one row's worth of unit scatter about each mean
    y = means - prior.center
    second = y[:, :, None] * y[:, None, :] + np.eye(n_features)
    moments = Moments(np.ones(n_components), y, (second,))
    return m_step(mixture, prior, Stats(np.ones((2, n_components)), 0.0, moments), equal)


class _TimedMixture(GaussianMixture):  # type: ignore[misc]
    """scikit-learn's, with a time stamp after each M-step."""

    def _m_step(self, *arguments: Any, **settings: Any) -> None:
        super()._m_step(*arguments, **settings)
        self.__dict__.setdefault("stamps", []).append(time.perf_counter())


def scikit_learn(problem: Problem, n_iter: int, *, covariance: str = "full") -> Run:
    """scikit-learn's GaussianMixture."""
    n_components, n_features = problem.means.shape
    unit = {
        "full": np.repeat(np.eye(n_features)[None], n_components, axis=0),
        "tied": np.eye(n_features),
        "diag": np.ones((n_components, n_features)),
        "spherical": np.ones(n_components),
    }
    model = _TimedMixture(
        n_components,
        covariance_type=covariance,
        max_iter=n_iter,
        tol=0,
        reg_covar=0,
        init_params="random_from_data",
        weights_init=np.full(n_components, 1 / n_components),
        means_init=problem.means,
        precisions_init=unit[covariance],
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it did not converge: that is meant
        model.fit(problem.x)
    # the first M-step of a fit is its initialization, thrown away because the start is given
    return Run.of(model.stamps[-n_iter:], model.weights_, model.means_, model.covariances_)


def pomegranate(problem: Problem, n_iter: int) -> Run:
    """pomegranate's GeneralMixtureModel, through the two calls that its fit makes an iteration."""
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    x = torch.from_numpy(problem.x)
    n_components, n_features = problem.means.shape
    unit = torch.eye(n_features, dtype=torch.float64)
    parts = [Normal(torch.from_numpy(mean.copy()), unit.clone()) for mean in problem.means]
    model = GeneralMixtureModel(
        parts, priors=torch.full((n_components,), 1 / n_components, dtype=torch.float64)
    )
    stamps = []
    with torch.no_grad():
        for _ in range(n_iter):
            model.summarize(x)
            model.from_summaries()
            stamps.append(time.perf_counter())
    means = np.stack([part.means.detach().numpy() for part in model.distributions])
    covariances = np.stack([part.covs.detach().numpy() for part in model.distributions])
    return Run.of(stamps, model.priors.detach().numpy(), means, covariances)


def tgmm(problem: Problem, n_iter: int) -> Run:
    """tgmm's GaussianMixture (torch)."""
    import torch
    from tgmm import GaussianMixture as TorchMixture

    class Timed(TorchMixture):  # type: ignore[misc]
        def _m_step(self, *arguments: Any, **settings: Any) -> None:
            super()._m_step(*arguments, **settings)
            stamps.append(time.perf_counter())

    stamps: list[float] = []
    n_components, n_features = problem.means.shape
    model = Timed(
        n_components=n_components,
        n_features=n_features,
        covariance_type="full",
        max_iter=n_iter,
        tol=1e-300,
        reg_covar=0.0,
        init_means=torch.from_numpy(problem.means),
        init_covariances=torch.eye(n_features, dtype=torch.float64),
        device="cpu",
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        model.fit(torch.from_numpy(problem.x))
    parts = (model.weights_, model.means_, model.covariances_)
    return Run.of(stamps[-n_iter:], *(part.detach().numpy() for part in parts))


def classifier_fit(problem: Problem, n_iter: int) -> Run:
    """MixtureClassifier.fit as a user calls it, 100 labeled rows; only its memory is of interest."""
    y = np.full(len(problem.x), -1)
    y[:100] = problem.component[:100]
    stamps = [time.perf_counter()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixtureClassifier(max_iter=n_iter, tol=0.0).fit(problem.x, y)
    stamps.append(time.perf_counter())
    return Run.of(stamps, model.weights_, model.means_, model.covariances_)


OURS = "semigen"
PEER = "scikit-learn"
TIMED: dict[str, Callable[[Problem, int], Run]] = {
    OURS: semigen,
    "semigen, 1 thread": partial(semigen, threads=1),
    "semigen, float32": partial(semigen, dtype=np.float32),
    PEER: scikit_learn,
    "pomegranate": pomegranate,
    "tgmm": tgmm,
}
NEEDS = {"pomegranate": ("torch", "pomegranate"), "tgmm": ("torch", "tgmm")}
MEASURED = {
    OURS: semigen,
    "semigen, MixtureClassifier.fit": classifier_fit,
    PEER: scikit_learn,
    "pomegranate": pomegranate,
    "tgmm": tgmm,
}


def missing(name: str) -> list[str]:
    """Packages that a contender needs and that are not installed."""
    return [package for package in NEEDS.get(name, ()) if find_spec(package) is None]


def load(name: str) -> None:
    """Import what a contender needs, so that its memory is not counted as memory of a fit."""
    for package in NEEDS.get(name, ()):
        __import__(package)
