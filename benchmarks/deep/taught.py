"""Two views that teach each other: a graph on M1 and a network of convolutions (co-training)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.neighbors import NearestNeighbors
from torch import nn

from semigen.data.labels import encode
from semigen.deep.vae.networks import MLP

Array = NDArray[np.float64]

LEAST = 1e-4
"""Added to probabilities before they are multiplied, so that none decides alone."""
POWER = 1 / 3
"""Of the second classifier's probabilities: it is surer than it is right, having learned from the first."""


class Spreading(ClassifierMixin, BaseEstimator):
    """Label spreading over all rows, α = .99, and classes of equal mass.

    Similarities are exp(−(d / d_k)²) to the k nearest rows, the larger one of a pair (as in semigen's graph,
    scikit-learn's are 1). Each class is divided by its mass over all rows (Zhu et al. 2003, *ICML*), since
    ten labels spread over fewer rows in some classes than in others.
    """

    unlabeled = -1

    def __init__(self, n_neighbors: int = 10, alpha: float = 0.99, n_steps: int = 200) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.n_steps = n_steps

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to rows (n, D) with labels (n,), -1 or None where there is none."""
        labels = encode(y)
        self.classes_ = labels.classes
        self.search_ = NearestNeighbors(n_neighbors=self.n_neighbors, algorithm="brute").fit(X)
        graph = self._similarity(*self.search_.kneighbors())
        graph = graph.maximum(graph.T)
        root = diags_array(1 / np.sqrt(graph.sum(axis=1)))
        graph = csr_array(root @ graph @ root)
        given = (labels.hard[:, None] == np.arange(len(labels.classes))).astype(np.float64)
        spread = given
        for _ in range(self.n_steps):
            spread = self.alpha * (graph @ spread) + (1 - self.alpha) * given
        self.spread_ = spread / spread.sum(axis=0)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        found: Array = self._similarity(*self.search_.kneighbors(X)) @ self.spread_
        return found / found.sum(axis=1, keepdims=True)

    def _similarity(self, distance: Array, row: NDArray[np.intp]) -> csr_array:
        weight = np.exp(-((distance / np.maximum(distance[:, -1:], 1e-300)) ** 2))
        ends = np.arange(0, row.size + 1, self.n_neighbors)
        return csr_array((weight.ravel(), row.ravel(), ends), (len(row), self.search_.n_samples_fit_))


class Taught(ClassifierMixin, BaseEstimator):
    """The product of two classifiers, of which the second learns from the surest answers of both.

    The fits of all rounds are kept, and their probabilities averaged.

    Parameters
    ----------
    first : classifier
        Fitted once, to labeled and unlabeled rows.
    second : classifier
        Fitted anew in each round, to the surest rows as if they were labeled.
    rounds : sequence of float
        Which share of the rows counts as sure in each.
    """

    def __init__(self, first: Any, second: Any, rounds: Sequence[float] = (0.8, 0.9)) -> None:
        self.first = first
        self.second = second
        self.rounds = rounds

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to rows (n, D) with labels (n,), -1 where there is none."""
        self.first_ = clone(self.first).fit(X, y)
        self.classes_ = self.first_.classes_
        of_first = self.first_.predict_proba(X)
        both = of_first
        of_second: list[Array] = []
        self.second_: list[Any] = []
        for share in self.rounds:
            sure = both.max(axis=1)
            answers = np.where(sure >= np.quantile(sure, 1 - share), self.classes_[both.argmax(axis=1)], -1)
            self.second_.append(clone(self.second).fit(X, np.where(y == -1, answers, y)))
            of_second.append(self.second_[-1].predict_proba(X))
            both = product(of_first, np.mean(of_second, axis=0))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        of_second = [one.predict_proba(X) for one in self.second_]
        return product(self.first_.predict_proba(X), np.mean(of_second, axis=0))


def product(first: Array, second: Array) -> Array:
    """Normalized products of the first classifier's probabilities and a power of the second's, (n, K)."""
    both = (first + LEAST) * (second + LEAST) ** POWER
    found: Array = both / both.sum(axis=1, keepdims=True)
    return found


def small_convolutions(n_inputs: int, n_outputs: int) -> nn.Module:
    """A classifier of images of 28 × 28 by two convolutions; for all else a few units."""
    if (n_inputs, n_outputs) != (784, 10):
        return MLP(n_inputs, (20,), n_outputs)
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, n_outputs),
    )
