"""Residual networks, augmentation, and images in color."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import semigen  # noqa: E402
from semigen.datasets import make_shapes  # noqa: E402
from semigen.deep import (  # noqa: E402
    GANClassifier,
    VAEClassifier,
    class_grid,
    image_grid,
    map_images,
    residual,
    save_image,
)
from semigen.deep.residual import ResidualBlock, ResidualDecoder, ResidualEncoder, augment  # noqa: E402
from semigen.exceptions import ParameterError, TableError  # noqa: E402

COLOR = {
    "image_shape": (3, 16, 16),
    "n_steps": 2,
    "batch_size": 8,
    "random_state": 0,
    "device": "cpu",
    "unlabeled_weight": 1.0,
    "calibrate": 1.0,
}
MODELS = {
    "M2": VAEClassifier(likelihood="continuous_bernoulli", network="resnet", n_latent=3, hidden=8, **COLOR),
    "GAN": GANClassifier(network="resnet", hidden=16, n_latent=5, n_members=2, augment="shift", **COLOR),
}


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(60, 2, size=16, random_state=0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 64, 32)])
def test_residual_networks_go_from_images_to_units_and_back(shape):
    channels, height, width = shape
    n = channels * height * width
    encoder, decoder = ResidualEncoder(n, shape, 5), ResidualDecoder(5, shape, 2 * n)
    x = torch.rand(3, n)
    assert encoder(x).shape == (3, 5)
    assert decoder(encoder(x)).shape == (3, 2 * n)
    assert ResidualEncoder(2 * n, shape, 5)(torch.rand(3, 2 * n)).shape == (3, 5)
    assert min(decoder.small[1:]) >= 4
    with torch.no_grad():
        torch.testing.assert_close(
            encoder(x)[1], encoder(x[1:2])[0], rtol=1e-4, atol=1e-5
        )  # of one row alone


def test_a_residual_block_adds_to_its_input():
    block = ResidualBlock(8, 8)
    torch.nn.init.zeros_(block.second.weight)
    torch.nn.init.zeros_(block.second.bias)
    x = torch.rand(2, 8, 4, 4)
    assert torch.equal(block(x), x)
    wider = ResidualBlock(8, 16)
    assert wider(x).shape == (2, 16, 4, 4)


def test_augmentation_shifts_each_image_and_mirrors_half():
    torch.manual_seed(0)
    image = torch.zeros(3, 16, 16)
    image[:, 6, 12] = torch.tensor([0.2, 0.5, 1.0])
    rows = image.flatten().expand(400, -1)
    found = augment(rows, (3, 16, 16), "shift").reshape(-1, 3, 16, 16)
    where = found[:, 2].flatten(1).argmax(dim=1)
    row, column = where // 16, where % 16
    assert set(row.tolist()) == {4, 5, 6, 7, 8}
    assert set(column.tolist()) == {10, 11, 12, 13, 14}
    torch.testing.assert_close(found.amax(dim=(2, 3)), torch.tensor([0.2, 0.5, 1.0]).expand(400, 3))
    both = augment(rows, (3, 16, 16), "shift and flip").reshape(-1, 3, 16, 16)
    column = both[:, 2].flatten(1).argmax(dim=1) % 16
    assert 0.4 < float((column < 8).double().mean()) < 0.6
    assert set(column.tolist()) == {1, 2, 3, 4, 5, 10, 11, 12, 13, 14}
    edge = torch.ones(1, 64)
    assert torch.equal(augment(edge, (1, 8, 8), "shift"), edge)  # borders are repeated


@pytest.mark.parametrize("name", MODELS)
def test_models_of_images_in_color(name, shapes, tmp_path):
    model = MODELS[name].fit(shapes.X, shapes.y)
    assert model.predict_proba(shapes.X).shape == (60, 5)
    if name == "M2":
        assert class_grid(model, 2, random_state=0).shape == (5 * 17 - 1, 2 * 17 - 1, 3)
    made, _ = model.sample(2, random_state=0)
    assert image_grid(made, image_shape=(3, 16, 16)).shape == (16, 33, 3)
    semigen.save(model, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_array_equal(again.predict_proba(shapes.X), model.predict_proba(shapes.X))


def test_augmented_rows_enter_the_cross_entropy_alone(shapes, monkeypatch):
    seen = []

    def spy(x, image_shape, kind):
        seen.append((tuple(x.shape), image_shape, kind))
        return x

    options = {**COLOR, "likelihood": "continuous_bernoulli", "hidden": 8, "n_latent": 2}
    plain = VAEClassifier(**options).fit(shapes.X, shapes.y)
    monkeypatch.setattr("semigen.deep.vae.architecture.augment", spy)
    same = VAEClassifier(augment="shift", **options).fit(shapes.X, shapes.y)
    assert seen == [((8, 768), (3, 16, 16), "shift")] * 2
    np.testing.assert_array_equal(same.predict_proba(shapes.X), plain.predict_proba(shapes.X))
    monkeypatch.undo()
    changed = VAEClassifier(augment="shift", **options).fit(shapes.X, shapes.y)
    assert not np.array_equal(changed.predict_proba(shapes.X), plain.predict_proba(shapes.X))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (VAEClassifier(augment="rotate"), "augment='rotate': use None, 'shift', 'shift and flip'"),
        (VAEClassifier(augment="shift"), "augment='shift' needs image_shape"),
        (GANClassifier(augment="shift", image_shape=(3, 16, 16)), "augment='shift' needs image_shape"),
        (VAEClassifier(network="resnet"), "network='resnet' needs image_shape"),
        (VAEClassifier(network="resnet", image_shape=(384, 2)), "multiples of 4"),
    ],
)
def test_what_images_cannot_have_is_refused(model, message, shapes):
    with pytest.raises(ParameterError, match=message):
        model.fit(shapes.X, shapes.y)


def test_missing_pixels_are_not_shifted(shapes):
    X = shapes.X.copy()
    X[0, 0] = np.nan
    with pytest.raises(ParameterError, match="missing values, which cannot be shifted"):
        VAEClassifier(augment="shift", image_shape=(3, 16, 16)).fit(X, shapes.y)


def test_images_of_a_folder_are_streamed_to_a_memory_map(shapes, tmp_path):
    pytest.importorskip("PIL")
    folder = tmp_path / "images"
    folder.mkdir()
    pictures = np.moveaxis(shapes.X.reshape(-1, 3, 16, 16), 1, -1)
    for i in range(4):
        save_image(pictures[i], folder / f"{i}.png")
    X, names, shape = map_images(folder, tmp_path / "rows.npy")
    assert (names, shape) == ([f"{i}.png" for i in range(4)], (3, 16, 16))
    assert isinstance(X, np.memmap)
    np.testing.assert_allclose(X, shapes.X[:4], atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy", mmap_mode="r"), X)
    gray, _, shape = map_images(folder, tmp_path / "gray.npy", size=(8, 8), color=False)
    assert (gray.shape, shape) == ((4, 64), (1, 8, 8))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        map_images(folder, tmp_path / "rows.npy")
    save_image(np.zeros((5, 6)), folder / "z.png")
    with pytest.raises(TableError, match=r"z\.png has 5 x 6 pixels and 0\.png 16 x 16: set size"):
        map_images(folder, tmp_path / "other.npy")
    assert not (tmp_path / "other.npy").exists()


def test_shapes_differ_in_form_only():
    data = make_shapes(500, 3, random_state=0)
    assert data.X.shape == (500, 3 * 32 * 32)
    assert 0 <= data.X.min() <= data.X.max() <= 1
    assert sum(label is not None for label in data.y) == 15
    by_class = [data.X[data.y_true == shape].mean() for shape in sorted(set(data.y_true))]
    assert np.ptp(by_class) < 0.05
    np.testing.assert_array_equal(make_shapes(500, 3, random_state=0).X, data.X)
    assert residual.AUGMENTATIONS[0] is None
