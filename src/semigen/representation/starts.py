"""Where the fit of a mixture without labels begins: cells around distant rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from semigen.data.blocks import Missing
from semigen.em import Data, Fit, Mixture, Params, ThreadEngine
from semigen.em.kernel import e_step, given_stats, log_prior, m_step
from semigen.families import Family

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

SEED_ROWS = 2000


@dataclass(frozen=True)
class Start:
    """A mixture before its fit.

    Attributes
    ----------
    view : int
        The view of the columns that it is fitted on; -1: the columns as they are.
    columns : ndarray of shape (D,), intp
        The columns of that view that it uses.
    mixture : Mixture
    prior : record
    data : Data
    params : Params
    alone : float
        The Bayesian information criterion of a single component, as :meth:`evidence` has it.
    """

    view: int
    columns: Indices
    mixture: Mixture
    prior: Any
    data: Data
    params: Params
    alone: float

    @classmethod
    def of(
        cls,
        view: int,
        columns: Indices,
        x: Any,
        missing: Missing,
        family: Family,
        n_components: int,
        rng: np.random.Generator,
    ) -> Self:
        """Components of rows that are nearest to each of some distant ones."""
        data, n_rows = Data.unlabeled(x, missing), x.shape[0]
        prior = family.fit_prior(data, None, ThreadEngine(1, block_rows=max(n_rows, 1)))
        rows, cell = _cells(family.points(prior, x), n_components, rng)
        mixture, params = _given(family, prior, data.take(rows), np.eye(int(cell.max()) + 1)[cell])
        whole, of_whole = _given(family, prior, data, np.ones((n_rows, 1)))
        alone = _criterion(whole, of_whole, e_step(whole, of_whole, data).log_lik / n_rows, n_rows)
        return cls(view, columns, mixture, prior, data, params, alone)

    def evidence(self, found: Fit) -> float:
        """How much better its fit is than a single component, nats per row.

        Half of the difference of their Bayesian information criteria (Schwarz 1978).
        """
        n_rows = self.data.n_rows
        log_lik = found.objective - log_prior(self.mixture, self.prior, found.params) / n_rows
        return _criterion(self.mixture, found.params, log_lik, n_rows) - self.alone


def _given(family: Family, prior: Any, rows: Data, resp: Array) -> tuple[Mixture, Params]:
    """A mixture with the parameters of given responsibilities (rows, C)."""
    n_components = resp.shape[1]
    mixture = Mixture(family, np.zeros(n_components, dtype=np.intp), 1)
    blank = Params(
        np.zeros((2, 1)),
        np.full(n_components, -np.log(n_components)),
        family.reference(prior, n_components),
    )
    return mixture, m_step(mixture, prior, given_stats(mixture, blank, rows, resp), blank)


def _criterion(mixture: Mixture, params: Params, log_lik: float, n_rows: int) -> float:
    """Log-likelihood, nats per row, less half a log n for each free parameter."""
    n_free = mixture.n_components - 1 + mixture.family.n_free(params.family)
    return float(log_lik - 0.5 * n_free * np.log(n_rows) / n_rows)


def _cells(points: Array, n_components: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Rows, and which of some distant centers is nearest (k-means++: Arthur & Vassilvitskii 2007)."""
    rows = np.sort(rng.permutation(len(points))[:SEED_ROWS])
    points = points[rows]
    nearest = np.zeros(len(points), dtype=np.intp)
    distance = ((points - points[rng.integers(len(points))]) ** 2).sum(axis=1)
    for c in range(1, n_components):
        total = distance.sum()
        if not total > 0:
            break
        center = points[rng.choice(len(points), p=distance / total)]
        to_center = ((points - center) ** 2).sum(axis=1)
        nearest[to_center < distance] = c
        distance = np.minimum(distance, to_center)
    _, cell = np.unique(nearest, return_inverse=True)
    return rows, cell
