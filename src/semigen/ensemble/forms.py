"""The representations that the models of an ensemble share: each computed once, when it is first needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.arrays.pieces import evenly
from semigen.columns import ReadTable
from semigen.common.threads import begun
from semigen.representation.axes import PrincipalAxes
from semigen.representation.graph import NeighborGraph, Neighbors
from semigen.representation.mixtures import MixtureEnsembleFeatures
from semigen.representation.plain import PlainColumns

Array = NDArray[np.float64]

LEAST_DISTANCE = 1e-3
"""Added to the squared distance from the axes, per column of variance 1, before its logarithm is taken."""
TIMED_ROWS = 1_000
"""Rows whose forms are timed under a time budget."""


@dataclass(frozen=True)
class Forms:
    """Representations fitted to all rows.

    Attributes
    ----------
    plain : PlainColumns
    mixtures : MixtureEnsembleFeatures
    graph : NeighborGraph
        On the principal axes of the last view of the mixtures; not fitted for sparse rows, which have neither
        ``neighbors`` nor ``graph_features``.
    documents : Forms or None
        Of the words of long texts that stand beside the columns of a table.
    """

    plain: PlainColumns
    mixtures: MixtureEnsembleFeatures
    graph: NeighborGraph
    documents: Forms | None = None

    @property
    def stopped_early(self) -> bool:
        """Whether a time budget ended the fit of mixtures."""
        of_words = self.documents is not None and self.documents.stopped_early
        return bool(self.mixtures.stopped_early_) or of_words

    def of(self, table: ReadTable) -> FormedRows:
        """The rows of a table."""
        return FormedRows(self, table)


def learn_forms(
    table: ReadTable,
    counted: ReadTable,
    mixtures: MixtureEnsembleFeatures,
    seed: int,
    n_jobs: int | None,
    step: Callable[[int, int], None],
    run: Callable[[Callable[[], Any]], Any],
) -> Forms:
    """Learn the representations of a table, the graph of its rows beside the mixtures.

    Parameters
    ----------
    table : ReadTable
        The rows that models learn from.
    counted : ReadTable
        All rows of positive weight, for the mixtures.
    mixtures : MixtureEnsembleFeatures
        Before it is fitted.
    seed, n_jobs : int
    step : callable
        Called as ``step(mixtures done, all mixtures)``.
    run : callable
        Calls what fits, or gives what it gave before an interruption.
    """
    graphs: list[Callable[[], NeighborGraph]] = []

    def begin_graph(views: Sequence[PrincipalAxes]) -> None:
        graphs.append(begun(partial(_graph_of, table, seed, views), n_jobs))

    fitted = run(lambda: mixtures.fit(counted, progress=step, on_views=begin_graph))
    if not graphs:  # the mixtures come from a checkpoint
        begin_graph(fitted.views_)

    def rest() -> Forms:
        plain = PlainColumns(shared_scale=fitted.shared_scale).fit(table)
        return Forms(plain, fitted, graphs[0]())

    forms: Forms = run(rest)
    return forms


def _graph_of(table: ReadTable, seed: int, views: Sequence[PrincipalAxes]) -> NeighborGraph:
    """The graph of all rows on the last view of the mixtures."""
    graph = NeighborGraph(random_state=seed)
    return graph if issparse(table.matrix) else graph.fit(views[-1].transform(table))


class FormedRows:
    """Rows of a table in every form that a model may read; ``rows[numbers]`` are some of them."""

    def __init__(self, forms: Forms, table: ReadTable) -> None:
        self.forms = forms
        self.table = table
        self.shape = table.shape

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: Any) -> FormedRows:
        return FormedRows(self.forms, self.table[rows])

    @cached_property
    def words(self) -> ReadTable:
        """Documents for a density, sparse: counts as log(1 + count), other weights as they are.

        A word that occurs again says less than its first occurrence (Rennie et al. 2003, *ICML*:616).
        """
        if not self.forms.plain.counts_:
            return self.table
        return ReadTable(self.table.schema, self.table.matrix.log1p())

    @cached_property
    def documents(self) -> FormedRows:
        """The words of long texts beside the other columns, in every form of documents."""
        forms, words = self.forms.documents, self.table.documents
        assert forms is not None
        assert words is not None
        return forms.of(words)

    @property
    def parts(self) -> list[FormedRows]:
        """The columns of these rows, and the words of the long texts beside them where there are some."""
        return [self] if self.forms.documents is None else [self, self.documents]

    @cached_property
    def plain(self) -> Any:
        """Columns as plain numbers, (n, P); sparse if the matrix is."""
        return self.forms.plain.transform(self.table)

    @cached_property
    def views(self) -> list[Array]:
        """Principal axes of each view of the mixtures, (n, q) each."""
        return self.forms.mixtures.axes(self.table)

    @property
    def principal_axes(self) -> Array:
        """Principal axes of the last view, (n, q)."""
        return self.views[-1]

    @cached_property
    def axes_and_distance(self) -> Array:
        """Principal axes of the last view, and the logarithm of the distance from them, (n, q + 1)."""
        distance = self.forms.mixtures.views_[-1].distance(self.table, self.principal_axes)
        return np.column_stack([self.principal_axes, np.log(distance + LEAST_DISTANCE)])

    @cached_property
    def responsibilities(self) -> Responsibilities:
        """Responsibilities of all mixtures, (n, features)."""
        return Responsibilities(self)

    @cached_property
    def neighbors(self) -> Neighbors:
        """Nearest rows of the graph."""
        return self.forms.graph.nearest(self.principal_axes)

    @cached_property
    def graph_features(self) -> Array:
        """Graph features, (n, q)."""
        return self.forms.graph.features(self.neighbors)


class Responsibilities:
    """Responsibilities of all mixtures as a matrix, (n, features), of which a product needs few at a time."""

    def __init__(self, rows: FormedRows) -> None:
        self.rows = rows
        self.shape = len(rows), rows.forms.mixtures.n_features_out_

    @cached_property
    def whole(self) -> Array:
        """All of them."""
        return self.rows.forms.mixtures.responsibilities(self.rows.table.matrix, self.rows.views)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.whole, dtype=dtype, copy=copy)

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self.whole[rows])

    def __matmul__(self, coef: Array) -> Array:
        return self.rows.forms.mixtures.product(self.rows.table.matrix, self.rows.views, coef)


def seconds_to_predict(forms: Forms, table: ReadTable, n_rows: int) -> float:
    """Seconds that predictions of all rows will take, by the forms of some of them, which take most."""
    some = evenly(len(table), TIMED_ROWS)
    begin, rows = time.perf_counter(), forms.of(table[some])
    for form in ("plain", *(() if forms.plain.sparse_ else ("neighbors",))):
        getattr(rows, form)
    rows.responsibilities @ np.ones((forms.mixtures.n_features_out_, 1))
    seconds = (time.perf_counter() - begin) * n_rows / len(some)
    if forms.documents is not None:
        seconds += seconds_to_predict(forms.documents, rows.documents.table, n_rows)
    return seconds
