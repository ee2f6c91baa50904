"""GANClassifier: its losses against brute force, its networks, and the contract of every estimator here."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from laws import DEEP_EXPECTED  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.deep.gan import losses  # noqa: E402
from semigen.deep.gan.classifier import GANClassifier  # noqa: E402
from semigen.deep.gan.layers import Discriminator, Generator, WeightNormConv  # noqa: E402
from semigen.deep.gan.model import OutputLayer  # noqa: E402
from semigen.exceptions import ColumnError, ColumnWarning, ParameterError  # noqa: E402

SMALL = {"hidden": (32, 32), "generator_hidden": 16, "n_latent": 8, "device": "cpu"}
SMALL |= {"unlabeled_weight": 1.0, "calibrate": 1.0}  # nothing is left to held-out labels


def classifier(**options):
    return GANClassifier(**{**SMALL, "n_steps": 40, "batch_size": 50, **options})


@pytest.mark.long
@parametrize_with_checks(
    [classifier(n_steps=15, learning_rate=0.1, batch_size=20, hidden=32, hidden_noise=0.1)],
    expected_failed_checks=lambda estimator: DEEP_EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# Losses


@pytest.fixture
def logits():
    return 3 * torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def all_classes(logits):
    """Probabilities of K + 1 classes, the last one the generated, whose logit is 0."""
    return torch.cat([logits, torch.zeros(len(logits), 1)], dim=1).softmax(dim=1)


def test_losses_are_those_of_a_softmax_over_k_plus_1_classes(logits):
    probs = all_classes(logits)
    y = torch.tensor([0, 3, 1, 2, 2, 0, 1])
    real = 1 - probs[:, -1]
    of_class = probs[:, :-1] / real[:, None]
    torch.testing.assert_close(losses.real_loss(logits), -real.log())
    torch.testing.assert_close(losses.generated_loss(logits), -probs[:, -1].log())
    torch.testing.assert_close(losses.cross_entropy(logits, y), -of_class[torch.arange(7), y].log())
    torch.testing.assert_close(losses.conditional_entropy(logits), -(of_class * of_class.log()).sum(dim=1))
    # p(real and of class y) of the K + 1 classes splits into the two questions.
    torch.testing.assert_close(
        losses.cross_entropy(logits, y) + losses.real_loss(logits), -probs[torch.arange(7), y].log()
    )


def test_a_shift_of_the_k_logits_leaves_classes_and_multiplies_the_odds_of_being_real(logits):
    y = torch.zeros(7, dtype=torch.int64)
    torch.testing.assert_close(losses.cross_entropy(logits + 2.0, y), losses.cross_entropy(logits, y))
    torch.testing.assert_close(losses.conditional_entropy(logits + 2.0), losses.conditional_entropy(logits))

    def log_odds(values):
        return losses.generated_loss(values) - losses.real_loss(values)

    torch.testing.assert_close(log_odds(logits + 2.0), log_odds(logits) + 2.0)
    assert (losses.real_loss(logits + 2.0) < losses.real_loss(logits)).all()


def test_losses_of_extreme_logits_are_finite():
    far = torch.tensor([[1e4, -1e4], [-1e4, -1e4], [1e4, 1e4]], requires_grad=True)
    y = torch.tensor([0, 0, 1])
    terms = (losses.real_loss(far), losses.generated_loss(far), losses.cross_entropy(far, y))
    for term in (*terms, losses.conditional_entropy(far)):
        assert term.isfinite().all()
        (slope,) = torch.autograd.grad(term.sum(), far)
        assert slope.isfinite().all()


def test_feature_matching_and_pull_away_by_loops():
    generator = torch.Generator().manual_seed(1)
    real, made = (torch.rand(n, 5, generator=generator, dtype=torch.float64) for n in (6, 4))
    by_hand = np.mean((real.numpy().mean(axis=0) - made.numpy().mean(axis=0)) ** 2)
    assert losses.feature_matching(real.mean(dim=0), made.mean(dim=0)).item() == pytest.approx(by_hand)
    assert losses.feature_matching(real.mean(dim=0), real.flip(0).mean(dim=0)) < 1e-30
    f = made.numpy()
    cosines = [
        (f[i] @ f[j] / np.linalg.norm(f[i]) / np.linalg.norm(f[j])) ** 2
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    assert losses.pull_away(made).item() == pytest.approx(np.mean(cosines))
    assert losses.pull_away(torch.eye(3)) == 0
    assert losses.pull_away(made[:1]) == pytest.approx(0, abs=1e-12)


# Networks


def test_the_first_rows_decide_scales_and_biases():
    """Units start with mean 0 and sd 1 whatever the units of the columns; noise is for training only."""
    torch.manual_seed(0)
    x = 5 + 100 * torch.randn(300, 6)
    model = Discriminator(6, (20, 10), 3, 0.0, 0.0)
    model.start(x)
    first = model.layers[0](x)
    logits, features = model(x)
    for value in (first, logits):
        torch.testing.assert_close(value.mean(dim=0), torch.zeros(value.shape[1]), atol=1e-3, rtol=0)
        torch.testing.assert_close(value.std(dim=0, correction=0), torch.ones(value.shape[1]))
    assert features.shape == (300, 10)
    names = [name for name, _ in model.named_parameters()]
    assert "head.scale" in names
    assert not any(name.startswith("layers") and name.endswith("scale") for name in names)
    noisy = Discriminator(6, (20,), 3, 0.3, 0.5)
    assert not torch.equal(noisy(x)[0], noisy(x)[0])
    noisy.eval()
    assert torch.equal(noisy(x)[0], noisy(x)[0])


def test_a_convolution_has_weight_norm_and_starts_at_mean_0_and_sd_1():
    torch.manual_seed(0)
    x = 5 + torch.randn(50, 2 * 8 * 6)
    layer = WeightNormConv((2, 8, 6), 7)
    with torch.no_grad():
        layer.direction.mul_(torch.rand(7)[:, None, None, None] + 1)  # lengths do not matter
    started = layer.start(x)
    torch.testing.assert_close(layer(x), started)
    assert started.shape == (50, 7, 4, 3)
    torch.testing.assert_close(started.mean(dim=(0, 2, 3)), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(started.std(dim=(0, 2, 3), correction=0), torch.ones(7))
    direction = layer.direction / layer.direction.flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(layer.weight, layer.scale[:, None, None, None] * direction)


@pytest.mark.parametrize("missing", [False, True])
def test_convolutions_learn_images_and_are_saved(tmp_path, rng, missing):
    y = np.arange(120) % 2
    X = 0.2 * rng.random((120, 8, 8))
    X[y == 0, :4] += 0.7
    X[y == 1, :, :4] += 0.7
    X = X.reshape(120, 64)
    if missing:
        X[rng.random(X.shape) < 0.05] = np.nan
    shown = np.where(np.arange(120) < 8, y, -1)
    model = classifier(
        network="conv", image_shape=(8, 8), n_members=2, n_steps=10, learning_rate=0.01, random_state=0
    ).fit(X, shown)
    assert model.score(X, y) > 0.95
    semigen.save(model, tmp_path / "model.semigen")
    again = semigen.load(tmp_path / "model.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network": "conv"}, "needs image_shape"),
        ({"network": "conv", "image_shape": (3, 3)}, "does not fit the 64 columns"),
        ({"network": len}, "use 'mlp', 'conv' or 'resnet'"),
    ],
)
def test_a_network_that_cannot_be(rng, options, why):
    with pytest.raises(ParameterError, match=why):
        classifier(**options).fit(rng.random((20, 64)), np.arange(20) % 2)


def test_the_generator_s_moments_are_those_of_its_draws():
    torch.manual_seed(0)
    model = Generator(4, (16, 16), 3)
    z = torch.rand(4000, 4)
    wanted = model(z)
    model.calibrate(z)
    model.eval()
    torch.testing.assert_close(model(z), wanted, atol=2e-3, rtol=1e-2)
    torch.testing.assert_close(model(z[:1]), model(z)[:1])  # rows do not depend on each other


def test_generated_rows_look_like_rows_of_the_table(mixed):
    X, _, _ = mixed
    table, matrix = tables.learn(X)
    inputs = tables.Inputs(table)
    layer = OutputLayer(inputs, table, [False] * 4)
    real = inputs(*(one.float() for one in table.tensors(matrix)))
    torch.manual_seed(0)
    outputs = torch.randn(500, layer.n_outputs, requires_grad=True)
    made = layer(outputs)
    assert made.shape[1] == real.shape[1]
    for j in range(real.shape[1]):
        found = set(real[:, j].unique().tolist())
        if len(found) == 2:  # levels and missing values are 0 or 1 in both
            assert set(made[:, j].detach().unique().tolist()) == found
    missing = made[:, -4:].detach() == 1
    assert (made[:, 0].detach()[missing[:, 0]] == 0).all()
    assert torch.autograd.grad(made.square().sum(), outputs)[0].abs().sum(dim=0).gt(0).all()
    rows = layer.rows(outputs.detach(), inputs)
    assert rows.shape == (500, 4)
    assert (rows[:, 1] >= 0).all()
    assert torch.equal(rows[:, 1], rows[:, 1].round())


def test_the_output_layer_is_the_inverse_of_the_encoding(rng):
    frame = pd.DataFrame({"size": rng.normal(100, 15, 40), "visits": rng.poisson(5, 40)})
    table, matrix = tables.learn(frame)
    assert table.likelihoods == ("gaussian", "negative_binomial")
    inputs = tables.Inputs(table).double()
    x, mask = table.tensors(matrix)
    rows = OutputLayer(inputs, table, [False] * 2).rows(inputs(x, mask), inputs)
    np.testing.assert_allclose(table.matrix(rows), matrix, rtol=1e-5)
    with torch.no_grad():
        gray = OutputLayer(inputs, table, [True, False])(torch.tensor([[0.3, 0.3]]).double())
    torch.testing.assert_close(gray, torch.tensor([[1 / (1 + np.exp(-0.3)), 0.3]]).double())


# The estimator


def blobs(rng, n=200):
    X = rng.normal(size=(n, 2)) + np.repeat([[0.0], [5.0]], n // 2, axis=0)
    return X, np.where(np.arange(n) % 20 == 0, np.arange(n) // (n // 2), -1)


def test_tables_of_every_kind_with_missing_values_and_text_labels(mixed):
    X, labels, truth = mixed
    model = classifier(n_steps=80, learning_rate=0.01, random_state=0).fit(X, labels)
    rest = labels.isna().to_numpy()
    assert model.score(X[rest], truth[rest]) > 0.8
    assert model.classes_.tolist() == ["new", "old"]
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    np.testing.assert_allclose(model.predict_proba(X[:3]), model.predict_proba(X)[:3], rtol=1e-12)
    reordered = X[X.columns[::-1]].assign(other=1.0)
    np.testing.assert_array_equal(model.predict_proba(reordered), model.predict_proba(X))
    strange, unknown = X.assign(color="violet"), X.assign(color=None)
    with pytest.warns(ColumnWarning, match="most values of column 'color', such as 'violet'"):
        found = model.predict_proba(strange)
    np.testing.assert_array_equal(found, model.predict_proba(unknown))

    drawn, classes = model.sample(300, random_state=1)
    assert list(drawn.columns) == list(X.columns)
    assert not drawn.isna().to_numpy().any()
    assert set(drawn["color"]) <= {"red", "blue", "green"}
    assert set(classes) <= {"new", "old"}
    assert abs(drawn["size"].mean() - X["size"].mean()) < 30
    new, of_class = model.sample(50, y="new", random_state=1)
    assert (of_class == "new").all()
    assert (model.predict(new) == "new").all()
    pd.testing.assert_frame_equal(model.sample(9, random_state=3)[0], model.sample(9, random_state=3)[0])


def test_digits_with_five_labels_per_class_and_two_members():
    X, truth = (one[:700] for one in load_digits(return_X_y=True))
    X = X / 16
    y = np.full(len(X), -1)
    for k in range(10):
        y[np.flatnonzero(truth == k)[:5]] = k
    model = classifier(hidden=(100, 50), n_steps=100, n_members=2, random_state=0).fit(X, y)
    assert model.score(X[y < 0], truth[y < 0]) > 0.7
    assert set(model.history_) == {
        "step", "cross_entropy", "real", "generated", "entropy", "feature_matching"
    }  # fmt: skip
    assert model.history_["cross_entropy"][-1] < model.history_["cross_entropy"][0]
    assert model.networks_.architecture.unit == (True,) * 64
    images, _ = model.sample(100, random_state=0)
    assert images.min() >= 0
    assert images.max() <= 1
    assert np.abs(images.mean(axis=0) - X.mean(axis=0)).mean() < 0.15
    found = model.predict_uncertainty(X)
    total, epistemic = found.total, found.epistemic
    assert (total >= epistemic).all()
    assert epistemic.max() > 0.01


def test_members_differ_and_their_mean_predicts(rng):
    X, y = blobs(rng)
    model = classifier(n_members=3, n_steps=10, random_state=0).fit(X, y)
    members, _ = model._member_proba(X)
    np.testing.assert_allclose(members.mean(axis=0), model.predict_proba(X))
    assert not np.allclose(members[0], members[1])
    assert (classifier(n_steps=5, random_state=0).fit(X, y).predict_uncertainty(X).epistemic == 0).all()


def test_a_seed_is_a_result(rng):
    X, y = blobs(rng)
    model = classifier(random_state=0, n_steps=8, entropy_weight=0.1, pull_away_weight=0.1)
    first, again = (clone(model).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(first.sample(5, random_state=0)[0], again.sample(5, random_state=0)[0])
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))
    without = classifier(random_state=0, n_steps=8).fit(X, y)
    assert "pull_away" in first.history_
    assert not np.array_equal(first.predict_proba(X), without.predict_proba(X))


@pytest.mark.parametrize("n_members", [1, 2])
def test_saved_models_answer_the_same(mixed, tmp_path, n_members):
    X, labels, _ = mixed
    model = classifier(n_members=n_members, n_steps=5, random_state=0).fit(X, labels)
    semigen.save(model, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    pd.testing.assert_frame_equal(again.sample(9, random_state=0)[0], model.sample(9, random_state=0)[0])
    np.testing.assert_array_equal(again.history_["real"], model.history_["real"])


def test_a_fit_goes_on_from_its_checkpoint(rng, tmp_path):
    X, y = blobs(rng)
    whole = classifier(random_state=0, n_steps=8).fit(X, y).predict_proba(X)
    model = classifier(random_state=0, n_steps=8, checkpoint=tmp_path / "fit.pt")
    for _ in range(2):
        np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), whole)
    with pytest.raises(ParameterError, match="other settings or data"):
        model.set_params(alpha=0.5).fit(X, y)


def test_sizes_follow_the_table(rng):
    y = np.arange(20) % 2

    def shape(n_columns, **options):
        model = GANClassifier(n_steps=1, device="cpu", unlabeled_weight=1.0, calibrate=1.0, **options)
        return model.fit(rng.random((20, n_columns)), y).networks_.architecture

    wide = shape(784)
    assert wide.hidden == (1000, 500, 250, 250, 250)
    assert wide.generator_hidden == (500, 500)
    assert wide.n_latent == 100
    assert (wide.input_noise, wide.hidden_noise) == (0.3, 0.5)
    assert shape(3, unit_cells=False).input_noise == 0.1
    assert shape(3).hidden == (100,) * 5
    assert shape(3, hidden=7, input_noise=0).hidden == (7,)


def test_a_gan_has_no_density_and_no_classes_to_draw_from(rng, monkeypatch):
    X, y = blobs(rng)
    model = classifier(random_state=0, n_steps=5).fit(X, y)
    assert not hasattr(model, "score_samples")
    with pytest.raises(ParameterError, match="y=7 is not among the classes"):
        model.sample(y=7)
    networks = model.networks_.models[0]
    networks.discriminator.head.bias[1] = -1e6
    monkeypatch.setattr("semigen.deep.gan.classifier._MOST_DRAWS", 50)
    with pytest.raises(ParameterError, match=r"y=1: the generator made 0 rows of this class in 50"):
        model.sample(y=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"unit_cells": "yes"}, ParameterError, "unit_cells='yes'"),
        ({"unit_cells": True}, ColumnError, "divide by the largest"),
        ({"hidden": ()}, ParameterError, "hidden=(): give the number of units"),
        ({"generator_hidden": 0}, ParameterError, "generator_hidden=0"),
        ({"input_noise": -1}, ParameterError, "input_noise=-1"),
        ({"hidden_noise": -1}, ParameterError, "hidden_noise=-1"),
        ({"n_latent": 0}, ParameterError, "n_latent=0"),
        ({"entropy_weight": -1}, ParameterError, "entropy_weight=-1"),
        ({"batch_size": 0}, ParameterError, "batch_size=0"),
        ({"device": "tpu"}, ParameterError, "device='tpu'"),
    ],
)
def test_bad_parameters_are_named(options, error, message, rng):
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        classifier(**options).fit(5 * rng.normal(size=(20, 3)), np.arange(20) % 2)
