"""Laws of p(x | component): every family and covariance shape obeys them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from laws import fit_prior
from semigen import MixtureClassifier
from semigen.arrays.linalg import floor_eigenvalues, whitener
from semigen.exceptions import ParameterError
from semigen.families import COVARIANCES, FAMILIES, Diag, Gaussian, LowRank, as_covariance, as_family
from semigen.families.covariance.full import TiedLinear
from twins import SHAPES, moments, naive_log_prob

EXACT = ["full", "tied", "diag", "spherical"]


def expected_log_posterior(problem, params):
    """``Σ r log p(x | c) + log prior``, by SciPy and the prior's definition."""
    prior = problem.prior
    mean, covariance = moments(problem.family, params)
    value = (problem.resp.T * naive_log_prob(problem.family, params, problem.x)).sum()
    target = (
        problem.family.covariance.dense(problem.family.covariance.reference(prior, len(mean)), len(mean))
        if not isinstance(problem.family.covariance, LowRank)
        else np.repeat(prior.target[None], len(mean), 0)
    )
    matrices = zip(covariance, target, strict=True)
    if problem.family.covariance.name.startswith("tied"):
        matrices = [(covariance[0], target[0])]
    for one, wanted in matrices:
        value -= 0.5 * prior.strength * (np.linalg.slogdet(one)[1] + np.trace(np.linalg.solve(one, wanted)))
    for m, one in zip(mean - prior.center, covariance, strict=True):
        value -= 0.5 * prior.mean_strength * m @ np.linalg.solve(one, m)
    return value


def test_log_prob_is_scipys(family, make_problem):
    problem = make_problem(family)
    found = family.walk(problem.params.family, float).log_prob(problem.x).T
    np.testing.assert_allclose(found, naive_log_prob(family, problem.params.family, problem.x), atol=1e-9)


def test_statistics_of_parts_merge_to_those_of_the_whole(family, make_problem):
    problem = make_problem(family)
    parts = []
    for rows in (slice(0, 31), slice(31, None)):
        walk = family.walk(problem.params.family, float)
        walk.log_prob(problem.x[rows])
        walk.add(problem.resp[:, rows])
        parts.append(walk.stats())
    walk = family.walk(problem.params.family, float)
    walk.log_prob(problem.x)
    walk.add(problem.resp)
    whole, merged = walk.stats(), parts[0].merge(parts[1])
    np.testing.assert_allclose(merged.weight, whole.weight, rtol=1e-12)
    np.testing.assert_allclose(merged.first, whole.first, atol=1e-10)
    for a, b in zip(merged.second, whole.second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_weight_of_two_is_a_row_given_twice(family, make_problem):
    problem = make_problem(family)
    once, twice = (family.walk(problem.params.family, float) for _ in range(2))
    once.log_prob(problem.x)
    once.add(2 * problem.resp)
    twice.log_prob(np.vstack([problem.x, problem.x]))
    twice.add(np.hstack([problem.resp, problem.resp]))
    for a, b in zip(once.stats().second, twice.stats().second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("shape", [*SHAPES, TiedLinear()], ids=str)
@pytest.mark.parametrize(
    "lying",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda rows: rows.astype(np.float32),
        lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
    ],
    ids=["rows", "columns", "float32", "apart"],
)
@pytest.mark.parametrize("center", [2.0**-6, 64.0])
def test_statistics_do_not_depend_on_where_rows_are_and_how_they_lie(shape, lying, center, make_problem):
    """Some walks center rows only where they are far from 0, and take others as they lie in memory."""
    family = Gaussian(shape)
    problem = make_problem(family, n=300)
    rows = np.round(problem.x * 2**10) / 2**10  # so that float32 has these numbers, too
    found = []
    for x, middle in ((rows + 4096.0, 4096.0), (lying(rows + center), center)):
        params = replace(problem.params.family, center=np.full(rows.shape[1], middle))
        walk = family.walk(params, float)
        log_prob = walk.log_prob(x).copy()
        walk.add(problem.resp)
        found.append((log_prob, walk.stats()))
    (log_prob, stats), (other_log_prob, other) = found
    np.testing.assert_allclose(other_log_prob, log_prob, atol=1e-9)
    np.testing.assert_allclose(other.weight, stats.weight, rtol=1e-12)
    np.testing.assert_allclose(other.first, stats.first, atol=1e-9)
    np.testing.assert_allclose(other.second[0], stats.second[0], rtol=1e-9, atol=1e-8)


def test_sparse_responsibilities_give_the_dense_sums(make_problem, rng):
    """The full shape skips rows without a share once most shares are zero."""
    family = Gaussian("full")
    problem = make_problem(family, n=200, d=9)
    resp = np.where(rng.random(problem.resp.shape) < 0.15, problem.resp, 0.0)
    walk = family.walk(problem.params.family, float)
    walk.log_prob(problem.x)
    walk.add(resp)
    y = problem.x - problem.prior.center
    np.testing.assert_allclose(walk.stats().second[0], np.einsum("cn,ni,nj->cij", resp, y, y), atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 16, 33])
