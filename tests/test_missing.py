"""Missing cells in families with a covariance, against the textbook's formulas row by row.

What holds for every family with missing cells stands in ``test_family_laws.py``.
"""

import numpy as np
import pytest

from laws import fit_prior
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.exceptions import ColumnError
from semigen.families import Gaussian, LowRank
from semigen.families.covariance import missing as module
from twins import N_COMPONENTS, blank, conditional, correlated, in_shape, moments


def parameters(family, x, rng, shrinkage=None):
    """A prior and parameters that differ between components, from complete rows."""
    weight = np.ones(len(x))
    prior = fit_prior(family, x, weight, shrinkage)
    walk = family.walk(family.reference(prior, N_COMPONENTS), x.dtype)
    resp = rng.dirichlet(np.full(N_COMPONENTS, 0.3), size=len(x)).T
    walk.log_prob(x)
    walk.add(resp)
    return prior, family.m_step(prior, walk.stats(), family.reference(prior, N_COMPONENTS))


def twin(family, params, x):
    """Log densities (C, n), filled rows (C, n, D) and conditional covariances (C, n, D, D)."""
    mean, covariance = moments(family, params)
    each = [[conditional(m, c, row) for row in x] for m, c in zip(mean, covariance, strict=True)]
    return tuple(np.array([[row[k] for row in rows] for rows in each]) for k in range(3))


