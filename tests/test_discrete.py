"""What the families for discrete columns do beyond the laws of ``test_family_laws.py``."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import gammaln, polygamma, psi
from scipy.stats import nbinom

from laws import fit_prior, stats_of
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, log_joint, start
from semigen.exceptions import ColumnError, ParameterError
from semigen.families import Bernoulli, Categorical, NegativeBinomial, Poisson, negative_binomial
from semigen.families.negative_binomial import code_value, count_code, log_pmf

FAMILIES = {
    "categorical": (Categorical(), lambda rng, n: rng.integers(4, size=(n, 2)) * 1.0),
    "bernoulli": (Bernoulli(), lambda rng, n: rng.integers(2, size=(n, 2)) * 1.0),
    "poisson": (Poisson(), lambda rng, n: rng.poisson(3.0, size=(n, 2)) * 1.0),
    "negative binomial": (
        NegativeBinomial(),
        lambda rng, n: rng.negative_binomial(2, 0.3, size=(n, 2)) * 1.0,
    ),
}

# log probabilities by mpmath 1.4 with 50 digits: count, mean, size, log p
MPMATH = [
    (0, 1e-12, 0.01, -9.9999999995e-13),
    (1, 0.5, 31.9, -1.2048215685061956),
    (5, 7.0, 1.0, -2.747098504802449),
    (100, 100.0, 1e6, -3.2224069542628526),
    (1e5, 1e5, 0.3, -13.269916801086335),
    (1e9, 1.0001e9, 1e3, -18.18841556331873),
    (2.0**53, 1e15, 1e6, -5809205.824399373),
]


def unsmoothed(family, x, component, n_components, shrinkage=0.0):
    """Prior and parameters of rows with known components."""
    prior = fit_prior(family, x, np.ones(len(x)), shrinkage)
    reference = family.reference(prior, n_components)
    missing = np.isnan(x).any(axis=0)
    stats = stats_of(family, reference, x, np.eye(n_components)[component].T, missing)
    return prior, family.m_step(prior, stats, reference)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("shrinkage", [None, 1.0, 7.5])
def test_smoothing_is_rows_added_that_look_like_all_rows(name, shrinkage, rng):
    """The maximum a posteriori is maximum likelihood with all rows once more, at weights that sum to s."""
    family, draw = FAMILIES[name]
    x, component = draw(rng, 40), np.arange(40) % 3
    prior, smoothed = unsmoothed(family, x, component, 3, shrinkage)
    strength = family.default_strength if shrinkage is None else shrinkage
    assert prior.strength == strength
    plain = fit_prior(family, x, np.ones(40), 0.0)
    reference = family.reference(plain, 3)
    resp = np.hstack([np.eye(3)[component].T, np.full((3, 40), strength / 40)])
    stats = stats_of(family, reference, np.vstack([x, x]), resp)
    wanted = family.m_step(plain, stats, reference)
    found = family.walk(smoothed, float).log_prob(x)
    # a category also gives something to levels that training did not know
    tolerance = 0.1 if name == "categorical" else 1e-9
    np.testing.assert_allclose(found, family.walk(wanted, float).log_prob(x), atol=tolerance)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_strong_prior_makes_components_alike(name, rng):
    family, draw = FAMILIES[name]
    x = draw(rng, 40)
    _, params = unsmoothed(family, x, np.arange(40) % 3, 3, 1e9)
    assert np.ptp(family.walk(params, float).log_prob(x), axis=0).max() < 1e-6


def test_categorical_smoothing_by_hand():
    """Two pseudo-rows with the frequencies of all rows, in which one row more is spread over L + 1 levels."""
    x = np.array([[0.0], [0.0], [1.0], [2.0]])
    _, params = unsmoothed(Categorical(), x, np.array([0, 0, 1, 1]), 2, 2.0)
    overall = np.array([2.25, 1.25, 1.25, 0.25]) / 5
    wanted = (np.array([[2, 0, 0, 0], [0, 1, 1, 0]]) + 2 * overall) / 4
    np.testing.assert_allclose(Categorical().summary(params)["probability"][0], wanted[:, :3], rtol=1e-12)
    unknown = Categorical().walk(params, float).log_prob(np.array([[3.0], [17.0], [-1.0], [0.5], [np.inf]]))
    np.testing.assert_allclose(unknown, np.log(wanted[:, 3])[:, None].repeat(5, 1), rtol=1e-12)


def test_levels_unknown_to_maximum_likelihood_drop_out_like_missing_cells(rng):
    x = rng.integers(3, size=(30, 2)) * 1.0
    _, params = unsmoothed(Categorical(), x, np.arange(30) % 2, 2)
    rows = np.array([[5.0, 1.0], [np.nan, 1.0]])
    unknown, hole = Categorical().walk(params, float, np.array([True, False])).log_prob(rows).T
    np.testing.assert_array_equal(unknown, hole)


def test_levels_that_are_known_but_absent_have_mass(rng):
    x = rng.integers(3, size=(30, 2)) * 1.0
    _, params = unsmoothed(Categorical(n_levels=(5, 3)), x, np.arange(30) % 2, 2, None)
    probability = Categorical().summary(params)["probability"]
    assert [p.shape for p in probability] == [(2, 5), (2, 3)]
    assert (probability[0][:, 3:] > 0).all()
    assert Categorical().n_free(params) == 2 * (4 + 2)


def test_training_rows_with_levels_beyond_n_levels_count_as_unknown(rng):
    """They move the entry of unknown levels, and the objective still never falls."""
    x = rng.integers(4, size=(60, 2)) * 1.0
    data = Data(x, encode(np.where(rng.random(60) < 0.5, np.arange(60) % 2, -1)), np.ones(60))
    for shrinkage in (0.0, None):
        family = Categorical(n_levels=(3, 4))
        prior = fit_prior(family, x, data.weight, shrinkage)
        mixture, engine = Mixture(family, np.arange(2), 2), ThreadEngine(n_threads=1)
        begin = start(mixture, prior, data, engine, rng)
        result = fit(mixture, prior, data, begin, engine, max_iter=20, tol=0.0)
        assert np.diff(result.path).min() > -1e-10


def test_many_levels_and_many_columns_have_few_points(rng):
    x = np.column_stack([rng.integers(3000, size=4000), rng.integers(2, size=4000)]) * 1.0
    prior = fit_prior(Categorical(), x, np.ones(4000), None)
    points = Categorical().points(prior, x[:10])
    assert points.shape == (10, 256)
    apart = np.linalg.norm(points[x[:10, 1] == 0].mean(axis=0) - points[x[:10, 1] == 1].mean(axis=0))
    assert apart > 1.0
    wide = csr_array((rng.random((50, 700)) < 0.1) * 1.0)
    assert Bernoulli().points(fit_prior(Bernoulli(), wide, np.ones(50), None), wide).shape == (50, 256)


@pytest.mark.parametrize("family", [Bernoulli(), Poisson()], ids=["bernoulli", "poisson"])
def test_sparse_rows_are_never_made_dense(family, rng, monkeypatch):
    x = csr_array((rng.random((300, 50)) < 0.1) * 1.0)
    monkeypatch.setattr(csr_array, "toarray", lambda *_: pytest.fail("made dense"))
    labels = encode(np.where(np.arange(300) < 60, np.arange(300) % 2, -1))
    data = Data(x, labels, np.ones(300))
    prior = fit_prior(family, x, data.weight, None)
    mixture, engine = Mixture(family, np.arange(2), 2), ThreadEngine(n_threads=1)
    result = fit(mixture, prior, data, start(mixture, prior, data, engine, rng), engine, max_iter=5)
    assert np.isfinite(log_joint(mixture, result.params, data)).all()


@pytest.mark.parametrize(("count", "mean", "size", "wanted"), MPMATH)
def test_negative_binomial_keeps_its_digits(count, mean, size, wanted):
    found = log_pmf(np.array([float(count)]), np.array([[mean]]), np.array([[size]]))[0, 0]
    assert found == pytest.approx(wanted, rel=1e-13)


def test_counts_have_ten_significant_bits():
    small = np.arange(1025.0)
    np.testing.assert_array_equal(code_value(count_code(small)), small)
    large = np.unique(np.rint(np.exp(np.linspace(np.log(1024), np.log(2.0**53), 5001))))
    code = count_code(large)
    assert (np.diff(code) >= 0).all()
    assert code[-1] == 1024 + 43 * 512
    np.testing.assert_allclose(code_value(code), large, rtol=1 / 1024)
    np.testing.assert_array_equal(count_code(code_value(np.arange(9000))), np.arange(9000))


def test_negative_binomial_recovers_large_counts(rng):
    """A hundred thousand distinct counts take a few thousand statistics and cost no accuracy to speak of."""
    mean, size = 2e5, 3.0
    x = rng.negative_binomial(size, size / (size + mean), size=(100_000, 1)) * 1.0
    prior, params = unsmoothed(NegativeBinomial(), x, np.zeros(len(x), dtype=int), 1)
    assert prior.row.count.shape[1] < 1024 + 512 * 12
    assert params.mean[0, 0] == pytest.approx(x.mean(), rel=1e-5)
    assert params.size[0, 0] == pytest.approx(size, rel=0.02)
    new = np.array([[0.0], [7.0], [123_457.0], [1e9]])
    wanted = nbinom.logpmf(new[:, 0], params.size[0], params.size[0] / (params.size[0] + params.mean[0]))
    found = NegativeBinomial().walk(params, float).log_prob(new)[0]
    np.testing.assert_allclose(found[:2], wanted[:2], rtol=1e-9)
    np.testing.assert_allclose(found[2:], wanted[2:], rtol=1e-3)


def test_negative_binomial_without_overdispersion_is_poisson(rng):
    """Counts that spread less than Poisson's have their maximum at the largest size."""
    x = rng.binomial(20, 0.5, size=(500, 1)) * 1.0
    _, params = unsmoothed(NegativeBinomial(), x, np.zeros(500, dtype=int), 1)
    _, poisson = unsmoothed(Poisson(), x, np.zeros(500, dtype=int), 1)
    assert params.size[0, 0] == pytest.approx(1e5)
    found = NegativeBinomial().walk(params, float).log_prob(x)
    np.testing.assert_allclose(found, Poisson().walk(poisson, float).log_prob(x), atol=1e-3)


