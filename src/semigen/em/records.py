"""The records that an EM fit is made of. All are frozen: nothing about a fit hides anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.families import Family

Array = NDArray[np.float64]

PSEUDO_LABELS = 10.0
"""Labels per class that the prior of an estimated label noise matrix counts as seen."""

UNLABELED, LABELED = 0, 1
"""Index of the two parts of the data in every array that keeps them apart."""


@dataclass(frozen=True)
class ClassPrior:
    """Where p(y) comes from.

    Attributes
    ----------
    kind : str
        "shared": one p(y), learned from labeled and unlabeled rows. "unlabeled": the two parts have class
        proportions of their own, each learned from its part; predictions use the unlabeled part's.
        "fixed": ``values``.
    values : ndarray of shape (K,) or None
        The fixed class probabilities, > 0, sum 1.
    held : (int, float) or None
        A class and its probability in the unlabeled part, which stays: for a profile likelihood.
    """

    kind: str = "shared"
    values: Array | None = None
    held: tuple[int, float] | None = None


@dataclass(frozen=True)
class LabelNoise:
    """Which label a row of a class gets: T[k, j] = p(observed label j | true class k).

    Attributes
    ----------
    matrix : ndarray of shape (K, K)
        T where it is known; the start and the mode of its prior where it is estimated, all > 0 then. Rows
        sum to 1.
    estimated : bool
        Learn T.
    """

    matrix: Array
    estimated: bool = False

    @property
    def pseudo_labels(self) -> Array:
        """Counts (K, K) of the Dirichlet prior on the rows of an estimated T, whose mode is ``matrix``."""
        return PSEUDO_LABELS * self.matrix


@dataclass(frozen=True)
class Mixture:
    """The structure of a mixture, which a fit does not change.

    Attributes
    ----------
    family : Family
        Of p(x | component).
    group : ndarray of shape (C,), intp
        The group of each component: classes 0 … K-1, then, if there are novel components, K for all of
        them: a group that no labeled row can belong to.
    n_classes : int
        K.
    class_prior : ClassPrior
    label_noise : LabelNoise or None
        None: every label is right.
    """

    family: Family
    group: NDArray[np.intp]
    n_classes: int
    class_prior: ClassPrior = ClassPrior()
    label_noise: LabelNoise | None = None

    @property
    def n_components(self) -> int:
        """C."""
        return len(self.group)

    @property
    def n_groups(self) -> int:
        """K, or K + 1 with novel components."""
        return self.n_classes + bool((self.group == self.n_classes).any())

    def log_label(self, log_table: Array, labeled: NDArray[np.bool_]) -> Array:
        """Log label evidence by component, (P, C), of P label rows (P, K); a label excludes novel ones."""
        if self.n_groups > self.n_classes:
            log_table = np.column_stack([log_table, np.where(labeled, -np.inf, 0.0)])
        return np.asarray(log_table[:, self.group])


@dataclass(frozen=True)
class Params:
    """Parameters θ of a mixture.

    Attributes
    ----------
    log_group : ndarray of shape (2, G)
        log p(group), of unlabeled rows (0) and of labeled rows (1).
    log_within : ndarray of shape (C,)
        log p(component | group).
    family : record
        Parameters of p(x | component).
    noise : ndarray of shape (K, K) or None
        p(observed label j | class k); None: every label is right.
    """

    log_group: Array
    log_within: Array
    family: Any
    noise: Array | None = None


@dataclass(frozen=True)
class Stats:
    """Expected sufficient statistics of some rows.

    Attributes
    ----------
    weight : ndarray of shape (2, C)
        Responsibilities times row weights, summed over unlabeled (0) and labeled (1) rows.
    log_lik : float
        ``Σ w log p(row)``, nats, under the parameters of the E-step.
    family : record
        Sums of p(x | component)'s own.
    noise : ndarray of shape (K, K) or None
        Expected weight of rows of class k with label j; None where nothing has to be learned from it.
    """

    weight: Array
    log_lik: float
    family: Any
    noise: Array | None = None

    def merge(self, other: Stats) -> Stats:
        """The sums over both sets of rows."""
        return Stats(
            self.weight + other.weight,
            self.log_lik + other.log_lik,
            self.family.merge(other.family),
            None if self.noise is None or other.noise is None else self.noise + other.noise,
        )

    def scaled(self, factor: float) -> Stats:
        """The same sums with every row's weight times ``factor``."""
        return like(self, factor * as_vector(self))


def as_vector(record: Any) -> Array:
    """Every number of a record, (P,)."""
    return np.concatenate([leaf.ravel() for leaf in leaves(record)])


def like(stats: Stats, vector: Array) -> Stats:
    """A record with the numbers of a vector (P,), in the form of ``stats``."""
    ends = np.cumsum([leaf.size for leaf in leaves(stats)])
    result: Stats = _filled(stats, iter(np.split(vector, ends[:-1])))
    return result


def leaves(sums: Any) -> list[Array]:
    """The arrays and numbers of a record, in its order."""
    if sums is None:
        return []
    if is_dataclass(sums):
        return [leaf for field in fields(sums) for leaf in leaves(getattr(sums, field.name))]
    if isinstance(sums, tuple):
        return [leaf for part in sums for leaf in leaves(part)]
    return [np.asarray(sums, dtype=np.float64)]


def _filled(sums: Any, values: Iterator[Array]) -> Any:
    if sums is None:
        return None
    if is_dataclass(sums) and not isinstance(sums, type):
        return replace(sums, **{f.name: _filled(getattr(sums, f.name), values) for f in fields(sums)})
    if isinstance(sums, tuple):
        return tuple(_filled(part, values) for part in sums)
    value = next(values)
    return value.reshape(np.shape(sums)) if np.ndim(sums) else float(value[0])
