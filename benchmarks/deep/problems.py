"""The rows and the label draws of each problem."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml, load_digits, make_circles, make_moons
from sklearn.model_selection import train_test_split

UNLABELED = -1
VARIABLE = "SEMIGEN_DATA"
FILE = "mnist.npz"
FASHION = Path("/usr/share/datasets/fashion-mnist")

Numbers = NDArray[Any]


class NoImagesError(Exception):
    """Images are not here."""


@dataclass(frozen=True)
class Draw:
    """Rows to fit and their labels (-1: none), rows to judge on and their classes."""

    X: Numbers
    y: Numbers
    X_test: Numbers
    y_test: Numbers


@dataclass(frozen=True)
class Problem:
    """A data set and how many rows of each class are labeled."""

    name: str
    n_labeled: int
    read: Callable[[int, int], Draw]

    def draw(self, seed: int) -> Draw:
        """The rows with the labels of draw ``seed``."""
        return self.read(self.n_labeled, seed)


def show(y: Numbers, n_labeled: int, rng: np.random.Generator) -> Numbers:
    """The labels of ``n_labeled`` rows of each class."""
    shown = np.full(len(y), UNLABELED)
    for k in np.unique(y):
        shown[rng.permutation(np.flatnonzero(y == k))[:n_labeled]] = k
    return shown


def mnist(n_labeled: int, seed: int) -> Draw:
    """60,000 rows to fit; the 10,000 test images are judged and never fitted."""
    X, y, X_test, y_test = _mnist()
    return Draw(X, show(y, n_labeled, np.random.default_rng(seed)), X_test, y_test)


@cache
def _mnist() -> tuple[Numbers, Numbers, Numbers, Numbers]:
    if VARIABLE in os.environ:
        path = Path(os.environ[VARIABLE])
        path = path / FILE if path.is_dir() else path
        if not path.exists():
            raise NoImagesError(f"there is no file {path.name} where --data or {VARIABLE} points.")
        parts = {name.lower(): value for name, value in np.load(path).items()}
        images = [parts[name].reshape(len(parts[name]), -1) for name in ("x_train", "x_test")]
        labels = [parts[name].astype(np.intp) for name in ("y_train", "y_test")]
    else:
        try:
            pixels, target = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
        except OSError as error:
            raise NoImagesError(
                f"OpenML does not answer: name a file {FILE} (x_train, y_train, x_test, y_test) by --data or "
                f"by {VARIABLE}."
            ) from error
        images, labels = np.split(pixels, [60_000]), np.split(target.astype(np.intp), [60_000])
    X, X_test = (np.asarray(one / np.float32(255), dtype=np.float32) for one in images)
    return X, labels[0], X_test, labels[1]


def fashion(n_labeled: int, seed: int) -> Draw:
    """Fashion-MNIST as Debian's package ``dataset-fashion-mnist`` installs it; rows as those of MNIST."""
    X, y, X_test, y_test = _fashion()
    return Draw(X, show(y, n_labeled, np.random.default_rng(seed)), X_test, y_test)


@cache
def _fashion() -> tuple[Numbers, Numbers, Numbers, Numbers]:
    if not FASHION.is_dir():
        raise NoImagesError(f"{FASHION} is not here; apt-get install dataset-fashion-mnist, on Debian.")

    def read(name: str, header: int) -> Numbers:
        with gzip.open(FASHION / f"{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    parts = []
    for name in ("train", "t10k"):
        images = read(f"{name}-images-idx3", 16).reshape(-1, 784)
        parts += [images / np.float32(255), read(f"{name}-labels-idx1", 8).astype(np.intp)]
    X, y, X_test, y_test = parts
    return X, y, X_test, y_test


def digits(n_labeled: int, seed: int) -> Draw:
    """scikit-learn's 8 × 8 digits, cells from 0 to 1; splits and labels of the bundled tables' benchmark."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=seed)
    return Draw(X, show(y, n_labeled, np.random.default_rng(seed)), X_test, y_test)


def moons(noise: float) -> Callable[[int, int], Draw]:
    """Two half circles; fresh rows are judged."""
    return lambda n_labeled, seed: _shapes(make_moons, n_labeled, seed, noise=noise)


def rings(noise: float) -> Callable[[int, int], Draw]:
    """Two circles of radius .5 and 1; fresh rows are judged."""
    return lambda n_labeled, seed: _shapes(make_circles, n_labeled, seed, noise=noise, factor=0.5)


def _shapes(make: Callable[..., Any], n_labeled: int, seed: int, **options: Any) -> Draw:
    X, y = make(1000, random_state=seed, **options)
    X_test, y_test = make(2000, random_state=1000 + seed, **options)
    return Draw(X, show(y, n_labeled, np.random.default_rng(seed)), X_test, y_test)
