"""Rows that are images, put together into one image: what a model makes of classes and rows.

A grid is an array of numbers from 0 (black) to 1 (white), (height, width) or, in colors, (height, width, 3):
what matplotlib's ``imshow(grid, cmap="gray", vmin=0, vmax=1)`` draws and :func:`save_image` writes.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.common import checks
from semigen.deep.draws import random_seed
from semigen.deep.estimator import Array
from semigen.deep.vae.classifier import VAEClassifier
from semigen.exceptions import ClassNotMadeError, MissingExtraError, ParameterError, TrainingWarning

MISSING = 0.5
"""The gray of missing cells."""


def image_grid(
    images: Any,
    n_columns: int | None = None,
    *,
    image_shape: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    gap: int = 1,
    background: float = 1.0,
) -> Array:
    """Put images side by side, row by row, into one.

    Parameters
    ----------
    images : array of shape (n, H, W), (n, H, W, 3) or, with ``image_shape``, (n, D)
        Gray or colored images, or flat rows. Missing cells (NaN) are drawn in gray.
    n_columns : int or None, default=None
        Images in a row; None makes about as many as there are rows.
    image_shape : (height, width), (1, height, width), (3, height, width) or None, default=None
        How flat rows form an image, row by row, color after color.
    value_range : (float, float) or None, default=None
        The values that are black and white; None: 0 and 255 for bytes, 0 and 1 for other numbers.
    gap : int, default=1
        Cells between images.
    background : float in [0, 1], default=1.0
        The gray of gaps and of places without an image.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
        Numbers from 0 to 1. Image i begins in row ``(i // n_columns) (H + gap)`` and column
        ``(i % n_columns) (W + gap)``.

    Raises
    ------
    ParameterError
        If there is no image, the shape is not one of images, or values are not in ``value_range``.
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
    """Draws from each class, a row of ``n`` images a class in the order of ``classes_``.

    Of a :class:`VAEClassifier` they are expected cells, and the images of a column have the same latents.
    Whatever is drawn beyond ``value_range`` is black or white. A class that a GAN's generator makes too
    rarely is a gray row.

    Parameters
    ----------
    model : classifier
        Fitted to flat images, with ``sample(n, y=, random_state=)``: every generative one of this library.
    n : int, default=10
        Images a class.
    random_state : int, RandomState or None
    **layout
        ``image_shape``, ``value_range``, ``gap`` and ``background`` of :func:`image_grid`. Without
        ``image_shape`` images have that of the model or, if it has none, are squares.

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
    expected = {"expected": True} if isinstance(model, VAEClassifier) else {}
    made = []
    for y in model.classes_.tolist():
        try:
            rows, _ = model.sample(n, y=y, random_state=seed, **expected)
            made.append(_made(model, rows, layout))
        except ClassNotMadeError:
            message = f"the generator makes too few rows of class {y!r}: its images are gray."
            warnings.warn(message, TrainingWarning, stacklevel=2)
            made.append(np.full((n, math.prod(layout["image_shape"])), np.nan))
    return image_grid(np.concatenate(made), n, **layout)


def reconstruction_grid(model: Any, X: Any, **layout: Any) -> Array:
    """Rows above what the model reconstructs from their latents, a column of the grid for each.

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
    """Rows in every class: the same latents, another class.

    A row of the grid begins with a row of ``X``; after it come the row's expected cells in each class, in
    the order of ``classes_``.

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
    """Write an image to a file in the format of its extension, ``.png`` for one without losses.

    Needs the extra ``images``: ``pip install "semigen[images]"``.

    Parameters
    ----------
    image : array of shape (height, width) or (height, width, 3)
        Numbers from 0 to 1, or bytes.
    path : str or path
    scale : int, default=1
        Pixels that a cell is wide and high.
    overwrite : bool, default=False
        Whether an existing file may be replaced.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    ParameterError
        If the array is not an image, or the extension is not one of images that Pillow writes.
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
    cells = _unit(_stack(np.asarray(image)[None], None), None)[0]
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists and is not overwritten: choose another name or overwrite=True.")
    pixels = np.rint(255 * cells).astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    encoded = io.BytesIO()  # a format that cannot hold the image fails before a file is touched
    try:
        Image.fromarray(pixels).save(encoded, format=Image.registered_extensions()[path.suffix.lower()])
    except (KeyError, OSError, ValueError) as error:
        raise ParameterError(
            f"path={str(path)!r}: {path.suffix!r} is no format that this image can be written in; use '.png'."
        ) from error
    with open(path, "wb" if overwrite else "xb") as file:
        file.write(encoded.getvalue())


def _stack(images: Any, image_shape: Sequence[int] | None) -> NDArray[Any]:
    """Images as (n, H, W) or (n, H, W, 3)."""
    stack = np.asarray(images)
    if image_shape is not None:
        sizes = [checks.integer("image_shape", one, minimum=1) for one in image_shape]
        if len(sizes) == 2:
            sizes = [1, *sizes]
        if stack.ndim != 2 or len(sizes) != 3 or sizes[0] not in (1, 3) or stack.shape[1] != math.prod(sizes):
            raise ParameterError(
                f"image_shape={tuple(image_shape)!r} does not go with images of shape {stack.shape}: use "
                "(height, width) or (3, height, width) for rows of so many cells."
            )
        stack = np.moveaxis(stack.reshape(len(stack), *sizes), 1, -1)
        stack = stack[..., 0] if sizes[0] == 1 else stack
    if stack.ndim not in (3, 4) or stack.shape[3:] not in ((), (3,)) or not stack.size:
        raise ParameterError(
            f"images of shape {stack.shape}: use (n, height, width), (n, height, width, 3), or flat rows and "
            "image_shape; one image at least."
        )
    return stack


def _unit(stack: NDArray[Any], value_range: tuple[float, float] | None) -> Array:
    """Cells from 0 to 1, without missing ones."""
    low, high = (0, 255) if value_range is None and stack.dtype == np.uint8 else _range(value_range)
    cells = (stack.astype(np.float64) - low) / (high - low)
    cells[np.isnan(cells)] = MISSING
    if cells.min() < 0 or cells.max() > 1:
        raise ParameterError(
            f"images have values from {np.nanmin(stack):g} to {np.nanmax(stack):g}, and black is {low:g} and "
            f"white {high:g}: say value_range=(black, white)."
        )
    return cells


def _range(value_range: tuple[float, float] | None) -> tuple[float, float]:
    low, high = (0.0, 1.0) if value_range is None else value_range
    if not low < high:
        raise ParameterError(f"value_range={value_range!r}: use (black, white) with black < white.")
    return low, high


def _matrix(model: Any, X: Any) -> Array:
    """Rows of the model's table as numbers, (n, D); missing cells are NaN."""
    schema = getattr(model, "schema_", None)
    return np.asarray(X if schema is None else columns.read(schema, X, sparse=False), dtype=np.float64)


def _made(model: Any, X: Any, layout: Mapping[str, Any]) -> Array:
    """The same of rows that the model made, which noise may have taken beyond black and white."""
    return np.clip(_matrix(model, X), *_range(layout.get("value_range")))


def _layout(model: Any, layout: Mapping[str, Any]) -> dict[str, Any]:
    """A layout with the shape of the model's images; with features, of those that these are made from."""
    source = getattr(model, "features_", model)
    shape = layout.get("image_shape") or getattr(source, "image_shape", None)
    if shape is None:
        side = math.isqrt(source.n_features_in_)
        if side**2 != source.n_features_in_:
            raise ParameterError(
                f"the model's rows have {source.n_features_in_} cells, which make no square: say "
                "image_shape=(height, width)."
            )
        shape = (side, side)
    return {**layout, "image_shape": shape}


def _refuse_without(model: Any, method: str, others: str) -> None:
    check_is_fitted(model)
    if not hasattr(model, method):
        raise ParameterError(f"{type(model).__name__} has no {method}: use {others}.")
