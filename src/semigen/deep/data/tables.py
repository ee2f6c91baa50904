"""Tables as tensors: standardized numbers, indices of levels, a mask of missing values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semigen import columns
from semigen.columns import Kind, Schema
from semigen.deep.data.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
    MixedLikelihood,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    is_level,
)
from semigen.exceptions import ColumnError, ParameterError

Array = NDArray[np.float64]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": GaussianLikelihood,
    "bernoulli": BernoulliLikelihood,
    "continuous_bernoulli": ContinuousBernoulliLikelihood,
    "categorical": CategoricalLikelihood,
    "poisson": PoissonLikelihood,
    "negative_binomial": NegativeBinomialLikelihood,
}

LIKELIHOOD_OF_KIND: dict[Kind, str] = {
    "number": "gaussian",
    "count": "negative_binomial",
    "flag": "bernoulli",
    "category": "categorical",
}
"""The likelihood of each kind of column with ``likelihood="auto"``."""

_BOUNDED = [name for name, made in LIKELIHOODS.items() if made.bounded]
_ROWS_PER_BLOCK = 2**13
_BLACK_AND_WHITE = 0.4
_LEAST_SCALE = 1e-6  # of a column's largest value: a smaller standard deviation is rounding


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of the training set, and how they become tensors.

    Attributes
    ----------
    schema : Schema
    likelihoods : tuple of str
        Name of the likelihood of each column.
    center, scale : ndarray of shape (D,)
        Columns with a Gaussian likelihood become (x − center) / scale; 0 and 1 for the others.
    input_center, input_scale : ndarray of shape (D,)
        The same for the inputs of networks: of log(1 + x) for counts; columns from 0 to 1 share one scale.
    has_missing : bool
        Whether networks are told which values are missing.
    dispersion : float
        Variance of gray values that are drawn as black and white, over that of such draws; 1 for others.
    """

    schema: Schema
    likelihoods: tuple[str, ...]
    center: Array
    scale: Array
    input_center: Array
    input_scale: Array
    has_missing: bool
    dispersion: float = 1.0

    def tensors(self, matrix: Any) -> tuple[Tensor, Tensor]:
        """Values (n, D) and mask, float64, of rows as :func:`semigen.columns.read` returns them."""
        there = ~np.isnan(matrix)
        for j, levels in enumerate(self.schema.levels):
            if levels is not None:  # a level that training has not seen counts as missing
                there[:, j] &= matrix[:, j] < len(levels)
        x = np.where(there, (matrix - self.center) / self.scale, 0.0)
        mask = there if not there.all() else np.ones((len(x), 1))
        # Aligned and row-major: products of other layouts differ in the last digit, which training amplifies.
        return _aligned(x), _aligned(np.asarray(mask, dtype=np.float64))

    def matrix(self, x: Tensor) -> Array:
        """Values in the units of the table, (n, D)."""
        return np.asarray(x.double().cpu().numpy() * self.scale + self.center, dtype=np.float64)

    def log_volume(self, mask: Tensor) -> Tensor:
        """Log of the scales, summed over observed values, (n,): for densities in the units of the table."""
        volume: Tensor = (mask * torch.from_numpy(np.log(self.scale)).to(mask)).sum(dim=-1)
        return volume

    def likelihood(self) -> Likelihood:
        """A new likelihood for these columns."""
        blocks: dict[str, list[int]] = {}
        for j, name in enumerate(self.likelihoods):
            blocks.setdefault(name, []).append(j)
        parts = [self._part(name, block) for name, block in blocks.items()]
        return parts[0] if len(parts) == 1 else MixedLikelihood(list(blocks.values()), parts)

    def _part(self, name: str, block: list[int]) -> Likelihood:
        made = LIKELIHOODS[name]
        if made is CategoricalLikelihood:
            return CategoricalLikelihood([len(self.schema.levels[j] or ()) for j in block])
        return made(len(block))


