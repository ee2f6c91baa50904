"""The command line: deep models, and folders of images."""

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
from semigen.cli.console import Output
from semigen.cli.images import ImageForm, image_files, read_new_images
from test_cli import RESULTS, error_of, here, make_notes, make_table, run, shown

__all__ = ["here"]  # a fixture

DEEP = ("vae", "gan", "flow")
FEW = ("--steps", 4)


# --- deep models of tables


@pytest.mark.parametrize("model", DEEP)
def test_deep_models_are_judged_against_their_supervised_twin(here, model):
    make_table()[0].to_csv("data.csv", index=False)
    result = run("fit", "data.csv", "--target", "y", "--model", model, *FEW, "--json")
    summary = json.loads(result.stdout)
    about = summary["model"]
    assert about["name"] == model
    assert about["n_steps"] == 4
    assert about["outcome"] == "finished"
    assert "11 fits of 4 steps each" in result.stderr
    (difference,) = summary["cross_validation"]["differences"]
    accuracy, loss = difference["accuracy"], difference["log_loss"]
    helped, hurt = accuracy["low"] > 0 or loss["high"] < 0, accuracy["high"] < 0 or loss["low"] > 0
    expected = {(1, 0): "helped", (0, 1): "hurt", (1, 1): "mixed", (0, 0): "unknown"}[helped, hurt]
    assert summary["unlabeled_rows"]["verdict"] == expected
    clf = semigen.load("data-semigen/model.semigen")
    assert about["estimator"] == type(clf).__name__
    assert clf.unlabeled_weight == (0.0 if expected == "hurt" else 1.0)
    assert about["last_report"] == {
        name: values[-1] for name, values in clf.history_.items() if name != "step"
    }
    first = pd.read_csv("data-semigen/predictions.csv")
    assert ("log_density" in first) == (model == "flow")  # exact; a VAE's is an estimate
    make_table()[0][["w", "y", "v", "u"]].to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    pd.testing.assert_frame_equal(pd.read_csv("out.csv"), first.drop(columns="given"), rtol=1e-9)


def test_without_unlabeled_rows_or_labels_to_hide_there_are_fewer_fits(here):
    make_table(labeled=60)[0].to_csv("full.csv", index=False)
    make_table(labeled=2)[0].to_csv("two.csv", index=False)
    text = shown(run("fit", "full.csv", "--target", "y", "--model", "vae", *FEW))
    assert "6 fits of 4 steps each" in text
    assert "no unlabeled rows to learn from" in text
    text = shown(run("fit", "two.csv", "--target", "y", "--model", "vae", "--steps", 1))
    assert "1 fit of 1 step each" in text
    assert "Not cross-validated" in text


def test_progress_counts_every_fit(here):
    from semigen.cli.models import learn_model
    from semigen.cli.rows import Task, read_rows

    make_table()[0].to_csv("data.csv", index=False)
    task = Task(Path("data.csv"), "y", model="flow", steps=1)
    said = []
    learn_model(read_rows(task, Output(as_json=True)), task, lambda *step: said.append(step))
    expected = [(done, 11, f"fit {min(done + 1, 11)} of 11") for done in range(12)]
    assert list(dict.fromkeys(said)) == expected


def test_steps_are_the_models_own_by_default(here):
    from semigen.cli.deep_models import default_steps
    from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier

    classes = {"vae": VAEClassifier, "gan": GANClassifier, "flow": FlowMixtureClassifier}
    for name, made in classes.items():
        assert default_steps(name) == made().n_steps


def test_the_warm_up_of_a_flow_stays_a_third(here):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "y", "--model", "flow", "--steps", 6)
    clf = semigen.load("data-semigen/model.semigen")
    assert (clf.n_steps, clf.warmup_steps) == (6, 2)


