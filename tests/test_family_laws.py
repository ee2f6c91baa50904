"""What every family of distributions obeys; the instances stand in ``laws.py``."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
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
    stats_of,
)
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.em.kernel import log_joint
from semigen.exceptions import ColumnError, SemigenError

EVERY = [pytest.param(case, id=case.name) for case in CASES]
REGULAR = [pytest.param(case, id=case.name) for case in CASES if case.regular]
MISSING = [pytest.param(case, id=case.name) for case in CASES if case.grid is not None]
SPARSE = [pytest.param(case, id=case.name) for case in CASES if case.family.takes_sparse]
HOSTILE = [pytest.param(case, id=case.name) for case in CASES if case.hostile]
HOLES = [0.0, 0.25]

every_case = pytest.mark.parametrize("case", EVERY)
with_and_without_holes = pytest.mark.parametrize("holes", HOLES)


def trial(case, rng, **options):
    if options.get("holes") and case.grid is None:
        pytest.skip("takes no missing cells")
    return Trial(case, rng, **options)


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
@with_and_without_holes
def test_statistics_of_parts_merge_to_those_of_the_whole(case, holes, rng):
    one = trial(case, rng, holes=holes)
    parts = np.split(np.arange(len(one.x)), [1, 41, 100])
    merged = one.stats(one.resp, one.params, parts[0])
    for rows in parts[1:]:
        merged = merged.merge(one.stats(one.resp, one.params, rows))
    assert_same_record(merged, one.stats(one.resp, one.params))


@every_case
@with_and_without_holes
def test_chunks_of_a_walk_add_up(case, holes, rng):
    """The scratch memory of one chunk leaves nothing behind in the next."""
    one = trial(case, rng, holes=holes)
    walk = case.family.walk(one.params, float, one.missing)
    for rows in np.split(np.arange(len(one.x)), [50, 57]):
        walk.log_prob(one.x[rows])
        walk.add(np.ascontiguousarray(one.resp[:, rows]))
    assert_same_record(walk.stats(), one.stats(one.resp, one.params))


@every_case
@with_and_without_holes
def test_a_weight_of_two_is_a_row_given_twice(case, holes, rng):
    one = trial(case, rng, holes=holes)
    once = stats_of(case.family, one.params, one.x, 2 * one.resp, one.missing)
    twice = stats_of(
        case.family, one.params, np.vstack([one.x, one.x]), np.hstack([one.resp, one.resp]), one.missing
    )
    assert_same_record(once, twice)


@every_case
@with_and_without_holes
def test_the_order_of_rows_does_not_matter(case, holes, rng):
    one = trial(case, rng, holes=holes)
    order = rng.permutation(len(one.x))
    shuffled = stats_of(case.family, one.params, one.x[order], one.resp[:, order], one.missing)
    assert_same_record(shuffled, one.stats(one.resp, one.params))
    mixed = fit_prior(case.family, one.x[order], one.weight[order], None)
    assert_same_record(mixed, one.prior)


@every_case
@with_and_without_holes
def test_rows_without_weight_are_not_visited(case, holes, rng):
    one = trial(case, rng, holes=holes)
    counted = rng.random(len(one.x)) < 0.6
    x = np.where(counted[:, None], one.x, np.nan if case.family.takes_missing else -1.0)
    found = fit_prior(case.family, x, np.where(counted, one.weight, 0.0), None)
    assert_same_record(found, fit_prior(case.family, one.x[counted], one.weight[counted], None))


@every_case
def test_the_order_of_components_does_not_matter(case, rng):
    one = trial(case, rng)
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(one.log_prob(one.fit(one.resp[order])), one.log_prob()[order], atol=1e-8)


@every_case
@with_and_without_holes
@pytest.mark.parametrize("shrinkage", [0.0, None, 5.0])
def test_m_step_never_lowers_the_expected_log_posterior(case, holes, shrinkage, rng):
    """EM with the components' shares fixed: the objective of rows whose component is known rises."""
    one = trial(case, rng, shrinkage=shrinkage, holes=holes)
    params, last = one.reference, -np.inf
    for _ in range(4):
        value = one.expected_log_posterior(params)
        assert value >= last - 1e-8
        last = value
        params = one.fit(one.resp, params, steps=1)
    assert last > one.expected_log_posterior(one.reference) + 1.0, "nothing to gain: the test shows nothing"


