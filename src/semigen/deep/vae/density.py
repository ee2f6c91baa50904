"""Estimates of log p(x) by importance weighting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semigen.common import checks
from semigen.deep.bounds import importance_weighted_bound, importance_weighted_error
from semigen.deep.data.rows import Rows, TensorRows
from semigen.deep.fitted import Networks


@dataclass(frozen=True)
class LogDensity:
    """Estimates of log p(x).

    Attributes
    ----------
    value : ndarray of shape (n,)
        Importance-weighted bound, nats per unit of the columns: at most log p(x) on average, and closer to it
        with more samples.
    standard_error : ndarray of shape (n,)
        Standard error of ``value``; NaN for a single sample.
    """

    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def log_density(networks: Networks, rows: Rows, n_samples: int, seed: int) -> LogDensity:
    """Log p(x) of the mixture of all members, with draws of z that are the same for every row."""
    checks.integer("n_samples", n_samples, minimum=1)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n_samples, networks.models[0].n_noise, generator=generator, dtype=torch.float64)

    def question(block: TensorRows) -> Tensor:
        # The importance weights of a mixture of members with equal weights are the mean of theirs.
        per_member = torch.stack([model.log_weights(block, noise) for model in networks.models])
        log_weight = per_member.logsumexp(dim=0) - np.log(len(networks.models))
        value = importance_weighted_bound(log_weight) - networks.architecture.table.log_volume(block.mask)
        return torch.stack([value, importance_weighted_error(log_weight)], dim=1)

    value, error = networks.ask(rows, question).T.numpy()
    return LogDensity(value, error)
