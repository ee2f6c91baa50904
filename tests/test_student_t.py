"""The Student t against SciPy, direct maximization, and rows with gross outliers.

What holds for every family stands in ``test_family_laws.py``.
"""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import digamma, gammaln
from scipy.stats import gamma, kstest, multivariate_t, t

from laws import fit_prior
from semigen import MixtureClassifier
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.exceptions import ColumnError, ParameterError
from semigen.families import Gaussian, StudentT
from semigen.families.student_t import DOF_RANGE
from twins import N_COMPONENTS, SHAPES, as_used, blank, conditional, correlated, in_shape

RATE, SHAPE = 0.1, 2.0
"""Of the gamma prior of the degrees of freedom: Juárez & Steel (2010)."""


@pytest.fixture(params=SHAPES, ids=str)
def family(request):
    return StudentT(request.param, dof="component")


def parameters(family, x, rng, shrinkage=None, steps=3):
    """A prior, parameters that differ between components, and the responsibilities that led to them."""
    prior = fit_prior(family, x, np.ones(len(x)), shrinkage)
    params = family.reference(prior, N_COMPONENTS)
    resp = rng.dirichlet(np.full(N_COMPONENTS, 0.3), size=len(x)).T
    for _ in range(steps):
        params = family.m_step(prior, statistics(family, params, x, resp)[1], params)
    return prior, params, resp


def statistics(family, params, x, resp):
    walk = family.walk(params, x.dtype, np.isnan(x).any(axis=0))
    log_prob = walk.log_prob(x)
    walk.add(resp)
    return log_prob, walk.stats()


