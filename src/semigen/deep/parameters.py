"""Parameters that describe networks, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from semigen.common import checks
from semigen.deep.residual import AUGMENTATIONS
from semigen.exceptions import ParameterError

CONVOLUTIONAL = ("conv", "resnet")
"""Networks of images."""


def hidden_sizes(name: str, value: Any, automatic: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Units of each hidden layer; there is at least one layer. ``automatic``: what "auto" means.

    Raises
    ------
    ParameterError
        This and the other functions here: if the parameter is none of what is allowed.
    """
    if automatic is not None and isinstance(value, str) and value == "auto":
        return automatic
    if isinstance(value, str) or not isinstance(value, Integral | Iterable):
        raise ParameterError(
            f"{name}={value!r}: use a number of units, or one for each hidden layer such as (300, 300)."
        )
    sizes = (value,) if isinstance(value, Integral) else tuple(value)
    if not sizes:
        raise ParameterError(f"{name}=(): give the number of units of at least one hidden layer.")
    return tuple(checks.integer(name, one, minimum=1) for one in sizes)


def check_network(network: Any) -> Any:
    """The kind of network, or the function that makes one."""
    if callable(network) or network in ("mlp", *CONVOLUTIONAL):
        return network
    raise ParameterError(
        f"network={network!r}: use 'mlp', 'conv', 'resnet', or a function that makes a torch.nn.Module from "
        "the numbers of its inputs and outputs."
    )


def check_augment(value: Any, image_shape: Any, *, has_missing: bool) -> str | None:
    """How images are augmented, None: not."""
    if value not in AUGMENTATIONS:
        known = ", ".join(map(repr, AUGMENTATIONS))
        raise ParameterError(f"augment={value!r}: use {known}.")
    if value is not None and image_shape is None:
        raise ParameterError(f"augment={value!r} needs image_shape=(height, width) or with channels first.")
    if value is not None and has_missing:
        raise ParameterError(f"augment={value!r}: X has missing values, which cannot be shifted. Use None.")
    return None if value is None else str(value)


def image_sizes(image_shape: Any, network: Any, n_features: int) -> tuple[int, int, int] | None:
    """Channels, height and width; None where rows are no images."""
    if image_shape is None:
        if network in CONVOLUTIONAL:
            raise ParameterError(
                f"network={network!r} needs image_shape=(height, width) or (channels, height, width)."
            )
        return None
    if isinstance(image_shape, str) or not isinstance(image_shape, Iterable):
        raise ParameterError(
            f"image_shape={image_shape!r}: use (height, width) or (channels, height, width)."
        )
    sizes: Sequence[int] = [checks.integer("image_shape", one, minimum=1) for one in image_shape]
    if len(sizes) == 2:
        sizes = [1, *sizes]
    if len(sizes) != 3 or math.prod(sizes) != n_features:
        raise ParameterError(
            f"image_shape={image_shape!r} does not fit the {n_features} columns of X: use (height, width) or "
            "(channels, height, width) with that product."
        )
    if network in CONVOLUTIONAL and (sizes[1] % 4 or sizes[2] % 4):
        raise ParameterError(
            f"image_shape={image_shape!r}: network={network!r} needs a height and a width that are multiples "
            "of 4."
        )
    return sizes[0], sizes[1], sizes[2]
