"""Generative, discriminative or hybrid? The classical rules, each with the numbers that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone

from semigen.columns import missing_columns
from semigen.judgement.findings import Finding
from semigen.judgement.findings.records import counted, percent
from semigen.judgement.study import FOREST, LOGISTIC, Study, name_of
from semigen.mixture import MixtureClassifier

Kind = Literal["generative", "discriminative", "hybrid"]
KINDS: tuple[Kind, ...] = ("generative", "discriminative", "hybrid")

FEW_LABELS = 10
"""Labels per class below which a generative model learns faster (Ng & Jordan 2001, *NIPS* 14)."""
MODERATE_LABELS = 30
DOUBT = {"warning": 1.0, "caution": 0.5}
"""How strongly a finding of each severity speaks against the model."""
CLEAR_T = 2.0
ENSEMBLE = "semigen.AutoClassifier()"
"""What is better than a single model that gains nothing from unlabeled rows, or is discriminative
(``python -m benchmarks.judgement.recommended``)."""


@dataclass(frozen=True)
class Rule:
    """One row of the classical table, applied to a table of data.

    Attributes
    ----------
    name : str
    speaks_for : {"generative", "discriminative", "hybrid"}
    strength : float
        From 0, it does not apply, to 1, it applies fully.
    evidence : dict
        The numbers that it looked at.
    sentence : str
    """

    name: str
    speaks_for: Kind
    strength: float
    evidence: Mapping[str, Any]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Recommendation:
    """What kind of model to use, which one, and the rules behind it.

    Attributes
    ----------
    kind : {"generative", "discriminative", "hybrid"}
        Of a single model.
    estimator : str
        What to use, as one writes it in Python: a mixture where that is the best kind and unlabeled rows help
        it or densities are wanted; else the ensemble, which was better there on other tables.
    single : str
        The single model of that kind, which was judged; of a hybrid one the ensemble itself.
    reason : str
        The strongest rule that speaks for it.
    strengths : dict {kind: float}
        Sums over the rules.
    rules : tuple of Rule
        The strongest first.
    """

    kind: Kind
    estimator: str
    single: str
    reason: str
    strengths: Mapping[str, float]
    rules: tuple[Rule, ...]

    @property
    def sentence(self) -> str:
        """The recommendation with its reason."""
        if self.single == self.estimator:
            return f"Recommended: a {self.kind} model, {self.estimator}. {self.reason}"
        return (
            f"Recommended: {self.estimator}, an ensemble of generative and discriminative models that leaves "
            f"unlabeled rows out where they hurt. As a single model a {self.kind} one, {self.single}. "
            f"{self.reason}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values that JSON can hold."""
        plain = {**asdict(self), "rules": [one.to_dict() for one in self.rules]}
        return {**plain, "sentence": self.sentence}


def _is_one(n: float) -> bool:
    return f"{n:.0f}" == "1"


def _per_class(n: float) -> str:
    return f"{n:.0f} label{'' if _is_one(n) else 's'} per class"