def latent(family, params, x):
    """Row by row: log p(x | c), E[u], E[log u] (C, n), filled rows (C, n, D), covariances (C, n, D, D)."""
    summary = family.summary(params)
    found = []
    for mean, scale, dof in zip(
        summary["mean"], summary["scale"], summary["degrees_of_freedom"], strict=True
    ):
        for row in x:
            o = ~np.isnan(row)
            _, filled, spread = conditional(mean, scale, row)
            log_prob, distance = 0.0, 0.0
            if o.any():
                log_prob = multivariate_t(mean[o], scale[np.ix_(o, o)], dof).logpdf(row[o])
                distance = (row - mean)[o] @ np.linalg.solve(scale[np.ix_(o, o)], (row - mean)[o])
            posterior = gamma((dof + o.sum()) / 2, scale=2 / (dof + distance))
            log_u = digamma((dof + o.sum()) / 2) - np.log((dof + distance) / 2)
            found.append((log_prob, posterior.mean(), log_u, filled, spread))
    n_components = len(summary["mean"])
    return tuple(
        np.array(values).reshape(n_components, len(x), *np.shape(values[0]))
        for values in zip(*found, strict=True)
    )


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_densities_and_statistics_are_the_textbooks(family, holes, rng):
    x = correlated(rng, 40, 4)
    _, params, _ = parameters(family, x, rng)
    if holes:
        x = blank(x, rng, holes)
    log_prob, u, log_u, filled, spread = latent(family, params, x)
    resp = rng.dirichlet(np.ones(N_COMPONENTS), size=len(x)).T
    found, stats = statistics(family, params, x, resp)
    np.testing.assert_allclose(found, log_prob, rtol=1e-9, atol=1e-9)
    y = filled - params.center
    outer = u[..., None, None] * y[..., :, None] * y[..., None, :] + spread
    np.testing.assert_allclose(stats.weight, resp.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(stats.tail, (resp * (log_u - u)).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(stats.moments.weight, (resp * u).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(stats.moments.first, np.einsum("cn,cnd->cd", resp * u, y), atol=1e-9)
    second = in_shape(family, np.einsum("cn,cnij->cij", resp, outer))
    found, second = (as_used(family, params, one) for one in (stats.moments.second[0], second))
    np.testing.assert_allclose(found, second, rtol=1e-8, atol=1e-8)
    leapt = latent(
        family, type(params)(params.center, params.mean, params.shape, params.leap, params.leap), x
    )
    np.testing.assert_allclose(stats.rise, (resp * (leapt[0] - log_prob)).sum(axis=1), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.0, None])
@pytest.mark.parametrize("dof", ["shared", "component"])
def test_the_step_of_the_degrees_of_freedom_is_the_maximum(shrinkage, dof, rng):
    family = StudentT("diag", dof)
    x = correlated(rng, 60, 3) / np.sqrt(rng.gamma(2.0, 0.5, size=60))[:, None]
    prior, params, resp = parameters(family, x, rng, shrinkage)
    params = type(params)(params.center, params.mean, params.shape, params.dof, params.dof)  # no leap
    _, u, log_u, _, _ = latent(family, params, x)

    def loss(log_dof, c):
        half, mine = np.exp(log_dof) / 2, slice(None) if dof == "shared" else [c]
        row = half * np.log(half) - gammaln(half) + half * (log_u - u)[mine]
        prior_too = 0.0 if shrinkage == 0.0 else gamma(SHAPE, scale=1 / RATE).logpdf(np.exp(log_dof))
        return -(resp[mine] * row).sum() - prior_too

    _, stats = statistics(family, params, x, resp)
    found = family.m_step(prior, stats, params).dof
    for c in range(N_COMPONENTS):
        best = minimize_scalar(loss, bounds=np.log(DOF_RANGE), args=(c,), method="bounded")
        assert found[c] == pytest.approx(np.exp(best.x), rel=1e-3)


def run(family, x, y, shrinkage=None, *, max_iter=200, tol=1e-6):
    labels = encode(y, classes=np.arange(int(np.max(y)) + 1))
    missing = np.isnan(x).any(axis=0)
    data = Data(x, labels, np.ones(len(x)), missing if missing.any() else None)
    engine = ThreadEngine(1)
    prior = family.fit_prior(data, shrinkage, engine)
    mixture = Mixture(family, np.arange(len(labels.classes)), len(labels.classes))
    begin = start(mixture, prior, data, engine, np.random.default_rng(0))
    return fit(mixture, prior, data, begin, engine, max_iter=max_iter, tol=tol)


@pytest.mark.parametrize("true_dof", [1.5, 6.0])
def test_one_labeled_class_gives_scipys_maximum_likelihood(true_dof, rng):
    x = 3.0 + 2.0 * rng.standard_t(true_dof, size=(400, 1))
    result = run(StudentT(), x, np.zeros(400), 0.0, max_iter=500, tol=1e-12)
    dof, location, scale = t.fit(x[:, 0])
    summary = StudentT().summary(result.params.family)
    assert result.objective >= t(dof, location, scale).logpdf(x[:, 0]).mean() - 1e-9
    assert summary["degrees_of_freedom"][0] == pytest.approx(dof, rel=2e-3)
    assert summary["mean"][0, 0] == pytest.approx(location, abs=2e-3)
    assert summary["scale"][0, 0, 0] == pytest.approx(scale**2, rel=2e-3)


@pytest.mark.parametrize("dof", ["shared", "component"])
@pytest.mark.parametrize("holes", [0.0, 0.2])
@pytest.mark.parametrize("shrinkage", [0.0, None])
def test_the_objective_never_falls_leaps_or_not(dof, holes, shrinkage, rng):
    """Gaussian rows, where ν rises by leaps, and heavy tails, where it does not."""
    truth = np.arange(300) % 3
    y = np.where(np.arange(300) < 30, truth, -1)
    for spread in (np.ones(300), np.sqrt(rng.gamma(1.5, 1 / 1.5, size=300))):
        x = rng.normal(size=(300, 3)) / spread[:, None] + 3.0 * rng.normal(size=(3, 3))[truth]
        result = run(StudentT("full", dof), blank(x, rng, holes) if holes else x, y, shrinkage)
        assert np.diff(result.path).min() > -1e-10


def test_degrees_of_freedom_of_gaussian_rows_are_found_in_few_iterations(rng):
    """EM steps alone take five times as many."""
    x = rng.normal(size=(4000, 3))
    result = run(StudentT(), x, np.zeros(4000), 0.0)
    assert result.converged
    assert result.n_iter < 100
    assert result.params.family.dof[0] > 40


def test_prior_does_not_see_outliers(rng):
    """It is that of the Gaussian from the rows that are left."""
    x = rng.normal(size=(500, 3)) * [1.0, 20.0, 0.1]
    weight = rng.uniform(0.5, 2.0, size=500)
    spoilt = np.vstack([x, [[1e3, 1e4, -1e9]] * 60])
    all_weights = np.concatenate([weight, np.ones(60)])
    clean = fit_prior(Gaussian(), x, weight, None)
    assert fit_prior(StudentT(), x, weight, None).scale == pytest.approx(clean.scale, rel=1e-12)
    found = fit_prior(StudentT(), spoilt, all_weights, None)
    np.testing.assert_allclose(found.center, clean.center, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.scale, clean.scale, rtol=1e-10)
    np.testing.assert_allclose(found.target, clean.target, rtol=1e-10)
    assert np.abs(StudentT().points(found, spoilt)).max() < 30


def test_prior_of_a_column_of_mostly_one_value_is_that_of_all_cells():
    x = np.column_stack([np.r_[np.zeros(9), 5.0], np.arange(10.0)])
    prior = fit_prior(StudentT(), x, np.ones(10), None)
    np.testing.assert_allclose(prior.scale, x.std(axis=0), rtol=1e-12)


def test_weights_and_holes_count_for_the_fences(rng):
    x = rng.standard_t(1.2, size=(60, 2))
    weight = rng.integers(0, 3, size=60)
    often = np.repeat(x, weight, axis=0)
    holes = np.vstack([often, np.full((40, 2), np.nan)])
    one = fit_prior(StudentT(), x, weight.astype(float), None)
    two = fit_prior(StudentT(), holes, np.ones(len(holes)), None)
    np.testing.assert_allclose(one.center, two.center, rtol=1e-10)
    np.testing.assert_allclose(one.scale, two.scale, rtol=1e-10)


def test_samples_are_students(rng):
    family = StudentT("full", dof="component")
    x = correlated(rng, 300, 2) / np.sqrt(rng.gamma(2.0, 0.5, size=300))[:, None]
    _, params, _ = parameters(family, x, rng, steps=20)
    rows = family.sample(params, np.full(20_000, 1), rng)
    summary = family.summary(params)
    dof, mean, scale = (summary[key][1] for key in ("degrees_of_freedom", "mean", "scale"))
    for direction in np.array([[1.0, 0.0], [0.6, 0.8]]):
        law = t(dof, direction @ mean, np.sqrt(direction @ scale @ direction))
        assert kstest(rows @ direction, law.cdf).pvalue > 1e-4


def test_drawn_cells_have_the_conditional_distribution(rng):
    """A Student t with ν + d degrees of freedom, wider where the observed cells lie far out."""
    family = StudentT("full")
    x = correlated(rng, 300, 3) / np.sqrt(rng.gamma(2.0, 0.5, size=300))[:, None]
    _, params, _ = parameters(family, x, rng, steps=10)
    summary = family.summary(params)
    dof, mean, scale = (summary[key][2] for key in ("degrees_of_freedom", "mean", "scale"))
    row = np.array([mean[0] + 9 * np.sqrt(scale[0, 0]), np.nan, mean[2] - 5.0])
    draws = family.draw_missing(params, np.repeat(row[None], 20_000, axis=0), np.full(20_000, 2), rng)
    _, filled, spread = conditional(mean, scale, row)
    o = [0, 2]
    distance = (row - mean)[o] @ np.linalg.solve(scale[np.ix_(o, o)], (row - mean)[o])
    width = np.sqrt(spread[1, 1] * (dof + distance) / (dof + 2))
    assert kstest(draws[:, 1], t(dof + 2, filled[1], width).cdf).pvalue > 1e-4


def test_summary_has_a_covariance_where_there_is_one(rng):
    family = StudentT("full", dof="component")
    _, params, _ = parameters(family, correlated(rng, 60, 2), rng)
    params = type(params)(params.center, params.mean, params.shape, np.array([1.5, 2.0, 6.0]), params.leap)
    summary = family.summary(params)
    assert np.isinf(summary["covariance"][:2]).all()
    np.testing.assert_allclose(summary["covariance"][2], 1.5 * summary["scale"][2])


def test_parameters_are_counted(rng):
    x = correlated(rng, 60, 4)
    for dof, extra in (("shared", 1), ("component", N_COMPONENTS)):
        family = StudentT("full", dof)
        _, params, _ = parameters(family, x, rng)
        gaussian = Gaussian("full")
        assert family.n_free(params) == gaussian.n_free(params) + extra
        assert len(set(params.dof)) == extra


def test_an_unknown_setting_is_refused():
    with pytest.raises(ParameterError, match=r"dof='each'.*'shared' or 'component'"):
        StudentT(dof="each")


@pytest.mark.parametrize("value", [np.inf, 1e150])
def test_numbers_that_overflow_are_refused(value, rng):
    x = rng.normal(size=(40, 2))
    x[3, 1] = value
    with pytest.raises(ColumnError, match=r"^column\(s\) 1, counted from 0: the squares"):
        fit_prior(StudentT(), x, np.ones(40), None)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [1e4, 1e9])
def test_labeled_rows_far_out_leave_a_model(size, shape, dtype, rng):
    x = rng.normal(size=(200, 4)).astype(dtype)
    x[3], x[4], x[150:160] = size * x[3], -size * x[4], size * x[150:160]
    y = np.r_[0, 0, 0, 1, 1, 1, np.full(194, -1)]
    result = run(StudentT(shape), x, y)
    assert np.diff(result.path).min() > (-1e-9 if dtype == np.float64 else -1e-4)
    scores = StudentT(shape).walk(result.params.family, dtype).log_prob(x)
    assert np.isfinite(scores).all()


def outlying(x, rng):
    """5 % of the rows moved far away."""
    x = x.copy()
    bad = rng.random(len(x)) < 0.05
    x[bad] = rng.normal(scale=20.0, size=(bad.sum(), x.shape[1]))
    return x


def test_gross_outliers_cost_the_gaussian_much_and_student_t_little():
    """Three overlapping Gaussian classes, 5 labels a class; the outliers are labeled or not."""
    factors = [np.linalg.cholesky(m) for m in (0.6 * np.eye(4) + 0.4, np.eye(4), 1.3 * np.eye(4) - 0.3)]
    centers = np.sqrt(3.0) * np.array([[0, 1, 0, 0], [0.866, -0.5, 0, 0], [-0.866, -0.5, 0, 0]])
    lost = {"gaussian": [], "student_t": []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = rng.integers(3, size=4000)
        x = centers[truth] + np.einsum(
            "nij,nj->ni", np.take(factors, truth, axis=0), rng.normal(size=(4000, 4))
        )
        train, test = slice(0, 1200), slice(1200, None)
        y = np.full(1200, -1)
        for k in range(3):
            y[np.flatnonzero(truth[train] == k)[:5]] = k
        for family in (Gaussian("full"), StudentT("full")):
            clean, spoilt = (
                MixtureClassifier(family, unlabeled_weight=1.0).fit(rows, y).score(x[test], truth[test])
                for rows in (x[train], outlying(x[train], np.random.default_rng(seed)))
            )
            lost[family.name].append(clean - spoilt)
    assert np.mean(lost["gaussian"]) > 0.05
    assert np.mean(lost["student_t"]) < 0.01
