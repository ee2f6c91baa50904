"""In which leaf of each of many trees rows end.

Small trees are not walked down (:class:`LeafTables`): a node at which a row goes right rules out the leaves
on its left, and a row ends in the first leaf that no node rules out (Lucchese et al. 2015, *QuickScorer*,
SIGIR:73). At which nodes of a column a row goes right depends only on how many of their thresholds are below
its value, so one table per column holds the leaves that are left for each such number and tree, as bits.
Large ones are (:class:`Walks`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semigen.arrays.special import count_below

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Bits = NDArray[np.unsignedinteger]

MOST_LEAVES = 64
"""Of a tree: bits of the largest integers."""

MOST_BYTES = 2**26
"""Of all tables."""

FEW_TREES = 32
"""Of one size, which are not worth tables of their own."""

CHUNK_BYTES = 2**20
"""Of the bits of some rows, which stay in the processor's cache from column to column."""

WALKED_PAIRS = 2**14
"""Pairs of a row and a tree that are walked down together."""
STEPS = 4
"""After which pairs that are in a leaf are left alone."""


@dataclass(frozen=True)
class LeafTables:
    """Tables of trees of few leaves.

    Attributes
    ----------
    columns : tuple of int
        Columns that a node splits on.
    thresholds : tuple of ndarray of shape (m,)
        Of each, rising.
    left : tuple of tuple of ndarray of shape (m + 1, some trees)
        The leaves of each tree that are left where so many of these are below the value; for trees of up to
        8, 16, 32 and 64 leaves, as far as there are any, of each column.
    tree : ndarray of shape (trees,), intp
        Numbers of the trees, by these sizes.
    first : ndarray of shape (trees,), intp
        The number of the first leaf of each of ``tree`` among all leaves.
    node : ndarray of shape (leaves,), intp
        Node of each leaf.
    """

    columns: tuple[int, ...]
    thresholds: tuple[Array, ...]
    left: tuple[tuple[Bits, ...], ...]
    tree: Indices
    first: Indices
    node: Indices

    @classmethod
    def of(cls, feature: Indices, threshold: Array, child: Indices, root: Indices) -> LeafTables | None:
        """Tables of trees kept as arrays of nodes (:class:`semigen.estimators.classifiers.TreeEnsemble`).

        None where they would be too large, or the nodes of a tree do not stand in the order of a walk through
        it that goes left first.
        """
        is_leaf = feature < 0
        inner = np.flatnonzero(~is_leaf)
        right, left = child[2 * inner], child[2 * inner + 1]
        before: Indices = np.cumsum(is_leaf) - is_leaf  # leaves with smaller numbers
        first: Indices = before[root]
        n_leaves = np.diff([*first.tolist(), int(is_leaf.sum())])
        if n_leaves.max() > MOST_LEAVES or (left != inner + 1).any():
            return None
        size = _sizes(n_leaves)
        columns = np.unique(feature[inner])
        if (len(inner) + len(columns)) * size.sum() > MOST_BYTES:
            return None
        tree = np.searchsorted(root, inner, side="right") - 1
        one = np.uint64(1)
        gone = (one << (before[right] - first[tree]).astype(np.uint64)) - one
        gone &= ~((one << (before[left] - first[tree]).astype(np.uint64)) - one)
        order = np.argsort(size, kind="stable")
        place = np.argsort(order)[tree]
        bits = [np.dtype(f"u{n}") for n in np.unique(size)]
        ends = np.cumsum([0, *((size == kind.itemsize).sum() for kind in bits)])
        thresholds, tables = [], []
        for column in columns:
            mine = np.flatnonzero(feature[inner] == column)
            mine = mine[np.argsort(threshold[inner[mine]], kind="stable")]
            table = np.full((len(mine) + 1, len(root)), ~np.uint64(0))
            table[np.arange(1, len(mine) + 1), place[mine]] = ~gone[mine]
            table = np.bitwise_and.accumulate(table, axis=0)
            thresholds.append(threshold[inner[mine]])
            parts = zip(bits, ends[:-1], ends[1:], strict=True)
            tables.append([table[:, begin:end].astype(kind) for kind, begin, end in parts])
        node, by_size = np.flatnonzero(is_leaf), tuple(zip(*tables, strict=True))
        return cls(tuple(columns.tolist()), tuple(thresholds), by_size, order, first[order], node)

    def find(self, x: NDArray[np.float32]) -> Indices:
        """The leaf in which each row of x (n, D) ends, by ``tree``, numbers (n, trees); NaN goes right."""
        result = np.empty((len(x), len(self.first)), dtype=np.intp)
        if not self.columns:  # every tree is one leaf
            result[:] = self.first
            return result
        places = [
            count_below(threshold, x[:, column])
            for column, threshold in zip(self.columns, self.thresholds, strict=True)
        ]
        size = max(1, CHUNK_BYTES // sum(first[0].nbytes for first, *_ in self.left))
        end = 0
        for tables in self.left:
            begin, end = end, end + tables[0].shape[1]
            bits, more = np.empty((2, min(size, len(x)), end - begin), dtype=tables[0].dtype)
            for start in range(0, len(x), size):
                rows = slice(start, start + size)
                n_rows = len(result[rows])
                tables[0].take(places[0][rows], axis=0, out=bits[:n_rows], mode="clip")
                for table, place in zip(tables[1:], places[1:], strict=True):
                    table.take(place[rows], axis=0, out=more[:n_rows], mode="clip")  # else it is buffered
                    bits[:n_rows] &= more[:n_rows]
                np.add(_first_bit(bits[:n_rows]), self.first[begin:end], out=result[rows, begin:end])
        return result


@dataclass(frozen=True)
class Walks:
    """Trees of any size, to be walked down; a leaf leads to itself.

    Attributes
    ----------
    feature : ndarray of shape (nodes,), intp
    threshold : ndarray of shape (nodes,), float32
    child : ndarray of shape (2 nodes,), intp
        For numbers above the threshold, and for others.
    root : ndarray of shape (trees,), intp
    tree : ndarray of shape (trees,), intp
        Numbers of the trees.
    node : ndarray of shape (nodes,), intp
        Node of each number that :meth:`find` gives: itself.
    """

    feature: Indices
    threshold: NDArray[np.float32]
    child: Indices
    root: Indices

    @property
    def tree(self) -> Indices:
        return np.arange(len(self.root))

    @property
    def node(self) -> Indices:
        return np.arange(len(self.feature))

    @classmethod
    def of(cls, feature: Indices, threshold: Array, child: Indices, root: Indices) -> Walks:
        """Trees kept as arrays of nodes (:class:`semigen.estimators.classifiers.TreeEnsemble`)."""
        is_leaf = feature < 0
        single = threshold.astype(np.float32)  # rounded down, which float32 cells do not notice
        single = np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
        own = np.repeat(np.arange(len(feature)), 2)
        return cls(np.where(is_leaf, 0, feature), single, np.where(np.repeat(is_leaf, 2), own, child), root)

    def find(self, x: NDArray[np.float32]) -> Indices:
        """The leaf in which each row of x (n, D) ends in each tree, (n, trees) nodes; NaN goes right."""
        result = np.empty((len(x), len(self.root)), dtype=np.intp)
        cells, first = x.ravel(), np.arange(len(x)) * x.shape[1]
        n_together = max(1, WALKED_PAIRS // max(1, len(x)))  # few trees at a time stay in the cache
        for begin in range(0, len(self.root), n_together):
            roots = self.root[begin : begin + n_together]
            reached = np.repeat(roots, len(x))
            going, here, start = np.arange(len(reached)), reached, np.tile(first, len(roots))
            while len(going):
                before = here
                for _ in range(STEPS):
                    before, cell = here, cells.take(start + self.feature.take(here))
                    here = self.child.take(2 * here + (cell <= self.threshold.take(here)))
                reached[going] = here
                inner = here != before
                going, here, start = going[inner], here[inner], start[inner]
            result[:, begin : begin + n_together] = reached.reshape(len(roots), len(x)).T
        return result


def _sizes(n_leaves: Indices) -> Indices:
    """Bytes for the bits of each tree's leaves; few trees take those of larger ones."""
    size = np.array([1, 2, 4, 8])[np.searchsorted([8, 16, 32], n_leaves)]
    for smaller, larger in ((1, 2), (2, 4), (4, 8)):
        if (size == smaller).sum() < FEW_TREES and (size > smaller).any():
            size[size == smaller] = larger
    return size


def _first_bit(bits: Bits) -> NDArray[np.integer]:
    """The number of the lowest bit that is set."""
    lowest = bits & (~bits + bits.dtype.type(1))
    if bits.itemsize < 8:  # powers of two are exact, and their exponent stands above the digits of the float
        return (lowest.astype(np.float32).view(np.int32) >> 23) - 127
    return (lowest.astype(np.float64).view(np.int64) >> 52) - 1023
