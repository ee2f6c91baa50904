"""What the von Mises–Fisher family does beyond the laws of ``test_family_laws.py``."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import ive
from scipy.stats import kstest, vonmises_fisher

from laws import fit_prior, stats_of
from semigen import MixtureClassifier, load, save
from semigen.exceptions import ColumnError
from semigen.families import VonMisesFisher
from semigen.families.von_mises_fisher import (
    SHARPEST,
    Directions,
    bessel,
    concentration,
    log_normalizer,
    log_uniform,
    resultant,
)

# log C_D(κ) and A_D(κ) by mpmath 1.3 with 50 digits: D, κ, log C, A
MPMATH = [
    (2, 1e-8, -1.8378770664093455, 5.0e-9),
    (2, 3.0, -3.4231846882227664, 0.80998529395650453),
    (3, 0.5, -2.5723491015822089, 0.16395341373865285),
    (3, 700.0, -695.28679673136594, 0.99857142857142857),
    (5, 1e6, -999976.04473201689, 0.999998000001),
    (10, 40.0, -31.471263328674642, 0.8925364151578091),
    (61, 61.0, 14.244204315216022, 0.62054876377685969),
    (300, 1.0, 427.6051738398886, 0.0033332965423815021),
    (768, 1e4, -7165.3264144972812, 0.96238324822513731),
    (3000, 30.0, 7749.1549960700117, 0.0099990008657733464),
    (3000, 1e4, 1167.15534863341, 0.86122368933244781),
    (100_000, 5e4, 422447.86309674484, 0.41421442023469843),
]


def one(n_features, kappa):
    """Parameters of a single component that points along the first axis."""
    return Directions(np.eye(1, n_features), np.array([float(kappa)]))


@pytest.mark.parametrize(("n_features", "kappa", "log_c", "ratio"), MPMATH)
def test_the_normalizer_is_mpmaths(n_features, kappa, log_c, ratio):
    assert log_normalizer(one(n_features, kappa))[0] == pytest.approx(log_c, rel=1e-14, abs=2e-13)
    assert resultant(np.array([kappa]), n_features)[0] == pytest.approx(ratio, rel=1e-14)


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 6.5, 29.5, 30.0, 63.0])
def test_bessel_functions_are_scipys_where_those_are_numbers(order):
    z = np.array([1.0, 5.0, 30.0, 200.0, 1e4])
    log_bessel, ratio = bessel(order, z)
    np.testing.assert_allclose(
        log_bessel, np.log(ive(order, z)) + z - order * np.log(z), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(ratio * z, ive(order + 1, z) / ive(order, z), rtol=1e-12)


@pytest.mark.parametrize("n_features", [2, 3, 4, 17, 768, 20_000])
def test_without_concentration_the_density_is_uniform(n_features):
    params = one(n_features, 0.0)
    assert log_normalizer(params)[0] == pytest.approx(log_uniform(params), rel=1e-13)
    assert resultant(np.zeros(1), n_features)[0] == 0.0


@pytest.mark.parametrize("n_features", [2, 3, 10, 200, 5000])
def test_concentrations_are_found_from_mean_lengths(n_features):
    kappa = np.array([0.0, 1e-9, 1e-3, 0.3, 2.0, 30.0, 1e3, 1e5]) * (n_features - 1)
    length = resultant(kappa, n_features)
    np.testing.assert_allclose(concentration(length, n_features), kappa, rtol=1e-9)
    rough = length * (n_features - length**2) / (1 - length**2)  # Banerjee et al. (2005), eq. 4.4
    np.testing.assert_allclose(concentration(length, n_features), rough, rtol=0.1)


def test_concentrations_stop_where_all_rows_are_the_same():
    found = concentration(np.array([1.0 - 1e-7, 1.0, 1.0 + 1e-12]), 5)
    np.testing.assert_allclose(found, found[0])
    assert found[0] == pytest.approx(4 / (2 * SHARPEST), rel=1e-3)


def test_rows_count_by_their_direction(rng):
    x = rng.normal(size=(60, 5)) + 1.5 * np.eye(3, 5)[np.arange(60) % 3]
    y = np.where(np.arange(60) < 20, np.arange(60) % 3, -1)
    plain = MixtureClassifier("von_mises_fisher").fit(x, y)
    scaled = x * np.exp(rng.uniform(-200, 200, size=(60, 1)))
    other = MixtureClassifier("von_mises_fisher").fit(scaled, y)
    np.testing.assert_allclose(other.log_joint(scaled), plain.log_joint(x), rtol=1e-8)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    turned = MixtureClassifier("von_mises_fisher").fit(x @ turn, y)
    np.testing.assert_allclose(turned.log_joint(x @ turn), plain.log_joint(x), rtol=1e-8)


def test_rows_of_zeros_have_the_uniform_density_and_change_no_direction(rng):
    x = rng.normal(size=(60, 4)) + np.eye(2, 4)[np.arange(60) % 2]
    y = np.arange(60) % 2
    family = VonMisesFisher()
    plain = MixtureClassifier(family).fit(x, y)
    more = MixtureClassifier(family).fit(np.vstack([x, np.zeros((10, 4))]), np.append(y, np.tile([0, 1], 5)))
    for name, value in plain.component_parameters_.items():
        np.testing.assert_allclose(more.component_parameters_[name], value, rtol=1e-12)
    found = family.walk(more.params_.family, float).log_prob(np.zeros((1, 4)))
    np.testing.assert_allclose(found, -np.log(2 * np.pi**2))  # the area of the sphere in four dimensions


def test_the_prior_is_rows_that_point_where_all_rows_do(rng):
    """Maximum a posteriori is maximum likelihood with all rows once more, at weights that sum to s."""
    x = rng.normal(size=(40, 3)) + np.eye(3)[np.arange(40) % 3]
    family = VonMisesFisher()
    prior = fit_prior(family, x, np.ones(40), 4.0)
    reference = family.reference(prior, 3)
    resp = np.eye(3)[np.arange(40) % 3].T
    smoothed = family.summary(family.m_step(prior, stats_of(family, reference, x, resp), reference))
    stats = stats_of(family, reference, np.vstack([x, x]), np.hstack([resp, np.full((3, 40), 0.1)]))
    wanted = family.summary(family.m_step(fit_prior(family, x, np.ones(40), 0.0), stats, reference))
    for name, value in wanted.items():
        np.testing.assert_allclose(smoothed[name], value, rtol=1e-10)


def test_the_prior_bounds_the_concentration_of_a_component_of_one_row(rng):
    x = rng.normal(size=(50, 200))
    y = np.where(np.arange(50) < 2, np.arange(50), -1)
    kappa = {}
    for shrinkage in ("auto", 0):
        model = MixtureClassifier("von_mises_fisher", shrinkage=shrinkage, unlabeled_weight=0).fit(x, y)
        kappa[shrinkage] = model.component_parameters_["concentration"]
    assert (kappa["auto"] < 400).all()
    np.testing.assert_allclose(kappa[0], 199 / (2 * SHARPEST), rtol=1e-3)


def test_embeddings_of_thousands_of_columns(rng):
    """Their Bessel functions are far below the smallest number; classes and cosines are found."""
    centers = rng.normal(size=(4, 3000))
    truth = rng.integers(4, size=400)
    x = centers[truth] + 8.0 * rng.normal(size=(400, 3000))
    y = np.where(np.arange(400) < 20, truth, -1)
    model = MixtureClassifier("von_mises_fisher").fit(x, y)
    assert model.score(x, truth) > 0.97
    cosine = 1 / np.sqrt(65)
    np.testing.assert_allclose(
        resultant(model.component_parameters_["concentration"], 3000), cosine, rtol=0.3
    )


@pytest.mark.parametrize("kappa", [0.0, 0.7, 25.0, 4e4])
@pytest.mark.parametrize("n_features", [2, 3, 40])
def test_samples_are_scipys(n_features, kappa, rng):
    params = one(n_features, kappa)
    rows = VonMisesFisher().sample(params, np.zeros(4000, dtype=int), rng)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    if kappa > 0:
        wanted = vonmises_fisher(params.mean_direction[0], kappa).rvs(4000, random_state=1)
    else:
        wanted = rng.normal(size=(4000, n_features))
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    for column in (0, 1):
        assert kstest(rows[:, column], wanted[:, column]).pvalue > 1e-5


def test_sparse_rows_are_never_made_dense(rng, monkeypatch):
    def refuse(self, *arguments, **options):
        raise AssertionError("made dense")

    x = csr_array(rng.poisson(0.1 + 2.0 * (rng.random((3, 80)) < 0.1)[np.arange(90) % 3]).astype(float))
    y = np.where(np.arange(90) < 30, np.arange(90) % 3, -1)
    monkeypatch.setattr(csr_array, "toarray", refuse)
    model = MixtureClassifier("von_mises_fisher", components_per_class=2, random_state=0).fit(x, y)
    assert model.predict(x).shape == (90,)


def test_points_are_directions(rng):
    x = rng.normal(size=(100, 60)) + 4 * np.eye(2, 60)[np.arange(100) % 2]
    family = VonMisesFisher()
    few = fit_prior(family, x[:, :5], np.ones(100), None)
    np.testing.assert_allclose(
        family.points(few, x[:, :5]), x[:, :5] / np.linalg.norm(x[:, :5], axis=1)[:, None]
    )
    many = fit_prior(family, x, np.ones(100), None)
    points = family.points(many, x)
    assert points.shape == (100, 32)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0)


def test_a_saved_model_predicts_the_same(rng, tmp_path):
    x = rng.normal(size=(60, 4)) + np.eye(2, 4)[np.arange(60) % 2]
    model = MixtureClassifier("von_mises_fisher").fit(x, np.arange(60) % 2)
    save(model, tmp_path / "model.semigen")
    np.testing.assert_array_equal(load(tmp_path / "model.semigen").predict_proba(x), model.predict_proba(x))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0], [2.0]]), "two columns or more"),
        (np.zeros((3, 4)), "every value is 0"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), "a missing value"),
        (np.array([[1.0, 2.0], [np.inf, 1.0]]), "infinite values"),
        (np.array([[1.0, 2.0], [1e160, 1.0]]), "above 1e150"),
    ],
)
def test_rows_that_are_no_directions_are_refused(x, message):
    with pytest.raises(ColumnError, match=message):
        fit_prior(VonMisesFisher(), x, np.ones(len(x)), None)