def test_the_same_seed_gives_the_same_deep_model(here):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, "--seed", seed, "--out", out)
    a, b, c = (Path(out, "predictions.csv").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def kinds_table():
    frame, _ = make_table(labeled=2)
    frame["zip"] = [f"{j % 3:05d}" for j in range(60)]
    frame["grade"] = np.arange(60) % 4
    frame["visits"] = np.random.default_rng(0).poisson(2.0, 60)
    frame["member"] = np.arange(60) % 5 < 2
    frame["number"] = np.arange(1000, 1060)
    frame.loc[3, "u"] = None
    frame.to_csv("data.csv", index=False)
    return frame


def test_a_vae_models_columns_as_the_user_says(here):
    frame = kinds_table()
    said = ["zip=category", "grade=category", "visits=poisson", "member=flag", "number=number"]
    words = [word for one in said for word in ("--as", one)]
    run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, *words)
    table = semigen.load("data-semigen/model.semigen").networks_.architecture.table
    expected = {
        "u": "gaussian", "v": "gaussian", "w": "gaussian", "zip": "categorical", "grade": "categorical",
        "visits": "poisson", "member": "bernoulli", "number": "gaussian",
    }  # fmt: skip
    assert dict(zip(table.schema.names, table.likelihoods, strict=True)) == expected
    assert table.schema.levels[3] == ("00000", "00001", "00002")
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert {one["name"]: one["family"] for one in summary["columns"]} == expected
    frame.drop(columns="y").to_csv("new.csv", index=False)
    run("predict", "data-semigen/model.semigen", "new.csv", "--out", "out.csv")
    first = pd.read_csv("data-semigen/predictions.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["p_no"], first["p_no"], rtol=1e-9)
    run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW, "--as", "visits=count", "--out", "plain")
    table = semigen.load("plain/model.semigen").networks_.architecture.table
    likelihoods = dict(zip(table.schema.names, table.likelihoods, strict=True))
    assert likelihoods["visits"] == "negative_binomial"
    message = error_of(
        run("fit", "data.csv", "--target", "y", "--model", "vae", "--as", "u=student_t", "--out", "o", code=1)
    )
    assert "--as u=student_t" in message
    assert "'vae' has gaussian, categorical" in message


def test_a_gan_knows_categories_and_says_what_it_cannot_be_told(here):
    kinds_table()
    options = ["--target", "y", "--model", "gan", "--drop", "visits", "--drop", "number", *FEW]
    run("fit", "data.csv", *options, "--as", "zip=category", "--as", "grade=category")
    schema = semigen.load("data-semigen/model.semigen").schema_
    assert schema.names == ("u", "v", "w", "zip", "grade", "member")
    assert schema.kinds == ("number",) * 3 + ("category",) * 2 + ("flag",)
    message = error_of(run("fit", "data.csv", *options, "--as", "member=number", "--out", "o", code=1))
    assert "--as member=number: --model gan reads this column as flag" in message
    assert "--drop member" in message


@pytest.mark.parametrize("model", DEEP)
def test_every_deep_model_knows_counts_from_numbers(here, model):
    make_table()[0].to_csv("data.csv", index=False)
    message = error_of(run("fit", "data.csv", "--target", "y", "--model", model, "--as", "u=count", code=1))
    assert "'u' is read as counts" in message
    assert "--drop COLUMN" in message


def test_a_flow_refuses_categories_and_holes(here):
    kinds_table()
    options = ("--target", "y", "--model", "flow")
    for said, name, words in (
        (("--as", "grade=category", "--drop", "u"), "grade", "are categories"),
        ((), "u", "a flow needs every value"),
    ):
        message = error_of(run("fit", "data.csv", *options, *said, code=1))
        assert repr(name) in message
        assert words in message
        assert "--drop COLUMN" in message
    assert os.listdir() == ["data.csv"]


def test_options_of_other_models(here):
    make_notes()[0].to_csv("notes.csv", index=False)
    for model in DEEP:
        for arguments, words in (
            (("--text", "body"), f"--model {model} does not learn from words"),
            (("--jobs", "1"), "--jobs is for --model auto or --model safe or --model hybrid"),
            (("--covariance", "full"), "--covariance is for"),
            (("--steps", "0"), "--steps"),
        ):
            result = run("fit", "notes.csv", "--target", "topic", "--model", model, *arguments, code=2)
            assert words in " ".join(result.stderr.replace("│", " ").split())
    for model in ("auto", "mixture", "safe", "hybrid"):
        result = run("fit", "notes.csv", "--target", "topic", "--model", model, "--steps", "5", code=2)
        said = " ".join(result.stderr.replace("│", " ").split())
        assert "--steps is for --model vae or --model gan or --model flow" in said
    assert os.listdir() == ["notes.csv"]


