"""Laws of covariance shapes: agreement with dense matrices, and those of the Gaussian family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from semigen.families import Covariance, Gaussian
from semigen.families.covariance.base import LocationShape
from semigen.testing.families import FAMILY_LAWS
from semigen.testing.trials import N_COMPONENTS, Array, Case, Indices, Trial, fit_prior, obey, stats_of

Generator = np.random.Generator

MEANS = np.array([[0.0, 0.0, 0.0], [2.5, 0.5, -1.0], [0.0, 3.0, 1.0]])


def gaussian_rows(rng: Generator, component: Indices) -> Array:
    """Correlated rows of three components that overlap, (n, 3)."""
    factor = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.3, 0.4, 0.7]])
    scale = np.array([1.0, 1.3, 0.8])[component, None]
    return np.asarray(MEANS[component] + scale * rng.normal(size=(len(component), 3)) @ factor.T)


def log_determinants_are_those_of_the_dense_matrices(shape: Covariance, rng: Generator) -> None:
    """``log_det`` against the matrices of ``dense``."""
    params, dense = _fitted(shape, rng)
    found = np.broadcast_to(shape.log_det(params.shape), N_COMPONENTS)
    np.testing.assert_allclose(found, np.linalg.slogdet(dense)[1], rtol=1e-9, atol=1e-9)


def mahalanobis_distances_are_those_of_the_dense_matrices(shape: Covariance, rng: Generator) -> None:
    """``mahalanobis`` against the matrices of ``dense``."""
    params, dense = _fitted(shape, rng)
    deviation = rng.normal(size=(N_COMPONENTS, 3))
    wanted = np.einsum("cd,cd->c", deviation, np.linalg.solve(dense, deviation[..., None])[..., 0])
    np.testing.assert_allclose(shape.mahalanobis(params.shape, deviation), wanted, rtol=1e-9)


def traces_are_those_of_the_dense_matrices(shape: Covariance, rng: Generator) -> None:
    """``trace`` of ``outer`` is the sum of weighted squared distances."""
    params, dense = _fitted(shape, rng)
    weight, mean = rng.uniform(0.5, 2.0, size=N_COMPONENTS), rng.normal(size=(N_COMPONENTS, 3))
    wanted = weight @ np.einsum("cd,cd->c", mean, np.linalg.solve(dense, mean[..., None])[..., 0])
    np.testing.assert_allclose(shape.trace(params.shape, shape.outer(weight, mean)), wanted, rtol=1e-9)


def covariances_are_symmetric_and_above_the_floor(shape: Covariance, rng: Generator) -> None:
    """Also of rows on a line."""
    family = Gaussian(shape)
    component = rng.integers(N_COMPONENTS, size=120)
    resp = np.eye(N_COMPONENTS)[component].T
    x = gaussian_rows(rng, component)
    line = MEANS[component] + x[:, :1] * np.array([1.0, 0.0, 0.0])
    for rows in (x, line):
        prior = fit_prior(family, rows, np.ones(120), 0.0)
        params = family.reference(prior, N_COMPONENTS)
        for _ in range(3):
            params = family.m_step(prior, stats_of(family, params, rows, resp), params)
        dense = family.summary(params)["covariance"]
        np.testing.assert_allclose(dense, dense.transpose(0, 2, 1), rtol=1e-12, atol=1e-15)
        assert np.linalg.eigvalsh(dense / np.sqrt(np.outer(prior.floor, prior.floor))).min() >= 1 - 1e-6


COVARIANCE_LAWS: tuple[Callable[[Covariance, Generator], None], ...] = (
    log_determinants_are_those_of_the_dense_matrices,
    mahalanobis_distances_are_those_of_the_dense_matrices,
    traces_are_those_of_the_dense_matrices,
    covariances_are_symmetric_and_above_the_floor,
)


def check_covariance(
    shape: Covariance, *, exact: bool = True, separate: bool = True, random_state: int = 0
) -> None:
    """Check that a covariance shape, and the Gaussian family with it, obey the laws of all of semigen's.

    To see each law as a test of its own, parametrize tests over ``COVARIANCE_LAWS``, functions of a shape
    and a random generator, and ``FAMILY_LAWS``.

    Parameters
    ----------
    shape : Covariance
    exact : bool, default=True
        Whether one M-step reaches the maximum from anywhere. False: it only rises.
    separate : bool, default=True
        Whether components share no parameter.
    random_state : int, default=0

    Raises
    ------
    AssertionError
        If a law does not hold.
    """
    obey(COVARIANCE_LAWS, shape, random_state=random_state)
    case = Case(f"gaussian, {shape!r}", Gaussian(shape), gaussian_rows, exact, separate)
    obey(FAMILY_LAWS, case, random_state=random_state)


def _fitted(shape: Covariance, rng: Generator) -> tuple[LocationShape, Array]:
    """Parameters of three components, and their covariances as matrices."""
    one = Trial(Case(shape.name, Gaussian(shape), gaussian_rows), rng)
    return one.params, shape.dense(one.params.shape, N_COMPONENTS)
