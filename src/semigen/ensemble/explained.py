"""What a fit of AutoClassifier found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from semigen.comparison import Verdict, explain
from semigen.ensemble.fitted import shares as shares_of_models
from semigen.ensemble.harm import MUCH
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.evaluation.dependence import DEPENDENCE_SHIFT

_ASSUMED = {
    "shared": "labeled rows are taken for a random sample",
    "unlabeled": "learned from the unlabeled rows",
    "uniform": "given",
}
"""Where class shares come from."""
MOST_NAMED = 10
_MUCH = 0.6  # of all labeled rows in one class
_SEEN = 1e-3  # a difference between shares that their digits show


def assumed_shares(auto: Any) -> str:
    """The class shares that predictions assume, in words."""
    named = list(zip(auto.classes_.tolist(), auto.class_prior_.tolist(), strict=True))[:MOST_NAMED]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in named)
    rest = len(auto.classes_) - len(named)
    why = _ASSUMED[auto.class_prior] if isinstance(auto.class_prior, str) else "given"
    if np.ptp(auto.class_prior_) < _SEEN:
        shares, rest = f"{named[0][1]:.1%} for each of the {len(auto.classes_)} classes", 0
    return f"Class shares assumed ({why}): {shares}{f' and {rest} more' if rest else ''}."


def _most(auto: Any) -> str:
    """The share of the largest class, where it is much: what an accuracy is worth."""
    rows = auto.class_rows_
    if rows is None or rows.max() <= _MUCH * rows.sum():
        return ""
    return f" ({rows.max() / rows.sum():.1%} of the labeled rows are {auto.classes_[rows.argmax()]})"


def share_alone(supervised_share: float, verdict: Verdict) -> str:
    """What follows from a probability of harm that is neither small nor large."""
    harm = verdict.harm_probability
    why = "So"
    if verdict.negligible and harm is not None:  # which is of the model as it is, and says nothing of harm
        why = f"With a probability of {harm:.0%} models that use the unlabeled rows in full would do harm, so"
    alone = "the ensemble trained on the labeled rows alone"
    return f"{why} {alone} counts for {supervised_share:.0%} of the model."


def left_out(verdict: Verdict, *, dependence_shift: bool) -> str:
    """That models which use unlabeled rows are left out, and why if nothing has said it before."""
    said_before = verdict.outcome == "hurt" or dependence_shift
    why = "Models" if said_before else f"With a probability of harm of {MUCH:.0%} or more, models"
    return f"{why} that use unlabeled rows are left out."


def explanation(
    auto: Any, about_source: str | None, about_parting: str | None, about_deep: Sequence[str]
) -> str:
    """What a fit found, in words; sentences about a source, columns that part, and deep models are given."""
    lines = [f"Weights of the models: {shares_of_models(auto)}.", assumed_shares(auto)]
    if about_source is not None:
        lines.append(about_source)
    if auto.schema_.notes:
        lines.append(f"Columns: {'; '.join(auto.schema_.notes).removesuffix('.')}.")
    if auto.shared_scale == "auto" and auto.shared_scale_:
        lines.append("The columns look like pixels and have one scale (shared_scale).")
    if auto.dependence_shift_:
        lines.append(DEPENDENCE_SHIFT)
    if about_parting is not None:
        lines.append(about_parting)
    if auto.stopped_early_:
        lines.append("The time budget ended the fit: mixtures, folds or models may be missing.")
    if auto.validation_ is None:
        why, cure = "No labeled row could be held out", "give two rows of each class a single label"
        if auto.stopped_early_:
            why, cure = "No labeled row was held out in time", "allow more time"
        lines.append(
            f"{why}, so the weights are the defaults and it is unknown how good the predictions are: {cure}."
        )
    else:
        score, alone = (auto.validation_.score(name) for name in (ALL_MODELS, SUPERVISED_MODELS))
        beside = (
            "; the same ensemble trained on the labeled rows alone: "
            f"{alone.log_loss.value:.3f} and {alone.accuracy.value:.1%}"
            if auto.n_unlabeled_
            else ""
        )
        lines.append(
            f"On {len(auto.validation_.rows):,} held-out labeled rows: log-loss {score.log_loss.value:.3f} "
            f"nats per row, accuracy {score.accuracy.value:.1%}{_most(auto)}{beside}."
        )
        lines.append(explain(auto.verdict_, auto.n_unlabeled_))
    if not auto.unlabeled_used_:
        lines.append(left_out(auto.verdict_, dependence_shift=auto.dependence_shift_))
    elif auto.supervised_share_ > 0:
        lines.append(share_alone(auto.supervised_share_, auto.verdict_))
    lines += about_deep
    return "\n".join(lines)
