"""E-steps of many small Gaussian mixtures without labels as one batch of products on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semigen.data.blocks import Blocks, Data
from semigen.em import Mixture, Params, Stats
from semigen.em.kernel import log_offsets
from semigen.engines.walks import LOG_2PI, normalized
from semigen.families import Gaussian
from semigen.families.covariance import Diag, Tied
from semigen.families.covariance.base import LocationShape, Moments
from semigen.families.covariance.full import TiedLinear, linear_weights

Array = NDArray[np.float64]


def is_banked(mixture: Mixture, source: Blocks) -> bool:
    """Whether the E-step of a mixture over a source can be one of a batch."""
    return (
        isinstance(_covariance(mixture), Diag | Tied)
        and isinstance(source, Data)
        and isinstance(source.x, np.ndarray)
        and source.missing is None
        and len(source.labels.log_table) == 1
    )


@dataclass(frozen=True, eq=False)
class Bank:
    """The rows of M sources of n rows each, side by side on a device, padded with zeros to the most columns.

    Attributes
    ----------
    sources : tuple of Data
    center : tuple of ndarray of shape (D,)
        What the rows of each are counted from.
    powers : tensor of shape (M, P, n)
        Ones, and the columns; where components have variances of their own, each followed by its square.
    weight : tensor of shape (M, n)
    """

    sources: tuple[Data, ...]
    center: tuple[Array, ...]
    powers: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(
        cls, sources: Sequence[Data], center: Sequence[Array], *, squared: bool, device: torch.device
    ) -> Bank:
        """Copy rows to a device."""
        step, most = 1 + squared, max(one.n_columns for one in sources)
        powers = np.zeros((len(sources), 1 + step * most, sources[0].n_rows))
        powers[:, 0] = 1.0
        for mine, source, origin in zip(powers, sources, center, strict=True):
            mine[1 : 1 + step * len(origin) : step] = (source.x[source.rows] - origin).T
        weight = np.stack([one.weight[one.rows] for one in sources])
        there = torch.from_numpy(powers).to(device)
        if squared:
            torch.square(there[:, 1::2], out=there[:, 2::2])
        return cls(tuple(sources), tuple(center), there, torch.from_numpy(weight).to(device))

    def only(self, sources: Sequence[Data], center: Sequence[Array]) -> Bank | None:
        """The rows of some of the sources; None where these are not among them."""
        place = {id(one): j for j, one in enumerate(self.sources)}
        kept = [place.get(id(one), -1) for one in sources]
        if not all(j >= 0 and np.array_equal(self.center[j], c) for j, c in zip(kept, center, strict=True)):
            return None
        if kept == list(place.values()):
            return self
        return Bank(tuple(sources), tuple(center), self.powers[kept], self.weight[kept])

    def e_steps(self, each: Sequence[tuple[Mixture, Params]], most_numbers: int) -> list[Stats]:
        """:func:`semigen.em.e_step` of a mixture on each source.

        Components are padded to as many as the largest mixture has, with a log weight of -inf.

        Parameters
        ----------
        each : sequence of (mixture, params)
        most_numbers : int
            In the largest scratch array.
        """
        n_mixtures, n_powers, n_rows = self.powers.shape
        most = max(mixture.n_components for mixture, _ in each)
        weights, offsets = np.zeros((n_mixtures, most, n_powers)), np.full((n_mixtures, most, 1), -np.inf)
        for (mixture, params), mine, offset in zip(each, weights, offsets, strict=True):
            own = _weights(params.family, squared=isinstance(_covariance(mixture), Diag))
            mine[: own.shape[0], : own.shape[1]] = -0.5 * own
            offset[: own.shape[0], 0] = _constants(mixture, params)
        linear, constant = (torch.from_numpy(one).to(self.powers.device) for one in (weights, offsets))
        sums, log_lik = torch.zeros_like(linear), self.weight.new_zeros(n_mixtures)
        size = max(32, most_numbers // (n_mixtures * most))
        for begin in range(0, n_rows, size):
            powers, weight = self.powers[:, :, begin : begin + size], self.weight[:, begin : begin + size]
            resp, log_prob = normalized(torch.baddbmm(constant, linear, powers))
            log_lik += (weight * log_prob).sum(dim=1)
            resp *= weight[:, None]
            sums += resp @ powers.mT
        found = zip(each, sums.cpu().numpy(), log_lik.tolist(), strict=True)
        scatter = (
            self._scatter() if any(_is_whole_tied(mixture) for mixture, _ in each) else [None] * len(each)
        )
        return [
            _stats(*one, sums, lik, total) for (one, sums, lik), total in zip(found, scatter, strict=True)
        ]

    def _scatter(self) -> Any:
        """``Σ w y yᵀ`` of each source, (M, P - 1, P - 1)."""
        rows = self.powers[:, 1:]
        return ((rows * self.weight[:, None]) @ rows.mT).cpu().numpy()


def _covariance(mixture: Mixture) -> Any:
    """The covariance of Gaussian components; None of others."""
    return mixture.family.covariance if type(mixture.family) is Gaussian else None


def _is_whole_tied(mixture: Mixture) -> bool:
    """Whether its statistics have the second moments, which components share."""
    return not isinstance(_covariance(mixture), Diag | TiedLinear)


def _weights(params: LocationShape, *, squared: bool) -> Array:
    """What gives squared distances from powers, but for what rows give all components alike, (C, powers)."""
    if not squared:
        return linear_weights(params)
    precision = 1.0 / params.shape.variance
    constant = (params.mean**2 * precision).sum(axis=1, keepdims=True)
    pairs = np.stack([-2.0 * params.mean * precision, precision], axis=2)
    return np.hstack([constant, pairs.reshape(len(constant), -1)])


def _constants(mixture: Mixture, params: Params) -> Array:
    """What no row changes in log p(x, c), (C,)."""
    log_det = _covariance(mixture).log_det(params.family.shape)
    offsets = log_offsets(mixture, params, np.zeros((1, mixture.n_classes)), np.zeros(1, dtype=bool))
    return np.asarray(offsets[0] - 0.5 * (params.family.mean.shape[1] * LOG_2PI + log_det))


def _stats(mixture: Mixture, params: Params, sums: Array, log_lik: float, scatter: Any) -> Stats:
    """The statistics in the form of the family."""
    n_components, n_features = params.family.mean.shape
    weight = np.stack([sums[:n_components, 0], np.zeros(n_components)])
    covariance = _covariance(mixture)
    if isinstance(covariance, Diag):
        first, second = (sums[:n_components, j : j + 2 * n_features : 2] for j in (1, 2))
    else:
        first, second = sums[:n_components, 1 : 1 + n_features], np.zeros((1, n_features, n_features))
        if _is_whole_tied(mixture):
            second[0] = scatter[:n_features, :n_features]
            log_lik -= 0.5 * covariance.trace(params.family.shape, (second,))
    return Stats(weight, log_lik, Moments(weight[0], first, (second,)))
