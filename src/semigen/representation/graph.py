"""The nearest-neighbor graph of all rows: its Laplacian eigenvectors as features, and label spreading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from semigen.arrays.graphs import similarities, spread, symmetric
from semigen.columns import in_precision_of
from semigen.common.checks import integer, real
from semigen.common.prepared import prepared
from semigen.data.weights import check_weights
from semigen.estimators.base import KeepsPrecision, ProbabilityClassifier
from semigen.representation.neighbors import Search

Array = NDArray[np.float64]

DENSE = 4
"""With fewer rows than this many times the eigenvectors wanted, a dense solver computes them."""


@dataclass(frozen=True)
class Neighbors:
    """The nearest rows of the graph to each of m rows, the nearest first.

    Attributes
    ----------
    distance : ndarray of shape (m, k)
    row : ndarray of shape (m, k), intp
        Row numbers in the graph.
    """

    distance: Array
    row: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, k)."""
        return self.row.shape

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, rows: Any) -> Neighbors:
        return Neighbors(self.distance[rows], self.row[rows])

    def weights(self, n_neighbors: int, n_rows: int) -> csr_array:
        """Similarities ``exp(-(d / d_k)²)`` to the first k neighbors, (m, n_rows)."""
        return similarities(self.distance[:, :n_neighbors], self.row[:, :n_neighbors], n_rows)