def test_counts_never_seen_in_training_have_their_density(rng):
    x = rng.negative_binomial(2, 0.2, size=(60, 2)) * 1.0
    _, params = unsmoothed(NegativeBinomial(), x, np.arange(60) % 2, 2)
    rows = np.array([[500.0, 3.0], [501.0, 777.0], [np.nan, 999.0], [2.0, np.nan]])
    walk = NegativeBinomial().walk(params, float, np.array([True, True]))
    share = params.size / (params.size + params.mean)
    cells = nbinom.logpmf(rows[None], params.size[:, None], share[:, None])
    np.testing.assert_allclose(walk.log_prob(rows), np.nansum(cells, axis=2), rtol=1e-9)


@pytest.mark.parametrize("family", [Poisson(), NegativeBinomial(), Bernoulli()], ids=lambda f: f.name)
def test_a_column_that_was_always_zero_may_be_something_later(family):
    x = np.column_stack([np.zeros(20), np.arange(20) % 2])
    _, params = unsmoothed(family, x, np.arange(20) % 2, 2)
    assert np.isfinite(family.walk(params, float).log_prob(np.ones((1, 2)))).all()


@pytest.mark.parametrize(
    ("family", "cell", "message"),
    [
        (Categorical(), -1.0, r"column\(s\) 1, counted from 0.*-1.*numbered 0, 1, 2.*OrdinalEncoder"),
        (Categorical(), 0.5, r"column\(s\) 1.*0\.5.*number"),
        (Categorical(), 1e9, r"1e\+09.*More levels.*drop it"),
        (Bernoulli(), 2.0, r"column\(s\) 1.*such as 2.*0 or 1.*x > 0"),
        (Poisson(), -3.0, r"column\(s\) 1.*-3.*no counts"),
        (Poisson(), 2.5, r"column\(s\) 1.*2\.5.*no counts.*gaussian"),
        (Poisson(), 5e6, r"column\(s\) 1.*5e\+06.*negative_binomial"),
        (NegativeBinomial(), 2.5, r"column\(s\) 1.*2\.5.*no counts"),
        (NegativeBinomial(), np.inf, r"column\(s\) 1.*inf.*no counts"),
    ],
)
def test_cells_outside_the_support_are_refused_with_the_cure(family, cell, message):
    x = np.array([[0.0, 1.0], [1.0, cell], [np.nan, 1.0]])
    with pytest.raises(ColumnError, match=message):
        fit_prior(family, x, np.ones(3), None)


