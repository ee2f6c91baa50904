"""Bounds against a tiny discrete model, in which classes and latents are summed exactly."""

import math

import pytest

torch = pytest.importorskip("torch")

from semigen.deep import bounds  # noqa: E402

K, Z, X = 3, 4, 5


class Discrete:
    """p(y), p(z), p(x | y, z) as tables, x in 0 … X-1, z in 0 … Z-1; everything is a finite sum."""

    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)

        def table(*shape):
            raw = 1.5 * torch.randn(*shape, generator=generator, dtype=torch.float64)
            return raw.log_softmax(dim=-1)

        self.log_py, self.log_pz, self.log_px = table(K), table(Z), table(K, Z, X)
        self.log_qz, self.log_qy = table(X, K, Z).permute(1, 0, 2), table(X, K).T  # (K, X, Z), (K, X)
        self.log_joint = self.log_py[:, None, None] + self.log_pz[:, None] + self.log_px  # (K, Z, X)

    @property
    def log_pxy(self):
        return self.log_joint.logsumexp(dim=1)  # (K, X)

    @property
    def log_marginal(self):
        return self.log_pxy.logsumexp(dim=0)  # (X,)

    def exact_qz(self):
        return self.log_joint.log_softmax(dim=1).transpose(1, 2)

    def exact_qy(self):
        return self.log_pxy.log_softmax(dim=0)

    def bound(self, log_qz):
        """L(x, y), the expectation over z summed, (K, X)."""
        q = log_qz.exp()
        log_px = (q * self.log_px.transpose(1, 2)).sum(dim=-1)
        kl = (q * (log_qz - self.log_pz)).sum(dim=-1)
        return bounds.labeled_bound(log_px, self.log_py[:, None], kl)


@pytest.fixture(params=range(5))
def model(request):
    return Discrete(request.param)


def test_the_labeled_bound_is_below_log_p_x_y_and_reaches_it(model):
    assert (model.bound(model.log_qz) < model.log_pxy).all()
    torch.testing.assert_close(model.bound(model.exact_qz()), model.log_pxy)


def test_the_labeled_bound_is_log_p_x_y_less_the_divergence_of_the_posteriors(model):
    exact = model.exact_qz()
    divergence = (model.log_qz.exp() * (model.log_qz - exact)).sum(dim=-1)
    torch.testing.assert_close(model.bound(model.log_qz), model.log_pxy - divergence)


def test_the_unlabeled_bound_is_below_log_p_x_and_reaches_it(model):
    found = bounds.unlabeled_bound(model.log_qy, model.bound(model.log_qz))
    assert (found < model.log_marginal).all()
    exact = bounds.unlabeled_bound(model.exact_qy(), model.bound(model.exact_qz()))
    torch.testing.assert_close(exact, model.log_marginal)


def test_the_unlabeled_bound_is_the_sum_over_every_class_and_latent(model):
    """Brute force: E_q(y,z|x)[log p(x, y, z) − log q(y, z | x)] as one sum over both."""
    log_q = model.log_qy[:, :, None] + model.log_qz
    brute = (log_q.exp() * (model.log_joint.transpose(1, 2) - log_q)).sum(dim=(0, 2))
    torch.testing.assert_close(bounds.unlabeled_bound(model.log_qy, model.bound(model.log_qz)), brute)


def test_the_classifier_that_is_best_for_the_bound_is_the_model_s_posterior(model):
    each = model.bound(model.log_qz)
    best = bounds.unlabeled_bound(each.log_softmax(dim=0), each)
    torch.testing.assert_close(best, each.logsumexp(dim=0))
    assert (best >= bounds.unlabeled_bound(model.log_qy, each)).all()


def test_a_truncated_sum_is_a_bound_below_by_the_mass_it_leaves_out(model):
    each = model.bound(model.exact_qz())
    log_q, classes, log_mass = bounds.truncate(model.exact_qy(), 2)
    truncated = bounds.unlabeled_bound(log_q, each.gather(0, classes))
    torch.testing.assert_close(truncated, model.log_marginal + log_mass)
    torch.testing.assert_close(log_q.exp().sum(dim=0), torch.ones(X, dtype=torch.float64))
    every, classes, log_mass = bounds.truncate(model.log_qy, K)
    whole = bounds.unlabeled_bound(every, model.bound(model.log_qz).gather(0, classes))
    torch.testing.assert_close(whole, bounds.unlabeled_bound(model.log_qy, model.bound(model.log_qz)))
    torch.testing.assert_close(log_mass, torch.zeros(X, dtype=torch.float64))


