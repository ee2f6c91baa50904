"""Are labeled and unlabeled rows of one population?"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.stats import chi2

from semigen.common.plain import plain
from semigen.ensemble.held_out import shares_of_rows
from semigen.evaluation.dependence import DEPENDENCE_SHIFT, dependence_differs, separate_numbers
from semigen.evaluation.parting import lie_outside, most_apart, parting_columns
from semigen.judgement.findings.records import Finding, percent
from semigen.judgement.study import Study

Array = NDArray[np.float64]
CLEAR, LIKELY = 4.0, 3.0
"""Standard deviations of the area under the ROC curve."""
LEAST_SHIFT, LEVEL = 0.1, 0.001
LEAST_LABELED = 10


def covariate_shift(study: Study) -> Finding | None:
    """Whether a classifier can tell labeled from unlabeled rows that it has not seen."""
    if len(study.labeled) < LEAST_LABELED:
        return None
    told, (of_means, of_spreads) = study.told, study.shift
    low, high = told.auc - 1.96 * told.error, told.auc + 1.96 * told.error
    evidence = {
        "auc": [told.auc, max(low, 0.0), min(high, 1.0)],
        "z": told.z,
        "n_labeled": len(study.labeled),
        "shift_of_means": of_means,
        "shift_of_spreads": of_spreads,
    }
    if told.z > LIKELY or of_means > LIKELY:
        grave = (told.z > CLEAR and told.auc > 0.7) or of_means > CLEAR
        outside = {
            plain(name): share for name, share in parting_columns(study.table, study.labels.hard).items()
        }
        named = {repr(name): share for name, share in outside.items()}
        where = f" {lie_outside(named)}" if named else ""
        if not outside and (most := most_apart(study.table, study.labeled, study.unlabeled)) is not None:
            where = f" They differ most in {plain(most)!r}."
        return Finding(
            "labeled and unlabeled rows",
            "warning" if grave else "caution",
            evidence | ({"parting_columns": outside} if outside else {}),
            "Labeled and unlabeled rows come from different populations: a classifier tells a labeled from "
            f"an unlabeled row in {percent(told.auc)} of such pairs, and the mean of a column differs by "
            f"{of_means:.1f} standard errors more than chance allows.{where} Check how rows were chosen "
            "for labeling.",
        )
    return Finding(
        "labeled and unlabeled rows",
        "good",
        evidence,
        "Labeled rows look like a random sample of all rows.",
    )


def combinations(study: Study) -> Finding | None:
    """Whether the rows are all combinations of the values in their columns, or most of them."""
    found = study.grid
    if found is None:
        return None
    all_of_them = found.n_rows == found.n_combinations
    which = "all" if all_of_them else f"{found.n_rows:,} of the"
    return Finding(
        "combinations of values",
        "caution",
        asdict(found),
        f"The rows are {which} {found.n_combinations:,} combinations of the values of {found.n_columns} "
        "columns, each once, as in a planned experiment: which rows there are says nothing about the "
        "classes, so unlabeled rows have nothing to teach.",
    )


def label_shift(study: Study) -> Finding | None:
    """Whether the unlabeled rows have other class shares, as the fit to the labeled rows sees them."""
    if len(study.labeled) < LEAST_LABELED:
        return None
    probs, rest = study.probs[0.0], study.unlabeled
    prior = study.fits[0.0].class_prior_
    shares = shares_of_rows(np.maximum(probs[rest], 1e-12), np.ones(len(rest)), prior)
    given = study.count / study.count.sum()
    uncertain = _spread(probs[study.labeled], study.code, study.count)
    variance = given * (1 - given) / study.count.sum() + uncertain
    z = np.abs(shares - given) / np.sqrt(np.maximum(variance, 1e-9))
    statistic = float(((shares - given) ** 2 / np.maximum(variance, 1e-9)).sum() * (1 - 1 / study.n_classes))
    p_value = float(chi2.sf(statistic, study.n_classes - 1))
    k = int(np.abs(shares - given).argmax())
    names = [str(one) for one in study.labels.classes.tolist()]
    evidence = {
        "classes": names,
        "labeled": given.tolist(),
        "unlabeled": shares.tolist(),
        "p_value": p_value,
        "z": float(z.max()),
    }
    if p_value < LEVEL and abs(shares[k] - given[k]) > LEAST_SHIFT:
        return Finding(
            "class shares",
            "caution",
            evidence,
            f"Class shares differ: {percent(given[k])} of the labeled rows are {names[k]!r}, but about "
            f"{percent(shares[k])} of the unlabeled ones seem to be. If labeled rows were chosen by their "
            "class, set class_prior='unlabeled'; not if semigen.query chose them.",
        )
    return Finding(
        "class shares", "good", evidence, "The class shares of labeled and unlabeled rows can be the same."
    )


def _spread(probs: Array, code: NDArray[np.intp], count: Array) -> Array:
    """Variance of an estimated share that comes from wrong probabilities, (K,)."""
    truth = np.eye(probs.shape[1])[code]
    residual = truth - probs
    return np.asarray((residual**2).mean(axis=0) / max(count.sum(), 1))


def shuffled_columns(study: Study) -> Finding | None:
    """Whether columns are correlated in the labeled rows but not in the unlabeled ones."""
    matrix = study.table.matrix
    if issparse(matrix) or study.grid is not None:  # the columns of a grid are uncorrelated by design
        return None
    numbers = separate_numbers(study.to_plain, study.table.schema)
    shifted = dependence_differs(matrix, study.labels.is_labeled, numbers, study.random_state)
    if not shifted:
        return None
    return Finding("correlated columns", "warning", {"dependence_shift": True}, DEPENDENCE_SHIFT)