def learn(X: Any, likelihood: Any = "auto", *, shared_scale: bool = False) -> tuple[Table, Any]:
    """Find out the kinds of the columns of ``X``, and read its rows.

    Parameters
    ----------
    X : array or data frame of shape (n, D)
    likelihood : str or dict {column or kind: str}
        A likelihood for all columns, or for some. No entry: by the kind of the column. "auto": the same, but
        Bernoulli if all are numbers that are near 0 and 1, as the pixels of black on white are.
    shared_scale : bool, default=False
        Divide Gaussian columns by one number if all are from 0 to 1: they share a unit then, and standardized
        ones would count alike, however little they vary.

    Returns
    -------
    table : Table
    matrix : ndarray of shape (n, D)
        As :func:`semigen.columns.learn` returns it.

    Raises
    ------
    ColumnError
        If columns cannot be read, or a likelihood of numbers from 0 to 1 is given others.
    ParameterError
        If a likelihood is unknown, or is not one for the kind of a column.
    """
    refuse_stacks(X)
    schema, matrix = columns.learn(X, wanted_kinds(likelihood))
    matrix = np.ascontiguousarray(matrix)  # sums run in the order of memory, and so do their last digits
    names = tuple(_name_for(likelihood, schema, j) for j in range(schema.n_features))
    with np.errstate(over="ignore"):
        mean, sd = _moments(matrix)
    dispersion = 1.0
    if likelihood in ("auto", "bernoulli") and set(schema.kinds) == {"number"} and _is_from_0_to_1(matrix):
        found = _dispersion(mean, sd)
        if likelihood == "bernoulli" or found > _BLACK_AND_WHITE:
            names, dispersion = ("bernoulli",) * schema.n_features, found
    refuse_unbounded(schema, names, matrix)
    gaussian = np.array([name == "gaussian" for name in names])
    if shared_scale and gaussian.all() and _is_from_0_to_1(matrix):
        sd = np.full(len(sd), _common(sd[sd != 1]))
    bounded = np.array([name in _BOUNDED for name in names])
    counts = np.array([name in ("poisson", "negative_binomial") for name in names])
    seen_mean, seen_sd = np.zeros(len(names)), np.ones(len(names))
    if counts.any():
        seen_mean[counts], seen_sd[counts] = _moments(np.log1p(matrix[:, counts]))
    if bounded.any():
        seen_mean[bounded] = mean[bounded]
        seen_sd[bounded] = _common(sd[bounded])
    center, scale = np.where(gaussian, mean, 0.0), np.where(gaussian, sd, 1.0)
    has_missing = columns.missing_columns(matrix) is not None
    return Table(schema, names, center, scale, seen_mean, seen_sd, has_missing, dispersion), matrix


