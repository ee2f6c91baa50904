"""The command line: folders of images."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import semigen
from command_line import (
    RESULTS,
    error_of,
    here,
    make_table,
    run,
    shown,
    small,
)
from semigen.cli.recipes import Options, recipe_of
from semigen.cli.sources import ImageSource
from semigen.io.images import ImageForm, image_files

__all__ = ["here", "small"]  # fixtures

DEEP = ("vae", "gan", "flow")
FEW = ("--steps", 4)


def make_images(folder="pictures", n=24, size=(4, 6), color=False, seed=0):
    """Images that are dark above or below; return the labels of all, and their pixels (n, height, width)."""
    rng = np.random.default_rng(seed)
    truth = np.array(["above", "below"])[np.arange(n) % 2]
    pixels = rng.integers(0, 60, (n, *size, 3) if color else (n, *size), dtype=np.uint8)
    middle = size[0] // 2
    for image, label in zip(pixels, truth, strict=True):
        image[middle:] += np.uint8(180 if label == "above" else 0)
        image[:middle] += np.uint8(0 if label == "above" else 180)
    Path(folder).mkdir()
    names = [f"{j:02d}.png" for j in range(n)]
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image).save(Path(folder, name))
    return pd.DataFrame({"file": names, "side": truth}), pixels


def fit_images(*arguments, model="mixture", code=0):
    given = ("--images", "pictures", "--labels", "labels.csv", "--target", "side", "--model", model)
    return run("fit", *given, *arguments, code=code)


@pytest.fixture
def pictures(here):
    """A folder of gray images, of which the first ten have a label; the labels of all."""
    frame, pixels = make_images()
    frame[:10].to_csv("labels.csv", index=False)
    return frame, pixels


def test_images_are_rows_of_pixels(pictures):
    frame, pixels = pictures
    text = shown(fit_images())
    assert "24: 10 labeled, 14 unlabeled" in text
    assert "4 x 6 pixels, gray" in text
    assert "semigen predict pictures-semigen/model.semigen --images NEW_DIR --out FILE" in text
    written = pd.read_csv("pictures-semigen/predictions.csv")
    assert written.columns.tolist() == [
        "file", "given", "predicted", "probability", "p_above", "p_below", "log_density",
    ]  # fmt: skip
    assert written["file"].tolist() == frame["file"].tolist()
    assert written["given"].notna().sum() == 10
    X = pixels.reshape(24, -1).astype(np.float32) / 255
    saved = semigen.load("pictures-semigen/model.semigen")
    np.testing.assert_allclose(written["p_above"], saved.predict_proba(X)[:, 0], rtol=1e-6)
    assert (written["predicted"] == frame["side"]).mean() > 0.9
    summary = json.loads(Path("pictures-semigen/summary.json").read_text())
    assert summary["folder"] == "pictures"
    assert summary["labels"] == "labels.csv"
    assert summary["images"] == {"height": 4, "width": 6, "channels": 1, "resized": False}
    assert summary["columns"] == []
    assert "samples.png" not in os.listdir("pictures-semigen")


@pytest.mark.parametrize(
    ("model", "color"),
    [*((model, False) for model in ("auto", "hybrid", "safe", *DEEP)), *((model, True) for model in DEEP)],
)
def test_every_model_learns_from_images_and_reads_new_ones_alike(here, small, model, color):
    frame, _ = make_images(color=color)
    frame[:2].to_csv("labels.csv", index=False)
    fit_images(*(FEW if model in DEEP else ()), "--out", "out", model=model)
    first = pd.read_csv("out/predictions.csv")
    result = run("predict", "out/model.semigen", "--images", "pictures", "--out", "again.csv")
    assert "pictures: 24 images" in result.stdout
    pd.testing.assert_frame_equal(pd.read_csv("again.csv"), first.drop(columns="given"), rtol=1e-9)
    assert set(os.listdir("out")) == RESULTS | ({"samples.png"} if model in DEEP else set())
    if model in DEEP:
        with Image.open("out/samples.png") as samples:
            assert samples.mode == ("RGB" if color else "L")
            enlarged = 64 // 6
            assert samples.size == (enlarged * (10 * 7 - 1), enlarged * (2 * 5 - 1))


def read_pictures():
    labels = {"labels": Path("labels.csv"), "progress": lambda *_: None}
    return ImageSource.read(Path("pictures"), "side", **labels)


def test_a_vae_of_images_learns_features_first(here):
    from semigen.cli.recipes.deep import _vae, announcement

    frame, _ = make_images(color=True, size=(9, 10))
    frame[:2].to_csv("labels.csv", index=False)
    options, source = Options(model="vae", steps=3, seed=5), read_pictures()
    assert announcement(source, options).startswith("features of all images, then 3 steps (--steps), and")
    model = _vae(source, options)
    assert model.features.likelihood == "continuous_bernoulli"
    for one in (model, model.features):
        assert (one.n_steps, one.random_state) == (3, 5)
        assert not hasattr(one, "networks_")  # the fit learns both, and tells how far it has come


def test_a_vae_of_small_images_learns_from_their_pixels(here):
    frame, _ = make_images()
    frame[:2].to_csv("labels.csv", index=False)
    model = recipe_of("vae").make(read_pictures(), Options(model="vae"))
    assert (model.features, model.likelihood) == (None, "bernoulli")


def pixel_rows(folder, **form):
    rows = ImageSource.read_new(Path(folder), ImageForm(**form, resized=False), lambda *_: None)
    return rows.ids.to_pylist(), np.rint(255 * rows.features).astype(int)


def test_images_of_every_format_are_read(here):
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    folder = Path("all")
    (folder / "b" / "c").mkdir(parents=True)
    Image.fromarray(gray).save(folder / "b" / "c" / "z.PNG", format="png")
    Image.fromarray(gray).save(folder / "a.bmp")
    Image.fromarray(gray).save(folder / "b.tif")
    Image.fromarray(gray).save(folder / "c.webp", lossless=True)
    Image.fromarray(gray).save(folder / "d.gif")
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "sixteen.png")
    Image.fromarray(gray).convert("RGB").save(folder / "three.png")
    Image.fromarray(gray).convert("P").save(folder / "palette.png")
    turned = Image.fromarray(np.rot90(gray))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned clockwise
    turned.save(folder / "turned.png", exif=exif)
    (folder / ".hidden").mkdir()
    for name in (".hidden/e.png", "._a.png", "notes.txt"):
        (folder / name).write_bytes(b"no image")
    files, rows = pixel_rows("all", height=2, width=3, channels=1)
    assert files == [
        "a.bmp", "b.tif", "b/c/z.PNG", "c.webp", "d.gif", "palette.png", "sixteen.png", "three.png",
        "turned.png",
    ]  # fmt: skip
    for name, row in zip(files, rows, strict=True):
        np.testing.assert_array_equal(row, gray.ravel(), err_msg=name)


def test_color_is_one_channel_after_the_other_and_what_is_transparent_is_white(here):
    color = np.random.default_rng(0).integers(0, 256, (2, 3, 3), dtype=np.uint8)
    Path("all").mkdir()
    Image.fromarray(color).save("all/a.png")
    Image.fromarray(color[..., 0]).save("all/b.png")
    alpha = np.array([[255, 0, 255], [255, 255, 0]], dtype=np.uint8)
    Image.fromarray(np.dstack([color, alpha])).save("all/c.png")
    _, rows = pixel_rows("all", height=2, width=3, channels=3)
    np.testing.assert_array_equal(rows[0], color.transpose(2, 0, 1).ravel())
    np.testing.assert_array_equal(rows[1], np.tile(color[..., 0].ravel(), 3))
    shown = np.where(alpha[..., None] == 255, color, 255)
    np.testing.assert_array_equal(rows[2], shown.transpose(2, 0, 1).ravel())


def test_one_image_in_color_makes_all_of_them_color_and_new_ones_follow_the_model(pictures):
    fit_images()
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[..., 0] = 255
    Path("new").mkdir()
    Image.fromarray(red).save("new/red.png")
    result = run("predict", "pictures-semigen/model.semigen", "--images", "new", "--out", "new.csv")
    assert "1 color image converted to gray" in result.stderr
    Image.fromarray(red).save("pictures/zz.png")
    assert "4 x 6 pixels, color" in shown(fit_images("--out", "colored"))
    summary = json.loads(Path("colored/summary.json").read_text())
    assert summary["images"]["channels"] == 3
    result = run("predict", "colored/model.semigen", "--images", "new", "--out", "again.csv")
    assert "gray" not in result.stderr


def test_a_size_that_is_too_large_is_refused_before_any_image_is_read(pictures, monkeypatch):
    monkeypatch.setattr("semigen.cli.sources.images.read_image", lambda *_: pytest.fail("read"))
    message = error_of(fit_images("--image-size", "20000x20000", code=1))
    assert "images of 20000 x 20000 pixels are more than" in message


def test_images_are_resized_only_when_asked(pictures):
    Image.new("L", (9, 7)).save("pictures/odd.png")
    message = error_of(fit_images(code=1))
    assert "00.png has 4 x 6 pixels (height x width) and odd.png has 7 x 9" in message
    assert "--image-size" in message
    assert "8 x 5 pixels, gray, resized" in shown(fit_images("--image-size", "8x5"))
    Path("new").mkdir()
    Image.new("L", (30, 20)).save("new/a.png")
    model = "pictures-semigen/model.semigen"
    run("predict", model, "--images", "new", "--out", "new.csv")
    assert pd.read_csv("new.csv")["file"].tolist() == ["a.png"]
    Path("pictures/odd.png").unlink()
    fit_images("--out", "plain")
    message = error_of(run("predict", "plain/model.semigen", "--images", "new", "--out", "o.csv", code=1))
    assert re.search(r"new.a.png has 20 x 30 pixels.*4 x 6.*--image-size 4x6", message)


def test_labels_are_found_by_name_in_any_column_and_order(pictures):
    frame, _ = pictures
    frame.loc[5, "side"] = None
    frame["file"] = "./" + frame["file"]
    fit_images("--out", "a")
    frame[["side", "file"]][:10][::-1].to_csv("turned.tsv", index=False, sep="\t")
    frame[:10].drop(5).to_csv("labels.csv", index=False)
    given = ("--images", "pictures", "--target", "side", "--model", "mixture", "--labels", "turned.tsv")
    run("fit", *given, "--id", "file", "--out", "b")
    fit_images("--out", "c")
    b, c = (Path(out, "predictions.csv").read_bytes() for out in "bc")
    assert b == c
    assert pd.read_csv("b/predictions.csv")["given"].notna().sum() == 9
    message = error_of(run("fit", *given, code=1))
    assert "first column 'side' is the target" in message
    assert "--id" in message


LABELS = {
    "a file that is not there": ("file,side\n00.png,above\n1.png,below\n", r"'1.png'.*did you mean '.1.png'"),
    "a file twice": (
        "file,side\n00.png,above\n./00.png,above\n01.png,below\n",
        "more than one row: '00.png'",
    ),
    "no name": ("file,side\n00.png,above\n,below\n", "'file' has no file name in row 2"),
    "no label": ("file,side\n00.png,\n01.png,\n", "column 'side' has no label in 2 rows"),
    "one class": ("file,side\n00.png,above\n02.png,above\n", "only one class, 'above'"),
    "another target": ("file,Side\n00.png,above\n01.png,below\n", "'side' .*did you mean 'Side'"),
    "no rows": ("file,side\n", "no rows"),
}


@pytest.mark.parametrize("what", sorted(LABELS))
def test_labels_that_cannot_be_used(pictures, what):
    content, words = LABELS[what]
    Path("labels.csv").write_text(content)
    message = error_of(fit_images(code=1))
    assert re.search(words, message), message
    assert set(os.listdir()) == {"pictures", "labels.csv"}


def test_an_unlabeled_name_without_a_file_is_only_noted(pictures):
    Path("labels.csv").write_text("file,side\n00.png,above\n01.png,below\ngone.png,\n")
    assert "pictures does not contain 1 unlabeled file of labels.csv: gone.png" in fit_images().stderr


def test_folders_and_images_that_cannot_be_used(pictures):
    png = Path("pictures/03.png").read_bytes()
    for content, words in (
        (b"", "03.png cannot be read as an image"),
        (b"no image", "03.png cannot be read as an image"),
        (png[:40], "03.png cannot be read as an image"),
    ):
        Path("pictures/03.png").write_bytes(content)
        assert words in error_of(fit_images(code=1))
    Image.fromarray(np.ones((4, 6), dtype=np.float32)).save("pictures/04.tif")
    Path("pictures/03.png").write_bytes(png)
    assert re.search(r"04.tif cannot be read .*32-bit", error_of(fit_images(code=1)))
    for folder, words in (
        ("none", "none does not exist"),
        ("labels.csv", "labels.csv is a file, not a folder"),
        ("empty", r"empty contains no image: files ending in .png"),
    ):
        Path("empty").mkdir(exist_ok=True)
        arguments = ("--images", folder, "--labels", "labels.csv", "--target", "side")
        assert words in error_of(run("fit", *arguments, code=1))
    arguments = ("--images", "pictures", "--labels", "none.csv", "--target", "side")
    assert "none.csv does not exist" in error_of(run("fit", *arguments, code=1))
    assert set(os.listdir()) == {"pictures", "labels.csv", "empty"}


def test_too_many_pixels_are_refused_before_they_are_read(pictures, monkeypatch):
    monkeypatch.setattr("semigen.cli.sources.images._MOST_CELLS", 24 * 24 - 1)
    assert "24 images of 4 x 6 pixels are more than 575 numbers" in error_of(fit_images(code=1))


def test_large_images_are_noted(pictures, monkeypatch):
    monkeypatch.setattr("semigen.cli.sources.images._MANY_NUMBERS", 20)
    assert "24 numbers. --image-size" in fit_images().stderr


def test_pillow_is_asked_for(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert 'pip install "semigen[images]"' in error_of(fit_images(code=1))


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--target", "side"],
        ["fit", "labels.csv", "--target", "side", "--images", "pictures", "--labels", "labels.csv"],
        ["fit", "--target", "side", "--images", "pictures"],
        ["fit", "labels.csv", "--target", "side", "--labels", "labels.csv"],
        ["fit", "labels.csv", "--target", "side", "--image-size", "4x4"],
        *(
            ["fit", "--images", "pictures", "--labels", "labels.csv", "--target", "side", *more]
            for more in (
                ["--drop", "u"],
                ["--as", "u=number"],
                ["--text", "u"],
                ["--weight", "u"],
                ["--image-size", "4"],
                ["--image-size", "0x4"],
                ["--out", "pictures"],
                ["--out", "pictures/results"],
            )
        ),
        ["predict", "model", "--out", "o.csv"],
        ["predict", "model", "labels.csv", "--images", "pictures", "--out", "o.csv"],
        ["predict", "model", "--images", "pictures", "--id", "file", "--out", "o.csv"],
    ],
)
def test_wrong_usage_of_images(pictures, arguments):
    result = run(*arguments, code=2)
    assert "Traceback" not in result.output
    assert set(os.listdir()) == {"pictures", "labels.csv"}


def test_models_of_tables_and_of_images_are_told_apart(pictures):
    make_table()[0].to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "y", "--model", "mixture")
    fit_images()
    table, images = ("--out", "o.csv"), ("--images", "pictures", "--out", "o.csv")
    message = error_of(run("predict", "data-semigen/model.semigen", *images, code=1))
    assert "was not fitted on images: give it a table" in message
    message = error_of(run("predict", "pictures-semigen/model.semigen", "data.csv", *table, code=1))
    assert "was fitted on images: give --images DIR" in message
    assert not Path("o.csv").exists()


def test_classes_that_a_gan_never_draws_are_gray_and_named(pictures, monkeypatch):
    from semigen.deep import GANClassifier

    drawn = GANClassifier.sample
    monkeypatch.setattr(
        GANClassifier,
        "sample_classes",
        lambda self, n, random_state: [
            None if y == "below" else drawn(self, n, None, random_state)[0] for y in self.classes_
        ],
    )
    result = fit_images(*FEW, model="gan")
    assert "samples.png: the generator makes too few rows of class 'below'" in result.stderr
    with Image.open("pictures-semigen/samples.png") as samples:
        pixels = np.asarray(samples)
    assert set(np.unique(pixels[50:])) == {128, 255}  # missing cells and the lines between images
    assert len(np.unique(pixels[:40])) > 2


def test_a_damaged_note_on_images_is_one_line(pictures):
    fit_images()
    clf = semigen.load("pictures-semigen/model.semigen")
    semigen.save(clf, "bad.semigen", notes={"images": {"height": "tall"}})
    message = error_of(run("predict", "bad.semigen", "--images", "pictures", "--out", "o.csv", code=1))
    assert "does not say how images are read" in message


def test_images_are_found_in_the_order_of_their_names(here):
    for name in ("b/2.png", "b/10.png", "a.jpg", "B.jpeg"):
        path = Path("all", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert image_files(Path("all")) == ["B.jpeg", "a.jpg", "b/10.png", "b/2.png"]
