"""Log densities and moments of Gaussian components over rows on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from semigen.exceptions import ParameterError
from semigen.families import Family, Gaussian
from semigen.families.covariance import Covariance, Diag, Full, Spherical, Tied
from semigen.families.covariance.base import LocationShape, Moments
from semigen.families.covariance.diagonal import shared_out
from semigen.families.covariance.full import TiedLinear, linear_weights

LOG_2PI = float(np.log(2 * np.pi))
CUT = -44.0
"""Log responsibilities below this become 0, as :func:`semigen.arrays.special.normalize` has it."""


class TensorWalk:
    """What :class:`semigen.families.gaussian.GaussianWalk` does, on tensors.

    Deviations from the means are formed before they are squared, so that float32 keeps its digits where
    classes lie far apart. Sums over chunks are in float64.

    Parameters
    ----------
    covariance : Covariance
        Its name says which second moments are needed.
    params : LocationShape
    whiten : ndarray of shape (C or 1, D, D) or (C, D)
        A with ``Aᵀ A = Σ⁻¹``, or its diagonal.
    log_det : ndarray of shape (C or 1,)
    dtype : torch dtype
    device : torch device
    exact : torch dtype
        What the device has for sums: float64, or float32, and then the processor adds up those of chunks.
    """

    def __init__(
        self,
        covariance: Covariance,
        params: LocationShape,
        whiten: Any,
        log_det: Any,
        dtype: torch.dtype,
        device: torch.device,
        exact: torch.dtype,
    ) -> None:
        self.n_components, self.n_features = params.mean.shape

        def tensor(values: Any) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(dtype).to(device)

        self.is_diagonal, self.is_tied = whiten.ndim == 2, isinstance(covariance, Tied)
        self.exact = exact
        self.center = torch.from_numpy(np.ascontiguousarray(params.center)).to(exact).to(device)
        self.whiten = tensor(whiten)
        white = (
            params.mean * whiten if self.is_diagonal else np.matmul(whiten, params.mean[:, :, None])[:, :, 0]
        )
        self.white_mean = tensor(white)[:, :, None]
        self.constant = tensor(
            -0.5 * (self.n_features * LOG_2PI + np.broadcast_to(log_det, len(params.mean)))
        )
        self.variance = params.shape.variance if isinstance(covariance, Spherical) else None
        self.linear = tensor(linear_weights(params)) if isinstance(covariance, TiedLinear) else None
        self.farthest = float(np.sqrt(torch.finfo(dtype).max))
        second = self.whiten.shape if not self.is_tied else (self.n_features, self.n_features)
        shapes = (self.n_components,), (self.n_components, self.n_features), second
        self.weight, self.first, self.second = (
            torch.zeros(shape, dtype=torch.float64, device=adds_up(device, exact)) for shape in shapes
        )

    @classmethod
    def of(
        cls, family: Family, params: Any, dtype: torch.dtype, device: torch.device, exact: torch.dtype
    ) -> TensorWalk:
        """Start a walk.

        Raises
        ------
        ParameterError
            If there is none for the family.
        """
        shape = family.covariance if type(family) is Gaussian else None
        if isinstance(shape, Full | Tied):
            return cls(shape, params, params.shape.whiten, params.shape.log_det, dtype, device, exact)
        if isinstance(shape, Diag):
            root = params.shape.variance**-0.5
            return cls(shape, params, root, shape.log_det(params.shape), dtype, device, exact)
        raise ParameterError(
            f"engine='torch' has no walk for the family {family.name!r}: it computes Gaussian components "
            "of any covariance. Use engine=None (threads)."
        )

    @property
    def numbers_per_row(self) -> int:
        """Of the largest array."""
        return int(self.n_components * self.n_features)

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """Log p(x | component) of rows (n, D), (C, n)."""
        self.y = (x - self.center.to(x.dtype)).to(self.whiten.dtype).T.contiguous()
        if self.linear is not None:
            shared = self.linear[:, 1:] @ self.y + self.linear[:, :1]
            return shared.mul_(-0.5).add_(self.constant[:, None])
        white = self.whiten[:, :, None] * self.y if self.is_diagonal else self.whiten @ self.y
        distance = (white - self.white_mean).square_().sum(dim=1)
        distance = torch.fmin(distance, distance.new_tensor(self.farthest))
        return distance.mul_(-0.5).add_(self.constant[:, None])

    def add(self, resp: torch.Tensor) -> None:
        """Add the rows of the last :meth:`log_prob`, weighted by ``resp`` (C, n)."""
        y, sums = self.y, self.weight.device
        self.weight += resp.sum(dim=1, dtype=self.exact).to(sums)
        self.first += (resp @ y.T).to(sums)
        if self.linear is not None:
            return
        if self.is_diagonal:
            second = resp @ (y * y).T
        elif self.is_tied:
            second = (y * resp.sum(dim=0)) @ y.T
        else:
            second = (resp[:, None, :] * y) @ y.T
        self.second += second.to(sums)

    def stats(self) -> Moments:
        """All sums of what was added."""
        weight, first, second = (sums.cpu().numpy() for sums in (self.weight, self.first, self.second))
        if not self.is_diagonal:
            second = 0.5 * (second + np.swapaxes(second, -1, -2))
        if self.variance is not None:
            second = shared_out(second, self.variance)
        return Moments(weight, first, (second[None] if self.is_tied else second,))


def adds_up(device: torch.device, exact: torch.dtype) -> torch.device:
    """Where sums over chunks are added up in float64."""
    return device if exact == torch.float64 else torch.device("cpu")


def normalized(log_joint: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p(c | x) in the same memory, (..., C, rows), and log p(x), (..., rows)."""
    largest = log_joint.amax(dim=-2, keepdim=True)
    log_joint -= largest
    counts = log_joint >= CUT
    log_joint.clamp_(min=CUT).exp_().mul_(counts)
    total = log_joint.sum(dim=-2, keepdim=True)
    log_joint /= total
    return log_joint, (largest + total.log()).squeeze(-2)
