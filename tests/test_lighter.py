"""Walks that leave out what no iteration changes: the same fit as by whole walks."""

from dataclasses import replace

import numpy as np
import pytest

from laws import assert_same_record
from semigen.em import ThreadEngine, e_step, fit, start
from semigen.families import Gaussian
from semigen.testing.covariances import gaussian_rows
from semigen.testing.trials import Case, Trial, mixture_data


def problem(rng, far=0.0):
    trial = Trial(Case("tied", Gaussian("tied"), gaussian_rows), rng, n=400)
    mixture, data, engine = mixture_data(trial, 0.1, rng)
    data = replace(data, x=data.x + far * trial.component[:, None])
    prior = mixture.family.fit_prior(data, None, engine)
    return mixture, prior, data, start(mixture, prior, data, engine, rng)


def test_statistics_are_those_of_a_whole_walk(rng):
    mixture, _, data, begin = problem(rng)
    light = mixture.family.lighter()
    whole = e_step(mixture, begin, data)
    found = e_step(replace(mixture, family=light.family), begin, data)
    assert not found.family.second[0].any()
    family, more = light.complete(begin.family, found.family, whole.family)
    completed = replace(found, family=family, log_lik=found.log_lik + more)
    assert_same_record(completed, whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("far", "acceleration"), [(0.0, None), (3.0, None), (0.0, "auto")])
@pytest.mark.parametrize("block_rows", [60, 1000])
def test_a_fit_is_that_of_whole_walks(block_rows, far, acceleration, rng, monkeypatch):
    given = problem(rng, far)
    how = {"max_iter": 6, "tol": 0.0, "acceleration": acceleration}
    found = fit(*given, ThreadEngine(1, block_rows), **how)
    monkeypatch.setattr(Gaussian, "lighter", lambda *_: None)
    wanted = fit(*given, ThreadEngine(1, block_rows), **how)
    np.testing.assert_allclose(found.path, wanted.path, rtol=1e-10, atol=1e-10)
    assert_same_record(found.params, wanted.params, rtol=1e-7 if acceleration else 1e-9, atol=1e-9)


def test_missing_values_and_other_shapes_have_none():
    assert Gaussian("tied").lighter(np.array([False, True])) is None
    assert all(Gaussian(shape).lighter() is None for shape in ("full", "diag", "spherical", "low_rank"))
