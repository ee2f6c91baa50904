"""What a family of distributions p(x | component) has to offer the EM kernel.

A family is stateless: it holds its settings and no data. What it learns lives in three kinds of frozen
records, whose fields only the family reads: its prior, its parameters and its sufficient statistics.
Inside the kernel arrays are component-major, (C, rows).

Rows are a matrix of floats (rows, D), or a CSR matrix where the family takes one. A category is the number
of its level (a level that training did not know is one past the last), a flag is 0 or 1, and a missing
cell is NaN: its row counts with the density of the observed values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.pieces import Indices
from semigen.columns import Kind
from semigen.data.blocks import Blocks, Engine, Missing

Array = NDArray[np.float64]
Floats = NDArray[np.floating]


class Stats(Protocol):
    """Sufficient statistics: a record of sums over rows.

    Its fields are numbers, arrays, such records, or tuples of them, all linear in the rows' weights.
    """

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
        """Log p(x | component), (C, rows), in memory that the caller and the next call may overwrite."""
        ...

    @property
    def mass(self) -> Array | None:
        """``Σ resp`` of what was added, (C,), where the walk adds it up anyway; a walk need not have it."""
        return None

    def joint(self, offset: Array) -> Callable[[Any], Floats]:
        """What gives :meth:`log_prob` plus ``offset`` (C, 1), numbers or -inf, a walk's own quick way.

        Rows too far away may have no numbers. A walk need not have this method.
        """

        def log_joint(x: Any) -> Floats:
            total = self.log_prob(x)
            total += offset.astype(total.dtype, copy=False)
            return total

        return log_joint

    def add(self, resp: Floats) -> None:
        """Add the rows of the last :meth:`log_prob`, weighted by ``resp`` (C, rows), of either sign."""
        ...

    def stats(self) -> Any:
        """The sufficient statistics of what was added."""
        ...


class Lighter(Protocol):
    """A family with walks that leave out what rows give to all components alike."""

    family: Family
    """Of these walks."""

    def complete(self, params: Any, stats: Any, first: Any) -> tuple[Any, float]:
        """Statistics of such a walk with what is left out, and what that adds to ``Σ w log p(x)``.

        Parameters
        ----------
        params : record
            Those of the walk.
        stats : record
            Its statistics.
        first : record
            Statistics of a whole walk over the same rows, with any parameters.
        """
        ...


class Family(ABC):
    """A family of distributions p(x | component)."""

    name: str
    kind: Kind = "number"
    """The kind of column that the family reads."""
    takes_sparse: bool = False
    """Whether rows may be a CSR matrix, which is never made dense."""
    takes_missing: bool = True
    """Whether values may be missing."""
    has_single: bool = False
    """Whether walks can compute in float32."""

    def accepts(self, missing: Missing) -> bool:
        """Whether values may be missing in these columns, flags (D,); None: in no column."""
        return self.takes_missing or missing is None

    @abstractmethod
    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> Any:
        """The conjugate prior, with its location and scale from all rows.

        Parameters
        ----------
        data : Blocks
            Only rows of positive weight are visited. Values may be missing.
        shrinkage : float or None
            Strength in pseudo-rows; 0 is maximum likelihood, None the family's own choice.
        engine : Engine
            Walks over the blocks.

        Returns
        -------
        record with ``strength``
            The pseudo-rows used (a tuple of them for a product).

        Raises
        ------
        ColumnError
            If the rows are outside the family's support.
        """

    def pooled(self) -> Family:
        """The same densities with one dispersion for all components: the level above in a hierarchical prior.

        The family itself where components share all of it already, or have none.
        """
        return self

    def fit_within_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> Any:
        """The prior at the top of a hierarchy, which knows how far columns spread within labeled classes.

        That of :meth:`fit_prior` where the family has no dispersion of its own.
        """
        return self.fit_prior(data, shrinkage, engine)

    def prior_around(self, pooled: Any, params: Any, shrinkage: float | None) -> Any:
        """The prior whose pseudo-rows are spread as a fit of :meth:`pooled` found.

        Parameters
        ----------
        pooled : record
            The prior of that fit.
        params : record
            Its parameters.
        shrinkage : float or None
            Strength in pseudo-rows, None: the family's own choice.
        """
        return pooled

    def separate(self, prior: Any, params: Any) -> Any:
        """The parameters of a fit of :meth:`pooled` as this family's, under the prior around that fit."""
        return params

    @abstractmethod
    def reference(self, prior: Any, n_components: int) -> Any:
        """Parameters before any row was seen: every component is like the prior."""

    def moved(self, prior: Any, params: Any) -> Any:
        """The same parameters of another fit, held as those under ``prior`` are and within its bounds."""
        return params

    @abstractmethod
    def walk(self, params: Any, dtype: Any, missing: Missing = None) -> Walk:
        """Start a walk over rows of numbers of type ``dtype`` with missing values in ``missing`` columns."""

    def lighter(self, missing: Missing = None) -> Lighter | None:
        """How to leave out of walks what no iteration changes; None: there is nothing."""
        return None

    @abstractmethod
    def m_step(self, prior: Any, stats: Any, params: Any) -> Any:
        """Parameters that do not lower the expected log posterior given ``stats``.

        ``params`` are those that ``stats`` were computed with: a component without rows and without a prior
        keeps its parameters, and generalized M-steps start from them.
        """

    @abstractmethod
    def log_prior(self, prior: Any, params: Any) -> float:
        """Log density of the parameters under the prior, up to a constant; 0 for maximum likelihood."""

    def reusable(self, missing: Missing = None) -> bool:
        """Whether statistics of rows whose component is known do not depend on the parameters."""
        return True

    @abstractmethod
    def log_likelihood(self, params: Any, stats: Any) -> float:
        """``Σ_rows Σ_c r log p(x | c)`` from the sufficient statistics alone, where ``reusable``."""

    @abstractmethod
    def points(self, prior: Any, x: Any) -> Array:
        """Rows as points (rows, features) whose Euclidean distances say which rows are alike."""

    @abstractmethod
    def sample(self, params: Any, components: Indices, rng: np.random.Generator) -> Any:
        """One row for each entry of ``components``."""

    @abstractmethod
    def expect_missing(self, params: Any, x: Array, resp: Array) -> Array:
        """Rows with missing values filled: the mean, or for flags and categories the mode.

        Parameters
        ----------
        params : record
        x : ndarray of shape (rows, D)
            NaN where missing.
        resp : ndarray of shape (C, rows)
            p(component | the observed values).
        """

    @abstractmethod
    def draw_missing(self, params: Any, x: Array, components: Indices, rng: np.random.Generator) -> Array:
        """Rows with missing values drawn from p(missing | the others, component), one component per row."""

    @abstractmethod
    def summary(self, params: Any) -> dict[str, Any]:
        """The parameters by name, in the columns' units; axis 0 of each array is the component.

        Where they exist, ``mean`` is E[x | c] (C, D) and ``covariance`` Cov[x | c] (C, D, D).
        """

    @abstractmethod
    def n_free(self, params: Any) -> int:
        """Number of free parameters."""
