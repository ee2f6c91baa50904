"""The layers of the K+1 GAN: weight norm, batch norm, the discriminator and the generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, linear, softplus

from semigen.deep.residual import ResidualDecoder, ResidualEncoder

_LEAST_SD = 0.05  # of a unit at the start: a unit that is the same for all rows is not scaled up
_START_SD = 0.1
_CHANNELS = (32, 64)


class WeightNorm(nn.Module):
    """``s · v / ‖v‖ · x + b`` for each unit (Salimans & Kingma 2016, *NeurIPS* 29).

    PyTorch's weight norm gives each layer a class of its own, so that several members could not be stacked,
    and always learns the scales.

    Parameters
    ----------
    *shape : int
        Shape of v, outputs first.
    learn_scale : bool
        Whether s is learned, or stays where :meth:`start` put it.
    """

    def __init__(self, *shape: int, learn_scale: bool) -> None:
        super().__init__()
        self.direction = nn.Parameter(_START_SD * torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        scale = torch.ones(shape[0])
        if learn_scale:
            self.scale: Tensor = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    @property
    def weight(self) -> Tensor:
        """``s · v / ‖v‖``."""
        flat = self.direction.flatten(1)
        length = flat.square().sum(dim=1).clamp(min=1e-12).sqrt()
        return (flat * (self.scale / length)[:, None]).reshape(self.direction.shape)

    @torch.no_grad()
    def start(self, x: Tensor) -> Tensor:
        """Set scales and biases so that outputs for these rows have mean 0 and sd 1; return the outputs."""
        found: Tensor = self(x)
        units = found.transpose(0, 1).flatten(1)
        mean, sd = units.mean(dim=1), units.std(dim=1, correction=0).clamp(min=_LEAST_SD)
        self.scale.div_(sd)
        self.bias.copy_((self.bias - mean) / sd)
        each = (slice(None), *[None] * (found.ndim - 2))
        return (found - mean[each]) / sd[each]


class WeightNormLinear(WeightNorm):
    """A linear map with weight norm.

    Parameters
    ----------
    n_inputs, n_outputs : int
    learn_scale : bool
    """

    def __init__(self, n_inputs: int, n_outputs: int, *, learn_scale: bool) -> None:
        super().__init__(n_outputs, n_inputs, learn_scale=learn_scale)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, outputs); images are flattened."""
        found: Tensor = linear(x.flatten(1), self.weight, self.bias)
        return found


class WeightNormConv(WeightNorm):
    """A 4 × 4 convolution of stride 2 with weight norm: half the height and width, rounded down.

    Parameters
    ----------
    image_shape : (channels, height, width)
    n_channels : int
    """

    def __init__(self, image_shape: tuple[int, int, int], n_channels: int) -> None:
        super().__init__(n_channels, image_shape[0], 4, 4, learn_scale=False)
        self.image_shape = image_shape

    def forward(self, x: Tensor) -> Tensor:
        """Flat rows or images to images (n, channels, height, width)."""
        found: Tensor = conv2d(x.reshape(-1, *self.image_shape), self.weight, self.bias, stride=2, padding=1)
        return found


