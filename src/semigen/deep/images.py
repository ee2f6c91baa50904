"""Grids of images: draws of each class, reconstructions, and rows in other classes.

A grid is an array of numbers from 0 (black) to 1 (white), (height, width) or, in colors, (height, width, 3):
what matplotlib's ``imshow(grid, cmap="gray", vmin=0, vmax=1)`` draws and :func:`save_image` writes.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.common import checks
from semigen.common.notices import warn
from semigen.deep.draws import random_seed
from semigen.deep.estimator import Array
from semigen.deep.gan.classifier import GANClassifier
from semigen.deep.vae.classifier import VAEClassifier
from semigen.exceptions import MissingExtraError, ParameterError, TableError, TrainingWarning
from semigen.io.files import refuse_existing, written_at_once
from semigen.io.images import ImageForm, as_gray, image_files, pixel_rows, read_image

MISSING = 0.5
"""The gray level of missing values."""


def image_grid(
    images: Any,
    n_columns: int | None = None,
    *,
    image_shape: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    gap: int = 1,
    background: float = 1.0,
) -> Array:
    """Arrange images in a grid, row by row.

    Parameters
    ----------
    images : array of shape (n, H, W), (n, H, W, 3) or, with ``image_shape``, (n, D)
        Gray or color images, or flat rows. Missing values (NaN) are drawn in gray.
    n_columns : int or None, default=None
        Images per row; None: a grid that is about square.
    image_shape : (height, width), (1, height, width), (3, height, width) or None, default=None
        Shape of the images that flat rows form, in row-major order, one color channel after the other.
    value_range : (float, float) or None, default=None
        The values of black and white; None: 0 and 255 for bytes, 0 and 1 for other numbers.
    gap : int, default=1
        Pixels between images.
    background : float in [0, 1], default=1.0
        The gray level of gaps and of places without an image.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
        Numbers from 0 to 1. Image i begins in row ``(i // n_columns) (H + gap)`` and column
        ``(i % n_columns) (W + gap)``.

    Raises
    ------
    ParameterError
        If there is no image, the shape is not that of images, or values are outside ``value_range``.
    """
    stack = _unit(_stack(images, image_shape), value_range)
    checks.integer("gap", gap, minimum=0)
    checks.real("background", background, minimum=0.0, maximum=1.0)
    n, height, width, *colors = stack.shape
    n_columns = math.isqrt(n - 1) + 1 if n_columns is None else n_columns
    checks.integer("n_columns", n_columns, minimum=1)
    n_rows = -(-n // n_columns)
    tiles = np.full((n_rows * n_columns, height + gap, width + gap, *colors), float(background))
    tiles[:n, :height, :width] = stack
    tiles = tiles.reshape(n_rows, n_columns, *tiles.shape[1:]).swapaxes(1, 2)
    grid = tiles.reshape(n_rows * (height + gap), n_columns * (width + gap), *colors)
    return grid[: len(grid) - gap, : grid.shape[1] - gap]


def class_grid(model: Any, n: int = 10, *, random_state: Any = None, **layout: Any) -> Array:
    """Draws from each class: a row of ``n`` images per class, in the order of ``classes_``.

    Those of a :class:`VAEClassifier` are expected images, and the images in a column have the same latents.
    Values outside ``value_range`` are drawn black or white. If a GAN's generator makes too few rows of a
    class, its images are gray.

    Parameters
    ----------
    model : classifier
        Fitted to flat images. Any classifier with ``sample(n, y=, random_state=)``.
    n : int, default=10
        Images per class.
    random_state : int, RandomState or None
    **layout
        ``image_shape``, ``value_range``, ``gap`` and ``background`` of :func:`image_grid`. The default of
        ``image_shape`` is the model's or, if it has none, a square.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)

    Warns
    -----
    TrainingWarning
        If a GAN's generator makes too few rows of a class.
    """
    check_is_fitted(model)
    checks.integer("n", n, minimum=1)
    layout = _layout(model, layout)
    seed = random_seed(random_state)
    classes = model.classes_.tolist()
    if isinstance(model, GANClassifier):
        drawn = model.sample_classes(n, random_state=seed)
    else:
        expected = {"expected": True} if isinstance(model, VAEClassifier) else {}
        drawn = [model.sample(n, y=y, random_state=seed, **expected)[0] for y in classes]
    for y, rows in zip(classes, drawn, strict=True):
        if rows is None:
            message = f"the generator makes too few rows of class {y!r}: its images are drawn gray."
            warn(message, TrainingWarning)
    never = np.full((n, math.prod(layout["image_shape"])), np.nan)
    made = [never if rows is None else _made(model, rows, layout) for rows in drawn]
    return image_grid(np.concatenate(made), n, **layout)


def reconstruction_grid(model: Any, X: Any, **layout: Any) -> Array:
    """Rows, and below each its reconstruction from its latents.

    Parameters
    ----------
    model : VAEClassifier or VAEFeatures
        Fitted to flat images.
    X : array or data frame of shape (n, D)
    **layout
        As in :func:`class_grid`.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
    """
    _refuse_without(model, "reconstruct", "VAEClassifier or VAEFeatures")
    layout = _layout(model, layout)
    rows, made = _matrix(model, X), _made(model, model.reconstruct(X), layout)
    return image_grid(np.concatenate([rows, made]), len(rows), **layout)


def transfer_grid(model: Any, X: Any, **layout: Any) -> Array:
    """Rows as they would be in each class, with the same latents.

    A row of the grid begins with a row of ``X``, followed by its expected image in each class, in the order
    of ``classes_``.

    Parameters
    ----------
    model : VAEClassifier
        Fitted to flat images.
    X : array or data frame of shape (n, D)
    **layout
        As in :func:`class_grid`.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
    """
    _refuse_without(model, "transfer", "VAEClassifier")
    layout = _layout(model, layout)
    made = [_made(model, model.transfer(X, y), layout) for y in model.classes_.tolist()]
    rows = np.stack([_matrix(model, X), *made], axis=1)
    return image_grid(rows.reshape(-1, rows.shape[2]), rows.shape[1], **layout)


def save_image(image: Any, path: str | os.PathLike[str], *, scale: int = 1, overwrite: bool = False) -> None:
    """Save an image in the format that the extension of the file names; ``.png`` is lossless.

    Needs the extra ``images``: ``pip install "semigen[images]"``.

    Parameters
    ----------
    image : array of shape (height, width) or (height, width, 3)
        Numbers from 0 to 1, or bytes.
    path : str or path
    scale : int, default=1
        Pixels in the file per pixel of the image, in each direction.
    overwrite : bool, default=False
        Whether to replace an existing file.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    ParameterError
        If the array is not an image, or Pillow cannot write it in that format.
    FileExistsError
        If ``path`` exists and ``overwrite`` is false.
    """
    path = Path(path)
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            'save_image needs Pillow, which the extra "images" installs: pip install "semigen[images]".'
        ) from error
    checks.integer("scale", scale, minimum=1)
    values = _unit(_stack(np.asarray(image)[None], None), None)[0]
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or overwrite=True to replace it.")
    pixels = np.rint(255 * values).astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    encoded = io.BytesIO()  # a format that cannot hold the image fails before a file is touched
    try:
        Image.fromarray(pixels).save(encoded, format=Image.registered_extensions()[path.suffix.lower()])
    except (KeyError, OSError, ValueError) as error:
        raise ParameterError(
            f"path={str(path)!r}: the image cannot be saved in the format {path.suffix!r}; use '.png'."
        ) from error
    with open(path, "wb" if overwrite else "xb") as file:
        file.write(encoded.getvalue())


def map_images(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    color: bool = True,
    overwrite: bool = False,
) -> tuple[NDArray[np.float32], list[str], tuple[int, int, int]]:
    """Write the images of a folder, one by one, as flat rows to a file that a fit reads batch by batch.

    Needs the extra ``images``: ``pip install "semigen[images]"``.

    Parameters
    ----------
    folder : path
        With subfolders; images in the order of their names.
    path : path
        A ``.npy`` file to write, 4 bytes per number.
    size : (height, width) or None, default=None
        Pixels that every image is resized to; None: all have the size of the first.
    color : bool, default=True
        Whether rows have three channels, or brightness only.
    overwrite : bool, default=False
        Whether to replace an existing file.

    Returns
    -------
    X : memory map of shape (n, channels · height · width), float32
        From 0 to 1, channel by channel.
    names : list of str
        Of the files, relative to the folder.
    image_shape : (channels, height, width)

    Raises
    ------
    TableError
        If there is no image, one cannot be read, or sizes differ and ``size`` is None.
    MissingExtraError
        If Pillow is not installed.
    FileExistsError
        If ``path`` exists and ``overwrite`` is false.
    """
    folder, path = Path(folder), Path(path)
    refuse_existing(path, overwrite)
    names = image_files(folder)
    height, width = read_image(folder / names[0], size).shape[:2]
    form = ImageForm(height, width, 3 if color else 1, size is not None)
    shape = (form.channels, height, width)
    with written_at_once(path, overwrite=overwrite) as unfinished:
        X = np.lib.format.open_memmap(unfinished, "w+", np.float32, (len(names), math.prod(shape)))
        for i, name in enumerate(names):
            pixels = read_image(folder / name, size)
            if pixels.shape[:2] != (height, width):
                found = f"{pixels.shape[0]} x {pixels.shape[1]}"
                raise TableError(
                    f"{name} has {found} pixels and {names[0]} {height} x {width}: set size=(height, width)."
                )
            X[i] = pixel_rows([pixels if color or pixels.ndim == 2 else as_gray(pixels)], form)[0]
        X.flush()
    return np.load(path, mmap_mode="r"), names, shape


def _stack(images: Any, image_shape: Sequence[int] | None) -> NDArray[Any]:
    """Images as (n, H, W) or (n, H, W, 3)."""
    stack = np.asarray(images)
    if image_shape is not None:
        sizes = [checks.integer("image_shape", one, minimum=1) for one in image_shape]
        if len(sizes) == 2:
            sizes = [1, *sizes]
        if stack.ndim != 2 or len(sizes) != 3 or sizes[0] not in (1, 3) or stack.shape[1] != math.prod(sizes):
            raise ParameterError(
                f"image_shape={tuple(image_shape)!r} does not fit images of shape {stack.shape}: use "
                "(height, width) or (3, height, width) for flat rows with as many values."
            )
        stack = np.moveaxis(stack.reshape(len(stack), *sizes), 1, -1)
        stack = stack[..., 0] if sizes[0] == 1 else stack
    if stack.ndim not in (3, 4) or stack.shape[3:] not in ((), (3,)) or not stack.size:
        raise ParameterError(
            f"images of shape {stack.shape}: use at least one image, in the shape (n, height, width) or "
            "(n, height, width, 3), or flat rows with image_shape."
        )
    return stack


def _unit(stack: NDArray[Any], value_range: tuple[float, float] | None) -> Array:
    """Values from 0 to 1, with gray for missing ones."""
    low, high = (0, 255) if value_range is None and stack.dtype == np.uint8 else _range(value_range)
    values = (stack.astype(np.float64) - low) / (high - low)
    values[np.isnan(values)] = MISSING
    if values.min() < 0 or values.max() > 1:
        raise ParameterError(
            f"images have values from {np.nanmin(stack):g} to {np.nanmax(stack):g}, but black is {low:g} and "
            f"white is {high:g}: set value_range=(black, white)."
        )
    return values


def _range(value_range: tuple[float, float] | None) -> tuple[float, float]:
    low, high = (0.0, 1.0) if value_range is None else value_range
    if not low < high:
        raise ParameterError(f"value_range={value_range!r}: use (black, white) with black < white.")
    return low, high


def _matrix(model: Any, X: Any) -> Array:
    """Rows of the model's table as numbers, (n, D); missing values are NaN."""
    schema = getattr(model, "schema_", None)
    return np.asarray(X if schema is None else columns.read(schema, X, sparse=False), dtype=np.float64)


def _made(model: Any, X: Any, layout: Mapping[str, Any]) -> Array:
    """Rows made by the model, clipped to the range from black to white."""
    return np.clip(_matrix(model, X), *_range(layout.get("value_range")))


def _layout(model: Any, layout: Mapping[str, Any]) -> dict[str, Any]:
    """The layout, with the shape of the model's images; for M1+M2, of the images that M1 sees."""
    source = getattr(model, "features_", model)
    shape = layout.get("image_shape") or getattr(source, "image_shape", None)
    if shape is None:
        side = math.isqrt(source.n_features_in_)
        if side**2 != source.n_features_in_:
            raise ParameterError(
                f"the model's rows have {source.n_features_in_} columns, which do not form a square: set "
                "image_shape=(height, width)."
            )
        shape = (side, side)
    return {**layout, "image_shape": shape}


def _refuse_without(model: Any, method: str, others: str) -> None:
    check_is_fitted(model)
    if not hasattr(model, method):
        raise ParameterError(f"{type(model).__name__} has no {method}: use {others}.")
