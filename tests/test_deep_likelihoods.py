"""Likelihoods: they sum to one, their draws have their means, missing cells drop out."""

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

from semigen.deep.data.likelihoods import (  # noqa: E402
    BernoulliLikelihood,
    CategoricalLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    MixedLikelihood,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
)

F64 = torch.float64
ONE = torch.ones(1, 1, dtype=F64)


def mixed():
    return MixedLikelihood(
        [[3, 0], [2], [1]], [GaussianLikelihood(2), PoissonLikelihood(1), CategoricalLikelihood([3])]
    ).double()


MADE = [
    GaussianLikelihood(2),
    BernoulliLikelihood(2),
    ContinuousBernoulliLikelihood(2),
    CategoricalLikelihood([3, 2]),
    PoissonLikelihood(2),
    NegativeBinomialLikelihood(2),
]


@pytest.fixture(params=MADE, ids=lambda one: type(one).__name__)
def likelihood(request):
    return request.param.double().requires_grad_(False)


def outputs_for(likelihood, n, rng):
    return torch.from_numpy(rng.normal(size=(n, likelihood.n_outputs)))


def test_probabilities_sum_to_one(likelihood, rng):
    """Over a fine grid, or over every value; in the first column, the second one masked."""
    outputs = outputs_for(likelihood, 1, rng)
    grids = {
        "flag": np.array([0.0, 1.0]),
        "category": np.arange(3.0),
        "count": np.arange(400.0),
        "number": np.linspace(-15, 15, 30001),
    }
    grid, step = grids[likelihood.kind], 1.0
    if isinstance(likelihood, ContinuousBernoulliLikelihood):
        grid, step = (np.arange(20000) + 0.5) / 20000, 1 / 20000
    elif likelihood.kind == "number":
        step = 30 / 30000
    x = torch.zeros(len(grid), 2, dtype=F64)
    x[:, 0] = torch.from_numpy(grid)
    mask = torch.tensor([[1.0, 0.0]], dtype=F64)
    total = likelihood.log_prob(outputs.expand(len(grid), -1), x, mask).exp().sum() * step
    assert float(total) == pytest.approx(1, abs=1e-5)


def test_draws_have_the_mean_of_their_likelihood(likelihood, rng):
    outputs = outputs_for(likelihood, 1, rng)
    torch.manual_seed(0)
    drawn = likelihood.sample(outputs.expand(40000, -1))
    if likelihood.kind == "category":
        levels = likelihood.mean(outputs)[0].numpy()
        for j, logits in enumerate(outputs[0].split(likelihood.n_levels)):
            shares = np.bincount(drawn[:, j].numpy().astype(int), minlength=len(logits)) / 40000
            np.testing.assert_allclose(shares, logits.softmax(0), atol=0.01)
            assert levels[j] == shares.argmax()
    else:
        error = 5 * drawn.std(dim=0).numpy() / np.sqrt(40000)
        difference = drawn.mean(dim=0).numpy() - likelihood.mean(outputs)[0].detach().numpy()
        assert (np.abs(difference) < error).all()


def test_missing_cells_drop_out(likelihood, rng):
    outputs = outputs_for(likelihood, 6, rng)
    x = likelihood.sample(outputs)
    mask = torch.from_numpy((rng.random((6, 2)) < 0.5).astype(float))
    each = likelihood.log_prob_each(outputs, x)
    torch.testing.assert_close(likelihood.log_prob(outputs, x, mask), (each * mask).sum(dim=-1))
    torch.testing.assert_close(likelihood.log_prob(outputs, x, ONE), each.sum(dim=-1))


def test_a_class_axis_goes_through(likelihood, rng):
    outputs = torch.from_numpy(rng.normal(size=(3, 6, likelihood.n_outputs)))
    x = likelihood.sample(outputs[0])
    found = likelihood.log_prob(outputs, x, ONE)
    assert found.shape == (3, 6)
    torch.testing.assert_close(found[1], likelihood.log_prob(outputs[1], x, ONE))
    assert likelihood.mean(outputs).shape == (3, 6, 2)


def test_the_start_fits_the_columns(rng):
    """Its mean is the columns' mean over cells that are there."""
    x = torch.from_numpy(rng.poisson([2.0, 0.4], size=(500, 2)).astype(float))
    mask = torch.ones_like(x)
    mask[:100, 0] = 0
    for one in (PoissonLikelihood(2), NegativeBinomialLikelihood(2), GaussianLikelihood(2)):
        found = one.double().mean(one.start(x, mask))
        torch.testing.assert_close(found, torch.stack([x[100:, 0].mean(), x[:, 1].mean()]))
    flags = (x > 0).double()
    found = BernoulliLikelihood(2).mean(BernoulliLikelihood(2).start(flags, mask))
    torch.testing.assert_close(found, torch.stack([flags[100:, 0].mean(), flags[:, 1].mean()]))
    levels = CategoricalLikelihood([3, 3])
    start = levels.start(x.clamp(max=2), mask)
    for j, (seen, found) in enumerate(zip((x[100:, 0], x[:, 1]), start.exp().split([3, 3]), strict=True)):
        counts = np.bincount(seen.clamp(max=2).int(), minlength=3) + 1.0
        np.testing.assert_allclose(found, counts / counts.sum())
        assert levels.mean(start[None])[0, j] == counts.argmax()
    empty = PoissonLikelihood(1)
    assert empty.start(0 * x[:, :1], ONE).exp() == pytest.approx(1e-3)
    zeros, ones = 0 * x[:, :1], 0 * x[:, :1] + 1
    for flags, least in ((zeros, 0.01), (ones, 0.99)):
        assert float(BernoulliLikelihood(1).start(flags, ONE).sigmoid()) == pytest.approx(least)


