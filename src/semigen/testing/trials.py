"""Rows of a family with responsibilities, a prior and parameters: what its laws are tried on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from semigen.data.blocks import Data
from semigen.data.labels import encode
from semigen.em import Engine, Mixture, ThreadEngine
from semigen.families import Family

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Draw = Callable[[np.random.Generator, Indices], Array]

N_COMPONENTS = 3


@dataclass(frozen=True)
class Case:
    """An instance of a family, and what its laws need to know of it.

    Attributes
    ----------
    name : str
        Name of the instance in test ids.
    family : Family
    draw : callable (rng, component) -> (n, D)
        Complete dense rows of three components that overlap but can be told apart; ``component`` (n,) is in
        0 … 2. Two columns or more.
    exact : bool
        One M-step reaches the maximum from anywhere. False: it only rises.
    separate : bool
        Components share no parameter.
    """

    name: str
    family: Family
    draw: Draw
    exact: bool = True
    separate: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def shares_missing(self) -> tuple[float, ...]:
        """Shares of missing values that the laws are tried with."""
        return (0.0, 0.25) if self.family.takes_missing else (0.0,)


class Trial:
    """Rows of a case with responsibilities, the prior, and parameters from one M-step or more.

    ``holes`` is the share of values that are missing; ``x`` has NaN there and ``missing`` flags the columns.
    """

    def __init__(
        self,
        case: Case,
        rng: np.random.Generator,
        *,
        n: int = 120,
        shrinkage: float | None = None,
        holes: float = 0.0,
        component: Any = None,
    ) -> None:
        self.case, self.family = case, case.family
        self.component = rng.integers(N_COMPONENTS, size=n) if component is None else component
        n = len(self.component)
        self.x = self.complete = np.asarray(case.draw(rng, self.component), dtype=float)
        self.missing: NDArray[np.bool_] | None = None
        if holes:
            gone = rng.random(self.x.shape) < holes
            gone[:, 0] &= gone.sum(axis=1) < gone.shape[1]  # a row without any value is a law of its own
            self.x = np.where(gone, np.nan, self.x)
            self.missing = np.asarray(gone.any(axis=0))
        self.weight = rng.uniform(0.3, 2.0, size=n)
        soft = rng.dirichlet(np.ones(N_COMPONENTS), size=n).T
        self.resp = self.weight * (0.7 * np.eye(N_COMPONENTS)[self.component].T + 0.3 * soft)
        self.prior = fit_prior(self.family, self.x, self.weight, shrinkage)
        self.reference = self.family.reference(self.prior, N_COMPONENTS)
        self.params = self.fit(self.resp)
        self.summary = self.family.summary(self.params)

    def stats(self, resp: Array, params: Any = None, rows: Any = slice(None)) -> Any:
        """Sufficient statistics of rows with responsibilities (C, n)."""
        params = self.reference if params is None else params
        return stats_of(self.family, params, self.x[rows], resp[:, rows], self.missing)

    def fit(self, resp: Array, params: Any = None, steps: int | None = None) -> Any:
        """Parameters after one M-step, or five where one does not reach the maximum, or ``steps``."""
        params = self.reference if params is None else params
        for _ in range(steps or (1 if self.case.exact else 5)):
            params = self.family.m_step(self.prior, self.stats(resp, params), params)
        return params

    def log_prob(self, params: Any = None, x: Any = None) -> Array:
        """Log p(x | c) by the family, (C, n)."""
        params = self.params if params is None else params
        x = self.x if x is None else x
        missing = np.isnan(x).any(axis=0) if np.isnan(x).any() else None
        return np.asarray(self.family.walk(params, np.dtype(float), missing).log_prob(x))

    def expected_log_posterior(self, params: Any, resp: Any = None) -> float:
        """``Σ r log p(x | c) + log prior``."""
        resp = self.resp if resp is None else resp
        return float((resp * self.log_prob(params)).sum()) + self.family.log_prior(self.prior, params)


def fit_prior(family: Family, x: Any, weight: Array, shrinkage: float | None, block_rows: int = 32768) -> Any:
    """The prior from rows, in one block unless they are many."""
    data = dataclasses.replace(Data.unlabeled(x), weight=weight)
    return family.fit_prior(data, shrinkage, ThreadEngine(1, block_rows))


def stats_of(family: Family, params: Any, x: Any, resp: Array, missing: Any = None) -> Any:
    """Statistics of rows in one chunk."""
    walk = family.walk(params, x.dtype, missing)
    walk.log_prob(x)
    walk.add(np.ascontiguousarray(resp))
    return walk.stats()


def mixture_data(
    trial: Trial, labeled: float, rng: np.random.Generator, *, sparse: bool = False
) -> tuple[Mixture, Data, Engine]:
    """A mixture with one component per class, and the trial's rows with some labels."""
    y = np.where(rng.random(len(trial.x)) < labeled, trial.component, -1)
    y[:N_COMPONENTS] = trial.component[:N_COMPONENTS] = np.arange(N_COMPONENTS)
    x = csr_array(trial.x) if sparse else trial.x
    mixture = Mixture(trial.family, np.arange(N_COMPONENTS), N_COMPONENTS)
    return mixture, Data(x, encode(y), trial.weight, trial.missing), ThreadEngine(n_threads=1)


def assert_same_record(found: Any, wanted: Any, rtol: float = 1e-11, atol: float = 1e-9) -> None:
    """Every number in two records is the same, whatever the records."""
    if dataclasses.is_dataclass(wanted) and not isinstance(wanted, type):
        assert type(found) is type(wanted)
        for field in dataclasses.fields(wanted):
            assert_same_record(getattr(found, field.name), getattr(wanted, field.name), rtol, atol)
    elif isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same_record(one, other, rtol, atol)
    elif isinstance(wanted, np.ndarray | float) and np.asarray(wanted).dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)
    else:
        np.testing.assert_equal(found, wanted)


def obey(laws: Sequence[Callable[..., None]], *subject: Any, random_state: int | None = None) -> None:
    """Check law after law, each with a generator of its own if there is a seed; an error says which law."""
    for law in laws:
        rng = () if random_state is None else (np.random.default_rng(random_state),)
        try:
            law(*subject, *rng)
        except AssertionError as error:
            raise AssertionError(
                f"{law.__name__.replace('_', ' ')}: {str(error) or 'it does not hold'}"
            ) from error