def test_what_is_not_installed_is_said_before_work_and_not_missed_by_others(here, monkeypatch):
    make_table()[0].to_csv("data.csv", index=False)
    for name in ("zuko", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("semigen.deep", "semigen.cli.deep_models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", code=1)
    assert 'needs zuko, which the extra "deep" installs: pip install "semigen[deep]"' in error_of(result)
    assert result.stdout == ""  # nothing was read
    run("fit", "data.csv", "--target", "y", "--model", "mixture")


def test_ctrl_c_in_training_ends_the_command(here, monkeypatch):
    make_table()[0].to_csv("data.csv", index=False)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("semigen.deep.training.trainer._Loop._round", interrupt)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", code=130)
    assert "interrupted; nothing was written" in result.stderr
    assert os.listdir() == ["data.csv"]


def test_a_training_that_breaks_down_is_noted(here, monkeypatch):
    make_table(labeled=2)[0].to_csv("data.csv", index=False)
    monkeypatch.setattr("semigen.deep.training.trainer._Loop._is_finite", lambda *_: False)
    result = run("fit", "data.csv", "--target", "y", "--model", "vae", *FEW)
    assert "not finite" in result.stderr
    summary = json.loads(Path("data-semigen/summary.json").read_text())
    assert summary["model"]["outcome"] == "not finite"
    assert summary["model"]["n_steps"] == 0


# --- images


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
    y = [*frame["side"][:10], *[None] * 14]
    twin = semigen.MixtureClassifier(covariance="tied", random_state=0).fit(X, y)
    np.testing.assert_allclose(written["p_above"], twin.predict_proba(X)[:, 0], rtol=1e-9)
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
def test_every_model_learns_from_images_and_reads_new_ones_alike(here, model, color):
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


@pytest.mark.filterwarnings("ignore:all 20 latents have collapsed")  # after three steps
def test_a_vae_of_images_learns_features_first_and_its_twin_from_labeled_rows_only(here):
    from semigen.cli.deep_models import _supervised_vae, _vae
    from semigen.cli.images import read_image_rows
    from semigen.cli.rows import Task

    frame, _ = make_images(color=True, size=(9, 10))
    frame[:2].to_csv("labels.csv", index=False)
    task = Task(Path("pictures"), "side", labels=Path("labels.csv"), model="vae", steps=3, seed=5)
    rows = read_image_rows(task, Output(as_json=True))
    model, twin = _vae(rows, task), _supervised_vae(rows, task)
    assert model.features.likelihood == twin.likelihood == "continuous_bernoulli"
    assert model.unlabeled_weight == 1.0
    assert (twin.features, twin.unlabeled_weight) == (None, 0.0)
    for one in (model, model.features.estimator, twin):
        assert (one.n_steps, one.random_state) == (3, 5)


def test_a_vae_of_small_images_learns_from_their_pixels(here):
    from semigen.cli.deep_models import _vae
    from semigen.cli.images import read_image_rows
    from semigen.cli.rows import Task

    frame, _ = make_images()
    frame[:2].to_csv("labels.csv", index=False)
    task = Task(Path("pictures"), "side", labels=Path("labels.csv"), model="vae")
    model = _vae(read_image_rows(task, Output(as_json=True)), task)
    assert (model.features, model.likelihood, model.unlabeled_weight) == (None, "bernoulli", 1.0)


def pixel_rows(folder, **form):
    files, rows = read_new_images(Path(folder), ImageForm(**form, resized=False), Output(as_json=True))
    return files, np.rint(255 * rows).astype(int)


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
    assert "1 image in color read as gray" in result.stderr
    Image.fromarray(red).save("pictures/zz.png")
    assert "4 x 6 pixels, color" in shown(fit_images("--out", "colored"))
    summary = json.loads(Path("colored/summary.json").read_text())
    assert summary["images"]["channels"] == 3
    result = run("predict", "colored/model.semigen", "--images", "new", "--out", "again.csv")
    assert "gray" not in result.stderr


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
    "no label": ("file,side\n00.png,\n01.png,\n", "'side' is empty in every row"),
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
    assert "pictures does not have 1 unlabeled file of labels.csv: gone.png" in fit_images().stderr


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
    assert re.search(r"04.tif cannot be read .*32 bits", error_of(fit_images(code=1)))
    for folder, words in (
        ("none", "none does not exist"),
        ("labels.csv", "labels.csv is a file, not a folder"),
        ("empty", r"empty has no image: files that end in .png"),
    ):
        Path("empty").mkdir(exist_ok=True)
        arguments = ("--images", folder, "--labels", "labels.csv", "--target", "side")
        assert words in error_of(run("fit", *arguments, code=1))
    arguments = ("--images", "pictures", "--labels", "none.csv", "--target", "side")
    assert "none.csv: there is no such file" in error_of(run("fit", *arguments, code=1))
    assert set(os.listdir()) == {"pictures", "labels.csv", "empty"}


def test_too_many_pixels_are_refused_before_they_are_read(pictures, monkeypatch):
    monkeypatch.setattr("semigen.cli.images._MOST_CELLS", 24 * 24 - 1)
    assert "24 images of 4 x 6 pixels are more than 575 numbers" in error_of(fit_images(code=1))


def test_large_images_are_noted(pictures, monkeypatch):
    monkeypatch.setattr("semigen.cli.images._MANY_NUMBERS", 20)
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
    from semigen.exceptions import ClassNotMadeError

    drawn = GANClassifier.sample

    def sample(self, n, y, random_state):
        if y == "below":
            raise ClassNotMadeError("too few")
        return drawn(self, n, None, random_state)

    monkeypatch.setattr(GANClassifier, "sample", sample)
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
