"""VAEFeatures and VAEClassifier: the contract of every estimator here, and what is their own."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from laws import DEEP_EXPECTED  # noqa: E402
from semigen.deep import FlowMixtureClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.data import tables  # noqa: E402
from semigen.exceptions import (  # noqa: E402
    ColumnError,
    ColumnWarning,
    ConvergenceWarning,
    LabelError,
    MissingExtraError,
    ModelFileError,
    ParameterError,
    TrainingWarning,
)

SMALL = {"n_latent": 2, "hidden": 16, "device": "cpu"}


def features(**options):
    return VAEFeatures(**{**SMALL, "n_steps": 100, **options})


def classifier(**options):
    given = {"unlabeled_weight": 1.0, "calibrate": 1.0}  # nothing is left to held-out labels
    return VAEClassifier(**{**SMALL, **given, "n_steps": 150, "learning_rate": 0.01, **options})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    # "auto" would read whole numbers in a data frame as counts, and fit another model than to an array.
    [
        features(likelihood="gaussian", n_steps=2, hidden=8),
        classifier(likelihood="gaussian", n_steps=10, hidden=8, learning_rate=0.1),
    ],
    expected_failed_checks=lambda estimator: DEEP_EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_a_seed_is_a_result_to_the_last_digit_however_the_table_lies_in_memory(rng):
    X = rng.normal(size=(41, 3))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = np.where(np.arange(41) < 20, np.arange(41) % 2, -1)
    one = classifier(features=features(likelihood="gaussian", n_steps=5), n_steps=5, random_state=0)
    wanted = clone(one).fit(X, y).predict_proba(X)
    shifted = np.frombuffer(b"12345678" + X.tobytes(), dtype=np.float64)[1:].reshape(X.shape)
    columnar = np.asfortranarray(X)
    for other in (X, columnar, shifted, pd.DataFrame(X), pd.DataFrame(columnar), X.tolist()):
        np.testing.assert_array_equal(clone(one).fit(other, y).predict_proba(other), wanted)


def test_black_and_white_is_seen(rng):
    """Pixels are; what is between 0 and 1 without being near them is not, nor is a table of other columns."""
    pixels = load_digits().data[:400] / 16
    gray = rng.uniform(size=(400, 4))
    flags = np.where(rng.uniform(size=(400, 4)) < 0.3, 1.0, 0.0)
    flags[0, 0] = np.nan
    for X, name in [
        (pixels, "bernoulli"),
        (pixels * 16, "gaussian"),
        (gray, "gaussian"),
        (flags, "bernoulli"),
    ]:
        assert set(tables.learn(X)[0].likelihoods) == {name}
        assert set(tables.learn(X, {})[0].likelihoods) == {"gaussian"}
    both = tables.learn(np.column_stack([pixels, 5 * gray]))[0]
    assert set(both.likelihoods) == {"gaussian"}


def test_tables_of_every_kind_with_missing_values_and_text_labels(mixed):
    X, labels, truth = mixed
    model = classifier(n_steps=80, learning_rate=0.05, random_state=0).fit(X, labels)
    rest = labels.isna().to_numpy()
    assert model.score(X[rest], truth[rest]) > 0.85
    assert model.classes_.tolist() == ["new", "old"]
    kinds = ("gaussian", "negative_binomial", "bernoulli", "categorical")
    assert model.networks_.architecture.table.likelihoods == kinds
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    reordered = X[X.columns[::-1]].assign(other=1.0)
    np.testing.assert_array_equal(model.predict_proba(reordered), model.predict_proba(X))
    strange = X.assign(color="violet")
    unknown = X.assign(color=None)
    with pytest.warns(ColumnWarning, match="most values of column 'color', such as 'violet'"):
        found = model.predict_proba(strange)
    np.testing.assert_array_equal(found, model.predict_proba(unknown))

    drawn, classes = model.sample(400, random_state=1)
    assert list(drawn.columns) == list(X.columns)
    assert set(drawn["color"]) <= {"red", "blue", "green"}
    assert set(classes) == {"new", "old"}
    new, _ = model.sample(300, y="new", random_state=1)
    old, _ = model.sample(300, y="old", random_state=1)
    assert new["size"].mean() > old["size"].mean() + 20
    assert new["visits"].mean() > old["visits"].mean() + 1
    assert (new["color"] == "red").mean() > (old["color"] == "red").mean() + 0.3
    turned = model.transfer(X, "new")["size"].mean() - model.transfer(X, "old")["size"].mean()
    assert turned > 15
    assert model.reconstruct(X).shape == X.shape
    assert model.transform(X).shape == (240, 2)


def test_members_are_trained_at_once_and_disagree_where_little_is_known(rng):
    X = rng.normal(size=(200, 2)) + np.repeat([[0.0], [5.0]], 100, axis=0)
    y = np.where(np.arange(200) % 20 == 0, np.arange(200) // 100, -1)
    model = classifier(n_members=4, n_steps=40, learning_rate=0.05, random_state=0).fit(X, y)
    assert {"labeled_bound", "unlabeled_bound", "cross_entropy", "kl", "entropy"} < set(model.history_)
    assert len(model.networks_.models) == 4
    members, _ = model._member_proba(X)
    np.testing.assert_allclose(members.mean(axis=0), model.predict_proba(X))
    assert not np.allclose(members[0], members[1])
    found = model.predict_uncertainty([[0.0, 0.0], [2.5, 2.5]])
    total, epistemic = found.total, found.epistemic
    assert (total >= epistemic).all()
    assert epistemic[1] > epistemic[0]
    assert (classifier(n_steps=2, random_state=0).fit(X, y).predict_uncertainty(X).epistemic == 0).all()
    both = features(n_members=2, n_steps=20, random_state=0).fit(X)
    assert both.transform(X).shape[1] == both.active_.sum() == len(both.get_feature_names_out())


def test_collapsed_latents_are_dropped_and_reported(rng):
    """Five columns that one number makes need one latent."""
    X = rng.normal(size=(400, 1)) @ np.ones((1, 5)) + 0.1 * rng.normal(size=(400, 5))
    model = features(n_latent=4, n_steps=150, learning_rate=0.03, batch_size=100, random_state=0).fit(X)
    assert model.kl_.shape == (1, 4)
    assert model.n_collapsed_ == 3
    Z = model.transform(X)
    assert Z.shape == (400, 1)
    assert abs(np.corrcoef(Z[:, 0], X.mean(axis=1))[0, 1]) > 0.98
    np.testing.assert_allclose(model.reconstruct(X), X, atol=0.8)
    mean, sd = model.posterior(X)
    np.testing.assert_array_equal(mean, Z)
    assert 0 < sd.mean() < 0.5
    assert model.sample(3, random_state=0).shape == (3, 5)
    # A latent counts as much as it carries: its variance under the model, 1, becomes its information.
    network = model.networks_.models[0]
    unscaled = network.encoder(network.look(model._rows(X).take(slice(None))))[0]
    np.testing.assert_allclose(
        Z[:, 0] / np.sqrt(model.kl_.max()), unscaled[:, model.active_[0]][:, 0].numpy(), rtol=1e-9
    )
    noise = features(beta=1.0, n_latent=4, learning_rate=0.03, batch_size=100, random_state=0)
    with pytest.warns(ConvergenceWarning, match="all 4 latents have collapsed"):
        noise.fit(rng.normal(size=(400, 2)))
    assert noise.transform(X[:, :2]).shape == (400, 1)


def test_many_classes_with_a_truncated_sum(rng):
    centers = 6 * rng.normal(size=(12, 4))
    truth = np.repeat(np.arange(12), 30)
    X = centers[truth] + rng.normal(size=(360, 4))
    y = np.where(np.arange(360) % 10 == 0, truth, -1)
    model = classifier(
        top_k=3, n_steps=60, learning_rate=0.05, batch_size=100, hidden=32, random_state=0
    ).fit(X, y)
    assert model.score(X, truth) > 0.95
    assert model.history_["log_mass"][0] < model.history_["log_mass"][-1] <= 0


def test_bfloat16_trains_to_about_the_same(rng):
    X = rng.normal(size=(120, 3)) + np.repeat([[0.0], [3.0]], 60, axis=0)
    y = np.where(np.arange(120) % 6 == 0, np.arange(120) // 60, -1)
    exact, rough = (
        classifier(precision=precision, n_members=2, n_steps=20, random_state=0).fit(X, y)
        for precision in ("float32", "bfloat16")
    )
    different = np.abs(exact.predict_proba(X) - rough.predict_proba(X))
    assert 0 < different.max() < 0.1
    np.testing.assert_allclose(
        rough.history_["unlabeled_bound"], exact.history_["unlabeled_bound"], rtol=0.03, atol=0.1
    )


def test_images_and_networks_of_one_s_own(rng):
    X, y = load_digits(return_X_y=True)
    X, marked = X[:60] / 16, np.where(np.arange(60) < 20, y[:60], -1)
    options = {"likelihood": "bernoulli", "n_steps": 4, "random_state": 0}
    conv = classifier(network="conv", image_shape=(8, 8), n_members=2, **options).fit(X, marked)
    assert conv.predict_proba(X).shape == (60, 10)
    labeled_only = classifier(network="conv", image_shape=(8, 8), **{**options, "unlabeled_weight": 0.0})
    assert labeled_only.fit(X, marked).predict_proba(X).shape == (60, 10)
    missing = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    one = classifier(network="conv", image_shape=(1, 8, 8), **options).fit(missing, marked)
    assert one.predict(X).shape == (60,)

    def network(n_inputs, n_outputs):
        return torch.nn.Sequential(
            torch.nn.Linear(n_inputs, 9), torch.nn.Tanh(), torch.nn.Linear(9, n_outputs)
        )

    own = classifier(network=network, **options).fit(X, marked)
    assert own.networks_.models[0].classifier[0].out_features == 9
    with pytest.raises(ModelFileError, match=r"cannot be saved|cannot hold"):
        semigen.save(own, "unused.semigen")


def test_m1_m2_draws_its_features_and_goes_back_to_the_table(mixed):
    X, labels, truth = mixed
    one = features(n_steps=100, learning_rate=0.05)
    model = classifier(features=one, n_steps=50, learning_rate=0.05, random_state=0).fit(X, labels)
    rest = labels.isna().to_numpy()
    assert model.score(X[rest], truth[rest]) > 0.75
    drawn, _ = model.sample(5, random_state=0)
    assert list(drawn.columns) == list(X.columns)
    assert model.transfer(X, "old").shape == X.shape
    assert model.schema_ == model.features_.schema_
    assert np.isfinite(model.score_samples(X)).all()
    plain = classifier(features=PCA(2), n_steps=5).fit(X[["size"]].fillna(0).assign(b=1.0), labels)
    assert plain.predict_proba(X[["size"]].fillna(0).assign(b=1.0)).shape == (240, 2)


@pytest.mark.parametrize("options", [{}, {"n_members": 2}])
def test_saved_models_answer_the_same(mixed, tmp_path, options):
    X, labels, _ = mixed
    one = classifier(
        features=features(n_steps=20, learning_rate=0.05), n_steps=5, random_state=0, **options
    ).fit(X, labels)
    semigen.save(one, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.predict_proba(X), one.predict_proba(X))
    np.testing.assert_array_equal(again.score_samples(X), one.score_samples(X))
    np.testing.assert_array_equal(again.history_["kl"], one.history_["kl"])
    semigen.save(classifier(), tmp_path / "unfitted.semigen")
    assert semigen.load(tmp_path / "unfitted.semigen").n_latent == 2


def test_without_torch_the_error_names_the_extra(mixed, tmp_path, monkeypatch):
    X, labels, _ = mixed
    semigen.save(classifier(n_steps=2).fit(X, labels), tmp_path / "m.semigen")
    for name in [one for one in sys.modules if one.startswith("semigen.deep")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delattr(semigen, "deep", raising=False)
    with pytest.raises(ImportError, match=r'pip install "semigen\[deep\]"'):
        importlib.import_module("semigen.deep")
    with pytest.raises(MissingExtraError, match=r'pip install "semigen\[deep\]"'):
        semigen.load(tmp_path / "m.semigen")


def test_a_fit_goes_on_from_its_checkpoint(rng, tmp_path):
    X = rng.normal(size=(60, 3))
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    whole = classifier(n_steps=20, random_state=0).fit(X, y)
    model = classifier(n_steps=20, random_state=0, checkpoint=tmp_path / "fit.pt")
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), whole.predict_proba(X))
    with pytest.raises(ParameterError, match="other settings or data"):
        model.fit(X + 1e-3 * rng.normal(size=X.shape), y)


def test_a_checkpoint_goes_on_to_more_steps(rng, tmp_path):
    X = rng.normal(size=(60, 3))
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    model = classifier(n_steps=20, random_state=0, checkpoint=tmp_path / "fit.pt")
    assert model.fit(X, y).n_steps_ == 20
    assert model.set_params(n_steps=30).fit(X, y).history_["step"].tolist() == list(range(1, 31))
    with pytest.raises(ParameterError, match="of a fit of 30 steps, and n_steps=20"):
        model.set_params(n_steps=20).fit(X, y)


@pytest.mark.parametrize("path", ["none/fit.pt", "", 5])
def test_a_checkpoint_needs_a_place(path, rng, tmp_path):
    place = tmp_path / path if isinstance(path, str) else path
    with pytest.raises(ParameterError, match="checkpoint="):
        classifier(checkpoint=place).fit(rng.normal(size=(9, 2)), np.arange(9) % 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "pca"}, "features='pca': use a transformer such as VAEFeatures"),
        ({"weight_average": 1.0}, "weight_average=1.0: it must be a number of at least 0 and below 1"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(options, message, rng):
    with pytest.raises(ParameterError, match=message):
        classifier(**options).fit(rng.normal(size=(9, 2)), np.arange(9) % 2)


def test_torch_s_random_numbers_are_left_alone(mixed, tmp_path):
    X, labels, _ = mixed
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model = classifier(features=features(n_steps=2), n_steps=2, random_state=0).fit(X, labels)
    model.log_density(X, random_state=1)
    model.sample(3)
    semigen.save(model, tmp_path / "m.semigen")
    assert torch.equal(torch.get_rng_state(), before)
    semigen.load(tmp_path / "m.semigen").predict(X)
    numbers = X[["size"]].fillna(0.0).assign(b=1.5).to_numpy()
    alone = {"unlabeled_weight": 1.0, "calibrate": 1.0, "n_steps": 2, "hidden": 8, "random_state": 0}
    FlowMixtureClassifier(**alone).fit(numbers, labels)  # is built with weights that are replaced
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.filterwarnings("ignore::semigen.exceptions.TrainingWarning")
def test_ctrl_c_while_features_are_learned_ends_the_fit(mixed, monkeypatch):
    X, labels, _ = mixed
    steps = []

    class Interrupted(semigen.deep.vae.model.VAE):
        def loss(self, batch, step, objective):
            if step == 3:
                raise KeyboardInterrupt
            return super().loss(batch, step, objective)

    monkeypatch.setattr("semigen.deep.vae.architecture.VAE", Interrupted)
    model = classifier(features=features(n_steps=50), n_steps=50, random_state=0)
    with pytest.warns(TrainingWarning, match="the classifier itself is untrained"):
        model.fit(X, labels, progress=lambda *step: steps.append(step))
    assert model.outcome_ == model.features_.outcome_ == "interrupted"
    assert model.n_steps_ == 0
    assert max(done for done, *_ in steps) < 50
    assert np.isfinite(model.predict_proba(X)).all()
    monkeypatch.undo()
    assert model.fit(X, labels).outcome_ == "finished"


def test_progress_counts_the_steps_of_features_and_classifier(mixed):
    X, labels, _ = mixed
    steps = []
    model = classifier(features=features(n_steps=3), n_steps=2, random_state=0)
    model.fit(X, labels, progress=lambda *step: steps.append(step))
    assert [step[:2] for step in steps] == [(done, 5) for done in range(1, 6)]
    assert "bound" in steps[0][2]
    assert "cross_entropy" in steps[-1][2]


def test_threads_are_those_asked_for_and_set_back(rng, monkeypatch):
    X, y = rng.normal(size=(9, 2)), np.arange(9) % 2
    before, seen = torch.get_num_threads(), []
    model = classifier(n_steps=2, n_jobs=before + 1)
    model.fit(X, y, progress=lambda *_: seen.append(torch.get_num_threads()))
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before
    with pytest.raises(ParameterError, match="n_jobs=0"):
        classifier(n_jobs=0).fit(X, y)


def test_a_network_of_one_s_own_has_the_right_width(rng):
    X, y = rng.normal(size=(9, 2)), np.arange(9) % 2

    def wide(n_inputs, n_outputs):
        return torch.nn.Linear(n_inputs, n_outputs + 1)

    def narrow(n_inputs, n_outputs):
        return torch.nn.Linear(n_inputs + 1, n_outputs)

    for network, message in (
        (wide, r"network=wide turned rows of shape \(2, 2\) into \(2, 17\): it has to return"),
        (narrow, "network=narrow failed on rows of 2 inputs"),
        (lambda *_: None, "returned NoneType"),
        (lambda n: wide(n, n), r"does not take \(2, 16\).*it has to return"),
    ):
        with pytest.raises(ParameterError, match=message):
            classifier(network=network).fit(X, y)


def test_images_are_flat_rows(rng):
    X, y = rng.uniform(size=(9, 8, 8)), np.arange(9) % 2
    for images, cure in (
        (X, r"X.reshape\(len\(X\), -1\), with image_shape=\(8, 8\)"),
        (X[..., None].repeat(3, axis=3), r"transpose\(0, 3, 1, 2\).*image_shape=\(3, 8, 8\)"),
    ):
        with pytest.raises(ColumnError, match=cure):
            classifier().fit(images, y)
    with pytest.raises(ColumnError, match="a row of X is one image"):
        classifier(n_steps=1).fit(X.reshape(9, -1), y).predict(X)


def test_early_stopping_looks_at_unlabeled_rows_only(rng):
    X = rng.normal(size=(100, 3))
    y = np.where(np.arange(100) < 20, np.arange(100) % 2, -1)
    model = classifier(patience=2, n_steps=500, learning_rate=0.05, random_state=0).fit(X, y)
    assert model.outcome_ == "no improvement"
    assert model.n_steps_ < 500
    other = np.where(y >= 0, 1 - y, -1)
    swapped = clone(model).fit(X, other)
    assert len(swapped.history_["held_out"]) > 2
    assert classifier(patience=2, n_steps=9).fit(X[:20], y[:20]).n_steps_ == 9  # there are none to look at


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"likelihood": "cauchy"}, ParameterError, "likelihood='cauchy' is not available"),
        ({"likelihood": "bernoulli"}, ColumnError, "divide by the largest"),
        ({"likelihood": {0: "categorical", 9: "poisson"}}, ColumnError, "no column 9"),
        ({"network": "resnet"}, ParameterError, "network='resnet'"),
        ({"network": "conv"}, ParameterError, "needs image_shape"),
        ({"image_shape": (2, 2)}, ParameterError, "does not fit the 3 columns"),
        ({"hidden": ()}, ParameterError, "at least one hidden layer"),
        ({"hidden": "big"}, ParameterError, "hidden='big': use a number of units, or one for each"),
        ({"hidden": 1.5}, ParameterError, "hidden=1.5: use a number of units"),
        ({"image_shape": "square"}, ParameterError, "image_shape='square': use"),
        ({"n_latent": 0}, ParameterError, "n_latent=0"),
        ({"n_steps": 0}, ParameterError, "n_steps=0"),
        ({"alpha": -1}, ParameterError, "alpha=-1"),
        ({"device": "tpu"}, ParameterError, "device='tpu'"),
        ({"precision": "float8"}, ParameterError, "precision='float8'"),
        ({"class_prior": [0.2, 0.2]}, ParameterError, "class_prior"),
        ({"class_prior": "flat"}, ParameterError, "class_prior='flat'"),
        ({"patience": 0}, ParameterError, "patience=0"),
        ({"weight_average": 1.0}, ParameterError, "weight_average=1.0"),
    ],
)
def test_bad_parameters_are_named(options, error, message, rng):
    X = 5 * rng.normal(size=(20, 3))
    with pytest.raises(error, match=message.replace("(", r"\(")):
        classifier(**options).fit(X, np.where(np.arange(20) < 10, np.arange(20) % 2, -1))


def test_classes_and_likelihoods_are_known_by_name(rng):
    X = rng.poisson(3.0, size=(40, 2))
    y = np.where(np.arange(40) < 10, np.arange(40) % 2, -1)
    model = classifier(likelihood={0: "poisson", 1: "categorical"}, n_steps=5).fit(X, y)
    assert model.networks_.architecture.table.likelihoods == ("poisson", "categorical")
    for method in (model.sample, lambda y: model.transfer(X, y)):
        with pytest.raises(ParameterError, match="y=7 is not among the classes"):
            method(y=7)
    uniform = classifier(class_prior="uniform", n_steps=5).fit(X, y)
    assert uniform.class_prior_.tolist() == [0.5, 0.5]
    with pytest.raises(LabelError, match="X has 40 rows and y has 39"):
        classifier().fit(X, y[:-1])