@pytest.mark.parametrize("family", [Poisson(), NegativeBinomial(), Bernoulli()], ids=lambda f: f.name)
def test_rows_to_predict_are_looked_at_too(family):
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    _, params = unsmoothed(family, x, np.array([0, 1]), 2, None)
    with pytest.raises(ColumnError, match=r"column\(s\) 0.*-2"):
        family.walk(params, float).log_prob(np.array([[-2.0, 0.0]]))


def test_sparse_counts_outside_the_support_are_refused_by_column():
    x = csr_array(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -4.0]]))
    with pytest.raises(ColumnError, match=r"column\(s\) 2.*-4"):
        fit_prior(Poisson(), x, np.ones(2), None)


@pytest.mark.parametrize(
    ("n_levels", "message"), [((3,), "1 numbers and the rows 2 columns"), ((0, 2), "from 1 to 65536 levels")]
)
def test_wrong_numbers_of_levels_are_refused(n_levels, message):
    with pytest.raises(ParameterError, match=message):
        fit_prior(Categorical(n_levels=n_levels), np.zeros((4, 2)), np.ones(4), None)


def test_the_series_of_gamma_functions_are_scipys():
    """Also from 32 on, where they are sums of a few terms."""
    z = np.array([0.5, 3.0, 31.9, 32.0, 40.0, 60.0])
    stirling = gammaln(z + 1) - (z + 0.5) * np.log(z) + z - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(negative_binomial._stirling_rest(z), stirling, rtol=0, atol=2e-13)
    np.testing.assert_allclose(negative_binomial._psi_rest(z), np.log(z) - psi(z), rtol=0, atol=3e-15)
    np.testing.assert_allclose(negative_binomial._trigamma(z), polygamma(1, z), rtol=1e-13)
