"""Which rows tell most about the others: greedy experimental design in a space learned from all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen import columns
from semigen.columns import ReadTable
from semigen.ensemble.forms import Forms
from semigen.representation import MixtureEnsembleFeatures

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

N_MIXTURES = 24
"""Mixtures of the similarity, where the estimator has none of its own."""
N_DIRECTIONS = 60
"""Leading directions of the similarity that are kept."""
FLAT = 1e-9
"""Directions with a smaller share of the largest variance are left out."""
SHARE_OF_AXES = 0.5
"""Scale of the principal axes, which tell rows of one cluster apart, beside the clusters of the mixtures."""
PRECISION = 0.01
"""Prior precision of the logits along each direction: the larger, the more only large clusters count."""
MOST_PRECISE = 0.25
"""Fisher information of one label about a logit of 0."""


@dataclass(frozen=True)
class Asked:
    """Rows to ask for, in order.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp
    settled : ndarray of shape (m,)
        Share of what is uncertain before the first label that each further label is expected to settle.
    unknown : ndarray of shape (m,)
        Share of its prior variance that the logit of each row has left before its turn, from 0 to 1.
    """

    rows: Rows
    settled: Array
    unknown: Array


def similarity_features(estimator: Any, X: Any, random_state: int) -> Array:
    """Rows in a space whose inner products say how alike they are, (n, q).

    Responsibilities of many mixtures beside principal axes of the columns, rotated to their leading
    directions; those of the words of long texts stand beside them. The mixtures are those of a fitted
    :class:`semigen.AutoClassifier`; for any other estimator they are fitted to these rows, whose columns are
    read by its ``kinds`` if it has any.
    """
    if isinstance(getattr(estimator, "forms_", None), Forms):
        parts = estimator.forms_.of(estimator.read(X)).parts
        return np.hstack([similarity(one.responsibilities.whole, one.principal_axes) for one in parts])
    words = X.documents if isinstance(X, ReadTable) else None

    def features(table: Any) -> Array:
        kinds = getattr(estimator, "kinds", None)
        mixtures = MixtureEnsembleFeatures(N_MIXTURES, kinds=kinds, random_state=random_state).fit(table)
        matrix = columns.read_like(mixtures, table, sparse=mixtures.views_[0].plain_.sparse_ or "dense")
        views = mixtures.axes(ReadTable(mixtures.schema_, matrix))
        return similarity(mixtures.responsibilities(matrix, views), views[-1])

    return np.hstack([features(table) for table in (X, words) if table is not None])


def similarity(clusters: Array, axes: Array) -> Array:
    """Responsibilities (n, C) beside principal axes (n, q) on their leading directions.

    Not centered: those of a mixture sum to 1, so that logits have an intercept. Without one, labels in all
    clusters but one would say what the last one is, and it would not be asked for.
    """
    spread = np.sqrt(max(float((axes**2).sum(axis=1).mean()), 1e-300))
    features = np.hstack([clusters, SHARE_OF_AXES / spread * axes])
    values, vectors = np.linalg.eigh(features.T @ features)
    order = np.argsort(-values, kind="stable")[:N_DIRECTIONS]
    return np.asarray(features @ vectors[:, order[values[order] > FLAT * max(values.max(), 1e-300)]])


def most_informative(
    features: Array, uncertainty: Array, labeled: Rows, candidates: Rows, weight: Array, n: int
) -> Asked:
    """Choose rows one after the other, each the one whose label is expected to settle most.

    Logits are linear in the features f, with a Gaussian prior of precision ρ. A label of row i has the
    information ``h_i = u_i² / 4`` about its logit, where the uncertainty u is 1 if two classes are equally
    likely and 0 if one is certain, so the logits have the posterior covariance
    ``C = (Σ_labeled h_i f_i f_iᵀ + ρ I)⁻¹``. What is uncertain is ``Σ_j v_j u_j f_jᵀ C f_j`` over all rows j
    with their weights v, and a label of row i lowers it by
    ``h_i Σ_j v_j u_j (f_iᵀ C f_j)² / (1 + h_i f_iᵀ C f_i)``. So a row is asked for if it is uncertain itself,
    is like many rows that are, and unlike those that are labeled or asked for before it (expected variance
    reduction: Schein & Ungar 2007, *Machine Learning* 68:235; Cohn, Ghahramani & Jordan 1996, *JAIR* 4:129).
    With equal u it covers the clusters, the large ones first.

    Parameters
    ----------
    features : ndarray of shape (n, q)
    uncertainty : ndarray of shape (n,)
        u.
    labeled, candidates : ndarray of intp
        Row numbers: what is known, and what can be asked for.
    weight : ndarray of shape (n,)
        v.
    n : int
        Rows to choose, at most as many as there are candidates.
    """
    inform = MOST_PRECISE * uncertainty**2
    known = features[labeled]
    precision = known.T @ (known * inform[labeled, None]) + PRECISION * np.eye(features.shape[1])
    covariance = np.linalg.inv(precision)
    target = features.T @ (features * (weight * uncertainty)[:, None])
    prior = np.maximum((features**2).sum(axis=1) / PRECISION, 1e-300)
    total = max(float((covariance * target).sum()), 1e-300)
    free = np.zeros(len(features), dtype=bool)
    free[candidates] = True
    rows, settled, unknown = [], [], []
    for _ in range(min(n, len(candidates))):
        spread = features @ covariance
        variance = (spread * features).sum(axis=1)
        gain = inform * ((spread @ target) * spread).sum(axis=1) / (1 + inform * variance)
        best = int(np.where(free, gain, -1.0).argmax())
        rows.append(best)
        settled.append(gain[best] / total)
        unknown.append(variance[best] / prior[best])
        free[best] = False
        covariance -= (inform[best] / (1 + inform[best] * variance[best])) * np.outer(
            spread[best], spread[best]
        )
    return Asked(np.array(rows, dtype=np.intp), np.array(settled), np.array(unknown))


def closeness(probabilities: Array) -> Array:
    """One less the difference of the two largest class probabilities, (n,): 1 where two classes are equal."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, 1] - top[:, 0]))
