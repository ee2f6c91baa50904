"""What held-out labels say of λ, and whether the fit jumps on its way from the labeled rows to all rows."""

from __future__ import annotations

from typing import Any

from semigen.comparison import decide
from semigen.judgement.findings.records import Finding, Severity, percent
from semigen.judgement.study import Study, name_of

JUMP, LARGE_JUMP = 0.1, 0.25
"""Shares of the unlabeled rows that change their class between two neighboring λ."""


def held_out_change(study: Study) -> Finding | None:
    """Log-loss and Brier score on held-out labels, each λ against λ = 0, paired by row."""
    held_out = study.held_out
    if held_out is None:
        return None
    zero, comparison = name_of(0.0), held_out.comparison
    path: list[dict[str, Any]] = []
    for one in study.weights:
        change = comparison.difference(name_of(one), zero)
        brier = comparison.brier(name_of(one), zero)
        path.append(
            {
                "unlabeled_weight": one,
                "log_loss": comparison.score(name_of(one)).log_loss.value,
                "log_loss_change": [change.log_loss.value, change.log_loss.low, change.log_loss.high],
                "brier_change": None if brier is None else [brier.value, brier.low, brier.high],
                "accuracy_change": [change.accuracy.value, change.accuracy.low, change.accuracy.high],
            }
        )
    best = min(study.weights, key=lambda one: comparison.score(name_of(one)).log_loss.value)
    of_one = comparison.difference(name_of(1.0), zero)
    decided = decide(of_one)
    n = len(comparison.rows)
    loss = of_one.log_loss
    change_of_one = f"by {loss.value:+.2f} nats per row ({loss.low:+.2f} to {loss.high:+.2f}; less is better)"
    says = {
        "helped": "predictions are better with the unlabeled rows at full weight",
        "hurt": "predictions are worse with the unlabeled rows at full weight",
        "unclear": "alone it cannot be told whether unlabeled rows at full weight help",
    }
    severities: dict[str, Severity] = {"helped": "good", "hurt": "warning", "unclear": "note"}
    return Finding(
        "held-out labels",
        severities[decided],
        {"n_rows": n, "best_unlabeled_weight": best, "path": path},
        f"On {n:,} held-out labels {says[decided]}: they change the log-loss {change_of_one}.",
    )


def path_jump(study: Study) -> Finding | None:
    """Between which λ predictions jump, and whether labels stop mattering there."""
    rest = study.unlabeled
    guess = {one: posterior[rest].argmax(axis=1) for one, posterior in study.posterior.items()}
    kept = {
        one: float((posterior[study.labeled].argmax(axis=1) == study.code).mean())
        for one, posterior in study.posterior.items()
    }
    steps: list[dict[str, Any]] = [
        {
            "from": low,
            "to": high,
            "share_changed": float((guess[low] != guess[high]).mean()),
            "labeled_rows_right": [kept[low], kept[high]],
        }
        for low, high in zip(study.weights[1:], study.weights[2:], strict=False)
    ]
    if not steps:
        return None
    worst = max(steps, key=lambda one: one["share_changed"])
    changed = float(worst["share_changed"])
    lost = kept[study.weights[0]] - kept[1.0]
    evidence = {"steps": steps, "labeled_rows_lost": lost}
    if changed < JUMP:
        return Finding(
            "path of λ",
            "good",
            evidence,
            f"As unlabeled rows gain weight predictions change gradually ({percent(changed)} at most "
            f"between two λ).",
        )
    grave = changed >= LARGE_JUMP or lost >= JUMP
    return Finding(
        "path of λ",
        "warning" if grave else "caution",
        evidence,
        f"Between λ = {worst['from']:g} and λ = {worst['to']:g} the fit jumps to another solution: "
        f"{percent(changed)} of the unlabeled rows change their class"
        + (
            f", and {percent(lost)} of the labeled rows are then assigned to another class"
            if lost >= 0.05
            else ""
        )
        + "; stay below that weight unless held-out labels say otherwise.",
    )
