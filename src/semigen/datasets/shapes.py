"""Simulated images in color: shapes that differ in form only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.common import checks
from semigen.datasets.bundled import PartlyLabeled, hide_labels
from semigen.datasets.drawing import generator

Array = NDArray[np.float64]

SHAPES = ("circle", "cross", "ring", "square", "triangle")


def make_shapes(
    n: int = 1000,
    labels_per_class: int = 10,
    *,
    size: int = 32,
    noise: float = 0.05,
    random_state: Any = None,
) -> PartlyLabeled:
    """Draw images of a shape in a random color, place and size, on a background of another color.

    The class is the shape: circle, cross, ring, square or triangle. Color, place and size say nothing about
    it, so that single pixels do not either.

    Parameters
    ----------
    n : int, default=1000
        Images, of classes drawn at random.
    labels_per_class : int, default=10
        Images of each class that keep their label.
    size : int, default=32
        Height and width, at least 8 pixels.
    noise : float, default=0.05
        Standard deviation of the noise added to each pixel before it is cut off at 0 and 1.
    random_state : int, RandomState or None

    Returns
    -------
    PartlyLabeled
        ``X`` (n, 3 · size · size), from 0 to 1, channel by channel: ``image_shape=(3, size, size)``.

    Examples
    --------
    >>> from semigen.datasets import make_shapes
    >>> data = make_shapes(100, 2, size=16, random_state=0)
    >>> data.X.shape, sorted(set(data.y_true.tolist()))[:2]
    ((100, 768), ['circle', 'cross'])
    """
    checks.integer("size", size, minimum=8)
    checks.integer(
        "n", n, minimum=len(SHAPES) * checks.integer("labels_per_class", labels_per_class, minimum=1)
    )
    checks.real("noise", noise, minimum=0.0)
    rng = generator(random_state)
    code = rng.permutation(np.arange(n) % len(SHAPES))
    radius = rng.uniform(0.2, 0.4, size=(n, 1, 1)) * size
    center = radius + rng.uniform(size=(2, n, 1, 1)) * (size - 2 * radius)
    grid = np.arange(size) + 0.5
    v, u = (grid[None, :, None] - center[0]) / radius, (grid[None, None, :] - center[1]) / radius
    covered = np.stack([_covered(shape, u, v) for shape in SHAPES])[code, np.arange(n)]
    colors = rng.uniform(size=(2, n, 3))
    near = np.abs(colors[0] - colors[1]).max(axis=1) < 0.4
    colors[1, near] = (colors[0, near] + 0.5) % 1.0  # a shape that can be seen
    images = np.where(covered[:, None], colors[0][..., None, None], colors[1][..., None, None])
    images = np.clip(images + noise * rng.standard_normal(images.shape), 0.0, 1.0)
    truth = np.array(SHAPES, dtype=object)[code]
    names = tuple(f"{color}{pixel}" for color in "rgb" for pixel in range(size * size))
    y = hide_labels(truth, labels_per_class, rng.integers(2**31))
    return PartlyLabeled(images.reshape(n, -1), y, truth, names, "shape")


def _covered(shape: str, u: Array, v: Array) -> NDArray[np.bool_]:
    """Which points of the plane, in radii from the center, a shape covers."""
    distance = np.hypot(u, v)
    if shape == "circle":
        return np.asarray(distance <= 1)
    if shape == "ring":
        return np.asarray((distance <= 1) & (distance >= 0.55))
    if shape == "square":
        return np.asarray(np.maximum(np.abs(u), np.abs(v)) <= 0.85)
    if shape == "cross":
        return np.asarray((np.minimum(np.abs(u), np.abs(v)) <= 0.3) & (np.maximum(np.abs(u), np.abs(v)) <= 1))
    return np.asarray((v <= 0.8) & (v >= 2 * np.abs(u) - 1))  # a triangle
