"""Residual convolutional networks with group normalization, from and to flat rows of images; augmentation.

Group normalization (Wu & He 2018, *ECCV*) looks at one row alone: with batch normalization a prediction would
depend on the rows beside it, and classes would mix in the statistics of a decoder that sees every row once
per class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

N_CHANNELS = 32
"""Channels of the largest images inside a network; twice as many after each halving, at most 4 times."""
AUGMENTATIONS = (None, "shift", "shift and flip")
_SMALLEST = 4  # pixels of a side that is not halved any more
_LARGEST_SHIFT = 8  # a shift is up to a side divided by this


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), with a 1 × 1 convolution on x where channels change.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels; multiples of 8.
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(8, n_inputs)
        self.first = nn.Conv2d(n_inputs, n_outputs, 3, padding=1)
        self.second_norm = nn.GroupNorm(8, n_outputs)
        self.second = nn.Conv2d(n_outputs, n_outputs, 3, padding=1)
        self.skip = nn.Conv2d(n_inputs, n_outputs, 1) if n_inputs != n_outputs else nn.Identity()
        with torch.no_grad():
            self.second.weight.mul_(0.1)  # a block starts near the identity

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, height, width) to (n, outputs, height, width)."""
        hidden = self.first(silu(self.first_norm(x)))
        found: Tensor = self.skip(x) + self.second(silu(self.second_norm(hidden)))
        return found


class ResidualEncoder(nn.Module):
    """From flat images to hidden units: residual blocks, halved by averages until a side is below 8.

    Parameters
    ----------
    n_inputs : int
        The number of pixels, or twice as many, if the second half indicates missing values.
    image_shape : (channels, height, width)
    n_outputs : int
    """

    def __init__(self, n_inputs: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        _, height, width = image_shape
        channels = n_inputs // (height * width)
        self.image_shape = (channels, height, width)
        widths = list(_widths(height, width))
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        for before, after in zip(widths, [*widths[1:], None], strict=True):
            layers.append(ResidualBlock(before, before))
            if after is not None:
                layers += [ResidualBlock(before, after), nn.AvgPool2d(2)]
        self.blocks = nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.SiLU())
        n_halvings = len(widths) - 1
        self.linear = nn.Linear(widths[-1] * (height >> n_halvings) * (width >> n_halvings), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Flat rows (n, inputs) to (n, outputs)."""
        found: Tensor = self.linear(self.blocks(x.reshape(-1, *self.image_shape)).flatten(1))
        return found


class ResidualDecoder(nn.Module):
    """From hidden units to flat images: the encoder backwards, doubled by repeated pixels.

    Parameters
    ----------
    n_inputs : int
    image_shape : (channels, height, width)
    n_outputs : int
        A multiple of height · width.
    """

    def __init__(self, n_inputs: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        _, height, width = image_shape
        widths = list(_widths(height, width))[::-1]
        n_doublings = len(widths) - 1
        self.small = (widths[0], height >> n_doublings, width >> n_doublings)
        self.linear = nn.Linear(n_inputs, math.prod(self.small))
        layers: list[nn.Module] = [ResidualBlock(widths[0], widths[0])]
        for before, after in pairwise(widths):
            layers += [Doubled(), ResidualBlock(before, after)]
        self.blocks = nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.SiLU())
        self.last = nn.Conv2d(widths[-1], n_outputs // (height * width), 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(n, inputs) to flat images (n, outputs)."""
        found: Tensor = self.last(self.blocks(self.linear(h).reshape(-1, *self.small))).flatten(1)
        return found


class Doubled(nn.Module):
    """Each pixel becomes four."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to (n, channels, 2 height, 2 width)."""
        return interpolate(x, scale_factor=2.0, mode="nearest")


def augment(x: Tensor, image_shape: tuple[int, int, int], kind: str) -> Tensor:
    """Flat images (n, D), each shifted by up to an eighth of its sides; with "flip", half are mirrored.

    Pixels at the border are repeated. Nothing is drawn twice the same: each row has its own shift.
    """
    channels, height, width = image_shape
    images = x.reshape(-1, channels, height, width)
    n = len(images)
    for side, axis in ((height, 2), (width, 3)):
        most = side // _LARGEST_SHIFT
        shift = torch.randint(-most, most + 1, (n, 1), device=x.device)
        place = (torch.arange(side, device=x.device) + shift).clamp(0, side - 1)
        place = place[:, None, :, None] if axis == 2 else place[:, None, None, :]
        images = images.gather(axis, place.expand(n, channels, height, width))
    if "flip" in kind:
        mirrored = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    return images.reshape(x.shape)


def _widths(height: int, width: int) -> Iterator[int]:
    """Channels from the largest images inside a network to the smallest."""
    channels = N_CHANNELS
    yield channels
    while min(height, width) // 2 >= _SMALLEST and height % 2 == width % 2 == 0:
        height, width = height // 2, width // 2
        channels = min(2 * channels, 4 * N_CHANNELS)
        yield channels
