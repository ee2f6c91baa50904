"""What each deep model lowers: by hand, and with the parameters that its estimator was given."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

torch = pytest.importorskip("torch")

from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.deep.data.labels import class_prior, split_rows  # noqa: E402
from semigen.deep.data.rows import Batch, hold_out, rows_to_predict  # noqa: E402
from semigen.deep.flow.model import FlowArchitecture  # noqa: E402
from semigen.deep.gan.model import GANArchitecture  # noqa: E402
from semigen.deep.uncertainty import disagreement, entropy  # noqa: E402
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder  # noqa: E402
from semigen.exceptions import LabelError, ParameterError  # noqa: E402

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
        n_latent=1, hidden=5, n_steps=5, learning_rate=0.05, class_prior=[0.8, 0.2], random_state=0
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
    """At first an unlabeled row counts with the class that it starts with, at last with all of them."""
    table, batch = problem(rng, missing=False)
    model = flow(table)
    with torch.no_grad():
        model.mean.normal_()
        first, joint = (model.log_joint(rows.x).numpy() for rows in batch)
        loss = model.loss(batch, step, "bound").loss
    y, started = batch.labeled.y.numpy(), batch.unlabeled.y.numpy()
    own = first[y, np.arange(N_LABELED)]
    density = logsumexp(joint, axis=0)
    bound = warm * density + (1 - warm) * joint[started, np.arange(N_UNLABELED)]
    wanted = 2.5 * mean(logsumexp(first, axis=0) - own, batch.labeled.weight)
    wanted -= 0.3 * mean(own, batch.labeled.weight) + 0.7 * mean(bound, batch.unlabeled.weight)
    assert float(loss) == pytest.approx(wanted)


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


# Estimators


class HandedOverError(Exception):
    """What an estimator gave to the trainer."""


@pytest.fixture
def handed_over(monkeypatch):
    """The model and the batch of all rows that an estimator gives to the trainer."""

    def stop(models, streams, training, **options):
        raise HandedOverError(models[0], next(streams.batches(0)))

    monkeypatch.setattr("semigen.deep.estimator.train", stop)

    def find(estimator, *data):
        with pytest.raises(HandedOverError) as found:
            estimator.set_params(batch_size=100, device="cpu", random_state=0).fit(*data)
        model, batch = found.value.args
        return model.double().eval(), Batch(
            *(
                rows._replace(x=rows.x.double(), mask=rows.mask.double(), weight=rows.weight.double())
                for rows in (part.take(0) for part in batch)
            )
        )

    return find


X = np.random.default_rng(3).normal(size=(30, 2))
KNOWN = np.arange(30) < 12
Y = np.where(KNOWN, np.arange(30) % 2, -1)
WEIGHT = np.random.default_rng(4).uniform(0.5, 2, size=30)


def objective(lam, alpha, bound, unlabeled, cross_entropy):
    """The objective in the docstrings: Σ over labeled rows and λ Σ over others per weight, less α · mean."""
    w, u = WEIGHT[KNOWN], lam * WEIGHT[~KNOWN]
    total = (w @ bound + (u @ unlabeled if lam else 0.0)) / (w.sum() + u.sum())
    return total - alpha * mean(cross_entropy, w)


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (VAEClassifier, ("labeled_bound", "unlabeled_bound")),
        (FlowMixtureClassifier, ("log_joint", "log_density")),
    ],
)
def test_unlabeled_rows_count_lambda(handed_over, make, names, lam, alpha):
    model, batch = handed_over(make(unlabeled_weight=lam, alpha=alpha, hidden=4), X, Y, WEIGHT)
    with torch.no_grad():
        loss, parts = model.loss(batch, 10**6, "bound")
    of_labeled, of_unlabeled = (parts[name].numpy() if name in parts else None for name in names)
    wanted = objective(lam, alpha, of_labeled, of_unlabeled, parts["cross_entropy"].numpy())
    assert float(loss) == pytest.approx(-wanted, rel=1e-6)
    assert len(batch.unlabeled.x) == (18 if lam else 0)


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_unlabeled_rows_of_a_gan_are_real_and_count_lambda(handed_over, lam, alpha):
    options = {"hidden": 4, "generator_hidden": 4, "entropy_weight": 0.2}
    model, batch = handed_over(GANClassifier(unlabeled_weight=lam, alpha=alpha, **options), X, Y, WEIGHT)
    with torch.no_grad():
        loss, parts = model.loss(batch, 0, "discriminator")
    parts = {name: value.numpy() for name, value in parts.items()}
    weight = np.concatenate([WEIGHT[KNOWN], lam * WEIGHT[~KNOWN] if lam else np.empty(0)])
    wanted = alpha * mean(parts["cross_entropy"], WEIGHT[KNOWN])
    wanted += 0.5 * (mean(parts["real"], weight) + parts["generated"].mean())
    wanted += 0.2 * mean(parts["entropy"], weight)
    assert float(loss) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("make", [VAEFeatures, VAEClassifier, FlowMixtureClassifier])
def test_the_warm_up_lasts_as_long_as_it_is_said(handed_over, make):
    data = (X,) if make is VAEFeatures else (X, Y)
    model, batch = handed_over(make(hidden=4, warmup_steps=WARM), *data)
    losses = []
    for step in (0, WARM // 2, WARM - 1, WARM, WARM + 1):
        torch.manual_seed(0)
        losses.append(model.loss(batch, step, "bound").loss.item())
    first, half, before, end, after = losses
    assert half == pytest.approx((first + end) / 2)
    assert before != end
    assert end == after
    if make is FlowMixtureClassifier:
        alone, batch = handed_over(make(hidden=4, warmup_steps=WARM, start="labels"), *data)
        starts = [alone.loss(batch, step, "bound").loss.item() for step in (0, WARM)]
        assert starts[0] == starts[1]


@pytest.mark.parametrize("make", [VAEClassifier, FlowMixtureClassifier])
def test_the_class_prior_is_the_one_that_is_asked_for(handed_over, make):
    model, _ = handed_over(make(hidden=4, class_prior=[0.9, 0.1]), X, Y)
    np.testing.assert_allclose(model.log_prior.exp().numpy(), [0.9, 0.1], rtol=1e-6)


# Labels, classes, members


def test_rows_are_split_into_labeled_and_unlabeled_ones_that_count():
    soft = np.array([[0.9, 0.1], [np.nan, np.nan], [1.0, 1.0], [0.0, 1.0], [np.nan, np.nan], [1.0, 0.0]])
    weight = np.array([2.0, 3.0, 1.0, 0.0, 0.0, 4.0])
    split = split_rows(6, soft, weight, None, 0.5)
    repeated = dict.fromkeys(zip(split.labeled.tolist(), split.code.tolist(), strict=True))
    for (row, k), own in zip(repeated, split.weight, strict=True):
        repeated[row, k] = own
    assert repeated == pytest.approx({(0, 0): 1.8, (0, 1): 0.2, (5, 0): 4.0})
    assert split.unlabeled.tolist() == [1, 2]
    assert split.unlabeled_weight.tolist() == [3.0, 1.0]
    assert split.labeled_share == pytest.approx(6 / (6 + 0.5 * 4))
    assert split_rows(6, soft, weight, None, 0.0).labeled_share == 1
    prior = class_prior("labeled", split)
    np.testing.assert_allclose(prior, np.array([1.8 + 4.0 + 1.0, 0.2 + 1.0]) / 8)
    np.testing.assert_array_equal(class_prior("uniform", split), [0.5, 0.5])
    for wrong in ([0.5, 0.4], [1.0, 0.0], [0.2, 0.3, 0.5], "flat"):
        with pytest.raises(ParameterError, match="class_prior"):
            class_prior(wrong, split)
    with pytest.raises(LabelError, match="every labeled row has sample_weight 0"):
        split_rows(6, soft, np.array([0.0, 1, 1, 0, 1, 0]), None, 1.0)


def test_a_tenth_of_the_unlabeled_rows_is_held_out(rng):
    _, batch = problem(rng)
    many = batch.unlabeled.take(torch.arange(N_UNLABELED).repeat(5))
    many = many._replace(y=torch.arange(35))  # their numbers
    kept, held = hold_out(batch.labeled, many, seed=3)
    assert len(held.unlabeled.x) == 3
    assert len(held.labeled.x) == 0
    assert sorted([*kept.y.tolist(), *held.unlabeled.y.tolist()]) == list(range(35))
    assert kept.y.tolist() == sorted(kept.y.tolist())
    assert hold_out(batch.labeled, many, seed=4)[1].unlabeled.y.tolist() != held.unlabeled.y.tolist()
    assert len(hold_out(batch.labeled, many.take(slice(2)), seed=3)[1].unlabeled.x) == 1
    with pytest.raises(ParameterError, match=r"there are 1 unlabeled row\(s\)"):
        hold_out(batch.labeled, many.take(slice(1)), seed=3)


def test_members_disagree_by_the_mutual_information_of_member_and_class():
    probs = np.array([[[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]], [[0.1, 0.9], [0.5, 0.5], [0.0, 1.0]]])
    np.testing.assert_allclose(entropy(probs[0]), [-0.9 * np.log(0.9) - 0.1 * np.log(0.1), np.log(2), 0])
    total, epistemic = disagreement(probs)
    np.testing.assert_allclose(total, np.log(2))
    divergence = [
        np.mean([np.sum(one * np.log(one / 0.5, where=one > 0, out=np.zeros(2))) for one in probs[:, i]])
        for i in range(3)
    ]
    np.testing.assert_allclose(epistemic, divergence, atol=1e-12)