def test_full_second_moments_at_every_width(d, make_problem):
    """Columns are handled in parts, none of which may lose anything."""
    problem = make_problem(Gaussian("full"), d=d)
    y = problem.x - problem.prior.center
    wanted = np.einsum("cn,ni,nj->cij", problem.resp, y, y)
    np.testing.assert_allclose(problem.stats.second[0], wanted, atol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_m_step_never_lowers_the_expected_log_posterior(family, shrinkage, make_problem):
    problem = make_problem(family, shrinkage=shrinkage)
    params, last = problem.reference, -np.inf
    for _ in range(4):
        value = expected_log_posterior(problem, params)
        assert value >= last - 1e-8
        last = value
        walk = family.walk(params, float)
        walk.log_prob(problem.x)
        walk.add(problem.resp)
        params = family.m_step(problem.prior, walk.stats(), params)


@pytest.mark.parametrize("shape", EXACT)
@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_m_step_is_the_maximum(shape, shrinkage, make_problem, rng):
    """No small step inside the shape from the M-step's parameters raises the expected log posterior."""
    family = Gaussian(shape)
    problem = make_problem(family, shrinkage=shrinkage)
    best = family.m_step(problem.prior, problem.stats, problem.reference)
    value = expected_log_posterior(problem, best)
    for _ in range(40):
        other_rows = rng.dirichlet(np.full(3, 0.3), size=len(problem.x)).T
        walk = family.walk(problem.reference, float)
        walk.log_prob(problem.x)
        walk.add(other_rows)
        mixed = problem.stats.merge(_scaled(walk.stats(), 0.05 * rng.random()))
        near = family.m_step(problem.prior, mixed, problem.reference)
        assert expected_log_posterior(problem, near) <= value + 1e-9


def _scaled(stats, factor):
    second = tuple(factor * s for s in stats.second)
    return type(stats)(factor * stats.weight, factor * stats.first, second)


def test_full_m_step_is_the_textbook_formula(make_problem):
    problem = make_problem(Gaussian("full"), shrinkage=0.0)
    mean, covariance = moments(problem.family, problem.params.family)
    for c, weight in enumerate(problem.resp):
        np.testing.assert_allclose(mean[c], np.average(problem.x, axis=0, weights=weight), atol=1e-12)
        wanted = np.cov(problem.x.T, aweights=weight, ddof=0)
        np.testing.assert_allclose(covariance[c], wanted, atol=1e-10)


@pytest.mark.parametrize("shape", EXACT)
def test_log_likelihood_from_statistics_is_the_sum_over_rows(shape, make_problem):
    family = Gaussian(shape)
    problem = make_problem(family)
    found = family.log_likelihood(problem.params.family, problem.stats)
    wanted = (problem.resp.T * naive_log_prob(family, problem.params.family, problem.x)).sum()
    assert found == pytest.approx(wanted, rel=1e-11)


def test_log_prior_is_its_definition(family, make_problem):
    problem = make_problem(family, shrinkage=4.0)
    rows = (problem.resp.T * naive_log_prob(family, problem.params.family, problem.x)).sum()
    wanted = expected_log_posterior(problem, problem.params.family) - rows
    assert family.log_prior(problem.prior, problem.params.family) == pytest.approx(wanted, rel=1e-9)


def test_log_prior_of_maximum_likelihood_is_zero(family, make_problem):
    problem = make_problem(family, shrinkage=0.0)
    assert family.log_prior(problem.prior, problem.params.family) == 0.0


def test_samples_have_the_components_moments(family, make_problem):
    problem = make_problem(family)
    rng = np.random.default_rng(5)
    components = np.repeat(np.arange(3), 40_000)
    rows = family.sample(problem.params.family, components, rng)
    mean, covariance = moments(family, problem.params.family)
    for c in range(3):
        mine = rows[components == c]
        spread = np.sqrt(np.diagonal(covariance[c]))
        np.testing.assert_allclose((mine.mean(axis=0) - mean[c]) / spread, 0, atol=0.03)
        np.testing.assert_allclose(
            np.cov(mine.T) / np.outer(spread, spread), covariance[c] / np.outer(spread, spread), atol=0.04
        )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_n_free_is_the_dimension_of_the_model(shape, make_problem, rng):
    """Densities at many points move in exactly n_free independent directions as statistics vary."""
    family = Gaussian(shape)
    problem = make_problem(family, n=400, d=4, shrinkage=0.0)
    fits = []
    params = problem.reference
    for _ in range(60):
        resp = rng.dirichlet(np.ones(3), size=len(problem.x)).T
        for _ in range(3):
            walk = family.walk(params, float)
            walk.log_prob(problem.x)
            walk.add(resp)
            params = family.m_step(problem.prior, walk.stats(), params)
        fits.append(params)
    if isinstance(family.covariance, LowRank):
        d, q = 4, 2
        per_component = d * q + d - q * (q - 1) // 2
        assert family.n_free(params) == 3 * (d + min(per_component, d * (d + 1) // 2))
        return
    vectors = []
    for one in fits:
        mean, covariance = moments(family, one)
        upper = covariance[:, *np.triu_indices(4)]
        vectors.append(np.concatenate([mean.ravel(), upper.ravel()]))
    centered = np.asarray(vectors) - np.mean(vectors, axis=0)
    assert np.linalg.matrix_rank(centered, tol=1e-9) == family.n_free(params)


def test_low_rank_of_one_column_is_a_variance():
    x = np.random.default_rng(0).normal(size=(50, 1))
    family = Gaussian(LowRank(rank=3))
    prior = fit_prior(family, x, np.ones(50), 0.0)
    params = family.reference(prior, 1)
    for _ in range(5):
        walk = family.walk(params, float)
        walk.log_prob(x)
        walk.add(np.ones((1, 50)))
        params = family.m_step(prior, walk.stats(), params)
    assert moments(family, params)[1][0, 0, 0] == pytest.approx(x.var(), rel=1e-6)
    assert family.n_free(params) == 2


@given(seed=st.integers(0, 2**31), spread=st.floats(1e-12, 1e12), rank=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_floored_matrices_have_a_cholesky_factor(seed, spread, rank):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(2, 4, rank))
    scale = np.exp(rng.normal(size=4)) * np.sqrt(spread)
    matrices = (half @ half.transpose(0, 2, 1)) * np.outer(scale, scale)
    result, raised = floor_eigenvalues(matrices, 1e-6 * scale**2)
    unit = result / np.outer(scale, scale)
    assert np.linalg.eigvalsh(unit).min() >= 1e-6 * (1 - 1e-6)
    assert raised.all() or rank == 4
    whiten, log_det = whitener(result)
    assert np.isfinite(whiten).all()
    np.testing.assert_allclose(log_det, np.linalg.slogdet(unit)[1] + 2 * np.log(scale).sum(), rtol=1e-6)


def test_matrices_that_rounding_makes_indefinite_get_a_cholesky_factor(rng):
    """One direction 1e20 times as wide as the floor, as from two rows very far apart."""
    far = 1e10 * rng.normal(size=(1, 4))
    matrices = (far.T @ far + np.eye(4))[None]
    result, raised = floor_eigenvalues(matrices, np.full(4, 1e-6))
    assert raised.all()
    assert np.isfinite(whitener(result)[0]).all()
    np.testing.assert_allclose(result, matrices, rtol=1e-6)


def test_the_floor_is_the_constrained_maximum(rng):
    """Among matrices above the floor none has a higher Gaussian likelihood than the floored one."""
    half = rng.normal(size=(5, 2))
    scatter = half @ half.T
    floor = 0.05

    def value(sigma):
        return -np.linalg.slogdet(sigma)[1] - np.trace(np.linalg.solve(sigma, scatter))

    best = floor_eigenvalues(scatter[None], np.full(5, floor))[0][0]
    for _ in range(5):
        step = 0.1 * rng.normal(size=(5, 5))
        values, vectors = np.linalg.eigh(best + step + step.T)
        other = (vectors * np.maximum(values, floor)) @ vectors.T
        assert value(other) <= value(best) + 1e-9


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_default_prior_is_the_documented_one(shape, make_problem):
    """D + 2 pseudo-rows of correlated columns and 4 of others, spread half as wide as all rows."""
    problem = make_problem(Gaussian(shape), d=6)
    data, prior = problem.data, problem.prior
    assert prior.strength == (4 if as_covariance(shape).name.endswith(("diag", "spherical")) else 8)
    mean = data.weight @ data.x / data.weight.sum()
    variance = data.weight @ (data.x - mean) ** 2 / data.weight.sum()
    target = np.diag(prior.target) if np.ndim(prior.target) == 2 else prior.target
    np.testing.assert_allclose(target, 0.25 * variance)


def test_names_lead_to_families_and_shapes():
    for name in FAMILIES:
        assert as_family(name).name == name
    for name in COVARIANCES:
        assert as_covariance(name).name == name
    shape = LowRank(rank=7)
    assert as_family("gaussian", shape).covariance is shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: as_family("poissson"), "family='poissson'.*'gaussian'"),
        (lambda: as_covariance("fulll"), "covariance='fulll'.*'full'.*'low_rank'"),
        (lambda: LowRank(rank=0), "rank=0.*integer of at least 1"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_a_floor_of_the_diagonal_shape_is_a_share_of_the_largest_variance(rng):
    X = rng.normal(size=(200, 4)) * [3.0, 1.0, 0.1, 0.0]
    y = np.where(np.arange(200) < 60, np.arange(200) % 2, -1)
    plain, floored = (
        MixtureClassifier(covariance=Diag(floor), shrinkage=0, unlabeled_weight=1).fit(X / 9, y)
        for floor in (0, 0.05)
    )
    least = 0.05 * (X / 9).var(axis=0).max()
    variances = np.diagonal(floored.covariances_, axis1=1, axis2=2)
    np.testing.assert_allclose(variances[:, 2:], least)  # also of the constant column
    assert (variances[:, :2] > least).all()
    assert (np.diagonal(plain.covariances_, axis1=1, axis2=2)[:, 2] < least).all()
    assert floored.converged_
    for model in (Diag(0.05).pooled(), Diag(0.05)):
        assert model.floor == 0.05


def test_a_floor_of_the_diagonal_shape_must_be_a_share():
    with pytest.raises(ParameterError, match="floor=-1"):
        Diag(-1)


def test_pixels_are_read_better_with_a_floor():
    X, y = load_digits(return_X_y=True)
    labeled = np.where(np.arange(len(y)) < 300, y, -1)
    right = [
        (MixtureClassifier(covariance=Diag(floor), unlabeled_weight=0).fit(X, labeled).predict(X) == y)[
            300:
        ].mean()
        for floor in (0.0, 0.03)
    ]
    assert right[1] > right[0] + 0.01
