"""Documents as counts or weights of words, scaled to a common length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from semigen.arrays.pieces import Indices, chunks
from semigen.columns import Kind
from semigen.data.blocks import Block, Blocks, Engine, Missing
from semigen.exceptions import ColumnError, ParameterError
from semigen.families.discrete import LARGEST_COUNT, check_support, is_sparse
from semigen.families.protocol import Array, Family
from semigen.families.scaled import (
    ScaledWalk,
    along,
    chunk_rows,
    norms,
    positive,
    principal_axes,
    rescaled,
    some_rows,
)

EQUAL_LENGTH = 6.0
"""Words that a document is worth under ``length="equal"``. Words come together: on texts of many kinds the
errors of EM are smallest with 3 to 10, and much below, components of many classes become alike."""

FLOOR = 1e-16
"""Smallest probability of a word, and that of a word that no document has had."""


@dataclass(frozen=True)
class DocumentPrior:
    """Prior: s pseudo-documents per component with the word frequencies of all documents.

    ``log p(θ) = s L Σ_c Σ_d f_d log θ_cd``, a Dirichlet whose mode is f.

    Attributes
    ----------
    frequency : ndarray of shape (V,)
        f: share of each word in all scaled documents, sum 1; 0 for a word that none has.
    words : float
        L: mean length of a scaled document.
    strength : float
        s ≥ 0.
    drawn : int
        Words of a document that is drawn: the mean before scaling.
    some : matrix of documents, or None
        What the axes are found with; None where there are few words.
    """

    frequency: Array
    words: float
    strength: float
    drawn: int
    some: Any

    @property
    def count(self) -> Array:
        """Words of the s documents, (V,)."""
        return self.strength * self.words * self.frequency

    @cached_property
    def axes(self) -> Array | None:
        """Principal axes of documents, (V, 32); None where there are few words."""
        return None if self.some is None else principal_axes(self.directions(self.some))

    def directions(self, x: Any) -> Any:
        """Documents with their words weighted by log 1 / f, on the unit sphere; empty ones at the origin."""
        rarity = -np.log(np.maximum(self.frequency, FLOOR))
        weighted = rescaled(x, 1.0 / positive(totals(x)), rarity)
        return rescaled(weighted, 1.0 / positive(norms(weighted)), np.ones(x.shape[1]))


@dataclass(frozen=True)
class WordProbabilities:
    """Parameters.

    Attributes
    ----------
    log_probability : ndarray of shape (C, V)
        log θ.
    drawn : int
        Words of a document that is drawn.
    """

    log_probability: Array
    drawn: int


@dataclass(frozen=True)
class WordCounts:
    """Weighted sums of scaled documents.

    Attributes
    ----------
    count : ndarray of shape (C, V)
        ``Σ r x̃``.
    """

    count: Array

    def merge(self, other: WordCounts) -> WordCounts:
        """The sums over both sets of rows."""
        return WordCounts(self.count + other.count)


class Multinomial(Family):
    """``log p(x | c) = Σ_d x̃_d log θ_cd`` with ``x̃ = L x / Σ_d x_d``: words drawn one after the other.

    Each x_d ≥ 0 is how often word d stands in the document, or its weight (tf-idf). The multinomial
    coefficient, the same for all components, is left out: this is the probability of the words in their
    order.

    Words of a document come together, not independently as the formula says: with raw counts posteriors are
    absurdly sure, and EM does worse than supervised learning. Documents are therefore scaled to a common
    length (Nigam et al. 2000, *Machine Learning* 39:103). Each is then evidence of L independent words: L is
    the inverse temperature of the posterior.

    Prior: a Dirichlet, as s pseudo-rows with the word frequencies of all rows; by default s is the square
    root of the rows' total weight. ``shrinkage=0`` is maximum likelihood. Probabilities stay ≥ 1e-16. A
    document without words has log p = 0 for every component; a word that no document had when the model
    was fitted says nothing of the class, and no word does where no row that counts had any. Sparse rows
    (CSR) are never made dense.

    Parameters
    ----------
    length : "equal", "raw" or float > 0, default="equal"
        L. "equal" is 6 words. "raw" leaves documents as they are.

    Raises
    ------
    ParameterError
        If ``length`` is none of these.
    """

    name = "multinomial"
    kind: Kind = "word"
    takes_sparse = True
    takes_missing = False

    def __init__(self, length: str | float = "equal") -> None:
        number = isinstance(length, Real) and not isinstance(length, bool) and 0 < float(length) < np.inf
        if not number and not (isinstance(length, str) and length in ("equal", "raw")):
            raise ParameterError(
                f"length={length!r}: it must be 'equal', 'raw' or a number of words above 0."
            )
        self.length = length

    def __repr__(self) -> str:
        return f"Multinomial(length={self.length!r})"

    def factors(self, total: Array) -> Array:
        """What documents of total weight ``total`` are multiplied with, (rows,)."""
        if self.length == "raw":
            return np.ones_like(total)
        return (EQUAL_LENGTH if self.length == "equal" else float(self.length)) / positive(total)

    def fit_prior(self, data: Blocks, shrinkage: float | None, engine: Engine) -> DocumentPrior:
        counts, sizes = zip(*engine.map_blocks(self._word_sums, data), strict=True)
        count, (rows, raw) = sum(counts), sum(sizes)
        if not count.sum() < np.inf:
            raise ColumnError("the words of all rows overflow: give smaller numbers.")
        return DocumentPrior(
            frequency=count / positive(count.sum()),
            words=float(count.sum()) / rows,
            strength=float(np.sqrt(rows)) if shrinkage is None else float(shrinkage),
            drawn=int(np.clip(np.rint(raw / rows), 1, LARGEST_COUNT)),
            some=some_rows(data),
        )

    def _word_sums(self, block: Block) -> tuple[Array, Array]:
        """Weighted counts of the scaled documents of a block, (V,), and sums of weights and raw lengths."""
        n_words = block.x.shape[1]
        count, sizes = np.zeros(n_words), np.zeros(2)
        for piece in chunks(block.rows, chunk_rows(1, n_words)):
            documents, weight = block.x[piece], block.weight[piece]
            total = totals(documents)
            count += documents.T @ (weight * self.factors(total))
            sizes += weight.sum(), weight @ total
        return count, sizes

    def reference(self, prior: DocumentPrior, n_components: int) -> WordProbabilities:
        log_frequency = np.log(np.maximum(prior.frequency, FLOOR))
        return WordProbabilities(np.repeat(log_frequency[None], n_components, axis=0), prior.drawn)

    def walk(self, params: WordProbabilities, dtype: Any, missing: Missing = None) -> DocumentWalk:
        return DocumentWalk(self, params)

    def m_step(self, prior: DocumentPrior, stats: WordCounts, params: WordProbabilities) -> WordProbabilities:
        found = stats.count + prior.count
        total = found.sum(axis=1, keepdims=True)
        np.maximum(found, FLOOR * positive(total), out=found)
        np.log(found, out=found)
        found -= np.log(positive(total))
        empty = np.flatnonzero(total <= 0)
        found[empty] = params.log_probability[empty]
        return WordProbabilities(found, params.drawn)

    def log_prior(self, prior: DocumentPrior, params: WordProbabilities) -> float:
        return float((params.log_probability @ prior.count).sum())

    def log_likelihood(self, params: WordProbabilities, stats: WordCounts) -> float:
        return float(np.vdot(stats.count.T, params.log_probability.T))

    def points(self, prior: DocumentPrior, x: Any) -> Array:
        return along(prior.axes, prior.directions(x))

    def sample(self, params: WordProbabilities, components: Indices, rng: np.random.Generator) -> Array:
        rows = np.empty((len(components), params.log_probability.shape[1]))
        for c, log_probability in enumerate(params.log_probability):
            mine = np.flatnonzero(components == c)
            probability = np.exp(log_probability)
            rows[mine] = rng.multinomial(params.drawn, probability / probability.sum(), size=len(mine))
        return rows

    def expect_missing(self, params: WordProbabilities, x: Array, resp: Array) -> Array:
        return x

    def draw_missing(
        self, params: WordProbabilities, x: Array, components: Indices, rng: np.random.Generator
    ) -> Array:
        return x

    def summary(self, params: WordProbabilities) -> dict[str, Any]:
        """``probability`` θ (C, V), and the ``mean`` of a document as long as the mean of those fitted."""
        probability = np.exp(params.log_probability)
        return {"probability": probability, "mean": params.drawn * probability}

    def n_free(self, params: WordProbabilities) -> int:
        known = (params.log_probability > np.log(FLOOR) + 1e-9).any(axis=0)
        return len(params.log_probability) * max(int(known.sum()) - 1, 0)


class DocumentWalk(ScaledWalk):
    """Log densities and counts of documents scaled to their length."""

    def __init__(self, family: Multinomial, params: WordProbabilities) -> None:
        super().__init__(params.log_probability)
        self._family = family

    def factors(self, x: Any) -> Array:
        return self._family.factors(totals(x))

    def stats(self) -> WordCounts:
        return WordCounts(self.sums())


def totals(x: Any) -> Array:
    """Sum of each row, (rows,).

    Raises
    ------
    ColumnError
        If a value is negative, missing or infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.asarray(x @ np.ones(x.shape[1]))
    values = x.data if is_sparse(x) else x
    if values.size and not (values.min() >= 0 and np.isfinite(total).all()):
        check_support(
            x,
            lambda cells: (cells >= 0) & (cells < np.inf),
            "which are no counts or weights of words (0 or more): correct them, or model these columns as "
            "numbers (family 'gaussian').",
        )
        raise ColumnError("values are missing or too large to be added up: fill them in, or divide them.")
    return total