def test_no_density_grows_without_bound(rng):
    """The sd of a column is at least 0.02, and a rate at most e¹⁵, whatever a network says."""
    one = GaussianLikelihood(1).double().requires_grad_(False)
    torch.testing.assert_close(one.sd, torch.full((1,), 1.02, dtype=F64))
    one.raw_scale.fill_(-1e3)
    zero = torch.zeros(1, 1, dtype=F64)
    assert float(one.log_prob_each(zero, zero)) == pytest.approx(stats.norm.logpdf(0, 0, 0.02))
    far = torch.full((1, 1), 1e6, dtype=F64)
    for one in (PoissonLikelihood(1), NegativeBinomialLikelihood(1).double()):
        assert float(one.mean(far)) == pytest.approx(np.exp(15))
        near = one.log_prob_each(torch.full((1, 1), 15.0, dtype=F64), zero)
        torch.testing.assert_close(one.log_prob_each(far, zero), near)


def test_a_continuous_bernoulli_has_the_mean_of_its_density(rng):
    grid = (np.arange(20000) + 0.5) / 20000
    one = ContinuousBernoulliLikelihood(1)
    for logit in (-4.0, -0.2, -0.04, 0.02, 0.04, 0.06, 1.0):
        outputs = torch.full((1, 1), logit, dtype=F64)
        density = one.log_prob_each(outputs, torch.from_numpy(grid)[:, None]).exp().numpy()[:, 0]
        assert float(one.mean(outputs)) == pytest.approx(np.mean(grid * density), abs=2e-6)


def test_reference_values_of_scipy(rng):
    outputs = torch.from_numpy(rng.normal(size=(8, 1)))
    x = torch.from_numpy(rng.poisson(2.0, size=(8, 1)).astype(float))
    one = NegativeBinomialLikelihood(1).double()
    with torch.no_grad():
        one.log_r.fill_(0.7)
    r, m = np.exp(0.7), outputs.exp().numpy()
    wanted = stats.nbinom.logpmf(x.numpy(), r, r / (r + m))
    np.testing.assert_allclose(one.log_prob_each(outputs, x).detach().numpy(), wanted, rtol=1e-10)
    wanted = stats.poisson.logpmf(x.numpy(), m)
    np.testing.assert_allclose(PoissonLikelihood(1).log_prob_each(outputs, x).numpy(), wanted, rtol=1e-10)


def test_gray_values_are_drawn_black_or_white_and_stand_for_their_expectation():
    gray = torch.full((20000, 1), 0.3, dtype=F64)
    torch.manual_seed(0)
    one, outputs = BernoulliLikelihood(1), torch.full((1, 1), 0.8, dtype=F64)
    drawn = one.observe(gray)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    mean = one.log_prob_each(outputs, drawn).mean()
    assert float(mean) == pytest.approx(float(one.log_prob_each(outputs, gray[:1])), abs=0.01)
    assert ContinuousBernoulliLikelihood(1).observe(gray) is gray


@pytest.mark.parametrize("logit", [-60.0, -3.0, -0.05, -1e-3, 0.0, 1e-3, 0.05, 3.0, 60.0])
def test_the_continuous_bernoulli_is_smooth_through_0_and_far_out(logit):
    outputs = torch.tensor([[logit]], dtype=F64, requires_grad=True)
    one = ContinuousBernoulliLikelihood(1)
    density = one.log_prob_each(outputs, torch.tensor([[0.25]], dtype=F64))
    wanted = np.log(logit / np.expm1(logit)) + 0.25 * logit if abs(logit) > 1e-9 else 0.0
    assert float(density.detach()) == pytest.approx(wanted, abs=1e-6)
    density.sum().backward()
    assert float(outputs.grad) == pytest.approx(0.25 - float(one.mean(outputs.detach())), abs=1e-4)
    assert 0 <= float(one.sample(outputs.detach())) <= 1


def test_mixed_columns_are_their_blocks(rng):
    one = mixed()
    outputs = outputs_for(one, 5, rng)
    x = one.sample(outputs)
    blocks = outputs.split([2, 1, 3], dim=-1)
    wanted = torch.empty(5, 4, dtype=F64)
    for part, columns, block in zip(one.parts, [[3, 0], [2], [1]], blocks, strict=True):
        wanted[:, columns] = part.log_prob_each(block, x[:, columns])
    torch.testing.assert_close(one.log_prob_each(outputs, x), wanted)
    assert one.start(x, ONE).shape == (one.n_outputs,)
    torch.testing.assert_close(one.mean(outputs)[:, 2], outputs[:, 2].exp())
    shape = (2, 5, one.n_outputs)  # with an axis of classes
    torch.testing.assert_close(one.log_prob_each(outputs.expand(shape), x), wanted.expand(2, 5, 4))
    torch.testing.assert_close(one.mean(outputs.expand(shape))[1], one.mean(outputs))
    assert one.sample(outputs.expand(shape)).shape == (2, 5, 4)
    flags = MixedLikelihood([[1], [0]], [BernoulliLikelihood(1), GaussianLikelihood(1)])
    gray = torch.full((500, 2), 0.5, dtype=F64)
    drawn = flags.observe(gray)
    assert set(drawn[:, 1].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(drawn[:, 0], gray[:, 0])
    assert one.observe(x).equal(x)
