"""β, free bits, VampPrior, auxiliary models (ADGM, SDGM): what they change in M1 and M2, and what not."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from semigen.deep import VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.bounds import importance_weighted_bound  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.deep.data.rows import Batch, rows_to_predict  # noqa: E402
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder  # noqa: E402
from semigen.deep.vae.features import TABLE_BETA  # noqa: E402
from semigen.exceptions import ParameterError  # noqa: E402

PRIOR = np.array([0.7, 0.3])
FEW = {"n_latent": 2, "hidden": 8, "n_steps": 30, "learning_rate": 0.02, "device": "cpu", "random_state": 0}


@pytest.fixture
def table(rng):
    """A table, and rows of it."""
    learned, matrix = tables.learn(rng.normal(3, 2, size=(12, 2)), "gaussian")
    x, mask = learned.tensors(matrix)
    return learned, rows_to_predict(x, mask)._replace(y=torch.arange(12) % 2)


def model_of(learned, log_prior=PRIOR, **options):
    torch.manual_seed(1)
    shape = {"n_latent": 2, "hidden": (6,), "network": "mlp", "image_shape": None}
    with_prior = {"log_prior": np.log(log_prior), "labeled_share": 0.4, "alpha": 1.0}
    return VAEArchitecture(learned, **{**shape, **with_prior, **options}).build().double().eval()


def loss_of(model, rows, step=0):
    torch.manual_seed(2)
    with torch.no_grad():
        return model.loss(Batch(rows.take(slice(5)), rows.take(slice(5, None))), step, "bound")


@pytest.fixture
def numbers(rng):
    X = rng.normal(size=(120, 3)) + np.repeat([[0.0], [3.0]], 60, axis=0)
    return X, np.where(np.arange(120) % 6 == 0, np.arange(120) // 60, -1)


def test_beta_weighs_the_divergence_and_warms_up(table):
    learned, rows = table
    one, half = (model_of(learned, beta=beta, warmup_steps=4) for beta in (1.0, 0.5))
    torch.testing.assert_close(loss_of(half, rows, 4).loss, loss_of(one, rows, 2).loss)
    assert loss_of(one, rows, 4).loss != loss_of(half, rows, 4).loss


@pytest.mark.filterwarnings("ignore:all 2 latents have collapsed")
def test_gray_values_weigh_the_divergence_by_their_dispersion(rng):
    """Values that vary r times as much as draws of black and white are r times as noisy as these."""
    X = (rng.random((400, 3)) < [0.2, 0.5, 0.7]) * rng.uniform(0.7, 1.0, size=(400, 3))
    X[:, 2] = 0.0  # a constant column says nothing
    wanted = X.var(axis=0).sum() / np.sum(X.mean(axis=0) * (1 - X.mean(axis=0)))
    assert 0.4 < wanted < 0.95
    model, named = (VAEFeatures(**FEW, likelihood=one).fit(X) for one in ("auto", "bernoulli"))
    numbers = VAEFeatures(**FEW).fit(2 * X)
    assert model.networks_.architecture.beta == pytest.approx(wanted)
    assert named.networks_.architecture.beta == model.networks_.architecture.beta
    assert numbers.networks_.architecture.beta == TABLE_BETA
    image = VAEFeatures(**FEW, image_shape=(1, 3)).fit(2 * X)
    assert image.networks_.architecture.beta == 1.0
    classifier = VAEClassifier(**FEW, unlabeled_weight=1.0, calibrate=1.0).fit(2 * X, np.arange(400) % 3 - 1)
    assert classifier.networks_.architecture.beta == 1.0
    flags = VAEFeatures(**FEW, likelihood="bernoulli").fit((X > 0).astype(float))
    assert flags.networks_.architecture.beta == pytest.approx(1.0)
    with pytest.raises(ParameterError, match=r"beta='much'.*'auto' or a number"):
        VAEFeatures(beta="much").fit(X)


def test_free_bits_cost_nothing_per_latent(table):
    """Divergences below count as this much: with none below nothing changes, with all they are constant."""
    learned, rows = table
    plain, bits, many = (model_of(learned, free_bits=free) for free in (0.0, 1e-9, 50.0))
    assert loss_of(plain, rows).loss == loss_of(bits, rows).loss
    assert (loss_of(many, rows).parts["kl"] == 100.0).all()
    assert loss_of(many, rows).loss > loss_of(plain, rows).loss
    mean, log_sd = plain.encoder(plain.look(rows), rows.y)
    each = 0.5 * (mean**2 + (2 * log_sd).exp() - 1) - log_sd
    level = float(each.detach().median())
    found = model_of(learned, free_bits=level).divergence(mean, mean, log_sd)
    torch.testing.assert_close(found, each.clamp(min=level).sum(dim=-1))


@pytest.mark.parametrize("log_prior", [np.empty(0), PRIOR])
def test_a_vamp_prior_is_the_mixture_of_the_posteriors_of_its_inputs(table, log_prior):
    learned, rows = table
    model = model_of(learned, log_prior, n_pseudo_inputs=3)
    start_decoder(model, rows)
    encoder, prior = model.encoder, model.prior
    assert all((prior.inputs[c] == model.look(rows)).all(dim=1).any() for c in range(3))
    shares = log_prior if len(log_prior) else [1.0]
    z = torch.randn(4, 2, dtype=torch.float64)
    wanted, points = [], []
    for k, share in enumerate(shares):
        y = torch.full((3,), k) if len(log_prior) else None
        mean, log_sd = (one.detach().numpy() for one in encoder(prior.inputs, y))
        for c in range(3):
            wanted.append(np.log(share / 3) + norm.logpdf(z, mean[c], np.exp(log_sd[c])).sum(axis=1))
            points.append((share / 3, mean[c], np.exp(log_sd[c])))
    np.testing.assert_allclose(prior.log_prob(z, encoder).detach(), logsumexp(wanted, axis=0))
    center = sum(weight * mean for weight, mean, _ in points)
    variance = sum(weight * ((mean - center) ** 2 + sd**2) for weight, mean, sd in points)
    found = prior.moments(encoder)
    np.testing.assert_allclose(found[0].detach(), center)
    np.testing.assert_allclose(found[1].detach(), np.sqrt(variance))
    torch.manual_seed(0)
    drawn = prior.sample(40_000, encoder).detach()
    np.testing.assert_allclose(drawn.mean(dim=0), center, atol=0.03)
    np.testing.assert_allclose(drawn.std(dim=0), np.sqrt(variance), rtol=0.03)


def test_with_one_pseudo_input_that_is_standard_normal_the_prior_is_the_gaussian(table):
    """The head of the encoder gives mean 0 and sd 1 for every row: then both priors are N(0, I)."""
    learned, rows = table
    plain, vamp = model_of(learned, np.empty(0)), model_of(learned, np.empty(0), n_pseudo_inputs=1)
    for model in (plain, vamp):
        for value in model.encoder.head.parameters():
            torch.nn.init.zeros_(value)
    vamp.load_state_dict({**vamp.state_dict(), **plain.state_dict()})
    noise = torch.randn(5, 2, dtype=torch.float64)
    torch.testing.assert_close(vamp.log_weights(rows, noise), plain.log_weights(rows, noise))
    torch.testing.assert_close(loss_of(vamp, rows).loss, loss_of(plain, rows).loss)
    for own, other in zip(vamp.prior_moments(), plain.prior_moments(), strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize(
    "options", [{"n_pseudo_inputs": 3}, {"n_auxiliary": 2}, {"n_auxiliary": 1, "top_k": 1}]
)
def test_densities_have_the_mean_of_quadrature(numbers, options):
    """Of the auxiliary model p(x) is that of M2: Σ_y p(y) ∫ p(x | y, z) p(z) dz of one latent."""
    X, y = numbers
    fitted = VAEClassifier(**{**FEW, **options, "n_latent": 1, "n_steps": 40}).fit(X, y)
    model, table = fitted.networks_.models[0], fitted.networks_.architecture.table
    z = torch.linspace(-9.0, 9.0, 4001, dtype=torch.float64)[:, None]
    log_pz = norm.logpdf(z[:, 0])
    if model.prior is not None:
        log_pz = model.prior.log_prob(z, model.encoder).numpy()
    exact = []
    for k, share in enumerate(fitted.class_prior_):
        center = model.decoder(z, torch.full((len(z),), k)).numpy() * table.scale + table.center
        sd = model.likelihood.sd.numpy() * table.scale
        log_px = norm.logpdf(X[:9, None], center, sd).sum(axis=2)
        exact.append(np.log(share) + logsumexp(log_px + log_pz + np.log(18 / 4000), axis=1))
    exact = logsumexp(exact, axis=0)
    found = fitted.log_density(X[:9], n_samples=2000)
    assert (np.abs(found.value - exact) < 4 * found.standard_error + 1e-3).all()
    assert found.standard_error.max() < 0.3


@pytest.mark.parametrize("skip", [False, True])
def test_densities_of_the_auxiliary_model_are_those_of_quadrature(table, skip):
    """p(x) = Σ_y p(y) ∫∫ p(x | a, y, z) p(a | y, z) p(z) da dz, where p(a | …) and q(a | x) differ much."""
    learned, rows = table
    model = model_of(learned, n_auxiliary=1, n_latent=1, skip=skip)
    with torch.no_grad():
        for part in (model.auxiliary.head, model.posterior.head, model.decoder.first):
            part.weight.mul_(1.5)
        model.posterior.head.bias.copy_(torch.tensor([1.2, -0.3]))
        model.encoder.head.bias.copy_(torch.tensor([0.0, 0.3]))  # q(z | …) covers the posterior
        log_w = model.log_weights(rows, torch.randn(4000, model.n_noise, dtype=torch.float64))
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    z, of_a = (torch.from_numpy(one.ravel()[:, None]) for one in np.meshgrid(node, node))
    log_weight = np.log(np.outer(weight, weight).ravel() / (2 * np.pi))
    exact, mean = [], 0.0
    for k, share in enumerate(PRIOR):
        y = torch.full((len(z),), k)
        with torch.no_grad():
            seen = model.to_decode(z, y, lambda *_, **__: of_a)
            if skip:
                center, log_sd = model.posterior(None, z, y)
                torch.testing.assert_close(seen, torch.cat([z, center + log_sd.exp() * of_a], dim=1))
            x = model.decoder(seen, y).numpy()
        log_px = norm.logpdf(rows.x.numpy()[:, None], x, model.likelihood.sd.detach()).sum(axis=2)
        exact.append(np.log(share) + logsumexp(log_px + log_weight, axis=1))
        mean = mean + share * np.exp(log_weight) @ x
    found = importance_weighted_bound(log_w).numpy()
    off = np.abs(found - logsumexp(exact, axis=0))[rows.x.abs().amax(dim=1) < 1.5]  # q misses the others
    assert (off < 0.1).all()
    with torch.no_grad():
        drawn = model.sample(20_000, torch.multinomial(torch.tensor(PRIOR), 20_000, replacement=True))
    np.testing.assert_allclose(drawn.mean(dim=0), mean, atol=0.05)


@pytest.mark.parametrize("skip", [False, True])
def test_the_bound_of_the_auxiliary_model_is_one(table, skip):
    """Its mean over draws is below the importance-weighted estimate of many."""
    learned, rows = table
    model = model_of(learned, n_auxiliary=2, skip=skip)
    unlabeled = Batch(rows.take(slice(0)), rows)
    torch.manual_seed(3)
    with torch.no_grad():
        bounds = torch.stack([model.loss(unlabeled, 0, "bound").parts["unlabeled_bound"] for _ in range(400)])
        log_w = model.log_weights(rows, torch.randn(4000, model.n_noise, dtype=torch.float64))
    estimate = log_w.logsumexp(dim=0) - np.log(4000)
    assert (bounds.mean(dim=0) < estimate).all()
    one = model.log_weights(rows, torch.zeros(1, model.n_noise, dtype=torch.float64))
    assert one.shape == (1, 12)


@pytest.mark.parametrize(
    "options",
    [
        {"beta": 0.5, "free_bits": 0.1},
        {"n_pseudo_inputs": 4, "n_members": 2},
        {"n_auxiliary": 3, "n_members": 2},
        {"n_auxiliary": 2, "skip": True},
    ],
)
def test_they_learn_and_can_be_saved(numbers, options, tmp_path):
    X, y = numbers
    model = VAEClassifier(**{**FEW, **options, "n_steps": 60}).fit(X, y)
    assert model.score(X, np.arange(120) // 60) > 0.9
    semigen.save(model, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.score_samples(X[:5]), model.score_samples(X[:5]))
    assert model.sample(5, random_state=0)[0].shape == (5, 3)
    assert model.transfer(X[:4], 1).shape == (4, 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_features_under_a_vamp_prior(numbers):
    X, _ = numbers
    model = VAEFeatures(**{**FEW, "n_pseudo_inputs": 5}).fit(X)
    assert np.isfinite(model.kl_).all()
    assert model.inverse_transform(model.transform(X[:3])).shape == (3, 3)
    assert model.draw(model.transform(X[:3]), random_state=0).shape == (3, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"free_bits": 0.1, "n_pseudo_inputs": 3}, "Use one of them"),
        ({"n_auxiliary": 2, "network": "conv", "image_shape": (4, 4)}, "n_auxiliary needs network='mlp'"),
        ({"skip": True}, "skip=True: use True, with n_auxiliary"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"free_bits": -1.0}, "free_bits=-1.0"),
    ],
)
def test_what_does_not_go_together_is_refused(numbers, options, message):
    X, y = numbers
    with pytest.raises(ParameterError, match=message):
        VAEClassifier(**{**FEW, **options}).fit(X, y)