@pytest.mark.parametrize("d", [1, 4, 9])
def test_densities_and_statistics_are_the_textbooks(family, d, rng):
    x = correlated(rng, 120, d)
    _, params = parameters(family, x, rng)
    x = blank(x, rng)
    log_prob, filled, spread = twin(family, params, x)
    walk = family.walk(params, float, np.ones(d, dtype=bool))
    np.testing.assert_allclose(walk.log_prob(x), log_prob, rtol=1e-9, atol=1e-9)
    resp = rng.dirichlet(np.ones(N_COMPONENTS), size=len(x)).T
    walk.add(resp)
    stats = walk.stats()
    y = filled - params.center
    second = np.einsum("cn,cnij->cij", resp, y[..., :, None] * y[..., None, :] + spread)
    np.testing.assert_allclose(stats.weight, resp.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(stats.first, np.einsum("cn,cnd->cd", resp, y), atol=1e-9)
    np.testing.assert_allclose(stats.second[0], in_shape(family, second), atol=1e-8)


@pytest.mark.parametrize("shape", ["full", "tied"])
def test_patterns_with_many_rows_and_patterns_with_one_row_agree(shape, rng, monkeypatch):
    """Both ways to fill rows, and a chunk with both."""
    family = Gaussian(shape)
    x = correlated(rng, 300, 12)
    _, params = parameters(family, x, rng)
    few = np.where(rng.random(12) < 0.5, np.nan, 0.0)
    x[:200] += few
    x[200:][rng.random((100, 12)) < 0.4] = np.nan
    resp = rng.dirichlet(np.ones(N_COMPONENTS), size=len(x)).T
    found = []
    for limit in (0, module.LONG_RUN, np.inf):
        monkeypatch.setattr(module, "LONG_RUN", limit)
        walk = family.covariance.walk_missing(params)
        distance = walk.distances(x)
        walk.add(resp)
        found.append((distance, walk.expect(resp), walk.moments().second[0]))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


def test_nearly_singular_covariances_keep_their_digits():
    """Two columns correlated by 0.999999: the marginal of one, and its expectation given the other."""
    family = Gaussian("full")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    x[:, 1] = x[:, 0] + 1.4e-3 * x[:, 1]
    _, params = parameters(family, x, rng, shrinkage=0.0)
    rows = np.array([[1.7, np.nan], [np.nan, -0.4]])
    log_prob, filled, _ = twin(family, params, rows)
    found = family.walk(params, float, np.array([True, True])).log_prob(rows)
    np.testing.assert_allclose(found, log_prob, rtol=1e-8)
    resp = np.eye(N_COMPONENTS)[[1, 2]].T
    np.testing.assert_allclose(
        family.expect_missing(params, rows, resp), [filled[1, 0], filled[2, 1]], rtol=1e-8
    )


def test_float32_rows_with_holes_are_computed_in_float64(family, rng):
    x = blank(correlated(rng, 80, 5), rng)
    _, params = parameters(family, np.nan_to_num(x), rng)
    everywhere = np.ones(5, dtype=bool)
    found = family.walk(params, np.float32, everywhere).log_prob(x.astype(np.float32))
    wanted = family.walk(params, float, everywhere).log_prob(x.astype(np.float32).astype(float))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_chunks_without_a_hole_take_the_way_of_complete_rows(family, rng):
    """To the last bit, whatever other chunks hold."""
    x = correlated(rng, 100, 9)
    _, params = parameters(family, x, rng)
    plain, mixed = family.walk(params, float), family.walk(params, float, np.ones(9, dtype=bool))
    mixed.log_prob(blank(x, rng))
    np.testing.assert_array_equal(mixed.log_prob(x), plain.log_prob(x))


def run(family, x, y, weight, shrinkage=None, *, max_iter=25, block_rows=32768, n_classes=3):
    engine = ThreadEngine(1, block_rows)
    data = Data(x, encode(y, classes=np.arange(n_classes)), weight, np.isnan(x).any(axis=0))
    prior = family.fit_prior(data, shrinkage, engine)
    mixture = Mixture(family, np.arange(n_classes), n_classes)
    begin = start(mixture, prior, data, engine, np.random.default_rng(0))
    return fit(mixture, prior, data, begin, engine, max_iter=max_iter, tol=0.0)


def table(rng, n=150, d=4):
    """Rows with holes, labels with unlabeled rows, weights."""
    truth = np.arange(n) % 3
    x = rng.normal(size=(n, d)) @ (np.eye(d) + 0.4) + 2.5 * rng.normal(size=(3, d))[truth]
    x = blank(x, rng, 0.2)
    return x, np.where(np.arange(n) < 24, truth, -1), rng.uniform(0.3, 2.0, size=n)


@pytest.mark.parametrize("shrinkage", [0.0, None])
def test_the_objective_never_falls(family, shrinkage, rng):
    result = run(family, *table(rng), shrinkage)
    assert np.diff(result.path).min() > -1e-10
    assert result.path[-1] > result.path[0] + 0.01


def test_order_and_blocks_of_rows_do_not_matter(family, rng):
    x, y, weight = table(rng)
    one = run(family, x, y, weight)
    order = rng.permutation(len(x))
    other = run(family, x[order], y[order], weight[order], block_rows=17)
    np.testing.assert_allclose(other.path, one.path, atol=1e-10)
    for a, b in zip(moments(family, one.params.family), moments(family, other.params.family), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-9)


def test_a_shift_by_a_hundred_million_changes_no_covariance(family, rng):
    x, y, weight = table(rng)
    x = np.round(x * 2**20) / 2**20  # so that the shifted numbers are exact
    near, far = run(family, x, y, weight), run(family, x + 1e8, y, weight)
    np.testing.assert_allclose(far.path, near.path, rtol=1e-9)
    (mean, covariance), (far_mean, far_covariance) = (
        moments(family, one.params.family) for one in (near, far)
    )
    np.testing.assert_allclose(far_mean - 1e8, mean, atol=1e-6)
    np.testing.assert_allclose(far_covariance, covariance, rtol=1e-7, atol=1e-7)


def test_monotone_holes_give_the_closed_form(rng):
    """Anderson (1957), JASA 52:200: column 2 missing in some rows is regressed on column 1 in the others."""
    x = rng.normal(size=(80, 2)) @ np.array([[1.0, 0.7], [0.0, 0.6]]) + [1.0, -2.0]
    x[50:, 1] = np.nan
    result = run(Gaussian("full"), x, np.zeros(80), np.ones(80), 0.0, max_iter=300, n_classes=1)
    both = x[:50]
    slope = np.cov(both.T, ddof=0)[0, 1] / both[:, 0].var()
    residual = (both[:, 1] - slope * both[:, 0]).var()
    mean_1, var_1 = x[:, 0].mean(), x[:, 0].var()
    mean, covariance = moments(Gaussian("full"), result.params.family)
    np.testing.assert_allclose(
        mean[0], [mean_1, both[:, 1].mean() + slope * (mean_1 - both[:, 0].mean())], rtol=1e-6
    )
    wanted = [[var_1, slope * var_1], [slope * var_1, residual + slope**2 * var_1]]
    np.testing.assert_allclose(covariance[0], wanted, rtol=1e-6)


def test_independent_columns_are_estimated_from_their_observed_cells(rng):
    x = blank(rng.normal(size=(200, 3)) * [1.0, 3.0, 0.2] + [0.0, 5.0, -1.0], rng)
    result = run(Gaussian("diag"), x, np.zeros(200), np.ones(200), 0.0, max_iter=300, n_classes=1)
    mean, covariance = moments(Gaussian("diag"), result.params.family)
    np.testing.assert_allclose(mean[0], np.nanmean(x, axis=0), rtol=1e-6)
    np.testing.assert_allclose(np.diagonal(covariance[0]), np.nanvar(x, axis=0), rtol=1e-6)


def test_missing_cells_are_filled_with_their_conditional_means(family, rng):
    x = correlated(rng, 90, 6)
    _, params = parameters(family, x, rng)
    x = blank(x, rng)
    _, filled, _ = twin(family, params, x)
    resp = rng.dirichlet(np.ones(N_COMPONENTS), size=len(x)).T
    found = family.expect_missing(params, x, resp)
    np.testing.assert_allclose(found, np.einsum("cn,cnd->nd", resp, filled), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", ["full", "tied", "diag", LowRank(rank=2)], ids=str)
def test_draws_have_the_conditional_mean_and_covariance(shape, rng):
    family = Gaussian(shape)
    x = correlated(rng, 90, 4)
    _, params = parameters(family, x, rng)
    row = x[5].copy()
    row[[1, 3]] = np.nan
    n = 20_000
    draws = family.draw_missing(params, np.repeat(row[None], n, axis=0), np.full(n, 1), rng)
    mean, covariance = moments(family, params)
    _, filled, spread = conditional(mean[1], covariance[1], row)
    size = np.sqrt(np.diagonal(covariance[1]))
    np.testing.assert_allclose((draws.mean(axis=0) - filled) / size, 0.0, atol=0.04)
    np.testing.assert_allclose((np.cov(draws.T) - spread) / np.outer(size, size), 0.0, atol=0.04)


def test_prior_is_that_of_the_observed_cells(rng):
    x = blank(correlated(rng, 3000, 3), rng)
    weight = rng.uniform(0.0, 2.0, size=len(x))
    prior = fit_prior(Gaussian("diag"), x, weight, None, block_rows=1000)
    for j in range(3):
        there = ~np.isnan(x[:, j])
        mean = np.average(x[there, j], weights=weight[there])
        assert prior.center[j] == pytest.approx(mean, rel=1e-12)
        variance = np.average((x[there, j] - mean) ** 2, weights=weight[there])
        assert prior.scale[j] == pytest.approx(np.sqrt(variance), rel=1e-12)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_numbers_that_overflow_are_refused_beside_holes(value):
    x = np.array([[value, 1.0], [np.nan, 2.0], [3.0, np.nan], [1.0, 1.0]])
    with pytest.raises(ColumnError, match=r"^column\(s\) 0, counted from 0: the squares"):
        fit_prior(Gaussian(), x, np.ones(4), None)


def test_rows_that_miss_the_same_columns_stand_together(rng):
    x = np.where(rng.random((200, 3)) < 0.4, np.nan, 1.0)
    block = Data.unlabeled(x, np.ones(3, dtype=bool))
    pattern = np.isnan(x[block.rows_by_pattern])
    assert sorted(block.rows_by_pattern) == list(range(200))
    assert (pattern[1:] != pattern[:-1]).any(axis=1).sum() == len(np.unique(pattern, axis=0)) - 1