@every_case
@pytest.mark.parametrize("shrinkage", [0.0, 5.0])
def test_m_step_is_the_maximum(case, shrinkage, rng):
    """Parameters that other responsibilities lead to, near or far, explain these no better."""
    if not case.exact:
        pytest.skip("its M-step only rises")
    one = trial(case, rng, shrinkage=shrinkage)
    best = one.expected_log_posterior(one.params)
    for step in (1e-3, 0.01, 0.1, 1.0, -1e-3, -0.01, -0.1) * 4:
        other = one.weight * rng.dirichlet(np.full(N_COMPONENTS, 0.3), size=len(one.x)).T
        elsewhere = one.fit(np.maximum(one.resp + step * other, 0.0))
        assert one.expected_log_posterior(elsewhere) <= best + 1e-8


@every_case
@with_and_without_holes
def test_log_likelihood_from_statistics_is_the_sum_over_rows(case, holes, rng):
    one = trial(case, rng, holes=holes)
    if not case.family.reusable(one.missing):
        pytest.skip("statistics depend on the parameters")
    other = one.fit(rng.dirichlet(np.ones(N_COMPONENTS), size=len(one.x)).T)
    found = case.family.log_likelihood(other, one.stats(one.resp, one.params))
    assert found == pytest.approx((one.resp * one.log_prob(other)).sum(), rel=1e-10)


@every_case
def test_log_prior_of_maximum_likelihood_is_zero(case, rng):
    one = trial(case, rng, shrinkage=0.0)
    assert case.family.log_prior(one.prior, one.params) == 0.0


@every_case
@with_and_without_holes
@pytest.mark.parametrize("shrinkage", [0.0, None])
def test_a_component_without_rows_has_a_density(case, holes, shrinkage, rng):
    one = trial(case, rng, holes=holes, shrinkage=shrinkage)
    assert np.isfinite(one.log_prob(one.fit(one.resp * np.array([[1.0], [1.0], [0.0]])))).all()


@every_case
def test_a_component_without_rows_and_prior_keeps_its_parameters(case, rng):
    one = trial(case, rng, shrinkage=0.0)
    params = one.fit(one.resp * np.array([[1.0], [0.0], [1.0]]), one.params, steps=1)
    shape = getattr(case.family, "covariance", None)
    if getattr(shape, "name", "") == "tied" or getattr(case.family, "dof", "") == "shared":
        pytest.skip("shares a parameter with the other components")
    np.testing.assert_allclose(one.log_prob(params)[1], one.log_prob()[1], atol=1e-10)


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
def test_weightless_unlabeled_rows_are_as_good_as_absent(case, rng):
    one = trial(case, rng)
    mixture, data, engine = mixture_data(one, 0.4, rng)
    labeled = data.labels.is_labeled
    alone = Data(data.x[labeled], data.labels.take(np.flatnonzero(labeled)), data.weight[labeled])
    ignored = Data(data.x, data.labels, np.where(labeled, data.weight, 0.0))
    found = []
    for rows in (alone, ignored):
        prior = case.family.fit_prior(rows, None, engine)
        begin = start(mixture, prior, rows, engine, np.random.default_rng(0))
        result = fit(mixture, prior, rows, begin, engine, max_iter=5)
        found.append((result.objective, one.log_prob(result.params.family)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-10)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-9, atol=1e-9)


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


