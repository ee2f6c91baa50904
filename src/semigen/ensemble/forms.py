"""Rows of a table in the forms that classifiers read, each computed when it is first asked for, and once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from semigen.representation.graph import Near, NeighborGraph
from semigen.representation.mixtures import MixtureEnsembleFeatures
from semigen.representation.plain import PlainColumns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Forms:
    """Fitted representations of all rows.

    Attributes
    ----------
    plain : PlainColumns
    mixtures : MixtureEnsembleFeatures
    graph : NeighborGraph
        On the axes of the mixtures' last view; not fitted for sparse rows, which have neither ``near`` nor
        ``smooth``.
    """

    plain: PlainColumns
    mixtures: MixtureEnsembleFeatures
    graph: NeighborGraph

    def of(self, matrix: Any) -> Rows:
        """The rows of a matrix."""
        return Rows(self, matrix)


class Rows:
    """Rows of a matrix in every form; part of them by ``rows[numbers]``."""

    def __init__(self, forms: Forms, given: Any) -> None:
        self.forms = forms
        self.given = given
        self.shape = given.shape

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> Rows:
        return Rows(self.forms, self.given[rows])

    @cached_property
    def plain(self) -> Any:
        """Columns as plain numbers, (n, columns); sparse if the matrix is."""
        return self.forms.plain.transform(self.given)

    @property
    def words(self) -> Any:
        """Documents for densities, sparse: counts as log(1 + count), other weights as they are.

        A word that is repeated says less than as many words (Rennie et al. 2003, *ICML*:616).
        """
        return self.given.log1p() if self.forms.plain.counts_ else self.given

    @cached_property
    def axes(self) -> list[Array]:
        """Principal axes of each view of the mixtures, (n, q) each."""
        return [view.transform(self.given) for view in self.forms.mixtures.views_]

    @property
    def view(self) -> Array:
        """Principal axes of the last view, (n, q)."""
        return self.axes[-1]

    @cached_property
    def responsibilities(self) -> Array:
        """Of the components of all mixtures, (n, features)."""
        return self.forms.mixtures.responsibilities(self.given, self.axes)

    @cached_property
    def near(self) -> Near:
        """Nearest rows of the graph."""
        return self.forms.graph.nearest(self.view)

    @cached_property
    def smooth(self) -> Array:
        """Smoothest functions on the graph, (n, q)."""
        return self.forms.graph.features(self.near)


class Form(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Takes one form of :class:`Rows`.

    Parameters
    ----------
    name : {"given", "words", "plain", "view", "responsibilities", "near", "smooth"}
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, X: Rows, y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: Rows) -> Any:
        """The form of the rows."""
        return getattr(X, self.name)