def test_importance_weights_are_right_on_average_and_grow_tighter(model):
    """Every pair of latents, weighted by its probability: E of the two-sample bound, exactly."""
    y = 1
    log_q, exact = model.log_qz[y], model.log_pxy[y]  # (X, Z), (X,)
    log_w = model.log_joint[y].T - log_q  # (X, Z)
    torch.testing.assert_close((log_q + log_w).logsumexp(dim=1), exact)
    one = (log_q.exp() * bounds.importance_weighted_bound(log_w[None])).sum(dim=1)
    torch.testing.assert_close(one, model.bound(model.log_qz)[y])
    pairs = torch.stack(torch.broadcast_tensors(log_w[:, :, None], log_w[:, None, :]))
    probability = (log_q[:, :, None] + log_q[:, None, :]).exp()
    two = (probability * bounds.importance_weighted_bound(pairs)).sum(dim=(1, 2))
    assert (one < two).all()
    assert (two < exact).all()


def test_the_error_of_importance_weighting_is_that_of_repeated_estimates(model):
    generator = torch.Generator().manual_seed(0)
    log_q = (0.3 * model.log_qz + 0.7 * model.exact_qz())[0, 2].log_softmax(dim=0)
    exact = model.log_pxy[0, 2]
    log_w = model.log_joint[0, :, 2] - log_q
    draws = torch.multinomial(log_q.exp(), 400 * 1000, replacement=True, generator=generator)
    sampled = log_w[draws].reshape(400, 1000)
    estimates = bounds.importance_weighted_bound(sampled)
    errors = bounds.importance_weighted_error(sampled)
    assert 0.4 < float(estimates.std() / errors.mean()) < 1.05  # on the safe side, where weights are bounded
    assert float(estimates.mean()) == pytest.approx(float(exact), abs=0.01)
    assert torch.isnan(bounds.importance_weighted_error(sampled[:1])).all()
    tiny = bounds.importance_weighted_error(sampled - 5000)  # weights of 0 in float64
    torch.testing.assert_close(tiny, errors)


@pytest.mark.parametrize("shape", [0.5, 0.7])
def test_errors_are_honest_where_weights_have_heavy_tails(shape):
    """Pareto weights u^−shape of infinite variance, whose mean is known: few errors beyond 3."""
    generator = torch.Generator().manual_seed(0)
    for n_samples, most in ((100, 0.04), (1000, 0.02)):
        log_w = -shape * torch.rand(n_samples, 2000, generator=generator, dtype=torch.float64).log()
        error = bounds.importance_weighted_bound(log_w) + math.log(1 - shape)
        found = error.abs() / bounds.importance_weighted_error(log_w)
        of_delta = error.abs() / (log_w.exp().std(dim=0) / log_w.exp().mean(dim=0) / n_samples**0.5)
        assert float((found > 3).double().mean()) < most
        assert float((of_delta > 3).double().mean()) > 2 * float((found > 3).double().mean())
    assert bounds.importance_weighted_error(log_w[:2]).isfinite().all()


def test_equal_weights_have_no_error():
    assert (bounds.importance_weighted_error(torch.full((50, 3), -700.0)) < 1e-12).all()


def test_gaussian_kl_is_torch_s(rng):
    mean, log_sd = torch.from_numpy(rng.normal(size=(2, 7)))
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, log_sd.exp()), normal(0.0, 1.0))
    torch.testing.assert_close(bounds.gaussian_kl(mean, log_sd), wanted)


def test_the_loss_has_one_scale(rng):
    """Batches of any size estimate the mean bound over all rows; α weighs means."""
    labeled, unlabeled = torch.from_numpy(rng.normal(size=40)), torch.from_numpy(rng.normal(size=360))
    entropy = torch.from_numpy(rng.exponential(size=40))
    found = bounds.semi_supervised_loss(
        labeled.mean(), unlabeled.mean(), entropy.mean(), labeled_share=0.1, alpha=3.0
    )
    wanted = 3.0 * entropy.mean() - torch.cat([labeled, unlabeled]).mean()
    torch.testing.assert_close(found, wanted)


def test_a_weighted_mean_is_that_of_repeated_rows_and_0_of_none():
    values = torch.tensor([1.0, 2.0, 5.0])
    repeated = torch.tensor([1.0, 2.0, 2.0, 5.0, 5.0, 5.0])
    found = bounds.weighted_mean(values, torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(found, repeated.mean())
    assert float(bounds.weighted_mean(values[:0], values[:0])) == 0


def test_the_warm_up_is_a_function_of_the_step():
    assert [bounds.warm_up(step, 4) for step in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert bounds.warm_up(0, 0) == 1.0
