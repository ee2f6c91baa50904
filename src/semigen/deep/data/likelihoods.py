"""Likelihoods p(x | outputs of a decoder), one class per distribution of columns.

A likelihood of D columns turns the last axis of ``outputs`` (…, n, n_outputs) into D independent
distributions, and gives the log density of rows ``x`` (n, D), means and draws. ``mask``, (n, D) or (n, 1), is
1 where a value is observed and 0 where it is missing: missing values drop out of the sum.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from semigen.columns import Kind

_SMALLEST_SD = 0.02  # of a column's standard deviation: keeps the density of repeated values bounded
_LARGEST_LOG_RATE = 15.0


class Likelihood(nn.Module, ABC):
    """Independent columns given the decoder's outputs.

    Parameters
    ----------
    n_columns : int
        D.

    Attributes
    ----------
    kind : str
        Kind of the columns: "number", "count", "flag" or "category".
    bounded : bool
        Whether values must be from 0 to 1.
    """

    kind: ClassVar[Kind] = "number"
    bounded: ClassVar[bool] = False

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.n_columns = n_columns

    @property
    def n_outputs(self) -> int:
        """Number of outputs of the decoder per row."""
        return self.n_columns

    def observe(self, x: Tensor) -> Tensor:
        """The rows as one training step sees them, (n, D): unchanged, unless the likelihood draws them."""
        return x

    def log_prob(self, outputs: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Log density of rows, nats, summed over observed values, (…, n)."""
        return (mask * self.log_prob_each(outputs, x)).sum(dim=-1)

    @abstractmethod
    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Log density of each value, (…, n, D)."""

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """Expected values, (…, n, D); for categories the index of the most probable level."""

    @abstractmethod
    def sample(self, outputs: Tensor) -> Tensor:
        """Values drawn at random, (…, n, D)."""

    @abstractmethod
    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        """The constant outputs that fit the columns best, (n_outputs,): where a decoder starts."""


class GaussianLikelihood(Likelihood):
    """Numbers: N(output, sd²) with one learned sd per column, at least 0.02 of the column's own.

    Values are standardized. With one sd for all rows, the density cannot collapse onto single rows.
    """

    def __init__(self, n_columns: int) -> None:
        super().__init__(n_columns)
        self.raw_scale = nn.Parameter(torch.zeros(n_columns))

    @property
    def sd(self) -> Tensor:
        """Standard deviation of each column, (D,)."""
        return self.raw_scale.exp() + _SMALLEST_SD

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        sd = self.sd
        return -0.5 * (((x - outputs) / sd).square() + math.log(2.0 * math.pi)) - sd.log()

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def sample(self, outputs: Tensor) -> Tensor:
        return outputs + self.sd * torch.randn_like(outputs)

    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        return _column_mean(x, mask)


class BernoulliLikelihood(Likelihood):
    """Flags, and gray values as probabilities of white: the output is logit P(x = 1).

    A gray value g in (0, 1) is not a flag: each training step replaces it by 1 with probability g and by 0
    otherwise, so the model is one of black and white images. Outside training its log density is the
    expectation over that draw, ``g log p + (1 − g) log(1 − p)``.
    """

    kind: ClassVar[Kind] = "flag"
    bounded = True

    def observe(self, x: Tensor) -> Tensor:
        return torch.bernoulli(x)

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        return x * outputs - softplus(outputs)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def sample(self, outputs: Tensor) -> Tensor:
        return torch.bernoulli(outputs.sigmoid())

    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        return _column_mean(x, mask).clamp(0.01, 0.99).logit()


class ContinuousBernoulliLikelihood(BernoulliLikelihood):
    """Numbers from 0 to 1 with density ``l e^{l x} / (e^l − 1)``; the output is l.

    The Bernoulli formula, normalized over [0, 1] (Loaiza-Ganem & Cunningham 2019, *NeurIPS*): gray values are
    the data themselves, and log p(x) is a density.
    """

    kind: ClassVar[Kind] = "number"

    def observe(self, x: Tensor) -> Tensor:
        return x

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        size = outputs.abs()
        large = size.clamp(min=0.05)
        log_ratio = torch.where(  # log of sinh(l / 2) / (l / 2)
            size < 0.05, outputs.square() / 24.0, 0.5 * large + torch.log1p(-(-large).exp()) - large.log()
        )
        return (x - 0.5) * outputs - log_ratio

    def mean(self, outputs: Tensor) -> Tensor:
        small = outputs.abs() < 0.05
        safe = torch.where(small, 1.0, outputs)
        return torch.where(small, 0.5 + outputs / 12.0, -1.0 / torch.expm1(-safe) - 1.0 / safe)

    def sample(self, outputs: Tensor) -> Tensor:
        size = outputs.abs().clamp(min=1e-4)
        u = torch.rand_like(outputs)
        x = (1.0 + (u + (1.0 - u) * (-size).exp()).log() / size).clamp(0.0, 1.0)
        return torch.where(outputs < 0, 1.0 - x, x)


class CategoricalLikelihood(Likelihood):
    """Categories: a softmax over the levels of each column; values are indices of levels.

    Parameters
    ----------
    n_levels : sequence of int
        Number of levels of each column.
    """

    kind: ClassVar[Kind] = "category"

    def __init__(self, n_levels: Sequence[int]) -> None:
        super().__init__(len(n_levels))
        self.n_levels = [max(int(n), 1) for n in n_levels]

    @property
    def n_outputs(self) -> int:
        return sum(self.n_levels)

    def _log_probs(self, outputs: Tensor) -> list[Tensor]:
        return [one.log_softmax(dim=-1) for one in torch.split(outputs, self.n_levels, dim=-1)]

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        each = enumerate(self._log_probs(outputs))
        found = [(log_p * is_level(x[..., j], log_p.shape[-1])).sum(-1) for j, log_p in each]
        return torch.stack(found, dim=-1)

    def mean(self, outputs: Tensor) -> Tensor:
        best = [log_p.argmax(dim=-1) for log_p in self._log_probs(outputs)]
        return torch.stack(best, dim=-1).to(outputs.dtype)

    def sample(self, outputs: Tensor) -> Tensor:
        drawn = []
        for log_p in self._log_probs(outputs):
            gumbel = -torch.log(-torch.log(torch.rand_like(log_p).clamp(1e-20, 1.0 - 1e-7)))
            drawn.append((log_p + gumbel).argmax(dim=-1))
        return torch.stack(drawn, dim=-1).to(outputs.dtype)

    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        weight = mask.expand_as(x)
        counts = [
            (is_level(x[:, j], n) * weight[:, j, None]).sum(dim=0) + 1.0 for j, n in enumerate(self.n_levels)
        ]
        return torch.cat([(one / one.sum()).log() for one in counts])


class PoissonLikelihood(Likelihood):
    """Counts with mean and variance ``exp(output)``."""

    kind: ClassVar[Kind] = "count"

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        log_rate = outputs.clamp(max=_LARGEST_LOG_RATE)
        return x * log_rate - log_rate.exp() - torch.lgamma(x + 1.0)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.clamp(max=_LARGEST_LOG_RATE).exp()

    def sample(self, outputs: Tensor) -> Tensor:
        return torch.poisson(self.mean(outputs))

    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        return _column_mean(x, mask).clamp(min=1e-3).log()


class NegativeBinomialLikelihood(PoissonLikelihood):
    """Counts with mean m = exp(output) and variance m + m² / r, with one learned r per column."""

    kind: ClassVar[Kind] = "count"

    def __init__(self, n_columns: int) -> None:
        super().__init__(n_columns)
        self.log_r = nn.Parameter(torch.zeros(n_columns))

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        log_rate = outputs.clamp(max=_LARGEST_LOG_RATE)
        r = self.log_r.exp()
        log_total = torch.logaddexp(log_rate, self.log_r)
        ways = torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1.0)
        return ways + r * (self.log_r - log_total) + x * (log_rate - log_total)

    def sample(self, outputs: Tensor) -> Tensor:
        r = self.log_r.exp().expand_as(outputs)
        rate = torch.distributions.Gamma(r, r / self.mean(outputs), validate_args=False).sample()
        return torch.poisson(rate)


class MixedLikelihood(Likelihood):
    """Blocks of columns, each with its own likelihood, independent given the outputs.

    Parameters
    ----------
    columns : sequence of sequence of int
        Columns of each block; 0 … D − 1 in all.
    parts : sequence of Likelihood
    """

    def __init__(self, columns: Sequence[Sequence[int]], parts: Sequence[Likelihood]) -> None:
        super().__init__(sum(map(len, columns)))
        self.parts = nn.ModuleList(parts)
        self.columns = [list(block) for block in columns]
        self.sizes = [part.n_outputs for part in parts]
        back = sorted(range(self.n_columns), key=[j for block in columns for j in block].__getitem__)
        self.back = back

    @property
    def n_outputs(self) -> int:
        return sum(self.sizes)

    def _each(self, outputs: Tensor) -> Iterator[tuple[Any, Tensor]]:
        """The parts, each with its outputs."""
        return zip(self.parts, torch.split(outputs, self.sizes, dim=-1), strict=True)

    def _each_of(self, x: Tensor) -> Iterator[tuple[Any, Tensor]]:
        """The parts, each with the values of its columns."""
        return zip(self.parts, (x[..., block] for block in self.columns), strict=True)

    def _join(self, values: Iterable[Tensor]) -> Tensor:
        return torch.cat(list(values), dim=-1)[..., self.back]

    def observe(self, x: Tensor) -> Tensor:
        return self._join(part.observe(own) for part, own in self._each_of(x))

    def log_prob_each(self, outputs: Tensor, x: Tensor) -> Tensor:
        both = zip(self._each(outputs), self._each_of(x), strict=True)
        return self._join(part.log_prob_each(one, own) for (part, one), (_, own) in both)

    def mean(self, outputs: Tensor) -> Tensor:
        return self._join(part.mean(one) for part, one in self._each(outputs))

    def sample(self, outputs: Tensor) -> Tensor:
        return self._join(part.sample(one) for part, one in self._each(outputs))

    def start(self, x: Tensor, mask: Tensor) -> Tensor:
        masks = (own for _, own in self._each_of(mask.expand_as(x)))
        both = zip(self._each_of(x), masks, strict=True)
        return torch.cat([part.start(own, own_mask) for (part, own), own_mask in both])


def is_level(codes: Tensor, n_levels: int) -> Tensor:
    """One-hot encoding (…, L) of the indices of levels (…); all 0 for an index that is none."""
    return (codes[..., None] == torch.arange(n_levels, device=codes.device)).to(codes.dtype)


def _column_mean(x: Tensor, mask: Tensor) -> Tensor:
    weight = mask.expand_as(x)
    return (x * weight).sum(dim=0) / weight.sum(dim=0).clamp(min=1.0)
