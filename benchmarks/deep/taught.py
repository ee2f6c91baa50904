"""A graph on M1, which may see gradients instead of pixels, and a network of convolutions that it teaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestNeighbors
from torch import nn

from semigen.data.labels import encode
from semigen.deep.vae.networks import MLP

Array = NDArray[np.float64]

LEAST = 1e-4
"""Added to probabilities before they are multiplied, so that none decides alone."""
SIDE, CELL, DIRECTIONS = 28, 4, 8
"""Pixels of a side of an image and of a cell, and directions of gradients that are told apart."""
BRIGHT = 0.22
"""Of a row of gradients of length 1, one value in a thousand is larger."""
IMAGES_AT_ONCE = 1000
EVEN_STEPS = 30
SHRINKAGE = 0.1
"""Of the covariance of a linear discriminant."""
POWER = 1 / 3
"""Of the second classifier's probabilities: it is surer than it is right, having learned from the first."""


def gradients(X: Any) -> NDArray[np.float32]:
    """Histograms of directions of gradients in cells of 4 × 4 pixels (Dalal & Triggs 2005, *CVPR*), (n, 392).

    Gradients count by their length, and are shared between the two directions beside theirs. Rows are the
    square roots, of length 1 and then so scaled that they are from 0 to 1.
    """
    n_cells = SIDE // CELL
    found = np.empty((len(X), n_cells * n_cells * DIRECTIONS), dtype=np.float32)
    for begin in range(0, len(X), IMAGES_AT_ONCE):
        images = np.asarray(X[begin : begin + IMAGES_AT_ONCE], dtype=np.float32).reshape(-1, SIDE, SIDE)
        across, down = np.zeros_like(images), np.zeros_like(images)
        across[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
        down[:, 1:-1] = images[:, 2:] - images[:, :-2]
        turn = np.arctan2(down, across) / (2 * np.pi) * DIRECTIONS % DIRECTIONS
        length, low = np.hypot(across, down), np.floor(turn)
        each = np.zeros((*images.shape, DIRECTIONS), dtype=np.float32)
        for direction, share in ((low, 1 - (turn - low)), (low + 1, turn - low)):
            index = direction.astype(np.intp)[..., None] % DIRECTIONS
            there = np.take_along_axis(each, index, axis=3)
            np.put_along_axis(each, index, there + (share * length)[..., None], axis=3)
        cells = each.reshape(-1, n_cells, CELL, n_cells, CELL, DIRECTIONS).sum(axis=(2, 4))
        roots = np.sqrt(cells.reshape(len(cells), -1))
        size = np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-6)
        found[begin : begin + len(cells)] = np.minimum(roots / size / BRIGHT, 1)
    return found


class Spreading(ClassifierMixin, BaseEstimator):
    """Label spreading over all rows, and classes of equal mass.

    Similarities are exp(−(d / d_k)²) to the k nearest rows, the larger one of a pair (as in semigen's graph,
    scikit-learn's are 1). Each class is divided by its mass over all rows (Zhu et al. 2003, *ICML*), since
    ten labels spread over fewer rows in some classes than in others. With ``even`` each is divided by a
    number with which as many rows are of each class, counted by their probabilities.
    """

    unlabeled = -1

    def __init__(
        self, n_neighbors: int = 10, alpha: float = 0.99, n_steps: int = 200, even: bool = False
    ) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.n_steps = n_steps
        self.even = even

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
        self.spread_ = spread * (evening(spread) if self.even else 1 / spread.sum(axis=0))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        found: Array = self._similarity(*self.search_.kneighbors(X)) @ self.spread_
        return found / found.sum(axis=1, keepdims=True)

    def _similarity(self, distance: Array, row: NDArray[np.intp]) -> csr_array:
        weight = np.exp(-((distance / np.maximum(distance[:, -1:], 1e-300)) ** 2))
        ends = np.arange(0, row.size + 1, self.n_neighbors)
        return csr_array((weight.ravel(), row.ravel(), ends), (len(row), self.search_.n_samples_fit_))


class Views(ClassifierMixin, BaseEstimator):
    """Label spreading in several views, and a linear discriminant of them all that learns from their product.

    Classes are even, as :class:`Spreading` has them.

    Parameters
    ----------
    views : sequence of transformers
        Fitted to all rows.
    spreading : classifier
        Fitted in each view.
    """

    def __init__(self, views: Sequence[Any], spreading: Any) -> None:
        self.views = views
        self.spreading = spreading

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to rows (n, D) with labels (n,), -1 where there is none."""
        self.views_ = [clone(view).fit(X, None) for view in self.views]  # FrozenEstimator wants a y
        seen = self._seen(X)
        self.scale_ = [one.std(axis=0).mean() for one in seen]
        self.spreading_ = [clone(self.spreading).fit(one, y) for one in seen]
        self.classes_ = self.spreading_[0].classes_
        found = self._product([one.spread_ for one in self.spreading_])
        self.weight_ = evening(found)
        answers = self.classes_[(found * self.weight_).argmax(axis=1)]
        columns = self._columns(seen)
        self.linear_ = LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE)
        self.linear_.fit(columns, np.where(y == -1, answers, y))
        self.weight_of_both_ = evening(self._both(found, columns))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        seen = self._seen(X)
        each = [model.predict_proba(one) for model, one in zip(self.spreading_, seen, strict=True)]
        found = self._both(self._product(each), self._columns(seen)) * self.weight_of_both_
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def _seen(self, X: Any) -> list[Array]:
        return [np.asarray(view.transform(X)) for view in self.views_]

    def _columns(self, seen: Sequence[Array]) -> Array:
        return np.hstack([one / scale for one, scale in zip(seen, self.scale_, strict=True)])

    def _product(self, each: Sequence[Array]) -> Array:
        shares = [one / np.maximum(one.sum(axis=1, keepdims=True), 1e-300) + LEAST for one in each]
        return np.asarray(np.prod(shares, axis=0))

    def _both(self, found: Array, columns: Array) -> Array:
        found = found * self.weight_
        return product(found / found.sum(axis=1, keepdims=True), self.linear_.predict_proba(columns))


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


def evening(found: Array) -> Array:
    """Factors of the classes, (K,), with which as many of the rows (n, K) are of each (Sinkhorn's)."""
    factor: Array = 1 / found.sum(axis=0)
    for _ in range(EVEN_STEPS):
        shares = found * factor
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        factor /= shares.mean(axis=0) * len(factor)
    return factor


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