def few_labels(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """Fewer than ten labels per class: a generative model needs fewer labels for what it learns."""
    n = study.labels_per_class
    return Rule(
        "few labels",
        "generative",
        float(np.clip((FEW_LABELS - n) / (FEW_LABELS - 3), 0.0, 1.0)),
        {"labels_per_class": n, "limit": FEW_LABELS},
        f"With {_per_class(n)} a generative model learns more from each"
        if n < FEW_LABELS
        else f"There are {_per_class(n)}, {FEW_LABELS} or more",
    )


def enough_labels(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """Moderate labels and a plausible model: a discriminative one no longer has too few."""
    n, doubt = study.labels_per_class, _doubt(findings)
    share = float(np.clip((n - FEW_LABELS) / (MODERATE_LABELS - FEW_LABELS), 0.0, 1.0))
    return Rule(
        "moderate labels",
        "discriminative",
        0.6 * share * (1 - 0.5 * doubt),
        {"labels_per_class": n, "doubt_about_the_model": doubt},
        f"With {_per_class(n)} a discriminative model has enough to learn from"
        if share
        else f"{_per_class(n)} {'is' if _is_one(n) else 'are'} few for a discriminative model",
    )


def misspecified(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """Misspecification likely: a discriminative or robust model does not need the density to be right."""
    doubt = _doubt(findings)
    against = {name: findings[name].severity for name in _ABOUT_MODEL if name in findings}
    bad = [name for name, severity in against.items() if severity in DOUBT]
    return Rule(
        "misspecification",
        "discriminative",
        doubt,
        {"findings": against, "doubt_about_the_model": doubt},
        f"Findings speak against the densities ({', '.join(bad)})"
        if bad
        else "No finding speaks against the densities",
    )


def needs_uncertainty(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """Uncertainty, novelty, missing values or samples needed: only a density gives them."""
    matrix = study.table.matrix
    missing = 0.0
    if not issparse(matrix) and missing_columns(matrix) is not None:
        missing = float(np.isnan(matrix).mean())
    return Rule(
        "uncertainty needed",
        "generative",
        max(0.8 if uncertainty else 0.0, min(2 * missing, 0.5)),
        {"asked_for": uncertainty, "share_of_missing_values": missing},
        "Densities are asked for, to say how usual a row is"
        if uncertainty
        else f"{percent(missing)} of the values are missing"
        + (", which a density integrates out" if missing else ": no density is needed for them"),
    )


def high_dimensional(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """More columns than labels: learn features from all rows, and a discriminative model on them."""
    n_columns, n_labels = int(study.plain.shape[1]), float(study.count.sum())
    ratio = n_columns / n_labels
    return Rule(
        "many columns",
        "hybrid",
        float(np.clip(0.5 * np.log2(max(ratio, 1e-9)) + 0.25, 0.0, 1.0)) if n_columns > 8 else 0.0,
        {"columns": n_columns, "labels": n_labels, "columns_per_label": ratio},
        f"There are {counted(n_columns, 'column')} for {counted(n_labels, 'label')}",
    )


def held_out_labels(study: Study, findings: Mapping[str, Finding], uncertainty: bool) -> Rule:
    """What the user's own held-out labels say: the best mixture against the best discriminative model."""
    held_out = study.held_out
    if held_out is None:
        return Rule("held-out labels", "generative", 0.0, {"n_rows": 0}, "No label could be held out")
    comparison = held_out.comparison
    losses = {name: comparison.score(name).log_loss.value for name in comparison.names}
    mixture = min((name_of(one) for one in study.weights), key=losses.__getitem__)
    other = min((one for one in (LOGISTIC, FOREST) if one in losses), key=losses.__getitem__)
    change = comparison.row_losses[mixture] - comparison.row_losses[other]
    t = float(change.mean() / max(change.std(ddof=1) / np.sqrt(len(change)), 1e-9))
    return Rule(
        "held-out labels",
        "discriminative" if t > 0 else "generative",
        float(np.clip(abs(t) / (2 * CLEAR_T), 0.0, 1.0)),
        {"log_loss": {mixture: losses[mixture], other: losses[other]}, "t": t, "n_rows": len(change)},
        f"On {len(change):,} held-out labels the log-loss of {other} is {losses[other]:.2f}, of the mixture "
        f"({mixture}) {losses[mixture]:.2f}",
    )


_ABOUT_MODEL = (
    "clusters and classes",
    "drift of the parameters",
    "fit of the densities",
    "path of λ",
)

RULES: tuple[Callable[[Study, Mapping[str, Finding], bool], Rule], ...] = (
    few_labels,
    enough_labels,
    misspecified,
    needs_uncertainty,
    high_dimensional,
    held_out_labels,
)


def recommend(
    study: Study, findings: Sequence[Finding], uncertainty: bool, unlabeled_weight: float | None
) -> Recommendation:
    """Add up the rules.

    Parameters
    ----------
    study : Study
    findings : sequence of Finding
    uncertainty : bool
        Whether densities are wanted.
    unlabeled_weight : float or None
        The weight of the model with the unlabeled rows that is advised; None where it cannot be told.
    """
    by_name = {one.name: one for one in findings}
    rules = sorted((rule(study, by_name, uncertainty) for rule in RULES), key=lambda one: -one.strength)
    strengths = {
        str(kind): float(sum(one.strength for one in rules if one.speaks_for == kind)) for kind in KINDS
    }
    kind = max(KINDS, key=lambda one: strengths[one])
    reason = next(one for one in rules if one.speaks_for == kind)
    single = _single(study, kind, unlabeled_weight)
    alone = kind == "generative" and (uncertainty or bool(unlabeled_weight))
    return Recommendation(
        kind, single if alone else ENSEMBLE, single, f"{reason.sentence}.", strengths, tuple(rules)
    )


def _doubt(findings: Mapping[str, Finding]) -> float:
    """How strongly the findings speak against the densities, from 0 to 1."""
    each = [DOUBT.get(findings[name].severity, 0.0) for name in _ABOUT_MODEL if name in findings]
    return float(1 - np.prod([1 - 0.6 * one for one in each])) if each else 0.0


def _single(study: Study, kind: Kind, unlabeled_weight: float | None) -> str:
    if kind == "hybrid":
        return ENSEMBLE
    if kind == "generative":
        if unlabeled_weight is None:
            return f"semigen.SafeClassifier({_in_words(study.estimator)})"
        without, with_rows = (
            _in_words(clone(study.estimator).set_params(unlabeled_weight=one)) for one in (0, 1)
        )
        if 0 < unlabeled_weight < 1:
            return f'semigen.PoolClassifier([("with", {with_rows}), ("without", {without})])'
        return with_rows if unlabeled_weight else without
    classifier = "sklearn.linear_model.LogisticRegression(max_iter=1000)"
    if study.held_out is not None and FOREST in study.held_out.probs:
        score = study.held_out.comparison.score
        if score(FOREST).log_loss.value < score(LOGISTIC).log_loss.value:
            classifier = "sklearn.ensemble.RandomForestClassifier()"
    return f"semigen.HybridClassifier(semigen.representation.PlainColumns(), {classifier})"


def _in_words(model: MixtureClassifier) -> str:
    return "semigen." + " ".join(repr(model).split())  # the parameters that are not the default, in one line
