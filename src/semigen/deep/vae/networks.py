"""Layers and networks of M1 and M2, and where the class enters them.

A *body* is any module from (n, inputs) to (n, outputs): an MLP, a small convolutional net, or the user's own
from a factory ``network(n_inputs, n_outputs)``. Bodies never see the class. It enters as a learned vector per
class that is added to hidden units, so a body runs once per row and not once per row and class.

Every module is written for one model; :mod:`semigen.deep.training.members` runs several at once. What leaves
a network has the precision of what enters it: products may be in bfloat16, densities never.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

N_CHANNELS = 32
"""Channels next to the image; twice as many in between."""


class MLP(nn.Sequential):
    """Linear layers with ReLUs between them.

    Parameters
    ----------
    n_inputs : int
    hidden : sequence of int
        Number of units of each hidden layer; empty for one linear map.
    n_outputs : int
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int) -> None:
        sizes = [n_inputs, *hidden, n_outputs]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])


class ConvEncoder(nn.Module):
    """Two convolutions of stride 2 and a linear map, from flat rows of images.

    Parameters
    ----------
    n_inputs : int
        The number of pixels, or twice as many, if the second half indicates missing values.
    image_shape : (channels, height, width)
        Height and width are multiples of 4.
    n_outputs : int
    """

    def __init__(self, n_inputs: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        _, height, width = image_shape
        channels = n_inputs // (height * width)
        self.image_shape = (channels, height, width)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, N_CHANNELS, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(N_CHANNELS, 2 * N_CHANNELS, 4, 2, 1),
            nn.ReLU(),
        )
        self.linear = nn.Linear(2 * N_CHANNELS * (height // 4) * (width // 4), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Flat rows (n, inputs) to (n, outputs)."""
        found: Tensor = self.linear(self.convolutions(x.reshape(-1, *self.image_shape)).flatten(1))
        return found


class ConvDecoder(nn.Module):
    """A linear map and two transposed convolutions of stride 2, to flat rows of images.

    Parameters
    ----------
    n_inputs : int
    image_shape : (channels, height, width)
    n_outputs : int
    """

    def __init__(self, n_inputs: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        _, height, width = image_shape
        channels = n_outputs // (height * width)
        self.small = (2 * N_CHANNELS, height // 4, width // 4)
        self.linear = nn.Linear(n_inputs, math.prod(self.small))
        self.convolutions = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(2 * N_CHANNELS, N_CHANNELS, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(N_CHANNELS, channels, 4, 2, 1),
        )

    def forward(self, h: Tensor) -> Tensor:
        """(n, inputs) to flat images (n, outputs)."""
        images: Tensor = self.convolutions(self.linear(h).reshape(-1, *self.small))
        return images.flatten(1)


class ClassShift(nn.Module):
    """One vector per class, added to hidden units: what a one-hot class adds in a linear layer.

    Parameters
    ----------
    n_classes : int
        0 for a model without classes: nothing is added.
    n_hidden : int
    """

    def __init__(self, n_classes: int, n_hidden: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(n_classes, n_hidden) / math.sqrt(max(n_classes, 1)))

    def forward(self, h: Tensor, y: Tensor | None) -> Tensor:
        """Add the vectors of classes ``y`` (…, n) to ``h`` (n, hidden) or (…, n, hidden)."""
        return h if y is None else h + self.table[y]


class Encoder(nn.Module):
    """q(z | x, y): a body of x, the class, then mean and log sd of each latent.

    Parameters
    ----------
    body : Module
        From inputs to ``n_hidden``.
    n_hidden, n_classes, n_latent : int
    """

    def __init__(self, body: nn.Module, n_hidden: int, n_classes: int, n_latent: int) -> None:
        super().__init__()
        self.body = body
        self.shift = ClassShift(n_classes, n_hidden)
        self.head = nn.Linear(n_hidden, 2 * n_latent)
        with torch.no_grad():
            self.head.weight.mul_(0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log sd, each (…, n, latents), for rows (n, inputs) and classes (…, n)."""
        hidden = torch.relu(self.shift(self.body(x), y))
        mean, log_sd = self.head(hidden).to(x.dtype).chunk(2, dim=-1)
        return mean, log_sd.clamp(-8.0, 4.0)


class Decoder(nn.Module):
    """The parameters of p(x | y, z): a linear map of z plus the class, then a body.

    Parameters
    ----------
    n_latent, n_classes, n_hidden : int
    body : Module
        From ``n_hidden`` activations to the likelihood's outputs.
    """

    def __init__(self, n_latent: int, n_classes: int, n_hidden: int, body: nn.Module) -> None:
        super().__init__()
        self.first = nn.Linear(n_latent, n_hidden)
        self.shift = ClassShift(n_classes, n_hidden)
        self.body = body

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Outputs (…, n, outputs) for latents (…, n, latents) and classes (…, n)."""
        hidden = torch.relu(self.shift(self.first(z), y))
        flat: Tensor = self.body(hidden.reshape(-1, hidden.shape[-1]))
        return flat.reshape(*hidden.shape[:-1], flat.shape[-1]).to(z.dtype)
