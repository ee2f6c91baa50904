"""What each deep model minimizes, by hand."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

torch = pytest.importorskip("torch")

from semigen.deep import VAEClassifier  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.deep.data.rows import Batch, rows_to_predict  # noqa: E402
from semigen.deep.flow.model import FlowArchitecture  # noqa: E402
from semigen.deep.gan.model import GANArchitecture  # noqa: E402
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder  # noqa: E402

N_LABELED, N_UNLABELED = 5, 7
PRIOR = np.array([0.5, 0.3, 0.2])
WARM = 10  # steps
STEPS = {0: 0.0, 4: 0.4, 10: 1.0, 25: 1.0}
"""Steps, and how much of the warm-up is over."""


def problem(rng, missing=True):
    """A table of two columns, and a batch of labeled and unlabeled rows with weights of their own."""
    matrix = rng.normal(3, 2, size=(N_LABELED + N_UNLABELED, 2))
    if missing:
        matrix[rng.random(matrix.shape) < 0.2] = np.nan
    table, matrix = tables.learn(matrix, "gaussian")
    x, mask = table.tensors(matrix)
    rows = rows_to_predict(x, mask.expand_as(x))
    rows = rows._replace(
        y=torch.arange(len(x)) % 3, weight=torch.from_numpy(rng.uniform(0.5, 2, size=len(x)))
    )
    return table, Batch(rows.take(slice(N_LABELED)), rows.take(slice(N_LABELED, None)))


def mean(values, weight):
    return np.average(np.asarray(values, dtype=float), weights=np.asarray(weight))


# M1 and M2


def vae(table, log_prior, **options):
    torch.manual_seed(1)
    shape = {"n_latent": 2, "hidden": (6,), "network": "mlp", "image_shape": None, "warmup_steps": WARM}
    return VAEArchitecture(table, **shape, log_prior=log_prior, **options).build().double().eval()


def parts_by_hand(model, rows, i, y, noise):
    """Log p(x | y, z) and the KL divergence of row i, for the z of this noise, column by column."""
    row = rows.take(slice(i, i + 1))
    y = None if y is None else torch.tensor([y])
    center, log_sd = model.encoder(model.inputs(row.x, row.mask), y)
    outputs = model.decoder(center + log_sd.exp() * noise, y)[0]
    log_px, kl = 0.0, 0.0
    for j in range(2):
        if row.mask[0, j]:
            log_px += norm.logpdf(row.x[0, j], outputs[j], model.likelihood.sd[j])
    for m, s in zip(center[0].tolist(), log_sd[0].exp().tolist(), strict=True):
        kl += 0.5 * (m**2 + s**2 - 1) - np.log(s)
    return log_px, kl


@pytest.mark.parametrize(("step", "warm"), STEPS.items())
def test_m1_lowers_its_bound_by_hand(rng, step, warm):
    table, batch = problem(rng)
    model, rows = vae(table, np.empty(0)), batch.unlabeled
    with torch.no_grad():
        torch.manual_seed(0)
        noise = torch.randn(N_UNLABELED, 2, dtype=torch.float64)
        found = [parts_by_hand(model, rows, i, None, noise[i]) for i in range(N_UNLABELED)]
        torch.manual_seed(0)
        loss = model.loss(batch, step, "bound").loss
    assert float(loss) == pytest.approx(-mean([a - warm * b for a, b in found], rows.weight))


@pytest.mark.parametrize("top_k", [None, 2, 9])
@pytest.mark.parametrize(("step", "warm"), STEPS.items())
def test_m2_lowers_its_bounds_and_the_cross_entropy_by_hand(rng, step, warm, top_k):
    table, batch = problem(rng)
    model = vae(table, np.log(PRIOR), labeled_share=0.3, alpha=2.5, top_k=top_k)
    labeled, unlabeled = batch

    def log_q(rows, i):
        seen = model.inputs(rows.x[i : i + 1], rows.mask[i : i + 1])
        logits = model.classifier(seen)[0].numpy()
        return logits - logsumexp(logits)

    def bound(rows, i, y, noise):
        log_px, kl = parts_by_hand(model, rows, i, y, noise)
        return log_px + np.log(PRIOR[y]) - warm * kl

    with torch.no_grad():
        torch.manual_seed(0)
        known = torch.randn(N_LABELED, 2, dtype=torch.float64)
        unknown = torch.randn(min(top_k or 3, 3), N_UNLABELED, 2, dtype=torch.float64)
        codes = labeled.y.tolist()
        first = [bound(labeled, i, y, known[i]) for i, y in enumerate(codes)]
        cross_entropy = [-log_q(labeled, i)[y] for i, y in enumerate(codes)]
        second, kl, spread = [], [], []
        for i in range(N_UNLABELED):
            logs = log_q(unlabeled, i)
            kept = np.argsort(-logs)[:2] if top_k == 2 else np.arange(3)
            logs = logs[kept] - logsumexp(logs[kept])
            each = [bound(unlabeled, i, y, unknown[k, i]) for k, y in enumerate(kept)]
            second.append(sum(np.exp(q) * (one - q) for q, one in zip(logs, each, strict=True)))
            kls = [parts_by_hand(model, unlabeled, i, y, unknown[k, i])[1] for k, y in enumerate(kept)]
            kl.append(np.exp(logs) @ kls)
            spread.append(-np.exp(logs) @ logs)
        torch.manual_seed(0)
        loss, parts = model.loss(batch, step, "bound")
    wanted = 2.5 * mean(cross_entropy, labeled.weight)
    wanted -= 0.3 * mean(first, labeled.weight) + 0.7 * mean(second, unlabeled.weight)
    assert float(loss) == pytest.approx(wanted, rel=1e-6)  # log p(y) is kept in float32
    np.testing.assert_allclose(parts["kl"], kl)
    np.testing.assert_allclose(parts["entropy"], spread)


def test_uncertain_values_are_drawn_in_training_alone(rng):
    table, batch = problem(rng, missing=False)
    model = vae(table, np.log(PRIOR))
    one = batch.labeled.take(slice(0, 1))
    many = one._replace(x=one.x.repeat(4000, 1), sd=torch.tensor([[0.5, 2.0]]).double().repeat(4000, 1))
    many = many._replace(mask=one.mask.repeat(4000, 1))
    assert model.observe(many)[0] is many.x
    model.train()
    torch.manual_seed(0)
    drawn, seen = model.observe(many)
    torch.testing.assert_close(drawn.std(dim=0), many.sd[0], rtol=0.06, atol=0)
    torch.testing.assert_close(drawn.mean(dim=0), one.x[0], atol=0.1, rtol=0)
    torch.testing.assert_close(seen, model.inputs(drawn, many.mask))
    assert model.observe(one)[0] is one.x  # exact values


@pytest.mark.parametrize("prior", [np.empty(0), PRIOR])
def test_importance_weights_by_hand(rng, prior):
    """p(x, z) / q(z | x) for one z, and with classes the sum over y of p(x, y, z_y) / q(z_y | x, y)."""
    table, batch = problem(rng)
    model, rows = vae(table, np.log(prior)), batch.unlabeled
    noise = torch.randn(2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = model.log_weights(rows, noise)
        for i in range(N_UNLABELED):
            for s in range(2):
                terms = []
                for y in range(len(prior)) if len(prior) else [None]:
                    row, code = rows.take(slice(i, i + 1)), None if y is None else torch.tensor([y])
                    center, log_sd = (one[0] for one in model.encoder(model.inputs(*row[:2]), code))
                    z = center + log_sd.exp() * noise[s]
                    log_px, _ = parts_by_hand(model, rows, i, y, noise[s])
                    log_ratio = norm.logpdf(z).sum() - norm.logpdf(z, center, log_sd.exp()).sum()
                    terms.append(log_px + log_ratio + (0 if y is None else np.log(prior[y])))
                assert float(found[s, i]) == pytest.approx(logsumexp(terms), rel=1e-6)


def test_importance_weights_have_the_mean_of_quadrature(rng):
    """p(x) = Σ_y p(y) ∫ p(x | y, z) N(z; 0, 1) dz of one latent, which Gauss and Hermite integrate."""
    X = 10 * rng.normal(size=(20, 2)) + 50
    y = np.where(np.arange(20) < 8, np.arange(20) % 2, -1)
    fitted = VAEClassifier(
        n_latent=1,
        hidden=5,
        n_steps=5,
        learning_rate=0.05,
        class_prior=[0.8, 0.2],
        unlabeled_weight=1.0,
        calibrate=1.0,
        random_state=0,
    ).fit(X, y)
    model, table = fitted.networks_.models[0], fitted.networks_.architecture.table
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = torch.from_numpy(nodes)[:, None]
    exact = np.zeros(20)
    for k, share in enumerate(fitted.class_prior_):
        center = model.decoder(z, torch.full((60,), k)).numpy() * table.scale + table.center
        sd = model.likelihood.sd.numpy() * table.scale
        density = norm.pdf(X[:, None], center, sd).prod(axis=2)
        exact += share * density @ (weights / weights.sum())
    found = fitted.log_density(X, n_samples=500)
    assert (np.abs(found.value - np.log(exact)) < 5 * found.standard_error).all()
    assert found.standard_error.max() < 0.3
    one = fitted.log_density(X, n_samples=1)  # a bound, whose error one draw says nothing of
    assert np.isfinite(one.value).all()
    assert np.isnan(one.standard_error).all()


def test_a_decoder_starts_at_the_columns(rng):
    table, batch = problem(rng)
    model = vae(table, np.empty(0))
    start_decoder(model, batch.unlabeled)
    torch.testing.assert_close(
        model.decoder.body[-1].bias.detach(), model.likelihood.start(*batch.unlabeled[:2])
    )


# The flow


def flow(table, alpha=2.5):
    torch.manual_seed(1)
    return (
        FlowArchitecture(
            table,
            np.log(PRIOR),
            spread=np.array([0.5, 0.0]),
            width=np.array([0.0, 2.0]),
            n_components=2,
            n_transforms=2,
            bins=4,
            hidden=(5,),
            least_sd=0.1,
            labeled_share=0.3,
            alpha=alpha,
            warmup_steps=WARM,
        )
        .build()
        .double()
        .eval()
    )


@pytest.mark.parametrize(("step", "warm"), STEPS.items())
def test_a_flow_lowers_its_likelihood_and_the_cross_entropy_by_hand(rng, step, warm):
    """At first an unlabeled row counts with the class that it starts with, if any, at last with all."""
    table, batch = problem(rng, missing=False)
    batch.unlabeled.y[0] = -1
    model = flow(table)
    with torch.no_grad():
        model.mean.normal_()
        first, joint = (model.log_joint(rows.x).numpy() for rows in batch)
        loss, parts = model.loss(batch, step, "bound")
    y, started = batch.labeled.y.numpy(), batch.unlabeled.y.numpy()
    own = first[y, np.arange(N_LABELED)]
    density = logsumexp(joint, axis=0)
    bound = warm * density + (1 - warm) * joint[started, np.arange(N_UNLABELED)]
    bound[0] = density[0]
    wanted = 2.5 * mean(logsumexp(first, axis=0) - own, batch.labeled.weight)
    wanted -= 0.3 * mean(own, batch.labeled.weight) + 0.7 * mean(bound, batch.unlabeled.weight)
    assert float(loss) == pytest.approx(wanted)
    probs = np.exp(joint - density)
    np.testing.assert_allclose(parts["entropy"], -(probs * (joint - density)).sum(axis=0))
    np.testing.assert_allclose(parts["log_density"], density)


def test_a_flow_sees_blurred_values_in_training_alone(rng):
    table, batch = problem(rng, missing=False)
    model = flow(table).train()
    one = batch.labeled.take(slice(0, 1))
    many = one._replace(x=one.x.repeat(4000, 1), y=one.y.repeat(4000), weight=one.weight.repeat(4000))
    seen = []
    original = model.log_joint
    model.log_joint = lambda x: seen.append(x) or original(x)
    torch.manual_seed(0)
    model.loss(Batch(many, one.take(slice(0))), 0, "bound")
    model.eval()
    model.loss(batch, 0, "bound")
    noise = seen[0] - one.x
    torch.testing.assert_close(noise[:, 0].std(), torch.tensor(0.5).double(), rtol=0.06, atol=0)
    assert noise[:, 0].abs().max() > 1
    low, high = noise[:, 1].aminmax()
    assert (float(low), float(high)) == pytest.approx((-1, 1), abs=0.02)  # uniform, as wide as one unit
    assert float(noise[:, 1].square().mean()) == pytest.approx(1 / 3, rel=0.06)
    assert torch.equal(seen[1], torch.cat([batch.labeled.x, batch.unlabeled.x]))


# The GAN


def gan(table, **options):
    torch.manual_seed(1)
    weights = {"alpha": 2.5, "entropy_weight": 0.0, "pull_away_weight": 0.0, **options}
    shape = {"hidden": (6, 4), "generator_hidden": (5,), "n_latent": 3, "n_generated": 8}
    noise = {"input_noise": 0.3, "hidden_noise": 0.5}
    return (
        GANArchitecture(table, (False, False), np.zeros(3), **shape, **noise, **weights)
        .build()
        .double()
        .eval()
    )


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_discriminator_lowers_the_losses_of_k_plus_1_classes_by_hand(rng, weight):
    table, batch = problem(rng)
    model = gan(table, entropy_weight=weight)

    def probabilities(seen):
        logits = model.discriminator(seen)[0].numpy()
        return np.exp(logits - np.logaddexp(0, logsumexp(logits, axis=1, keepdims=True)))  # the last is 0

    with torch.no_grad():
        torch.manual_seed(0)
        made = probabilities(model.generated()).sum(axis=1)
        assert len(made) == 8
        known, real = (probabilities(model.inputs(rows.x, rows.mask)) for rows in batch)
        torch.manual_seed(0)
        loss = model.loss(batch, 0, "discriminator").loss
    own = known[np.arange(N_LABELED), batch.labeled.y] / known.sum(axis=1)
    within = real / real.sum(axis=1, keepdims=True)
    wanted = 2.5 * mean(-np.log(own), batch.labeled.weight)
    wanted += 0.5 * mean(-np.log(real.sum(axis=1)), batch.unlabeled.weight)
    wanted += 0.5 * np.mean(-np.log(1 - made))
    wanted += weight * mean(-(within * np.log(within)).sum(axis=1), batch.unlabeled.weight)
    assert float(loss) == pytest.approx(wanted)


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_generator_matches_mean_features_by_hand(rng, weight):
    """‖mean of the last hidden layer of real rows − of generated rows‖² / F, and how alike these are."""
    table, batch = problem(rng)
    model = gan(table, pull_away_weight=weight)
    rows = batch.unlabeled
    with torch.no_grad():
        torch.manual_seed(0)
        made = model.discriminator(model.generated())[1].numpy()
        real = model.discriminator(model.inputs(rows.x, rows.mask))[1].numpy()
        torch.manual_seed(0)
        loss = model.loss(batch, 0, "generator").loss
    real = np.average(real, axis=0, weights=rows.weight)
    wanted = np.mean((real - made.mean(axis=0)) ** 2)
    unit = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    alike = [(unit[i] @ unit[j]) ** 2 for i in range(8) for j in range(8) if i != j]
    assert float(loss) == pytest.approx(wanted + weight * np.mean(alike))
    assert wanted > 0.001


def test_each_player_moves_its_own_network(rng):
    table, batch = problem(rng)
    model = gan(table, entropy_weight=0.1, pull_away_weight=0.1)
    for objective, (prefix,) in model.objectives.items():
        model.zero_grad(set_to_none=True)
        model.loss(batch, 0, objective).loss.backward()
        own = [value.grad for name, value in model.named_parameters() if name.startswith(prefix)]
        assert any(one is not None and one.abs().sum() > 0 for one in own)
    model.zero_grad(set_to_none=True)
    model.loss(batch, 0, "discriminator").loss.backward()
    assert all(value.grad is None for value in model.generator.parameters())