class Discriminator(nn.Module):
    """Layers of ReLU units with weight norm; in training, Gaussian noise is added to each layer's inputs.

    Parameters
    ----------
    n_inputs : int
    hidden : tuple of int
    n_classes : int
    input_noise, hidden_noise : float
        Standard deviations of the noise.
    image_shape : (channels, height, width) or None, default=None
        Two convolutions of 32 and 64 channels come first. If there are twice as many inputs as pixels, the
        second half indicates missing values.
    residual : bool, default=False
        Whether a residual network comes first instead.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sequence[int],
        n_classes: int,
        input_noise: float,
        hidden_noise: float,
        image_shape: tuple[int, int, int] | None = None,
        *,
        residual: bool = False,
    ) -> None:
        super().__init__()
        layers: list[WeightNorm] = []
        self.body: nn.Module | None = None
        if image_shape is not None and residual:
            self.body = ResidualEncoder(n_inputs, image_shape, hidden[0])
            n_inputs = hidden[0]
        elif image_shape is not None:
            _, height, width = image_shape
            channels = n_inputs // (height * width)
            for n_channels in _CHANNELS:
                layers.append(WeightNormConv((channels, height, width), n_channels))
                channels, height, width = n_channels, height // 2, width // 2
            n_inputs = channels * height * width
        layers += [WeightNormLinear(*size, learn_scale=False) for size in pairwise([n_inputs, *hidden])]
        self.layers = nn.ModuleList(layers)
        self.head = WeightNormLinear(hidden[-1], n_classes, learn_scale=True)
        self.noise = [hidden_noise if self.body else input_noise, *[hidden_noise] * len(layers)]
        self.input_noise = input_noise

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """K logits, and the last hidden layer before its noise, which is what the generator matches."""
        x = self._seen(x)
        for layer, noise in zip(self.layers, self.noise[:-1], strict=True):
            x = torch.relu(layer(self._noisy(x, noise)))
        logits: Tensor = self.head(self._noisy(x, self.noise[-1]))
        return logits, x

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Set scales and biases from these rows, layer by layer."""
        x = self._seen(x)
        for layer, noise in zip(self.layers, self.noise[:-1], strict=True):
            x = torch.relu(layer.start(self._noisy(x, noise)))  # type: ignore[operator]
        self.head.start(self._noisy(x, self.noise[-1]))

    def _seen(self, x: Tensor) -> Tensor:
        """The inputs of the first layer."""
        return x if self.body is None else torch.relu(self.body(self._noisy(x, self.input_noise)))

    def _noisy(self, x: Tensor, sd: float) -> Tensor:
        return x + sd * torch.randn_like(x) if self.training and sd else x


class BatchNorm(nn.Module):
    """Standardizes units by the batch in training, and afterwards by moments that :meth:`calibrate` sets.

    Running moments would belong to the last weights, but the weights that are kept are averages.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(n_units))
        self.register_buffer("mean", torch.zeros(n_units))
        self.register_buffer("variance", torch.ones(n_units))

    def forward(self, x: Tensor) -> Tensor:
        """(n, units) to (n, units)."""
        if self.training:
            return batch_norm(x, None, None, bias=self.shift, training=True)
        return batch_norm(x, self.mean, self.variance, bias=self.shift)

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> Tensor:
        """Store the moments of these inputs, and standardize by them."""
        self.mean.copy_(x.mean(dim=0))
        self.variance.copy_(x.var(dim=0))
        return batch_norm(x, self.mean, self.variance, bias=self.shift)


class _Latents(nn.Module):
    """What is generated from: uniform random numbers."""

    n_latent: int

    def latents(self, n_rows: int) -> Tensor:
        """Uniform random numbers from 0 to 1, (n, latents)."""
        like = next(self.parameters())
        return torch.rand(n_rows, self.n_latent, dtype=like.dtype, device=like.device)


class ResidualGenerator(_Latents):
    """From uniform random numbers to the inputs of the output layer by a residual network, for images.

    Parameters
    ----------
    n_latent : int
    image_shape : (channels, height, width)
    n_outputs : int
    """

    def __init__(self, n_latent: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        self.n_latent = n_latent
        self.body = ResidualDecoder(n_latent, image_shape, n_outputs)

    def forward(self, z: Tensor) -> Tensor:
        """(n, latents) to (n, outputs)."""
        found: Tensor = self.body(2.0 * z - 1.0)
        return found

    def calibrate(self, z: Tensor) -> None:
        """Nothing: there is no batch norm."""


class Generator(_Latents):
    """From uniform random numbers to the inputs of the output layer: softplus units with batch norm.

    Parameters
    ----------
    n_latent : int
    hidden : tuple of int
    n_outputs : int
    """

    def __init__(self, n_latent: int, hidden: Sequence[int], n_outputs: int) -> None:
        super().__init__()
        self.n_latent = n_latent
        sizes = list(pairwise([n_latent, *hidden]))
        self.layers = nn.ModuleList(nn.Linear(*size, bias=False) for size in sizes)
        self.norms = nn.ModuleList(BatchNorm(n) for n in hidden)
        self.head = WeightNormLinear(hidden[-1], n_outputs, learn_scale=True)

    def forward(self, z: Tensor) -> Tensor:
        """(n, latents) to (n, outputs)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            z = softplus(norm(layer(z)))
        found: Tensor = self.head(z)
        return found

    @torch.no_grad()
    def calibrate(self, z: Tensor) -> None:
        """Set the moments of batch norm from these latents."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            z = softplus(norm.calibrate(layer(z)))  # type: ignore[operator]