@every_case
def test_samples_have_the_mean_that_the_summary_says(case, rng):
    one = trial(case, rng)
    if "mean" not in one.summary:
        pytest.skip("has none")
    component = np.repeat(np.arange(N_COMPONENTS), 20_000)
    x = case.family.sample(one.params, component, rng)
    for c, mean in enumerate(one.summary["mean"]):
        mine = x[component == c]
        error = mine.std(axis=0) / np.sqrt(len(mine))
        assert np.all(np.abs(mine.mean(axis=0) - mean) <= 5 * error + 1e-9)


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
def test_a_row_without_any_cell_has_density_one(case, rng):
    one = trial(case, rng, n=60)
    rows = one.x[:4].copy()
    rows[2] = np.nan
    np.testing.assert_allclose(one.log_prob(x=rows)[:, 2], 0.0, atol=1e-12)


@pytest.mark.parametrize("case", MISSING)
def test_looking_for_holes_changes_nothing_where_there_are_none(case, rng):
    one = trial(case, rng)
    for missing in (np.zeros(one.x.shape[1], dtype=bool), np.ones(one.x.shape[1], dtype=bool)):
        walk, plain = case.family.walk(one.params, float, missing), case.family.walk(one.params, float)
        np.testing.assert_allclose(walk.log_prob(one.x), plain.log_prob(one.x), rtol=1e-12, atol=1e-12)
        steps = [case.family.m_step(one.prior, one.stats(one.resp, one.params), one.params)]
        stats = stats_of(case.family, one.params, one.x, one.resp, missing)
        steps.append(case.family.m_step(one.prior, stats, one.params))
        np.testing.assert_allclose(*map(one.log_prob, steps), rtol=1e-10, atol=1e-10)


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


@pytest.mark.parametrize("case", MISSING)
def test_filling_leaves_cells_that_are_there_and_no_hole(case, rng):
    one = trial(case, rng, holes=0.4)
    x = np.vstack([one.x, np.full((2, one.x.shape[1]), np.nan)])
    there = ~np.isnan(x)
    resp = np.full((N_COMPONENTS, len(x)), 1 / N_COMPONENTS)
    before = x.copy()
    for filled in (
        case.family.expect_missing(one.params, x, resp),
        case.family.draw_missing(one.params, x, rng.integers(N_COMPONENTS, size=len(x)), rng),
    ):
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[there], x[there])
    np.testing.assert_array_equal(x, before)


@every_case
@with_and_without_holes
def test_points_are_numbers_near_the_origin(case, holes, rng):
    """Rows of one component are nearer to each other than rows of different components."""
    one = trial(case, rng, holes=holes)
    points = case.family.points(one.prior, one.x)
    assert points.shape[0] == len(one.x)
    assert np.isfinite(points).all()
    assert np.abs(points.mean(axis=0)).max() < 1.0
    center = np.stack([points[one.component == c].mean(axis=0) for c in range(N_COMPONENTS)])
    assert np.linalg.norm(center - center.mean(axis=0), axis=1).min() > 0.1


@pytest.mark.parametrize("case", SPARSE)
def test_sparse_rows_are_read_like_dense_ones(case, rng):
    one = trial(case, rng)
    sparse = csr_array(one.x)
    walks = case.family.walk(one.params, float), case.family.walk(one.params, float)
    np.testing.assert_allclose(walks[0].log_prob(one.x), walks[1].log_prob(sparse), rtol=1e-12)
    for walk in walks:
        walk.add(one.resp)
    assert_same_record(walks[1].stats(), walks[0].stats())
    assert_same_record(fit_prior(case.family, sparse, one.weight, None), one.prior)
    np.testing.assert_allclose(
        case.family.points(one.prior, sparse), case.family.points(one.prior, one.x), atol=1e-12
    )
    results = []
    for form in (False, True):
        generator = np.random.default_rng(3)
        mixture, data, engine = mixture_data(one, 0.2, generator, sparse=form)
        begin = start(mixture, one.prior, data, engine, generator)
        results.append(fit(mixture, one.prior, data, begin, engine, max_iter=5, tol=0.0).path)
    np.testing.assert_allclose(*results, rtol=1e-11)


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