class NeighborGraph(KeepsPrecision, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Graph features: scaled Laplacian eigenvectors of the nearest-neighbor graph of all rows.

    With W the symmetric graph of the ``n_neighbors`` nearest rows, weighted ``exp(-(d / d_k)²)`` for a
    distance d and that of the last neighbor d_k, and D its row sums, ``D⁻¹ W`` has eigenvectors u_j with
    eigenvalues ``1 - γ_j`` (Laplacian eigenmaps: Belkin & Niyogi 2003, *Neural Computation* 15:1373). Feature
    j is ``u_j / (1 + γ_j / smoothness)``, so ridge regression on the features assumes that labels vary little
    between neighbors: the inner product of two rows is the kernel of the operator ``(I + L / smoothness)⁻²``
    (Smola & Kondor 2003, *Learning Theory and Kernel Machines*:144). The features of a row, new or not, are
    the weighted mean over its nearest rows in the graph.

    Parameters
    ----------
    n_neighbors : int, default=12
    n_components : int, default=80
        Number of eigenvectors, at most.
    smoothness : float, default=0.1
        The larger, the more the features of small eigenvalues count.
    max_rows : int, default=16000
        The most rows in the graph; of a larger table, this many are drawn.
    random_state : int, default=0
        Seed of that draw.

    Attributes
    ----------
    rows_ : ndarray of shape (n, D)
        Rows in the graph.
    neighbors_ : Neighbors
        Their nearest rows, each row itself left out.
    features_ : ndarray of shape (n, q)
        Their features, before the mean over neighbors.
    """

    def __init__(
        self,
        n_neighbors: int = 12,
        n_components: int = 80,
        *,
        smoothness: float = 0.1,
        max_rows: int = 16000,
        random_state: int = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.smoothness = smoothness
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: Array, y: Any = None) -> Self:
        """Build the graph of rows (n, D) and compute its eigenvectors; y is not used."""
        for name in ("n_neighbors", "n_components", "max_rows"):
            integer(name, getattr(self, name), minimum=1)
        real("smoothness", self.smoothness, minimum=1e-12)
        self.rows_ = np.asarray(X)
        if len(X) > self.max_rows:
            drawn = np.random.default_rng(self.random_state).choice(len(X), self.max_rows, replace=False)
            self.rows_ = self.rows_[np.sort(drawn)]
        n_rows = len(self.rows_)
        if n_rows < 2:
            self.neighbors_ = Neighbors(np.empty((n_rows, 0)), np.empty((n_rows, 0), dtype=np.intp))
            self.features_ = np.ones((n_rows, 1))
            return self
        search = sklearn.neighbors.NearestNeighbors(n_neighbors=min(self.n_neighbors, n_rows - 1)).fit(
            self.rows_
        )
        self.neighbors_ = Neighbors(*search.kneighbors())
        similar, degree = self.similarity(self.n_neighbors)
        value, vector = _largest(similar, min(self.n_components, n_rows))
        unscaled = vector * np.sqrt(degree.sum() / degree)[:, None]
        self.features_ = unscaled / (1 + np.maximum(1 - value, 0) / self.smoothness)
        return self

    def similarity(self, n_neighbors: int) -> tuple[csr_array, Array]:
        """``D^{-1/2} W D^{-1/2}`` (n, n) for a number of neighbors, and the diagonal of D (n,)."""
        n_rows = len(self.rows_)
        if n_rows < 2:
            return csr_array((n_rows, n_rows)), np.ones(n_rows)
        return symmetric(self.neighbors_.weights(n_neighbors, n_rows))

    def nearest(self, X: Array) -> Neighbors:
        """Find the nearest rows of the graph to rows (m, D)."""
        check_is_fitted(self)
        search = prepared(self, self.rows_, partial(Search.among, self.rows_))
        return Neighbors(*search.nearest(np.asarray(X), self.n_neighbors))

    def features(self, neighbors: Neighbors) -> Array:
        """Weighted mean of the features over neighbors, (m, q)."""
        weight = neighbors.weights(self.n_neighbors, len(self.rows_))
        return np.asarray((weight @ self.features_) / weight.sum(axis=1)[:, None])

    def transform(self, X: Array) -> Array:
        """Graph features of rows (m, D), (m, q)."""
        return in_precision_of(X, self.features(self.nearest(X)))


class GraphSpreading(ProbabilityClassifier, BaseEstimator):
    """Label spreading over a nearest-neighbor graph.

    ``F = α S F + (1 - α) Y`` with ``S = D^{-1/2} W D^{-1/2}`` and W the graph's similarities to the
    ``n_neighbors`` nearest rows (Zhou et al. 2004, *Advances in Neural Information Processing Systems*
    16:321). A labeled row gives its label to the nearest row of the graph, which is itself if the graph has
    it; the prediction for a row is the weighted mean over its nearest rows.

    Parameters
    ----------
    graph : NeighborGraph in FrozenEstimator
        The graph of all rows.
    n_neighbors : int, default=5
        At most as many as the graph has.
    alpha : float in [0, 1), default=0.9
        Share of a row's label that comes from its neighbors.
    max_iter : int, default=50

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    spread_ : ndarray of shape (n, K)
        F, for the rows of the graph.
    share_ : ndarray of shape (K,)
        Class shares of the labeled rows.
    """

    def __init__(self, graph: Any, *, n_neighbors: int = 5, alpha: float = 0.9, max_iter: int = 50) -> None:
        self.graph = graph
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter

    def fit(self, X: Neighbors, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Spread the labels ``y`` (m,) of rows with the neighbors ``X``, each counted with its weight."""
        for name in ("n_neighbors", "max_iter"):
            integer(name, getattr(self, name), minimum=1)
        real("alpha", self.alpha, minimum=0, maximum=1, below=True)
        self.classes_, code = np.unique(np.asarray(y), return_inverse=True)
        weight = check_weights(sample_weight, len(code))
        similar, _ = self.graph.similarity(self.n_neighbors)
        given = np.zeros((similar.shape[0], len(self.classes_)))
        np.add.at(given, (X.row[:, 0], code), weight)
        self.share_ = given.sum(axis=0) / given.sum()
        self.spread_ = spread(similar, given, alpha=self.alpha, max_iter=self.max_iter)
        return self

    def predict_proba(self, X: Neighbors) -> Array:
        """Class probabilities, (m, K); the class shares of the labeled rows where no label reaches."""
        check_is_fitted(self)
        found = X.weights(self.n_neighbors, len(self.spread_)) @ self.spread_
        total = found.sum(axis=1, keepdims=True)
        reached = total > 1e-12 * self.spread_.max()
        return np.asarray(np.where(reached, found / np.where(total > 0, total, 1.0), self.share_))


def _largest(matrix: csr_array, n_values: int) -> tuple[Array, Array]:
    """The largest eigenvalues of a symmetric matrix, in falling order, and their eigenvectors."""
    n_rows = matrix.shape[0]
    if n_rows < DENSE * n_values + DENSE:
        value, vector = eigh(matrix.toarray(), subset_by_index=[n_rows - n_values, n_rows - 1])
    else:
        value, vector = eigsh(matrix, k=n_values, which="LA", v0=np.ones(n_rows), tol=1e-4)
    order = np.argsort(-value, kind="stable")
    return value[order], vector[:, order]
