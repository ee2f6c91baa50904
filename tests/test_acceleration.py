"""Laws of accelerated EM: the same maximum in fewer passes over the rows, whatever the family."""

from dataclasses import replace

import numpy as np
import pytest

import semigen.em.acceleration as module
import semigen.em.loop as loop
from laws import CASES
from semigen.data.labels import encode
from semigen.em import Data, LabelNoise, Mixture, ThreadEngine, fit, start
from semigen.em.acceleration import (
    ACCELERATIONS,
    LONGEST_WAIT,
    NEEDED,
    SQUARED_STEPS,
    STEADY,
    Acceleration,
    as_acceleration,
    combined,
    squared,
)
from semigen.em.kernel import e_step
from semigen.em.records import as_vector, like
from semigen.exceptions import ParameterError
from semigen.families import Gaussian
from semigen.mixture import MixtureClassifier
from semigen.testing.trials import Trial, assert_same_record, mixture_data

ENGINE = ThreadEngine(1)


@pytest.fixture
def passes(monkeypatch):
    """How many E-steps were taken, one entry each."""
    counted = []
    original = loop.e_step

    def counting(*arguments, **options):
        counted.append(1)
        return original(*arguments, **options)

    monkeypatch.setattr(loop, "e_step", counting)
    return counted


def overlapping(seed, noise=None):
    """Three classes that overlap, one label in twenty: EM is slow here."""
    rng = np.random.default_rng(seed)
    component = rng.integers(3, size=1500)
    x = rng.normal(size=(1500, 2)) + np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])[component]
    labels = np.where(rng.random(1500) < 0.05, component, -1)
    labels[:3] = component[:3] = range(3)
    mixture = Mixture(Gaussian(), np.arange(3), 3, label_noise=noise)
    data = Data(x, encode(labels), np.ones(1500))
    prior = mixture.family.fit_prior(data, None, ENGINE)
    return mixture, prior, data, start(mixture, prior, data, ENGINE, rng), ENGINE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_family_ends_no_lower_and_never_falls(case, rng):
    for holes in case.shares_missing:
        trial = Trial(case, rng, holes=holes)
        mixture, data, engine = mixture_data(trial, 0.1, rng)
        first = start(mixture, trial.prior, data, engine, rng)
        plain, faster = (
            fit(mixture, trial.prior, data, first, engine, max_iter=400, tol=1e-6, acceleration=name)
            for name in (None, "auto")
        )
        assert (np.diff(faster.path) >= -1e-9 * (1 + np.abs(faster.path[:-1]))).all()
        assert faster.objective > plain.objective - 1e-4


@pytest.mark.parametrize("name", ACCELERATIONS)
@pytest.mark.parametrize("noise", [None, LabelNoise(np.full((3, 3), 0.05) + 0.85 * np.eye(3), True)])
def test_fewer_passes_to_the_same_maximum(name, noise, passes):
    problem = overlapping(3, noise)
    plain = fit(*problem, max_iter=3000, tol=1e-9)
    n_plain = len(passes)
    faster = fit(*problem, max_iter=3000, tol=1e-9, acceleration=name)
    assert faster.converged
    assert faster.objective == pytest.approx(plain.objective, abs=1e-6)
    assert len(passes) - n_plain < n_plain / 2


@pytest.mark.parametrize("name", ACCELERATIONS)
def test_refused_proposals_count_and_change_nothing(name, passes, monkeypatch):
    problem = overlapping(3)
    plain = fit(*problem, max_iter=60, tol=0.0)
    del passes[:]
    formulas = tuple(lambda pairs, scale: pairs[-1][1] * 1e-3 for _ in ACCELERATIONS[name])
    monkeypatch.setitem(ACCELERATIONS, name, formulas)
    found = fit(*problem, max_iter=60, tol=0.0, acceleration=name)
    assert 30 < found.n_iter < 60
    assert len(passes) <= 61 + 1
    np.testing.assert_array_equal(found.path, plain.path[: len(found.path)])


def test_nothing_is_proposed_while_em_is_choosing(monkeypatch):
    problem = overlapping(3)
    rises = []

    def watching(pairs, scale):
        rises.append(None)
        return pairs[-1][1]

    monkeypatch.setitem(ACCELERATIONS, "anderson", (watching,))
    path = fit(*problem, max_iter=2000, tol=1e-6, acceleration="anderson").path
    early = int(np.flatnonzero(np.diff(path) <= STEADY)[0])
    assert len(rises) <= len(path) - 1 - early


