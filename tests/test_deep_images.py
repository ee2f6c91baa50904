"""Images put together into grids: every one at its place, and what models make of rows and classes."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

import semigen  # noqa: E402
from semigen.deep import (  # noqa: E402
    FlowMixtureClassifier,
    GANClassifier,
    VAEClassifier,
    VAEFeatures,
    class_grid,
    image_grid,
    reconstruction_grid,
    save_image,
    transfer_grid,
)
from semigen.deep.draws import random_seed  # noqa: E402
from semigen.exceptions import (  # noqa: E402
    ClassNotMadeError,
    MissingExtraError,
    NotFittedError,
    ParameterError,
    TrainingWarning,
)


def tile(grid, row, column, height=8, width=8, gap=1):
    """One image of a grid."""
    top, left = row * (height + gap), column * (width + gap)
    return grid[top : top + height, left : left + width]


@pytest.fixture(scope="module")
def digits():
    """Zeros, ones and sevens, most without a label."""
    X, truth = load_digits(return_X_y=True)
    rows = np.flatnonzero(np.isin(truth, [0, 1, 7]))[:300]
    y = np.where(np.arange(len(rows)) < 60, truth[rows], -1)
    return X[rows] / 16, y


GIVEN = {"unlabeled_weight": 1.0, "calibrate": 1.0}
"""Nothing is left to held-out labels."""


@pytest.fixture(scope="module")
def model(digits):
    return VAEClassifier(
        likelihood="bernoulli",
        n_latent=2,
        hidden=32,
        n_steps=100,
        learning_rate=0.02,
        alpha=10,
        random_state=0,
        **GIVEN,
    ).fit(*digits)


# Grids of images


@pytest.mark.parametrize(("n", "n_columns", "gap"), [(1, 1, 0), (7, 3, 2), (6, 3, 0), (5, 9, 1)])
@pytest.mark.parametrize("colors", [(), (3,)])
def test_a_grid_has_every_image_at_its_place_and_nothing_else(rng, n, n_columns, gap, colors):
    images = rng.random((n, 4, 5, *colors))
    grid = image_grid(images, n_columns, gap=gap, background=0.25)
    n_rows = -(-n // n_columns)
    assert grid.shape == (n_rows * (4 + gap) - gap, n_columns * (5 + gap) - gap, *colors)
    left = grid.copy()
    for i, image in enumerate(images):
        place = tile(left, *divmod(i, n_columns), 4, 5, gap)
        assert_array_equal(place, image)
        place[:] = 0.25
    assert (left == 0.25).all()


def test_rows_and_columns_are_about_as_many():
    for n, side in ((1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)):
        assert image_grid(np.zeros((n, 2, 2)), gap=0).shape[1] == 2 * side


def test_flat_rows_are_the_same_images(rng):
    images = rng.random((6, 4, 5))
    assert_array_equal(image_grid(images.reshape(6, 20), image_shape=(4, 5)), image_grid(images))
    assert_array_equal(image_grid(images.reshape(6, 20), image_shape=(1, 4, 5)), image_grid(images))
    colored = rng.random((6, 4, 5, 3))
    flat = np.moveaxis(colored, -1, 1).reshape(6, 60)  # color after color
    assert_array_equal(image_grid(flat, image_shape=(3, 4, 5)), image_grid(colored))


def test_black_white_and_missing_cells(rng):
    images = rng.random((2, 3, 3))
    assert_allclose(image_grid(20 * images - 5, value_range=(-5, 15)), image_grid(images), atol=1e-12)
    stored = rng.integers(256, size=(2, 3, 3), dtype=np.uint8)
    assert_array_equal(image_grid(stored), image_grid(stored / 255))
    images[1, 2, 0] = np.nan
    assert tile(image_grid(images, 2), 0, 1, 3, 3)[2, 0] == 0.5


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((2, 3)), {}, r"images of shape \(2, 3\)"),
        (np.zeros((0, 3, 3)), {}, "at least one image"),
        (np.zeros((2, 3, 3, 2)), {}, r"images of shape \(2, 3, 3, 2\)"),
        (np.zeros((2, 6)), {"image_shape": (2, 2)}, r"image_shape=\(2, 2\) does not fit .* \(2, 6\)"),
        (np.zeros((2, 8)), {"image_shape": (2, 2, 2)}, r"image_shape=\(2, 2, 2\)"),
        (np.full((2, 3, 3), 16.0), {}, r"from 16 to 16, but black is 0 and white is 1: set value_range"),
        (np.zeros((2, 3, 3)), {"value_range": (1, 0)}, "black < white"),
        (np.zeros((2, 3, 3)), {"gap": -1}, "gap=-1"),
        (np.zeros((2, 3, 3)), {"background": 2}, "background=2"),
        (np.zeros((2, 3, 3)), {"n_columns": 0}, "n_columns=0"),
    ],
)
def test_what_is_no_image_is_named(images, options, message):
    with pytest.raises(ParameterError, match=message):
        image_grid(images, **options)


# Grids of models


def test_each_class_has_a_row_of_its_own(model):
    grid = class_grid(model, 12, random_state=0)
    assert grid.shape == (3 * 9 - 1, 12 * 9 - 1)
    for row, y in enumerate(model.classes_):
        drawn, _ = model.sample(12, y=y, random_state=random_seed(0), expected=True)
        made = np.array([tile(grid, row, i).ravel() for i in range(12)])
        assert_array_equal(made, drawn)
        assert (model.predict(made) == y).mean() > 0.8
    assert_array_equal(class_grid(model, 12, random_state=0), grid)
    assert not np.array_equal(class_grid(model, 12, random_state=1), grid)


def test_the_latents_of_a_column_are_the_same(model):
    """The decoder's cells in class k, at the z of the first class's images."""
    one = model.networks_.models[0]
    grid = class_grid(model, 4, random_state=3)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(random_seed(random_seed(3)))
        torch.randint(1, (4,))
        z = torch.randn(4, one.n_latent, dtype=torch.float64)
        for k in range(3):
            cells = one.likelihood.mean(one.decoder(z, torch.full((4,), k))).numpy()
            assert_allclose([tile(grid, k, i).ravel() for i in range(4)], cells)


def test_reconstructions_stand_below_their_rows(model, digits):
    X = digits[0][:7]
    grid = reconstruction_grid(model, X, gap=3)
    below = model.reconstruct(X)
    for i in range(7):
        assert_array_equal(tile(grid, 0, i, gap=3).ravel(), X[i])
        assert_array_equal(tile(grid, 1, i, gap=3).ravel(), below[i])
    assert np.abs(below - X).mean() < np.abs(X.mean(axis=0) - X).mean()


def test_transfer_to_the_own_class_is_the_reconstruction(model, digits):
    X = digits[0][:9]
    grid = transfer_grid(model, X)
    own, below = model.predict(X), reconstruction_grid(model, X)
    assert grid.shape == (9 * 9 - 1, 4 * 9 - 1)
    for i in range(9):
        assert_array_equal(tile(grid, i, 0).ravel(), X[i])
        assert_array_equal(tile(grid, i, 1 + model.classes_.tolist().index(own[i])), tile(below, 1, i))
        made = np.array([tile(grid, i, 1 + k).ravel() for k in range(3)])
        assert (model.predict(made) == model.classes_).mean() > 0.6


def test_features_missing_values_and_data_frames(digits):
    """M1 and M1+M2, fitted to a data frame with missing values: their image shape is that of M1."""
    X, y = digits[0][:120], digits[1][:120]
    frame = pd.DataFrame(X, columns=[f"pixel{j}" for j in range(64)])
    frame.iloc[1:30, 5] = np.nan
    features = VAEFeatures(
        likelihood="gaussian", n_latent=3, hidden=16, n_steps=40, image_shape=(4, 16), random_state=0
    )
    both = VAEClassifier(features=features, n_latent=2, hidden=8, n_steps=40, random_state=0, **GIVEN).fit(
        frame, y
    )
    assert class_grid(both, 5, random_state=0).shape == (3 * 5 - 1, 5 * 17 - 1)
    assert transfer_grid(both, frame[:2]).shape == (2 * 5 - 1, 4 * 17 - 1)
    grid = reconstruction_grid(both.features_, frame[:6])
    seen = tile(grid, 0, 3, 4, 16).ravel()
    assert seen[5] == 0.5
    assert_array_equal(np.delete(seen, 5), np.delete(X[3], 5))
    assert_array_equal(
        tile(grid, 1, 3, 4, 16).ravel(), np.clip(both.features_.reconstruct(frame[:6]), 0, 1).iloc[3]
    )


def test_every_generative_classifier_has_a_grid_of_classes(digits):
    X, y = digits[0][:, 16:32], digits[1]
    models = (
        semigen.MixtureClassifier(covariance="diag"),
        GANClassifier(hidden=16, generator_hidden=16, n_latent=4, n_steps=60, random_state=0, **GIVEN),
        FlowMixtureClassifier(2, n_transforms=1, hidden=8, n_steps=3, random_state=0, **GIVEN),
    )
    for model in models:
        grid = class_grid(model.fit(X, y), 3, random_state=0)
        assert grid.shape == (3 * 5 - 1, 3 * 5 - 1)
        rows = np.array([tile(grid, k, i, 4, 4).ravel() for k in range(3) for i in range(3)])
        if isinstance(model, GANClassifier):
            assert_array_equal(model.predict(rows), np.repeat(model.classes_, 3))


def test_what_a_model_cannot_show_is_named(model, digits):
    X, y = digits[0][:60], digits[1][:60]
    gan = GANClassifier(hidden=8, generator_hidden=8, n_steps=2, **GIVEN).fit(X, y)
    with pytest.raises(ParameterError, match="GANClassifier has no reconstruct: use VAEClassifier or VAEF"):
        reconstruction_grid(gan, X)
    with pytest.raises(ParameterError, match="VAEFeatures has no transfer"):
        transfer_grid(VAEFeatures(hidden=8, n_steps=2).fit(X), X)
    with pytest.raises(NotFittedError):
        class_grid(VAEClassifier())
    with pytest.raises(ParameterError, match="60 columns, which do not form a square"):
        class_grid(gan.fit(X[:, :60], y))
    with pytest.raises(ParameterError, match=r"image_shape=\(5, 5\)"):
        class_grid(model, image_shape=(5, 5))
    with pytest.raises(ParameterError, match="value_range"):
        image_grid(16 * X, image_shape=(8, 8))


# Expected cells and draws


def test_expected_cells_are_the_means_of_draws(model):
    """The same seed gives the same latents: draws of black and white have the expected grays as means."""
    expected, y = model.sample(4000, random_state=0, expected=True)
    drawn, same = model.sample(4000, random_state=0)
    assert_array_equal(y, same)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert ((expected > 0) & (expected < 1)).all()
    error = (drawn - expected).sum(axis=0) / np.sqrt((expected * (1 - expected)).sum(axis=0))
    assert np.abs(error).max() < 4
    assert 0.5 < np.mean(error**2) < 1.6


def test_features_and_what_stands_on_them_draw_cells_too(digits):
    X, y = digits
    features = VAEFeatures("bernoulli", n_latent=3, hidden=16, n_steps=60, learning_rate=0.01, random_state=0)
    both = VAEClassifier(features=features, n_latent=2, hidden=8, n_steps=20, random_state=0, **GIVEN).fit(
        X, y
    )
    for sample in (both.features_.sample, lambda *args, **more: both.sample(*args, **more)[0]):
        drawn, expected = sample(2000, random_state=0), sample(2000, random_state=0, expected=True)
        assert set(np.unique(drawn)) == {0.0, 1.0}
        assert ((expected > 0) & (expected < 1)).all()
        assert_allclose(drawn.mean(axis=0), expected.mean(axis=0), atol=0.15)
        assert_array_equal(sample(5, random_state=1), sample(5, random_state=1))
    Z = both.features_.transform(X[:1]).repeat(4000, axis=0)
    drawn = both.features_.draw(Z, random_state=0)
    assert_allclose(drawn.mean(axis=0), both.features_.inverse_transform(Z[:1])[0], atol=0.1)


# Files


def test_a_saved_image_is_read_back(rng, tmp_path):
    for grid in (rng.random((5, 7)), rng.random((5, 7, 3)), rng.integers(256, size=(5, 7), dtype=np.uint8)):
        save_image(grid, tmp_path / "grid.png", overwrite=True)
        stored = grid if grid.dtype == np.uint8 else np.rint(255 * grid).astype(np.uint8)
        with Image.open(tmp_path / "grid.png") as found:
            assert_array_equal(np.asarray(found), stored)
    save_image(stored, tmp_path / "large.PNG", scale=3)
    with Image.open(tmp_path / "large.PNG") as found:
        assert_array_equal(np.asarray(found), np.kron(stored, np.ones((3, 3), dtype=np.uint8)))


def test_an_existing_file_stays_unless_it_may_go(rng, tmp_path):
    path = tmp_path / "grid.png"
    save_image(rng.random((4, 4)), path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"grid\.png exists: choose another name"):
        save_image(rng.random((4, 4)), path)
    assert path.read_bytes() == before
    save_image(rng.random((4, 4)), str(path), overwrite=True)
    assert path.read_bytes() != before


def test_what_cannot_be_saved_leaves_no_file(rng, tmp_path, monkeypatch):
    for name in ("grid.csv", "grid.psd", "grid"):  # Pillow reads the second one, and does not write it
        with pytest.raises(ParameterError, match=r"the image cannot be saved in the format"):
            save_image(rng.random((4, 4)), tmp_path / name)
    with pytest.raises(ParameterError, match="images of shape"):
        save_image(rng.random(4), tmp_path / "grid.png")
    with pytest.raises(ParameterError, match="scale=0"):
        save_image(rng.random((4, 4)), tmp_path / "grid.png", scale=0)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r'pip install "semigen\[images\]"'):
        save_image(rng.random((4, 4)), tmp_path / "grid.png")
    assert not list(tmp_path.iterdir())


def test_rows_of_all_classes_are_those_of_each(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 4)), np.arange(60) % 3
    X[:, 0] = (X[:, 0] + y) / 3
    model = GANClassifier(hidden=8, generator_hidden=8, n_steps=150, random_state=0, **GIVEN).fit(X, y)
    monkeypatch.setattr("semigen.deep.gan.classifier._MOST_DRAWS", 3)
    kept, missing = 0, 0
    for seed in range(12):
        for label, rows in enumerate(model.sample_classes(4, random_state=seed)):
            if rows is None:
                with pytest.raises(ClassNotMadeError, match=rf"y={label}: .* in 12\."):
                    model.sample(4, label, random_state=seed)
                missing += 1
            else:
                assert_array_equal(rows, model.sample(4, label, random_state=seed)[0])
                assert_array_equal(model.predict(rows), [label] * 4)
                kept += 1
    assert kept
    assert missing


def test_a_grid_draws_the_rows_of_all_classes_in_one_pass(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 9)), np.arange(40) % 2
    model = GANClassifier(hidden=8, generator_hidden=8, n_steps=4, random_state=0, **GIVEN).fit(X, y)
    passes = []
    monkeypatch.setattr("semigen.deep.gan.classifier._MOST_DRAWS", 5)
    monkeypatch.setattr(type(model.networks_), "draw", lambda *_: passes.append(1) or torch.full((3, 9), 0.5))
    with pytest.warns(TrainingWarning, match="too few rows of class"):
        class_grid(model, 3)
    assert len(passes) == 5


def test_a_class_that_is_never_made_is_gray_and_named(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 9)), np.arange(40) % 2
    model = GANClassifier(hidden=8, generator_hidden=8, n_steps=4, random_state=0, **GIVEN).fit(X, y)
    drawn = GANClassifier.sample
    monkeypatch.setattr(
        GANClassifier,
        "sample_classes",
        lambda self, n, random_state: [drawn(self, n, None, random_state)[0], None],
    )
    with pytest.warns(TrainingWarning, match="too few rows of class 1"):
        grid = class_grid(model, 3, background=0.0)
    assert set(np.unique(grid[4:])) == {0.0, 0.5}
    assert len(np.unique(grid[:3])) > 9