class Inputs(nn.Module):
    """The inputs of networks: standardized numbers, one-hot levels, and which values are missing.

    Parameters
    ----------
    table : Table
    """

    center: Tensor
    inverse: Tensor

    def __init__(self, table: Table) -> None:
        super().__init__()
        names = table.likelihoods
        self.counts = [j for j, name in enumerate(names) if name in ("poisson", "negative_binomial")]
        self.plain = [j for j, name in enumerate(names) if name != "categorical"]
        self.levels = {j: len(one) for j, one in enumerate(table.schema.levels) if one is not None}
        self.shows_missing = table.has_missing
        self.register_buffer("center", torch.from_numpy(table.input_center).float())
        self.register_buffer("inverse", torch.from_numpy(1.0 / table.input_scale).float())

    @property
    def n_outputs(self) -> int:
        """Number of inputs per row."""
        n_columns = len(self.center)
        return len(self.plain) + sum(self.levels.values()) + self.shows_missing * n_columns

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Inputs (n, n_outputs) from values (n, D) and their mask; a missing value is 0."""
        seen = x
        if self.counts:
            seen = x.clone()
            seen[:, self.counts] = torch.log1p(x[:, self.counts])
        seen = (seen - self.center) * self.inverse * mask
        if not self.levels and not self.shows_missing:
            return seen
        there = mask.expand_as(x)
        pieces = [seen[:, self.plain]] if self.plain else []
        pieces += [is_level(x[:, j], n) * there[:, j, None] for j, n in self.levels.items()]
        return torch.cat([*pieces, 1.0 - there] if self.shows_missing else pieces, dim=1)


def refuse_stacks(X: Any) -> None:
    """Refuse images that are not flat.

    Raises
    ------
    ColumnError
        If ``X`` has more than two axes.
    """
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) > 2:
        rows = f"X.reshape(len(X), -1), with image_shape={shape[1:]}"
        if shape[3:] and shape[3] <= 4 < shape[1]:
            rows = f"X.transpose(0, 3, 1, 2).reshape(len(X), -1), with image_shape={(shape[3], *shape[1:3])}"
        raise ColumnError(f"X has shape {shape}: a row of X is one image, so pass {rows}.")


def refuse_unbounded(schema: Schema, names: tuple[str, ...], matrix: Any) -> None:
    """Refuse values outside [0, 1] where the likelihood takes no others.

    Raises
    ------
    ColumnError
    """
    bounded = [j for j, name in enumerate(names) if name in _BOUNDED]
    bad = [
        j for j in bounded if np.nanmin(matrix[:, j], initial=0) < 0 or np.nanmax(matrix[:, j], initial=1) > 1
    ]
    if bad:
        low, high = np.nanmin(matrix[:, bad]), np.nanmax(matrix[:, bad])
        raise ColumnError(
            f"likelihood {names[bad[0]]!r} takes numbers from 0 to 1, and {len(bad)} column(s) have others "
            f"(from {low:g} to {high:g}; the first is {schema.name(bad[0])!r}): divide by the largest "
            "possible value, 255 for images of bytes, or use likelihood='gaussian'."
        )


def _aligned(values: Array) -> Tensor:
    return torch.from_numpy(values).clone(memory_format=torch.contiguous_format)


def _moments(matrix: Any) -> tuple[Array, Array]:
    """Mean and standard deviation of the observed values of each column; 1 for a constant column."""
    blocks = [matrix[i : i + _ROWS_PER_BLOCK] for i in range(0, len(matrix), _ROWS_PER_BLOCK)]
    n = np.maximum(sum((~np.isnan(one)).sum(axis=0) for one in blocks), 1)

    def summed(of: Callable[[Any], Any]) -> Any:
        return sum(np.where(np.isnan(one), 0.0, of(one)).sum(axis=0, dtype=np.float64) for one in blocks)

    mean = summed(lambda one: one) / n
    sd = np.sqrt(summed(lambda one: (one - mean) ** 2) / n)
    size = np.nan_to_num(np.maximum(np.fmax.reduce(matrix), -np.fmin.reduce(matrix)))
    return mean, np.where(sd > _LEAST_SCALE * size, sd, 1.0)


def _is_from_0_to_1(matrix: Any) -> bool:
    return bool(np.fmin.reduce(matrix, axis=None) >= 0 and np.fmax.reduce(matrix, axis=None) <= 1)


def _dispersion(mean: Array, sd: Array) -> float:
    """Variance of numbers from 0 to 1 over that of draws of black and white with the same means, m (1 − m).

    Gray values that vary .4 times as much count as black on white; equally frequent ones do a third times as
    much.
    """
    return float(np.sum(np.where(sd < 1.0, sd, 0.0) ** 2) / max(np.sum(mean * (1.0 - mean)), 1e-300))


def _common(sd: Array) -> float:
    """One scale for columns with these standard deviations; 1 is that of constant ones."""
    return float(np.sqrt(np.mean(sd**2))) if (sd != 1).any() else 1.0


def wanted_kinds(likelihood: Any) -> Any:
    """The kinds to read columns as. Gray values are numbers, although "bernoulli" models flags."""
    if isinstance(likelihood, Mapping):
        kinds = get_args(Kind)
        return {key: _read_as(value) for key, value in likelihood.items() if key not in kinds}
    return None if likelihood == "auto" else _read_as(likelihood)


def _read_as(name: Any) -> Kind:
    if not isinstance(name, str) or name not in LIKELIHOODS:
        raise ParameterError(
            f"likelihood={name!r} is not available: use 'auto', {', '.join(map(repr, LIKELIHOODS))}, or a "
            "dict from columns or kinds of columns to these."
        )
    return "number" if name == "bernoulli" else LIKELIHOODS[name].kind


def _name_for(likelihood: Any, schema: Schema, column: int) -> str:
    kind = schema.kinds[column]
    setting = likelihood
    if isinstance(likelihood, Mapping):
        setting = likelihood.get(schema.name(column), likelihood.get(kind, "auto"))
    name = LIKELIHOOD_OF_KIND[kind] if setting == "auto" else setting
    if (_read_as(name) == "category") != (kind == "category"):
        raise ParameterError(
            f"column {schema.name(column)!r} is a {kind}, and {name!r} is no likelihood for that: name the "
            "column itself in likelihood={...}, so that it is read as the kind that you mean."
        )
    return str(name)