def test_a_linear_map_is_solved_once_there_are_enough_pairs(rng):
    matrix, shift = rng.uniform(-0.4, 0.4, size=(4, 4)), rng.normal(size=4)
    given = [rng.normal(size=4) for _ in range(5)]
    pairs = [(one, matrix @ one + shift) for one in given]
    wanted = np.linalg.solve(np.eye(4) - matrix, shift)
    np.testing.assert_allclose(combined(pairs, rng.uniform(0.5, 2.0, size=4)), wanted, rtol=1e-8)


def test_squared_steps_end_a_geometric_sequence():
    start_, limit, rate = np.array([5.0, -1.0]), np.array([2.0, 3.0]), 0.9
    steps = [limit + rate**i * (start_ - limit) for i in range(3)]
    pairs = [(steps[0], steps[1]), (steps[1], steps[2])]
    np.testing.assert_allclose(squared(pairs, np.ones(2)), limit, rtol=1e-12)
    np.testing.assert_allclose(squared([(steps[0], steps[0])] * 2, np.ones(2)), steps[0])


def test_statistics_become_a_vector_and_back(rng):
    mixture, _, data, params, _ = overlapping(1)
    stats = e_step(mixture, params, data)
    assert_same_record(like(stats, as_vector(stats)), stats)
    twice = like(stats, 2 * as_vector(stats))
    assert_same_record(twice, stats.scaled(2.0))


def test_waits_grow_with_refusals_and_end_with_success():
    mixture, _, data, params, _ = overlapping(1)
    stats = e_step(mixture, params, data)
    one = Acceleration(lambda pairs, scale: pairs[-1][1])

    def steps_to_a_proposal():
        steps = 1
        while one.propose(replace(stats), 0.0) is None:
            steps += 1
        return steps

    assert steps_to_a_proposal() == NEEDED + 1
    waits = []
    for _ in range(7):
        one.answer(accepted=False)
        waits.append(steps_to_a_proposal())
    assert waits == [4, 8, 16, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    one.answer(accepted=True)
    assert steps_to_a_proposal() == 1


def test_the_other_formula_takes_over_for_some_proposals():
    mixture, _, data, params, _ = overlapping(1)
    stats = e_step(mixture, params, data)
    asked = []

    def formula(name):
        return lambda pairs, scale: (asked.append(name), pairs[-1][1])[1]

    one = Acceleration(formula("usual"), formula("other"))
    accepted = iter([True, False, True, True, True, True])
    while len(asked) < 6:
        if one.propose(stats, 0.0) is not None:
            one.answer(accepted=next(accepted))
    assert asked == ["usual", "usual", *["other"] * SQUARED_STEPS, "usual"]


def test_large_statistics_keep_fewer_pairs(monkeypatch):
    mixture, _, data, params, _ = overlapping(1)
    stats = e_step(mixture, params, data)
    kept = []
    one = Acceleration(lambda pairs, scale: (kept.append(len(pairs)), pairs[-1][1])[1])
    monkeypatch.setattr(module, "MOST_BYTES", 6 * as_vector(stats).nbytes)
    for _ in range(10):
        if one.propose(stats, 0.0) is not None:
            one.answer(accepted=True)
    assert max(kept) == 3


def test_an_unknown_name_is_refused():
    assert as_acceleration(None) is None
    with pytest.raises(ParameterError, match="anderson"):
        as_acceleration("fast")


def test_a_classifier_ends_at_the_same_maximum(rng):
    _, _, data, _, _ = overlapping(3)
    y = data.labels.hard
    plain, faster = (
        MixtureClassifier(
            covariance="full", unlabeled_weight=1.0, calibrate=1.0, tol=1e-9, max_iter=3000, acceleration=name
        ).fit(data.x, y)
        for name in (None, "auto")
    )
    assert faster.n_iter_ < plain.n_iter_ / 2
    assert faster.objective_ == pytest.approx(plain.objective_, abs=1e-6)
    with pytest.raises(ParameterError, match="acceleration"):
        MixtureClassifier(acceleration=2).fit(data.x, y)
