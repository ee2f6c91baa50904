"""FlowMixtureClassifier: densities against brute force, where labels grow, every estimator's contract."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import make_circles, make_moons
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from laws import DEEP_EXPECTED  # noqa: E402
from semigen.deep import FlowMixtureClassifier, labelers  # noqa: E402
from semigen.deep.flow import classifier, start  # noqa: E402
from semigen.deep.flow.model import ClassFlow  # noqa: E402
from semigen.exceptions import ColumnError, LabelError, ParameterError  # noqa: E402

GIVEN = {"unlabeled_weight": 1.0, "calibrate": 1.0}
"""Nothing is left to held-out labels."""


def flow(**options):
    small = {"components_per_class": 2, "n_transforms": 2, "hidden": 16, "n_steps": 20, "device": "cpu"}
    return FlowMixtureClassifier(**{**small, "random_state": 0, "warmup_steps": 10, **GIVEN, **options})


@pytest.mark.long
@parametrize_with_checks(
    [flow(n_steps=2, warmup_steps=1, n_transforms=1, learning_rate=0.01, random_state=None)],
    expected_failed_checks=lambda estimator: DEEP_EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def with_two_labels(truth, rng):
    y = np.full(len(truth), -1)
    for k in (0, 1):
        y[rng.choice(np.flatnonzero(truth == k), 2, replace=False)] = k
    return y


def rings(n, noise, seed):
    return make_circles(n, noise=noise, factor=0.5, random_state=seed)


def moons(n, noise, seed):
    return make_moons(n, noise=noise, random_state=seed)


@pytest.fixture(scope="module")
def bent():
    """A model of two moons, in units of 10 and 0.1, whose flow is no longer the identity."""
    X, truth = moons(400, 0.1, 0)
    X = X * [10, 0.1] + [5, 0]
    model = flow(n_steps=40, learning_rate=0.02, n_members=2).fit(X, np.where(np.arange(400) < 40, truth, -1))
    return model, X


def test_the_density_integrates_to_1(bent):
    model, X = bent
    a, b = (np.linspace(x.min() - 1.5 * np.ptp(x), x.max() + 1.5 * np.ptp(x), 110) for x in X.T)
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(model.log_joint(grid))
    mass = density.sum(axis=0) * (a[1] - a[0]) * (b[1] - b[0])
    np.testing.assert_allclose(mass, model.class_prior_, rtol=2e-3)
    np.testing.assert_allclose(np.exp(model.score_samples(grid)), density.sum(axis=1))


def test_one_column_integrates_to_1_too(rng):
    X = np.concatenate([rng.normal(size=(60, 1)), rng.exponential(size=(60, 1)) + 4])
    model = flow(n_steps=60, learning_rate=0.02).fit(
        X, np.where(np.arange(120) % 10 == 0, np.arange(120) // 60, -1)
    )
    grid = np.linspace(-40, 60, 20001)[:, None]
    assert np.trapezoid(np.exp(model.score_samples(grid)), grid[:, 0]) == pytest.approx(1, abs=1e-3)
    assert model.sample(5)[0].shape == (5, 1)


def test_change_of_variables_against_the_jacobian_of_autograd(bent):
    model, _ = bent
    one = model.networks_.models[0]
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z, log_det = one.latents(x)
    expected = [
        torch.linalg.slogdet(torch.autograd.functional.jacobian(lambda v: one.latents(v[None])[0][0], row))[1]
        for row in x
    ]
    torch.testing.assert_close(log_det, torch.stack(expected))
    assert log_det.abs().max() > 0.1
    torch.testing.assert_close(one.rows(z), x)
    assert not torch.allclose(z, x, atol=0.05)


def test_log_joint_against_brute_force(bent):
    model, X = bent
    table = model.networks_.architecture.table
    found = []
    for one in model.networks_.models:
        x = torch.from_numpy((X[:9] - table.center) / table.scale)
        z, log_det = (value.numpy() for value in one.latents(x))
        share = one.share_logits.softmax(dim=1).numpy()
        by_hand = np.zeros((9, 2))
        for i in range(9):
            for k in range(2):
                for m in range(2):
                    sd = np.exp(one.log_sd[k, m].numpy())
                    by_hand[i, k] += share[k, m] * np.prod(norm.pdf(z[i], one.mean[k, m].numpy(), sd))
        found.append(np.log(by_hand * model.class_prior_) + log_det[:, None] - np.log(table.scale).sum())
    expected = logsumexp(found, axis=0) - np.log(2)
    np.testing.assert_allclose(model.log_joint(X[:9]), expected, rtol=1e-5)  # p(y) is float32
    proba = np.exp(expected - logsumexp(expected, axis=1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(X[:9]), proba, rtol=1e-5)
    found = model.predict_uncertainty(X[:9])
    total, epistemic = found.total, found.epistemic
    assert ((epistemic >= 0) & (epistemic <= total + 1e-12)).all()
    assert model.transform(X[:9]).shape == (9, 4)


def test_draws_have_the_model_s_density(bent):
    """The share of draws in each cell of a grid is its probability; so it is in each class."""
    model, X = bent
    n = 20000
    drawn, _ = model.sample(n, y=1, random_state=0)
    edges = [np.linspace(x.min() - 0.2 * np.ptp(x), x.max() + 0.2 * np.ptp(x), 9) for x in X.T]
    fine = [(e[:-1, None] + np.diff(e)[:, None] * (np.arange(16) + 0.5) / 16).ravel() for e in edges]
    grid = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(model.log_joint(grid)[:, 1]).reshape(128, 128) / model.class_prior_[1]
    area = np.prod([np.diff(e)[0] / 16 for e in edges])
    expected = n * area * density.reshape(8, 16, 8, 16).sum(axis=(1, 3))
    seen = np.histogram2d(*drawn.T, bins=edges)[0]
    often = expected > 10
    deviation = (seen - expected)[often] / np.sqrt(expected[often])
    assert often.sum() > 15
    assert (deviation**2).mean() < 2
    _, classes = model.sample(n, random_state=0)
    assert (classes == 1).mean() == pytest.approx(model.class_prior_[1], abs=0.02)


@pytest.mark.parametrize("shape", [moons, rings])
def test_two_labels_per_class_are_enough(shape, rng):
    X, truth = shape(400, 0.06, 3)
    y = with_two_labels(truth, rng)
    model = flow(n_steps=50, components_per_class=6, warmup_steps=20, weight_average=0.9, patience=None)
    model.fit(X, y)
    fresh, fresh_truth = shape(1000, 0.06, 4)
    assert model.score(fresh, fresh_truth) >= 0.99
    assert model.history_["log_density"][-1] > model.history_["log_density"][0]


def test_fits_without_some_labels_start_as_the_last_one_does(rng, monkeypatch):
    X, truth = moons(90, 0.1, 0)
    y = np.where(np.arange(90) < 12, truth, -1)
    n_known, starts = [], []

    def choose(x, code, seed):
        n_known.append(int((code >= 0).sum()))
        return labelers.Choice("mixture", 1.0)

    def label(x, code, near):
        starts.append((len(code), int((code >= 0).sum())))
        return mixture_labels(x, code, near)

    mixture_labels = labelers.mixture_labels
    monkeypatch.setattr("semigen.deep.classifier.choose_start", choose)
    monkeypatch.setitem(labelers.LABELERS, "mixture", label)
    fitted = flow(n_steps=2, unlabeled_weight="auto", calibrate="auto").fit(X, y)
    assert n_known == [12]
    assert starts == [(86, 8)] * 3 + [(90, 12)]  # folds and the last fit, not those of λ = 0
    assert fitted.start_ == "mixture"


def test_the_first_layer_makes_rows_vary_alike_within_classes(rng):
    mix = rng.normal(size=(4, 4)) * [1, 5, 0.1, 3]
    truth = np.arange(200) % 2
    X = rng.normal(size=(200, 4)) @ mix + 30 * truth[:, None]
    y = np.where(np.arange(200) < 20, truth, -1)
    model = flow(n_steps=1, learning_rate=0.0, warmup_steps=0).fit(X, y)
    centered = (X - X.mean(axis=0)) / X.std(axis=0)
    centered -= np.stack([centered[truth == k].mean(axis=0) for k in (0, 1)])[truth]
    within = centered.T @ centered / 200
    shrunk = 0.9 * within + 0.1 * np.trace(within) / 4 * np.eye(4)
    turn = model.networks_.models[0].turn.numpy()
    np.testing.assert_allclose(turn.T @ shrunk @ turn, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(start.whitening(np.ones((5, 2)), np.zeros(5, dtype=int)), np.eye(2))


def test_columns_from_0_to_1_share_one_scale(rng):
    X = rng.random((60, 3)) * [1.0, 0.1, 0.0]
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    shared = flow(n_steps=1).fit(X, y).networks_.architecture.table
    np.testing.assert_allclose(shared.scale, np.sqrt(np.mean(X[:, :2].std(axis=0) ** 2)))
    own = flow(n_steps=1).fit(X * [1.01, 1, 1] + [0.1, 0, 0], y).networks_.architecture.table
    np.testing.assert_allclose(own.scale, [*(X[:, :2] * [1.01, 1]).std(axis=0), 1])


def test_at_the_start_the_flow_is_the_identity_and_nothing_is_lost(rng):
    X = rng.normal(size=(100, 5)) * 3 + 7
    model = flow(n_steps=1, learning_rate=0.0).fit(X, np.arange(100) % 2)
    np.testing.assert_allclose(model.transform(X), (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-6)


def test_the_same_seed_gives_the_same_model(rng, tmp_path):
    X, truth = moons(100, 0.1, 0)
    y = with_two_labels(truth, rng)
    one = flow(checkpoint=tmp_path / "fit.pt").fit(X, y)
    np.testing.assert_array_equal(flow().fit(X, y).predict_proba(X), one.predict_proba(X))
    np.testing.assert_array_equal(clone(one).fit(X, y).predict_proba(X), one.predict_proba(X))  # resumed
    assert (flow(random_state=1).fit(X, y).log_joint(X) != one.log_joint(X)).any()
    with pytest.raises(ParameterError, match="other settings or data"):
        clone(one).set_params(noise=0.1).fit(X, y)
    with pytest.raises(ParameterError, match="other settings or data"):
        clone(one).set_params(start="labels").fit(X, y)


def test_saved_models_answer_the_same(bent, tmp_path):
    model, X = bent
    semigen.save(model, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.log_joint(X), model.log_joint(X))
    np.testing.assert_array_equal(again.sample(9, random_state=0)[0], model.sample(9, random_state=0)[0])


def test_counts_and_flags_are_dequantized(rng):
    n = 300
    truth = rng.integers(2, size=n)
    X = pd.DataFrame(
        {"size": rng.normal(3 * truth), "visits": rng.poisson(1 + 5 * truth), "member": rng.random(n) < 0.5}
    )
    y = pd.Series(np.where(truth, "new", "old")).where(np.arange(n) < 60)
    model = flow(n_steps=40).fit(X, y)
    assert model.networks_.architecture.width[1] * X["visits"].std(ddof=0) == pytest.approx(1)
    drawn, classes = model.sample(500, random_state=0)
    assert list(drawn.columns) == list(X.columns)
    assert (drawn["visits"] >= 0).all()
    assert set(drawn["member"]) == {True, False}
    assert drawn["visits"][classes == "new"].mean() > drawn["visits"][classes == "old"].mean() + 2
    assert model.score(X, np.where(truth, "new", "old")) > 0.9


def test_early_stopping_and_the_other_start(rng):
    X, truth = moons(200, 0.1, 0)
    y = with_two_labels(truth, rng)
    model = flow(patience=1, n_steps=300, learning_rate=0.05).fit(X, y)
    assert model.outcome_ == "no improvement"
    plain = flow(start="labels", components_per_class=4).fit(X, y)
    assert np.isfinite(plain.log_joint(X)).all()


def test_of_many_rows_some_are_enough_to_start_from(rng, monkeypatch):
    """The others are seen in training alone."""
    X, truth = moons(600, 0.05, 0)
    y = with_two_labels(truth, rng)
    monkeypatch.setattr(labelers, "MOST_ROWS", 200)
    started, trained = [], []
    whitening, loss = start.whitening, ClassFlow.loss
    monkeypatch.setattr(classifier, "whitening", lambda x, code: started.append(code) or whitening(x, code))
    monkeypatch.setattr(
        ClassFlow, "loss", lambda self, batch, *more: trained.append(batch) or loss(self, batch, *more)
    )
    model = flow(start="density", batch_size=1000).fit(X, y)
    assert (len(started[0]), min(started[0])) == (200, 0)
    assert trained[0].unlabeled.n_rows == 596 - 59
    assert 0 < (trained[0].unlabeled.y >= 0).sum() < 200
    assert model.score(X, truth) > 0.95


def test_rows_that_are_all_alike_in_each_class():
    X = np.repeat([[0.1, -0.7, 0.3], [2.3, 1.9, 1.1]], 40, axis=0)
    y = np.where(np.arange(80) % 40 < 3, np.arange(80) // 40, -1)
    model = flow(n_steps=10).fit(X, y)
    assert model.score(X, np.arange(80) // 40) == 1.0


def test_what_a_flow_cannot_take_is_named(rng):
    frame = pd.DataFrame({"size": rng.normal(size=20), "color": ["red", "blue"] * 10})
    y = np.where(np.arange(20) < 10, np.arange(20) % 2, -1)
    with pytest.raises(ColumnError, match=r"'color' are categories.*VAEClassifier"):
        flow().fit(frame, y)
    X = rng.normal(size=(20, 2))
    missing = np.where(np.arange(40).reshape(20, 2) == 7, np.nan, X)
    with pytest.raises(ColumnError, match=r"missing.*VAEClassifier"):
        flow().fit(missing, y)
    with pytest.raises(ColumnError, match=r"missing.*VAEClassifier"):
        flow().fit(X, y).predict(missing)
    with pytest.raises(LabelError, match="20 rows and y has 19"):
        flow().fit(X, y[1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "luck"}, "start='luck'"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"components_per_class": 0}, "components_per_class=0"),
        ({"bins": 1}, "bins=1"),
        ({"n_transforms": 0}, "n_transforms=0"),
        ({"hidden": (0,)}, "hidden=0"),
        ({"hidden": ()}, "at least one hidden layer"),
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"class_prior": "flat"}, "class_prior='flat'"),
    ],
)
def test_bad_parameters_are_named(options, message, rng):
    X = rng.normal(size=(20, 2))
    with pytest.raises(ParameterError, match=message):
        flow(**options).fit(X, np.arange(20) % 2)
