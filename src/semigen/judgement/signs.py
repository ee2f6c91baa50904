"""Signs of help and harm: numbers of a study from which the probability that unlabeled rows hurt is learned.

Most of them need no held-out label, so they speak where ten labels cannot: whether clusters are classes, how
far the fit moves, how well the density describes the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semigen.evaluation.uncertainty import entropy
from semigen.judgement.clustering import clusters, form
from semigen.judgement.diagnostics import COMPONENTS, SHAPE, TAILS, Gain
from semigen.judgement.held_out import OutOfFold
from semigen.judgement.study import LOGISTIC, Study, name_of

Array = NDArray[np.float64]
LARGEST_T = 8.0
FULL = 1.0
"""The λ in question."""
SHIFT = "shift of means"
FARTHEST = 20.0
"""Standard errors of a gain by clusters."""
MOST_STEPS = 100
"""EM iterations that are told apart: as many as advice lets its fits make."""


def signs(study: Study) -> dict[str, float]:
    """Signs of what λ = 1 does, by name: of the rows, and of held-out labels where there are some."""
    of_rows = _of_rows(study)
    if study.held_out is None:
        return of_rows
    return {**_of_held_out(study, study.held_out), **of_rows}


def _of_held_out(study: Study, held_out: OutOfFold) -> dict[str, float]:
    name = name_of(FULL)
    zero = name_of(0.0)
    n = len(held_out.code)
    losses, correct = held_out.comparison.row_losses, held_out.comparison.correct
    change = losses[name] - losses[zero]
    accuracy, before = float(correct[name].mean()), float(correct[zero].mean())
    confidence = float(study.posterior[FULL][study.unlabeled].max(axis=1).mean())
    spread = np.sqrt(max(confidence * (1 - confidence), 0.01) / n)
    return {
        "t": _t(change),
        "difference": float(np.arcsinh(10 * change.mean())),
        "t of Brier": _t(held_out.squared_errors(name) - held_out.squared_errors(zero)),
        "t against logistic": _t(losses[name] - losses[LOGISTIC]),
        "accuracy change": accuracy - before,
        "accuracy before": before,
        "surprise": float((accuracy - confidence) / spread),
        "surprise in points": accuracy - confidence,
    }


def _of_rows(study: Study) -> dict[str, float]:
    rest = study.unlabeled
    fit = study.fits[FULL]
    n_classes = study.n_classes
    posterior, before = study.posterior[FULL][rest], study.posterior[0.0][rest]
    guess, guess_before = posterior.argmax(axis=1), before.argmax(axis=1)
    logistic = study.logistic[rest].argmax(axis=1)
    probs, probs_before = (np.maximum(study.probs[one][rest], 1e-9) for one in (FULL, 0.0))
    confidence = float(posterior.max(axis=1).mean())
    shares = study.count / study.count.sum()
    moved = posterior.mean(axis=0) - shares
    density = (np.logaddexp.reduce(study.joint[one][rest], axis=1) for one in (FULL, 0.0))
    gain = float(np.mean(np.subtract(*density)))
    of_rows, of_labels = study.simulated[FULL]
    return {
        "agreement": float((guess == guess_before).mean()),
        "agreement with logistic": float((guess == logistic).mean()),
        "agreement before": float((guess_before == logistic).mean()),
        "divergence": float(np.log1p((probs_before * np.log(probs_before / probs)).sum(axis=1).mean())),
        "confidence": confidence,
        "confidence change": confidence - float(before.max(axis=1).mean()),
        "power": float(np.log(fit.posterior_power_)),
        "power change": float(np.log(fit.posterior_power_ / study.fits[0.0].posterior_power_)),
        "share shift": float(np.abs(moved).sum() / 2),
        "share shift in errors": float(np.sqrt(study.count.sum() * (moved**2 / shares).sum() / n_classes)),
        "label density": float(np.arcsinh(of_rows)),
        "label surprise": float(np.arcsinh(of_labels)),
        "density gain": float(np.arcsinh(gain)),
        "population": study.told.z,
        "log labels": float(np.log(study.labels_per_class)),
        "log unlabeled": float(np.log(len(rest) / study.count.sum())),
        "log columns": float(np.log(study.table.shape[1])),
        "log classes": float(np.log(n_classes)),
        "evenness": float(-(shares * np.log(shares)).sum() / np.log(n_classes)),
        **of_densities(study),
        **_of_fits(study),
        **_of_beliefs(study),
        **of_clusters(study),
    }


def of_densities(study: Study) -> dict[str, float]:
    """Signs of how well the fit with λ = 1 describes the rows."""
    worst = study.worst_columns
    return {
        "misfit": float(np.arcsinh(_gain(study, COMPONENTS).mean)),
        "misfit in errors": _z(_gain(study, COMPONENTS)),
        "shape": float(np.arcsinh(_gain(study, SHAPE).mean)),
        "shape in errors": _z(_gain(study, SHAPE)),
        "tails": float(np.arcsinh(_gain(study, TAILS).mean)),
        "tails in errors": _z(_gain(study, TAILS)),
        SHIFT: study.shift[0],
        "shift of spreads": study.shift[1],
        "worst column": worst[0].distance if worst else 0.0,
        "worth": float(np.log(0.01 + study.labels_each * len(study.unlabeled) / study.count.sum())),
    }


def of_clusters(study: Study) -> dict[str, float]:
    """Signs of clusters, with labels and without, and of what the columns are like."""
    nothing = Gain(0.0, 1.0, 0)
    alone, natural = (nothing, nothing) if study.half is None else clusters(study.half, study.random_state)
    numbers, repeated, tails = form(study.table)
    return {
        "clusters": -alone.mean,
        "clusters in errors": float(np.clip(-alone.z, -FARTHEST, FARTHEST)),
        "other clusters": natural.mean,
        "other clusters in errors": float(np.clip(natural.z, -FARTHEST, FARTHEST)),
        "numbers": numbers,
        "repeated": repeated,
        "heavy tails": tails,
    }


def _of_fits(study: Study) -> dict[str, float]:
    """How long EM climbed, and how many labeled rows keep their label, which both have seen."""
    found = {}
    for name, one in (("", FULL), (" before", 0.0)):
        kept = study.joint[one][study.labeled].argmax(axis=1) == study.code
        found[f"iterations{name}"] = float(np.log(min(study.fits[one].n_iter_, MOST_STEPS)))
        found[f"labels kept{name}"] = float(kept.mean())
    return found


def _of_beliefs(study: Study) -> dict[str, float]:
    """What λ = 1 would change in the log-loss of the unlabeled rows if one of the models were right."""
    rest = study.unlabeled
    probs, probs_before, logistic = (
        np.maximum(one[rest], 1e-9) for one in (study.probs[FULL], study.probs[0.0], study.logistic)
    )
    change = np.log(probs_before) - np.log(probs)
    believers = {"itself": probs, "before": probs_before, "logistic": logistic}
    return {
        **{
            f"change expected by {name}": float(np.arcsinh(5 * (one * change).sum(axis=1).mean()))
            for name, one in believers.items()
        },
        "entropy": float(entropy(probs).mean()),
        "entropy before": float(entropy(probs_before).mean()),
    }


def _gain(study: Study, name: str) -> Gain:
    return study.freer.get(name, Gain(0.0, 1.0, 0))


def _z(gain: Gain) -> float:
    return float(np.clip(gain.z, -LARGEST_T, LARGEST_T))


def _t(change: Array) -> float:
    error = max(float(change.std(ddof=1)) / np.sqrt(len(change)), 1e-9)
    return float(np.clip(change.mean() / error, -LARGEST_T, LARGEST_T))
