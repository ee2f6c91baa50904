"""What every family of distributions obeys; the instances stand in ``laws.py``."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import chi2
from threadpoolctl import threadpool_limits

from laws import (
    CASES,
    N_COMPONENTS,
    Trial,
    assert_same_record,
    fit_prior,
    marginal,
    mixture_data,
    naive_objective,
)
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.em.kernel import log_joint
from semigen.exceptions import ColumnError, SemigenError
from semigen.testing import FAMILY_LAWS

EVERY = [pytest.param(case, id=case.name) for case in CASES]
REGULAR = [pytest.param(case, id=case.name) for case in CASES if case.regular]
MISSING = [pytest.param(case, id=case.name) for case in CASES if case.grid is not None]
HOSTILE = [pytest.param(case, id=case.name) for case in CASES if case.hostile]
HOLES = [0.0, 0.25]

every_case = pytest.mark.parametrize("case", EVERY)
with_and_without_holes = pytest.mark.parametrize("holes", HOLES)


def trial(case, rng, **options):
    if options.get("holes") and case.grid is None:
        pytest.skip("takes no missing cells")
    return Trial(case, rng, **options)


@pytest.mark.parametrize("law", FAMILY_LAWS, ids=lambda law: law.__name__)
@every_case
def test_the_laws_that_are_everybodys(law, case, rng):
    law(case, rng)


@every_case
def test_log_prob_is_the_naive_twins(case, rng):
    one = trial(case, rng)
    np.testing.assert_allclose(one.log_prob().T, case.log_prob(one.summary, one.x), rtol=1e-9, atol=1e-9)


@every_case
def test_rows_in_single_precision_have_the_same_log_prob(case, rng):
    one = trial(case, rng)
    x = one.x.astype(np.float32)
    found = case.family.walk(one.params, np.float32).log_prob(x)
    wanted = case.log_prob(one.summary, x.astype(float))
    np.testing.assert_allclose(found.T, wanted, rtol=1e-3, atol=1e-3)


@every_case
@pytest.mark.parametrize("shrinkage", [0.0, None])
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_em_never_lowers_the_objective_and_the_objective_is_what_it_says(case, shrinkage, holes, rng):
    one = trial(case, rng, shrinkage=shrinkage, holes=holes, n=150)
    mixture, data, engine = mixture_data(one, 0.2, rng)
    begin = start(mixture, one.prior, data, engine, rng)
    result = fit(mixture, one.prior, data, begin, engine, max_iter=15, tol=0.0)
    assert len(result.path) > 5
    assert np.diff(result.path).min() > -1e-9
    assert result.path[-1] > result.path[0] + 1e-4, "nothing to gain: the test shows nothing"
    if not holes:
        assert result.objective == pytest.approx(naive_objective(one, result.params, data), rel=1e-9)


@every_case
def test_known_components_give_the_closed_form(case, rng):
    if case.closed_form is None:
        pytest.skip("has none")
    one = trial(case, rng, shrinkage=0.0)
    known = one.weight * np.eye(N_COMPONENTS)[one.component].T
    for resp in (known, one.resp):
        summary = case.family.summary(one.fit(resp))
        for name, wanted in case.closed_form(one.x, resp).items():
            assert_same_record(summary[name], wanted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("case", REGULAR)
def test_a_fit_to_samples_recovers_the_parameters(case, rng):
    """Twice the log likelihood ratio of fit and truth is χ² with n_free degrees of freedom (Wilks 1938)."""
    truth = trial(case, rng, n=400, shrinkage=0.0)
    component = np.repeat(np.arange(N_COMPONENTS), 3000)
    x = case.family.sample(truth.params, component, rng)
    again = Trial(case, rng, component=component, shrinkage=0.0)
    again.x, again.resp = x, np.eye(N_COMPONENTS)[component].T
    again.prior = fit_prior(case.family, x, np.ones(len(x)), 0.0)
    again.reference = case.family.reference(again.prior, N_COMPONENTS)
    found = again.fit(again.resp, steps=1 if case.exact else 100)
    ratio = 2 * (again.resp * (again.log_prob(found) - again.log_prob(truth.params))).sum()
    low, high = chi2.ppf([1e-6, 1 - 1e-6], case.family.n_free(found))
    assert low < ratio < high


@pytest.mark.parametrize("case", REGULAR)
def test_n_free_is_the_number_of_directions_that_densities_move_in(case, rng):
    """Rank of the change of log densities at many rows as responsibilities change a little."""
    one = trial(case, rng, n=400, shrinkage=0.0)
    n_free = case.family.n_free(one.params)
    tangent = []
    for _ in range(n_free + 4):
        change = 1e-4 * one.weight * rng.normal(size=one.resp.shape) * one.resp.mean()
        up, down = (
            one.log_prob(one.fit(np.maximum(one.resp + s * change, 0.0), one.params)) for s in (1, -1)
        )
        tangent.append((up - down).ravel())
    sizes = np.linalg.svd(np.asarray(tangent), compute_uv=False)
    assert sizes[n_free - 1] > 1000 * sizes[n_free]


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize("holes", [[0], [1], [0, 1]])
def test_a_row_with_holes_has_the_density_of_the_cells_that_are_there(case, holes, rng):
    one = trial(case, rng, n=60)
    rows = one.x[:3].copy()
    rows[:, holes] = np.nan
    found = one.log_prob(x=rows)
    for i, row in enumerate(rows):
        _, joint = marginal(case, lambda filled: case.log_prob(one.summary, filled).T, row, holes)
        np.testing.assert_allclose(found[:, i], logsumexp(joint, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize("holes", [[0], [0, 1]])
def test_filled_cells_have_the_conditional_distribution(case, holes, rng):
    """Expectations and draws against sums over every value that the missing cells may take."""
    one = trial(case, rng, n=60)
    row = one.x[7].copy()
    row[holes] = np.nan
    filled, joint = marginal(case, lambda rows: case.log_prob(one.summary, rows).T, row, holes)
    resp = np.array([0.1, 0.6, 0.3])
    odds = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    found = case.family.expect_missing(one.params, row[None], resp[:, None])[0]
    there = ~np.isnan(row)
    np.testing.assert_array_equal(found[there], row[there])
    for j in holes:
        values, code = np.unique(filled[:, j], return_inverse=True)
        chance = np.stack([np.bincount(code, weights=p) for p in odds])
        if case.mode:
            assert resp @ chance[:, values == found[j]] == pytest.approx((resp @ chance).max())
        else:
            assert found[j] == pytest.approx(resp @ chance @ values, rel=1e-4, abs=1e-4)
    for c, p in enumerate(odds):
        draws = case.family.draw_missing(
            one.params, np.repeat(row[None], 3000, axis=0), np.full(3000, c), rng
        )
        np.testing.assert_array_equal(draws[:, there], np.repeat(row[None, there], 3000, axis=0))
        for power in (1, 2):
            wanted = p @ filled[:, holes] ** power
            spread = np.sqrt(p @ filled[:, holes] ** (2 * power) - wanted**2)
            error = np.abs((draws[:, holes] ** power).mean(axis=0) - wanted)
            assert np.all(error <= 5 * spread / np.sqrt(3000) + 1e-6)


def corrupt(x, kind, row, column):
    """Spoil a table in one of the ways that tables are spoiled."""
    row, column = row % x.shape[0], column % x.shape[1]
    odd = {"inf": np.inf, "-inf": -np.inf, "negative": -1.0, "fraction": 0.5, "tiny": 1e-300, "huge": 1e200}
    if kind in odd:
        x[row, column] = odd[kind]
    elif kind == "large":
        x[:, column] = np.abs(np.rint(1e9 * x[:, column]))
    elif kind == "constant":
        x[:, column] = x[0, column]
    elif kind == "zero":
        x[:, column] = 0.0
    elif kind == "twins":
        x[:] = x[row]
    elif kind == "empty column":
        x[:, column] = np.nan
    elif kind == "empty row":
        x[row] = np.nan
    elif kind == "hole":
        x[row, column] = np.nan
    elif kind == "holes":
        x[row:, column] = np.nan
    elif kind == "shift":
        x[:, column] += 1e6


HARMLESS = ["constant", "zero", "twins", "empty row", "hole", "holes"]
HARMFUL = ["inf", "-inf", "negative", "fraction", "tiny", "huge", "large", "empty column", "shift"]


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_input_gives_a_fit_or_a_clear_error(case):
    fitted = []

    @given(
        seed=st.integers(0, 2**31),
        n=st.integers(1, 9),
        spoiled=st.lists(
            st.tuples(st.sampled_from(2 * HARMLESS + HARMFUL), st.integers(0, 8), st.integers(0, 3)),
            max_size=3,
        ),
        labeled=st.sampled_from([0.1, 0.5, 1.0]),
        heavy=st.sampled_from([1.0, 1e-9, 1e6]),
        shrinkage=st.sampled_from([None, 0.0, 1e-8, 50.0]),
        novel=st.booleans(),
        strange=st.sampled_from([0.0, 1.0, 1e6]),
    )
    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(seed, n, spoiled, labeled, heavy, shrinkage, novel, strange):
        rng = np.random.default_rng(seed)
        x = np.asarray(case.draw(rng, rng.integers(N_COMPONENTS, size=n)), dtype=float)
        for kind, row, column in spoiled:
            corrupt(x, kind, row, column)
        if np.isnan(x).any() and not case.family.takes_missing:
            return
        y = np.where(rng.random(n) < labeled, rng.integers(2, size=n), -1)
        y[0] = 0
        weight = rng.choice([1.0, heavy, 0.0], p=[0.6, 0.3, 0.1], size=n)
        weight[0] = 1.0
        with contextlib.suppress(SemigenError):
            check_fit(case.family, x, y, weight, shrinkage, novel, strange)
            fitted.append(spoiled)

    with threadpool_limits(1):  # waking threads for a handful of rows takes longer than the rest
        check()
    assert len(fitted) >= 50, "hardly any case was fitted: the test shows little"


def check_fit(family, x, y, weight, shrinkage, novel, strange):
    """Fit a mixture and score its rows and a strange one: every result is a number."""
    labels = encode(y, counted=weight > 0, classes=np.arange(2))
    holes = np.isnan(x).any(axis=0)
    data = Data(x, labels, weight, holes if holes.any() else None)
    engine = ThreadEngine(n_threads=1)
    prior = family.fit_prior(data, shrinkage, engine)
    mixture = Mixture(family, np.arange(len(labels.classes) + novel), len(labels.classes))
    begin = start(mixture, prior, data, engine, np.random.default_rng(0))
    result = fit(mixture, prior, data, begin, engine, max_iter=4)
    assert np.isfinite(result.path).all()
    odd = np.full((1, x.shape[1]), strange)
    for rows in (x[data.rows], odd):
        with contextlib.suppress(ColumnError):  # the strange row may be outside the support
            scores = log_joint(mixture, result.params, Data.unlabeled(rows, data.missing))
            assert not np.isnan(scores).any()
            assert np.isfinite(scores.max(axis=1)).all()
