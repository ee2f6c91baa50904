"""Are the clusters of the rows the classes, and how much are unlabeled rows worth if they are?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from semigen.evaluation import intervals
from semigen.judgement.findings.density import density_fit
from semigen.judgement.findings.records import Finding, counted, percent
from semigen.judgement.study import Study, name_of

Array = NDArray[np.float64]
FAR, NEAR = -3.0, -2.0
"""Standard errors by which held-out labels fall short of what the model expects of itself."""
LEAST_GAP = 0.08
CLEAR = 0.8
"""Accuracy that a model expects of itself where clusters are clear."""


def clusters_are_classes(study: Study) -> Finding | None:
    """How often the fit to all rows (λ = 1) is right on labels that it has not seen, and what it expects."""
    if study.held_out is None:
        return None
    correct = study.held_out.comparison.correct[name_of(1.0)]
    found = intervals.of_share(correct, np.ones(len(correct)))
    expected = float(study.posterior[1.0][study.unlabeled].max(axis=1).mean())
    spread = float(np.sqrt(max(expected * (1 - expected), 0.01) / len(correct)))
    z, gap = (found.value - expected) / spread, expected - found.value
    evidence = {
        "accuracy": [found.value, found.low, found.high],
        "expected_accuracy": expected,
        "z": z,
        "n_rows": len(correct),
    }
    seen = (
        f"the model with all rows expects to be right in {percent(expected)} of the rows and is right in "
        f"{percent(found.value)} of {len(correct):,} labels that it had not seen"
    )
    if z < NEAR and gap > LEAST_GAP:
        return Finding(
            "clusters and classes",
            "warning" if z < FAR else "caution",
            evidence,
            f"The clusters of the rows do not seem to be the classes: {seen}.",
        )
    if expected < CLEAR:
        return Finding(
            "clusters and classes",
            "note",
            evidence,
            f"The rows have no clear clusters, so unlabeled rows say little about the classes: {seen}.",
        )
    return Finding(
        "clusters and classes",
        "good",
        evidence,
        f"Clusters and classes agree as well as the model expects: {seen}.",
    )


def label_equivalents(study: Study) -> Finding | None:
    """How many labels the unlabeled rows are worth if the model is right.

    See :func:`semigen.judgement.efficiency.efficiency`.
    """
    if issparse(study.plain):
        return None
    posterior = study.posterior[1.0]
    each = study.labels_each
    n = len(study.unlabeled)
    worth = each * n
    evidence = {
        "n_unlabeled": n,
        "labels_each": each,
        "label_equivalents": worth,
        "n_labeled": len(study.code),
        "expected_accuracy": float(posterior[study.unlabeled].max(axis=1).mean()),
    }
    about = _rounded(worth)
    labels = f"about {counted(about, 'label')}" if about else "less than a label"
    said = f"If the model is right, the {counted(n, 'unlabeled row')} are worth {labels}"
    if worth < 0.2 * len(study.code):
        return Finding(
            "worth of the unlabeled rows",
            "note",
            evidence,
            f"{said}, beside {len(study.code)} that there are: the classes overlap too much for more.",
        )
    fit = density_fit(study)
    if fit is not None and fit.severity == "warning":
        return Finding(
            "worth of the unlabeled rows",
            "note",
            {**evidence, "densities_fit": False},
            f"{said}; but it does not describe the rows well, so do not count on it.",
        )
    return Finding(
        "worth of the unlabeled rows",
        "good",
        evidence,
        f"{said}; there are {len(study.code):,} labels.",
    )


def _rounded(number: float) -> float:
    """To two digits."""
    return float(f"{number:.2g}") if number >= 1 else round(number)
