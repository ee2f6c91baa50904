"""What a family of distributions p(x | component) has to offer the EM kernel.

A family is stateless: it holds its settings and no data. What it learns lives in three kinds of frozen
records, whose fields only the family reads: its prior, its parameters and its sufficient statistics.
Inside the kernel arrays are component-major, (C, rows).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating]
Rows = NDArray[np.intp]
MapRows = Callable[[Callable[[Rows], Any]], list[Any]]
"""Applies a function to the row numbers of each block and returns the results in block order."""


class Stats(Protocol):
    """Sufficient statistics: a record of sums over rows."""

    def merge(self, other: Self) -> Self:
        """The sums over both sets of rows."""
        ...


class Walk(Protocol):
    """One walk over the rows of a block with fixed parameters, chunk by chunk.

    It owns the scratch memory of the walk. After each :meth:`log_prob`, :meth:`add` may use what that call
    computed; :meth:`stats` gives the sums over all chunks added.
    """

    chunk_rows: int
    """How many rows fit the processor's cache at once."""

    def log_prob(self, x: Any) -> Floats:
        """Log p(x | component), (C, rows), in memory that the caller may overwrite."""
        ...

    def add(self, resp: Floats) -> None:
        """Add the rows of the last :meth:`log_prob`, weighted by ``resp`` (C, rows)."""
        ...

    def stats(self) -> Any:
        """The sufficient statistics of what was added."""
        ...


class Family(ABC):
    """A family of distributions p(x | component)."""

    name: str

    @abstractmethod
    def fit_prior(self, x: Any, weight: Array, shrinkage: float | None, map_rows: MapRows) -> Any:
        """The conjugate prior, with its location and scale from all rows.

        Parameters
        ----------
        x : data of n rows
        weight : ndarray of shape (n,)
            Row weights; ``map_rows`` visits only rows whose weight is positive.
        shrinkage : float or None
            Strength in pseudo-rows; 0 is maximum likelihood, None the family's own choice.
        map_rows : callable
            Walks over the rows.
        """

    @abstractmethod
    def reference(self, prior: Any, n_components: int) -> Any:
        """Parameters before any row was seen: every component is like the prior."""

    @abstractmethod
    def walk(self, params: Any, dtype: Any) -> Walk:
        """Start a walk over rows of numbers of type ``dtype``."""

    @abstractmethod
    def m_step(self, prior: Any, stats: Any, params: Any) -> Any:
        """Parameters that do not lower the expected log posterior given ``stats``.

        ``params`` are those that ``stats`` were computed with: a component without rows and without a prior
        keeps its parameters, and generalised M-steps start from them.
        """

    @abstractmethod
    def log_prior(self, prior: Any, params: Any) -> float:
        """Log density of the parameters under the prior, up to a constant; 0 for maximum likelihood."""

    @property
    @abstractmethod
    def reusable(self) -> bool:
        """Whether statistics of rows whose component is known serve every iteration."""

    @abstractmethod
    def log_likelihood(self, params: Any, stats: Any) -> float:
        """``Σ_rows Σ_c r log p(x | c)`` from the sufficient statistics alone, where ``reusable``."""

    @abstractmethod
    def points(self, prior: Any, x: Any) -> Array:
        """Rows as points (rows, features) whose Euclidean distances say which rows are alike."""

    @abstractmethod
    def sample(self, params: Any, components: Rows, rng: np.random.Generator) -> Any:
        """One row for each entry of ``components``."""

    @abstractmethod
    def moments(self, params: Any) -> tuple[Array, Array]:
        """Mean (C, D) and covariance (C, D, D) of the components' rows."""

    @abstractmethod
    def n_free(self, params: Any) -> int:
        """Number of free parameters."""
