"""How far the parameters move when unlabeled rows join, in standard errors."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import clone

from semigen.columns import ReadTable
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.judgement.diagnostics import LEAST_LOG, draw_like
from semigen.judgement.findings.records import Finding
from semigen.judgement.study import Study

N_TABLES = 29
FAR, NEAR = 4.0, 2.0


def drift(study: Study) -> Finding | None:
    """The fit to the labeled rows against the fit to all rows, in the manner of Hausman's test.

    If the model is right both estimate the same parameters, and the statistic
    ``2 Σ_labeled [log p(x, y | θ_labeled) - log p(x, y | θ_all)]`` is as large as it is for labeled rows
    drawn from θ_all (a parametric bootstrap; the error of θ_all itself, small where unlabeled rows are many,
    is left out). Hausman (1978), *Econometrica* 46:1251.
    """
    whole, supervised = study.fits[1.0], study.fits[0.0]
    rng = np.random.default_rng(study.random_state)
    own, seen = np.arange(len(study.code)), study.table.matrix[study.labeled]
    labels = study.labels.take(study.labeled)

    def statistic(theirs: np.ndarray, ours: np.ndarray) -> float:
        change = np.maximum(theirs, LEAST_LOG) - np.maximum(ours, LEAST_LOG)
        return 2 * float(change.sum())

    observed = statistic(
        study.joint[0.0][study.labeled][own, study.code], study.joint[1.0][study.labeled][own, study.code]
    )
    model = clone(supervised).set_params(calibrate=1.0, family=supervised.mixture_.family)  # as labels chose
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(N_TABLES):
            drawn_rows = draw_like(whole.mixture_, whole.params_, study.code, rng, seen)
            rows = ReadTable(study.table.schema, drawn_rows)
            try:
                fit = model.fit(rows, labels)
            except ParameterError:
                return None
            drawn.append(
                statistic(fit.log_joint(rows)[own, study.code], whole.log_joint(rows)[own, study.code])
            )
    mean, spread = float(np.mean(drawn)), max(float(np.std(drawn)), 1e-6)
    z = (observed - mean) / spread
    p_value = (1 + sum(one >= observed for one in drawn)) / (N_TABLES + 1)
    evidence = {
        "statistic": observed,
        "expected": mean,
        "standard_deviation": spread,
        "z": z,
        "p_value": p_value,
    }
    if z > NEAR:
        return Finding(
            "drift of the parameters",
            "warning" if z > FAR else "caution",
            evidence,
            f"With the unlabeled rows the model moves {z:.1f} standard deviations farther from the "
            f"labeled rows than "
            "chance would move it: model and unlabeled rows do not fit together; prefer a small λ or "
            "another model.",
        )
    if z < -FAR:
        return Finding(
            "drift of the parameters",
            "note",
            evidence,
            "How far chance would move the model when unlabeled rows join cannot be told: rows drawn from "
            "the model with all rows are unlike the labeled ones.",
        )
    return Finding(
        "drift of the parameters",
        "good",
        evidence,
        "The model moves no farther than chance would move it when unlabeled rows join.",
    )
